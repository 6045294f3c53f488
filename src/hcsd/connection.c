/* connection.c - one client: its socket, the call under way, its stream.
 * Owns:    the Varlink connection and what hangs on it; all of it ends with the connection.
 * Users:   listen.c and tcp.c make one for each client; methods.c, sink.c and stranger.c answer
 * through it.  Loop thread only. Promise: one call at a time, in order; a client that is slow,
 * silent or broken costs bounded memory and harms nobody else. */

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "interface_text.h"
#include "log.h"
#include "server.h"

#define READ_AHEAD_MAX                                                                             \
    ((size_t) 128 << 10) /* whole requests that wait for their turn, of a user who has too much */
#define ANSWERS_WAITING_MAX                                                                        \
    ((size_t) 1 << 20) /* unsent bytes above which no further call is begun */

static int is_busy(const struct connection *c)
{
    return c->method || c->streaming || c->closing;
}

/* What it costs its user has become @now.  Connections come last: with them the account may go. */
static void charge(struct connection *c, const uint64_t now[N_LIMITS])
{
    struct account *a = c->account;

    if (!a)
        return;
    for (unsigned i = 1; i <= N_LIMITS; i++) {
        unsigned which = N_LIMITS - i;
        uint64_t before = c->cost[which];

        c->cost[which] = now[which];
        if (before != now[which])
            account_change(a, (enum limit) which, before, now[which]);
    }
}

static void charge_all(struct connection *c)
{
    const uint64_t now[N_LIMITS] = {
        [LIMIT_CONNECTIONS] = 1,
        [LIMIT_STREAMS] = (uint64_t) c->streaming,
        [LIMIT_CALLS] = c->method != NULL,
        [LIMIT_BYTES] = varlink_unsent(c->varlink) + varlink_untaken(c->varlink),
    };

    charge(c, now);
}

static void charge_nothing(struct connection *c)
{
    const uint64_t nothing[N_LIMITS] = { 0 };

    charge(c, nothing);
    c->account = NULL;
}

hcs_result connection_enter(struct connection *c, uid_t uid, hcs_error *err)
{
    hcs_result r = account_enter(&c->server->accounts, uid, &c->account, err);

    if (r >= 0)
        c->cost[LIMIT_CONNECTIONS] = 1;
    return r;
}

/* The first, the second, the fourth... */
void server_tell_refused(uint64_t count, const char *who, const char *why)
{
    if ((count & (count - 1)) == 0)
        log_line(LOG_LINE_WARNING, "%s was refused: %s (%llu so far)", who, why,
                 (unsigned long long) count);
}

void connection_drop(struct connection *c)
{
    struct server *s = c->server;

    charge_nothing(c);
    stranger_end(c);
    ticket_drop(c->ticket);
    if (c->streaming)
        sub_close(&c->sub);
    call_drop(&c->call);
    for (int i = 0; i < 3; i++)
        fd_drop(&c->back_fds[i]);
    sd_event_source_disable_unref(c->io);
    sd_event_source_disable_unref(c->partial);
    varlink_drop(c->varlink);
    list_remove(&c->link);
    s->n_connections--;
    free(c);
    server_check_idle(s);
}

/* Ask the loop for what the connection wants now. */
void connection_update(struct connection *c)
{
    short wanted = varlink_events(c->varlink);
    uint32_t events = 0;

    charge_all(c);
    /* while a call is under way its client may send the next one, but we do not read ahead */
    if (((wanted & POLLIN) && !c->method && !c->closing) || c->draining)
        events |= EPOLLIN;
    if (c->kind == CONNECTION_TCP && !varlink_peer_closed(c->varlink))
        events |= EPOLLRDHUP;
    if ((wanted & POLLOUT) || c->again)
        events |= EPOLLOUT;
    sd_event_source_set_io_events(c->io, events);
    if (varlink_partial(c->varlink) == 0 || is_busy(c)) { /* busy: we do not read ourselves */
        sd_event_source_set_enabled(c->partial, SD_EVENT_OFF);
    } else {
        int enabled = SD_EVENT_OFF;

        sd_event_source_get_enabled(c->partial, &enabled);
        if (enabled == SD_EVENT_OFF) {
            sd_event_source_set_time_relative(c->partial, PARTIAL_SECONDS * 1000000ull);
            sd_event_source_set_enabled(c->partial, SD_EVENT_ONESHOT);
        }
    }
}

