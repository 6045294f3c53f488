/* The event log in memory, one thread: numbers, gaps, memory, wakes, ends. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "memlog.h"
#include "utf.h"

/* ---- memory, counted and taken away (the linker puts these in front, see meson.build) ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static uint64_t allocations;
static size_t allocated;
static int no_memory;

void *__wrap_malloc(size_t size)
{
    allocations++;
    allocated += size;
    return no_memory ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    allocations++;
    allocated += n * size;
    return no_memory ? NULL : __real_calloc(n, size);
}

/* ---- a log with a cursor ---- */

#define SMALL MEMLOG_CEILING_MIN

struct stage {
    struct memlog *log;
    struct memlog_cursor *c;
    struct wake wake;
    struct memlog_record r;
};

static struct memlog *new_log(size_t ceiling)
{
    struct memlog *l = NULL;

    assert_int_equal(memlog_new(ceiling, &l, NULL), HCS_OK);
    return l;
}

static struct memlog_cursor *open_at(struct stage *s, enum memlog_from from, uint64_t after)
{
    struct memlog_cursor *c = NULL;

    assert_int_equal(memlog_cursor_open(s->log, from, after, &s->wake, &c, NULL), HCS_OK);
    return c;
}

static int set_up(void **state)
{
    static struct stage s;

    s.log = new_log(SMALL);
    assert_int_equal(wake_init(&s.wake, NULL), HCS_OK);
    s.c = open_at(&s, MEMLOG_FROM_NOW, 0);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *s = *state;

    no_memory = 0;
    memlog_cursor_close(s->c);
    memlog_unref(s->log);
    wake_done(&s->wake);
    return 0;
}

/* Puts a text that tells its number and fills 120 bytes. */
static void put_number(struct memlog *l, uint64_t n, int final)
{
    uint16_t units[121];
    char text[121];

    snprintf(text, sizeof text, "%020llu%0100d", (unsigned long long) n, 0);
    for (size_t i = 0; i < sizeof text; i++)
        units[i] = (unsigned char) text[i];
    memlog_put(l, (uint32_t) n, units, final);
}

static void put_numbers(struct memlog *l, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++)
        put_number(l, n, 0);
}

static void check_number(const struct memlog_record *r)
{
    char number[21] = "";

    assert_int_equal(r->length, 120);
    assert_int_equal(r->kind, (uint32_t) r->sequence);
    memcpy(number, r->detail, 20);
    assert_int_equal(strtoull(number, NULL, 10), r->sequence);
    assert_int_equal(strlen(r->detail), 120);
}

struct tally {
    uint64_t records, gaps, missing, next;
    enum memlog_next last;
};

/* Read all there is; numbers and gaps must be dense from @next on. */
static struct tally read_all(struct memlog_cursor *c, uint64_t next)
{
    struct tally t = { .next = next };
    struct memlog_record r;

    for (;;) {
        t.last = memlog_next(c, &r);
        if (t.last == MEMLOG_RECORD) {
            assert_int_equal(r.sequence, t.next);
            check_number(&r);
            t.records++;
        } else if (t.last == MEMLOG_GAP) {
            assert_int_equal(r.gap_first, t.next);
            assert_true(r.sequence >= r.gap_first);
            t.gaps++;
            t.missing += r.sequence - r.gap_first + 1;
        } else {
            return t;
        }
        t.next = r.sequence + 1;
    }
}

static struct memlog_stats stats_of(struct memlog *l)
{
    struct memlog_stats s;

    memlog_stats(l, &s);
    return s;
}

/* ---- records ---- */

static void records_come_in_order_with_dense_numbers(void **state)
{
    struct stage *s = *state;
    struct tally t;

    put_numbers(s->log, 1, 100);
    t = read_all(s->c, 1);
    assert_int_equal(t.records, 100);
    assert_int_equal(t.gaps, 0);
    assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_NOTHING);
    assert_int_equal(stats_of(s->log).records, 100);
}

static void times_are_taken_and_do_not_go_back(void **state)
{
    struct stage *s = *state;
    uint64_t before = 0;

    put_numbers(s->log, 1, 50);
    while (memlog_next(s->c, &s->r) == MEMLOG_RECORD) {
        assert_true(s->r.monotonic_ns >= before);
        assert_true(s->r.realtime_ns > UINT64_C(1500000000000000000));
        before = s->r.monotonic_ns;
    }
    assert_true(before > 0);
}

