/* provider.c - a Host Compute System for tests: it obeys a script.
 *
 * Owns:    a small world of systems, processes and operations, behind one lock that is never held
 *          during a callback; one thread that completes operations and tells of ends.
 * Users:   tests of src/lib/be_computecore, linked in or by dlopen.
 * Promise: every mistake of its caller that it can see is counted, none is forgiven.
 */
#include "provider.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "list.h"
#include "lock.h"
#include "thread.h"
#include "utf.h"

#ifndef _WIN32
#include <fcntl.h>
#include <unistd.h>
#endif

#define HANDLES_MAX 4096
#define SYSTEMS_MAX 512
#define PROCESSES_MAX 512
#define INVALID_HANDLE HCS_E_WIN32_INVALID_HANDLE

enum kind { FREE, SYSTEM, PROCESS, OPERATION };

struct a_system {
    char id[129];
    char owner[64];
    char state[16]; /* "": there is none */
    char exit[512];
};

struct a_process {
    uint32_t id; /* 0: there is none */
    int system;
    int exited;
    char exit[512];
    flat_handle ends[3]; /* the program's ends of its pipes */
};

struct a_handle {
    enum kind kind;
    uint32_t generation;
    int of;      /* index of the system or process */
    int running; /* event callbacks */
    struct provider_registration registration;
    /* operations */
    flat_completion completion;
    void *context;
    int state; /* 0 fresh, 1 pending, 2 done */
    int held;  /* completes by provider_complete_all() only */
    int twice;
    int32_t result;
    uint16_t *document;
    int has_process;
    struct flat_process_information process;
};

/* What the worker has to do: complete an operation, or tell of an end. */
struct job {
    struct list node;
    int operation; /* index, or -1 */
    uint32_t generation;
    int end_of_system; /* index, or -1 */
    int end_of_process;
    uint16_t *data;
};

static struct {
    struct a_handle handles[HANDLES_MAX];
    struct a_system systems[SYSTEMS_MAX];
    struct a_process processes[PROCESSES_MAX];
    uint32_t last_process;
    int next_system, next_process; /* where to look for a free one */
    int hint; /* nothing is free before it: handles are soon used again, so that a stale one differs
               * by its generation only */
    int n_handles; /* that were ever in use, from the first on */
    struct provider_registration last[SYSTEMS_MAX + PROCESSES_MAX]; /* newest, also when closed */
    enum provider_manner manner;
    int32_t started;
    int tells, sticky, drains;
    struct failure {
        char function[64]; /* "": none */
        int32_t started, result;
        char *document;
    } failures[PROVIDER_FAILURES_MAX];
    void (*on_close)(void *);
    void *on_close_parameter;
    void (*on_operation_close)(void *);
    void *on_operation_close_parameter;
    void (*on_query)(void *);
    void *on_query_parameter;
    int n_strings, n_misuses;
} world = { .tells = 1, .drains = 1 };

static atomic_int n_callbacks, n_completions;
static struct lock lock;
static struct condition changed;
static struct list jobs = { &jobs, &jobs };
static int worker_runs, worker_busy;
static thread worker;

/* ---- strings ---- */

static uint16_t *wide_copy(const uint16_t *s)
{
    size_t n = 0;
    uint16_t *copy;

    if (!s)
        return NULL;
    while (s[n])
        n++;
    copy = malloc((n + 1) * sizeof *copy);
    memcpy(copy, s, (n + 1) * sizeof *copy);
    return copy;
}

static uint16_t *wide_of(const char *text)
{
    size_t n = utf16_length_of_utf8(text, strlen(text), NULL);
    uint16_t *wide = malloc((n + 1) * sizeof *wide);

    utf16_from_utf8(text, strlen(text), wide);
    wide[n] = 0;
    return wide;
}

/* Into a buffer of the caller, cut. */
static void text_of(const uint16_t *wide, char *out, size_t size)
{
    size_t n = 0;

    while (wide && wide[n] && n + 1 < size && wide[n] < 0x80) {
        out[n] = (char) wide[n];
        n++;
    }
    out[n] = '\0';
}

/* With the lock held: a string for the caller, who frees it with LocalFree. */
static uint16_t *give_string(uint16_t *take)
{
    if (take)
        world.n_strings++;
    return take;
}

const uint16_t *provider_wide(const char *ascii)
{
    static _Thread_local uint16_t ring[8][1024];
    static _Thread_local unsigned at;
    uint16_t *buffer = ring[at++ % N_ELEMENTS(ring)];
    size_t n = 0;

    while (ascii[n] && n < N_ELEMENTS(ring[0]) - 1) {
        buffer[n] = (unsigned char) ascii[n];
        n++;
    }
    buffer[n] = 0;
    return buffer;
}

/* ---- handles ---- */

static void *handle_pointer(int index)
{
    return (void *) ((uintptr_t) world.handles[index].generation << 13 | (uintptr_t) (index + 1));
}

/* With the lock held: the open handle behind a pointer, or NULL and the mistake is counted. */
static struct a_handle *handle_at(const void *p, enum kind kind)
{
    uintptr_t number = (uintptr_t) p, index = number & 0x1FFF;
    struct a_handle *h = index > 0 && index <= HANDLES_MAX ? &world.handles[index - 1] : NULL;

    if (h && h->kind == kind && (number >> 13) == h->generation)
        return h;
    world.n_misuses++;
    return NULL;
}

/* With the lock held: -1 when there are too many. */
static int handle_new(enum kind kind, int of)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        int at = (world.hint + i) % HANDLES_MAX;
        struct a_handle *h = &world.handles[at];

        if (h->kind != FREE)
            continue;
        world.hint = at;
        uint32_t generation = (h->generation + 1) & 0x3FFFF;
        memset(h, 0, sizeof *h);
        h->kind = kind;
        h->of = of;
        h->generation = generation ? generation : 1;
        if (at >= world.n_handles)
            world.n_handles = at + 1;
        return at;
    }
    assert(!"too many handles");
    return -1;
}

