/* system.c - handles of compute systems.
 *
 * Owns:    id and incarnation, the operation that creates the system until it is done, its exit
 *          report once known.
 * Users:   the table of the back end; process.c asks for the parameters of its calls.
 * Promise: a handle never acts on a later system of the same id: every call carries the
 * incarnation.
 */
#include <assert.h>
#include <string.h>

#include "event.h"
#include "handles.h"
#include "stream.h"

static void system_drop(struct vl_system *system)
{
    if (!system)
        return;
    roster_close(system->streams, stream_orphan);
    waiter_done(&system->waiter);
    vl_op_unref(system->creation);
    lock_done(&system->lock);
    vl_host_unref(system->host);
    free(system->head.id);
    free(system);
}

static void system_dropp(struct vl_system **system)
{
    system_drop(*system);
}

static hcs_result system_new(struct vl_host *host, const char *id, struct vl_system **out,
                             hcs_error *err)
{
    struct vl_system *system = calloc(1, sizeof(*system));

    if (system) {
        system->head.id = strdup(id);
        system->streams = roster_new();
    }
    if (!system || !system->head.id || !system->streams) {
        if (system) {
            free(system->head.id);
            roster_close(system->streams, NULL);
        }
        free(system);
        return fail(err, HCS_E_OUTOFMEMORY, "system.new", "no memory for a system");
    }
    system->head.backend = &varlink_backend;
    system->host = vl_host_ref(host);
    waiter_init(&system->waiter);
    lock_init(&system->lock);
    *out = system;
    return HCS_OK;
}

/* Take the incarnation from a reply of CreateSystem or OpenSystem. */
static hcs_result incarnation_learn(const struct varlink_message *reply, uint64_t *out,
                                    hcs_error *err)
{
    hcs_event_system view;
    hcs_result r = event_system_view(json_object_get(reply->json, "system"), &view, err);

    if (r < 0)
        return hint(err, r, "answer of the service");
    *out = view.incarnation;
    return HCS_OK;
}

hcs_result vl_system_created(struct vl_op *creation, uint64_t *out_incarnation, hcs_error *err)
{
    hcs_result r = vl_op_result(creation, err);

    return r < 0 ? r : incarnation_learn(vl_op_reply(creation), out_incarnation, err);
}

/* With the lock held: the result of the creation, if there is one, goes into the handle. */
static hcs_result system_settle(struct vl_system *system, hcs_error *err)
{
    hcs_result r;

    if (!system->creation)
        return HCS_OK;
    if (!vl_op_done(system->creation))
        return fail(err, HCS_E_OPERATION_PENDING, "system.call",
                    "system '%s' is still being created", system->head.id);
    vl_op_see(system->creation);
    r = vl_system_created(system->creation, &system->incarnation, err);
    if (r < 0)
        return r;
    vl_op_unref(TAKE(system->creation));
    return HCS_OK;
}

hcs_result vl_system_incarnation(struct vl_system *system, uint64_t *out, hcs_error *err)
{
    hcs_result r;

    assert(system && out);
    lock_take(&system->lock);
    r = system_settle(system, err);
    *out = system->incarnation;
    lock_give(&system->lock);
    return r;
}

hcs_result vl_system_identity(struct vl_system *system, uint64_t *out_incarnation,
                              struct vl_op **out_creation, hcs_error *err)
{
    hcs_result r = HCS_OK;

    assert(system && out_incarnation && out_creation);
    lock_take(&system->lock);
    if (system->creation && !vl_op_was_seen(system->creation))
        *out_creation = vl_op_ref(system->creation);
    else
        r = system_settle(system, err);
    *out_incarnation = system->incarnation;
    lock_give(&system->lock);
    return r;
}

hcs_result vl_system_parameters(struct vl_system *system, json_t **out, hcs_error *err)
{
    uint64_t incarnation = 0;
    json_t *parameters;
    hcs_result r;

    assert(system && out);
    r = vl_system_incarnation(system, &incarnation, err);
    if (r < 0)
        return r;
    parameters =
        json_pack("{s:s, s:I}", "id", system->head.id, "incarnation", (json_int_t) incarnation);
    if (!parameters)
        return fail(err, HCS_E_OUTOFMEMORY, "system.call", "no memory for a request");
    *out = parameters;
    return HCS_OK;
}

/* A method on a system without further parameters. */
static hcs_result system_call(struct vl_system *system, const char *method,
                              struct varlink_message *out_reply, hcs_error *err)
{
    json_t *parameters;
    hcs_result r = vl_system_parameters(system, &parameters, err);

    if (r < 0)
        return r;
    return call_make(system->host, method, parameters, NULL, 0, NO_DEADLINE, out_reply, err);
}

/* ---- verbs of the back end ---- */

