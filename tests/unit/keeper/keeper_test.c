/* keeper_test.c - what the keeper promises to whoever is at the other end of its socket. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

static const char *self_path; /* this program: run with --daemon it becomes one */

/* A daemon of the old school: twice forked, a session of its own; tells its pid, stays. */
static int become_daemon(const char *pid_file)
{
    FILE *f;

    if (fork())
        return 0;
    setsid();
    if (fork())
        _exit(0);
    f = fopen(pid_file, "w");
    if (!f)
        _exit(1);
    fprintf(f, "%d\n", (int) getpid());
    fclose(f);
    if (write(1, "up", 2) != 2)
        _exit(1);
    for (;;)
        pause();
}

/* ---- exits ---- */

static void every_exit_code_is_told_truly(void **state)
{
    struct stage *s = *state;
    char script[32];

    for (uint32_t code = 0; code < 256; code++) {
        struct keeper_header end;

        snprintf(script, sizeof(script), "exit %u", code);
        spawn(s, code + 1, script);
        end = hear_until(s, KEEPER_EXITED);
        assert_int_equal(end.number, code + 1);
        assert_true(WIFEXITED((int) end.status));
        assert_int_equal(WEXITSTATUS((int) end.status), code);
        say(s, KEEPER_ACK, end.number, 0);
    }
}

static void every_deadly_signal_is_told_truly(void **state)
{
    static const int signals[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE,
                                   SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, 34,      64 };
    struct stage *s = *state;
    char script[64];

    for (uint32_t i = 0; i < N_ELEMENTS(signals); i++) {
        struct keeper_header end;

        snprintf(script, sizeof(script), "ulimit -c 0; kill -%d $$", signals[i]);
        spawn(s, i + 1, script);
        end = hear_until(s, KEEPER_EXITED);
        assert_true(WIFSIGNALED((int) end.status));
        assert_int_equal(WTERMSIG((int) end.status), signals[i]);
    }
}

static void count_exits(struct stage *s, uint32_t n, unsigned *counts)
{
    for (uint32_t heard = 0; heard < n;) {
        struct keeper_header m = hear(s);

        if (m.type != KEEPER_EXITED)
            continue;
        assert_in_range(m.number, 1, n);
        counts[m.number - 1]++;
        heard++;
    }
}

static void two_hundred_ends_at_once_are_told_once_each(void **state)
{
    struct stage *s = *state;
    unsigned counts[200] = { 0 };
    int gate[2];

    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    for (uint32_t i = 0; i < 200; i++) {
        const int fds[3] = { gate[0], null_fds[1], null_fds[2] };

        say_spawn(s, i + 1, fds, "read x; exit 3");
        assert_int_equal(hear_type(s, KEEPER_DONE).error, 0);
    }
    close(gate[0]);
    close(gate[1]);
    count_exits(s, 200, counts);
    hear_type(s, KEEPER_EMPTY);
    for (int i = 0; i < 200; i++)
        assert_int_equal(counts[i], 1);
    expect_silence(s);
}

static void a_reader_who_does_not_read_loses_nothing(void **state)
{
    enum { N = 700 };
    struct stage *s = *state;
    unsigned *counts = calloc(N, sizeof(*counts));
    int gate[2], lives[2];

    assert_non_null(counts);
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    for (uint32_t i = 0; i < N; i++) {
        const int fds[3] = { gate[0], lives[1], null_fds[2] };

        say_spawn(s, i + 1, fds, "read x");
        assert_int_equal(hear_type(s, KEEPER_DONE).error, 0);
    }
    close(gate[0]);
    close(gate[1]);
    close(lives[1]);
    wait_for_end(lives[0]);
    close(lives[0]);
    for (uint32_t i = 0; i < N; i++)
        wait_until_idle(s->dir, s->keeper, i + 1); /* by now the connection is full */
    count_exits(s, N, counts);
    hear_type(s, KEEPER_EMPTY);
    for (int i = 0; i < N; i++)
        assert_int_equal(counts[i], 1);
    free(counts);
    expect_silence(s);
}

/* ---- records ---- */

static void record_read(const struct stage *s, uint32_t number, char *out, size_t size)
{
    char path[128];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/%s%u", s->dir, KEEPER_RECORD_PREFIX, number);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    n = read(fd, out, size - 1);
    assert_true(n > 0);
    out[n] = 0;
    close(fd);
}

