/* fd.h - file descriptors as owned resources, and small files.
 *
 * On Windows a descriptor is a socket: the number of one has 32 significant bits there, as that of
 * every kernel object has, so an int holds it. */
#ifndef HCS_BASE_FD_H
#define HCS_BASE_FD_H

#include "attr.h"
#include "hcs/error.h"

/* For _cleanup_(fd_drop): close unless negative. */
void fd_drop(int *fd);

_must_use_ hcs_result fd_nonblocking(int fd, hcs_error *err);

/* Read a whole small file (at most @ceiling bytes) into an owned, NUL-terminated string. */
_must_use_ hcs_result file_read(const char *path, size_t ceiling, char **out,
                                size_t *out_length_opt, hcs_error *err);

#ifndef _WIN32

/* Close @first and every descriptor above it, whoever has opened them.  Async-signal-safe, so that
 * a child of a process with threads may use it. */
void fd_close_from(int first);

/* Write a whole file and make it appear at @path at once (temporary file, rename). */
_must_use_ hcs_result file_write_atomic(const char *path, const void *bytes, size_t n, int mode,
                                        hcs_error *err);

/* The same for what is worth nothing after a crash of the machine: it is not synced. */
_must_use_ hcs_result file_write_unsynced(const char *path, const void *bytes, size_t n, int mode,
                                          hcs_error *err);

/* Like mkdir -p, for an absolute path; existing directories are fine. */
_must_use_ hcs_result dir_make(const char *path, int mode, hcs_error *err);

/* Remove a directory tree without following links or entering mounts; one that is not there is
 * fine. */
_must_use_ hcs_result dir_remove(const char *path, hcs_error *err);

#endif

#endif
