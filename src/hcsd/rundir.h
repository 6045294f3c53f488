/* rundir.h - whose the run directory is. */
#ifndef HCS_HCSD_RUNDIR_H
#define HCS_HCSD_RUNDIR_H

#include "attr.h"
#include "hcs/error.h"

/* Claim @run_dir for the hcsd of @state_dir; both are absolute and exist.  @out_fd is to be kept
 * open as long as it runs.  HCS_E_WIN32_BUSY: another hcsd uses it, or it holds systems of a state
 * directory that is there. */
_must_use_ hcs_result rundir_claim(const char *run_dir, const char *state_dir, int *out_fd,
                                   hcs_error *err);

#endif