static void record_exists_before_exit_is_told(void **state)
{
    struct stage *s = *state;
    char record[256], expected[256];

    for (uint32_t number = 1; number <= 50; number++) {
        struct keeper_header end;

        spawn(s, number, "exit 9");
        end = hear_until(s, KEEPER_EXITED);
        record_read(s, number, record, sizeof(record));
        snprintf(
            expected, sizeof(expected),
            "number %u\npid %d\nstatus %u\nrealtime_ns %llu\nmonotonic_ns %llu\nasked 0\nstage 0\n",
            number, end.pid, 9u << 8, (unsigned long long) end.realtime_ns,
            (unsigned long long) end.monotonic_ns);
        assert_string_equal(record, expected);
    }
}

static void exit_is_told_when_no_record_can_be_written(void **state)
{
    struct stage *s = *state;
    char path[128];

    /* A directory in the way of the temporary file: stops root too. */
    snprintf(path, sizeof(path), "%s/exit.1.tmp", s->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    spawn(s, 1, "exit 4");
    assert_int_equal(hear_type(s, KEEPER_EXITED).status, 4 << 8);
    stage_reconnect(s);
    assert_int_equal(hear_type(s, KEEPER_EXITED).status, 4 << 8);
    assert_int_equal(rmdir(path), 0);
}

static void acknowledged_exit_is_forgotten(void **state)
{
    struct stage *s = *state;

    spawn(s, 1, "exit 1");
    hear_type(s, KEEPER_EXITED);
    hear_type(s, KEEPER_EMPTY);
    assert_true(dir_has(s->dir, "exit.1"));
    say(s, KEEPER_ACK, 1, 0);
    expect_silence(s);
    assert_false(dir_has(s->dir, "exit.1"));
    stage_reconnect(s);
    hear_type(s, KEEPER_READY);
    hear_type(s, KEEPER_EMPTY);
    expect_silence(s);
}

static void reconnect_tells_unacknowledged_exits_and_the_living(void **state)
{
    struct stage *s = *state;
    struct keeper_header m;

    for (uint32_t number = 1; number <= 3; number++) {
        spawn(s, number, "exit 1");
        hear_until(s, KEEPER_EXITED);
    }
    spawn(s, 4, "exec sleep 1000");
    say(s, KEEPER_ACK, 2, 0);
    stage_reconnect(s);
    m = hear_type(s, KEEPER_EXITED);
    assert_int_equal(m.number, 1);
    m = hear_type(s, KEEPER_EXITED);
    assert_int_equal(m.number, 3);
    m = hear_type(s, KEEPER_TRACKED);
    assert_int_equal(m.number, 4);
    hear_type(s, KEEPER_READY);
    expect_silence(s);
}

static void exit_while_nobody_listens_is_told_to_the_next(void **state)
{
    struct stage *s = *state;
    int gate[2], lives[2];

    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    say_spawn(s, 1, (int[]){ gate[0], lives[1], null_fds[2] }, "read x; exit 21");
    hear_type(s, KEEPER_DONE);
    close(s->fd);
    s->fd = -1;
    close(gate[0]);
    close(gate[1]);
    close(lives[1]);
    wait_for_end(lives[0]);
    close(lives[0]);
    stage_reconnect(s);
    assert_int_equal(hear_until(s, KEEPER_EXITED).status, 21 << 8);
}

static void new_connection_replaces_the_old(void **state)
{
    struct stage *s = *state;
    int old = s->fd;
    char byte;

    s->fd = -1;
    stage_reconnect(s);
    assert_int_equal(recv(old, &byte, 1, 0), 0);
    close(old);
    hear_type(s, KEEPER_READY);
    expect_silence(s);
}

/* ---- programs with a pid file ---- */

static struct keeper_header run(struct stage *s, uint32_t number, const char *pid_file,
                                const char *script)
{
    uint32_t tag =
        say_strings(s, KEEPER_RUN, number, NULL, pid_file, "/bin/sh", "-c", script, NULL);
    struct keeper_header done = hear_until(s, KEEPER_DONE);

    assert_int_equal(done.tag, tag);
    return done;
}

static void detached_process_is_tracked(void **state)
{
    struct stage *s = *state;
    struct keeper_header done = run(s, 7, "pid", "sleep 1000 & echo $! > pid"), end;

    assert_int_equal(done.status, 0);
    assert_int_equal(done.error, 0);
    assert_true(done.pid > 0);
    say(s, KEEPER_SIGNAL, 7, SIGUSR1);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, 0);
    end = hear_type(s, KEEPER_EXITED);
    assert_int_equal(end.number, 7);
    assert_int_equal(end.pid, done.pid);
    assert_int_equal(end.status, SIGUSR1);
    hear_type(s, KEEPER_EMPTY);
}

