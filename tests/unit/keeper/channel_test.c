/* channel_test.c - the daemon's end of a keeper, on an event loop, with the real keeper. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "stage.h"

#define PATIENCE_US (60ull * 1000 * 1000)

struct owner {
    sd_event *loop;
    struct channel *channel;
    char dir[64];
    int in_call; /* a channel_ call is under way */
    int n_done, n_exited, n_empty, n_lost, n_gone;
    int drop_in_done;
    uint32_t tag, wait_status, pid;
    int os, step;
    struct channel_exit exit;
    char why[256];
};

static void on_done(void *owner, uint32_t tag, uint32_t wait_status, uint32_t pid, int os, int step)
{
    struct owner *o = owner;

    assert_false(o->in_call);
    o->n_done++;
    o->tag = tag;
    o->wait_status = wait_status;
    o->pid = pid;
    o->os = os;
    o->step = step;
    if (o->drop_in_done) {
        channel_drop(o->channel);
        o->channel = NULL;
    }
}

static void on_exited(void *owner, const struct channel_exit *exit)
{
    struct owner *o = owner;

    assert_false(o->in_call);
    o->n_exited++;
    o->exit = *exit;
}

static void on_empty(void *owner)
{
    struct owner *o = owner;

    assert_false(o->in_call);
    o->n_empty++;
}

static void on_lost(void *owner, const char *why)
{
    struct owner *o = owner;

    assert_false(o->in_call);
    o->n_lost++;
    snprintf(o->why, sizeof(o->why), "%s", why);
}

static void on_gone(void *owner)
{
    struct owner *o = owner;

    assert_false(o->in_call);
    o->n_gone++;
    channel_drop(o->channel);
    o->channel = NULL;
}

static const struct channel_events events = {
    .done = on_done,
    .exited = on_exited,
    .empty = on_empty,
    .lost = on_lost,
};

/* Run the loop until *@count has reached @n. */
static void run_until(struct owner *o, const int *count, int n)
{
    while (*count < n)
        if (sd_event_run(o->loop, PATIENCE_US) <= 0)
            fail_msg("nothing happens any more");
}

/* Everything that is ready now. */
static void run_ready(struct owner *o)
{
    while (sd_event_run(o->loop, 0) > 0)
        continue;
}

static int owner_begin(void **state)
{
    struct owner *o = calloc(1, sizeof(*o));
    hcs_error err = HCS_ERROR_INIT;

    assert_non_null(o);
    for (int i = 0; i < 3; i++)
        null_fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    dir_new(o->dir);
    assert_int_equal(sd_event_new(&o->loop), 0);
    if (channel_start(o->loop, keeper_path(), o->dir, 0, &events, o, &o->channel, &err) < 0)
        fail_msg("%s", err.text);
    *state = o;
    return 0;
}

static void quit(struct owner *o)
{
    int n = o->n_gone;

    o->in_call = 1;
    channel_quit(o->channel, on_gone);
    o->in_call = 0;
    run_until(o, &o->n_gone, n + 1);
}

static int owner_end(void **state)
{
    struct owner *o = *state;

    if (o->channel)
        quit(o);
    sd_event_unref(o->loop);
    for (int i = 0; i < 3; i++)
        close(null_fds[i]);
    dir_drop(o->dir);
    free(o);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, reaped or not */
    return 0;
}

static void start_script(struct owner *o, uint32_t number, const char *script)
{
    char sh[] = "/bin/sh", c[] = "-c", *text = strdup(script);
    char *argv[] = { sh, c, text, NULL }, *environment[] = { NULL };
    hcs_error err = HCS_ERROR_INIT;

    o->in_call = 1;
    if (channel_spawn(o->channel, 1000 + number, number, NULL, argv, environment, null_fds, &err) <
        0)
        fail_msg("%s", err.text);
    o->in_call = 0;
    free(text);
}

/* The next message that is sent fails with it: the kernel cannot be had to lack memory when it
 * should. */
