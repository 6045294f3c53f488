/* operation_result.c - what a program asks of an operation.
 *
 * Owns nothing.  Used by programs.  Promises that reading changes nothing: each reader of a
 * document gets a copy of its own.  Standard handles are the exception: they are given once. */
#include <assert.h>
#include <string.h>

#include "clock.h"
#include "operation.h"
#include "platform.h"
#include "process.h"
#include "text.h"

#define MS_NS UINT64_C(1000000)

static struct operation *find(HCS_OPERATION handle)
{
    struct object *head = object_find(handle, OBJECT_OPERATION);

    return head ? container_of(head, struct operation, head) : NULL;
}

/* ---- small questions ---- */

void *WINAPI HcsGetOperationContext(HCS_OPERATION operation)
{
    struct operation *op = find(operation);
    void *context;

    if (!op)
        return NULL;
    lock_take(&op->lock);
    context = (void *) (uintptr_t) op->context;
    lock_give(&op->lock);
    object_unref(&op->head);
    return context;
}

HRESULT WINAPI HcsSetOperationContext(HCS_OPERATION operation, const void *context)
{
    struct operation *op = find(operation);

    if (!op)
        return E_HANDLE;
    lock_take(&op->lock);
    op->context = context;
    lock_give(&op->lock);
    object_unref(&op->head);
    return S_OK;
}

HRESULT WINAPI HcsSetOperationCallback(HCS_OPERATION operation, const void *context,
                                       HCS_OPERATION_COMPLETION callback)
{
    struct operation *op = find(operation);

    if (!op)
        return E_HANDLE;
    lock_take(&op->lock);
    op->context = context;
    op->callback = callback;
    op->notify = NULL;
    lock_give(&op->lock);
    object_unref(&op->head);
    return S_OK;
}

/* The handle, unless it has been closed. */
static void *if_open(void *handle, enum object_kind kind)
{
    struct object *o = handle ? object_find(handle, kind) : NULL;

    if (!o)
        return NULL;
    object_unref(o);
    return handle;
}

HCS_SYSTEM WINAPI HcsGetComputeSystemFromOperation(HCS_OPERATION operation)
{
    struct operation *op = find(operation);
    HCS_SYSTEM handle;

    if (!op)
        return NULL;
    lock_take(&op->lock);
    handle = op->system;
    lock_give(&op->lock);
    object_unref(&op->head);
    return if_open(handle, OBJECT_SYSTEM);
}

HCS_PROCESS WINAPI HcsGetProcessFromOperation(HCS_OPERATION operation)
{
    struct operation *op = find(operation);
    HCS_PROCESS handle;

    if (!op)
        return NULL;
    lock_take(&op->lock);
    handle = op->process_handle;
    lock_give(&op->lock);
    object_unref(&op->head);
    return if_open(handle, OBJECT_PROCESS);
}

HCS_OPERATION_TYPE WINAPI HcsGetOperationType(HCS_OPERATION operation)
{
    struct operation *op = find(operation);
    HCS_OPERATION_TYPE type;

    if (!op)
        return HcsOperationTypeNone;
    lock_take(&op->lock);
    type = op->type;
    lock_give(&op->lock);
    object_unref(&op->head);
    return type;
}

UINT64 WINAPI HcsGetOperationId(HCS_OPERATION operation)
{
    struct operation *op = find(operation);
    UINT64 id;

    if (!op)
        return HCS_INVALID_OPERATION_ID;
    lock_take(&op->lock);
    id = op->id;
    lock_give(&op->lock);
    object_unref(&op->head);
    return id;
}

