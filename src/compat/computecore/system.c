/* system.c - systems of the flat API.
 *
 * Owns:    a libhcs handle for each handle given out.
 * Users:   programs; process.c for the system that a process is in.
 * Promise: out parameters are written before any callback can run; what fails at once leaves
 *          nothing behind.
 */
#include "system.h"

#include <assert.h>
#include <limits.h>

#include "clock.h"
#include "host.h"
#include "options.h"
#include "properties.h"
#include "text.h"

#define MS_NS UINT64_C(1000000)
#define EVENT_OPTIONS                                                                              \
    (HcsEventOptionEnableOperationCallbacks | HcsEventOptionEnableVmLifecycle |                    \
     HcsEventOptionEnableLiveMigrationEvents)

/* ---- the object ---- */

static hcs_result source_open(struct object *owner, hcs_stream **out, hcs_error *err)
{
    return hcs_stream_open_system(container_of(owner, struct system, head)->system, NULL, out, err);
}

static char *source_exit_document(struct object *owner)
{
    struct system *s = container_of(owner, struct system, head);
    hcs_exit report = HCS_EXIT_INIT;
    char *document = NULL;

    if (hcs_system_wait(s->system, 0, &report, NULL) < 0 ||
        hcs_exit_document(&report, 0, &document, NULL) < 0)
        return NULL;
    return document;
}

static int source_wants(struct object *owner, const hcs_event *event, int *out_exit)
{
    (void) owner;
    *out_exit = event->kind == HCS_EVENT_SYSTEM_EXITED;
    return event->kind != HCS_EVENT_PROCESS_EXITED;
}

/* The operation that created the system may have been done before the callback was there. */
static void source_began(struct object *owner)
{
    struct system *s = container_of(owner, struct system, head);

    operation_tell_late(s->creation, &s->watch);
}

static const struct watch_source system_source = {
    .began = source_began,
    .open = source_open,
    .exit_document = source_exit_document,
    .wants = source_wants,
    .exit_type = HcsEventSystemExited,
    .open_first = 1,
};

static void system_drop(struct object *head)
{
    struct system *s = container_of(head, struct system, head);

    watch_done(&s->watch);
    hcs_system_close(s->system);
    free(s);
}

static HRESULT system_new(struct system **out, hcs_error *err)
{
    struct system *s = calloc(1, sizeof *s);

    if (!s)
        return fail(err, E_OUTOFMEMORY, "system", "no memory for a system");
    object_init(&s->head, OBJECT_SYSTEM, system_drop);
    watch_init(&s->watch, &s->head, &system_source);
    watch_is_ready(&s->watch, WATCH_READY);
    *out = s;
    return S_OK;
}

static void system_unrefp(struct system **s)
{
    if (*s)
        object_unref(&(*s)->head);
}

struct system *system_find(HCS_SYSTEM handle)
{
    struct object *head = object_find(handle, OBJECT_SYSTEM);

    return head ? container_of(head, struct system, head) : NULL;
}

void WINAPI HcsCloseComputeSystem(HCS_SYSTEM computeSystem)
{
    struct object *head = object_find_closing(computeSystem, OBJECT_SYSTEM);

    if (!head)
        return;
    atomic_store_explicit(&head->closed, true, memory_order_release);
    watch_close(&container_of(head, struct system, head)->watch);
    object_retire(head);
    object_unref(head);
}

/* ---- create and open ---- */

static HRESULT check_namespace(PCWSTR idNamespace, hcs_error *err)
{
    if (idNamespace && idNamespace[0])
        return fail(err, E_NOTIMPL, "system", "there are no namespaces of ids in this version");
    return S_OK;
}

struct creation {
    char *id;
    char *document;
    HCS_CREATE_OPTIONS_1 options; /* zero when none were given */
};

static void creation_done(struct creation *c)
{
    free(c->id);
    free(c->document);
}

static HRESULT event_options_check(uint32_t options, hcs_error *err)
{
    if (options & ~(uint32_t) EVENT_OPTIONS)
        return fail(err, E_INVALIDARG, "system", "0x%x are no event options", options);
    return S_OK;
}