static int send_error;

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!send_error)
        return __real_sendmsg(fd, message, flags);
    errno = send_error;
    send_error = 0;
    return -1;
}

/* The keeper's pid: the parent of what it spawned. */
static pid_t keeper_pid(const struct owner *o)
{
    char path[64], line[256];
    int parent = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%u/status", o->pid);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "PPid: %d", &parent) == 1)
            break;
    fclose(f);
    assert_true(parent > 1);
    return parent;
}

static void commands_before_the_keeper_runs_are_served(void **state)
{
    struct owner *o = *state;

    start_script(o, 1, "exit 42");
    run_until(o, &o->n_empty, 1);
    assert_int_equal(o->n_done, 1);
    assert_int_equal(o->tag, 1001);
    assert_int_equal(o->os, 0);
    assert_int_equal(o->n_exited, 1);
    assert_int_equal(o->exit.number, 1);
    assert_int_equal(o->exit.pid, o->pid);
    assert_int_equal(o->exit.wait_status, 42 << 8);
    assert_true(o->exit.realtime_ns > 0 && o->exit.monotonic_ns > 0);
}

static void run_is_answered_with_the_wait_status(void **state)
{
    struct owner *o = *state;
    char sh[] = "/bin/sh", c[] = "-c", text[] = "exit 3";
    char *argv[] = { sh, c, text, NULL };
    hcs_error err = HCS_ERROR_INIT;

    assert_int_equal(channel_run(o->channel, 5, argv, NULL, 0, 0, NULL, &err), HCS_OK);
    run_until(o, &o->n_done, 1);
    assert_int_equal(o->tag, 5);
    assert_int_equal(o->wait_status, 3 << 8);
    assert_int_equal(o->os, 0);
}

static void program_that_is_not_there_is_named_by_errno_and_step(void **state)
{
    struct owner *o = *state;
    char none[] = "/no/such/program";
    char *argv[] = { none, NULL }, *environment[] = { NULL };
    hcs_error err = HCS_ERROR_INIT;

    assert_int_equal(channel_run(o->channel, 1, argv, NULL, 0, 0, NULL, &err), HCS_OK);
    run_until(o, &o->n_done, 1);
    assert_int_equal(o->os, ENOENT);
    assert_int_equal(o->step, KEEPER_STEP_EXEC);
    assert_int_equal(channel_spawn(o->channel, 2, 1, NULL, argv, environment, null_fds, &err),
                     HCS_OK);
    run_until(o, &o->n_done, 2);
    assert_int_equal(o->os, ENOENT);
    assert_int_equal(o->n_exited, 0);
}

static void signals_reach_one_or_all(void **state)
{
    struct owner *o = *state;
    hcs_error err = HCS_ERROR_INIT;

    start_script(o, 1, "exec sleep 1000");
    start_script(o, 2, "exec sleep 1000");
    assert_int_equal(channel_signal(o->channel, 1, 1, SIGUSR1, &err), HCS_OK);
    run_until(o, &o->n_exited, 1);
    assert_int_equal(o->exit.number, 1);
    assert_int_equal(o->exit.wait_status, SIGUSR1);
    assert_int_equal(channel_signal_all(o->channel, 2, SIGKILL, &err), HCS_OK);
    run_until(o, &o->n_empty, 1);
    assert_int_equal(o->exit.number, 2);
    assert_int_equal(o->exit.wait_status, SIGKILL);
}

static void acknowledged_record_goes(void **state)
{
    struct owner *o = *state;
    hcs_error err = HCS_ERROR_INIT;

    start_script(o, 1, "exit 0");
    run_until(o, &o->n_exited, 1);
    assert_true(dir_has(o->dir, "exit.1"));
    channel_ack(o->channel, 1);
    assert_int_equal(channel_signal(o->channel, 77, 1, 0, &err),
                     HCS_OK); /* answered after the record is gone */
    while (o->tag != 77)
        assert_true(sd_event_run(o->loop, PATIENCE_US) > 0);
    assert_false(dir_has(o->dir, "exit.1"));
}

