/* thread.h - threads for tests, of the platform's own kind. */
#ifndef HCS_TESTS_PLATFORM_THREAD_H
#define HCS_TESTS_PLATFORM_THREAD_H

#include <assert.h>

#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

typedef HANDLE thread;
#define THREAD_FUNCTION(name, parameter) static DWORD WINAPI name(void *parameter)
#define THREAD_RETURN return 0

static inline void thread_start(thread *out, DWORD(WINAPI *run)(void *), void *parameter)
{
    *out = CreateThread(NULL, 0, run, parameter, 0, NULL);
    assert(*out);
}

static inline void thread_join(thread t)
{
    WaitForSingleObject(t, INFINITE);
    CloseHandle(t);
}

/* Whether it still runs; joined when it does not. */
static inline int thread_runs(thread t)
{
    if (WaitForSingleObject(t, 0) == WAIT_TIMEOUT)
        return 1;
    CloseHandle(t);
    return 0;
}

static inline void thread_yield(void)
{
    SwitchToThread();
}

typedef DWORD thread_id;

static inline thread_id thread_self(void)
{
    return GetCurrentThreadId();
}

#else

#include <errno.h>
#include <pthread.h>
#include <sched.h>

typedef pthread_t thread;
#define THREAD_FUNCTION(name, parameter) static void *name(void *parameter)
#define THREAD_RETURN return NULL

static inline void thread_start(thread *out, void *(*run)(void *), void *parameter)
{
    int r = pthread_create(out, NULL, run, parameter);

    assert(r == 0);
    (void) r;
}

static inline void thread_join(thread t)
{
    pthread_join(t, NULL);
}

/* Whether it still runs; joined when it does not. */
static inline int thread_runs(thread t)
{
    return pthread_tryjoin_np(t, NULL) == EBUSY;
}

static inline void thread_yield(void)
{
    sched_yield();
}

typedef pthread_t thread_id;

static inline thread_id thread_self(void)
{
    return pthread_self();
}

#endif
#endif
