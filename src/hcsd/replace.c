/* replace.c - one hcsd takes over from another, without a moment in which nobody holds the socket.
 * Owns:    both sides of HandOver.
 * Users:   main.c for the one that comes, methods.c for the one that leaves.  Loop thread only.
 * Promise: the listening socket is one and the same throughout, so a client that connects meanwhile
 * waits in its queue; the old one has committed and closed its log when the new one opens it. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "fd.h"
#include "interface_text.h"
#include "log.h"
#include "server.h"

#define WHERE "hcsd.replace"
#define ANSWER_NS (10ull * 1000000000ull) /* the old one answers */
#define LEAVE_NS (30ull * 1000000000ull)  /* and has left */
#define GRACE_NS (2ull * 1000000000ull)   /* for what clients have begun with the old one */
#define LOOK_US 5000
#define MESSAGE_MAX ((size_t) 64 << 10)

/* ---- the one that leaves ---- */

hcs_result replace_hand_over(struct connection *c, int *out_listen_fd, hcs_error *err)
{
    struct server *s = c->server;

    if (c->kind != CONNECTION_UNIX || !c->account || !account_is_privileged(c->account))
        return fail(err, HCS_E_ACCESS_DENIED, WHERE,
                    "only root and uid %u, whose service this is, may replace it", geteuid());
    if (s->activated)
        return fail(
            err, HCS_E_INVALID_STATE, WHERE,
            "the socket is the service manager's: restart the unit instead (systemctl restart "
            "hcsd)");
    if (s->successor_fd >= 0 || s->listen_fd < 0)
        return fail(err, HCS_E_INVALID_STATE, WHERE, "this hcsd is leaving already");
    /* open until this process is no more: its end tells the other one that the log is closed */
    s->successor_fd = fcntl((int) varlink_fd(c->varlink), F_DUPFD_CLOEXEC, 3);
    if (s->successor_fd < 0)
        return fail_os(err, result_from_errno(errno), errno, WHERE, "keep the connection");
    *out_listen_fd = s->listen_fd;
    return HCS_OK;
}

/* Somebody who has connected and was not answered yet would see the service go away, though it does
 * not; waits and streams are for their clients to take up again. */
static int has_business(const struct server *s)
{
    if (engine_under_way(s->engine) > 0)
        return 1;
    list_for_each(&s->connections, n)
    {
        const struct connection *c = container_of(n, struct connection, link);

        if (!c->is_stranger &&
            ((!c->was_answered && !c->method && !c->streaming) || varlink_unsent(c->varlink) > 0))
            return 1;
    }
    return 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *context)
{
    struct server *s = context;

    (void) usec;
    if (has_business(s) && clock_monotonic_ns() < s->leave_at_ns &&
        sd_event_source_set_time_relative(source, LOOK_US) >= 0 &&
        sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) >= 0)
        return 0;
    server_stop(s);
    return 0;
}

void replace_leave(struct server *s)
{
    log_line(LOG_LINE_NOTICE, "another hcsd takes over: leaving");
    s->listening = sd_event_source_disable_unref(s->listening);
    s->leave_at_ns = clock_monotonic_ns() + GRACE_NS;
    if (sd_event_add_time_relative(s->loop, &s->leaving, CLOCK_MONOTONIC, 0, 0, on_look, s) < 0)
        server_stop(s);
}

void replace_end(struct server *s)
{
    s->leaving = sd_event_source_disable_unref(s->leaving);
}

/* ---- the one that comes ---- */

/* 1 connected, 0 nobody serves there. */
static hcs_result connect_to(const char *path, int *out, hcs_error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    _cleanup_(fd_drop) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path)
        return fail(err, HCS_E_INVALIDARG, WHERE, "socket path '%s' is too long", path);
    strcpy(address.sun_path, path);
    if (fd < 0)
        return fail_os(err, result_from_errno(errno), errno, WHERE, "socket");
    if (connect(fd, (struct sockaddr *) &address, sizeof address) < 0)
        return errno == ENOENT || errno == ECONNREFUSED
                   ? 0
                   : fail_os(err, result_from_errno(errno), errno, WHERE, "connect to '%s'", path);
    *out = TAKE_FD(fd);
    return 1;
}

