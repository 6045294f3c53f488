/* evlog_schema.c - the SQLite file of the event log: its tables, its statements, where it stands.
 * Owns:    the schema, and how a file of an older one becomes one of this.
 * Users:   the other files of the log.  Loop thread only.
 * Promise: opening reads a few pages, however many events there are, and writes nothing to a file
 * that is up to date. */

#include "evlog_db.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "event.h"
#include "log.h"

static const char *const statement_text[N_STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_APPEND] = "INSERT INTO event (sequence, incarnation, kind, body) VALUES (?1, ?2, ?3, ?4)",
    [ST_SPAN] = "INSERT INTO span (number, newest, bytes) VALUES (?1, ?2, ?3) "
                "ON CONFLICT (number) DO UPDATE SET newest = max(newest, excluded.newest), "
                "bytes = bytes + excluded.bytes",
    [ST_SPANS_SINCE] = "SELECT number FROM span WHERE newest >= ?1 ORDER BY number",
    [ST_SPAN_EVENTS] = "SELECT sequence, body FROM event WHERE sequence BETWEEN ?1 AND ?2 "
                       "ORDER BY sequence",
    [ST_OLDEST] = "SELECT sequence, length(CAST(body AS BLOB)) FROM event "
                  "ORDER BY sequence LIMIT ?1",
    [ST_TRIM] = "DELETE FROM event WHERE sequence < ?1",
    [ST_TRIM_SPANS] = "DELETE FROM span WHERE number < ?1",
    [ST_SHRINK_SPAN] = "UPDATE span SET bytes = bytes - ?2 WHERE number = ?1",
    [ST_TRIM_BOOTS] = "DELETE FROM boot WHERE first_sequence < (SELECT max(first_sequence) "
                      "FROM boot WHERE first_sequence <= ?1)",
    [ST_BOOT] = "INSERT OR REPLACE INTO boot (first_sequence, boot_id) VALUES (?1, ?2)",
    [ST_BOOT_AT] = "SELECT boot_id FROM boot WHERE first_sequence <= ?1 "
                   "ORDER BY first_sequence DESC LIMIT 1",
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
                  "first_sequence, started_ns, document, boot_id) "
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [ST_NOT_LIVING] = "DELETE FROM living WHERE incarnation = ?1",
    [ST_LIST_LIVING] = "SELECT incarnation, id, owner, type, isolation, first_sequence, "
                       "started_ns, document, boot_id FROM living ORDER BY incarnation",
    [ST_STARTED] = "UPDATE living SET started_ns = ?2 WHERE incarnation = ?1",
    [ST_PROCESS_STARTED] = "INSERT OR REPLACE INTO process (incarnation, number, pid, "
                           "exit_sequence) VALUES (?1, ?2, ?3, ?4)",
    [ST_PROCESS_EXITED] = "UPDATE process SET exit_sequence = ?3 "
                          "WHERE incarnation = ?1 AND number = ?2",
    [ST_TRIM_PROCESSES] = "DELETE FROM process WHERE incarnation = ?1 AND exit_sequence > 0 AND "
                          "exit_sequence <= (SELECT exit_sequence FROM process "
                          "WHERE incarnation = ?1 AND exit_sequence > 0 "
                          "ORDER BY exit_sequence DESC LIMIT 1 OFFSET ?2)",
    [ST_NO_PROCESSES] = "DELETE FROM process WHERE incarnation = ?1",
    [ST_LIST_PROCESSES] = "SELECT number, pid, exit_sequence FROM process WHERE incarnation = ?1 "
                          "ORDER BY number",
};

/* Format 0: what there was before files had the number of their format. */
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

/* Format 1: which boots the events are of, and what spans of them hold, so that a time is found and
 * limits are kept without reading them all. */
static const char boots_and_spans[] =
    "CREATE TABLE boot (first_sequence INTEGER PRIMARY KEY, boot_id TEXT NOT NULL);"
    "CREATE TABLE span (number INTEGER PRIMARY KEY, newest INTEGER NOT NULL, "
    "bytes INTEGER NOT NULL);";

/* Format 2: what the next hcsd needs to take over systems that live. */
static const char lives[] =
    "ALTER TABLE living ADD COLUMN started_ns INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE living ADD COLUMN document TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE living ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE process (incarnation INTEGER NOT NULL, number INTEGER NOT NULL, "
    "pid INTEGER NOT NULL, exit_sequence INTEGER NOT NULL, "
    "PRIMARY KEY (incarnation, number)) WITHOUT ROWID;";

/* SQLite calls it an I/O error when an fsync or a write meets a full disk late. */
static int is_disk_full(const struct evlog *log, int code)
{
    int os = sqlite3_system_errno(log->db);

    return code == SQLITE_FULL || (code == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT));
}

static hcs_result result_of(struct evlog *log, int code)
{
    if (is_disk_full(log, code))
        return HCS_E_WIN32_DISK_FULL;
    return code == SQLITE_NOMEM ? HCS_E_OUTOFMEMORY : HCS_E_FAIL;
}