static HRESULT creation_options(struct creation *c, const HCS_CREATE_OPTIONS *options,
                                hcs_error *err)
{
    if (!options)
        return S_OK;
    if (*options != HcsCreateOptions_1)
        return fail(err, E_INVALIDARG, "system", "version 0x%x of create options is not known",
                    (unsigned) *options);
    c->options = *(const HCS_CREATE_OPTIONS_1 *) (const void *) options;
    if (c->options.UserToken || c->options.SecurityDescriptor)
        return fail(err, E_NOTIMPL, "system",
                    "a user token or a security descriptor cannot be honoured");
    return event_options_check((uint32_t) c->options.CallbackOptions, err);
}

static HRESULT creation_read(struct creation *c, PCWSTR idNamespace, PCWSTR id,
                             PCWSTR configuration, const HCS_CREATE_OPTIONS *options,
                             hcs_error *err)
{
    HRESULT r = check_namespace(idNamespace, err);

    if (r >= 0)
        r = creation_options(c, options, err);
    if (r >= 0)
        r = text_from_flat(id, E_INVALIDARG, "id", &c->id, err);
    if (r >= 0)
        r = text_from_flat(configuration, HCS_E_INVALID_JSON, "configuration", &c->document, err);
    return r;
}

/* The request has gone out, but the handle cannot be given: what it makes must not stay. */
static void creation_undo(struct use *use, struct system *s)
{
    if (hcs_op_wait(use->pending, -1, NULL) >= 0) {
        hcs_result r = hcs_system_terminate(s->system, NULL, NULL);

        (void) r;
    }
}

static HRESULT creation_start(const struct creation *c, struct use *use, struct system *s,
                              HCS_SYSTEM *out, hcs_error *err)
{
    _cleanup_(host_putp) struct shared_host *host = NULL;
    HRESULT r;

    if (c->options.Callback && use_has_callback(use) &&
        (c->options.CallbackOptions & HcsEventOptionEnableOperationCallbacks))
        return fail(err, HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET, "system",
                    "the operation has a callback, and the event callback wants all completions");
    r = host_get(&host, err);
    if (r < 0)
        return r;
    r = hcs_system_create(host->host, c->id, c->document, &s->system, &use->pending, err);
    if (r < 0)
        return r;
    s->creation = use_name(use);
    r = object_publish(&s->head);
    if (r >= 0) {
        *out = object_handle(&s->head);
        use_names(use, *out, NULL);
        if (c->options.Callback)
            r = watch_set(&s->watch, c->options.CallbackOptions, c->options.CallbackContext,
                          c->options.Callback, err);
    }
    if (r < 0) {
        *out = NULL;
        creation_undo(use, s);
        if (s->head.number)
            object_retire(&s->head);
    }
    return r;
}

static HRESULT create(PCWSTR idNamespace, PCWSTR id, PCWSTR configuration, HCS_OPERATION operation,
                      const HCS_CREATE_OPTIONS *options, HCS_SYSTEM *out)
{
    _cleanup_(creation_done) struct creation creation = { 0 };
    _cleanup_(system_unrefp) struct system *s = NULL;
    hcs_error err = HCS_ERROR_INIT;
    struct use *use = NULL;
    HRESULT r;

    if (!out)
        return use_refuse(operation, HcsOperationTypeCreate, E_POINTER, &err);
    *out = NULL;
    r = creation_read(&creation, idNamespace, id, configuration, options, &err);
    if (r >= 0)
        r = system_new(&s, &err);
    if (r < 0)
        return use_refuse(operation, HcsOperationTypeCreate, r, &err);
    r = use_begin(operation, HcsOperationTypeCreate, &s->head, &s->watch, &use, &err);
    if (r < 0)
        return r;
    r = creation_start(&creation, use, s, out, &err);
    if (r < 0)
        return use_fail(use, r, &err);
    use_go(use, use_finish_pending);
    return S_OK;
}

HRESULT WINAPI HcsCreateComputeSystem(PCWSTR id, PCWSTR configuration, HCS_OPERATION operation,
                                      const SECURITY_DESCRIPTOR *securityDescriptor,
                                      HCS_SYSTEM *computeSystem)
{
    const HCS_CREATE_OPTIONS_1 options = {
        .Version = HcsCreateOptions_1,
        .SecurityDescriptor = (SECURITY_DESCRIPTOR *) (uintptr_t) securityDescriptor,
    };

    return create(NULL, id, configuration, operation, &options.Version, computeSystem);
}

