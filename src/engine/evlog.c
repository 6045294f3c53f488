/* evlog.c - the one place where an event gets its number.
 * Owns:    the counter, events that wait for the commit.
 * Users:   system.c appends, engine.c commits, sub.c reads.  Loop thread only.
 * Promise: what can be read is durable; what was appended is kept until it is. */

#include "evlog_db.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "err.h"
#include "event.h"
#include "fd.h"

/* The boot of this machine; where it has no such number, each start counts as one. */
static void find_boot(struct evlog *log)
{
    sd_id128_t id;

    if (log->options.boot_id)
        snprintf(log->boot_id, sizeof log->boot_id, "%s", log->options.boot_id);
    else if (sd_id128_get_boot(&id) >= 0 || sd_id128_randomize(&id) >= 0)
        sd_id128_to_string(id, log->boot_id);
}

static struct evlog *make(const struct evlog_options *options)
{
    struct evlog *log = calloc(1, sizeof *log);

    if (!log)
        return NULL;
    log->options = *options;
    log->options.path = log->path = strdup(options->path);
    log->mark_fd = -1;
    list_init(&log->pending);
    list_init(&log->lives);
    list_init(&log->ended);
    list_init(&log->tail);
    if (!log->options.clock)
        log->options.clock = clock_realtime_ns;
    find_boot(log);
    if (!log->path) {
        evlog_close(log);
        return NULL;
    }
    return log;
}

static hcs_result fail_open(struct evlog *log, int r, hcs_error *err)
{
    if ((r & 0xff) == EVLOG_NEWER)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "evlog.open",
                    "event log '%s' is of a newer hcsd: %s; use that one, or another --state-dir",
                    log->path, log->why);
    if ((r & 0xff) == SQLITE_BUSY)
        return evlog_fail(log, "another hcsd uses the event log", err);
    return evlog_fail(log, "open event log", err);
}

/* What the mark says about a file that could be read. */
static hcs_result compare(struct evlog *log, const struct evlog_mark *mark, int is_exact,
                          hcs_error *err)
{
    if (log->is_new)
        return is_exact ? evlog_note_previous(log, mark, err) : HCS_OK;
    if (strcmp(mark->log_id, log->id) != 0 || mark->last <= log->last)
        return HCS_OK;
    snprintf(log->why, sizeof log->why,
             "it ends with event %" PRIu64 ", and events up to %" PRIu64 " were told", log->last,
             mark->last);
    return evlog_open_anew(log, is_exact ? mark : NULL, err);
}

static hcs_result open_file(struct evlog *log, hcs_error *err)
{
    struct evlog_mark mark;
    int r = evlog_file_open(log), code = r & 0xff, has_mark, is_exact;

    if (r != SQLITE_OK && code != SQLITE_CORRUPT && code != SQLITE_NOTADB)
        return fail_open(log, r, err);
    evlog_mark_open(log);
    has_mark = evlog_mark_read(log, &mark);
    is_exact = has_mark && strcmp(mark.boot_id, log->boot_id) == 0;
    if (r == SQLITE_OK)
        return has_mark ? compare(log, &mark, is_exact, err) : HCS_OK;
    snprintf(log->why, sizeof log->why, "%s", sqlite3_errstr(r));
    return evlog_open_anew(log, is_exact ? &mark : NULL, err);
}

hcs_result evlog_open(sd_event *loop, const struct evlog_options *options, struct evlog **out,
                      hcs_error *err)
{
    struct evlog *log;
    hcs_result r;

    assert(options->path && options->events_max > 0);
    log = make(options);
    if (!log)
        return fail(err, HCS_E_OUTOFMEMORY, "evlog.open", "no memory for the event log");
    evlog_count_aside(log);
    r = open_file(log, err);
    if (r >= 0 && evlog_add_sources(log, loop) < 0)
        r = fail(err, HCS_E_FAIL, "evlog.open", "no event sources for the event log");
    if (r < 0) {
        evlog_close(log);
        return r;
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
    sd_event_source_unref(log->idle);
    sd_event_source_unref(log->aging);
    if (log->db && !log->is_damaged) /* the WAL goes into the file, and away */
        sqlite3_db_config(log->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    evlog_file_close(log);
    fd_drop(&log->mark_fd);
    free(log->aside_path);
    free(log->path);
    free(log);
}

const char *evlog_id(const struct evlog *log)
{
    return log->id;
}

const char *evlog_previous(const struct evlog *log, uint64_t *out_last)
{
    *out_last = log->previous_last;
    return log->previous_id;
}

void evlog_on_renewal(struct evlog *log,
                      void (*renewed)(void *context, const struct evlog_renewal *renewal),
                      void *context)
{
    log->renewed = renewed;
    log->renewed_context = context;
}

const char *evlog_boot_at(struct evlog *log, uint64_t sequence)
{
    sqlite3_stmt *st = log->statements[ST_BOOT_AT];

    if (sequence >= log->boot_first)
        return log->boot_id;
    log->boot_asked[0] = 0;
    if (!log->db)
        return log->boot_asked;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) sequence);
    if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0))
        snprintf(log->boot_asked, sizeof log->boot_asked, "%s",
                 (const char *) sqlite3_column_text(st, 0));
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return log->boot_asked;
}

static uint64_t size_of(const struct evlog *log, const char *suffix)
{
    _cleanup_(free_drop) char *path = NULL;
    struct stat st;

    if (asprintf(&path, "%s%s", log->path, suffix) < 0) {
        path = NULL;
        return 0;
    }
    return stat(path, &st) == 0 ? (uint64_t) st.st_size : 0;
}

void evlog_get_status(const struct evlog *log, struct evlog_status *out)
{
    *out = (struct evlog_status){
        .log_id = log->id,
        .first = log->first,
        .last = log->last,
        .events = log->last + 1 - log->first,
        .event_bytes = log->bytes,
        .file_bytes = size_of(log, "") + size_of(log, "-wal"),
        .events_max = log->options.events_max,
        .bytes_max = log->options.bytes_max,
        .age_max_ns = log->options.age_max_ns,
        .pending = log->n_pending,
        .pending_bytes = log->pending_bytes,
        .stuck_since_ns = log->stuck_since_ns,
        .error = log->error,
        .set_aside = log->n_aside,
        .set_aside_path = log->aside_path ? log->aside_path : "",
        .previous_log_id = log->previous_id,
        .previous_last = log->previous_last,
    };
}

uint64_t evlog_pending_bytes(const struct evlog *log)
{
    return log->pending_bytes;
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

void evlog_skip_incarnations(struct evlog *log, uint64_t incarnation)
{
    if (log->incarnation < incarnation)
        log->incarnation = incarnation;
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
    event->realtime_ns = evlog_now(log);
    event->monotonic_ns = clock_monotonic_ns();
    r = event_encode(event, &take_slot->bytes);
    if (r < 0) {
        evlog_slot_drop(take_slot);
        return r;
    }
    take_slot->sequence = event->sequence;
    take_slot->realtime_ns = event->realtime_ns;
    take_slot->incarnation = event->system.incarnation;
    take_slot->kind = event->kind;
    take_slot->pid = event->process_id;
    list_append(&log->pending, &take_slot->link);
    log->n_pending++;
    log->pending_bytes += take_slot->bytes.capacity;
    log->next++;
    return HCS_OK;
}

int evlog_has_pending(const struct evlog *log)
{
    return !list_is_empty(&log->pending);
}
