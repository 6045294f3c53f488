/* methods.c - Varlink calls to engine calls, and answers back.
 * Owns:    the table of methods and what parameters each takes.
 * Users:   connection.c, for each message.  Loop thread only.
 * Promise: a call that is not understood is refused by the name of what is wrong; no decision is
 * taken here. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "event.h"
#include "exit.h"
#include "fd.h"
#include "interface_text.h"
#include "server.h"

#define PARAMETERS_MAX 12 /* and one that ends them */

enum type { TEXT, NUMBER, BOOLEAN, OBJECT };

struct parameter {
    const char *name;
    enum type type;
    int required;
};

struct method {
    const char *name;
    struct parameter parameters[PARAMETERS_MAX];
    void (*begin)(struct connection *c, const json_t *parameters, struct varlink_message *message);
    json_t *(*format)(struct connection *c, const struct answer *answer);
    unsigned takes; /* TAKES() of what each user may have only so many of */
};

#define TAKES(limit) (1u << (limit))
#define WAITS TAKES(LIMIT_CALLS)

static const char *const stdio_names[] = { "stdin", "stdout", "stderr" };
static const char *const ticket_names[] = { "stdinTicket", "stdoutTicket", "stderrTicket" };

/* ---- parameters ---- */

static const char *text_of(const json_t *parameters, const char *name)
{
    return json_string_value(json_object_get(parameters, name));
}

static uint64_t number_of(const json_t *parameters, const char *name)
{
    return (uint64_t) json_integer_value(json_object_get(parameters, name));
}

static void refuse_parameter(struct connection *c, const char *name)
{
    connection_reply_error(c, "org.varlink.service.InvalidParameter",
                           json_pack("{s:s}", "parameter", name));
}

static int is_of_type(const json_t *value, enum type type)
{
    switch (type) {
    case TEXT:
        return json_is_string(value);
    case NUMBER:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case BOOLEAN:
        return json_is_boolean(value);
    default:
        return json_is_object(value);
    }
}

/* Every parameter known and of its type, every required one there; otherwise the call is answered:
 * 0. */
static int check_parameters(struct connection *c, const struct method *m, const json_t *parameters)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *) (uintptr_t) parameters, name, value)
    {
        const struct parameter *p = m->parameters;

        while (p->name && strcmp(p->name, name) != 0)
            p++;
        if (!p->name || !(is_of_type(value, p->type) || (!p->required && json_is_null(value)))) {
            refuse_parameter(c, name);
            return 0;
        }
    }
    for (const struct parameter *p = m->parameters; p->name; p++)
        if (p->required && !json_object_get(parameters, p->name)) {
            refuse_parameter(c, p->name);
            return 0;
        }
    return 1;
}

/* ---- answers ---- */

static void on_answered(struct call *call, const struct answer *answer)
{
    struct connection *c = container_of(call, struct connection, call);
    const struct method *m = c->method;
    json_t *parameters;
    int fds[3], n_fds = 0;

    assert(m);
    /* Whoever has the answer finds the event in its stream: over TCP the two take different ways.
     */
    connections_flush_streams(c->server);
    if (answer->result < 0) {
        connection_reply_failure(c, answer->err);
        connection_call_done(c);
        return;
    }
    parameters = m->format ? m->format(c, answer) : json_object();
    for (int i = 0; i < 3; i++)
        if (c->back_fds[i] >= 0)
            fds[n_fds++] = c->back_fds[i];
    connection_reply_fds(c, parameters, fds, (size_t) n_fds);
    json_decref(parameters);
    connection_call_done(c);
}

static void begin(struct connection *c, const struct method *m)
{
    call_drop(&c->call);
    call_init(&c->call, on_answered);
    c->method = m;
}

static json_t *format_system(struct connection *c, const struct answer *answer)
{
    (void) c;
    return json_pack("{s:o}", "system", event_system_to_json(answer->system));
}

static json_t *format_exit(struct connection *c, const struct answer *answer)
{
    (void) c;
    return json_pack("{s:o, s:s}", "exit", exit_to_json(answer->exit), "detail",
                     answer->detail ? answer->detail : "");
}

static json_t *format_properties(struct connection *c, const struct answer *answer)
{
    (void) c;
    return json_pack("{s:O}", "properties", answer->json);
}