static void acknowledgement_waits_for_what_the_kernel_lacks(void **state)
{
    static const int errors[] = { EAGAIN, ENOBUFS, ENOMEM, EINTR };
    struct owner *o = *state;
    hcs_error err = HCS_ERROR_INIT;
    char record[16];

    for (uint32_t i = 0; i < N_ELEMENTS(errors); i++) {
        start_script(o, i + 1, "exit 0");
        run_until(o, &o->n_exited, (int) i + 1);
        snprintf(record, sizeof(record), "exit.%u", i + 1);
        send_error = errors[i];
        channel_ack(o->channel, i + 1);
        assert_int_equal(send_error, 0); /* it was tried */
        assert_true(dir_has(o->dir, record));
        run_ready(o);
        assert_int_equal(channel_signal(o->channel, 77 + i, i + 1, 0, &err), HCS_OK);
        while (o->tag != 77 + i)
            assert_true(sd_event_run(o->loop, PATIENCE_US) > 0);
        assert_false(dir_has(o->dir, record));
    }
}

static void death_of_the_keeper_is_told_once_and_programs_die(void **state)
{
    struct owner *o = *state;
    int lives[2];
    char sleep[] = "sleep", time[] = "1000";
    char *argv[] = { sleep, time, NULL }, *environment[] = { NULL };
    hcs_error err = HCS_ERROR_INIT;

    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    assert_int_equal(channel_spawn(o->channel, 1, 1, NULL, argv, environment,
                                   (int[]){ null_fds[0], lives[1], null_fds[2] }, &err),
                     HCS_OK);
    close(lives[1]);
    run_until(o, &o->n_done, 1);
    kill(keeper_pid(o), SIGKILL);
    run_until(o, &o->n_lost, 1);
    assert_string_equal(o->why, "the keeper was killed by signal 9");
    wait_for_end(lives[0]);
    close(lives[0]);
    run_ready(o);
    assert_int_equal(o->n_lost, 1);
    assert_int_equal(o->n_exited, 0); /* nobody saw it */
    assert_int_equal(channel_signal(o->channel, 9, 1, SIGTERM, &err), HCS_E_CONNECTION_CLOSED);
    channel_ack(o->channel, 1);
}

/* More of them than are heard in one turn of the loop. */
static void exits_said_before_death_are_heard(void **state)
{
    enum { N = 150 };
    struct owner *o = *state;
    pid_t keeper, pids[N];
    siginfo_t info;

    for (int i = 0; i < N; i++) {
        start_script(o, (uint32_t) i + 1, "exec sleep 1000");
        run_until(o, &o->n_done, i + 1);
        pids[i] = (pid_t) o->pid;
    }
    keeper = keeper_pid(o);
    for (int i = 0; i < N; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < N; i++)
        wait_until_idle(o->dir, keeper, (uint32_t) i + 1);
    kill(keeper, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t) keeper, &info, WEXITED | WNOWAIT), 0);
    run_until(o, &o->n_lost, 1);
    assert_int_equal(o->n_exited, N);
    assert_int_equal(o->exit.wait_status, SIGKILL);
}

/* There posix_spawn() works by fork, and cannot say that exec failed. */
static int is_under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");

    return preload && strstr(preload, "vgpreload");
}

static void missing_keeper_is_named_and_leaves_nothing(void **state)
{
    struct owner *o = *state;
    hcs_error err = HCS_ERROR_INIT;

    if (is_under_valgrind()) {
        print_message("skipped: valgrind hides the failure\n");
        skip();
    }
    quit(o);
    unlink(strcat(strcpy((char[128]){ 0 }, o->dir), "/keeper.log"));
    assert_int_equal(
        channel_start(o->loop, "/no/such/keeper", o->dir, 0, &events, o, &o->channel, &err),
        HCS_E_WIN32_FILE_NOT_FOUND);
    assert_non_null(strstr(err.text, "'/no/such/keeper'"));
    assert_int_equal(rmdir(o->dir), 0); /* nothing is left behind */
    assert_int_equal(mkdir(o->dir, 0700), 0);
}

