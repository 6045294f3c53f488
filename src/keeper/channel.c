/* channel.c - the daemon's end of a keeper.
 *
 * Owns the connection to the keeper, and the keeper as a child process unless an earlier hcsd
 * started it.  Used by the drivers on the loop's thread.  Promises that no call here waits, that
 * callbacks come from the loop only, that an owner may drop the channel from inside any of them,
 * and that the loss of the keeper is told once and last.
 */
#include "channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "fd.h"
#include "launch.h"
#include "log.h"
#include "witness.h"

#define FDS_MAX 3 /* in one message */
#define LOG_TAIL 160
#define TURN_MAX 64                /* messages taken before others on the loop have their turn */
#define END_GRACE_US (1000 * 1000) /* from the end of the connection to that of the keeper */
#define LOOK_US (20 * 1000)
#define QUIT_GRACE_US (10 * 1000 * 1000) /* from QUIT to SIGKILL */
#define RETRY_US (20 * 1000)             /* to the next attempt to connect, doubled each time */
#define RETRY_MAX_US (5 * 1000 * 1000)

struct channel {
    sd_event *loop;
    const struct channel_events *events;
    void *owner;
    char *run_dir;
    pid_t pid;      /* 0 once it is gone, and of an adopted one while it is not watched */
    int is_adopted; /* somebody else's child: to be watched, but not to be waited for */
    uint64_t birth; /* of an adopted one */
    int pidfd;
    int fd; /* -1 when the connection is over */
    sd_event_source *readable;
    sd_event_source *ended; /* the pidfd, or the look instead */
    sd_event_source *timer;
    sd_event_source
        *retry; /* of the connection to an adopted one, while hcsd lacks what it needs */
    uint64_t retry_us;
    sd_event_source *already_gone; /* channel_quit found the keeper gone */
    void (*gone)(void *owner);     /* after channel_quit */
    int greeted;                   /* HELLO came */
    int over;                      /* `lost` was told, or nobody wants to hear it */
    int quitting;
    int quit_due;   /* QUIT did not fit yet */
    int depth;      /* callbacks under way */
    int dropped;    /* from inside one of them */
    uint32_t *acks; /* that did not fit yet */
    size_t n_acks;
    char why[128]; /* why the connection is over, before the keeper has ended */
};

/* ---- life ---- */

static void source_drop(sd_event_source **source)
{
    *source = sd_event_source_disable_unref(*source);
}

static void channel_free(struct channel *ch)
{
    source_drop(&ch->readable);
    source_drop(&ch->ended);
    source_drop(&ch->timer);
    source_drop(&ch->retry);
    source_drop(&ch->already_gone);
    sd_event_unref(ch->loop);
    fd_drop(&ch->fd);
    fd_drop(&ch->pidfd);
    free(ch->acks);
    free(ch->run_dir);
    free(ch);
}

static int on_pidfd(sd_event_source *source, int fd, uint32_t revents, void *userdata);

/* Callbacks run between these two; between them the owner may drop the channel. */
static void enter(struct channel *ch)
{
    ch->depth++;
}

/* 0 when the channel is gone. */
static int leave(struct channel *ch)
{
    if (--ch->depth > 0 || !ch->dropped)
        return !ch->dropped;
    channel_free(ch);
    return 0;
}

void channel_drop(struct channel *ch)
{
    if (!ch)
        return;
    assert(!ch->dropped);
    ch->dropped = 1;
    if (ch->depth)
        return;
    channel_free(ch);
}

/* ---- the end ---- */