static json_t *format_systems(struct connection *c, const struct answer *answer)
{
    json_t *json = json_pack("{s:O}", "systems", answer->json);

    if (json && answer->position)
        json_object_set_new(json, "position", position_to_json(c->server, answer->position));
    return json;
}

static json_t *format_process(struct connection *c, const struct answer *answer)
{
    json_t *json = json_pack("{s:I}", "processId", (json_int_t) answer->process_id);
    int index = 0;

    for (int i = 0; json && i < 3; i++)
        if (c->back_fds[i] >= 0)
            json_object_set_new(json, stdio_names[i], json_integer(index++));
    return json;
}

/* ---- systems ---- */

static void begin_create(struct connection *c, const json_t *p, struct varlink_message *message)
{
    (void) message;
    engine_create(c->server->engine, &c->call, text_of(p, "id"), text_of(p, "document"));
}

static void begin_open(struct connection *c, const json_t *p, struct varlink_message *message)
{
    (void) message;
    engine_open(c->server->engine, &c->call, text_of(p, "id"));
}

#define SYSTEM_VERB(verb)                                                                          \
    static void begin_##verb(struct connection *c, const json_t *p,                                \
                             struct varlink_message *message)                                      \
    {                                                                                              \
        (void) message;                                                                            \
        engine_##verb(c->server->engine, &c->call, text_of(p, "id"), number_of(p, "incarnation")); \
    }
SYSTEM_VERB(start)
SYSTEM_VERB(shut_down)
SYSTEM_VERB(terminate)
SYSTEM_VERB(wait)
SYSTEM_VERB(forget)
SYSTEM_VERB(properties)
#undef SYSTEM_VERB

static void begin_list(struct connection *c, const json_t *p, struct varlink_message *message)
{
    (void) message;
    engine_list(c->server->engine, &c->call, text_of(p, "query"),
                json_is_true(json_object_get(p, "snapshot")));
}

/* ---- processes ---- */

static void fail_call(struct connection *c, const hcs_error *err)
{
    connection_reply_failure(c, err);
    connection_call_done(c);
}

/* A descriptor that came with the call.  Owned. */
static hcs_result given_handle(const json_t *index, const struct varlink_message *message,
                               int which, int want_pipe, int *out, hcs_error *err)
{
    json_int_t i = json_integer_value(index);

    if (want_pipe)
        return fail(err, HCS_E_INVALIDARG, "hcsd.process",
                    "%s is given, and the document asks for a pipe too", stdio_names[which]);
    if (i >= (json_int_t) message->n_fds)
        return fail(err, HCS_E_INVALIDARG, "hcsd.process",
                    "%s is file descriptor %lld of the call, which has %zu", stdio_names[which],
                    (long long) i, message->n_fds);
    *out = fcntl(message->fds[i], F_DUPFD_CLOEXEC, 3);
    return HCS_OK;
}

/* A new pipe; the client's end travels with the answer. */
static hcs_result new_pipe(struct connection *c, int which, int *out, hcs_error *err)
{
    int ends[2];

    if (c->kind == CONNECTION_TCP)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "hcsd.process",
                    "the document asks for a pipe as %s, and over TCP none can be passed: open a "
                    "connection with OpenStdio and name it as %s",
                    stdio_names[which], ticket_names[which]);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return fail_os(err, result_from_errno(errno), errno, "hcsd.process", "pipe for %s",
                       stdio_names[which]);
    *out = ends[which == 0 ? 0 : 1];
    c->back_fds[which] = ends[which == 0 ? 1 : 0];
    return HCS_OK;
}

/* One standard handle of a new process: that of its ticket, the client's, a new pipe, or /dev/null.
 * Owned; *@out is that of the ticket, if there was one. */