static void reply(struct connection *c, json_t *take_message, const int *fds, size_t n_fds)
{
    hcs_error err = HCS_ERROR_INIT;

    if (!c->oneway &&
        (!take_message || varlink_send(c->varlink, take_message, fds, n_fds, &err) < 0)) {
        log_line(LOG_LINE_WARNING, "answer to a client %s: %s", c->peer,
                 take_message ? err.text : "no memory");
        c->closing = 1;
    }
    json_decref(take_message);
    connection_update(c);
}

void connection_reply(struct connection *c, const json_t *parameters, int continues)
{
    json_t *message = json_pack("{s:O}", "parameters", parameters);

    if (message && continues)
        json_object_set_new(message, "continues", json_true());
    reply(c, message, NULL, 0);
}

void connection_reply_fds(struct connection *c, const json_t *parameters, const int *fds,
                          size_t n_fds)
{
    reply(c, json_pack("{s:O}", "parameters", parameters), fds, n_fds);
}

void connection_reply_error(struct connection *c, const char *error, json_t *take_parameters)
{
    reply(c,
          json_pack("{s:s, s:o}", "error", error, "parameters",
                    take_parameters ? take_parameters : json_object()),
          NULL, 0);
}

static json_t *failure_parameters(const hcs_error *err)
{
    const char *name = hcs_result_name(err->code);

    return json_pack("{s:I, s:s, s:i, s:s, s:s}", "code", (json_int_t) err->code, "name",
                     name ? name : "", "os", (int) err->os, "place", err->where, "text", err->text);
}

static void failure_name(char error[128])
{
    strcpy(error, interface_name);
    strcat(error, ".Failed");
}

void connection_reply_failure(struct connection *c, const hcs_error *err)
{
    char error[128];

    failure_name(error);
    connection_reply_error(c, error, failure_parameters(err));
}

/* A user who has too much on its way is told so, but the answer to that is all that may wait. */
static size_t answers_waiting_max(const struct connection *c)
{
    return c->account && account_is_full(c->account, LIMIT_BYTES) ? 1 : ANSWERS_WAITING_MAX;
}

/* Calls that have arrived, until one is under way. */
static void begin_calls(struct connection *c)
{
    while (!is_busy(c) && varlink_unsent(c->varlink) < answers_waiting_max(c)) {
        struct varlink_message message;
        hcs_error err = HCS_ERROR_INIT;
        hcs_result r;

        varlink_message_init(&message);
        r = varlink_take(c->varlink, &message, &err);
        if (r == 0)
            break;
        charge_all(c);
        sd_event_source_set_enabled(c->partial, SD_EVENT_OFF); /* the next half has its own time */
        c->oneway = 0;
        if (c->is_stranger)
            stranger_call(c, r < 0 ? NULL : message.json);
        else if (r < 0)
            connection_reply_failure(c, &err);
        else
            method_call(c, &message);
        varlink_message_done(&message);
    }
}

void connection_call_done(struct connection *c)
{
    c->method = NULL;
    c->was_answered = 1;
    for (int i = 0; i < 3; i++)
        fd_drop(&c->back_fds[i]);
    /* the next call is begun from the loop, not from inside the answer to this one */
    c->again = 1;
    sd_event_source_set_enabled(c->io, SD_EVENT_ON);
    connection_update(c);
}

/* Something was sent: a stream that waits for room goes on.  It waits only while something is
 * unsent, so whoever sends calls this, or it would wait for ever. */
static void stream_go_on(struct connection *c)
{
    if (varlink_unsent(c->varlink) < STREAM_BUDGET / 2)
        sub_wake(&c->sub);
}

