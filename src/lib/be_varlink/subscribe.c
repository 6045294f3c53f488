/* subscribe.c - opening a stream: the call Subscribe.
 *
 * Owns:    nothing past the opening.
 * Users:   the table of the back end; stream.c for a stream of a system that was still being
 *          created when it was opened.
 * Promise: opening waits for one answer at most, and for none when the system is being created:
 * then the stream begins with the system, and subscribes on the thread of its reader.
 */
#include <assert.h>
#include <string.h>

#include "stream.h"

static hcs_result no_memory(hcs_error *err)
{
    return fail(err, HCS_E_OUTOFMEMORY, "hcs_stream_open", "no memory for a request");
}

static hcs_result request_make(const char *from, uint64_t after, json_t *take_id_opt, json_t **out,
                               hcs_error *err)
{
    json_t *number = NULL, *json;

    if (strcmp(from, "after") == 0)
        number = json_integer((json_int_t) after);
    json = json_pack("{s:s, s:o*, s:o*}", "from", from, "after", number, "systemId", take_id_opt);
    if (!json)
        return no_memory(err);
    *out = json;
    return HCS_OK;
}

static hcs_result check_after(const hcs_stream_options *options, hcs_error *err)
{
    if (options->from == HCS_FROM_AFTER && options->after > INT64_MAX)
        return fail(err, HCS_E_INVALIDARG, "hcs_stream_open",
                    "after is %llu, no number of an event", (unsigned long long) options->after);
    return HCS_OK;
}

hcs_result subscribe_check_ready(struct vl_stream *s, const json_t *answer, hcs_error *err)
{
    if (s->call.answered || !json_is_object(json_object_get(answer, "ready")))
        return fail(err, HCS_E_PROTOCOL_ERROR, "stream.open",
                    "no 'ready' in the first answer of the service");
    /* From here on the service going away is an event, not a failed start. */
    s->call.start.started = false;
    return HCS_OK;
}

static hcs_result subscribe_begin(struct vl_stream *s, struct vl_host *host, json_t *take_request,
                                  hcs_error *err)
{
    hcs_result r =
        call_begin(&s->call, host, CALL_STREAM, INTERFACE "Subscribe", take_request, NULL, 0, err);

    return r < 0 ? r : watch_add(&s->watch, s->call.link, err);
}

/* Subscribe and wait for the answer. */
static hcs_result subscribe(struct vl_stream *s, struct vl_host *host, json_t *take_request,
                            hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    hcs_result r;

    varlink_message_init(&reply);
    r = subscribe_begin(s, host, take_request, err);
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
    if (r >= 0 &&
        json_object_set_new(s->request, "incarnation", json_integer((json_int_t) incarnation)) < 0)
        r = no_memory(err);
    if (r >= 0)
        r = subscribe_begin(s, s->host, TAKE(s->request), err);
    if (r < 0)
        return r;
    s->subscribing = true;
    return 1;
}

/* ---- verbs of the back end ---- */

hcs_result vl_stream_open(hcs_host *host, const hcs_stream_options *options, hcs_stream **out,
                          hcs_error *err)
{
    static const char *const words[] = { "now", "beginning", "after" };
    _cleanup_(stream_dropp) struct vl_stream *s = NULL;
    json_t *request = NULL, *id = NULL;
    hcs_result r;

    r = check_after(options, err);
    if (r >= 0)
        r = stream_new(&s, err);
    if (r >= 0 && options->system_id)
        r = call_text(options->system_id, HCS_E_INVALIDARG, "hcs_stream_open", "system_id", &id,
                      err);
    if (r >= 0)
        r = request_make(words[options->from], options->after, id, &request, err);
    if (r >= 0)
        r = subscribe(s, vl_host_of(host), request, err);
    if (r < 0)
        return r;
    *out = &(TAKE(s))->head;
    return HCS_OK;
}

/* What a stream of a handle asks for; the life of a system that is being created is all of it. */
static const char *word_of(hcs_stream_from from, bool created)
{
    if (from == HCS_FROM_AFTER)
        return "after";
    return from == HCS_FROM_BEGINNING || !created ? "beginning" : "nowOrExit";
}

static hcs_result request_of_system(struct vl_system *system, const hcs_stream_options *options,
                                    bool created, uint64_t incarnation, json_t **out,
                                    hcs_error *err)
{
    json_t *id = json_string(system->head.id), *json = NULL;
    hcs_result r = request_make(word_of(options->from, created), options->after, id, &json, err);

    if (r < 0)
        return r;
    if (!id || (created && json_object_set_new(json, "incarnation",
                                               json_integer((json_int_t) incarnation)) < 0)) {
        json_decref(json);
        return no_memory(err);
    }
    *out = json;
    return HCS_OK;
}

hcs_result vl_stream_open_system(hcs_system *handle, const hcs_stream_options *options,
                                 hcs_stream **out, hcs_error *err)
{
    struct vl_system *system = vl_system_of(handle);
    _cleanup_(stream_dropp) struct vl_stream *s = NULL;
    json_t *request = NULL;
    uint64_t incarnation = 0;
    hcs_result r;

    r = check_after(options, err);
    if (r >= 0)
        r = stream_new(&s, err);
    if (r >= 0)
        r = vl_system_identity(system, &incarnation, &s->creation, err);
    if (r >= 0)
        r = request_of_system(system, options, !s->creation, incarnation, &request, err);
    if (r < 0)
        return r;
    if (s->creation) {
        s->host = vl_host_ref(system->host);
        s->request = request;
        r = watch_add_other(&s->watch, &s->creation->watch, err);
    } else {
        r = subscribe(s, system->host, request, err);
    }
    if (r < 0)
        return r;
    roster_join(system->streams, &s->place);
    *out = &(TAKE(s))->head;
    return HCS_OK;
}
