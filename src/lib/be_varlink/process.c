/* process.c - handles of processes inside a system.
 *
 * Owns:    process id, our ends of its pipes, the operation that creates it until it is done, its
 *          exit report once known.
 * Users:   the table of the back end.
 * Promise: handle and operation of a process that is being created may be closed in either order;
 *          a pipe end is given away once, and closed with the handle otherwise.
 */
#include <assert.h>
#include <string.h>

#include "fd.h"
#include "handles.h"
#include "tcp.h"

/* How long hcs_process_wait(0) waits for a service that cannot be asked whether a process runs, and
 * for the report of one that has exited. */
enum { ASK_LIMIT_MS = 50, REPORT_LIMIT_MS = 10000 };

static const char *const stdio_names[] = { "stdin", "stdout", "stderr" };

struct vl_process {
    struct hcs_process head;
    struct vl_host *host; /* counted */
    char *system_id;
    uint64_t incarnation;
    struct waiter waiter;
    struct lock lock;       /* guards what follows */
    uint32_t id;            /* 0 until created */
    int stdio[3];           /* our ends; -1 none, or taken */
    struct vl_op *creation; /* counted; until its good result has been taken over */
};

static void process_drop(struct vl_process *process)
{
    if (!process)
        return;
    for (size_t i = 0; i < N_ELEMENTS(process->stdio); i++)
        fd_drop(&process->stdio[i]);
    waiter_done(&process->waiter);
    vl_op_unref(process->creation);
    lock_done(&process->lock);
    vl_host_unref(process->host);
    free(process->system_id);
    free(process);
}

static void process_dropp(struct vl_process **process)
{
    process_drop(*process);
}

static hcs_result process_new(const struct vl_system *system, uint64_t incarnation,
                              struct vl_process **out, hcs_error *err)
{
    struct vl_process *process = calloc(1, sizeof(*process));

    if (process)
        process->system_id = strdup(system->head.id);
    if (!process || !process->system_id) {
        free(process);
        return fail(err, HCS_E_OUTOFMEMORY, "process.new", "no memory for a process");
    }
    process->head.backend = &varlink_backend;
    process->host = vl_host_ref(system->host);
    process->incarnation = incarnation;
    for (size_t i = 0; i < N_ELEMENTS(process->stdio); i++)
        process->stdio[i] = -1;
    waiter_init(&process->waiter);
    lock_init(&process->lock);
    *out = process;
    return HCS_OK;
}

/* Take process id and pipe ends from a reply of CreateProcess. */
static hcs_result process_learn(struct vl_process *process, struct varlink_message *reply,
                                hcs_error *err)
{
    const json_t *id = json_object_get(reply->json, "processId");
    json_int_t value = json_integer_value(id);
    int stdio[3] = { -1, -1, -1 };

    if (!json_is_integer(id) || value <= 0 || value > UINT32_MAX)
        return fail(err, HCS_E_PROTOCOL_ERROR, "process.create",
                    "no 'processId' in the answer of the service");
    for (size_t i = 0; i < N_ELEMENTS(stdio); i++) {
        const json_t *index = json_object_get(reply->json, stdio_names[i]);
        json_int_t at = json_integer_value(index);

        if (!index || json_is_null(index))
            continue;
        if (!json_is_integer(index) || at < 0 || (size_t) at >= reply->n_fds ||
            reply->fds[at] < 0) {
            for (size_t j = 0; j < i; j++)
                fd_drop(&stdio[j]);
            return fail(err, HCS_E_PROTOCOL_ERROR, "process.create",
                        "'%s' in the answer of the service names no file descriptor",
                        stdio_names[i]);
        }
        stdio[i] = TAKE_FD(reply->fds[at]);
    }
    process->id = (uint32_t) value;
    if (process->host->is_tcp)
        tcp_stdio_claimed(process->stdio);
    for (size_t i = 0; i < N_ELEMENTS(stdio); i++) {
        if (stdio[i] >= 0) /* over TCP ours have been there from the beginning */
            process->stdio[i] = stdio[i];
    }
    return HCS_OK;
}

/* With the lock held: the result of the creation, if there is one, goes into the handle. */
static hcs_result process_settle(struct vl_process *process, hcs_error *err)
{
    hcs_result r;

    if (!process->creation)
        return HCS_OK;
    if (!vl_op_done(process->creation))
        return fail(err, HCS_E_OPERATION_PENDING, "process.call",
                    "a process in '%s' is still being created", process->system_id);
    r = vl_op_result(process->creation, err);
    if (r >= 0)
        r = process_learn(process, vl_op_reply(process->creation), err);
    if (r < 0)
        return r;
    vl_op_unref(TAKE(process->creation));
    return HCS_OK;
}