/* The process ends when it is nobody's child but the keeper's, and the program goes on until it has
 * been reaped: so its exit comes first. */
static void exit_before_the_pid_file_is_read_is_matched(void **state)
{
    struct stage *s = *state;
    struct keeper_header done, end;

    done = run(s, 8, "pid",
               "(sh -c 'while ! test -e go; do :; done; exit 13' & echo $! > pid); : > go; "
               "while kill -0 $(cat pid) 2>/dev/null; do :; done");
    assert_int_equal(done.status, 0);
    assert_int_equal(done.error, 0);
    end = hear_type(s, KEEPER_EXITED);
    assert_int_equal(end.number, 8);
    assert_int_equal(end.pid, done.pid);
    assert_int_equal(end.status, 13 << 8);
    assert_true(dir_has(s->dir, "exit.8"));
}

/* `crun run --detach` has a parent in between, which ends a little after the program. */
static void process_behind_a_parent_that_is_still_ending_is_tracked(void **state)
{
    struct stage *s = *state;
    struct keeper_header done;
    char path[128];
    uint32_t tag;
    int fd;

    tag = say_strings(s, KEEPER_RUN, 9, NULL, "pid", "/bin/sh", "-c",
                      "(sleep 1000 & echo $! > pid; : > ready; while ! test -e go; do :; done) & "
                      "while ! test -e ready; do :; done",
                      NULL);
    while (!dir_has(s->dir, "ready"))
        sched_yield();
    expect_silence(s);
    snprintf(path, sizeof path, "%s/go", s->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    done = hear_type(s, KEEPER_DONE);
    assert_int_equal(done.tag, tag);
    assert_int_equal(done.error, 0);
    assert_true(done.pid > 0);
    say(s, KEEPER_SIGNAL, 9, SIGKILL);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, 0);
    assert_int_equal(hear_type(s, KEEPER_EXITED).pid, done.pid);
}

static void pid_file_is_not_believed_blindly(void **state)
{
    struct stage *s = *state;

    assert_int_equal(run(s, 1, "pid", "echo 1 > pid").error, ECHILD);
    assert_int_equal(run(s, 1, "none", "exit 0").error, ENOENT);
    assert_int_equal(run(s, 1, "pid", "echo 12x > pid").error, EINVAL);
    assert_int_equal(run(s, 1, "pid", "echo 99999999999999999999 > pid").error, EINVAL);
    assert_int_equal(run(s, 1, "pid", ": > pid").error, EINVAL);
    spawn(s, 1, "exec sleep 1000"); /* the number is free again */
}

static void failed_program_leaves_no_process(void **state)
{
    struct stage *s = *state;
    struct keeper_header done = run(s, 1, "pid", "echo $$ > pid; exit 6");

    assert_int_equal(done.status, 6 << 8);
    assert_int_equal(done.pid, 0);
    expect_silence(s);
}

static void number_is_used_once(void **state)
{
    struct stage *s = *state;

    spawn(s, 5, "exec sleep 1000");
    say_spawn(s, 5, null_fds, "exit 0");
    assert_int_equal(hear_type(s, KEEPER_DONE).error, EEXIST);
    say_spawn(s, 0, null_fds, "exit 0");
    assert_int_equal(hear_type(s, KEEPER_DONE).error, EINVAL);
}

static void too_many_programs_are_refused_by_errno(void **state)
{
    struct stage *s = *state;
    unsigned n_refused = 0, n_ended = 0;
    int gate[2];

    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    for (unsigned i = 0; i < KEEPER_COMMANDS_MAX + 2; i++)
        say_strings(s, KEEPER_RUN, 0, (int[]){ gate[0], null_fds[1], null_fds[2] }, "", "/bin/sh",
                    "-c", "read x", NULL);
    for (; n_refused < 2; n_refused++)
        assert_int_equal(hear_type(s, KEEPER_DONE).error, EAGAIN);
    expect_silence(s); /* and other commands are still answered */
    close(gate[0]);
    close(gate[1]);
    for (; n_ended < KEEPER_COMMANDS_MAX; n_ended++)
        assert_int_equal(hear_type(s, KEEPER_DONE).error, 0);
    expect_silence(s);
}

