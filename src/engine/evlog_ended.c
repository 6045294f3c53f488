/* evlog_ended.c - systems that have ended, remembered beside their events.
 * Owns:    the table `ended`, rows that wait for the commit.
 * Users:   system.c writes and asks.  Loop thread only. */

#include "evlog_db.h"

#include <string.h>

#include "err.h"
#include "exit.h"
#include "log.h"

void evlog_row_drop(struct evlog_row *row)
{
    free(row->id);
    free(row->owner);
    free(row->type);
    free(row->isolation);
    free(row->detail);
    free(row);
}

hcs_result evlog_remember(struct evlog *log, const struct evlog_ended *ended)
{
    struct evlog_row *row = calloc(1, sizeof *row);

    if (!row)
        return HCS_E_OUTOFMEMORY;
    row->ended = *ended;
    row->ended.system.id = row->id = strdup(ended->system.id);
    row->ended.system.owner = row->owner = strdup(ended->system.owner);
    row->ended.system.type = row->type = strdup(ended->system.type);
    row->ended.system.isolation = row->isolation = strdup(ended->system.isolation);
    row->ended.detail = row->detail = strdup(ended->detail);
    if (!row->id || !row->owner || !row->type || !row->isolation || !row->detail) {
        evlog_row_drop(row);
        return HCS_E_OUTOFMEMORY;
    }
    list_append(&log->ended, &row->link);
    return HCS_OK;
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
    evlog_bind_system(st, &ended->system, ended->first_sequence);
    sqlite3_bind_int64(st, 7, (sqlite3_int64) ended->exit_sequence);
    sqlite3_bind_text(st, 8, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(st, 9, ended->detail, -1, SQLITE_STATIC);
    free(text);
    r = evlog_run(log, ST_REMEMBER);
    if (r != SQLITE_OK)
        return r;
    r = evlog_write_not_living(log, ended->system.incarnation);
    if (r != SQLITE_OK)
        return r;
    sqlite3_bind_int64(log->statements[ST_TRIM_ENDED], 1, (sqlite3_int64) log->options.ended_max);
    return evlog_run(log, ST_TRIM_ENDED);
}

/* In the transaction of the events that they belong to. */
int evlog_write_rows(struct evlog *log)
{
    int r = SQLITE_OK;

    list_for_each(&log->ended, n)
    {
        r = write_ended(log, &container_of(n, struct evlog_row, link)->ended);
        if (r != SQLITE_OK)
            break;
    }
    return r;
}

/* A number of an event; 0 when that event was of a log before this one. */
uint64_t evlog_column_sequence(sqlite3_stmt *st, int column)
{
    sqlite3_int64 n = sqlite3_column_int64(st, column);

    return n > 0 ? (uint64_t) n : 0;
}

static hcs_result visit_ended_rows(struct evlog *log, sqlite3_stmt *st, evlog_visit_ended visit,
                                   void *context, int *out_visited, hcs_error *err)
{
    hcs_result result = evlog_check_open(log, err);
    int r;

    if (result < 0)
        return result;
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        struct evlog_ended ended = { .exit = HCS_EXIT_INIT };
        json_t *json = json_loads(evlog_column(st, 7), 0, NULL);

        ended.system.incarnation = (uint64_t) sqlite3_column_int64(st, 0);
        ended.system.id = evlog_column(st, 1);
        ended.system.owner = evlog_column(st, 2);
        ended.system.type = evlog_column(st, 3);
        ended.system.isolation = evlog_column(st, 4);
        ended.first_sequence = evlog_column_sequence(st, 5);
        ended.exit_sequence = evlog_column_sequence(st, 6);
        ended.detail = evlog_column(st, 8);
        if (!json || exit_from_json(json, &ended.exit, NULL) < 0)
            ended.exit = exit_unknown("its record in the event log cannot be read");
        json_decref(json);
        visit(context, &ended);
        ++*out_visited;
    }
    return evlog_rows_done(log, st, r, err);
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

hcs_result evlog_forget_ended(struct evlog *log, uint64_t incarnation, hcs_error *err)
{
    hcs_result r = evlog_check_open(log, err);

    if (r < 0)
        return r;
    sqlite3_bind_int64(log->statements[ST_FORGET_ENDED], 1, (sqlite3_int64) incarnation);
    if (evlog_run(log, ST_FORGET_ENDED) != SQLITE_OK)
        return evlog_fail(log, "write event log", err);
    return HCS_OK;
}

/* ---- a new log takes over ---- */

struct carry {
    struct evlog *log;
    int failed;
};

static void carry_row(void *context, const struct evlog_ended *ended)
{
    struct carry *carry = context;

    carry->failed |= evlog_remember(carry->log, ended) < 0;
}

/* They come before the rows that wait already, some of which say how they went on. */
void evlog_carry_rows(struct evlog *log)
{
    struct carry ended = { log, 0 };
    hcs_error err = HCS_ERROR_INIT;
    struct list waiting;

    if (!log->statements[ST_LIST_ENDED])
        return;
    list_init(&waiting);
    list_move_all(&waiting, &log->ended);
    evlog_carry_lives(log);
    if (evlog_list_ended(log, carry_row, &ended, &err) < 0 || ended.failed)
        log_line(LOG_LINE_ERROR,
                 "event log '%s': not all systems that have ended will be remembered: %s",
                 log->path, ended.failed ? "no memory" : err.text);
    list_move_all(&log->ended, &waiting);
}

/* Numbers of the log before become zero and less, in their order; those of what is pending become
 * what the events have now. */
void evlog_rows_shift(struct evlog *log, uint64_t by)
{
    list_for_each(&log->ended, n)
    {
        struct evlog_row *row = container_of(n, struct evlog_row, link);

        row->ended.first_sequence -= by;
        row->ended.exit_sequence -= by;
    }
    evlog_lives_shift(log, by);
}
