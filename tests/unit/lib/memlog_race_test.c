/* The event log in memory, many threads: every reader's numbers are dense, with gaps accounted
 * exactly, and what it reads is what was put.  A lost wake-up is a reader that never ends, so the
 * time limit of the test finds it.  Meant to be run under the sanitizers too. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "memlog.h"

#define PRODUCERS_MAX 8
#define READERS_MAX 64
#define FINAL_KIND 0xF1A1u

struct stage {
    struct memlog *log;
    uint32_t n_puts; /* of each producer */
    unsigned n_producers, n_readers;
    atomic_uint visits; /* of readers that come and go */
    atomic_int ended;
};

struct actor {
    struct stage *stage;
    unsigned number;
    pthread_t thread;
    const char *complaint; /* assertions are the main thread's alone */
    uint64_t wakes;
};

/* ---- what is put: a producer, its count, and letters that follow from both ---- */

static uint32_t mix(uint32_t producer, uint32_t count)
{
    uint32_t x = producer * 2654435761u + count * 40503u + 17;

    x ^= x >> 15;
    x *= 2246822519u;
    return x ^ x >> 13;
}

static size_t letters_of(uint32_t hash)
{
    return hash % 64 == 0 ? 3000 : hash % 97;
}

static void *produce(void *context)
{
    struct actor *a = context;
    struct stage *s = a->stage;
    uint16_t text[3032];

    for (uint32_t count = 1; count <= s->n_puts; count++) {
        uint32_t hash = mix(a->number, count);
        char head[32];
        int n = snprintf(head, sizeof head, "%u %u ", a->number, count);
        size_t length = (size_t) n + letters_of(hash);

        for (size_t i = 0; i < length; i++)
            text[i] = (uint16_t) (i < (size_t) n ? (unsigned char) head[i]
                                                 : 'a' + (hash + i - (size_t) n) % 26);
        text[length] = 0;
        memlog_put(s->log, a->number, hash % 8 == 7 ? NULL : text, 0);
    }
    return NULL;
}

/* What a reader knows. */
struct view {
    uint64_t next;
    uint64_t records, missing;
    uint32_t counts[PRODUCERS_MAX];
    int final_seen;
};

static const char *check_record(struct view *v, const struct memlog_record *r)
{
    unsigned producer, count;
    uint32_t hash;
    int n = 0;

    if (r->kind == FINAL_KIND) {
        v->final_seen = 1;
        return NULL;
    }
    if (r->flags & MEMLOG_ABSENT)
        return r->length || r->detail[0] ? "a text where there was none" : NULL;
    if (r->flags || sscanf(r->detail, "%u %u %n", &producer, &count, &n) != 2)
        return "a record that nobody put";
    hash = mix(producer, count);
    if (producer >= PRODUCERS_MAX || producer != r->kind || count <= v->counts[producer])
        return "a record of another producer, or twice, or out of order";
    v->counts[producer] = count;
    if (r->length != (size_t) n + letters_of(hash) || strlen(r->detail) != r->length)
        return "a record of another length";
    for (size_t i = 0; i < letters_of(hash); i++)
        if (r->detail[(size_t) n + i] != (char) ('a' + (hash + i) % 26))
            return "a record with other letters";
    return NULL;
}

/* Take one thing.  *@what tells which. */
static const char *take(struct memlog_cursor *c, struct view *v, enum memlog_next *what)
{
    struct memlog_record r;

    *what = memlog_next(c, &r);
    if (*what == MEMLOG_RECORD) {
        if (v->next && r.sequence != v->next)
            return "numbers that are not dense";
        v->next = r.sequence + 1;
        v->records++;
        return check_record(v, &r);
    }
    if (*what == MEMLOG_GAP) {
        if ((v->next && r.gap_first != v->next) || r.sequence < r.gap_first)
            return "a gap that does not begin where the records end";
        v->missing += r.sequence - r.gap_first + 1;
        v->next = r.sequence + 1;
    }
    return NULL;
}

static void wait_for_more(struct actor *a, struct memlog_cursor *c, struct wake *wake)
{
    if (a->number % 2 && memlog_spin(c))
        return;
    wake_clear(wake);
    if (!memlog_arm(c))
        return;
    wake_wait(wake, UINT64_MAX);
    a->wakes++;
}

/* Reads @most things, or all to the end. */
static const char *read_some(struct actor *a, enum memlog_from from, uint64_t after, uint64_t most,
                             struct view *v)
{
    struct memlog_cursor *c;
    struct wake wake;
    const char *complaint = NULL;
    enum memlog_next what = MEMLOG_NOTHING;

    if (wake_init(&wake, NULL) < 0 ||
        memlog_cursor_open(a->stage->log, from, after, &wake, &c, NULL) < 0)
        return "no cursor";
    for (uint64_t i = 0; i < most && what != MEMLOG_END && !complaint; i++) {
        complaint = take(c, v, &what);
        if (what == MEMLOG_NOTHING)
            wait_for_more(a, c, &wake);
    }
    /* armed or not, with records borrowed or not */
    if (a->number % 3 == 0)
        memlog_arm(c);
    memlog_cursor_close(c);
    wake_done(&wake);
    return complaint;
}

/* From the beginning to the end, everything accounted for. */
static void *read_all(void *context)
{
    struct actor *a = context;
    struct stage *s = a->stage;
    struct view v = { .next = 1 };

    a->complaint = read_some(a, MEMLOG_FROM_AFTER, 0, UINT64_MAX, &v);
    if (!a->complaint && v.records + v.missing != (uint64_t) s->n_producers * s->n_puts + 1)
        a->complaint = "records and gaps that do not add up";
    if (!a->complaint && !v.final_seen)
        a->complaint = "no final record";
    return NULL;
}

