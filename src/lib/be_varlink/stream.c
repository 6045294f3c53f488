/* stream.c - the lifecycle event stream of the user.
 *
 * Owns:    a connection of its own, the message that the last event is borrowed from.
 * Users:   the table of the back end; subscribe.c opens it.
 * Promise: what the service sends comes out in its order, each once, also over a lost connection
 *          (reconnect.c): the place moves when an event is returned, and not before.  Nothing ends
 *          without HCS_EVENT_END.  The flag of the watch is set exactly while there is something to
 *          return that neither the connection nor the alarm shows.
 */
#include "stream.h"

#include <assert.h>
#include <string.h>

#include "clock.h"
#include "event.h"
#include "own_event.h"

void stream_forget_creation(struct vl_stream *s)
{
    if (!s->creation)
        return;
    watch_remove_other(&s->watch, &s->creation->watch);
    vl_op_unref(TAKE(s->creation));
}

void stream_hang_up(struct vl_stream *s)
{
    watch_forget(&s->watch);
    s->call.answered = false;
    call_done(&s->call);
}

void stream_drop(struct vl_stream *s)
{
    if (!s)
        return;
    roster_leave(&s->place);
    varlink_message_done(&s->message);
    stream_hang_up(s);
    stream_forget_creation(s);
    watch_done(&s->watch);
    vl_host_unref(s->host);
    json_decref(s->request);
    json_decref(s->begin);
    lock_done(&s->lock);
    free(s->detail);
    free(s->end_reason);
    free(s->text);
    free(s);
}

hcs_result stream_new(struct vl_stream **out, hcs_error *err)
{
    _cleanup_(stream_dropp) struct vl_stream *s = calloc(1, sizeof(*s));
    hcs_result r;

    if (!s)
        return fail(err, HCS_E_OUTOFMEMORY, "stream.open", "no memory for a stream");
    s->head.backend = &varlink_backend;
    call_init(&s->call);
    varlink_message_init(&s->message);
    atomic_flag_clear(&s->reading);
    lock_init(&s->lock);
    r = watch_init(&s->watch, err);
    if (r < 0)
        return r;
    *out = TAKE(s);
    return HCS_OK;
}

/* ---- making events ---- */

static const char reason_orphaned[] = "the system's handle was closed";

/* The last event.  What is watched goes: nothing is left to be readable. */
static void event_end(struct vl_stream *s, const char *reason, hcs_event *e)
{
    own_event_make(e, HCS_EVENT_END, reason, &s->detail);
    stream_hang_up(s);
    stream_forget_creation(s);
    if (s->reconnects)
        watch_set_alarm(&s->watch, 0);
    lock_take(&s->lock);
    s->finished = true;
    watch_set(&s->watch, false);
    lock_give(&s->lock);
}

/* The connection is of no use any more: an event, or the end when it was us or nothing is left to
 * be told. */
static void event_lost(struct vl_stream *s, const hcs_error *why, hcs_event *e)
{
    if (s->cut) {
        event_end(s, reason_orphaned, e);
        return;
    }
    if (s->reconnects && s->exited) {
        event_end(s, "the system has exited", e);
        return;
    }
    own_event_make(e, HCS_EVENT_SERVICE_DISCONNECT, why->text, &s->detail);
    if (reconnect_can(s, why->code))
        reconnect_later(s);
    else
        s->lost = true;
}

/* We have our place at the service again. */
static void event_again(struct vl_stream *s, hcs_event *e)
{
    json_t *detail = json_pack("{s:I}", "Attempts", (json_int_t) s->backoff.attempts);

    reconnect_done(s);
    /* A text that JSON cannot say (a path that is not UTF-8) is left out. */
    if (detail && s->backoff.why.code < 0)
        (void) json_object_set_new(detail, "LastError", json_string(s->backoff.why.text));
    own_event_document(e, HCS_EVENT_SERVICE_RECONNECTED, detail, &s->detail);
}

