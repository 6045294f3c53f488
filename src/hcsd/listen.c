/* listen.c - the socket: take it over or make it, accept, and leave it without losing anybody.
 * Owns:    the listening socket and, when it is not the service manager's, its path.
 * Users:   main.c.  Loop thread only.
 * Promise: a client that connects while the idle service leaves is served, by this hcsd or by the
 * next. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "log.h"
#include "server.h"

enum { LOCK_PAUSE_MS = 5, LOCK_LIMIT_MS = 10000 };

#define STOP_SECONDS 5u
#define GONE_TRIES 50
#define GONE_PAUSE_NS 10000000 /* together half a second */

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *context)
{
    struct server *s = context;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void) source;
    (void) revents;
    if (client < 0) {
        if (errno == EMFILE || errno == ENFILE)
            log_line(LOG_LINE_ERROR, "no file descriptor is left for a new client");
        return 0;
    }
    connection_new(s, client, CONNECTION_UNIX);
    return 0;
}

static hcs_result watch(struct server *s, hcs_error *err)
{
    int r;

    s->listening = sd_event_source_disable_unref(s->listening);
    r = sd_event_add_io(s->loop, &s->listening, s->listen_fd, EPOLLIN, on_connection, s);
    if (r < 0)
        return fail_os(err, HCS_E_FAIL, -r, "hcsd.listen", "watch '%s'", s->socket_path);
    return HCS_OK;
}

/* Hold the lock that clients take to start a service; -1 when it cannot be had. */
static int take_lock(const char *socket_path)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof path, "%s.lock", socket_path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        fd_drop(&fd), fd = -1;
    return fd;
}

/* The group that may use the service may reach it: the socket, and the directory above it when it
 * is new. */
static hcs_result give_to_group(const struct server *s, const char *path, mode_t mode,
                                hcs_error *err)
{
    if (!s->for_group)
        return HCS_OK;
    if (chown(path, (uid_t) -1, s->access.group) < 0 || chmod(path, mode) < 0)
        return fail_os(err, result_from_errno(errno), errno, "hcsd.listen",
                       "give '%s' to group %s (--group '' serves root alone)", path,
                       s->access.group_name);
    return HCS_OK;
}

/* Clients hold it while they look whether somebody serves, and those that wait for a service look
 * again and again: for a moment each.  -1 when it cannot be had for longer than that. */
static int wait_for_lock(const char *socket_path)
{
    const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000 };
    int fd = take_lock(socket_path);

    for (int waited = 0; fd < 0 && waited < LOCK_LIMIT_MS; waited += LOCK_PAUSE_MS) {
        nanosleep(&pause, NULL);
        fd = take_lock(socket_path);
    }
    return fd;
}

static hcs_result bind_socket(struct server *s, hcs_error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _cleanup_(fd_drop) int fd = -1;
    mode_t mask;
    int r;

    if (strlen(s->socket_path) >= sizeof address.sun_path)
        return fail(err, HCS_E_INVALIDARG, "hcsd.listen",
                    "socket path '%s' has %zu bytes: at most %zu are possible", s->socket_path,
                    strlen(s->socket_path), sizeof address.sun_path - 1);
    strcpy(address.sun_path, s->socket_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mask = umask(0177);
    r = fd < 0 ? -1 : bind(fd, (struct sockaddr *) &address, sizeof address);
    umask(mask);
    if (r < 0 || listen(fd, SOMAXCONN) < 0)
        return fail_os(err, result_from_errno(errno), errno, "hcsd.listen", "listen at '%s'",
                       s->socket_path);
    s->listen_fd = TAKE_FD(fd);
    return give_to_group(s, s->socket_path, 0660, err);
}

/* 1 when somebody answers at the path. */
static int is_served(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _cleanup_(fd_drop) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        return 0;
    strcpy(address.sun_path, path);
    return connect(fd, (struct sockaddr *) &address, sizeof address) == 0;
}

/* Hold the lock, with nobody at the path; -1 when somebody stays there.  A program that an hcsd was
 * about to start when it was killed has its socket, too, until the program begins. */
static int take_path(const char *path)
{
    const struct timespec pause = { .tv_nsec = GONE_PAUSE_NS };
    _cleanup_(fd_drop) int lock = wait_for_lock(path);

    for (int tries = 0; lock >= 0 && tries < GONE_TRIES; tries++) {
        if (!is_served(path))
            return TAKE_FD(lock);
        nanosleep(&pause, NULL);
    }
    return -1;
}

static hcs_result make_socket(struct server *s, hcs_error *err)
{
    _cleanup_(free_drop) char *directory = strdup(s->socket_path);
    _cleanup_(fd_drop) int lock = -1;
    int is_new;
    hcs_result r;

    if (!directory)
        return fail(err, HCS_E_OUTOFMEMORY, "hcsd.listen", "no memory");
    s->for_group = s->access.has_group;
    *strrchr(directory, '/') = 0;
    is_new = directory[0] && access(directory, F_OK) < 0 && errno == ENOENT;
    r = dir_make(directory[0] ? directory : "/", 0700, err);
    if (r >= 0 && is_new)
        r = give_to_group(s, directory, 0750, err);
    if (r < 0)
        return r;
    lock = take_path(s->socket_path);
    if (lock < 0)
        return fail(err, HCS_E_WIN32_BUSY, "hcsd.listen", "another hcsd serves '%s'",
                    s->socket_path);
    (void) unlink(s->socket_path);
    return bind_socket(s, err);
}

static hcs_result adopt_socket(struct server *s, int fd, hcs_error *err)
{
    struct sockaddr_un address;
    socklen_t size = sizeof address;

    memset(&address, 0, sizeof address);
    if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0)
        return fail(err, HCS_E_INVALIDARG, "hcsd.listen",
                    "the descriptor that was passed is not a listening unix socket");
    if (getsockname(fd, (struct sockaddr *) &address, &size) < 0 || address.sun_path[0] != '/')
        return fail(err, HCS_E_INVALIDARG, "hcsd.listen", "the socket that was passed has no path");
    free(s->socket_path);
    s->socket_path = strdup(address.sun_path);
    s->listen_fd = fd;
    if (!s->socket_path)
        return fail(err, HCS_E_OUTOFMEMORY, "hcsd.listen", "no memory");
    return fd_nonblocking(fd, err);
}

