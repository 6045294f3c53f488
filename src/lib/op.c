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
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "handles.h"

struct hcs_op {
    atomic_uint references;
    struct call call;     /* its connection stays until the end: it is the pollable */
    pthread_mutex_t lock; /* guards what follows; what is done does not change any more */
    bool done;
    hcs_result result;
    hcs_error error;
    struct varlink_message reply;
};

static void op_unref(hcs_op *op)
{
    if (!op || atomic_fetch_sub_explicit(&op->references, 1, memory_order_acq_rel) > 1)
        return;
    varlink_message_done(&op->reply);
    /* Not an idle connection, even when answered: it has been shut down. */
    op->call.answered = false;
    call_done(&op->call);
    pthread_mutex_destroy(&op->lock);
    free(op);
}

hcs_op *op_ref(hcs_op *op)
{
    assert(op);
    atomic_fetch_add_explicit(&op->references, 1, memory_order_relaxed);
    return op;
}

hcs_result op_new(hcs_host *host, const char *method, json_t *take_parameters, const int *fds,
                  size_t n_fds, hcs_op **out, hcs_error *err)
{
    hcs_op *op = calloc(1, sizeof(*op));
    hcs_result r;

    if (!op) {
        json_decref(take_parameters);
        return fail(err, HCS_E_OUTOFMEMORY, "op.new", "no memory for an operation");
    }
    atomic_init(&op->references, 1);
    call_init(&op->call);
    op->error = (hcs_error) HCS_ERROR_INIT;
    varlink_message_init(&op->reply);
    pthread_mutex_init(&op->lock, NULL);
    r = call_begin(&op->call, host, CALL_ONCE, method, take_parameters, fds, n_fds, err);
    if (r < 0) {
        op_unref(op);
        return r;
    }
    *out = op;
    return HCS_OK;
}

bool op_done(hcs_op *op)
{
    bool done;

    assert(op);
    pthread_mutex_lock(&op->lock);
    if (!op->done) {
        hcs_result r = call_try(&op->call, &op->reply, &op->error);

        if (r != 0) {
            op->done = true;
            op->result = r < 0 ? r : HCS_OK;
            shutdown(varlink_fd(op->call.link), SHUT_RDWR);
        }
    }
    done = op->done;
    pthread_mutex_unlock(&op->lock);
    return done;
}

hcs_result op_result(hcs_op *op, hcs_error *err)
{
    assert(op && op->done);
    if (op->result < 0)
        error_copy(err, &op->error);
    return op->result;
}

struct varlink_message *op_reply(hcs_op *op)
{
    assert(op && op->done);
    return &op->reply;
}

/* ---- public ---- */

hcs_pollable hcs_op_pollable(const hcs_op *op)
{
    return op ? varlink_fd(op->call.link) : HCS_POLLABLE_NONE;
}

hcs_result hcs_op_wait(hcs_op *op, int timeout_ms, hcs_error *err)
{
    uint64_t deadline;
    hcs_result r;

    NEED(op, "hcs_op_wait");
    r = deadline_of(timeout_ms, "hcs_op_wait", &deadline, err);
    if (r < 0)
        return r;
    while (!op_done(op)) {
        if (!deadline_poll(varlink_fd(op->call.link), POLLIN, deadline))
            return fail(err, HCS_E_OPERATION_TIMEOUT, "op.wait", "the operation is not done yet");
    }
    return op_result(op, err);
}

void hcs_op_close(hcs_op *op)
{
    op_unref(op);
}
