/* process.c - processes inside a system, over the flat API.
 *
 * Owns:    the handle, our ends of the pipes that HCS made, the operation that creates the process
 *          until its result was taken over.
 * Users:   the table of this back end.
 * Promise: the callback for the exit is registered before the call that makes the handle returns;
 * an exit code is only what HCS calls one; pipes that nobody took are closed with the handle.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <unistd.h>
#endif

#include "deadline.h"
#include "objects.h"
#include "wide.h"

#define SIGNAL_KILL 9 /* the host's number, also where signal.h has none */

struct cc_process {
    struct hcs_process head;
    struct cc_handle *handle; /* counted */
    struct lock lock;         /* guards what follows */
    uint32_t id;              /* 0 until created */
    flat_handle stdio[3];     /* our ends; none when taken */
    struct cc_op *creation;   /* counted; until its good result has been taken over */
};

static struct cc_process *process_of(hcs_process *process)
{
    return container_of(process, struct cc_process, head);
}

/* ---- standard handles ---- */

#ifdef _WIN32

void cc_stdio_close(flat_handle h)
{
    if (!flat_handle_is_none(h))
        CloseHandle(h);
}

static hcs_pollable stdio_pollable(flat_handle h)
{
    return flat_handle_is_none(h) ? HCS_POLLABLE_NONE : h;
}

#else

void cc_stdio_close(flat_handle h)
{
    if (!flat_handle_is_none(h))
        (void) close((int) (intptr_t) h);
}

static hcs_pollable stdio_pollable(flat_handle h)
{
    return flat_handle_is_none(h) ? HCS_POLLABLE_NONE : (int) (intptr_t) h;
}

#endif

/* ---- making ---- */

static void process_free(struct cc_process *p)
{
    lock_done(&p->lock);
    free(p);
}

static void process_drop(struct cc_process *p)
{
    struct cc_host *host;

    if (!p->handle) {
        process_free(p);
        return;
    }
    host = cc_host_ref(p->handle->host);
    cc_handle_close(p->handle, "the process's handle was closed");
    for (size_t i = 0; i < N_ELEMENTS(p->stdio); i++)
        cc_stdio_close(p->stdio[i]);
    cc_op_unref(p->creation);
    cc_handle_unref(p->handle);
    process_free(p);
    cc_host_unuse(host);
    cc_host_unref(host);
}

static void process_dropp(struct cc_process **p)
{
    if (*p)
        process_drop(*p);
}

/* One that has no handle yet: no program shall run that nobody could be given for want of memory.
 */
static hcs_result process_new(struct cc_process **out, hcs_error *err)
{
    struct cc_process *p = calloc(1, sizeof *p);

    if (!p)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore", "no memory for a process");
    p->head.backend = &computecore_backend;
    lock_init(&p->lock);
    *out = p;
    return HCS_OK;
}

static void process_has(struct cc_process *p, struct cc_handle *take_handle)
{
    p->handle = take_handle;
    cc_host_use(take_handle->host);
}

/* With the lock held, or before anybody has @p. */
static void process_learn(struct cc_process *p, struct cc_op *op)
{
    struct flat_process_information info = cc_op_take_process(op);

    p->id = info.process_id;
    p->stdio[HCS_STDIN] = info.in;
    p->stdio[HCS_STDOUT] = info.out;
    p->stdio[HCS_STDERR] = info.err;
}

/* With the lock held: the result of the creation, if there is one, goes into the handle.  @out_done
 * is to be let go without the lock: HCS may be called then. */
static hcs_result process_settle(struct cc_process *p, struct cc_op **out_done, hcs_error *err)
{
    hcs_result r;

    if (!p->creation)
        return HCS_OK;
    if (!cc_op_done(p->creation))
        return fail(err, HCS_E_OPERATION_PENDING, "computecore", "%s is still being created",
                    p->handle->subject);
    r = cc_op_result(p->creation, err);
    if (r < 0)
        return r;
    process_learn(p, p->creation);
    *out_done = TAKE(p->creation);
    return HCS_OK;
}

static hcs_result process_check(struct cc_process *p, hcs_error *err)
{
    _cleanup_(cc_op_unrefp) struct cc_op *done = NULL;
    hcs_result r;

    lock_take(&p->lock);
    r = process_settle(p, &done, err);
    lock_give(&p->lock);
    return r;
}

