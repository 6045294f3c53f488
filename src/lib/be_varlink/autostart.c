/* autostart.c - find the service, connect to it, and start it when nobody answers.
 *
 * Owns:    nothing past a call: the service it starts is nobody's child and outlives us.
 * Users:   call.c, for each new connection.
 * Promise: of any number of clients that find no service at once, one starts it and the others
 *          wait for that one.  The socket listens before the service runs, so a client need not
 *          wait for it to be ready.  Between fork() and exec() only what is async-signal-safe
 *          happens: the program we are in may have threads.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fd.h"
#include "handles.h"

#define LOG_BYTES_MAX ((off_t) 1 << 20)
#define LOCK_LIMIT_MS 10000 /* somebody else is starting the service */
#define EXEC_LIMIT_MS 10000
#define QUOTED_BYTES 4096 /* of the end of the log */

enum { FD_LISTEN = 3, FD_REPORT = 4, FD_FREE = 10 };

/* ---- where ---- */

static hcs_result default_path(char **out, hcs_error *err)
{
    const char *directory = secure_getenv("XDG_RUNTIME_DIR");
    char *path = NULL;

    if (geteuid() == 0)
        path = strdup("/run/hcs/hcsd.sock");
    else if (!directory || directory[0] != '/')
        return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.address",
                    "XDG_RUNTIME_DIR is not set to a directory, so the socket of the service is "
                    "not known; set HCS_HOST to it");
    else if (asprintf(&path, "%s/hcs/hcsd.sock", directory) < 0)
        path = NULL;
    if (!path)
        return fail(err, HCS_E_OUTOFMEMORY, "host.address", "no memory for an address");
    *out = path;
    return HCS_OK;
}

static hcs_result check_path(const char *path, hcs_error *err)
{
    const size_t most = sizeof(((struct sockaddr_un *) 0)->sun_path) - 1;

    if (strlen(path) > most)
        return fail(err, HCS_E_INVALIDARG, "host.address",
                    "the path of a socket has at most %zu bytes, not %zu: '%s'", most, strlen(path),
                    path);
    if (path[strlen(path) - 1] == '/')
        return fail(err, HCS_E_INVALIDARG, "host.address",
                    "address '%s' is a directory, not a socket", path);
    return HCS_OK;
}

hcs_result autostart_address(const char *path_opt, char **out_path, hcs_error *err)
{
    _cleanup_(free_drop) char *path = NULL;
    hcs_result r;

    if (!path_opt) {
        r = default_path(&path, err);
        if (r < 0)
            return r;
    } else {
        path = strdup(path_opt);
        if (!path)
            return fail(err, HCS_E_OUTOFMEMORY, "host.address", "no memory for an address");
    }
    r = check_path(path, err);
    if (r < 0)
        return r;
    *out_path = TAKE(path);
    return HCS_OK;
}

/* ---- connecting ---- */

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