static void keeper_that_ends_at_once_is_lost(void **state)
{
    struct owner *o = *state;
    hcs_error err = HCS_ERROR_INIT;

    quit(o);
    assert_int_equal(channel_start(o->loop, "/bin/false", o->dir, 0, &events, o, &o->channel, &err),
                     HCS_OK);
    run_until(o, &o->n_lost, 1);
    assert_string_equal(o->why, "the keeper ended with status 1");
}

static void last_words_of_the_keeper_are_passed_on(void **state)
{
    struct owner *o = *state;
    char script[128];
    hcs_error err = HCS_ERROR_INIT;
    FILE *f;

    quit(o);
    unlink(strcat(strcpy((char[128]){ 0 }, o->dir), "/keeper.log"));
    snprintf(script, sizeof(script), "%s/keeper", o->dir);
    f = fopen(script, "w");
    assert_non_null(f);
    fputs("#!/bin/sh\necho one >&2\necho cannot do two >&2\nexit 7\n", f);
    fclose(f);
    assert_int_equal(chmod(script, 0700), 0);
    assert_int_equal(channel_start(o->loop, script, o->dir, 0, &events, o, &o->channel, &err),
                     HCS_OK);
    run_until(o, &o->n_lost, 1);
    assert_string_equal(o->why, "the keeper ended with status 7: cannot do two");
}

static void quit_after_loss_is_answered(void **state)
{
    struct owner *o = *state;

    start_script(o, 1, "exec sleep 1000");
    run_until(o, &o->n_done, 1);
    kill(keeper_pid(o), SIGKILL);
    run_until(o, &o->n_lost, 1);
    quit(o);
    assert_int_equal(o->n_gone, 1);
    assert_null(o->channel);
}

static void quit_kills_what_runs_and_tells_nothing_more(void **state)
{
    struct owner *o = *state;

    start_script(o, 1, "trap '' TERM; while :; do sleep 1000; done");
    run_until(o, &o->n_done, 1);
    quit(o);
    run_ready(o);
    assert_int_equal(o->n_gone, 1);
    assert_int_equal(o->n_exited + o->n_lost + o->n_empty, 0);
    assert_int_equal(kill((pid_t) o->pid, 0), -1);
    assert_false(dir_has(o->dir, KEEPER_SOCKET));
}

static void channel_may_be_dropped_in_a_callback(void **state)
{
    struct owner *o = *state;

    o->drop_in_done = 1;
    start_script(o, 1, "exec sleep 1000");
    start_script(o, 2, "exit 0");
    run_until(o, &o->n_done, 1);
    assert_null(o->channel);
    run_ready(o);
    assert_int_equal(o->n_exited, 0);
    kill(keeper_pid(o), SIGKILL); /* it was only let go of */
    waitpid(-1, NULL, 0);
}

/* Whether the host shows controllers in the unified hierarchy beside the old ones. */
static int is_hybrid_host(void)
{
    FILE *f = fopen("/sys/fs/cgroup/unified/cgroup.controllers", "r");
    int first = f ? fgetc(f) : EOF;

    if (f)
        fclose(f);
    return first != EOF && first != '\n';
}