/* The keeper's last words, when it had any: they name the cause better than its status. */
static void log_tail(const struct channel *ch, char out[static LOG_TAIL])
{
    _cleanup_(free_drop) char *path = NULL;
    _cleanup_(fd_drop) int fd = -1;
    char *start;
    off_t size;
    ssize_t n;

    *out = 0;
    if (asprintf(&path, "%s/%s", ch->run_dir, LAUNCH_LOG) < 0) {
        path = NULL;
        return;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    size = lseek(fd, 0, SEEK_END);
    n = pread(fd, out, LOG_TAIL - 1, size < LOG_TAIL ? 0 : size - (LOG_TAIL - 1));
    if (n <= 0)
        return;
    out[n] = 0;
    if (out[n - 1] == '\n')
        out[--n] = 0;
    start = strrchr(out, '\n');
    if (start)
        memmove(out, start + 1, strlen(start + 1) + 1);
}

/* How it ended, as far as that can be known.  It is reaped if it is ours. */
static siginfo_t end_of(const struct channel *ch)
{
    siginfo_t info = { 0 };
    uint32_t status;

    if (!ch->is_adopted) {
        waitid(P_PID, (id_t) ch->pid, &info, WEXITED | WNOHANG);
    } else if (witness_status(ch->pidfd, ch->pid, ch->birth, &status)) {
        info.si_code = WIFEXITED((int) status) ? CLD_EXITED : CLD_KILLED;
        info.si_status =
            WIFEXITED((int) status) ? WEXITSTATUS((int) status) : WTERMSIG((int) status);
    }
    return info;
}

static void describe_end(struct channel *ch, const siginfo_t *info, char *out, size_t size)
{
    char tail[LOG_TAIL];

    if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED) {
        snprintf(out, size, "the keeper was killed by signal %d", info->si_status);
        return;
    }
    log_tail(ch, tail);
    if (info->si_code != CLD_EXITED)
        snprintf(out, size, "the keeper ended, nobody knows how");
    else
        snprintf(out, size, "the keeper ended with status %d%s%s", info->si_status,
                 *tail ? ": " : "", tail);
}

static void tell_lost(struct channel *ch, const char *why)
{
    if (ch->over)
        return;
    ch->over = 1;
    ch->events->lost(ch->owner, why);
}

static void connection_close(struct channel *ch)
{
    source_drop(&ch->readable);
    fd_drop(&ch->fd);
}

/* The keeper is to go, whether it listens or not. */
static void keeper_kill(struct channel *ch)
{
    if (!ch->is_adopted)
        kill(ch->pid, SIGKILL); /* not reaped, so still its own */
    else if (ch->pidfd >= 0)
        (void) syscall(SYS_pidfd_send_signal, ch->pidfd, SIGKILL, NULL, 0);
    else
        launch_kill(ch->run_dir);
}

static int on_end_overdue(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct channel *ch = userdata;

    (void) source;
    (void) usec;
    source_drop(&ch->timer);
    if (ch->quitting) {
        keeper_kill(ch);
        return 0;
    }
    enter(ch);
    tell_lost(ch, ch->why);
    leave(ch);
    return 0;
}

static void keeper_gone(struct channel *ch, const char *why)
{
    source_drop(&ch->timer);
    if (ch->quitting && !ch->dropped)
        ch->gone(ch->owner);
    else if (!ch->dropped)
        tell_lost(ch, why);
}

/* The connection ended, the keeper perhaps not yet: how it ends is the better reason, so wait for
 * that a moment. */
static void connection_broken(struct channel *ch, const char *why)
{
    snprintf(ch->why, sizeof(ch->why), "%s", why);
    connection_close(ch);
    if (ch->is_adopted && ch->pidfd < 0) { /* there is nothing else to see of it */
        keeper_gone(ch, ch->why);
        return;
    }
    if (ch->over || ch->timer)
        return;
    if (sd_event_add_time_relative(ch->loop, &ch->timer, CLOCK_MONOTONIC, END_GRACE_US, 1000,
                                   on_end_overdue, ch) < 0)
        tell_lost(ch, why);
}

/* ---- receiving ---- */

static void tell_exited(struct channel *ch, const struct keeper_header *m)
{
    const struct channel_exit end = { .number = m->number,
                                      .pid = (uint32_t) m->pid,
                                      .wait_status = m->status,
                                      .asked = m->tag,
                                      .stage = m->value,
                                      .error = m->error,
                                      .realtime_ns = m->realtime_ns,
                                      .monotonic_ns = m->monotonic_ns };

    ch->events->exited(ch->owner, &end);
}

