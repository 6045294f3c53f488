def edit(p, reps):
    s=open(p).read()
    for a,b in reps:
        assert a in s, (p,a)
        s=s.replace(a,b,1)
    open(p,'w').write(s)
edit('src/driver/driver.h',[
('''    /* Anything else that happened''','''    /* Of an adopted system: 1 when the exit of process @number was durable before: a record of it may
     * be deleted, and it is not to be told. */
    int (*is_settled)(struct driver_system *s, uint32_t number);

    /* Anything else that happened'''),
('''/* A process as the event log knows it. */
struct driver_process {
    uint32_t number;
    uint32_t pid;
    int has_exited; /* its exit is durable: a record of it may be deleted, and is not to be told */
};
''','''/* A process that runs, as far as the event log knows. */
struct driver_process {
    uint32_t number;
    uint32_t pid;
};
'''),
])
edit('src/engine/adopt.c',[
('''struct processes {
    struct driver_process *at;
    size_t n;
    int lacks_memory;
};''','''struct processes {
    struct driver_process *at; /* that run */
    size_t n;
    uint32_t *settled; /* those that have exited, by number */
    size_t n_settled;
    int lacks_memory;
};'''),
('''    struct processes *all = context;
    struct driver_process *at = realloc(all->at, (all->n + 1) * sizeof *at);

    if (!at) {
        all->lacks_memory = 1;
        return;
    }
    all->at = at;
    at[all->n++] = (struct driver_process){ .number = process->number,
                                            .pid = process->pid,
                                            .has_exited = process->exit_sequence != 0 };
}''','''    struct processes *all = context;

    if (process->exit_sequence != 0) {
        uint32_t *settled = realloc(all->settled, (all->n_settled + 1) * sizeof *settled);

        all->lacks_memory |= !settled;
        if (settled) {
            all->settled = settled;
            settled[all->n_settled++] = process->number;
        }
    } else {
        struct driver_process *at = realloc(all->at, (all->n + 1) * sizeof *at);

        all->lacks_memory |= !at;
        if (at) {
            all->at = at;
            at[all->n++] =
                (struct driver_process){ .number = process->number, .pid = process->pid };
        }
    }
}'''),
('''/* Those that run, as far as the log knows; of the others only the numbers are taken. */
static hcs_result restore_processes(struct system *s, const struct processes *all, hcs_error *err)
{
    for (size_t i = 0; i < all->n; i++) {
        struct process *p;

        if (s->last_process < all->at[i].number)
            s->last_process = all->at[i].number;
        if (all->at[i].has_exited)
            continue;
        p = process_new(s, all->at[i].number);
        if''','''static hcs_result restore_processes(struct system *s, struct processes *all, hcs_error *err)
{
    s->settled = TAKE(all->settled);
    s->n_settled = all->n_settled;
    if (s->n_settled)
        s->last_process = s->settled[s->n_settled - 1];
    for (size_t i = 0; i < all->n; i++) {
        struct process *p = process_new(s, all->at[i].number);

        if'''),
('''                        const struct processes *processes, hcs_error *err)''','''                        struct processes *processes, hcs_error *err)'''),
('''    free(processes.at);
''','''    free(processes.at);
    free(processes.settled);
'''),
])
edit('src/engine/system.h',[
('''    int adopting;
''','''    uint32_t *settled;    /* numbers of processes whose exits were durable before the adoption */
    size_t n_settled;
    int adopting;
'''),
])
edit('src/engine/system.c',[
('''    free(s->detail);
    free(s);''','''    free(s->detail);
    free(s->settled);
    free(s);'''),
('''    .process_found = process_on_found,
''','''    .process_found = process_on_found,
    .is_settled = process_is_settled,
'''),
])
edit('src/engine/system.h',[
('''void processes_end_unknown(''','''int process_is_settled(struct driver_system *at_driver, uint32_t number);
void processes_end_unknown('''),
])
edit('src/engine/process.c',[
('''void process_on_exited(struct driver_system''','''int process_is_settled(struct driver_system *at_driver, uint32_t number)
{
    const struct system *s = system_at_driver(at_driver);

    for (size_t i = s->n_settled; i > 0; i--) /* the newest are asked for */
        if (s->settled[i - 1] == number)
            return 1;
    return 0;
}

void process_on_exited(struct driver_system'''),
])
edit('src/driver/plain/plain.c',[
('''#include "leftover.h"
#include "link.h"
#include "list.h"
''','''#include "link.h"
#include "list.h"
#include "log.h"
#include "record.h"
'''),
('''    struct list link;
    uint32_t number;
};''','''    struct list link;
    uint32_t number;
    int is_seen; /* by the keeper; those of the log have to show first */
};'''),
('''    int ended;
    uint64_t clean_job;
};''','''    int ended; /* or only to be cleaned: nothing is told any more */
    uint64_t clean_job;
    uint64_t adopt_job;
    int adopting;           /* the keeper has not told all it knows */
    sd_event_source *timer; /* of the answer to adopt */
};'''),
('''static void spawn_done(''','''static struct plain_process *process_new(uint32_t number)
{
    struct plain_process *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    list_init(&p->link);
    p->number = number;
    p->is_seen = 1;
    return p;
}

static void tell_exited(struct plain_system *ps, struct plain_process *p, const hcs_exit *report)
{
    uint32_t number = p->number;

    process_drop(p);
    ps->system->tell->process_exited(ps->system, number, report);
}

static void spawn_done('''),
('''static void on_exited(void *owner, const struct link_exit *end)
{
    struct plain_system *ps = owner;
    struct plain_process *p = process_find(ps, end->number);
    hcs_exit report = exit_from_wait_status(end->wait_status);

    if (!p)
        return;
    process_drop(p);
    ps->system->tell->process_exited(ps->system, end->number, &report);
    end_if_over(ps);
}
''','''/* The process of that number, which the log may not know yet: then its start is told.  NULL: it is none
 * of ours any more. */
static struct plain_process *process_find_or_tell(struct plain_system *ps, uint32_t number,
                                                  uint32_t pid)
{
    struct plain_process *p = process_find(ps, number);

    if (p || !ps->adopting || ps->system->tell->is_settled(ps->system, number))
        return p;
    p = process_new(number);
    if (!p) {
        log_line(LOG_LINE_CRITICAL, "system '%s': process %u is lost for lack of memory",
                 ps->system->id, number);
        return NULL;
    }
    list_append(&ps->processes, &p->link);
    ps->system->tell->process_found(ps->system, number, pid);
    return p;
}

static void on_exited(void *owner, const struct link_exit *end)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_from_wait_status(end->wait_status);
    struct plain_process *p;

    if (ps->ended)
        return;
    p = process_find_or_tell(ps, end->number, end->pid);
    if (p)
        tell_exited(ps, p, &report);
    else if (ps->adopting)
        link_ack(ps->link, end->number);
    end_if_over(ps);
}

static void on_tracked(void *owner, uint32_t number, uint32_t pid, uint32_t asked)
{
    struct plain_system *ps = owner;
    struct plain_process *p;

    (void) asked;
    if (ps->ended || pid == 0) /* a start here is done when it is begun */
        return;
    p = process_find_or_tell(ps, number, pid);
    if (p)
        p->is_seen = 1;
}

static void on_nothing(void *owner, uint32_t number)
{
    (void) owner;
    (void) number;
}
'''),
('''static void end_jobs(''','''/* ---- a system that an earlier hcsd left ---- */

static void adopt_answer(struct plain_system *ps, hcs_result result, const hcs_error *err)
{
    uint64_t job = ps->adopt_job;

    ps->timer = sd_event_source_disable_unref(ps->timer);
    ps->adopt_job = 0;
    if (job)
        ps->system->tell->done(ps->system, job, result, err);
}

static int on_adopt_deadline(sd_event_source *source, uint64_t usec, void *owner)
{
    struct plain_system *ps = owner;

    (void) source;
    (void) usec;
    log_line(LOG_LINE_WARNING,
             "the keeper of system '%s' does not answer: what it has to tell will come later",
             ps->system->id);
    adopt_answer(ps, HCS_OK, NULL);
    return 0;
}

/* All that the keeper knew is told. */
static void on_ready(void *owner, uint32_t asked)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_unknown("its keeper knows nothing of it");

    if (ps->ended)
        return;
    list_for_each(&ps->processes, n)
    {
        struct plain_process *p = container_of(n, struct plain_process, link);

        if (!p->is_seen)
            tell_exited(ps, p, &report);
    }
    ps->adopting = 0;
    ps->stopping = ps->told = (asked & (KEEPER_ASKED_TERM | KEEPER_ASKED_KILL)) != 0;
    ps->forced = (asked & KEEPER_ASKED_KILL) != 0;
    ps->nothing_left = ps->told && (asked & KEEPER_ALONE) != 0;
    adopt_answer(ps, HCS_OK, NULL);
    end_if_over(ps);
}

static void end_jobs('''),
('''/* Its programs died with it, by the kernel's hand, but nobody saw that. */
static void on_lost(void *owner, const char *why)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_unknown(why);

    if (ps->ended)
        return;
    end_jobs(ps, why);
    list_for_each(&ps->processes, n)
    {
        struct plain_process *p = container_of(n, struct plain_process, link);
        uint32_t number = p->number;

        process_drop(p);
        ps->system->tell->process_exited(ps->system, number, &report);
    }
''','''static void on_record(void *owner, const struct record *record)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_from_wait_status(record->wait_status);
    struct plain_process *p = process_find_or_tell(ps, record->number, record->pid);

    if (p)
        tell_exited(ps, p, &report);
}

/* Its programs died with it, by the kernel's hand, but nobody saw that. */
static void on_lost(void *owner, const char *why)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_unknown(why);
    hcs_error err = HCS_ERROR_INIT;

    if (ps->ended)
        return;
    (void) fail(&err, HCS_E_CONNECTION_CLOSED, "plain.keeper", "%s", why);
    adopt_answer(ps, err.code, &err);
    end_jobs(ps, why);
    records_read(ps->system->run_dir, on_record, ps);
    list_for_each(&ps->processes, n) tell_exited(ps, container_of(n, struct plain_process, link),
                                                 &report);
'''),
('''    .empty = on_empty,
    .lost = on_lost,
''','''    .empty = on_empty,
    .tracked = on_tracked,
    .ready = on_ready,
    .nothing = on_nothing,
    .lost = on_lost,
'''),
('''static void plain_create(struct driver *d, struct driver_system *s, uint64_t job)
{
    struct plain_system *ps = calloc(1, sizeof(*ps));
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    s->data = ps;
    if (!ps) {
        r = fail(&err, HCS_E_OUTOFMEMORY, "plain.create", "no memory for system '%s'", s->id);
        s->tell->done(s, job, r, &err);
        return;
    }
    ps->plain = plain_of(d);
    ps->system = s;
    list_init(&ps->jobs);
    list_init(&ps->processes);
    r = link_start(''','''/* NULL: the job was answered. */
static struct plain_system *system_new(struct driver *d, struct driver_system *s, uint64_t job)
{
    struct plain_system *ps = calloc(1, sizeof(*ps));
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    s->data = ps;
    if (!ps) {
        r = fail(&err, HCS_E_OUTOFMEMORY, "plain.create", "no memory for system '%s'", s->id);
        s->tell->done(s, job, r, &err);
        return NULL;
    }
    ps->plain = plain_of(d);
    ps->system = s;
    list_init(&ps->jobs);
    list_init(&ps->processes);
    return ps;
}

static void plain_create(struct driver *d, struct driver_system *s, uint64_t job)
{
    struct plain_system *ps = system_new(d, s, job);
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    if (!ps)
        return;
    r = link_start('''),
('''static void plain_start(struct driver *d''','''static hcs_result restore_processes(struct plain_system *ps, const struct driver_known *known,
                                    hcs_error *err)
{
    for (size_t i = 0; i < known->n_processes; i++) {
        struct plain_process *p = process_new(known->processes[i].number);

        if (!p)
            return fail(err, HCS_E_OUTOFMEMORY, "plain.adopt", "no memory for system '%s'",
                        ps->system->id);
        p->is_seen = 0;
        list_append(&ps->processes, &p->link);
    }
    return HCS_OK;
}

static void plain_adopt(struct driver *d, struct driver_system *s, uint64_t job,
                        const struct driver_known *known_opt)
{
    struct plain_system *ps = system_new(d, s, job);
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    if (!ps)
        return;
    r = link_adopt(ps->plain->loop, s->run_dir, &keeper_events, ps, &ps->link, &err);
    if (!known_opt) {
        ps->ended = 1;
        s->tell->done(s, job, HCS_OK, NULL);
        return;
    }
    ps->adopting = 1;
    ps->adopt_job = job;
    if (restore_processes(ps, known_opt, &err) < 0)
        r = err.code;
    if (r >= 0 && sd_event_add_time_relative(ps->plain->loop, &ps->timer, CLOCK_MONOTONIC,
                                             DRIVER_ADOPT_US, 0, on_adopt_deadline, ps) < 0)
        r = fail(&err, HCS_E_OUTOFMEMORY, "plain.adopt", "no memory to wait for a keeper");
    if (r < 0)
        on_lost(ps, err.text);
}

static void plain_start(struct driver *d'''),
('''    job->process = calloc(1, sizeof(*job->process));
''','''    job->process = process_new(process);
'''),
('''    list_init(&job->process->link);
    job->process->number = process;
''',''''''),
('''    link_drop(ps->link);
    list_for_each(&ps->jobs, n) job_drop''','''    link_drop(ps->link);
    sd_event_source_disable_unref(ps->timer);
    list_for_each(&ps->jobs, n) job_drop'''),
('''    .create = plain_create,
''','''    .create = plain_create,
    .adopt = plain_adopt,
'''),
('''    .end_leftover = plain_end_leftover,
''',''),
])
s=open('src/driver/plain/plain.c').read()
i=s.index('static hcs_result plain_end_leftover'); j=s.index('static const struct driver_ops plain_ops')
s=s[:i]+s[j:]
open('src/driver/plain/plain.c','w').write(s)

