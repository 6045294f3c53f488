/* sub_test.c - readers of the log: where they begin and end, what they are given, in which turn.
 *
 * The log is a real file, the systems are the fake driver's.  What a reader got is one line of
 * text: rN ready after N   eN-M events   gN-M gap   bN bookmark after N   xREASON end Boots are
 * named by their last letter: b5:a. */

#include "evlog_place.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "engine.h"
#include "fake.h"
#include "sub_parts.h"

#define TRACE 4096
#define MANY 1000
#define BOOT_A "0000000000000000000000000000000a"
#define BOOT_B "0000000000000000000000000000000b"
#define BOOT_C "0000000000000000000000000000000c"

struct reader {
    struct sub sub;
    char trace[TRACE];
    char log[40];        /* of the position that was told last */
    uint64_t from, last; /* the events of the trace that is being written */
    uint64_t n_events;
    uint64_t room;
    int takes_bookmarks;
};

struct bench {
    struct place *place;
    sd_event *loop;
    struct evlog *log;
    struct driver *fake;
    struct engine *engine;
    char run_dir[80];
};

/* ---- a reader ---- */

static void write_events(struct reader *r)
{
    size_t n = strlen(r->trace);

    if (r->from == 0)
        return;
    if (r->from == r->last)
        snprintf(r->trace + n, TRACE - n, "e%" PRIu64 " ", r->from);
    else
        snprintf(r->trace + n, TRACE - n, "e%" PRIu64 "-%" PRIu64 " ", r->from, r->last);
    r->from = r->last = 0;
}

_printf_(2, 3) static void note(struct reader *r, const char *format, ...)
{
    va_list arguments;
    size_t n;

    write_events(r);
    n = strlen(r->trace);
    va_start(arguments, format);
    vsnprintf(r->trace + n, TRACE - n, format, arguments);
    va_end(arguments);
    strcat(r->trace, " ");
}

static struct reader *reader_of(struct sub *s)
{
    return container_of(s, struct reader, sub);
}

static int on_event(struct sub *s, const char *bytes, size_t length)
{
    struct reader *r = reader_of(s);
    hcs_event event = HCS_EVENT_INIT;
    json_t *json;

    if (r->room == 0)
        return 0;
    r->room--;
    r->n_events++;
    json = json_loadb(bytes, length, 0, NULL);
    assert_int_equal(event_view(json, &event, NULL), HCS_OK);
    if (event.sequence != r->last + 1)
        write_events(r);
    if (r->from == 0)
        r->from = event.sequence;
    r->last = event.sequence;
    json_decref(json);
    return 1;
}

static int on_gap(struct sub *s, uint64_t first, uint64_t last)
{
    struct reader *r = reader_of(s);

    if (r->room == 0)
        return 0;
    note(r, "g%" PRIu64 "-%" PRIu64, first, last);
    return 1;
}

static int on_end(struct sub *s, const char *reason)
{
    note(reader_of(s), "x%s", reason);
    return 1;
}

static void note_position(struct reader *r, char letter, const struct sub_position *at)
{
    size_t n = strlen(at->boot);

    snprintf(r->log, sizeof r->log, "%s", at->log);
    if (n > 0 && strncmp(at->boot, BOOT_A, n - 1) == 0)
        note(r, "%c%" PRIu64 ":%c", letter, at->after, at->boot[n - 1]);
    else
        note(r, "%c%" PRIu64, letter, at->after);
}

static void on_ready(struct sub *s, const struct sub_position *at)
{
    note_position(reader_of(s), 'r', at);
}

static int on_bookmark(struct sub *s, const struct sub_position *at, int regular)
{
    struct reader *r = reader_of(s);

    if (regular ? !r->takes_bookmarks : r->room == 0)
        return 0;
    note_position(r, 'b', at);
    return 1;
}

static const struct sub_sink sink = {
    .event = on_event, .gap = on_gap, .end = on_end, .ready = on_ready, .bookmark = on_bookmark
};

/* ---- the bench ---- */

static uint64_t stamp; /* of the next event; 0: the machine's clock */

static uint64_t stamp_clock(void)
{
    return stamp ? stamp : clock_realtime_ns();
}

static struct bench *begin(void **state, uint64_t events_max, const char *boot_id)
{
    struct bench *b = calloc(1, sizeof *b);
    struct engine_options options = { .systems_max = 100, .processes_max = 16 };

    stamp = 0;
    b->place = *state;
    snprintf(b->run_dir, sizeof b->run_dir, "%s/run", b->place->dir);
    (void) mkdir(b->run_dir, 0700);
    assert_true(sd_event_new(&b->loop) >= 0);
    b->log = open_with(b->place, (struct evlog_options){ .events_max = events_max,
                                                         .ended_max = 100,
                                                         .boot_id = boot_id,
                                                         .clock = stamp_clock });
    assert_int_equal(fake_new(b->loop, &b->fake, NULL), HCS_OK);
    options.loop = b->loop;
    options.log = b->log;
    options.run_dir = b->run_dir;
    options.namespaces = b->fake;
    assert_int_equal(engine_new(&options, &b->engine, NULL), HCS_OK);
    return b;
}

