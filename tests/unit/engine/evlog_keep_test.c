/* evlog_keep_test.c - what is kept: by number, by size, by age; which boot and which time an event
 * is of. */

#include "evlog_place.h"

#include <stdlib.h>

#include "clock.h"

#define S 1000000000ull /* nanoseconds */

static uint64_t now_ns; /* what the log takes for the time */

static uint64_t clock_of_test(void)
{
    return now_ns;
}

static uint64_t append_at(struct evlog *log, uint64_t realtime_ns)
{
    now_ns = realtime_ns;
    return append(log, "a", 1);
}

static void append_sized(struct evlog *log, size_t bytes)
{
    hcs_event event = HCS_EVENT_INIT;
    char *detail = calloc(1, bytes + 1);

    memset(detail, 'x', bytes);
    event.kind = HCS_EVENT_SYSTEM_CREATED;
    event.system.id = "a";
    event.system.incarnation = 1;
    event.detail = detail;
    event.detail_length = bytes;
    assert_int_equal(evlog_append(log, evlog_reserve(bytes), &event), HCS_OK);
    free(detail);
}

/* All that the log says it has can be read, and nothing else. */
static void check_whole(struct evlog *log)
{
    struct seen seen = read_all(log, evlog_first(log) - 1);

    assert_int_equal(seen.n, evlog_last(log) + 1 - evlog_first(log));
    assert_int_equal(seen.n, status_of(log).events);
    if (seen.n > 0) {
        assert_int_equal(seen.first, evlog_first(log));
        assert_int_equal(seen.last, evlog_last(log));
    }
}

static void size_limits_what_is_kept(void **state)
{
    const uint64_t limit = 1024 * 1024;
    struct evlog *log = open_with(*state, (struct evlog_options){ .bytes_max = limit });
    struct stat st;

    for (int i = 0; i < 400; i++) {
        for (int k = 0; k < 20; k++)
            append_sized(log, (size_t) (i * 37 + k * 101) % 3000);
        commit(log);
        assert_true(status_of(log).event_bytes <= limit + limit / 8 + 20 * 4000);
    }
    assert_true(status_of(log).event_bytes > limit / 2);
    assert_true(evlog_first(log) > 1000);
    check_whole(log);
    uint64_t bytes = status_of(log).event_bytes, first = evlog_first(log);
    evlog_close(log);
    assert_int_equal(stat(((struct place *) *state)->path, &st), 0);
    assert_true((uint64_t) st.st_size < 2 * limit);

    log = open_with(*state, (struct evlog_options){ .bytes_max = limit });
    assert_int_equal(status_of(log).event_bytes, bytes); /* counted, not guessed */
    assert_int_equal(evlog_first(log), first);
    check_whole(log);
    evlog_close(log);
}

static void what_was_just_committed_stays_whatever_the_limit(void **state)
{
    struct evlog *log =
        open_with(*state, (struct evlog_options){ .events_max = 1, .bytes_max = 1 });

    for (int i = 0; i < 20; i++) {
        uint64_t before = evlog_last(log);

        for (int k = 0; k < 10; k++)
            append_sized(log, 1000);
        commit(log);
        assert_int_equal(evlog_first(log), before + 1);
        check_whole(log);
    }
    evlog_close(log);
}

static void age_limits_what_is_kept(void **state)
{
    struct evlog_options options = { .age_max_ns = 100 * S, .clock = clock_of_test };
    struct evlog *log = open_with(*state, options);

    for (uint64_t i = 1; i <= 1000; i++)
        append_at(log, 1000 * S + i * S);
    commit(log); /* they came at once: none goes before it could be read */
    assert_int_equal(evlog_first(log), 1);
    check_whole(log);
    evlog_close(log);

    log = open_with(*state, options);
    append_at(log, 2001 * S);
    commit(log);
    assert_int_equal(evlog_first(log), 901); /* of second 1901, 100 seconds old */
    check_whole(log);
    evlog_close(log);
    log = open_with(*state, options);
    append_at(log, 5000 * S);
    commit(log);
    assert_int_equal(evlog_first(log), 1002);
    assert_int_equal(evlog_last(log), 1002);
    check_whole(log);
    evlog_close(log);
}

