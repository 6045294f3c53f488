/* identity.h - which machine this is, for readers of the events of several. */
#ifndef HCS_HCSD_IDENTITY_H
#define HCS_HCSD_IDENTITY_H

#include "attr.h"
#include "hcs/error.h"

#define HOST_ID_SIZE 33u /* 32 hexadecimal digits and a NUL */

/* The id of this machine, the same after each start and boot: made from the machine id of the
 * system, which it does not reveal; where there is none a random one that is kept in @state_dir.
 * Errors: HCS_E_WIN32_INVALID_DATA the kept one is no id · those of files */
_must_use_ hcs_result identity_load(const char *state_dir, char out[HOST_ID_SIZE], hcs_error *err);

/* The second way alone. */
_must_use_ hcs_result identity_load_kept(const char *state_dir, char out[HOST_ID_SIZE],
                                         hcs_error *err);

#endif
