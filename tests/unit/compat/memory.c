/* memory.c - stage.h once more, without a service: what the flat API uses of libhcs, in the memory
 * of the test, and threads that are used again.
 *
 * A round of a race takes some microseconds so, and the code of src/compat/computecore can be raced
 * a hundred thousand times under a race detector.  What libhcs itself does is in the way of nobody
 * here; it is in race_test with stage.c.
 *
 * The pool gives a job to a worker with an edge from the starter to the job, as a new thread has
 * it, and without one from the end of a job to the next: a thread that nobody joins has none
 * either. */
#include "stage.h"

#include <linux/futex.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "hcs/hcs.h"

#define EVENTS_MAX 16
#define WORKERS_MAX 1024
#define JOBS_MANY (WORKERS_MAX / 2)
#define PROCESS_ID 7
#define EXIT_CODE 42

/* ---- threads ---- */

enum { WORKER_NEW, WORKER_IDLE, WORKER_TAKEN, WORKER_READY };

static struct worker {
    _Atomic uint32_t state;
    void (*_Atomic main)(void *context);
    void *_Atomic context;
} workers[WORKERS_MAX];

static _Atomic uint32_t n_jobs; /* that have not ended */
static _Thread_local bool is_worker;

static void futex_wait(_Atomic uint32_t *at, uint32_t value)
{
    (void) syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *at)
{
    (void) syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *worker_main(void *argument)
{
    struct worker *me = argument;
    uint32_t state;

    is_worker = true;
    for (;;) {
        while ((state = atomic_load_explicit(&me->state, memory_order_acquire)) != WORKER_READY)
            futex_wait(&me->state, state);
        atomic_load_explicit(&me->main, memory_order_relaxed)(
            atomic_load_explicit(&me->context, memory_order_relaxed));
        atomic_store_explicit(&me->state, WORKER_IDLE, memory_order_relaxed);
        if (atomic_fetch_sub_explicit(&n_jobs, 1, memory_order_release) == 1)
            futex_wake(&n_jobs);
    }
    return NULL;
}

static struct worker *worker_take(void)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        for (uint32_t state = WORKER_NEW; state <= WORKER_IDLE; state++) {
            uint32_t expected = state;
            pthread_t thread;

            if (!atomic_compare_exchange_strong_explicit(&workers[i].state, &expected, WORKER_TAKEN,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed))
                continue;
            if (state == WORKER_NEW && pthread_create(&thread, NULL, worker_main, &workers[i]) != 0)
                abort();
            return &workers[i];
        }
    }
    return NULL;
}

/* In place of platform_thread_start(): see --wrap in meson.build. */
int __wrap_platform_thread_start(void (*main)(void *context), void *context);
int __wrap_platform_thread_start(void (*main)(void *context), void *context)
{
    struct worker *w = worker_take();

    if (!w)
        return -1;
    atomic_fetch_add_explicit(&n_jobs, 1, memory_order_relaxed);
    atomic_store_explicit(&w->main, main, memory_order_relaxed);
    atomic_store_explicit(&w->context, context, memory_order_relaxed);
    atomic_store_explicit(&w->state, WORKER_READY, memory_order_release);
    futex_wake(&w->state);
    return 0;
}

/* Who makes jobs faster than they can end waits here; a service would take its time, too. */
static void jobs_wait_while_many(void)
{
    while (!is_worker && atomic_load_explicit(&n_jobs, memory_order_relaxed) > JOBS_MANY)
        sched_yield();
}

static void jobs_wait(void)
{
    uint32_t n;

    while ((n = atomic_load_explicit(&n_jobs, memory_order_acquire)) != 0)
        futex_wait(&n_jobs, n);
}

unsigned stage_threads(void)
{
    return atomic_load_explicit(&n_jobs, memory_order_relaxed);
}

/* ---- one system, one process ---- */

struct hcs_stream {
    struct hcs_stream *next;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    uint32_t kinds[EVENTS_MAX];
    unsigned n_put, n_read;
    bool ended;
};

struct hcs_host {
    char unused;
};

struct hcs_system {
    char unused;
};

struct hcs_process {
    char unused;
};