hcs_result evlog_fail_damaged(struct evlog *log, const char *what, hcs_error *err)
{
    log->is_damaged = 1;
    snprintf(log->why, sizeof log->why, "%s", what);
    return fail(err, HCS_E_FAIL, "evlog", "event log '%s' is damaged: %s", log->options.path, what);
}

hcs_result evlog_fail(struct evlog *log, const char *what, hcs_error *err)
{
    int code = sqlite3_extended_errcode(log->db) & 0xff;
    hcs_result result = result_of(log, code);

    if (code == SQLITE_IOERR && result == HCS_E_FAIL)
        log->io_errors++;
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || log->io_errors >= EVLOG_IO_TRIES)
        return evlog_fail_damaged(log, sqlite3_errmsg(log->db), err);
    return fail(err, result, "evlog", "%s '%s': %s", what, log->options.path,
                sqlite3_errmsg(log->db));
}

hcs_result evlog_check_open(struct evlog *log, hcs_error *err)
{
    if (log->db)
        return HCS_OK;
    return fail(err, HCS_E_FAIL, "evlog",
                "event log '%s' was set aside and no new one could be begun: "
                "%s",
                log->options.path, log->error);
}

/* Run a statement that gives no row. */
int evlog_run(struct evlog *log, enum evlog_statement which)
{
    sqlite3_stmt *st = log->statements[which];
    int r = sqlite3_step(st);

    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r == SQLITE_DONE || r == SQLITE_ROW ? SQLITE_OK : r;
}

