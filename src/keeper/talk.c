/* talk.c - the keeper's side of the conversation with hcsd.
 *
 * Owns the connection and the commands under way.  Nothing is queued here: what has to be said is a
 * mark on what it is about, and is said when the connection has room.  Promises that no peer can
 * end the keeper or make it wait: what is not a proper message closes the connection. */
#include "keeper.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attr.h"

#define FDS_MAX 8   /* received at once; four are used */
#define TURN_MAX 32 /* messages taken before the keeper looks at its processes again */

/* One message as it came. */
struct message {
    struct keeper_header header;
    char **strings;
    int fds[FDS_MAX];
    size_t n_fds;
};

static _Alignas(struct keeper_header) char received[KEEPER_MESSAGE_MAX];
static char *received_strings[KEEPER_STRINGS_MAX + 2]; /* room for two NULLs */

/* ---- the connection ---- */

static void connection_close(struct keeper *k)
{
    close(k->connection_fd);
    k->connection_fd = -1;
    k->answer.state = COMMAND_FREE;
    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++) {
        struct command *c = &k->commands[i];

        c->foreign = 1;
        if (c->state == COMMAND_DONE)
            c->state = COMMAND_FREE;
    }
}

/* Whoever comes hears everything anew. */
static void begin(struct keeper *k)
{
    k->blocked = 0;
    k->hello_due = 1;
    k->ready_due = 1;
    k->empty_due = k->care == CARE_NONE;
    for (size_t i = 0; i < k->n_processes; i++) {
        struct process *p = &k->processes[i];

        if (p->state == PROCESS_NOTHING)
            care_release(p);
        p->orphaned = p->state == PROCESS_RESERVED; /* all of them: there is no other connection */
        if (p->state != PROCESS_RESERVED)
            p->held = 0;
        p->announced = 0;
        p->told = 0;
    }
}

static int is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return 0;
    return peer.uid == 0 || peer.uid == geteuid();
}

void talk_accept(struct keeper *k)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = -1 };
    int fd = accept4(k->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    event.data.fd = fd;
    if (!is_allowed(fd) || epoll_ctl(k->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        close(fd);
        return;
    }
    if (k->connection_fd >= 0)
        connection_close(k);
    k->connection_fd = fd;
    k->watched = event.events;
    begin(k);
}

/* ---- saying ---- */

/* 1 when it is on its way. */
static int say(struct keeper *k, const struct keeper_header *header)
{
    if (k->connection_fd < 0 || k->blocked)
        return 0;
    if (send(k->connection_fd, header, sizeof(*header), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        return 1;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM)
        k->blocked = 1;
    else
        connection_close(k);
    return 0;
}

static int say_hello(struct keeper *k)
{
    struct keeper_header header = { .type = KEEPER_HELLO,
                                    .value = KEEPER_VERSION,
                                    .pid = getpid() };

    if (k->hello_due && say(k, &header))
        k->hello_due = 0;
    return !k->hello_due;
}

static int say_plain(struct keeper *k, uint32_t type, uint8_t *due)
{
    struct keeper_header header = { .type = type };

    if (type == KEEPER_READY)
        header.value = k->asked | (k->care == CARE_SOME ? 0 : KEEPER_ALONE);

    if (*due && say(k, &header))
        *due = 0;
    return !*due;
}

static int say_process(struct keeper *k, struct process *p)
{
    struct keeper_header header = {
        .type = KEEPER_TRACKED,
        .tag = p->asked,
        .number = p->number,
        .pid = p->pid,
        .value = report_value(p),
        .error = p->refused_error,
        .status = p->status,
        .realtime_ns = p->realtime_ns,
        .monotonic_ns = p->monotonic_ns,
    };

    if (p->state == PROCESS_NOTHING) {
        header.type = KEEPER_NOTHING;
        if (!say(k, &header))
            return 0;
        care_release(p);
        return 1;
    }
    if (p->state == PROCESS_RESERVED && p->orphaned && !p->announced)
        return p->announced = (uint8_t) say(k, &header);
    if (p->held)
        return 1;
    if (p->state == PROCESS_LIVING && (!p->announced || p->stage != p->stage_told)) {
        if (!say(k, &header))
            return 0;
        p->announced = 1;
        p->stage_told = p->stage;
        return 1;
    }
    if (p->state != PROCESS_ENDED || p->told)
        return 1;
    header.type = KEEPER_EXITED;
    return p->told = (uint8_t) say(k, &header);
}

static int say_processes(struct keeper *k)
{
    for (size_t i = 0; i < k->n_processes; i++)
        if (!say_process(k, &k->processes[i]))
            return 0;
    return 1;
}

static int say_answer(struct keeper *k, struct command *c)
{
    if (c->state != COMMAND_DONE)
        return 1;
    if (!say(k, &c->answer))
        return 0;
    if (c->process) {
        c->process->held = 0;
        c->process->announced = 1;
    }
    c->state = COMMAND_FREE;
    return 1;
}

static int say_answers(struct keeper *k)
{
    if (!say_answer(k, &k->answer))
        return 0;
    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++)
        if (!say_answer(k, &k->commands[i]))
            return 0;
    return 1;
}

/* A command is read only when there is a place for its answer. */
static void watch(struct keeper *k)
{
    struct epoll_event event = { .data.fd = k->connection_fd };

    if (k->connection_fd < 0)
        return;
    event.events = (k->answer.state == COMMAND_FREE ? EPOLLIN : 0) | (k->blocked ? EPOLLOUT : 0);
    if (event.events == k->watched)
        return;
    if (epoll_ctl(k->epoll_fd, EPOLL_CTL_MOD, k->connection_fd, &event) < 0)
        connection_close(k);
    else
        k->watched = event.events;
}

/* Say what is due, in the order that the protocol promises, as far as there is room. */
void talk_flush(struct keeper *k)
{
    k->blocked = 0;
    if (k->connection_fd >= 0 && say_hello(k) && say_processes(k) &&
        say_plain(k, KEEPER_READY, &k->ready_due) && say_answers(k) && say_processes(k))
        say_plain(k, KEEPER_EMPTY, &k->empty_due);
    watch(k);
}

/* ---- commands ---- */

static void answer(struct keeper *k, const struct message *m, int error)
{
    assert(k->answer.state == COMMAND_FREE);
    k->answer.state = COMMAND_DONE;
    k->answer.process = NULL;
    k->answer.answer = (struct keeper_header){
        .type = KEEPER_DONE, .tag = m->header.tag, .number = m->header.number, .error = error
    };
}

static struct command *command_find_free(struct keeper *k)
{
    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++)
        if (k->commands[i].state == COMMAND_FREE)
            return &k->commands[i];
    return NULL;
}