static int handle_index(const struct a_handle *h)
{
    return (int) (h - world.handles);
}

/* ---- the script ---- */

/* With the lock held. */
static struct failure *failure_of(const char *function)
{
    for (size_t i = 0; i < PROVIDER_FAILURES_MAX; i++)
        if (strcmp(world.failures[i].function, function) == 0)
            return &world.failures[i];
    return NULL;
}

/* With the lock held: whether this call is the one that fails. */
static int fails_now(const char *function, int32_t *started, int32_t *result, char **document)
{
    struct failure *f = failure_of(function);

    if (!f)
        return 0;
    f->function[0] = '\0';
    *started = f->started;
    *result = f->result;
    *document = TAKE(f->document);
    return 1;
}

static int32_t sync_failure(const char *function)
{
    int32_t started = 0, result = 0;
    char *document = NULL;

    lock_take(&lock);
    if (!fails_now(function, &started, &result, &document))
        started = 0;
    lock_give(&lock);
    free(document);
    return started;
}

void provider_fail_next(const char *function, int32_t started, int32_t result,
                        const char *document_opt)
{
    struct failure *f;

    lock_take(&lock);
    f = failure_of(function);
    if (!f)
        f = failure_of("");
    assert(f);
    snprintf(f->function, sizeof f->function, "%s", function);
    f->started = started;
    f->result = result;
    free(f->document);
    f->document = document_opt ? strdup(document_opt) : NULL;
    lock_give(&lock);
}

#define SETTER(name, type, field)                                                                  \
    void name(type value)                                                                          \
    {                                                                                              \
        lock_take(&lock);                                                                          \
        world.field = value;                                                                       \
        lock_give(&lock);                                                                          \
    }
SETTER(provider_set_manner, enum provider_manner, manner)
SETTER(provider_set_started, int32_t, started)
SETTER(provider_set_tells, int, tells)
SETTER(provider_set_sticky, int, sticky)
SETTER(provider_set_drains, int, drains)

void provider_set_on_close(void (*hook)(void *), void *parameter)
{
    lock_take(&lock);
    world.on_close = hook;
    world.on_close_parameter = parameter;
    lock_give(&lock);
}

void provider_set_on_operation_close(void (*hook)(void *), void *parameter)
{
    lock_take(&lock);
    world.on_operation_close = hook;
    world.on_operation_close_parameter = parameter;
    lock_give(&lock);
}

void provider_set_on_query(void (*hook)(void *), void *parameter)
{
    lock_take(&lock);
    world.on_query = hook;
    world.on_query_parameter = parameter;
    lock_give(&lock);
}

/* ---- callbacks ---- */

void provider_call(const struct provider_registration *r, uint32_t kind, const uint16_t *data_opt)
{
    struct flat_event *event = malloc(sizeof *event);
    uint16_t *data = wide_copy(data_opt);
    size_t n = 0;

    while (data && data[n])
        n++;
    *event = (struct flat_event){ .type = kind, .data = data };
    r->callback(event, r->context);
    memset(event, 0xDD, sizeof *event);
    if (data)
        memset(data, 0xDD, n * sizeof *data);
    free(data);
    free(event);
    atomic_fetch_add(&n_callbacks, 1);
}

/* Call the registrations of all open handles of an object; a close waits for each. */
static int send_to_all(enum kind kind, int of, uint32_t event, const uint16_t *data)
{
    int n = 0;

    for (int i = 0;; i++) {
        struct a_handle *h = &world.handles[i];
        struct provider_registration r;

        lock_take(&lock);
        if (i >= world.n_handles) {
            lock_give(&lock);
            return n;
        }
        if (h->kind != kind || h->of != of || !h->registration.callback) {
            lock_give(&lock);
            continue;
        }
        r = h->registration;
        h->running++;
        lock_give(&lock);
        n++;
        provider_call(&r, event, data);
        lock_take(&lock);
        h->running--;
        condition_tell_all(&changed);
        lock_give(&lock);
    }
}

static int system_find(const char *id)
{
    for (int i = 0; i < SYSTEMS_MAX; i++)
        if (world.systems[i].state[0] && strcmp(world.systems[i].id, id) == 0)
            return i;
    return -1;
}

static int process_find(uint32_t id)
{
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (id && world.processes[i].id == id)
            return i;
    return -1;
}

int provider_send(const char *id, uint32_t kind, const uint16_t *data_opt)
{
    int system;

    lock_take(&lock);
    system = system_find(id);
    lock_give(&lock);
    return system < 0 ? 0 : send_to_all(SYSTEM, system, kind, data_opt);
}

int provider_registration(const char *id, uint32_t process_id, struct provider_registration *out)
{
    int at;

    lock_take(&lock);
    at = id ? system_find(id) : process_find(process_id);
    if (at >= 0)
        *out = world.last[id ? at : SYSTEMS_MAX + at];
    lock_give(&lock);
    return at >= 0 && out->callback;
}

/* ---- the worker ---- */

struct twice {
    flat_completion completion;
    void *operation;
    void *context;
};

THREAD_FUNCTION(complete_again, parameter)
{
    struct twice *t = parameter;

    t->completion(t->operation, t->context);
    THREAD_RETURN;
}

static void call_completion(flat_completion completion, void *operation, void *context, int twice)
{
    struct twice t = { completion, operation, context };
    thread second;

    if (twice)
        thread_start(&second, complete_again, &t);
    completion(operation, context);
    if (twice)
        thread_join(second);
    atomic_fetch_add(&n_completions, 1);
}

