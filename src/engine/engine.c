/* engine.c - the turn: what has happened becomes durable, then known.
 * Owns:    the engine itself, calls that wait for the commit, the commit.
 * Users:   system.c asks for a turn; hcsd makes one engine.  Loop thread only.
 * Promise: nobody is told of an event before it is durable; a commit that fails loses nothing. */

#include "engine.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "err.h"
#include "log.h"
#include "system.h"

#define RETRY_US 500000u

static int on_turn(sd_event_source *source, void *context);

void call_init(struct call *call, void (*answered)(struct call *call, const struct answer *answer))
{
    memset(call, 0, sizeof *call);
    call->answered = answered;
    list_init(&call->link);
}

void call_drop(struct call *call)
{
    list_remove(&call->link);
    free(TAKE(call->text));
}

static void answer_now(struct call *call)
{
    struct answer answer = {
        .result = call->result,
        .err = call->result < 0 ? &call->err : NULL,
        .system = call->has_system ? &call->system : NULL,
        .process_id = call->process_id,
        .exit = call->has_exit ? &call->exit : NULL,
        .detail = call->text,
    };

    call->answered(call, &answer);
}

static void keep_result(struct call *call, hcs_result result, const hcs_error *err)
{
    call->result = result;
    if (result >= 0)
        return;
    call->err = (hcs_error) HCS_ERROR_INIT;
    if (err)
        error_copy(&call->err, err);
    else
        (void) fail(&call->err, result, "engine", "%s", "no more is known");
}

void call_answer_later(struct engine *e, struct call *call, hcs_result result, const hcs_error *err)
{
    keep_result(call, result, err);
    list_remove(&call->link);
    list_append(&e->answers, &call->link);
    engine_want_turn(e);
}

void call_fail_now(struct call *call, hcs_result result, const hcs_error *err)
{
    assert(result < 0);
    keep_result(call, result, err);
    list_remove(&call->link);
    answer_now(call);
}

void calls_answer_later(struct engine *e, struct list *calls, hcs_result result,
                        const hcs_error *err)
{
    list_for_each(calls, n) call_answer_later(e, container_of(n, struct call, link), result, err);
}

void call_no_memory(struct call *call)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) fail(&err, HCS_E_OUTOFMEMORY, "engine", "no memory for the request");
    call_fail_now(call, err.code, &err);
}

void calls_answer_exit(struct engine *e, struct list *waiters, const hcs_exit *exit,
                       const char *detail)
{
    list_for_each(waiters, n)
    {
        struct call *call = container_of(n, struct call, link);

        call->exit = *exit;
        call->has_exit = 1;
        free(call->text);
        call->text = detail ? strdup(detail) : NULL;
        call_answer_later(e, call, HCS_OK, NULL);
    }
}

/* Of the same priority as the clients, and a new source each time: then what was ready before it is
 * dispatched before it, so one commit carries the batch, and neither keeps the other waiting.  (The
 * loop takes the source first that has been pending longest, and a deferred one counts from when
 * it was made.) */
void engine_want_turn(struct engine *e)
{
    sd_event_source *turn = NULL;
    int enabled = SD_EVENT_OFF;

    if (e->turn)
        (void) sd_event_source_get_enabled(e->turn, &enabled);
    if (enabled != SD_EVENT_OFF)
        return;
    if (sd_event_add_defer(e->options.loop, &turn, on_turn, e) < 0) {
        sd_event_source_set_enabled(e->turn, SD_EVENT_ONESHOT); /* unfair is better than never */
        return;
    }
    sd_event_source_disable_unref(e->turn);
    e->turn = turn;
}

void engine_want_retry(struct engine *e)
{
    int enabled = SD_EVENT_OFF;

    if (sd_event_source_get_enabled(e->retry, &enabled) >= 0 && enabled != SD_EVENT_OFF)
        return; /* whoever asks again does not put it off */
    sd_event_source_set_time_relative(e->retry, RETRY_US);
    sd_event_source_set_enabled(e->retry, SD_EVENT_ONESHOT);
}

const char *engine_log_error(const struct engine *e)
{
    struct evlog_status status;

    evlog_get_status(e->options.log, &status);
    return status.error;
}

/* These exits are durable and told: their records may go, and systems are cleaned up. */
static void settle(struct list *processes, struct list *systems)
{
    while (!list_is_empty(processes)) {
        struct process *p = list_first(processes, struct process, settling);

        list_remove(&p->settling);
        process_settle(p);
    }
    while (!list_is_empty(systems)) {
        struct system *s = list_first(systems, struct system, settling);

        list_remove(&s->settling);
        system_settle(s);
    }
}

static void answer_all(struct engine *e)
{
    struct list answers;

    /* an answer may ask for more, or drop other calls: take one at a time off a list of our own */
    list_init(&answers);
    list_move_all(&answers, &e->answers);
    while (!list_is_empty(&answers)) {
        struct call *call = list_first(&answers, struct call, link);

        list_remove(&call->link);
        answer_now(call);
    }
}

/* Before anybody is told of them: what was told is to be found again without the log, too. */
static void write_files(struct engine *e)
{
    while (!list_is_empty(&e->unwritten)) {
        struct system *s = list_first(&e->unwritten, struct system, writing);

        list_remove(&s->writing);
        if (s->state != STATE_STOPPED) /* else its end is durable by now */
            system_file_write(s);
    }
}