/* 1: connected; 0: nobody listens there. */
static hcs_result try_connect(const char *path, int *out_fd, hcs_error *err)
{
    /* A service that takes no connections shall not hold its clients for ever. */
    const struct timeval limit = { .tv_sec = START_LIMIT_MS / 1000 };
    struct sockaddr_un address = address_of(path);
    _cleanup_(fd_drop) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;

    if (fd < 0)
        return fail_os(err, result_from_errno(errno), errno, "host.connect", "socket for '%s'",
                       path);
    (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    do {
        r = connect(fd, (struct sockaddr *) &address, sizeof(address));
    } while (r < 0 && errno == EINTR);
    if (r == 0) {
        *out_fd = TAKE_FD(fd);
        return 1;
    }
    if (errno == ENOENT || errno == ECONNREFUSED)
        return 0;
    if (errno == EAGAIN)
        return fail_os(err, HCS_E_SERVICE_NOT_AVAILABLE, errno, "host.connect",
                       "the service at '%s' takes no connections", path);
    if (errno == EACCES || errno == EPERM)
        return fail_os(err, HCS_E_ACCESS_DENIED, errno, "host.connect", "connect to '%s'", path);
    return fail_os(err, HCS_E_SERVICE_NOT_AVAILABLE, errno, "host.connect", "connect to '%s'",
                   path);
}

/* ---- starting ---- */

/* All that the child needs, made before fork(). */
struct start {
    const char *path;
    char *program;
    char **environment;  /* pointers borrowed, except the one below */
    char listen_pid[40]; /* "LISTEN_PID=...", filled in by the child */
    int fd_listen;
    int fd_log;
    int fd_null;
    int fd_report; /* the child writes an errno here when it cannot exec */
};

static void start_done(struct start *s)
{
    free(s->program);
    free(s->environment);
    fd_drop(&s->fd_listen);
    fd_drop(&s->fd_log);
    fd_drop(&s->fd_null);
    fd_drop(&s->fd_report);
}

static hcs_result cannot_start(int os, const char *what, const char *path, hcs_error *err)
{
    return fail_os(err, HCS_E_SERVICE_NOT_AVAILABLE, os, "host.start",
                   "hcsd does not run, and cannot be started: %s '%s'", what, path);
}

/* Variables that would make the service talk to a manager that is not its own, or to itself. */
static bool is_withheld(const char *variable)
{
    static const char *const names[] = { "HCS_HOST=",       "LISTEN_PID=",    "LISTEN_FDS=",
                                         "LISTEN_FDNAMES=", "NOTIFY_SOCKET=", "WATCHDOG_PID=",
                                         "WATCHDOG_USEC=" };

    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

static hcs_result start_environment(struct start *s, hcs_error *err)
{
    static char listen_fds[] = "LISTEN_FDS=1";
    size_t n = 0, kept = 0;

    while (environ && environ[n])
        n++;
    s->environment = calloc(n + 3, sizeof(*s->environment));
    if (!s->environment)
        return fail(err, HCS_E_OUTOFMEMORY, "host.start", "no memory for the environment of hcsd");
    for (size_t i = 0; i < n; i++) {
        if (!is_withheld(environ[i]))
            s->environment[kept++] = environ[i];
    }
    s->environment[kept++] = listen_fds;
    s->environment[kept] = s->listen_pid;
    return HCS_OK;
}

static hcs_result cannot_run(int os, const char *program, hcs_error *err)
{
    return fail_os(err, HCS_E_SERVICE_NOT_AVAILABLE, os, "host.start",
                   "hcsd cannot be started (HCS_HCSD names the program): '%s'", program);
}

/* The program as an absolute path: the service leaves the working directory.  One that is not there
 * is noticed before the socket is touched, which somebody else may be about to serve. */
static hcs_result start_program(struct start *s, hcs_error *err)
{
    const char *named = secure_getenv("HCS_HCSD");
    char directory[4096];
    int n;

    if (!named)
        named = HCSD_PROGRAM;
    if (named[0] == '\0')
        return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.start", "HCS_HCSD is empty");
    if (named[0] == '/')
        n = asprintf(&s->program, "%s", named);
    else if (getcwd(directory, sizeof(directory)))
        n = asprintf(&s->program, "%s/%s", directory, named);
    else
        return cannot_start(errno, "working directory for", named, err);
    if (n < 0) {
        s->program = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "host.start", "no memory for '%s'", named);
    }
    if (access(s->program, X_OK) < 0)
        return cannot_run(errno, s->program, err);
    return HCS_OK;
}

/* Move a descriptor out of the way of those that the child needs. */
static hcs_result fd_move(int take_fd, int *out, const char *what, const char *path, hcs_error *err)
{
    _cleanup_(fd_drop) int fd = take_fd;
    int moved;

    if (fd < 0)
        return cannot_start(errno, what, path, err);
    moved = fcntl(fd, F_DUPFD_CLOEXEC, FD_FREE);
    if (moved < 0)
        return cannot_start(errno, what, path, err);
    *out = moved;
    return HCS_OK;
}

static hcs_result start_log(struct start *s, off_t *out_from, hcs_error *err)
{
    _cleanup_(free_drop) char *path = NULL;
    struct stat st;
    hcs_result r;

    if (asprintf(&path, "%.*s/hcsd.log", (int) (strrchr(s->path, '/') - s->path), s->path) < 0) {
        path = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "host.start", "no memory for the name of a log");
    }
    r = fd_move(open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600),
                &s->fd_log, "open", path, err);
    if (r < 0)
        return r;
    if (fstat(s->fd_log, &st) < 0)
        return cannot_start(errno, "look at", path, err);
    if (st.st_size > LOG_BYTES_MAX) {
        if (ftruncate(s->fd_log, 0) < 0)
            return cannot_start(errno, "truncate", path, err);
        st.st_size = 0;
    }
    *out_from = st.st_size;
    return HCS_OK;
}