static void tell_tracked(struct channel *ch, const struct keeper_header *m)
{
    const struct channel_process process = { .number = m->number,
                                             .pid = (uint32_t) m->pid,
                                             .asked = m->tag,
                                             .stage = m->value,
                                             .error = m->error };

    ch->events->tracked(ch->owner, &process);
}

/* What is wrong with a message, or NULL. */
static const char *objection(const struct channel *ch, const struct keeper_header *m, size_t n)
{
    if (n != sizeof(*m))
        return "the keeper sent a message of a wrong size";
    if (m->type < KEEPER_HELLO || m->type > KEEPER_NOTHING || m->n_strings)
        return "the keeper sent a message that is not known";
    if (m->type == KEEPER_HELLO && (uint32_t) m->value != KEEPER_VERSION)
        return "the keeper is of another version than the service";
    if ((m->type == KEEPER_HELLO) == ch->greeted)
        return "the keeper sent its messages in a wrong order";
    return NULL;
}

/* The keeper has said which process it is: watch that, if it is one.  What is watched may be
 * killed, so a number alone is not believed.  Without pidfds the end of the connection has to do.
 */
static void greeted(struct channel *ch, const struct keeper_header *m)
{
    ch->greeted = 1;
    if (!ch->is_adopted)
        return;
    ch->birth = witness_birth(m->pid);
    ch->pidfd = witness_open(m->pid, ch->birth);
    if (ch->pidfd >= 0 &&
        (!launch_is_keeper(m->pid, ch->run_dir) ||
         sd_event_add_io(ch->loop, &ch->ended, ch->pidfd, EPOLLIN, on_pidfd, ch) < 0))
        fd_drop(&ch->pidfd), ch->pidfd = -1;
    if (ch->pidfd >= 0)
        ch->pid = m->pid;
}

static void dispatch(struct channel *ch, const struct keeper_header *m)
{
    if (m->type == KEEPER_HELLO)
        greeted(ch, m);
    else if (ch->over)
        return;
    else if (m->type == KEEPER_DONE)
        ch->events->done(ch->owner, m->tag, m->status, (uint32_t) m->pid, m->error, m->value);
    else if (m->type == KEEPER_EXITED)
        tell_exited(ch, m);
    else if (m->type == KEEPER_EMPTY)
        ch->events->empty(ch->owner);
    else if (m->type == KEEPER_TRACKED)
        tell_tracked(ch, m);
    else if (m->type == KEEPER_READY && ch->is_adopted)
        ch->events->ready(ch->owner, (uint32_t) m->value);
    else if (m->type == KEEPER_NOTHING && ch->is_adopted)
        ch->events->nothing(ch->owner, m->number);
}

/* Nothing can be said to such a keeper, not even to leave.  It goes first, and what it keeps with
 * it: whoever is told that it is lost takes its programs for ended. */
static void refuse(struct channel *ch, const char *wrong)
{
    connection_close(ch);
    if (ch->pid || ch->is_adopted)
        keeper_kill(ch);
    tell_lost(ch, wrong);
}

/* 1 one message was dealt with, 0 nothing there or over. */
static int receive_one(struct channel *ch)
{
    struct keeper_header m;
    ssize_t n = recv(ch->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
    const char *wrong;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        connection_broken(ch, "the keeper closed the connection");
        return 0;
    }
    wrong = objection(ch, &m, (size_t) n);
    if (wrong) {
        refuse(ch, wrong);
        return 0;
    }
    dispatch(ch, &m);
    return 1;
}

static void receive(struct channel *ch, int most)
{
    while (most-- && ch->fd >= 0 && !ch->dropped && receive_one(ch))
        continue;
}

/* ---- sending ---- */

