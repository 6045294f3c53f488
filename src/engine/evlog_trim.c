/* evlog_trim.c - which events are kept, and how the others go.
 * Users:   evlog_commit.c.  Loop thread only.
 * Promise: the newest events of a transaction stay; what goes is a prefix, so that first - 1 says
 * all of it; the work of one call is bounded.
 *
 * The file's pages are used again for new events, so a log that is at its limit does not grow. Only
 * when a quarter of it is empty, as after a limit was lowered, is room given back to the file
 * system (incremental vacuum): giving back each page at once would move pages about with every
 * commit. */

#include "evlog_db.h"

#include <stdio.h>

#include "clock.h"
#include "err.h"

#define AGE_LOOK_NS 1000000000u /* how often a commit looks for events that are too old */
#define GIVE_BACK_PAGES 64
#define KEEP_EMPTY_PAGES 256u

/* An eighth above the limit, then down to it: so that not every commit trims. */
static uint64_t with_slack(uint64_t limit)
{
    return limit + limit / 8 + 1;
}

/* Everything before the oldest event that is young enough is older. */
static void look_for_aged(struct evlog *log)
{
    uint64_t now = evlog_now(log), at = clock_monotonic_ns();

    if (log->options.age_max_ns == 0 || now <= log->options.age_max_ns)
        return;
    if (log->aged_at_ns != 0 && at - log->aged_at_ns < AGE_LOOK_NS)
        return;
    log->aged_at_ns = at;
    if (evlog_find_time(log, now - log->options.age_max_ns, &log->aged_first, NULL) < 0)
        log->aged_first = 0;
}

int evlog_wants_trim(struct evlog *log, const struct evlog_change *change)
{
    uint64_t bytes_max = log->options.bytes_max;

    if (change->first > log->last) /* nothing that may go */
        return 0;
    if (change->last - change->first + 1 > with_slack(log->options.events_max) ||
        (bytes_max > 0 && change->bytes > with_slack(bytes_max)))
        return 1;
    look_for_aged(log);
    return log->aged_first > change->first;
}

/* The first number that no limit of number or age takes. */
static uint64_t keep_from(const struct evlog *log, const struct evlog_change *change)
{
    uint64_t keep = log->options.events_max;
    uint64_t first = change->last > keep ? change->last - keep + 1 : 0;

    return first > log->aged_first ? first : log->aged_first;
}

/* Find how far to trim; @out_bytes of the span in which that ends. */
static int find_first(struct evlog *log, uint64_t portion, struct evlog_change *change,
                      uint64_t *out_bytes)
{
    sqlite3_stmt *st = log->statements[ST_OLDEST];
    uint64_t from = keep_from(log, change), bytes_max = log->options.bytes_max;
    int r;

    *out_bytes = 0;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) portion);
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        uint64_t sequence = (uint64_t) sqlite3_column_int64(st, 0);
        uint64_t bytes = (uint64_t) sqlite3_column_int64(st, 1) + EVLOG_ROW_BYTES;

        if (sequence > log->last ||
            (sequence >= from && (bytes_max == 0 || change->bytes <= bytes_max)))
            break;
        change->first = sequence + 1;
        change->bytes -= bytes < change->bytes ? bytes : change->bytes;
        *out_bytes = change->first % EVLOG_SPAN == 0 ? 0 : *out_bytes + bytes;
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
}

static int run_with(struct evlog *log, enum evlog_statement which, uint64_t number)
{
    sqlite3_bind_int64(log->statements[which], 1, (sqlite3_int64) number);
    return evlog_run(log, which);
}

int evlog_trim(struct evlog *log, uint64_t portion, struct evlog_change *change)
{
    uint64_t before = change->first, bytes = 0;
    int r = find_first(log, portion, change, &bytes);

    if (r != SQLITE_OK || change->first == before)
        return r;
    r = run_with(log, ST_TRIM, change->first);
    if (r == SQLITE_OK)
        r = run_with(log, ST_TRIM_SPANS, change->first / EVLOG_SPAN);
    if (r == SQLITE_OK && bytes > 0) {
        sqlite3_bind_int64(log->statements[ST_SHRINK_SPAN], 2, (sqlite3_int64) bytes);
        r = run_with(log, ST_SHRINK_SPAN, change->first / EVLOG_SPAN);
    }
    if (r == SQLITE_OK)
        r = run_with(log, ST_TRIM_BOOTS, change->first);
    return r == SQLITE_OK ? evlog_save_number(log, "last", change->last) : r;
}

int evlog_give_back(struct evlog *log)
{
    uint64_t all = evlog_ask(log, "PRAGMA page_count"),
             empty = evlog_ask(log, "PRAGMA freelist_count");
    char text[48];

    if (empty <= KEEP_EMPTY_PAGES || empty < all / 4)
        return 0;
    snprintf(text, sizeof text, "PRAGMA incremental_vacuum(%d)", GIVE_BACK_PAGES);
    return sqlite3_exec(log->db, text, NULL, NULL, NULL) == SQLITE_OK &&
           evlog_ask(log, "PRAGMA freelist_count") < empty;
}