/* Whether it is before the moment that the user wants to begin with.  The service sees to that
 * itself, by the first event of that moment, which a filter may leave out: what it then gives may
 * be stamped earlier, when the clock was set back.  It does not when it is asked to go on after an
 * event that was before that moment, too. */
static bool is_too_early(struct vl_stream *s, const hcs_event *e)
{
    if (e->kind == HCS_EVENT_GAP || s->since_ns == 0)
        return false;
    if (s->since_is_ours && e->realtime_ns < s->since_ns)
        return true;
    s->since_ns = 0;
    return false;
}

/* What an event of the log means for the stream. */
static void event_note(struct vl_stream *s, const hcs_event *e)
{
    place_move(s, e->sequence);
    if (!json_object_get(s->request, "systemId"))
        return;
    s->exited |= e->kind == HCS_EVENT_SYSTEM_EXITED;
    /* Whether this can be remembered only matters for finding it again. */
    if (s->reconnects && e->system.incarnation && !json_object_get(s->request, "incarnation"))
        (void) json_object_set_new(s->request, "incarnation",
                                   json_integer((json_int_t) e->system.incarnation));
}

/* The missing numbers.  The sequence is the last of them, so that a stream that is opened after
 * it goes on behind the gap. */
static hcs_result event_gap(const json_t *gap, hcs_event *e, hcs_error *err)
{
    const json_t *first = json_object_get(gap, "first");
    const json_t *last = json_object_get(gap, "last");

    if (!json_is_integer(first) || !json_is_integer(last) || json_integer_value(first) < 0 ||
        json_integer_value(last) < json_integer_value(first))
        return fail(err, HCS_E_PROTOCOL_ERROR, "stream.next",
                    "a gap without numbers in the answer of the service");
    own_event_stamp(e, HCS_EVENT_GAP);
    e->gap_first = (uint64_t) json_integer_value(first);
    e->gap_last = (uint64_t) json_integer_value(last);
    e->sequence = e->gap_last;
    return HCS_OK;
}

static const json_t *member(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    return json_is_null(value) ? NULL : value;
}

/* The place has moved, perhaps into another log or another boot.  1: the user wants to know. */
static hcs_result event_bookmark(struct vl_stream *s, const json_t *position, hcs_event *e,
                                 hcs_error *err)
{
    hcs_result r = place_take(s, position, err);

    /* What comes after the moment is behind it, whatever it is stamped. */
    if (r >= 0 && clock_realtime_ns() >= s->since_ns)
        s->since_ns = 0;
    if (r < 0 || !s->bookmarks)
        return r;
    own_event_stamp(e, HCS_EVENT_BOOKMARK);
    e->sequence = s->at.after;
    place_stamp(s, e);
    return 1;
}

/* An event or a gap of the log has come.  1: the user is told. */
static int event_take(struct vl_stream *s, hcs_event *e)
{
    event_note(s, e);
    if (is_too_early(s, e))
        return 0;
    place_stamp(s, e);
    return 1;
}

/* One answer of the service: 1 @e is an event, 0 it says nothing that the user is told, negative:
 * it makes no sense. */
static hcs_result answer_view(struct vl_stream *s, hcs_event *e, hcs_error *err)
{
    const json_t *event = member(s->message.json, "event");
    const json_t *gap = member(s->message.json, "gap");
    const json_t *end = member(s->message.json, "end");
    const json_t *bookmark = member(s->message.json, "bookmark");
    hcs_result r;

    if (event || gap) {
        r = event ? event_view(event, e, err) : event_gap(gap, e, err);
        return r < 0 ? r : event_take(s, e);
    }
    if (bookmark)
        return event_bookmark(s, bookmark, e, err);
    if (!end)
        return 0;
    if (!json_is_string(end))
        return fail(err, HCS_E_PROTOCOL_ERROR, "stream.next",
                    "an end without a reason in the answer of the service");
    event_end(s, json_string_value(end), e);
    return 1;
}

