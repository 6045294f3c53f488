/* wake.h - something to poll for that a thread can set: an eventfd on Linux, a manual-reset event
 * on Windows.
 *
 * It is readable (signalled) from wake_set() to wake_clear(); both may be called from any thread,
 * any number of times.  It outlives every thread that may still set it: that is the owner's
 * business. */
#ifndef HCS_BASE_WAKE_H
#define HCS_BASE_WAKE_H

#include "attr.h"
#include "hcs/host.h"

struct wake {
    hcs_pollable pollable; /* HCS_POLLABLE_NONE: there is none */
};

_must_use_ hcs_result wake_init(struct wake *w, hcs_error *err);
void wake_done(struct wake *w); /* of one that failed to begin or is all NONE, too */
void wake_set(struct wake *w);
void wake_clear(struct wake *w);

/* Wait until it is set: 1; or until @deadline_ns of clock_monotonic_ns() (UINT64_MAX: for ever): 0.
 */
int wake_wait(struct wake *w, uint64_t deadline_ns);

#endif
