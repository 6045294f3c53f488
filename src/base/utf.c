/* utf.c - UTF-16 and UTF-8.
 *
 * Owns nothing.  Used at the border to HCS's own strings and wherever bytes from outside become
 * text.  Promises that the length function and the converter of each direction agree for every
 * input, and that nothing malformed comes out: what cannot be decoded is U+FFFD.
 */
#include "utf.h"

#include <assert.h>

#define REPLACEMENT 0xFFFDu

/* The character at units[0] of @n > 0; @took is how many units it has, @bad whether it is lone. */
static uint32_t utf16_next(const uint16_t *units, size_t n, size_t *took, int *bad)
{
    uint32_t high = units[0];

    *took = 1;
    if ((high & 0xF800) != 0xD800)
        return high;
    if (high < 0xDC00 && n > 1 && (units[1] & 0xFC00) == 0xDC00) {
        *took = 2;
        return 0x10000 + ((high & 0x3FF) << 10) + (units[1] & 0x3FFu);
    }
    *bad = 1;
    return REPLACEMENT;
}

size_t utf8_length_of_utf16(const uint16_t *units, size_t n, int *out_lossy_opt)
{
    size_t length = 0;
    int lossy = 0;

    assert(units || n == 0);
    for (size_t i = 0, took; i < n; i += took) {
        uint32_t c = utf16_next(units + i, n - i, &took, &lossy);

        length += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }
    if (out_lossy_opt && lossy)
        *out_lossy_opt = 1;
    return length;
}

size_t utf8_from_utf16(const uint16_t *units, size_t n, char *out)
{
    unsigned char *to = (unsigned char *) out;
    int lossy = 0;

    assert((units && out) || n == 0);
    for (size_t i = 0, took; i < n; i += took) {
        uint32_t c = utf16_next(units + i, n - i, &took, &lossy);

        if (c < 0x80) {
            *to++ = (unsigned char) c;
        } else if (c < 0x800) {
            *to++ = (unsigned char) (0xC0 | c >> 6);
            *to++ = (unsigned char) (0x80 | (c & 0x3F));
        } else if (c < 0x10000) {
            *to++ = (unsigned char) (0xE0 | c >> 12);
            *to++ = (unsigned char) (0x80 | (c >> 6 & 0x3F));
            *to++ = (unsigned char) (0x80 | (c & 0x3F));
        } else {
            *to++ = (unsigned char) (0xF0 | c >> 18);
            *to++ = (unsigned char) (0x80 | (c >> 12 & 0x3F));
            *to++ = (unsigned char) (0x80 | (c >> 6 & 0x3F));
            *to++ = (unsigned char) (0x80 | (c & 0x3F));
        }
    }
    return n ? (size_t) (to - (unsigned char *) out) : 0;
}

/* Bytes of the character at s[0] of @n > 0, 0 when it is malformed.  The narrower range of the
 * second byte keeps out overlong forms, surrogates and what is past U+10FFFF. */
static size_t sequence_at(const unsigned char *s, size_t n)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t length;

    if (s[0] < 0x80)
        return 1;
    length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n < length)
        return 0;
    if (s[0] == 0xE0)
        low = 0xA0;
    else if (s[0] == 0xED)
        high = 0x9F;
    else if (s[0] == 0xF0)
        low = 0x90;
    else if (s[0] == 0xF4)
        high = 0x8F;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* The character at s[0] of @n > 0; @took is its bytes, 1 for a malformed one. */
static uint32_t utf8_next(const unsigned char *s, size_t n, size_t *took, int *bad)
{
    size_t length = sequence_at(s, n);
    uint32_t c;

    *took = length ? length : 1;
    if (length == 0) {
        *bad = 1;
        return REPLACEMENT;
    }
    c = length == 1 ? s[0] : s[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (s[i] & 0x3Fu);
    return c;
}

size_t utf16_length_of_utf8(const char *bytes, size_t n, int *out_lossy_opt)
{
    const unsigned char *s = (const unsigned char *) bytes;
    size_t length = 0;
    int lossy = 0;

    assert(bytes || n == 0);
    for (size_t i = 0, took; i < n; i += took)
        length += utf8_next(s + i, n - i, &took, &lossy) < 0x10000 ? 1 : 2;
    if (out_lossy_opt && lossy)
        *out_lossy_opt = 1;
    return length;
}

size_t utf16_from_utf8(const char *bytes, size_t n, uint16_t *out)
{
    const unsigned char *s = (const unsigned char *) bytes;
    size_t written = 0;
    int lossy = 0;

    assert((bytes && out) || n == 0);
    for (size_t i = 0, took; i < n; i += took) {
        uint32_t c = utf8_next(s + i, n - i, &took, &lossy);

        if (c < 0x10000) {
            out[written++] = (uint16_t) c;
        } else {
            out[written++] = (uint16_t) (0xD800 + ((c - 0x10000) >> 10));
            out[written++] = (uint16_t) (0xDC00 + ((c - 0x10000) & 0x3FF));
        }
    }
    return written;
}

int utf8_valid(const char *bytes, size_t n)
{
    assert(bytes || n == 0);
    for (size_t i = 0, length; i < n; i += length) {
        length = sequence_at((const unsigned char *) bytes + i, n - i);
        if (length == 0)
            return 0;
    }
    return 1;
}

size_t utf8_sequence(const char *bytes, size_t n)
{
    assert(bytes || n == 0);
    return n ? sequence_at((const unsigned char *) bytes, n) : 0;
}

size_t utf8_cut(const char *bytes, size_t n, size_t room)
{
    assert(bytes || n == 0);
    if (n <= room)
        return n;
    for (size_t back = 1; back <= 3 && back <= room; back++) {
        unsigned char c = (unsigned char) bytes[room - back];

        if ((c & 0xC0) == 0x80)
            continue;
        return utf8_sequence(bytes + room - back, n - room + back) > back ? room - back : room;
    }
    return room;
}

void utf8_make_printable(char *bytes, size_t n)
{
    assert(bytes || n == 0);
    for (size_t i = 0, length; i < n; i += length ? length : 1) {
        unsigned char c = (unsigned char) bytes[i];

        length = utf8_sequence(bytes + i, n - i);
        if (length == 0)
            bytes[i] = '?';
        else if (length == 1 && (c < 0x20 || c == 0x7F))
            bytes[i] = ' ';
        else if (length == 2 && c == 0xC2 && (unsigned char) bytes[i + 1] < 0xA0)
            bytes[i] = bytes[i + 1] = ' '; /* C1 controls: terminals obey them */
    }
}
