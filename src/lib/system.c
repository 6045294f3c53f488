/* system.c - handles of compute systems.
 *
 * Owns:    id and incarnation, the operation that creates the system until it is done, its exit
 *          report once known.
 * Users:   the public functions of system.h; process.c asks for the parameters of its calls.
 * Promise: a handle never acts on a later system of the same id: every call carries the
 * incarnation.
 */
#include <assert.h>
#include <string.h>

#include "doc.h"
#include "event.h"
#include "handles.h"

static void system_drop(hcs_system *system)
{
    if (!system)
        return;
    waiter_done(&system->waiter);
    hcs_op_close(system->creation);
    pthread_mutex_destroy(&system->lock);
    host_unref(system->host);
    free(system->id);
    free(system);
}

static void system_dropp(hcs_system **system)
{
    system_drop(*system);
}

static hcs_result system_new(hcs_host *host, const char *id, hcs_system **out, hcs_error *err)
{
    hcs_system *system = calloc(1, sizeof(*system));

    if (system)
        system->id = strdup(id);
    if (!system || !system->id) {
        free(system);
        return fail(err, HCS_E_OUTOFMEMORY, "system.new", "no memory for a system");
    }
    system->host = host_ref(host);
    waiter_init(&system->waiter);
    pthread_mutex_init(&system->lock, NULL);
    *out = system;
    return HCS_OK;
}

/* Take the incarnation from a reply of CreateSystem or OpenSystem. */
static hcs_result incarnation_learn(hcs_system *system, const struct varlink_message *reply,
                                    hcs_error *err)
{
    hcs_event_system view;
    hcs_result r = event_system_view(json_object_get(reply->json, "system"), &view, err);

    if (r < 0)
        return hint(err, r, "answer of the service");
    system->incarnation = view.incarnation;
    return HCS_OK;
}

/* With the lock held: the result of the creation, if there is one, goes into the handle. */
static hcs_result system_settle(hcs_system *system, hcs_error *err)
{
    hcs_result r;

    if (!system->creation)
        return HCS_OK;
    if (!op_done(system->creation))
        return fail(err, HCS_E_OPERATION_PENDING, "system.call",
                    "system '%s' is still being created", system->id);
    r = op_result(system->creation, err);
    if (r >= 0)
        r = incarnation_learn(system, op_reply(system->creation), err);
    if (r < 0)
        return r;
    hcs_op_close(TAKE(system->creation));
    return HCS_OK;
}

hcs_result system_parameters(hcs_system *system, json_t **out, hcs_error *err)
{
    uint64_t incarnation;
    json_t *parameters;
    hcs_result r;

    assert(system && out);
    pthread_mutex_lock(&system->lock);
    r = system_settle(system, err);
    incarnation = system->incarnation;
    pthread_mutex_unlock(&system->lock);
    if (r < 0)
        return r;
    parameters = json_pack("{s:s, s:I}", "id", system->id, "incarnation", (json_int_t) incarnation);
    if (!parameters)
        return fail(err, HCS_E_OUTOFMEMORY, "system.call", "no memory for a request");
    *out = parameters;
    return HCS_OK;
}

/* A method on a system without further parameters. */
static hcs_result system_call(hcs_system *system, const char *method,
                              struct varlink_message *out_reply, hcs_error *err)
{
    json_t *parameters;
    hcs_result r = system_parameters(system, &parameters, err);

    if (r < 0)
        return r;
    return call_make(system->host, method, parameters, NULL, 0, NO_DEADLINE, out_reply, err);
}

static hcs_result system_verb(hcs_system *system, const char *method, hcs_op **out_op_opt,
                              hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    json_t *parameters;
    hcs_result r;

    varlink_message_init(&reply);
    if (!out_op_opt)
        return system_call(system, method, &reply, err);
    r = system_parameters(system, &parameters, err);
    if (r < 0)
        return r;
    return op_new(system->host, method, parameters, NULL, 0, out_op_opt, err);
}

/* ---- public ---- */

hcs_result hcs_system_create(hcs_host *host, const char *id, const char *document, hcs_system **out,
                             hcs_op **out_op_opt, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    _cleanup_(system_dropp) hcs_system *system = NULL;
    json_t *parameters, *text;
    hcs_op *op = NULL;
    hcs_result r;

    varlink_message_init(&reply);
    NEED(host, "hcs_system_create");
    NEED(id, "hcs_system_create");
    NEED(document, "hcs_system_create");
    NEED(out, "hcs_system_create");
    r = doc_check_id(id, err);
    if (r < 0)
        return r;
    r = system_new(host, id, &system, err);
    if (r < 0)
        return r;
    r = call_text(document, HCS_E_INVALID_JSON, "hcs_system_create", "document", &text, err);
    if (r < 0)
        return r;
    parameters = json_pack("{s:s, s:o}", "id", id, "document", text);
    if (out_op_opt) {
        r = op_new(host, INTERFACE "CreateSystem", parameters, NULL, 0, &op, err);
        if (r < 0)
            return r;
        system->creation = op_ref(op);
        *out_op_opt = op;
    } else {
        r = call_make(host, INTERFACE "CreateSystem", parameters, NULL, 0, NO_DEADLINE, &reply,
                      err);
        if (r >= 0)
            r = incarnation_learn(system, &reply, err);
        if (r < 0)
            return r;
    }
    *out = TAKE(system);
    return HCS_OK;
}

