/* evlog.c - the one place where an event gets its number.
 * Owns:    the SQLite file, the counter, events that wait for the commit, the newest ones in
 * memory. Users:   system.c appends, engine.c commits, sub.c reads.  Loop thread only. Promise:
 * what can be read is durable; what was appended is kept until it is. */

#include "evlog.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "event.h"
#include "exit.h"
#include "log.h"

#define SLOT_MAX ((size_t) 64 * 1024)
#define TAIL_MAX 512u /* newest events kept in memory */
#define TAIL_BYTES_MAX ((size_t) 256 * 1024)
#define READ_AT_ONCE 64
#define CHECKPOINT_SOON 256 /* WAL pages after which an idle moment is used */
#define CHECKPOINT_NOW 4096

struct evlog_slot {
    struct list link;
    uint64_t sequence;
    uint64_t incarnation;
    hcs_event_kind kind;
    struct buf bytes;
};

struct ended_row {
    struct list link;
    int living;               /* it begins to live; else it has ended */
    struct evlog_ended ended; /* its strings point into the copies below */
    char *id;
    char *owner;
    char *detail;
};

enum statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_APPEND,
    ST_TRIM,
    ST_READ,
    ST_READ_SYSTEM,
    ST_META,
    ST_REMEMBER,
    ST_TRIM_ENDED,
    ST_FIND_ENDED,
    ST_FIND_INCARNATION,
    ST_LIST_ENDED,
    ST_FORGET_ENDED,
    ST_LIVING,
    ST_NOT_LIVING,
    ST_LIST_LIVING,
    N_STATEMENTS
};

