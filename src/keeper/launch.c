/* launch.c - starts a keeper and connects to it, without waiting for it.
 *
 * Used by channel.c.  The listening socket exists before the keeper does, so that the connection
 * can be made and used at once.  Promises to leave no process and no file behind when it fails. */
#include "launch.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "channel.h"
#include "err.h"
#include "fd.h"

#define WHERE "channel.start"
#define ARGUMENTS_BYTES_MAX ((size_t) 64 << 10)
#define LISTEN_FD 3              /* where the keeper expects its socket */
#define SEND_BUFFER (512 * 1024) /* the kernel gives what it allows, at least one message */

/* Nobody listens there; anything else, a shortage of ours above all, says nothing of the keeper. */
static hcs_result result_of_absence(int error)
{
    return error == ENOENT || error == ECONNREFUSED ? HCS_E_SERVICE_NOT_AVAILABLE
                                                    : result_from_errno(error);
}

/* The address of the socket in the run directory; a name too long for an address is reached through
 * the directory's descriptor. */
static hcs_result address_make(const char *run_dir, int *out_dir_fd, struct sockaddr_un *out,
                               hcs_error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run_dir, KEEPER_SOCKET);

    if (n < 0 || (size_t) n >= sizeof(address.sun_path)) {
        *out_dir_fd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (*out_dir_fd < 0)
            return fail_os(err, result_of_absence(errno), errno, WHERE, "open '%s'", run_dir);
        snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", *out_dir_fd,
                 KEEPER_SOCKET);
    }
    *out = address;
    return HCS_OK;
}

/* Above the numbers that the child's own descriptors get, or one would overwrite another. */
static int fd_raise(int fd)
{
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, LISTEN_FD + 1);

    fd_drop(&fd);
    return raised;
}

static hcs_result listener_make(const char *run_dir, const struct sockaddr_un *address, int *out,
                                int *out_bound, hcs_error *err)
{
    _cleanup_(fd_drop) int fd = -1;

    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        fd = fd_raise(fd);
    if (fd < 0)
        return fail_os(err, result_from_errno(errno), errno, WHERE, "socket of the keeper");
    *out_bound = bind(fd, (const struct sockaddr *) address, sizeof(*address)) == 0;
    if (!*out_bound || listen(fd, 64) < 0)
        return fail_os(err, result_from_errno(errno), errno, WHERE, "bind '%s/%s'", run_dir,
                       KEEPER_SOCKET);
    *out = TAKE_FD(fd);
    return HCS_OK;
}

static hcs_result connection_make(const char *run_dir, const struct sockaddr_un *address, int *out,
                                  hcs_error *err)
{
    _cleanup_(fd_drop) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int size = SEND_BUFFER;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
        return fail_os(err, result_from_errno(errno), errno, WHERE, "socket to the keeper");
    if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) < 0)
        return fail_os(err, result_of_absence(errno), errno, WHERE, "connect to '%s/%s'", run_dir,
                       KEEPER_SOCKET);
    *out = TAKE_FD(fd);
    return HCS_OK;
}

hcs_result launch_connect(const char *run_dir, int *out_fd, hcs_error *err)
{
    _cleanup_(fd_drop) int dir_fd = -1;
    struct sockaddr_un address;
    hcs_result r = address_make(run_dir, &dir_fd, &address, err);

    return r < 0 ? r : connection_make(run_dir, &address, out_fd, err);
}

/* 1 when @arguments, separated by NULs, are those of the keeper of @run_dir. */
static int is_keeper_of(const char *arguments, size_t length, const char *run_dir)
{
    const char *end = arguments + length;
    const char *option = arguments + strlen(arguments) + 1;
    const char *directory = option < end ? option + strlen(option) + 1 : end;

    return option < end && strcmp(option, "--keep") == 0 && directory < end &&
           strcmp(directory, run_dir) == 0;
}

int launch_is_keeper(pid_t pid, const char *run_dir)
{
    _cleanup_(free_drop) char *arguments = NULL;
    char path[64];
    size_t length;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int) pid);
    return pid > 1 && file_read(path, ARGUMENTS_BYTES_MAX, &arguments, &length, NULL) >= 0 &&
           length > 0 && is_keeper_of(arguments, length, run_dir);
}

void launch_kill(const char *run_dir)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc && (entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t) atoi(entry->d_name);

        if (launch_is_keeper(pid, run_dir))
            (void) kill(pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
}

