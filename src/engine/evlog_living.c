/* evlog_living.c - systems that live, and their processes, noted for the hcsd that comes after this
 * one. Owns:    the tables `living` and `process`, lives that wait for the commit. Users: system.c
 * and process.c note, adopt.c asks.  Loop thread only. Promise: a system or process is in them as
 * long as its events say that it lives; a process that has exited stays long enough for its keeper
 * to be told. */

#include "evlog_db.h"

#include <string.h>

#include "err.h"
#include "log.h"

#define EXITED_KEPT 2048u /* of a living system: more than a keeper may ever hold */
#define EXITED_TRIM 256u  /* exits between two trims of them */

void evlog_life_drop(struct evlog_life *life)
{
    free(life->id);
    free(life->owner);
    free(life->type);
    free(life->isolation);
    free(life->document);
    free(life->boot_id);
    free(life->processes);
    free(life);
}

void evlog_slot_process(struct evlog_slot *slot, uint32_t number)
{
    slot->process = number;
}

hcs_result evlog_begin_life(struct evlog *log, const struct evlog_living *living)
{
    struct evlog_life *life = calloc(1, sizeof *life);

    if (!life)
        return HCS_E_OUTOFMEMORY;
    list_init(&life->link);
    life->living = *living;
    life->living.system.id = life->id = strdup(living->system.id);
    life->living.system.owner = life->owner = strdup(living->system.owner);
    life->living.system.type = life->type = strdup(living->system.type);
    life->living.system.isolation = life->isolation = strdup(living->system.isolation);
    life->living.document = life->document = strdup(living->document);
    life->living.boot_id = life->boot_id = strdup(living->boot_id);
    life->living.processes = life->processes =
        calloc(living->n_processes + 1, sizeof *life->processes);
    if (!life->id || !life->owner || !life->type || !life->isolation || !life->document ||
        !life->boot_id || !life->processes) {
        evlog_life_drop(life);
        return HCS_E_OUTOFMEMORY;
    }
    if (living->n_processes)
        memcpy(life->processes, living->processes, living->n_processes * sizeof *life->processes);
    list_append(&log->lives, &life->link);
    return HCS_OK;
}

/* What the next hcsd has to know of the process or system that the event is of. */
static int note(struct evlog *log, const struct evlog_slot *slot)
{
    enum evlog_statement which = slot->kind == HCS_EVENT_SYSTEM_STARTED    ? ST_STARTED
                                 : !slot->process                          ? N_STATEMENTS
                                 : slot->kind == HCS_EVENT_PROCESS_STARTED ? ST_PROCESS_STARTED
                                 : slot->kind == HCS_EVENT_PROCESS_EXITED  ? ST_PROCESS_EXITED
                                                                           : N_STATEMENTS;
    sqlite3_stmt *st;

    if (which == N_STATEMENTS)
        return SQLITE_OK;
    st = log->statements[which];
    sqlite3_bind_int64(st, 1, (sqlite3_int64) slot->incarnation);
    sqlite3_bind_int64(st, 2,
                       (sqlite3_int64) (which == ST_STARTED ? slot->realtime_ns : slot->process));
    if (which != ST_STARTED)
        sqlite3_bind_int64(
            st, 3, (sqlite3_int64) (which == ST_PROCESS_STARTED ? slot->pid : slot->sequence));
    if (which == ST_PROCESS_STARTED)
        sqlite3_bind_int64(st, 4, 0);
    return evlog_run(log, which);
}

/* Exits that are long acknowledged need not be told from those that are not. */
static int trim_processes(struct evlog *log, const struct evlog_slot *slot)
{
    sqlite3_stmt *st = log->statements[ST_TRIM_PROCESSES];

    if (!slot->process || slot->kind != HCS_EVENT_PROCESS_EXITED || ++log->n_exited < EXITED_TRIM)
        return SQLITE_OK;
    log->n_exited = 0;
    sqlite3_bind_int64(st, 1, (sqlite3_int64) slot->incarnation);
    sqlite3_bind_int64(st, 2, EXITED_KEPT);
    return evlog_run(log, ST_TRIM_PROCESSES);
}

int evlog_note_slot(struct evlog *log, const struct evlog_slot *slot)
{
    int r = note(log, slot);

    return r == SQLITE_OK ? trim_processes(log, slot) : r;
}

void evlog_bind_system(sqlite3_stmt *st, const hcs_event_system *system, uint64_t first_sequence)
{
    sqlite3_bind_int64(st, 1, (sqlite3_int64) system->incarnation);
    sqlite3_bind_text(st, 2, system->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, system->owner, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 4, system->type, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 5, system->isolation, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 6, (sqlite3_int64) first_sequence);
}

static int write_living(struct evlog *log, const struct evlog_living *living)
{
    sqlite3_stmt *st = log->statements[ST_LIVING];

    evlog_bind_system(st, &living->system, living->first_sequence);
    sqlite3_bind_int64(st, 7, (sqlite3_int64) living->started_ns);
    sqlite3_bind_text(st, 8, living->document, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 9, living->boot_id, -1, SQLITE_STATIC);
    return evlog_run(log, ST_LIVING);
}

