/* evlog_test.c - numbers are dense and durable, what is trimmed is known, damage is set aside. */

#include "evlog_place.h"

static void event_cannot_be_read_before_it_is_committed(void **state)
{
    struct evlog *log = open_log(*state, 1000);

    assert_int_equal(append(log, "a", 1), 1);
    assert_int_equal(evlog_last(log), 0);
    assert_int_equal(read_all(log, 0).n, 0);
    commit(log);
    assert_int_equal(evlog_last(log), 1);
    assert_int_equal(read_all(log, 0).n, 1);
    evlog_close(log);
}

static void numbers_are_dense_and_go_on_after_a_restart(void **state)
{
    struct evlog *log = open_log(*state, 1000);
    char id[64];

    for (int i = 0; i < 10; i++)
        append(log, "a", 1);
    commit(log);
    append(log, "lost", 2); /* never committed: its number is given again */
    snprintf(id, sizeof id, "%s", evlog_id(log));
    evlog_close(log);

    log = open_log(*state, 1000);
    assert_string_equal(evlog_id(log), id);
    assert_int_equal(evlog_last(log), 10);
    assert_int_equal(append(log, "b", 3), 11);
    commit(log);
    assert_int_equal(read_all(log, 0).n, 11);
    evlog_close(log);
}

static void readers_anywhere_see_the_same_events(void **state)
{
    struct evlog *log = open_log(*state, 10000);

    for (int i = 0; i < 2000; i++) {
        append(log, "a", 1);
        if (i % 7 == 0)
            commit(log);
    }
    commit(log);
    for (uint64_t after = 0; after < 2000; after += 37) {
        struct seen seen = read_all(log, after);

        assert_int_equal(seen.first, after + 1);
        assert_int_equal(seen.last, 2000);
    }
    evlog_close(log);
}

static void trimming_keeps_the_newest_and_says_where_they_begin(void **state)
{
    struct evlog *log = open_log(*state, 100);

    for (int i = 0; i < 1000; i++) {
        append(log, "a", 1);
        commit(log);
        assert_true(evlog_last(log) - evlog_first(log) + 1 <= 100 + 100 / 8 + 1);
    }
    assert_true(evlog_last(log) - evlog_first(log) + 1 >= 100);
    assert_int_equal(read_all(log, evlog_first(log) - 1).first, evlog_first(log));
    uint64_t first = evlog_first(log);
    evlog_close(log);

    log = open_log(*state, 100);
    assert_int_equal(evlog_first(log), first);
    assert_int_equal(evlog_last(log), 1000);
    evlog_close(log);
}

static void incarnations_are_never_given_twice(void **state)
{
    struct evlog *log = open_log(*state, 1000);
    uint64_t a = evlog_next_incarnation(log), b = evlog_next_incarnation(log);

    assert_true(b > a && a > 0);
    append(log, "b", b);
    commit(log);
    evlog_close(log);
    log = open_log(*state, 1000);
    assert_true(evlog_next_incarnation(log) > b);
    evlog_close(log);
}

static void a_damaged_file_is_set_aside_and_a_new_log_begins(void **state)
{
    const struct place *p = *state;
    struct evlog *log = open_log(p, 1000);
    char id[64];
    int fd;

    append(log, "a", 1);
    commit(log);
    snprintf(id, sizeof id, "%s", evlog_id(log));
    evlog_close(log);
    fd = open(p->path, O_WRONLY);
    assert_int_equal(pwrite(fd, "this is not a database, it was one", 34, 0), 34);
    close(fd);

    log = open_log(p, 1000);
    assert_string_not_equal(evlog_id(log), id);
    assert_int_equal(evlog_last(log), 0);
    assert_int_equal(append(log, "b", 1), 1);
    commit(log);
    evlog_close(log);
    assert_int_equal(count_files(p, "events.db.damaged-"), 1);
}

static void a_second_daemon_is_refused(void **state)
{
    struct evlog_options options = { .path = ((struct place *) *state)->path,
                                     .events_max = 10,
                                     .ended_max = 10 };
    struct evlog *log = open_log(*state, 1000), *second = NULL;
    hcs_error err = HCS_ERROR_INIT;

    append(log, "a", 1);
    commit(log);
    assert_true(evlog_open(NULL, &options, &second, &err) < 0);
    assert_non_null(strstr(err.text, "another hcsd"));
    evlog_close(log);
}

static void check_ended(void *context, const struct evlog_ended *ended)
{
    struct seen *seen = context;

    assert_int_equal(ended->exit.how, HCS_EXIT_STATUS);
    assert_int_equal(ended->exit.type, HCS_EXIT_TYPE_FORCED);
    assert_string_equal(ended->detail, "{}");
    assert_string_equal(ended->system.owner, "me");
    seen->last = ended->system.incarnation;
    seen->n++;
}

static void ended_systems_are_remembered_newest_first_and_bounded(void **state)
{
    struct evlog *log = open_log(*state, 1000);
    struct seen seen = { 0 };

    for (uint64_t i = 1; i <= 5; i++) {
        struct evlog_ended ended = {
            .system = { "x", i, "me", "Container", "namespaces" },
            .first_sequence = i,
            .exit_sequence = i,
            .exit = exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT),
            .detail = "{}",
        };

        append(log, "x", i);
        assert_int_equal(evlog_remember(log, &ended), HCS_OK);
        assert_int_equal(evlog_find_ended(log, "x", i, check_ended, &seen, NULL), 0);
        commit(log);
        assert_int_equal(evlog_find_ended(log, "x", 0, check_ended, &seen, NULL), 1);
        assert_int_equal(seen.last, i);
    }
    seen.n = 0;
    assert_int_equal(evlog_list_ended(log, check_ended, &seen, NULL), HCS_OK);
    assert_int_equal(seen.n, 3);
    assert_int_equal(evlog_find_ended(log, "x", 2, check_ended, &seen, NULL), 0);
    assert_int_equal(evlog_forget_ended(log, 5, NULL), HCS_OK);
    assert_int_equal(evlog_find_ended(log, "x", 0, check_ended, &seen, NULL), 1);
    assert_int_equal(seen.last, 4);
    evlog_close(log);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(event_cannot_be_read_before_it_is_committed),
        T(numbers_are_dense_and_go_on_after_a_restart),
        T(readers_anywhere_see_the_same_events),
        T(trimming_keeps_the_newest_and_says_where_they_begin),
        T(incarnations_are_never_given_twice),
        T(a_damaged_file_is_set_aside_and_a_new_log_begins),
        T(a_second_daemon_is_refused),
        T(ended_systems_are_remembered_newest_first_and_bounded),
    };

    return cmocka_run_group_tests_name("evlog", tests, NULL, NULL);
}
