/* lookup.h - is the program there?  Asked before the runtime is, which would tell the client's own
 * standard error about it. */
#ifndef HCS_DRIVER_OCI_LOOKUP_H
#define HCS_DRIVER_OCI_LOOKUP_H

#include "doc.h"

/* Look into the container whose first process is @init_pid: the working directory, and the program
 * in it or on the PATH of its environment (@default_path without one).  HCS_OK also when it cannot
 * be told: the runtime has the last word. */
_must_use_ hcs_result lookup_program(uint32_t init_pid, const struct doc_process *doc,
                                     const char *default_path, hcs_error *err);

#endif