/* With the lock held; given back and taken again around the callback. */
static void complete(struct a_handle *h)
{
    flat_completion completion = h->completion;
    void *operation = handle_pointer(handle_index(h)), *context = h->context;
    int twice = h->twice;

    h->state = 2;
    condition_tell_all(&changed);
    if (!completion)
        return;
    lock_give(&lock);
    call_completion(completion, operation, context, twice);
    lock_take(&lock);
}

static void job_do(struct job *j)
{
    lock_take(&lock);
    if (j->operation >= 0 && world.handles[j->operation].kind == OPERATION &&
        world.handles[j->operation].generation == j->generation)
        complete(&world.handles[j->operation]);
    lock_give(&lock);
    if (j->end_of_system >= 0)
        send_to_all(SYSTEM, j->end_of_system, 0x00000001, j->data);
    if (j->end_of_process >= 0)
        send_to_all(PROCESS, j->end_of_process, 0x00010000, j->data);
    free(j->data);
    free(j);
}

THREAD_FUNCTION(work, parameter)
{
    (void) parameter;
    lock_take(&lock);
    while (worker_runs) {
        struct job *j = list_first(&jobs, struct job, node);

        if (!j) {
            condition_wait(&changed, &lock);
            continue;
        }
        list_remove(&j->node);
        worker_busy = 1;
        lock_give(&lock);
        job_do(j);
        lock_take(&lock);
        worker_busy = 0;
        condition_tell_all(&changed);
    }
    lock_give(&lock);
    THREAD_RETURN;
}

/* With the lock held. */
static struct job *job_new(void)
{
    struct job *j =
        malloc(sizeof *j); /* calloc() fails in some tests, and that is not meant for HCS */

    *j = (struct job){ .operation = -1, .end_of_system = -1, .end_of_process = -1 };
    list_append(&jobs, &j->node);
    if (!worker_runs) {
        worker_runs = 1;
        thread_start(&worker, work, NULL);
    }
    condition_tell_all(&changed);
    return j;
}

void provider_wait_idle(void)
{
    lock_take(&lock);
    while (!list_is_empty(&jobs) || worker_busy)
        condition_wait(&changed, &lock);
    lock_give(&lock);
}

void provider_complete_all(void)
{
    lock_take(&lock);
    for (int i = 0; i < world.n_handles; i++) {
        struct a_handle *h = &world.handles[i];

        if (h->kind == OPERATION && h->state == 1 && h->held)
            complete(h);
    }
    lock_give(&lock);
}

/* ---- operations ---- */

/* With the lock held: put the result into an operation and complete it as the script says. */
static int32_t operation_end(flat_operation op, int32_t result, uint16_t *take_document,
                             const struct flat_process_information *process)
{
    struct a_handle *h = handle_at(op, OPERATION);

    if (!h || h->state == 1) {
        free(take_document);
        return h ? HCS_E_OPERATION_ALREADY_STARTED : INVALID_HANDLE;
    }
    h->state = 1;
    h->result = result;
    free(h->document);
    h->document = take_document;
    h->has_process = process != NULL;
    if (process)
        h->process = *process;
    h->held = world.manner == PROVIDER_HELD;
    h->twice = world.manner == PROVIDER_TWICE && h->completion;
    if (world.manner == PROVIDER_BEFORE || (!h->completion && !h->held)) {
        complete(h);
    } else if (!h->held) {
        struct job *j = job_new();

        j->operation = handle_index(h);
        j->generation = h->generation;
    }
    return world.started;
}

/* With the lock held: the failure that the script asks for; 1 when it is this call's. */
static int scripted(const char *function, flat_operation op, int32_t *out)
{
    int32_t started = 0, result = 0;
    char *document = NULL;
    struct a_handle *h;

    if (!fails_now(function, &started, &result, &document))
        return 0;
    if (started < 0) {
        *out = started;
        h = handle_at(op, OPERATION);
        if (h && document) {
            h->state = 2;
            h->result = started;
            h->document = wide_of(document);
        }
    } else {
        *out = operation_end(op, result, document ? wide_of(document) : NULL, NULL);
    }
    free(document);
    return 1;
}

PROVIDER_API flat_operation FLAT_CALL HcsCreateOperation(const void *context,
                                                         flat_completion callback);
flat_operation FLAT_CALL HcsCreateOperation(const void *context, flat_completion callback)
{
    int i;

    if (sync_failure("HcsCreateOperation") < 0)
        return NULL;
    lock_take(&lock);
    i = handle_new(OPERATION, 0);
    if (i >= 0) {
        world.handles[i].completion = callback;
        world.handles[i].context = (void *) (uintptr_t) context;
    }
    lock_give(&lock);
    return i < 0 ? NULL : handle_pointer(i);
}

PROVIDER_API void FLAT_CALL HcsCloseOperation(flat_operation op);
void FLAT_CALL HcsCloseOperation(flat_operation op)
{
    void (*hook)(void *), *parameter;
    struct a_handle *h;

    lock_take(&lock);
    h = handle_at(op, OPERATION);
    if (h) {
        free(TAKE(h->document));
        h->kind = FREE;
        if (handle_index(h) < world.hint)
            world.hint = handle_index(h);
    }
    hook = world.on_operation_close;
    parameter = world.on_operation_close_parameter;
    lock_give(&lock);
    if (hook)
        hook(parameter);
}

