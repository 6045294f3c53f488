/* call.c - one request to the service and its answer.
 *
 * Owns:    a connection for as long as the answer is out: Varlink answers the calls of a
 *          connection in order, so one that waits is of no use to others.
 * Users:   the verbs of hosts, systems and processes, operations, streams.
 * Promise: a request that the service may have carried out is never sent twice.  It is sent
 *          again, once, when the service cannot have read all of it: it could not be sent, or the
 *          kernel says that the other end was closed with bytes of it unread (ECONNRESET).
 */
#include <assert.h>
#include <string.h>

#include "handles.h"
#include "tcp.h"
#include "utf.h"

/* ---- connections ---- */

/* A link to the service that can carry a request now: an idle one that is still good, or a new
 * one.  Whatever is readable on an idle connection, be it the end or a word out of turn, makes it
 * bad. */
static hcs_result call_connect(struct call *c, enum call_kind kind, hcs_error *err)
{
    char greeting[GREETING_MAX] = "";
    struct autostart start = { 0 };
    struct varlink *link;
    hcs_result r;
    os_socket fd;

    while (kind == CALL_ONCE && (link = vl_host_take_idle(c->host))) {
        if (!link_wait_readable(link, 0)) {
            c->link = link;
            return HCS_OK;
        }
        varlink_drop(link);
    }
    if (c->host->is_tcp)
        r = tcp_connect(&c->host->tcp, &fd, greeting, err);
    else if (kind == CALL_STREAM_ONLY)
        r = autostart_connect_only(c->host->path, &fd, err);
    else
        r = autostart_connect(c->host->path, &fd, &start, err);
    if (r >= 0)
        r = varlink_new(fd, kind != CALL_ONCE ? EVENT_BYTES_MAX : REPLY_BYTES_MAX, REPLY_BYTES_MAX,
                        &c->link, err);
    if (r < 0)
        return r;
    c->start = start;
    c->greeting = c->host->is_tcp;
    return c->greeting ? varlink_send_text(c->link, greeting, strlen(greeting), NULL, 0, err)
                       : HCS_OK;
}

/* The answer to our token.  The request was sent with it and is under way meanwhile, so this costs
 * no round trip.  1: we are welcome; 0: the service cannot have read the request; negative. */
static hcs_result greeting_wait(struct call *c, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message answer;
    hcs_error why = HCS_ERROR_INIT;
    uint64_t deadline;
    hcs_result r = deadline_of(START_LIMIT_MS, "call.token", &deadline, err);

    varlink_message_init(&answer);
    while (r >= 0 && !varlink_ready(c->link)) {
        if (!link_wait_readable(c->link, deadline))
            return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "call.token",
                        "the service at '%s' did not answer within %d s", c->host->path,
                        START_LIMIT_MS / 1000);
        r = varlink_process(c->link, &why);
        if (r < 0 && why.os == SOCKET_RESET)
            return 0;
        if (r < 0)
            error_copy(err, &why);
    }
    if (r >= 0)
        r = varlink_take(c->link, &answer, err);
    if (r >= 0)
        r = call_parameters(&answer, err);
    c->greeting = false;
    return r < 0 ? r : 1;
}

/* Send all that waits.  1: it is with the kernel; 0: the service cannot have got it all;
 * negative: it will have none of it. */
static hcs_result call_flush(struct call *c, hcs_error *err)
{
    while (varlink_unsent(c->link) > 0) {
        (void) link_wait(c->link, NO_DEADLINE);
        /* What an error means is found out by call_try(), which gets it again. */
        if (varlink_process(c->link, NULL) < 0 || (varlink_ready(c->link) && !c->greeting))
            break;
    }
    /* A service that refuses a request may say so before it has read it all. */
    while (varlink_send_lost(c->link) && !varlink_ready(c->link)) {
        if (varlink_process(c->link, NULL) < 0)
            return 0;
    }
    return c->greeting ? greeting_wait(c, err) : 1;
}

