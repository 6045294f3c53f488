/* evlog_commit.c - what was appended becomes durable, in one transaction.
 * Owns:    the transaction, the newest events in memory, when the WAL goes into the file.
 * Users:   engine.c commits once a turn.  Loop thread only.
 * Promise: all or nothing; a commit that fails leaves everything pending. */

#include "evlog_db.h"

#include <stdio.h>

#include "clock.h"
#include "err.h"
#include "log.h"

#define TAIL_MAX 512u /* newest events kept in memory */
#define TAIL_BYTES_MAX ((size_t) 256 * 1024)
#define CHECKPOINT_SOON 256 /* WAL pages after which an idle moment is used */
#define CHECKPOINT_NOW 4096
#define CHECKPOINT_AGAIN 1024 /* more pages, after which one that did not work is tried again */
#define TRIM_PORTION 1024u
#define AGING_US 60000000u

/* ---- the WAL goes into the file ---- */

/* One that does not work leaves the WAL as it is, which is as good, only longer. */
static int checkpoint(struct evlog *log)
{
    int r = sqlite3_wal_checkpoint_v2(log->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    if (r == SQLITE_OK) {
        if (log->checkpoint_fails)
            log_line(LOG_LINE_NOTICE, "the WAL of event log '%s' goes into the file again",
                     log->path);
        log->checkpoint_fails = 0;
        log->checkpoint_at = CHECKPOINT_NOW;
        log->wal_pages = 0;
        return r;
    }
    hcs_error err = HCS_ERROR_INIT;

    if (evlog_fail(log, "move the WAL into event log", &err) != HCS_E_WIN32_DISK_FULL &&
        log->checkpoint_fails >= EVLOG_IO_TRIES)
        (void) evlog_fail_damaged(log, sqlite3_errmsg(log->db), NULL);
    snprintf(log->error, sizeof log->error, "%s", err.text);
    if (log->checkpoint_fails++ == 0)
        log_line(LOG_LINE_ERROR, "%s; nothing is lost, the WAL grows meanwhile", err.text);
    log->checkpoint_at = log->wal_pages + CHECKPOINT_AGAIN;
    return r;
}

static void want_idle(struct evlog *log)
{
    if (log->idle)
        sd_event_source_set_enabled(log->idle, SD_EVENT_ONESHOT);
}

int evlog_on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
    struct evlog *log = context;

    (void) db;
    (void) name;
    log->wal_pages = pages;
    if (pages >= log->checkpoint_at)
        (void) checkpoint(log);
    else if (pages >= CHECKPOINT_SOON)
        want_idle(log);
    return SQLITE_OK;
}

/* ---- the transaction ---- */

static int write_slot(struct evlog *log, const struct evlog_slot *slot)
{
    sqlite3_stmt *st = log->statements[ST_APPEND];
    int r;

    sqlite3_bind_int64(st, 1, (sqlite3_int64) slot->sequence);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) slot->incarnation);
    sqlite3_bind_int64(st, 3, slot->kind);
    sqlite3_bind_text(st, 4, slot->bytes.data, (int) slot->bytes.length, SQLITE_STATIC);
    r = evlog_run(log, ST_APPEND);
    return r == SQLITE_OK ? evlog_note_slot(log, slot) : r;
}

struct span {
    uint64_t number;
    uint64_t newest;
    uint64_t bytes;
};

static int write_span(struct evlog *log, struct span *span)
{
    sqlite3_stmt *st = log->statements[ST_SPAN];

    if (span->bytes == 0)
        return SQLITE_OK;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) span->number);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) span->newest);
    sqlite3_bind_int64(st, 3, (sqlite3_int64) span->bytes);
    span->newest = span->bytes = 0;
    return evlog_run(log, ST_SPAN);
}

