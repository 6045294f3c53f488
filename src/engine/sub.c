/* sub.c - who has its turn?  Readers of the log, and the clients that they are of.
 * Owns:    the lists of clients and readers, the timers of readers.
 * Users:   the Varlink side opens and closes readers, engine.c pumps after each commit.  Loop
 * thread only. Promise: a reader that does not read costs a position; nobody waits for it, nor for
 * a client with many. */

#include "sub.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "err.h"
#include "sub_parts.h"

struct sub_client {
    struct list link;
    struct list subs;
    uint64_t number;
    uint32_t n_subs;
    uint32_t left; /* that had no turn yet */
    int has_turn;  /* it is not freed meanwhile */
};

/* ---- clients ---- */

static struct sub_client *client_of(struct engine *e, uint64_t number)
{
    struct sub_client *c;

    list_for_each(&e->clients, n)
    {
        c = container_of(n, struct sub_client, link);
        if (c->number == number)
            return c;
    }
    c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->number = number;
    list_init(&c->subs);
    list_append(&e->clients, &c->link);
    return c;
}

static void client_check(struct sub_client *c)
{
    if (c->n_subs > 0 || c->has_turn)
        return;
    list_remove(&c->link);
    free(c);
}

/* ---- the turn ---- */

/* The next reader of a client; 1 when there is more for it. */
static int serve_next(struct sub_client *c, struct sub_turn *turn)
{
    struct sub *s = list_first(&c->subs, struct sub, link);
    int more;

    c->left--;
    if (!s)
        return 0;
    list_remove(&s->link);
    list_append(&c->subs, &s->link);
    c->has_turn = 1;
    more = sub_serve(s, turn);
    c->has_turn = 0;
    return more;
}

void subs_pump(struct engine *e)
{
    struct sub_turn turn = { .left = SUB_TURN_WORK };
    struct list waiting;
    int more = 0;

    list_init(&waiting);
    list_move_all(&waiting, &e->clients);
    list_for_each(&waiting, n)
    {
        struct sub_client *c = container_of(n, struct sub_client, link);

        c->left = c->n_subs;
    }
    while (turn.left > 0 && !list_is_empty(&waiting)) {
        struct sub_client *c = list_first(&waiting, struct sub_client, link);

        list_remove(&c->link);
        more |= serve_next(c, &turn);
        list_append(c->left > 0 ? &waiting : &e->clients, &c->link);
        client_check(c);
    }
    /* who had no turn is the first in the next */
    more |= !list_is_empty(&waiting);
    list_move_all(&waiting, &e->clients);
    list_move_all(&e->clients, &waiting);
    if (more)
        engine_want_turn(e);
}

/* ---- timers ---- */

static int on_bookmark(sd_event_source *source, uint64_t usec, void *context)
{
    struct sub *s = context;

    (void) usec;
    s->bookmark_due = 1;
    sd_event_source_set_time_relative(source, s->bookmark_us);
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    engine_want_turn(s->engine);
    return 0;
}

static int on_until(sd_event_source *source, uint64_t usec, void *context)
{
    struct sub *s = context;

    (void) source;
    (void) usec;
    engine_want_turn(s->engine); /* the commit first: what was stamped before must be given */
    return 0;
}

static int add_timers(struct sub *s, const struct sub_options *options)
{
    sd_event *loop = s->engine->options.loop;
    int r = 0;

    if (options->bookmark_ms != 0) {
        uint64_t us = options->bookmark_ms * 1000ull;

        s->bookmark_us =
            us - us / 4; /* the rest is how late it may be, so that many come at once */
        r = sd_event_add_time_relative(loop, &s->bookmark_timer, CLOCK_MONOTONIC, s->bookmark_us,
                                       us / 4, on_bookmark, s);
    }
    if (r >= 0 && options->until_ns != 0)
        r = sd_event_add_time(loop, &s->until_timer, CLOCK_REALTIME, options->until_ns / 1000 + 1,
                              1000, on_until, s);
    return r;
}

/* ---- opening and closing ---- */