static hcs_result process_parameters(struct vl_process *process, json_t **out, hcs_error *err)
{
    json_t *parameters;
    uint32_t id;
    hcs_result r;

    lock_take(&process->lock);
    r = process_settle(process, err);
    id = process->id;
    lock_give(&process->lock);
    if (r < 0)
        return r;
    parameters = json_pack("{s:s, s:I, s:I}", "id", process->system_id, "incarnation",
                           (json_int_t) process->incarnation, "processId", (json_int_t) id);
    if (!parameters)
        return fail(err, HCS_E_OUTOFMEMORY, "process.call", "no memory for a request");
    *out = parameters;
    return HCS_OK;
}

#ifndef _WIN32

/* Name the given handles in @parameters by their index in @fds. */
static hcs_result stdio_add(const hcs_stdio *stdio, json_t *parameters, int fds[3],
                            size_t *out_n_fds, hcs_error *err)
{
    const hcs_pollable given[] = { stdio->in, stdio->out, stdio->err };
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(given); i++) {
        if (given[i] == HCS_POLLABLE_NONE)
            continue;
        if (given[i] < 0)
            return fail(err, HCS_E_INVALIDARG, "hcs_process_create", "%s is %d, no file descriptor",
                        stdio_names[i], given[i]);
        if (json_object_set_new(parameters, stdio_names[i], json_integer((json_int_t) n)) < 0)
            return fail(err, HCS_E_OUTOFMEMORY, "hcs_process_create", "no memory for a request");
        fds[n++] = given[i];
    }
    *out_n_fds = n;
    return HCS_OK;
}

#endif

static hcs_result create_parameters(struct vl_system *system, const char *text,
                                    const hcs_stdio *stdio_opt, json_t **out, int fds[3],
                                    size_t *out_n_fds, os_socket stdio[3], hcs_error *err)
{
    json_t *parameters, *document;
    hcs_result r = vl_system_parameters(system, &parameters, err);

    if (r < 0)
        return r;
    r = call_text(text, HCS_E_INVALID_JSON, "hcs_process_create", "parameters", &document, err);
    if (r >= 0 && json_object_set_new(parameters, "parameters", document) < 0)
        r = fail(err, HCS_E_OUTOFMEMORY, "hcs_process_create", "no memory for a request");
    if (r >= 0 && system->host->is_tcp)
        r = tcp_stdio(system->host, text, stdio_opt, parameters, stdio, err);
#ifdef _WIN32
    (void) fds;
    (void) out_n_fds; /* every service is one over TCP */
#else
    else if (r >= 0 && stdio_opt)
        r = stdio_add(stdio_opt, parameters, fds, out_n_fds, err);
#endif
    if (r < 0) {
        json_decref(parameters);
        return r;
    }
    *out = parameters;
    return HCS_OK;
}

/* ---- verbs of the back end ---- */

static struct vl_process *vl_process_of(hcs_process *process)
{
    return container_of(process, struct vl_process, head);
}

hcs_result vl_process_create(hcs_system *handle, const char *parameters, const hcs_stdio *stdio_opt,
                             hcs_process **out, hcs_op **out_op_opt, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    _cleanup_(process_dropp) struct vl_process *process = NULL;
    struct vl_system *system = vl_system_of(handle);
    struct vl_op *op = NULL;
    json_t *request;
    os_socket stdio[3] = { SOCKET_NONE, SOCKET_NONE, SOCKET_NONE };
    size_t n_fds = 0;
    int fds[3];
    hcs_result r;

    varlink_message_init(&reply);
    r = create_parameters(system, parameters, stdio_opt, &request, fds, &n_fds, stdio, err);
    if (r < 0)
        return r;
    r = process_new(system, (uint64_t) json_integer_value(json_object_get(request, "incarnation")),
                    &process, err);
    if (r < 0) {
        for (size_t i = 0; i < N_ELEMENTS(stdio); i++)
            socket_drop(&stdio[i]);
        json_decref(request);
        return r;
    }
    memcpy(process->stdio, stdio, sizeof(stdio));
    if (out_op_opt) {
        r = vl_op_new(system->host, INTERFACE "CreateProcess", request, fds, n_fds, &op, err);
        if (r < 0)
            return r;
        process->creation = vl_op_ref(op);
        *out_op_opt = &op->head;
    } else {
        r = call_make(system->host, INTERFACE "CreateProcess", request, fds, n_fds, NO_DEADLINE,
                      &reply, err);
        if (r >= 0)
            r = process_learn(process, &reply, err);
        if (r < 0)
            return r;
    }
    *out = &(TAKE(process))->head;
    return HCS_OK;
}

