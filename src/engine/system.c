/* system.c - one compute system: what a request and a happening mean for it.
 * Owns:    systems, their processes and the verbs under way.
 * Users:   hcsd's methods from above, the drivers through driver_events from below.  Loop thread
 * only. Promise: one SYSTEM_EXITED for each system that was created, after the exits of all its
 * processes. */

#include "system.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "err.h"
#include "event.h"
#include "exit.h"
#include "fd.h"
#include "log.h"

#define OWNER_MAX 128u
#define SUCCESSORS_MAX 8u
#define PENDING_BYTES_MAX ((uint64_t) 64 * 1024 * 1024)
#define RUN_DIR_TRIES 1000

static const struct driver_events driver_events;

struct system *system_at_driver(struct driver_system *at_driver)
{
    return container_of(at_driver, struct system, at_driver);
}

const struct driver_ops *system_ops(const struct system *s)
{
    return s->driver->ops;
}

void system_view(const struct system *s, hcs_event_system *out)
{
    *out = (hcs_event_system){
        .id = s->id,
        .incarnation = s->incarnation,
        .owner = s->doc ? s->doc->owner : "",
        .type = "Container",
        .isolation = system_ops(s)->isolation,
    };
}

/* ---- events ---- */

uint64_t system_append(struct system *s, struct evlog_slot *take_slot_opt, hcs_event *event)
{
    struct engine *e = s->engine;
    struct evlog_slot *slot = take_slot_opt;

    /* what has no room reserved is bounded while nothing can be written */
    if (!slot && evlog_pending_bytes(e->options.log) < PENDING_BYTES_MAX)
        slot = evlog_reserve(EXIT_EVENT_ROOM);
    system_view(s, &event->system);
    if (!slot || evlog_append(e->options.log, slot, event) < 0) {
        log_line(LOG_LINE_CRITICAL, "event %u of system '%s' is lost for lack of memory",
                 event->kind, s->id);
        return 0;
    }
    engine_want_turn(e);
    return event->sequence;
}

/* So that the next hcsd knows of it, should this one not see its end. */
static void begin_life(struct system *s)
{
    _cleanup_(processes_noted_drop) struct evlog_process *processes = NULL;
    struct evlog_living living = {
        .first_sequence = s->first_sequence,
        .started_ns = s->started_ns,
        .document = s->doc->text,
        .boot_id = s->engine->boot_id,
    };

    living.n_processes = processes_noted(s, &processes);
    living.processes = processes;
    system_view(s, &living.system);
    if (evlog_begin_life(s->engine->options.log, &living) < 0)
        log_line(LOG_LINE_ERROR, "system '%s' would be lost with this hcsd: no memory", s->id);
}

/* Its events are in a log that is there no more, except those that were told to nobody. */
void system_renumber(struct system *s, uint64_t lost)
{
    if (s->first_sequence != 0)
        s->first_sequence = s->first_sequence > lost ? s->first_sequence - lost : 1;
    s->exit_sequence = s->exit_sequence > lost ? s->exit_sequence - lost : 0;
    if (s->first_sequence != 0 && s->state != STATE_STOPPED)
        begin_life(s);
}

/* Take a step of the life; an event that belongs to it is appended. */
hcs_result system_step(struct system *s, enum happening what, hcs_error *err)
{
    struct step step = state_step(s->state, what);
    hcs_event event = HCS_EVENT_INIT;

    if (step.result < 0)
        return fail(err, step.result, "engine.system", "system '%s' is %s: %s is not possible",
                    s->id,
                    s->state == STATE_CREATING   ? "still being created"
                    : s->state == STATE_STARTING ? "starting"
                                                 : state_name(s->state),
                    happening_name(what));
    s->state = step.next;
    if (step.event == HCS_EVENT_INVALID || step.event == HCS_EVENT_SYSTEM_EXITED)
        return HCS_OK;
    event.kind = step.event;
    uint64_t sequence = system_append(s, NULL, &event);
    if (s->first_sequence == 0) {
        s->first_sequence = sequence;
        begin_life(s);
    }
    if (step.event == HCS_EVENT_SYSTEM_CREATED || step.event == HCS_EVENT_SYSTEM_STARTED) {
        list_remove(&s->writing);
        list_append(&s->engine->unwritten, &s->writing);
    }
    return HCS_OK;
}

