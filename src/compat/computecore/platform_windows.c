/* platform_windows.c - threads and memory of the flat API on Windows.
 *
 * Owns nothing.  Used by the rest of this folder.  Promises that a thread of ours never runs in a
 * library that was unloaded. */
#include "platform.h"

#include <assert.h>

#include "clock.h"
#include "environment.h"

#define MS_NS UINT64_C(1000000)

struct start {
    void (*main)(void *context);
    void *context;
};

static DWORD WINAPI thread_main(void *argument)
{
    struct start start = *(struct start *) argument;

    free(argument);
    start.main(start.context);
    return 0;
}

/* A program may let go of this library while a thread of it is at its end. */
static void stay(void)
{
    HMODULE self;

    (void) GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                                  GET_MODULE_HANDLE_EX_FLAG_PIN,
                              (PCWSTR) (uintptr_t) stay, &self);
}

int platform_thread_start(void (*main)(void *context), void *context)
{
    struct start *start = malloc(sizeof *start);
    HANDLE thread;

    assert(main);
    if (!start)
        return -1;
    *start = (struct start){ main, context };
    stay();
    thread = CreateThread(NULL, 0, thread_main, start, 0, NULL);
    if (!thread) {
        free(start);
        return -1;
    }
    CloseHandle(thread);
    return 0;
}

uint64_t platform_thread_self(void)
{
    return GetCurrentThreadId();
}

void platform_condition_wait(struct condition *c, struct lock *held, uint64_t deadline_ns)
{
    uint64_t now = clock_monotonic_ns();
    uint64_t left = now >= deadline_ns ? 0 : (deadline_ns - now + MS_NS - 1) / MS_NS;

    if (deadline_ns == UINT64_MAX)
        condition_wait(c, held);
    else
        SleepConditionVariableSRW(&c->native, &held->native,
                                  left < INFINITE ? (DWORD) left : INFINITE - 1, 0);
}

/* Both LocalFree() and CoTaskMemFree() give memory back to the heap of the process. */
void *platform_text_alloc(size_t bytes)
{
    return HeapAlloc(GetProcessHeap(), 0, bytes);
}

char *platform_environment(const char *name)
{
    return environment_get(name);
}
