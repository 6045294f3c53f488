/* process.c - the processes of a system: their start, their end, and who asks for it.
 * Owns:    struct process.
 * Users:   hcsd's methods from above, the drivers through driver_events from below.  Loop thread
 * only. Promise: one PROCESS_EXITED for each PROCESS_STARTED, before the SYSTEM_EXITED of its
 * system. */

#include <assert.h>
#include <signal.h>
#include <string.h>

#include "err.h"
#include "event.h"
#include "exit.h"
#include "log.h"
#include "system.h"

#define REMEMBERED_PROCESSES                                                                       \
    64u /* ended processes of a living system kept at hand; older ones are in the log */
#define ARGUMENTS_SHOWN 4096u /* bytes of a command line that its event shows */

void process_free(struct process *p)
{
    list_remove(&p->link);
    list_remove(&p->settling);
    evlog_slot_drop(p->exit_slot);
    p->system->n_processes--;
    free(p);
}

static uint64_t append_of(struct process *p, struct evlog_slot *take_slot_opt, hcs_event *event)
{
    struct evlog_slot *slot = take_slot_opt ? take_slot_opt : evlog_reserve(EXIT_EVENT_ROOM);

    if (slot)
        evlog_slot_process(slot, p->number);
    return system_append(p->system, slot, event);
}

static struct process *process_by_number(struct system *s, uint32_t number)
{
    list_for_each(&s->processes, n)
    {
        struct process *p = container_of(n, struct process, link);

        if (p->number == number)
            return p;
    }
    return NULL;
}

/* {"ProcessId":N,"CommandArgs":[...]}, with the arguments cut when they are long.  The environment
 * is not shown: it is where secrets are. */
static char *started_detail(uint32_t pid, const char *arguments)
{
    json_error_t ignored;
    json_t *list = arguments ? json_loads(arguments, 0, &ignored) : NULL;
    json_t *detail = json_pack("{s:I, s:o*}", "ProcessId", (json_int_t) pid, "CommandArgs", list);
    char *text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;

    json_decref(detail);
    return text;
}

/* The start becomes known, and durable with the number that its keeper knows it by. */
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

void process_on_started(struct driver_system *at_driver, uint64_t number, uint32_t process,
                        uint32_t pid)
{
    struct system *s = system_at_driver(at_driver);
    struct job *job = job_find(s, number);
    struct process *p = process_by_number(s, process);

    assert(job && p && job->process == p && !p->started);
    tell_start(p, pid, job->arguments);
    list_for_each(&job->calls, n) container_of(n, struct call, link)->process_id = pid;
    calls_answer_later(s->engine, &job->calls, HCS_OK, NULL);
    job_end(job);
}

void process_on_found(struct driver_system *at_driver, uint32_t number, uint32_t pid)
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

int process_is_settled(struct driver_system *at_driver, uint32_t number)
{
    const struct system *s = system_at_driver(at_driver);

    for (size_t i = s->n_settled; i > 0; i--) /* the newest are asked for */
        if (s->settled[i - 1] == number)
            return 1;
    return 0;
}

void process_on_exited(struct driver_system *at_driver, uint32_t number, const hcs_exit *report)
{
    struct system *s = system_at_driver(at_driver);
    struct process *p = process_by_number(s, number);
    hcs_event event = HCS_EVENT_INIT;
    _cleanup_(free_drop) char *detail = NULL;

    if (!p || !p->started || p->exited) {
        log_line(LOG_LINE_ERROR,
                 "system '%s': driver %s told the end of process %u twice or before its start",
                 s->id, system_ops(s)->name, number);
        return;
    }
    p->exited = 1;
    p->exit = *report;
    detail = exit_process_status(p->pid, report);
    event.kind = HCS_EVENT_PROCESS_EXITED;
    event.process_id = p->pid;
    event.has_exit = 1;
    event.exit = *report;
    event.detail = detail ? detail : "";
    event.detail_length = strlen(event.detail);
    (void) append_of(p, TAKE(p->exit_slot), &event);
    s->n_ended += s->adopting;
    list_append(&s->engine->exited_processes, &p->settling);
    calls_answer_exit(s->engine, &p->waiters, report, detail);
}

void processes_end_unknown(struct system *s, const char *why)
{
    hcs_exit unknown = exit_unknown(why);

    list_for_each(&s->processes, n)
    {
        struct process *p = container_of(n, struct process, link);

        if (p->started && !p->exited)
            process_on_exited(&s->at_driver, p->number, &unknown);
    }
}

