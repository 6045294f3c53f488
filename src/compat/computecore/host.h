/* host.h - the host of a process that uses the flat API. */
#ifndef HCS_COMPAT_HOST_H
#define HCS_COMPAT_HOST_H

#include <stdbool.h>

#include "flat.h"

struct shared_host {
    hcs_host *host;
    unsigned references;
    char *address; /* NULL: libhcs's own choice */
};

/* The host that the environment names at this moment: $HCS_COMPUTECORE_HOST, else what
 * hcs_host_open(NULL) means.  It stays connected for as long as the environment says the same.
 * Yours: host_put(). */
_must_use_ HRESULT host_get(struct shared_host **out, hcs_error *err);
void host_put(struct shared_host *h); /* NULL is allowed */

static inline void host_putp(struct shared_host **h)
{
    host_put(*h);
}

#endif