static void no_text_is_told_from_an_empty_one(void **state)
{
    struct stage *s = *state;

    memlog_put(s->log, 1, NULL, 0);
    memlog_put(s->log, 2, u"", 0);
    memlog_put_utf8(s->log, 3, NULL, 0);
    memlog_put_utf8(s->log, 4, "", 0);
    for (uint32_t i = 1; i <= 4; i++) {
        assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
        assert_int_equal(s->r.kind, i);
        assert_string_equal(s->r.detail, "");
        assert_int_equal(s->r.length, 0);
        assert_int_equal(s->r.flags, i % 2 ? MEMLOG_ABSENT : 0);
    }
}

static void texts_of_every_length_come_back(void **state)
{
    struct stage *s = *state;
    static uint16_t units[600];
    static char expected[1801];

    for (size_t n = 0; n < 500; n++) {
        size_t bytes;

        for (size_t i = 0; i < n; i++)
            units[i] = (uint16_t) (i % 7 == 3 ? 0xE4 : i % 11 == 5 ? 0x20AC : 'a' + i % 26);
        units[n] = 0;
        bytes = utf8_from_utf16(units, n, expected);
        expected[bytes] = '\0';
        memlog_put(s->log, 7, units, 0);
        memlog_put_utf8(s->log, 8, expected, 0);
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
            assert_int_equal(s->r.length, bytes);
            assert_string_equal(s->r.detail, expected);
            assert_int_equal(s->r.flags, 0);
        }
    }
}

static void what_is_malformed_is_replaced_and_told(void **state)
{
    struct stage *s = *state;
    const uint16_t lone[] = { 'a', 0xD800, 'b', 0xDC00, 0 };
    const struct {
        const char *in, *out;
    } bytes[] = { { "a\x80"
                    "b\xC3",
                    "a\xEF\xBF\xBD"
                    "b\xEF\xBF\xBD" },
                  { "\xFF", "\xEF\xBF\xBD" } };

    memlog_put(s->log, 1, lone, 0);
    assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
    assert_string_equal(s->r.detail, "a\xEF\xBF\xBD"
                                     "b\xEF\xBF\xBD");
    assert_int_equal(s->r.flags, MEMLOG_LOSSY);
    for (size_t i = 0; i < N_ELEMENTS(bytes); i++) {
        memlog_put_utf8(s->log, 2, bytes[i].in, 0);
        assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
        assert_string_equal(s->r.detail, bytes[i].out);
        assert_int_equal(s->r.flags, MEMLOG_LOSSY);
    }
}

/* A text of @n units of which every one needs @width bytes. */
static uint16_t *long_text(size_t n, uint16_t unit)
{
    uint16_t *units = malloc(2 * (n + 1));

    assert_non_null(units);
    for (size_t i = 0; i < n; i++)
        units[i] = unit;
    units[n] = 0;
    return units;
}

static void text_longer_than_a_chunk_is_whole(void **state)
{
    struct stage *s = *state;
    _cleanup_(free_drop) uint16_t *text = long_text(5000, 0x20AC);

    for (int i = 0; i < 20; i++) {
        put_number(s->log, (uint64_t) (2 * i + 1), 0);
        memlog_put(s->log, 9, text, 0);
        assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
        check_number(&s->r);
        assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
        assert_int_equal(s->r.length, 15000);
        assert_int_equal(s->r.flags, 0);
        assert_int_equal(strlen(s->r.detail), 15000);
        assert_true(utf8_valid(s->r.detail, s->r.length));
        assert_true(stats_of(s->log).bytes <= SMALL + 4096);
    }
}

static void text_longer_than_a_quarter_of_the_ceiling_is_cut_at_a_character(void **state)
{
    struct stage *s = *state;
    _cleanup_(free_drop) uint16_t *text = long_text(100000, 0x20AC);
    _cleanup_(free_drop) char *bytes = malloc(40001);

    memlog_put(s->log, 1, text, 0);
    assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
    assert_int_equal(s->r.length, SMALL / 4 / 3 * 3);
    assert_int_equal(s->r.flags, MEMLOG_TRUNCATED);
    assert_true(utf8_valid(s->r.detail, s->r.length));

    for (int i = 0; i < 20000; i++)
        memcpy(bytes + 2 * i, "\xC3\xA4", 3);
    memmove(bytes + 1, bytes, 39999);
    bytes[0] = 'x';
    bytes[39999] = '\0';
    memlog_put_utf8(s->log, 1, bytes, 0);
    assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
    assert_int_equal(s->r.length, SMALL / 4 - 1);
    assert_int_equal(s->r.flags, MEMLOG_TRUNCATED);
    assert_true(utf8_valid(s->r.detail, s->r.length));
}