/* With the lock held. */
static int32_t operation_read(struct a_handle *h, struct flat_process_information *process,
                              uint16_t **document)
{
    if (document)
        *document = NULL;
    if (h->state == 0)
        return HCS_E_OPERATION_NOT_STARTED;
    if (h->state == 1)
        return HCS_E_OPERATION_PENDING;
    if (document)
        *document = give_string(wide_copy(h->document));
    if (process && h->has_process && h->result >= 0) {
        *process = h->process;
        h->has_process = 0;
    }
    return h->result;
}

static int32_t operation_wait(flat_operation op, uint32_t timeout_ms,
                              struct flat_process_information *process, uint16_t **document)
{
    int32_t result = INVALID_HANDLE;
    struct a_handle *h;

    lock_take(&lock);
    h = handle_at(op, OPERATION);
    while (h && h->state == 1 && timeout_ms) {
        condition_wait(&changed, &lock);
        h = handle_at(op, OPERATION);
    }
    if (h)
        result = operation_read(h, process, document);
    lock_give(&lock);
    return result;
}

PROVIDER_API int32_t FLAT_CALL HcsGetOperationResult(flat_operation op, uint16_t **document);
int32_t FLAT_CALL HcsGetOperationResult(flat_operation op, uint16_t **document)
{
    return operation_wait(op, 0, NULL, document);
}

PROVIDER_API int32_t FLAT_CALL HcsGetOperationResultAndProcessInfo(
    flat_operation op, struct flat_process_information *info, uint16_t **document);
int32_t FLAT_CALL HcsGetOperationResultAndProcessInfo(flat_operation op,
                                                      struct flat_process_information *info,
                                                      uint16_t **document)
{
    return operation_wait(op, 0, info, document);
}

PROVIDER_API int32_t FLAT_CALL HcsWaitForOperationResult(flat_operation op, uint32_t timeout_ms,
                                                         uint16_t **document);
int32_t FLAT_CALL HcsWaitForOperationResult(flat_operation op, uint32_t timeout_ms,
                                            uint16_t **document)
{
    return operation_wait(op, timeout_ms, NULL, document);
}

PROVIDER_API int32_t FLAT_CALL
HcsWaitForOperationResultAndProcessInfo(flat_operation op, uint32_t timeout_ms,
                                        struct flat_process_information *info, uint16_t **document);
int32_t FLAT_CALL HcsWaitForOperationResultAndProcessInfo(flat_operation op, uint32_t timeout_ms,
                                                          struct flat_process_information *info,
                                                          uint16_t **document)
{
    int32_t failure = sync_failure("HcsWaitForOperationResultAndProcessInfo");

    return failure < 0 ? failure : operation_wait(op, timeout_ms, info, document);
}

PROVIDER_API void *FLAT_CALL provider_local_free(void *memory);
void *FLAT_CALL provider_local_free(void *memory)
{
    lock_take(&lock);
    if (memory && --world.n_strings < 0)
        world.n_misuses++;
    lock_give(&lock);
    free(memory);
    return NULL;
}

#ifndef _WIN32
PROVIDER_API void *LocalFree(void *memory);
void *LocalFree(void *memory)
{
    return provider_local_free(memory);
}
#endif

/* ---- systems ---- */

static void system_put(int at, const char *id, const char *owner, const char *state)
{
    struct a_system *s = &world.systems[at];

    memset(s, 0, sizeof *s);
    snprintf(s->id, sizeof s->id, "%s", id);
    snprintf(s->owner, sizeof s->owner, "%s", owner);
    snprintf(s->state, sizeof s->state, "%s", state);
    world.last[at] = (struct provider_registration){ 0 };
}

static int system_free_slot(void)
{
    /* Round and round, so that what is still to be told is not told of another. */
    for (int i = 0; i < SYSTEMS_MAX; i++) {
        int at = world.next_system++ % SYSTEMS_MAX;

        if (!world.systems[at].state[0])
            return at;
    }
    assert(!"too many systems");
    return 0;
}

void provider_add_system(const char *id, const char *owner, const char *state)
{
    lock_take(&lock);
    system_put(system_free_slot(), id, owner, state);
    lock_give(&lock);
}

void provider_forget_system(const char *id)
{
    int at;

    lock_take(&lock);
    at = system_find(id);
    if (at >= 0)
        world.systems[at].state[0] = '\0';
    lock_give(&lock);
}

/* With the lock held. */
static void system_stop(int at, const char *document, int tell)
{
    struct a_system *s = &world.systems[at];

    snprintf(s->state, sizeof s->state, "Stopped");
    snprintf(s->exit, sizeof s->exit, "%s", document);
    if (tell) {
        struct job *j = job_new();

        j->end_of_system = at;
        j->data = wide_of(document);
    }
}

void provider_stop_system(const char *id, const char *document_opt, int tell)
{
    int at;

    lock_take(&lock);
    at = system_find(id);
    if (at >= 0)
        system_stop(at,
                    document_opt ? document_opt
                                 : "{\"Status\":0,\"ExitType\":\"GracefulExit\",\"Attribution\":[{"
                                   "\"SystemExit\":{\"Detail\":\"Shutdown\",\"Initiator\":"
                                   "\"GuestOS\"}}]}",
                    tell);
    lock_give(&lock);
}

PROVIDER_API int32_t FLAT_CALL HcsCreateComputeSystem(const uint16_t *id, const uint16_t *document,
                                                      flat_operation op, const void *security,
                                                      flat_system *out);