static hcs_result choose_handle(struct connection *c, const json_t *p,
                                const struct varlink_message *message, int which, int want_pipe,
                                int *out, hcs_error *err)
{
    const json_t *index = json_object_get(p, stdio_names[which]);
    const char *ticket = text_of(p, ticket_names[which]);
    hcs_result r = HCS_OK;

    if (ticket && json_is_integer(index))
        return fail(err, HCS_E_INVALIDARG, "hcsd.process", "both %s and %s are given",
                    stdio_names[which], ticket_names[which]);
    if (ticket && *out < 0)
        return fail(err, HCS_E_WIN32_NOT_FOUND, "hcsd.process",
                    "%s '%.40s' is of no connection that waits for its program (it waits %u s)",
                    ticket_names[which], ticket, TICKET_SECONDS);
    if (ticket)
        return HCS_OK;
    if (json_is_integer(index))
        r = given_handle(index, message, which, want_pipe, out, err);
    else if (want_pipe)
        r = new_pipe(c, which, out, err);
    else
        *out = fcntl(c->server->null_fd, F_DUPFD_CLOEXEC, 3);
    if (r >= 0 && *out < 0)
        return fail_os(err, result_from_errno(errno), errno, "hcsd.process", "%s of the process",
                       stdio_names[which]);
    return r;
}

/* What the call has tickets for, whatever becomes of the call: nobody else will claim them. */
static void take_tickets(struct server *s, const json_t *p, int fds[3])
{
    for (int i = 0; i < 3; i++) {
        const char *ticket = text_of(p, ticket_names[i]);

        fds[i] = ticket ? ticket_take(s, ticket) : -1;
    }
}

static void begin_process_create(struct connection *c, const json_t *p,
                                 struct varlink_message *message)
{
    _cleanup_(doc_process_dropp) struct doc_process *doc = NULL;
    hcs_error err = HCS_ERROR_INIT;
    int fds[3];
    hcs_result r = doc_process_parse(text_of(p, "parameters"), &doc, &err);

    take_tickets(c->server, p, fds);
    for (int i = 0; r >= 0 && i < 3; i++) {
        int pipes[] = { doc->create_stdin_pipe, doc->create_stdout_pipe, doc->create_stderr_pipe };

        r = choose_handle(c, p, message, i, pipes[i], &fds[i], &err);
    }
    if (r >= 0)
        engine_process_create(c->server->engine, &c->call, text_of(p, "id"),
                              number_of(p, "incarnation"), doc, fds);
    else
        fail_call(c, &err);
    for (int i = 0; i < 3; i++)
        fd_drop(&fds[i]);
}

static void begin_open_stdio(struct connection *c, const json_t *p, struct varlink_message *message)
{
    struct ticket *ticket = NULL;
    hcs_error err = HCS_ERROR_INIT;
    json_t *parameters;

    (void) p;
    (void) message;
    if (ticket_new(c->server, c->account, &ticket, &err) < 0) {
        fail_call(c, &err);
        return;
    }
    parameters = json_pack("{s:s}", "ticket", ticket_name(ticket));
    connection_reply(c, parameters, 0);
    json_decref(parameters);
    c->ticket = ticket; /* the connection is handed over when it has nothing else to do */
    c->closing = 1;
    connection_call_done(c);
}

static void begin_authenticate(struct connection *c, const json_t *p,
                               struct varlink_message *message)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) p;
    (void) message;
    fail(&err, HCS_E_INVALID_STATE, "hcsd.authenticate", "%s",
         c->kind == CONNECTION_TCP ? "this connection has shown the token already"
                                   : "only connections over TCP show a token");
    fail_call(c, &err);
}

/* A process id as the engine has it; one that is out of range is that of no process. */
static uint32_t process_id_of(const json_t *p)
{
    uint64_t number = number_of(p, "processId");

    return number <= UINT32_MAX ? (uint32_t) number : 0;
}

static void begin_process_wait(struct connection *c, const json_t *p,
                               struct varlink_message *message)
{
    (void) message;
    engine_process_wait(c->server->engine, &c->call, text_of(p, "id"), number_of(p, "incarnation"),
                        process_id_of(p));
}

static void begin_process_signal(struct connection *c, const json_t *p,
                                 struct varlink_message *message)
{
    uint64_t signal = number_of(p, "signal");

    (void) message;
    engine_process_signal(c->server->engine, &c->call, text_of(p, "id"),
                          number_of(p, "incarnation"), process_id_of(p),
                          signal <= 1000 ? (int) signal : 1000);
}

/* ---- about the service ---- */

/* The one answer of a method that only tells how things are. */
static void reply_object(struct connection *c, const char *name, json_t *take_object)
{
    json_t *parameters = json_pack("{s:o}", name, take_object);

    connection_reply(c, parameters, 0);
    json_decref(parameters);
    connection_call_done(c);
}

