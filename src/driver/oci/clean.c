/* clean.c - removing a container: what the runtime keeps of it, its keeper, its cgroup.
 * Owns:    the last steps of a container, and the runtime it runs itself when the keeper is lost.
 * Users:   oci.c begins it; container.c hands on what the keeper says meanwhile.
 * Promise: ends within its deadlines, with one answer; goes on after an error; an error is told
 * only when something is left. */

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundle.h"
#include "cgroup.h"
#include "container.h"
#include "err.h"
#include "fd.h"

#define DELETE_US 10000000 /* a runtime gets this long to delete a container */
#define ARGUMENTS_BYTES_MAX ((size_t) 64 << 10)
#define RETRY_US 5000
#define RETRIES_MAX 2000

static void finish(struct container *c);

/* Keep the first error: the later ones follow from it. */
static void remember(struct container *c, const hcs_error *err)
{
    if (c->clean_error.code >= 0)
        error_copy(&c->clean_error, err);
}

/* What the runtime keeps of a container; NULL when out of memory. */
static char *runtime_state(const struct container *c)
{
    char *path;

    return asprintf(&path, "%s/%s", c->oci->found.runtime.root, c->name) < 0 ? NULL : path;
}

/* 1 when @handler will be called soon; 0 when that was often enough. */
static int retry(struct container *c, sd_event_time_handler_t handler)
{
    c->timer = sd_event_source_disable_unref(c->timer);
    return ++c->clean_tries < RETRIES_MAX &&
           sd_event_add_time_relative(c->oci->loop, &c->timer, CLOCK_MONOTONIC, RETRY_US, 0,
                                      handler, c) >= 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *owner)
{
    (void) source;
    (void) usec;
    finish(owner);
    return 0;
}

/* Whatever the runtime did not remove itself.  Killed processes take a moment to leave a cgroup,
 * and v1 has nothing to wait for: then it is looked at again, until the deadline. */
static hcs_result remove_rest(struct container *c, hcs_error *err)
{
    _cleanup_(free_drop) char *state = runtime_state(c);
    hcs_result r = cgroup_remove(c->name, err);

    if (r == HCS_E_WIN32_BUSY) {
        cgroup_kill(c->name);
        if (retry(c, on_retry))
            return HCS_E_OPERATION_PENDING;
    }
    if (r >= 0 && state)
        r = dir_remove(state, err);
    return r;
}

static void finish(struct container *c)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    c->timer = sd_event_source_disable_unref(c->timer);
    c->watch = sd_event_source_disable_unref(c->watch);
    r = remove_rest(c, &err);
    if (r == HCS_E_OPERATION_PENDING)
        return;
    /* a runtime that could not delete does no harm when nothing is left */
    if (r >= 0)
        c->clean_error = (hcs_error) HCS_ERROR_INIT;
    else
        remember(c, &err);
    c->cleaning = 0;
    c->system->tell->done(c->system, c->clean_job, c->clean_error.code,
                          c->clean_error.code < 0 ? &c->clean_error : NULL);
}

/* ---- with the keeper ---- */

static void on_keeper_gone(void *owner)
{
    struct container *c = owner;

    channel_drop(c->channel);
    c->channel = NULL;
    finish(c);
}

static void quit_keeper(struct container *c)
{
    c->timer = sd_event_source_disable_unref(c->timer);
    channel_quit(c->channel, on_keeper_gone);
}

void clean_deleted(struct container *c, hcs_result result, const hcs_error *err)
{
    if (result < 0)
        remember(c, err);
    quit_keeper(c);
}

static hcs_error no_answer(const struct container *c)
{
    hcs_error err = HCS_ERROR_INIT;

    fail(&err, HCS_E_OPERATION_TIMEOUT, "oci.clean",
         "delete of container '%s': no answer within %d s", c->system->id, DELETE_US / 1000000);
    return err;
}

/* The keeper kills what it still runs when it leaves, so also the runtime that hangs. */
static int on_keeper_deadline(sd_event_source *source, uint64_t usec, void *owner)
{
    struct container *c = owner;
    hcs_error err = no_answer(c);

    (void) source;
    (void) usec;
    remember(c, &err);
    quit_keeper(c);
    return 0;
}

/* ---- without it ---- */

