/* explain.h - a result code, or a kind of event, in words. */
#ifndef HCS_CLI_EXPLAIN_H
#define HCS_CLI_EXPLAIN_H

#include <stdio.h>

#include <hcs/error.h>
#include <hcs/event.h>

/* 0x8037010E, 2151088398, -2143878898, HCS_E_SYSTEM_NOT_FOUND or SYSTEM_NOT_FOUND.  0, or -1 when
 * it is no code. */
int explain_parse(const char *text, hcs_result *out);

/* ProcessExited, 0x00010000 or 65536.  0, or -1 when it is no kind that is known. */
int explain_parse_kind(const char *text, hcs_event_kind *out);
void explain_print_kind(FILE *to, hcs_event_kind kind, int has_colour);

/* Returns 1 when the code is known, else 0 after printing what its bits say. */
int explain_print(FILE *to, hcs_result code, int has_colour);

#endif
