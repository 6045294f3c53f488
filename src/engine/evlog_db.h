/* evlog_db.h - the inside of the event log: what its files share.
 *
 * evlog.c         the log: opening, numbers, what waits for the commit
 * evlog_schema.c  the SQLite file: tables, statements, where the log stands
 * evlog_commit.c  what was appended becomes durable
 * evlog_trim.c    what is not kept any longer
 * evlog_mark.c    the newest number that was told, beside the file
 * evlog_aside.c   a damaged file is moved out of the way
 * evlog_read.c    reading again
 * evlog_living.c  systems that live, and their processes, for the next hcsd
 * evlog_ended.c   systems that have ended
 */
#ifndef HCS_ENGINE_EVLOG_DB_H
#define HCS_ENGINE_EVLOG_DB_H

#include <sqlite3.h>
#include <systemd/sd-id128.h>

#include "buf.h"
#include "evlog.h"

#define EVLOG_SLOT_MAX ((size_t) 64 * 1024)
#define EVLOG_SPAN 256u     /* events that share a row of `span` */
#define EVLOG_ROW_BYTES 40u /* what an event takes in the file beside its bytes, about */
#define EVLOG_FORMAT 2      /* of the file: PRAGMA user_version */
#define EVLOG_IO_TRIES 6u   /* commits in a row with an I/O error, after which it is damage */
#define EVLOG_NEWER SQLITE_MISMATCH /* evlog_file_open(): the file is of a newer hcsd */

struct evlog_slot {
    struct list link;
    uint64_t sequence;
    uint64_t realtime_ns;
    uint64_t incarnation;
    hcs_event_kind kind;
    uint32_t process; /* the engine's number; 0: not of a process */
    uint32_t pid;
    struct buf bytes;
};

/* A system that begins to live. */
struct evlog_life {
    struct list link;
    struct evlog_living living; /* its strings point into the copies below */
    char *id;
    char *owner;
    char *document;
    char *type;
    char *isolation;
    char *boot_id;
    struct evlog_process *processes;
};

struct evlog_row {
    struct list link;
    struct evlog_ended ended; /* its strings point into the copies below */
    char *id;
    char *owner;
    char *type;
    char *isolation;
    char *detail;
};

enum evlog_statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_APPEND,
    ST_SPAN,
    ST_SPANS_SINCE,
    ST_SPAN_EVENTS,
    ST_OLDEST,
    ST_TRIM,
    ST_TRIM_SPANS,
    ST_SHRINK_SPAN,
    ST_TRIM_BOOTS,
    ST_BOOT,
    ST_BOOT_AT,
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
    ST_STARTED,
    ST_PROCESS_STARTED,
    ST_PROCESS_EXITED,
    ST_TRIM_PROCESSES,
    ST_NO_PROCESSES,
    ST_LIST_PROCESSES,
    N_STATEMENTS
};

/* What a transaction changes, taken over when it is durable. */
struct evlog_change {
    uint64_t first;
    uint64_t last;
    uint64_t bytes;
};

struct evlog {
    sqlite3 *db; /* NULL: the file could not be opened again after it was set aside */
    sqlite3_stmt *statements[N_STATEMENTS];
    sd_event_source *idle;  /* of idle priority; NULL without a loop */
    sd_event_source *aging; /* NULL without a loop or a limit of age */
    struct evlog_options options;
    char *path;
    char id[SD_ID128_STRING_MAX];
    uint64_t first;
    uint64_t last;        /* durable */
    uint64_t next;        /* number of the next event */
    uint64_t incarnation; /* last given */
    uint64_t incarnation_saved;
    struct list pending; /* slots */
    struct list lives;   /* struct evlog_life, for the next commit */
    struct list ended;   /* rows for the next commit */
    uint32_t n_exited;   /* processes, since they were trimmed */
    struct list tail;    /* durable slots, newest last */
    size_t n_tail;
    size_t tail_bytes;
    uint64_t bytes; /* of the events in the file, EVLOG_ROW_BYTES for each included */
    uint64_t pending_bytes;
    uint64_t n_pending;
    int wal_pages;

    /* the boot of the newest events */
    char boot_id[SD_ID128_STRING_MAX];
    char boot_asked[SD_ID128_STRING_MAX]; /* what evlog_boot_at() gave */
    uint64_t boot_first;
    int boot_is_saved;

    /* trimming */
    uint64_t aged_first; /* everything before it is too old */
    uint64_t aged_at_ns; /* monotonic, when that was looked at */

