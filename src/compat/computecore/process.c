/* process.c - processes of the flat API.
 *
 * Owns:    a libhcs handle for each handle given out, and the standard handles until somebody asks
 *          for them.
 * Users:   programs; operation_result.c for the process information.
 * Promise: a standard handle is given once, to whoever asks first; what nobody took is closed with
 *          the last of handle and operation.
 */
#include "process.h"

#include <assert.h>
#include <string.h>

#include "options.h"
#include "platform.h"
#include "properties.h"
#include "text.h"

#define SIGNAL_KILL 9 /* Linux's, whatever system this is compiled for */
#define EVENT_OPTIONS                                                                              \
    (HcsEventOptionEnableOperationCallbacks | HcsEventOptionEnableVmLifecycle |                    \
     HcsEventOptionEnableLiveMigrationEvents)

/* ---- the object ---- */

static hcs_result source_open(struct object *owner, hcs_stream **out, hcs_error *err)
{
    struct process *p = container_of(owner, struct process, head);

    return hcs_stream_open_system(p->system->system, NULL, out, err);
}

/* The service may have been made to forget it: then it is certain that it has ended, and no more.
 */
static bool is_forgotten(hcs_result r)
{
    return r == HCS_E_SYSTEM_NOT_FOUND || r == HCS_E_WIN32_NOT_FOUND;
}

static char *source_exit_document(struct object *owner)
{
    struct process *p = container_of(owner, struct process, head);
    hcs_exit report = HCS_EXIT_INIT;
    char *document = NULL;
    hcs_result r = hcs_process_wait(p->process, 0, &report, NULL);

    if (r < 0 && !is_forgotten(r))
        return NULL;
    if (r < 0)
        strcpy(report.reason, "the service has forgotten the process");
    if (hcs_exit_document(&report, hcs_process_id(p->process), &document, NULL) < 0)
        return NULL;
    return document;
}

static int source_wants(struct object *owner, const hcs_event *event, int *out_exit)
{
    struct process *p = container_of(owner, struct process, head);

    *out_exit =
        event->kind == HCS_EVENT_PROCESS_EXITED && event->process_id == hcs_process_id(p->process);
    return *out_exit;
}

static const struct watch_source process_source = {
    .open = source_open,
    .exit_document = source_exit_document,
    .wants = source_wants,
    .exit_type = HcsEventProcessExited,
    .ask_in_gap = 1,
};

static void process_drop(struct object *head)
{
    struct process *p = container_of(head, struct process, head);

    watch_done(&p->watch);
    hcs_process_close(p->process);
    object_unref(&p->system->head);
    free(p);
}

static HRESULT process_new(struct system *s, HCS_SYSTEM handle, struct process **out,
                           hcs_error *err)
{
    struct process *p = calloc(1, sizeof *p);

    if (!p)
        return fail(err, E_OUTOFMEMORY, "process", "no memory for a process");
    object_init(&p->head, OBJECT_PROCESS, process_drop);
    watch_init(&p->watch, &p->head, &process_source);
    object_ref(&s->head);
    p->system = s;
    p->system_handle = handle;
    *out = p;
    return S_OK;
}

static void process_unrefp(struct process **p)
{
    if (*p)
        object_unref(&(*p)->head);
}

static void system_unrefp(struct system **s)
{
    if (*s)
        object_unref(&(*s)->head);
}

static struct process *process_find(HCS_PROCESS handle)
{
    struct object *head = object_find(handle, OBJECT_PROCESS);

    return head ? container_of(head, struct process, head) : NULL;
}

void WINAPI HcsCloseProcess(HCS_PROCESS process)
{
    struct object *head = object_find_closing(process, OBJECT_PROCESS);

    if (!head)
        return;
    atomic_store_explicit(&head->closed, true, memory_order_release);
    watch_close(&container_of(head, struct process, head)->watch);
    object_retire(head);
    object_unref(head);
}

