/* utf_vector.h - the few vector operations of utf.c: SSE2 on x86-64, NEON on arm64, both of which
 * every such processor has.  Elsewhere, and with UTF_BY_UNITS for the tests, UTF_VECTOR is 0 and
 * utf.c goes unit by unit.
 *
 * All rests on one property of both: narrowing sixteen units with saturation makes a byte from 1 to
 * 0x7F of an ASCII character, and of no other unit.  (0x80 to 0x7FFF become a byte with the high
 * bit, what is above is negative and becomes 0, as NUL does.)  So one comparison tells what is
 * plain. */
#ifndef HCS_BASE_UTF_VECTOR_H
#define HCS_BASE_UTF_VECTOR_H

#include "attr.h"

/* Of the blocks of a text whose end is not known yet, the last may reach past the text, though not
 * into the next page: harmless, but a sanitizer would complain.  All that is inlined into such a
 * function must be free of it too.  The tests let texts and rooms end where a page ends that cannot
 * be touched, which finds more than a sanitizer would. */
#ifdef __clang__
#define _reads_whole_blocks_ __attribute__((no_sanitize("address", "thread", "memory")))
#else
#define _reads_whole_blocks_ __attribute__((no_sanitize_address, no_sanitize_thread))
#endif
#define _of_blocks_ _reads_whole_blocks_ inline __attribute__((always_inline))

/* Whether this runs under Valgrind, which cannot be told at build time, and for which a block that
 * begins in the text must not end behind it unless it is a single aligned one.  The instructions
 * are what Valgrind takes for a call to itself; together they do nothing.  UTF_UNWATCHED: for who
 * counts instructions with it. */
static inline int reads_are_watched(void)
{
#if defined(__x86_64__) && !defined(_WIN32) && !defined(UTF_UNWATCHED)
    static int known; /* 0: not asked yet, 1: no, 2: yes */
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);

    if (answer == 0) {
        uint64_t request[6] = { 0x1001 }, result = 0;

        __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi\n\t"
                         "xchgq %%rbx, %%rbx"
                         : "+d"(result)
                         : "a"(request)
                         : "cc", "memory");
        answer = result ? 2 : 1;
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer == 2;
#else
    return 0;
#endif
}

#if defined(UTF_BY_UNITS)

#define UTF_VECTOR 0

#elif defined(__SSE2__)

#include <emmintrin.h>

#define UTF_VECTOR 1

typedef __m128i narrowed; /* sixteen units as bytes */

static _of_blocks_ narrowed narrow16(const uint16_t *units)
{
    return _mm_packus_epi16(_mm_loadu_si128((const __m128i *) (const void *) units),
                            _mm_loadu_si128((const __m128i *) (const void *) (units + 8)));
}

static _of_blocks_ void narrowed_store(unsigned char *to, narrowed v)
{
    _mm_storeu_si128((__m128i *) (void *) to, v);
}

/* A bit for each of the sixteen that is plain. */
static _of_blocks_ unsigned narrowed_mask(narrowed v)
{
    return (unsigned) _mm_movemask_epi8(_mm_cmpgt_epi8(v, _mm_setzero_si128()));
}

static _of_blocks_ int narrowed_all_low(narrowed v)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0;
}

/* How many of the sixteen, from the first on, are plain. */
static _of_blocks_ unsigned narrowed_plain(narrowed v)
{
    return (unsigned) __builtin_ctz(~narrowed_mask(v));
}

static _of_blocks_ int narrowed_all_plain(narrowed a, narrowed b)
{
    __m128i zero = _mm_setzero_si128();

    return _mm_movemask_epi8(_mm_and_si128(_mm_cmpgt_epi8(a, zero), _mm_cmpgt_epi8(b, zero))) ==
           0xFFFF;
}

static _of_blocks_ int narrowed_all_plain4(narrowed a, narrowed b, narrowed c, narrowed d)
{
    __m128i zero = _mm_setzero_si128();
    __m128i ab = _mm_and_si128(_mm_cmpgt_epi8(a, zero), _mm_cmpgt_epi8(b, zero));
    __m128i cd = _mm_and_si128(_mm_cmpgt_epi8(c, zero), _mm_cmpgt_epi8(d, zero));

    return _mm_movemask_epi8(_mm_and_si128(ab, cd)) == 0xFFFF;
}