static int write_process(struct evlog *log, uint64_t incarnation, const struct evlog_process *p)
{
    sqlite3_stmt *st = log->statements[ST_PROCESS_STARTED];

    sqlite3_bind_int64(st, 1, (sqlite3_int64) incarnation);
    sqlite3_bind_int64(st, 2, p->number);
    sqlite3_bind_int64(st, 3, p->pid);
    sqlite3_bind_int64(st, 4, (sqlite3_int64) p->exit_sequence);
    return evlog_run(log, ST_PROCESS_STARTED);
}

static int write_life(struct evlog *log, const struct evlog_living *living)
{
    int r = write_living(log, living);

    for (size_t i = 0; r == SQLITE_OK && i < living->n_processes; i++)
        r = write_process(log, living->system.incarnation, &living->processes[i]);
    return r;
}

int evlog_write_lives(struct evlog *log)
{
    int r = SQLITE_OK;

    list_for_each(&log->lives, n)
    {
        r = write_life(log, &container_of(n, struct evlog_life, link)->living);
        if (r != SQLITE_OK)
            break;
    }
    return r;
}

/* It lives no more, and so its processes need not be known. */
int evlog_write_not_living(struct evlog *log, uint64_t incarnation)
{
    int r;

    sqlite3_bind_int64(log->statements[ST_NOT_LIVING], 1, (sqlite3_int64) incarnation);
    sqlite3_bind_int64(log->statements[ST_NO_PROCESSES], 1, (sqlite3_int64) incarnation);
    r = evlog_run(log, ST_NOT_LIVING);
    return r == SQLITE_OK ? evlog_run(log, ST_NO_PROCESSES) : r;
}

const char *evlog_column(sqlite3_stmt *st, int column)
{
    const char *text = (const char *) sqlite3_column_text(st, column);

    return text ? text : "";
}

/* The end of a walk over rows that ended with @status. */
hcs_result evlog_rows_done(struct evlog *log, sqlite3_stmt *st, int status, hcs_error *err)
{
    hcs_result result = status == SQLITE_DONE ? HCS_OK : evlog_fail(log, "read event log", err);

    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

hcs_result evlog_list_living(struct evlog *log, evlog_visit_living visit, void *context,
                             hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_LIST_LIVING];
    hcs_result result = evlog_check_open(log, err);
    int r;

    if (result < 0)
        return result;

    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        struct evlog_living living = {
            .system = { .incarnation = (uint64_t) sqlite3_column_int64(st, 0),
                        .id = evlog_column(st, 1),
                        .owner = evlog_column(st, 2),
                        .type = evlog_column(st, 3),
                        .isolation = evlog_column(st, 4) },
            .first_sequence = evlog_column_sequence(st, 5),
            .started_ns = (uint64_t) sqlite3_column_int64(st, 6),
            .document = evlog_column(st, 7),
            .boot_id = evlog_column(st, 8),
        };

        visit(context, &living);
    }
    return evlog_rows_done(log, st, r, err);
}

hcs_result evlog_list_processes(struct evlog *log, uint64_t incarnation, evlog_visit_process visit,
                                void *context, hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_LIST_PROCESSES];
    hcs_result result = evlog_check_open(log, err);
    int r;

    if (result < 0)
        return result;

    sqlite3_bind_int64(st, 1, (sqlite3_int64) incarnation);
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        struct evlog_process process = {
            .number = (uint32_t) sqlite3_column_int64(st, 0),
            .pid = (uint32_t) sqlite3_column_int64(st, 1),
            .exit_sequence = (uint64_t) sqlite3_column_int64(st, 2),
        };

        visit(context, &process);
    }
    return evlog_rows_done(log, st, r, err);
}

/* ---- a new log takes over ---- */

struct carry {
    struct evlog *log;
    struct evlog_life *life;
    int failed;
};

static void carry_life(void *context, const struct evlog_living *living)
{
    struct carry *carry = context;

    carry->failed |= evlog_begin_life(carry->log, living) < 0;
}

/* Whoever had exited goes on to have: before anything that the new log numbers. */
static void carry_process(void *context, const struct evlog_process *process)
{
    struct carry *carry = context;
    struct evlog_living *living = &carry->life->living;
    struct evlog_process *at =
        realloc(carry->life->processes, (living->n_processes + 1) * sizeof *at);

    if (!at) {
        carry->failed = 1;
        return;
    }
    living->processes = carry->life->processes = at;
    at[living->n_processes] = *process;
    at[living->n_processes++].exit_sequence = process->exit_sequence != 0;
}

void evlog_carry_lives(struct evlog *log)
{
    struct carry carry = { log, NULL, 0 };
    hcs_error err = HCS_ERROR_INIT;
    struct list waiting;
    hcs_result r;

    list_init(&waiting);
    list_move_all(&waiting, &log->lives);
    r = evlog_list_living(log, carry_life, &carry, &err);
    list_for_each(&log->lives, n)
    {
        carry.life = container_of(n, struct evlog_life, link);
        if (r >= 0)
            r = evlog_list_processes(log, carry.life->living.system.incarnation, carry_process,
                                     &carry, &err);
    }
    if (r < 0 || carry.failed)
        log_line(LOG_LINE_ERROR, "event log '%s': not all systems that live can be read: %s",
                 log->path, carry.failed ? "no memory" : err.text);
    list_move_all(&log->lives, &waiting);
}

void evlog_lives_shift(struct evlog *log, uint64_t by)
{
    list_for_each(&log->lives, n) container_of(n, struct evlog_life, link)->living.first_sequence -=
        by;
}
