/* tcp.c - a service at a TCP port of this machine.
 *
 * Owns:    nothing past a call.
 * Users:   call.c for new connections, process.c for the standard handles of a process.
 * Promise: the token goes to the port that its file names and to no other; nothing is started where
 *          nobody listens; data of a standard handle does not pass through the service. */
#include "tcp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

hcs_result tcp_connect(const struct loopback *address, os_socket *out,
                       char out_greeting[GREETING_MAX], hcs_error *err)
{
    struct loopback there = *address;
    char token[TOKEN_MAX];
    uint16_t port;
    hcs_result r;

    r = token_read(&port, token, err);
    if (r < 0)
        return r;
    if (there.port != 0 && there.port != port)
        return fail(err, HCS_E_ACCESS_DENIED, "host.token",
                    "the token in HCS_TOKEN_FILE is for port %u, not for %u", port, there.port);
    there.port = port;
    snprintf(out_greeting, GREETING_MAX,
             "{\"method\":\"" INTERFACE "Authenticate\",\"parameters\":{\"token\":\"%s\"}}", token);
    return loopback_connect(&there, out, err);
}

/* ---- standard handles ---- */

static const char *const handle_names[] = { "stdin", "stdout", "stderr" };
static const char *const ticket_names[] = { "stdinTicket", "stdoutTicket", "stderrTicket" };
static const char *const field_names[] = { "CreateStdInPipe", "CreateStdOutPipe",
                                           "CreateStdErrPipe" };

static hcs_result refuse_handles(const hcs_stdio *stdio, hcs_error *err)
{
    const hcs_pollable given[] = { stdio->in, stdio->out, stdio->err };

    for (size_t i = 0; i < N_ELEMENTS(given); i++) {
        if (given[i] != HCS_POLLABLE_NONE)
            return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "hcs_process_create",
                        "%s is a handle of the caller, and over TCP none can be passed: ask for a "
                        "pipe with %s and take its end with hcs_process_take_stdio()",
                        handle_names[i], field_names[i]);
    }
    return HCS_OK;
}

/* Which pipes @document asks for.  One that makes no sense asks for none: the service says what is
 * wrong with it. */
static void pipes_of(const char *document, bool out[3])
{
    json_t *json = json_loads(document, 0, NULL);

    for (size_t i = 0; i < 3; i++)
        out[i] = json_is_true(json_object_get(json, field_names[i]));
    json_decref(json);
}

/* The answer to OpenStdio: the ticket into @parameters, and the connection is a connection only. */
static hcs_result stdio_learn(struct call *c, const char *name, json_t *parameters, os_socket *out,
                              hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    const json_t *ticket;
    uint64_t deadline;
    hcs_result r;

    varlink_message_init(&reply);
    r = deadline_of(START_LIMIT_MS, "process.create", &deadline, err);
    if (r >= 0)
        r = call_wait(c, deadline, &reply, err);
    if (r < 0)
        return r;
    ticket = json_object_get(reply.json, "ticket");
    if (!json_is_string(ticket))
        return fail(err, HCS_E_PROTOCOL_ERROR, "process.create",
                    "no 'ticket' in the answer of the service");
    if (json_object_set(parameters, name, (json_t *) (uintptr_t) ticket) < 0)
        return fail(err, HCS_E_OUTOFMEMORY, "hcs_process_create", "no memory for a request");
    return varlink_detach(TAKE(c->link), out, err);
}

/* To the program a handle whose reader is gone shall look like a pipe whose reader is gone: EPIPE
 * and SIGPIPE, which is what it gets when our side has ended its output before.  Not before the
 * program has it: to the service we would have gone. */
void tcp_stdio_claimed(const os_socket stdio[3])
{
    for (size_t i = HCS_STDOUT; i <= HCS_STDERR; i++) {
        if (stdio[i] != SOCKET_NONE)
            socket_end_output(stdio[i]);
    }
}

hcs_result tcp_stdio(struct vl_host *host, const char *document, const hcs_stdio *stdio_opt,
                     json_t *parameters, os_socket out[3], hcs_error *err)
{
    struct call calls[3];
    bool wanted[3];
    hcs_result r = stdio_opt ? refuse_handles(stdio_opt, err) : HCS_OK;

    if (r < 0)
        return r;
    pipes_of(document, wanted);
    for (size_t i = 0; i < 3; i++) {
        call_init(&calls[i]);
        out[i] = SOCKET_NONE;
    }
    for (size_t i = 0; r >= 0 && i < 3; i++) {
        if (wanted[i])
            r = call_begin(&calls[i], host, CALL_ONCE, INTERFACE "OpenStdio", json_object(), NULL,
                           0, err);
    }
    for (size_t i = 0; r >= 0 && i < 3; i++) {
        if (wanted[i])
            r = stdio_learn(&calls[i], ticket_names[i], parameters, &out[i], err);
    }
    for (size_t i = 0; i < 3; i++) {
        calls[i].answered = false;
        call_done(&calls[i]);
        if (r < 0)
            socket_drop(&out[i]);
    }
    return r;
}
