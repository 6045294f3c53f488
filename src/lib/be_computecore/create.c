/* create.c - what a create of HCS gives, until its events are heard.
 *
 * Owns nothing that stays.  Users: system.c, process.c.
 * Promise: what could not be watched does not stay where nobody has it, and is told as that; what
 * could not be created is told by its operation and by nothing else. */
#include <assert.h>

#include "objects.h"

static int32_t terminate(struct cc_handle *h, struct cc_op *op)
{
    const struct flat_api *api = &h->host->api;

    return h->process ? api->HcsTerminateProcess(h->process, op->native, NULL)
                      : api->HcsTerminateComputeSystem(h->system, op->native, NULL);
}

/* It exists and cannot be watched: nobody shall be left with it. */
static void undo(struct cc_handle *h, struct cc_op *creation)
{
    const char *verb = h->process ? "HcsTerminateProcess" : "HcsTerminateComputeSystem";
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;

    /* One that is still being created ends when it can; that is not waited for. */
    if (cc_op_new(h->host, OPERATION_WAIT, verb, h->subject, &op, NULL) >= 0 &&
        cc_op_started(op, terminate(h, op), NULL) >= 0 && cc_op_done(creation))
        cc_op_finish(op, NULL);
    cc_handle_close(h, HANDLE_REFUSED);
}

hcs_result cc_create_started(struct cc_handle *h, struct cc_op *creation, int32_t result,
                             flat_system system_opt, flat_process process_opt, hcs_error *err)
{
    const struct flat_api *api = &h->host->api;
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r = cc_op_started(creation, result, err);

    assert(!system_opt || !process_opt);
    if (r >= 0 && !system_opt && !process_opt)
        r = fail(err, HCS_E_UNEXPECTED, "computecore", "%s, %s: no handle", creation->verb,
                 h->subject);
    if (r < 0) {
        if (process_opt)
            api->HcsCloseProcess(process_opt);
        if (system_opt)
            api->HcsCloseComputeSystem(system_opt);
        return r;
    }
    r = cc_handle_register(h, system_opt, process_opt, &why);
    if (r >= 0)
        return HCS_OK;
    /* What could not be created cannot be watched either; the creation says why. */
    if (cc_op_comes_to_nothing(creation, NULL))
        return HCS_OK;
    undo(h, creation);
    error_copy(err, &why);
    return r;
}