/* Start the program of a RUN, with the end of a report if that is wanted. */
static int run_start(struct keeper *k, const struct message *m, struct command *c, int *out_step)
{
    int fds[] = { m->fds[0], m->fds[1], m->fds[2], -1 };
    const struct program program = {
        .argv = m->strings + 1,
        .environment = environ,
        .directory = "",
        .fds = fds,
        .n_fds = m->n_fds + (m->header.value != 0),
    };
    int error = 0;

    if (m->header.value)
        error = report_begin(k, c->process, &fds[KEEPER_REPORT_FD]);
    if (!error)
        error = start_program(&program, &c->pid, out_step);
    if (fds[KEEPER_REPORT_FD] >= 0)
        close(fds[KEEPER_REPORT_FD]);
    return error;
}

static int run_begin(struct keeper *k, const struct message *m, struct command *c, int *out_step)
{
    int error = 0;

    if (k->quitting)
        return ESHUTDOWN;
    if (!c)
        return EAGAIN;
    if (strlen(m->strings[0]) >= sizeof(k->pid_files[0]))
        return ENAMETOOLONG;
    c->process = NULL;
    if (*m->strings[0]) {
        c->process = care_reserve(k, m->header.number, &error);
        if (!c->process)
            return error;
    }
    error = run_start(k, m, c, out_step);
    if (error && c->process)
        care_release(c->process);
    return error;
}

static int do_run(struct keeper *k, const struct message *m)
{
    struct command *c = command_find_free(k);
    int error, step = 0;

    if (m->header.n_strings < 2 || (m->n_fds != 0 && m->n_fds != 3) ||
        (m->header.value && (m->n_fds != 3 || !*m->strings[0])))
        return 0;
    error = run_begin(k, m, c, &step);
    if (error) {
        answer(k, m, error);
        k->answer.answer.value = step;
        return 1;
    }
    if (k->empty_due) /* it could not be said in time, and now is not so; later, then */
        care_took_on(k);
    strcpy(k->pid_files[c - k->commands], m->strings[0]);
    k->n_awaiting += c->process != NULL;
    c->state = COMMAND_RUNNING;
    c->foreign = 0;
    c->spared = k->killing;
    c->answer = (struct keeper_header){ .type = KEEPER_DONE,
                                        .tag = m->header.tag,
                                        .number = m->header.number };
    return 1;
}

static int count_parse(const char *text, size_t *out)
{
    size_t count = 0;

    for (; *text >= '0' && *text <= '9' && count <= KEEPER_STRINGS_MAX; text++)
        count = count * 10 + (size_t) (*text - '0');
    *out = count;
    return !*text && count > 0;
}

static int spawn_begin(struct keeper *k, const struct message *m, size_t n_arguments,
                       struct process **out, int *out_step)
{
    char **argv = m->strings + 2, **environment = argv + n_arguments + 1;
    size_t n_environment = m->header.n_strings - 2 - n_arguments;
    const struct program program = { .argv = argv,
                                     .environment = environment,
                                     .directory = m->strings[0],
                                     .fds = m->fds,
                                     .n_fds = m->n_fds,
                                     .is_own = 1 };
    struct process *p;
    int error = 0;