hcs_result hcs_system_open(hcs_host *host, const char *id, hcs_system **out, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    _cleanup_(system_dropp) hcs_system *system = NULL;
    hcs_result r;

    varlink_message_init(&reply);
    NEED(host, "hcs_system_open");
    NEED(id, "hcs_system_open");
    NEED(out, "hcs_system_open");
    r = doc_check_id(id, err);
    if (r < 0)
        return r;
    r = system_new(host, id, &system, err);
    if (r < 0)
        return r;
    r = call_make(host, INTERFACE "OpenSystem", json_pack("{s:s}", "id", id), NULL, 0, NO_DEADLINE,
                  &reply, err);
    if (r >= 0)
        r = incarnation_learn(system, &reply, err);
    if (r < 0)
        return r;
    *out = TAKE(system);
    return HCS_OK;
}

void hcs_system_close(hcs_system *system)
{
    system_drop(system);
}

const char *hcs_system_id(const hcs_system *system)
{
    return system ? system->id : "";
}

hcs_result hcs_system_start(hcs_system *system, hcs_op **out_op_opt, hcs_error *err)
{
    NEED(system, "hcs_system_start");
    return system_verb(system, INTERFACE "StartSystem", out_op_opt, err);
}

hcs_result hcs_system_shut_down(hcs_system *system, hcs_op **out_op_opt, hcs_error *err)
{
    NEED(system, "hcs_system_shut_down");
    return system_verb(system, INTERFACE "ShutDownSystem", out_op_opt, err);
}

hcs_result hcs_system_terminate(hcs_system *system, hcs_op **out_op_opt, hcs_error *err)
{
    NEED(system, "hcs_system_terminate");
    return system_verb(system, INTERFACE "TerminateSystem", out_op_opt, err);
}

hcs_result hcs_system_forget(hcs_system *system, hcs_error *err)
{
    NEED(system, "hcs_system_forget");
    return system_verb(system, INTERFACE "ForgetSystem", NULL, err);
}

hcs_result hcs_system_properties(hcs_system *system, char **out_document, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    hcs_result r;

    varlink_message_init(&reply);
    NEED(system, "hcs_system_properties");
    NEED(out_document, "hcs_system_properties");
    r = system_call(system, INTERFACE "GetSystemProperties", &reply, err);
    if (r < 0)
        return r;
    return call_document(&reply, "properties", out_document, err);
}

/* Whether the system has stopped, by its own word: one round trip. */
static hcs_result system_stopped(hcs_system *system, bool *out, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    const char *state;
    hcs_result r;

    varlink_message_init(&reply);
    r = system_call(system, INTERFACE "GetSystemProperties", &reply, err);
    if (r < 0)
        return r;
    state = json_string_value(json_object_get(json_object_get(reply.json, "properties"), "State"));
    if (!state)
        return fail(err, HCS_E_PROTOCOL_ERROR, "system.wait",
                    "no 'State' in the properties of '%s'", system->id);
    *out = strcmp(state, "Stopped") == 0;
    return HCS_OK;
}

hcs_result hcs_system_wait(hcs_system *system, int timeout_ms, hcs_exit *out, hcs_error *err)
{
    json_t *parameters;
    uint64_t deadline;
    hcs_result r;

    NEED(system, "hcs_system_wait");
    r = waiter_check(out, "hcs_system_wait", err);
    if (r >= 0)
        r = deadline_of(timeout_ms, "hcs_system_wait", &deadline, err);
    if (r < 0)
        return r;
    if (waiter_known(&system->waiter, out))
        return HCS_OK;
    if (timeout_ms == 0) {
        bool stopped = false;

        /* No answer to WaitSystem within no time at all would say nothing; the state does. */
        r = system_stopped(system, &stopped, err);
        if (r < 0)
            return r;
        if (!stopped)
            return fail(err, HCS_E_OPERATION_TIMEOUT, "system.wait", "system '%s' has not ended",
                        system->id);
        deadline = NO_DEADLINE;
    }
    r = system_parameters(system, &parameters, err);
    if (r < 0)
        return r;
    return waiter_wait(&system->waiter, system->host, INTERFACE "WaitSystem", parameters, deadline,
                       out, err);
}