static void hidden_hierarchy_is_empty_for_programs_only(void **state)
{
    struct owner *o = *state;
    char sh[] = "/bin/sh", c[] = "-c";
    char text[] = "cd /sys/fs/cgroup/unified && ! test -e cgroup.controllers && mkdir x && rmdir x";
    char *argv[] = { sh, c, text, NULL };
    hcs_error err = HCS_ERROR_INIT;

    if (geteuid() != 0 || !is_hybrid_host()) {
        print_message("skipped: needs root on a hybrid cgroup host\n");
        skip();
    }
    quit(o);
    assert_int_equal(channel_start(o->loop, keeper_path(), o->dir, CHANNEL_HIDE_UNIFIED, &events, o,
                                   &o->channel, &err),
                     HCS_OK);
    assert_int_equal(channel_run(o->channel, 1, argv, NULL, 0, 0, NULL, &err), HCS_OK);
    run_until(o, &o->n_done, 1);
    assert_int_equal(o->wait_status, 0);
    assert_true(is_hybrid_host());
}

static void message_as_large_as_allowed_passes(void **state)
{
    struct owner *o = *state;
    size_t room = KEEPER_MESSAGE_MAX - sizeof(struct keeper_header) - sizeof("/bin/true") - 1;
    char *word = malloc(room), truth[] = "/bin/true", *argv[4] = { truth, NULL };
    hcs_error err = HCS_ERROR_INIT;

    /* Linux takes no single argument over 128 KiB; two are as good. */
    assert_non_null(word);
    memset(word, 'x', room);
    word[room - 1] = 0;
    word[room / 2] = 0;
    argv[1] = word;
    argv[2] = word + room / 2 + 1;
    for (int i = 0; i < 3; i++)
        assert_int_equal(channel_run(o->channel, 1, argv, NULL, 0, 0, NULL, &err), HCS_OK);
    run_until(o, &o->n_done, 3);
    assert_int_equal(o->os, 0);
    assert_int_equal(o->wait_status, 0);
    free(word);
}

static void larger_message_is_refused_by_size(void **state)
{
    struct owner *o = *state;
    size_t room = KEEPER_MESSAGE_MAX - sizeof(struct keeper_header) - sizeof("/bin/true");
    char *word = malloc(room), truth[] = "/bin/true", *argv[3] = { truth, word, NULL };
    hcs_error err = HCS_ERROR_INIT;
    char expected[64];

    assert_non_null(word);
    memset(word, 'x', room);
    word[room - 1] = 0;
    snprintf(expected, sizeof(expected), "%zu bytes, at most %zu", room + sizeof("/bin/true") + 1,
             KEEPER_MESSAGE_MAX - sizeof(struct keeper_header));
    assert_int_equal(channel_run(o->channel, 1, argv, NULL, 0, 0, NULL, &err),
                     HCS_E_WIN32_INSUFFICIENT_BUFFER);
    if (!strstr(err.text, expected))
        fail_msg("'%s' does not say '%s'", err.text, expected);
    free(word);
}

