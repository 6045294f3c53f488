/* fd.c - file descriptors, small files and directory trees.
 *
 * Owns nothing past a call.  Used by the engine, the drivers, the keeper and the library.
 * Promises that a reader of a written file sees all of it or none, that every descriptor is
 * close-on-exec, and that removing a tree never reaches outside it: not through a symbolic link,
 * not through a mount, be it a bind mount of the same file system.
 */
#include "fd.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"

#define READ_STEP 4096
#define DEPTH_MAX 256 /* of a tree to remove: one open directory for each level */

void fd_drop(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}

void fd_close_from(int first)
{
    struct rlimit limit;

#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned) first, ~0u, 0u) == 0)
        return;
#endif
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 1u << 20)
        limit.rlim_cur = 1u << 20;
    for (int fd = first; fd < (int) limit.rlim_cur; fd++)
        (void) close(fd);
}

hcs_result fd_nonblocking(int fd, hcs_error *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return fail_os(err, result_from_errno(errno), errno, "fd.nonblocking", "descriptor %d", fd);
    return HCS_OK;
}

static hcs_result read_all(int fd, const char *path, size_t ceiling, struct buf *b, hcs_error *err)
{
    for (;;) {
        size_t room = ceiling - b->length < READ_STEP ? ceiling - b->length : READ_STEP;
        hcs_result r = buf_reserve(b, room);
        char probe;
        ssize_t n;

        if (r < 0)
            return fail(err, r, "file.read", "no memory for '%s'", path);
        n = room ? read(fd, b->data + b->length, room) : read(fd, &probe, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_os(err, result_from_errno(errno), errno, "file.read", "read '%s'", path);
        if (n == 0)
            return HCS_OK;
        if (room == 0)
            return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "file.read",
                        "'%s' is larger than %zu bytes", path, ceiling);
        b->length += (size_t) n;
        b->data[b->length] = '\0';
    }
}

hcs_result file_read(const char *path, size_t ceiling, char **out, size_t *out_length_opt,
                     hcs_error *err)
{
    _cleanup_(fd_drop) int fd = -1;
    _cleanup_(buf_done) struct buf b;
    hcs_result r;

    assert(path && out);
    buf_init(&b, ceiling);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail_os(err, result_from_errno(errno), errno, "file.read", "open '%s'", path);
    r = read_all(fd, path, ceiling, &b, err);
    if (r < 0)
        return r;
    if (out_length_opt)
        *out_length_opt = b.length;
    *out = TAKE(b.data);
    return HCS_OK;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        bytes += done;
        n -= (size_t) done;
    }
    return 0;
}

/* The data has to be on the disk before its name is: else a crash of the machine between the two
 * leaves an empty file under the final name. */
static int write_new(int fd, const void *bytes, size_t n, int mode, int is_synced)
{
    if (fchmod(fd, (mode_t) mode) < 0 || write_all(fd, bytes, n) < 0)
        return -1;
    return is_synced ? fsync(fd) : 0;
}

static hcs_result write_by_rename(const char *path, const void *bytes, size_t n, int mode,
                                  int is_synced, hcs_error *err)
{
    _cleanup_(free_drop) char *temporary = NULL;
    _cleanup_(fd_drop) int fd = -1;
    int os;

    assert(path);
    assert(bytes || n == 0);
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        temporary = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "file.write", "no memory for '%s'", path);
    }
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fail_os(err, result_from_errno(errno), errno, "file.write", "create '%s'",
                       temporary);
    if (write_new(fd, bytes, n, mode, is_synced) == 0 && rename(temporary, path) == 0)
        return HCS_OK;
    os = errno;
    unlink(temporary);
    return fail_os(err, result_from_errno(os), os, "file.write", "write '%s'", path);
}

hcs_result file_write_atomic(const char *path, const void *bytes, size_t n, int mode,
                             hcs_error *err)
{
    return write_by_rename(path, bytes, n, mode, 1, err);
}

hcs_result file_write_unsynced(const char *path, const void *bytes, size_t n, int mode,
                               hcs_error *err)
{
    return write_by_rename(path, bytes, n, mode, 0, err);
}