/* ---- gaps and what is kept ---- */

static void a_reader_that_falls_behind_gets_one_gap_with_exact_numbers(void **state)
{
    struct stage *s = *state;
    struct tally t;

    put_numbers(s->log, 1, 5);
    assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
    put_numbers(s->log, 6, 10000);
    t = read_all(s->c, 2);
    assert_int_equal(t.gaps, 1);
    assert_int_equal(t.records + t.missing, 9999);
    assert_int_equal(t.next, 10001);
    assert_true(t.missing > 9000);
}

static void a_borrowed_record_stays_while_producers_go_round_the_log(void **state)
{
    struct stage *s = *state;
    struct memlog_record other;
    struct memlog_cursor *late;

    put_numbers(s->log, 1, 1);
    assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
    for (int round = 0; round < 20; round++) {
        put_numbers(s->log, stats_of(s->log).records + 1, stats_of(s->log).records + 1000);
        check_number(&s->r);
        /* a reader that keeps up, so that chunks are used again as well as dropped */
        late = open_at(s, MEMLOG_FROM_OLDEST, 0);
        while (memlog_next(late, &other) == MEMLOG_RECORD)
            check_number(&other);
        memlog_cursor_close(late);
        check_number(&s->r);
    }
}

static void a_final_record_survives_any_flood(void **state)
{
    struct stage *s = *state;
    struct memlog_cursor *now, *oldest;
    struct tally t;

    put_numbers(s->log, 1, 99);
    put_number(s->log, 100, 1);
    put_numbers(s->log, 101, 50000);
    t = read_all(s->c, 1);
    assert_true(t.records >= 100); /* 1 to 100 and the newest */
    assert_int_equal(t.next, 50001);

    now = open_at(s, MEMLOG_FROM_NOW, 0);
    assert_int_equal(memlog_next(now, &s->r), MEMLOG_RECORD);
    assert_int_equal(s->r.sequence, 100);
    assert_int_equal(read_all(now, 101).next, 50001);
    memlog_cursor_close(now);

    oldest = open_at(s, MEMLOG_FROM_OLDEST, 0);
    do
        assert_int_equal(memlog_next(oldest, &s->r), MEMLOG_RECORD);
    while (s->r.sequence < 100);
    assert_int_equal(s->r.sequence, 100);
    memlog_cursor_close(oldest);
}

static void final_records_without_end_do_not_take_the_log(void **state)
{
    struct stage *s = *state;

    for (uint64_t n = 1; n <= 20000; n++) {
        put_number(s->log, n, 1);
        assert_true(stats_of(s->log).bytes <= SMALL + 4096);
    }
    assert_int_equal(read_all(s->c, 1).next, 20001);
}

static void memory_stays_below_the_ceiling(void **state)
{
    struct stage *s = *state;
    struct memlog_cursor *stopped[64];
    size_t most = 0;

    for (size_t i = 0; i < 64; i++) { /* each holds on to another chunk */
        stopped[i] = open_at(s, MEMLOG_FROM_NOW, 0);
        put_numbers(s->log, 1, 40);
        if (i < 6)
            assert_true(stats_of(s->log).bytes <= SMALL + 4096);
    }
    most = stats_of(s->log).bytes;
    assert_true(most <= SMALL / 2 + 65 * (SMALL / 16) + 4096);
    for (size_t i = 0; i < 64; i++)
        memlog_cursor_close(stopped[i]);
    put_numbers(s->log, 1, 2000);
    assert_true(stats_of(s->log).bytes <= SMALL + 4096);
    memlog_cursor_close(s->c);
    s->c = NULL;
    put_numbers(s->log, 1, 2000);
    assert_true(stats_of(s->log).bytes <= SMALL + 4096);
}

