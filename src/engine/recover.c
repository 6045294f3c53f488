/* recover.c - systems that an hcsd before this one left behind.
 * Users:   hcsd, once, before it serves anybody.
 * Promise: each of them is ended, and told to have ended, once, after the exits of all its
 * processes: with the true report where the keeper recorded one, and otherwise unknown. */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "event.h"
#include "exit.h"
#include "fd.h"
#include "log.h"
#include "system.h"

struct pids {
    uint32_t *at;
    size_t n;
};

struct leftover {
    struct list link;
    struct engine *engine;
    hcs_event_system system; /* its strings are the copies below, or constants */
    char id[129];
    char *owner;
    const char *isolation;
    uint64_t first_sequence;
    struct pids open; /* of processes that started and are not known to have ended */
    struct pids told; /* of those whose end is in the log */
};

static void leftover_drop(struct leftover *l)
{
    list_remove(&l->link);
    free(l->owner);
    free(l->open.at);
    free(l->told.at);
    free(l);
}

static void collect(void *context, const struct evlog_ended *row)
{
    struct list *all = context;
    struct leftover *l = calloc(1, sizeof *l);

    if (!l)
        return;
    snprintf(l->id, sizeof l->id, "%s", row->system.id);
    l->owner = strdup(row->system.owner);
    l->isolation = strcmp(row->system.isolation, "none") == 0 ? "none" : "namespaces";
    l->first_sequence = row->first_sequence;
    l->system = (hcs_event_system){
        .id = l->id,
        .incarnation = row->system.incarnation,
        .owner = l->owner ? l->owner : "",
        .type = "Container",
        .isolation = l->isolation,
    };
    list_append(all, &l->link);
}

static void pids_add(struct pids *pids, uint32_t pid)
{
    uint32_t *at = realloc(pids->at, (pids->n + 1) * sizeof *at);

    if (!at)
        return;
    pids->at = at;
    at[pids->n++] = pid;
}

/* Take one @pid off: 1 when there was one. */
static int pids_take(struct pids *pids, uint32_t pid)
{
    for (size_t i = 0; i < pids->n; i++)
        if (pids->at[i] == pid) {
            memmove(&pids->at[i], &pids->at[i + 1], (pids->n - i - 1) * sizeof pids->at[0]);
            pids->n--;
            return 1;
        }
    return 0;
}

static int on_logged(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                     const char *bytes, size_t length)
{
    struct leftover *l = context;
    hcs_event event = HCS_EVENT_INIT;
    json_t *json = json_loadb(bytes, length, 0, NULL);

    (void) sequence;
    (void) incarnation;
    if (json && event_view(json, &event, NULL) >= 0) {
        if (kind == HCS_EVENT_PROCESS_STARTED)
            pids_add(&l->open, event.process_id);
        else if (pids_take(&l->open, event.process_id))
            pids_add(&l->told, event.process_id);
    }
    json_decref(json);
    return 1;
}

static uint64_t append(struct leftover *l, hcs_event *event, const char *detail)
{
    struct evlog_slot *slot = evlog_reserve(EXIT_EVENT_ROOM + 6 * strlen(l->system.owner));

    event->system = l->system;
    event->detail = detail ? detail : "";
    event->detail_length = strlen(event->detail);
    if (!slot || evlog_append(l->engine->options.log, slot, event) < 0) {
        log_line(LOG_LINE_CRITICAL, "an exit of system '%s' is lost for lack of memory", l->id);
        return 0;
    }
    return event->sequence;
}

static void tell_process(struct leftover *l, uint32_t pid, const hcs_exit *report)
{
    _cleanup_(free_drop) char *detail = exit_process_status(pid, report);
    hcs_event event = HCS_EVENT_INIT;

    event.kind = HCS_EVENT_PROCESS_EXITED;
    event.process_id = pid;
    event.has_exit = 1;
    event.exit = *report;
    (void) append(l, &event, detail);
}

/* hcsd ended between the start of the process and its event. */
static void tell_start(struct leftover *l, uint32_t pid)
{
    hcs_event event = HCS_EVENT_INIT;
    char detail[40];

    snprintf(detail, sizeof detail, "{\"ProcessId\":%" PRIu32 "}", pid);
    event.kind = HCS_EVENT_PROCESS_STARTED;
    event.process_id = pid;
    (void) append(l, &event, detail);
}