static void end(struct bench *b)
{
    engine_drop(b->engine);
    b->fake->ops->drop(b->fake);
    evlog_close(b->log);
    sd_event_unref(b->loop);
    free(b);
}

static void settle(struct bench *b)
{
    while (sd_event_run(b->loop, 0) > 0)
        ;
}

/* An event that happened to nobody in particular. */
static void put(struct bench *b, hcs_event_kind kind, const char *id, const char *owner)
{
    hcs_event event = HCS_EVENT_INIT;

    event.kind = kind;
    event.system = (hcs_event_system){ id, 1000, owner, "Container", "namespaces" };
    assert_int_equal(evlog_append(b->log, evlog_reserve(256), &event), HCS_OK);
    engine_want_turn(b->engine);
}

static void put_many(struct bench *b, int n)
{
    for (int i = 0; i < n; i++)
        put(b, 77, "a", "me");
    commit(b->log);
}

static struct reader *open_reader(struct bench *b, struct sub_options options)
{
    struct reader *r = calloc(1, sizeof *r);
    hcs_error err = HCS_ERROR_INIT;

    r->sub.sink = &sink;
    r->room = UINT64_MAX;
    r->takes_bookmarks = 1;
    if (sub_open(b->engine, &r->sub, &options, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

static void close_reader(struct reader *r)
{
    sub_close(&r->sub);
    free(r);
}

/* All that it got until now, and begin a new line. */
static const char *got(struct reader *r)
{
    static char line[TRACE];
    size_t n;

    write_events(r);
    snprintf(line, sizeof line, "%s", r->trace);
    n = strlen(line);
    if (n > 0)
        line[n - 1] = '\0';
    r->trace[0] = '\0';
    return line;
}

static struct filter *filter_of(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    struct filter *f = NULL;

    assert_int_equal(filter_parse(json, &f, NULL), HCS_OK);
    json_decref(json);
    return f;
}

/* What a new reader gets at once. */
static const char *got_of(struct bench *b, struct sub_options options)
{
    static char line[TRACE];
    struct reader *r = open_reader(b, options);

    settle(b);
    snprintf(line, sizeof line, "%s", got(r));
    close_reader(r);
    return line;
}

static hcs_result refused(struct bench *b, struct sub_options options, char text[512])
{
    struct sub s = { .sink = &sink };
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = sub_open(b->engine, &s, &options, &err);

    snprintf(text, 512, "%s", err.text);
    return r;
}

static void ignore_answer(struct call *call, const struct answer *answer)
{
    (void) call;
    (void) answer;
}

/* ---- filters ---- */

static void what_is_not_wanted_is_passed_and_not_given(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *kind =
        open_reader(b, (struct sub_options){ .filter_opt = filter_of("{\"kinds\":[77]}") });
    struct reader *owner =
        open_reader(b, (struct sub_options){ .filter_opt = filter_of("{\"owners\":[\"y*\"]}") });
    struct sub_figures figures;

    put(b, 77, "a", "me");
    put(b, 78, "a", "you");
    put(b, 77, "a", "me");
    put(b, 79, "a", "me");
    settle(b);
    assert_string_equal(got(kind), "r0:a e1 e3");
    assert_string_equal(got(owner), "r0:a e2");
    sub_get_figures(&kind->sub, &figures);
    assert_int_equal(figures.position, 4);
    assert_int_equal(figures.lag, 0);
    assert_int_equal(figures.sent, 2);
    assert_int_equal(figures.filtered, 2);
    assert_int_equal(figures.blocked, 0);
    kind->room = 0;
    put(b, 77, "a", "me");
    put(b, 78, "a", "me");
    settle(b);
    sub_get_figures(&kind->sub, &figures);
    assert_int_equal(figures.position, 4);
    assert_int_equal(figures.lag, 2);
    assert_int_equal(figures.blocked, 1);
    close_reader(kind);
    close_reader(owner);
    end(b);
}

/* The stream of one system ends with it, and does not tell what it was not asked for. */
static void an_exit_that_is_not_wanted_ends_the_stream_of_its_system(void **state)
{
    static const char document[] = "{\"Owner\":\"me\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                                   "\"Container\":{\"Storage\":{\"Path\":\"/root-fs\"}}}";
    struct bench *b = begin(state, 1000, BOOT_A);
    struct sub_options options = { .from = SUB_FROM_BEGINNING, .system_id_opt = "a" };
    struct call calls[3];

    for (size_t i = 0; i < N_ELEMENTS(calls); i++)
        call_init(&calls[i], ignore_answer);
    engine_create(b->engine, &calls[0], "a", document);
    settle(b);
    options.filter_opt = filter_of("{\"kinds\":[1279787010]}");
    struct reader *r = open_reader(b, options);
    engine_start(b->engine, &calls[1], "a", 0);
    settle(b);
    assert_string_equal(got(r), "r0:a e2");
    put_many(b, 3);
    engine_terminate(b->engine, &calls[2], "a", 0);
    settle(b);
    assert_string_equal(got(r), "b6:a xthe system has exited");
    close_reader(r);
    options.filter_opt = NULL;
    options.from = SUB_FROM_LAST;
    options.last = 2;
    assert_string_equal(got_of(b, options), "r1:a e2 e6 xthe system has exited");
    end(b);
}

/* ---- where it begins ---- */

static void last_is_the_newest_events(void **state)
{
    struct bench *b = begin(state, 100, BOOT_A);

    put_many(b, 50);
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_LAST, .last = 3 }),
                        "r47:a e48-50");
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_LAST, .last = 0 }),
                        "r50:a");
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_LAST, .last = 50 }),
                        "r0:a e1-50");
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_LAST, .last = UINT64_MAX / 2 }),
        "r0:a e1-50");
    put_many(b, 200); /* now the oldest are gone, and nobody asked for them */
    uint64_t first = evlog_first(b->log);
    char expected[64];
    assert_true(first > 1);
    snprintf(expected, sizeof expected, "r%" PRIu64 ":a e%" PRIu64 "-250", first - 1, first);
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_LAST, .last = 1000 }),
                        expected);
    end(b);
}

