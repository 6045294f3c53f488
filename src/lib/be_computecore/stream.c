/* stream.c - the lifecycle event stream over the flat API.
 *
 * Owns:    the cursors it reads (roster.c), one wake for all of them, the timer of a stream of the
 *          host.
 * Users:   the table of this back end.
 * Promise: nothing ends without HCS_EVENT_END, whose reason tells which end it was; whatever is
 * there to be read makes the pollable readable.
 *
 * Between two calls either the wake is set, or every log is empty and will set it. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "deadline.h"
#include "filter.h"
#include "objects.h"
#include "options.h"
#include "own_event.h"
#include "pulse.h"
#include "roster.h"

struct cc_stream {
    struct hcs_stream head;
    struct cc_host *host; /* used */
    bool of_host;
    struct roster roster;
    struct wake wake;
    struct pulse pulse;    /* of a stream of the host; else all zero */
    struct filter *filter; /* NULL: everything */
    bool no_follow;
    atomic_flag reading;
    char *detail;           /* of the last event, when we made it */
    const char *end_reason; /* what END will say; NULL: it does not come next */
    struct lock lock;       /* guards what follows */
    bool ended;             /* by hcs_stream_end() */
    bool finished;          /* END has been taken */
    bool awake;             /* we have set the wake ourselves since it was cleared */
};

static struct cc_stream *stream_of(const hcs_stream *stream)
{
    return container_of((hcs_stream *) (uintptr_t) stream, struct cc_stream, head);
}

static void stream_drop(struct cc_stream *s)
{
    pulse_done(&s->pulse);
    filter_drop(s->filter);
    roster_done(&s->roster);
    wake_done(&s->wake);
    lock_done(&s->lock);
    free(s->detail);
    cc_host_unuse(s->host);
    free(s);
}

static hcs_result stream_new(struct cc_host *host, struct cc_stream **out, hcs_error *err)
{
    struct cc_stream *s = calloc(1, sizeof *s);
    hcs_result r;

    if (!s)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.stream", "no memory for a stream");
    r = wake_init(&s->wake, err);
    if (r < 0) {
        free(s);
        return r;
    }
    s->head.backend = &computecore_backend;
    s->host = cc_host_use(host);
    atomic_flag_clear(&s->reading);
    lock_init(&s->lock);
    roster_init(&s->roster, host, &s->wake);
    *out = s;
    return HCS_OK;
}

/* ---- making events ---- */

static void event_end(struct cc_stream *s, const char *reason, hcs_event *e)
{
    own_event_make(e, HCS_EVENT_END, reason, &s->detail);
    lock_take(&s->lock);
    s->finished = true;
    lock_give(&s->lock);
}

static void event_system(hcs_event *e, const struct roster_source *from)
{
    e->system.id = from->id;
    e->system.owner = from->properties.owner;
    e->system.type = from->properties.type;
}

static void event_exit(hcs_event *e)
{
    if (e->kind == HCS_EVENT_SYSTEM_EXITED)
        e->exit = status_of_system(e->detail, e->detail_length);
    else if (e->kind == HCS_EVENT_PROCESS_EXITED)
        e->exit = status_of_process(e->detail, e->detail_length, &e->process_id, NULL);
    else
        return;
    e->has_exit = 1;
}

static void event_record(hcs_event *e, const struct memlog_record *record,
                         const struct roster_source *from)
{
    /* Two numbers are the stream's own word; HCS uses neither, and may not speak for it. */
    e->kind = record->kind == HCS_EVENT_GAP || record->kind == HCS_EVENT_END ? HCS_EVENT_INVALID
                                                                             : record->kind;
    e->sequence = record->sequence;
    e->realtime_ns = record->realtime_ns;
    e->monotonic_ns = record->monotonic_ns;
    e->detail = record->detail;
    e->detail_length = record->length;
    e->detail_flags = record->flags;
    event_system(e, from);
    event_exit(e);
}

static void event_gap(hcs_event *e, const struct memlog_record *record,
                      const struct roster_source *from)
{
    own_event_stamp(e, HCS_EVENT_GAP);
    e->gap_first = record->gap_first;
    e->gap_last = record->sequence;
    e->sequence = record->sequence;
    event_system(e, from);
}

/* ---- reading ---- */

/* A log has no more: whether that is an event of the stream. */
static int source_ended(struct cc_stream *s, struct roster_source *source, const char *reason,
                        hcs_event *e)
{
    roster_end(source);
    if (s->of_host)
        return 0;
    event_end(s, reason, e);
    return 1;
}

