/* utf.h - UTF-16 and UTF-8.
 *
 * UTF-16 is decoded lossily: a lone surrogate becomes U+FFFD and the text after it survives.
 */
#ifndef HCS_BASE_UTF_H
#define HCS_BASE_UTF_H

#include "attr.h"
#include "hcs/error.h"

/* UTF-8 bytes that @n units need; *@out_lossy_opt is set to 1 when a unit had to be replaced. */
size_t utf8_length_of_utf16(const uint16_t *units, size_t n, int *out_lossy_opt);

/* Decode @n units into @out, which has the room that utf8_length_of_utf16() said.
 * Returns the bytes written; no NUL is added. */
size_t utf8_from_utf16(const uint16_t *units, size_t n, char *out);

/* Units before the NUL of @text, at most @max.  Units after the NUL are not part of the answer, but
 * those that share its block of memory may be looked at; never another page. */
size_t utf16_length(const uint16_t *text, size_t max);

/* Decode the NUL-terminated @text into @out in one pass: whole characters while they fit in @room
 * and there are @max units at most.  A high surrogate that is the last of @max is left alone.  No
 * NUL is added.  All of @room may be written to. */
struct utf16_text {
    size_t bytes;                          /* written */
    size_t units : sizeof(size_t) * 8 - 2; /* decoded */
    size_t lossy : 1;                      /* 1: a lone surrogate was replaced */
    size_t whole : 1;                      /* 1: the NUL is what it stopped at */
};
struct utf16_text utf8_from_utf16_text(const uint16_t *text, size_t max, char *out, size_t room);

/* UTF-16 units that @n bytes need; malformed bytes count as U+FFFD, one for each byte. */
size_t utf16_length_of_utf8(const char *bytes, size_t n, int *out_lossy_opt);
size_t utf16_from_utf8(const char *bytes, size_t n, uint16_t *out);

/* 1 when the bytes are well-formed UTF-8. */
int utf8_valid(const char *bytes, size_t n);

/* Bytes of the well-formed character at bytes[0]; 0 when it is malformed or @n is 0. */
size_t utf8_sequence(const char *bytes, size_t n);

/* Most bytes of the @n, but at most @room, that do not cut a character in two. */
size_t utf8_cut(const char *bytes, size_t n, size_t room);

/* Make one line for a terminal of it, in place and no longer: control characters become spaces,
 * malformed bytes question marks. */
void utf8_make_printable(char *bytes, size_t n);

#endif