/* How many of thirty-two, from the first on, are plain, when not all are. */
static _of_blocks_ unsigned narrowed_both_plain(narrowed a, narrowed b)
{
    return (unsigned) __builtin_ctz(~(narrowed_mask(a) | narrowed_mask(b) << 16));
}

/* How many of eight units, from the first on, are not NUL. */
static _of_blocks_ unsigned before_nul8(const uint16_t *units)
{
    __m128i v = _mm_loadu_si128((const __m128i *) (const void *) units);
    unsigned nul = (unsigned) _mm_movemask_epi8(_mm_cmpeq_epi16(v, _mm_setzero_si128()));

    return (unsigned) __builtin_ctz(nul | 0x10000) / 2;
}

/* Bytes of UTF-8 that eight units need beyond one each, when none is a surrogate; else -1. */
static _of_blocks_ int more_bytes8(const uint16_t *units)
{
    __m128i v = _mm_loadu_si128((const __m128i *) (const void *) units);
    __m128i zero = _mm_setzero_si128();
    __m128i one = _mm_cmpeq_epi16(_mm_and_si128(v, _mm_set1_epi16((short) 0xFF80)), zero);
    __m128i two = _mm_cmpeq_epi16(_mm_and_si128(v, _mm_set1_epi16((short) 0xF800)), zero);
    __m128i surrogate = _mm_cmpeq_epi16(_mm_and_si128(v, _mm_set1_epi16((short) 0xF800)),
                                        _mm_set1_epi16((short) 0xD800));

    if (_mm_movemask_epi8(surrogate))
        return -1;
    return 16 - (__builtin_popcount((unsigned) _mm_movemask_epi8(_mm_packs_epi16(one, two))));
}

#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)

#include <arm_neon.h>

#define UTF_VECTOR 1

typedef uint8x16_t narrowed;

static _of_blocks_ narrowed narrow16(const uint16_t *units)
{
    return vcombine_u8(vqmovun_s16(vreinterpretq_s16_u16(vld1q_u16(units))),
                       vqmovun_s16(vreinterpretq_s16_u16(vld1q_u16(units + 8))));
}

static _of_blocks_ void narrowed_store(unsigned char *to, narrowed v)
{
    vst1q_u8(to, v);
}

static _of_blocks_ unsigned narrowed_plain(narrowed v)
{
    uint8x16_t bad = vcleq_s8(vreinterpretq_s8_u8(v), vdupq_n_s8(0));
    /* four bits of each byte, for there is no movemask */
    uint64_t bits =
        vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(bad), 4)), 0);

    return bits ? (unsigned) __builtin_ctzll(bits) / 4 : 16;
}

static _of_blocks_ int narrowed_all_plain(narrowed a, narrowed b)
{
    return vminvq_s8(vminq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b))) > 0;
}

static _of_blocks_ int narrowed_all_plain4(narrowed a, narrowed b, narrowed c, narrowed d)
{
    int8x16_t ab = vminq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
    int8x16_t cd = vminq_s8(vreinterpretq_s8_u8(c), vreinterpretq_s8_u8(d));

    return vminvq_s8(vminq_s8(ab, cd)) > 0;
}

static _of_blocks_ unsigned narrowed_both_plain(narrowed a, narrowed b)
{
    unsigned plain = narrowed_plain(a);

    return plain < 16 ? plain : 16 + narrowed_plain(b);
}

static _of_blocks_ unsigned before_nul8(const uint16_t *units)
{
    uint8x8_t nul = vmovn_u16(vceqzq_u16(vld1q_u16(units)));
    uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(nul), 0);

    return bits ? (unsigned) __builtin_ctzll(bits) / 8 : 8;
}

static _of_blocks_ int more_bytes8(const uint16_t *units)
{
    uint16x8_t v = vld1q_u16(units), top = vandq_u16(v, vdupq_n_u16(0xF800));
    uint16x8_t two = vshrq_n_u16(vcgtq_u16(v, vdupq_n_u16(0x7F)), 15);
    uint16x8_t three = vshrq_n_u16(vcgtq_u16(v, vdupq_n_u16(0x7FF)), 15);

    if (vmaxvq_u16(vceqq_u16(top, vdupq_n_u16(0xD800))))
        return -1;
    return vaddvq_u16(vaddq_u16(two, three));
}

