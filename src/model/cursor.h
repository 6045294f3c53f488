/* cursor.h - a position in a log, as text: "hcs1.LOG.NUMBER" (see hcs/stream.h). */
#ifndef HCS_MODEL_CURSOR_H
#define HCS_MODEL_CURSOR_H

#include "attr.h"
#include "hcs/host.h"

#define CURSOR_LOG_DIGITS 32 /* hexadecimal digits of a log's id */

struct cursor {
    char log[CURSOR_LOG_DIGITS + 1];
    uint64_t after; /* number of the event that it stands behind; at most INT64_MAX */
};

/* Strict: exactly what cursor_format() writes.  HCS_E_INVALIDARG, and the text has the place and
 * what is expected there. */
_must_use_ hcs_result cursor_parse(const char *text, struct cursor *out, hcs_error *err);

/* HCS_E_INVALIDARG: no id of a log, or a number over INT64_MAX; no text is written. */
_must_use_ hcs_result cursor_format(const char *log, uint64_t after, char out[HCS_CURSOR_SIZE]);

#endif