/* A number of one row and column; 0 when there is none, or when something has gone wrong before. */
static uint64_t ask_number(struct evlog *log, const char *query, int *out_status)
{
    sqlite3_stmt *st = NULL;
    uint64_t n = 0;
    int r;

    if (*out_status != SQLITE_OK)
        return 0;
    r = sqlite3_prepare_v2(log->db, query, -1, &st, NULL);
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

/* Since when and how large the events of a file of format 0 are, span by span. */
static int fill_spans(struct evlog *log)
{
    sqlite3_stmt *all = NULL, *add = NULL;
    int r = sqlite3_prepare_v2(log->db, "SELECT sequence, body FROM event ORDER BY sequence", -1,
                               &all, NULL);

    if (r == SQLITE_OK)
        r = sqlite3_prepare_v2(log->db, statement_text[ST_SPAN], -1, &add, NULL);
    while (r == SQLITE_OK && (r = sqlite3_step(all)) == SQLITE_ROW) {
        const char *body = (const char *) sqlite3_column_text(all, 1);
        size_t length = (size_t) sqlite3_column_bytes(all, 1);

        sqlite3_bind_int64(add, 1, sqlite3_column_int64(all, 0) / EVLOG_SPAN);
        sqlite3_bind_int64(add, 2, (sqlite3_int64) (body ? event_realtime(body) : 0));
        sqlite3_bind_int64(add, 3, (sqlite3_int64) length + EVLOG_ROW_BYTES);
        r = sqlite3_step(add);
        sqlite3_reset(add);
        r = r == SQLITE_DONE ? SQLITE_OK : r;
    }
    sqlite3_finalize(all);
    sqlite3_finalize(add);
    return r == SQLITE_DONE ? SQLITE_OK : r;
}

/* What brings a file from the format of its place here to the next. */
static const struct format_step {
    const char *sql;
    int (*fill_opt)(struct evlog *log);
} format_steps[EVLOG_FORMAT] = {
    { boots_and_spans, fill_spans },
    { lives, NULL },
};

static int step_formats(struct evlog *log, uint64_t format)
{
    char text[48];
    int r = sqlite3_exec(log->db, schema, NULL, NULL, NULL);

    for (uint64_t i = format; r == SQLITE_OK && i < EVLOG_FORMAT; i++) {
        r = sqlite3_exec(log->db, format_steps[i].sql, NULL, NULL, NULL);
        if (r == SQLITE_OK && format_steps[i].fill_opt)
            r = format_steps[i].fill_opt(log);
    }
    snprintf(text, sizeof text, "PRAGMA user_version=%d", EVLOG_FORMAT);
    return r == SQLITE_OK ? sqlite3_exec(log->db, text, NULL, NULL, NULL) : r;
}

/* All or nothing, so that an hcsd that is killed here leaves the file as it was. */
static int bring_up_to_date(struct evlog *log)
{
    int r = SQLITE_OK;
    uint64_t format = ask_number(log, "PRAGMA user_version", &r);

    if (r != SQLITE_OK || format == EVLOG_FORMAT)
        return r;
    if (format > EVLOG_FORMAT) {
        snprintf(log->why, sizeof log->why, "its format is %" PRIu64 ", and this hcsd knows %d",
                 format, EVLOG_FORMAT);
        return EVLOG_NEWER;
    }
    r = sqlite3_exec(log->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (r != SQLITE_OK)
        return r;
    r = step_formats(log, format);
    if (r == SQLITE_OK)
        return sqlite3_exec(log->db, "COMMIT", NULL, NULL, NULL);
    sqlite3_exec(log->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

/* The lock comes first: with it no index of the WAL is kept in a file.  How the pages of a new file
 * are kept must be said before there are any, and for another it would be written each time. */
static int set_pragmas(struct evlog *log)
{
    int r = sqlite3_exec(log->db, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL);

    if (r == SQLITE_OK && ask_number(log, "PRAGMA page_count", &r) == 0 && r == SQLITE_OK)
        r = sqlite3_exec(log->db, "PRAGMA auto_vacuum=INCREMENTAL", NULL, NULL, NULL);
    if (r != SQLITE_OK)
        return r;
    return sqlite3_exec(log->db,
                        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                        "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-256; "
                        "PRAGMA temp_store=MEMORY;",
                        NULL, NULL, NULL);
}

/* A damaged file is to stay as it was found, so its closing does not move the WAL into it. */
static int open_file(struct evlog *log)
{
    int r = sqlite3_open_v2(log->options.path, &log->db,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (r == SQLITE_OK)
        r = sqlite3_db_config(log->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (r == SQLITE_OK)
        r = set_pragmas(log);
    if (r == SQLITE_OK)
        r = bring_up_to_date(log);
    for (int i = 0; r == SQLITE_OK && i < N_STATEMENTS; i++)
        r = sqlite3_prepare_v3(log->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &log->statements[i], NULL);
    if (r == SQLITE_OK)
        sqlite3_wal_hook(log->db, evlog_on_wal, log);
    return r;
}

void evlog_file_close(struct evlog *log)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(log->statements[i]);
        log->statements[i] = NULL;
    }
    sqlite3_close(log->db);
    log->db = NULL;
}

int evlog_save_meta(struct evlog *log, const char *name, const char *value)
{
    sqlite3_stmt *st = log->statements[ST_META];

    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, value, -1, SQLITE_TRANSIENT);
    return evlog_run(log, ST_META);
}

int evlog_save_number(struct evlog *log, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    return evlog_save_meta(log, name, text);
}

/* A text of one row and column; "" when there is none. */
static int ask_text(struct evlog *log, const char *query, char *out, size_t size)
{
    sqlite3_stmt *st = NULL;
    int r = sqlite3_prepare_v2(log->db, query, -1, &st, NULL);

    *out = 0;
    if (r == SQLITE_OK)
        r = sqlite3_step(st);
    if (r == SQLITE_ROW && sqlite3_column_text(st, 0))
        snprintf(out, size, "%s", (const char *) sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    return r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
}

/* Which boot the next events are of.  The row that says so is written with them. */
static int load_boot(struct evlog *log)
{
    char newest[SD_ID128_STRING_MAX];
    int r = ask_text(log, "SELECT boot_id FROM boot ORDER BY first_sequence DESC LIMIT 1", newest,
                     sizeof newest);

    if (r != SQLITE_OK)
        return r;
    log->boot_is_saved = strcmp(newest, log->boot_id) == 0;
    log->boot_first = log->boot_is_saved
                          ? ask_number(log, "SELECT max(first_sequence) FROM boot", &r)
                          : log->next;
    return r;
}

/* Where the log stands: read from the file itself, so that numbers go on after a crash. */
static int load_position(struct evlog *log)
{
    int r = SQLITE_OK;
    uint64_t newest = ask_number(log, "SELECT max(sequence) FROM event", &r);
    uint64_t oldest = ask_number(log, "SELECT min(sequence) FROM event", &r);
    uint64_t trimmed = ask_number(log, "SELECT value FROM meta WHERE name = 'last'", &r);
    uint64_t given = ask_number(log, "SELECT value FROM meta WHERE name = 'incarnation'", &r);

    log->bytes = ask_number(log, "SELECT sum(bytes) FROM span", &r);
    log->previous_last = ask_number(log, "SELECT value FROM meta WHERE name = 'previous_last'", &r);
    if (r != SQLITE_OK)
        return r;
    log->last = newest > trimmed ? newest : trimmed;
    log->first = newest ? oldest : log->last + 1;
    log->next = log->last + 1;
    log->incarnation_saved = given;
    if (log->incarnation < given)
        log->incarnation = given;
    r = ask_text(log, "SELECT value FROM meta WHERE name = 'previous'", log->previous_id,
                 sizeof log->previous_id);
    if (r == SQLITE_OK)
        r = ask_text(log, "SELECT value FROM meta WHERE name = 'log'", log->id, sizeof log->id);
    return r == SQLITE_OK ? load_boot(log) : r;
}

static int begin_log_id(struct evlog *log)
{
    sd_id128_t id;

    if (log->id[0])
        return SQLITE_OK;
    if (sd_id128_randomize(&id) < 0)
        return SQLITE_ERROR;
    sd_id128_to_string(id, log->id);
    log->is_new = 1;
    return evlog_save_meta(log, "log", log->id);
}

int evlog_file_open(struct evlog *log)
{
    int r = open_file(log);

    if (r == SQLITE_OK)
        r = load_position(log);
    if (r == SQLITE_OK)
        r = begin_log_id(log);
    return r;
}

uint64_t evlog_ask(struct evlog *log, const char *query)
{
    int r = SQLITE_OK;

    return ask_number(log, query, &r);
}
