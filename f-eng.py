import re
def edit(p, reps):
    s=open(p).read()
    for a,b in reps:
        assert a in s, (p,a)
        s=s.replace(a,b,1)
    open(p,'w').write(s)

edit('src/driver/driver.h', [
('''    /* Anything else that happened''','''    /* Of an adopted system: process @number runs as @pid, but no hcsd got as far as telling its start;
     * whoever asked for it is gone.  With @pid 0 that may still come to be: no other process may
     * have the number. */
    void (*process_found)(struct driver_system *s, uint32_t number, uint32_t pid);

    /* Anything else that happened'''),
('''typedef void (*driver_leftover_exit)(void *context, uint32_t number, uint32_t pid,
                                     uint32_t wait_status);

''','''/* A process as the event log knows it. */
struct driver_process {
    uint32_t number;
    uint32_t pid;
    int has_exited; /* its exit is durable: a record of it may be deleted, and is not to be told */
};

struct driver_known {
    const struct driver_process *processes; /* by number */
    size_t n_processes;
};

'''),
('''    /* A system of this driver that an hcsd before this one left behind in @run_dir: end what is
     * left of it, blocking, at start-up only, then tell every exit of a process that was recorded.
     */
    hcs_result (*end_leftover)(struct driver *d, const char *id, uint64_t incarnation,
                               const char *run_dir, driver_leftover_exit visit, void *context,
                               hcs_error *err);

''','''    /* In place of create: take over a system that an hcsd before this one left in its run_dir.  What
     * happened meanwhile is told as always.  `done` comes within DRIVER_ADOPT_US: when all is told,
     * or when the keeper is too slow, and then that is told later.  With a failure (a keeper that is
     * gone) `exited` follows: unknown, or the truth where there is another witness.
     * With @known_opt NULL nobody wants to hear of it: `done`, then only clean and forget follow.
     * @known_opt is borrowed for the call. */
    void (*adopt)(struct driver *d, struct driver_system *s, uint64_t job,
                  const struct driver_known *known_opt);

'''),
('''struct driver_system;

/* What a driver''','''#define DRIVER_ADOPT_US 5000000 /* from adopt to done, at most */

struct driver_system;

/* What a driver'''),
('''    const char *run_dir; /* absolute; private to this system; exists, empty, mode 0700; the engine
                          * removes it after `clean` */''','''    const char *run_dir; /* absolute; private to this system; exists, mode 0700; empty before a
                          * create; the engine removes it after `clean` */'''),
('''    const struct doc_system *doc;
''','''    const struct doc_system *doc; /* NULL for one that is adopted only to be cleaned */
'''),
])

edit('src/engine/engine.h', [
('''/* Before anybody is served: end the systems that an hcsd before this one left, and tell their ends.
 */
_must_use_ hcs_result engine_recover(struct engine *e, hcs_error *err);
''','''/* Before anybody is served: take over the systems that an hcsd before this one left, tell what
 * happened to them meanwhile, and clean up what is left of those that have ended or never were.
 * Begun here; the loop is to run until engine_adopting() says 0, which takes a few seconds at most,
 * however many there are and whatever state they are in. */
_must_use_ hcs_result engine_adopt(struct engine *e, hcs_error *err);
uint32_t engine_adopting(const struct engine *e);
'''),
('''    const char *run_dir;       /* absolute; systems get a directory each below it */
''','''    const char *run_dir;       /* absolute; systems get a directory each below it */
    const char *boot_id;       /* of the host as it runs now; NULL: ask the kernel */
'''),
])