hcs_result listen_begin(struct server *s, const char *socket_path_opt, hcs_error *err)
{
    int n = sd_listen_fds(1);
    hcs_result r;

    s->listen_fd = -1;
    if (n > 1)
        return fail(err, HCS_E_INVALIDARG, "hcsd.listen", "%d sockets were passed: hcsd serves one",
                    n);
    if (n == 1) {
        r = adopt_socket(s, SD_LISTEN_FDS_START, err);
    } else {
        assert(socket_path_opt);
        free(s->socket_path);
        s->socket_path = strdup(socket_path_opt);
        r = s->socket_path ? make_socket(s, err)
                           : fail(err, HCS_E_OUTOFMEMORY, "hcsd.listen", "no memory");
    }
    return r;
}

hcs_result listen_take(struct server *s, const char *path, int take_fd, hcs_error *err)
{
    s->listen_fd = take_fd;
    s->for_group = s->access.has_group; /* should it ever be bound anew */
    free(s->socket_path);
    s->socket_path = strdup(path);
    return s->socket_path ? fd_nonblocking(take_fd, err)
                          : fail(err, HCS_E_OUTOFMEMORY, "hcsd.listen", "no memory");
}

hcs_result listen_serve(struct server *s, hcs_error *err)
{
    return watch(s, err);
}

void listen_end(struct server *s)
{
    _cleanup_(fd_drop) int lock = -1;

    s->listening = sd_event_source_disable_unref(s->listening);
    if (s->listen_fd >= 0 && !s->activated && s->successor_fd < 0) {
        lock = take_lock(s->socket_path);
        (void) unlink(s->socket_path);
    }
    fd_drop(&s->listen_fd);
    s->listen_fd = -1;
    free(TAKE(s->socket_path));
}

/* Leave, unless somebody has come meanwhile.  With the lock held no client starts another hcsd; who
 * connected before the path was gone is in the queue of the socket, so look there after the path is
 * gone. */
static int on_idle(sd_event_source *source, uint64_t usec, void *context)
{
    struct server *s = context;
    _cleanup_(fd_drop) int lock = -1;
    int client;

    (void) source;
    (void) usec;
    if (s->activated)
        return sd_event_exit(s->loop, 0);
    lock = take_lock(s->socket_path);
    if (lock < 0) {
        server_check_idle(s);
        return 0;
    }
    (void) unlink(s->socket_path);
    client = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
        s->listening = sd_event_source_disable_unref(s->listening);
        fd_drop(&s->listen_fd);
        s->listen_fd = -1;
        return sd_event_exit(s->loop, 0);
    }
    connection_new(s, client, CONNECTION_UNIX);
    while ((client = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        connection_new(s, client, CONNECTION_UNIX);
    s->listening = sd_event_source_disable_unref(s->listening);
    fd_drop(&s->listen_fd);
    if (bind_socket(s, NULL) < 0 || watch(s, NULL) < 0)
        return sd_event_exit(s->loop, 1);
    server_check_idle(s); /* whoever came may have been turned away */
    return 0;
}

static int on_stop_deadline(sd_event_source *source, uint64_t usec, void *context)
{
    struct server *s = context;

    (void) source;
    (void) usec;
    log_line(LOG_LINE_WARNING, "%u systems are not cleaned up after %u s: leaving",
             engine_cleaning(s->engine), STOP_SECONDS);
    return sd_event_exit(s->loop, 0);
}

/* Leave; but what has ended is cleaned up first, since nobody would come back for it. */
void server_stop(struct server *s)
{
    if (s->stopping)
        return;
    if (engine_cleaning(s->engine) == 0 ||
        sd_event_add_time_relative(s->loop, &s->stopping, CLOCK_MONOTONIC,
                                   STOP_SECONDS * 1000000ull, 0, on_stop_deadline, s) < 0)
        sd_event_exit(s->loop, 0);
}

void server_check_idle(struct server *s)
{
    if (s->stopping && engine_cleaning(s->engine) == 0)
        sd_event_exit(s->loop, 0);

    int idle = s->n_connections == 0 && engine_busy(s->engine) == 0 && s->idle_exit_us > 0;

    if (!s->idle && (!idle || sd_event_add_time_relative(s->loop, &s->idle, CLOCK_MONOTONIC,
                                                         s->idle_exit_us, 0, on_idle, s) < 0))
        return;
    if (idle)
        sd_event_source_set_time_relative(s->idle, s->idle_exit_us);
    sd_event_source_set_enabled(s->idle, idle ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}
