/* clock.h - the two clocks of an event. */
#ifndef HCS_BASE_CLOCK_H
#define HCS_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_realtime_ns(void);
uint64_t clock_monotonic_ns(void);

#endif
