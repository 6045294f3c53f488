/* oci.h - containers through an OCI runtime (crun, runc). */
#ifndef HCS_DRIVER_OCI_OCI_H
#define HCS_DRIVER_OCI_OCI_H

#include "driver.h"

struct oci_options {
    const char
        *keeper_program; /* absolute path of the static hcs-keeper; also the init of containers */
    const char *runtime_opt; /* path or name to insist on; NULL: crun, then runc */
    const char *state_dir;   /* absolute, private: the runtime's --root lives below it */

    /* How long something that the runtime has started may take to become the program; then it is
     * seen whether it did, and if not it is killed.  0: ten seconds. */
    uint64_t start_limit_us;
};

/* Find a runtime and a mode by really running `true`; blocks, at start-up only.  Fails, with every
 * attempt and its reason in the text's log, when this host can run no container. */
_must_use_ hcs_result oci_new(sd_event *loop, const struct oci_options *options,
                              struct driver **out, hcs_error *err);

/* Try every runtime in every mode and describe each as a JSON array (for `hcsd --probe`). */
json_t *oci_probe_all(const struct oci_options *options);

#endif
