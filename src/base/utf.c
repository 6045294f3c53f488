/* utf.c - UTF-16 and UTF-8.
 *
 * Owns nothing.  Used at the border to HCS's own strings and wherever bytes from outside become
 * text.  Promises that the length function and the converter of each direction agree for every
 * input, and that nothing malformed comes out: what cannot be decoded is U+FFFD.
 */
#include "utf.h"

#include <assert.h>

#include "utf_shuffle.h"
#include "utf_vector.h"

#define REPLACEMENT 0xFFFDu

/* No processor has a smaller page, and none of ours reads a whole block across the end of one. */
#define PAGE_BYTES 4096u

/* Units among which the end is looked for before they are decoded. */
#define AHEAD 256

/* Of more units than this many are taken at a time. */
#define SHORT_UNITS ((size_t) 128)

/* Fewer units than this may be too few for a block. */
#define FEW_UNITS 32

/* Characters to take one by one, where blocks cannot, before blocks are tried again. */
#define SOME 8

static inline size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

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

#if UTF_VECTOR

/* Of the @n units, from @i on, copy those that are plain, thirty-two at a time.  Returns how far it
 * came, and *@out_stopped is 1 when what is there is not plain. */
static _of_blocks_ size_t copy_plain_by_32(const uint16_t *units, size_t i, size_t n,
                                           unsigned char *to, int *out_stopped)
{
    for (; n - i >= 32; i += 32) {
        narrowed a = narrow16(units + i), b = narrow16(units + i + 16);

        narrowed_store(to + i, a);
        narrowed_store(to + i + 16, b);
        if (!narrowed_all_plain(a, b)) {
            *out_stopped = 1;
            return i + narrowed_both_plain(a, b);
        }
    }
    return i;
}

/* The same in long strides, up to less than one of units that are plain. */
static _of_blocks_ size_t copy_plain_by_64(const uint16_t *units, size_t i, size_t n,
                                           unsigned char *to)
{
    for (; n - i >= 64; i += 64) {
        narrowed a = narrow16(units + i), b = narrow16(units + i + 16);
        narrowed c = narrow16(units + i + 32), d = narrow16(units + i + 48);

        narrowed_store(to + i, a);
        narrowed_store(to + i + 16, b);
        narrowed_store(to + i + 32, c);
        narrowed_store(to + i + 48, d);
        if (!narrowed_all_plain4(a, b, c, d))
            break;
    }
    return i;
}

#endif

/* Copy the ASCII characters at the beginning of the @n units, and return how many: all of them or
 * up to a unit that is NUL or not ASCII, or up to 15 fewer than all.  @to has @n bytes of room, any
 * of which may be written. */
