import re
p='src/engine/evlog.h'
s=open(p).read()
s=s.replace('''/* A damaged file is set aside as''','''/* A system that lives, noted so that the next hcsd can take it over.  Strings are borrowed for the
 * call. */
struct evlog_living {
    hcs_event_system system;
    uint64_t first_sequence;
    uint64_t started_ns;  /* realtime of its start; 0: it was not started */
    const char *document; /* "": the file is from a time when none was kept */
    const char *boot_id;  /* of the host when it was made; "" as well */
};

/* One of its processes, known by the engine's number: pids are used again. */
struct evlog_process {
    uint32_t number;
    uint32_t pid;
    uint64_t exit_sequence; /* 0: it runs, as far as the log knows */
};

/* A damaged file is set aside as''',1)
s=s.replace('''/* A number that no system of this log has had, for a new one.  Durable with the next commit. */
uint64_t evlog_next_incarnation(struct evlog *log);
''','''/* A number that no system of this log has had, for a new one.  Durable with the next commit. */
uint64_t evlog_next_incarnation(struct evlog *log);

/* Numbers up to @incarnation were used, too, by systems that never got as far as the log. */
void evlog_skip_incarnations(struct evlog *log, uint64_t incarnation);
''',1)
s=s.replace('''/* Remember a system with the next commit; its exit event must have been appended. */''','''/* Before the append: the PROCESS_STARTED or PROCESS_EXITED in @slot is of process @number, which
 * is kept with it until its system has ended (of processes that have exited the newest 2048). */
void evlog_slot_process(struct evlog_slot *slot, uint32_t number);

/* Remember a system with the next commit; its exit event must have been appended. */''',1)
a=s.index('/* Note with the next commit that a system lives')
b=s.index('int evlog_has_pending')
s=s[:a]+'''/* Note with the next commit that a system lives, until evlog_remember() says that it has ended; its
 * first event must have been appended.  That it has started is noted with that event. */
_must_use_ hcs_result evlog_begin_life(struct evlog *log, const struct evlog_living *living);

'''+s[b:]
a=s.index('/* Systems that were noted as living;')
b=s.index('_must_use_ hcs_result evlog_forget_ended')
s=s[:a]+'''/* Systems that were noted as living, by incarnation, and the processes of one, by number. */
typedef void (*evlog_visit_living)(void *context, const struct evlog_living *living);
_must_use_ hcs_result evlog_list_living(struct evlog *log, evlog_visit_living visit, void *context,
                                        hcs_error *err);
typedef void (*evlog_visit_process)(void *context, const struct evlog_process *process);
_must_use_ hcs_result evlog_list_processes(struct evlog *log, uint64_t incarnation,
                                           evlog_visit_process visit, void *context,
                                           hcs_error *err);
'''+s[b:]
open(p,'w').write(s)

p='src/engine/evlog.c'
s=open(p).read()
def rep(a,b,n=1):
    global s
    assert a in s, a
    s=s.replace(a,b,n)
rep('''#define CHECKPOINT_SOON''','''#define EXITED_KEPT 2048u  /* exited processes of a living system: more than a keeper may ever hold */
#define EXITED_TRIM 256u   /* exits between two trims of them */
#define CHECKPOINT_SOON''')
rep('''    hcs_event_kind kind;
    struct buf bytes;
};''','''    hcs_event_kind kind;
    uint32_t process; /* the engine's number; 0: not of a process */
    uint32_t pid;
    uint64_t realtime_ns;
    struct buf bytes;
};''')
rep('''    int living;               /* it begins to live; else it has ended */
    struct evlog_ended ended; /* its strings point into the copies below */
    char *id;
    char *owner;
    char *detail;
''','''    int living; /* it begins to live; else it has ended */
    /* their strings point into the copies below */
    struct evlog_ended ended;
    struct evlog_living life;
    char *id;
    char *owner;
    char *detail; /* or the document */
    char *boot_id;
''')
rep('''    ST_LIST_LIVING,
    N_''','''    ST_LIST_LIVING,
    ST_STARTED,
    ST_PROCESS_STARTED,
    ST_PROCESS_EXITED,
    ST_TRIM_PROCESSES,
    ST_NO_PROCESSES,
    ST_LIST_PROCESSES,
    N_''')