void process_create_failed(struct system *s, struct job *job, hcs_result result,
                           const hcs_error *err)
{
    struct process *p = job->process;

    assert(result < 0);
    calls_answer_later(s->engine, &job->calls, result, err);
    job_end(job);
    process_free(p);
}

static void forget_old_processes(struct system *s)
{
    list_for_each(&s->processes, n)
    {
        struct process *p = container_of(n, struct process, link);

        if (s->n_processes <= REMEMBERED_PROCESSES)
            return;
        if (p->durable)
            process_free(p);
    }
}

void process_settle(struct process *p)
{
    struct system *s = p->system;

    p->durable = 1;
    system_ops(s)->settled(s->driver, &s->at_driver, p->number);
    forget_old_processes(s);
}

/* ---- what clients ask ---- */

static char *arguments_shown(const struct doc_process *doc)
{
    json_t *list = json_array();
    size_t bytes = 0;
    char *text;

    for (size_t i = 0; list && i < doc->n_arguments; i++) {
        bytes += strlen(doc->arguments[i]) + 4; /* quotes, comma */
        if (bytes > ARGUMENTS_SHOWN) {
            json_array_append_new(list, json_string("..."));
            break;
        }
        json_array_append_new(list, json_string(doc->arguments[i]));
    }
    text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    json_decref(list);
    return text;
}

size_t processes_noted(struct system *s, struct evlog_process **out)
{
    struct evlog_process *at = calloc(s->n_processes + 1, sizeof *at);
    size_t n_noted = 0;

    list_for_each(&s->processes, n)
    {
        const struct process *p = container_of(n, struct process, link);

        if (at && p->started && !p->exited)
            at[n_noted++] = (struct evlog_process){ .number = p->number, .pid = p->pid };
    }
    *out = at;
    return n_noted;
}

uint32_t processes_running(struct system *s)
{
    uint32_t n_running = 0;

    list_for_each(&s->processes, n) n_running += !container_of(n, struct process, link)->exited;
    return n_running;
}

struct process *process_new(struct system *s, uint32_t number)
{
    struct process *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->exit_slot = evlog_reserve(EXIT_EVENT_ROOM + 6 * strlen(s->doc->owner));
    if (!p->exit_slot) {
        free(p);
        return NULL;
    }
    p->system = s;
    p->number = number;
    if (s->last_process < number)
        s->last_process = number;
    list_init(&p->settling);
    list_init(&p->waiters);
    list_append(&s->processes, &p->link);
    s->n_processes++;
    return p;
}

static hcs_result admit_process(struct system *s, hcs_error *err)
{
    hcs_result r = system_step(s, WANT_PROCESS, err);
    uint32_t n = processes_running(s);

    if (r >= 0 && s->engine->log_is_stuck)
        r = fail(err, HCS_E_WIN32_DISK_FULL, "engine.process",
                 "the event log cannot be written, so no process is started: %s",
                 engine_log_error(s->engine));
    if (r >= 0 && n >= s->engine->options.processes_max)
        r = fail(err, HCS_E_WIN32_BUSY, "engine.process",
                 "system '%s' runs %u processes, as many as are allowed", s->id, n);
    return r;
}

void engine_process_create(struct engine *e, struct call *call, const char *id,
                           uint64_t incarnation, const struct doc_process *doc, const int fds[3])
{
    struct system *s = system_find_living(e, call, id, incarnation);
    hcs_error err = HCS_ERROR_INIT;
    struct process *p;
    struct job *job;

    if (!s)
        return;
    if (admit_process(s, &err) < 0) {
        call_fail_now(call, err.code, &err);
        return;
    }
    p = process_new(s, s->last_process + 1);
    job = p ? job_begin(s, WANT_PROCESS, NULL) : NULL;
    if (!job) {
        if (p)
            process_free(p);
        call_no_memory(call);
        return;
    }
    job->process = p;
    job->arguments = arguments_shown(doc);
    list_append(&job->calls, &call->link);
    system_ops(s)->process_create(s->driver, &s->at_driver, job->number, p->number, doc, fds);
}

/* The newest process of that pid: pids are used again, also within one system. */
static struct process *process_by_pid(struct system *s, uint32_t pid)
{
    struct process *found = NULL;