/* 0 or an errno. */
static int transmit(struct channel *ch, const struct keeper_header *header,
                    const struct buf *strings_opt, const int *fds, size_t n_fds)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))] = { 0 };
    struct keeper_header copy = *header;
    struct iovec parts[2] = {
        { .iov_base = &copy, .iov_len = sizeof(copy) },
        { .iov_base = strings_opt ? strings_opt->data : NULL,
          .iov_len = strings_opt ? strings_opt->length : 0 },
    };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = N_ELEMENTS(parts) };

    if (ch->fd < 0)
        return ch->retry ? EAGAIN : ECONNRESET;
    assert(n_fds <= FDS_MAX);
    if (n_fds) {
        struct cmsghdr *c;

        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    return sendmsg(ch->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* Ask to be woken when there is room only while something waits for it. */
static void watch(struct channel *ch)
{
    uint32_t events = EPOLLIN | (ch->n_acks || ch->quit_due ? EPOLLOUT : 0);

    if (ch->readable)
        sd_event_source_set_io_events(ch->readable, events);
}

static int send_ack(struct channel *ch, uint32_t number)
{
    const struct keeper_header header = { .type = KEEPER_ACK, .number = number };

    return transmit(ch, &header, NULL, NULL, 0);
}

static int send_quit(struct channel *ch)
{
    const struct keeper_header header = { .type = KEEPER_QUIT };

    return transmit(ch, &header, NULL, NULL, 0);
}

/* No room, there or in the kernel, which passes.  Whatever else went wrong with sending, the
 * receiving end will notice. */
static int is_for_later(int error)
{
    return error == EAGAIN || error == ENOBUFS || error == ENOMEM || error == EINTR;
}

static void send_overdue(struct channel *ch)
{
    size_t n = 0;

    while (n < ch->n_acks && !is_for_later(send_ack(ch, ch->acks[n])))
        n++;
    ch->n_acks -= n;
    if (ch->n_acks)
        memmove(ch->acks, ch->acks + n, ch->n_acks * sizeof(*ch->acks));
    else if (ch->quit_due)
        ch->quit_due = is_for_later(send_quit(ch));
    watch(ch);
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct channel *ch = userdata;

    (void) source;
    (void) fd;
    enter(ch);
    if (revents & EPOLLOUT)
        send_overdue(ch);
    receive(ch, TURN_MAX);
    leave(ch);
    return 0;
}

/* The keeper has ended and is not reaped yet, if it is ours. */
static void keeper_ended(struct channel *ch)
{
    siginfo_t info = end_of(ch);
    char why[256];

    ch->pid = 0;
    source_drop(&ch->ended);
    source_drop(&ch->timer);
    enter(ch);
    receive(ch, INT_MAX); /* what it said before it died; the dead say no more, so this ends */
    connection_close(ch);
    describe_end(ch, &info, why, sizeof(why));
    keeper_gone(ch, why);
    leave(ch);
}

static int on_pidfd(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void) source;
    (void) fd;
    (void) revents;
    keeper_ended(userdata);
    return 0;
}

/* Where there are no pidfds (before Linux 5.3, under older valgrind) a look now and then has to do.
 */
static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct channel *ch = userdata;
    siginfo_t info = { 0 };

    if (waitid(P_PID, (id_t) ch->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid) {
        keeper_ended(ch);
        return 0;
    }
    sd_event_source_set_time(source, usec + LOOK_US);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

static int on_already_gone(sd_event_source *source, void *userdata)
{
    struct channel *ch = userdata;

    (void) source;
    enter(ch);
    ch->gone(ch->owner);
    leave(ch);
    return 0;
}

/* ---- starting ---- */

static void channel_dropp(struct channel **ch)
{
    channel_drop(*ch);
}

static hcs_result channel_new(sd_event *loop, const char *run_dir,
                              const struct channel_events *events, void *owner,
                              struct channel **out, hcs_error *err)
{
    struct channel *ch = calloc(1, sizeof(*ch));

    if (ch)
        ch->run_dir = strdup(run_dir);
    if (!ch || !ch->run_dir) {
        free(ch);
        return fail(err, HCS_E_OUTOFMEMORY, "channel.start", "no memory for the keeper of '%s'",
                    run_dir);
    }
    ch->loop = sd_event_ref(loop);
    ch->events = events;
    ch->owner = owner;
    ch->pidfd = -1;
    ch->fd = -1;
    *out = ch;
    return HCS_OK;
}

/* negative errno */
static int watch_connection(struct channel *ch)
{
    return sd_event_add_io(ch->loop, &ch->readable, ch->fd, EPOLLIN, on_connection, ch);
}

/* negative errno */
static int prepare_already_gone(struct channel *ch)
{
    int r = sd_event_add_defer(ch->loop, &ch->already_gone, on_already_gone, ch);

    return r < 0 ? r : sd_event_source_set_enabled(ch->already_gone, SD_EVENT_OFF);
}

/* A keeper that cannot be watched is not kept. */
static hcs_result channel_watch(struct channel *ch, hcs_error *err)
{
    int r;

    ch->pidfd = (int) syscall(SYS_pidfd_open, ch->pid, 0);
    if (ch->pidfd >= 0)
        r = sd_event_add_io(ch->loop, &ch->ended, ch->pidfd, EPOLLIN, on_pidfd, ch);
    else if (errno == ENOSYS)
        r = sd_event_add_time_relative(ch->loop, &ch->ended, CLOCK_MONOTONIC, LOOK_US, 1000,
                                       on_look, ch);
    else
        r = -errno;
    if (r >= 0)
        r = watch_connection(ch);
    if (r >= 0)
        r = prepare_already_gone(ch);
    if (r >= 0)
        return HCS_OK;
    kill(ch->pid, SIGKILL);
    waitpid(ch->pid, NULL, 0);
    return fail_os(err, result_from_errno(-r), -r, "channel.start", "watch the keeper of '%s'",
                   ch->run_dir);
}

hcs_result channel_start(sd_event *loop, const char *program, const char *run_dir, uint32_t options,
                         const struct channel_events *events, void *owner, struct channel **out,
                         hcs_error *err)
{
    _cleanup_(channel_dropp) struct channel *ch = NULL;
    hcs_result r;

    assert(loop && program && run_dir && events && out);
    assert(!(options & ~CHANNEL_HIDE_UNIFIED));
    r = channel_new(loop, run_dir, events, owner, &ch, err);
    if (r < 0)
        return r;
    r = launch_keeper(program, run_dir, options, &ch->fd, &ch->pid, err);
    if (r < 0)
        return r;
    r = channel_watch(ch, err);
    if (r < 0)
        return r;
    *out = TAKE(ch);
    return HCS_OK;
}

static hcs_result connect_adopted(struct channel *ch, hcs_error *err)
{
    hcs_result r = launch_connect(ch->run_dir, &ch->fd, err);
    int e = r < 0 ? 0 : watch_connection(ch);

    if (e >= 0)
        return r;
    connection_close(ch);
    return fail_os(err, result_from_errno(-e), -e, "channel.adopt", "watch the keeper of '%s'",
                   ch->run_dir);
}

/* A source that is there needs nothing more to go on. */
static void try_later(struct channel *ch)
{
    sd_event_source_set_time_relative(ch->retry, ch->retry_us);
    sd_event_source_set_enabled(ch->retry, SD_EVENT_ONESHOT);
    ch->retry_us = ch->retry_us < RETRY_MAX_US / 2 ? ch->retry_us * 2 : RETRY_MAX_US;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct channel *ch = userdata;
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = connect_adopted(ch, &err);

    (void) source;
    (void) usec;
    enter(ch);
    if (r >= 0) {
        source_drop(&ch->retry);
        send_overdue(ch);
    } else if (r == HCS_E_SERVICE_NOT_AVAILABLE) {
        source_drop(&ch->retry);
        keeper_gone(ch, err.text);
    } else {
        if (ch->quitting && !ch->timer) /* it has had its time */
            keeper_kill(ch);
        try_later(ch);
    }
    leave(ch);
    return 0;
}

static hcs_result begin_retries(struct channel *ch, const hcs_error *why, hcs_error *err)
{
    int r = sd_event_add_time_relative(ch->loop, &ch->retry, CLOCK_MONOTONIC, RETRY_US, 0, on_retry,
                                       ch);

    if (r < 0)
        return fail_os(err, result_from_errno(-r), -r, "channel.adopt",
                       "time to connect to the keeper of '%s' again", ch->run_dir);
    log_line(LOG_LINE_WARNING, "keeper of '%s': %s: trying again until it works", ch->run_dir,
             why->text);
    ch->retry_us = RETRY_US;
    try_later(ch);
    return HCS_OK;
}

hcs_result channel_adopt(sd_event *loop, const char *run_dir, const struct channel_events *events,
                         void *owner, struct channel **out, hcs_error *err)
{
    _cleanup_(channel_dropp) struct channel *ch = NULL;
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r;

    assert(loop && run_dir && events && out);
    r = channel_new(loop, run_dir, events, owner, &ch, err);
    if (r < 0)
        return r;
    ch->is_adopted = 1;
    if (prepare_already_gone(ch) < 0)
        return fail(err, HCS_E_OUTOFMEMORY, "channel.adopt", "no memory for the keeper of '%s'",
                    run_dir);
    r = connect_adopted(ch, &why);
    if (r == HCS_E_SERVICE_NOT_AVAILABLE)
        return fail_os(err, r, why.os, "channel.adopt", "%s", why.text);
    if (r < 0)
        r = begin_retries(ch, &why, err);
    if (r < 0)
        return r;
    *out = TAKE(ch);
    return HCS_OK;
}

/* ---- commands ---- */

/* A command with strings.  What does not fit is counted all the same, for the message about it. */
struct outgoing {
    struct keeper_header header;
    struct buf strings;
    size_t size;
    hcs_result result;
};

static void outgoing_init(struct outgoing *o, uint32_t type, uint32_t tag, uint32_t number)
{
    *o = (struct outgoing){ .header = { .type = type, .tag = tag, .number = number } };
    buf_init(&o->strings, KEEPER_MESSAGE_MAX - sizeof(o->header));
}

static void outgoing_done(struct outgoing *o)
{
    buf_done(&o->strings);
}

static void outgoing_add(struct outgoing *o, const char *string)
{
    size_t n = strlen(string) + 1;

    o->size += n;
    o->header.n_strings++;
    if (o->result == HCS_OK)
        o->result = buf_append(&o->strings, string, n);
}

static void outgoing_add_all(struct outgoing *o, char *const *strings)
{
    for (; *strings; strings++)
        outgoing_add(o, *strings);
}

static hcs_result send_failed(const struct channel *ch, int error, hcs_error *err)
{
    if (ch->retry)
        return fail(err, HCS_E_WIN32_BUSY, "channel.send",
                    "hcsd cannot connect to the keeper of '%s' yet (its log says why): try again",
                    ch->run_dir);
    if (error == EAGAIN)
        return fail(err, HCS_E_WIN32_BUSY, "channel.send",
                    "the keeper of '%s' has not taken the commands before this one", ch->run_dir);
    if (error == ECONNRESET || error == EPIPE || error == ENOTCONN)
        return fail_os(err, HCS_E_CONNECTION_CLOSED, error, "channel.send",
                       "the keeper of '%s' is gone", ch->run_dir);
    return fail_os(err, result_from_errno(error), error, "channel.send",
                   "command to the keeper of '%s'", ch->run_dir);
}

static hcs_result outgoing_send(struct channel *ch, const struct outgoing *o, const int *fds,
                                size_t n_fds, hcs_error *err)
{
    int error;

    if (o->size > o->strings.ceiling)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "channel.send",
                    "arguments and environment have %zu bytes, at most %zu are allowed", o->size,
                    o->strings.ceiling);
    if (o->header.n_strings > KEEPER_STRINGS_MAX)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "channel.send",
                    "arguments and environment are %u strings, at most %u are allowed",
                    o->header.n_strings, KEEPER_STRINGS_MAX);
    if (o->result < 0)
        return fail(err, o->result, "channel.send", "no memory for %zu bytes to the keeper of '%s'",
                    o->size, ch->run_dir);
    error = transmit(ch, &o->header, &o->strings, fds, n_fds);
    return error ? send_failed(ch, error, err) : HCS_OK;
}