static hcs_result start_listen(struct start *s, hcs_error *err)
{
    struct sockaddr_un address = address_of(s->path);
    struct stat st;
    hcs_result r;

    /* The socket of a service that was killed; nothing else may go. */
    if (lstat(s->path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return fail(err, HCS_E_INVALIDARG, "host.start", "'%s' is not a socket", s->path);
        if (unlink(s->path) < 0)
            return cannot_start(errno, "remove the old socket", s->path, err);
    }
    r = fd_move(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &s->fd_listen, "socket", s->path,
                err);
    if (r < 0)
        return r;
    /* The file gets the mode of the socket; umask() would be that of all threads. */
    if (fchmod(s->fd_listen, 0600) < 0 ||
        bind(s->fd_listen, (struct sockaddr *) &address, sizeof(address)) < 0)
        return cannot_start(errno, "bind", s->path, err);
    if (listen(s->fd_listen, SOMAXCONN) < 0) {
        int os = errno;

        (void) unlink(s->path);
        return cannot_start(os, "listen at", s->path, err);
    }
    return HCS_OK;
}

/* ---- in the child: async-signal-safe only ---- */

static void child_signals(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void) sigaction(i, &action, NULL);
    sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_listen_pid(struct start *s)
{
    static const char name[] = "LISTEN_PID=";
    char digits[20];
    size_t n = 0, at = sizeof(name) - 1;

    for (pid_t pid = getpid(); pid > 0; pid /= 10)
        digits[n++] = (char) ('0' + pid % 10);
    memcpy(s->listen_pid, name, at);
    while (n > 0)
        s->listen_pid[at++] = digits[--n];
    s->listen_pid[at] = '\0';
}

static void child_fail(int fd)
{
    int os = errno;
    ssize_t n = write(fd, &os, sizeof(os));

    (void) n;
    _exit(127);
}

static void child_run(struct start *s)
{
    static char name[] = "hcsd", option[] = "--auto";
    char *arguments[] = { name, option, NULL };
    pid_t pid;

    child_signals();
    if (setsid() < 0)
        child_fail(s->fd_report);
    pid = fork();
    if (pid < 0)
        child_fail(s->fd_report);
    if (pid > 0)
        _exit(0);
    if (dup2(s->fd_null, 0) < 0 || dup2(s->fd_log, 1) < 0 || dup2(s->fd_log, 2) < 0 ||
        dup2(s->fd_listen, FD_LISTEN) < 0 || dup3(s->fd_report, FD_REPORT, O_CLOEXEC) < 0 ||
        chdir("/") < 0)
        child_fail(s->fd_report);
    fd_close_from(FD_REPORT + 1);
    child_listen_pid(s);
    execve(s->program, arguments, s->environment);
    child_fail(FD_REPORT);
}

/* ---- and in the parent again ---- */

static pid_t start_fork(struct start *s)
{
    sigset_t all, before;
    pid_t pid;

    /* A handler of the program must not run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        child_run(s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static bool report_readable(int fd, uint64_t deadline)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n;

    do {
        n = poll(&p, 1, deadline_left_ms(deadline));
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* 0 when the program runs, else the errno why not. */
static int exec_result(int fd)
{
    uint64_t deadline = NO_DEADLINE;
    int os = 0;
    ssize_t n;

    if (deadline_of(EXEC_LIMIT_MS, "host.start", &deadline, NULL) < 0 ||
        !report_readable(fd, deadline))
        return 0;
    do {
        n = read(fd, &os, sizeof(os));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t) sizeof(os) ? os : 0;
}

static hcs_result start_run(struct start *s, hcs_error *err)
{
    _cleanup_(fd_drop) int report = -1;
    int ends[2], os;
    hcs_result r;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return cannot_start(errno, "pipe for", s->program, err);
    report = ends[0];
    r = fd_move(ends[1], &s->fd_report, "pipe for", s->program, err);
    if (r < 0)
        return r;
    pid = start_fork(s);
    if (pid < 0)
        return cannot_start(errno, "fork for", s->program, err);
    fd_drop(&s->fd_report);
    /* A program that reaps all its children may be faster; then there is nothing to reap. */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    os = exec_result(report);
    if (os == 0)
        return HCS_OK;
    (void) unlink(s->path);
    return cannot_run(os, s->program, err);
}

static hcs_result start_service(const char *path, struct autostart *out, hcs_error *err)
{
    _cleanup_(start_done) struct start s = {
        .path = path, .fd_listen = -1, .fd_log = -1, .fd_null = -1, .fd_report = -1
    };
    hcs_result r;

    r = start_program(&s, err);
    if (r >= 0)
        r = start_environment(&s, err);
    if (r >= 0)
        r = fd_move(open("/dev/null", O_RDWR | O_CLOEXEC), &s.fd_null, "open", "/dev/null", err);
    if (r >= 0)
        r = start_log(&s, &out->log_from, err);
    if (r >= 0)
        r = start_listen(&s, err);
    if (r >= 0)
        r = start_run(&s, err);
    if (r >= 0)
        out->started = true;
    return r;
}

/* A lock is of all descriptors that share it, also in a child that another thread has just made. */
static void lock_drop(int *fd)
{
    if (*fd >= 0)
        (void) flock(*fd, LOCK_UN);
    fd_drop(fd);
}

static hcs_result take_lock(const char *path, int *out_fd, hcs_error *err)
{
    _cleanup_(free_drop) char *name = NULL;
    _cleanup_(fd_drop) int fd = -1;
    const struct timespec pause = { .tv_nsec = 10 * 1000000 };
    uint64_t deadline = 0;
    hcs_result r;

    if (asprintf(&name, "%s.lock", path) < 0) {
        name = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "host.start", "no memory for the name of a lock");
    }
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    if (fd < 0)
        return cannot_start(errno, "open", name, err);
    r = deadline_of(LOCK_LIMIT_MS, "host.start", &deadline, err);
    if (r < 0)
        return r;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return cannot_start(errno, "lock", name, err);
        if (deadline_left_ms(deadline) == 0)
            return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.start",
                        "'%s' has been locked for %d s", name, LOCK_LIMIT_MS / 1000);
        nanosleep(&pause, NULL);
    }
    *out_fd = TAKE_FD(fd);
    return HCS_OK;
}