static void history_is_there_for_a_late_cursor(void **state)
{
    struct stage *s = *state;
    struct memlog_cursor *late;

    put_numbers(s->log, 1, 60);
    assert_int_equal(read_all(s->c, 1).records, 60);
    late = open_at(s, MEMLOG_FROM_OLDEST, 0);
    assert_int_equal(read_all(late, 1).records, 60);
    memlog_cursor_close(late);
}

static void what_everybody_has_read_is_used_again(void **state)
{
    struct stage *s = *state;
    uint64_t next = 1;

    for (int i = 0; i < 5000; i++) {
        struct tally t;

        put_numbers(s->log, next, next + 9);
        t = read_all(s->c, next);
        assert_int_equal(t.records, 10);
        next += 10;
    }
    assert_true(stats_of(s->log).bytes <= SMALL / 2);
}

static void a_cursor_begins_after_a_number(void **state)
{
    struct stage *s = *state;
    struct memlog_cursor *c;
    struct tally t;

    put_numbers(s->log, 1, 100);
    for (uint64_t after = 0; after <= 100; after++) {
        c = open_at(s, MEMLOG_FROM_AFTER, after);
        t = read_all(c, after + 1);
        assert_int_equal(t.records, 100 - after);
        memlog_cursor_close(c);
    }
    c = open_at(s, MEMLOG_FROM_AFTER, 5000);
    put_numbers(s->log, 101, 101);
    assert_int_equal(read_all(c, 101).records, 1);
    memlog_cursor_close(c);

    memlog_cursor_close(s->c);
    s->c = open_at(s, MEMLOG_FROM_AFTER, 3);
    put_numbers(s->log, 102, 10000);
    c = open_at(s, MEMLOG_FROM_AFTER, 3);
    assert_int_equal(memlog_arm(c), 0); /* a gap is something */
    t = read_all(c, 4);
    assert_int_equal(t.gaps, 1);
    assert_int_equal(t.next, 10001);
    memlog_cursor_close(c);
}

/* ---- ends ---- */

static void the_end_comes_last_and_the_first_reason_stays(void **state)
{
    struct stage *s = *state;

    put_numbers(s->log, 1, 3);
    memlog_end(s->log, "closed");
    memlog_end(s->log, "closed again");
    put_numbers(s->log, 4, 5);
    assert_int_equal(read_all(s->c, 1).records, 3);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_END);
        assert_string_equal(s->r.detail, "closed");
        assert_int_equal(s->r.length, 6);
        assert_int_equal(s->r.sequence, 0);
    }
    assert_int_equal(memlog_arm(s->c), 0);
    assert_int_equal(stats_of(s->log).records, 3);
}

static void a_cursor_outlives_the_log_of_its_maker(void **state)
{
    struct stage *s = *state;
    struct memlog *l = new_log(SMALL);
    struct memlog_cursor *c = NULL;

    assert_int_equal(memlog_cursor_open(l, MEMLOG_FROM_OLDEST, 0, &s->wake, &c, NULL), HCS_OK);
    put_numbers(l, 1, 50);
    memlog_end(l, "the handle was closed");
    memlog_unref(l);
    assert_int_equal(read_all(c, 1).records, 50);
    assert_int_equal(memlog_next(c, &s->r), MEMLOG_END);
    memlog_cursor_close(c);
    memlog_cursor_close(NULL);
    memlog_unref(NULL);
}

static void a_ceiling_out_of_bounds_is_refused(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    struct memlog *l = NULL;

    (void) state;
    assert_int_equal(memlog_new(MEMLOG_CEILING_MIN - 1, &l, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "65535"));
    assert_int_equal(memlog_new(MEMLOG_CEILING_MAX + 1, &l, &err), HCS_E_INVALIDARG);
    assert_null(l);
    for (size_t odd = 0; odd < 70; odd++) { /* no ceiling has a chunk whose end is not aligned */
        l = new_log(MEMLOG_CEILING_MIN + odd);
        put_numbers(l, 1, 1500);
        memlog_unref(l);
    }
}

/* ---- wakes ---- */