static char *request_text(const char *method, enum call_kind kind, const json_t *parameters)
{
    _cleanup_(free_drop) char *inner = json_dumps(parameters, JSON_COMPACT);
    size_t size;
    char *text;

    if (!inner)
        return NULL;
    size = strlen(inner) + strlen(method) + 64;
    text = malloc(size);
    if (text)
        snprintf(text, size, "{\"method\":\"%s\",\"parameters\":%s%s}", method, inner,
                 kind != CALL_ONCE ? ",\"more\":true" : "");
    return text;
}

static void json_drop(json_t **json)
{
    json_decref(*json);
}

void call_init(struct call *c)
{
    assert(c);
    *c = (struct call){ 0 };
}

void call_done(struct call *c)
{
    assert(c);
    if (c->answered && c->link && !varlink_ready(c->link) && varlink_partial(c->link) == 0 &&
        varlink_unsent(c->link) == 0 && !varlink_peer_closed(c->link) &&
        !varlink_send_lost(c->link))
        vl_host_give_idle(c->host, c->link);
    else
        varlink_drop(c->link);
    vl_host_unref(c->host);
    call_init(c);
}

static hcs_result request_send(struct call *c, enum call_kind kind, const char *text,
                               const int *fds, size_t n_fds, hcs_error *err)
{
    hcs_result r;

    for (int attempt = 0; attempt < 2; attempt++) {
        r = call_connect(c, kind, err);
        if (r < 0)
            return r;
        r = varlink_send_text(c->link, text, strlen(text), fds, n_fds, err);
        if (r < 0)
            return r;
        r = call_flush(c, err);
        if (r != 0)
            return r < 0 ? r : HCS_OK;
        varlink_drop(TAKE(c->link));
    }
    r = fail(err, HCS_E_SERVICE_DISCONNECT, "call.send",
             "the service at '%s' closed the connection", c->host->path);
    return c->start.started ? autostart_explain(c->host->path, &c->start, err) : r;
}

hcs_result call_begin(struct call *c, struct vl_host *host, enum call_kind kind, const char *method,
                      json_t *take_parameters, const int *fds, size_t n_fds, hcs_error *err)
{
    _cleanup_(json_drop) json_t *parameters = take_parameters;
    _cleanup_(free_drop) char *text = NULL;
    hcs_result r;

    assert(c && host && method && !c->host);
    if (parameters)
        text = request_text(method, kind, parameters);
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "call.send", "no memory for a request");
    c->host = vl_host_ref(host);
    r = request_send(c, kind, text, fds, n_fds, err);
    if (r < 0)
        call_done(c);
    return r;
}

/* ---- answers ---- */

static hcs_result not_understood(const char *what, hcs_error *err)
{
    return fail(err, HCS_E_PROTOCOL_ERROR, "call.answer", "%s in the answer of the service", what);
}

/* The error Failed of our interface, field by field. */
static hcs_result error_of_service(const json_t *parameters, hcs_error *err)
{
    const json_t *code = json_object_get(parameters, "code");
    const json_t *os = json_object_get(parameters, "os");
    const char *place = json_string_value(json_object_get(parameters, "place"));
    const char *text = json_string_value(json_object_get(parameters, "text"));
    hcs_error whole = HCS_ERROR_INIT;
    json_int_t value = json_integer_value(code);

    if (!json_is_integer(code) || value >= 0 || value < INT32_MIN)
        return not_understood("error without a code", err);
    fail(&whole, (hcs_result) value, place ? place : "service", "%s", text ? text : "no text");
    value = json_integer_value(os);
    whole.os = value >= INT32_MIN && value <= INT32_MAX ? (int32_t) value : 0;
    error_copy(err, &whole);
    return whole.code;
}

/* Any other error: those of org.varlink.service, which say that we two do not fit together. */
static hcs_result error_of_protocol(const char *name, const json_t *parameters, hcs_error *err)
{
    _cleanup_(free_drop) char *detail = parameters ? json_dumps(parameters, JSON_COMPACT) : NULL;

    return fail(err, HCS_E_PROTOCOL_ERROR, "call.answer", "the service answers with error '%s' %s",
                name, detail ? detail : "");
}