uint32_t vl_process_id(hcs_process *process)
{
    struct vl_process *self = vl_process_of(process);
    uint32_t id;

    lock_take(&self->lock);
    id = process_settle(self, NULL) < 0 ? 0 : self->id;
    lock_give(&self->lock);
    return id;
}

static hcs_pollable pollable_of(os_socket s)
{
#ifdef _WIN32
    return s == SOCKET_NONE ? HCS_POLLABLE_NONE : (hcs_pollable) (uintptr_t) s;
#else
    return s;
#endif
}

hcs_pollable vl_process_take_stdio(hcs_process *process, hcs_stdio_which which)
{
    struct vl_process *self = vl_process_of(process);
    os_socket end = SOCKET_NONE;

    lock_take(&self->lock);
    if (process_settle(self, NULL) >= 0)
        end = TAKE_FD(self->stdio[which]);
    lock_give(&self->lock);
    return pollable_of(end);
}

static hcs_result process_signal(struct vl_process *process, int signal, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    json_t *parameters;
    hcs_result r;

    varlink_message_init(&reply);
    r = process_parameters(process, &parameters, err);
    if (r < 0)
        return r;
    if (json_object_set_new(parameters, "signal", json_integer(signal)) < 0) {
        json_decref(parameters);
        return fail(err, HCS_E_OUTOFMEMORY, "process.signal", "no memory for a request");
    }
    return call_make(process->host, INTERFACE "SignalProcess", parameters, NULL, 0, NO_DEADLINE,
                     &reply, err);
}

hcs_result vl_process_open(hcs_system *handle, uint32_t process_id, hcs_process **out,
                           hcs_error *err)
{
    _cleanup_(process_dropp) struct vl_process *process = NULL;
    struct vl_system *system = vl_system_of(handle);
    uint64_t incarnation = 0;
    hcs_result r;

    r = vl_system_incarnation(system, &incarnation, err);
    if (r >= 0)
        r = process_new(system, incarnation, &process, err);
    if (r < 0)
        return r;
    process->id = process_id;
    /* Signal 0 asks, as with kill(2). */
    r = process_signal(process, 0, err);
    if (r < 0)
        return r;
    *out = &(TAKE(process))->head;
    return HCS_OK;
}

hcs_result vl_process_signal(hcs_process *process, int signal, hcs_error *err)
{
    return process_signal(vl_process_of(process), signal, err);
}

/* How long to wait for the report when the user does not want to wait at all: not, when the
 * process runs.  Signal 0 asks, as with kill(2): the answer is that it has exited, or nothing. */
static hcs_result process_patience_ms(struct vl_process *process, int *out_ms, hcs_error *err)
{
    hcs_error why = HCS_ERROR_INIT;
    hcs_result r = process_signal(process, 0, &why);

    if (r >= 0) {
        *out_ms = 0;
        return HCS_OK;
    }
    if (r == HCS_E_SERVICE_DISCONNECT || r == HCS_E_OPERATION_PENDING) {
        error_copy(err, &why);
        return r;
    }
    *out_ms = r == HCS_E_INVALIDARG ? ASK_LIMIT_MS : REPORT_LIMIT_MS;
    return HCS_OK;
}

hcs_result vl_process_wait(hcs_process *process, uint64_t deadline_ns, int timeout_ms,
                           hcs_exit *out, hcs_error *err)
{
    struct vl_process *self = vl_process_of(process);
    json_t *parameters;
    hcs_result r;

    if (waiter_known(&self->waiter, out))
        return HCS_OK;
    if (timeout_ms == 0) {
        r = process_patience_ms(self, &timeout_ms, err);
        if (r < 0)
            return r;
        if (timeout_ms == 0)
            return fail(err, HCS_E_OPERATION_TIMEOUT, "process.wait", "process %u has not exited",
                        vl_process_id(process));
        r = deadline_of(timeout_ms, "hcs_process_wait", &deadline_ns, err);
        if (r < 0)
            return r;
    }
    r = process_parameters(self, &parameters, err);
    if (r < 0)
        return r;
    return waiter_wait(&self->waiter, self->host, INTERFACE "WaitProcess", parameters, deadline_ns,
                       out, err);
}

void vl_process_close(hcs_process *process)
{
    process_drop(vl_process_of(process));
}
