/* sub.c - who wants an event?  Readers of the log, each with its own position.
 * Owns:    the positions.
 * Users:   the Varlink side opens and closes them, engine.c pumps after each commit.  Loop thread
 * only. Promise: a reader that does not read costs a position; nobody waits for it. */

#include <assert.h>
#include <string.h>

#include "err.h"
#include "system.h"

struct pump {
    struct sub *sub;
    int delivered;
    int stopped;
};

static int visit(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                 const char *bytes, size_t length)
{
    struct pump *pump = context;
    struct sub *s = pump->sub;

    if (s->incarnation == 0 || s->incarnation == incarnation) {
        if (!s->sink->event(s, bytes, length)) {
            s->blocked = 1;
            return 0;
        }
        if (s->incarnation != 0 && kind == HCS_EVENT_SYSTEM_EXITED)
            s->ended = 1;
    }
    s->position = sequence;
    pump->delivered++;
    return !s->ended;
}

static void on_exit_number(void *context, const struct evlog_ended *ended)
{
    uint64_t *out = context;

    *out = ended->exit_sequence;
}

/* Whether the exit of the one system that a reader follows is behind it: also when nobody remembers
 * that system any more. */
static int has_passed_exit(const struct sub *s)
{
    struct evlog *log = s->engine->options.log;
    uint64_t exit = 0;

    if (s->incarnation == 0)
        return 0;
    list_for_each(&s->engine->systems, n)
    {
        const struct system *living = container_of(n, struct system, link);

        if (living->incarnation == s->incarnation)
            return (living->exit_sequence != 0 || living->ended_durably) &&
                   living->exit_sequence <= s->position;
    }
    if (evlog_find_incarnation(log, s->incarnation, on_exit_number, &exit, NULL) < 0)
        return 0;
    return exit <= s->position;
}

/* What the log no longer has: one gap with its exact numbers. */
static void skip_gap(struct sub *s)
{
    uint64_t first = evlog_first(s->engine->options.log);

    if (s->position + 1 >= first)
        return;
    if (!s->sink->gap(s, s->position + 1, first - 1)) {
        s->blocked = 1;
        return;
    }
    s->position = first - 1;
    s->ended = has_passed_exit(s);
}

/* What it had not read of a log that was set aside: a gap, then the new log from its beginning. */
static void leave_lost(struct sub *s)
{
    if (s->lost == 0)
        return;
    if (s->position < s->lost && !s->sink->gap(s, s->position + 1, s->lost)) {
        s->blocked = 1;
        return;
    }
    s->position = s->lost = 0;
    s->ended = has_passed_exit(s);
}

void subs_renumber(struct engine *e, uint64_t lost)
{
    list_for_each(&e->subs, n)
    {
        struct sub *s = container_of(n, struct sub, link);

        if (s->lost != 0) {
            s->ended = 1;
            s->reason = "the event log was damaged twice before this stream was read";
        }
        s->lost = lost;
    }
}

/* Give a reader one portion; 1 when there is more for it and it has room. */
static int pump_one(struct sub *s)
{
    struct evlog *log = s->engine->options.log;
    struct pump pump = { .sub = s };

    if (!s->blocked && !s->ended)
        leave_lost(s);
    if (s->blocked || s->position >= evlog_last(log))
        return 0;
    skip_gap(s);
    if (s->blocked)
        return 0;
    if (!s->ended && evlog_read(log, s->position, visit, &pump, NULL) < 0) {
        engine_want_retry(s->engine); /* a commit replaces a log that is damaged */
        return 0;
    }
    return !s->blocked && !s->ended && s->position < evlog_last(log);
}

static void finish(struct sub *s)
{
    if (!s->ended || s->blocked)
        return;
    list_remove(&s->link);
    if (!s->sink->end(s, s->reason ? s->reason : "the system has exited")) {
        s->blocked = 1;
        list_append(&s->engine->subs, &s->link);
    }
}

void subs_pump(struct engine *e)
{
    int more = 0;

    list_for_each(&e->subs, n)
    {
        struct sub *s = container_of(n, struct sub, link);

        more |= pump_one(s);
        finish(s);
    }
    if (more)
        engine_want_turn(e);
}

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

/* The newest event that a reader who begins now does not want. */
static uint64_t position_of(const struct engine *e, enum sub_from from, uint64_t after,
                            uint64_t exit_sequence)
{
    switch (from) {
    case SUB_FROM_AFTER:
        return after;
    case SUB_FROM_BEGINNING:
        return evlog_first(e->options.log) - 1;
    case SUB_FROM_NOW_OR_EXIT:
        if (exit_sequence != 0)
            return exit_sequence - 1;
        break;
    case SUB_FROM_NOW:
        break;
    }
    return evlog_last(e->options.log);
}

hcs_result sub_open(struct engine *e, struct sub *s, enum sub_from from, uint64_t after,
                    const char *system_id_opt, uint64_t incarnation, hcs_error *err)
{
    struct wanted wanted = { 0, 0, 0 };
    uint64_t last = evlog_last(e->options.log);
    hcs_result r;

    assert(s->sink && s->sink->event && s->sink->gap && s->sink->end);
    if (system_id_opt) {
        r = doc_check_id(system_id_opt, err);
        if (r >= 0)
            r = resolve(e, system_id_opt, incarnation, &wanted, err);
        if (r < 0)
            return r;
    }
    if (from == SUB_FROM_AFTER && after > last)
        return fail(err, HCS_E_INVALIDARG, "engine.subscribe",
                    "event %llu does not exist yet: the newest is %llu", (unsigned long long) after,
                    (unsigned long long) last);
    s->engine = e;
    s->incarnation = wanted.incarnation;
    s->position = position_of(e, from, after, wanted.exit_sequence);
    s->blocked = 0;
    s->lost = 0;
    s->ended = wanted.has_ended && s->position >= wanted.exit_sequence;
    list_append(&e->subs, &s->link);
    engine_want_turn(e);
    return HCS_OK;
}

/* Readers of a system that will have no exit event. */
void subs_end(struct engine *e, uint64_t incarnation, const char *reason)
{
    list_for_each(&e->subs, n)
    {
        struct sub *s = container_of(n, struct sub, link);

        if (s->incarnation == incarnation) {
            s->ended = 1;
            s->reason = reason;
            engine_want_turn(e);
        }
    }
}

void sub_wake(struct sub *s)
{
    if (!s->blocked)
        return;
    s->blocked = 0;
    engine_want_turn(s->engine);
}

void sub_close(struct sub *s)
{
    if (s->link.next)
        list_remove(&s->link);
    s->engine = NULL;
}