void process_inform(struct process *p, HCS_PROCESS_INFORMATION *out)
{
    out->ProcessId = hcs_process_id(p->process);
    out->Reserved = 0;
    out->StdInput =
        platform_stdio_handle(hcs_process_take_stdio(p->process, HCS_STDIN), PLATFORM_STDIN);
    out->StdOutput =
        platform_stdio_handle(hcs_process_take_stdio(p->process, HCS_STDOUT), PLATFORM_STDOUT);
    out->StdError =
        platform_stdio_handle(hcs_process_take_stdio(p->process, HCS_STDERR), PLATFORM_STDERR);
}

/* ---- create and open ---- */

static HRESULT no_system(hcs_error *err)
{
    return fail(err, E_HANDLE, "process", "no system, or a closed handle");
}

static HRESULT finish_create(struct use *use, char **out_document, hcs_error *err)
{
    HRESULT r = use_finish_pending(use, out_document, err);

    watch_is_ready(&use->operation->process->watch, r >= 0                          ? WATCH_READY
                                                    : r == HCS_E_SERVICE_DISCONNECT ? WATCH_LOST
                                                                                    : WATCH_FAILED);
    return r;
}

static HRESULT creation_start(const char *parameters, struct use *use, struct process *p,
                              HCS_PROCESS *out, hcs_error *err)
{
    HRESULT r =
        hcs_process_create(p->system->system, parameters, NULL, &p->process, &use->pending, err);

    if (r < 0)
        return r;
    r = object_publish(&p->head);
    if (r < 0) { /* the program must not stay where nobody can reach it */
        if (hcs_op_wait(use->pending, -1, NULL) >= 0) {
            hcs_result ignored = hcs_process_signal(p->process, SIGNAL_KILL, NULL);

            (void) ignored;
        }
        return fail(err, r, "process", "no memory for a handle");
    }
    *out = object_handle(&p->head);
    use_names(use, p->system_handle, *out);
    use_informs(use, p);
    return S_OK;
}

HRESULT WINAPI HcsCreateProcess(HCS_SYSTEM computeSystem, PCWSTR processParameters,
                                HCS_OPERATION operation,
                                const SECURITY_DESCRIPTOR *securityDescriptor, HCS_PROCESS *process)
{
    _cleanup_(system_unrefp) struct system *s = system_find(computeSystem);
    _cleanup_(process_unrefp) struct process *p = NULL;
    _cleanup_(free_drop) char *parameters = NULL;
    hcs_error err = HCS_ERROR_INIT;
    struct use *use = NULL;
    HRESULT r;

    if (process)
        *process = NULL;
    r = s ? S_OK : no_system(&err);
    if (r >= 0 && !process)
        r = fail(&err, E_POINTER, "process", "process must not be NULL");
    if (r >= 0 && securityDescriptor)
        r = fail(&err, E_NOTIMPL, "process", "a security descriptor cannot be honoured");
    if (r >= 0)
        r = text_from_flat(processParameters, HCS_E_INVALID_JSON, "processParameters", &parameters,
                           &err);
    if (r >= 0)
        r = process_new(s, computeSystem, &p, &err);
    if (r < 0)
        return use_refuse(operation, HcsOperationTypeCreateProcess, r, &err);
    r = use_begin(operation, HcsOperationTypeCreateProcess, &s->head, &s->watch, &use, &err);
    if (r < 0)
        return r;
    r = creation_start(parameters, use, p, process, &err);
    if (r < 0)
        return use_fail(use, r, &err);
    use_go(use, finish_create);
    return S_OK;
}