static void begin_info(struct connection *c, const json_t *p, struct varlink_message *message)
{
    (void) p;
    (void) message;
    reply_object(c, "info", info_object(c->server));
}

static void begin_status(struct connection *c, const json_t *p, struct varlink_message *message)
{
    (void) p;
    (void) message;
    reply_object(c, "status", status_object(c->server));
}

static void begin_service_info(struct connection *c, const json_t *p,
                               struct varlink_message *message)
{
    json_t *parameters = json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "libhcs", "product",
                                   "hcsd", "version", VERSION, "url", "", "interfaces",
                                   "org.varlink.service", interface_name);

    (void) p;
    (void) message;
    connection_reply(c, parameters, 0);
    json_decref(parameters);
    connection_call_done(c);
}

static const char service_text[] =
    "# What every Varlink service answers.\n"
    "interface org.varlink.service\n"
    "method GetInfo() -> (vendor: string, product: string, version: string, url: string, "
    "interfaces: []string)\n"
    "method GetInterfaceDescription(interface: string) -> (description: string)\n"
    "error InterfaceNotFound (interface: string)\n"
    "error MethodNotFound (method: string)\n"
    "error MethodNotImplemented (method: string)\n"
    "error InvalidParameter (parameter: string)\n";

static void begin_description(struct connection *c, const json_t *p,
                              struct varlink_message *message)
{
    const char *wanted = text_of(p, "interface");
    const char *text = strcmp(wanted, interface_name) == 0          ? interface_text
                       : strcmp(wanted, "org.varlink.service") == 0 ? service_text
                                                                    : NULL;
    json_t *parameters;

    (void) message;
    if (!text) {
        connection_reply_error(c, "org.varlink.service.InterfaceNotFound",
                               json_pack("{s:s}", "interface", wanted));
    } else {
        parameters = json_pack("{s:s}", "description", text);
        connection_reply(c, parameters, 0);
        json_decref(parameters);
    }
    connection_call_done(c);
}

static void begin_hand_over(struct connection *c, const json_t *p, struct varlink_message *message)
{
    hcs_error err = HCS_ERROR_INIT;
    json_t *parameters;
    int listen_fd;

    (void) p;
    (void) message;
    if (replace_hand_over(c, &listen_fd, &err) < 0) {
        connection_reply_failure(c, &err);
        connection_call_done(c);
        return;
    }
    parameters = json_pack("{s:i}", "socket", 0);
    connection_reply_fds(c, parameters, &listen_fd, 1);
    json_decref(parameters);
    varlink_flush(c->varlink);
    connection_call_done(c);
    replace_leave(c->server);
}

/* ---- the tables ---- */

#define ID                                                                                         \
    {                                                                                              \
        "id", TEXT, 1                                                                              \
    }
#define INCARNATION                                                                                \
    {                                                                                              \
        "incarnation", NUMBER, 0                                                                   \
    }
#define PROCESS_ID                                                                                 \
    {                                                                                              \
        "processId", NUMBER, 1                                                                     \
    }

static const struct method methods[] = {
    { "Authenticate", { { "token", TEXT, 1 } }, begin_authenticate, NULL },
    { "GetInfo", { { 0 } }, begin_info, NULL },
    { "GetStatus", { { 0 } }, begin_status, NULL },
    { "CreateSystem", { ID, { "document", TEXT, 1 } }, begin_create, format_system, WAITS },
    { "OpenSystem", { ID }, begin_open, format_system },
    { "StartSystem", { ID, INCARNATION }, begin_start, NULL, WAITS },
    { "ShutDownSystem", { ID, INCARNATION }, begin_shut_down, NULL, WAITS },
    { "TerminateSystem", { ID, INCARNATION }, begin_terminate, NULL, WAITS },
    { "WaitSystem", { ID, INCARNATION }, begin_wait, format_exit, WAITS },
    { "GetSystemProperties", { ID, INCARNATION }, begin_properties, format_properties },
    { "ListSystems",
      { { "query", TEXT, 0 }, { "snapshot", BOOLEAN, 0 } },
      begin_list,
      format_systems },
    { "ForgetSystem", { ID, INCARNATION }, begin_forget, NULL },
    { "HandOver", { { 0 } }, begin_hand_over, NULL },
    { "OpenStdio", { { 0 } }, begin_open_stdio, NULL, TAKES(LIMIT_TICKETS) },
    { "CreateProcess",
      { ID,
        INCARNATION,
        { "parameters", TEXT, 1 },
        { "stdin", NUMBER, 0 },
        { "stdout", NUMBER, 0 },
        { "stderr", NUMBER, 0 },
        { "stdinTicket", TEXT, 0 },
        { "stdoutTicket", TEXT, 0 },
        { "stderrTicket", TEXT, 0 } },
      begin_process_create,
      format_process,
      WAITS },
    { "WaitProcess", { ID, INCARNATION, PROCESS_ID }, begin_process_wait, format_exit, WAITS },
    { "SignalProcess",
      { ID, INCARNATION, PROCESS_ID, { "signal", NUMBER, 1 } },
      begin_process_signal,
      NULL },
    { "Subscribe",
      { { "from", TEXT, 0 },
        { "after", NUMBER, 0 },
        { "systemId", TEXT, 0 },
        INCARNATION,
        { "log", TEXT, 0 },
        { "since", NUMBER, 0 },
        { "until", NUMBER, 0 },
        { "last", NUMBER, 0 },
        { "follow", BOOLEAN, 0 },
        { "filter", OBJECT, 0 },
        { "bookmarkMs", NUMBER, 0 } },
      subscribe_begin,
      NULL,
      TAKES(LIMIT_STREAMS) },
};