static void last_counts_what_matches(void **state)
{
    static const char *const expected[] = { "r1000:a", "r999:a e1000", "r899:a e900 e1000" };
    struct bench *b = begin(state, 100000, BOOT_A);

    for (int i = 1; i <= 1000; i++)
        put(b, i % 100 == 0 ? 78 : 77, "a", i % 100 == 0 ? "rare" : "me");
    commit(b->log);
    for (size_t i = 0; i < N_ELEMENTS(expected); i++)
        for (int by_content = 0; by_content < 2; by_content++)
            assert_string_equal(
                got_of(b, (struct sub_options){ .from = SUB_FROM_LAST,
                                                .last = i,
                                                .filter_opt =
                                                    filter_of(by_content ? "{\"owners\":[\"rare\"]}"
                                                                         : "{\"kinds\":[78]}") }),
                expected[i]);
    /* many close together */
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_LAST,
                                        .last = 70,
                                        .filter_opt = filter_of("{\"kinds\":[77]}") }),
        "r929:a e930-999");
    /* as many as there are: then from the oldest event on */
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_LAST,
                                        .last = 11,
                                        .filter_opt = filter_of("{\"kinds\":[78]}") }),
        "r0:a e100 e200 e300 e400 e500 e600 e700 e800 e900 e1000");
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_LAST,
                                        .last = 5,
                                        .filter_opt = filter_of("{\"kinds\":[99]}") }),
        "r0:a");
    end(b);
}

static void a_search_backwards_takes_many_turns(void **state)
{
    struct bench *b = begin(state, 100000, BOOT_A);
    struct reader *r;
    int turns = 0;

    put(b, 78, "a", "me");
    put_many(b, 5000);
    settle(b);
    r = open_reader(b, (struct sub_options){ .from = SUB_FROM_LAST,
                                             .last = 1,
                                             .filter_opt = filter_of("{\"kinds\":[78]}") });
    put_many(b, 100); /* what happens meanwhile is after the ready position */
    put(b, 78, "a", "me");
    while (r->trace[0] == '\0') {
        assert_true(sd_event_run(b->loop, 0) > 0);
        turns++;
    }
    assert_true(turns >= 5000 / (int) SUB_SEEK_ROWS);
    settle(b);
    assert_string_equal(got(r), "r0:a e1 e5102");
    close_reader(r);
    end(b);
}

static void since_is_the_oldest_event_of_that_time_or_later(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *r;

    for (uint64_t i = 1; i <= 5; i++) {
        stamp = i * 1000;
        put(b, 77, "a", "me");
    }
    stamp = 2500; /* the clock was set back */
    put(b, 77, "a", "me");
    settle(b);
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_SINCE, .since_ns = 1 }),
                        "r0:a e1-6");
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_SINCE, .since_ns = 2000 }),
                        "r1:a e2-6");
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_SINCE, .since_ns = 2001 }),
                        "r2:a e3-6");
    r = open_reader(b, (struct sub_options){ .from = SUB_FROM_SINCE, .since_ns = 9000 });
    stamp = 8999;
    put(b, 77, "a", "me");
    stamp = 9000;
    put(b, 77, "a", "me");
    stamp = 100;
    put(b, 77, "a", "me");
    settle(b);
    assert_string_equal(got(r), "r6:a e8-9");
    close_reader(r);
    end(b);
}