/* ---- jobs ---- */

struct job *job_begin(struct system *s, enum happening want, struct call *call_opt)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    list_init(&job->link);
    list_init(&job->calls);
    job->number = ++s->last_job;
    job->want = want;
    list_append(&s->jobs, &job->link);
    if (call_opt)
        list_append(&job->calls, &call_opt->link);
    return job;
}

void job_end(struct job *job)
{
    list_remove(&job->link);
    free(job->arguments);
    free(job);
}

struct job *job_find(struct system *s, uint64_t number)
{
    list_for_each(&s->jobs, n)
    {
        struct job *job = container_of(n, struct job, link);

        if (job->number == number)
            return job;
    }
    return NULL;
}

/* ---- making and unmaking ---- */

void system_free(struct system *s)
{
    assert(list_is_empty(&s->waiters) && list_is_empty(&s->terminators));
    list_for_each(&s->processes, n) process_free(container_of(n, struct process, link));
    list_for_each(&s->jobs, m) job_end(container_of(m, struct job, link));
    if (s->at_driver.tell)
        system_ops(s)->forget(s->driver, &s->at_driver);
    system_index_remove(s);
    list_remove(&s->link);
    list_remove(&s->settling);
    list_remove(&s->writing);
    s->engine->n_systems--;
    evlog_slot_drop(s->exit_slot);
    doc_system_drop(s->doc);
    free(s->run_dir);
    free(s->detail);
    free(s->settled);
    free(s);
}

static void create_successor(struct engine *e, struct call *call)
{
    char *document = TAKE(call->text);
    char id[sizeof call->id];

    snprintf(id, sizeof id, "%s", call->id);
    list_remove(&call->link);
    engine_create(e, call, id, document);
    free(document);
}

/* Nothing is left of it outside; now nothing is left of it here. */
static void system_gone(struct system *s)
{
    struct engine *e = s->engine;
    hcs_error err = HCS_ERROR_INIT;
    struct list successors;

    if (dir_remove(s->run_dir, &err) < 0)
        log_line(LOG_LINE_WARNING, "system '%s': %s", s->id, err.text);
    list_for_each(&s->jobs, n) calls_answer_later(e, &container_of(n, struct job, link)->calls,
                                                  HCS_E_SYSTEM_ALREADY_STOPPED, NULL);
    list_init(&successors);
    list_move_all(&successors, &s->successors);
    system_free(s);
    while (!list_is_empty(&successors))
        create_successor(e, list_first(&successors, struct call, link));
    if (e->options.gone)
        e->options.gone(e->options.gone_context);
}

void system_clean(struct system *s)
{
    struct job *job = job_begin(s, HAPPENED_EXIT, NULL);

    if (!job) {
        log_line(LOG_LINE_CRITICAL, "system '%s' cannot be cleaned up for lack of memory", s->id);
        return;
    }
    system_ops(s)->clean(s->driver, &s->at_driver, job->number);
}

/* ---- from the driver ---- */

static void created(struct system *s, struct job *job, hcs_result result, const hcs_error *err)
{
    hcs_event_system view;

    if (result < 0) {
        calls_answer_later(s->engine, &job->calls, result, err);
        calls_answer_later(s->engine, &s->waiters, HCS_E_SYSTEM_NOT_FOUND, NULL);
        subs_end(s->engine, s->incarnation, "the system could not be created");
        job_end(job);
        s->state = STATE_STOPPED;
        s->ended_durably = 1; /* there is no event to wait for */
        system_clean(s);
        return;
    }
    (void) system_step(s, HAPPENED_CREATED, NULL);
    system_view(s, &view);
    list_for_each(&job->calls, n)
    {
        struct call *call = container_of(n, struct call, link);

        call->system = view;
        call->has_system = 1;
    }
    calls_answer_later(s->engine, &job->calls, HCS_OK, NULL);
    job_end(job);
}