edit('src/driver/fake/fake.c',[
('''static void fake_start(struct driver''','''/* Its systems are only in the memory of an hcsd, and end with that. */
static void fake_adopt(struct driver *d, struct driver_system *s, uint64_t job,
                       const struct driver_known *known_opt)
{
    static const char gone[] = "its system existed only in the memory of an hcsd that has ended";
    hcs_exit report = exit_unknown(gone);
    hcs_error err = HCS_ERROR_INIT;

    (void) d;
    if (!known_opt) {
        s->tell->done(s, job, HCS_OK, NULL);
        return;
    }
    (void) fail(&err, HCS_E_SYSTEM_ALREADY_STOPPED, "fake.adopt", "%s", gone);
    s->tell->done(s, job, err.code, &err);
    for (size_t i = 0; i < known_opt->n_processes; i++)
        s->tell->process_exited(s, known_opt->processes[i].number, &report);
    report.type = HCS_EXIT_TYPE_UNEXPECTED;
    report.initiator = HCS_INITIATOR_UNKNOWN;
    s->tell->exited(s, &report);
}

static void fake_start(struct driver'''),
('''    .create = fake_create,
''','''    .create = fake_create,
    .adopt = fake_adopt,
'''),
])
edit('src/hcsd/main.c',[
('''    if (r >= 0)
        r = engine_recover(s->engine, err);
    return''','''    if (r >= 0)
        r = adopt(s, err);
    return'''),
('''static hcs_result begin(struct parts *p''','''/* Nobody is accepted before it is known what is there; who connects meanwhile waits in the socket's
 * queue. */
static hcs_result adopt(struct server *s, hcs_error *err)
{
    hcs_result r = engine_adopt(s->engine, err);

    while (r >= 0 && engine_adopting(s->engine) > 0 &&
           sd_event_get_state(s->loop) == SD_EVENT_INITIAL) {
        int n = sd_event_run(s->loop, UINT64_MAX);

        if (n < 0)
            r = fail_os(err, HCS_E_FAIL, -n, "hcsd.start", "event loop");
    }
    return r < 0 ? r : listen_serve(s, err);
}

static hcs_result begin(struct parts *p'''),
])
edit('src/hcsd/listen.c',[
('''    return r < 0 ? r : watch(s, err);
}

void listen_end''','''    return r;
}

hcs_result listen_serve(struct server *s, hcs_error *err)
{
    return watch(s, err);
}

void listen_end'''),
])
edit('src/hcsd/server.h',[
('''_must_use_ hcs_result listen_begin(struct server *s, const char *socket_path_opt, hcs_error *err);
''','''_must_use_ hcs_result listen_begin(struct server *s, const char *socket_path_opt, hcs_error *err);
_must_use_ hcs_result listen_serve(struct server *s, hcs_error *err); /* accept, from here on */
'''),
])
# oci: stub until container part
edit('src/driver/oci/oci.c',[
('''#include "leftover.h"
''',''),
('''    .end_leftover = oci_end_leftover,
''',''),
])
s=open('src/driver/oci/oci.c').read()
i=s.index('struct records {'); j=s.index('static const struct driver_ops oci_ops')
s=s[:i]+s[j:]
open('src/driver/oci/oci.c','w').write(s)