/* ---- where it ends ---- */

static void without_follow_it_ends_after_what_was_durable(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *r;

    put_many(b, 200);
    r = open_reader(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .no_follow = 1 });
    put_many(b, 10);
    settle(b);
    assert_string_equal(got(r), "r0:a e1-200 xno more events");
    close_reader(r);
    assert_string_equal(got_of(b, (struct sub_options){ .no_follow = 1 }),
                        "r210:a xno more events");
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_BEGINNING,
                                        .no_follow = 1,
                                        .filter_opt = filter_of("{\"kinds\":[1]}") }),
        "r0:a b210:a xno more events");
    end(b);
}

static void a_gap_at_the_end_is_no_longer_than_what_was_asked(void **state)
{
    struct bench *b = begin(state, 20, BOOT_A);
    struct reader *r;

    put_many(b, 10);
    settle(b);
    r = open_reader(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .no_follow = 1 });
    r->room = 3;
    settle(b);
    put_many(b, 100);
    put_many(b, 1);
    settle(b);
    assert_true(evlog_first(b->log) > 11);
    r->room = 100;
    sub_wake(&r->sub);
    settle(b);
    assert_string_equal(got(r), "r0:a e1-3 g4-10 xno more events");
    close_reader(r);
    end(b);
}

static void until_ends_before_the_first_later_event(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);

    for (uint64_t i = 1; i <= 5; i++) {
        stamp = i * 1000;
        put(b, 77, "a", "me");
    }
    settle(b);
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .until_ns = 3000 }),
        "r0:a e1-3 xuntil");
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .until_ns = 2999 }),
        "r0:a e1-2 xuntil");
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .until_ns = 5000 }),
        "r0:a e1-5 xuntil");
    end(b);
}

/* A moment that is still to come passes although nothing happens, and not before. */
static void until_passes_by_itself(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    uint64_t until = clock_realtime_ns() + 200000000;
    struct reader *r = open_reader(b, (struct sub_options){ .until_ns = until });

    put(b, 77, "a", "me");
    settle(b);
    while (!strchr(r->trace, 'x'))
        assert_true(sd_event_run(b->loop, 10 * 1000000) > 0);
    assert_true(clock_realtime_ns() > until);
    assert_string_equal(got(r), "r0:a e1 xuntil");
    close_reader(r);
    end(b);
}

/* The moment passes while an event from before it cannot be made durable. */
static void until_waits_for_what_waits_for_its_commit(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *r;

    r = open_reader(b, (struct sub_options){ .until_ns = 5000 });
    r->room = 0; /* so that it does not end at once */
    stamp = 4000;
    put(b, 77, "a", "me");
    settle(b);
    stamp = 4500;
    b->engine->log_is_stuck = 1;
    put(b, 77, "a", "me");
    r->room = 100;
    sub_wake(&r->sub);
    settle(b);
    assert_string_equal(got(r), "r0:a e1");
    b->engine->log_is_stuck = 0;
    engine_want_turn(b->engine);
    settle(b);
    assert_string_equal(got(r), "e2 xuntil");
    close_reader(r);
    end(b);
}

/* ---- bookmarks ---- */

static void an_idle_readers_position_moves(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *r = open_reader(
        b, (struct sub_options){ .bookmark_ms = 100, .filter_opt = filter_of("{\"kinds\":[1]}") });

    put_many(b, 5);
    while (!strchr(r->trace, 'b'))
        assert_true(sd_event_run(b->loop, 10 * 1000000) > 0);
    assert_string_equal(got(r), "r0:a b5:a");
    while (!strchr(r->trace, 'b')) /* and again, though nothing happened */
        assert_true(sd_event_run(b->loop, 10 * 1000000) > 0);
    assert_string_equal(got(r), "b5:a");
    close_reader(r);
    end(b);
}

/* So long that in a test its time comes only by pass_bookmarks(). */
#define SELDOM 3600000u

/* Let the time of a bookmark come, @n times. */
static void pass_bookmarks(struct bench *b, struct reader *r, int n)
{
    for (int i = 0; i < n; i++) {
        r->sub.bookmark_due = 1;
        engine_want_turn(b->engine);
        settle(b);
    }
}

static void a_bookmark_never_overtakes_an_event(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *r = open_reader(b, (struct sub_options){ .bookmark_ms = SELDOM });

    settle(b);
    r->room = 2;
    r->takes_bookmarks = 0;
    put_many(b, 5);
    settle(b);
    pass_bookmarks(b, r, 3);
    assert_string_equal(got(r), "r0:a e1-2");
    r->room = 100;
    r->takes_bookmarks = 1;
    sub_wake(&r->sub);
    settle(b);
    assert_string_equal(got(r), "e3-5 b5:a"); /* one, for all those that were due */
    close_reader(r);
    end(b);
}

