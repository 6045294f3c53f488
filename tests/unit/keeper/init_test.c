/* init_test.c - the first process of a container, as pid 1 of a namespace of its own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

/* Waits with a child.  The child says that they are up, after exec: in a shell's fresh child a
 * signal may be taken for one to the shell, and be lost. */
#define SLEEPER "sh -c 'printf x; exec sleep 1000' & wait"

struct container {
    pid_t init;
    int init_fd;  /* pidfd */
    int lives[2]; /* ends with the last program */
};

static const char *reason; /* why these tests cannot run here, or NULL */

/* A child in a new pid namespace, without leaving one's own. */
static pid_t fork_namespace(void)
{
    return (pid_t) syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
}

/* A SIGTERM to pid 1 of a container that has not begun yet is thrown away by the kernel; its
 * handler is the sign from outside that it has. */
static void wait_until_up(pid_t init)
{
    char path[64], line[256];
    unsigned long long caught = 0;

    snprintf(path, sizeof(path), "/proc/%d/status", (int) init);
    while (!(caught & 1ull << (SIGTERM - 1))) {
        FILE *f = fopen(path, "r");

        assert_non_null(f);
        while (fgets(line, sizeof(line), f))
            sscanf(line, "SigCgt: %llx", &caught);
        fclose(f);
        assert_int_equal(waitpid(init, NULL, WNOHANG), 0);
        sched_yield();
    }
}

static int container_begin(void **state)
{
    struct container *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    assert_int_equal(pipe2(c->lives, O_CLOEXEC), 0);
    if (!reason) {
        c->init = fork_namespace();
        if (c->init == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            execl(keeper_path(), "hcs-keeper", "--init", (char *) NULL);
            _exit(99);
        }
        assert_true(c->init > 0);
        c->init_fd = (int) syscall(SYS_pidfd_open, c->init, 0);
        assert_true(c->init_fd >= 0);
        wait_until_up(c->init);
    }
    *state = c;
    return 0;
}

static int container_end(void **state)
{
    struct container *c = *state;

    if (c->init) {
        kill(c->init, SIGKILL);
        waitpid(c->init, NULL, 0);
        close(c->init_fd);
    }
    close(c->lives[0]);
    if (c->lives[1] >= 0)
        close(c->lives[1]);
    free(c);
    return 0;
}

/* A program put into the container from outside: init is not its parent.  Returns once it says it
 * is up. */
static pid_t enter(struct container *c, const char *script)
{
    int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    char byte;
    pid_t pid;

    assert_int_equal(setns(c->init_fd, CLONE_NEWPID), 0);
    pid = fork();
    if (pid == 0) {
        dup2(c->lives[1], 1);
        execl("/bin/sh", "sh", "-c", script, (char *) NULL);
        _exit(99);
    }
    assert_int_equal(setns(own, CLONE_NEWPID), 0);
    close(own);
    assert_true(pid > 0);
    assert_int_equal(read(c->lives[0], &byte, 1), 1);
    return pid;
}

static int status_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int has_ended(const struct container *c)
{
    struct pollfd p = { .fd = c->init_fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

static int end_of_init(struct container *c)
{
    int status = status_of(c->init);

    c->init = 0;
    close(c->init_fd);
    return status;
}

#define NEEDS_ROOT()                                                                               \
    do {                                                                                           \
        if (reason) {                                                                              \
            print_message("skipped: %s\n", reason);                                                \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void sigterm_passes_to_all_and_ends_when_they_have(void **state)
{
    struct container *c = *state;
    pid_t program;

    NEEDS_ROOT();
    program = enter(c, "trap 'exit 5' TERM; " SLEEPER);
    kill(c->init, SIGTERM);
    assert_int_equal(status_of(program), 5 << 8);
    assert_int_equal(end_of_init(c), 0);
}

static void stays_while_somebody_ignores_sigterm(void **state)
{
    struct container *c = *state;
    pid_t deaf, polite;

    NEEDS_ROOT();
    deaf = enter(c, "trap '' TERM; printf x; exec sleep 1000");
    polite = enter(c, "printf x; exec sleep 1000");
    kill(c->init, SIGTERM);
    assert_int_equal(status_of(polite), SIGTERM);
    assert_false(has_ended(c));
    polite = enter(c, "printf x; exec sleep 1000");
    kill(c->init, SIGTERM);
    assert_int_equal(status_of(polite), SIGTERM); /* asked again, it tells again */
    assert_false(has_ended(c));
    kill(deaf, SIGKILL);
    assert_int_equal(status_of(deaf), SIGKILL);
    assert_int_equal(end_of_init(c), 0);
}

static void orphans_are_reaped(void **state)
{
    struct container *c = *state;
    pid_t program;

    /* An orphan that nobody reaped would be somebody to wait for, for ever. */
    NEEDS_ROOT();
    program = enter(c, "for i in 1 2 3 4 5 6 7 8 9; do (sleep 0 & sleep 0 &) done; printf x");
    assert_int_equal(status_of(program), 0);
    kill(c->init, SIGTERM);
    assert_int_equal(end_of_init(c), 0);
}

static void other_signals_do_not_end_it(void **state)
{
    static const int signals[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,
                                   SIGUSR2, SIGALRM, SIGPIPE, SIGCHLD };
    struct container *c = *state;
    pid_t program;

    NEEDS_ROOT();
    program = enter(c, "trap 'exit 0' TERM; " SLEEPER);
    for (size_t i = 0; i < N_ELEMENTS(signals); i++)
        kill(c->init, signals[i]);
    kill(c->init, SIGTERM);
    assert_int_equal(status_of(program), 0); /* it was there to pass this one on */
    assert_int_equal(end_of_init(c), 0);
}

#define IN_CONTAINER(test) cmocka_unit_test_setup_teardown(test, container_begin, container_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CONTAINER(sigterm_passes_to_all_and_ends_when_they_have),
        IN_CONTAINER(stays_while_somebody_ignores_sigterm),
        IN_CONTAINER(orphans_are_reaped),
        IN_CONTAINER(other_signals_do_not_end_it),
    };
    pid_t probe = fork_namespace();

    if (probe == 0)
        _exit(0);
    if (probe < 0)
        reason = "no pid namespace can be made here";
    else
        waitpid(probe, NULL, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