static const char *const statement_text[N_STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_APPEND] = "INSERT INTO event (sequence, incarnation, kind, body) VALUES (?1, ?2, ?3, ?4)",
    [ST_TRIM] = "DELETE FROM event WHERE sequence < ?1",
    [ST_READ] = "SELECT sequence, incarnation, kind, body FROM event WHERE sequence > ?1 "
                "ORDER BY sequence LIMIT ?2",
    [ST_READ_SYSTEM] = "SELECT sequence, incarnation, kind, body FROM event "
                       "WHERE sequence BETWEEN ?1 AND ?2 AND incarnation = ?3 AND kind = ?4 "
                       "ORDER BY sequence DESC",
    [ST_META] = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)",
    [ST_REMEMBER] = "INSERT OR REPLACE INTO ended (incarnation, id, owner, type, isolation, "
                    "first_sequence, exit_sequence, exit, detail) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [ST_TRIM_ENDED] = "DELETE FROM ended WHERE exit_sequence <= "
                      "(SELECT exit_sequence FROM ended ORDER BY exit_sequence DESC "
                      "LIMIT 1 OFFSET ?1)",
    [ST_FIND_ENDED] =
        "SELECT incarnation, id, owner, type, isolation, first_sequence, exit_sequence, "
        "exit, detail FROM ended WHERE id = ?1 AND (?2 = 0 OR incarnation = ?2) "
        "ORDER BY incarnation DESC LIMIT 1",
    [ST_FIND_INCARNATION] =
        "SELECT incarnation, id, owner, type, isolation, first_sequence, exit_sequence, "
        "exit, detail FROM ended WHERE incarnation = ?1",
    [ST_LIST_ENDED] =
        "SELECT incarnation, id, owner, type, isolation, first_sequence, exit_sequence, "
        "exit, detail FROM ended ORDER BY incarnation",
    [ST_FORGET_ENDED] = "DELETE FROM ended WHERE incarnation = ?1",
    [ST_LIVING] = "INSERT OR REPLACE INTO living (incarnation, id, owner, type, isolation, "
                  "first_sequence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [ST_NOT_LIVING] = "DELETE FROM living WHERE incarnation = ?1",
    [ST_LIST_LIVING] = "SELECT incarnation, id, owner, type, isolation, first_sequence, 0, '', '' "
                       "FROM living ORDER BY incarnation",
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS event (sequence INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, "
    "kind INTEGER NOT NULL, body TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS ended (incarnation INTEGER PRIMARY KEY, id TEXT NOT NULL, "
    "owner TEXT NOT NULL, type TEXT NOT NULL, isolation TEXT NOT NULL, first_sequence INTEGER NOT "
    "NULL, "
    "exit_sequence INTEGER NOT NULL, exit TEXT NOT NULL, detail TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS living (incarnation INTEGER PRIMARY KEY, id TEXT NOT NULL, "
    "owner TEXT NOT NULL, type TEXT NOT NULL, isolation TEXT NOT NULL, "
    "first_sequence INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS ended_by_id ON ended (id, incarnation);"
    "CREATE INDEX IF NOT EXISTS ended_by_exit ON ended (exit_sequence);"
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

struct evlog {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    sd_event_source *checkpoint; /* idle priority; NULL without a loop */
    struct evlog_options options;
    char *path;
    char id[SD_ID128_STRING_MAX];
    uint64_t first;
    uint64_t last;        /* durable */
    uint64_t next;        /* number of the next event */
    uint64_t incarnation; /* last given */
    uint64_t incarnation_saved;
    struct list pending; /* slots */
    struct list ended;   /* rows for the next commit */
    struct list tail;    /* durable slots, newest last */
    size_t n_tail;
    size_t tail_bytes;
    int wal_pages;
};

static hcs_result fail_db(struct evlog *log, const char *what, hcs_error *err)
{
    int code = sqlite3_extended_errcode(log->db) & 0xff;
    hcs_result result = HCS_E_FAIL;

    if (code == SQLITE_FULL)
        result = HCS_E_WIN32_DISK_FULL;
    else if (code == SQLITE_NOMEM)
        result = HCS_E_OUTOFMEMORY;
    return fail(err, result, "evlog", "%s '%s': %s", what, log->options.path,
                sqlite3_errmsg(log->db));
}

/* Run a statement that gives no row. */
static int run(struct evlog *log, enum statement which)
{
    sqlite3_stmt *st = log->statements[which];
    int r = sqlite3_step(st);

    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r == SQLITE_DONE || r == SQLITE_ROW ? SQLITE_OK : r;
}

static int on_wal(void *context, sqlite3 *db, const char *name, int pages)
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
static int on_checkpoint(sd_event_source *source, void *context)
{
    struct evlog *log = context;

    (void) source;
    sqlite3_wal_checkpoint_v2(log->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    log->wal_pages = 0;
    return 0;
}

static int open_file(struct evlog *log)
{
    static const char pragmas[] =
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
        "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-256; PRAGMA temp_store=MEMORY;";
    int r = sqlite3_open_v2(log->options.path, &log->db,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (r == SQLITE_OK)
        r = sqlite3_exec(log->db, pragmas, NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(log->db, schema, NULL, NULL, NULL);
    for (int i = 0; r == SQLITE_OK && i < N_STATEMENTS; i++)
        r = sqlite3_prepare_v3(log->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &log->statements[i], NULL);
    if (r == SQLITE_OK)
        sqlite3_wal_hook(log->db, on_wal, log);
    return r;
}

static void close_file(struct evlog *log)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(log->statements[i]);
        log->statements[i] = NULL;
    }
    sqlite3_close(log->db);
    log->db = NULL;
}

static uint64_t ask_number(struct evlog *log, const char *query, int *out_status)
{
    sqlite3_stmt *st = NULL;
    uint64_t n = 0;
    int r = sqlite3_prepare_v2(log->db, query, -1, &st, NULL);

    if (r == SQLITE_OK) {
        r = sqlite3_step(st);
        if (r == SQLITE_ROW)
            n = (uint64_t) sqlite3_column_int64(st, 0);
    }
    if (r != SQLITE_ROW && r != SQLITE_DONE)
        *out_status = r;
    sqlite3_finalize(st);
    return n;
}

/* Where the log stands: read from the file itself, so that numbers go on after a crash. */
static int load_position(struct evlog *log)
{
    int status = SQLITE_OK;
    uint64_t newest = ask_number(log, "SELECT max(sequence) FROM event", &status);
    uint64_t oldest = ask_number(log, "SELECT min(sequence) FROM event", &status);
    uint64_t trimmed = ask_number(log, "SELECT value FROM meta WHERE name = 'last'", &status);
    uint64_t given = ask_number(log, "SELECT value FROM meta WHERE name = 'incarnation'", &status);
    sqlite3_stmt *st = NULL;

    if (status != SQLITE_OK)
        return status;
    log->last = newest > trimmed ? newest : trimmed;
    log->first = newest ? oldest : log->last + 1;
    log->next = log->last + 1;
    log->incarnation = log->incarnation_saved = given;
    log->id[0] = 0;
    if (sqlite3_prepare_v2(log->db, "SELECT value FROM meta WHERE name = 'log'", -1, &st, NULL) ==
            SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        snprintf(log->id, sizeof log->id, "%s", (const char *) sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    return SQLITE_OK;
}

static int save_meta(struct evlog *log, const char *name, const char *value)
{
    sqlite3_stmt *st = log->statements[ST_META];

    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, value, -1, SQLITE_TRANSIENT);
    return run(log, ST_META);
}

static int save_number(struct evlog *log, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    return save_meta(log, name, text);
}

static int begin_log_id(struct evlog *log)
{
    sd_id128_t id;

    if (log->id[0])
        return SQLITE_OK;
    if (sd_id128_randomize(&id) < 0)
        return SQLITE_ERROR;
    sd_id128_to_string(id, log->id);
    return save_meta(log, "log", log->id);
}

/* Move a damaged file out of the way, with its WAL, so that the service can begin anew. */
static void set_aside(const char *path)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    uint64_t now = clock_realtime_ns() / 1000000000u;

    for (size_t i = 0; i < N_ELEMENTS(suffixes); i++) {
        char from[4096], to[4096 + 64];

        snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
        snprintf(to, sizeof to, "%s.damaged-%" PRIu64 "%s", path, now, suffixes[i]);
        if (rename(from, to) == 0)
            log_line(LOG_LINE_ERROR, "event log '%s' is damaged: set aside as '%s'", from, to);
    }
}

static int open_and_load(struct evlog *log)
{
    int r = open_file(log);

    if (r == SQLITE_OK)
        r = load_position(log);
    if (r == SQLITE_OK)
        r = begin_log_id(log);
    return r;
}

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
    r = open_and_load(log);
    if ((r & 0xff) == SQLITE_CORRUPT || (r & 0xff) == SQLITE_NOTADB) {
        close_file(log);
        set_aside(options->path);
        r = open_and_load(log);
    }
    if (r != SQLITE_OK) {
        hcs_result result = fail_db(
            log, (r & 0xff) == SQLITE_BUSY ? "another hcsd uses the event log" : "open event log",
            err);
        evlog_close(log);
        return result;
    }
    if (loop && sd_event_add_defer(loop, &log->checkpoint, on_checkpoint, log) >= 0) {
        sd_event_source_set_priority(log->checkpoint, SD_EVENT_PRIORITY_IDLE);
        sd_event_source_set_enabled(log->checkpoint, SD_EVENT_OFF);
    }
    *out = log;
    return HCS_OK;
}

static void drop_ended_row(struct ended_row *row)
{
    free(row->id);
    free(row->owner);
    free(row->detail);
    free(row);
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
        drop_ended_row(container_of(n, struct ended_row, link));
    }
    sd_event_source_unref(log->checkpoint);
    close_file(log);
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
    buf_init(&slot->bytes, SLOT_MAX);
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

static hcs_result queue_row(struct evlog *log, const struct evlog_ended *ended, int living)
{
    struct ended_row *row = calloc(1, sizeof *row);

    if (!row)
        return HCS_E_OUTOFMEMORY;
    row->living = living;
    row->ended = *ended;
    row->ended.system.id = row->id = strdup(ended->system.id);
    row->ended.system.owner = row->owner = strdup(ended->system.owner);
    row->ended.detail = row->detail = strdup(ended->detail);
    if (!row->id || !row->owner || !row->detail) {
        drop_ended_row(row);
        return HCS_E_OUTOFMEMORY;
    }
    list_append(&log->ended, &row->link);
    return HCS_OK;
}

hcs_result evlog_remember(struct evlog *log, const struct evlog_ended *ended)
{
    return queue_row(log, ended, 0);
}

hcs_result evlog_begin_life(struct evlog *log, const hcs_event_system *system,
                            uint64_t first_sequence)
{
    struct evlog_ended row = {
        .system = *system,
        .first_sequence = first_sequence,
        .exit = HCS_EXIT_INIT,
        .detail = "",
    };

    return queue_row(log, &row, 1);
}

int evlog_has_pending(const struct evlog *log)
{
    return !list_is_empty(&log->pending);
}

static int write_slot(struct evlog *log, const struct evlog_slot *slot)
{
    sqlite3_stmt *st = log->statements[ST_APPEND];

    sqlite3_bind_int64(st, 1, (sqlite3_int64) slot->sequence);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) slot->incarnation);
    sqlite3_bind_int64(st, 3, slot->kind);
    sqlite3_bind_text(st, 4, slot->bytes.data, (int) slot->bytes.length, SQLITE_STATIC);
    return run(log, ST_APPEND);
}