HRESULT WINAPI HcsCreateComputeSystemInNamespace(PCWSTR idNamespace, PCWSTR id,
                                                 PCWSTR configuration, HCS_OPERATION operation,
                                                 const HCS_CREATE_OPTIONS *options,
                                                 HCS_SYSTEM *computeSystem)
{
    return create(idNamespace, id, configuration, operation, options, computeSystem);
}

HRESULT WINAPI HcsOpenComputeSystem(PCWSTR id, DWORD requestedAccess, HCS_SYSTEM *computeSystem)
{
    return HcsOpenComputeSystemInNamespace(NULL, id, requestedAccess, computeSystem);
}

HRESULT WINAPI HcsOpenComputeSystemInNamespace(PCWSTR idNamespace, PCWSTR id, DWORD requestedAccess,
                                               HCS_SYSTEM *computeSystem)
{
    _cleanup_(host_putp) struct shared_host *host = NULL;
    _cleanup_(system_unrefp) struct system *s = NULL;
    _cleanup_(free_drop) char *name = NULL;
    HRESULT r;

    (void) requestedAccess; /* a handle of this service is for everything */
    if (!computeSystem)
        return E_POINTER;
    *computeSystem = NULL;
    r = check_namespace(idNamespace, NULL);
    if (r >= 0)
        r = text_from_flat(id, E_INVALIDARG, "id", &name, NULL);
    if (r >= 0)
        r = system_new(&s, NULL);
    if (r >= 0)
        r = host_get(&host, NULL);
    if (r >= 0)
        r = hcs_system_open(host->host, name, &s->system, NULL);
    if (r >= 0)
        r = object_publish(&s->head);
    if (r >= 0)
        *computeSystem = object_handle(&s->head);
    return r;
}

/* ---- verbs ---- */

typedef HRESULT options_check(PCWSTR options, hcs_error *err);
typedef hcs_result system_verb(hcs_system *system, hcs_op **out_op, hcs_error *err);

static HRESULT no_system(hcs_error *err)
{
    return fail(err, E_HANDLE, "system", "no system, or a closed handle");
}

static HRESULT verb(HCS_SYSTEM handle, HCS_OPERATION operation, HCS_OPERATION_TYPE type,
                    PCWSTR options, options_check *check, system_verb *begin)
{
    _cleanup_(system_unrefp) struct system *s = system_find(handle);
    hcs_error err = HCS_ERROR_INIT;
    struct use *use = NULL;
    HRESULT r = s ? check(options, &err) : no_system(&err);

    if (r < 0)
        return use_refuse(operation, type, r, &err);
    r = use_begin(operation, type, &s->head, &s->watch, &use, &err);
    if (r < 0)
        return r;
    use_names(use, handle, NULL);
    r = begin(s->system, &use->pending, &err);
    if (r < 0)
        return use_fail(use, r, &err);
    use_go(use, use_finish_pending);
    return S_OK;
}

HRESULT WINAPI HcsStartComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                     PCWSTR options)
{
    return verb(computeSystem, operation, HcsOperationTypeStart, options, options_reserved,
                hcs_system_start);
}

HRESULT WINAPI HcsShutDownComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                        PCWSTR options)
{
    return verb(computeSystem, operation, HcsOperationTypeShutdown, options, options_shutdown,
                hcs_system_shut_down);
}

HRESULT WINAPI HcsTerminateComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                         PCWSTR options)
{
    return verb(computeSystem, operation, HcsOperationTypeTerminate, options, options_reserved,
                hcs_system_terminate);
}

/* What this version cannot do, told by the call itself. */
static HRESULT not_there(HCS_SYSTEM handle, HCS_OPERATION operation, HCS_OPERATION_TYPE type,
                         const char *what)
{
    _cleanup_(system_unrefp) struct system *s = system_find(handle);
    hcs_error err = HCS_ERROR_INIT;
    HRESULT r;

    if (s)
        r = fail(&err, E_NOTIMPL, "system", "%s is not there in this version", what);
    else
        r = no_system(&err);
    return use_refuse(operation, type, r, &err);
}

HRESULT WINAPI HcsCrashComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                     PCWSTR options)
{
    (void) options;
    return not_there(computeSystem, operation, HcsOperationTypeCrash, "HcsCrashComputeSystem");
}

