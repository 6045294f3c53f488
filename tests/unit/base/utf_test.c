/* UTF-16 and UTF-8: against the system's own conversion where text is well formed, by hand where it
 * is not.  Built three times: with what the processor has, with UTF_BASELINE for the vectors that
 * every one has, and with UTF_BY_UNITS. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <iconv.h>
#include <sys/mman.h>
#include <unistd.h>
#endif
#include <string.h>

#include "utf.h"
#include "utf_shuffle.h"

/* A test of a processor that is not here says so. */
static void what_is_tested_is_what_this_build_is_for(void **state)
{
    (void) state;
#if UTF_SHUFFLE
    if (!shuffles_here()) {
        print_message("this processor has no SSSE3, so the shuffles of UTF-16 are not tested\n");
        skip();
    }
#elif defined(__x86_64__) && !defined(UTF_BASELINE) && !defined(UTF_BY_UNITS)
    fail_msg("the shuffles are not part of this build");
#endif
}

/* xorshift: the same numbers on every machine. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static uint32_t random_character(uint32_t *seed)
{
    static const uint32_t limits[] = { 0x80, 0x800, 0x10000, 0x110000 };

    for (;;) {
        uint32_t c = next_random(seed) % limits[next_random(seed) % 4];

        if (c < 0xD800 || c > 0xDFFF)
            return c;
    }
}

#ifdef _WIN32

static size_t units_of(const uint32_t *characters, size_t n, uint16_t *out)
{
    size_t length = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t c = characters[i];

        if (c >= 0x10000) {
            out[length++] = (uint16_t) (0xD800 + ((c - 0x10000) >> 10));
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        out[length++] = (uint16_t) c;
    }
    return length;
}

static size_t bytes_of(const uint32_t *characters, size_t n, char *out, size_t room)
{
    uint16_t units[400];
    size_t length = units_of(characters, n, units);

    return (size_t) WideCharToMultiByte(CP_UTF8, 0, units, (int) length, out, (int) room, NULL,
                                        NULL);
}

#else

static size_t convert(const char *to, const char *from, const void *in, size_t n_in, void *out,
                      size_t n_out)
{
    iconv_t cd = iconv_open(to, from);
    char *source, *target = out;
    size_t left = n_out;
    char copy[4096];

    assert_true(cd != (iconv_t) -1);
    assert_true(n_in <= sizeof copy);
    memcpy(copy, in, n_in);
    source = copy;
    assert_int_equal(iconv(cd, &source, &n_in, &target, &left), 0);
    iconv_close(cd);
    return n_out - left;
}

static size_t units_of(const uint32_t *characters, size_t n, uint16_t *out)
{
    return convert("UTF-16LE", "UTF-32LE", characters, 4 * n, out, 4 * n) / 2;
}

static size_t bytes_of(const uint32_t *characters, size_t n, char *out, size_t room)
{
    return convert("UTF-8", "UTF-32LE", characters, 4 * n, out, room);
}

#endif

static void random_text_is_what_the_system_says(void **state)
{
    uint32_t seed = 20240229;

    (void) state;
    for (int round = 0; round < 500; round++) {
        uint32_t characters[200];
        size_t n = next_random(&seed) % 200 + 1, n_units, n_bytes;
        uint16_t units[400], units_back[400];
        char bytes[800], bytes_back[800];
        int lossy = 0;

        for (size_t i = 0; i < n; i++)
            characters[i] = random_character(&seed);
        n_units = units_of(characters, n, units);
        n_bytes = bytes_of(characters, n, bytes, sizeof bytes);

        assert_int_equal(utf8_length_of_utf16(units, n_units, &lossy), n_bytes);
        assert_int_equal(utf8_from_utf16(units, n_units, bytes_back), n_bytes);
        assert_memory_equal(bytes_back, bytes, n_bytes);
        assert_int_equal(utf16_length_of_utf8(bytes, n_bytes, &lossy), n_units);
        assert_int_equal(utf16_from_utf8(bytes, n_bytes, units_back), n_units);
        assert_memory_equal(units_back, units, 2 * n_units);
        assert_int_equal(lossy, 0);
        assert_true(utf8_valid(bytes, n_bytes));
    }
}

static void every_character_makes_the_round_trip(void **state)
{
    (void) state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        uint16_t units[2], back[2];
        size_t n = 1, n_bytes;
        char bytes[4];

        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        units[0] = (uint16_t) c;
        if (c >= 0x10000) {
            units[0] = (uint16_t) (0xD800 + ((c - 0x10000) >> 10));
            units[1] = (uint16_t) (0xDC00 + ((c - 0x10000) & 0x3FF));
            n = 2;
        }
        n_bytes = utf8_from_utf16(units, n, bytes);
        if (utf8_length_of_utf16(units, n, NULL) != n_bytes || !utf8_valid(bytes, n_bytes) ||
            utf8_sequence(bytes, n_bytes) != n_bytes ||
            utf16_from_utf8(bytes, n_bytes, back) != n || memcmp(back, units, 2 * n) != 0)
            fail_msg("U+%04X", (unsigned) c);
    }
}

static void a_lone_surrogate_spoils_only_itself(void **state)
{
    static const uint16_t lone[] = { 0xD800, 0xDBFF, 0xDC00, 0xDFFF };

    (void) state;
    for (size_t which = 0; which < N_ELEMENTS(lone); which++) {
        for (size_t at = 0; at < 8; at++) {
            uint16_t units[8] = { 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' };
            char expected[] = "abcdefgh", bytes[32];
            int lossy = 0;

            units[at] = lone[which];
            assert_int_equal(utf8_length_of_utf16(units, 8, &lossy), 10);
            assert_int_equal(lossy, 1);
            assert_int_equal(utf8_from_utf16(units, 8, bytes), 10);
            assert_memory_equal(bytes, expected, at);
            assert_memory_equal(bytes + at, "\xEF\xBF\xBD", 3);
            assert_memory_equal(bytes + at + 3, expected + at + 1, 7 - at);
        }
    }
}

static void surrogates_in_the_wrong_order_are_two_lone_ones(void **state)
{
    uint16_t swapped[] = { 0xDC00, 0xD800 }, twice[] = { 0xD83D, 0xD83D, 0xDE00 };
    char bytes[16];

    (void) state;
    assert_int_equal(utf8_from_utf16(swapped, 2, bytes), 6);
    assert_memory_equal(bytes, "\xEF\xBF\xBD\xEF\xBF\xBD", 6);
    assert_int_equal(utf8_from_utf16(twice, 3, bytes), 7);
    assert_memory_equal(bytes, "\xEF\xBF\xBD\xF0\x9F\x98\x80", 7);
}

static void malformed_bytes_become_one_replacement_each(void **state)
{
    static const struct {
        const char *bytes;
        size_t replaced;
        size_t kept;
    } cases[] = {
        { "\x80", 1, 0 },
        { "\xBF"
          "a",
          1, 1 }, /* continuation without a start */
        { "\xC0\x80", 2, 0 },
        { "\xC1\xBF", 2, 0 }, /* overlong */
        { "\xE0\x9F\xBF", 3, 0 },
        { "\xF0\x8F\xBF\xBF", 4, 0 },
        { "\xED\xA0\x80", 3, 0 },
        { "\xED\xBF\xBF", 3, 0 }, /* surrogates */
        { "\xF4\x90\x80\x80", 4, 0 },
        { "\xF5\x80\x80\x80", 4, 0 }, /* past the end */
        { "\xFE\xFF", 2, 0 },
        { "\xC3", 1, 0 },
        { "\xE2\x82", 2, 0 },
        { "\xF0\x9F\x98", 3, 0 }, /* cut off */
        { "\xE2\x82"
          "ab",
          2, 2 },
        { "\xF0\x9F\x98"
          "a",
          3, 1 },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        size_t n = strlen(cases[i].bytes), replaced = 0;
        uint16_t units[8];
        int lossy = 0;

        assert_false(utf8_valid(cases[i].bytes, n));
        assert_int_equal(utf16_length_of_utf8(cases[i].bytes, n, &lossy),
                         cases[i].replaced + cases[i].kept);
        assert_int_equal(lossy, 1);
        n = utf16_from_utf8(cases[i].bytes, n, units);
        assert_int_equal(n, cases[i].replaced + cases[i].kept);
        for (size_t j = 0; j < n; j++)
            replaced += units[j] == 0xFFFD;
        assert_int_equal(replaced, cases[i].replaced);
    }
}