static void a_bookmark_in_the_midst_is_no_further_than_the_events(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *r;

    put_many(b, 300);
    settle(b);
    r = open_reader(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .bookmark_ms = SELDOM });
    r->sub.bookmark_due = 1;
    assert_true(sd_event_run(b->loop, 0) > 0);
    assert_string_equal(got(r), "r0:a e1-64 b64:a");
    settle(b);
    assert_string_equal(got(r), "e65-300");
    close_reader(r);
    end(b);
}

/* A sink may have room for events and none for a regular bookmark: events go on. */
static void a_bookmark_that_waits_holds_no_event_up(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *r = open_reader(b, (struct sub_options){ .bookmark_ms = SELDOM });

    r->takes_bookmarks = 0;
    pass_bookmarks(b, r, 1);
    put_many(b, 2);
    settle(b);
    assert_string_equal(got(r), "r0:a e1-2");
    r->takes_bookmarks = 1;
    sub_wake(&r->sub);
    settle(b);
    assert_string_equal(got(r), "b2:a");
    close_reader(r);
    end(b);
}

static void another_boot_is_told_before_its_first_event(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);

    put_many(b, 3);
    end(b);
    b = begin(state, 1000, BOOT_B);
    put_many(b, 70);
    end(b);
    b = begin(state, 1000, BOOT_C);
    put(b, 78, "a", "me");
    commit(b->log);
    settle(b);
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_BEGINNING }),
                        "r0:a e1-3 b3:b e4-73 b73:c e74");
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_AFTER, .after = 3 }),
                        "r3:b e4-73 b73:c e74");
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_BEGINNING,
                                        .filter_opt = filter_of("{\"kinds\":[78]}") }),
        "r0:a b73:c e74");
    assert_string_equal(got_of(b, (struct sub_options){ 0 }), "r74:c");
    end(b);
}

static void a_boot_that_cannot_be_told_yet_is_told_later_and_once(void **state)
{
    struct bench *b = begin(state, 1000, BOOT_A);
    struct reader *r;

    put_many(b, 3);
    end(b);
    b = begin(state, 1000, BOOT_B);
    put_many(b, 2);
    r = open_reader(b, (struct sub_options){ .from = SUB_FROM_BEGINNING });
    r->room = 3;
    settle(b);
    assert_string_equal(got(r), "r0:a e1-3");
    r->room = 100;
    sub_wake(&r->sub);
    settle(b);
    assert_string_equal(got(r), "b3:b e4-5");
    close_reader(r);
    end(b);
}

/* ---- cursors of other logs ---- */

static void spoil(const struct place *p)
{
    char page[4096];
    struct stat st;
    int fd = open(p->path, O_WRONLY);

    memset(page, 0xEE, sizeof page);
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t i = st.st_size / 4096 / 3; i < st.st_size / 4096 * 2 / 3; i++)
        assert_int_equal(pwrite(fd, page, sizeof page, i * 4096), sizeof page);
    close(fd);
}

/* Readers of a log that is found damaged: one that had read all of it, one that had not. */
static void a_log_that_is_lost_is_one_gap_and_a_bookmark(void **state)
{
    struct bench *b = begin(state, 100000, BOOT_A);
    struct reader *whole, *part, *limited;
    char old[40], text[512];

    put_many(b, 5000);
    end(b);
    spoil(*state);
    b = begin(state, 100000, BOOT_A);
    snprintf(old, sizeof old, "%s", evlog_id(b->log));
    whole = open_reader(b, (struct sub_options){ 0 });
    part = open_reader(b, (struct sub_options){ .from = SUB_FROM_AFTER, .after = 10 });
    limited = open_reader(b, (struct sub_options){ .no_follow = 1, .from = SUB_FROM_BEGINNING });
    part->room = limited->room = 0;
    settle(b);
    assert_string_equal(got(part), "r10:a");
    assert_string_equal(got(limited), "r0:a");
    /* somebody finds the damage */
    struct reader *finder = open_reader(b, (struct sub_options){ .from = SUB_FROM_BEGINNING });
    while (strcmp(evlog_id(b->log), old) == 0)
        assert_true(sd_event_run(b->loop, 10 * 1000000) > 0);
    close_reader(finder);
    put_many(b, 2);
    settle(b);
    assert_string_equal(got(whole), "r5000:a b0:a e1-2");
    assert_string_equal(whole->log, evlog_id(b->log));
    part->room = limited->room = 100;
    sub_wake(&part->sub);
    sub_wake(&limited->sub);
    settle(b);
    assert_string_equal(got(part), "g11-5000 b0:a e1-2");
    assert_string_equal(got(limited), "g1-5000 b0:a xno more events");

    /* a cursor of the old log */
    struct reader *cursor = open_reader(
        b, (struct sub_options){ .from = SUB_FROM_AFTER, .after = 4990, .log_opt = old });
    assert_string_equal(cursor->log, old);
    settle(b);
    assert_string_equal(got(cursor), "r4990 g4991-5000 b0:a e1-2");
    assert_string_equal(cursor->log, evlog_id(b->log));
    assert_string_equal(
        got_of(b, (struct sub_options){ .from = SUB_FROM_AFTER, .after = 5000, .log_opt = old }),
        "r5000 b0:a e1-2");
    assert_int_equal(
        refused(b, (struct sub_options){ .from = SUB_FROM_AFTER, .after = 5001, .log_opt = old },
                text),
        HCS_E_INVALIDARG);
    assert_non_null(strstr(text, "5000"));
    close_reader(whole);
    close_reader(part);
    close_reader(limited);
    close_reader(cursor);
    end(b);
}

