/* sub_serve.c - what is a reader given?
 * Users:   sub.c, once a turn for each reader that has its turn.  Loop thread only.
 * Promise: each event that it wants once, in order, or one exact gap; nothing is passed before it
 * was given, so no bookmark is ahead of an event. */

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "event.h"
#include "sub_parts.h"

struct portion {
    struct sub *sub;
    struct sub_turn *turn;
    int ask_boot; /* the rest of the log is not all of the boot that it knows */
};

/* ---- what it wants ---- */

/* An event that cannot be read is given: it is for the reader to see. */
static int content_matches(const struct filter *filter, const char *bytes, size_t length)
{
    json_t *json = json_loadb(bytes, length, 0, NULL);
    hcs_event event = HCS_EVENT_INIT;
    int matches = !json || event_view(json, &event, NULL) < 0 || filter_matches(filter, &event);

    json_decref(json);
    return matches;
}

int sub_wants(struct sub *s, struct sub_turn *turn, uint64_t incarnation, hcs_event_kind kind,
              const char *bytes, size_t length)
{
    int by_kind;

    turn->left--;
    if (s->since_ns != 0) {
        if (event_realtime(bytes) < s->since_ns)
            return 0;
        s->since_ns = 0;
    }
    if (s->incarnation != 0 && s->incarnation != incarnation)
        return 0;
    by_kind = s->filter_opt ? filter_matches_kind(s->filter_opt, kind) : 1;
    if (by_kind >= 0)
        return by_kind;
    turn->left -= SUB_CONTENT_WORK;
    return content_matches(s->filter_opt, bytes, length);
}

/* ---- bookmarks ---- */

/* 0: no room. */
static int give_bookmark(struct sub *s, uint64_t after, const char *boot, int regular)
{
    struct sub_position at = { evlog_id(s->engine->options.log), after, boot };

    if (s->sink->bookmark && !s->sink->bookmark(s, &at, regular))
        return 0;
    snprintf(s->boot, sizeof s->boot, "%s", boot);
    s->told = after;
    return 1;
}

/* Before the first event of another boot; 0: no room. */
static int tell_boot(struct portion *p, uint64_t sequence)
{
    struct sub *s = p->sub;
    const char *boot;

    if (!p->ask_boot)
        return 1;
    p->turn->left -= SUB_BOOT_WORK;
    boot = evlog_boot_at(s->engine->options.log, sequence);
    return strcmp(boot, s->boot) == 0 || give_bookmark(s, sequence - 1, boot, 0);
}

static void give_regular_bookmark(struct sub *s)
{
    if (!s->bookmark_due || s->blocked || s->ended || s->seeking)
        return;
    if (give_bookmark(s, s->position, evlog_boot_at(s->engine->options.log, s->position + 1), 1))
        s->bookmark_due = 0;
}

/* What was passed since the reader was last told something, before the end; 0: no room.  A position
 * in a log that is lost is told by its gap alone. */
static int give_last_bookmark(struct sub *s)
{
    if (s->has_lost || s->position == s->told)
        return 1;
    return give_bookmark(s, s->position, evlog_boot_at(s->engine->options.log, s->position + 1), 0);
}

/* ---- events ---- */

static int visit(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                 const char *bytes, size_t length)
{
    struct portion *p = context;
    struct sub *s = p->sub;

    if (p->turn->left <= 0 || sequence > s->stop_after)
        return 0;
    if (s->until_ns != 0 && event_realtime(bytes) > s->until_ns) {
        s->ended = 1;
        s->reason = "until";
        return 0;
    }
    if (sub_wants(s, p->turn, incarnation, kind, bytes, length)) {
        if (!tell_boot(p, sequence) || !s->sink->event(s, bytes, length)) {
            s->blocked = 1;
            return 0;
        }
        p->turn->left -= SUB_DELIVERY_WORK;
        s->sent++;
        s->told = sequence;
    } else {
        s->filtered++;
    }
    s->position = sequence;
    s->ended =
        s->incarnation != 0 && s->incarnation == incarnation && kind == HCS_EVENT_SYSTEM_EXITED;
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

/* 0: no room. */
static int give_gap(struct sub *s, uint64_t first, uint64_t last)
{
    if (first > last)
        return 1;
    if (s->sink->gap(s, first, last)) {
        s->told = last;
        return 1;
    }
    s->blocked = 1;
    return 0;
}

/* What the log no longer has: one gap with its exact numbers. */
static void skip_gap(struct sub *s)
{
    uint64_t last = evlog_first(s->engine->options.log) - 1;

    if (last > s->stop_after)
        last = s->stop_after;
    if (s->position >= last || !give_gap(s, s->position + 1, last))
        return;
    s->position = last;
    s->ended = has_passed_exit(s);
}

/* What it had not read of a log that was set aside: a gap, then the new log from its beginning. */
static void leave_lost(struct sub *s)
{
    struct evlog *log = s->engine->options.log;

    if (!s->has_lost || s->ended || !give_gap(s, s->position + 1, s->lost))
        return;
    s->position = s->lost;
    if (!give_bookmark(s, 0, evlog_boot_at(log, 1), 0)) {
        s->blocked = 1;
        return;
    }
    s->position = s->lost = 0;
    s->has_lost = 0;
    s->ended = has_passed_exit(s);
}

/* 0: the log could not be read; it is tried again later. */
static int give_events(struct sub *s, struct sub_turn *turn)
{
    struct evlog *log = s->engine->options.log;
    struct portion portion = { .sub = s, .turn = turn };

    if (s->position >= evlog_last(log) || s->position >= s->stop_after)
        return 1;
    skip_gap(s);
    if (s->blocked || s->ended)
        return 1;
    portion.ask_boot =
        s->sink->bookmark && strcmp(s->boot, evlog_boot_at(log, evlog_last(log))) != 0;
    if (evlog_read(log, s->position, visit, &portion, NULL) >= 0)
        return 1;
    engine_want_retry(s->engine); /* a commit replaces a log that is damaged */
    return 0;
}

/* ---- the end ---- */

/* What waits for its commit was stamped before now, and may be for the reader. */
static int has_passed_until(const struct sub *s)
{
    const struct evlog *log = s->engine->options.log;

    return s->until_ns != 0 && s->position >= evlog_last(log) && !evlog_has_pending(log) &&
           clock_realtime_ns() > s->until_ns;
}

static void check_end(struct sub *s)
{
    if (s->ended)
        return;
    if (s->position >= s->stop_after)
        s->reason = "no more events";
    else if (has_passed_until(s))
        s->reason = "until";
    else
        return;
    s->ended = 1;
}

int sub_serve(struct sub *s, struct sub_turn *turn)
{
    if (s->blocked)
        return 0;
    if (s->seeking) {
        if (!sub_seek(s, turn))
            return 0;
        s->ended = has_passed_exit(s);
    }
    leave_lost(s);
    if (s->blocked)
        return 0;
    if (!s->ended && !give_events(s, turn))
        return 0;
    if (!s->blocked)
        check_end(s);
    if (s->ended && !s->blocked) {
        if (give_last_bookmark(s) &&
            s->sink->end(s, s->reason ? s->reason : "the system has exited"))
            sub_close(s);
        else
            s->blocked = 1;
        return 0;
    }
    give_regular_bookmark(s);
    return !s->blocked && s->position < evlog_last(s->engine->options.log);
}
