/* evlog_schema.c - the SQLite file of the event log: its tables, its statements, where it stands.
 * Owns:    the schema.
 * Users:   the other files of the log.  Loop thread only. */

#include "evlog_db.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

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

hcs_result evlog_fail(struct evlog *log, const char *what, hcs_error *err)
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
int evlog_run(struct evlog *log, enum evlog_statement which)
{
    sqlite3_stmt *st = log->statements[which];
    int r = sqlite3_step(st);

    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r == SQLITE_DONE || r == SQLITE_ROW ? SQLITE_OK : r;
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

static int save_meta(struct evlog *log, const char *name, const char *value)
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
    return save_meta(log, name, text);
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

int evlog_file_open(struct evlog *log)
{
    int r = open_file(log);

    if (r == SQLITE_OK)
        r = load_position(log);
    if (r == SQLITE_OK)
        r = begin_log_id(log);
    return r;
}