static void a_cursor_of_an_unknown_log_is_refused(void **state)
{
    struct bench *b = begin(state, 20, BOOT_A);
    char text[512], oldest[64];

    put_many(b, 100);
    settle(b);
    assert_int_equal(
        refused(b, (struct sub_options){ .from = SUB_FROM_AFTER, .after = 3, .log_opt = BOOT_C },
                text),
        HCS_E_WIN32_NOT_FOUND);
    snprintf(oldest, sizeof oldest, "is %" PRIu64, evlog_first(b->log) - 1);
    assert_non_null(strstr(text, BOOT_C));
    assert_non_null(strstr(text, evlog_id(b->log)));
    assert_non_null(strstr(text, oldest));
    assert_int_equal(refused(b,
                             (struct sub_options){ .from = SUB_FROM_AFTER,
                                                   .after = 101,
                                                   .log_opt = evlog_id(b->log) },
                             text),
                     HCS_E_INVALIDARG);
    end(b);
}

static void a_cursor_of_this_log_goes_on_or_tells_the_gap(void **state)
{
    struct bench *b = begin(state, 20, BOOT_A);
    char expected[64];

    put_many(b, 80);
    put_many(b, 20);
    settle(b);
    uint64_t first = evlog_first(b->log);
    assert_true(first > 4);
    snprintf(expected, sizeof expected, "r3:a g4-%" PRIu64 " e%" PRIu64 "-100", first - 1, first);
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_AFTER,
                                                        .after = 3,
                                                        .log_opt = evlog_id(b->log) }),
                        expected);
    assert_string_equal(got_of(b, (struct sub_options){ .from = SUB_FROM_AFTER,
                                                        .after = 98,
                                                        .log_opt = evlog_id(b->log) }),
                        "r98:a e99-100");
    end(b);
}

/* ---- snapshots ---- */

struct listed {
    struct call call;
    json_t *systems; /* by "id incarnation": state */
    uint64_t after;
};

static void put_state(json_t *systems, const char *id, uint64_t incarnation, const char *state)
{
    char key[200];

    snprintf(key, sizeof key, "%s %" PRIu64, id, incarnation);
    json_object_set_new(systems, key, json_string(state));
}

static void on_listed(struct call *call, const struct answer *answer)
{
    struct listed *l = container_of(call, struct listed, call);
    json_t *item;
    size_t i;

    assert_true(answer->result >= 0);
    assert_non_null(answer->position);
    l->after = answer->position->after;
    json_array_foreach(answer->json, i, item)
    {
        put_state(l->systems, json_string_value(json_object_get(item, "Id")),
                  (uint64_t) json_integer_value(json_object_get(item, "Incarnation")),
                  json_string_value(json_object_get(item, "State")));
    }
}

static struct listed *take_snapshot(struct bench *b)
{
    struct listed *l = calloc(1, sizeof *l);

    l->systems = json_object();
    call_init(&l->call, on_listed);
    engine_list(b->engine, &l->call, NULL, 1);
    call_drop(&l->call);
    return l;
}

static void drop_snapshot(struct listed *l)
{
    json_decref(l->systems);
    free(l);
}

struct replay {
    json_t *systems;
    uint64_t until;
};

static int replay_event(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                        const char *bytes, size_t length)
{
    struct replay *r = context;
    json_t *json;
    const char *id;

    if (sequence > r->until)
        return 0;
    json = json_loadb(bytes, length, 0, NULL);
    id = json_string_value(json_object_get(json_object_get(json, "system"), "id"));
    if (kind == HCS_EVENT_SYSTEM_CREATED)
        put_state(r->systems, id, incarnation, "Created");
    else if (kind == HCS_EVENT_SYSTEM_STARTED)
        put_state(r->systems, id, incarnation, "Running");
    else if (kind == HCS_EVENT_SYSTEM_EXITED)
        put_state(r->systems, id, incarnation, "Stopped");
    json_decref(json);
    return 1;
}