/* ---- what a program finds ---- */

static void passed_stdio_reaches_the_program(void **state)
{
    struct stage *s = *state;
    int in[2], out[2], other[2];
    char bytes[16] = { 0 };

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(other, O_CLOEXEC), 0);
    say_spawn(s, 1, (int[]){ in[0], out[1], other[1] }, "read x; echo \"<$x>\"; echo no >&2");
    close(in[0]);
    close(out[1]);
    close(other[1]);
    assert_int_equal(write(in[1], "hello\n", 6), 6);
    assert_int_equal(hear_until(s, KEEPER_EXITED).status, 0);
    assert_int_equal(read(out[0], bytes, sizeof(bytes)), 8);
    assert_memory_equal(bytes, "<hello>\n", 8);
    assert_int_equal(read(other[0], bytes, sizeof(bytes)), 3);
    assert_memory_equal(bytes, "no\n", 3);
    assert_int_equal(read(other[0], bytes, sizeof(bytes)), 0); /* the keeper keeps no copy */
    close(in[1]);
    close(out[0]);
    close(other[0]);
}

static void program_without_stdio_gets_dev_null(void **state)
{
    struct stage *s = *state;
    struct keeper_header done =
        run(s, 0, "", "for i in 0 1 2; do test /proc/$$/fd/$i -ef /dev/null || exit 1; done");

    assert_int_equal(done.status, 0);
}

static void program_gets_a_clean_slate(void **state)
{
    struct stage *s = *state;
    int out[2];
    char text[512] = { 0 };

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    say_strings(s, KEEPER_SPAWN, 1, (int[]){ null_fds[0], out[1], null_fds[2] }, "/usr", "3",
                "/bin/sh", "-c",
                "grep -E 'SigBlk|SigIgn' /proc/self/status; ls /proc/self/fd | wc -l; pwd; umask; "
                "test $(ps -o sid= -p $$) -eq $$ && echo leads; echo $A",
                "A=b c", "PATH=/usr/bin:/bin", NULL);
    close(out[1]);
    hear_until(s, KEEPER_EXITED);
    assert_true(read(out[0], text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
                              "4\n/usr\n0022\nleads\nb c\n");
    close(out[0]);
}

static void expect_spawn_error(struct stage *s, const char *directory, const char *program,
                               int error, int step)
{
    struct keeper_header done;

    say_strings(s, KEEPER_SPAWN, 1, null_fds, directory, "1", program, "PATH=/usr/bin:/bin", NULL);
    done = hear_type(s, KEEPER_DONE);
    assert_int_equal(done.error, error);
    assert_int_equal(done.value, step);
}

static void failed_spawn_says_where_and_why(void **state)
{
    struct stage *s = *state;

    expect_spawn_error(s, "", "no-such-program", ENOENT, KEEPER_STEP_EXEC);
    expect_spawn_error(s, "", "/no/such/program", ENOENT, KEEPER_STEP_EXEC);
    expect_spawn_error(s, "", "/etc/passwd", EACCES, KEEPER_STEP_EXEC);
    expect_spawn_error(s, "", "", ENOENT, KEEPER_STEP_EXEC);
    expect_spawn_error(s, "/no/such/directory", "sh", ENOENT, KEEPER_STEP_DIRECTORY);
    expect_silence(s);
}

/* ---- signals ---- */

static pid_t fork_with_pid(pid_t pid)
{
    char digits[16];
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    int n = snprintf(digits, sizeof(digits), "%d", pid - 1);
    ssize_t written;
    pid_t child;

    if (fd < 0)
        return -1;
    written = write(fd, digits, (size_t) n);
    close(fd);
    if (written != n)
        return -1;
    child = fork();
    if (child)
        return child;
    for (;;)
        pause();
}

static void signal_after_the_end_reaches_nobody(void **state)
{
    struct stage *s = *state;
    struct keeper_header end;
    pid_t heir;

    spawn(s, 1, "exit 0");
    end = hear_type(s, KEEPER_EXITED);
    hear_type(s, KEEPER_EMPTY);
    heir = fork_with_pid(end.pid); /* where allowed, somebody else has its pid now */
    say(s, KEEPER_SIGNAL, 1, SIGKILL);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, ESRCH);
    say(s, KEEPER_SIGNAL_ALL, 0, SIGKILL);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, ESRCH);
    if (heir <= 0)
        return;
    if (heir != end.pid)
        print_message("pid %d came instead of %d: the number could not be used again\n", heir,
                      end.pid);
    assert_int_equal(waitpid(heir, NULL, WNOHANG), 0);
    kill(heir, SIGKILL);
    waitpid(heir, NULL, 0);
}