static void too_many_strings_are_refused_by_number(void **state)
{
    struct owner *o = *state;
    char **argv = calloc(KEEPER_STRINGS_MAX + 2, sizeof(*argv)), word[] = "x";
    hcs_error err = HCS_ERROR_INIT;

    assert_non_null(argv);
    for (size_t i = 0; i <= KEEPER_STRINGS_MAX; i++)
        argv[i] = word;
    assert_int_equal(channel_run(o->channel, 1, argv, NULL, 0, 0, NULL, &err),
                     HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_non_null(strstr(err.text, "4098 strings, at most 4096"));
    free(argv);
}

/* A keeper that takes nothing: commands are refused, acknowledgements kept, QUIT kept. */
static void keeper_that_does_not_listen_is_no_trap(void **state)
{
    struct owner *o = *state;
    size_t room = 100 * 1024;
    char *word = malloc(room), truth[] = "/bin/true", *argv[3] = { truth, word, NULL };
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;
    int n = 0;
    pid_t keeper;

    assert_non_null(word);
    memset(word, 'x', room);
    word[room - 1] = 0;
    start_script(o, 1, "exit 0");
    start_script(o, 2, "exec sleep 1000");
    run_until(o, &o->n_exited, 1);
    run_until(o, &o->n_done, 2);
    keeper = keeper_pid(o);
    kill(keeper, SIGSTOP);
    while ((r = channel_run(o->channel, 1, argv, NULL, 0, 0, NULL, &err)) == HCS_OK && n < 1000)
        n++;
    assert_int_equal(r, HCS_E_WIN32_BUSY);
    channel_ack(o->channel, 1);
    run_ready(o);
    assert_true(dir_has(o->dir, "exit.1"));
    kill(keeper, SIGCONT);
    run_until(o, &o->n_done, 2 + n);
    assert_int_equal(channel_signal(o->channel, 7, 2, 0, &err), HCS_OK);
    run_until(o, &o->n_done, 3 + n);
    assert_false(dir_has(o->dir, "exit.1"));
    free(word);
}

static void long_run_directory_is_no_obstacle(void **state)
{
    struct owner *o = *state, other = { .loop = o->loop };
    char path[512];
    hcs_error err = HCS_ERROR_INIT;

    snprintf(path, sizeof(path), "%s/%0200d", o->dir, 1);
    assert_int_equal(mkdir(path, 0700), 0);
    if (channel_start(o->loop, keeper_path(), path, 0, &events, &other, &other.channel, &err) < 0)
        fail_msg("%s", err.text);
    start_script(&other, 1, "exit 2");
    run_until(&other, &other.n_exited, 1);
    quit(&other);
    unlink(strcat(strcpy((char[600]){ 0 }, path), "/keeper.log"));
    unlink(strcat(strcpy((char[600]){ 0 }, path), "/exit.1"));
    assert_int_equal(rmdir(path), 0);
}

static void second_keeper_in_a_directory_is_refused(void **state)
{
    struct owner *o = *state;
    struct channel *second = NULL;
    hcs_error err = HCS_ERROR_INIT;

    assert_true(channel_start(o->loop, keeper_path(), o->dir, 0, &events, o, &second, &err) < 0);
    assert_null(second);
    assert_int_equal(err.os, EADDRINUSE);
    start_script(o, 1, "exit 0"); /* and the first is as it was */
    run_until(o, &o->n_exited, 1);
    assert_true(dir_has(o->dir, KEEPER_SOCKET));
}

#define WITH_CHANNEL(test) cmocka_unit_test_setup_teardown(test, owner_begin, owner_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CHANNEL(commands_before_the_keeper_runs_are_served),
        WITH_CHANNEL(run_is_answered_with_the_wait_status),
        WITH_CHANNEL(program_that_is_not_there_is_named_by_errno_and_step),
        WITH_CHANNEL(signals_reach_one_or_all),
        WITH_CHANNEL(acknowledged_record_goes),
        WITH_CHANNEL(acknowledgement_waits_for_what_the_kernel_lacks),
        WITH_CHANNEL(death_of_the_keeper_is_told_once_and_programs_die),
        WITH_CHANNEL(exits_said_before_death_are_heard),
        WITH_CHANNEL(missing_keeper_is_named_and_leaves_nothing),
        WITH_CHANNEL(keeper_that_ends_at_once_is_lost),
        WITH_CHANNEL(last_words_of_the_keeper_are_passed_on),
        WITH_CHANNEL(quit_after_loss_is_answered),
        WITH_CHANNEL(quit_kills_what_runs_and_tells_nothing_more),
        WITH_CHANNEL(channel_may_be_dropped_in_a_callback),
        WITH_CHANNEL(hidden_hierarchy_is_empty_for_programs_only),
        WITH_CHANNEL(message_as_large_as_allowed_passes),
        WITH_CHANNEL(larger_message_is_refused_by_size),
        WITH_CHANNEL(too_many_strings_are_refused_by_number),
        WITH_CHANNEL(keeper_that_does_not_listen_is_no_trap),
        WITH_CHANNEL(long_run_directory_is_no_obstacle),
        WITH_CHANNEL(second_keeper_in_a_directory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
