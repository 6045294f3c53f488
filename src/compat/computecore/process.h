/* process.h - processes of the flat API. */
#ifndef HCS_COMPAT_PROCESS_H
#define HCS_COMPAT_PROCESS_H

#include "operation.h"
#include "system.h"

struct process {
    struct object head;
    struct watch watch;
    struct system *system; /* counted */
    HCS_SYSTEM system_handle;
    hcs_process *process; /* owned */
};

/* Process id, and the standard handles that nobody has taken yet. */
void process_inform(struct process *p, HCS_PROCESS_INFORMATION *out);

#endif
