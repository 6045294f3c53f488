/* adopt_test.c - what a keeper tells an hcsd that did not start it, and what can be known without
 * it. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "record.h"
#include "stage.h"
#include "witness.h"

#define PATIENCE_US (60ull * 1000 * 1000)

/* ---- the keeper ---- */

static void what_was_asked_of_a_process_is_told_to_the_next(void **state)
{
    struct stage *s = *state;
    struct keeper_header m;

    spawn(s, 1, "trap '' TERM; : > trapped; while :; do sleep 1000; done");
    while (!dir_has(s->dir, "trapped"))
        sched_yield();
    say(s, KEEPER_SIGNAL, 1, SIGTERM);
    hear_type(s, KEEPER_DONE);
    stage_reconnect(s);
    m = hear_type(s, KEEPER_TRACKED);
    assert_int_equal(m.number, 1);
    assert_int_equal(m.tag, KEEPER_ASKED_TERM);
    assert_int_equal(hear_type(s, KEEPER_READY).value, 0);
    say(s, KEEPER_SIGNAL, 1, SIGKILL);
    hear_type(s, KEEPER_DONE);
    assert_int_equal(hear_until(s, KEEPER_EXITED).tag, KEEPER_ASKED_TERM | KEEPER_ASKED_KILL);
    stage_reconnect(s);
    assert_int_equal(hear_type(s, KEEPER_EXITED).tag, KEEPER_ASKED_TERM | KEEPER_ASKED_KILL);
}

static void what_was_asked_of_all_is_told_when_all_is_told(void **state)
{
    struct stage *s = *state;

    say(s, KEEPER_SIGNAL_ALL, 0, SIGTERM);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, ESRCH);
    stage_reconnect(s);
    assert_int_equal(hear_type(s, KEEPER_READY).value, KEEPER_ASKED_TERM | KEEPER_ALONE);
    spawn(s, 1, "exec sleep 1000");
    stage_reconnect(s);
    hear_type(s, KEEPER_TRACKED);
    assert_int_equal(hear_type(s, KEEPER_READY).value, KEEPER_ASKED_TERM);
}

/* A RUN that waits for the file "go" and then runs @more; its connection goes, another comes. */
static void run_of_a_connection_that_is_gone(struct stage *s, const char *more)
{
    char script[200];

    snprintf(script, sizeof script, "while ! test -e go; do :; done; %s", more);
    say_strings(s, KEEPER_RUN, 5, NULL, "pid", "/bin/sh", "-c", script, NULL);
    expect_silence(s);
    stage_reconnect(s);
}

