/* evlog_db.h - the inside of the event log: what its files share.
 *
 * evlog.c         the log: opening, numbers, what waits for the commit
 * evlog_schema.c  the SQLite file: tables, statements, where the log stands
 * evlog_commit.c  what was appended becomes durable
 * evlog_trim.c    what is not kept any longer
 * evlog_aside.c   a damaged file is moved out of the way
 * evlog_read.c    reading again
 * evlog_ended.c   systems that live and that have ended
 */
#ifndef HCS_ENGINE_EVLOG_DB_H
#define HCS_ENGINE_EVLOG_DB_H

#include <sqlite3.h>
#include <systemd/sd-id128.h>

#include "buf.h"
#include "evlog.h"

#define EVLOG_SLOT_MAX ((size_t) 64 * 1024)

struct evlog_slot {
    struct list link;
    uint64_t sequence;
    uint64_t incarnation;
    hcs_event_kind kind;
    struct buf bytes;
};

struct evlog_row {
    struct list link;
    int living;               /* it begins to live; else it has ended */
    struct evlog_ended ended; /* its strings point into the copies below */
    char *id;
    char *owner;
    char *detail;
};

enum evlog_statement {
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

/* Codes are SQLite's unless they are hcs_result. */

/* evlog_schema.c */
int evlog_file_open(struct evlog *log); /* and learn where it stands */
void evlog_file_close(struct evlog *log);
int evlog_run(struct evlog *log, enum evlog_statement which); /* one that gives no row */
int evlog_save_number(struct evlog *log, const char *name, uint64_t value);
hcs_result evlog_fail(struct evlog *log, const char *what, hcs_error *err);

/* evlog_commit.c */
int evlog_on_wal(void *context, sqlite3 *db, const char *name, int pages);
int evlog_on_idle(sd_event_source *source, void *context);

/* evlog_trim.c: within the transaction of a commit; @out_first is what the oldest will be. */
int evlog_trim(struct evlog *log, uint64_t last, uint64_t *out_first);

/* evlog_aside.c */
void evlog_set_aside(const char *path);

/* evlog_ended.c */
void evlog_row_drop(struct evlog_row *row);
int evlog_write_rows(struct evlog *log);

#endif