HRESULT WINAPI HcsOpenProcess(HCS_SYSTEM computeSystem, DWORD processId, DWORD requestedAccess,
                              HCS_PROCESS *process)
{
    _cleanup_(system_unrefp) struct system *s = system_find(computeSystem);
    _cleanup_(process_unrefp) struct process *p = NULL;
    HRESULT r;

    (void) requestedAccess; /* a handle of this service is for everything */
    if (process)
        *process = NULL;
    if (!s)
        return E_HANDLE;
    if (!process)
        return E_POINTER;
    r = process_new(s, computeSystem, &p, NULL);
    if (r >= 0)
        r = hcs_process_open(s->system, processId, &p->process, NULL);
    if (r >= 0)
        r = object_publish(&p->head);
    if (r < 0)
        return r == HCS_E_OPERATION_PENDING ? HCS_E_INVALID_STATE : r;
    watch_is_ready(&p->watch, WATCH_READY);
    *process = object_handle(&p->head);
    return S_OK;
}

/* ---- verbs ---- */

/* Begin a use for a call on @handle; the result of what the call needs first is @r. */
static HRESULT process_begin(struct process *p, HCS_PROCESS handle, HCS_OPERATION operation,
                             HCS_OPERATION_TYPE type, HRESULT r, struct use **out, hcs_error *err)
{
    if (!p)
        r = fail(err, E_HANDLE, "process", "no process, or a closed handle");
    if (r < 0)
        return use_refuse(operation, type, r, err);
    r = use_begin(operation, type, &p->head, &p->watch, out, err);
    if (r >= 0)
        use_names(*out, p->system_handle, handle);
    return r;
}

/* Sent from here, so that the signals of one caller come in its order. */
static HRESULT signal_send(HCS_PROCESS handle, HCS_OPERATION operation, HRESULT r, int number,
                           hcs_error *err)
{
    _cleanup_(process_unrefp) struct process *p = process_find(handle);
    struct use *use = NULL;

    r = process_begin(p, handle, operation, HcsOperationTypeSignalProcess, r, &use, err);
    if (r < 0)
        return r;
    use->result = hcs_process_signal(p->process, number, &use->error);
    use_go(use, use_finish_result);
    return S_OK;
}

HRESULT WINAPI HcsSignalProcess(HCS_PROCESS process, HCS_OPERATION operation, PCWSTR options)
{
    hcs_error err = HCS_ERROR_INIT;
    int number = 0;
    HRESULT r = options_signal(options, &number, &err);

    return signal_send(process, operation, r, number, &err);
}

HRESULT WINAPI HcsTerminateProcess(HCS_PROCESS process, HCS_OPERATION operation, PCWSTR options)
{
    hcs_error err = HCS_ERROR_INIT;
    HRESULT r = options_reserved(options, &err);

    return signal_send(process, operation, r, SIGNAL_KILL, &err);
}

static struct process *target_of(struct use *use)
{
    return container_of(use->target, struct process, head);
}

static HRESULT already_stopped(struct process *p, hcs_error *err)
{
    return fail(err, HCS_E_PROCESS_ALREADY_STOPPED, "process", "process %u has exited",
                hcs_process_id(p->process));
}

/* Whether it has exited: S_OK it has, HCS_E_OPERATION_TIMEOUT it runs. */
static HRESULT finish_information(struct use *use, char **out_document, hcs_error *err)
{
    struct process *p = target_of(use);
    hcs_exit report = HCS_EXIT_INIT;
    HRESULT r = hcs_process_wait(p->process, 0, &report, err);

    (void) out_document;
    if (r >= 0)
        return already_stopped(p, err);
    if (r != HCS_E_OPERATION_TIMEOUT)
        return r;
    use_informs(use, p);
    return S_OK;
}

HRESULT WINAPI HcsGetProcessInfo(HCS_PROCESS process, HCS_OPERATION operation)
{
    _cleanup_(process_unrefp) struct process *p = process_find(process);
    hcs_error err = HCS_ERROR_INIT;
    struct use *use = NULL;
    HRESULT r =
        process_begin(p, process, operation, HcsOperationTypeGetProcessInfo, S_OK, &use, &err);

    if (r >= 0)
        use_go(use, finish_information);
    return r;
}