static void bad_signal_is_refused_by_errno(void **state)
{
    struct stage *s = *state;

    spawn(s, 1, "exec sleep 1000");
    say(s, KEEPER_SIGNAL, 1, 4711);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, EINVAL);
    say(s, KEEPER_SIGNAL_ALL, 0, -9);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, EINVAL);
    expect_silence(s);
}

static pid_t pid_read(const struct stage *s, const char *name)
{
    char path[128];
    int pid = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    return pid;
}

/* A daemon under the keeper; *@out_lives ends with it. */
static pid_t start_daemon(struct stage *s, int *out_lives)
{
    char script[512], up[2];
    int lives[2];

    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    snprintf(script, sizeof(script), "exec '%s' --daemon '%s/daemon.pid'", self_path, s->dir);
    say_spawn(s, 100, (int[]){ null_fds[0], lives[1], null_fds[2] }, script);
    close(lives[1]);
    hear_until(s, KEEPER_EXITED);
    assert_int_equal(read(lives[0], up, 2), 2);
    *out_lives = lives[0];
    return pid_read(s, "daemon.pid");
}

static void signal_all_reaches_daemons(void **state)
{
    struct stage *s = *state;
    int lives;
    pid_t daemon = start_daemon(s, &lives);

    say(s, KEEPER_SIGNAL_ALL, 0, SIGKILL);
    assert_int_equal(hear_until(s, KEEPER_DONE).error, 0);
    hear_type(s, KEEPER_EMPTY);
    wait_for_end(lives);
    close(lives);
    assert_int_equal(kill(daemon, 0), -1);
}

static void signal_all_reaches_grandchildren(void **state)
{
    struct stage *s = *state;
    int lives[2];
    char up[4];

    /* None of the parents passes the signal on or dies of it. */
    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    say_spawn(
        s, 1, (int[]){ null_fds[0], lives[1], null_fds[2] },
        "trap : TERM; sh -c 'trap : TERM; sh -c \"trap \\\"echo got; exit 5\\\" TERM; echo up; "
        "while :; do :; done\"; exit $?'; exit $?");
    close(lives[1]);
    hear_type(s, KEEPER_DONE);
    assert_int_equal(read(lives[0], up, 3), 3);
    say(s, KEEPER_SIGNAL_ALL, 0, SIGTERM);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, 0);
    assert_int_equal(hear_until(s, KEEPER_EXITED).status, 5 << 8);
    assert_int_equal(read(lives[0], up, 4), 4);
    assert_memory_equal(up, "got\n", 4);
    close(lives[0]);
}

static void kill_all_wins_against_a_fork_bomb(void **state)
{
    struct stage *s = *state;
    int lives[2];
    char up[3];

    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    say_spawn(s, 1, (int[]){ null_fds[0], lives[1], null_fds[2] },
              "echo up; f() { (sleep 0.01; f) & (sleep 0.02) & }; f; f; while :; do sleep 0.01 & "
              "wait; done");
    close(lives[1]);
    hear_type(s, KEEPER_DONE);
    assert_int_equal(read(lives[0], up, 3), 3);
    say(s, KEEPER_SIGNAL_ALL, 0, SIGKILL);
    hear_until(s, KEEPER_EMPTY);
    wait_for_end(lives[0]);
    close(lives[0]);
}

static void quit_leaves_nothing_but_records(void **state)
{
    struct stage *s = *state;
    int lives, status;

    start_daemon(s, &lives);
    spawn(s, 1, "trap '' TERM HUP INT; while :; do sleep 1000; done");
    say(s, KEEPER_QUIT, 0, 0);
    assert_int_equal(waitpid(s->keeper, &status, 0), s->keeper);
    s->keeper = 0;
    assert_int_equal(status, 0);
    wait_for_end(lives);
    close(lives);
    assert_true(dir_has(s->dir, "exit.1"));
    assert_true(dir_has(s->dir, "exit.100"));
    assert_false(dir_has(s->dir, KEEPER_SOCKET));
    unlink(strcat(strcpy((char[128]){ 0 }, s->dir), "/daemon.pid"));
    unlink(strcat(strcpy((char[128]){ 0 }, s->dir), "/exit.1"));
    unlink(strcat(strcpy((char[128]){ 0 }, s->dir), "/exit.100"));
    assert_int_equal(rmdir(s->dir), 0); /* nothing else was in it */
    assert_int_equal(mkdir(s->dir, 0700), 0);
}

