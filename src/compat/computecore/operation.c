/* operation.c - operations, and their uses.
 *
 * Owns:    the state of each operation, and a thread for each use that is under way.
 * Users:   every function that takes an operation.
 * Promise: a use completes once; its callback runs once, after the result can be read, never two of
 *          one operation at a time, and never after the operation was closed.  A failed call leaves
 *          no thread and calls nothing.
 */
#include "operation.h"

#include <assert.h>

#include "platform.h"
#include "process.h"
#include "text.h"

static atomic_uint_fast64_t last_id;

/* ---- the object ---- */

static void operation_drop(struct object *head)
{
    struct operation *op = container_of(head, struct operation, head);

    if (op->process)
        object_unref(&op->process->head);
    condition_done(&op->changed);
    lock_done(&op->lock);
    free(op->document);
    free(op);
}

static HCS_OPERATION operation_new(const void *context, HCS_OPERATION_COMPLETION callback,
                                   HCS_EVENT_CALLBACK notify)
{
    struct operation *op = calloc(1, sizeof *op);
    HCS_OPERATION handle = NULL;

    if (!op)
        return NULL;
    object_init(&op->head, OBJECT_OPERATION, operation_drop);
    lock_init(&op->lock);
    condition_init(&op->changed);
    op->context = context;
    op->callback = callback;
    op->notify = notify;
    op->type = HcsOperationTypeNone;
    op->id = HCS_INVALID_OPERATION_ID;
    if (object_publish(&op->head) >= 0)
        handle = object_handle(&op->head);
    object_unref(&op->head);
    return handle;
}

HCS_OPERATION WINAPI HcsCreateOperation(const void *context, HCS_OPERATION_COMPLETION callback)
{
    return operation_new(context, callback, NULL);
}

HCS_OPERATION WINAPI HcsCreateOperationWithNotifications(HCS_OPERATION_OPTIONS eventTypes,
                                                         const void *context,
                                                         HCS_EVENT_CALLBACK callback)
{
    (void) eventTypes; /* progress is what there is none of */
    return operation_new(context, NULL, callback);
}

static struct operation *find(HCS_OPERATION handle)
{
    struct object *head = object_find(handle, OBJECT_OPERATION);

    return head ? container_of(head, struct operation, head) : NULL;
}

void WINAPI HcsCloseOperation(HCS_OPERATION operation)
{
    struct object *head = object_find_closing(operation, OBJECT_OPERATION);
    struct operation *op;

    if (!head)
        return;
    op = container_of(head, struct operation, head);
    atomic_store_explicit(&head->closed, true, memory_order_release);
    lock_take(&op->lock);
    op->closed = 1;
    condition_tell_all(&op->changed);
    while (op->calling && op->calling_thread != platform_thread_self())
        condition_wait(&op->changed, &op->lock);
    lock_give(&op->lock);
    object_retire(head);
    object_unref(head);
}

/* ---- the beginning of a use ---- */

static void use_drop(struct use *use)
{
    object_unref(use->target);
    object_unref(&use->operation->head);
    hcs_op_close(use->pending);
    condition_done(&use->changed);
    lock_done(&use->lock);
    free(use->text);
    free(use);
}

static void complete(struct use *use);

static void use_main(void *context)
{
    struct use *use = context;
    int go;

    lock_take(&use->lock);
    while (use->stage == USE_PREPARED)
        condition_wait(&use->changed, &use->lock);
    go = use->stage == USE_GO;
    lock_give(&use->lock);
    if (go)
        complete(use);
    use_drop(use);
}

/* With the lock held: forget the last use. */
static void rearm(struct operation *op, HCS_OPERATION_TYPE type)
{
    if (op->process)
        object_unref(&op->process->head);
    op->process = NULL;
    free(TAKE(op->document));
    op->type = type;
    op->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    op->system = NULL;
    op->process_handle = NULL;
    op->result = S_OK;
    op->asked = 0;
    op->told = 0;
}

/* With the lock held. */
static HRESULT may_begin(struct operation *op, struct watch *watch_opt, hcs_error *err)
{
    if (op->closed)
        return fail(err, E_HANDLE, "operation", "the operation is closed");
    if (op->state == OPERATION_PENDING)
        return fail(err, HCS_E_OPERATION_ALREADY_STARTED, "operation",
                    "the operation is in use by a call that is not done");
    if ((op->callback || op->notify) && watch_opt && watch_takes_operations(watch_opt))
        return fail(err, HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET, "operation",
                    "the operation has a callback, and the event callback of the handle wants all "
                    "completions");
    return S_OK;
}

