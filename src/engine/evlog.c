/* evlog.c - the one place where an event gets its number.
 * Owns:    the counter, events that wait for the commit.
 * Users:   system.c appends, engine.c commits, sub.c reads.  Loop thread only.
 * Promise: what can be read is durable; what was appended is kept until it is. */

#include "evlog_db.h"

#include <assert.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "event.h"
#include "log.h"

hcs_result evlog_open(sd_event *loop, const struct evlog_options *options, struct evlog **out,
                      hcs_error *err)
{
    struct evlog *log = calloc(1, sizeof *log);
    int r;

    assert(options->path && options->events_max > 0);
    if (!log)
        return fail(err, HCS_E_OUTOFMEMORY, "evlog.open", "no memory for the event log");
    log->options = *options;
    log->options.path = log->path = strdup(options->path);
    if (!log->path) {
        free(log);
        return fail(err, HCS_E_OUTOFMEMORY, "evlog.open", "no memory for the event log");
    }
    list_init(&log->pending);
    list_init(&log->ended);
    list_init(&log->tail);
    r = evlog_file_open(log);
    if ((r & 0xff) == SQLITE_CORRUPT || (r & 0xff) == SQLITE_NOTADB) {
        evlog_file_close(log);
        evlog_set_aside(options->path);
        r = evlog_file_open(log);
    }
    if (r != SQLITE_OK) {
        hcs_result result = evlog_fail(
            log, (r & 0xff) == SQLITE_BUSY ? "another hcsd uses the event log" : "open event log",
            err);
        evlog_close(log);
        return result;
    }
    if (loop && sd_event_add_defer(loop, &log->checkpoint, evlog_on_idle, log) >= 0) {
        sd_event_source_set_priority(log->checkpoint, SD_EVENT_PRIORITY_IDLE);
        sd_event_source_set_enabled(log->checkpoint, SD_EVENT_OFF);
    }
    *out = log;
    return HCS_OK;
}

static void drop_slots(struct list *slots)
{
    list_for_each(slots, n)
    {
        list_remove(n);
        evlog_slot_drop(container_of(n, struct evlog_slot, link));
    }
}

void evlog_close(struct evlog *log)
{
    if (!log)
        return;
    drop_slots(&log->pending);
    drop_slots(&log->tail);
    list_for_each(&log->ended, n)
    {
        list_remove(n);
        evlog_row_drop(container_of(n, struct evlog_row, link));
    }
    sd_event_source_unref(log->checkpoint);
    evlog_file_close(log);
    free(log->path);
    free(log);
}

const char *evlog_id(const struct evlog *log)
{
    return log->id;
}

uint64_t evlog_first(const struct evlog *log)
{
    return log->first;
}

uint64_t evlog_last(const struct evlog *log)
{
    return log->last;
}

uint64_t evlog_next_incarnation(struct evlog *log)
{
    return ++log->incarnation;
}

struct evlog_slot *evlog_reserve(size_t room)
{
    struct evlog_slot *slot = calloc(1, sizeof *slot);

    if (!slot)
        return NULL;
    list_init(&slot->link);
    buf_init(&slot->bytes, EVLOG_SLOT_MAX);
    if (buf_reserve(&slot->bytes, room) < 0) {
        free(slot);
        return NULL;
    }
    return slot;
}

void evlog_slot_drop(struct evlog_slot *slot)
{
    if (!slot)
        return;
    buf_done(&slot->bytes);
    free(slot);
}

hcs_result evlog_append(struct evlog *log, struct evlog_slot *take_slot, hcs_event *event)
{
    hcs_result r;

    assert(take_slot && list_is_empty(&take_slot->link));
    event->sequence = log->next;
    event->realtime_ns = clock_realtime_ns();
    event->monotonic_ns = clock_monotonic_ns();
    r = event_encode(event, &take_slot->bytes);
    if (r < 0) {
        evlog_slot_drop(take_slot);
        return r;
    }
    take_slot->sequence = event->sequence;
    take_slot->incarnation = event->system.incarnation;
    take_slot->kind = event->kind;
    list_append(&log->pending, &take_slot->link);
    log->next++;
    return HCS_OK;
}

int evlog_has_pending(const struct evlog *log)
{
    return !list_is_empty(&log->pending);
}