static void a_lower_limit_is_reached_in_portions(void **state)
{
    struct evlog *log = open_log(*state, 100000);
    uint64_t before = 0;
    int n_commits = 0;

    for (int i = 0; i < 20; i++)
        append_many(log, 1000);
    evlog_close(log);
    log = open_log(*state, 100);
    do {
        before = evlog_first(log);
        append(log, "a", 1);
        commit(log);
        assert_true(evlog_first(log) - before <= 2000); /* no commit does it all */
        n_commits++;
    } while (evlog_first(log) != before);
    assert_true(n_commits > 10);
    assert_true(evlog_last(log) + 1 - evlog_first(log) <= 100 + 100 / 8 + 1);
    check_whole(log);
    evlog_close(log);
}

/* With a loop, idle moments do it, and the file gets smaller. */
static void a_lower_limit_gives_room_back_when_idle(void **state)
{
    struct place *p = *state;
    struct evlog_options options = { .path = p->path, .events_max = 100000, .ended_max = 3 };
    struct evlog *log = open_log(p, 100000);
    sd_event *loop = NULL;
    struct stat before, after;

    for (int i = 0; i < 20; i++)
        append_many(log, 1000);
    evlog_close(log);
    assert_int_equal(stat(p->path, &before), 0);
    options.events_max = 100;
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(evlog_open(loop, &options, &log, NULL), HCS_OK);
    while (sd_event_run(loop, 0) > 0)
        ;
    assert_true(evlog_last(log) + 1 - evlog_first(log) <= 100 + 100 / 8 + 1);
    check_whole(log);
    evlog_close(log);
    sd_event_unref(loop);
    assert_int_equal(stat(p->path, &after), 0);
    assert_true(after.st_size < before.st_size / 2);
}

static void a_log_at_its_limit_does_not_grow(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 5000);
    struct stat before, after;

    for (int i = 0; i < 12; i++)
        append_many(log, 1000);
    evlog_close(log);
    assert_int_equal(stat(p->path, &before), 0);
    log = open_log(p, 5000);
    for (int i = 0; i < 60; i++)
        append_many(log, 1000);
    evlog_close(log);
    assert_int_equal(stat(p->path, &after), 0);
    assert_true(after.st_size <= before.st_size + before.st_size / 8);
}

/* ---- times ---- */

static uint64_t find_time(struct evlog *log, uint64_t realtime_ns)
{
    uint64_t found = 0;

    assert_int_equal(evlog_find_time(log, realtime_ns, &found, NULL), HCS_OK);
    return found;
}

static void a_time_finds_the_oldest_event_since(void **state)
{
    struct evlog *log = open_with(*state, (struct evlog_options){ .clock = clock_of_test });

    assert_int_equal(find_time(log, 1), 1); /* none yet */
    for (uint64_t i = 1; i <= 2000; i++)
        append_at(log, i * 10 * S);
    commit(log);
    assert_int_equal(find_time(log, 0), 1);
    assert_int_equal(find_time(log, 10 * S), 1);
    assert_int_equal(find_time(log, 10 * S + 1), 2);
    for (uint64_t i = 1; i <= 2000; i += 13)
        assert_int_equal(find_time(log, i * 10 * S - 1), i);
    assert_int_equal(find_time(log, 20000 * S), 2000);
    assert_int_equal(find_time(log, 20000 * S + 1), 2001); /* what comes */
    assert_int_equal(find_time(log, UINT64_MAX), 2001);
    evlog_close(log);
}

/* By looking at them all. */
static uint64_t find_slowly(const uint64_t *times, uint64_t first, uint64_t last, uint64_t since)
{
    for (uint64_t i = first; i <= last; i++)
        if (times[i] >= since)
            return i;
    return last + 1;
}

static void a_clock_that_is_set_back_does_not_hide_events(void **state)
{
    static uint64_t times[3001];
    struct evlog *log =
        open_with(*state, (struct evlog_options){ .events_max = 1500, .clock = clock_of_test });
    uint64_t t = 50000 * S;

    srandom(7);
    for (uint64_t i = 1; i <= 3000; i++) {
        t += (uint64_t) random() % 20 * S;
        if (i % 400 == 0)
            t -= 9000 * S; /* and the trimmed part holds later times than what is left */
        times[i] = t;
        assert_int_equal(append_at(log, t), i); /* numbers go on */
        if (i % 50 == 0)
            commit(log);
    }
    assert_true(evlog_first(log) > 1000);
    check_whole(log);
    for (uint64_t since = 30000 * S; since < 90000 * S; since += 97 * S)
        assert_int_equal(find_time(log, since), find_slowly(times, evlog_first(log), 3000, since));
    evlog_close(log);
}

