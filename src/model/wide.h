/* wide.h - JSON with numbers of 64 bits without a sign.
 *
 * HCS has them: the parameters of a crash are addresses of a kernel, which are above INT64_MAX.  An
 * integer of jansson has a sign, so such a number is a string of a form of its own inside, and a
 * number in the text.
 */
#ifndef HCS_MODEL_WIDE_H
#define HCS_MODEL_WIDE_H

#include <jansson.h>
#include <stdint.h>

/* As json_loadb(), with duplicate names refused.  In a document with wide numbers the column of an
 * error may be too large by 8 for each such number before it on its line. */
json_t *wide_load(const char *text, size_t n, size_t flags, json_error_t *where);

/* As json_dumps(): owned, free(); NULL without memory. */
char *wide_dump(const json_t *json, size_t flags);

/* NULL without memory. */
json_t *wide_new(uint64_t value);

/* Whether @json is a wide number; its digits, and its value. */
int wide_is_number(const json_t *json);
const char *wide_digits(const json_t *json);
uint64_t wide_value(const json_t *json);

#endif