static void bind_system(sqlite3_stmt *st, const struct evlog_ended *ended)
{
    sqlite3_bind_int64(st, 1, (sqlite3_int64) ended->system.incarnation);
    sqlite3_bind_text(st, 2, ended->system.id, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, ended->system.owner, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 4, ended->system.type, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 5, ended->system.isolation, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 6, (sqlite3_int64) ended->first_sequence);
}

static int write_living(struct evlog *log, const struct evlog_ended *row)
{
    bind_system(log->statements[ST_LIVING], row);
    return run(log, ST_LIVING);
}

static int write_ended(struct evlog *log, const struct evlog_ended *ended)
{
    sqlite3_stmt *st = log->statements[ST_REMEMBER];
    json_t *json = exit_to_json(&ended->exit);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    int r = SQLITE_NOMEM;

    json_decref(json);
    if (!text)
        return r;
    bind_system(st, ended);
    sqlite3_bind_int64(st, 7, (sqlite3_int64) ended->exit_sequence);
    sqlite3_bind_text(st, 8, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(st, 9, ended->detail, -1, SQLITE_STATIC);
    free(text);
    r = run(log, ST_REMEMBER);
    if (r != SQLITE_OK)
        return r;
    sqlite3_bind_int64(log->statements[ST_NOT_LIVING], 1,
                       (sqlite3_int64) ended->system.incarnation);
    r = run(log, ST_NOT_LIVING);
    if (r != SQLITE_OK)
        return r;
    sqlite3_bind_int64(log->statements[ST_TRIM_ENDED], 1, (sqlite3_int64) log->options.ended_max);
    return run(log, ST_TRIM_ENDED);
}

/* Trimming a little at a time: an eighth above the limit, then down to it. */
static int trim(struct evlog *log, uint64_t last, uint64_t *out_first)
{
    uint64_t keep = log->options.events_max;
    int r;

    *out_first = log->first;
    if (last - log->first + 1 <= keep + keep / 8 + 1)
        return SQLITE_OK;
    *out_first = last - keep + 1;
    sqlite3_bind_int64(log->statements[ST_TRIM], 1, (sqlite3_int64) *out_first);
    r = run(log, ST_TRIM);
    return r == SQLITE_OK ? save_number(log, "last", last) : r;
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
    list_for_each(&log->ended, m)
    {
        struct ended_row *row = container_of(m, struct ended_row, link);

        r = row->living ? write_living(log, &row->ended) : write_ended(log, &row->ended);
        if (r != SQLITE_OK)
            return r;
    }
    if (log->incarnation != log->incarnation_saved)
        r = save_number(log, "incarnation", log->incarnation);
    return r == SQLITE_OK ? trim(log, log->next - 1, out_first) : r;
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
    r = run(log, ST_BEGIN);
    if (r == SQLITE_OK)
        r = write_pending(log, &first);
    if (r == SQLITE_OK)
        r = run(log, ST_COMMIT);
    if (r != SQLITE_OK) {
        result = fail_db(log, "write event log", err);
        if (!sqlite3_get_autocommit(log->db))
            (void) run(log, ST_ROLLBACK);
        return result;
    }
    log->first = first;
    log->last = log->next - 1;
    log->incarnation_saved = log->incarnation;
    keep_in_tail(log);
    list_for_each(&log->ended, n)
    {
        list_remove(n);
        drop_ended_row(container_of(n, struct ended_row, link));
    }
    return HCS_OK;
}

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
        result = fail_db(log, "read event log", err);
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

static const char *column_string(sqlite3_stmt *st, int column)
{
    const char *text = (const char *) sqlite3_column_text(st, column);

    return text ? text : "";
}

static hcs_result visit_ended_rows(struct evlog *log, sqlite3_stmt *st, evlog_visit_ended visit,
                                   void *context, int *out_visited, hcs_error *err)
{
    hcs_result result = HCS_OK;
    int r;

    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        struct evlog_ended ended = { .exit = HCS_EXIT_INIT };
        json_t *json = json_loads(column_string(st, 7), 0, NULL);

        ended.system.incarnation = (uint64_t) sqlite3_column_int64(st, 0);
        ended.system.id = column_string(st, 1);
        ended.system.owner = column_string(st, 2);
        ended.system.type = column_string(st, 3);
        ended.system.isolation = column_string(st, 4);
        ended.first_sequence = (uint64_t) sqlite3_column_int64(st, 5);
        ended.exit_sequence = (uint64_t) sqlite3_column_int64(st, 6);
        ended.detail = column_string(st, 8);
        if (!json || exit_from_json(json, &ended.exit, NULL) < 0)
            ended.exit = exit_unknown("its record in the event log cannot be read");
        json_decref(json);
        visit(context, &ended);
        ++*out_visited;
    }
    if (r != SQLITE_DONE)
        result = fail_db(log, "read event log", err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

hcs_result evlog_find_ended(struct evlog *log, const char *id, uint64_t incarnation,
                            evlog_visit_ended visit, void *context, hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_FIND_ENDED];
    int visited = 0;
    hcs_result r;

    sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) incarnation);
    r = visit_ended_rows(log, st, visit, context, &visited, err);
    return r < 0 ? r : visited;
}