    list_for_each(&s->processes, n)
    {
        struct process *p = container_of(n, struct process, link);

        if (p->started && p->pid == pid)
            found = p;
    }
    return found;
}

struct recalled_process {
    struct call *call;
    uint32_t pid;
    int found;
};

static int on_old_process(void *context, uint64_t sequence, uint64_t incarnation,
                          hcs_event_kind kind, const char *bytes, size_t length)
{
    struct recalled_process *wanted = context;
    hcs_event event = HCS_EVENT_INIT;
    json_t *json = json_loadb(bytes, length, 0, NULL);

    (void) sequence;
    (void) incarnation;
    (void) kind;
    if (json && event_view(json, &event, NULL) >= 0 && event.process_id == wanted->pid &&
        event.has_exit) {
        wanted->found = 1;
        wanted->call->exit = event.exit;
        wanted->call->has_exit = 1;
        free(wanted->call->text);
        wanted->call->text = strdup(event.detail);
    }
    json_decref(json);
    return !wanted->found; /* the newest of that pid is meant */
}

static void on_range(void *context, const struct evlog_ended *ended)
{
    struct evlog_ended *out = context;

    out->system.incarnation = ended->system.incarnation;
    out->first_sequence = ended->first_sequence;
    out->exit_sequence = ended->exit_sequence;
}

/* A process that is no longer at hand: its exit is in the log, as long as that goes back. */
static void recall_process(struct engine *e, struct call *call, const char *id,
                           uint64_t incarnation, uint32_t pid)
{
    struct system *s = system_find_readable(e, id, incarnation);
    struct recalled_process wanted = { .call = call, .pid = pid };
    struct evlog_ended range = { .exit_sequence = UINT64_MAX >> 1 };
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = 1;

    if (s) {
        range.system.incarnation = s->incarnation;
        range.first_sequence = s->first_sequence;
    } else {
        r = evlog_find_ended(e->options.log, id, incarnation, on_range, &range, &err);
    }
    if (r == 0)
        r = fail(&err, HCS_E_SYSTEM_NOT_FOUND, "engine.process", "no system '%s'", id);
    if (r > 0)
        r = evlog_read_system(e->options.log, range.system.incarnation, HCS_EVENT_PROCESS_EXITED,
                              range.first_sequence, range.exit_sequence, on_old_process, &wanted,
                              &err);
    if (r >= 0 && !wanted.found)
        r = fail(&err, HCS_E_WIN32_NOT_FOUND, "engine.process", "system '%s' has no process %u", id,
                 pid);
    if (r < 0)
        call_fail_now(call, r, &err);
    else
        call_answer_later(e, call, HCS_OK, NULL);
}

void engine_process_wait(struct engine *e, struct call *call, const char *id, uint64_t incarnation,
                         uint32_t process_id)
{
    struct system *s = system_find(e, id, incarnation);
    struct process *p = s ? process_by_pid(s, process_id) : NULL;
    _cleanup_(free_drop) char *detail = NULL;

    if (!p) {
        recall_process(e, call, id, incarnation, process_id);
        return;
    }
    list_append(&p->waiters, &call->link);
    if (!p->exited)
        return;
    detail = exit_process_status(p->pid, &p->exit);
    calls_answer_exit(e, &p->waiters, &p->exit, detail);
}

void engine_process_signal(struct engine *e, struct call *call, const char *id,
                           uint64_t incarnation, uint32_t process_id, int signal)
{
    struct system *s = system_find_living(e, call, id, incarnation);
    struct process *p;
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = HCS_OK;

    if (!s)
        return;
    p = process_by_pid(s, process_id);
    if (signal < 0 || signal > SIGRTMAX)
        r = fail(&err, HCS_E_INVALIDARG, "engine.signal", "%d is not a signal", signal);
    else if (!p)
        r = fail(&err, HCS_E_WIN32_NOT_FOUND, "engine.signal", "system '%s' has no process %u", id,
                 process_id);
    else if (p->exited)
        r = fail(&err, HCS_E_PROCESS_ALREADY_STOPPED, "engine.signal",
                 "process %u of system '%s' has exited", process_id, id);
    else if (signal != 0) /* 0 only asks whether it runs, as kill(2) has it */
        r = system_ops(s)->process_signal(s->driver, &s->at_driver, p->number, signal, &err);
    if (r < 0)
        call_fail_now(call, r, &err);
    else
        call_answer_later(e, call, HCS_OK, NULL);
}
