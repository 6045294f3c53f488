/* subscribe.c - opening a stream: the call Subscribe.
 *
 * Owns:    nothing past the opening.
 * Users:   the table of the back end; stream.c for a stream of a system that was still being
 *          created when it was opened; reconnect.c.
 * Promise: opening waits for one answer at most, and for none when the system is being created:
 * then the stream begins with the system, and subscribes on the thread of its reader.
 */
#include <assert.h>
#include <string.h>

#include "cursor.h"
#include "options.h"
#include "stream.h"

static hcs_result no_memory(hcs_error *err)
{
    return fail(err, HCS_E_OUTOFMEMORY, "hcs_stream_open", "no memory for a request");
}

/* ---- parameters ---- */

/* Put @take_value into @json; nothing when the one or the other could not be had. */
static hcs_result put(json_t *json, const char *name, json_t *take_value, hcs_error *err)
{
    return json_object_set_new(json, name, take_value) < 0 ? no_memory(err) : HCS_OK;
}

static hcs_result put_number(json_t *json, const char *name, uint64_t value, hcs_error *err)
{
    return put(json, name, json_integer((json_int_t) value), err);
}

static hcs_result put_after(json_t *json, const char *log_opt, uint64_t after, hcs_error *err)
{
    hcs_result r = put(json, "from", json_string("after"), err);

    if (r >= 0)
        r = put_number(json, "after", after, err);
    if (r >= 0 && log_opt)
        r = put(json, "log", json_string(log_opt), err);
    return r;
}

static hcs_result put_cursor(json_t *json, const char *text, hcs_error *err)
{
    struct cursor cursor;
    hcs_result r = cursor_parse(text, &cursor, err);

    return r < 0 ? r : put_after(json, cursor.log, cursor.after, err);
}

/* Where the user wants to begin; @now_word is the word for HCS_FROM_NOW. */
static hcs_result begin_make(struct vl_stream *s, const hcs_stream_options *o, const char *now_word,
                             hcs_error *err)
{
    static const char *const words[] = { [HCS_FROM_NOW] = "now",
                                         [HCS_FROM_BEGINNING] = "beginning",
                                         [HCS_FROM_TIME] = "since",
                                         [HCS_FROM_LAST] = "last" };
    hcs_result r;

    s->begin = json_object();
    if (!s->begin)
        return no_memory(err);
    if (o->from == HCS_FROM_AFTER)
        return put_after(s->begin, NULL, o->after, err);
    if (o->from == HCS_FROM_CURSOR)
        return put_cursor(s->begin, o->cursor, err);
    r = put(s->begin, "from", json_string(o->from == HCS_FROM_NOW ? now_word : words[o->from]),
            err);
    s->since_ns = o->since_ns;
    if (r >= 0 && o->from == HCS_FROM_TIME)
        r = put_number(s->begin, "since", o->since_ns, err);
    if (r >= 0 && o->from == HCS_FROM_LAST)
        r = put_number(s->begin, "last", o->last, err);
    return r;
}

static hcs_result put_filter(json_t *json, const hcs_event_filter *filter_opt, hcs_error *err)
{
    json_t *filter = NULL;
    hcs_result r = options_filter(filter_opt, "hcs_stream_open", &filter, err);

    return r < 0 || !filter ? r : put(json, "filter", filter, err);
}

/* What is asked for wherever it begins. */
static hcs_result request_make(struct vl_stream *s, const hcs_stream_options *o, const char *id_opt,
                               hcs_error *err)
{
    json_t *id = NULL;
    hcs_result r = HCS_OK;

    s->request = json_object();
    if (!s->request)
        return no_memory(err);
    if (id_opt)
        r = call_text(id_opt, HCS_E_INVALIDARG, "hcs_stream_open", "system_id", &id, err);
    if (r >= 0 && id)
        r = put(s->request, "systemId", id, err);
    if (r >= 0)
        r = put_filter(s->request, o->filter, err);
    if (r >= 0 && o->until_ns)
        r = put_number(s->request, "until", o->until_ns, err);
    if (r >= 0 && o->flags & HCS_STREAM_NO_FOLLOW)
        r = put(s->request, "follow", json_false(), err);
    if (r >= 0 && o->bookmark_ms)
        r = put_number(s->request, "bookmarkMs", o->bookmark_ms, err);
    s->bookmarks = o->bookmark_ms != 0;
    return r;
}

/* All of it, for where the stream is by now. */
static hcs_result parameters_make(const struct vl_stream *s, json_t **out, hcs_error *err)
{
    const struct place *at = &s->at;
    json_t *json = json_copy(s->request);
    hcs_result r = HCS_OK;

    if (!json)
        return no_memory(err);
    if (at->known)
        r = put_after(json, at->log[0] ? at->log : NULL, at->after, err);
    else if (json_object_update(json, s->begin) < 0)
        r = no_memory(err);
    if (r < 0)
        json_decref(json);
    else
        *out = json;
    return r;
}

/* ---- asking ---- */

/* A stream that wants to be had again has to be told where it is. */
static hcs_result ready_place(struct vl_stream *s, const json_t *ready, hcs_error *err)
{
    struct place before = s->at;
    hcs_result r;

    if (!s->reconnects && !json_object_get(ready, "after"))
        return HCS_OK; /* it can be read, but not be found again */
    r = place_take(s, ready, err);
    if (r < 0 || !before.known || strcmp(before.log, s->at.log) != 0 || before.after == s->at.after)
        return r;
    return fail(err, HCS_E_PROTOCOL_ERROR, "stream.open",
                "asked to go on after event %llu, the service goes on after %llu",
                (unsigned long long) before.after, (unsigned long long) s->at.after);
}

