/* utf.c - UTF-16 and UTF-8.
 *
 * Owns nothing.  Used at the border to HCS's own strings and wherever bytes from outside become
 * text.  Promises that the length function and the converter of each direction agree for every
 * input, and that nothing malformed comes out: what cannot be decoded is U+FFFD.
 */
#include "utf.h"

#include <assert.h>

#include "utf_vector.h"

#define REPLACEMENT 0xFFFDu

/* No processor has a smaller page, and none of ours reads a whole block across the end of one. */
#define PAGE_BYTES 4096u

/* Units among which the end is looked for before they are decoded. */
#define AHEAD 256

/* Characters to take one by one, where blocks cannot, before blocks are tried again. */
#define SOME 8

/* The character at units[0] of @n > 0; @took is how many units it has, @bad whether it is lone. */
static inline uint32_t utf16_next(const uint16_t *units, size_t n, size_t *took, int *bad)
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

static inline size_t utf8_bytes_of(uint32_t c)
{
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static inline unsigned char *utf8_put(unsigned char *to, uint32_t c)
{
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
    return to;
}

/* Copy the ASCII characters at the beginning of the @n units, and return how many: all of them or
 * up to a unit that is NUL or not ASCII, or up to 15 fewer than all.  @to has @n bytes of room, any
 * of which may be written. */
static _of_blocks_ size_t copy_plain(const uint16_t *units, size_t n, unsigned char *to)
{
    size_t i = 0;

#if UTF_VECTOR
    for (; n - i >= 32; i += 32) {
        narrowed a = narrow16(units + i), b = narrow16(units + i + 16);

        narrowed_store(to + i, a);
        narrowed_store(to + i + 16, b);
        if (!narrowed_all_plain(a, b))
            break;
    }
    for (; n - i >= 16; i += 16) {
        narrowed v = narrow16(units + i);
        unsigned plain = narrowed_plain(v);

        narrowed_store(to + i, v);
        if (plain < 16)
            return i + plain;
    }
#else
    (void) units, (void) to, (void) n;
#endif
    return i;
}

size_t utf8_length_of_utf16(const uint16_t *units, size_t n, int *out_lossy_opt)
{
    size_t length = 0, i = 0;
    int lossy = 0;

    assert(units || n == 0);
    while (i < n) {
        size_t end = n, took;

#if UTF_VECTOR
        if (n - i >= 32 && narrowed_all_plain(narrow16(units + i), narrow16(units + i + 16))) {
            length += 32;
            i += 32;
            continue;
        }
        if (n - i >= 8) {
            int more = more_bytes8(units + i);

            if (more >= 0) {
                length += 8 + (size_t) more;
                i += 8;
                continue;
            }
            end = i + 8;
        }
#endif
        for (; i < end; i += took)
            length += utf8_bytes_of(utf16_next(units + i, n - i, &took, &lossy));
    }
    if (out_lossy_opt && lossy)
        *out_lossy_opt = 1;
    return length;
}

/* Decode from the @n units while that goes in blocks: up to a NUL, a lone surrogate, or less than a
 * block of units or @room.  Writes up to 3 bytes too many: so the last 3 units are never part of
 * it. */
static _of_blocks_ void decode_blocks(const uint16_t **units, size_t n, unsigned char **out,
                                      size_t room)
{
#if UTF_VECTOR
    const uint16_t *at = *units, *end = at + n;
    unsigned char *to = *out, *room_end = to + room;
    int ascii = n >= 16 && eight_ascii(eight_load(at));

    for (;;) {
        size_t left = (size_t) (end - at), space = (size_t) (room_end - to), took;
        eight v;

        if (ascii) {
            size_t plain = copy_plain(at, left < space ? left : space, to);

            at += plain;
            to += plain;
            left -= plain;
            space -= plain;
            if (left == 0 || *at == 0)
                break;
        }
        if (left < 8 + 3 || space < 3 * 8 + 3)
            break;
        v = eight_load(at);
        took = eight_has_nul(v) ? 0 : eight_put(v, &to);
        if (took == 0)
            break;
        ascii = eight_ascii(v);
        at += took;
    }
    *units = at;
    *out = to;
#else
    (void) units, (void) n, (void) out, (void) room;
#endif
}

size_t utf8_from_utf16(const uint16_t *units, size_t n, char *out)
{
    const uint16_t *end = units + n;
    unsigned char *to = (unsigned char *) out;
    int lossy = 0;
    size_t took;

    assert((units && out) || n == 0);
    while (units < end) {
        size_t left = (size_t) (end - units);

        /* the room is that of all that is left, so it has at least a byte for each unit */
        decode_blocks(&units, left, &to, 3 * left);
        for (int i = 0; i < SOME && units < end; i++) {
            to = utf8_put(to, utf16_next(units, (size_t) (end - units), &took, &lossy));
            units += took;
        }
    }
    return n ? (size_t) (to - (unsigned char *) out) : 0;
}

/* Units from @at to the end of its page. */
static inline size_t units_of_page(const uint16_t *at)
{
    return (PAGE_BYTES - ((uintptr_t) at & (PAGE_BYTES - 1))) / sizeof *at;
}

static inline size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline int is_block_aligned(const uint16_t *at)
{
    return ((uintptr_t) at & 15) == 0;
}

_reads_whole_blocks_ size_t utf16_length(const uint16_t *text, size_t max)
{
    size_t i = 0;

    assert(text);
#if UTF_VECTOR
    for (; i < max && !is_block_aligned(text + i); i++)
        if (text[i] == 0)
            return i;
    for (; max - i >= 8; i += 8) {
        unsigned before = before_nul8(text + i);

        if (before < 8)
            return i + before;
    }
#endif
    while (i < max && text[i])
        i++;
    return i;
}

/* How many units from @at on may be read in blocks: to the end of the page, whatever comes after
 * the NUL, or, when every read is watched, to the NUL. */
static _of_blocks_ size_t units_in_reach(const uint16_t *at, const uint16_t *end)
{
    size_t left = (size_t) (end - at);

    if (reads_are_watched())
        return utf16_length(at, lesser(left, AHEAD));
    return lesser(left, units_of_page(at));
}

/* Characters one by one, SOME at most; 0 when the next one cannot be had: it is the NUL, is not
 * whole within @end, or has no room. */
static _of_blocks_ int decode_some(const uint16_t **units, const uint16_t *end, unsigned char **out,
                                   const unsigned char *room_end, int *lossy)
{
    const uint16_t *at = *units;
    unsigned char *to = *out;
    int i;

    for (i = 0; i < SOME && at < end; i++) {
        size_t took;
        int bad = 0;
        uint32_t c = utf16_next(at, (size_t) (end - at), &took, &bad);

        if (c == 0 || utf8_bytes_of(c) > (size_t) (room_end - to))
            break;
        if (bad && at + 1 == end && *at < 0xDC00)
            break; /* perhaps half of a pair: nobody knows what is behind the end */
        *lossy |= bad;
        to = utf8_put(to, c);
        at += took;
    }
    *units = at;
    *out = to;
    return i == SOME;
}

_reads_whole_blocks_ struct utf16_text utf8_from_utf16_text(const uint16_t *text, size_t max,
                                                            char *out, size_t room)
{
    const uint16_t *at, *end;
    unsigned char *to, *room_end;
    int lossy = 0;

    assert(text && out);
    at = text;
    end = text + max;
    to = (unsigned char *) out;
    room_end = to + room;
    do {
        decode_blocks(&at, units_in_reach(at, end), &to, (size_t) (room_end - to));
    } while (at < end && *at && decode_some(&at, end, &to, room_end, &lossy));
    return (struct utf16_text){ (size_t) (at - text), (size_t) (to - (unsigned char *) out), lossy,
                                at < end && *at == 0 };
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