hcs_result engine_commit(struct engine *e, hcs_error *err)
{
    hcs_result r = evlog_commit(e->options.log, err);

    if (r >= 0)
        write_files(e);
    return r;
}

/* Commit; one that did not work is tried again when its time has come, not at each turn. */
static int is_committed(struct engine *e)
{
    hcs_error err = HCS_ERROR_INIT;

    if (e->log_is_stuck && !e->is_retry_due)
        return 0;
    e->is_retry_due = 0;
    if (engine_commit(e, &err) >= 0)
        return 1;
    if (!e->log_is_stuck)
        log_line(LOG_LINE_CRITICAL, "events cannot be made durable and wait: %s", err.text);
    e->log_is_stuck = 1;
    engine_want_retry(e);
    return 0;
}

static int on_turn(sd_event_source *source, void *context)
{
    struct engine *e = context;
    struct list processes, systems;

    (void) source;
    if (!is_committed(e)) {
        subs_pump(e); /* what is durable is read meanwhile */
        return 0;
    }
    if (e->log_is_stuck)
        log_line(LOG_LINE_NOTICE, "the event log can be written again");
    e->log_is_stuck = 0;
    /* what answers bring about belongs to the next turn */
    list_init(&processes);
    list_init(&systems);
    list_move_all(&processes, &e->exited_processes);
    list_move_all(&systems, &e->exited_systems);
    subs_pump(e);
    answer_all(e);
    settle(&processes, &systems);
    return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
    struct engine *e = context;

    (void) source;
    (void) usec;
    e->is_retry_due = 1;
    engine_want_turn(e);
    return 0;
}

static int add_sources(struct engine *e)
{
    int r = sd_event_add_defer(e->options.loop, &e->turn, on_turn, e);

    if (r >= 0)
        r = sd_event_source_set_enabled(e->turn, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time_relative(e->options.loop, &e->retry, CLOCK_MONOTONIC, RETRY_US, 0,
                                       on_retry, e);
    if (r >= 0)
        r = sd_event_source_set_enabled(e->retry, SD_EVENT_OFF);
    return r;
}

static int boot_id(struct engine *e)
{
    sd_id128_t id;
    int r = 0;

    if (e->options.boot_id)
        snprintf(e->boot_id, sizeof e->boot_id, "%s", e->options.boot_id);
    else if ((r = sd_id128_get_boot(&id)) >= 0)
        sd_id128_to_string(id, e->boot_id);
    return r;
}

/* The log was damaged, and a new one has been begun. */
static void on_renewed(void *context, const struct evlog_renewal *renewal)
{
    struct engine *e = context;

    list_for_each(&e->systems, n)
        system_renumber(container_of(n, struct system, link), renewal->last);
    subs_renumber(e, renewal->last);
}

hcs_result engine_new(const struct engine_options *options, struct engine **out, hcs_error *err)
{
    struct engine *e = calloc(1, sizeof *e);
    int r;

    assert(options->loop && options->log && options->run_dir);
    if (!e)
        return fail(err, HCS_E_OUTOFMEMORY, "engine.new", "no memory for the engine");
    e->options = *options;
    r = boot_id(e);
    if (r < 0) {
        free(e);
        return fail_os(err, HCS_E_FAIL, -r, "engine.new", "boot id of the host");
    }
    list_init(&e->systems);
    list_init(&e->clients);
    list_init(&e->answers);
    list_init(&e->exited_processes);
    list_init(&e->exited_systems);
    list_init(&e->unwritten);
    evlog_on_renewal(e->options.log, on_renewed, e);
    r = add_sources(e);
    if (r < 0) {
        engine_drop(e);
        return fail_os(err, HCS_E_FAIL, -r, "engine.new", "event sources of the engine");
    }
    *out = e;
    return HCS_OK;
}

void engine_drop(struct engine *e)
{
    if (!e)
        return;
    list_for_each(&e->systems, n) system_free(container_of(n, struct system, link));
    evlog_on_renewal(e->options.log, NULL, NULL);
    sd_event_source_disable_unref(e->turn);
    sd_event_source_unref(e->retry);
    free(e);
}

uint32_t engine_busy(const struct engine *e)
{
    return e->n_systems;
}

void engine_count(const struct engine *e, uint32_t *out_counts)
{
    list_for_each(&e->systems, n) out_counts[container_of(n, struct system, link)->state]++;
}

uint32_t engine_cleaning(const struct engine *e)
{
    uint32_t n_cleaning = 0;

    list_for_each(&e->systems, n) n_cleaning +=
        container_of(n, struct system, link)->state == STATE_STOPPED;
    return n_cleaning;
}

uint32_t engine_under_way(const struct engine *e)
{
    uint32_t n_jobs = 0;

    list_for_each(&e->systems, n)
    {
        struct system *s = container_of(n, struct system, link);

        list_for_each(&s->jobs, m) n_jobs +=
            !list_is_empty(&container_of(m, struct job, link)->calls);
    }
    return n_jobs;
}

struct evlog *engine_log(struct engine *e)
{
    return e->options.log;
}