static int monotonic_of(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                        const char *bytes, size_t length)
{
    uint64_t *before = context;
    json_t *json = json_loadb(bytes, length, 0, NULL);
    hcs_event event = HCS_EVENT_INIT;

    (void) incarnation;
    (void) kind;
    assert_int_equal(event_view(json, &event, NULL), HCS_OK);
    assert_true(event.monotonic_ns >= *before);
    assert_int_equal(event.realtime_ns, sequence == 1 ? 2000 * S : 1000 * S);
    *before = event.monotonic_ns;
    json_decref(json);
    return 1;
}

static void realtime_is_what_the_clock_says_and_monotonic_goes_on(void **state)
{
    struct evlog *log = open_with(*state, (struct evlog_options){ .clock = clock_of_test });
    uint64_t before = clock_monotonic_ns();

    append_at(log, 2000 * S);
    append_at(log, 1000 * S);
    commit(log);
    assert_int_equal(evlog_read(log, 0, monotonic_of, &before, NULL), HCS_OK);
    assert_true(before <= clock_monotonic_ns());
    evlog_close(log);
}

/* ---- boots ---- */

#define BOOT_A "0000000000000000000000000000000a"
#define BOOT_B "0000000000000000000000000000000b"

static void each_event_is_of_a_boot(void **state)
{
    struct evlog *log = open_with(*state, (struct evlog_options){ .boot_id = BOOT_A });
    char id[40];

    snprintf(id, sizeof id, "%s", evlog_id(log));
    append_many(log, 10);
    evlog_close(log);
    log = open_with(*state, (struct evlog_options){ .boot_id = BOOT_A });
    append_many(log, 10);
    evlog_close(log);
    log = open_with(*state, (struct evlog_options){ .boot_id = "unused" });
    evlog_close(log); /* a boot without events leaves no trace */

    log = open_with(*state, (struct evlog_options){ .boot_id = BOOT_B });
    assert_string_equal(evlog_id(log), id);
    assert_string_equal(evlog_boot_at(log, 1), BOOT_A);
    assert_string_equal(evlog_boot_at(log, 20), BOOT_A);
    assert_string_equal(evlog_boot_at(log, 21), BOOT_B); /* the next */
    append_many(log, 10);
    evlog_close(log);
    log = open_with(*state, (struct evlog_options){ .boot_id = BOOT_A }); /* as good as another */
    append_many(log, 1);
    assert_string_equal(evlog_boot_at(log, 20), BOOT_A);
    assert_string_equal(evlog_boot_at(log, 21), BOOT_B);
    assert_string_equal(evlog_boot_at(log, 30), BOOT_B);
    assert_string_equal(evlog_boot_at(log, 31), BOOT_A);
    evlog_close(log);
}

static void boots_go_with_their_events(void **state)
{
    struct evlog *log = open_with(*state, (struct evlog_options){ .boot_id = BOOT_A });

    append_many(log, 100);
    evlog_close(log);
    log = open_with(*state, (struct evlog_options){ .events_max = 50, .boot_id = BOOT_B });
    append_many(log, 1);
    assert_int_equal(evlog_first(log), 52);
    assert_string_equal(evlog_boot_at(log, 52), BOOT_A);
    for (int i = 0; i < 200; i++)
        append_many(log, 1);
    assert_string_equal(evlog_boot_at(log, 52), "");
    assert_string_equal(evlog_boot_at(log, evlog_first(log)), BOOT_B);
    evlog_close(log);
}

static void the_boot_is_that_of_this_machine(void **state)
{
    struct evlog *log = open_log(*state, 1000);
    char text[64] = "", id[64] = "";
    size_t n = 0;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    for (const char *at = text; *at && *at != '\n'; at++)
        if (*at != '-')
            id[n++] = *at;
    append_many(log, 1);
    assert_string_equal(evlog_boot_at(log, 1), id);
    evlog_close(log);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(size_limits_what_is_kept),
        T(what_was_just_committed_stays_whatever_the_limit),
        T(age_limits_what_is_kept),
        T(a_lower_limit_is_reached_in_portions),
        T(a_lower_limit_gives_room_back_when_idle),
        T(a_log_at_its_limit_does_not_grow),
        T(a_time_finds_the_oldest_event_since),
        T(a_clock_that_is_set_back_does_not_hide_events),
        T(realtime_is_what_the_clock_says_and_monotonic_goes_on),
        T(each_event_is_of_a_boot),
        T(boots_go_with_their_events),
        T(the_boot_is_that_of_this_machine),
    };

    return cmocka_run_group_tests_name("evlog_keep", tests, NULL, NULL);
}