static HRESULT finish_properties(struct use *use, char **out_document, hcs_error *err)
{
    struct process *p = target_of(use);
    hcs_exit report = HCS_EXIT_INIT;
    char *document = NULL;
    HRESULT r = hcs_process_wait(p->process, 0, &report, err);

    if (r == HCS_E_OPERATION_TIMEOUT)
        return properties_of_running(hcs_process_id(p->process), out_document, err);
    if (r >= 0)
        r = hcs_exit_document(&report, hcs_process_id(p->process), &document, err);
    if (r >= 0) {
        *out_document = strdup(document);
        if (!*out_document)
            r = fail(err, E_OUTOFMEMORY, "process", "no memory for a document");
    }
    hcs_string_free(document);
    return r;
}

HRESULT WINAPI HcsGetProcessProperties(HCS_PROCESS process, HCS_OPERATION operation,
                                       PCWSTR propertyQuery)
{
    _cleanup_(process_unrefp) struct process *p = process_find(process);
    hcs_error err = HCS_ERROR_INIT;
    struct use *use = NULL;
    HRESULT r = options_reserved(propertyQuery, &err);

    r = process_begin(p, process, operation, HcsOperationTypeGetProcessProperties, r, &use, &err);
    if (r >= 0)
        use_go(use, finish_properties);
    return r;
}

static HRESULT finish_modify(struct use *use, char **out_document, hcs_error *err)
{
    struct process *p = target_of(use);
    hcs_exit report = HCS_EXIT_INIT;
    HRESULT r = hcs_process_wait(p->process, 0, &report, err);

    (void) out_document;
    if (r >= 0)
        return already_stopped(p, err);
    if (r != HCS_E_OPERATION_TIMEOUT)
        return r;
    for (hcs_stdio_which which = HCS_STDIN; which <= HCS_STDERR; which++) {
        if (use->flags & 1u << which)
            platform_pollable_close(hcs_process_take_stdio(p->process, which));
    }
    return S_OK;
}

HRESULT WINAPI HcsModifyProcess(HCS_PROCESS process, HCS_OPERATION operation, PCWSTR settings)
{
    _cleanup_(process_unrefp) struct process *p = process_find(process);
    hcs_error err = HCS_ERROR_INIT;
    struct use *use = NULL;
    unsigned closing = 0;
    HRESULT r = options_modify_process(settings, &closing, &err);

    r = process_begin(p, process, operation, HcsOperationTypeModifyProcess, r, &use, &err);
    if (r < 0)
        return r;
    use->flags = closing;
    use_go(use, finish_modify);
    return S_OK;
}

/* ---- the end ---- */

static hcs_result ask_exit(void *object, int timeout_ms, hcs_exit *out, hcs_error *err)
{
    return hcs_process_wait(object, timeout_ms, out, err);
}

HRESULT WINAPI HcsWaitForProcessExit(HCS_PROCESS process, DWORD timeoutMs, PWSTR *result)
{
    _cleanup_(process_unrefp) struct process *p = process_find(process);
    hcs_exit report = HCS_EXIT_INIT;
    char *document = NULL;
    HRESULT r;

    if (result)
        *result = NULL;
    if (!p)
        return E_HANDLE;
    r = exit_wait(ask_exit, p->process, timeoutMs, &report);
    if (r >= 0)
        r = hcs_exit_document(&report, hcs_process_id(p->process), &document, NULL);
    if (r >= 0)
        r = text_give(document, result);
    hcs_string_free(document);
    return r;
}

HRESULT WINAPI HcsSetProcessCallback(HCS_PROCESS process, HCS_EVENT_OPTIONS callbackOptions,
                                     void *context, HCS_EVENT_CALLBACK callback)
{
    _cleanup_(process_unrefp) struct process *p = process_find(process);

    if (!p)
        return E_HANDLE;
    if ((uint32_t) callbackOptions & ~(uint32_t) EVENT_OPTIONS)
        return E_INVALIDARG;
    return watch_set(&p->watch, callbackOptions, context, callback, NULL);
}
