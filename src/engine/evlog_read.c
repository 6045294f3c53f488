/* evlog_read.c - durable events, read again: from the newest in memory, or from the file.
 * Users:   sub.c for streams; recover.c and process.c look for events of one system.  Loop thread
 *          only.
 * Promise: of a stream of events none is left out: what is not where it must be is damage. */

#include "evlog_db.h"

#include <inttypes.h>
#include <stdio.h>

#include "err.h"
#include "event.h"

#define READ_AT_ONCE 64

/* Visit the rows of a statement; 1 in @out_stopped when @visit wanted no more. */
static hcs_result visit_rows(struct evlog *log, sqlite3_stmt *st, evlog_visit visit, void *context,
                             int *out_stopped, hcs_error *err)
{
    hcs_result result = HCS_OK;
    int r;

    *out_stopped = 0;
    while (!*out_stopped && (r = sqlite3_step(st)) == SQLITE_ROW)
        *out_stopped = !visit(
            context, (uint64_t) sqlite3_column_int64(st, 0), (uint64_t) sqlite3_column_int64(st, 1),
            (hcs_event_kind) sqlite3_column_int64(st, 2), (const char *) sqlite3_column_text(st, 3),
            (size_t) sqlite3_column_bytes(st, 3));
    if (!*out_stopped && r != SQLITE_DONE)
        result = evlog_fail(log, "read event log", err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

/* A reader of the file, who sees to it that no event is missing. */
struct dense {
    evlog_visit visit;
    void *context;
    uint64_t next; /* what must come now */
    int is_broken;
};

static int visit_dense(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                       const char *bytes, size_t length)
{
    struct dense *dense = context;

    dense->is_broken = sequence != dense->next || !bytes;
    if (dense->is_broken)
        return 0;
    dense->next++;
    return dense->visit(dense->context, sequence, incarnation, kind, bytes, length);
}

static hcs_result read_file(struct evlog *log, uint64_t after, evlog_visit visit, void *context,
                            hcs_error *err)
{
    uint64_t first = after + 1 > log->first ? after + 1 : log->first;
    struct dense dense = { visit, context, first, 0 };
    sqlite3_stmt *st = log->statements[ST_READ];
    hcs_result r = evlog_check_open(log, err);
    char what[80];
    int stopped;

    if (r < 0)
        return r;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) after);
    sqlite3_bind_int(st, 2, READ_AT_ONCE);
    r = visit_rows(log, st, visit_dense, &dense, &stopped, err);
    if (r < 0 || (stopped && !dense.is_broken) || dense.next - first == READ_AT_ONCE ||
        dense.next > log->last)
        return r;
    snprintf(what, sizeof what, "event %" PRIu64 " is missing", dense.next);
    return evlog_fail_damaged(log, what, err);
}

/* Readers that keep up stand at the end: walk back from there, then forward. */
static void read_tail(struct evlog *log, uint64_t after, evlog_visit visit, void *context)
{
    struct list *at = log->tail.prev;
    int left = READ_AT_ONCE;

    while (at->prev != &log->tail &&
           container_of(at, struct evlog_slot, link)->sequence > after + 1)
        at = at->prev;
    for (; at != &log->tail && left-- > 0; at = at->next) {
        struct evlog_slot *slot = container_of(at, struct evlog_slot, link);

        if (slot->sequence > after && !visit(context, slot->sequence, slot->incarnation, slot->kind,
                                             slot->bytes.data, slot->bytes.length))
            break;
    }
}

hcs_result evlog_read(struct evlog *log, uint64_t after, evlog_visit visit, void *context,
                      hcs_error *err)
{
    struct evlog_slot *oldest = list_first(&log->tail, struct evlog_slot, link);

    if (after >= log->last)
        return HCS_OK;
    if (!oldest || after + 1 < oldest->sequence)
        return read_file(log, after, visit, context, err);
    read_tail(log, after, visit, context);
    return HCS_OK;
}

hcs_result evlog_read_system(struct evlog *log, uint64_t incarnation, hcs_event_kind kind,
                             uint64_t first, uint64_t last, evlog_visit visit, void *context,
                             hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_READ_SYSTEM];
    hcs_result r = evlog_check_open(log, err);
    int stopped;

    if (r < 0)
        return r;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) first);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) last);
    sqlite3_bind_int64(st, 3, (sqlite3_int64) incarnation);
    sqlite3_bind_int64(st, 4, kind);
    return visit_rows(log, st, visit, context, &stopped, err);
}

/* ---- finding a time ---- */

/* The oldest event of a span with that property; its newest may have been trimmed. */
static int find_in_span(struct evlog *log, uint64_t number, uint64_t realtime_ns, uint64_t *out)
{
    sqlite3_stmt *st = log->statements[ST_SPAN_EVENTS];
    uint64_t first = number * EVLOG_SPAN;
    int r;

    *out = 0;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) first);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) first + EVLOG_SPAN - 1);
    while (*out == 0 && (r = sqlite3_step(st)) == SQLITE_ROW) {
        const char *body = (const char *) sqlite3_column_text(st, 1);

        if (body && event_realtime(body) >= realtime_ns)
            *out = (uint64_t) sqlite3_column_int64(st, 0);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return *out != 0 || r == SQLITE_DONE ? SQLITE_OK : r;
}

hcs_result evlog_find_time(struct evlog *log, uint64_t realtime_ns, uint64_t *out_sequence,
                           hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_SPANS_SINCE];
    hcs_result result = evlog_check_open(log, err);
    uint64_t found = 0;
    int r = SQLITE_ROW;

    if (result < 0)
        return result;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) (realtime_ns > INT64_MAX ? INT64_MAX : realtime_ns));
    while (found == 0 && (r = sqlite3_step(st)) == SQLITE_ROW) {
        r = find_in_span(log, (uint64_t) sqlite3_column_int64(st, 0), realtime_ns, &found);
        if (r != SQLITE_OK)
            break;
    }
    if (found == 0 && r != SQLITE_DONE)
        result = evlog_fail(log, "read event log", err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    *out_sequence = found ? found : log->last + 1;
    return result;
}
