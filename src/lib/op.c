/* op.c - the public functions of op.h.
 *
 * Owns nothing: what is behind a handle is the back end's.  Users: user programs. */
#include "backend.h"
#include "deadline.h"

hcs_pollable hcs_op_pollable(const hcs_op *op)
{
    return op ? op->backend->op_pollable(op) : HCS_POLLABLE_NONE;
}

hcs_result hcs_op_wait(hcs_op *op, int timeout_ms, hcs_error *err)
{
    uint64_t deadline;
    hcs_result r;

    NEED(op, "hcs_op_wait");
    r = deadline_of(timeout_ms, "hcs_op_wait", &deadline, err);
    if (r < 0)
        return r;
    return op->backend->op_wait(op, deadline, err);
}

void hcs_op_close(hcs_op *op)
{
    if (op)
        op->backend->op_close(op);
}