/* A record of the keeper; one whose end is in the log was told before the keeper heard that it may
 * forget it. */
static void on_record(void *context, uint32_t number, uint32_t pid, uint32_t wait_status)
{
    struct leftover *l = context;
    hcs_exit report = exit_from_wait_status(wait_status);

    (void) number;
    if (!pids_take(&l->open, pid)) {
        if (pids_take(&l->told, pid))
            return;
        tell_start(l, pid);
    }
    tell_process(l, pid, &report);
}

static void tell_system(struct leftover *l)
{
    hcs_exit report =
        exit_of_system(HCS_E_TERMINATED, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_INTERNAL);
    _cleanup_(free_drop) char *detail = exit_system_status(&report);
    hcs_event event = HCS_EVENT_INIT;
    struct evlog_ended ended = {
        .system = l->system,
        .first_sequence = l->first_sequence,
        .exit = report,
        .detail = detail ? detail : "",
    };

    event.kind = HCS_EVENT_SYSTEM_EXITED;
    event.has_exit = 1;
    event.exit = report;
    ended.exit_sequence = append(l, &event, detail);
    if (evlog_remember(l->engine->options.log, &ended) < 0)
        log_line(LOG_LINE_ERROR, "system '%s' will not be remembered: no memory", l->id);
}

static void recover(struct leftover *l, struct driver *driver)
{
    static const char gone[] = "hcsd ended while it ran, and the keeper left no record of its end";
    struct evlog *log = l->engine->options.log;
    _cleanup_(free_drop) char *run_dir = NULL;
    hcs_exit unknown = exit_unknown(gone);
    hcs_error err = HCS_ERROR_INIT;

    if (asprintf(&run_dir, "%s/%s.%" PRIu64, l->engine->options.run_dir, l->id,
                 l->system.incarnation) < 0) {
        run_dir = NULL;
        return;
    }
    if (evlog_read_system(log, l->system.incarnation, HCS_EVENT_PROCESS_STARTED, l->first_sequence,
                          evlog_last(log), on_logged, l, &err) < 0 ||
        evlog_read_system(log, l->system.incarnation, HCS_EVENT_PROCESS_EXITED, l->first_sequence,
                          evlog_last(log), on_logged, l, &err) < 0 ||
        driver->ops->end_leftover(driver, l->id, l->system.incarnation, run_dir, on_record, l,
                                  &err) < 0)
        log_line(LOG_LINE_WARNING, "system '%s', left by an earlier hcsd: %s", l->id, err.text);
    for (size_t i = 0; i < l->open.n; i++)
        tell_process(l, l->open.at[i], &unknown);
    tell_system(l);
    if (evlog_commit(log, &err) < 0 || dir_remove(run_dir, &err) < 0)
        log_line(LOG_LINE_ERROR, "system '%s', left by an earlier hcsd: %s", l->id, err.text);
    else
        log_line(LOG_LINE_NOTICE, "system '%s', left by an earlier hcsd, was ended", l->id);
}

static struct driver *driver_of(const struct engine *e, const char *isolation)
{
    struct driver *drivers[] = { e->options.namespaces, e->options.plain };

    for (size_t i = 0; i < N_ELEMENTS(drivers); i++)
        if (drivers[i] && drivers[i]->ops->end_leftover &&
            strcmp(drivers[i]->ops->isolation, isolation) == 0)
            return drivers[i];
    return NULL;
}

hcs_result engine_recover(struct engine *e, hcs_error *err)
{
    struct list all;
    hcs_result r;

    list_init(&all);
    r = evlog_list_living(e->options.log, collect, &all, err);
    list_for_each(&all, n)
    {
        struct leftover *l = container_of(n, struct leftover, link);
        struct driver *driver = driver_of(e, l->isolation);

        l->engine = e;
        if (driver)
            recover(l, driver);
        else
            log_line(
                LOG_LINE_WARNING,
                "system '%s', left by an earlier hcsd, is not ended: this one has no driver for it",
                l->id);
        leftover_drop(l);
    }
    return r;
}
