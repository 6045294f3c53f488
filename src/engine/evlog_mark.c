/* evlog_mark.c - beside the log: the newest number that may have been told.
 * Owns:    the file PATH-mark, one line: the id of the log, that of the boot, the number.
 * Users:   evlog_commit.c writes it after each commit, evlog.c compares.  Loop thread only.
 * Promise: never ahead of what was durable.  So a log that ends before its mark has lost events
 * that readers may have seen, and its numbers must not be given again.
 *
 * It is not synced: within one boot of the machine the page cache keeps it, and after a crash of
 * the machine it may be behind, which finds less and claims nothing. */

#include "evlog_db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "log.h"

#define LINE_BYTES (4 + 32 + 1 + 32 + 1 + 20 + 1)

static int is_in_memory(const struct evlog *log)
{
    return strcmp(log->path, ":memory:") == 0;
}

void evlog_mark_open(struct evlog *log)
{
    _cleanup_(free_drop) char *path = NULL;

    fd_drop(&log->mark_fd);
    if (is_in_memory(log) || asprintf(&path, "%s-mark", log->path) < 0) {
        path = NULL;
        return;
    }
    log->mark_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->mark_fd < 0)
        log_line(LOG_LINE_WARNING, "'%s': %s; a loss of events would not be noticed", path,
                 strerror(errno));
}

int evlog_mark_read(struct evlog *log, struct evlog_mark *out)
{
    char line[LINE_BYTES + 1] = "";

    if (log->mark_fd < 0 || pread(log->mark_fd, line, LINE_BYTES, 0) != LINE_BYTES)
        return 0;
    return sscanf(line, "hcs %32[0-9a-f] %32[0-9a-f] %" SCNu64, out->log_id, out->boot_id,
                  &out->last) == 3;
}

void evlog_mark_write(struct evlog *log)
{
    char line[LINE_BYTES + 1];
    int n = snprintf(line, sizeof line, "hcs %-32.32s %-32.32s %020" PRIu64 "\n", log->id,
                     log->boot_id, log->last);

    if (log->mark_fd >= 0 && pwrite(log->mark_fd, line, (size_t) n, 0) == n)
        log->mark_fails = 0;
    else if (log->mark_fd >= 0 && !log->mark_fails++)
        log_line(LOG_LINE_WARNING, "'%s-mark': %s; a loss of events would not be noticed",
                 log->path, strerror(errno));
}
