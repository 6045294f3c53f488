/* evlog_aside.c - a damaged file is moved out of the way, and the service goes on with a new one.
 * Owns:    the files PATH.damaged-TIME.
 * Users:   evlog.c at the opening, evlog_commit.c while the service runs.  Loop thread only.
 * Promise: what was pending is pending in the new log, under new numbers; what is set aside is kept
 * as it was found, the newest few of such files. */

#include "evlog_db.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "event.h"
#include "fd.h"
#include "log.h"

#define ASIDE_MAX 4u

static const char *const suffixes[] = { "", "-wal", "-shm" };

/* ---- the files ---- */

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t) (slash - path));
}

static int is_aside(const char *name, const char *base)
{
    size_t n = strlen(base), length = strlen(name);

    return strncmp(name, base, n) == 0 && strncmp(name + n, ".damaged-", 9) == 0 &&
           strcmp(name + length - 4, "-wal") != 0 && strcmp(name + length - 4, "-shm") != 0;
}

struct aside {
    uint64_t n;
    char oldest[256]; /* names */
    char newest[256];
};

static void list_aside(const char *dir_path, const char *base, struct aside *out)
{
    DIR *dir = opendir(dir_path);

    *out = (struct aside){ 0, "", "" };
    if (!dir)
        return;
    for (const struct dirent *d; (d = readdir(dir));) {
        if (!is_aside(d->d_name, base))
            continue;
        if (out->n == 0 || strverscmp(d->d_name, out->oldest) < 0)
            snprintf(out->oldest, sizeof out->oldest, "%s", d->d_name);
        if (out->n == 0 || strverscmp(d->d_name, out->newest) > 0)
            snprintf(out->newest, sizeof out->newest, "%s", d->d_name);
        out->n++;
    }
    closedir(dir);
}

static void remove_aside(const char *dir, const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(suffixes); i++) {
        _cleanup_(free_drop) char *path = NULL;

        if (asprintf(&path, "%s/%s%s", dir, name, suffixes[i]) < 0)
            path = NULL;
        else if (unlink(path) == 0)
            log_line(LOG_LINE_WARNING, "removed '%s': %u newer damaged event logs are kept", path,
                     ASIDE_MAX);
    }
}

void evlog_count_aside(struct evlog *log)
{
    _cleanup_(free_drop) char *dir = dir_of(log->path);
    const char *slash = strrchr(log->path, '/'), *base = slash ? slash + 1 : log->path;
    struct aside aside;

    if (!dir)
        return;
    list_aside(dir, base, &aside);
    while (aside.n > ASIDE_MAX) {
        uint64_t before = aside.n;

        remove_aside(dir, aside.oldest);
        list_aside(dir, base, &aside);
        if (aside.n >= before)
            break;
    }
    free(TAKE(log->aside_path));
    log->n_aside = aside.n;
    if (aside.n > 0 && asprintf(&log->aside_path, "%s/%s", dir, aside.newest) < 0)
        log->aside_path = NULL;
}

/* A name that no earlier one has. */
static char *free_name(const struct evlog *log)
{
    uint64_t now = evlog_now(log);
    struct stat st;
    char *path = NULL;

    for (unsigned int i = 0; i < 1000; i++) {
        free(TAKE(path));
        if (asprintf(&path, "%s.damaged-%" PRIu64 "-%u", log->path, now, i) < 0)
            return NULL;
        if (lstat(path, &st) < 0 && errno == ENOENT)
            return path;
    }
    free(path);
    return NULL;
}

static void sync_dir(const char *path)
{
    _cleanup_(free_drop) char *dir = dir_of(path);
    _cleanup_(fd_drop) int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0)
        (void) fsync(fd);
}

/* The WAL goes with its file. */
static void set_aside(struct evlog *log)
{
    _cleanup_(free_drop) char *name = free_name(log);
    int n_moved = 0;

    for (size_t i = 0; name && i < N_ELEMENTS(suffixes); i++) {
        _cleanup_(free_drop) char *from = NULL, *to = NULL;

        if (asprintf(&from, "%s%s", log->path, suffixes[i]) < 0)
            from = NULL;
        if (asprintf(&to, "%s%s", name, suffixes[i]) < 0)
            to = NULL;
        if (from && to && rename(from, to) == 0)
            n_moved++;
        else if (!from || !to || errno != ENOENT)
            log_line(LOG_LINE_CRITICAL, "'%s%s' cannot be set aside: %s", log->path, suffixes[i],
                     strerror(errno));
    }
    sync_dir(log->path);
    log_line(LOG_LINE_CRITICAL, "event log '%s' is damaged: %s: %s%s", log->path, log->why,
             n_moved ? "set aside as " : "no file is left of it", n_moved ? name : "");
    evlog_count_aside(log);
}

/* ---- a file that is not there any more ---- */

