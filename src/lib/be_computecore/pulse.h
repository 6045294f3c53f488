/* pulse.h - something to poll for that is also readable at intervals.
 *
 * On Linux an epoll of a wake and a timerfd.  On Windows the wake itself, which a timer of the
 * thread pool sets; the timer does nothing else. */
#ifndef HCS_COMPUTECORE_PULSE_H
#define HCS_COMPUTECORE_PULSE_H

#include <stdatomic.h>

#include "wake.h"

struct pulse {
    hcs_pollable pollable;
#ifdef _WIN32
    void *timer;
    struct wake *wake;
    atomic_int due;
#else
    int timer_fd;
#endif
};

/* @wake is borrowed until pulse_done(). */
_must_use_ hcs_result pulse_init(struct pulse *p, struct wake *wake, uint64_t interval_ns,
                                 hcs_error *err);
void pulse_done(struct pulse *p); /* also of one that is all zero */

/* Whether an interval has passed since the last pulse_take(). */
int pulse_take(struct pulse *p);

/* Whether pulse_take() would say so, where only the wake shows it. */
int pulse_is_due(struct pulse *p);

#endif
