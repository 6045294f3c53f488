/* flat.h - the flat API's own types for the sources here, and libhcs, which has the result codes.
 */
#ifndef HCS_COMPAT_FLAT_H
#define HCS_COMPAT_FLAT_H

#include "attr.h"
#include "err.h"
#include "hcs/hcs.h"
#include "sdk.h"

#endif