static void only_an_armed_cursor_is_woken_and_once_for_a_burst(void **state)
{
    struct stage *s = *state;

    put_numbers(s->log, 1, 10);
    assert_int_equal(wake_wait(&s->wake, 0), 0); /* nobody asked */
    assert_int_equal(memlog_arm(s->c), 0);       /* there is something */
    assert_int_equal(read_all(s->c, 1).records, 10);
    assert_int_equal(memlog_arm(s->c), 1);
    assert_int_equal(wake_wait(&s->wake, 0), 0);
    put_numbers(s->log, 11, 20);
    assert_int_equal(wake_wait(&s->wake, 0), 1);
    assert_int_equal(stats_of(s->log).wakes, 1);
    wake_clear(&s->wake);
    put_numbers(s->log, 21, 30);
    assert_int_equal(wake_wait(&s->wake, 0), 0);
    assert_int_equal(read_all(s->c, 11).records, 20);
    assert_int_equal(memlog_arm(s->c), 1);
    assert_int_equal(memlog_arm(s->c), 1); /* twice is as good as once */
    memlog_end(s->log, "closed");
    assert_int_equal(wake_wait(&s->wake, 0), 1);
    assert_int_equal(stats_of(s->log).wakes, 2);
}

static void a_wake_may_be_shared(void **state)
{
    struct stage *s = *state;
    struct memlog *other = new_log(SMALL);
    struct memlog_cursor *c = NULL;

    assert_int_equal(memlog_cursor_open(other, MEMLOG_FROM_NOW, 0, &s->wake, &c, NULL), HCS_OK);
    assert_int_equal(memlog_arm(s->c), 1);
    assert_int_equal(memlog_arm(c), 1);
    put_number(other, 1, 0);
    assert_int_equal(wake_wait(&s->wake, 0), 1);
    wake_clear(&s->wake);
    put_number(s->log, 1, 0);
    assert_int_equal(wake_wait(&s->wake, 0), 1);
    memlog_cursor_close(c);
    memlog_unref(other);
}

static void a_closed_cursor_is_not_woken(void **state)
{
    struct stage *s = *state;
    struct memlog_cursor *c = open_at(s, MEMLOG_FROM_NOW, 0);

    assert_int_equal(memlog_arm(c), 1);
    memlog_cursor_close(c);
    put_number(s->log, 1, 0);
    assert_int_equal(wake_wait(&s->wake, 0), 0);
    assert_int_equal(stats_of(s->log).wakes, 0);
}

static void spinning_tells_whether_there_is_something(void **state)
{
    struct stage *s = *state;

    assert_int_equal(memlog_spin(s->c), 0);
    put_number(s->log, 1, 0);
    assert_int_equal(memlog_spin(s->c), 1);
}

/* ---- memory ---- */

static void an_idle_log_has_at_most_4_kib_and_a_cursor_1_kib(void **state)
{
    struct memlog *l;
    struct memlog_cursor *c = NULL;
    struct wake wake = { .pollable = HCS_POLLABLE_NONE };

    (void) state;
    allocated = 0;
    l = new_log(MEMLOG_CEILING_DEFAULT);
    assert_in_range(allocated, 1, 4096);
    assert_in_range(stats_of(l).bytes, allocated, 4096);
    allocated = 0;
    assert_int_equal(memlog_cursor_open(l, MEMLOG_FROM_NOW, 0, &wake, &c, NULL), HCS_OK);
    assert_in_range(allocated, 1, 1024);
    memlog_cursor_close(c);
    memlog_unref(l);
}

static void nothing_is_allocated_in_the_steady_state(void **state)
{
    struct stage *s = *state;
    uint64_t before;

    put_numbers(s->log, 1, 10000); /* the ceiling is reached */
    before = allocations;
    put_numbers(s->log, 10001, 30000);
    assert_int_equal(allocations, before);
    assert_int_equal(read_all(s->c, 1).next, 30001);
    for (uint64_t n = 30001; n <= 60000; n += 100) { /* a reader that keeps up */
        put_numbers(s->log, n, n + 99);
        assert_int_equal(read_all(s->c, n).records, 100);
        assert_int_equal(memlog_arm(s->c), 1);
    }
    assert_int_equal(allocations, before);
}

static void without_memory_the_final_record_and_the_end_are_told(void **state)
{
    struct stage *s = *state;
    enum memlog_next what;
    uint64_t next = 1, records = 0;

    no_memory = 1;
    put_numbers(s->log, 1, 1000);
    put_number(s->log, 1001, 1);
    put_numbers(s->log, 1002, 1010);
    memlog_end(s->log, "the handle was closed");
    while ((what = memlog_next(s->c, &s->r)) != MEMLOG_END) {
        assert_int_not_equal(what, MEMLOG_NOTHING);
        if (what == MEMLOG_GAP)
            assert_int_equal(s->r.gap_first, next);
        else
            assert_int_equal(s->r.sequence, next);
        next = s->r.sequence + 1;
        records++;
        if (s->r.sequence == 1001)
            check_number(&s->r);
    }
    assert_int_equal(next, 1011);
    assert_true(records > 2);
    assert_string_equal(s->r.detail, "the handle was closed");
}