/* HCS can give pipes of its own only. */
static hcs_result check_stdio(const hcs_stdio *stdio_opt, hcs_error *err)
{
    static const char *const names[] = { "stdin", "stdout", "stderr" };
    static const char *const fields[] = { "CreateStdInPipe", "CreateStdOutPipe",
                                          "CreateStdErrPipe" };
    hcs_pollable given[3];

    if (!stdio_opt)
        return HCS_OK;
    given[0] = stdio_opt->in;
    given[1] = stdio_opt->out;
    given[2] = stdio_opt->err;
    for (size_t i = 0; i < N_ELEMENTS(given); i++)
        if (given[i] != HCS_POLLABLE_NONE)
            return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "computecore",
                        "%s is a handle of the caller, and HCS takes none: ask for a pipe with %s "
                        "and take its end with hcs_process_take_stdio()",
                        names[i], fields[i]);
    return HCS_OK;
}

/* The call may be done before it has returned, and then waiting for it fails although there is a
 * process: its information can be asked for.  Only then: a short process may be gone after a good
 * wait. */
static hcs_result create_recover(struct cc_handle *h, struct cc_op **op, hcs_error *err)
{
    _cleanup_(cc_op_unrefp) struct cc_op *again = NULL;
    const struct flat_api *api = &h->host->api;
    hcs_result r, first = cc_op_result(*op, err);

    r = cc_op_new(h->host, OPERATION_WAIT, "HcsGetProcessInfo", h->subject, &again, NULL);
    if (r < 0)
        return first;
    again->with_process = true;
    if (cc_handle_enter(h, NULL) < 0)
        return first;
    r = api->HcsGetProcessInfo(h->process, again->native);
    cc_handle_leave(h);
    r = cc_op_started(again, r, NULL);
    if (r >= 0)
        r = cc_op_finish(again, NULL);
    if (r < 0)
        return first;
    cc_op_unref(*op);
    *op = TAKE(again);
    return HCS_OK;
}

static hcs_result create_start(struct cc_handle *parent, const char *parameters,
                               struct cc_handle *h, struct cc_op *op, hcs_error *err)
{
    _cleanup_(free_drop) uint16_t *wide = NULL;
    const struct flat_api *api = &parent->host->api;
    flat_process native = NULL;
    int32_t result;
    hcs_result r;

    r = wide_from_text(parameters, HCS_E_INVALID_JSON, "the parameters", &wide, err);
    if (r >= 0)
        r = cc_handle_enter(parent, err);
    if (r < 0) {
        cc_op_cancel(op);
        return r;
    }
    result = api->HcsCreateProcess(parent->system, wide, op->native, NULL, &native);
    cc_handle_leave(parent);
    return cc_create_started(h, op, result, NULL, native, err);
}

/* The handle of a process that runs, or is being created when @manner is CALL. */
static hcs_result create_handle(struct cc_handle *parent, const char *parameters,
                                enum cc_op_manner manner, struct cc_handle **out,
                                struct cc_op **out_op, hcs_error *err)
{
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = NULL;
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;
    char subject[SUBJECT_BYTES];
    hcs_result r;

    snprintf(subject, sizeof subject, "a process of %.150s", parent->subject);
    r = cc_handle_new(parent->host, subject, parent, &h, err);
    if (r >= 0)
        r = cc_op_new(parent->host, manner, "HcsCreateProcess", subject, &op, err);
    if (r < 0)
        return r;
    op->with_process = true;
    h->tells_parent = true; /* of all handles of the process only this one, so it is told once */
    r = create_start(parent, parameters, h, op, err);
    if (r < 0)
        return r;
    if (manner == OPERATION_WAIT &&
        (cc_op_done(op) ? cc_op_result(op, NULL) : cc_op_finish(op, NULL)) < 0) {
        r = h->registered ? create_recover(h, &op, err) : cc_op_result(op, err);
        if (r < 0) {
            cc_handle_close(h, "the process was not created");
            return r;
        }
    }
    *out = TAKE(h);
    *out_op = TAKE(op);
    return HCS_OK;
}

hcs_result cc_process_create(hcs_system *handle, const char *parameters, const hcs_stdio *stdio_opt,
                             hcs_process **out, hcs_op **out_op_opt, hcs_error *err)
{
    struct cc_system *system = cc_system_of(handle);
    _cleanup_(cc_handle_unrefp) struct cc_handle *parent = cc_handle_ref(system->handle);
    _cleanup_(process_dropp) struct cc_process *p = NULL;
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;
    struct cc_handle *h = NULL;
    hcs_result r;

    r = check_stdio(stdio_opt, err);
    if (r >= 0)
        r = cc_system_settle(system, err);
    if (r >= 0)
        r = process_new(&p, err);
    if (r >= 0)
        r = create_handle(parent, parameters, out_op_opt ? OPERATION_CALL : OPERATION_WAIT, &h, &op,
                          err);
    if (r < 0)
        return r;
    process_has(p, h);
    if (out_op_opt) {
        p->creation = cc_op_ref(op);
        *out_op_opt = cc_op_give(TAKE(op));
    } else {
        process_learn(p, op);
    }
    *out = &TAKE(p)->head;
    return HCS_OK;
}

