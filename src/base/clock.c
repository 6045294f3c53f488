/* clock.c - the two clocks of an event.
 *
 * Owns nothing.  Used where an event or an exit record gets its times.  Promises nanoseconds
 * since the epoch, and since a fixed moment before the host's present boot.
 */
#include "clock.h"

#include <assert.h>

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define SECOND_NS UINT64_C(1000000000)
#define EPOCH_IN_FILETIME UINT64_C(116444736000000000) /* 1970, in 100 ns since 1601 */

uint64_t clock_realtime_ns(void)
{
    FILETIME t;

    GetSystemTimePreciseAsFileTime(&t);
    return (((uint64_t) t.dwHighDateTime << 32 | t.dwLowDateTime) - EPOCH_IN_FILETIME) * 100;
}

/* In two parts: ticks times 10^9 has more than 64 bits after half an hour. */
uint64_t clock_monotonic_ns(void)
{
    LARGE_INTEGER ticks, second;
    uint64_t whole, rest;

    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&second);
    whole = (uint64_t) (ticks.QuadPart / second.QuadPart);
    rest = (uint64_t) (ticks.QuadPart % second.QuadPart);
    return whole * SECOND_NS + rest * SECOND_NS / (uint64_t) second.QuadPart;
}

#else

#include <time.h>

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t = { 0, 0 };
    int r = clock_gettime(clock, &t);

    assert(r == 0);
    (void) r;
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

uint64_t clock_realtime_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}

uint64_t clock_monotonic_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

#endif