int32_t FLAT_CALL HcsCreateComputeSystem(const uint16_t *id, const uint16_t *document,
                                         flat_operation op, const void *security, flat_system *out)
{
    char name[129];
    int32_t result;
    int at, i;

    (void) document;
    (void) security;
    text_of(id, name, sizeof name);
    lock_take(&lock);
    if (failure_of("HcsCreateComputeSystem") &&
        failure_of("HcsCreateComputeSystem")->started >= 0) {
        /* The operation fails, and there is a handle all the same. */
        at = system_free_slot();
        i = handle_new(SYSTEM, at);
        *out = handle_pointer(i);
        scripted("HcsCreateComputeSystem", op, &result);
    } else if (scripted("HcsCreateComputeSystem", op, &result)) {
        ;
    } else if (system_find(name) >= 0) {
        result = HCS_E_SYSTEM_ALREADY_EXISTS;
    } else {
        at = system_free_slot();
        system_put(at, name, "provider", "Created");
        i = handle_new(SYSTEM, at);
        *out = handle_pointer(i);
        result = operation_end(op, 0, NULL, NULL);
    }
    lock_give(&lock);
    return result;
}

/* With the lock held: the new handle, or -1 and why. */
static int32_t open_system(const char *name, flat_system *out)
{
    int at = system_find(name), i;

    if (at < 0)
        return HCS_E_SYSTEM_NOT_FOUND;
    i = handle_new(SYSTEM, at);
    if (i < 0)
        return HCS_E_OUTOFMEMORY;
    *out = handle_pointer(i);
    return 0;
}

PROVIDER_API int32_t FLAT_CALL HcsOpenComputeSystem(const uint16_t *id, uint32_t access,
                                                    flat_system *out);
int32_t FLAT_CALL HcsOpenComputeSystem(const uint16_t *id, uint32_t access, flat_system *out)
{
    int32_t result = sync_failure("HcsOpenComputeSystem");
    char name[129];

    if (result < 0)
        return result;
    if (access != FLAT_GENERIC_ALL)
        return HCS_E_WIN32_ACCESS_DENIED;
    text_of(id, name, sizeof name);
    lock_take(&lock);
    result = open_system(name, out);
    lock_give(&lock);
    return result;
}

static void close_handle(const void *p, enum kind kind)
{
    void (*hook)(void *);
    void *parameter;
    struct a_handle *h;

    lock_take(&lock);
    h = handle_at(p, kind);
    if (h) {
        h->registration = (struct provider_registration){ 0 };
        while (world.drains && h->running > 0)
            condition_wait(&changed, &lock);
        h->kind = FREE;
        if (handle_index(h) < world.hint)
            world.hint = handle_index(h);
    }
    hook = world.on_close;
    parameter = world.on_close_parameter;
    lock_give(&lock);
    if (hook)
        hook(parameter);
}

PROVIDER_API void FLAT_CALL HcsCloseComputeSystem(flat_system system);
void FLAT_CALL HcsCloseComputeSystem(flat_system system)
{
    close_handle(system, SYSTEM);
}

/* With the lock held: a verb on a system in @from goes to @to. */
static int32_t system_go(flat_system system, const char *from, const char *to)
{
    struct a_handle *h = handle_at(system, SYSTEM);
    struct a_system *s = h ? &world.systems[h->of] : NULL;

    if (!s)
        return INVALID_HANDLE;
    if (!s->state[0])
        return HCS_E_SYSTEM_NOT_FOUND;
    if (strcmp(s->state, "Stopped") == 0)
        return HCS_E_SYSTEM_ALREADY_STOPPED;
    if (from && strcmp(s->state, from) != 0)
        return HCS_E_INVALID_STATE;
    if (strcmp(to, "Stopped") == 0)
        system_stop(h->of,
                    from ? "{\"Status\":0,\"ExitType\":\"GracefulExit\",\"Attribution\":[{"
                           "\"SystemExit\":{\"Detail\":\"Shutdown\",\"Initiator\":\"Client\"}}]}"
                         : "{\"Status\":0,\"ExitType\":\"ForcedExit\",\"Attribution\":[{"
                           "\"SystemExit\":{\"Detail\":\"Terminate\",\"Initiator\":\"Client\"}}]}",
                    world.tells);
    else
        snprintf(s->state, sizeof s->state, "%s", to);
    return 0;
}

static int32_t system_verb(const char *function, flat_system system, flat_operation op,
                           const char *from, const char *to)
{
    int32_t result;

    lock_take(&lock);
    if (!scripted(function, op, &result)) {
        result = system_go(system, from, to);
        if (result >= 0)
            result = operation_end(op, 0, NULL, NULL);
    }
    lock_give(&lock);
    return result;
}

PROVIDER_API int32_t FLAT_CALL HcsStartComputeSystem(flat_system system, flat_operation op,
                                                     const uint16_t *options);
int32_t FLAT_CALL HcsStartComputeSystem(flat_system system, flat_operation op,
                                        const uint16_t *options)
{
    (void) options;
    return system_verb("HcsStartComputeSystem", system, op, "Created", "Running");
}

PROVIDER_API int32_t FLAT_CALL HcsShutDownComputeSystem(flat_system system, flat_operation op,
                                                        const uint16_t *options);
int32_t FLAT_CALL HcsShutDownComputeSystem(flat_system system, flat_operation op,
                                           const uint16_t *options)
{
    (void) options;
    return system_verb("HcsShutDownComputeSystem", system, op, "Running", "Stopped");
}

PROVIDER_API int32_t FLAT_CALL HcsTerminateComputeSystem(flat_system system, flat_operation op,
                                                         const uint16_t *options);
int32_t FLAT_CALL HcsTerminateComputeSystem(flat_system system, flat_operation op,
                                            const uint16_t *options)
{
    (void) options;
    return system_verb("HcsTerminateComputeSystem", system, op, NULL, "Stopped");
}

static json_t *system_properties(const struct a_system *s)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "Id", s->id, "SystemType", "Container",
                             "Owner", s->owner, "State", s->state);

    if (strcmp(s->state, "Stopped") == 0)
        json_object_set_new(json, "Stopped", json_true());
    return json;
}