    if (k->killing)
        return ESHUTDOWN;
    memmove(environment, environment - 1, (n_environment + 1) * sizeof(*environment));
    argv[n_arguments] = NULL;
    p = care_reserve(k, m->header.number, &error);
    if (!p)
        return error;
    error = start_program(&program, &p->pid, out_step);
    if (error) {
        care_release(p);
        return error;
    }
    p->state = PROCESS_LIVING;
    care_took_on(k);
    *out = p;
    return 0;
}

static int do_spawn(struct keeper *k, const struct message *m)
{
    struct process *p = NULL;
    size_t n_arguments;
    int error, step = 0;

    if (m->header.n_strings < 3 || m->n_fds != 3 || !count_parse(m->strings[1], &n_arguments) ||
        n_arguments > m->header.n_strings - 2)
        return 0;
    error = spawn_begin(k, m, n_arguments, &p, &step);
    answer(k, m, error);
    k->answer.answer.value = step;
    k->answer.process = p;
    if (p) {
        k->answer.answer.value = 0;
        k->answer.answer.pid = p->pid;
    }
    return 1;
}

static int do_signal(struct keeper *k, const struct message *m)
{
    struct process *p = care_find(k, m->header.number);
    int error = ESRCH;

    /* Living means not reaped yet, so the pid is still nobody else's. */
    if (p && p->state == PROCESS_LIVING)
        error = kill(p->pid, m->header.value) < 0 ? errno : 0;
    if (p && !error)
        care_asked(&p->asked, m->header.value);
    answer(k, m, error);
    return 1;
}

static int signal_all(struct keeper *k, int signal)
{
    int error;

    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++)
        k->commands[i].spared = 0;
    if (sweep_signal(k, signal, &error) > 0 && signal == SIGKILL)
        k->killing = 1;
    return error;
}

static int do_signal_all(struct keeper *k, const struct message *m)
{
    care_asked(&k->asked, m->header.value);
    answer(k, m, signal_all(k, m->header.value));
    return 1;
}

static int do_quit(struct keeper *k)
{
    k->quitting = 1;
    signal_all(k, SIGKILL);
    return 1;
}

/* 0 when it is not a proper message. */
static int obey(struct keeper *k, const struct message *m)
{
    uint32_t type = m->header.type;

    if (type == KEEPER_RUN)
        return do_run(k, m);
    if (type == KEEPER_SPAWN)
        return do_spawn(k, m);
    if (m->header.n_strings || m->n_fds)
        return 0;
    if (type == KEEPER_SIGNAL)
        return do_signal(k, m);
    if (type == KEEPER_SIGNAL_ALL)
        return do_signal_all(k, m);
    if (type == KEEPER_QUIT)
        return do_quit(k);
    if (type != KEEPER_ACK)
        return 0;
    care_forget(k, m->header.number);
    return 1;
}

/* ---- receiving ---- */

/* Everything behind the header must be exactly the strings it announces. */
static int strings_view(struct message *m, char *bytes, size_t n)
{
    char *end = bytes + n;
    uint32_t count = 0;

    if (m->header.n_strings > KEEPER_STRINGS_MAX || (n && end[-1]))
        return 0;
    for (char *at = bytes; at < end; at += strlen(at) + 1) {
        if (count == m->header.n_strings)
            return 0;
        received_strings[count++] = at;
    }
    received_strings[count] = NULL;
    m->strings = received_strings;
    return count == m->header.n_strings;
}

static void fds_take(struct message *m, struct msghdr *from)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(from); c; c = CMSG_NXTHDR(from, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        assert(m->n_fds + n <= FDS_MAX); /* there was no room for more */
        memcpy(m->fds + m->n_fds, CMSG_DATA(c), n * sizeof(int));
        m->n_fds += n;
    }
}

static void fds_close(struct message *m)
{
    for (size_t i = 0; i < m->n_fds; i++)
        close(m->fds[i]);
}

/* 1 one message was dealt with, 0 nothing there, -1 the connection is over. */
static int receive_one(struct keeper *k)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
    struct iovec room = { .iov_base = received, .iov_len = sizeof(received) };
    struct msghdr from = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct message m = { .n_fds = 0 };
    ssize_t n = recvmsg(k->connection_fd, &from, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int good;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    fds_take(&m, &from);
    good = (size_t) n >= sizeof(m.header) && !(from.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    if (good) {
        memcpy(&m.header, received, sizeof(m.header));
        good = strings_view(&m, received + sizeof(m.header), (size_t) n - sizeof(m.header)) &&
               obey(k, &m);
    }
    fds_close(&m);
    if (!good && n > 0)
        complain("malformed message, connection closed", "", 0);
    return good ? 1 : -1;
}

void talk_receive(struct keeper *k)
{
    for (int i = 0; i < TURN_MAX && k->connection_fd >= 0 && k->answer.state == COMMAND_FREE; i++) {
        int r = receive_one(k);

        if (r < 0)
            connection_close(k);
        if (r <= 0)
            return;
        talk_flush(k);
    }
}