hcs_result cc_process_open(hcs_system *handle, uint32_t process_id, hcs_process **out,
                           hcs_error *err)
{
    struct cc_system *system = cc_system_of(handle);
    _cleanup_(cc_handle_unrefp) struct cc_handle *parent = cc_handle_ref(system->handle);
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = NULL;
    _cleanup_(process_dropp) struct cc_process *p = NULL;
    char subject[SUBJECT_BYTES];
    flat_process native = NULL;
    int32_t result;
    hcs_result r;

    snprintf(subject, sizeof subject, "process %u of %.150s", process_id, parent->subject);
    r = cc_system_settle(system, err);
    if (r >= 0)
        r = process_new(&p, err);
    if (r >= 0)
        r = cc_handle_new(parent->host, subject, parent, &h, err);
    if (r >= 0)
        r = cc_handle_enter(parent, err);
    if (r < 0)
        return r;
    result =
        parent->host->api.HcsOpenProcess(parent->system, process_id, FLAT_GENERIC_ALL, &native);
    cc_handle_leave(parent);
    if (result < 0)
        return cc_fail(err, result, "HcsOpenProcess", subject, NULL);
    r = cc_handle_register(h, NULL, native, err);
    if (r >= 0) {
        cc_handle_ask(h, false);
        if (cc_handle_has_ended(h))
            r = fail(err, HCS_E_PROCESS_ALREADY_STOPPED, "computecore", "%s has exited", subject);
    }
    if (r < 0) {
        cc_handle_close(h, HANDLE_REFUSED);
        return r;
    }
    process_has(p, TAKE(h));
    p->id = process_id;
    *out = &TAKE(p)->head;
    return HCS_OK;
}

/* ---- using ---- */

uint32_t cc_process_id(hcs_process *process)
{
    struct cc_process *p = process_of(process);
    _cleanup_(cc_op_unrefp) struct cc_op *done = NULL;
    uint32_t id;

    lock_take(&p->lock);
    id = process_settle(p, &done, NULL) < 0 ? 0 : p->id;
    lock_give(&p->lock);
    return id;
}

hcs_pollable cc_process_take_stdio(hcs_process *process, hcs_stdio_which which)
{
    struct cc_process *p = process_of(process);
    _cleanup_(cc_op_unrefp) struct cc_op *done = NULL;
    hcs_pollable pollable = HCS_POLLABLE_NONE;

    lock_take(&p->lock);
    if (process_settle(p, &done, NULL) >= 0)
        pollable = stdio_pollable(TAKE(p->stdio[which]));
    lock_give(&p->lock);
    return pollable;
}

hcs_result cc_process_wait(hcs_process *process, uint64_t deadline_ns, int timeout_ms,
                           hcs_exit *out, hcs_error *err)
{
    struct cc_process *p = process_of(process);
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = cc_handle_ref(p->handle);
    hcs_result r = process_check(p, err);

    if (r < 0)
        return r;
    cc_handle_ask(h, timeout_ms == 0);
    return cc_handle_wait(h, deadline_ns, out, err);
}

static hcs_result signal_send(struct cc_handle *h, int number, struct cc_op *op, hcs_error *err)
{
    _cleanup_(free_drop) uint16_t *options = NULL;
    const struct flat_api *api = &h->host->api;
    char text[32];
    int32_t result;
    hcs_result r;

    snprintf(text, sizeof text, "{\"Signal\":%d}", number);
    r = wide_from_text(text, HCS_E_INVALIDARG, "the options", &options, err);
    if (r >= 0)
        r = cc_handle_enter(h, err);
    if (r < 0)
        return r;
    result = number == SIGNAL_KILL ? api->HcsTerminateProcess(h->process, op->native, NULL)
                                   : api->HcsSignalProcess(h->process, op->native, options);
    cc_handle_leave(h);
    r = cc_op_started(op, result, err);
    return r < 0 ? r : cc_op_finish(op, err);
}

hcs_result cc_process_signal(hcs_process *process, int number, hcs_error *err)
{
    struct cc_process *p = process_of(process);
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = cc_handle_ref(p->handle);
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;
    hcs_result r = process_check(p, err);

    /* HCS has several codes for a signal to a process that is gone; when it told us, we know. */
    if (r >= 0 && cc_handle_has_ended(h))
        r = fail(err, HCS_E_PROCESS_ALREADY_STOPPED, "computecore", "%s has exited", h->subject);
    if (r >= 0)
        r = cc_op_new(h->host, OPERATION_WAIT,
                      number == SIGNAL_KILL ? "HcsTerminateProcess" : "HcsSignalProcess",
                      h->subject, &op, err);
    return r < 0 ? r : signal_send(h, number, op, err);
}

void cc_process_close(hcs_process *process)
{
    process_drop(process_of(process));
}
