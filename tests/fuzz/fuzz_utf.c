/* fuzz_utf.c - any bytes as UTF-16 and as UTF-8: lengths agree, nothing malformed comes out, what
 * comes out converts back to itself, and every processor says the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "utf.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

/* See utf_baseline.h. */
size_t baseline_utf8_from_utf16(const uint16_t *units, size_t n, char *out);
struct utf16_text baseline_utf8_from_utf16_text(const uint16_t *text, size_t max, char *out,
                                                size_t room);

static void check_same_of_units(const uint16_t *units, size_t n, const char *bytes, size_t length)
{
    char *same = malloc(length + 1);

    CHECK(same);
    CHECK(baseline_utf8_from_utf16(units, n, same) == length);
    CHECK(memcmp(same, bytes, length) == 0);
    free(same);
}

static void check_same_of_text(const uint16_t *text, size_t max, size_t room, const char *bytes,
                               const struct utf16_text *t)
{
    char *same = malloc(room + 1);
    struct utf16_text b;

    CHECK(same);
    b = baseline_utf8_from_utf16_text(text, max, same, room);
    CHECK(b.units == t->units && b.bytes == t->bytes && b.lossy == t->lossy && b.whole == t->whole);
    CHECK(memcmp(same, bytes, b.bytes) == 0);
    free(same);
}

static void check_utf16(const uint16_t *units, size_t n)
{
    int lossy = 0, again = 0;
    size_t length = utf8_length_of_utf16(units, n, &lossy), n_back;
    uint16_t *back;
    char *bytes = malloc(length + 1);

    CHECK(bytes);
    CHECK(utf8_from_utf16(units, n, bytes) == length);
    CHECK(utf8_valid(bytes, length));
    check_same_of_units(units, n, bytes, length);
    n_back = utf16_length_of_utf8(bytes, length, &again);
    CHECK(n_back == n && !again); /* a lone surrogate and its replacement are one unit each */
    back = malloc(2 * n_back + 1);
    CHECK(back);
    CHECK(utf16_from_utf8(bytes, length, back) == n_back);
    if (!lossy)
        CHECK(memcmp(back, units, 2 * n) == 0);
    free(back);
    free(bytes);
}

/* The pass that finds the NUL itself says what the two functions for a known length say, whatever
 * the room: what it wrote into less room is a beginning of the whole. */
static void check_text(const uint16_t *units, size_t n)
{
    uint16_t *text = malloc(2 * (n + 1));
    size_t length, whole;
    struct utf16_text t;
    char *bytes, *part;
    int lossy = 0;

    CHECK(text);
    memcpy(text, units, 2 * n);
    text[n] = 0;
    length = utf16_length(text, n + 1);
    CHECK(length <= n && text[length] == 0 && utf16_length(text, n / 2) <= n / 2);
    whole = utf8_length_of_utf16(text, length, &lossy);
    bytes = malloc(whole + 1);
    part = malloc(whole + 1);
    CHECK(bytes && part);
    CHECK(utf8_from_utf16(text, length, bytes) == whole);
    t = utf8_from_utf16_text(text, n + 1, part, whole);
    CHECK(t.whole && t.units == length && t.bytes == whole && t.lossy == lossy);
    CHECK(memcmp(bytes, part, whole) == 0);
    check_same_of_text(text, n + 1, whole, part, &t);
    for (size_t room = whole; room-- > 0 && whole - room < 40;) {
        t = utf8_from_utf16_text(text, n + 1, part, room);
        CHECK(!t.whole && t.bytes <= room && t.bytes + 4 > room);
        CHECK(memcmp(bytes, part, t.bytes) == 0 && utf8_valid(part, t.bytes));
        check_same_of_text(text, n + 1, room, part, &t);
    }
    free(part);
    free(bytes);
    free(text);
}

static void check_utf8(const char *bytes, size_t n)
{
    int lossy = 0;
    size_t n_units = utf16_length_of_utf8(bytes, n, &lossy), cut;
    uint16_t *units = malloc(2 * n_units + 1);
    char *copy = malloc(n + 1);

    CHECK(units && copy);
    CHECK(utf16_from_utf8(bytes, n, units) == n_units);
    CHECK(utf8_valid(bytes, n) == !lossy);
    if (!lossy)
        CHECK(utf8_length_of_utf16(units, n_units, &lossy) == n && !lossy);
    check_utf16(units, n_units);
    for (size_t room = 0; room <= n && room < 16; room++) {
        cut = utf8_cut(bytes, n, room);
        CHECK(cut <= room && (lossy || utf8_valid(bytes, cut)));
    }
    memcpy(copy, bytes, n);
    utf8_make_printable(copy, n);
    CHECK(utf8_valid(copy, n));
    free(copy);
    free(units);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t *units = malloc(size + 1);
    char *bytes = malloc(size + 1);

    CHECK(units && bytes);
    memcpy(units, data, size & ~(size_t) 1);
    memcpy(bytes, data, size);
    check_utf16(units, size / 2);
    check_text(units, size / 2);
    check_utf8(bytes, size);
    free(bytes);
    free(units);
    return 0;
}