edit('src/engine/system.h', [
('''    uint32_t n_systems;
    int log_is_stuck;
};''','''    uint32_t n_systems;
    uint32_t n_adopting;
    int log_is_stuck;
    char boot_id[33];
};'''),
('''enum happening want;     /* WANT_START, WANT_SHUT_DOWN, ...; HAPPENED_CREATED for create,
                                HAPPENED_EXIT for clean */''','''enum happening want;     /* WANT_START, WANT_SHUT_DOWN, ...; HAPPENED_CREATED for create,
                                HAPPENED_EXIT for clean, N_HAPPENINGS for adopt */'''),
('''    struct doc_system *doc;
    char *run_dir;''','''    struct doc_system *doc; /* NULL: left by an earlier hcsd, forgotten, being cleaned up */
    char *run_dir;'''),
('''    uint32_t n_processes; /* in the list */
''','''    uint32_t n_processes; /* in the list */
    uint32_t n_found;     /* processes told by the driver that the log did not know */
    uint32_t n_ended;     /* processes that ended while nobody was there */
    int adopting;
'''),
('''/* system.c */
struct system *system_find(''','''/* system.c */
struct system *system_new(struct engine *e, const char *id, uint64_t incarnation,
                          struct doc_system **take_doc_opt, struct driver *driver, hcs_error *err);
void system_bind(struct system *s);
void system_clean(struct system *s);
void system_end(struct system *s, const hcs_exit *report);
struct system *system_find('''),
('''/* process.c */
''','''/* adopt.c */
void adopt_done(struct system *s, struct job *job, hcs_result result, const hcs_error *err);

/* process.c */
struct process *process_new(struct system *s, uint32_t number);
void process_on_found(struct driver_system *at_driver, uint32_t number, uint32_t pid);
void processes_end_unknown(struct system *s, const char *why);
'''),
('''void processes_end_unseen(struct system *s);
''',''''''),
])

edit('src/engine/engine.c', [
('''    e->options = *options;
''','''    e->options = *options;
    r = boot_id(e);
    if (r < 0) {
        free(e);
        return fail_os(err, HCS_E_FAIL, -r, "engine.new", "boot id of the host");
    }
'''),
('''hcs_result engine_new(''','''static int boot_id(struct engine *e)
{
    sd_id128_t id;
    int r = 0;

    if (e->options.boot_id)
        snprintf(e->boot_id, sizeof e->boot_id, "%s", e->options.boot_id);
    else if ((r = sd_id128_get_boot(&id)) >= 0)
        sd_id128_to_string(id, e->boot_id);
    return r;
}

hcs_result engine_new('''),
('''#include <string.h>
''','''#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>
'''),
])

edit('src/engine/process.c', [
('''void process_on_started(''','''/* The start becomes known, and durable with the number that its keeper knows it by. */
static void tell_start(struct process *p, uint32_t pid, const char *arguments_opt)
{
    _cleanup_(free_drop) char *detail = started_detail(pid, arguments_opt);
    hcs_event event = HCS_EVENT_INIT;

    p->started = 1;
    p->pid = pid;
    event.kind = HCS_EVENT_PROCESS_STARTED;
    event.process_id = pid;
    event.detail = detail ? detail : "";
    event.detail_length = strlen(event.detail);
    (void) append_of(p, NULL, &event);
}

void process_on_started('''),
('''    struct process *p = process_by_number(s, process);
    hcs_event event = HCS_EVENT_INIT;
    _cleanup_(free_drop) char *detail = NULL;

    assert(job && p && job->process == p && !p->started);
    p->started = 1;
    p->pid = pid;
    detail = started_detail(pid, job->arguments);
    event.kind = HCS_EVENT_PROCESS_STARTED;
    event.process_id = pid;
    event.detail = detail ? detail : "";
    event.detail_length = strlen(event.detail);
    (void) system_append(s, NULL, &event);
''','''    struct process *p = process_by_number(s, process);

    assert(job && p && job->process == p && !p->started);
    tell_start(p, pid, job->arguments);
'''),
('''void process_on_exited(struct driver_system''','''void process_on_found(struct driver_system *at_driver, uint32_t number, uint32_t pid)
{
    struct system *s = system_at_driver(at_driver);
    struct process *p;

    if (s->last_process < number)
        s->last_process = number;
    if (pid == 0)
        return;
    if (process_by_number(s, number)) {
        log_line(LOG_LINE_ERROR, "system '%s': driver %s found process %u, which was known", s->id,
                 system_ops(s)->name, number);
        return;
    }
    p = process_new(s, number);
    if (!p) {
        log_line(LOG_LINE_CRITICAL, "system '%s': process %u is lost for lack of memory", s->id,
                 number);
        return;
    }
    s->n_found++;
    tell_start(p, pid, NULL);
}

void process_on_exited(struct driver_system'''),
('''    (void) system_append(s, TAKE(p->exit_slot), &event);
''','''    (void) append_of(p, TAKE(p->exit_slot), &event);
    s->n_ended += s->adopting;
'''),
('''void processes_end_unseen(struct system *s)
{
    hcs_exit unknown = exit_unknown("the system ended before the end of the process was seen");
''','''void processes_end_unknown(struct system *s, const char *why)
{
    hcs_exit unknown = exit_unknown(why);
'''),
('''static struct process *process_by_number(''','''static uint64_t append_of(struct process *p, struct evlog_slot *take_slot_opt, hcs_event *event)
{
    struct evlog_slot *slot = take_slot_opt ? take_slot_opt : evlog_reserve(EXIT_EVENT_ROOM);

    if (slot)
        evlog_slot_process(slot, p->number);
    return system_append(p->system, slot, event);
}

static struct process *process_by_number('''),
('''static struct process *process_new(struct system *s)
{''','''struct process *process_new(struct system *s, uint32_t number)
{'''),
('''    p->number = ++s->last_process;
''','''    p->number = number;
    if (s->last_process < number)
        s->last_process = number;
'''),
('''    p = process_new(s);
    job''','''    p = process_new(s, s->last_process + 1);
    job'''),
])

