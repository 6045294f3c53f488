/* hcs.h - libhcs, the Host Compute Service for C.  Includes the rest.
 *
 * Unless a comment says otherwise:
 *   - strings are UTF-8, NUL-terminated, copied when given;
 *   - pointers must not be NULL, except those whose name ends in _opt, `err`, and the
 *     argument of a close; a NULL elsewhere is HCS_E_POINTER;
 *   - outputs are untouched on failure;
 *   - what comes back through an out parameter is yours, a returned pointer is borrowed
 *     from the first argument;
 *   - a call may be made from any thread; no code of yours ever runs on a thread of ours,
 *     and the library makes no thread;
 *   - a call does not block, except for one round trip to the service;
 *   - no call may be made in a child after fork() on a handle made before it.
 */
#ifndef HCS_HCS_H
#define HCS_HCS_H

#include "doc.h"
#include "error.h"
#include "event.h"
#include "host.h"
#include "op.h"
#include "process.h"
#include "stream.h"
#include "system.h"

#endif
