/* probe.h - which runtime, in which mode, really works on this host. */
#ifndef HCS_DRIVER_OCI_PROBE_H
#define HCS_DRIVER_OCI_PROBE_H

#include <jansson.h>

#include "attr.h"
#include "bundle.h"
#include "oci.h"
#include "runtime.h"

struct probe_found {
    struct runtime runtime; /* runtime_done() */
    struct oci_mode mode;
    json_t *attempts; /* array: what was tried before, and this; json_decref() */
};

/* Facts about this host that bundles depend on. */
_must_use_ hcs_result probe_host(struct oci_host *out, hcs_error *err);

/* Try until something can do everything; else take what can do most. */
_must_use_ hcs_result probe_find(const struct oci_options *options, struct probe_found *out,
                                 hcs_error *err);

#endif