static hcs_result make_one(const char *path, int mode, hcs_error *err)
{
    struct stat st;

    if (mkdir(path, (mode_t) mode) == 0)
        return HCS_OK;
    if (errno != EEXIST)
        return fail_os(err, result_from_errno(errno), errno, "dir.make", "make '%s'", path);
    if (stat(path, &st) < 0)
        return fail_os(err, result_from_errno(errno), errno, "dir.make", "look at '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return fail(err, HCS_E_WIN32_PATH_NOT_FOUND, "dir.make", "'%s' is not a directory", path);
    return HCS_OK;
}

hcs_result dir_make(const char *path, int mode, hcs_error *err)
{
    _cleanup_(free_drop) char *part = NULL;

    assert(path);
    if (path[0] != '/')
        return fail(err, HCS_E_INVALIDARG, "dir.make", "'%s' is not an absolute path", path);
    part = strdup(path);
    if (!part)
        return fail(err, HCS_E_OUTOFMEMORY, "dir.make", "no memory for '%s'", path);
    for (char *end = part + 1; *end; end++) {
        hcs_result r;

        if (*end != '/' || end[-1] == '/')
            continue;
        *end = '\0';
        r = make_one(part, mode, err);
        *end = '/';
        if (r < 0)
            return r;
    }
    return make_one(part, mode, err);
}

/* What tells a mount from another.  A bind mount has the device of its source, so the device
 * alone is not enough; the mount id is there since Linux 5.8, and 0 stands for unknown. */
struct mount {
    uint64_t device;
    uint64_t id;
};

static int mount_of(int fd, struct mount *out)
{
    struct statx stx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &stx) < 0)
        return -1;
    out->device = makedev(stx.stx_dev_major, stx.stx_dev_minor);
    out->id = stx.stx_mask & STATX_MNT_ID ? stx.stx_mnt_id : 0;
    return 0;
}

static void stream_drop(DIR **d)
{
    if (*d)
        closedir(*d);
}

static hcs_result remove_inside(int take_fd, const char *path, const struct mount *home, int depth,
                                hcs_error *err);

/* Remove the entry @name of @parent, which is the directory @path. */
static hcs_result remove_entry(int parent, const char *path, const char *name,
                               const struct mount *home, int depth, hcs_error *err)
{
    _cleanup_(free_drop) char *full = NULL;
    _cleanup_(fd_drop) int fd = -1;
    struct mount here;
    hcs_result r;

    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return HCS_OK;
    if (errno != EISDIR)
        return fail_os(err, result_from_errno(errno), errno, "dir.remove", "'%s/%s'", path, name);
    if (asprintf(&full, "%s/%s", path, name) < 0) {
        full = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "dir.remove", "no memory for '%s/%s'", path, name);
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || mount_of(fd, &here) < 0)
        return fail_os(err, result_from_errno(errno), errno, "dir.remove", "'%s'", full);
    if (here.device != home->device || here.id != home->id)
        return fail(err, HCS_E_WIN32_BUSY, "dir.remove", "something is mounted on '%s'", full);
    r = remove_inside(TAKE_FD(fd), full, home, depth + 1, err);
    if (r < 0)
        return r;
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return fail_os(err, result_from_errno(errno), errno, "dir.remove", "'%s'", full);
    return HCS_OK;
}

static hcs_result remove_inside(int take_fd, const char *path, const struct mount *home, int depth,
                                hcs_error *err)
{
    _cleanup_(fd_drop) int fd = take_fd;
    _cleanup_(stream_drop) DIR *d = NULL;

    if (depth > DEPTH_MAX)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "dir.remove",
                    "directories are nested deeper than %d in '%s'", DEPTH_MAX, path);
    d = fdopendir(fd);
    if (!d)
        return fail_os(err, result_from_errno(errno), errno, "dir.remove", "'%s'", path);
    (void) TAKE_FD(fd);
    for (;;) {
        struct dirent *entry;
        hcs_result r;

        errno = 0;
        entry = readdir(d);
        if (!entry && errno != 0)
            return fail_os(err, result_from_errno(errno), errno, "dir.remove", "read '%s'", path);
        if (!entry)
            return HCS_OK;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        r = remove_entry(dirfd(d), path, entry->d_name, home, depth, err);
        if (r < 0)
            return r;
    }
}

hcs_result dir_remove(const char *path, hcs_error *err)
{
    _cleanup_(fd_drop) int fd = -1;
    struct mount home;
    hcs_result r;

    assert(path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return HCS_OK;
    if (fd < 0 || mount_of(fd, &home) < 0)
        return fail_os(err, result_from_errno(errno), errno, "dir.remove", "'%s'", path);
    r = remove_inside(TAKE_FD(fd), path, &home, 0, err);
    if (r < 0)
        return r;
    if (rmdir(path) < 0 && errno != ENOENT)
        return fail_os(err, result_from_errno(errno), errno, "dir.remove", "'%s'", path);
    return HCS_OK;
}