/* One answer has come.  As answer_view(). */
static hcs_result answer_take(struct vl_stream *s, hcs_event *e, hcs_error *err)
{
    hcs_result r;

    if (!s->subscribing) {
        r = answer_view(s, e, err);
        if (r >= 0 && s->reconnects)
            reconnect_settled(s);
        return r;
    }
    r = subscribe_check_ready(s, s->message.json, err);
    s->subscribing = false;
    if (r < 0 || !s->away)
        return r;
    event_again(s, e);
    return 1;
}

/* No answer has come, and the connection is of no use any more.  1: @e is an event. */
static int answer_lost(struct vl_stream *s, const hcs_error *why, hcs_event *e)
{
    bool refused = s->call.answered && why->code != HCS_E_PROTOCOL_ERROR;

    if (s->away && !s->cut && reconnect_can(s, why->code)) {
        reconnect_failed(s, why);
        return 0;
    }
    if (refused || (s->away && !s->cut))
        event_end(s, why->text, e);
    else
        event_lost(s, why, e);
    return 1;
}

/* The last answer of the call was no end. */
static void answer_check_last(struct vl_stream *s)
{
    if (!s->call.answered || !s->call.link)
        return;
    s->end_reason = strdup("the service has no more");
    if (!s->end_reason)
        s->lost = true;
}

/* 1: what has come already is an event as the service writes it, and it is @e; JSON would take most
 * of the time of reading a long log again.  0: see call_try(). */
static int event_scanned(struct vl_stream *s, hcs_event *e)
{
    const char *bytes;
    size_t n;

    if (s->subscribing || !varlink_peek(s->call.link, &bytes, &n))
        return 0;
    if (n >= s->text_size) {
        char *text = realloc(s->text, 2 * n + 1);

        if (!text)
            return 0;
        s->text = text;
        s->text_size = 2 * n + 1;
    }
    memcpy(s->text, bytes, n);
    s->text[n] = 0;
    if (!event_scan(s->text, n, e))
        return 0;
    varlink_skip(s->call.link);
    return 1;
}

/* The next event that the connection has: 1; 0 there is none.  Never fails: what is wrong with the
 * connection is an event too. */
static int event_read(struct vl_stream *s, hcs_event *e)
{
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r;

    for (;;) {
        if (s->end_reason) {
            event_end(s, s->end_reason, e);
            return 1;
        }
        r = s->call.link ? 1 : reconnect_try(s, &why);
        if (r < 0)
            event_end(s, why.text, e);
        if (r <= 0)
            return r < 0;
        varlink_message_done(&s->message);
        if (event_scanned(s, e)) {
            if (s->reconnects)
                reconnect_settled(s);
            if (event_take(s, e))
                return 1;
            continue;
        }
        r = call_try(&s->call, &s->message, &why);
        if (r == 0)
            return 0;
        if (r > 0)
            r = answer_take(s, e, &why);
        if (r < 0)
            return answer_lost(s, &why, e);
        answer_check_last(s);
        if (r > 0)
            return 1;
    }
}

/* The first event of a stream that was opened while its system was being created. */
static int event_first(struct vl_stream *s, hcs_event *e)
{
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r = subscribe_try(s, &why);

    if (r > 0)
        return event_read(s, e);
    if (r == 0)
        return 0;
    stream_hang_up(s);
    if (r == HCS_E_SERVICE_DISCONNECT || r == HCS_E_SERVICE_NOT_AVAILABLE)
        event_lost(s, &why, e);
    else
        event_end(s, why.text, e);
    return 1;
}

/* What had arrived when the handle was closed, and the end. */
static void event_left(struct vl_stream *s, hcs_event *e)
{
    if (s->call.link && !s->cut) {
        s->cut = true;
        link_hang_up(s->call.link);
    }
    if (!s->call.link || event_read(s, e) == 0)
        event_end(s, reason_orphaned, e);
}

