/* reconnect.c - a stream that goes on when the service went away and came again.
 *
 * Owns:    the pauses between attempts.
 * Users:   stream.c, on the thread of the reader; subscribe.c when the stream is opened.
 * Promise: pauses double from 50 ms to 5 s and have chance in them, so that many readers do not
 *          come at once; a service is started only where the one that was lost had been started by
 *          a client; a service that ends again and again before it tells anything is not asked
 *          more often than that.
 */
#include <assert.h>

#include "clock.h"
#include "stream.h"

#define PAUSE_MS_MIN 50
#define PAUSE_MS_MAX 5000
#define SETTLED_NS UINT64_C(5000000000)
#define MS_NS UINT64_C(1000000)

/* A service that begins has its socket a moment before it is open to a group. */
#define HOPELESS_MAX 3

hcs_result reconnect_allow(struct vl_stream *s, hcs_error *err)
{
    uint64_t seed = clock_monotonic_ns() ^ (uint64_t) (uintptr_t) s;

    s->reconnects = true;
    s->backoff.next_ms = PAUSE_MS_MIN;
    s->backoff.chance = (uint32_t) (seed ^ seed >> 32) | 1;
    return watch_allow_alarm(&s->watch, err);
}

/* What makes no sense makes none the next time either.  Which of several systems of one id it was
 * must be known. */
bool reconnect_can(const struct vl_stream *s, hcs_result why)
{
    return s->reconnects && hcs_result_retryable(why) && !s->creation &&
           (!json_object_get(s->request, "systemId") || json_object_get(s->request, "incarnation"));
}

/* Xorshift: what it gives need not be hard to guess. */
static uint32_t chance(struct backoff *b)
{
    b->chance ^= b->chance << 13;
    b->chance ^= b->chance >> 17;
    b->chance ^= b->chance << 5;
    return b->chance;
}

void reconnect_later(struct vl_stream *s)
{
    struct backoff *b = &s->backoff;
    uint64_t now = clock_monotonic_ns(), pause_ms;

    assert(s->reconnects);
    stream_hang_up(s);
    s->subscribing = false;
    if (!s->away) {
        s->away = true;
        b->attempts = 0;
        b->hopeless = 0;
        b->why = (hcs_error) HCS_ERROR_INIT;
        if (b->settled_ns && now - b->settled_ns > SETTLED_NS)
            b->next_ms = PAUSE_MS_MIN;
    }
    pause_ms = b->next_ms / 2 + chance(b) % (b->next_ms / 2 + 1);
    b->next_ms = b->next_ms * 2 < PAUSE_MS_MAX ? b->next_ms * 2 : PAUSE_MS_MAX;
    watch_set_alarm(&s->watch, now + pause_ms * MS_NS);
}

void reconnect_failed(struct vl_stream *s, const hcs_error *why)
{
    s->backoff.why = *why;
    reconnect_later(s);
}

hcs_result reconnect_try(struct vl_stream *s, hcs_error *err)
{
    struct backoff *b = &s->backoff;
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r;

    assert(s->away && !s->call.link);
    if (!watch_alarm_is_due(&s->watch))
        return 0;
    watch_set_alarm(&s->watch, 0);
    b->attempts++;
    s->subscribing = true;
    r = subscribe_begin(s, &why);
    if (r >= 0) {
        b->hopeless = 0;
        return 1;
    }
    b->hopeless = hcs_result_retryable(r) ? 0 : b->hopeless + 1;
    if (b->hopeless == HOPELESS_MAX) {
        error_copy(err, &why);
        return r;
    }
    reconnect_failed(s, &why);
    return 0;
}

void reconnect_done(struct vl_stream *s)
{
    s->away = false;
    s->backoff.settled_ns = clock_monotonic_ns();
}

void reconnect_settled(struct vl_stream *s)
{
    s->backoff.next_ms = PAUSE_MS_MIN;
}