/* 1: an event; 0: the filter leaves it out. */
static int record_take(struct cc_stream *s, const struct memlog_record *record,
                       const struct roster_source *from, hcs_event *e)
{
    hcs_event event = HCS_EVENT_INIT;

    event_record(&event, record, from);
    /* The service is one for all systems: said once, it ends a stream of the host. */
    if (s->of_host && record->kind == HCS_EVENT_SERVICE_DISCONNECT)
        s->end_reason = TRAMPOLINE_DISCONNECTED;
    if (s->filter && event.kind != HCS_EVENT_SERVICE_DISCONNECT &&
        !filter_matches(s->filter, &event))
        return 0;
    *e = event;
    return 1;
}

/* 1: an event; 0: there is none. */
static int event_read(struct cc_stream *s, hcs_event *e)
{
    struct roster_source *from = NULL;
    struct memlog_record record = { 0 };

    for (;;) {
        switch (roster_next(&s->roster, &record, &from)) {
        case MEMLOG_NOTHING:
            return 0;
        case MEMLOG_GAP:
            event_gap(e, &record, from);
            return 1;
        case MEMLOG_END:
            if (source_ended(s, from, record.detail, e))
                return 1;
            break;
        case MEMLOG_RECORD:
            if (record_take(s, &record, from, e))
                return 1;
            break;
        }
    }
}

/* A stream of the host looks for newcomers.  1: HCS cannot be asked any more. */
static int host_refresh(struct cc_stream *s, hcs_event *e)
{
    hcs_error why = HCS_ERROR_INIT;

    if (!s->of_host || !pulse_take(&s->pulse))
        return 0;
    if (roster_refresh(&s->roster, MEMLOG_FROM_OLDEST, &why) >= 0 ||
        hcs_result_class(why.code) != HCS_CLASS_SERVICE_GONE)
        return 0; /* what else goes wrong is tried again */
    own_event_make(e, HCS_EVENT_SERVICE_DISCONNECT, why.text, &s->detail);
    s->end_reason = TRAMPOLINE_DISCONNECTED;
    return 1;
}

/* 1: an event, 0: nothing yet, negative: the stream has ended before. */
static hcs_result event_next(struct cc_stream *s, hcs_event *e, hcs_error *err)
{
    bool ended, finished;

    free(TAKE(s->detail));
    lock_take(&s->lock);
    ended = s->ended;
    finished = s->finished;
    lock_give(&s->lock);
    if (finished)
        return fail(err, HCS_E_WIN32_NO_MORE_ITEMS, "stream.next", "the stream has ended");
    if (ended || s->end_reason) {
        event_end(s, ended ? "closed" : s->end_reason, e);
        return 1;
    }
    if (host_refresh(s, e) || event_read(s, e))
        return 1;
    if (!s->no_follow)
        return 0;
    event_end(s, "no more events", e);
    return 1;
}

/* What the next call would return at once, without any log. */
static bool has_news(struct cc_stream *s)
{
    return !s->finished &&
           (s->ended || s->end_reason || s->no_follow || (s->of_host && pulse_is_due(&s->pulse)));
}

/* With the lock held. */
static void wake_know(struct cc_stream *s)
{
    if (!s->awake)
        wake_set(&s->wake);
    s->awake = true;
}

/* Make the wake say the truth.  It costs nothing but the looking while a log has more. */
static void stream_settle(struct cc_stream *s)
{
    lock_take(&s->lock);
    if (!s->finished && roster_ready(&s->roster)) {
        wake_know(s);
    } else {
        wake_clear(&s->wake);
        s->awake = false;
        if (has_news(s) || (!s->finished && !roster_arm(&s->roster)))
            wake_know(s);
    }
    lock_give(&s->lock);
}

static hcs_pollable stream_pollable(const struct cc_stream *s)
{
    return s->of_host ? s->pulse.pollable : s->wake.pollable;
}

static hcs_result stream_wait(struct cc_stream *s, uint64_t deadline, hcs_event *e, hcs_error *err)
{
    struct wake whole = { stream_pollable(s) };

    for (;;) {
        hcs_result r = event_next(s, e, err);

        if (r == 0 && roster_spin(&s->roster))
            continue;
        if (r >= 0)
            stream_settle(s);
        if (r != 0)
            return r < 0 ? r : HCS_OK;
        if (!wake_wait(&whole, deadline))
            return fail(err, HCS_E_OPERATION_TIMEOUT, "stream.next", "no event yet");
    }
}

/* ---- the functions of the table ---- */

/* HCS keeps no log: what needs one is refused by name. */
static hcs_result options_check(const hcs_stream_options *o, hcs_error *err)
{
    const char *what = o->from == HCS_FROM_CURSOR          ? "a cursor"
                       : o->from == HCS_FROM_TIME          ? "since_ns"
                       : o->from == HCS_FROM_LAST          ? "last"
                       : o->until_ns                       ? "until_ns"
                       : o->bookmark_ms                    ? "bookmark_ms"
                       : (o->flags & HCS_STREAM_RECONNECT) ? "HCS_STREAM_RECONNECT"
                                                           : NULL;

    if (!what)
        return HCS_OK;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "computecore.stream",
                "%s needs a service that keeps a log, and HCS keeps none; hcsd does", what);
}

