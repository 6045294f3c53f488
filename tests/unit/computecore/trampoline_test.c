/* trampoline_test.c - what the callback makes of everything that HCS, or worse, may say. */
#include "over.h"

#include "thread.h"
#include "trampoline.h"

struct bed {
    struct memlog *log;
    struct memlog *also;
    struct trampoline t;
    struct wake wake;
    struct memlog_cursor *cursor;
    struct memlog_cursor *also_cursor;
};

static void bed_begin(struct bed *b, hcs_event_kind end_kind)
{
    memset(b, 0, sizeof *b);
    OK(wake_init(&b->wake, &err));
    OK(memlog_new(MEMLOG_CEILING_DEFAULT, &b->log, &err));
    OK(memlog_new(MEMLOG_CEILING_DEFAULT, &b->also, &err));
    OK(memlog_cursor_open(b->log, MEMLOG_FROM_NOW, 0, &b->wake, &b->cursor, &err));
    OK(memlog_cursor_open(b->also, MEMLOG_FROM_NOW, 0, &b->wake, &b->also_cursor, &err));
    OK(trampoline_open(&b->t, b->log, end_kind == HCS_EVENT_PROCESS_EXITED ? b->also : NULL,
                       end_kind, &err));
}

static void bed_end(struct bed *b)
{
    trampoline_close(&b->t);
    memlog_cursor_close(b->cursor);
    memlog_cursor_close(b->also_cursor);
    memlog_unref(b->log);
    memlog_unref(b->also);
    wake_done(&b->wake);
}

static void say(struct bed *b, uint32_t kind, const uint16_t *data)
{
    struct provider_registration r = { trampoline_event, registry_context(b->t.number) };

    provider_call(&r, kind, data);
}

static struct memlog_record expect(struct memlog_cursor *c, uint32_t kind)
{
    struct memlog_record record = { 0 };

    assert_int_equal(memlog_next(c, &record), MEMLOG_RECORD);
    assert_int_equal(record.kind, kind);
    return record;
}

static void every_kind_arrives_raw_and_in_order(void **state)
{
    static const uint32_t kinds[] = { 2,          3,          4,          5,          6,
                                      0x10000,    0x01000000, 0x80000002, 0x80000003, 0xC0000001,
                                      0x80000000, 0xFFFFFFFF, 0x4C480001, 7,          0 };
    struct memlog_record record;
    struct bed b;

    (void) state;
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
        say(&b, kinds[i], provider_wide("{}"));
    for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
        record = expect(b.cursor, kinds[i]);
        assert_int_equal(record.sequence, i + 1);
        assert_string_equal(record.detail, "{}");
    }
    assert_int_equal(memlog_next(b.cursor, &record), MEMLOG_NOTHING);
    bed_end(&b);
}

static void only_the_end_of_the_handle_itself_is_an_end(void **state)
{
    (void) state;
    assert_int_equal(trampoline_classify(1, HCS_EVENT_SYSTEM_EXITED), TRAMPOLINE_END);
    assert_int_equal(trampoline_classify(0x10000, HCS_EVENT_SYSTEM_EXITED), TRAMPOLINE_EVENT);
    assert_int_equal(trampoline_classify(0x10000, HCS_EVENT_PROCESS_EXITED), TRAMPOLINE_END);
    assert_int_equal(trampoline_classify(1, HCS_EVENT_PROCESS_EXITED), TRAMPOLINE_EVENT);
    assert_int_equal(trampoline_classify(0x02000000, HCS_EVENT_SYSTEM_EXITED),
                     TRAMPOLINE_SERVICE_GONE);
    /* v1's ServiceDisconnect is v2's OperationCallback */
    assert_int_equal(trampoline_classify(0x01000000, HCS_EVENT_SYSTEM_EXITED), TRAMPOLINE_EVENT);
}

