/* evlog_commit.c - what was appended becomes durable, in one transaction.
 * Owns:    the transaction, the newest events in memory, when the WAL goes into the file.
 * Users:   engine.c commits once a turn.  Loop thread only.
 * Promise: all or nothing; a commit that fails leaves everything pending. */

#include "evlog_db.h"

#define TAIL_MAX 512u /* newest events kept in memory */
#define TAIL_BYTES_MAX ((size_t) 256 * 1024)
#define CHECKPOINT_SOON 256 /* WAL pages after which an idle moment is used */
#define CHECKPOINT_NOW 4096

int evlog_on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
    struct evlog *log = context;

    (void) name;
    log->wal_pages = pages;
    if (pages >= CHECKPOINT_NOW)
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    else if (pages >= CHECKPOINT_SOON && log->checkpoint)
        sd_event_source_set_enabled(log->checkpoint, SD_EVENT_ONESHOT);
    return SQLITE_OK;
}

/* Runs only when the loop has nothing else to do, so that no exit waits for it. */
int evlog_on_idle(sd_event_source *source, void *context)
{
    struct evlog *log = context;

    (void) source;
    sqlite3_wal_checkpoint_v2(log->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    log->wal_pages = 0;
    return 0;
}

static int write_slot(struct evlog *log, const struct evlog_slot *slot)
{
    sqlite3_stmt *st = log->statements[ST_APPEND];

    sqlite3_bind_int64(st, 1, (sqlite3_int64) slot->sequence);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) slot->incarnation);
    sqlite3_bind_int64(st, 3, slot->kind);
    sqlite3_bind_text(st, 4, slot->bytes.data, (int) slot->bytes.length, SQLITE_STATIC);
    return evlog_run(log, ST_APPEND);
}

static int write_pending(struct evlog *log, uint64_t *out_first)
{
    int r = SQLITE_OK;

    list_for_each(&log->pending, n)
    {
        r = write_slot(log, container_of(n, struct evlog_slot, link));
        if (r != SQLITE_OK)
            return r;
    }
    r = evlog_write_rows(log);
    if (r != SQLITE_OK)
        return r;
    if (log->incarnation != log->incarnation_saved)
        r = evlog_save_number(log, "incarnation", log->incarnation);
    return r == SQLITE_OK ? evlog_trim(log, log->next - 1, out_first) : r;
}

static void keep_in_tail(struct evlog *log)
{
    list_for_each(&log->pending, n)
    {
        struct evlog_slot *slot = container_of(n, struct evlog_slot, link);

        list_remove(n);
        list_append(&log->tail, n);
        log->n_tail++;
        log->tail_bytes += slot->bytes.capacity;
    }
    while (log->n_tail > TAIL_MAX || (log->tail_bytes > TAIL_BYTES_MAX && log->n_tail > 1)) {
        struct evlog_slot *oldest = list_first(&log->tail, struct evlog_slot, link);

        list_remove(&oldest->link);
        log->n_tail--;
        log->tail_bytes -= oldest->bytes.capacity;
        evlog_slot_drop(oldest);
    }
}

hcs_result evlog_commit(struct evlog *log, hcs_error *err)
{
    uint64_t first = log->first;
    hcs_result result;
    int r;

    if (!evlog_has_pending(log) && list_is_empty(&log->ended))
        return HCS_OK;
    r = evlog_run(log, ST_BEGIN);
    if (r == SQLITE_OK)
        r = write_pending(log, &first);
    if (r == SQLITE_OK)
        r = evlog_run(log, ST_COMMIT);
    if (r != SQLITE_OK) {
        result = evlog_fail(log, "write event log", err);
        if (!sqlite3_get_autocommit(log->db))
            (void) evlog_run(log, ST_ROLLBACK);
        return result;
    }
    log->first = first;
    log->last = log->next - 1;
    log->incarnation_saved = log->incarnation;
    keep_in_tail(log);
    list_for_each(&log->ended, n)
    {
        list_remove(n);
        evlog_row_drop(container_of(n, struct evlog_row, link));
    }
    return HCS_OK;
}
