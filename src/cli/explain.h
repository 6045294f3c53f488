/* explain.h - a result code in words. */
#ifndef HCS_CLI_EXPLAIN_H
#define HCS_CLI_EXPLAIN_H

#include <stdio.h>

#include <hcs/error.h>

/* 0x8037010E, 2151088398, -2143878898, HCS_E_SYSTEM_NOT_FOUND or SYSTEM_NOT_FOUND.  0, or -1 when
 * it is no code. */
int explain_parse(const char *text, hcs_result *out);

/* Returns 1 when the code is known, else 0 after printing what its bits say. */
int explain_print(FILE *to, hcs_result code, int has_colour);

#endif