static void started(struct system *s, struct job *job, hcs_result result, const hcs_error *err)
{
    calls_answer_later(s->engine, &job->calls, result, err);
    job_end(job);
    if (result >= 0) {
        s->started_ns = clock_realtime_ns();
        (void) system_step(s, HAPPENED_STARTED, NULL);
        return;
    }
    (void) system_step(s, HAPPENED_START_FAILED, NULL);
    if (s->state == STATE_STOPPED)
        return;
    s->start_failed = 1;
    job = job_begin(s, WANT_TERMINATE, NULL);
    if (job)
        system_ops(s)->terminate(s->driver, &s->at_driver, job->number);
}

static void terminated(struct system *s, struct job *job, hcs_result result, const hcs_error *err)
{
    if (result >= 0 && s->state != STATE_STOPPED)
        list_move_all(&s->terminators, &job->calls);
    else
        calls_answer_later(s->engine, &job->calls, s->state == STATE_STOPPED ? HCS_OK : result,
                           err);
    job_end(job);
}

static void on_done(struct driver_system *at_driver, uint64_t number, hcs_result result,
                    const hcs_error *err)
{
    struct system *s = system_at_driver(at_driver);
    struct job *job = job_find(s, number);

    if (!job) {
        log_line(LOG_LINE_ERROR,
                 "system '%s': driver %s answered job %" PRIu64 ", which is not under way", s->id,
                 system_ops(s)->name, number);
        return;
    }
    switch (job->want) {
    case HAPPENED_CREATED:
        created(s, job, result, err);
        break;
    case WANT_START:
        started(s, job, result, err);
        break;
    case WANT_TERMINATE:
        terminated(s, job, result, err);
        break;
    case WANT_PROCESS:
        process_create_failed(s, job, result, err);
        break;
    case HAPPENED_EXIT:
        if (result < 0)
            log_line(LOG_LINE_WARNING, "system '%s' was not cleaned up whole: %s", s->id,
                     err ? err->text : "");
        job_end(job);
        system_gone(s);
        break;
    case N_HAPPENINGS:
        adopt_done(s, job, result, err);
        break;
    default:
        calls_answer_later(s->engine, &job->calls, result, err);
        job_end(job);
    }
}

static void remember(struct system *s)
{
    struct evlog_ended ended = {
        .first_sequence = s->first_sequence,
        .exit_sequence = s->exit_sequence,
        .exit = s->exit,
        .detail = s->detail ? s->detail : "",
    };

    system_view(s, &ended.system);
    if (evlog_remember(s->engine->options.log, &ended) < 0)
        log_line(LOG_LINE_ERROR, "system '%s' will not be remembered: no memory", s->id);
}

static void on_exited(struct driver_system *at_driver, const hcs_exit *report)
{
    struct system *s = system_at_driver(at_driver);
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

    s->exit = *report;
    if (s->start_failed && s->exit.how == HCS_EXIT_STATUS)
        s->exit = exit_of_system(HCS_E_TERMINATED_DURING_START, HCS_EXIT_TYPE_UNEXPECTED,
                                 HCS_INITIATOR_INTERNAL);
    s->detail = exit_system_status(&s->exit);
    event.kind = HCS_EVENT_SYSTEM_EXITED;
    event.has_exit = 1;
    event.exit = s->exit;
    event.detail = s->detail ? s->detail : "";
    event.detail_length = strlen(event.detail);
    s->exit_sequence = system_append(s, TAKE(s->exit_slot), &event);
    remember(s);
    list_append(&s->engine->exited_systems, &s->settling);
    calls_answer_exit(s->engine, &s->waiters, &s->exit, s->detail);
    calls_answer_later(s->engine, &s->terminators, HCS_OK, NULL);
}