/* With the lock held: what is to be returned without asking the connection. */
static bool stream_has_news(const struct vl_stream *s)
{
    return s->ended || s->orphaned || s->lost || s->end_reason ||
           (s->call.link && varlink_ready(s->call.link));
}

void stream_update(struct vl_stream *s)
{
    lock_take(&s->lock);
    watch_set(&s->watch, !s->finished && stream_has_news(s));
    lock_give(&s->lock);
}

/* 1: an event, 0: nothing yet, negative: the stream has ended before. */
static hcs_result event_next(struct vl_stream *s, hcs_event *e, hcs_error *err)
{
    bool ended, orphaned, finished;
    int got = 1;

    free(TAKE(s->detail));
    lock_take(&s->lock);
    ended = s->ended;
    orphaned = s->orphaned;
    finished = s->finished;
    lock_give(&s->lock);
    if (finished)
        return fail(err, HCS_E_WIN32_NO_MORE_ITEMS, "stream.next", "the stream has ended");
    if (ended)
        event_end(s, "closed", e);
    else if (s->lost)
        event_end(s, "the service was disconnected", e);
    else if (orphaned)
        event_left(s, e);
    else
        got = s->creation ? event_first(s, e) : event_read(s, e);
    stream_update(s);
    return got;
}

/* ---- verbs of the back end ---- */

static struct vl_stream *vl_stream_of(const hcs_stream *stream)
{
    return container_of((hcs_stream *) (uintptr_t) stream, struct vl_stream, head);
}

hcs_pollable vl_stream_pollable(const hcs_stream *stream)
{
    return vl_stream_of(stream)->watch.both;
}

/* At the deadline only bytes that have come are still looked at, for each look takes some: whatever
 * else makes the watch readable may do so for ever. */
static bool stream_goes_on(const struct vl_stream *s, uint64_t deadline)
{
    if (!watch_wait(&s->watch, deadline))
        return false;
    return deadline_left_ms(deadline) != 0 || (s->call.link && link_wait_readable(s->call.link, 0));
}

static hcs_result stream_wait(struct vl_stream *s, uint64_t deadline, hcs_event *e, hcs_error *err)
{
    for (;;) {
        hcs_result r = event_next(s, e, err);

        if (r != 0)
            return r < 0 ? r : HCS_OK;
        if (!stream_goes_on(s, deadline))
            return fail(err, HCS_E_OPERATION_TIMEOUT, "stream.next", "no event yet");
    }
}

hcs_result vl_stream_next(hcs_stream *stream, uint64_t deadline_ns, hcs_event *out, hcs_error *err)
{
    struct vl_stream *s = vl_stream_of(stream);
    hcs_result r;

    if (atomic_flag_test_and_set_explicit(&s->reading, memory_order_acquire))
        return fail(err, HCS_E_WIN32_BUSY, "hcs_stream_next",
                    "another thread is reading the stream");
    r = stream_wait(s, deadline_ns, out, err);
    if (r >= 0 && out->detail_length == 0)
        out->detail_flags = HCS_DETAIL_ABSENT;
    atomic_flag_clear_explicit(&s->reading, memory_order_release);
    return r;
}

/* Wake whoever reads, or will read, and let them see why. */
static void stream_tell(struct vl_stream *s, bool *why)
{
    lock_take(&s->lock);
    if (!s->finished) {
        *why = true;
        watch_set(&s->watch, true);
    }
    lock_give(&s->lock);
}

void stream_orphan(struct roster_place *place)
{
    struct vl_stream *s = container_of(place, struct vl_stream, place);

    stream_tell(s, &s->orphaned);
}

void vl_stream_end(hcs_stream *stream)
{
    struct vl_stream *s = vl_stream_of(stream);

    stream_tell(s, &s->ended);
}

void vl_stream_close(hcs_stream *stream)
{
    stream_drop(vl_stream_of(stream));
}