static void without_memory_a_long_text_is_cut(void **state)
{
    struct stage *s = *state;
    _cleanup_(free_drop) uint16_t *text = long_text(6000, 'x');

    put_numbers(s->log, 1, 2000);
    assert_int_equal(read_all(s->c, 1).next, 2001);
    no_memory = 1;
    memlog_put(s->log, 5, text, 0);
    no_memory = 0;
    assert_int_equal(memlog_next(s->c, &s->r), MEMLOG_RECORD);
    assert_int_equal(s->r.flags, MEMLOG_TRUNCATED);
    assert_in_range(s->r.length, 1000, 4096);
    assert_int_equal(s->r.detail[s->r.length], '\0');
    put_numbers(s->log, 2002, 2010);
    assert_int_equal(read_all(s->c, 2002).records, 9);
}

static void numbers_lost_for_want_of_memory_are_a_gap_later(void **state)
{
    struct stage *s = *state;
    struct memlog_cursor *c;
    struct tally t;

    no_memory = 1;
    put_numbers(s->log, 1, 500);
    no_memory = 0;
    assert_int_equal(memlog_arm(s->c), 0);
    c = open_at(s, MEMLOG_FROM_AFTER, 300);
    put_numbers(s->log, 501, 510);
    t = read_all(c, 301);
    assert_int_equal(t.missing, 200);
    assert_int_equal(t.records, 10);
    memlog_cursor_close(c);
    t = read_all(s->c, 1);
    assert_int_equal(t.gaps, 1);
    assert_int_equal(t.next, 511);
}

static void opening_without_memory_is_refused(void **state)
{
    struct stage *s = *state;
    struct memlog_cursor *c = NULL;
    struct memlog *l = NULL;

    no_memory = 1;
    assert_int_equal(memlog_new(SMALL, &l, NULL), HCS_E_OUTOFMEMORY);
    assert_int_equal(memlog_cursor_open(s->log, MEMLOG_FROM_NOW, 0, &s->wake, &c, NULL),
                     HCS_E_OUTOFMEMORY);
    no_memory = 0;
    assert_null(l);
    assert_null(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_in_order_with_dense_numbers),
        TEST(times_are_taken_and_do_not_go_back),
        TEST(no_text_is_told_from_an_empty_one),
        TEST(texts_of_every_length_come_back),
        TEST(what_is_malformed_is_replaced_and_told),
        TEST(text_longer_than_a_chunk_is_whole),
        TEST(text_longer_than_a_quarter_of_the_ceiling_is_cut_at_a_character),
        TEST(a_reader_that_falls_behind_gets_one_gap_with_exact_numbers),
        TEST(a_borrowed_record_stays_while_producers_go_round_the_log),
        TEST(a_final_record_survives_any_flood),
        TEST(final_records_without_end_do_not_take_the_log),
        TEST(memory_stays_below_the_ceiling),
        TEST(history_is_there_for_a_late_cursor),
        TEST(what_everybody_has_read_is_used_again),
        TEST(a_cursor_begins_after_a_number),
        TEST(the_end_comes_last_and_the_first_reason_stays),
        TEST(a_cursor_outlives_the_log_of_its_maker),
        cmocka_unit_test(a_ceiling_out_of_bounds_is_refused),
        TEST(only_an_armed_cursor_is_woken_and_once_for_a_burst),
        TEST(a_wake_may_be_shared),
        TEST(a_closed_cursor_is_not_woken),
        TEST(spinning_tells_whether_there_is_something),
        cmocka_unit_test(an_idle_log_has_at_most_4_kib_and_a_cursor_1_kib),
        TEST(nothing_is_allocated_in_the_steady_state),
        TEST(without_memory_the_final_record_and_the_end_are_told),
        TEST(without_memory_a_long_text_is_cut),
        TEST(numbers_lost_for_want_of_memory_are_a_gap_later),
        TEST(opening_without_memory_is_refused),
    };

    return cmocka_run_group_tests_name("memlog", tests, NULL, NULL);
}
