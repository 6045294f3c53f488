/* system.h - systems of the flat API. */
#ifndef HCS_COMPAT_SYSTEM_H
#define HCS_COMPAT_SYSTEM_H

#include "operation.h"

struct system {
    struct object head;
    struct watch watch;
    hcs_system *system;       /* owned */
    struct use_name creation; /* the use that created it; no operation when it was opened */
};

/* Counted, or NULL. */
struct system *system_find(HCS_SYSTEM handle);

/* Wait with @ask until @timeout_ms of the flat API has passed. */
typedef hcs_result exit_ask(void *object, int timeout_ms, hcs_exit *out, hcs_error *err);
_must_use_ HRESULT exit_wait(exit_ask *ask, void *object, DWORD timeout_ms, hcs_exit *out);

#endif
