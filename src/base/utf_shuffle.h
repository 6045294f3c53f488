/* utf_shuffle.h - eight units of UTF-16 at once to UTF-8, for processors with SSSE3: all that are
 * not older than 2006, but the baseline of x86-64 has it not.  So utf.c asks at run time, and only
 * once it met a character that is not ASCII.  UTF_BASELINE leaves it out, for the tests.
 *
 * Each unit is made into four bytes: what it is as one byte, the last byte of two and three, the
 * first of three, and what is the first of two and the second of three.  Which of them are wanted,
 * and in which order, two bits say.  For the eight bits of four units a table has the shuffle that
 * brings the wanted bytes together, so there is no branch to mispredict and no unit is stored
 * alone.
 */
#ifndef HCS_BASE_UTF_SHUFFLE_H
#define HCS_BASE_UTF_SHUFFLE_H

#include "utf_vector.h"

#if UTF_VECTOR && defined(__SSE2__) && !defined(UTF_BASELINE)
#define UTF_SHUFFLE 1
#else
#define UTF_SHUFFLE 0
#endif

#if UTF_SHUFFLE

#include <tmmintrin.h>

#define _with_shuffle_ __attribute__((target("ssse3")))

/* For the bits of four units: the shuffle, of which 12 bytes are of use, and in the last byte how
 * many.  Two bits of a unit: 1 and 2 for as many bytes, 0 for three, 3 for none.  Made by
 * tools/utf8_shuffles.py. */
extern const unsigned char utf_shuffles[256][16];

#define UNIT_DROPPED 3u

static inline int shuffles_here(void)
{
    return __builtin_cpu_supports("ssse3");
}

static _of_blocks_ _with_shuffle_ unsigned eight_mask(eight v)
{
    return (unsigned) _mm_movemask_epi8((__m128i) v);
}

static _of_blocks_ _with_shuffle_ unsigned char *four_put(unsigned char *to, eight bytes,
                                                          unsigned bits)
{
    const unsigned char *shuffle = utf_shuffles[bits];
    __m128i order = _mm_load_si128((const __m128i *) (const void *) shuffle);

    _mm_storeu_si128((__m128i *) (void *) to, _mm_shuffle_epi8((__m128i) bytes, order));
    return to + shuffle[15];
}

/* What eight units become: the four bytes of each are its two in @low and its two in @high. */
struct shuffled {
    eight low, high, one, two;
};

static _of_blocks_ _with_shuffle_ struct shuffled eight_spread(eight v)
{
    const eight twice = { 0x0000, 0x0202, 0x0404, 0x0606, 0x0808, 0x0A0A, 0x0C0C, 0x0E0E };
    struct shuffled s = { .one = (eight) ((v & 0xFF80) == 0), .two = (eight) ((v & 0xF800) == 0) };

    s.low = ((eight) _mm_shuffle_epi8((__m128i) v, (__m128i) twice) & 0x3F7F) | 0x8000;
    s.high =
        (eight) _mm_maddubs_epi16((__m128i) (v >> 4 & 0x0FFC), (__m128i) ((eight){ 0 } + 0x0140)) |
        0xC0E0;
    s.high ^= ~s.two & 0x4000;
    return s;
}

static _of_blocks_ _with_shuffle_ unsigned char *shuffled_put(struct shuffled s, unsigned dropped,
                                                              unsigned char *to)
{
    unsigned bits = (eight_mask(s.one ^ s.two << 8) | dropped);

    to = four_put(to, (eight) _mm_unpacklo_epi16((__m128i) s.low, (__m128i) s.high), bits & 0xFF);
    return four_put(to, (eight) _mm_unpackhi_epi16((__m128i) s.low, (__m128i) s.high),
                    bits >> 8 & 0xFF);
}

/* Encode eight units, none of them NUL or above 0x7FFF. */
static _of_blocks_ _with_shuffle_ unsigned char *eight_put_low(eight v, unsigned char *to)
{
    return shuffled_put(eight_spread(v), 0, to);
}

/* Encode eight units, but those whose bits are in @dropped.  Returns how many units it took: 8; 7
 * when the last one is half a pair; 0 when one is lone. */
static _of_blocks_ _with_shuffle_ size_t eight_put_any(eight v, unsigned dropped,
                                                       unsigned char **out)
{
    eight surrogate = (eight) ((v & 0xF800) == 0xD800), pairs = { 0 };
    struct shuffled s = eight_spread(v);
    size_t took = 8;

    if (eight_mask(surrogate)) {
        took = eight_pairs(v, surrogate, &pairs);
        if (took == 0)
            return 0;
        if (took != 8)
            dropped |= UNIT_DROPPED << 14;
        s.low = eight_choose(surrogate, pairs, s.low);
        s.high = eight_choose(surrogate, pairs << 8, s.high);
        s.two |= surrogate;
    }
    *out = shuffled_put(s, dropped, *out);
    return took;
}

/* The same of the units before the first NUL, of which there is one.  7 when it is the last of the
 * eight. */
static _reads_whole_blocks_ _with_shuffle_ __attribute__((noinline)) size_t
eight_put_last(eight v, unsigned char **out)
{
    const eight places = { 0, 1, 2, 3, 4, 5, 6, 7 };
    unsigned n = (unsigned) __builtin_ctz(eight_mask((eight) (v == 0))) / 2;

    v &= (eight) (places < (eight){ 0 } + (uint16_t) n);
    return eight_put_any(v, 0xFFFFu << 2 * n, out) ? n : 0;
}

/* Encode eight units up to a NUL; as many as 16 bytes behind those of the first four are written.
 * Returns how many units it took; 0 when one is lone. */
static _of_blocks_ _with_shuffle_ size_t eight_put_shuffled(eight v, unsigned char **out)
{
    if (eight_mask((eight) (v == 0)))
        return eight_put_last(v, out);
    return eight_put_any(v, 0, out);
}

#endif
#endif