HRESULT WINAPI HcsPauseComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                     PCWSTR options)
{
    (void) options;
    return not_there(computeSystem, operation, HcsOperationTypePause, "HcsPauseComputeSystem");
}

HRESULT WINAPI HcsResumeComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                      PCWSTR options)
{
    (void) options;
    return not_there(computeSystem, operation, HcsOperationTypeResume, "HcsResumeComputeSystem");
}

HRESULT WINAPI HcsSaveComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                    PCWSTR options)
{
    (void) options;
    return not_there(computeSystem, operation, HcsOperationTypeSave, "HcsSaveComputeSystem");
}

HRESULT WINAPI HcsModifyComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                      PCWSTR configuration, HANDLE identity)
{
    (void) configuration, (void) identity;
    return not_there(computeSystem, operation, HcsOperationTypeModify, "HcsModifyComputeSystem");
}

static HRESULT finish_properties(struct use *use, char **out_document, hcs_error *err)
{
    struct system *s = container_of(use->target, struct system, head);
    char *document = NULL;
    HRESULT r = hcs_system_properties(s->system, &document, err);

    if (r >= 0)
        r = properties_of_system(document, use->flags, out_document, err);
    hcs_string_free(document);
    return r;
}

HRESULT WINAPI HcsGetComputeSystemProperties(HCS_SYSTEM computeSystem, HCS_OPERATION operation,
                                             PCWSTR propertyQuery)
{
    _cleanup_(system_unrefp) struct system *s = system_find(computeSystem);
    hcs_error err = HCS_ERROR_INIT;
    struct use *use = NULL;
    uint32_t flags = 0;
    HRESULT r = s ? options_property_query(propertyQuery, &flags, &err) : no_system(&err);

    if (r < 0)
        return use_refuse(operation, HcsOperationTypeGetProperties, r, &err);
    r = use_begin(operation, HcsOperationTypeGetProperties, &s->head, &s->watch, &use, &err);
    if (r < 0)
        return r;
    use_names(use, computeSystem, NULL);
    use->flags = flags;
    use_go(use, finish_properties);
    return S_OK;
}

/* ---- the end ---- */

HRESULT exit_wait(exit_ask *ask, void *object, DWORD timeout_ms, hcs_exit *out)
{
    uint64_t deadline = clock_monotonic_ns() + timeout_ms * MS_NS, left;
    HRESULT r;

    do {
        uint64_t now = clock_monotonic_ns();

        left = now < deadline ? (deadline - now + MS_NS - 1) / MS_NS : 0;
        if (timeout_ms == INFINITE)
            r = ask(object, -1, out, NULL);
        else
            r = ask(object, left > INT_MAX ? INT_MAX : (int) left, out, NULL);
    } while (r == HCS_E_OPERATION_TIMEOUT && left > INT_MAX);
    return r == HCS_E_OPERATION_PENDING ? HCS_E_INVALID_STATE : r;
}

static hcs_result ask_exit(void *object, int timeout_ms, hcs_exit *out, hcs_error *err)
{
    return hcs_system_wait(object, timeout_ms, out, err);
}

HRESULT WINAPI HcsWaitForComputeSystemExit(HCS_SYSTEM computeSystem, DWORD timeoutMs, PWSTR *result)
{
    _cleanup_(system_unrefp) struct system *s = system_find(computeSystem);
    hcs_exit report = HCS_EXIT_INIT;
    char *document = NULL;
    HRESULT r;

    if (result)
        *result = NULL;
    if (!s)
        return E_HANDLE;
    r = exit_wait(ask_exit, s->system, timeoutMs, &report);
    if (r >= 0)
        r = hcs_exit_document(&report, 0, &document, NULL);
    if (r >= 0)
        r = text_give(document, result);
    hcs_string_free(document);
    return r;
}

HRESULT WINAPI HcsSetComputeSystemCallback(HCS_SYSTEM computeSystem,
                                           HCS_EVENT_OPTIONS callbackOptions, const void *context,
                                           HCS_EVENT_CALLBACK callback)
{
    _cleanup_(system_unrefp) struct system *s = system_find(computeSystem);
    HRESULT r;

    if (!s)
        return E_HANDLE;
    r = event_options_check((uint32_t) callbackOptions, NULL);
    return r < 0 ? r : watch_set(&s->watch, callbackOptions, context, callback, NULL);
}
