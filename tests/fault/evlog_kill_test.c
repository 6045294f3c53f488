/* evlog_kill_test.c - the event log's process is killed at each of its operations on files.
 *
 * After each the log is opened again: it is dense, has everything that was told, nothing that was
 * not appended, and goes on. */

#define PLACE "/dev/shm"

#include "../unit/engine/evlog_place.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "fault_vfs.h"

#define BATCHES 14
#define BATCH 9

/* A life of the log: made, filled, trimmed, closed; what was committed is told through @fd. */
static void live(const struct place *p, int fd)
{
    struct evlog_options options = { .path = p->path, .events_max = 60, .ended_max = 3 };

    for (int life = 0; life < 2; life++) {
        struct evlog *log = NULL;

        if (evlog_open(NULL, &options, &log, NULL) < 0)
            _exit(2);
        for (int i = 0; i < BATCHES; i++) {
            uint64_t last;

            for (int k = 0; k < BATCH; k++)
                append(log, "a", evlog_next_incarnation(log));
            if (evlog_commit(log, NULL) < 0)
                _exit(3);
            last = evlog_last(log);
            if (write(fd, &last, sizeof last) != sizeof last)
                _exit(4);
        }
        evlog_close(log);
    }
    _exit(0);
}

/* Run it until it is killed; 0 when it came to its end.  @out_told: what it told last. */
static int run_until(const struct place *p, enum fault_what what, long at, uint64_t *out_told)
{
    uint64_t told;
    int pipe_fds[2], status;
    pid_t pid;

    assert_int_equal(pipe(pipe_fds), 0);
    pid = fork();
    if (pid == 0) {
        fault_set((struct fault){ .what = what, .at = at });
        live(p, pipe_fds[1]);
    }
    close(pipe_fds[1]);
    while (read(pipe_fds[0], &told, sizeof told) == sizeof told)
        *out_told = told;
    close(pipe_fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return 1;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return 0;
}

static void check_after(const struct place *p, uint64_t told)
{
    struct evlog *log = open_log(p, 60);
    struct seen seen = read_all(log, evlog_first(log) - 1);
    uint64_t last = evlog_last(log);

    assert_true(last == told || last == told + BATCH); /* a whole transaction, or none */
    assert_int_equal(seen.n, last + 1 - evlog_first(log));
    assert_int_equal(status_of(log).set_aside, 0);
    assert_true(evlog_next_incarnation(log) > last); /* one was taken for each event */
    assert_int_equal(append(log, "after", 1), last + 1);
    commit(log);
    evlog_close(log);
}

static void check_all_points(const struct place *p, enum fault_what what)
{
    int killed = 1;
    long at;

    for (at = 1; killed; at++) {
        uint64_t told = 0;

        assert_int_equal(dir_remove(p->dir, NULL), HCS_OK);
        assert_int_equal(mkdir(p->dir, 0700), 0);
        killed = run_until(p, what, at, &told);
        check_after(p, told);
        if (!killed)
            assert_int_equal(told, 2 * BATCHES * BATCH);
    }
    print_message("%ld points\n", at - 2);
    assert_true(at > 100);
}

static void killed_before_any_operation_it_loses_nothing_told(void **state)
{
    check_all_points(*state, FAULT_KILL);
}

static void killed_in_the_middle_of_any_write_it_loses_nothing_told(void **state)
{
    check_all_points(*state, FAULT_KILL_TORN);
}

/* Wherever it was, not only at operations on files. */
static void killed_at_any_time_it_loses_nothing_told(void **state)
{
    const struct place *p = *state;
    uint64_t told = 0;

    srandom(11);
    for (int i = 0; i < 60; i++) {
        int pipe_fds[2], wanted = 1 + (int) (random() % 25);
        pid_t pid;

        assert_int_equal(dir_remove(p->dir, NULL), HCS_OK);
        assert_int_equal(mkdir(p->dir, 0700), 0);
        assert_int_equal(pipe(pipe_fds), 0);
        told = 0;
        pid = fork();
        if (pid == 0)
            live(p, pipe_fds[1]);
        close(pipe_fds[1]);
        for (int k = 0; k < wanted; k++)
            assert_int_equal(read(pipe_fds[0], &told, sizeof told), sizeof told);
        for (volatile long spin = random() % 300000; spin > 0; spin--)
            ;
        kill(pid, SIGKILL);
        while (read(pipe_fds[0], &told, sizeof told) == sizeof told)
            ;
        close(pipe_fds[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        check_after(p, told);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(killed_before_any_operation_it_loses_nothing_told),
        T(killed_in_the_middle_of_any_write_it_loses_nothing_told),
        T(killed_at_any_time_it_loses_nothing_told),
    };

    fault_vfs_install();
    return cmocka_run_group_tests_name("evlog_kill", tests, NULL, NULL);
}