a=s.index('    [ST_LIVING] =')
b=s.index('static const char schema[]')
s=s[:a]+'''    [ST_LIVING] = "INSERT OR REPLACE INTO living (incarnation, id, owner, type, isolation, "
                  "first_sequence, started_ns, document, boot_id) "
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)",
    [ST_NOT_LIVING] = "DELETE FROM living WHERE incarnation = ?1",
    [ST_LIST_LIVING] = "SELECT incarnation, id, owner, type, isolation, first_sequence, "
                       "started_ns, document, boot_id FROM living ORDER BY incarnation",
    [ST_STARTED] = "UPDATE living SET started_ns = ?2 WHERE incarnation = ?1",
    [ST_PROCESS_STARTED] = "INSERT OR REPLACE INTO process (incarnation, number, pid, "
                           "exit_sequence) VALUES (?1, ?2, ?3, 0)",
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

'''+s[b:]
rep('''    "first_sequence INTEGER NOT NULL);"
    "CREATE INDEX''','''    "first_sequence INTEGER NOT NULL, started_ns INTEGER NOT NULL DEFAULT 0, "
    "document TEXT NOT NULL DEFAULT '', boot_id TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE IF NOT EXISTS process (incarnation INTEGER NOT NULL, number INTEGER NOT NULL, "
    "pid INTEGER NOT NULL, exit_sequence INTEGER NOT NULL, "
    "PRIMARY KEY (incarnation, number)) WITHOUT ROWID;"
    "CREATE INDEX''')
rep('''    size_t tail_bytes;
    int wal_pages;''','''    size_t tail_bytes;
    uint32_t n_exited; /* processes, since they were trimmed */
    int wal_pages;''')
rep('''static int open_file(struct evlog *log)
{''','''/* What a file from before has not got. */
static int add_columns(sqlite3 *db)
{
    static const char add[] =
        "ALTER TABLE living ADD COLUMN started_ns INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE living ADD COLUMN document TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE living ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';";
    sqlite3_stmt *st = NULL;
    int has = sqlite3_prepare_v2(db, "SELECT boot_id FROM living", -1, &st, NULL) == SQLITE_OK;

    sqlite3_finalize(st);
    return has ? SQLITE_OK : sqlite3_exec(db, add, NULL, NULL, NULL);
}

static int open_file(struct evlog *log)
{''')
rep('''        r = sqlite3_exec(log->db, schema, NULL, NULL, NULL);
''','''        r = sqlite3_exec(log->db, schema, NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = add_columns(log->db);
''')
rep('''    free(row->detail);
    free(row);''','''    free(row->detail);
    free(row->boot_id);
    free(row);''')
