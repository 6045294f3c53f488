/* plain.h - isolation none: a system's programs as plain processes under the keeper.
 *
 * For machines whose kernel allows no containers.  Must be asked for by name in the document. */
#ifndef HCS_DRIVER_PLAIN_PLAIN_H
#define HCS_DRIVER_PLAIN_PLAIN_H

#include "driver.h"

_must_use_ hcs_result plain_new(sd_event *loop, const char *keeper_program, struct driver **out,
                                hcs_error *err);

#endif