static _of_blocks_ size_t copy_plain(const uint16_t *units, size_t n, unsigned char *to)
{
    size_t i = 0;

#if UTF_VECTOR
    int stopped = 0;

    i = copy_plain_by_32(units, 0, lesser(n, SHORT_UNITS), to, &stopped);
    if (!stopped && n - i >= 64) {
        i = copy_plain_by_64(units, i, n, to);
        i = copy_plain_by_32(units, i, n, to, &stopped);
    }
    for (; !stopped && n - i >= 16; i += 16) {
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

/* Where a decoder is, and how far it may go. */
struct way {
    const uint16_t *at, *end;
    unsigned char *to, *room_end;
};

#if UTF_VECTOR

/* Decode in blocks: up to a NUL, a lone surrogate, or less than a block of units or of room. Writes
 * up to 3 bytes too many: so the last 3 units are never part of it. */
static _reads_whole_blocks_ __attribute__((noinline)) struct way decode_mixed(struct way w)
{
    int ascii = 0;

    for (;;) {
        size_t left = (size_t) (w.end - w.at), space = (size_t) (w.room_end - w.to), took;
        eight v;

        if (ascii) {
            size_t plain = copy_plain(w.at, lesser(left, space), w.to);

            w.at += plain;
            w.to += plain;
            left -= plain;
            space -= plain;
        }
        if (left < 8 + 3 || space < 3 * 8 + 3)
            break;
        v = eight_load(w.at);
        took = eight_has_nul(v) ? 0 : eight_put(v, &w.to);
        if (took == 0)
            break;
        ascii = eight_ascii(v);
        w.at += took;
    }
    return w;
}

#endif

#if UTF_SHUFFLE

/* Units and bytes of room that must be there: a turn takes at most 16 units, whose last four are
 * written where the 36 bytes of the others end, as 16 bytes.  Where the room is known to be that of
 * all units, those that are not taken have a byte each for what is written too many. */
#define TURN_UNITS (16 + 12)
#define TURN_ROOM (36 + 16)

/* Decode while eight units are taken whole; returns how many of the next eight were taken.  (The
 * usual 8 is a constant here, so that the processor knows early where to go on.) */
static _of_blocks_ _with_shuffle_ size_t decode_eights(struct way *w)
{
    const uint16_t *at = w->at, *last = w->end - TURN_UNITS;
    unsigned char *to = w->to, *last_to = w->room_end - TURN_ROOM;
    size_t took = 0;

    while (at <= last && to <= last_to) {
        narrowed v = narrow16(at);

        if (narrowed_mask(v) == 0xFFFF) {
            narrowed_store(to, v);
            to += 16;
            at += 16;
        } else if (narrowed_all_low(v)) {
            to = eight_put_low(eight_load(at), to);
            to = eight_put_low(eight_load(at + 8), to);
            at += 16;
        } else {
            took = eight_put_shuffled(eight_load(at), &to);
            if (took < 8)
                break;
            took = 0;
            at += 8;
        }
    }
    w->at = at;
    w->to = to;
    return took;
}

/* As decode_mixed(), but up to a NUL within a block, and 12 bytes too many. */
static _reads_whole_blocks_ _with_shuffle_ __attribute__((noinline)) struct way
decode_shuffled(struct way w)
{
    size_t took;

    while (w.end - w.at >= TURN_UNITS && w.room_end - w.to >= TURN_ROOM) {
        took = decode_eights(&w);
        if (took == 0)
            break;
        w.at += took;
    }
    return w;
}

#endif

/* Decode in blocks: up to a NUL, a lone surrogate, or less than a block of units or of room. Writes
 * some bytes behind the result, but never more than there are units left. */
static _of_blocks_ struct way decode_blocks(struct way w)
{
#if UTF_VECTOR
    size_t plain =
        copy_plain(w.at, lesser((size_t) (w.end - w.at), (size_t) (w.room_end - w.to)), w.to);

    w.at += plain;
    w.to += plain;
    if (w.at == w.end || *w.at == 0)
        return w;
#if UTF_SHUFFLE
    if (shuffles_here())
        return decode_shuffled(w);
#endif
    return decode_mixed(w);
#else
    return w;
#endif
}

size_t utf8_from_utf16(const uint16_t *units, size_t n, char *out)
{
    struct way w = { .at = units, .end = units + n, .to = (unsigned char *) out };
    int lossy = 0;
    size_t took;

    assert((units && out) || n == 0);
    while (w.at < w.end) {
        /* the room is that of all that is left, so it has at least a byte for each unit */
        w.room_end = w.to + 3 * (w.end - w.at);
        w = decode_blocks(w);
        for (int i = 0; i < SOME && w.at < w.end; i++) {
            w.to = utf8_put(w.to, utf16_next(w.at, (size_t) (w.end - w.at), &took, &lossy));
            w.at += took;
        }
    }
    return n ? (size_t) (w.to - (unsigned char *) out) : 0;
}

/* Units from @at to the end of its page. */
static inline size_t units_of_page(const uint16_t *at)
{
    return (PAGE_BYTES - ((uintptr_t) at & (PAGE_BYTES - 1))) / sizeof *at;
}

_reads_whole_blocks_ size_t utf16_length(const uint16_t *text, size_t max)
{
    size_t i = 0;

    assert(text);
#if UTF_VECTOR
    for (; i < max && (uintptr_t) (text + i) % 16; i++)
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

/* How far from @at on blocks may be read: to the end of the page, whatever comes after the NUL, and
 * of the next one when the NUL is not before that; or, when every read is watched, to the NUL. */
static _of_blocks_ const uint16_t *end_in_reach(const uint16_t *at, const uint16_t *end)
{
    size_t left = (size_t) (end - at), page = units_of_page(at);

    if (reads_are_watched())
        return at + utf16_length(at, lesser(left, AHEAD));
    if (page < FEW_UNITS && page < left && utf16_length(at, page) == page)
        page += PAGE_BYTES / sizeof *at;
    return at + lesser(left, page);
}

/* Characters one by one, SOME at most; 0 when the next one cannot be had: it is the NUL, is not
 * whole within @end, or has no room. */
static _of_blocks_ int decode_some(struct way *w, const uint16_t *end, int *lossy)
{
    int i;

    for (i = 0; i < SOME && w->at < end; i++) {
        size_t took;
        int bad = 0;
        uint32_t c = utf16_next(w->at, (size_t) (end - w->at), &took, &bad);

        if (c == 0 || utf8_bytes_of(c) > (size_t) (w->room_end - w->to))
            break;
        if (bad && w->at + 1 == end && *w->at < 0xDC00)
            break; /* perhaps half of a pair: nobody knows what is behind the end */
        *lossy |= bad;
        w->to = utf8_put(w->to, c);
        w->at += took;
    }
    return i == SOME;
}

/* The rest of utf8_from_utf16_text(), from unit @done on, of which there are as many bytes. */
static _reads_whole_blocks_ __attribute__((noinline)) struct utf16_text
decode_text(const uint16_t *text, size_t max, unsigned char *out, size_t room, size_t done)
{
    const uint16_t *end = text + max, *before;
    struct way w = { .at = text + done, .to = out + done, .room_end = out + room };
    int lossy = 0;

    do {
        before = w.at;
        w.end = end_in_reach(w.at, end);
        w = decode_blocks(w);
        if (w.at == end || *w.at == 0)
            break;
        /* where a page ends blocks stop for nothing but that */
    } while ((w.at != before && w.end - w.at < FEW_UNITS && w.end != end) ||
             decode_some(&w, end, &lossy));
    return (struct utf16_text){ .bytes = (size_t) (w.to - out),
                                .units = (size_t) (w.at - text),
                                .lossy = lossy != 0,
                                .whole = w.at < end && *w.at == 0 };
}

/* Most texts are ASCII and within a page; those must not pay for the others. */
_reads_whole_blocks_ struct utf16_text utf8_from_utf16_text(const uint16_t *text, size_t max,
                                                            char *out, size_t room)
{
    size_t plain = 0, reach;

    assert(text && out);
    if (!reads_are_watched()) {
        reach = lesser(lesser(max, room), units_of_page(text));
        plain = copy_plain(text, reach, (unsigned char *) out);
        if (plain < reach && text[plain] == 0)
            return (struct utf16_text){ .bytes = plain, .units = plain, .whole = 1 };
    }
    return decode_text(text, max, (unsigned char *) out, room, plain);
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