HRESULT WINAPI HcsCancelOperation(HCS_OPERATION operation)
{
    (void) operation;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsAddResourceToOperation(HCS_OPERATION operation, HCS_RESOURCE_TYPE type,
                                         PCWSTR uri, HANDLE handle)
{
    (void) operation, (void) type, (void) uri, (void) handle;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsGetOperationProperties(HCS_OPERATION operation, PCWSTR options,
                                         PWSTR *resultDocument)
{
    (void) operation, (void) options;
    if (resultDocument)
        *resultDocument = NULL;
    return E_NOTIMPL;
}

/* ---- results ---- */

static uint64_t deadline_of(DWORD timeout_ms)
{
    return timeout_ms == INFINITE ? UINT64_MAX : clock_monotonic_ns() + timeout_ms * MS_NS;
}

/* With the lock held: until it is done or the deadline. */
static void wait_done(struct operation *op, uint64_t deadline)
{
    while (op->state == OPERATION_PENDING && !op->closed &&
           (deadline == UINT64_MAX || clock_monotonic_ns() < deadline))
        platform_condition_wait(&op->changed, &op->lock, deadline);
}

static int has_information(HCS_OPERATION_TYPE type)
{
    return type == HcsOperationTypeCreateProcess || type == HcsOperationTypeGetProcessInfo;
}

/* With the lock held. */
static HRESULT result_read(struct operation *op, HRESULT unfinished, int with_information,
                           char **out_document, struct process **out_process)
{
    if (op->state == OPERATION_FRESH)
        return HCS_E_OPERATION_NOT_STARTED;
    if (with_information && !has_information(op->type))
        return E_INVALIDARG;
    if (op->state == OPERATION_PENDING)
        return op->closed ? E_HANDLE : unfinished;
    op->asked = 1;
    if (op->document) {
        *out_document = strdup(op->document);
        if (!*out_document)
            return HCS_E_OPERATION_RESULT_ALLOCATION_FAILED;
    }
    if (with_information && op->result >= 0 && op->process) {
        object_ref(&op->process->head);
        *out_process = op->process;
    }
    return op->result;
}

struct question {
    uint64_t deadline; /* 0: do not wait */
    HRESULT unfinished;
    int with_information;
    HCS_PROCESS_INFORMATION *information;
    PWSTR *document;
};

static HRESULT ask(HCS_OPERATION operation, const struct question *q)
{
    _cleanup_(free_drop) char *document = NULL;
    struct operation *op = find(operation);
    struct process *process = NULL;
    HRESULT r, given;

    if (q->document)
        *q->document = NULL;
    if (q->information)
        *q->information = (HCS_PROCESS_INFORMATION){ 0 };
    if (!op)
        return E_HANDLE;
    lock_take(&op->lock);
    if (q->deadline)
        wait_done(op, q->deadline);
    r = result_read(op, q->unfinished, q->with_information, &document, &process);
    lock_give(&op->lock);
    object_unref(&op->head);
    given = text_give(document, q->document);
    if (given < 0)
        r = given;
    if (process) {
        if (r >= 0 && q->information)
            process_inform(process, q->information);
        object_unref(&process->head);
    }
    return r;
}

HRESULT WINAPI HcsGetOperationResult(HCS_OPERATION operation, PWSTR *resultDocument)
{
    return ask(operation, &(struct question){ .unfinished = HCS_E_OPERATION_PENDING,
                                              .document = resultDocument });
}

HRESULT WINAPI HcsGetOperationResultAndProcessInfo(HCS_OPERATION operation,
                                                   HCS_PROCESS_INFORMATION *processInformation,
                                                   PWSTR *resultDocument)
{
    return ask(operation, &(struct question){ .unfinished = HCS_E_OPERATION_PENDING,
                                              .with_information = 1,
                                              .information = processInformation,
                                              .document = resultDocument });
}

HRESULT WINAPI HcsWaitForOperationResult(HCS_OPERATION operation, DWORD timeoutMs,
                                         PWSTR *resultDocument)
{
    return ask(operation, &(struct question){ .deadline = deadline_of(timeoutMs),
                                              .unfinished = HCS_E_OPERATION_TIMEOUT,
                                              .document = resultDocument });
}

HRESULT WINAPI HcsWaitForOperationResultAndProcessInfo(HCS_OPERATION operation, DWORD timeoutMs,
                                                       HCS_PROCESS_INFORMATION *processInformation,
                                                       PWSTR *resultDocument)
{
    return ask(operation, &(struct question){ .deadline = deadline_of(timeoutMs),
                                              .unfinished = HCS_E_OPERATION_TIMEOUT,
                                              .with_information = 1,
                                              .information = processInformation,
                                              .document = resultDocument });
}
