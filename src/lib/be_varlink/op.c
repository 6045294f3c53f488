/* op.c - one-shot operations.
 *
 * Owns:    the connection of a pending call, and its result once it has come.
 * Users:   every verb with an out_op; the handle of a system or process that is being created
 *          holds a second reference, so that either may be closed first.
 * Promise: the result is read once and stays.  The pollable is the connection itself: it is shut
 *          down when the answer has been read, which makes it readable for good and wakes
 *          everybody who waits on it.
 */
#include <assert.h>
#include <string.h>

#include "handles.h"

void vl_op_unref(struct vl_op *op)
{
    if (!op || atomic_fetch_sub_explicit(&op->references, 1, memory_order_acq_rel) > 1)
        return;
    varlink_message_done(&op->reply);
    /* Not an idle connection, even when answered: it has been shut down. */
    op->call.answered = false;
    link_watch_done(&op->watch);
    call_done(&op->call);
    lock_done(&op->lock);
    free(op);
}

struct vl_op *vl_op_ref(struct vl_op *op)
{
    assert(op);
    atomic_fetch_add_explicit(&op->references, 1, memory_order_relaxed);
    return op;
}

hcs_result vl_op_new(struct vl_host *host, const char *method, json_t *take_parameters,
                     const int *fds, size_t n_fds, struct vl_op **out, hcs_error *err)
{
    struct vl_op *op = calloc(1, sizeof(*op));
    hcs_result r;

    if (!op) {
        json_decref(take_parameters);
        return fail(err, HCS_E_OUTOFMEMORY, "op.new", "no memory for an operation");
    }
    op->head.backend = &varlink_backend;
    atomic_init(&op->references, 1);
    op->watch.pollable = HCS_POLLABLE_NONE;
    call_init(&op->call);
    op->error = (hcs_error) HCS_ERROR_INIT;
    varlink_message_init(&op->reply);
    lock_init(&op->lock);
    r = call_begin(&op->call, host, CALL_ONCE, method, take_parameters, fds, n_fds, err);
    if (r >= 0)
        r = link_watch_init(&op->watch, op->call.link, err);
    if (r < 0) {
        vl_op_unref(op);
        return r;
    }
    /* An answer that came while the request was being sent, or with the answer to a token, is read
     * already, and nothing more will come that makes the connection readable. */
    if (varlink_ready(op->call.link))
        (void) vl_op_done(op);
    *out = op;
    return HCS_OK;
}

bool vl_op_done(struct vl_op *op)
{
    bool done;

    assert(op);
    lock_take(&op->lock);
    if (!op->done) {
        hcs_result r;

        link_watch_read(&op->watch);
        r = call_try(&op->call, &op->reply, &op->error);
        if (r != 0) {
            op->done = true;
            op->result = r < 0 ? r : HCS_OK;
            link_watch_hang_up(&op->watch, op->call.link);
        }
    }
    done = op->done;
    lock_give(&op->lock);
    return done;
}

void vl_op_see(struct vl_op *op)
{
    assert(op);
    lock_take(&op->lock);
    op->seen = true;
    lock_give(&op->lock);
}

bool vl_op_was_seen(struct vl_op *op)
{
    bool seen;

    assert(op);
    lock_take(&op->lock);
    seen = op->seen;
    lock_give(&op->lock);
    return seen;
}

hcs_result vl_op_result(struct vl_op *op, hcs_error *err)
{
    assert(op && op->done);
    if (op->result < 0)
        error_copy(err, &op->error);
    return op->result;
}

struct varlink_message *vl_op_reply(struct vl_op *op)
{
    assert(op && op->done);
    return &op->reply;
}

/* ---- verbs of the back end ---- */

hcs_pollable vl_op_pollable(const hcs_op *op)
{
    return vl_op_of(op)->watch.pollable;
}

hcs_result vl_op_wait(hcs_op *op, uint64_t deadline_ns, hcs_error *err)
{
    struct vl_op *self = vl_op_of(op);

    while (!vl_op_done(self)) {
        if (!link_watch_wait(&self->watch, deadline_ns))
            return fail(err, HCS_E_OPERATION_TIMEOUT, "op.wait", "the operation is not done yet");
    }
    vl_op_see(self);
    return vl_op_result(self, err);
}

void vl_op_close(hcs_op *op)
{
    vl_op_unref(vl_op_of(op));
}
