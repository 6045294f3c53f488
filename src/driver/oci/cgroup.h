/* cgroup.h - the cgroup of a container as files: where it is, its counters, its removal. */
#ifndef HCS_DRIVER_OCI_CGROUP_H
#define HCS_DRIVER_OCI_CGROUP_H

#include "attr.h"
#include "hcs/error.h"

/* Directory that holds @controller ("memory", "cpuacct") of process @pid: that of the v1 hierarchy
 * of the controller, else that of v2.  Owned. */
_must_use_ hcs_result cgroup_find(uint32_t pid, const char *controller, char **out, hcs_error *err);

/* A decimal number from a file of a cgroup: the whole file with @key_opt NULL, else the number
 * after that word at the start of a line.  1 when it was there. */
int cgroup_number(const char *directory, const char *file, const char *key_opt, uint64_t *out);

/* Kills by the memory limit so far, 0 when nobody counts. */
uint64_t cgroup_oom_kills(const char *memory_directory);

/* SIGKILL to whatever is in the cgroup "hcs/NAME" of any hierarchy. */
void cgroup_kill(const char *name);

/* Remove what a runtime left behind of the cgroup "hcs/NAME" in any hierarchy; nothing there is
 * fine. HCS_E_WIN32_BUSY: a process is still in it. */
_must_use_ hcs_result cgroup_remove(const char *name, hcs_error *err);

/* 1 when the v1 hierarchy of @controller is mounted. */
int cgroup_has_v1(const char *controller);

/* 1 when the kernel counts swap with memory, as far as that can be seen. */
int cgroup_counts_swap(void);

#endif