static struct use *use_new(struct operation *take_op, struct object *target_opt,
                           struct watch *watch_opt)
{
    struct use *use = calloc(1, sizeof *use);

    if (!use)
        return NULL;
    use->operation = take_op;
    use->target = target_opt ? object_ref(target_opt) : NULL;
    use->watch = watch_opt;
    use->error = (hcs_error) HCS_ERROR_INIT;
    lock_init(&use->lock);
    condition_init(&use->changed);
    return use;
}

/* With the operation's lock held. */
static void result_set(struct operation *op, HRESULT r, char *take_document, const hcs_error *err)
{
    op->state = OPERATION_DONE;
    op->result = r;
    op->document = r < 0 ? text_result_error(r, err) : take_document;
    if (r < 0)
        free(take_document);
    condition_tell_all(&op->changed);
}

/* "Pending" and the like, as the outcome of a call, would be taken for that of the operation. */
static HRESULT outcome(HRESULT r)
{
    switch (r) {
    case HCS_E_OPERATION_PENDING:
    case HCS_E_OPERATION_NOT_STARTED:
    case HCS_E_V1_OPERATION_PENDING:
        return HCS_E_INVALID_STATE;
    default:
        return r > 0 ? S_OK : r;
    }
}

HRESULT use_begin(HCS_OPERATION handle, HCS_OPERATION_TYPE type, struct object *target_opt,
                  struct watch *watch_opt, struct use **out, hcs_error *err)
{
    struct operation *op = find(handle);
    struct use *use;
    HRESULT r;

    assert(out);
    if (!op)
        return fail(err, E_HANDLE, "operation", "no operation, or a closed one");
    use = use_new(op, target_opt, watch_opt);
    if (!use) {
        object_unref(&op->head);
        return fail(err, E_OUTOFMEMORY, "operation", "no memory for an operation");
    }
    lock_take(&op->lock);
    r = may_begin(op, watch_opt, err);
    if (r >= 0) {
        rearm(op, type);
        op->state = OPERATION_PENDING;
        use->id = op->id;
    } else if (r == HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET) {
        rearm(op, type);
        result_set(op, r, NULL, err);
    }
    lock_give(&op->lock);
    if (r >= 0 && platform_thread_start(use_main, use) != 0) {
        use->stage = USE_DROPPED;
        r = fail(err, E_OUTOFMEMORY, "operation", "no thread for an operation");
        lock_take(&op->lock);
        result_set(op, r, NULL, err);
        lock_give(&op->lock);
    }
    if (r < 0) {
        use_drop(use);
        return r;
    }
    *out = use;
    return S_OK;
}

static void use_step(struct use *use, int go)
{
    lock_take(&use->lock);
    use->stage = go ? USE_GO : USE_DROPPED;
    condition_tell_all(&use->changed);
    lock_give(&use->lock);
}

void use_go(struct use *use, use_finish *finish)
{
    use->finish = finish;
    use_step(use, 1);
}

int use_has_callback(struct use *use)
{
    struct operation *op = use->operation;
    int has;

    lock_take(&op->lock);
    has = op->callback || op->notify;
    lock_give(&op->lock);
    return has;
}

HRESULT use_fail(struct use *use, HRESULT r, const hcs_error *err)
{
    struct operation *op = use->operation;

    assert(r < 0);
    r = outcome(r);
    lock_take(&op->lock);
    result_set(op, r, NULL, err);
    lock_give(&op->lock);
    use_step(use, 0);
    return r;
}

HRESULT use_refuse(HCS_OPERATION handle, HCS_OPERATION_TYPE type, HRESULT r, const hcs_error *err)
{
    struct operation *op = find(handle);

    assert(r < 0);
    if (!op)
        return E_HANDLE;
    r = outcome(r);
    lock_take(&op->lock);
    if (op->state == OPERATION_PENDING) {
        r = HCS_E_OPERATION_ALREADY_STARTED;
    } else {
        rearm(op, type);
        result_set(op, r, NULL, err);
    }
    lock_give(&op->lock);
    object_unref(&op->head);
    return r;
}