static uint16_t *wide_of_json(json_t *take)
{
    char *text = json_dumps(take, JSON_COMPACT);
    uint16_t *wide = wide_of(text);

    json_decref(take);
    free(text);
    return wide;
}

PROVIDER_API int32_t FLAT_CALL HcsGetComputeSystemProperties(flat_system system, flat_operation op,
                                                             const uint16_t *query);
int32_t FLAT_CALL HcsGetComputeSystemProperties(flat_system system, flat_operation op,
                                                const uint16_t *query)
{
    void (*hook)(void *);
    struct a_handle *h;
    void *parameter;
    int32_t result;

    (void) query;
    lock_take(&lock);
    hook = world.on_query;
    parameter = world.on_query_parameter;
    lock_give(&lock);
    if (hook)
        hook(parameter);
    lock_take(&lock);
    if (!scripted("HcsGetComputeSystemProperties", op, &result)) {
        h = handle_at(system, SYSTEM);
        if (!h)
            result = INVALID_HANDLE;
        else if (!world.systems[h->of].state[0])
            result = HCS_E_SYSTEM_NOT_FOUND;
        else
            result =
                operation_end(op, 0, wide_of_json(system_properties(&world.systems[h->of])), NULL);
    }
    lock_give(&lock);
    return result;
}

PROVIDER_API int32_t FLAT_CALL HcsEnumerateComputeSystems(const uint16_t *query, flat_operation op);
int32_t FLAT_CALL HcsEnumerateComputeSystems(const uint16_t *query, flat_operation op)
{
    int32_t result;

    (void) query;
    lock_take(&lock);
    if (!scripted("HcsEnumerateComputeSystems", op, &result)) {
        json_t *list = json_array();

        for (int i = 0; i < SYSTEMS_MAX; i++)
            if (world.systems[i].state[0])
                json_array_append_new(list, system_properties(&world.systems[i]));
        result = operation_end(op, 0, wide_of_json(list), NULL);
    }
    lock_give(&lock);
    return result;
}

/* Register on a handle; with the end replayed where the script wants that. */
static int32_t set_callback(const void *p, enum kind kind, uint32_t options, const void *context,
                            flat_event_callback callback)
{
    struct a_handle *h;
    struct job *j;

    lock_take(&lock);
    h = handle_at(p, kind);
    if (!h || !callback || options != 0) {
        lock_give(&lock);
        return h ? HCS_E_INVALIDARG : INVALID_HANDLE;
    }
    if (h->registration.callback) {
        lock_give(&lock);
        return HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET;
    }
    h->registration = (struct provider_registration){ callback, (void *) (uintptr_t) context };
    world.last[kind == SYSTEM ? h->of : SYSTEMS_MAX + h->of] = h->registration;
    if (world.sticky && kind == SYSTEM && strcmp(world.systems[h->of].state, "Stopped") == 0) {
        j = job_new();
        j->end_of_system = h->of;
        j->data = wide_of(world.systems[h->of].exit);
    }
    if (world.sticky && kind == PROCESS && world.processes[h->of].exited) {
        j = job_new();
        j->end_of_process = h->of;
        j->data = wide_of(world.processes[h->of].exit);
    }
    lock_give(&lock);
    return 0;
}

PROVIDER_API int32_t FLAT_CALL HcsSetComputeSystemCallback(flat_system system, uint32_t options,
                                                           const void *context,
                                                           flat_event_callback callback);
int32_t FLAT_CALL HcsSetComputeSystemCallback(flat_system system, uint32_t options,
                                              const void *context, flat_event_callback callback)
{
    int32_t failure = sync_failure("HcsSetComputeSystemCallback");

    return failure < 0 ? failure : set_callback(system, SYSTEM, options, context, callback);
}

PROVIDER_API int32_t FLAT_CALL HcsWaitForComputeSystemExit(flat_system system, uint32_t timeout_ms,
                                                           uint16_t **result);
int32_t FLAT_CALL HcsWaitForComputeSystemExit(flat_system system, uint32_t timeout_ms,
                                              uint16_t **result)
{
    int32_t answer = HCS_E_OPERATION_TIMEOUT;
    struct a_handle *h;

    (void) timeout_ms;
    lock_take(&lock);
    h = handle_at(system, SYSTEM);
    if (h && strcmp(world.systems[h->of].state, "Stopped") == 0) {
        *result = give_string(wide_of(world.systems[h->of].exit));
        answer = 0;
    }
    lock_give(&lock);
    return answer;
}

/* ---- processes ---- */

/* With the lock held. */
static void process_stop(int at, const char *document_opt, uint32_t code, int tell)
{
    struct a_process *p = &world.processes[at];

    p->exited = 1;
    for (size_t i = 0; i < N_ELEMENTS(p->ends); i++) {
#ifndef _WIN32
        if (p->ends[i])
            close((int) (intptr_t) p->ends[i]);
#endif
        p->ends[i] = NULL;
    }
    if (document_opt)
        snprintf(p->exit, sizeof p->exit, "%s", document_opt);
    else
        snprintf(p->exit, sizeof p->exit,
                 "{\"ProcessId\":%u,\"Exited\":true,\"ExitCode\":%u,\"LastWaitResult\":0}", p->id,
                 code);
    if (tell) {
        struct job *j = job_new();

        j->end_of_process = at;
        j->data = wide_of(p->exit);
    }
}

void provider_stop_process(uint32_t process_id, const char *document_opt, int tell)
{
    int at;

    lock_take(&lock);
    at = process_find(process_id);
    if (at >= 0)
        process_stop(at, document_opt, 0, tell);
    lock_give(&lock);
}