rep('''struct evlog_slot *evlog_reserve(''','''void evlog_skip_incarnations(struct evlog *log, uint64_t incarnation)
{
    if (log->incarnation < incarnation)
        log->incarnation = incarnation;
}

struct evlog_slot *evlog_reserve(''')
rep('''hcs_result evlog_append(struct''','''void evlog_slot_process(struct evlog_slot *slot, uint32_t number)
{
    slot->process = number;
}

hcs_result evlog_append(struct''')
rep('''    take_slot->kind = event->kind;
''','''    take_slot->kind = event->kind;
    take_slot->pid = event->process_id;
    take_slot->realtime_ns = event->realtime_ns;
''')
a=s.index('static hcs_result queue_row(')
b=s.index('int evlog_has_pending')
s=s[:a]+'''static struct ended_row *row_new(const hcs_event_system *system, const char *text,
                                 const char *boot_id)
{
    struct ended_row *row = calloc(1, sizeof *row);

    if (!row)
        return NULL;
    row->id = strdup(system->id);
    row->owner = strdup(system->owner);
    row->detail = strdup(text);
    row->boot_id = strdup(boot_id);
    if (row->id && row->owner && row->detail && row->boot_id)
        return row;
    drop_ended_row(row);
    return NULL;
}

hcs_result evlog_remember(struct evlog *log, const struct evlog_ended *ended)
{
    struct ended_row *row = row_new(&ended->system, ended->detail, "");

    if (!row)
        return HCS_E_OUTOFMEMORY;
    row->ended = *ended;
    row->ended.system.id = row->id;
    row->ended.system.owner = row->owner;
    row->ended.detail = row->detail;
    list_append(&log->ended, &row->link);
    return HCS_OK;
}

hcs_result evlog_begin_life(struct evlog *log, const struct evlog_living *living)
{
    struct ended_row *row = row_new(&living->system, living->document, living->boot_id);

    if (!row)
        return HCS_E_OUTOFMEMORY;
    row->living = 1;
    row->life = *living;
    row->life.system.id = row->id;
    row->life.system.owner = row->owner;
    row->life.document = row->detail;
    row->life.boot_id = row->boot_id;
    list_append(&log->ended, &row->link);
    return HCS_OK;
}

'''+s[b:]
a=s.index('static int write_slot(')
b=s.index('static int write_ended(')
s=s[:a]+'''/* What the next hcsd has to know of the process or system that the event is of. */
static int note_slot(struct evlog *log, const struct evlog_slot *slot)
{
    enum statement which = slot->kind == HCS_EVENT_SYSTEM_STARTED    ? ST_STARTED
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
    return run(log, which);
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
    return run(log, ST_TRIM_PROCESSES);
}

static int write_slot(struct evlog *log, const struct evlog_slot *slot)
{
    sqlite3_stmt *st = log->statements[ST_APPEND];
    int r;

    sqlite3_bind_int64(st, 1, (sqlite3_int64) slot->sequence);
    sqlite3_bind_int64(st, 2, (sqlite3_int64) slot->incarnation);
    sqlite3_bind_int64(st, 3, slot->kind);
    sqlite3_bind_text(st, 4, slot->bytes.data, (int) slot->bytes.length, SQLITE_STATIC);
    r = run(log, ST_APPEND);
    if (r == SQLITE_OK)
        r = note_slot(log, slot);
    return r == SQLITE_OK ? trim_processes(log, slot) : r;
}

static void bind_system(sqlite3_stmt *st, const hcs_event_system *system, uint64_t first_sequence)
{
    sqlite3_bind_int64(st, 1, (sqlite3_int64) system->incarnation);
    sqlite3_bind_text(st, 2, system->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, system->owner, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 4, system->type, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 5, system->isolation, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 6, (sqlite3_int64) first_sequence);
}

static int write_living(struct evlog *log, const struct evlog_living *life)
{
    sqlite3_stmt *st = log->statements[ST_LIVING];

    bind_system(st, &life->system, life->first_sequence);
    sqlite3_bind_text(st, 7, life->document, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 8, life->boot_id, -1, SQLITE_STATIC);
    return run(log, ST_LIVING);
}

/* It lives no more, and so its processes need not be known. */
static int write_not_living(struct evlog *log, uint64_t incarnation)
{
    int r;

    sqlite3_bind_int64(log->statements[ST_NOT_LIVING], 1, (sqlite3_int64) incarnation);
    sqlite3_bind_int64(log->statements[ST_NO_PROCESSES], 1, (sqlite3_int64) incarnation);
    r = run(log, ST_NOT_LIVING);
    return r == SQLITE_OK ? run(log, ST_NO_PROCESSES) : r;
}

'''+s[b:]
rep('''    bind_system(st, ended);
    sqlite3''','''    bind_system(st, &ended->system, ended->first_sequence);
    sqlite3''')