/* Everything but the sink, from nothing. */
static void clear(struct sub *s)
{
    const struct sub_sink *sink = s->sink;

    memset(s, 0, sizeof *s);
    s->sink = sink;
}

hcs_result sub_open(struct engine *e, struct sub *s, const struct sub_options *options,
                    hcs_error *err)
{
    hcs_result r;
    int timers;

    assert(s->sink && s->sink->event && s->sink->gap && s->sink->end);
    clear(s);
    s->engine = e;
    s->filter_opt = options->filter_opt;
    list_init(&s->link);
    r = sub_place(e, s, options, err);
    if (r >= 0) {
        s->client = client_of(e, options->client);
        timers = s->client ? add_timers(s, options) : -ENOMEM;
        if (timers < 0)
            r = fail_os(err, result_from_errno(-timers), -timers, "engine.subscribe",
                        "what a stream needs");
    }
    if (r < 0) {
        if (s->client)
            client_check(s->client);
        s->client = NULL;
        sub_close(s);
        return r;
    }
    list_append(&s->client->subs, &s->link);
    s->client->n_subs++;
    if (!s->seeking)
        sub_tell_ready(s);
    engine_want_turn(e);
    return HCS_OK;
}

void sub_wake(struct sub *s)
{
    if (!s->blocked && !s->bookmark_due)
        return;
    s->blocked = 0;
    engine_want_turn(s->engine);
}

void sub_close(struct sub *s)
{
    if (s->link.next)
        list_remove(&s->link);
    if (s->client) {
        s->client->n_subs--;
        client_check(s->client);
    }
    s->bookmark_timer = sd_event_source_disable_unref(s->bookmark_timer);
    s->until_timer = sd_event_source_disable_unref(s->until_timer);
    filter_drop(TAKE(s->filter_opt));
    s->client = NULL;
    s->engine = NULL;
}

/* ---- all of them ---- */

static void for_each_sub(struct engine *e, void (*what)(struct sub *s, const void *context),
                         const void *context)
{
    list_for_each(&e->clients, n)
    {
        struct sub_client *c = container_of(n, struct sub_client, link);

        list_for_each(&c->subs, m) what(container_of(m, struct sub, link), context);
    }
}

static void renumber(struct sub *s, const void *context)
{
    const uint64_t *lost = context;

    if (s->seeking) { /* nobody was told where it begins: with the new log */
        s->seek_top = 0;
        return;
    }
    if (s->has_lost) {
        s->ended = 1;
        s->reason = "the event log was damaged twice before this stream was read";
    }
    s->has_lost = 1;
    s->lost = *lost;
    if (s->stop_after != UINT64_MAX)
        s->stop_after = 0; /* what it was to give is lost, or given */
}

void subs_renumber(struct engine *e, uint64_t lost)
{
    for_each_sub(e, renumber, &lost);
}

struct sub_fate {
    struct engine *engine;
    uint64_t incarnation;
    const char *reason;
};

static void end_of(struct sub *s, const void *context)
{
    const struct sub_fate *fate = context;

    if (s->incarnation != fate->incarnation)
        return;
    s->ended = 1;
    s->reason = fate->reason;
    engine_want_turn(fate->engine);
}

/* Readers of a system that will have no exit event. */
void subs_end(struct engine *e, uint64_t incarnation, const char *reason)
{
    struct sub_fate fate = { e, incarnation, reason };

    for_each_sub(e, end_of, &fate);
}

void sub_get_figures(const struct sub *s, struct sub_figures *out)
{
    uint64_t last = s->engine ? evlog_last(s->engine->options.log) : 0;

    *out = (struct sub_figures){
        .position = s->position,
        .lag = last > s->position ? last - s->position : 0,
        .incarnation = s->incarnation,
        .sent = s->sent,
        .filtered = s->filtered,
        .blocked = s->blocked,
        .seeking = s->seeking,
    };
    if (s->has_lost) /* its position is of another log: all of this one is before it */
        out->lag = last + (s->lost > s->position ? s->lost - s->position : 0);
}