static const struct method service_methods[] = {
    { "GetInfo", { { 0 } }, begin_service_info, NULL },
    { "GetInterfaceDescription", { { "interface", TEXT, 1 } }, begin_description, NULL },
};

static const struct method *find_method(const struct method *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

/* The method a message calls; otherwise the message is answered: NULL. */
static const struct method *look_up(struct connection *c, const char *full)
{
    const char *dot = strrchr(full, '.');
    size_t n = dot ? (size_t) (dot - full) : 0;
    const struct method *m = NULL;
    int ours = n == strlen(interface_name) && strncmp(full, interface_name, n) == 0;
    int service =
        n == strlen("org.varlink.service") && strncmp(full, "org.varlink.service", n) == 0;

    if (ours)
        m = find_method(methods, N_ELEMENTS(methods), dot + 1);
    else if (service)
        m = find_method(service_methods, N_ELEMENTS(service_methods), dot + 1);
    if (m)
        return m;
    if (ours || service)
        connection_reply_error(c, "org.varlink.service.MethodNotFound",
                               json_pack("{s:s}", "method", full));
    else
        connection_reply_error(c, "org.varlink.service.InterfaceNotFound",
                               json_pack("{s:s%}", "interface", full, n));
    return NULL;
}

/* Whether its user may have what the method takes; otherwise the call is answered: 0. */
static int check_limits(struct connection *c, const struct method *m)
{
    hcs_error err = HCS_ERROR_INIT;

    for (unsigned i = 0; i < N_LIMITS; i++) {
        if (i != LIMIT_BYTES && !(m->takes & TAKES(i)))
            continue;
        if (account_check(c->account, (enum limit) i, &err) < 0) {
            server_tell_refused(c->server->accounts.refused[i], "a call", err.text);
            connection_reply_failure(c, &err);
            return 0;
        }
    }
    return 1;
}

void method_call(struct connection *c, struct varlink_message *message)
{
    const char *full = json_string_value(json_object_get(message->json, "method"));
    const json_t *parameters = json_object_get(message->json, "parameters");
    json_t *none = NULL;
    const struct method *m;

    c->oneway = json_is_true(json_object_get(message->json, "oneway"));
    if (!full || (parameters && !json_is_object(parameters))) {
        refuse_parameter(c, full ? "parameters" : "method");
        return;
    }
    m = look_up(c, full);
    if (!m)
        return;
    if (m->begin == subscribe_begin && !json_is_true(json_object_get(message->json, "more"))) {
        refuse_parameter(c, "more");
        return;
    }
    if ((m->begin == subscribe_begin || m->begin == begin_open_stdio ||
         m->begin == begin_hand_over) &&
        c->oneway) {
        c->oneway = 0;
        refuse_parameter(c, "oneway");
        return;
    }
    if (!parameters)
        parameters = none = json_object();
    if (check_parameters(c, m, parameters) && check_limits(c, m)) {
        begin(c, m);
        m->begin(c, parameters, message);
    }
    json_decref(none);
}
