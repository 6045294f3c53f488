/* machine.h - what hcs needs of the operating system: once for each. */
#ifndef HCS_CLI_MACHINE_H
#define HCS_CLI_MACHINE_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <hcs/host.h>

/* The first thing main() does: standard handles that can be relied on, arguments and output in
 * UTF-8.  -1 when there is no use in going on. */
int machine_begin(int *argc, char ***argv);

/* From here on the library starts no service when none answers: such an error is "host.start". */
void machine_start_no_service(void);

/* Whether @to is a terminal that understands colours. */
int machine_has_colour(FILE *to);

/* Columns of the terminal that @to is; 0 when it is none or does not say. */
int machine_columns(FILE *to);

/* Open for reading; NULL with errno. */
FILE *machine_open(const char *path);

/* Milliseconds of a clock that nobody sets. */
int64_t machine_now_ms(void);

/* Nanoseconds since 1970 by the wall clock. */
uint64_t machine_wall_ns(void);

/* Write @text to a new file beside @path and put that in its place, so that whoever reads sees the
 * one or the other whole, also after a crash.  0, or -1 with errno. */
int machine_replace(const char *path, const char *text);

/* 0, or -1 when there is none. */
int machine_random(uint32_t *out);

/* 0, or -1. */
int machine_local_time(time_t seconds, struct tm *out);

/* Wait until @pollable is readable.  1: whoever reads the standard output has left first. */
int machine_wait_or_reader_gone(hcs_pollable pollable);

#endif