static void on_happened(struct driver_system *at_driver, hcs_event_kind kind, const char *detail)
{
    struct system *s = system_at_driver(at_driver);
    hcs_event event = HCS_EVENT_INIT;

    assert(kind != HCS_EVENT_SYSTEM_EXITED && kind != HCS_EVENT_PROCESS_EXITED);
    if (s->state == STATE_STOPPED) {
        log_line(LOG_LINE_ERROR, "system '%s': driver %s told event %u after its end", s->id,
                 system_ops(s)->name, kind);
        return;
    }
    event.kind = kind;
    event.detail = detail;
    event.detail_length = strlen(detail);
    (void) system_append(s, NULL, &event);
}

static const struct driver_events driver_events = {
    .done = on_done,
    .happened = on_happened,
    .process_started = process_on_started,
    .process_found = process_on_found,
    .is_settled = process_is_settled,
    .process_exited = process_on_exited,
    .exited = on_exited,
};

/* ---- after the commit ---- */

void system_settle(struct system *s)
{
    s->ended_durably = 1;
    system_file_remove(s);
    system_ops(s)->settled(s->driver, &s->at_driver, 0);
    system_clean(s);
}

/* ---- create ---- */

static hcs_result choose_driver(struct engine *e, const struct doc_system *doc, struct driver **out,
                                hcs_error *err)
{
    if (doc->isolation == DOC_ISOLATION_NAMESPACES) {
        if (!e->options.namespaces)
            return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "engine.create",
                        "this host can run no containers: %.400s",
                        e->options.no_namespaces ? e->options.no_namespaces : "no driver");
        *out = e->options.namespaces;
        return HCS_OK;
    }
    if (e->options.shared)
        return fail(
            err, HCS_E_ACCESS_DENIED, "engine.create",
            "$.Container.IsolationType 'None' is refused: this service is shared with other users, "
            "and such programs would run with its rights");
    if (!e->options.plain)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "engine.create",
                    "$.Container.IsolationType 'None' is not offered by this service");
    *out = e->options.plain;
    return HCS_OK;
}

static hcs_result admit(struct engine *e, const struct doc_system *doc, struct driver **out,
                        hcs_error *err)
{
    hcs_result r;

    if (strlen(doc->owner) > OWNER_MAX)
        return fail(err, HCS_E_INVALIDARG, "engine.create",
                    "$.Owner has %zu bytes: at most %u are allowed", strlen(doc->owner), OWNER_MAX);
    r = choose_driver(e, doc, out, err);
    if (r < 0)
        return r;
    if (e->n_systems >= e->options.systems_max)
        return fail(err, HCS_E_WIN32_BUSY, "engine.create",
                    "there are %u systems already, as many as are allowed", e->n_systems);
    if (e->log_is_stuck)
        return fail(err, HCS_E_WIN32_DISK_FULL, "engine.create",
                    "the event log cannot be written, so no system is created: %s",
                    engine_log_error(e));
    return (*out)->ops->check(*out, doc, err);
}

static hcs_result name_run_dir(struct system *s, hcs_error *err)
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
    list_init(&s->writing);
    list_init(&s->jobs);
    list_init(&s->processes);
    list_init(&s->waiters);
    list_init(&s->terminators);
    list_init(&s->successors);
    list_append(&e->systems, &s->link);
    e->n_systems++;
    s->exit_slot = evlog_reserve(EXIT_EVENT_ROOM + 6 * (s->doc ? strlen(s->doc->owner) : 0));
    if (s->exit_slot && system_index_add(s) >= 0 && name_run_dir(s, err) >= 0)
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

static unsigned int successors_of(const struct system *s)
{
    unsigned int n_successors = 0;

    for (const struct list *n = s->successors.next; n != &s->successors; n = n->next)
        n_successors++;
    return n_successors;
}

