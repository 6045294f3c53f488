/* system.c - compute systems over the flat API.
 *
 * Owns:    the id, the handle, the operation that creates the system until its result was seen.
 * Users:   the table of this back end; process.c and stream.c.
 * Promise: the event callback is registered as soon as there is a handle of HCS, before a start is
 *          possible; what fails on the way leaves no handle, no registration and no system.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "objects.h"
#include "wide.h"

static void system_free(struct cc_system *system)
{
    lock_done(&system->lock);
    free(system->head.id);
    free(system);
}

static void system_drop(struct cc_system *system)
{
    struct cc_host *host;

    if (!system->handle) {
        system_free(system);
        return;
    }
    host = cc_host_ref(system->handle->host);
    cc_handle_close(system->handle, TRAMPOLINE_CLOSED);
    cc_op_unref(system->creation);
    cc_handle_unref(system->handle);
    system_free(system);
    cc_host_unuse(host);
    cc_host_unref(host);
}

/* One that has no handle yet: what can fail for want of memory has not failed when HCS is asked for
 * a system that nobody could be given. */
static hcs_result system_new(const char *id, struct cc_system **out, hcs_error *err)
{
    struct cc_system *system = calloc(1, sizeof *system);

    if (system)
        system->head.id = strdup(id);
    if (!system || !system->head.id) {
        free(system);
        return fail(err, HCS_E_OUTOFMEMORY, "computecore", "no memory for system '%s'", id);
    }
    system->head.backend = &computecore_backend;
    lock_init(&system->lock);
    *out = system;
    return HCS_OK;
}

static void system_has(struct cc_system *system, struct cc_handle *take_handle)
{
    system->handle = take_handle;
    cc_host_use(take_handle->host);
}

static void system_dropp(struct cc_system **system)
{
    if (*system)
        system_drop(*system);
}

/* ---- the operation that creates it ---- */

hcs_result cc_system_settle(struct cc_system *system, hcs_error *err)
{
    _cleanup_(cc_op_unrefp) struct cc_op *done =
        NULL; /* let go without the lock: it may be HCS's turn */
    hcs_result r = HCS_OK;

    lock_take(&system->lock);
    if (system->creation && !cc_op_done(system->creation)) {
        r = fail(err, HCS_E_OPERATION_PENDING, "computecore", "%s is still being created",
                 system->handle->subject);
    } else if (system->creation) {
        r = cc_op_result(system->creation, err);
        if (r >= 0)
            done = TAKE(system->creation);
    }
    lock_give(&system->lock);
    return r;
}

/* ---- creating ---- */

static hcs_result create_start(struct cc_handle *h, struct cc_op *op, const char *id,
                               const char *document, hcs_error *err)
{
    _cleanup_(free_drop) uint16_t *wide_id = NULL;
    _cleanup_(free_drop) uint16_t *wide_document = NULL;
    const struct flat_api *api = &h->host->api;
    flat_system native = NULL;
    int32_t result;
    hcs_result r;

    r = wide_from_text(id, HCS_E_INVALIDARG, "the id", &wide_id, err);
    if (r >= 0)
        r = wide_from_text(document, HCS_E_INVALID_JSON, "the document", &wide_document, err);
    if (r < 0) {
        cc_op_cancel(op);
        return r;
    }
    result = api->HcsCreateComputeSystem(wide_id, wide_document, op->native, NULL, &native);
    return cc_create_started(h, op, result, native, NULL, err);
}

/* The handle of a system that is created, or is being so when @manner is CALL. */
static hcs_result create_handle(struct cc_host *host, const char *id, const char *document,
                                enum cc_op_manner manner, struct cc_handle **out,
                                struct cc_op **out_op, hcs_error *err)
{
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = NULL;
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;
    char subject[SUBJECT_BYTES];
    hcs_result r;

    snprintf(subject, sizeof subject, "system '%s'", id);
    r = cc_handle_new(host, subject, NULL, &h, err);
    if (r >= 0)
        r = cc_op_new(host, manner, "HcsCreateComputeSystem", subject, &op, err);
    if (r < 0)
        return r;
    if (manner == OPERATION_CALL)
        cc_op_ends(op, h);
    r = create_start(h, op, id, document, err);
    if (r >= 0 && manner == OPERATION_WAIT) {
        r = cc_op_done(op) ? cc_op_result(op, err) : cc_op_finish(op, err);
        if (r < 0)
            cc_handle_close(h, "the system was not created");
    }
    if (r < 0)
        return r;
    *out = TAKE(h);
    *out_op = TAKE(op);
    return HCS_OK;
}