/* The argument after @option among NUL-separated @arguments; NULL when it is not there. */
static const char *argument_after(const char *arguments, size_t length, const char *option)
{
    const char *end = arguments + length;

    for (const char *a = arguments; a < end; a += strlen(a) + 1)
        if (strcmp(a, option) == 0)
            return a + strlen(a) + 1 < end ? a + strlen(a) + 1 : NULL;
    return NULL;
}

/* 1 for a command of our runtime for this container, which has its log in the private run
 * directory, and for a child of its keeper that is about to become one. */
static int is_ours(const struct container *c, const char *arguments, size_t length)
{
    const char *kept = argument_after(arguments, length, "--keep");
    const char *log = argument_after(arguments, length, "--log");
    size_t n = strlen(c->system->run_dir);

    if (kept)
        return strcmp(kept, c->system->run_dir) == 0;
    return log && strcmp(arguments, c->oci->found.runtime.path) == 0 &&
           strncmp(log, c->system->run_dir, n) == 0 && log[n] == '/';
}

/* A command that the keeper took down with it may have left a child that is in no cgroup yet, and
 * that waits for ever for its parent; and the keeper tells of its end before its children are dead.
 * Returns how many there were: while there are any, one more may be about to appear. */
static size_t kill_strays(const struct container *c)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    size_t found = 0;

    while (proc && (entry = readdir(proc)) != NULL) {
        _cleanup_(free_drop) char *arguments = NULL;
        pid_t pid = (pid_t) atoi(entry->d_name);
        char path[64];
        size_t length;

        snprintf(path, sizeof path, "/proc/%d/cmdline", (int) pid);
        if (pid > 1 && file_read(path, ARGUMENTS_BYTES_MAX, &arguments, &length, NULL) >= 0 &&
            is_ours(c, arguments, length))
            found += kill(pid, SIGKILL) == 0;
    }
    if (proc)
        closedir(proc);
    return found;
}

static void reap_delete(struct container *c, int *out_status)
{
    while (waitpid(c->delete_pid, out_status, 0) < 0 && errno == EINTR)
        ;
    c->delete_pid = 0;
}

static int on_delete_exit(sd_event_source *source, int fd, uint32_t ready, void *owner)
{
    _cleanup_(free_drop) char *log = NULL;
    struct container *c = owner;
    hcs_error err = HCS_ERROR_INIT;
    int status = 0;

    (void) source;
    (void) fd;
    (void) ready;
    reap_delete(c, &status);
    log = container_path(c, "delete.log");
    if (status != 0 && log) {
        (void) runtime_failure(RUNTIME_DELETE_FORCE, log, (uint32_t) status, &err);
        remember(c, &err);
    }
    finish(c);
    return 0;
}

static int on_delete_deadline(sd_event_source *source, uint64_t usec, void *owner)
{
    struct container *c = owner;
    hcs_error err = no_answer(c);

    (void) source;
    (void) usec;
    remember(c, &err);
    clean_abandon(c);
    finish(c);
    return 0;
}