    /* damage */
    int is_new;                        /* the file was made at the opening */
    int is_damaged;                    /* to be set aside by the next commit */
    unsigned int io_errors;            /* in a row */
    char why[160];                     /* the words for it */
    char lost_id[SD_ID128_STRING_MAX]; /* set aside, and not replaced yet; "" not known */
    uint64_t lost_last;
    char previous_id[SD_ID128_STRING_MAX];
    uint64_t previous_last;
    void (*renewed)(void *context, const struct evlog_renewal *renewal);
    void *renewed_context;
    int mark_fd; /* -1 none */
    unsigned int mark_fails;
    uint64_t n_aside;
    char *aside_path; /* NULL none */

    /* trouble */
    uint64_t stuck_since_ns;
    unsigned int checkpoint_fails; /* in a row */
    int checkpoint_at;             /* WAL pages */
    char error[512];
};

static inline uint64_t evlog_now(const struct evlog *log)
{
    return log->options.clock();
}

/* Codes are SQLite's unless they are hcs_result. */

/* evlog_schema.c */
int evlog_file_open(struct evlog *log); /* and learn where it stands */
void evlog_file_close(struct evlog *log);
int evlog_run(struct evlog *log, enum evlog_statement which); /* one that gives no row */
int evlog_save_meta(struct evlog *log, const char *name, const char *value);
int evlog_save_number(struct evlog *log, const char *name, uint64_t value);

/* The failure of @log's file as an error; damage is noted. */
hcs_result evlog_fail(struct evlog *log, const char *what, hcs_error *err);
hcs_result evlog_fail_damaged(struct evlog *log, const char *what, hcs_error *err);
_must_use_ hcs_result evlog_check_open(struct evlog *log, hcs_error *err);

uint64_t evlog_ask(struct evlog *log, const char *query); /* a number; 0 when there is none */

/* evlog_commit.c */
int evlog_on_wal(void *context, sqlite3 *db, const char *name, int pages);
int evlog_add_sources(struct evlog *log, sd_event *loop);

/* evlog_trim.c: the first within a transaction */
int evlog_trim(struct evlog *log, uint64_t portion, struct evlog_change *change);
int evlog_wants_trim(struct evlog *log, const struct evlog_change *change);
int evlog_give_back(struct evlog *log); /* 1: there is more */

/* evlog_mark.c */
struct evlog_mark {
    char log_id[SD_ID128_STRING_MAX];
    char boot_id[SD_ID128_STRING_MAX];
    uint64_t last;
};
void evlog_mark_open(struct evlog *log);
int evlog_mark_read(struct evlog *log, struct evlog_mark *out); /* 1: there is one */
void evlog_mark_write(struct evlog *log);

/* evlog_aside.c */
int evlog_is_gone(struct evlog *log); /* the file is not at its path any more */
void evlog_count_aside(struct evlog *log);
_must_use_ hcs_result evlog_begin_anew(struct evlog *log, hcs_error *err);
/* At the opening; @mark_opt says where the old one ended, if that is known exactly. */
_must_use_ hcs_result evlog_open_anew(struct evlog *log, const struct evlog_mark *mark_opt,
                                      hcs_error *err);
/* The log that the new one at hand comes after. */
_must_use_ hcs_result evlog_note_previous(struct evlog *log, const struct evlog_mark *mark,
                                          hcs_error *err);

/* evlog_living.c, within the transaction of a commit: lives before what happens to them, notes with
 * it, ends after it */
void evlog_life_drop(struct evlog_life *life);
int evlog_write_lives(struct evlog *log);
int evlog_note_slot(struct evlog *log, const struct evlog_slot *slot);
int evlog_write_not_living(struct evlog *log, uint64_t incarnation);
void evlog_bind_system(sqlite3_stmt *st, const hcs_event_system *system, uint64_t first_sequence);
uint64_t evlog_column_sequence(sqlite3_stmt *st, int column);
const char *evlog_column(sqlite3_stmt *st, int column);
void evlog_carry_lives(struct evlog *log); /* as evlog_carry_rows() */
void evlog_lives_shift(struct evlog *log, uint64_t by);
hcs_result evlog_rows_done(struct evlog *log, sqlite3_stmt *st, int status, hcs_error *err);

/* evlog_ended.c */
void evlog_row_drop(struct evlog_row *row);
int evlog_write_rows(struct evlog *log);
void evlog_carry_rows(struct evlog *log); /* what the file remembers, for the next one */
void evlog_rows_shift(struct evlog *log, uint64_t by);

#endif