/* The older snapshot and the events between them are the newer one. */
static void compare(struct bench *b, const struct listed *older, const struct listed *newer)
{
    struct replay r = { json_deep_copy(older->systems), newer->after };

    assert_true(newer->after >= older->after);
    for (uint64_t at = older->after; at < newer->after; at += 64)
        assert_int_equal(evlog_read(b->log, at, replay_event, &r, NULL), HCS_OK);
    if (!json_equal(r.systems, newer->systems))
        fail_msg("after %" PRIu64 " to %" PRIu64 ":\n%s\n%s", older->after, newer->after,
                 json_dumps(r.systems, JSON_SORT_KEYS), json_dumps(newer->systems, JSON_SORT_KEYS));
    json_decref(r.systems);
}

#define DOCUMENT                                                                                   \
    "{\"Owner\":\"me\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Container\":{\"Storage\":"    \
    "{\"Path\":\"/root-fs\"}%s}}"

#define ACTIONS 600
#define KEPT 8

/* One thing that a client may do next, by chance. */
static void act(struct bench *b, struct call *call)
{
    static const char *const more[] = { "", "", "", ",\"GuestOs\":{\"HostName\":\"fail-create\"}",
                                        ",\"GuestOs\":{\"HostName\":\"fail-start\"}" };
    char id[8], document[256];

    snprintf(id, sizeof id, "s%d", rand() % 6);
    snprintf(document, sizeof document, DOCUMENT, more[rand() % 5]);
    call_drop(call);
    call_init(call, ignore_answer);
    switch (rand() % 5) {
    case 0:
    case 1:
        engine_create(b->engine, call, id, document);
        break;
    case 2:
        engine_start(b->engine, call, id, 0);
        break;
    case 3:
        engine_shut_down(b->engine, call, id, 0);
        break;
    default:
        engine_terminate(b->engine, call, id, 0);
        break;
    }
}

/* Systems come and go; between any two steps of the loop, also when events wait for the commit, a
 * snapshot is taken. */
static void a_snapshot_and_the_events_after_it_are_the_next_snapshot(void **state)
{
    struct bench *b = begin(state, 1000000, BOOT_A);
    static struct call calls[ACTIONS];
    struct listed *kept[KEPT] = { NULL };
    uint64_t changes = 0;

    srand(4711);
    for (int i = 0; i < ACTIONS; i++) {
        struct listed *now;

        call_init(&calls[i], ignore_answer);
        act(b, &calls[i]);
        for (int n = rand() % 4; n > 0; n--)
            (void) sd_event_run(b->loop, 0);
        if (rand() % 3 == 0)
            continue;
        now = take_snapshot(b);
        for (int k = 0; k < KEPT; k++) {
            if (kept[k]) {
                changes += now->after - kept[k]->after;
                compare(b, kept[k], now);
            }
        }
        if (kept[i % KEPT])
            drop_snapshot(kept[i % KEPT]);
        kept[i % KEPT] = now;
    }
    assert_true(changes > 1000); /* something happened at all */
    for (int k = 0; k < KEPT; k++)
        if (kept[k])
            drop_snapshot(kept[k]);
    settle(b);
    for (int i = 0; i < ACTIONS; i++)
        call_drop(&calls[i]);
    end(b);
}

/* ---- turns ---- */

static uint64_t events_of(struct reader *const *readers, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += readers[i]->n_events;
    return sum;
}

/* A client with a thousand streams that all have much to read, and one with one. */
static void a_crowd_of_one_client_starves_nobody(void **state)
{
    struct bench *b = begin(state, 100000, BOOT_A);
    struct reader *crowd[MANY], *other;
    uint64_t given, most = 0;

    put_many(b, 300);
    for (size_t i = 0; i < MANY; i++)
        crowd[i] = open_reader(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .client = 1 });
    other = open_reader(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .client = 2 });
    for (int turn = 1; turn <= 5; turn++) {
        given = events_of(crowd, MANY);
        assert_true(sd_event_run(b->loop, 0) > 0);
        given = events_of(crowd, MANY) - given;
        most = given > most ? given : most;
        assert_true(other->n_events >= (turn < 5 ? 64u * (unsigned) turn : 300u));
    }
    /* a turn is bounded, and nobody of the crowd is passed over for another */
    assert_true(most > 0 && most <= SUB_TURN_WORK / (1 + SUB_DELIVERY_WORK) + 64);
    put(b, 77, "a", "me");
    assert_true(sd_event_run(b->loop, 0) > 0);
    assert_int_equal(other->n_events, 301);
    for (uint64_t turns = 0; crowd[MANY - 1]->n_events == 0; turns++) {
        assert_true(turns < MANY * 64 / most + 2);
        assert_true(sd_event_run(b->loop, 0) > 0);
    }
    for (size_t i = 0; i < MANY; i++)
        assert_true(crowd[i]->n_events <= 128);
    settle(b);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(crowd[i]->n_events, 301);
        close_reader(crowd[i]);
    }
    close_reader(other);
    end(b);
}

