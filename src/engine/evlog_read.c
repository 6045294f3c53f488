/* evlog_read.c - durable events, read again: from the newest in memory, or from the file.
 * Users:   sub.c for streams; recover.c and process.c look for events of one system.  Loop thread
 *          only. */

#include "evlog_db.h"

#define READ_AT_ONCE 64

static hcs_result visit_rows(struct evlog *log, sqlite3_stmt *st, evlog_visit visit, void *context,
                             hcs_error *err)
{
    hcs_result result = HCS_OK;
    int r;

    while ((r = sqlite3_step(st)) == SQLITE_ROW)
        if (!visit(context, (uint64_t) sqlite3_column_int64(st, 0),
                   (uint64_t) sqlite3_column_int64(st, 1),
                   (hcs_event_kind) sqlite3_column_int64(st, 2),
                   (const char *) sqlite3_column_text(st, 3), (size_t) sqlite3_column_bytes(st, 3)))
            break;
    if (r != SQLITE_ROW && r != SQLITE_DONE)
        result = evlog_fail(log, "read event log", err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

hcs_result evlog_read(struct evlog *log, uint64_t after, evlog_visit visit, void *context,
                      hcs_error *err)
{
    struct evlog_slot *oldest = list_first(&log->tail, struct evlog_slot, link);
    sqlite3_stmt *st = log->statements[ST_READ];
    int left = READ_AT_ONCE;

    if (after >= log->last)
        return HCS_OK;
    if (!oldest || after + 1 < oldest->sequence) {
        sqlite3_bind_int64(st, 1, (sqlite3_int64) after);
        sqlite3_bind_int(st, 2, READ_AT_ONCE);
        return visit_rows(log, st, visit, context, err);
    }
    /* readers that keep up stand at the end: walk back from there, then forward */
    struct list *at = log->tail.prev;
    while (at->prev != &log->tail &&
           container_of(at, struct evlog_slot, link)->sequence > after + 1)
        at = at->prev;
    for (; at != &log->tail && left-- > 0; at = at->next) {
        struct evlog_slot *slot = container_of(at, struct evlog_slot, link);

        if (slot->sequence > after && !visit(context, slot->sequence, slot->incarnation, slot->kind,
                                             slot->bytes.data, slot->bytes.length))
            break;
    }
    return HCS_OK;
}

hcs_result evlog_read_system(struct evlog *log, uint64_t incarnation, hcs_event_kind kind,
                             uint64_t first, uint64_t last, evlog_visit visit, void *context,
                             hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_READ_SYSTEM];

    sqlite3_bind_int64(st, 1, (sqlite3_int64) first);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) last);
    sqlite3_bind_int64(st, 3, (sqlite3_int64) incarnation);
    sqlite3_bind_int64(st, 4, kind);
    return visit_rows(log, st, visit, context, err);
}
