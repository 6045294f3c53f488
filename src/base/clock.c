/* clock.c - the two clocks of an event.
 *
 * Owns nothing.  Used where an event or an exit record gets its times.  Promises nanoseconds
 * since the epoch, and since a fixed moment before the host's present boot.
 */
#include "clock.h"

#include <assert.h>
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