static int write_events(struct evlog *log, struct evlog_change *change)
{
    struct span span = { 0, 0, 0 };
    int r = SQLITE_OK;

    list_for_each(&log->pending, n)
    {
        struct evlog_slot *slot = container_of(n, struct evlog_slot, link);
        uint64_t bytes = slot->bytes.length + EVLOG_ROW_BYTES;

        if (slot->sequence / EVLOG_SPAN != span.number)
            r = write_span(log, &span);
        if (r == SQLITE_OK)
            r = write_slot(log, slot);
        if (r != SQLITE_OK)
            return r;
        span.number = slot->sequence / EVLOG_SPAN;
        span.newest = slot->realtime_ns > span.newest ? slot->realtime_ns : span.newest;
        span.bytes += bytes;
        change->bytes += bytes;
    }
    return write_span(log, &span);
}

static int write_boot(struct evlog *log)
{
    sqlite3_stmt *st = log->statements[ST_BOOT];

    if (log->boot_is_saved)
        return SQLITE_OK;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) log->boot_first);
    sqlite3_bind_text(st, 2, log->boot_id, -1, SQLITE_STATIC);
    return evlog_run(log, ST_BOOT);
}

/* Trimming keeps up with what comes, and never holds up a commit by more than a portion.  It needs
 * pages of its own, so it does not get in the way of events that have been waiting for room. */
static int write_all(struct evlog *log, struct evlog_change *change, int may_trim)
{
    int r = evlog_write_lives(log);

    if (r == SQLITE_OK)
        r = write_events(log, change);
    if (r == SQLITE_OK)
        r = write_boot(log);
    if (r == SQLITE_OK)
        r = evlog_write_rows(log);
    if (r == SQLITE_OK && log->incarnation != log->incarnation_saved)
        r = evlog_save_number(log, "incarnation", log->incarnation);
    if (r == SQLITE_OK && may_trim && evlog_wants_trim(log, change))
        r = evlog_trim(log, TRIM_PORTION + 2 * log->n_pending, change);
    return r;
}

static hcs_result end_transaction(struct evlog *log, int r, const char *what, hcs_error *err)
{
    hcs_result result;

    if (r == SQLITE_OK)
        r = evlog_run(log, ST_COMMIT);
    if (r == SQLITE_OK) {
        log->io_errors = 0;
        return HCS_OK;
    }
    result = evlog_fail(log, what, err);
    if (!sqlite3_get_autocommit(log->db))
        (void) evlog_run(log, ST_ROLLBACK);
    return result;
}

static hcs_result transact(struct evlog *log, struct evlog_change *change, int may_trim,
                           hcs_error *err)
{
    int r = evlog_run(log, ST_BEGIN);

    *change = (struct evlog_change){ log->first, log->next - 1, log->bytes };
    if (r == SQLITE_OK)
        r = write_all(log, change, may_trim);
    return end_transaction(log, r, "write event log", err);
}

static void drop_oldest(struct evlog *log)
{
    struct evlog_slot *oldest = list_first(&log->tail, struct evlog_slot, link);

    list_remove(&oldest->link);
    log->n_tail--;
    log->tail_bytes -= oldest->bytes.capacity;
    evlog_slot_drop(oldest);
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
    log->n_pending = log->pending_bytes = 0;
    while (log->n_tail > TAIL_MAX || (log->tail_bytes > TAIL_BYTES_MAX && log->n_tail > 1))
        drop_oldest(log);
}

/* What was trimmed is not read from memory either. */
static void take_over(struct evlog *log, const struct evlog_change *change)
{
    log->first = change->first;
    log->last = change->last;
    log->bytes = change->bytes;
    while (log->n_tail > 0 &&
           list_first(&log->tail, struct evlog_slot, link)->sequence < log->first)
        drop_oldest(log);
}

