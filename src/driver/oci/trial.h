/* trial.h - run one container in a mode, to see whether it works. */
#ifndef HCS_DRIVER_OCI_TRIAL_H
#define HCS_DRIVER_OCI_TRIAL_H

#include "attr.h"
#include "bundle.h"
#include "oci.h"
#include "runtime.h"

/* How long a trial, or a question to a program, may take. */
#define TRIAL_MS 10000

/* Try @mode with @rt; blocks.  1 when it works: its capabilities are then in @mode.  Else 0, and
 * why is in @reason. */
int trial_of_mode(const struct oci_options *options, const struct runtime *rt,
                  const struct oci_host *host, struct oci_mode *mode, char *reason, size_t size);

/* Run a program that prints little (at most what a pipe holds); blocks.  1 when it ended well, with
 * its output. */
int trial_output(char *const argv[], char *out, size_t size);

#endif
