/* launch.h - the birth of a keeper: its socket, its log, its process, and a connection to it. */
#ifndef HCS_KEEPER_LAUNCH_H
#define HCS_KEEPER_LAUNCH_H

#include <sys/types.h>

#include "attr.h"
#include "hcs/error.h"

#define LAUNCH_LOG "keeper.log" /* in the run directory: the keeper's stderr */

/* Start @program as keeper of @run_dir with LINK_ options.  The connection takes messages at once;
 * the process is a child to be waited for.  A failed start leaves nothing behind. */
_must_use_ hcs_result launch_keeper(const char *program, const char *run_dir, uint32_t options,
                                    int *out_fd, pid_t *out_pid, hcs_error *err);

/* Connect to the keeper of @run_dir that somebody else started.  HCS_E_SERVICE_NOT_AVAILABLE: none
 * listens there.  Any other error (no descriptor, no memory, a full queue) says nothing about the
 * keeper. */
_must_use_ hcs_result launch_connect(const char *run_dir, int *out_fd, hcs_error *err);

/* 1 when the command line of @pid is that of the keeper of @run_dir; 0 of a process that has ended.
 */
int launch_is_keeper(pid_t pid, const char *run_dir);

/* SIGKILL to the keeper of @run_dir that somebody else started and that does not say who it is: it
 * is looked for by its command line. */
void launch_kill(const char *run_dir);

#endif