/* The id is taken: by a system that lives, or by one that has ended and is being cleaned up. */
static void create_over(struct system *s, struct call *call, const char *document)
{
    hcs_error err = HCS_ERROR_INIT;

    if (s->state != STATE_STOPPED || successors_of(s) >= SUCCESSORS_MAX) {
        (void) fail(&err, HCS_E_SYSTEM_ALREADY_EXISTS, "engine.create",
                    "there is a system '%s' already (%s)", s->id, state_name(s->state));
        call_fail_now(call, err.code, &err);
        return;
    }
    call->text = strdup(document);
    if (!call->text) {
        call_no_memory(call);
        return;
    }
    snprintf(call->id, sizeof call->id, "%s", s->id);
    list_append(&s->successors, &call->link);
}

void engine_create(struct engine *e, struct call *call, const char *id, const char *document)
{
    _cleanup_(doc_system_dropp) struct doc_system *doc = NULL;
    hcs_error err = HCS_ERROR_INIT;
    struct driver *driver = NULL;
    struct system *s;
    struct job *job;
    hcs_result r = doc_check_id(id, &err);

    if (r >= 0)
        r = doc_system_parse(document, &doc, &err);
    if (r >= 0 && (s = system_find(e, id, 0)) != NULL) {
        create_over(s, call, document);
        return;
    }
    if (r >= 0)
        r = admit(e, doc, &driver, &err);
    if (r >= 0)
        r = make_system(e, id, &doc, driver, &s, &err);
    if (r < 0) {
        call_fail_now(call, r, &err);
        return;
    }
    job = job_begin(s, HAPPENED_CREATED, call);
    if (!job) {
        call_no_memory(call);
        system_gone(s);
        return;
    }
    driver->ops->create(driver, &s->at_driver, job->number);
}

/* ---- verbs ---- */

/* It is there for reading: not one whose creation failed and that is being cleaned up. */
int system_is_readable(const struct system *s)
{
    return !s->forgotten && (s->state != STATE_STOPPED || s->first_sequence != 0);
}

struct system *system_find_readable(struct engine *e, const char *id, uint64_t incarnation)
{
    struct system *s = system_find(e, id, incarnation);

    return s && system_is_readable(s) ? s : NULL;
}

static void fill_from_ended(void *context, const struct evlog_ended *ended)
{
    struct call *call = context;

    call->exit = ended->exit;
    call->has_exit = 1;
    call->incarnation = ended->system.incarnation;
    free(call->text);
    call->text = strdup(ended->detail);
}

/* The living system a call means; otherwise the call is answered: not found, or already stopped. */
struct system *system_find_living(struct engine *e, struct call *call, const char *id,
                                  uint64_t incarnation)
{
    struct system *s = system_find(e, id, incarnation);
    hcs_error err = HCS_ERROR_INIT;
    struct call seen;
    hcs_result r;

    if (s && system_is_readable(s))
        return s;
    r = doc_check_id(id, &err);
    if (r >= 0) {
        call_init(&seen, NULL);
        r = evlog_find_ended(e->options.log, id, incarnation, fill_from_ended, &seen, &err);
        call_drop(&seen);
        if (r == 0)
            r = fail(&err, HCS_E_SYSTEM_NOT_FOUND, "engine.find", "no system '%s'%s", id,
                     incarnation ? " of this handle" : "");
        else if (r > 0)
            r = fail(&err, HCS_E_SYSTEM_ALREADY_STOPPED, "engine.find", "system '%s' has ended",
                     id);
    }
    call_fail_now(call, r, &err);
    return NULL;
}

/* Ask the state table, then hand the verb to the driver. */
static void verb(struct engine *e, struct call *call, const char *id, uint64_t incarnation,
                 enum happening want)
{
    struct system *s = system_find_living(e, call, id, incarnation);
    hcs_error err = HCS_ERROR_INIT;
    struct job *job;