edit('src/engine/system.c', [
('''        .owner = s->doc->owner,
''','''        .owner = s->doc ? s->doc->owner : "",
'''),
('''    hcs_event_system view;

    system_view(s, &view);
    if (evlog_begin_life(s->engine->options.log, &view, s->first_sequence) < 0)
''','''    struct evlog_living living = {
        .first_sequence = s->first_sequence,
        .document = s->doc->text,
        .boot_id = s->engine->boot_id,
    };

    system_view(s, &living.system);
    if (evlog_begin_life(s->engine->options.log, &living) < 0)
'''),
('''static void clean(struct system *s)
{''','''void system_clean(struct system *s)
{'''),
('''        s->ended_durably = 1; /* there is no event to wait for */
        clean(s);
''','''        s->ended_durably = 1; /* there is no event to wait for */
        system_clean(s);
'''),
('''        job_end(job);
        system_gone(s);
        break;
    default:''','''        job_end(job);
        system_gone(s);
        break;
    case N_HAPPENINGS:
        adopt_done(s, job, result, err);
        break;
    default:'''),
('''    struct system *s = system_at_driver(at_driver);
    hcs_event event = HCS_EVENT_INIT;
    hcs_error err = HCS_ERROR_INIT;

    if (system_step(s, HAPPENED_EXIT, &err) < 0) {
        log_line(LOG_LINE_ERROR, "system '%s': driver %s told its end twice: %s", s->id,
                 system_ops(s)->name, err.text);
        return;
    }
    processes_end_unseen(s);
    s->exit''','''    struct system *s = system_at_driver(at_driver);
    hcs_error err = HCS_ERROR_INIT;

    if (system_step(s, HAPPENED_EXIT, &err) < 0) {
        log_line(LOG_LINE_ERROR, "system '%s': driver %s told its end twice: %s", s->id,
                 system_ops(s)->name, err.text);
        return;
    }
    processes_end_unknown(s, "the system ended before the end of the process was seen");
    system_end(s, report);
}

/* The exit gets its number; its processes have had theirs. */
void system_end(struct system *s, const hcs_exit *report)
{
    hcs_event event = HCS_EVENT_INIT;

    s->exit'''),
('''    .process_started = process_on_started,
''','''    .process_started = process_on_started,
    .process_found = process_on_found,
'''),
('''    system_ops(s)->settled(s->driver, &s->at_driver, 0);
    clean(s);
''','''    system_ops(s)->settled(s->driver, &s->at_driver, 0);
    system_clean(s);
'''),
])
s=open('src/engine/system.c').read()
a=s.index('/* A directory of that name may be left by'); b=s.index('static unsigned int successors_of(')
s=s[:a]+'''static hcs_result name_run_dir(struct system *s, hcs_error *err)
{
    free(TAKE(s->run_dir));
    if (asprintf(&s->run_dir, "%s/%s.%" PRIu64, s->engine->options.run_dir, s->id,
                 s->incarnation) >= 0)
        return HCS_OK;
    s->run_dir = NULL;
    return fail(err, HCS_E_OUTOFMEMORY, "engine.create", "no memory for system '%s'", s->id);
}

/* A directory of that name may be left by an hcsd that was killed before the number was durable:
 * then the next number is taken. */
static hcs_result make_run_dir(struct system *s, hcs_error *err)
{
    for (int tries = 0; tries < RUN_DIR_TRIES; tries++) {
        hcs_result r = name_run_dir(s, err);

        if (r < 0)
            return r;
        if (mkdir(s->run_dir, 0700) == 0)
            return HCS_OK;
        if (errno != EEXIST)
            break;
        s->incarnation = evlog_next_incarnation(s->engine->options.log);
    }
    return fail_os(err, result_from_errno(errno), errno, "engine.create", "make directory '%s'",
                   s->run_dir);
}

/* A system in the engine's list, and nothing outside; NULL when out of memory. */
struct system *system_new(struct engine *e, const char *id, uint64_t incarnation,
                          struct doc_system **take_doc_opt, struct driver *driver, hcs_error *err)
{
    struct system *s = calloc(1, sizeof *s);

    if (!s) {
        (void) fail(err, HCS_E_OUTOFMEMORY, "engine.create", "no memory for system '%s'", id);
        return NULL;
    }
    s->engine = e;
    s->driver = driver;
    s->doc = take_doc_opt ? TAKE(*take_doc_opt) : NULL;
    s->state = STATE_CREATING;
    snprintf(s->id, sizeof s->id, "%s", id);
    s->incarnation = incarnation;
    list_init(&s->settling);
    list_init(&s->jobs);
    list_init(&s->processes);
    list_init(&s->waiters);
    list_init(&s->terminators);
    list_init(&s->successors);
    list_append(&e->systems, &s->link);
    e->n_systems++;
    s->exit_slot = evlog_reserve(EXIT_EVENT_ROOM + 6 * (s->doc ? strlen(s->doc->owner) : 0));
    if (s->exit_slot && name_run_dir(s, err) >= 0)
        return s;
    (void) fail(err, HCS_E_OUTOFMEMORY, "engine.create", "no memory for system '%s'", id);
    system_free(s);
    return NULL;
}

/* From here on the driver may be told of it: its names do not change any more. */
void system_bind(struct system *s)
{
    s->at_driver = (struct driver_system){
        .id = s->id,
        .incarnation = s->incarnation,
        .doc = s->doc,
        .run_dir = s->run_dir,
        .tell = &driver_events,
    };
}

static hcs_result make_system(struct engine *e, const char *id, struct doc_system **take_doc,
                              struct driver *driver, struct system **out, hcs_error *err)
{
    struct system *s =
        system_new(e, id, evlog_next_incarnation(e->options.log), take_doc, driver, err);
    hcs_result r = s ? make_run_dir(s, err) : HCS_E_OUTOFMEMORY;

    if (r < 0) {
        if (s)
            system_free(s);
        return r;
    }
    system_bind(s);
    *out = s;
    return HCS_OK;
}

'''+s[b:]
open('src/engine/system.c','w').write(s)
s=open('src/engine/meson.build').read()
s=s.replace("'engine', 'engine.c'","'engine', 'adopt.c', 'engine.c'").replace("'recover.c', ","")
open('src/engine/meson.build','w').write(s)