/* A pipe of the caller's end and the program's. */
static void pipe_make(flat_handle *ours, flat_handle *programs, int program_reads)
{
#ifdef _WIN32
    (void) ours;
    (void) programs;
    (void) program_reads;
#else
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    *ours = (flat_handle) (intptr_t) ends[program_reads ? 1 : 0];
    *programs = (flat_handle) (intptr_t) ends[program_reads ? 0 : 1];
#endif
}

static void process_pipes(const json_t *json, struct a_process *p,
                          struct flat_process_information *info)
{
    if (json_is_true(json_object_get(json, "CreateStdInPipe")))
        pipe_make(&info->in, &p->ends[0], 1);
    if (json_is_true(json_object_get(json, "CreateStdOutPipe")))
        pipe_make(&info->out, &p->ends[1], 0);
    if (json_is_true(json_object_get(json, "CreateStdErrPipe")))
        pipe_make(&info->err, &p->ends[2], 0);
    if (!info->in)
        info->in = (flat_handle) (intptr_t) -1;
}

/* With the lock held: a process of a system that runs; -1 and why. */
static int process_new(flat_system system, int32_t *why)
{
    struct a_handle *h = handle_at(system, SYSTEM);

    *why = INVALID_HANDLE;
    if (!h)
        return -1;
    *why = strcmp(world.systems[h->of].state, "Stopped") == 0 ? HCS_E_SYSTEM_ALREADY_STOPPED
                                                              : HCS_E_INVALID_STATE;
    if (strcmp(world.systems[h->of].state, "Running") != 0)
        return -1;
    for (int n = 0; n < PROCESSES_MAX; n++) {
        int i = world.next_process++ % PROCESSES_MAX;

        if (world.processes[i].id && !world.processes[i].exited)
            continue;
        memset(&world.processes[i], 0, sizeof world.processes[i]);
        world.processes[i].id = ++world.last_process + 4000;
        world.processes[i].system = h->of;
        world.last[SYSTEMS_MAX + i] = (struct provider_registration){ 0 };
        return i;
    }
    return -1;
}

static int32_t create_process(flat_system system, const char *text, flat_operation op,
                              flat_process *out)
{
    struct flat_process_information info = { 0 };
    json_t *json = json_loads(text, 0, NULL), *arguments = json_object_get(json, "CommandArgs");
    const char *word = json_string_value(json_array_get(arguments, 0));
    const char *number = json_string_value(json_array_get(arguments, 1));
    int32_t result = HCS_E_INVALID_JSON;
    int at, i;

    if (word && strcmp(word, "missing") == 0) {
        result = operation_end(op, HCS_E_WIN32_FILE_NOT_FOUND,
                               wide_of("{\"ErrorMessage\":\"no program 'missing'\"}"), NULL);
        i = handle_new(PROCESS, PROCESSES_MAX - 1);
        *out = handle_pointer(i);
    } else if (word && (at = process_new(system, &result)) >= 0) {
        process_pipes(json, &world.processes[at], &info);
        info.process_id = world.processes[at].id;
        i = handle_new(PROCESS, at);
        *out = handle_pointer(i);
        result = operation_end(op, 0, NULL, &info);
        if (strcmp(word, "exit") == 0)
            process_stop(at, NULL, number ? (uint32_t) atoi(number) : 0, world.tells);
    }
    json_decref(json);
    return result;
}

PROVIDER_API int32_t FLAT_CALL HcsCreateProcess(flat_system system, const uint16_t *parameters,
                                                flat_operation op, const void *security,
                                                flat_process *out);
int32_t FLAT_CALL HcsCreateProcess(flat_system system, const uint16_t *parameters,
                                   flat_operation op, const void *security, flat_process *out)
{
    char text[1024];
    int32_t result;

    (void) security;
    text_of(parameters, text, sizeof text);
    lock_take(&lock);
    if (!scripted("HcsCreateProcess", op, &result))
        result = create_process(system, text, op, out);
    lock_give(&lock);
    return result;
}

PROVIDER_API int32_t FLAT_CALL HcsOpenProcess(flat_system system, uint32_t id, uint32_t access,
                                              flat_process *out);
int32_t FLAT_CALL HcsOpenProcess(flat_system system, uint32_t id, uint32_t access,
                                 flat_process *out)
{
    int32_t result = HCS_E_WIN32_NOT_FOUND;
    int at;

    (void) access;
    lock_take(&lock);
    if (!handle_at(system, SYSTEM)) {
        result = INVALID_HANDLE;
    } else if ((at = process_find(id)) >= 0) {
        *out = handle_pointer(handle_new(PROCESS, at));
        result = 0;
    }
    lock_give(&lock);
    return result;
}

PROVIDER_API void FLAT_CALL HcsCloseProcess(flat_process process);
void FLAT_CALL HcsCloseProcess(flat_process process)
{
    close_handle(process, PROCESS);
}

/* A verb on a process: @code is what it exits with. */
static int32_t process_verb(const char *function, flat_process process, flat_operation op,
                            uint32_t code)
{
    struct a_handle *h;
    int32_t result;

    lock_take(&lock);
    if (!scripted(function, op, &result)) {
        h = handle_at(process, PROCESS);
        if (!h) {
            result = INVALID_HANDLE;
        } else if (world.processes[h->of].exited) {
            result = HCS_E_PROCESS_ALREADY_STOPPED;
        } else {
            process_stop(h->of, NULL, code, world.tells);
            result = operation_end(op, 0, NULL, NULL);
        }
    }
    lock_give(&lock);
    return result;
}

PROVIDER_API int32_t FLAT_CALL HcsTerminateProcess(flat_process process, flat_operation op,
                                                   const uint16_t *options);
int32_t FLAT_CALL HcsTerminateProcess(flat_process process, flat_operation op,
                                      const uint16_t *options)
{
    (void) options;
    return process_verb("HcsTerminateProcess", process, op, 1);
}