static void null_and_empty_are_safe_and_told_apart(void **state)
{
    static const uint16_t empty[] = { 0 };
    struct memlog_record record;
    struct flat_event event = { .type = 3 };
    struct bed b;

    (void) state;
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    trampoline_event(NULL, registry_context(b.t.number));
    trampoline_event(NULL, NULL);
    trampoline_event(&event, NULL);
    assert_int_equal(memlog_next(b.cursor, &record), MEMLOG_NOTHING);
    say(&b, 4, NULL);
    say(&b, 4, empty);
    record = expect(b.cursor, 4);
    assert_int_equal(record.flags, MEMLOG_ABSENT);
    assert_string_equal(record.detail, "");
    record = expect(b.cursor, 4);
    assert_int_equal(record.flags, 0);
    assert_string_equal(record.detail, "");
    say(&b, 1, NULL); /* also of an exit */
    record = expect(b.cursor, 1);
    assert_int_equal(record.flags, MEMLOG_ABSENT);
    bed_end(&b);
}

static void a_lone_surrogate_costs_one_character_and_not_the_rest(void **state)
{
    static const uint16_t text[] = { '{', 0xDC00, 'x', 0xD83D, 0xDE00, 0xD800, '}', 0 };
    struct memlog_record record;
    struct bed b;

    (void) state;
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    say(&b, 2, text);
    record = expect(b.cursor, 2);
    assert_int_equal(record.flags, MEMLOG_LOSSY);
    assert_string_equal(record.detail, "{\xEF\xBF\xBDx\xF0\x9F\x98\x80\xEF\xBF\xBD}");
    bed_end(&b);
}

static void a_text_beyond_the_ceiling_is_cut_and_says_so(void **state)
{
    const size_t n = 6 << 20;
    uint16_t *text = malloc((n + 1) * sizeof *text);
    struct memlog_record record;
    struct bed b;

    (void) state;
    for (size_t i = 0; i < n; i++)
        text[i] = i % 2 ? 0xDE00 : 0xD83D; /* four bytes each, which must not be cut in two */
    text[n] = 0;
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    say(&b, 3, text);
    free(text);
    record = expect(b.cursor, 3);
    assert_true(record.flags & MEMLOG_TRUNCATED);
    assert_false(record.flags & MEMLOG_LOSSY);
    assert_true(record.length > 0 && record.length % 4 == 0);
    assert_int_equal(record.length, strlen(record.detail));
    bed_end(&b);
}

static void the_end_is_told_once_and_ends_the_log(void **state)
{
    struct memlog_record record;
    struct bed b;

    (void) state;
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    say(&b, 1, provider_wide("{\"Status\":0}"));
    say(&b, 1, provider_wide("{\"Status\":1}"));
    say(&b, 0x02000000, NULL);
    say(&b, 3, NULL);
    assert_int_equal(trampoline_tell_end(&b.t, "{\"Status\":2}"), 0);
    assert_string_equal(expect(b.cursor, 1).detail, "{\"Status\":0}");
    assert_int_equal(memlog_next(b.cursor, &record), MEMLOG_END);
    assert_string_equal(record.detail, TRAMPOLINE_EXITED);
    assert_true(trampoline_has_told(&b.t));
    bed_end(&b);
}

static void an_end_that_was_found_by_asking_is_told_once_too(void **state)
{
    struct memlog_record record;
    struct bed b;

    (void) state;
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(trampoline_tell_end(&b.t, NULL), 1);
    say(&b, 1, provider_wide("{\"Status\":1}"));
    record = expect(b.cursor, 1);
    assert_int_equal(record.flags, MEMLOG_ABSENT);
    assert_int_equal(memlog_next(b.cursor, &record), MEMLOG_END);
    bed_end(&b);
}

static void a_disconnect_is_another_end(void **state)
{
    struct memlog_record record;
    struct bed b;

    (void) state;
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    say(&b, 0x02000000, NULL);
    say(&b, 1, provider_wide("{\"Status\":0}"));
    expect(b.cursor, 0x02000000);
    assert_int_equal(memlog_next(b.cursor, &record), MEMLOG_END);
    assert_string_equal(record.detail, TRAMPOLINE_DISCONNECTED);
    bed_end(&b);
}

