/* leftover.h - what an hcsd that has ended left behind: its keeper, and the exits that it recorded.
 */
#ifndef HCS_KEEPER_LEFTOVER_H
#define HCS_KEEPER_LEFTOVER_H

#include "attr.h"
#include "hcs/error.h"

/* Have the keeper of @run_dir kill what is left and leave; blocks, at most about 15 s.  HCS_OK also
 * when there is no keeper any more. */
_must_use_ hcs_result leftover_end(const char *run_dir, hcs_error *err);

/* Every exit record in @run_dir, in the order of the processes' numbers. */
typedef void (*leftover_visit)(void *context, uint32_t number, uint32_t pid, uint32_t wait_status);
void leftover_records(const char *run_dir, leftover_visit visit, void *context);

#endif