hcs_result subscribe_check_ready(struct vl_stream *s, const json_t *answer, hcs_error *err)
{
    const json_t *ready = json_object_get(answer, "ready");

    if (s->call.answered || !json_is_object(ready))
        return fail(err, HCS_E_PROTOCOL_ERROR, "stream.open",
                    "no 'ready' in the first answer of the service");
    /* From here on the service going away is an event, not a failed start. */
    s->call.start.started = false;
    s->may_start = json_is_true(json_object_get(answer, "automatic"));
    return ready_place(s, ready, err);
}

hcs_result subscribe_begin(struct vl_stream *s, hcs_error *err)
{
    enum call_kind kind = s->away && !s->may_start ? CALL_STREAM_ONLY : CALL_STREAM;
    json_t *parameters = NULL;
    hcs_result r = parameters_make(s, &parameters, err);

    s->since_is_ours = s->at.known;
    if (r >= 0)
        r = call_begin(&s->call, s->host, kind, INTERFACE "Subscribe", parameters, NULL, 0, err);
    return r < 0 ? r : watch_add(&s->watch, s->call.link, err);
}

/* Subscribe and wait for the answer. */
static hcs_result subscribe(struct vl_stream *s, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    hcs_result r;

    varlink_message_init(&reply);
    r = subscribe_begin(s, err);
    if (r >= 0)
        r = call_wait(&s->call, NO_DEADLINE, &reply, err);
    if (r >= 0)
        r = subscribe_check_ready(s, reply.json, err);
    if (r >= 0)
        stream_update(s);
    return r;
}

hcs_result subscribe_try(struct vl_stream *s, hcs_error *err)
{
    uint64_t incarnation = 0;
    hcs_result r;

    assert(s && s->creation);
    if (!vl_op_done(s->creation))
        return 0;
    r = vl_system_created(s->creation, &incarnation, err);
    if (r < 0)
        vl_op_see(s->creation); /* by the end of this stream */
    if (r < 0 && r != HCS_E_SERVICE_DISCONNECT)
        r = hint(err, r, "the system was not created");
    stream_forget_creation(s);
    if (r >= 0)
        r = put_number(s->request, "incarnation", incarnation, err);
    if (r >= 0)
        r = subscribe_begin(s, err);
    if (r < 0)
        return r;
    s->subscribing = true;
    return 1;
}

/* ---- opening ---- */

/* A stream that can be had again follows the system that has the id now, not a later one: which it
 * is has to be known.  One that is only in the log any more says it with its first event. */
static hcs_result find_incarnation(struct vl_stream *s, const char *id, hcs_error *err)
{
    hcs_system *system = NULL;
    uint64_t incarnation = 0;
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r = vl_system_open(&s->host->head, id, &system, &why);

    if (r == HCS_E_SYSTEM_NOT_FOUND)
        return HCS_OK;
    if (r < 0) {
        error_copy(err, &why);
        return r;
    }
    r = vl_system_incarnation(vl_system_of(system), &incarnation, err);
    vl_system_close(system);
    return r < 0 ? r : put_number(s->request, "incarnation", incarnation, err);
}

/* A stream that has not subscribed. */
static hcs_result stream_make(struct vl_host *host, const hcs_stream_options *options,
                              const char *id_opt, struct vl_stream **out, hcs_error *err)
{
    _cleanup_(stream_dropp) struct vl_stream *s = NULL;
    hcs_result r = stream_new(&s, err);

    if (r < 0)
        return r;
    s->host = vl_host_ref(host);
    r = request_make(s, options, id_opt, err);
    if (r >= 0 && options->flags & HCS_STREAM_RECONNECT)
        r = reconnect_allow(s, err);
    if (r >= 0)
        *out = TAKE(s);
    return r;
}

/* ---- verbs of the back end ---- */

hcs_result vl_stream_open(hcs_host *host, const hcs_stream_options *options, hcs_stream **out,
                          hcs_error *err)
{
    _cleanup_(stream_dropp) struct vl_stream *s = NULL;
    hcs_result r = stream_make(vl_host_of(host), options, options->system_id, &s, err);

    if (r >= 0)
        r = begin_make(s, options, "now", err);
    if (r >= 0 && s->reconnects && options->system_id)
        r = find_incarnation(s, options->system_id, err);
    if (r >= 0)
        r = subscribe(s, err);
    if (r < 0)
        return r;
    *out = &(TAKE(s))->head;
    return HCS_OK;
}

/* The life of a system that is being created is all of it. */
static hcs_result begin_of_system(struct vl_stream *s, const hcs_stream_options *options,
                                  hcs_error *err)
{
    static const hcs_stream_options whole = { .size = sizeof whole, .from = HCS_FROM_BEGINNING };
    bool is_new = s->creation && options->from == HCS_FROM_NOW;

    return begin_make(s, is_new ? &whole : options, "nowOrExit", err);
}

hcs_result vl_stream_open_system(hcs_system *handle, const hcs_stream_options *options,
                                 hcs_stream **out, hcs_error *err)
{
    struct vl_system *system = vl_system_of(handle);
    _cleanup_(stream_dropp) struct vl_stream *s = NULL;
    uint64_t incarnation = 0;
    hcs_result r = stream_make(system->host, options, system->head.id, &s, err);

    if (r >= 0)
        r = vl_system_identity(system, &incarnation, &s->creation, err);
    if (r >= 0)
        r = begin_of_system(s, options, err);
    if (r >= 0 && !s->creation)
        r = put_number(s->request, "incarnation", incarnation, err);
    if (r < 0)
        return r;
    r = s->creation ? watch_add_other(&s->watch, &s->creation->watch, err) : subscribe(s, err);
    if (r < 0)
        return r;
    roster_join(system->streams, &s->place);
    *out = &(TAKE(s))->head;
    return HCS_OK;
}