static void the_end_of_a_process_is_an_event_of_its_system_too(void **state)
{
    struct memlog_record record;
    struct bed b;

    (void) state;
    bed_begin(&b, HCS_EVENT_PROCESS_EXITED);
    say(&b, 0x10000, provider_wide("{\"ProcessId\":5}"));
    say(&b, 0x10000, provider_wide("{\"ProcessId\":6}"));
    assert_string_equal(expect(b.cursor, 0x10000).detail, "{\"ProcessId\":5}");
    assert_string_equal(expect(b.also_cursor, 0x10000).detail, "{\"ProcessId\":5}");
    assert_int_equal(memlog_next(b.cursor, &record), MEMLOG_END);
    assert_string_equal(record.detail, TRAMPOLINE_PROCESS_EXITED);
    assert_int_equal(memlog_next(b.also_cursor, &record), MEMLOG_NOTHING);
    bed_end(&b);
}

static void a_callback_after_the_close_finds_nothing(void **state)
{
    struct provider_registration late;
    struct bed b;

    (void) state;
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    late = (struct provider_registration){ trampoline_event, registry_context(b.t.number) };
    bed_end(&b);
    memset(&b, 0xDD, sizeof b);
    for (int i = 0; i < 100; i++)
        provider_call(&late, 1, provider_wide("{}"));
    /* nor may it find who has the slot now */
    bed_begin(&b, HCS_EVENT_SYSTEM_EXITED);
    assert_ptr_not_equal(registry_context(b.t.number), late.context);
    provider_call(&late, 1, provider_wide("{}"));
    assert_false(trampoline_has_told(&b.t));
    bed_end(&b);
}

/* ---- eight threads ---- */

enum { THREADS = 8, EACH = 2000 };

static struct bed shared;

THREAD_FUNCTION(say_many, parameter)
{
    uint32_t base = (uint32_t) (uintptr_t) parameter << 16;

    for (uint32_t i = 0; i < EACH; i++)
        say(&shared, 0x80000000u | base | i, provider_wide("{\"some\":\"text\"}"));
    say(&shared, 1, provider_wide("{\"Status\":0}"));
    THREAD_RETURN;
}

static void eight_threads_at_once_lose_and_mix_nothing(void **state)
{
    uint32_t next[THREADS] = { 0 };
    uint64_t sequence = 0;
    struct memlog_record record;
    thread threads[THREADS];
    int exits = 0;
    size_t n = 0;

    (void) state;
    bed_begin(&shared, HCS_EVENT_SYSTEM_EXITED);
    for (uintptr_t i = 0; i < THREADS; i++)
        thread_start(&threads[i], say_many, (void *) i);
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    for (;;) {
        enum memlog_next what = memlog_next(shared.cursor, &record);

        if (what == MEMLOG_END)
            break;
        assert_int_equal(what, MEMLOG_RECORD);
        assert_int_equal(record.sequence, ++sequence);
        if (record.kind == 1) {
            exits++;
            continue;
        }
        n++;
        /* each thread's events are in its order */
        assert_true((record.kind & 0xFFFF) >= next[record.kind >> 16 & 7]);
        next[record.kind >> 16 & 7] = (record.kind & 0xFFFF) + 1;
        assert_string_equal(record.detail, "{\"some\":\"text\"}");
    }
    /* the first who says the end ends it for all */
    assert_int_equal(exits, 1);
    assert_true(n >= EACH && n <= (size_t) THREADS * EACH);
    bed_end(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER(every_kind_arrives_raw_and_in_order),
        OVER(only_the_end_of_the_handle_itself_is_an_end),
        OVER(null_and_empty_are_safe_and_told_apart),
        OVER(a_lone_surrogate_costs_one_character_and_not_the_rest),
        OVER(a_text_beyond_the_ceiling_is_cut_and_says_so),
        OVER(the_end_is_told_once_and_ends_the_log),
        OVER(an_end_that_was_found_by_asking_is_told_once_too),
        OVER(a_disconnect_is_another_end),
        OVER(the_end_of_a_process_is_an_event_of_its_system_too),
        OVER(a_callback_after_the_close_finds_nothing),
        OVER(eight_threads_at_once_lose_and_mix_nothing),
    };

    return cmocka_run_group_tests_name("trampoline", tests, NULL, NULL);
}
