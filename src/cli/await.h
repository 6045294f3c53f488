/* await.h - wait for the end of a system, whatever becomes of the service meanwhile. */
#ifndef HCS_CLI_AWAIT_H
#define HCS_CLI_AWAIT_H

#include <hcs/hcs.h>

/* Wait until @system has ended; *@out says how.  A service that goes away is waited for and said to
 * be, where a stream can be had that goes on.
 *
 * Blocks: without limit.
 * Errors: as hcs_system_wait(); HCS_E_SYSTEM_NOT_FOUND also when the service that came back does
 *         not know it. */
HCS_MUST_USE hcs_result await_end(hcs_system *system, hcs_exit *out, hcs_error *err);

#endif