static hcs_result make_directory(const char *path, hcs_error *err)
{
    _cleanup_(free_drop) char *directory = strdup(path);
    struct stat st;
    hcs_result r;

    if (!directory)
        return fail(err, HCS_E_OUTOFMEMORY, "host.start", "no memory for a path");
    *strrchr(directory, '/') = '\0';
    if (directory[0] == '\0' || stat(directory, &st) == 0)
        return HCS_OK;
    r = dir_make(directory, 0700, err);
    return r < 0 ? fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.start",
                        "hcsd does not run, and cannot be started: no directory '%s'", directory)
                 : HCS_OK;
}

hcs_result autostart_connect_only(const char *path, int *out_fd, hcs_error *err)
{
    hcs_result r;

    assert(path && out_fd);
    r = try_connect(path, out_fd, err);
    if (r == 0)
        return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.connect",
                    "nobody serves '%s'; start hcsd there again, as it was started before", path);
    return r < 0 ? r : HCS_OK;
}

hcs_result autostart_connect(const char *path, int *out_fd, struct autostart *out_start,
                             hcs_error *err)
{
    _cleanup_(lock_drop) int lock = -1;
    struct autostart start = { 0 };
    hcs_result r;

    assert(path && out_fd && out_start);
    r = try_connect(path, out_fd, err);
    if (r != 0)
        return r < 0 ? r : HCS_OK;
    r = make_directory(path, err);
    if (r >= 0)
        r = take_lock(path, &lock, err);
    if (r < 0)
        return r;
    /* Whoever had the lock before may have started it. */
    r = try_connect(path, out_fd, err);
    if (r != 0)
        return r < 0 ? r : HCS_OK;
    r = start_service(path, &start, err);
    if (r < 0)
        return r;
    r = try_connect(path, out_fd, err);
    if (r < 0)
        return r;
    if (r == 0)
        return autostart_explain(path, &start, err);
    *out_start = start;
    return HCS_OK;
}

/* ---- when it does not live ---- */

/* The last line of @text that has something in it, in place. */
static char *last_line(char *text)
{
    size_t n = strlen(text);
    char *newline;

    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    newline = strrchr(text, '\n');
    return newline ? newline + 1 : text;
}

hcs_result autostart_explain(const char *path, const struct autostart *start, hcs_error *err)
{
    char text[QUOTED_BYTES + 1] = "";
    _cleanup_(free_drop) char *log = NULL;
    _cleanup_(fd_drop) int fd = -1;
    struct stat st;
    off_t from;
    ssize_t n;

    if (asprintf(&log, "%.*s/hcsd.log", (int) (strrchr(path, '/') - path), path) < 0) {
        log = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "host.start", "no memory for the name of a log");
    }
    fd = open(log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &st) == 0) {
        from = st.st_size - QUOTED_BYTES > start->log_from ? st.st_size - QUOTED_BYTES
                                                           : start->log_from;
        n = pread(fd, text, QUOTED_BYTES, from);
        text[n > 0 ? n : 0] = '\0';
    }
    if (last_line(text)[0] == '\0')
        return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.start",
                    "hcsd was started and ended at once; its log '%s' does not say why", log);
    return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.start",
                "hcsd was started and ended at once; its log '%s' ends with: %s", log,
                last_line(text));
}
