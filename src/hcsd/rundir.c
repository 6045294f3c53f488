/* rundir.c - whose the run directory is.
 * Owns:    the file RUN-DIR.lock, held while hcsd runs.
 * Users:   main.c.
 * Promise: what lies in the run directory is of this hcsd's state directory, so that what its event
 * log does not know may be taken over or removed there. */

#include "rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include <unistd.h>

#include "err.h"
#include "fd.h"

#define WHERE "hcsd.start"
#define TRIES 50
#define PAUSE_NS 10000000 /* together half a second */

static int is_empty(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    int n_entries = 0;

    while (directory && (entry = readdir(directory)) != NULL)
        n_entries += entry->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return n_entries == 0;
}

/* The state directory that the file names; "" none. */
static void read_owner(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);

    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
}

static hcs_result write_owner(int fd, const char *path, const char *state_dir, hcs_error *err)
{
    if (ftruncate(fd, 0) == 0 && pwrite(fd, state_dir, strlen(state_dir), 0) >= 0 &&
        pwrite(fd, "\n", 1, (off_t) strlen(state_dir)) >= 0)
        return HCS_OK;
    return fail_os(err, result_from_errno(errno), errno, WHERE, "write '%s'", path);
}

/* A program that an hcsd was about to start when it was killed has the lock, too, until the program
 * begins. */
static int lock_in_time(int fd)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    int tries = TRIES;

    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK || --tries == 0)
            return -1;
        nanosleep(&pause, NULL);
    }
    return 0;
}

hcs_result rundir_claim(const char *run_dir, const char *state_dir, int *out_fd, hcs_error *err)
{
    _cleanup_(free_drop) char *path = NULL;
    _cleanup_(fd_drop) int fd = -1;
    char owner[4096];

    if (asprintf(&path, "%s.lock", run_dir) < 0) {
        path = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, WHERE, "no memory");
    }
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_os(err, result_from_errno(errno), errno, WHERE, "open '%s'", path);
    if (lock_in_time(fd) < 0)
        return fail_os(err, HCS_E_WIN32_BUSY, errno, WHERE,
                       "another hcsd uses run directory '%s': give another --run-dir", run_dir);
    read_owner(fd, owner, sizeof owner);
    if (*owner && strcmp(owner, state_dir) != 0 && access(owner, F_OK) == 0 && !is_empty(run_dir))
        return fail(
            err, HCS_E_WIN32_BUSY, WHERE,
            "run directory '%s' holds systems of state directory '%s': give that --state-dir, or "
            "another --run-dir",
            run_dir, owner);
    *out_fd = TAKE_FD(fd);
    return strcmp(owner, state_dir) == 0 ? HCS_OK : write_owner(*out_fd, path, state_dir, err);
}
