/* moment.h - moments as people write them: by the clock, as seconds, or as a time ago. */
#ifndef HCS_CLI_MOMENT_H
#define HCS_CLI_MOMENT_H

#include <stddef.h>
#include <stdint.h>

#include "option.h"

/* What a moment may look like, for help texts. */
#define MOMENT_FORMS "2026-11-24T10:30:00Z, seconds since 1970, or a time ago: 10m, 2h, 1d"

/* Nanoseconds since 1970, of:
 *   RFC 3339        2026-11-24T10:30:00Z, 2026-11-24T10:30:00.25+01:00 (also t, z and a space)
 *   seconds         1764000000, 1764000000.5
 *   a time ago      90s, 10m, 2h, 1d, 1h30m, 500ms: before @now_ns; with + in front, after it
 * 0, or -1 with @problem, which begins with the value in quotes. */
int moment_parse(const char *text, uint64_t now_ns, uint64_t *out, char problem[OPTION_PROBLEM]);

/* RFC 3339 in UTC with all nine digits.  Returns @buffer. */
#define MOMENT_SIZE 96
char *moment_format(uint64_t ns, char buffer[MOMENT_SIZE]);

#endif