static void spawned_programs_die_with_the_keeper(void **state)
{
    struct stage *s = *state;
    int lives[2];

    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    say_spawn(s, 1, (int[]){ null_fds[0], lives[1], null_fds[2] }, "exec sleep 1000");
    close(lives[1]);
    hear_type(s, KEEPER_DONE);
    kill(s->keeper, SIGKILL);
    assert_int_equal(waitpid(s->keeper, NULL, 0), s->keeper);
    s->keeper = 0;
    wait_for_end(lives[0]);
    close(lives[0]);
}

static void only_sigkill_ends_the_keeper(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGQUIT };
    struct stage *s = *state;

    for (size_t i = 0; i < N_ELEMENTS(signals); i++)
        kill(s->keeper, signals[i]);
    expect_silence(s);
}

/* ---- bad peers ---- */

static void send_bytes(struct stage *s, const void *bytes, size_t n)
{
    assert_int_equal(send(s->fd, bytes, n, MSG_NOSIGNAL), n);
}

/* The keeper closes the connection, lives on, and serves the next one as ever. */
static void expect_closed(struct stage *s)
{
    char byte;

    assert_true(recv(s->fd, &byte, 1, 0) <= 0);
    stage_reconnect(s);
    hear_until(s, KEEPER_READY);
}

static void malformed_messages_end_the_connection_only(void **state)
{
    struct stage *s = *state;
    static char huge[KEEPER_MESSAGE_MAX + 1];
    struct keeper_header header = { .type = KEEPER_RUN, .n_strings = 2 };
    char strings[sizeof(header) + 8];

    send_bytes(s, "x", 1);
    expect_closed(s);
    send_bytes(s, &header, sizeof(header) - 1);
    expect_closed(s);
    send_bytes(s, &header, sizeof(header)); /* says two strings, has none */
    expect_closed(s);
    memcpy(strings, &header, sizeof(header));
    memcpy(strings + sizeof(header), "a\0b\0c\0d", 8); /* says two, has four */
    send_bytes(s, strings, sizeof(strings));
    expect_closed(s);
    memcpy(strings + sizeof(header), "a\0bcdefg", 8); /* the last does not end */
    send_bytes(s, strings, sizeof(strings));
    expect_closed(s);
    memset(huge, 0, sizeof(huge));
    memcpy(huge, &header, sizeof(header));
    send_bytes(s, huge, sizeof(huge));
    expect_closed(s);
    say(s, 4711, 0, 0);
    expect_closed(s);
    say(s, KEEPER_HELLO, 0, 0);
    expect_closed(s);
}

static void impossible_commands_end_the_connection_only(void **state)
{
    struct stage *s = *state;

    say_strings(s, KEEPER_SPAWN, 1, NULL, "", "1", "true", NULL); /* no stdio */
    expect_closed(s);
    say_strings(s, KEEPER_SPAWN, 1, null_fds, "", "2", "true", NULL);
    expect_closed(s);
    say_strings(s, KEEPER_SPAWN, 1, null_fds, "", "0", "true", NULL);
    expect_closed(s);
    say_strings(s, KEEPER_SPAWN, 1, null_fds, "", "99999999999999999999999", "true", NULL);
    expect_closed(s);
    say_strings(s, KEEPER_SPAWN, 1, null_fds, "", "-1", "true", NULL);
    expect_closed(s);
    say_strings(s, KEEPER_RUN, 1, null_fds, "", NULL); /* no program */
    expect_closed(s);
    say_strings(s, KEEPER_ACK, 1, NULL, "what", NULL);
    expect_closed(s);
    say_strings(s, KEEPER_SIGNAL, 1, null_fds, NULL);
    expect_closed(s);
}

static void too_many_strings_end_the_connection_only(void **state)
{
    struct stage *s = *state;
    static char bytes[sizeof(struct keeper_header) + KEEPER_STRINGS_MAX + 1];
    struct keeper_header header = { .type = KEEPER_RUN, .n_strings = KEEPER_STRINGS_MAX + 1 };

    memcpy(bytes, &header, sizeof(header));
    send_bytes(s, bytes, sizeof(bytes));
    expect_closed(s);
}