static hcs_result send_run(struct channel *ch, uint32_t tag, char *const argv[], const int *fds,
                           size_t n_fds, uint32_t number, const char *pid_file_opt, int reports,
                           hcs_error *err)
{
    _cleanup_(outgoing_done) struct outgoing o;

    assert(ch && argv && argv[0]);
    assert(!pid_file_opt || (*pid_file_opt && number));
    outgoing_init(&o, KEEPER_RUN, tag, number);
    o.header.value = reports;
    outgoing_add(&o, pid_file_opt ? pid_file_opt : "");
    outgoing_add_all(&o, argv);
    return outgoing_send(ch, &o, fds, n_fds, err);
}

hcs_result channel_run(struct channel *ch, uint32_t tag, char *const argv[], const int *fds,
                       size_t n_fds, uint32_t number, const char *pid_file_opt, hcs_error *err)
{
    return send_run(ch, tag, argv, fds, n_fds, number, pid_file_opt, 0, err);
}

hcs_result channel_enter(struct channel *ch, uint32_t tag, char *const argv[], const int fds[3],
                         uint32_t number, const char *pid_file, hcs_error *err)
{
    return send_run(ch, tag, argv, fds, 3, number, pid_file, 1, err);
}

hcs_result channel_spawn(struct channel *ch, uint32_t tag, uint32_t number,
                         const char *directory_opt, char *const argv[], char *const environment[],
                         const int fds[3], hcs_error *err)
{
    _cleanup_(outgoing_done) struct outgoing o;
    char count[24];
    size_t n = 0;

    assert(ch && number && argv && argv[0] && environment && fds);
    while (argv[n])
        n++;
    snprintf(count, sizeof(count), "%zu", n);
    outgoing_init(&o, KEEPER_SPAWN, tag, number);
    outgoing_add(&o, directory_opt ? directory_opt : "");
    outgoing_add(&o, count);
    outgoing_add_all(&o, argv);
    outgoing_add_all(&o, environment);
    return outgoing_send(ch, &o, fds, 3, err);
}

