/* sub_begin.c - where does a reader begin, and what is it about?
 * Users:   sub.c when a reader is opened; sub_serve.c while it searches.  Loop thread only.
 * Promise: the position that is told is exactly the one that the stream goes on from; a search
 * through a long log costs every turn a bounded number of rows. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "sub_parts.h"

/* The incarnation a stream of one system means, and whether that system has already ended. */
struct wanted {
    uint64_t incarnation;
    uint64_t exit_sequence; /* 0 also when it was in a log before this one */
    int has_ended;
};

static void on_ended(void *context, const struct evlog_ended *ended)
{
    struct wanted *wanted = context;

    wanted->incarnation = ended->system.incarnation;
    wanted->exit_sequence = ended->exit_sequence;
    wanted->has_ended = 1;
}

static hcs_result resolve(struct engine *e, const char *id, uint64_t incarnation,
                          struct wanted *out, hcs_error *err)
{
    struct system *s = system_find_readable(e, id, incarnation);
    hcs_result r;

    if (s) {
        out->incarnation = s->incarnation;
        out->exit_sequence = s->exit_sequence <= evlog_last(e->options.log) ? s->exit_sequence : 0;
        out->has_ended = out->exit_sequence != 0 || s->ended_durably;
        return HCS_OK;
    }
    r = evlog_find_ended(e->options.log, id, incarnation, on_ended, out, err);
    if (r == 0)
        return fail(err, HCS_E_SYSTEM_NOT_FOUND, "engine.subscribe", "no system '%.128s'", id);
    return r < 0 ? r : HCS_OK;
}

/* ---- after an event ---- */

/* A position in another log: known and exact when it is the one before this, or else refused. */
static hcs_result place_after_lost(struct engine *e, struct sub *s, const struct sub_options *o,
                                   hcs_error *err)
{
    struct evlog *log = e->options.log;
    uint64_t last = 0;
    const char *previous = evlog_previous(log, &last);

    if (strcmp(previous, o->log_opt) != 0)
        return fail(err, HCS_E_WIN32_NOT_FOUND, "engine.subscribe",
                    "the position is of event log '%.40s', and this one is '%s': its oldest "
                    "position left is %" PRIu64,
                    o->log_opt, evlog_id(log), evlog_first(log) - 1);
    if (o->after > last)
        return fail(err, HCS_E_INVALIDARG, "engine.subscribe",
                    "event log '%s' had no event %" PRIu64 ": its newest was %" PRIu64, o->log_opt,
                    o->after, last);
    s->position = o->after;
    s->has_lost = 1;
    s->lost = last;
    return HCS_OK;
}

static hcs_result place_after(struct engine *e, struct sub *s, const struct sub_options *o,
                              hcs_error *err)
{
    uint64_t last = evlog_last(e->options.log);

    if (o->log_opt && strcmp(o->log_opt, evlog_id(e->options.log)) != 0)
        return place_after_lost(e, s, o, err);
    if (o->after > last)
        return fail(err, HCS_E_INVALIDARG, "engine.subscribe",
                    "event %" PRIu64 " does not exist yet: the newest is %" PRIu64, o->after, last);
    s->position = o->after;
    return HCS_OK;
}

/* ---- since a moment ---- */

static hcs_result place_since(struct engine *e, struct sub *s, const struct sub_options *o,
                              hcs_error *err)
{
    struct evlog *log = e->options.log;
    uint64_t first = 0;
    hcs_result r = evlog_find_time(log, o->since_ns, &first, err);

    if (r < 0)
        return r;
    s->position = first - 1;
    if (first > evlog_last(log))
        s->since_ns = o->since_ns; /* it is still to come */
    return HCS_OK;
}

/* ---- the newest ---- */

static hcs_result place_last(struct engine *e, struct sub *s, const struct sub_options *o)
{
    uint64_t first = evlog_first(e->options.log), last = evlog_last(e->options.log);

    s->position = last;
    if (!s->filter_opt && s->incarnation == 0) {
        s->position = last - first + 1 <= o->last ? first - 1 : last - o->last;
        return HCS_OK;
    }
    s->seeking = 1;
    s->seek_left = o->last;
    s->seek_top = last;
    return HCS_OK;
}