hcs_result evlog_find_incarnation(struct evlog *log, uint64_t incarnation, evlog_visit_ended visit,
                                  void *context, hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_FIND_INCARNATION];
    int visited = 0;
    hcs_result r;

    sqlite3_bind_int64(st, 1, (sqlite3_int64) incarnation);
    r = visit_ended_rows(log, st, visit, context, &visited, err);
    return r < 0 ? r : visited;
}

hcs_result evlog_list_ended(struct evlog *log, evlog_visit_ended visit, void *context,
                            hcs_error *err)
{
    int visited = 0;

    return visit_ended_rows(log, log->statements[ST_LIST_ENDED], visit, context, &visited, err);
}

hcs_result evlog_list_living(struct evlog *log, evlog_visit_ended visit, void *context,
                             hcs_error *err)
{
    int visited = 0;

    return visit_ended_rows(log, log->statements[ST_LIST_LIVING], visit, context, &visited, err);
}

hcs_result evlog_forget_ended(struct evlog *log, uint64_t incarnation, hcs_error *err)
{
    sqlite3_bind_int64(log->statements[ST_FORGET_ENDED], 1, (sqlite3_int64) incarnation);
    if (run(log, ST_FORGET_ENDED) != SQLITE_OK)
        return fail_db(log, "write event log", err);
    return HCS_OK;
}