void connections_flush_streams(struct server *s)
{
    if (!s->streams_wait)
        return;
    s->streams_wait = 0;
    list_for_each(&s->connections, n)
    {
        struct connection *c = container_of(n, struct connection, link);

        /* also of one that has just ended, and is no stream any more */
        if (varlink_unsent(c->varlink) > 0) {
            varlink_flush(c->varlink);
            if (c->streaming)
                stream_go_on(c);
            connection_update(c);
        }
    }
}

static int is_all_sent(const struct connection *c)
{
    return varlink_unsent(c->varlink) == 0 || varlink_send_lost(c->varlink);
}

/* Of a client that says no more: every call it made is answered, as far as it reads. */
static int is_finished(const struct connection *c)
{
    return !c->method && !c->streaming && !varlink_ready(c->varlink) && is_all_sent(c);
}

/* The answer of OpenStdio is the last message: from here on the connection is a standard handle.
 * Not a byte may be read any more: it would be the program's. */
static void hand_over(struct connection *c)
{
    hcs_error err = HCS_ERROR_INIT;
    os_socket fd;

    varlink_flush(c->varlink);
    if (!is_all_sent(c)) {
        connection_drop(c);
        return;
    }
    c->io = sd_event_source_disable_unref(c->io);
    if (varlink_detach(TAKE(c->varlink), &fd, &err) >= 0)
        ticket_fill(TAKE(c->ticket), fd);
    else
        log_line(LOG_LINE_NOTICE, "standard handle of a client %s: %s", c->peer, err.text);
    connection_drop(c);
}

/* Its client waits for nothing any more.  On TCP that looks like a client that merely sends no
 * more: there the end of sending is the end. */
static void on_gone(struct connection *c)
{
    if (c->method && c->oneway) /* it asked for no answer: what it asked goes on */
        sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
    else
        connection_drop(c);
}

/* What has come and cannot be taken yet, with all else that is on its way for its user, is too
 * much.
 */
static int has_too_much(struct connection *c, hcs_error *err)
{
    size_t partial = varlink_partial(c->varlink);

    if (c->is_stranger)
        return partial > STRANGER_BYTES;
    if (partial == 0 && varlink_untaken(c->varlink) <= READ_AHEAD_MAX)
        return 0;
    if (account_check(c->account, LIMIT_BYTES, err) >= 0)
        return 0;
    server_tell_refused(c->server->accounts.refused[LIMIT_BYTES], "a request", err->text);
    return 1;
}

/* What has come is too much. */
static hcs_result refuse_too_much(struct connection *c, const hcs_error *err)
{
    c->oneway = 0;
    if (c->streaming)
        sub_close(&c->sub);
    c->streaming = 0;
    if (c->is_stranger)
        stranger_refuse(c, "too many bytes before the token was shown");
    else
        connection_reply_failure(c, err);
    c->closing = 1;
    return varlink_process(c->varlink, NULL) == HCS_E_SERVICE_DISCONNECT ? HCS_E_SERVICE_DISCONNECT
                                                                         : HCS_OK;
}

static int is_over(struct connection *c, hcs_result r)
{
    if (c->closing && c->is_stranger)
        return is_all_sent(c) && stranger_drain(c);
    return (r < 0 && is_finished(c)) || (c->closing && is_all_sent(c));
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *context)
{
    struct connection *c = context;
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = HCS_OK;

    (void) source;
    (void) fd;
    if ((revents & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) && (c->method || c->streaming)) {
        on_gone(c);
        return 0;
    }
    c->again = 0;
    if (c->closing)
        varlink_flush(c->varlink);
    else
        r = varlink_process(c->varlink, &err);
    charge_all(c);
    if (!c->method && !c->closing &&
        (r == HCS_E_WIN32_INSUFFICIENT_BUFFER || has_too_much(c, &err)))
        r = refuse_too_much(c, &err);
    if (r >= 0 || r == HCS_E_SERVICE_DISCONNECT)
        begin_calls(c);
    if (c->ticket) {
        hand_over(c);
        return 0;
    }
    if (is_over(c, r)) {
        connection_drop(c);
        return 0;
    }
    if (c->streaming)
        stream_go_on(c);
    connection_update(c);
    return 0;
}

