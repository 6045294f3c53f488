/* stage.c - one system and one process of a scripted service.  Everything here runs on the thread
 * of the service, except what the test calls. */
#include "stage.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcs/hcs.h"
#include "process.h"

#define SYSTEM                                                                                     \
    "{\"id\":\"s\",\"incarnation\":9,\"owner\":\"o\",\"type\":\"Container\",\"isolation\":"        \
    "\"none\"}"
#define SYSTEM_EXIT "{\"how\":\"status\",\"status\":0,\"type\":\"forced\",\"initiator\":\"client\"}"
#define PROCESS_EXIT "{\"how\":\"code\",\"code\":42}"

static struct stage *stage_of(struct service *s)
{
    return (struct stage *) s;
}

static void failed(struct client *c, hcs_result code)
{
    char text[200];

    snprintf(text, sizeof text,
             "{\"code\":%d,\"name\":\"X\",\"os\":0,\"place\":\"stage\",\"text\":\"as told\"}",
             code);
    client_error(c, "org.libhcs.ComputeService.Failed", text);
}

static bool is_there(const struct stage *s, const struct client *c)
{
    for (size_t i = 0; i < s->service.n_clients; i++) {
        if (s->service.clients[i] == c)
            return true;
    }
    return false;
}

/* One that is gone; another may be at its place. */
static void forget(struct client **list, size_t *n, const struct client *c)
{
    for (size_t i = 0; i < *n; i++) {
        if (list[i] == c)
            list[i--] = list[--*n];
    }
}

static void event_say(struct stage *s, struct client *c, unsigned sequence, unsigned kind,
                      const char *extra)
{
    char text[1000];

    (void) s;
    snprintf(text, sizeof text,
             "{\"event\":{\"sequence\":%u,\"kind\":%u,\"name\":\"X\",\"realtimeNs\":1,"
             "\"monotonicNs\":1,\"system\":" SYSTEM "%s}}",
             sequence, kind, extra);
    client_continue(c, text);
}

static void exit_say(struct stage *s, struct client *c)
{
    event_say(s, c, s->sequence, HCS_EVENT_SYSTEM_EXITED,
              ",\"exit\":" SYSTEM_EXIT
              ",\"detail\":\"{\\\"Status\\\":0,\\\"ExitType\\\":\\\"ForcedExit\\\"}\"");
    client_reply(c, "{\"end\":\"the system has ended\"}");
}

/* Without those who are gone. */
static void readers_prune(struct stage *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n_readers; i++) {
        if (is_there(s, s->readers[i]))
            s->readers[kept++] = s->readers[i];
    }
    s->n_readers = kept;
}

static void subscribe(struct stage *s, struct client *c)
{
    client_continue(c, "{\"ready\":{\"log\":\"l\",\"after\":0}}");
    s->n_subscribed++;
    readers_prune(s);
    if (s->exited)
        exit_say(s, c);
    else
        s->readers[s->n_readers++] = c;
}

static void answer(struct stage *s, struct client *c, const char *method)
{
    if (strcmp(method, "Subscribe") == 0)
        subscribe(s, c);
    else if (strcmp(method, "CreateSystem") == 0 || strcmp(method, "OpenSystem") == 0)
        client_reply(c, "{\"system\":" SYSTEM "}");
    else if (strcmp(method, "GetSystemProperties") == 0)
        client_reply(c, s->exited ? "{\"properties\":{\"Id\":\"s\",\"State\":\"Stopped\"}}"
                                  : "{\"properties\":{\"Id\":\"s\",\"State\":\"Running\"}}");
    else if (strcmp(method, "CreateProcess") == 0)
        client_reply(c, "{\"processId\":7}");
    else if (strcmp(method, "WaitSystem") == 0)
        client_reply(c, "{\"exit\":" SYSTEM_EXIT ",\"detail\":\"{}\"}");
    else if (strcmp(method, "WaitProcess") == 0)
        client_reply(c, "{\"exit\":" PROCESS_EXIT ",\"detail\":\"{}\"}");
    else if (strcmp(method, "SignalProcess") == 0 && s->process_exited)
        failed(c, HCS_E_PROCESS_ALREADY_STOPPED);
    else
        client_reply(c, "{\"info\":{}}");
}

static bool is_waiting_for_an_end(const struct stage *s, const char *method)
{
    return (strcmp(method, "WaitSystem") == 0 && !s->exited) ||
           (strcmp(method, "WaitProcess") == 0 && !s->process_exited);
}

/* Without those who are gone, and @c, who asks something new. */
static void waiting_prune(struct stage *s, const struct client *c)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n_waiting; i++) {
        if (s->waiting[i] == c || !is_there(s, s->waiting[i]))
            continue;
        s->waiting[kept] = s->waiting[i];
        s->method_of[kept++] = s->method_of[i];
    }
    s->n_waiting = kept;
}