hcs_result vl_system_verb(hcs_system *system, enum system_verb verb, hcs_op **out_op_opt,
                          hcs_error *err)
{
    static const char *const methods[] = {
        [SYSTEM_START] = INTERFACE "StartSystem",
        [SYSTEM_SHUT_DOWN] = INTERFACE "ShutDownSystem",
        [SYSTEM_TERMINATE] = INTERFACE "TerminateSystem",
    };
    _cleanup_(varlink_message_done) struct varlink_message reply;
    struct vl_system *self = vl_system_of(system);
    struct vl_op *op = NULL;
    json_t *parameters;
    hcs_result r;

    varlink_message_init(&reply);
    if (!out_op_opt)
        return system_call(self, methods[verb], &reply, err);
    r = vl_system_parameters(self, &parameters, err);
    if (r >= 0)
        r = vl_op_new(self->host, methods[verb], parameters, NULL, 0, &op, err);
    if (r < 0)
        return r;
    *out_op_opt = &op->head;
    return HCS_OK;
}

hcs_result vl_system_create(hcs_host *host, const char *id, const char *document, hcs_system **out,
                            hcs_op **out_op_opt, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    _cleanup_(system_dropp) struct vl_system *system = NULL;
    json_t *parameters, *text;
    struct vl_op *op = NULL;
    hcs_result r;

    varlink_message_init(&reply);
    r = system_new(vl_host_of(host), id, &system, err);
    if (r < 0)
        return r;
    r = call_text(document, HCS_E_INVALID_JSON, "hcs_system_create", "document", &text, err);
    if (r < 0)
        return r;
    parameters = json_pack("{s:s, s:o}", "id", id, "document", text);
    if (out_op_opt) {
        r = vl_op_new(system->host, INTERFACE "CreateSystem", parameters, NULL, 0, &op, err);
        if (r < 0)
            return r;
        system->creation = vl_op_ref(op);
        *out_op_opt = &op->head;
    } else {
        r = call_make(system->host, INTERFACE "CreateSystem", parameters, NULL, 0, NO_DEADLINE,
                      &reply, err);
        if (r >= 0)
            r = incarnation_learn(&reply, &system->incarnation, err);
        if (r < 0)
            return r;
    }
    *out = &(TAKE(system))->head;
    return HCS_OK;
}

hcs_result vl_system_open(hcs_host *host, const char *id, hcs_system **out, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    _cleanup_(system_dropp) struct vl_system *system = NULL;
    hcs_result r;

    varlink_message_init(&reply);
    r = system_new(vl_host_of(host), id, &system, err);
    if (r < 0)
        return r;
    r = call_make(system->host, INTERFACE "OpenSystem", json_pack("{s:s}", "id", id), NULL, 0,
                  NO_DEADLINE, &reply, err);
    if (r >= 0)
        r = incarnation_learn(&reply, &system->incarnation, err);
    if (r < 0)
        return r;
    *out = &(TAKE(system))->head;
    return HCS_OK;
}

void vl_system_close(hcs_system *system)
{
    system_drop(vl_system_of(system));
}

hcs_result vl_system_forget(hcs_system *system, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;

    varlink_message_init(&reply);
    return system_call(vl_system_of(system), INTERFACE "ForgetSystem", &reply, err);
}

hcs_result vl_system_properties(hcs_system *system, char **out_document, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    hcs_result r;

    varlink_message_init(&reply);
    r = system_call(vl_system_of(system), INTERFACE "GetSystemProperties", &reply, err);
    if (r < 0)
        return r;
    return call_document(&reply, "properties", out_document, err);
}

/* Whether the system has stopped, by its own word: one round trip. */
static hcs_result system_stopped(struct vl_system *system, bool *out, hcs_error *err)
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
                    "no 'State' in the properties of '%s'", system->head.id);
    *out = strcmp(state, "Stopped") == 0;
    return HCS_OK;
}

hcs_result vl_system_wait(hcs_system *system, uint64_t deadline_ns, int timeout_ms, hcs_exit *out,
                          hcs_error *err)
{
    struct vl_system *self = vl_system_of(system);
    json_t *parameters;
    hcs_result r;

    if (waiter_known(&self->waiter, out))
        return HCS_OK;
    if (timeout_ms == 0) {
        bool stopped = false;

        /* No answer to WaitSystem within no time at all would say nothing; the state does. */
        r = system_stopped(self, &stopped, err);
        if (r < 0)
            return r;
        if (!stopped)
            return fail(err, HCS_E_OPERATION_TIMEOUT, "system.wait", "system '%s' has not ended",
                        self->head.id);
        deadline_ns = NO_DEADLINE;
    }
    r = vl_system_parameters(self, &parameters, err);
    if (r < 0)
        return r;
    return waiter_wait(&self->waiter, self->host, INTERFACE "WaitSystem", parameters, deadline_ns,
                       out, err);
}
