/* platform.h - what differs between Linux and Windows in the flat API, and nothing else.
 *
 * platform_linux.c and platform_windows.c each have all of it. */
#ifndef HCS_COMPAT_PLATFORM_H
#define HCS_COMPAT_PLATFORM_H

#include "flat.h"
#include "lock.h"

/* Run @main on a thread that nobody joins and that takes no signals.  0, or -1: there is none. */
int platform_thread_start(void (*main)(void *context), void *context);

/* The calling thread's number; never 0. */
uint64_t platform_thread_self(void);

/* Wait for @c, at most until @deadline_ns of clock_monotonic_ns() (UINT64_MAX: for ever).  May
 * return early, like any condition. */
void platform_condition_wait(struct condition *c, struct lock *held, uint64_t deadline_ns);

/* Memory that LocalFree() and CoTaskMemFree() of the program release; NULL: there is none. */
void *platform_text_alloc(size_t bytes);

/* Turn our end of a pipe, which is taken, into a standard handle that the program owns. */
enum platform_stdio { PLATFORM_STDIN, PLATFORM_STDOUT, PLATFORM_STDERR };
HANDLE platform_stdio_handle(hcs_pollable take_pollable, enum platform_stdio which);

/* Close our end of a pipe that no program has taken. */
void platform_pollable_close(hcs_pollable take_pollable);

/* Value of an environment variable, or NULL; owned. */
char *platform_environment(const char *name);

#endif
