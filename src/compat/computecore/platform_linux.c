/* platform_linux.c - threads, standard handles and memory of the flat API on Linux.
 *
 * Owns nothing.  Used by the rest of this folder.  Promises that no thread made here takes a signal
 * of the program, and that a HANDLE given out is never 0. */
#include "platform.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fd.h"

#define NS_PER_S UINT64_C(1000000000)

struct start {
    void (*main)(void *context);
    void *context;
};

static void *thread_main(void *argument)
{
    struct start start = *(struct start *) argument;

    free(argument);
    start.main(start.context);
    return NULL;
}

int platform_thread_start(void (*main)(void *context), void *context)
{
    struct start *start = malloc(sizeof *start);
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int r;

    assert(main);
    if (!start)
        return -1;
    *start = (struct start){ main, context };
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&thread, &attributes, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (r != 0)
        free(start);
    return r == 0 ? 0 : -1;
}

uint64_t platform_thread_self(void)
{
    static atomic_uint_fast64_t last;
    static _Thread_local uint64_t self;

    if (self == 0)
        self = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    return self;
}

void platform_condition_wait(struct condition *c, struct lock *held, uint64_t deadline_ns)
{
    struct timespec at = { .tv_sec = (time_t) (deadline_ns / NS_PER_S),
                           .tv_nsec = (long) (deadline_ns % NS_PER_S) };

    if (deadline_ns == UINT64_MAX)
        condition_wait(c, held);
    else
        pthread_cond_clockwait(&c->native, &held->native, CLOCK_MONOTONIC, &at);
}

void *platform_text_alloc(size_t bytes)
{
    return malloc(bytes);
}

HANDLE platform_stdio_handle(hcs_pollable take_pollable, enum platform_stdio which)
{
    (void) which;
    if (take_pollable == HCS_POLLABLE_NONE)
        return NULL;
    if (take_pollable == 0) { /* would be NULL */
        int fd = fcntl(take_pollable, F_DUPFD_CLOEXEC, 3);

        close(take_pollable);
        take_pollable = fd;
    }
    return take_pollable < 0 ? NULL : HANDLE_FROM_FD(take_pollable);
}

void platform_pollable_close(hcs_pollable take_pollable)
{
    fd_drop(&take_pollable);
}

char *platform_environment(const char *name)
{
    const char *value = secure_getenv(name);

    return value ? strdup(value) : NULL;
}
