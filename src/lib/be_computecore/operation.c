/* operation.c - one use of one HCS operation.
 *
 * Owns:    the operation of HCS, its number, its result once it has come, and the standard handles
 *          in it until somebody takes them.
 * Users:   every verb; HCS's threads, through operation_completed().
 * Promise: the result is read out of HCS once and stays; every string of HCS is freed; a starter
 *          that failed never completes later; an operation that its user let go while it was
 * pending is kept until HCS has done with it, or until its host goes; a completion that comes too
 *          late, twice, or before the starter has returned does no harm.
 *
 * The number has a reference, held from the start until the completion or until the operation is
 * abandoned: whoever takes it out of the host's list retires the number and drops the reference. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "objects.h"
#include "registry.h"
#include "wide.h"

/* How long HCS may take to say that what it began has failed, once something else told. */
#define DOUBT_NS UINT64_C(10000000000)

/* Longest ErrorMessage that goes into an error. */
#define MESSAGE_BYTES 384

struct cc_op *cc_op_ref(struct cc_op *op)
{
    assert(op);
    atomic_fetch_add_explicit(&op->references, 1, memory_order_relaxed);
    return op;
}

void cc_op_unref(struct cc_op *op)
{
    if (!op || atomic_fetch_sub_explicit(&op->references, 1, memory_order_acq_rel) > 1)
        return;
    if (op->native)
        op->host->api.HcsCloseOperation(op->native);
    cc_stdio_close(op->process.in);
    cc_stdio_close(op->process.out);
    cc_stdio_close(op->process.err);
    cc_handle_unref(op->ends_opt);
    cc_handle_unref(op->asks_opt);
    wake_done(&op->wake);
    lock_done(&op->lock);
    free(op->document);
    cc_host_unref(op->host);
    free(op);
}

/* ---- results ---- */

hcs_result cc_fail(hcs_error *err, int32_t result, const char *verb, const char *subject,
                   const char *document_opt)
{
    char message[MESSAGE_BYTES];
    const char *meaning = hcs_result_meaning(result);

    if (status_error_message(document_opt, message, sizeof message))
        return fail(err, result, "computecore", "%s, %s: %s", verb, subject, message);
    if (meaning)
        return fail(err, result, "computecore", "%s, %s: %s", verb, subject, meaning);
    return fail(err, result, "computecore", "%s, %s: HRESULT 0x%08X", verb, subject,
                (unsigned) result);
}

/* With the lock held, once: what HCS said, in our words. */
static void result_keep(struct cc_op *op, int32_t result, const uint16_t *document,
                        const struct flat_process_information *process)
{
    hcs_error error = HCS_ERROR_INIT;

    op->result = wide_to_text(document, WIDE_UNITS_MAX, &op->document, &error);
    if (result < 0) /* a failure counts for more than its document */
        op->result = cc_fail(&error, result, op->verb, op->subject, op->document);
    op->error = error;
    if (result >= 0)
        op->process = *process;
    op->done = true;
}

static void result_take(struct cc_op *op, int32_t result, uint16_t *document,
                        const struct flat_process_information *process)
{
    lock_take(&op->lock);
    result_keep(op, result, document, process);
    lock_give(&op->lock);
    if (document)
        op->host->api.LocalFree(document);
    if (op->ends_opt && result < 0)
        memlog_end(op->ends_opt->log, "the system was not created");
    if (op->number)
        wake_set(&op->wake);
}

static int32_t result_read(struct cc_op *op, struct flat_process_information *process,
                           uint16_t **document)
{
    const struct flat_api *api = &op->host->api;

    if (op->with_process)
        return api->HcsGetOperationResultAndProcessInfo(op->native, process, document);
    return api->HcsGetOperationResult(op->native, document);
}

/* ---- the completion callback ---- */

/* Take the number away from HCS and drop its reference, if nobody else has done or does. */
static void op_abandon(struct cc_op *op)
{
    bool ours;

    lock_take(&op->host->lock);
    ours = !list_is_empty(&op->pending);
    list_remove(&op->pending);
    lock_give(&op->host->lock);
    if (!ours)
        return;
    registry_retire(op->number);
    cc_op_unref(op);
}

void cc_op_abandon_all(struct cc_host *host)
{
    for (;;) {
        struct cc_op *op;

        lock_take(&host->lock);
        op = list_first(&host->pending, struct cc_op, pending);
        if (op)
            cc_op_ref(op);
        lock_give(&host->lock);
        if (!op)
            return;
        op_abandon(op);
        cc_op_unref(op);
    }
}

static void FLAT_CALL operation_completed(flat_operation operation, void *context)
{
    uintptr_t number = registry_number(context);
    struct flat_process_information process = { 0 };
    struct cc_op *op = registry_enter(number);
    uint16_t *document = NULL;

    (void) operation; /* ours is the same, and known to be open */
    if (!op)
        return;
    cc_op_ref(op);
    registry_leave(number);
    if (atomic_exchange_explicit(&op->collected, 1, memory_order_acq_rel) == 0) {
        int32_t result = result_read(op, &process, &document);

        result_take(op, result, document, &process);
    }
    op_abandon(op);
    cc_op_unref(op);
}

/* ---- starting ---- */

static hcs_result op_number(struct cc_op *op, hcs_error *err)
{
    hcs_result r = wake_init(&op->wake, err);

    if (r >= 0)
        r = registry_add(op, &op->number, err);
    if (r < 0)
        return r;
    cc_op_ref(op);
    lock_take(&op->host->lock);
    list_append(&op->host->pending, &op->pending);
    lock_give(&op->host->lock);
    return HCS_OK;
}