    if (!s)
        return;
    job = job_begin(s, want, NULL);
    if (!job) {
        call_no_memory(call);
        return;
    }
    if (system_step(s, want, &err) < 0) {
        job_end(job);
        call_fail_now(call, err.code, &err);
        return;
    }
    list_append(&job->calls, &call->link);
    if (want == WANT_START)
        system_ops(s)->start(s->driver, &s->at_driver, job->number);
    else if (want == WANT_SHUT_DOWN)
        system_ops(s)->shut_down(s->driver, &s->at_driver, job->number);
    else
        system_ops(s)->terminate(s->driver, &s->at_driver, job->number);
}

void engine_start(struct engine *e, struct call *call, const char *id, uint64_t incarnation)
{
    verb(e, call, id, incarnation, WANT_START);
}

void engine_shut_down(struct engine *e, struct call *call, const char *id, uint64_t incarnation)
{
    verb(e, call, id, incarnation, WANT_SHUT_DOWN);
}

void engine_terminate(struct engine *e, struct call *call, const char *id, uint64_t incarnation)
{
    verb(e, call, id, incarnation, WANT_TERMINATE);
}

/* What is remembered of a system that has ended, into @call; otherwise the call is answered: 0. */
static int recall(struct engine *e, struct call *call, const char *id, uint64_t incarnation)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = doc_check_id(id, &err);

    if (r >= 0)
        r = evlog_find_ended(e->options.log, id, incarnation, fill_from_ended, call, &err);
    if (r == 0)
        r = fail(&err, HCS_E_SYSTEM_NOT_FOUND, "engine.find", "no system '%s'%s", id,
                 incarnation ? " of this handle" : "");
    if (r < 0)
        call_fail_now(call, r, &err);
    return r > 0;
}

void engine_wait(struct engine *e, struct call *call, const char *id, uint64_t incarnation)
{
    struct system *s = system_find_readable(e, id, incarnation);

    if (!s) {
        if (recall(e, call, id, incarnation))
            call_answer_later(e, call, HCS_OK, NULL);
        return;
    }
    list_append(&s->waiters, &call->link);
    if (s->state == STATE_STOPPED)
        calls_answer_exit(e, &s->waiters, &s->exit, s->detail);
}

static void on_open_ended(void *context, const struct evlog_ended *ended)
{
    struct call *call = context;
    struct answer answer = { .system = &ended->system };

    call->answered(call, &answer);
}

void engine_open(struct engine *e, struct call *call, const char *id)
{
    struct system *s = system_find_readable(e, id, 0);
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = doc_check_id(id, &err);

    if (r >= 0 && s) {
        system_view(s, &call->system);
        call->has_system = 1;
        struct answer answer = { .system = &call->system };
        call->answered(call, &answer);
        return;
    }
    if (r >= 0)
        r = evlog_find_ended(e->options.log, id, 0, on_open_ended, call, &err);
    if (r == 0)
        r = fail(&err, HCS_E_SYSTEM_NOT_FOUND, "engine.open", "no system '%s'", id);
    if (r < 0)
        call_fail_now(call, r, &err);
}

void engine_forget(struct engine *e, struct call *call, const char *id, uint64_t incarnation)
{
    struct system *s = system_find_readable(e, id, incarnation);
    hcs_error err = HCS_ERROR_INIT;

    if (s && s->state != STATE_STOPPED) {
        (void) fail(&err, HCS_E_INVALID_STATE, "engine.forget",
                    "system '%s' is %s: only one that has ended can be forgotten", id,
                    state_name(s->state));
        call_fail_now(call, err.code, &err);
        return;
    }
    /* its record must be there to be removed */
    if (s && !s->ended_durably && engine_commit(e, &err) < 0) {
        call_fail_now(call, err.code, &err);
        return;
    }
    if (!recall(e, call, id, incarnation))
        return;
    if (s) /* else the next hcsd would take it for one that the log has lost */
        system_file_remove(s);
    if (evlog_forget_ended(e->options.log, call->incarnation, &err) < 0) {
        call_fail_now(call, err.code, &err);
        return;
    }
    if (s)
        s->forgotten = 1;
    call_answer_later(e, call, HCS_OK, NULL);
}
