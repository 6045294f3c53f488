/* sink.c - engine events to a Varlink stream: an envelope around bytes that were encoded once.
 * Users:   engine/sub.c, through struct sub_sink.  Loop thread only.
 * Promise: a stream that is not read holds at most STREAM_BUDGET and one event, less when its
 * user has as much on its way as is allowed. */

#include <stdio.h>
#include <string.h>

#include "server.h"

static struct connection *connection_of(struct sub *s)
{
    return container_of(s, struct connection, sub);
}

static int has_room(struct connection *c)
{
    size_t unsent = varlink_unsent(c->varlink);

    /* also of a user who has too much on its way each stream may hold one event: it goes on */
    return unsent == 0 || (unsent < STREAM_BUDGET && !account_is_full(c->account, LIMIT_BYTES));
}

static int send_pieces(struct connection *c, const char *prefix, const char *body, size_t length,
                       const char *suffix)
{
    if (varlink_send_pieces(c->varlink, prefix, strlen(prefix), body, length, suffix,
                            strlen(suffix), NULL) < 0)
        return 0;
    connection_update(c);
    c->server->streams_wait = 1;
    return 1;
}

static int on_event(struct sub *s, const char *bytes, size_t length)
{
    struct connection *c = connection_of(s);

    return has_room(c) &&
           send_pieces(c, "{\"parameters\":{\"event\":", bytes, length, "},\"continues\":true}");
}

static int on_gap(struct sub *s, uint64_t first, uint64_t last)
{
    struct connection *c = connection_of(s);
    char body[80];
    int n = snprintf(body, sizeof body, "{\"first\":%llu,\"last\":%llu}",
                     (unsigned long long) first, (unsigned long long) last);

    if (!has_room(c) ||
        !send_pieces(c, "{\"parameters\":{\"gap\":", body, (size_t) n, "},\"continues\":true}"))
        return 0;
    c->gaps++;
    c->missed += last - first + 1;
    c->server->gaps_told++;
    c->server->events_missed += last - first + 1;
    return 1;
}

/* {"ready":..} or {"bookmark":..}; 0: no memory. */
static int send_position(struct connection *c, const char *name, const struct sub_position *at,
                         int automatic)
{
    json_t *parameters = json_pack("{s:o}", name, position_to_json(c->server, at));

    if (parameters && automatic && json_object_set_new(parameters, "automatic", json_true()) < 0) {
        json_decref(parameters);
        return 0;
    }
    if (!parameters)
        return 0;
    connection_reply(c, parameters, 1);
    json_decref(parameters);
    c->server->streams_wait = 1;
    return 1;
}

static void on_ready(struct sub *s, const struct sub_position *at)
{
    struct connection *c = connection_of(s);

    if (!send_position(c, "ready", at, c->server->automatic))
        c->closing = 1;
}

/* A regular one does not queue up behind what the client has not read: it gets the next one. */
static int on_bookmark(struct sub *s, const struct sub_position *at, int regular)
{
    struct connection *c = connection_of(s);

    if (regular ? varlink_unsent(c->varlink) > 0 : !has_room(c))
        return 0;
    return send_position(c, "bookmark", at, 0);
}

static int on_end(struct sub *s, const char *reason)
{
    struct connection *c = connection_of(s);
    json_t *parameters;

    if (!has_room(c))
        return 0;
    parameters = json_pack("{s:s}", "end", reason);
    c->streaming = 0;
    c->oneway = 0;
    c->server->streams_wait = 1;
    connection_reply(c, parameters, 0);
    json_decref(parameters);
    return 1;
}

const struct sub_sink connection_sink = {
    .event = on_event, .gap = on_gap, .end = on_end, .ready = on_ready, .bookmark = on_bookmark
};