hcs_result cc_op_new(struct cc_host *host, enum cc_op_manner manner, const char *verb,
                     const char *subject, struct cc_op **out, hcs_error *err)
{
    struct cc_op *op = calloc(1, sizeof *op);
    hcs_result r = HCS_OK;

    if (!op)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.op", "no memory for an operation");
    op->head.backend = &computecore_backend;
    atomic_init(&op->references, 1);
    op->host = cc_host_ref(host);
    op->verb = verb;
    snprintf(op->subject, sizeof op->subject, "%s", subject);
    op->wake.pollable = HCS_POLLABLE_NONE;
    op->error = (hcs_error) HCS_ERROR_INIT;
    list_init(&op->pending);
    lock_init(&op->lock);
    if (manner == OPERATION_CALL)
        r = op_number(op, err);
    if (r >= 0) {
        op->native = host->api.HcsCreateOperation(
            registry_context(op->number), manner == OPERATION_CALL ? operation_completed : NULL);
        if (!op->native)
            r = fail(err, HCS_E_OUTOFMEMORY, "computecore.op", "HcsCreateOperation gave none");
    }
    if (r < 0) {
        op_abandon(op);
        cc_op_unref(op);
        return r;
    }
    *out = op;
    return HCS_OK;
}

void cc_op_ends(struct cc_op *op, struct cc_handle *h)
{
    assert(op && !op->ends_opt);
    op->ends_opt = cc_handle_ref(h);
}

void cc_op_asks(struct cc_op *op, struct cc_handle *h)
{
    assert(op && !op->asks_opt);
    op->asks_opt = cc_handle_ref(h);
}

hcs_result cc_op_started(struct cc_op *op, int32_t result, hcs_error *err)
{
    struct flat_process_information process = { 0 };
    uint16_t *document = NULL;

    assert(op);
    if (flat_is_started(result))
        return HCS_OK;
    /* First the number goes, so that nobody else reads; then what the operation knows of it. */
    op_abandon(op);
    if (atomic_exchange_explicit(&op->collected, 1, memory_order_acq_rel) == 0) {
        (void) op->host->api.HcsGetOperationResult(op->native, &document);
        result_take(op, result, document, &process);
    }
    if (cc_op_done(op) && op->result == result) {
        error_copy(err, &op->error);
        return result;
    }
    return cc_fail(err, result, op->verb, op->subject, NULL);
}

void cc_op_cancel(struct cc_op *op)
{
    op_abandon(op);
}

hcs_op *cc_op_give(struct cc_op *take_op)
{
    cc_host_use(take_op->host);
    return &take_op->head;
}

hcs_result cc_op_finish(struct cc_op *op, hcs_error *err)
{
    const struct flat_api *api = &op->host->api;
    struct flat_process_information process = { 0 };
    uint16_t *document = NULL;
    int32_t result;

    assert(op && !op->number);
    if (op->with_process)
        result = api->HcsWaitForOperationResultAndProcessInfo(op->native, FLAT_INFINITE, &process,
                                                              &document);
    else
        result = api->HcsWaitForOperationResult(op->native, FLAT_INFINITE, &document);
    result_take(op, result, document, &process);
    if (op->asks_opt && op->result >= 0)
        cc_handle_ask(op->asks_opt, true);
    return cc_op_result(op, err);
}

bool cc_op_comes_to_nothing(struct cc_op *op, hcs_error *err)
{
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r;

    r = op->number ? cc_op_wait(&op->head, clock_monotonic_ns() + DOUBT_NS, &why)
                   : cc_op_finish(op, &why);
    if (r >= 0 || !cc_op_done(op))
        return false;
    error_copy(err, &why);
    return true;
}

/* ---- what came of it ---- */

bool cc_op_done(struct cc_op *op)
{
    bool done;

    assert(op);
    lock_take(&op->lock);
    done = op->done;
    lock_give(&op->lock);
    return done;
}

hcs_result cc_op_result(struct cc_op *op, hcs_error *err)
{
    assert(op && op->done);
    if (op->result < 0)
        error_copy(err, &op->error);
    return op->result;
}

char *cc_op_take_document(struct cc_op *op)
{
    char *document;

    lock_take(&op->lock);
    document = TAKE(op->document);
    lock_give(&op->lock);
    return document;
}

struct flat_process_information cc_op_take_process(struct cc_op *op)
{
    struct flat_process_information process;

    lock_take(&op->lock);
    process = op->process;
    op->process.in = op->process.out = op->process.err = NULL;
    lock_give(&op->lock);
    return process;
}

/* ---- the functions of the table ---- */

hcs_pollable cc_op_pollable(const hcs_op *op)
{
    return cc_op_of(op)->wake.pollable;
}

hcs_result cc_op_wait(hcs_op *handle, uint64_t deadline_ns, hcs_error *err)
{
    struct cc_op *op = cc_op_of(handle);

    while (!cc_op_done(op)) {
        if (!wake_wait(&op->wake, deadline_ns) && !cc_op_done(op))
            return fail(err, HCS_E_OPERATION_TIMEOUT, "op.wait", "%s, %s: not done yet", op->verb,
                        op->subject);
    }
    if (op->asks_opt && op->result >= 0)
        cc_handle_ask(op->asks_opt, true);
    return cc_op_result(op, err);
}

void cc_op_close(hcs_op *handle)
{
    struct cc_op *op = cc_op_of(handle);
    struct cc_host *host = op->host;

    /* The host goes after what is left of the operation, which may be waiting for it. */
    cc_op_unref(op);
    cc_host_unuse(host);
}
