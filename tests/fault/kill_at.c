/* kill_at.c - kill a running process as it is about to make its n-th system call from now.
 *
 *     kill_at PID N
 *
 * "ready" on stdout: counting.  Then "killed N NUMBER" with the number of the system call, and it
 * is over; or after a SIGTERM "counted M", and the process goes on untouched.  N 0 only counts. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int is_entry(pid_t pid, uint64_t *out_number)
{
    struct __ptrace_syscall_info info; /* its name in glibc */

    memset(&info, 0, sizeof info);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *) sizeof info, &info) < 0)
        return 0;
    *out_number = info.op == PTRACE_SYSCALL_INFO_ENTRY ? info.entry.nr : 0;
    return info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static void leave(pid_t pid, unsigned long counted)
{
    (void) ptrace(PTRACE_DETACH, pid, 0, 0);
    printf("counted %lu\n", counted);
    exit(0);
}

/* The signal to pass on at this stop; 0 none. */
static int signal_at(int status)
{
    int number = WSTOPSIG(status);

    return number == (SIGTRAP | 0x80) || status >> 16 ? 0 : number;
}

static int on_stop(pid_t pid, int status, unsigned long n, unsigned long *counted)
{
    uint64_t number;

    if (!WIFSTOPPED(status)) {
        printf("ended %lu\n", *counted);
        return 0;
    }
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) && is_entry(pid, &number) && ++*counted == n) {
        if (kill(pid, SIGKILL) < 0)
            fail("kill");
        printf("killed %lu %lu\n", *counted, (unsigned long) number);
        return 0;
    }
    if (ptrace(PTRACE_SYSCALL, pid, 0, signal_at(status)) < 0 && errno != ESRCH)
        fail("go on");
    return 1;
}

/* Blocked signals are never missed, whenever they come. */
static void trace(pid_t pid, unsigned long n)
{
    unsigned long counted = 0;
    int status, signal, enough = 0, begun = 0;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) < 0 ||
        ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
        fail("attach");
    while (sigwait(&signals, &signal) == 0) {
        if (signal == SIGTERM) {
            enough = 1;
            (void) ptrace(PTRACE_INTERRUPT, pid, 0, 0);
        }
        while (waitpid(pid, &status, __WALL | WNOHANG) > 0) {
            if (enough && WIFSTOPPED(status))
                leave(pid, counted);
            if (!on_stop(pid, status, n, &counted))
                return;
            if (!begun)
                puts("ready");
            begun = 1;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 3 || atoi(argv[1]) <= 0) {
        fputs("usage: kill_at PID N\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    trace((pid_t) atoi(argv[1]), strtoul(argv[2], NULL, 10));
    return 0;
}