static void empty_text_is_well_formed(void **state)
{
    (void) state;
    assert_int_equal(utf8_length_of_utf16(NULL, 0, NULL), 0);
    assert_int_equal(utf8_from_utf16(NULL, 0, NULL), 0);
    assert_int_equal(utf16_length_of_utf8(NULL, 0, NULL), 0);
    assert_int_equal(utf16_from_utf8(NULL, 0, NULL), 0);
    assert_true(utf8_valid(NULL, 0));
    assert_int_equal(utf8_sequence(NULL, 0), 0);
}

static void a_cut_keeps_characters_whole(void **state)
{
    const char *text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80";
    static const size_t expected[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };

    (void) state;
    for (size_t room = 0; room < N_ELEMENTS(expected); room++)
        assert_int_equal(utf8_cut(text, strlen(text), room), expected[room]);
    assert_int_equal(utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
}

/* ---- the blocks against one character at a time, where memory ends ---- */

/* Two pages, the second of which cannot be touched. */
struct edge {
    unsigned char *page; /* its end is where memory ends */
};

#ifdef _WIN32

#define PAGE 4096

static unsigned char *edge_end(struct edge *e)
{
    return e->page + PAGE;
}

static void edge_init(struct edge *e)
{
    DWORD before;

    e->page = VirtualAlloc(NULL, 2 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    assert_non_null(e->page);
    assert_true(VirtualProtect(e->page + PAGE, PAGE, PAGE_NOACCESS, &before));
}

static void edge_done(struct edge *e)
{
    assert_true(VirtualFree(e->page, 0, MEM_RELEASE));
}

#else

static unsigned char *edge_end(struct edge *e)
{
    return e->page + sysconf(_SC_PAGESIZE);
}

static void edge_init(struct edge *e)
{
    size_t size = (size_t) sysconf(_SC_PAGESIZE);

    e->page = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(e->page != MAP_FAILED);
    assert_int_equal(mprotect(e->page + size, size, PROT_NONE), 0);
}

static void edge_done(struct edge *e)
{
    assert_int_equal(munmap(e->page, 2 * (size_t) sysconf(_SC_PAGESIZE)), 0);
}

#endif

/* The definition, written down in the plainest way. */
static size_t naive(const uint16_t *units, size_t n, unsigned char *out, int *lossy)
{
    size_t w = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t c = units[i];

        if (c >= 0xD800 && c < 0xDC00 && i + 1 < n && units[i + 1] >= 0xDC00 &&
            units[i + 1] < 0xE000) {
            c = 0x10000 + (c - 0xD800) * 0x400 + (units[++i] - 0xDC00u);
        } else if (c >= 0xD800 && c < 0xE000) {
            c = 0xFFFD;
            *lossy = 1;
        }
        if (c < 0x80) {
            out[w++] = (unsigned char) c;
            continue;
        }
        if (c >= 0x10000)
            out[w++] = (unsigned char) (0xF0 + c / 0x40000);
        if (c >= 0x800)
            out[w++] =
                (unsigned char) (c >= 0x10000 ? 0x80 + c / 0x1000 % 0x40 : 0xE0 + c / 0x1000);
        out[w++] = (unsigned char) (c >= 0x800 ? 0x80 + c / 0x40 % 0x40 : 0xC0 + c / 0x40);
        out[w++] = (unsigned char) (0x80 + c % 0x40);
    }
    return w;
}

#define UNITS_MAX 160

/* Where texts and rooms of a case lie, each up to where memory ends. */
struct edges {
    struct edge source, target;
};

static void check_known_length(struct edges *e, const uint16_t *units, size_t n)
{
    unsigned char expected[3 * UNITS_MAX], *to;
    int lossy = 0, told = 0;
    size_t length = naive(units, n, expected, &lossy);
    uint16_t *from = (uint16_t *) (void *) (edge_end(&e->source) - 2 * n);

    memcpy(from, units, 2 * n);
    to = edge_end(&e->target) - length;
    assert_int_equal(utf8_length_of_utf16(from, n, &told), length);
    assert_int_equal(told, lossy);
    assert_int_equal(utf8_from_utf16(from, n, (char *) to), length);
    assert_memory_equal(to, expected, length);
}

/* The NUL is the last unit there is, or @behind units of anything follow it. */
static void check_text(struct edges *e, const uint16_t *units, size_t n, size_t behind)
{
    unsigned char expected[3 * UNITS_MAX], *to;
    size_t length;
    int lossy = 0;
    uint16_t *from = (uint16_t *) (void *) (edge_end(&e->source) - 2 * (n + 1 + behind));

    n = 0;
    while (units[n])
        n++;
    length = naive(units, n, expected, &lossy);
    memcpy(from, units, 2 * n);
    from[n] = 0;
    assert_int_equal(utf16_length(from, n + 1), n);
    assert_int_equal(utf16_length(from, SIZE_MAX / 4), n);
    assert_int_equal(utf16_length(from, n / 2), n / 2);
    to = edge_end(&e->target) - length;
    for (int limited = 0; limited < 2; limited++) {
        struct utf16_text t =
            utf8_from_utf16_text(from, limited ? n + 1 : SIZE_MAX / 4, (char *) to, length);

        assert_int_equal(t.units, n);
        assert_int_equal(t.bytes, length);
        assert_int_equal(t.lossy, lossy);
        assert_int_equal(t.whole, 1);
        assert_memory_equal(to, expected, length);
        memset(to, 0xEE, length);
    }
}

static void check_everything(struct edges *e, const uint16_t *units, size_t n)
{
    uint16_t text[UNITS_MAX + 1];

    check_known_length(e, units, n);
    memcpy(text, units, 2 * n);
    text[n] = 0;
    check_text(e, text, n, 0);
    check_text(e, text, n, 5);
}

static const uint16_t samples[][2] = {
    { 0, 'a' },         { 0x7F, 0x7F },     { 0x80, 'a' },      { 0x80, 0x7FF },
    { 0xFF, 0x100 },    { 0x7FF, 0x800 },   { 0x7FFF, 0x8000 }, { 0x8000, 0xD7FF },
    { 0xD800, 0xDC00 }, { 0xDBFF, 0xDFFF }, { 0xD83D, 'a' },    { 0xDC00, 'a' },
    { 0xDC00, 0xD800 }, { 0xE000, 0xFFFF }, { 0xFF00, 0xFEFF }, { 0xD83D, 0xD83D },
    { 0xDC00, 0xDC00 }, { 0xDFFF, 0xE000 }, { 0xD7FF, 0xD800 }, { 0xFFFD, 0 },
};

static void blocks_and_characters_say_the_same_at_every_place(void **state)
{
    struct edges e;
    uint16_t units[UNITS_MAX];

    (void) state;
    edge_init(&e.source);
    edge_init(&e.target);
    for (size_t n = 0; n <= 100; n++) {
        for (size_t i = 0; i < n; i++)
            units[i] = (uint16_t) ('!' + i);
        check_everything(&e, units, n);
        for (size_t at = 0; at < n; at++) {
            for (size_t s = 0; s < N_ELEMENTS(samples); s++) {
                uint16_t saved[2] = { units[at], at + 1 < n ? units[at + 1] : 0 };

                units[at] = samples[s][0];
                if (at + 1 < n)
                    units[at + 1] = samples[s][1];
                check_everything(&e, units, n);
                units[at] = saved[0];
                if (at + 1 < n)
                    units[at + 1] = saved[1];
            }
        }
    }
    edge_done(&e.source);
    edge_done(&e.target);
}

/* Text of a kind: how many in 16 are not ASCII, and from where. */
static uint16_t random_unit(uint32_t *seed, unsigned kind)
{
    uint32_t r = next_random(seed), c = next_random(seed);

    if (r % 16 >= kind)
        return (uint16_t) (c % 0x80);
    switch (r / 16 % 4) {
    case 0:
        return (uint16_t) (0x80 + c % 0x780);
    case 1:
        return (uint16_t) (0xD800 + c % 0x800);
    default:
        return (uint16_t) c;
    }
}

static void blocks_and_characters_say_the_same_of_random_units(void **state)
{
    struct edges e;
    uint16_t units[UNITS_MAX];
    uint32_t seed = 161803;

    (void) state;
    edge_init(&e.source);
    edge_init(&e.target);
    for (int round = 0; round < 60000; round++) {
        size_t n = next_random(&seed) % UNITS_MAX;
        unsigned kind = next_random(&seed) % 17;

        for (size_t i = 0; i < n; i++) {
            units[i] = random_unit(&seed, kind);
            /* mostly pairs, so that blocks of them are met */
            if (i > 0 && round % 2 && (units[i - 1] & 0xFC00) == 0xD800)
                units[i] = (uint16_t) (0xDC00 | (units[i] & 0x3FF));
        }
        check_everything(&e, units, n);
    }
    edge_done(&e.source);
    edge_done(&e.target);
}

static void every_character_is_the_same_at_every_place_of_a_block(void **state)
{
    struct edges e;
    uint16_t units[UNITS_MAX];

    (void) state;
    edge_init(&e.source);
    edge_init(&e.target);
    for (uint32_t c = 1; c <= 0xFFFF - 48; c++) {
        for (uint16_t i = 0; i < 48; i++)
            units[i] = (uint16_t) (c + i);
        check_everything(&e, units, 48);
    }
    for (uint32_t c = 0; c < 0x100000 - 24; c += 21) {
        for (uint32_t i = 0; i < 24; i++) {
            units[2 * i + c % 2] = (uint16_t) (0xD800 + ((c + i) >> 10));
            units[2 * i + 1 + c % 2] = (uint16_t) (0xDC00 + ((c + i) & 0x3FF));
        }
        if (c % 2)
            units[0] = 'x';
        check_everything(&e, units, 48 + c % 2);
    }
    edge_done(&e.source);
    edge_done(&e.target);
}

/* A text in which what the blocks can do and what they cannot take turns. */
static size_t make_ragged(uint16_t *units, size_t n)
{
    static const uint16_t pattern[] = { 'a',    0xE4,   0x20AC, 0xD83D, 0xDE00, 'b',    'c',
                                        'd',    'e',    'f',    0x9F8D, 0x7FFF, 'g',    0xD83D,
                                        0xDE01, 'h',    0xDC00, 'i',    'j',    'k',    'l',
                                        'm',    'n',    'o',    'p',    'q',    'r',    's',
                                        't',    0x416,  0x4E2D, 0x4E8C, 0x4E09, 0x4E94, 0x4E03,
                                        0x4E5D, 0x5341, 0x4E00, 0x56DB, 0x516D, 0x4E8C, 0x4E09,
                                        0x4E94, 0x4E03, 0x4E5D };

    for (size_t i = 0; i < n; i++)
        units[i] = pattern[i % N_ELEMENTS(pattern)];
    units[n] = 0;
    return n;
}

/* Bytes of the first @n units; 0 units less when the last one is half a pair. */
static size_t whole_units(const uint16_t *units, size_t n)
{
    return n > 0 && units[n] && (units[n - 1] & 0xFC00) == 0xD800 ? n - 1 : n;
}

static void check_room(struct edges *e, const uint16_t *text, size_t n, size_t room)
{
    unsigned char expected[3 * UNITS_MAX], *to = edge_end(&e->target) - room;
    int lossy = 0;
    size_t length = naive(text, n, expected, &lossy), made;
    struct utf16_text t = utf8_from_utf16_text(text, SIZE_MAX / 4, (char *) to, room);

    assert_true(t.bytes <= room);
    assert_true(t.units <= n);
    made = naive(text, t.units, expected, &lossy);
    assert_int_equal(t.bytes, made);
    assert_int_equal(whole_units(text, t.units), t.units);
    assert_memory_equal(to, expected, made);
    assert_int_equal(t.whole, room >= length);
    if (!t.whole)
        assert_true(naive(text,
                          whole_units(text, t.units + 1) > t.units ? t.units + 1 : t.units + 2,
                          expected, &lossy) > room);
}

static void text_that_has_no_room_is_cut_at_a_character(void **state)
{
    uint16_t text[UNITS_MAX];
    struct edges e;

    (void) state;
    edge_init(&e.source);
    edge_init(&e.target);
    for (size_t skip = 0; skip < 40; skip++) {
        size_t n = make_ragged(text, UNITS_MAX - 1) - skip;

        for (size_t room = 0; room <= 3 * n; room++)
            check_room(&e, text + skip, n, room);
    }
    edge_done(&e.source);
    edge_done(&e.target);
}

static void of_a_text_no_more_units_are_decoded_than_are_asked_for(void **state)
{
    uint16_t text[UNITS_MAX];
    unsigned char expected[3 * UNITS_MAX], out[3 * UNITS_MAX];
    size_t n = make_ragged(text, UNITS_MAX - 1);

    (void) state;
    for (size_t skip = 0; skip < 40; skip++) {
        for (size_t max = 0; max < n - skip; max++) {
            int lossy = 0;
            size_t units = whole_units(text + skip, max); /* not half a pair */
            struct utf16_text t = utf8_from_utf16_text(text + skip, max, (char *) out, sizeof out);

            assert_int_equal(t.units, units);
            assert_int_equal(t.bytes, naive(text + skip, units, expected, &lossy));
            assert_memory_equal(out, expected, t.bytes);
            assert_int_equal(t.lossy, lossy);
            assert_int_equal(t.whole, 0);
        }
    }
}

static void a_text_over_many_pages_is_one_text(void **state)
{
    size_t n = 30000, length = 0;
    uint16_t *units = malloc(2 * n + 2);
    unsigned char *expected = malloc(3 * n);
    char *out = malloc(3 * n);
    uint32_t seed = 27182;
    int lossy = 0;
    struct utf16_text t;

    (void) state;
    assert_true(units && expected && out);
    for (size_t i = 0; i < n; i++) {
        units[i] = random_unit(&seed, i / 2000 % 4);
        if (units[i] == 0)
            units[i] = 'x';
    }
    units[n] = 0;
    for (size_t skip = 0; skip < 40; skip++) {
        length = naive(units + skip, n - skip, expected, &lossy);
        t = utf8_from_utf16_text(units + skip, 100000, out, 3 * n);
        assert_int_equal(t.bytes, length);
        assert_int_equal(t.units, n - skip);
        assert_memory_equal(out, expected, length);
        assert_int_equal(utf16_length(units + skip, 100000), n - skip);
    }
    free(units);
    free(expected);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_tested_is_what_this_build_is_for),
        cmocka_unit_test(random_text_is_what_the_system_says),
        cmocka_unit_test(every_character_makes_the_round_trip),
        cmocka_unit_test(a_lone_surrogate_spoils_only_itself),
        cmocka_unit_test(surrogates_in_the_wrong_order_are_two_lone_ones),
        cmocka_unit_test(malformed_bytes_become_one_replacement_each),
        cmocka_unit_test(empty_text_is_well_formed),
        cmocka_unit_test(a_cut_keeps_characters_whole),
        cmocka_unit_test(blocks_and_characters_say_the_same_at_every_place),
        cmocka_unit_test(blocks_and_characters_say_the_same_of_random_units),
        cmocka_unit_test(every_character_is_the_same_at_every_place_of_a_block),
        cmocka_unit_test(text_that_has_no_room_is_cut_at_a_character),
        cmocka_unit_test(of_a_text_no_more_units_are_decoded_than_are_asked_for),
        cmocka_unit_test(a_text_over_many_pages_is_one_text),
    };

    return cmocka_run_group_tests_name("utf", tests, NULL, NULL);
}
