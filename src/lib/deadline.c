/* deadline.c - moments on the monotonic clock until which a call waits.
 *
 * Owns nothing.  Used by the public calls that wait, and by the back ends.  Promises that a wait is
 * never shorter than asked. */
#include "deadline.h"

#include <assert.h>
#include <limits.h>

#include "clock.h"
#include "err.h"

hcs_result deadline_of(int timeout_ms, const char *where, uint64_t *out, hcs_error *err)
{
    assert(where && out);
    if (timeout_ms < -1)
        return fail(err, HCS_E_INVALIDARG, where, "timeout_ms is %d; it is -1, 0 or more",
                    timeout_ms);
    *out = timeout_ms < 0 ? NO_DEADLINE : clock_monotonic_ns() + (uint64_t) timeout_ms * 1000000;
    return HCS_OK;
}

int deadline_left_ms(uint64_t deadline)
{
    uint64_t now, left;

    if (deadline == NO_DEADLINE)
        return -1;
    now = clock_monotonic_ns();
    if (now >= deadline)
        return 0;
    left = (deadline - now + 999999) / 1000000;
    return left > INT_MAX ? INT_MAX : (int) left;
}
