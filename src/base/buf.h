/* buf.h - a growing byte buffer with a compulsory ceiling.
 *
 * Reaching the ceiling is an ordinary error; what was there before stays.  The bytes are
 * always followed by a NUL that is not counted.
 */
#ifndef HCS_BASE_BUF_H
#define HCS_BASE_BUF_H

#include "attr.h"
#include "hcs/error.h"

struct buf {
    char *data; /* NULL while empty and never grown */
    size_t length;
    size_t capacity;
    size_t ceiling;
};

void buf_init(struct buf *b, size_t ceiling);
void buf_done(struct buf *b); /* leaves it empty and usable */

/* Room for @extra more bytes.  HCS_E_WIN32_INSUFFICIENT_BUFFER over the ceiling,
 * HCS_E_OUTOFMEMORY. */
_must_use_ hcs_result buf_reserve(struct buf *b, size_t extra);
_must_use_ hcs_result buf_append(struct buf *b, const void *bytes, size_t n);
_must_use_ hcs_result buf_append_string(struct buf *b, const char *string);
_must_use_ hcs_result buf_printf(struct buf *b, const char *format, ...) _printf_(2, 3);

/* Drop @n bytes at the front. */
void buf_consume(struct buf *b, size_t n);

#endif