static void handle(struct service *service, struct client *c, const char *method,
                   const json_t *parameters, struct varlink_message *message)
{
    struct stage *s = stage_of(service);
    const char *name = strrchr(method, '.') + 1;

    (void) parameters, (void) message;
    forget(s->readers, &s->n_readers, c);
    waiting_prune(s, c);
    if ((s->held && strcmp(s->held, name) == 0) || is_waiting_for_an_end(s, name)) {
        s->waiting[s->n_waiting] = c;
        s->method_of[s->n_waiting++] = strcmp(name, "WaitSystem") == 0    ? "WaitSystem"
                                       : strcmp(name, "WaitProcess") == 0 ? "WaitProcess"
                                                                          : s->held;
        return;
    }
    answer(s, c, name);
}

/* Answer everything that does not have to wait any more. */
static void release(struct stage *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->n_waiting; i++) {
        struct client *c = s->waiting[i];
        const char *method = s->method_of[i];

        if (!is_there(s, c))
            continue;
        if ((s->held && strcmp(s->held, method) == 0) || is_waiting_for_an_end(s, method)) {
            s->waiting[kept] = c;
            s->method_of[kept++] = method;
        } else {
            answer(s, c, method);
        }
    }
    s->n_waiting = kept;
}

/* ---- what the test says ---- */

void stage_begin(struct stage *s)
{
    char address[120];

    memset(s, 0, sizeof *s);
    service_start_here(&s->service, handle, address, sizeof address);
    process_set_variable("HCS_HOST", address);
    process_set_variable("HCS_HCSD", "/no/such/hcsd"); /* for who finds the service gone */
}

void stage_end(struct stage *s)
{
    service_stop(&s->service);
}

static void work_hold(struct service *service, void *context)
{
    stage_of(service)->held = context;
    release(stage_of(service));
}

void stage_hold(struct stage *s, const char *method)
{
    service_do(&s->service, work_hold, (void *) (uintptr_t) method);
}

static void work_held(struct service *service, void *context)
{
    const struct stage *s = stage_of(service);
    unsigned *n = context;

    *n = 0;
    for (size_t i = 0; i < s->n_waiting; i++)
        *n += s->held && strcmp(s->method_of[i], s->held) == 0;
}

unsigned stage_held(struct stage *s)
{
    unsigned n;

    service_do(&s->service, work_held, &n);
    return n;
}

static void work_subscribed(struct service *service, void *context)
{
    *(unsigned *) context = stage_of(service)->n_subscribed;
}

unsigned stage_subscribed(struct stage *s)
{
    unsigned n;

    service_do(&s->service, work_subscribed, &n);
    return n;
}

struct saying {
    unsigned kind;
    const char *extra;
};

static void work_say(struct service *service, void *context)
{
    struct stage *s = stage_of(service);
    const struct saying *saying = context;

    s->sequence++;
    for (size_t i = 0; i < s->n_readers; i++) {
        if (is_there(s, s->readers[i]))
            event_say(s, s->readers[i], s->sequence, saying->kind, saying->extra);
    }
}

void stage_event(struct stage *s, unsigned kind, const char *detail_opt)
{
    char extra[600] = "";
    struct saying saying = { kind, extra };

    if (detail_opt)
        snprintf(extra, sizeof extra, ",\"detail\":\"%s\"", detail_opt);
    service_do(&s->service, work_say, &saying);
}

static void work_exit(struct service *service, void *context)
{
    struct stage *s = stage_of(service);

    (void) context;
    s->exited = true;
    s->sequence++;
    for (size_t i = 0; i < s->n_readers; i++) {
        if (is_there(s, s->readers[i]))
            exit_say(s, s->readers[i]);
    }
    s->n_readers = 0;
    release(s);
}

void stage_exit(struct stage *s)
{
    service_do(&s->service, work_exit, NULL);
}

static void work_process_exit(struct service *service, void *context)
{
    struct stage *s = stage_of(service);
    struct saying saying = { HCS_EVENT_PROCESS_EXITED,
                             ",\"processId\":7,\"exit\":" PROCESS_EXIT
                             ",\"detail\":\"{\\\"ProcessId\\\":7,\\\"Exited\\\":true,"
                             "\\\"ExitCode\\\":42,\\\"LastWaitResult\\\":0}\"" };

    (void) context;
    s->process_exited = true;
    work_say(service, &saying);
    release(s);
}

void stage_process_exit(struct stage *s)
{
    service_do(&s->service, work_process_exit, NULL);
}

static void work_live_again(struct service *service, void *context)
{
    struct stage *s = stage_of(service);

    (void) context;
    s->exited = false;
    s->process_exited = false;
}

void stage_live_again(struct stage *s)
{
    service_do(&s->service, work_live_again, NULL);
}

void stage_hang_up(struct stage *s)
{
    service_hang_up(&s->service);
}

unsigned stage_threads(void)
{
    unsigned n = process_threads();

    assert(n > 0); /* they are counted */
    return n;
}