/* The process exits with 100 and the number of the signal. */
PROVIDER_API int32_t FLAT_CALL HcsSignalProcess(flat_process process, flat_operation op,
                                                const uint16_t *options);
int32_t FLAT_CALL HcsSignalProcess(flat_process process, flat_operation op, const uint16_t *options)
{
    char text[64];
    json_t *json;
    json_int_t number;

    text_of(options, text, sizeof text);
    json = json_loads(text, 0, NULL);
    number = json_integer_value(json_object_get(json, "Signal"));
    json_decref(json);
    if (number <= 0)
        return HCS_E_INVALIDARG;
    return process_verb("HcsSignalProcess", process, op, 100 + (uint32_t) number);
}

PROVIDER_API int32_t FLAT_CALL HcsGetProcessInfo(flat_process process, flat_operation op);
int32_t FLAT_CALL HcsGetProcessInfo(flat_process process, flat_operation op)
{
    struct flat_process_information info = { 0 };
    struct a_handle *h;
    int32_t result;

    lock_take(&lock);
    if (!scripted("HcsGetProcessInfo", op, &result)) {
        h = handle_at(process, PROCESS);
        if (h)
            info.process_id = world.processes[h->of].id;
        result = h ? operation_end(op, 0, NULL, &info) : INVALID_HANDLE;
    }
    lock_give(&lock);
    return result;
}

PROVIDER_API int32_t FLAT_CALL HcsGetProcessProperties(flat_process process, flat_operation op,
                                                       const uint16_t *query);
int32_t FLAT_CALL HcsGetProcessProperties(flat_process process, flat_operation op,
                                          const uint16_t *query)
{
    struct a_handle *h;
    int32_t result;
    char text[512];

    (void) query;
    lock_take(&lock);
    if (!scripted("HcsGetProcessProperties", op, &result)) {
        h = handle_at(process, PROCESS);
        if (h) {
            struct a_process *p = &world.processes[h->of];

            if (p->exited)
                snprintf(text, sizeof text, "%s", p->exit);
            else
                snprintf(text, sizeof text,
                         "{\"ProcessId\":%u,\"Exited\":false,\"ExitCode\":0,\"LastWaitResult\":0}",
                         p->id);
        }
        result = h ? operation_end(op, 0, wide_of(text), NULL) : INVALID_HANDLE;
    }
    lock_give(&lock);
    return result;
}

PROVIDER_API int32_t FLAT_CALL HcsSetProcessCallback(flat_process process, uint32_t options,
                                                     void *context, flat_event_callback callback);
int32_t FLAT_CALL HcsSetProcessCallback(flat_process process, uint32_t options, void *context,
                                        flat_event_callback callback)
{
    int32_t failure = sync_failure("HcsSetProcessCallback");

    return failure < 0 ? failure : set_callback(process, PROCESS, options, context, callback);
}

PROVIDER_API int32_t FLAT_CALL HcsGetServiceProperties(const uint16_t *query, uint16_t **result);
int32_t FLAT_CALL HcsGetServiceProperties(const uint16_t *query, uint16_t **result)
{
    (void) query;
    lock_take(&lock);
    *result = give_string(wide_of("{\"Properties\":[{\"SupportedSchemaVersions\":[]}]}"));
    lock_give(&lock);
    return 0;
}

/* ---- the whole ---- */

const struct flat_api *provider_api(void)
{
    static const struct flat_api api = {
#define ENTRY(type, name, parameters) .name = name,
#define NO_ENTRY(type, name, parameters)
        FLAT_FUNCTIONS(ENTRY, NO_ENTRY)
#undef ENTRY
#undef NO_ENTRY
            .HcsGetServiceProperties = HcsGetServiceProperties,
        .HcsWaitForComputeSystemExit = HcsWaitForComputeSystemExit,
        .LocalFree = provider_local_free,
    };

    return &api;
}

struct provider_counts provider_counts(void)
{
    struct provider_counts c = { 0 };

    lock_take(&lock);
    for (int i = 0; i < HANDLES_MAX; i++) {
        c.systems += world.handles[i].kind == SYSTEM;
        c.processes += world.handles[i].kind == PROCESS;
        c.operations += world.handles[i].kind == OPERATION;
    }
    for (int i = 0; i < SYSTEMS_MAX; i++)
        c.alive += world.systems[i].state[0] && strcmp(world.systems[i].state, "Stopped") != 0;
    for (int i = 0; i < PROCESSES_MAX; i++)
        c.programs += world.processes[i].id != 0 && !world.processes[i].exited;
    c.strings = world.n_strings;
    c.misuses = world.n_misuses;
    lock_give(&lock);
    c.callbacks = atomic_load(&n_callbacks);
    c.completions = atomic_load(&n_completions);
    return c;
}

void provider_reset(void)
{
    provider_wait_idle();
    lock_take(&lock);
    if (worker_runs) {
        worker_runs = 0;
        condition_tell_all(&changed);
        lock_give(&lock);
        thread_join(worker);
        lock_take(&lock);
    }
    for (int i = 0; i < PROCESSES_MAX; i++)
        if (world.processes[i].id && !world.processes[i].exited)
            process_stop(i, NULL, 0, 0);
    for (int i = 0; i < HANDLES_MAX; i++)
        free(TAKE(world.handles[i].document));
    for (size_t i = 0; i < PROVIDER_FAILURES_MAX; i++)
        free(world.failures[i].document);
    memset(&world, 0, sizeof world);
    world.tells = world.drains = 1;
    atomic_store(&n_callbacks, 0);
    atomic_store(&n_completions, 0);
    lock_give(&lock);
}