static void go(struct stage *s)
{
    char path[128];

    snprintf(path, sizeof path, "%s/go", s->dir);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static void a_start_under_way_is_told_before_it_is_done(void **state)
{
    struct stage *s = *state;
    struct keeper_header m;

    run_of_a_connection_that_is_gone(s, "sleep 1000 & echo $! > pid");
    m = hear_type(s, KEEPER_TRACKED);
    assert_int_equal(m.number, 5);
    assert_int_equal(m.pid, 0);
    hear_type(s, KEEPER_READY);
    expect_silence(s);
    go(s);
    m = hear_type(s, KEEPER_TRACKED);
    assert_int_equal(m.number, 5);
    assert_true(m.pid > 0);
    say(s, KEEPER_SIGNAL, 5, SIGKILL);
    hear_type(s, KEEPER_DONE);
    assert_int_equal(hear_type(s, KEEPER_EXITED).pid, m.pid);
}

static void a_start_that_comes_to_nothing_is_told_as_that(void **state)
{
    struct stage *s = *state;

    run_of_a_connection_that_is_gone(s, "exit 3");
    assert_int_equal(hear_type(s, KEEPER_TRACKED).pid, 0);
    hear_type(s, KEEPER_READY);
    go(s);
    assert_int_equal(hear_type(s, KEEPER_NOTHING).number, 5);
    expect_silence(s);
    spawn(s, 5, "exit 0"); /* the number is free again */
    hear_until(s, KEEPER_EXITED);
    stage_reconnect(s); /* and nothing is told of what is no more */
    hear_type(s, KEEPER_EXITED);
    hear_type(s, KEEPER_READY);
}

/* A RUN that leaves @command behind, as a runtime does: it begins when the RUN is done. */
static void leave_behind(struct stage *s, const char *before, const char *command)
{
    char script[600];

    snprintf(script, sizeof script,
             "%s (while ! test -e go; do :; done; %s) & echo $! > pid; exec 3>&-", before, command);
    say_run_reporting(s, 5, "pid", script);
    assert_int_equal(hear_type(s, KEEPER_DONE).error, 0);
    go(s);
}

static void enter(struct stage *s, const char *before, const char *program)
{
    char command[400];

    snprintf(command, sizeof command, "exec '%s' --enter / %s", keeper_path(), program);
    leave_behind(s, before, command);
}

static void a_report_is_kept_for_whoever_asks(void **state)
{
    struct stage *s = *state;
    struct keeper_header m;

    enter(s, "", "sleep 1000");
    do
        m = hear_type(s, KEEPER_TRACKED);
    while (KEEPER_STAGE(m.value) == KEEPER_STAGE_THERE);
    assert_int_equal(KEEPER_STAGE(m.value), KEEPER_STAGE_RUNS);
    stage_reconnect(s);
    m = hear_type(s, KEEPER_TRACKED);
    assert_int_equal(m.number, 5);
    assert_int_equal(m.value, KEEPER_STAGE_RUNS);
    hear_type(s, KEEPER_READY);
    say(s, KEEPER_SIGNAL, 5, SIGKILL);
    hear_type(s, KEEPER_DONE);
    m = hear_type(s, KEEPER_EXITED);
    assert_int_equal(m.value, KEEPER_STAGE_RUNS);
    assert_int_equal(m.status, SIGKILL);
}

static void a_refusal_is_told_with_the_exit_of_what_was_no_program(void **state)
{
    struct stage *s = *state;
    struct keeper_header m;

    enter(s, "", "no-such-program");
    m = hear_until(s, KEEPER_EXITED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(m.number, 5);
        assert_int_equal(m.status, 127 << 8);
        assert_int_equal(KEEPER_STAGE(m.value), KEEPER_STAGE_REFUSED);
        assert_int_equal(KEEPER_STAGE_STEP(m.value), KEEPER_STEP_EXEC);
        assert_int_equal(m.error, ENOENT);
        stage_reconnect(s);
        m = hear_type(s, KEEPER_EXITED);
    }
}

static void what_was_never_reached_is_told_as_that(void **state)
{
    struct stage *s = *state;

    leave_behind(s, "", "exec 3>&-; exit 4");
    assert_int_equal(hear_until(s, KEEPER_EXITED).value, KEEPER_STAGE_NEVER);
}

/* Somebody else holds the socket: what was said counts, and nobody waits for its end. */
static void a_held_report_does_not_hold_up_the_exit(void **state)
{
    struct stage *s = *state;
    struct keeper_header m;

    enter(s, "sleep 1000 &", "sh -c 'exit 6'");
    m = hear_until(s, KEEPER_EXITED);
    assert_int_equal(m.status, 6 << 8);
    assert_int_equal(m.value, KEEPER_STAGE_THERE);
}

/* ---- the channel ---- */

struct owner {
    struct channel *channel;
    struct channel_process tracked;
    struct channel_exit exit;
    uint32_t asked, nothing;
    int n_tracked, n_exited, n_ready, n_lost, n_gone, n_done;
    char why[256];
};

static void on_done(void *owner, uint32_t tag, uint32_t wait_status, uint32_t pid, int os, int step)
{
    (void) tag, (void) wait_status, (void) pid, (void) os, (void) step;
    ((struct owner *) owner)->n_done++;
}

static void on_exited(void *owner, const struct channel_exit *exit)
{
    struct owner *o = owner;

    assert_int_equal(o->n_ready, 0);
    o->n_exited++;
    o->exit = *exit;
}

static void on_empty(void *owner)
{
    (void) owner;
}

static void on_tracked(void *owner, const struct channel_process *process)
{
    struct owner *o = owner;

    o->n_tracked++;
    o->tracked = *process;
}

static void on_ready(void *owner, uint32_t asked)
{
    struct owner *o = owner;

    o->n_ready++;
    o->asked = asked;
}

static void on_nothing(void *owner, uint32_t number)
{
    ((struct owner *) owner)->nothing = number;
}

static void on_lost(void *owner, const char *why)
{
    struct owner *o = owner;

    o->n_lost++;
    snprintf(o->why, sizeof o->why, "%s", why);
}

static void on_gone(void *owner)
{
    ((struct owner *) owner)->n_gone++;
}

static const struct channel_events events = { on_done,  on_exited,  on_empty, on_tracked,
                                              on_ready, on_nothing, on_lost };

static void run_until(sd_event *loop, const int *count)
{
    while (*count == 0)
        if (sd_event_run(loop, PATIENCE_US) <= 0)
            fail_msg("nothing happens any more");
}

static void an_adopted_keeper_is_watched_and_used(void **state)
{
    struct stage *s = *state;
    struct owner o = { 0 };
    sd_event *loop = NULL;

    spawn(s, 1, "exec sleep 1000");
    spawn(s, 2, "exit 2");
    hear_until(s, KEEPER_EXITED);
    close(s->fd);
    s->fd = -1;
    assert_int_equal(sd_event_new(&loop), 0);
    assert_int_equal(channel_adopt(loop, s->dir, &events, &o, &o.channel, NULL), HCS_OK);
    run_until(loop, &o.n_ready);
    assert_int_equal(o.n_tracked, 1);
    assert_int_equal(o.tracked.number, 1);
    assert_int_equal(o.n_exited, 1);
    assert_int_equal(o.exit.number, 2);
    assert_int_equal(o.exit.wait_status, 2 << 8);
    assert_int_equal(channel_signal(o.channel, 1, 1, 0, NULL), HCS_OK);
    run_until(loop, &o.n_done);
    kill(s->keeper, SIGKILL);
    run_until(loop, &o.n_lost);
    assert_string_equal(o.why, "the keeper was killed by signal 9");
    waitpid(s->keeper, NULL, 0);
    s->keeper = 0;
    channel_drop(o.channel);
    sd_event_unref(loop);
}

static void an_adopted_keeper_is_told_to_leave(void **state)
{
    struct stage *s = *state;
    struct owner o = { 0 };
    sd_event *loop = NULL;

    spawn(s, 1, "exec sleep 1000");
    assert_int_equal(sd_event_new(&loop), 0);
    assert_int_equal(channel_adopt(loop, s->dir, &events, &o, &o.channel, NULL), HCS_OK);
    channel_quit(o.channel, on_gone); /* before it has said who it is */
    run_until(loop, &o.n_gone);
    assert_int_equal(o.n_lost, 0);
    assert_false(dir_has(s->dir, KEEPER_SOCKET));
    channel_drop(o.channel);
    sd_event_unref(loop);
}

static void where_no_keeper_listens_none_is_adopted(void **state)
{
    struct stage *s = *state;
    struct channel *channel = NULL;
    hcs_error err = HCS_ERROR_INIT;
    sd_event *loop = NULL;

    kill(s->keeper, SIGKILL);
    waitid(P_PID, (id_t) s->keeper, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
    assert_int_equal(sd_event_new(&loop), 0);
    assert_true(channel_adopt(loop, s->dir, &events, NULL, &channel, &err) < 0);
    assert_int_equal(err.os, ECONNREFUSED);
    assert_null(channel);
    sd_event_unref(loop);
}

/* ---- keepers that are none of ours ---- */

/* One of the same command line, which is this program again: it sends what is in @say, then does as
 * @then has it. */
struct impostor {
    struct keeper_header say[2];
    size_t n;
    enum { STAYS, CLOSES, ENDS } then;
};

#define IMPOSTOR_LISTENS_FD 3
#define IMPOSTOR_SCRIPT_FD 4
#define IMPOSTOR_LIVES_FD 5

static int impostor_main(void)
{
    struct impostor script;
    int fd;

    if (read(IMPOSTOR_SCRIPT_FD, &script, sizeof script) != sizeof script)
        return 1;
    fd = accept(IMPOSTOR_LISTENS_FD, NULL, NULL);
    for (size_t i = 0; i < script.n; i++)
        if (send(fd, &script.say[i], sizeof script.say[i], MSG_NOSIGNAL) < 0)
            return 1;
    if (script.then == ENDS)
        return 0;
    if (script.then == CLOSES)
        close(fd);
    for (;;)
        pause();
}

static _Noreturn void become_impostor(const char *dir, int listens, int script, int lives)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* above the numbers that they get */
    listens = fcntl(listens, F_DUPFD_CLOEXEC, 10);
    script = fcntl(script, F_DUPFD_CLOEXEC, 10);
    lives = fcntl(lives, F_DUPFD_CLOEXEC, 10);
    dup2(listens, IMPOSTOR_LISTENS_FD);
    dup2(script, IMPOSTOR_SCRIPT_FD);
    dup2(lives, IMPOSTOR_LIVES_FD);
    execl("/proc/self/exe", "hcs-keeper", "--keep", dir, (char *) NULL);
    _exit(99);
}

/* In place of the stage's keeper; @out_lives ends with it. */
static void impostor_begin(struct stage *s, const struct impostor *script, int *out_lives)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int orders[2], lives[2];

    say(s, KEEPER_QUIT, 0, 0);
    assert_int_equal(waitpid(s->keeper, NULL, 0), s->keeper);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", s->dir, KEEPER_SOCKET);
    assert_int_equal(bind(listener, (const struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(pipe2(orders, O_CLOEXEC) | pipe2(lives, O_CLOEXEC), 0);
    s->keeper = fork();
    if (s->keeper == 0)
        become_impostor(s->dir, listener, orders[0], lives[1]);
    assert_int_equal(write(orders[1], script, sizeof *script), sizeof *script);
    close(listener);
    close(orders[0]);
    close(orders[1]);
    close(lives[1]);
    *out_lives = lives[0];
}

/* It must have ended, and be it because it was killed. */
static void impostor_end(struct stage *s, int lives)
{
    char path[128];

    wait_for_end(lives);
    close(lives);
    waitpid(s->keeper, NULL, 0);
    s->keeper = 0;
    snprintf(path, sizeof path, "%s/%s", s->dir, KEEPER_SOCKET);
    unlink(path);
}

static struct keeper_header hello(uint32_t version, pid_t pid)
{
    return (struct keeper_header){ .type = KEEPER_HELLO, .value = (int32_t) version, .pid = pid };
}

static void adopt(const struct stage *s, struct owner *o, sd_event **out_loop)
{
    assert_int_equal(sd_event_new(out_loop), 0);
    assert_int_equal(channel_adopt(*out_loop, s->dir, &events, o, &o->channel, NULL), HCS_OK);
    run_until(*out_loop, &o->n_lost);
}

static void quit(struct owner *o, sd_event *loop)
{
    channel_quit(o->channel, on_gone);
    run_until(loop, &o->n_gone);
    channel_drop(o->channel);
    sd_event_unref(loop);
}

static void a_keeper_of_another_version_is_ended_before_it_is_told(void **state)
{
    struct stage *s = *state;
    const struct impostor script = { { hello(KEEPER_VERSION + 1, 1) }, 1, STAYS };
    struct owner o = { 0 };
    sd_event *loop = NULL;
    int lives;

    impostor_begin(s, &script, &lives);
    adopt(s, &o, &loop);
    assert_string_equal(o.why, "the keeper is of another version than the service");
    impostor_end(s, lives);
    quit(&o, loop);
}

/* Its connection ends, and then its system is cleaned up. */
static void lost_then_cleaned(struct stage *s, const struct impostor *script)
{
    struct owner o = { 0 };
    sd_event *loop = NULL;
    int lives;

    impostor_begin(s, script, &lives);
    adopt(s, &o, &loop);
    assert_string_equal(o.why, "the keeper closed the connection");
    quit(&o, loop);
    impostor_end(s, lives);
}

static void a_keeper_that_says_nothing_is_ended_with_its_system(void **state)
{
    struct stage *s = *state;
    const struct impostor script = { { { 0 } }, 0, CLOSES };

    lost_then_cleaned(s, &script);
}

/* Said by one that is gone, or where there are no pidfds. */
static void a_keeper_that_cannot_be_watched_is_gone_with_its_connection(void **state)
{
    struct stage *s = *state;
    const struct impostor script = { { hello(KEEPER_VERSION, INT32_MAX) }, 1, ENDS };

    lost_then_cleaned(s, &script);
}

static void a_keeper_that_names_another_process_harms_only_itself(void **state)
{
    struct stage *s = *state;
    pid_t bystander = fork();
    const struct keeper_header say = hello(KEEPER_VERSION, bystander);
    const struct impostor script = { { say, say }, 2, STAYS };
    struct owner o = { 0 };
    sd_event *loop = NULL;
    int lives;

    if (bystander == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    impostor_begin(s, &script, &lives);
    adopt(s, &o, &loop);
    assert_string_equal(o.why, "the keeper sent its messages in a wrong order");
    impostor_end(s, lives);
    quit(&o, loop);
    assert_int_equal(waitpid(bystander, NULL, WNOHANG), 0); /* it lives */
    kill(bystander, SIGKILL);
    waitpid(bystander, NULL, 0);
}

/* No descriptor can be opened from here on; 0 ends that. */
static void lack_descriptors(int lack)
{
    static struct rlimit before;
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct rlimit none;

    if (lack) {
        assert_true(lowest >= 0);
        close(lowest);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = (rlim_t) lowest;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    } else {
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    }
}

static int on_time(sd_event_source *source, uint64_t usec, void *count)
{
    (void) source;
    (void) usec;
    ++*(int *) count;
    return 0;
}

/* A loop that has its clock, as that of hcsd has. */
static sd_event *loop_with_clock(int *out_ticks)
{
    sd_event *loop = NULL;

    *out_ticks = 0;
    assert_int_equal(sd_event_new(&loop), 0);
    assert_true(sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, 100 * 1000, 0, on_time,
                                           out_ticks) >= 0);
    return loop;
}

/* What hcsd lacks is no news of a keeper. */
static void a_shortage_of_ones_own_is_no_loss_of_the_keeper(void **state)
{
    struct stage *s = *state;
    struct owner o = { 0 };
    int ticks;
    sd_event *loop = loop_with_clock(&ticks);
    hcs_error err = HCS_ERROR_INIT;

    spawn(s, 1, "exit 2");
    hear_until(s, KEEPER_EXITED);
    close(s->fd);
    s->fd = -1;
    lack_descriptors(1);
    assert_int_equal(channel_adopt(loop, s->dir, &events, &o, &o.channel, &err), HCS_OK);
    run_until(loop, &ticks);
    assert_int_equal(o.n_lost + o.n_ready, 0);
    assert_int_equal(channel_signal(o.channel, 1, 1, SIGTERM, &err), HCS_E_WIN32_BUSY);
    channel_ack(o.channel, 1); /* waits for the connection */
    lack_descriptors(0);
    run_until(loop, &o.n_ready);
    assert_int_equal(o.n_lost, 0);
    assert_int_equal(o.exit.wait_status, 2 << 8);
    assert_int_equal(channel_signal(o.channel, 1, 1, 0, NULL), HCS_OK);
    run_until(loop, &o.n_done);
    assert_false(dir_has(s->dir, KEEPER_RECORD_PREFIX "1"));
    channel_drop(o.channel);
    sd_event_unref(loop);
}

static void a_keeper_that_goes_during_a_shortage_is_told_as_lost(void **state)
{
    struct stage *s = *state;
    struct owner o = { 0 };
    int ticks;
    sd_event *loop = loop_with_clock(&ticks);

    lack_descriptors(1);
    assert_int_equal(channel_adopt(loop, s->dir, &events, &o, &o.channel, NULL), HCS_OK);
    kill(s->keeper, SIGKILL);
    waitid(P_PID, (id_t) s->keeper, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
    run_until(loop, &ticks);
    assert_int_equal(o.n_lost, 0); /* that cannot be known yet */
    lack_descriptors(0);
    run_until(loop, &o.n_lost);
    channel_drop(o.channel);
    sd_event_unref(loop);
}

static void a_keeper_is_told_to_leave_when_the_shortage_is_over(void **state)
{
    struct stage *s = *state;
    struct owner o = { 0 };
    int ticks;
    sd_event *loop = loop_with_clock(&ticks);

    lack_descriptors(1);
    assert_int_equal(channel_adopt(loop, s->dir, &events, &o, &o.channel, NULL), HCS_OK);
    channel_quit(o.channel, on_gone);
    run_until(loop, &ticks);
    assert_int_equal(o.n_gone, 0);
    lack_descriptors(0);
    run_until(loop, &o.n_gone);
    assert_false(dir_has(s->dir, KEEPER_SOCKET));
    channel_drop(o.channel);
    sd_event_unref(loop);
}

/* ---- without a keeper ---- */

static void on_record(void *context, const struct record *record)
{
    struct record *out = context;

    out[record->number - 1] = *record;
}

static void records_say_what_the_keeper_would(void **state)
{
    struct stage *s = *state;
    struct record found[3] = { { 0 } };

    spawn(s, 1, "exec sleep 1000");
    say(s, KEEPER_SIGNAL, 1, SIGTERM);
    hear_until(s, KEEPER_EXITED);
    spawn(s, 2, "exit 9");
    hear_until(s, KEEPER_EXITED);
    spawn(s, 3, "exit 8");
    hear_until(s, KEEPER_EXITED);
    say(s, KEEPER_ACK, 2, 0);
    say(s, KEEPER_SIGNAL, 1, 0);
    hear_until(s, KEEPER_DONE);
    records_read(s->dir, on_record, found);
    assert_int_equal(found[0].wait_status, SIGTERM);
    assert_int_equal(found[0].asked, KEEPER_ASKED_TERM);
    assert_int_equal(found[1].number, 0); /* acknowledged */
    assert_int_equal(found[2].wait_status, 8 << 8);
    assert_int_equal(found[2].stage, KEEPER_STAGE_NONE);
}

/* A grandchild, so not one's own to wait for, that ends with @code once it is told to; its
 * parent is told to reap it by closing the second pipe. */
static pid_t grandchild(int code, int *out_tell, int *out_reap)
{
    int tell[2], reap[2], say_pid[2];
    pid_t pid = 0, parent;
    char byte;

    assert_int_equal(pipe2(tell, O_CLOEXEC) | pipe2(reap, O_CLOEXEC) | pipe2(say_pid, O_CLOEXEC),
                     0);
    parent = fork();
    if (parent == 0) {
        close(reap[1]);
        close(tell[1]);
        pid = fork();
        if (pid == 0)
            _exit(read(tell[0], &byte, 1) == 0 ? code : 99);
        if (write(say_pid[1], &pid, sizeof pid) < 0 || read(reap[0], &byte, 1) < 0)
            _exit(1);
        waitpid(pid, NULL, 0);
        _exit(0);
    }
    close(tell[0]);
    close(reap[0]);
    assert_int_equal(read(say_pid[0], &pid, sizeof pid), sizeof pid);
    close(say_pid[0]);
    close(say_pid[1]);
    *out_tell = tell[1];
    *out_reap = reap[1];
    return pid;
}

static void the_end_of_somebody_elses_child_is_known_while_anybody_knows(void **state)
{
    uint32_t status = 0;
    int tell, reap, parent_status;
    pid_t pid = grandchild(43, &tell, &reap);
    uint64_t birth = witness_birth(pid);
    int pidfd = witness_open(pid, birth);
    int reaped_is_known;

    (void) state;
    assert_true(birth > 0);
    if (pidfd < 0)
        skip();                                                      /* no pidfds */
    assert_int_equal(witness_status(pidfd, pid, birth, &status), 0); /* it lives */
    close(tell);
    while (!witness_status(pidfd, pid, birth, &status))
        sched_yield();
    assert_int_equal(status, 43 << 8);
    assert_int_equal(witness_status(-1, pid, birth + 1, &status), 0); /* another of that pid */
    close(reap);
    assert_true(wait(&parent_status) > 0);
    status = 0;
    reaped_is_known = witness_status(pidfd, pid, birth, &status);
    assert_int_equal(status,
                     reaped_is_known ? 43 << 8 : 0); /* new kernels tell; none makes it up */
    assert_int_equal(witness_status(-1, pid, birth, &status), 0);
    assert_int_equal(witness_birth(pid), 0);
    close(pidfd);
    assert_int_equal(witness_open(pid, birth), -1);
}

static void a_process_is_that_of_its_birth(void **state)
{
    uint64_t birth = witness_birth(getpid());
    int pidfd = witness_open(getpid(), birth);

    (void) state;
    if (pidfd < 0)
        skip(); /* no pidfds */
    close(pidfd);
    assert_int_equal(witness_open(getpid(), birth + 1), -1);
    assert_int_equal(witness_open(getpid(), 0), -1);
    assert_int_equal(witness_open(0, birth), -1);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, stage_begin, stage_end)

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        ON_STAGE(what_was_asked_of_a_process_is_told_to_the_next),
        ON_STAGE(what_was_asked_of_all_is_told_when_all_is_told),
        ON_STAGE(a_start_under_way_is_told_before_it_is_done),
        ON_STAGE(a_start_that_comes_to_nothing_is_told_as_that),
        ON_STAGE(a_report_is_kept_for_whoever_asks),
        ON_STAGE(a_refusal_is_told_with_the_exit_of_what_was_no_program),
        ON_STAGE(what_was_never_reached_is_told_as_that),
        ON_STAGE(a_held_report_does_not_hold_up_the_exit),
        ON_STAGE(an_adopted_keeper_is_watched_and_used),
        ON_STAGE(an_adopted_keeper_is_told_to_leave),
        ON_STAGE(where_no_keeper_listens_none_is_adopted),
        ON_STAGE(a_keeper_of_another_version_is_ended_before_it_is_told),
        ON_STAGE(a_keeper_that_says_nothing_is_ended_with_its_system),
        ON_STAGE(a_keeper_that_cannot_be_watched_is_gone_with_its_connection),
        ON_STAGE(a_keeper_that_names_another_process_harms_only_itself),
        ON_STAGE(a_shortage_of_ones_own_is_no_loss_of_the_keeper),
        ON_STAGE(a_keeper_that_goes_during_a_shortage_is_told_as_lost),
        ON_STAGE(a_keeper_is_told_to_leave_when_the_shortage_is_over),
        ON_STAGE(records_say_what_the_keeper_would),
        cmocka_unit_test(the_end_of_somebody_elses_child_is_known_while_anybody_knows),
        cmocka_unit_test(a_process_is_that_of_its_birth),
    };

    if (argc > 1 && strcmp(argv[1], "--keep") == 0)
        return impostor_main();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