/* Comes and goes. */
static void *visit(void *context)
{
    struct actor *a = context;
    struct stage *s = a->stage;
    uint32_t turn = 0;

    while (!atomic_load(&s->ended) && !a->complaint) {
        uint32_t hash = mix(a->number, ++turn);
        struct view v = { .next = 0 };

        a->complaint = read_some(a, hash % 3, hash % 1000, hash / 8 % 200, &v);
        atomic_fetch_add(&s->visits, 1);
    }
    return NULL;
}

static void *visit_or_read(void *context)
{
    struct actor *a = context;

    return a->number == 0 || a->number % 4 == 1 ? read_all(a) : visit(a);
}

static void start(struct actor *a, struct stage *s, unsigned number, void *(*act)(void *) )
{
    *a = (struct actor){ .stage = s, .number = number };
    assert_int_equal(pthread_create(&a->thread, NULL, act, a), 0);
}

static void run(unsigned n_producers, unsigned n_readers, size_t ceiling, uint32_t n_puts)
{
    struct actor producers[PRODUCERS_MAX], readers[READERS_MAX];
    struct stage s = { .n_producers = n_producers, .n_readers = n_readers, .n_puts = n_puts };

    assert_int_equal(memlog_new(ceiling, &s.log, NULL), HCS_OK);
    for (unsigned i = 0; i < n_readers; i++)
        start(&readers[i], &s, i, visit_or_read);
    for (unsigned i = 0; i < n_producers; i++)
        start(&producers[i], &s, i, produce);
    for (unsigned i = 0; i < n_producers; i++)
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
    memlog_put(s.log, FINAL_KIND, u"{\"Final\":true}", 1);
    memlog_end(s.log, "the handle was closed");
    atomic_store(&s.ended, 1);
    for (unsigned i = 0; i < n_readers; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        if (readers[i].complaint)
            fail_msg("reader %u of %u, %u producers: %s", i, n_readers, n_producers,
                     readers[i].complaint);
    }
    {
        struct memlog_stats stats;

        memlog_stats(s.log, &stats);
        assert_int_equal(stats.cursors, 0);
        assert_int_equal(stats.records, (uint64_t) n_producers * n_puts + 1);
        assert_true(stats.bytes <= ceiling + 4096);
    }
    memlog_unref(s.log);
}

static void run_all(unsigned n_producers)
{
    static const unsigned n_readers[] = { 1, 8, READERS_MAX };
    const uint32_t n_puts = 24000 / n_producers;

    for (size_t i = 0; i < N_ELEMENTS(n_readers); i++) {
        run(n_producers, n_readers[i], MEMLOG_CEILING_MIN, n_puts);
        run(n_producers, n_readers[i], MEMLOG_CEILING_DEFAULT, n_puts / 2);
    }
}

static void one_producer(void **state)
{
    (void) state;
    run_all(1);
}

static void four_producers(void **state)
{
    (void) state;
    run_all(4);
}

static void eight_producers(void **state)
{
    (void) state;
    run_all(8);
}

/* ---- handing over: each waits for the other, so that every put finds a reader asleep ---- */

struct ping {
    struct memlog *to, *from;
    uint32_t rounds;
};

static void *answer(void *context)
{
    static char no_cursor[] = "no cursor";
    struct ping *p = context;
    struct memlog_cursor *c;
    struct memlog_record r;
    struct wake wake;

    if (wake_init(&wake, NULL) < 0 ||
        memlog_cursor_open(p->from, MEMLOG_FROM_OLDEST, 0, &wake, &c, NULL) < 0)
        return no_cursor;
    for (uint32_t i = 0; i < p->rounds; i++) {
        while (memlog_next(c, &r) == MEMLOG_NOTHING) {
            wake_clear(&wake);
            if (memlog_arm(c))
                wake_wait(&wake, UINT64_MAX);
        }
        memlog_put(p->to, i, NULL, 0);
    }
    memlog_cursor_close(c);
    wake_done(&wake);
    return NULL;
}

static void no_wake_up_is_lost_or_needless(void **state)
{
    struct memlog *a = NULL, *b = NULL;
    struct memlog_stats at_a, at_b;
    struct ping there, back;
    pthread_t first, second;
    void *complaint;

    (void) state;
    assert_int_equal(memlog_new(MEMLOG_CEILING_MIN, &a, NULL), HCS_OK);
    assert_int_equal(memlog_new(MEMLOG_CEILING_MIN, &b, NULL), HCS_OK);
    there = (struct ping){ a, b, 20000 };
    back = (struct ping){ b, a, 20000 };
    assert_int_equal(pthread_create(&first, NULL, answer, &there), 0);
    assert_int_equal(pthread_create(&second, NULL, answer, &back), 0);
    memlog_put(a, 0, NULL, 0);
    assert_int_equal(pthread_join(first, &complaint), 0);
    assert_null(complaint);
    assert_int_equal(pthread_join(second, &complaint), 0);
    assert_null(complaint);
    memlog_stats(a, &at_a);
    memlog_stats(b, &at_b);
    assert_in_range(at_a.wakes, 0, at_a.records);
    assert_in_range(at_b.wakes, 0, at_b.records);
    memlog_unref(a);
    memlog_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_producer),
        cmocka_unit_test(four_producers),
        cmocka_unit_test(eight_producers),
        cmocka_unit_test(no_wake_up_is_lost_or_needless),
    };

    return cmocka_run_group_tests_name("memlog_race", tests, NULL, NULL);
}
