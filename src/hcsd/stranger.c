/* stranger.c - connections over TCP that have not shown the token.
 *
 * Owns:    how many there are, how long each has, and what is said to one that is refused.
 * Users:   connection.c, for each such connection.  Loop thread only.
 * Promise: whoever does not show the token learns that and nothing else, costs a few kilobytes for
 *          a few seconds, and keeps nobody out: when there are too many, the oldest goes. */

#include <errno.h>
#include <string.h>

#include "err.h"
#include "interface_text.h"
#include "server.h"

static void count(struct connection *c, const char *why)
{
    if (c->counted)
        return;
    c->counted = 1;
    tcp_refused(&c->server->tcp, why);
}

static int on_impatient(sd_event_source *source, uint64_t usec, void *context)
{
    struct connection *c = context;

    (void) source;
    (void) usec;
    count(c, "it did not show the token in time");
    connection_drop(c);
    return 0;
}

int stranger_begin(struct connection *c)
{
    struct tcp *t = &c->server->tcp;

    c->is_stranger = 1;
    list_append(&t->strangers, &c->stranger_link);
    t->n_strangers++;
    if (t->n_strangers > STRANGERS_MAX) {
        struct connection *oldest = list_first(&t->strangers, struct connection, stranger_link);

        count(oldest, "too many connections without a token");
        connection_drop(oldest);
    }
    return sd_event_add_time_relative(c->server->loop, &c->patience, CLOCK_MONOTONIC,
                                      t->patience_us, 0, on_impatient, c);
}

void stranger_end(struct connection *c)
{
    if (!c->is_stranger)
        return;
    if (c->varlink && varlink_partial(c->varlink) > 0)
        count(c, "it ended in the middle of a message");
    c->is_stranger = 0;
    c->server->tcp.n_strangers--;
    list_remove(&c->stranger_link);
    c->patience = sd_event_source_disable_unref(c->patience);
}

void stranger_refuse(struct connection *c, const char *text)
{
    hcs_error err = HCS_ERROR_INIT;

    fail(&err, HCS_E_ACCESS_DENIED, "hcsd.tcp", "%s", text);
    count(c, text);
    c->oneway = 0;
    connection_reply_failure(c, &err);
    c->closing = 1;
}

/* The token in a call of Authenticate; NULL when it is none. */
static const char *token_of(const json_t *call)
{
    const char *method = json_string_value(json_object_get(call, "method"));
    const json_t *parameters = json_object_get(call, "parameters");
    size_t n = strlen(interface_name);

    if (!method || strncmp(method, interface_name, n) != 0 ||
        strcmp(method + n, ".Authenticate") != 0 || json_object_size(parameters) != 1)
        return NULL;
    return json_string_value(json_object_get(parameters, "token"));
}

void stranger_call(struct connection *c, const json_t *call_opt)
{
    const char *token = call_opt ? token_of(call_opt) : NULL;
    hcs_error err = HCS_ERROR_INIT;
    json_t *nothing;

    if (!token) {
        stranger_refuse(c, "the first call over TCP must be Authenticate, with the token that hcsd "
                           "wrote to its token file");
        return;
    }
    if (!tcp_token_is(&c->server->tcp, token)) {
        stranger_refuse(c, "the token is not that of this hcsd: read its token file again");
        return;
    }
    if (connection_enter(c, ACCOUNT_TCP, &err) < 0) {
        connection_reply_failure(c, &err);
        c->closing = 1;
        return;
    }
    stranger_end(c);
    nothing = json_object();
    connection_reply(c, nothing, 0);
    json_decref(nothing);
}

/* A connection that is closed with bytes of its client unread takes our answer with it, so they are
 * read, until the client closes or its time is over. */
int stranger_drain(struct connection *c)
{
    char bytes[4096];
    int fds[SOCKET_FDS_MAX], n_fds;
    ssize_t n;

    if (!c->draining)
        socket_end_output(varlink_fd(c->varlink));
    c->draining = 1;
    n = socket_receive(varlink_fd(c->varlink), bytes, sizeof bytes, fds, &n_fds);
    return n == 0 || (n < 0 && n != -EAGAIN);
}
