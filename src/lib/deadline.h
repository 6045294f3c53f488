/* deadline.h - moments on the monotonic clock until which a call waits. */
#ifndef HCS_LIB_DEADLINE_H
#define HCS_LIB_DEADLINE_H

#include "attr.h"
#include "hcs/error.h"

#define NO_DEADLINE UINT64_MAX /* wait for ever */

/* The deadline of a timeout of the user: -1 for ever, 0 not at all. */
_must_use_ hcs_result deadline_of(int timeout_ms, const char *where, uint64_t *out, hcs_error *err);

/* What is left, rounded up, for poll() and its kin: -1 for ever, 0 it has passed. */
int deadline_left_ms(uint64_t deadline);

#endif