#else

#define UTF_VECTOR 0

#endif

#if UTF_VECTOR

#include <string.h>

typedef uint16_t eight __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));

static _of_blocks_ eight eight_load(const uint16_t *units)
{
    eight v;

    memcpy(&v, units, sizeof v);
    return v;
}

static _of_blocks_ int eight_any(eight v)
{
#ifdef __SSE2__
    return _mm_movemask_epi8(_mm_cmpeq_epi16((__m128i) v, _mm_setzero_si128())) != 0xFFFF;
#else
    return (((halves) v)[0] | ((halves) v)[1]) != 0;
#endif
}

static _of_blocks_ int eight_has_nul(eight v)
{
    return eight_any((eight) (v == 0));
}

static _of_blocks_ int eight_ascii(eight v)
{
    return !eight_any(v & 0xFF80);
}

static _of_blocks_ eight eight_choose(eight mask, eight yes, eight no)
{
    return (mask & yes) | (~mask & no);
}

#ifdef __clang__
#define EIGHT_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define EIGHT_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (eight){ __VA_ARGS__ })
#endif

/* Each unit's place gets the one before it, the first gets 0. */
static _of_blocks_ eight eight_before(eight v)
{
    return EIGHT_SHUFFLE(v, (eight){ 0 }, 8, 0, 1, 2, 3, 4, 5, 6);
}

/* A surrogate is two of the four bytes of its pair: put them into its place of @bytes.  Returns how
 * many of the eight units can be taken: not a last one that is the first of a pair; 0 when one is
 * lone. */
static _of_blocks_ size_t eight_pairs(eight v, eight surrogate, eight *bytes)
{
    eight high = (eight) ((v & 0xFC00) == 0xD800), low = surrogate & ~high;
    eight top = (v & 0x3FF) + 0x40; /* 0x10000 of the character is 0x40 here */
    eight first = 0x80F0 | top >> 8 | (top & 0xFC) << 6;
    eight second = 0x8080 | (eight_before(top) & 3) << 4 | (v >> 6 & 0xF) | (v & 0x3F) << 8;

    if (eight_any(eight_before(high) ^ low))
        return 0;
    *bytes = eight_choose(high, first, eight_choose(low, second, *bytes));
    return 8 + (size_t) (int16_t) high[7];
}

/* Encode eight units, none of them NUL; up to 3 bytes behind the result may be written.  Every
 * unit is made into one, two and three bytes at once, and the right one chosen, so there is no
 * branch to mispredict.  Returns how many units it took: 8, or 7, or 0 when there is a lone
 * surrogate. */
static _of_blocks_ size_t eight_put(eight v, unsigned char **out)
{
    eight over7 = (eight) (v > 0x7F), over11 = (eight) (v > 0x7FF);
    eight surrogate = (eight) ((v & 0xF800) == 0xD800);
    eight two = 0x80C0 | v >> 6 | (v & 0x3F) << 8;
    eight three = 0x80E0 | v >> 12 | (v & 0xFC0) << 2;
    eight bytes = eight_choose(over11, three, eight_choose(over7, two, v));
    eight third = 0x80 | (v & 0x3F), lengths = 1 - over7 - over11, pairs[2];
    unsigned char *to = *out;
    uint16_t length[8];
    size_t took = 8;

    if (eight_any(surrogate)) {
        took = eight_pairs(v, surrogate, &bytes);
        if (took == 0)
            return 0;
        lengths = eight_choose(surrogate, (eight){ 0 } + 2, lengths);
        /* half a pair at the end is not taken: what it writes is written over */
        lengths[7] = took == 8 ? lengths[7] : 0;
    }
    pairs[0] = EIGHT_SHUFFLE(bytes, third, 0, 8, 1, 9, 2, 10, 3, 11);
    pairs[1] = EIGHT_SHUFFLE(bytes, third, 4, 12, 5, 13, 6, 14, 7, 15);
    memcpy(length, &lengths, sizeof lengths);
    for (size_t i = 0; i < 8; i++) {
        memcpy(to, (const char *) pairs + 4 * i, 4);
        to += length[i];
    }
    *out = to;
    return took;
}

#endif
#endif