static hcs_result log_open(const char *run_dir, int *out, hcs_error *err)
{
    _cleanup_(free_drop) char *path = NULL;
    int fd;

    if (asprintf(&path, "%s/%s", run_dir, LAUNCH_LOG) < 0) {
        path = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, WHERE, "no memory for a path in '%s'", run_dir);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0)
        fd = fd_raise(fd);
    if (fd < 0)
        return fail_os(err, result_from_errno(errno), errno, WHERE, "open '%s'", path);
    *out = fd;
    return HCS_OK;
}

static void file_actions_drop(posix_spawn_file_actions_t **actions)
{
    if (*actions)
        posix_spawn_file_actions_destroy(*actions);
}

static void attributes_drop(posix_spawnattr_t **attributes)
{
    if (*attributes)
        posix_spawnattr_destroy(*attributes);
}

/* 0 or an errno. */
static int spawn_prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
                         int listen_fd, int log_fd)
{
    sigset_t none, all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    error = posix_spawnattr_setsigmask(attributes, &none);
    error = error ? error : posix_spawnattr_setsigdefault(attributes, &all);
    error = error ? error
                  : posix_spawnattr_setflags(attributes,
                                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error = error ? error : posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);
    error = error ? error : posix_spawn_file_actions_adddup2(actions, 0, 1);
    error = error ? error : posix_spawn_file_actions_adddup2(actions, log_fd, 2);
    return error ? error : posix_spawn_file_actions_adddup2(actions, listen_fd, LISTEN_FD);
}

static int spawn_keeper(const char *program, const char *run_dir, uint32_t options, int listen_fd,
                        int log_fd, pid_t *out_pid)
{
    _cleanup_(free_drop) char *name = strdup(program);
    _cleanup_(free_drop) char *directory = strdup(run_dir);
    char keep[] = "--keep", hide[] = "--hide-unified";
    char *argv[] = { name, keep, directory, options & CHANNEL_HIDE_UNIFIED ? hide : NULL, NULL };
    posix_spawn_file_actions_t actions_store;
    posix_spawnattr_t attributes_store;
    _cleanup_(file_actions_drop) posix_spawn_file_actions_t *actions = NULL;
    _cleanup_(attributes_drop) posix_spawnattr_t *attributes = NULL;
    int error;

    if (!name || !directory)
        return ENOMEM;
    error = posix_spawn_file_actions_init(&actions_store);
    if (error)
        return error;
    actions = &actions_store;
    error = posix_spawnattr_init(&attributes_store);
    if (error)
        return error;
    attributes = &attributes_store;
    error = spawn_prepare(actions, attributes, listen_fd, log_fd);
    return error ? error : posix_spawn(out_pid, program, actions, attributes, argv, environ);
}

static hcs_result start_at(const char *program, const char *run_dir, uint32_t options,
                           const struct sockaddr_un *address, int *out_fd, pid_t *out_pid,
                           int *out_bound, hcs_error *err)
{
    _cleanup_(fd_drop) int listen_fd = -1;
    _cleanup_(fd_drop) int log_fd = -1;
    _cleanup_(fd_drop) int fd = -1;
    hcs_result r;
    int error;

    r = listener_make(run_dir, address, &listen_fd, out_bound, err);
    if (r < 0)
        return r;
    r = log_open(run_dir, &log_fd, err);
    if (r < 0)
        return r;
    r = connection_make(run_dir, address, &fd, err);
    if (r < 0)
        return r;
    error = spawn_keeper(program, run_dir, options, listen_fd, log_fd, out_pid);
    if (error)
        return fail_os(err, result_from_errno(error), error, WHERE, "keeper program '%s'", program);
    *out_fd = TAKE_FD(fd);
    return HCS_OK;
}

static void files_remove(const char *run_dir)
{
    _cleanup_(fd_drop) int fd = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    unlinkat(fd, KEEPER_SOCKET, 0);
    unlinkat(fd, LAUNCH_LOG, 0);
}

hcs_result launch_keeper(const char *program, const char *run_dir, uint32_t options, int *out_fd,
                         pid_t *out_pid, hcs_error *err)
{
    _cleanup_(fd_drop) int dir_fd = -1;
    struct sockaddr_un address;
    int bound = 0; /* or the socket there is another keeper's */
    hcs_result r;

    assert(program && run_dir && out_fd && out_pid);
    r = address_make(run_dir, &dir_fd, &address, err);
    if (r < 0)
        return r;
    r = start_at(program, run_dir, options, &address, out_fd, out_pid, &bound, err);
    if (r < 0 && bound)
        files_remove(run_dir);
    return r;
}