/* Wait for what @v wants, until @deadline_ns. */
static hcs_result wait_for(const struct varlink *v, uint64_t deadline_ns, const char *what,
                           hcs_error *err)
{
    struct pollfd p = { .fd = (int) varlink_fd(v), .events = varlink_events(v) };
    uint64_t now = clock_monotonic_ns();

    if (now >= deadline_ns)
        return fail(err, HCS_E_OPERATION_TIMEOUT, WHERE, "the running hcsd does not %s", what);
    if (poll(&p, 1, (int) ((deadline_ns - now) / 1000000) + 1) < 0 && errno != EINTR)
        return fail_os(err, HCS_E_FAIL, errno, WHERE, "poll");
    return HCS_OK;
}

static hcs_result read_answer(struct varlink_message *m, int *out_fd, hcs_error *err)
{
    const json_t *error = json_object_get(m->json, "error");
    const json_t *parameters = json_object_get(m->json, "parameters");
    const char *text = json_string_value(json_object_get(parameters, "text"));
    json_int_t code = json_integer_value(json_object_get(parameters, "code"));

    if (error)
        return fail(err, code < 0 ? (hcs_result) code : HCS_E_FAIL, WHERE,
                    "the running hcsd does not hand over: %.400s",
                    text ? text : json_string_value(error));
    if (m->n_fds != 1)
        return fail(err, HCS_E_PROTOCOL_ERROR, WHERE, "the running hcsd handed over no socket");
    *out_fd = TAKE_FD(m->fds[0]);
    return HCS_OK;
}

static hcs_result ask(struct varlink *v, int *out_fd, hcs_error *err)
{
    uint64_t deadline = clock_monotonic_ns() + ANSWER_NS;
    struct varlink_message m;
    json_t *call = json_pack("{s:s+, s:{}}", "method", interface_name, ".HandOver", "parameters");
    hcs_result r = call ? varlink_send(v, call, NULL, 0, err)
                        : fail(err, HCS_E_OUTOFMEMORY, WHERE, "no memory");

    json_decref(call);
    while (r >= 0) {
        r = varlink_process(v, err);
        varlink_message_init(&m);
        if (r >= 0)
            r = varlink_take(v, &m, err);
        if (r > 0) {
            r = read_answer(&m, out_fd, err);
            varlink_message_done(&m);
            break;
        }
        if (r >= 0)
            r = wait_for(v, deadline, "answer", err);
    }
    return r;
}

/* Its end of the connection closes with its process. */
static hcs_result wait_until_it_left(struct varlink *v, hcs_error *err)
{
    uint64_t deadline = clock_monotonic_ns() + LEAVE_NS;
    hcs_error ignored = HCS_ERROR_INIT;
    hcs_result r = HCS_OK;

    while (r >= 0 && varlink_process(v, &ignored) >= 0)
        r = wait_for(v, deadline, "leave", err);
    return r;
}

hcs_result replace_take_over(const char *path, int *out_fd, hcs_error *err)
{
    _cleanup_(varlink_dropp) struct varlink *v = NULL;
    _cleanup_(fd_drop) int listen_fd = -1;
    int fd = -1;
    hcs_result r = connect_to(path, &fd, err);

    if (r <= 0)
        return r;
    r = varlink_new(fd, MESSAGE_MAX, MESSAGE_MAX, &v, err);
    if (r >= 0)
        r = ask(v, &listen_fd, err);
    if (r >= 0)
        r = wait_until_it_left(v, err);
    if (r < 0)
        return r;
    *out_fd = TAKE_FD(listen_fd);
    return 1;
}