/* A disk that is full may still have room in the file: then the WAL begins anew. */
static hcs_result write_pending(struct evlog *log, hcs_error *err)
{
    struct evlog_change change;
    hcs_result r = transact(log, &change, log->stuck_since_ns == 0, err);

    if (r == HCS_E_WIN32_DISK_FULL && checkpoint(log) == SQLITE_OK)
        r = transact(log, &change, 0, err);
    if (r < 0)
        return r;
    log->incarnation_saved = log->incarnation;
    log->boot_is_saved = 1;
    keep_in_tail(log);
    take_over(log, &change);
    list_for_each(&log->lives, m)
    {
        list_remove(m);
        evlog_life_drop(container_of(m, struct evlog_life, link));
    }
    list_for_each(&log->ended, n)
    {
        list_remove(n);
        evlog_row_drop(container_of(n, struct evlog_row, link));
    }
    evlog_mark_write(log);
    if (evlog_wants_trim(log, &change))
        want_idle(log);
    return HCS_OK;
}

static void note_outcome(struct evlog *log, hcs_result r, const hcs_error *err)
{
    if (r >= 0) {
        log->stuck_since_ns = 0;
        return;
    }
    snprintf(log->error, sizeof log->error, "%s", err->text);
    if (log->stuck_since_ns == 0)
        log->stuck_since_ns = evlog_now(log);
}

static int has_work(const struct evlog *log)
{
    return evlog_has_pending(log) || !list_is_empty(&log->ended) || !list_is_empty(&log->lives);
}

hcs_result evlog_commit(struct evlog *log, hcs_error *err)
{
    hcs_error own = HCS_ERROR_INIT;
    hcs_result r = HCS_OK;

    if (log->is_damaged || (has_work(log) && evlog_is_gone(log)))
        r = evlog_begin_anew(log, &own);
    if (r >= 0 && has_work(log))
        r = write_pending(log, &own);
    if (r < 0 && log->is_damaged && log->db) {
        r = evlog_begin_anew(log, &own);
        if (r >= 0)
            r = write_pending(log, &own);
    }
    note_outcome(log, r, &own);
    if (r < 0 && err)
        error_copy(err, &own);
    return r;
}

/* ---- idle moments ---- */

/* 1 when there is more to trim. */
static int trim_idly(struct evlog *log)
{
    struct evlog_change change = { log->first, log->last, log->bytes };
    hcs_error err = HCS_ERROR_INIT;
    int r;

    if (!evlog_wants_trim(log, &change))
        return 0;
    r = evlog_run(log, ST_BEGIN);
    if (r == SQLITE_OK)
        r = evlog_trim(log, TRIM_PORTION, &change);
    if (end_transaction(log, r, "trim event log", &err) < 0) {
        snprintf(log->error, sizeof log->error, "%s", err.text);
        log_line(LOG_LINE_WARNING, "%s", err.text);
        return 0;
    }
    take_over(log, &change);
    return evlog_wants_trim(log, &change);
}

/* Runs only when the loop has nothing else to do, so that no exit waits for it. */
static int on_idle(sd_event_source *source, void *context)
{
    struct evlog *log = context;
    int more;

    (void) source;
    if (!log->db || log->is_damaged)
        return 0;
    more = trim_idly(log) || evlog_give_back(log);
    if (!more && log->wal_pages > 0)
        (void) checkpoint(log);
    if (more)
        want_idle(log);
    return 0;
}

/* Events get old without a commit. */
static int on_aging(sd_event_source *source, uint64_t usec, void *context)
{
    (void) usec;
    want_idle(context);
    sd_event_source_set_time_relative(source, AGING_US);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

int evlog_add_sources(struct evlog *log, sd_event *loop)
{
    int r;

    log->checkpoint_at = CHECKPOINT_NOW; /* what the opening wrote has gone into the file at once */
    if (!loop)
        return 0;
    r = sd_event_add_defer(loop, &log->idle, on_idle, log);
    if (r >= 0)
        r = sd_event_source_set_priority(log->idle, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0) /* limits may be lower than those of the hcsd before */
        r = sd_event_source_set_enabled(log->idle, SD_EVENT_ONESHOT);
    if (r >= 0 && log->options.age_max_ns > 0)
        r = sd_event_add_time_relative(loop, &log->aging, CLOCK_MONOTONIC, AGING_US, AGING_US / 2,
                                       on_aging, log);
    return r;
}