hcs_result call_parameters(struct varlink_message *message, hcs_error *err)
{
    const json_t *error = json_object_get(message->json, "error");
    json_t *parameters = json_object_get(message->json, "parameters");

    if (json_is_null(parameters))
        parameters = NULL;
    if (parameters && !json_is_object(parameters))
        return not_understood("'parameters' is not an object", err);
    if (error && !json_is_null(error)) {
        const char *name = json_string_value(error);

        if (!name)
            return not_understood("'error' is not a string", err);
        if (strcmp(name, INTERFACE "Failed") == 0)
            return error_of_service(parameters, err);
        return error_of_protocol(name, parameters, err);
    }
    parameters = parameters ? json_incref(parameters) : json_object();
    if (!parameters)
        return fail(err, HCS_E_OUTOFMEMORY, "call.answer", "no memory for an answer");
    json_decref(message->json);
    message->json = parameters;
    return HCS_OK;
}

/* The connection is of no use any more; @r is why. */
static hcs_result call_lost(struct call *c, hcs_result r, hcs_error *err)
{
    if (r == HCS_E_SERVICE_DISCONNECT && c->start.started)
        return autostart_explain(c->host->path, &c->start, err);
    return r;
}

hcs_result call_try(struct call *c, struct varlink_message *out, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message message;
    hcs_result r;

    assert(c && c->link && !c->answered && out);
    varlink_message_init(&message);
    if (!varlink_ready(c->link)) {
        r = varlink_process(c->link, err);
        if (r < 0)
            return call_lost(c, r, err);
    }
    r = varlink_take(c->link, &message, err);
    if (r <= 0)
        return r;
    c->answered = !json_is_true(json_object_get(message.json, "continues"));
    r = call_parameters(&message, err);
    if (r < 0)
        return r;
    *out = message;
    varlink_message_init(&message);
    return 1;
}

hcs_result call_wait(struct call *c, uint64_t deadline, struct varlink_message *out, hcs_error *err)
{
    for (;;) {
        hcs_result r = call_try(c, out, err);

        if (r != 0)
            return r < 0 ? r : HCS_OK;
        if (!link_wait(c->link, deadline))
            return fail(err, HCS_E_OPERATION_TIMEOUT, "call.wait", "no answer yet");
    }
}

hcs_result call_make(struct vl_host *host, const char *method, json_t *take_parameters,
                     const int *fds, size_t n_fds, uint64_t deadline, struct varlink_message *out,
                     hcs_error *err)
{
    _cleanup_(json_drop) json_t *parameters = take_parameters;
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r;

    for (int attempt = 0;; attempt++) {
        _cleanup_(call_done) struct call c;
        bool unread;

        call_init(&c);
        r = call_begin(&c, host, CALL_ONCE, method, json_incref(parameters), fds, n_fds, &why);
        if (r < 0)
            break;
        r = call_wait(&c, deadline, out, &why);
        unread = r == HCS_E_SERVICE_DISCONNECT && !c.answered && why.os == SOCKET_RESET;
        if (!unread || attempt > 0)
            break;
    }
    if (r < 0)
        error_copy(err, &why);
    return r;
}

/* ---- values ---- */

hcs_result call_text(const char *text, hcs_result bad, const char *where, const char *name,
                     json_t **out, hcs_error *err)
{
    size_t n = strlen(text);
    json_t *json;

    if (!utf8_valid(text, n))
        return fail(err, bad, where, "%s is not UTF-8", name);
    json = json_stringn(text, n);
    if (!json)
        return fail(err, HCS_E_OUTOFMEMORY, where, "no memory for %s of %zu bytes", name, n);
    *out = json;
    return HCS_OK;
}

hcs_result call_document(const struct varlink_message *reply, const char *member, char **out,
                         hcs_error *err)
{
    const json_t *value = json_object_get(reply->json, member);
    char *text;

    if (!json_is_object(value) && !json_is_array(value))
        return fail(err, HCS_E_PROTOCOL_ERROR, "call.answer",
                    "no '%s' in the answer of the service", member);
    text = json_dumps(value, JSON_COMPACT);
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "call.answer", "no memory for '%s'", member);
    *out = text;
    return HCS_OK;
}