/* Start the runtime as a child, with nothing of the daemon's but /dev/null. */
static int spawn(char *const argv[], pid_t *out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int os;

    if (posix_spawn_file_actions_init(&files) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    sigemptyset(&none);
    sigfillset(&all);
    os = posix_spawnattr_setsigmask(&attributes, &none);
    os = os ? os : posix_spawnattr_setsigdefault(&attributes, &all);
    os = os ? os
            : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    for (int fd = 0; os == 0 && fd < 3; fd++)
        os = posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    os = os ? os : posix_spawn(out, argv[0], &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return os;
}

/* Watch the child's end and the clock. */
static int watch_delete(struct container *c)
{
    int pidfd = pidfd_open(c->delete_pid, 0);
    int r;

    if (pidfd < 0)
        return -errno;
    r = sd_event_add_io(c->oci->loop, &c->watch, pidfd, EPOLLIN, on_delete_exit, c);
    if (r < 0) {
        close(pidfd);
        return r;
    }
    (void) sd_event_source_set_io_fd_own(c->watch, 1);
    return sd_event_add_time_relative(c->oci->loop, &c->timer, CLOCK_MONOTONIC, DELETE_US, 0,
                                      on_delete_deadline, c);
}

static hcs_result delete_directly(struct container *c, hcs_error *err)
{
    _cleanup_(runtime_argv_drop) char **argv = NULL;
    _cleanup_(free_drop) char *log = container_path(c, "delete.log");
    struct runtime_command command = { .verb = RUNTIME_DELETE_FORCE, .name = c->name, .log = log };
    hcs_result r;
    int os;

    if (!log)
        return fail(err, HCS_E_OUTOFMEMORY, "oci.clean", "no memory for container '%s'",
                    c->system->id);
    r = runtime_argv(&c->oci->found.runtime, &c->oci->found.mode, &command, &argv, err);
    if (r < 0)
        return r;
    os = spawn(argv, &c->delete_pid);
    if (os) {
        c->delete_pid = 0;
        return fail_os(err, result_from_errno(os), os, "oci.clean", "run '%s'", argv[0]);
    }
    os = -watch_delete(c);
    if (os > 0) {
        clean_abandon(c);
        return fail_os(err, result_from_errno(os), os, "oci.clean", "watch '%s'", argv[0]);
    }
    return HCS_OK;
}

/* ---- both ---- */

/* Whether the runtime knows the container at all: not after a create that it refused itself. */
static int runtime_has_it(const struct container *c)
{
    _cleanup_(free_drop) char *state = runtime_state(c);

    return !state || access(state, F_OK) == 0;
}

static void clean_without_keeper(struct container *c);

static int on_strays_retry(sd_event_source *source, uint64_t usec, void *owner)
{
    (void) source;
    (void) usec;
    clean_without_keeper(owner);
    return 0;
}

static void clean_without_keeper(struct container *c)
{
    hcs_error err = HCS_ERROR_INIT;

    cgroup_kill(c->name);
    if (c->strays_possible) {
        /* twice none: between two programs a process has no arguments for a moment */
        c->scans_without_strays = kill_strays(c) > 0 ? 0 : c->scans_without_strays + 1;
        if (c->scans_without_strays < 2 && retry(c, on_strays_retry))
            return;
    }
    if (runtime_has_it(c)) {
        if (delete_directly(c, &err) >= 0)
            return;
        remember(c, &err);
    }
    finish(c);
}

static void clean_with_keeper(struct container *c)
{
    hcs_error err = HCS_ERROR_INIT;

    if (runtime_has_it(c)) {
        if (container_run(c, JOB_DELETE, RUNTIME_DELETE_FORCE, 0, &err) >= 0) {
            (void) sd_event_add_time_relative(c->oci->loop, &c->timer, CLOCK_MONOTONIC, DELETE_US,
                                              0, on_keeper_deadline, c);
            return;
        }
        remember(c, &err);
    }
    quit_keeper(c);
}

/* An earlier hcsd may have gone in the middle of anything.  Its keeper kills all that it runs, the
 * runtime too, and waits for the end of it before it leaves; what the runtime did not finish is
 * then removed as if there had never been a keeper. */
static void on_left_keeper_gone(void *owner)
{
    struct container *c = owner;

    channel_drop(c->channel);
    c->channel = NULL;
    clean_without_keeper(c);
}

static void clean_left(struct container *c)
{
    hcs_error ignored = HCS_ERROR_INIT; /* there is none, and so nobody who could have tidied up */

    c->strays_possible = container_find_keeper(c, &ignored) < 0;
    if (c->channel)
        channel_quit(c->channel, on_left_keeper_gone);
    else
        clean_without_keeper(c);
}

void clean_begin(struct container *c, uint64_t job)
{
    assert(!c->cleaning);

    c->cleaning = 1;
    c->clean_job = job;
    c->timer = sd_event_source_disable_unref(c->timer);
    container_fail_jobs(c, HCS_E_SYSTEM_ALREADY_STOPPED, "it has ended");
    if (c->leftover)
        clean_left(c);
    else if (c->channel)
        clean_with_keeper(c);
    else
        clean_without_keeper(c);
}

void clean_lost(struct container *c)
{
    clean_without_keeper(c);
}

void clean_abandon(struct container *c)
{
    int status;

    if (c->delete_pid <= 0)
        return;
    kill(c->delete_pid, SIGKILL);
    reap_delete(c, &status);
}
