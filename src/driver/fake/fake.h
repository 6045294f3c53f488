/* fake.h - systems that exist only in memory and obey a script, on a virtual clock.
 *
 * For tests of everything above a driver, and for users who test against libhcs.  The script of a
 * process is its argument list; see fake.c.  Virtual time passes only when the loop has nothing
 * else to do, and then jumps to the next thing that is due, so a script with an hour in it runs at
 * once and always in the same order. */
#ifndef HCS_DRIVER_FAKE_FAKE_H
#define HCS_DRIVER_FAKE_FAKE_H

#include "driver.h"

_must_use_ hcs_result fake_new(sd_event *loop, struct driver **out, hcs_error *err);

#endif