void use_names(struct use *use, HCS_SYSTEM system, HCS_PROCESS process_handle)
{
    struct operation *op = use->operation;

    lock_take(&op->lock);
    op->system = system;
    op->process_handle = process_handle;
    lock_give(&op->lock);
}

void use_informs(struct use *use, struct process *process)
{
    struct operation *op = use->operation;

    object_ref(&process->head);
    lock_take(&op->lock);
    op->process = process;
    lock_give(&op->lock);
}

HRESULT use_finish_pending(struct use *use, char **out_document, hcs_error *err)
{
    HRESULT r = hcs_op_wait(use->pending, -1, err);

    (void) out_document;
    hcs_op_close(TAKE(use->pending));
    return r;
}

HRESULT use_finish_result(struct use *use, char **out_document, hcs_error *err)
{
    (void) out_document;
    if (use->result < 0)
        *err = use->error;
    return use->result;
}

struct use_name use_name(const struct use *use)
{
    return (struct use_name){ object_handle(&use->operation->head), use->id };
}

/* ---- the end of a use ---- */

enum call { CALL_NOT, CALL_MARKED, CALL_UNMARKED };

/* With the lock held: mark that we call for @op, unless it is closed or somebody is calling. */
static enum call call_mark(struct operation *op)
{
    if (op->closed)
        return CALL_NOT;
    if (op->calling)
        return CALL_UNMARKED;
    op->calling = 1;
    op->calling_thread = platform_thread_self();
    return CALL_MARKED;
}

static void call_leave(struct operation *op)
{
    lock_take(&op->lock);
    op->calling = 0;
    op->calling_thread = 0;
    condition_tell_all(&op->changed);
    lock_give(&op->lock);
}

static void call_event(HCS_EVENT_CALLBACK callback, void *context, HCS_OPERATION operation)
{
    HCS_EVENT event = { .Type = HcsEventOperationCallback, .Operation = operation };

    callback(&event, context);
}

/* Call the operation's own callback; 0: it has none. */
static int tell_own(struct operation *op)
{
    HCS_OPERATION_COMPLETION callback;
    HCS_EVENT_CALLBACK notify;
    enum call call = CALL_NOT;
    void *context;

    lock_take(&op->lock);
    while (op->calling && !op->closed)
        condition_wait(&op->changed, &op->lock);
    callback = op->callback;
    notify = op->notify;
    context = (void *) (uintptr_t) op->context;
    if (callback || notify)
        call = call_mark(op);
    lock_give(&op->lock);
    if (call == CALL_MARKED) {
        if (callback)
            callback(object_handle(&op->head), context);
        else
            call_event(notify, context, object_handle(&op->head));
        call_leave(op);
    }
    return callback || notify;
}

/* How to tell an event callback of the completion of use @id, if at all.  Never waits for another
 * callback of the operation: that one may be waiting for the event callback. */
static enum call claim(struct operation *op, uint64_t id, int late)
{
    enum call call = CALL_NOT;
    int present;

    lock_take(&op->lock);
    present = op->id == id && op->state == OPERATION_DONE;
    if (late ? present && !op->told && !op->asked && !op->callback && !op->notify
             : !(present && op->told))
        call = call_mark(op);
    if (call != CALL_NOT && present)
        op->told = 1;
    lock_give(&op->lock);
    return call;
}

static void tell_watch(struct operation *op, uint64_t id, struct watch *w, int late)
{
    HCS_EVENT_CALLBACK callback;
    void *context;
    enum call call;

    if (!watch_enter_operation(w, &callback, &context))
        return;
    call = claim(op, id, late);
    if (call != CALL_NOT)
        call_event(callback, context, object_handle(&op->head));
    if (call == CALL_MARKED)
        call_leave(op);
    watch_leave(w);
}

void operation_tell_late(struct use_name name, struct watch *w)
{
    struct operation *op = find(name.operation);

    if (!op)
        return;
    tell_watch(op, name.id, w, 1);
    object_unref(&op->head);
}

static void complete(struct use *use)
{
    struct operation *op = use->operation;
    hcs_error err = HCS_ERROR_INIT;
    char *document = NULL;
    HRESULT r = outcome(use->finish(use, &document, &err));

    lock_take(&op->lock);
    result_set(op, r, document, &err);
    lock_give(&op->lock);
    if (!tell_own(op) && use->watch)
        tell_watch(op, use->id, use->watch, 0);
}