struct hcs_op {
    char unused;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t exited = PTHREAD_COND_INITIALIZER;
static hcs_stream *streams;
static bool process_exited;
static atomic_int n_open; /* handles that were given and not closed */

static void *thing_new(size_t size)
{
    void *thing = calloc(1, size);

    if (!thing)
        abort();
    atomic_fetch_add_explicit(&n_open, 1, memory_order_relaxed);
    return thing;
}

static void thing_drop(void *thing)
{
    if (thing)
        atomic_fetch_sub_explicit(&n_open, 1, memory_order_relaxed);
    free(thing);
}

static void stream_put(hcs_stream *s, uint32_t kind)
{
    pthread_mutex_lock(&s->lock);
    if (!s->ended) {
        if (s->n_put - s->n_read == EVENTS_MAX)
            abort();
        s->kinds[s->n_put++ % EVENTS_MAX] = kind;
    }
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void stage_begin(struct stage *s)
{
    (void) s;
    setenv("HCS_HOST", "memory:", 1);
}

void stage_end(struct stage *s)
{
    (void) s;
    jobs_wait();
    assert_int_equal(atomic_load(&n_open), 0); /* what the flat API opened it has closed */
}

void stage_event(struct stage *s, unsigned kind, const char *detail_opt)
{
    (void) s;
    (void) detail_opt;
    pthread_mutex_lock(&lock);
    for (hcs_stream *i = streams; i; i = i->next)
        stream_put(i, kind);
    pthread_mutex_unlock(&lock);
}

static void process_set(bool has_exited)
{
    pthread_mutex_lock(&lock);
    process_exited = has_exited;
    pthread_cond_broadcast(&exited);
    pthread_mutex_unlock(&lock);
}

void stage_process_exit(struct stage *s)
{
    process_set(true);
    stage_event(s, HCS_EVENT_PROCESS_EXITED, NULL);
}

void stage_live_again(struct stage *s)
{
    (void) s;
    process_set(false);
}

/* ---- libhcs ---- */

hcs_result hcs_host_open(const char *address, hcs_host **out, hcs_error *err)
{
    static hcs_host only;

    (void) address;
    (void) err;
    *out = &only;
    return HCS_OK;
}

void hcs_host_close(hcs_host *host)
{
    (void) host;
}

hcs_result hcs_system_open(hcs_host *host, const char *id, hcs_system **out, hcs_error *err)
{
    (void) host;
    (void) id;
    (void) err;
    *out = thing_new(sizeof **out);
    return HCS_OK;
}

hcs_result hcs_system_create(hcs_host *host, const char *id, const char *document, hcs_system **out,
                             hcs_op **out_op, hcs_error *err)
{
    (void) document;
    *out_op = thing_new(sizeof **out_op);
    return hcs_system_open(host, id, out, err);
}

void hcs_system_close(hcs_system *system)
{
    thing_drop(system);
}

hcs_result hcs_system_properties(hcs_system *system, char **out_document, hcs_error *err)
{
    (void) system;
    (void) err;
    *out_document = strdup("{\"Id\":\"s\",\"State\":\"Running\"}");
    return *out_document ? HCS_OK : HCS_E_OUTOFMEMORY;
}

hcs_result hcs_system_wait(hcs_system *system, int timeout_ms, hcs_exit *out, hcs_error *err)
{
    (void) system;
    (void) timeout_ms;
    (void) out;
    (void) err;
    return HCS_E_OPERATION_TIMEOUT; /* it runs */
}

hcs_result hcs_system_terminate(hcs_system *system, hcs_op **out_op, hcs_error *err)
{
    (void) system;
    (void) err;
    if (out_op)
        *out_op = thing_new(sizeof **out_op);
    return HCS_OK;
}

hcs_result hcs_process_create(hcs_system *system, const char *parameters, const hcs_stdio *stdio,
                              hcs_process **out, hcs_op **out_op, hcs_error *err)
{
    (void) system;
    (void) parameters;
    (void) stdio;
    (void) err;
    *out = thing_new(sizeof **out);
    *out_op = thing_new(sizeof **out_op);
    return HCS_OK;
}

uint32_t hcs_process_id(const hcs_process *process)
{
    (void) process;
    return PROCESS_ID;
}

hcs_pollable hcs_process_take_stdio(hcs_process *process, hcs_stdio_which which)
{
    (void) process;
    (void) which;
    return HCS_POLLABLE_NONE;
}

hcs_result hcs_process_wait(hcs_process *process, int timeout_ms, hcs_exit *out, hcs_error *err)
{
    bool has_exited;

    (void) process;
    (void) err;
    pthread_mutex_lock(&lock);
    while (!process_exited && timeout_ms != 0)
        pthread_cond_wait(&exited, &lock);
    has_exited = process_exited;
    pthread_mutex_unlock(&lock);
    if (!has_exited)
        return HCS_E_OPERATION_TIMEOUT;
    out->how = HCS_EXIT_CODE;
    out->code = EXIT_CODE;
    return HCS_OK;
}

hcs_result hcs_process_signal(hcs_process *process, int signal, hcs_error *err)
{
    (void) process;
    (void) signal;
    (void) err;
    return HCS_OK;
}

void hcs_process_close(hcs_process *process)
{
    thing_drop(process);
}

hcs_result hcs_op_wait(hcs_op *op, int timeout_ms, hcs_error *err)
{
    (void) op;
    (void) timeout_ms;
    (void) err;
    return HCS_OK;
}

void hcs_op_close(hcs_op *op)
{
    thing_drop(op);
}

hcs_result hcs_stream_open_system(hcs_system *system, const hcs_stream_options *options,
                                  hcs_stream **out, hcs_error *err)
{
    hcs_stream *s = thing_new(sizeof *s);

    (void) system;
    (void) options;
    (void) err;
    jobs_wait_while_many();
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    pthread_mutex_lock(&lock);
    s->next = streams;
    streams = s;
    pthread_mutex_unlock(&lock);
    *out = s;
    return HCS_OK;
}

hcs_result hcs_stream_next(hcs_stream *s, int timeout_ms, hcs_event *out, hcs_error *err)
{
    (void) timeout_ms;
    (void) err;
    *out = (hcs_event) HCS_EVENT_INIT;
    pthread_mutex_lock(&s->lock);
    while (s->n_put == s->n_read && !s->ended)
        pthread_cond_wait(&s->changed, &s->lock);
    out->kind = s->ended ? HCS_EVENT_END : s->kinds[s->n_read++ % EVENTS_MAX];
    pthread_mutex_unlock(&s->lock);
    if (out->kind == HCS_EVENT_PROCESS_EXITED)
        out->process_id = PROCESS_ID;
    out->detail = "";
    return HCS_OK;
}

void hcs_stream_end(hcs_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void hcs_stream_close(hcs_stream *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&lock);
    for (hcs_stream **i = &streams; *i; i = &(*i)->next) {
        if (*i == s) {
            *i = s->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    thing_drop(s);
}