hcs_result cc_system_create(hcs_host *handle, const char *id, const char *document,
                            hcs_system **out, hcs_op **out_op_opt, hcs_error *err)
{
    struct cc_host *host = cc_host_of(handle);
    _cleanup_(system_dropp) struct cc_system *system = NULL;
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;
    struct cc_handle *h = NULL;
    hcs_result r = system_new(id, &system, err);

    if (r >= 0)
        r = create_handle(host, id, document, out_op_opt ? OPERATION_CALL : OPERATION_WAIT, &h, &op,
                          err);
    if (r < 0)
        return r;
    system_has(system, h);
    if (out_op_opt) {
        system->creation = cc_op_ref(op);
        *out_op_opt = cc_op_give(TAKE(op));
    }
    *out = &TAKE(system)->head;
    return HCS_OK;
}

hcs_result cc_system_open(hcs_host *host, const char *id, hcs_system **out, hcs_error *err)
{
    _cleanup_(system_dropp) struct cc_system *system = NULL;
    struct cc_handle *h = NULL;
    hcs_result r = system_new(id, &system, err);

    if (r >= 0)
        r = cc_handle_open_system(cc_host_of(host), id, &h, err);
    if (r < 0)
        return r;
    system_has(system, h);
    *out = &TAKE(system)->head;
    return HCS_OK;
}

void cc_system_close(hcs_system *system)
{
    system_drop(cc_system_of(system));
}

/* ---- verbs ---- */

static int32_t verb_start(struct cc_handle *h, enum system_verb verb, struct cc_op *op)
{
    const struct flat_api *api = &h->host->api;

    switch (verb) {
    case SYSTEM_START:
        return api->HcsStartComputeSystem(h->system, op->native, NULL);
    case SYSTEM_SHUT_DOWN:
        return api->HcsShutDownComputeSystem(h->system, op->native, NULL);
    default:
        return api->HcsTerminateComputeSystem(h->system, op->native, NULL);
    }
}

hcs_result cc_system_verb(hcs_system *handle, enum system_verb verb, hcs_op **out_op_opt,
                          hcs_error *err)
{
    static const char *const names[] = { "HcsStartComputeSystem", "HcsShutDownComputeSystem",
                                         "HcsTerminateComputeSystem" };
    struct cc_system *system = cc_system_of(handle);
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = cc_handle_ref(system->handle);
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;
    int32_t result;
    hcs_result r;

    r = cc_system_settle(system, err);
    if (r >= 0)
        r = cc_op_new(h->host, out_op_opt ? OPERATION_CALL : OPERATION_WAIT, names[verb],
                      h->subject, &op, err);
    if (r >= 0) {
        r = cc_handle_enter(h, err);
        if (r < 0)
            cc_op_cancel(op);
    }
    if (r < 0)
        return r;
    if (verb == SYSTEM_TERMINATE)
        cc_op_asks(op, h);
    result = verb_start(h, verb, op);
    cc_handle_leave(h);
    r = cc_op_started(op, result, err);
    if (r < 0)
        return r;
    if (!out_op_opt)
        return cc_op_finish(op, err);
    *out_op_opt = cc_op_give(TAKE(op));
    return HCS_OK;
}

hcs_result cc_system_wait(hcs_system *handle, uint64_t deadline_ns, int timeout_ms, hcs_exit *out,
                          hcs_error *err)
{
    struct cc_system *system = cc_system_of(handle);
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = cc_handle_ref(system->handle);
    hcs_result r = cc_system_settle(system, err);

    if (r < 0)
        return r;
    cc_handle_ask(h, timeout_ms == 0);
    return cc_handle_wait(h, deadline_ns, out, err);
}

hcs_result cc_system_properties(hcs_system *handle, char **out_document, hcs_error *err)
{
    struct cc_system *system = cc_system_of(handle);
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = cc_handle_ref(system->handle);
    char *document = NULL;
    hcs_result r = cc_system_settle(system, err);

    if (r >= 0)
        r = cc_handle_query(h, &document, err);
    if (r >= 0 && !document)
        r = fail(err, HCS_E_WIN32_INVALID_DATA, "computecore",
                 "HcsGetComputeSystemProperties, %s: no document", h->subject);
    if (r < 0)
        return r;
    *out_document = document;
    return HCS_OK;
}

hcs_result cc_system_forget(hcs_system *system, hcs_error *err)
{
    return fail(
        err, HCS_E_WIN32_NOT_SUPPORTED, "computecore",
        "HCS cannot be made to forget system '%s': it forgets a system by itself once it has "
        "ended",
        system->id);
}