static hcs_result options_take(struct cc_stream *s, const hcs_stream_options *o, hcs_error *err)
{
    json_t *json = NULL;
    hcs_result r = options_check(o, err);

    s->no_follow = o->flags & HCS_STREAM_NO_FOLLOW;
    if (r >= 0)
        r = options_filter(o->filter, "hcs_stream_open", &json, err);
    if (r >= 0 && json)
        r = filter_parse(json, &s->filter, err);
    json_decref(json);
    return r;
}

static hcs_result open_check(const hcs_stream_options *options, const char *what, hcs_error *err)
{
    if (options->from == HCS_FROM_AFTER)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "computecore.stream",
                    "HCS keeps no log: the numbers of %s begin with each stream, so there is no "
                    "'after'; open the stream of a system's handle instead",
                    what);
    return HCS_OK;
}

static hcs_result open_id(struct cc_stream *s, const hcs_stream_options *options, hcs_error *err)
{
    struct cc_handle *h = NULL;
    hcs_result r = open_check(options, "one system", err);

    if (r >= 0)
        r = cc_handle_open_system(s->host, options->system_id, &h, err);
    if (r < 0)
        return r;
    cc_handle_ask(h, false);
    return roster_add(&s->roster, options->system_id, h, true, (enum memlog_from) options->from, 0,
                      err);
}

static hcs_result open_host(struct cc_stream *s, const hcs_stream_options *options, hcs_error *err)
{
    hcs_result r = open_check(options, "a host", err);

    if (r < 0)
        return r;
    r = pulse_init(&s->pulse, &s->wake, s->host->poll_ns, err);
    if (r < 0)
        return r;
    s->of_host = true;
    return roster_refresh(&s->roster, MEMLOG_FROM_OLDEST, err);
}

hcs_result cc_stream_open(hcs_host *host, const hcs_stream_options *options, hcs_stream **out,
                          hcs_error *err)
{
    struct cc_stream *s;
    hcs_result r = stream_new(cc_host_of(host), &s, err);

    if (r < 0)
        return r;
    r = options_take(s, options, err);
    if (r >= 0)
        r = options->system_id ? open_id(s, options, err) : open_host(s, options, err);
    if (r < 0) {
        stream_drop(s);
        return r;
    }
    stream_settle(s);
    *out = &s->head;
    return HCS_OK;
}

hcs_result cc_stream_open_system(hcs_system *handle, const hcs_stream_options *options,
                                 hcs_stream **out, hcs_error *err)
{
    struct cc_system *system = cc_system_of(handle);
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = cc_handle_ref(system->handle);
    enum memlog_from from = (enum memlog_from) options->from;
    hcs_error why = HCS_ERROR_INIT;
    struct cc_stream *s;
    hcs_result r = cc_system_settle(system, &why);

    if (r < 0 && r != HCS_E_OPERATION_PENDING) {
        error_copy(err, &why);
        return r;
    }
    if (r < 0)
        from = MEMLOG_FROM_OLDEST; /* nothing of its life shall be missed */
    else
        cc_handle_ask(h, false);
    r = stream_new(h->host, &s, err);
    if (r < 0)
        return r;
    r = options_take(s, options, err);
    if (r >= 0)
        r = roster_add(&s->roster, system->head.id, h, false, from, options->after, err);
    if (r < 0) {
        stream_drop(s);
        return r;
    }
    stream_settle(s);
    *out = &s->head;
    return HCS_OK;
}

hcs_pollable cc_stream_pollable(const hcs_stream *stream)
{
    return stream_pollable(stream_of(stream));
}

hcs_result cc_stream_next(hcs_stream *stream, uint64_t deadline_ns, hcs_event *out, hcs_error *err)
{
    struct cc_stream *s = stream_of(stream);
    hcs_result r;

    if (atomic_flag_test_and_set_explicit(&s->reading, memory_order_acquire))
        return fail(err, HCS_E_WIN32_BUSY, "stream.next", "another thread is reading the stream");
    r = stream_wait(s, deadline_ns, out, err);
    atomic_flag_clear_explicit(&s->reading, memory_order_release);
    return r;
}

hcs_result cc_stream_cursor(const hcs_stream *stream, char out[HCS_CURSOR_SIZE], hcs_error *err)
{
    (void) stream;
    (void) out;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "computecore.cursor",
                "HCS keeps no log that a cursor could stand in; hcsd does");
}

void cc_stream_end(hcs_stream *stream)
{
    struct cc_stream *s = stream_of(stream);

    lock_take(&s->lock);
    if (!s->finished) {
        s->ended = true;
        wake_set(&s->wake);
    }
    lock_give(&s->lock);
}

void cc_stream_close(hcs_stream *stream)
{
    stream_drop(stream_of(stream));
}