rep('''    sqlite3_bind_int64(log->statements[ST_NOT_LIVING], 1,
                       (sqlite3_int64) ended->system.incarnation);
    r = run(log, ST_NOT_LIVING);
''','''    r = write_not_living(log, ended->system.incarnation);
''')
rep('''static int write_pending(struct evlog *log, uint64_t *out_first)
{
    int r = SQLITE_OK;

    list_for_each''','''static int write_rows(struct evlog *log, int living)
{
    int r = SQLITE_OK;

    list_for_each(&log->ended, n)
    {
        struct ended_row *row = container_of(n, struct ended_row, link);

        if (row->living == living)
            r = living ? write_living(log, &row->life) : write_ended(log, &row->ended);
        if (r != SQLITE_OK)
            return r;
    }
    return r;
}

/* Who begins to live does so before what happens to him, and ends after it. */
static int write_pending(struct evlog *log, uint64_t *out_first)
{
    int r = write_rows(log, 1);

    if (r != SQLITE_OK)
        return r;
    list_for_each''')
rep('''    list_for_each(&log->ended, m)
    {
        struct ended_row *row = container_of(m, struct ended_row, link);

        r = row->living ? write_living(log, &row->ended) : write_ended(log, &row->ended);
        if (r != SQLITE_OK)
            return r;
    }
    if (log->incarnation''','''    r = write_rows(log, 0);
    if (r == SQLITE_OK && log->incarnation''')
a=s.index('hcs_result evlog_list_living(')
b=s.index('hcs_result evlog_forget_ended')
s=s[:a]+'''/* The end of a walk over rows that ended with @status. */
static hcs_result rows_done(struct evlog *log, sqlite3_stmt *st, int status, hcs_error *err)
{
    hcs_result result = status == SQLITE_DONE ? HCS_OK : fail_db(log, "read event log", err);

    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

hcs_result evlog_list_living(struct evlog *log, evlog_visit_living visit, void *context,
                             hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_LIST_LIVING];
    int r;

    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        struct evlog_living living = {
            .system = { .incarnation = (uint64_t) sqlite3_column_int64(st, 0),
                        .id = column_string(st, 1),
                        .owner = column_string(st, 2),
                        .type = column_string(st, 3),
                        .isolation = column_string(st, 4) },
            .first_sequence = (uint64_t) sqlite3_column_int64(st, 5),
            .started_ns = (uint64_t) sqlite3_column_int64(st, 6),
            .document = column_string(st, 7),
            .boot_id = column_string(st, 8),
        };

        visit(context, &living);
    }
    return rows_done(log, st, r, err);
}

hcs_result evlog_list_processes(struct evlog *log, uint64_t incarnation, evlog_visit_process visit,
                                void *context, hcs_error *err)
{
    sqlite3_stmt *st = log->statements[ST_LIST_PROCESSES];
    int r;

    sqlite3_bind_int64(st, 1, (sqlite3_int64) incarnation);
    while ((r = sqlite3_step(st)) == SQLITE_ROW) {
        struct evlog_process process = {
            .number = (uint32_t) sqlite3_column_int64(st, 0),
            .pid = (uint32_t) sqlite3_column_int64(st, 1),
            .exit_sequence = (uint64_t) sqlite3_column_int64(st, 2),
        };

        visit(context, &process);
    }
    return rows_done(log, st, r, err);
}

'''+s[b:]
rep('''    if (r != SQLITE_DONE)
        result = fail_db(log, "read event log", err);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

hcs_result evlog_find_ended(''','''    return rows_done(log, st, r, err);
}

hcs_result evlog_find_ended(''')
# move rows_done before visit_ended_rows
i=s.index('/* The end of a walk over rows'); j=s.index('hcs_result evlog_list_living(')
blk=s[i:j]; s=s[:i]+s[j:]
k=s.index('static hcs_result visit_ended_rows(')
s=s[:k]+blk+s[k:]
s=s.replace('''                                   void *context, int *out_visited, hcs_error *err)
{
    hcs_result result = HCS_OK;
    int r;
''','''                                   void *context, int *out_visited, hcs_error *err)
{
    int r;
''')
open(p,'w').write(s)