/* Whether another process uses the file that is now at the path. */
static int is_used(const char *path)
{
    sqlite3 *db = NULL;
    int r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (r == SQLITE_OK)
        r = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; SELECT count(*) FROM sqlite_master",
                         NULL, NULL, NULL);
    sqlite3_close(db);
    return (r & 0xff) == SQLITE_BUSY;
}

int evlog_is_gone(struct evlog *log)
{
    int moved = 0;

    if (!log->db ||
        sqlite3_file_control(log->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK)
        return 0;
    if (moved)
        snprintf(log->why, sizeof log->why, "its file was removed or replaced while hcsd ran");
    return moved;
}

/* ---- the new log ---- */

static int write_previous(struct evlog *log)
{
    int r = log->lost_id[0] ? evlog_save_meta(log, "previous", log->lost_id) : SQLITE_OK;

    if (r == SQLITE_OK && log->lost_id[0])
        r = evlog_save_number(log, "previous_last", log->lost_last);
    return r;
}

static void take_previous(struct evlog *log)
{
    snprintf(log->previous_id, sizeof log->previous_id, "%s", log->lost_id);
    log->previous_last = log->lost_id[0] ? log->lost_last : 0;
    log->lost_id[0] = 0;
    log->is_damaged = 0;
    log->io_errors = 0;
    log->aged_first = 0;
}

/* Open the new file; the counters stay as they are when that does not work. */
static hcs_result open_new(struct evlog *log, hcs_error *err)
{
    uint64_t first = log->first, last = log->last, next = log->next;
    hcs_result result;
    int r = evlog_file_open(log);

    if (r == SQLITE_OK)
        r = write_previous(log);
    if (r == SQLITE_OK) {
        evlog_mark_open(log);
        evlog_mark_write(log);
        return HCS_OK;
    }
    result = evlog_fail(log, "begin a new event log", err);
    evlog_file_close(log);
    log->first = first;
    log->last = last;
    log->next = next;
    return result;
}

/* What was told to nobody gets the numbers that come now. */
static void renumber(struct evlog *log)
{
    list_for_each(&log->pending, n)
    {
        struct evlog_slot *slot = container_of(n, struct evlog_slot, link);

        slot->sequence = log->next++;
        event_renumber(&slot->bytes, slot->sequence);
    }
    evlog_rows_shift(log, log->lost_last);
}

static void drop_tail(struct evlog *log)
{
    list_for_each(&log->tail, n)
    {
        list_remove(n);
        evlog_slot_drop(container_of(n, struct evlog_slot, link));
    }
    log->n_tail = log->tail_bytes = 0;
}

/* Leave the old file, once; from here on there is none until a new one could be begun. */
static hcs_result leave(struct evlog *log, hcs_error *err)
{
    if (!log->db)
        return HCS_OK;
    if (evlog_is_gone(log) && is_used(log->path))
        return fail(err, HCS_E_WIN32_BUSY, "evlog",
                    "event log '%s' was replaced, and another hcsd uses the file that is there now",
                    log->path);
    snprintf(log->lost_id, sizeof log->lost_id, "%s", log->id);
    log->lost_last = log->last;
    evlog_carry_rows(log);
    evlog_file_close(log);
    set_aside(log);
    drop_tail(log);
    return HCS_OK;
}

hcs_result evlog_begin_anew(struct evlog *log, hcs_error *err)
{
    char lost_id[SD_ID128_STRING_MAX];
    struct evlog_renewal renewal = { lost_id, 0 };
    hcs_result r = leave(log, err);

    log->is_damaged = 1; /* until there is a new one, whatever the reason was */
    if (r >= 0)
        r = open_new(log, err);
    if (r < 0)
        return r;
    snprintf(lost_id, sizeof lost_id, "%s", log->lost_id);
    renewal.last = log->lost_last;
    renumber(log);
    take_previous(log);
    log_line(LOG_LINE_CRITICAL, "a new event log '%s' was begun", log->path);
    if (log->renewed)
        log->renewed(log->renewed_context, &renewal);
    return HCS_OK;
}

hcs_result evlog_open_anew(struct evlog *log, const struct evlog_mark *mark_opt, hcs_error *err)
{
    hcs_result r;

    snprintf(log->lost_id, sizeof log->lost_id, "%s", mark_opt ? mark_opt->log_id : "");
    log->lost_last = mark_opt ? mark_opt->last : INT64_MAX;
    evlog_carry_rows(log);
    evlog_file_close(log);
    set_aside(log);
    r = open_new(log, err);
    if (r < 0)
        return r;
    evlog_rows_shift(log, log->lost_last);
    take_previous(log);
    return evlog_commit(log, err); /* for whoever asks what lived */
}

hcs_result evlog_note_previous(struct evlog *log, const struct evlog_mark *mark, hcs_error *err)
{
    snprintf(log->lost_id, sizeof log->lost_id, "%s", mark->log_id);
    log->lost_last = mark->last;
    if (write_previous(log) != SQLITE_OK)
        return evlog_fail(log, "begin event log", err);
    take_previous(log);
    return HCS_OK;
}