static void random_messages_do_not_end_the_keeper(void **state)
{
    struct stage *s = *state;
    unsigned seed = 20241;

    for (int i = 0; i < 3000; i++) {
        unsigned char bytes[256];
        struct keeper_header header = { .type = (uint32_t) (1 + rand_r(&seed) % 7),
                                        .number = (uint32_t) (rand_r(&seed) % 3),
                                        .n_strings = (uint32_t) (rand_r(&seed) % 6) };
        size_t n = sizeof(header) + (size_t) (rand_r(&seed) % 40);

        /* Not the two that kill: the stage is still needed. */
        if (header.type == KEEPER_QUIT || header.type == KEEPER_SIGNAL_ALL)
            header.type = KEEPER_SPAWN;
        for (size_t j = 0; j < sizeof(bytes); j++)
            bytes[j] = rand_r(&seed) % 3 ? (unsigned char) rand_r(&seed) : 0;
        memcpy(bytes, &header, sizeof(header));
        if (send(s->fd, bytes, n, MSG_NOSIGNAL) < 0)
            stage_reconnect(s);
        while (recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            continue;
    }
    stage_reconnect(s);
    hear_until(s, KEEPER_READY);
    spawn(s, 4711, "exit 0");
}

/* ---- the least of modes ---- */

static int status_of(const char *argument)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 2);
        execl(keeper_path(), "hcs-keeper", argument, (char *) NULL);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    return WEXITSTATUS(status);
}

static void modes_are_taken_by_name_only(void **state)
{
    (void) state;
    assert_int_equal(status_of("--true"), 0);
    assert_int_equal(status_of("--init"), 2); /* it would signal every process of the host */
    assert_int_equal(status_of("--keep"), 2);
    assert_int_equal(status_of("--what"), 2);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, stage_begin, stage_end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(every_exit_code_is_told_truly),
        ON_STAGE(every_deadly_signal_is_told_truly),
        ON_STAGE(two_hundred_ends_at_once_are_told_once_each),
        ON_STAGE(a_reader_who_does_not_read_loses_nothing),
        ON_STAGE(record_exists_before_exit_is_told),
        ON_STAGE(exit_is_told_when_no_record_can_be_written),
        ON_STAGE(acknowledged_exit_is_forgotten),
        ON_STAGE(reconnect_tells_unacknowledged_exits_and_the_living),
        ON_STAGE(exit_while_nobody_listens_is_told_to_the_next),
        ON_STAGE(new_connection_replaces_the_old),
        ON_STAGE(detached_process_is_tracked),
        ON_STAGE(exit_before_the_pid_file_is_read_is_matched),
        ON_STAGE(process_behind_a_parent_that_is_still_ending_is_tracked),
        ON_STAGE(pid_file_is_not_believed_blindly),
        ON_STAGE(failed_program_leaves_no_process),
        ON_STAGE(number_is_used_once),
        ON_STAGE(too_many_programs_are_refused_by_errno),
        ON_STAGE(passed_stdio_reaches_the_program),
        ON_STAGE(program_without_stdio_gets_dev_null),
        ON_STAGE(program_gets_a_clean_slate),
        ON_STAGE(failed_spawn_says_where_and_why),
        ON_STAGE(signal_after_the_end_reaches_nobody),
        ON_STAGE(bad_signal_is_refused_by_errno),
        ON_STAGE(signal_all_reaches_daemons),
        ON_STAGE(signal_all_reaches_grandchildren),
        ON_STAGE(kill_all_wins_against_a_fork_bomb),
        ON_STAGE(quit_leaves_nothing_but_records),
        ON_STAGE(spawned_programs_die_with_the_keeper),
        ON_STAGE(only_sigkill_ends_the_keeper),
        ON_STAGE(malformed_messages_end_the_connection_only),
        ON_STAGE(impossible_commands_end_the_connection_only),
        ON_STAGE(too_many_strings_end_the_connection_only),
        ON_STAGE(random_messages_do_not_end_the_keeper),
        cmocka_unit_test(modes_are_taken_by_name_only),
    };

    if (argc == 3 && !strcmp(argv[1], "--daemon"))
        return become_daemon(argv[2]);
    self_path = realpath("/proc/self/exe", NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