static hcs_result send_signal(struct channel *ch, const struct keeper_header *header,
                              hcs_error *err)
{
    int error = transmit(ch, header, NULL, NULL, 0);

    return error ? send_failed(ch, error, err) : HCS_OK;
}

hcs_result channel_signal(struct channel *ch, uint32_t tag, uint32_t number, int signal,
                          hcs_error *err)
{
    const struct keeper_header header = {
        .type = KEEPER_SIGNAL, .tag = tag, .number = number, .value = signal
    };

    assert(ch && number);
    return send_signal(ch, &header, err);
}

hcs_result channel_signal_all(struct channel *ch, uint32_t tag, int signal, hcs_error *err)
{
    const struct keeper_header header = { .type = KEEPER_SIGNAL_ALL, .tag = tag, .value = signal };

    assert(ch);
    return send_signal(ch, &header, err);
}

/* The keeper knows KEEPER_PROCESSES_MAX exits at most, so there are never more to acknowledge. */
void channel_ack(struct channel *ch, uint32_t number)
{
    assert(ch && number);
    if (!ch->n_acks && !is_for_later(send_ack(ch, number)))
        return;
    if (!ch->acks)
        ch->acks = calloc(KEEPER_PROCESSES_MAX, sizeof(*ch->acks));
    if (!ch->acks || ch->n_acks == KEEPER_PROCESSES_MAX)
        return;
    ch->acks[ch->n_acks++] = number;
    watch(ch);
}

void channel_quit(struct channel *ch, void (*gone)(void *owner))
{
    int error;

    assert(ch && gone && !ch->quitting);
    ch->over = 1;
    ch->quitting = 1;
    ch->gone = gone;
    source_drop(&ch->timer);
    if (!ch->pid && ch->fd < 0 && !ch->retry) {
        if (ch->is_adopted && ch->pidfd < 0) /* its connection is gone; nobody saw it go */
            launch_kill(ch->run_dir);
        sd_event_source_set_enabled(ch->already_gone, SD_EVENT_ONESHOT);
        return;
    }

    /* A keeper that cannot be told, or does not listen, goes as well. */
    error = ch->n_acks ? EAGAIN : send_quit(ch);
    ch->quit_due = is_for_later(error);
    watch(ch);
    if ((error && !ch->quit_due) ||
        sd_event_add_time_relative(ch->loop, &ch->timer, CLOCK_MONOTONIC, QUIT_GRACE_US, 1000,
                                   on_end_overdue, ch) < 0)
        keeper_kill(ch);
}
