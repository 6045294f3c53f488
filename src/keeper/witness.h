/* witness.h - how a process ended, asked by somebody who is not its parent.
 *
 * Where the keeper that should have told is dead, too.  No answer is ever made up: what the kernel
 * no longer knows is unknown. */
#ifndef HCS_KEEPER_WITNESS_H
#define HCS_KEEPER_WITNESS_H

#include <stdint.h>
#include <sys/types.h>

/* When the process began, in the kernel's ticks: with its pid it is that process and no other.  0:
 * there is no such process. */
uint64_t witness_birth(pid_t pid);

/* A pidfd of exactly that process, which may have ended; -1: it is gone, or there are no pidfds. */
int witness_open(pid_t pid, uint64_t birth);

/* 1 and the raw wait status when the process has ended and the kernel tells how: while nobody has
 * reaped it, from /proc; afterwards, from Linux 6.15 on, from the pidfd (-1: none).  0: not known,
 * or not known yet. */
int witness_status(int pidfd, pid_t pid, uint64_t birth, uint32_t *out_status);

#endif