static void costly_filters_are_fewer_in_a_turn(void **state)
{
    struct bench *b = begin(state, 100000, BOOT_A);
    struct reader *crowd[MANY];

    put_many(b, 100);
    settle(b);
    for (size_t i = 0; i < MANY; i++)
        crowd[i] = open_reader(
            b, (struct sub_options){ .from = SUB_FROM_BEGINNING,
                                     .filter_opt = filter_of("{\"owners\":[\"*x*y\"]}") });
    assert_true(sd_event_run(b->loop, 0) > 0);
    uint64_t passed = 0;
    for (size_t i = 0; i < MANY; i++)
        passed += crowd[i]->sub.filtered;
    assert_true(passed > 0 && passed <= SUB_TURN_WORK / (1 + SUB_CONTENT_WORK) + 64);
    for (size_t i = 0; i < MANY; i++)
        close_reader(crowd[i]);
    end(b);
}

struct asked {
    struct call call;
    int answers;
};

static void count_answer(struct call *call, const struct answer *answer)
{
    (void) answer;
    container_of(call, struct asked, call)->answers++;
}

/* Turns of the loop until a call is answered that waits for the commit, as all calls do that have
 * to do with an event. */
static int turns_of_wait(struct bench *b, const char *id)
{
    struct asked asked = { .answers = 0 };
    int turns = 0;

    call_init(&asked.call, count_answer);
    engine_wait(b->engine, &asked.call, id, 0);
    while (!asked.answers) {
        assert_true(sd_event_run(b->loop, 0) > 0);
        turns++;
    }
    call_drop(&asked.call);
    return turns;
}

static void calls_are_answered_while_a_crowd_reads(void **state)
{
    struct bench *b = begin(state, 100000, BOOT_A);
    struct asked asked = { .answers = 0 };
    struct reader *crowd[MANY];
    char document[256];

    snprintf(document, sizeof document, DOCUMENT, "");
    call_init(&asked.call, count_answer);
    engine_create(b->engine, &asked.call, "ended", document);
    settle(b);
    call_init(&asked.call, count_answer);
    engine_terminate(b->engine, &asked.call, "ended", 0);
    put_many(b, 300);
    settle(b);
    assert_int_equal(asked.answers, 2);
    int alone = turns_of_wait(b, "ended");
    for (size_t i = 0; i < MANY; i++)
        crowd[i] = open_reader(b, (struct sub_options){ .from = SUB_FROM_BEGINNING, .client = 1 });
    assert_true(sd_event_run(b->loop, 0) > 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(turns_of_wait(b, "ended"), alone);
    assert_true(events_of(crowd, MANY) < MANY * 300 / 10); /* they are far from done */
    for (size_t i = 0; i < MANY; i++)
        close_reader(crowd[i]);
    end(b);
}

static void a_reader_costs_its_position(void **state)
{
    (void) state;
    assert_true(sizeof(struct sub) <= 512);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_is_not_wanted_is_passed_and_not_given),
        T(an_exit_that_is_not_wanted_ends_the_stream_of_its_system),
        T(last_is_the_newest_events),
        T(last_counts_what_matches),
        T(a_search_backwards_takes_many_turns),
        T(since_is_the_oldest_event_of_that_time_or_later),
        T(without_follow_it_ends_after_what_was_durable),
        T(a_gap_at_the_end_is_no_longer_than_what_was_asked),
        T(until_ends_before_the_first_later_event),
        T(until_passes_by_itself),
        T(until_waits_for_what_waits_for_its_commit),
        T(an_idle_readers_position_moves),
        T(a_bookmark_never_overtakes_an_event),
        T(a_bookmark_in_the_midst_is_no_further_than_the_events),
        T(a_bookmark_that_waits_holds_no_event_up),
        T(another_boot_is_told_before_its_first_event),
        T(a_boot_that_cannot_be_told_yet_is_told_later_and_once),
        T(a_log_that_is_lost_is_one_gap_and_a_bookmark),
        T(a_cursor_of_an_unknown_log_is_refused),
        T(a_cursor_of_this_log_goes_on_or_tells_the_gap),
        T(a_snapshot_and_the_events_after_it_are_the_next_snapshot),
        T(a_crowd_of_one_client_starves_nobody),
        T(costly_filters_are_fewer_in_a_turn),
        T(calls_are_answered_while_a_crowd_reads),
        T(a_reader_costs_its_position),
    };

    return cmocka_run_group_tests_name("sub", tests, NULL, NULL);
}
