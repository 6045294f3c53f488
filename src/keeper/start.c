/* start.c - starts a program, and knows before it returns whether that worked.
 *
 * Used by talk.c.  The child reports the step that went wrong over a pipe that closes by itself
 * when the program has taken over; so a start that worked and one that failed cannot be confused.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attr.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *path_of(char *const environment[])
{
    for (; *environment; environment++)
        if (!strncmp(*environment, "PATH=", 5))
            return *environment + 5;
    return PATH_DEFAULT;
}

/* The kernel says of a missing interpreter what it says of a missing program. */
static int try_exec(const char *path, char *const argv[], char *const environment[])
{
    int error;

    execve(path, argv, environment);
    error = errno;
    return error == ENOENT && access(path, F_OK) == 0 ? ELIBACC : error;
}

/* Try one directory of a PATH; returns only when that failed. */
static int exec_in(const char *directory, size_t length, char *const argv[],
                   char *const environment[])
{
    size_t name_length = strlen(argv[0]);
    char path[PATH_MAX];

    if (length + name_length + 2 > sizeof(path))
        return ENAMETOOLONG;
    memcpy(path, directory, length);
    path[length] = '/';
    memcpy(path + length + 1, argv[0], name_length + 1);
    return try_exec(path, argv, environment);
}

/* Like execvpe(), but by the PATH of the program's own environment, and without a shell for files
 * that the kernel does not take. */
int start_become(char *const argv[], char *const environment[])
{
    int error = ENOENT;

    if (!*argv[0])
        return ENOENT;
    if (strchr(argv[0], '/'))
        return try_exec(argv[0], argv, environment);
    for (const char *from = path_of(environment);; from = strchr(from, ':') + 1) {
        size_t length = strcspn(from, ":");
        int why = exec_in(length ? from : ".", length ? length : 1, argv, environment);
        int goes_on = why == ENOENT || why == ENOTDIR || why == EACCES || why == ELIBACC;

        /* What stands in the way in one directory says more than its absence in the next. */
        if (why != ENOENT && why != ENOTDIR && error == ENOENT)
            error = why;
        if (!goes_on)
            return why;
        if (!from[length])
            return error;
    }
}

static int set_descriptors(const int *fds, size_t n_fds)
{
    for (int i = 0; i < (n_fds ? (int) n_fds : 3); i++) {
        int fd = n_fds ? fds[i] : open("/dev/null", O_RDWR | O_CLOEXEC);

        if (fd < 0 || dup2(fd, i) < 0)
            return errno;
    }
    return 0;
}

/* In the child; returns what to report. */
static struct keeper_report become(const struct program *what, pid_t keeper)
{
    sigset_t none;
    int error;

    if (what->is_own) {
        setsid();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != keeper)
            _exit(127); /* the keeper died before the line above */
    }
    umask(022);
    error = set_descriptors(what->fds, what->n_fds);
    if (error)
        return (struct keeper_report){ KEEPER_STEP_FORK, error };
    if (*what->directory && chdir(what->directory) < 0)
        return (struct keeper_report){ KEEPER_STEP_DIRECTORY, errno };
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    return (struct keeper_report){ KEEPER_STEP_EXEC, start_become(what->argv, what->environment) };
}

static _Noreturn void run_child(const struct program *what, pid_t keeper, int report_fd)
{
    struct keeper_report report = become(what, keeper);

    _exit(write(report_fd, &report, sizeof(report)) == sizeof(report) ? 127 : 126);
}

int start_program(const struct program *what, pid_t *out_pid, int *out_step)
{
    struct keeper_report report = { KEEPER_STEP_FORK, 0 };
    pid_t keeper = getpid(), pid;
    int ends[2];
    ssize_t n;

    *out_step = KEEPER_STEP_FORK;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return errno;
    pid = fork();
    if (pid < 0)
        report.error = errno;
    else if (pid == 0)
        run_child(what, keeper, ends[1]);
    close(ends[1]);
    do {
        n = pid > 0 ? read(ends[0], &report, sizeof(report)) : 0;
    } while (n < 0 && errno == EINTR);
    close(ends[0]);
    *out_step = report.step;
    if (report.error) {
        if (pid > 0)
            waitpid(pid, NULL, 0); /* it was never a process of anybody's */
        return report.error;
    }
    *out_pid = pid;
    return 0;
}