struct seek {
    struct sub *sub;
    struct sub_turn *turn;
    uint64_t seen; /* rows up to this one */
    uint64_t found[SUB_SEEK_ROWS];
    size_t n_found;
};

static int seek_visit(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                      const char *bytes, size_t length)
{
    struct seek *seek = context;

    if (sequence > seek->sub->seek_top || seek->n_found == SUB_SEEK_ROWS)
        return 0;
    seek->seen = sequence;
    if (sub_wants(seek->sub, seek->turn, incarnation, kind, bytes, length))
        seek->found[seek->n_found++] = sequence;
    return 1;
}

static void end_seek(struct sub *s, uint64_t position)
{
    s->position = position;
    s->seeking = 0;
    sub_tell_ready(s);
}

int sub_seek(struct sub *s, struct sub_turn *turn)
{
    struct evlog *log = s->engine->options.log;
    uint64_t oldest = evlog_first(log) - 1;
    struct seek seek = { .sub = s, .turn = turn };
    uint64_t from = s->seek_top > SUB_SEEK_ROWS ? s->seek_top - SUB_SEEK_ROWS : 0;

    if (from < oldest)
        from = oldest;
    if (s->seek_left == 0 || s->seek_top <= oldest) {
        end_seek(s, s->seek_top > oldest ? s->seek_top : oldest);
        return 1;
    }
    seek.seen = from;
    while (seek.seen < s->seek_top) {
        uint64_t before = seek.seen;

        if (evlog_read(log, seek.seen, seek_visit, &seek, NULL) < 0 || seek.seen == before) {
            engine_want_retry(s->engine); /* a commit replaces a log that is damaged */
            return 0;
        }
    }
    if (seek.n_found >= s->seek_left) {
        end_seek(s, seek.found[seek.n_found - s->seek_left] - 1);
        return 1;
    }
    s->seek_left -= seek.n_found;
    s->seek_top = from;
    engine_want_turn(s->engine);
    return 0;
}

/* ---- all ---- */

static hcs_result place(struct engine *e, struct sub *s, const struct sub_options *o,
                        const struct wanted *wanted, hcs_error *err)
{
    s->position = evlog_last(e->options.log);
    switch (o->from) {
    case SUB_FROM_AFTER:
        return place_after(e, s, o, err);
    case SUB_FROM_SINCE:
        return place_since(e, s, o, err);
    case SUB_FROM_LAST:
        return place_last(e, s, o);
    case SUB_FROM_BEGINNING:
        s->position = evlog_first(e->options.log) - 1;
        break;
    case SUB_FROM_NOW_OR_EXIT:
        if (wanted->exit_sequence != 0)
            s->position = wanted->exit_sequence - 1;
        break;
    case SUB_FROM_NOW:
        break;
    }
    return HCS_OK;
}

hcs_result sub_place(struct engine *e, struct sub *s, const struct sub_options *o, hcs_error *err)
{
    struct wanted wanted = { 0, 0, 0 };
    hcs_result r = HCS_OK;

    if (o->system_id_opt) {
        r = doc_check_id(o->system_id_opt, err);
        if (r >= 0)
            r = resolve(e, o->system_id_opt, o->incarnation, &wanted, err);
        if (r < 0)
            return r;
    }
    s->incarnation = wanted.incarnation;
    s->until_ns = o->until_ns;
    s->stop_after = o->no_follow ? evlog_last(e->options.log) : UINT64_MAX;
    r = place(e, s, o, &wanted, err);
    s->ended =
        wanted.has_ended && !s->seeking && !s->has_lost && s->position >= wanted.exit_sequence;
    return r;
}

void sub_tell_ready(struct sub *s)
{
    struct evlog *log = s->engine->options.log;
    struct sub_position at = { evlog_id(log), s->position, "" };
    uint64_t last;

    if (s->has_lost)
        at.log = evlog_previous(log, &last);
    else
        snprintf(s->boot, sizeof s->boot, "%s", evlog_boot_at(log, s->position + 1));
    at.boot = s->boot;
    s->told = s->position;
    if (s->sink->ready)
        s->sink->ready(s, &at);
}