static int on_partial(sd_event_source *source, uint64_t usec, void *context)
{
    struct connection *c = context;

    (void) source;
    (void) usec;
    log_line(LOG_LINE_NOTICE, "a client %s sent half a message and no more in %u s: closed",
             c->peer, PARTIAL_SECONDS);
    connection_drop(c);
    return 0;
}

static int add_sources(struct connection *c)
{
    struct server *s = c->server;
    int r = sd_event_add_io(s->loop, &c->io, varlink_fd(c->varlink), EPOLLIN, on_io, c);

    if (r >= 0)
        r = sd_event_add_time_relative(s->loop, &c->partial, CLOCK_MONOTONIC,
                                       PARTIAL_SECONDS * 1000000ull, 0, on_partial, c);
    if (r >= 0)
        r = sd_event_source_set_enabled(c->partial, SD_EVENT_OFF);
    if (r >= 0 && c->kind == CONNECTION_TCP)
        r = stranger_begin(c);
    return r;
}

/* One answer to somebody who is not let in, as far as the socket takes it; then the end. */
static void turn_away(os_socket take_fd, const hcs_error *err)
{
    json_t *message;
    char error[128];
    char *text;

    failure_name(error);
    message = json_pack("{s:s, s:o}", "error", error, "parameters", failure_parameters(err));
    text = message ? json_dumps(message, JSON_COMPACT) : NULL;
    if (text)
        (void) socket_send(take_fd, text, strlen(text) + 1, NULL, 0);
    free(text);
    json_decref(message);
    socket_drop(&take_fd);
}

/* Whether the client may come in; if it may it is counted, else what is wrong is counted and told.
 */
static int let_in(struct connection *c, os_socket fd, hcs_error *err)
{
    struct server *s = c->server;
    struct peer peer;
    hcs_result r;

    peer_read(&peer, fd);
    if (peer.is_known)
        snprintf(c->peer, sizeof c->peer, "of uid %u", peer.uid);
    else
        strcpy(c->peer, "of an unknown uid");
    r = access_check(&s->access, &peer, err);
    peer_done(&peer);
    if (r < 0) {
        server_tell_refused(++s->access.refused, "a client", err->text);
        return 0;
    }
    r = connection_enter(c, peer.uid, err);
    if (r < 0)
        server_tell_refused(s->accounts.refused[LIMIT_CONNECTIONS], "a client", err->text);
    c->client = (uint64_t) peer.uid << 32 | (uint32_t) peer.pid;
    return r >= 0;
}

void connection_new(struct server *s, os_socket take_fd, enum connection_kind kind)
{
    struct connection *c = calloc(1, sizeof *c);
    hcs_error err = HCS_ERROR_INIT;

    if (!c) {
        close(take_fd);
        return;
    }
    c->server = s;
    c->kind = kind;
    c->client = UINT64_MAX; /* those over TCP are all of one user, and have one turn together */
    strcpy(c->peer, "over TCP");
    if (kind == CONNECTION_UNIX && !let_in(c, take_fd, &err)) {
        turn_away(take_fd, &err);
        free(c);
        return;
    }
    c->number = ++s->last_connection;
    c->back_fds[0] = c->back_fds[1] = c->back_fds[2] = -1;
    list_init(&c->link);
    list_init(&c->stranger_link);
    call_init(&c->call, NULL);
    list_append(&s->connections, &c->link);
    s->n_connections++;
    if (varlink_new(take_fd, IN_MAX, OUT_MAX, &c->varlink, &err) < 0 || add_sources(c) < 0) {
        log_line(LOG_LINE_WARNING, "client %s: %s", c->peer, err.text);
        connection_drop(c);
        return;
    }
    server_check_idle(s);
}
