/* streams_test.c - event streams over the flat API: of a handle, of a system, of a host. */
#include "over.h"

#ifndef _WIN32
#include <poll.h>
#endif

#include "thread.h"

static hcs_event next(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;

    OK(hcs_stream_next(stream, DEADLINE_MS, &event, &err));
    return event;
}

static hcs_event expect(hcs_stream *stream, hcs_event_kind kind, const char *id)
{
    hcs_event event = next(stream);

    if (event.kind != kind)
        fail_msg("0x%x (%s) instead of 0x%x", event.kind, event.detail, kind);
    assert_string_equal(event.system.id, id);
    return event;
}

static int is_readable(hcs_stream *stream)
{
#ifdef _WIN32
    return WaitForSingleObject(hcs_stream_pollable(stream), 0) == WAIT_OBJECT_0;
#else
    struct pollfd p = { .fd = hcs_stream_pollable(stream), .events = POLLIN };

    return poll(&p, 1, 0) > 0;
#endif
}

static void expect_end(hcs_stream *stream, const char *reason)
{
    hcs_event event = next(stream);

    assert_int_equal(event.kind, HCS_EVENT_END);
    assert_int_equal(event.sequence, 0);
    if (!strstr(event.detail, reason))
        fail_msg("END says %s and not '%s'", event.detail, reason);
    FAILS(hcs_stream_next(stream, -1, &event, &err), HCS_E_WIN32_NO_MORE_ITEMS);
}

static hcs_system *open_there(const char *id)
{
    hcs_system *system = NULL;

    provider_add_system(id, "me", "Running");
    OK(hcs_system_open(host, id, &system, &err));
    return system;
}

/* ---- of a handle ---- */

static void a_handles_events_arrive_with_their_numbers(void **state)
{
    hcs_system *system = open_there("one");
    hcs_stream *stream = NULL;
    hcs_event event;

    (void) state;
    OK(hcs_stream_open_system(system, NULL, &stream, &err));
    assert_int_equal(provider_send("one", 3, provider_wide("{\"a\":1}")), 1);
    provider_send("one", 0x80000003, NULL);
    event = expect(stream, 3, "one");
    assert_int_equal(event.sequence, 1);
    assert_string_equal(event.detail, "{\"a\":1}");
    assert_int_equal(event.detail_length, 7);
    assert_int_equal(event.detail_flags, 0);
    assert_string_equal(event.system.owner, "me");
    assert_string_equal(event.system.type, "Container");
    assert_true(event.realtime_ns > 0 && event.monotonic_ns > 0);
    event = expect(stream, 0x80000003, "one");
    assert_int_equal(event.sequence, 2);
    assert_int_equal(event.detail_flags, HCS_DETAIL_ABSENT);
    FAILS(hcs_stream_next(stream, 0, &event, &err), HCS_E_OPERATION_TIMEOUT);
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void hcs_cannot_speak_for_the_stream(void **state)
{
    hcs_system *system = open_there("one");
    hcs_stream *stream = NULL;

    (void) state;
    OK(hcs_stream_open_system(system, NULL, &stream, &err));
    provider_send("one", HCS_EVENT_END, NULL);
    provider_send("one", HCS_EVENT_GAP, NULL);
    provider_send("one", 3, NULL);
    expect(stream, HCS_EVENT_INVALID, "one");
    expect(stream, HCS_EVENT_INVALID, "one");
    expect(stream, 3, "one");
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void the_three_ends_are_told_apart(void **state)
{
    hcs_system *a = open_there("a"), *b = open_there("b"), *c = open_there("c");
    hcs_stream *exits = NULL, *disconnects = NULL, *handle = NULL, *closed = NULL;
    hcs_event event;

    (void) state;
    OK(hcs_stream_open_system(a, NULL, &exits, &err));
    OK(hcs_stream_open_system(b, NULL, &disconnects, &err));
    OK(hcs_stream_open_system(c, NULL, &handle, &err));
    OK(hcs_stream_open_system(c, NULL, &closed, &err));
    provider_stop_system("a", NULL, 1);
    event = expect(exits, HCS_EVENT_SYSTEM_EXITED, "a");
    assert_int_equal(event.has_exit, 1);
    assert_int_equal(event.exit.type, HCS_EXIT_TYPE_GRACEFUL);
    assert_int_equal(event.exit.initiator, HCS_INITIATOR_GUEST_OS);
    expect_end(exits, "the system has exited");
    provider_send("b", 0x02000000, NULL);
    expect(disconnects, HCS_EVENT_SERVICE_DISCONNECT, "b");
    expect_end(disconnects, "the service was disconnected");
    hcs_stream_end(closed);
    expect_end(closed, "\"closed\"");
    provider_send("c", 3, NULL);
    hcs_system_close(c);
    expect(handle, 3, "c"); /* what came before is not lost */
    expect_end(handle, "the system's handle was closed");
    hcs_stream_close(exits);
    hcs_stream_close(disconnects);
    hcs_stream_close(handle);
    hcs_stream_close(closed);
    hcs_system_close(a);
    hcs_system_close(b);
}

static void a_filter_leaves_out_what_does_not_match_but_no_end(void **state)
{
    static const hcs_event_kind three[] = { 3 };
    static const char *const owners[] = { "m?" }, *const others[] = { "you" };
    hcs_system *system = open_there("one");
    hcs_event_filter filter = HCS_EVENT_FILTER_INIT;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *mine = NULL, *none = NULL;
    hcs_event event = HCS_EVENT_INIT;

    (void) state;
    options.filter = &filter;
    filter.kinds = three;
    filter.n_kinds = 1;
    filter.owners = owners;
    filter.n_owners = 1;
    OK(hcs_stream_open_system(system, &options, &mine, &err));
    filter.owners = others;
    OK(hcs_stream_open_system(system, &options, &none, &err));
    for (uint32_t kind = 2; kind < 5; kind++)
        provider_send("one", kind, NULL);
    assert_int_equal(expect(mine, 3, "one").sequence, 2);
    FAILS(hcs_stream_next(mine, 0, &event, &err), HCS_E_OPERATION_TIMEOUT);
    FAILS(hcs_stream_next(none, 0, &event, &err), HCS_E_OPERATION_TIMEOUT);
    assert_false(is_readable(mine) || is_readable(none));
    provider_send("one", 0x02000000, NULL);
    expect(mine, HCS_EVENT_SERVICE_DISCONNECT, "one");
    expect_end(mine, "the service was disconnected");
    expect(none, HCS_EVENT_SERVICE_DISCONNECT, "one");
    expect_end(none, "the service was disconnected");
    hcs_stream_close(mine);
    hcs_stream_close(none);
    hcs_system_close(system);
}

static void a_stream_that_does_not_follow_ends_with_what_was_told(void **state)
{
    hcs_system *system = open_there("one");
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = NULL;

    (void) state;
    options.from = HCS_FROM_BEGINNING;
    options.flags = HCS_STREAM_NO_FOLLOW;
    provider_send("one", 3, NULL);
    OK(hcs_stream_open_system(system, &options, &stream, &err));
    expect(stream, 3, "one");
    assert_true(is_readable(stream));
    expect_end(stream, "no more events");
    assert_false(is_readable(stream));
    hcs_stream_close(stream);
    OK(hcs_stream_open(host, &options, &stream, &err)); /* it has told nothing yet */
    assert_true(is_readable(stream));
    expect_end(stream, "no more events");
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void many_streams_of_a_handle_are_one_registration(void **state)
{
    hcs_system *system = open_there("many");
    hcs_stream *streams[64];

    (void) state;
    for (size_t i = 0; i < 64; i++)
        OK(hcs_stream_open_system(system, NULL, &streams[i], &err));
    assert_int_equal(provider_send("many", 4, provider_wide("{}")), 1);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(expect(streams[i], 4, "many").sequence, 1);
    for (size_t i = 0; i < 64; i++)
        hcs_stream_close(streams[i]);
    hcs_system_close(system);
}

static void a_stream_begins_where_it_was_asked_to(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_system *system = open_there("where");
    hcs_stream *now = NULL, *beginning = NULL, *after = NULL;
    hcs_event event = HCS_EVENT_INIT;

    (void) state;
    for (int i = 0; i < 3; i++)
        provider_send("where", 3, NULL);
    OK(hcs_stream_open_system(system, &options, &now, &err));
    options.from = HCS_FROM_BEGINNING;
    OK(hcs_stream_open_system(system, &options, &beginning, &err));
    options.from = HCS_FROM_AFTER;
    options.after = 2;
    OK(hcs_stream_open_system(system, &options, &after, &err));
    FAILS(hcs_stream_next(now, 0, &event, &err), HCS_E_OPERATION_TIMEOUT);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(is_readable(beginning));
        assert_int_equal(next(beginning).sequence, i);
    }
    assert_false(is_readable(beginning));
    assert_true(is_readable(after));
    assert_int_equal(next(after).sequence, 3);
    assert_false(is_readable(after) || is_readable(now));
    hcs_stream_close(now);
    hcs_stream_close(beginning);
    hcs_stream_close(after);
    hcs_system_close(system);
}

static void an_exit_is_delivered_to_who_comes_late_and_once(void **state)
{
    hcs_system *system = open_there("late");
    hcs_stream *stream = NULL;

    (void) state;
    provider_stop_system("late", NULL, 1);
    provider_wait_idle();
    for (int i = 0; i < 3; i++) {
        OK(hcs_stream_open_system(system, NULL, &stream, &err));
        expect(stream, HCS_EVENT_SYSTEM_EXITED, "late");
        expect_end(stream, "the system has exited");
        hcs_stream_close(stream);
    }
    hcs_system_close(system);
}

static void a_reader_that_falls_behind_gets_one_gap_with_exact_numbers(void **state)
{
    hcs_system *system;
    hcs_stream *stream = NULL;
    uint64_t expected = 1, gaps = 0, n = 0;
    hcs_event event;
    char text[1000];

    (void) state;
    OK(hcs_host_set_log_bytes(host, 64 << 10, &err));
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    system = open_there("busy");
    OK(hcs_stream_open_system(system, NULL, &stream, &err));
    for (int i = 0; i < 500; i++)
        provider_send("busy", 3, provider_wide(text));
    provider_stop_system("busy", NULL, 1);
    do {
        event = next(stream);
        if (event.kind == HCS_EVENT_GAP) {
            gaps++;
            assert_int_equal(event.gap_first, expected);
            assert_true(event.gap_last >= event.gap_first);
            expected = event.gap_last + 1;
        } else {
            assert_int_equal(event.sequence, expected++);
        }
        n++;
    } while (event.kind != HCS_EVENT_SYSTEM_EXITED);
    assert_true(gaps >= 1 && n < 500);
    assert_int_equal(expected, 502);
    expect_end(stream, "the system has exited");
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void a_stream_of_a_system_that_is_not_created_after_all_ends(void **state)
{
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;
    hcs_op *op = NULL;

    (void) state;
    provider_set_manner(PROVIDER_HELD);
    provider_fail_next("HcsCreateComputeSystem", 0, HCS_E_HYPERV_NOT_INSTALLED, NULL);
    OK(hcs_system_create(host, "no", "{}", &system, &op, &err));
    OK(hcs_stream_open_system(system, NULL, &stream, &err));
    provider_complete_all();
    expect_end(stream, "the system was not created");
    provider_set_manner(PROVIDER_LATER);
    hcs_stream_close(stream);
    FAILS(hcs_stream_open_system(system, NULL, &stream, &err), HCS_E_HYPERV_NOT_INSTALLED);
    hcs_op_close(op);
    hcs_system_close(system);
}

static void nothing_of_a_life_is_missed_when_the_stream_is_older_than_the_system(void **state)
{
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;
    hcs_op *op = NULL;

    (void) state;
    provider_set_manner(PROVIDER_HELD);
    OK(hcs_system_create(host, "young", "{}", &system, &op, &err));
    OK(hcs_stream_open_system(system, NULL, &stream, &err));
    provider_complete_all();
    provider_set_manner(PROVIDER_LATER);
    OK(hcs_op_wait(op, DEADLINE_MS, &err));
    OK(hcs_system_terminate(system, NULL, &err));
    expect(stream, HCS_EVENT_SYSTEM_EXITED, "young");
    hcs_stream_close(stream);
    hcs_op_close(op);
    hcs_system_close(system);
}

/* ---- waiting ---- */

static void the_pollable_says_whether_there_is_an_event(void **state)
{
    hcs_system *system = open_there("poll");
    hcs_stream *stream = NULL;

    (void) state;
    OK(hcs_stream_open_system(system, NULL, &stream, &err));
    for (int i = 0; i < 100; i++) {
        assert_false(is_readable(stream));
        provider_send("poll", 3, NULL);
        provider_send("poll", 4, NULL);
        assert_true(is_readable(stream));
        expect(stream, 3, "poll");
        assert_true(is_readable(stream));
        expect(stream, 4, "poll");
        assert_false(is_readable(stream));
    }
    hcs_system_close(system);
    assert_true(is_readable(stream));
    expect_end(stream, "handle was closed");
    assert_false(is_readable(stream));
    hcs_stream_close(stream);
}

THREAD_FUNCTION(end_it, parameter)
{
    hcs_stream_end(parameter);
    THREAD_RETURN;
}

THREAD_FUNCTION(close_it, parameter)
{
    hcs_system_close(parameter);
    THREAD_RETURN;
}

static void another_thread_wakes_a_waiting_reader(void **state)
{
    (void) state;
    for (int i = 0; i < 200; i++) {
        char id[16];
        hcs_stream *ended = NULL, *closed = NULL;
        hcs_system *system;
        thread a, b;

        snprintf(id, sizeof id, "wake-%d", i);
        system = open_there(id);
        OK(hcs_stream_open_system(system, NULL, &ended, &err));
        OK(hcs_stream_open_system(system, NULL, &closed, &err));
        thread_start(&a, end_it, ended);
        expect_end(ended, "\"closed\"");
        thread_start(&b, close_it, system);
        expect_end(closed, "handle was closed");
        thread_join(a);
        thread_join(b);
        hcs_stream_close(ended);
        hcs_stream_close(closed);
        provider_forget_system(id);
    }
}

/* ---- of one system by its id ---- */

static void a_stream_by_id_has_a_handle_of_its_own(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_system *system = open_there("id");
    hcs_stream *stream = NULL;

    (void) state;
    options.system_id = "id";
    OK(hcs_stream_open(host, &options, &stream, &err));
    hcs_system_close(system);
    assert_int_equal(provider_send("id", 3, NULL), 1);
    expect(stream, 3, "id");
    provider_stop_system("id", NULL, 1);
    expect(stream, HCS_EVENT_SYSTEM_EXITED, "id");
    expect_end(stream, "the system has exited");
    hcs_stream_close(stream);
    options.system_id = "nobody";
    FAILS(hcs_stream_open(host, &options, &stream, &err), HCS_E_SYSTEM_NOT_FOUND);
    options.system_id = "id";
    options.from = HCS_FROM_AFTER;
    FAILS(hcs_stream_open(host, &options, &stream, &err), HCS_E_WIN32_NOT_SUPPORTED);
}

static void an_exit_told_by_both_asking_and_event_comes_once(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = NULL;

    (void) state;
    provider_add_system("twice", "me", "Running");
    provider_stop_system("twice", NULL, 0);
    provider_set_sticky(1);
    options.system_id = "twice";
    for (int i = 0; i < 50; i++) {
        OK(hcs_stream_open(host, &options, &stream, &err));
        expect(stream, HCS_EVENT_SYSTEM_EXITED, "twice");
        expect_end(stream, "the system has exited");
        hcs_stream_close(stream);
    }
}

/* ---- of the whole host ---- */

static void a_hosts_stream_sees_all_systems_newcomers_and_the_gone(void **state)
{
    hcs_stream *stream = NULL;

    (void) state;
    provider_add_system("first", "me", "Running");
    provider_add_system("stopped", "me", "Running");
    provider_stop_system("stopped", NULL, 0);
    OK(hcs_stream_open(host, NULL, &stream, &err));
    assert_int_equal(provider_counts().systems, 1);
    provider_send("first", 3, NULL);
    provider_send("first", 5, NULL);
    assert_true(is_readable(stream));
    expect(stream, 3, "first");
    assert_true(is_readable(stream));
    expect(stream, 5, "first");
    provider_add_system("second", "you", "Running");
    /* until it has been found: the stream looks when it is read */
    while (provider_send("second", 4, NULL) == 0) {
        hcs_event event = HCS_EVENT_INIT;

        FAILS(hcs_stream_next(stream, 1, &event, &err), HCS_E_OPERATION_TIMEOUT);
    }
    assert_string_equal(expect(stream, 4, "second").system.owner, "you");
    provider_stop_system("first", NULL, 1); /* with a word */
    expect(stream, HCS_EVENT_SYSTEM_EXITED, "first");
    provider_forget_system("second"); /* without */
    expect(stream, HCS_EVENT_SYSTEM_EXITED, "second");
    for (int i = 0; i < 20; i++) {
        hcs_event event = HCS_EVENT_INIT;

        FAILS(hcs_stream_next(stream, 1, &event, &err), HCS_E_OPERATION_TIMEOUT);
    }
    assert_int_equal(provider_counts().systems, 0);
    hcs_stream_close(stream);
}

static void a_system_that_hcs_lists_on_after_its_exit_is_not_told_twice(void **state)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream *stream = NULL;
    struct provider_registration r;

    (void) state;
    provider_set_sticky(1);
    provider_add_system("slow", "me", "Running");
    OK(hcs_stream_open(host, NULL, &stream, &err));
    assert_true(provider_registration("slow", 0, &r));
    provider_call(&r, 1, provider_wide("{\"Status\":0,\"ExitType\":\"GracefulExit\"}"));
    expect(stream, HCS_EVENT_SYSTEM_EXITED, "slow"); /* and it is listed as running still */
    /* for one look or two */
    FAILS(hcs_stream_next(stream, 7, &event, &err), HCS_E_OPERATION_TIMEOUT);
    provider_stop_system("slow", NULL, 0);
    for (int i = 0; i < 20; i++)
        FAILS(hcs_stream_next(stream, 1, &event, &err), HCS_E_OPERATION_TIMEOUT);
    hcs_stream_close(stream);
}

static void a_new_system_of_an_old_id_is_a_newcomer(void **state)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream *stream = NULL;

    (void) state;
    provider_add_system("again", "me", "Running");
    OK(hcs_stream_open(host, NULL, &stream, &err));
    provider_stop_system("again", NULL, 1);
    expect(stream, HCS_EVENT_SYSTEM_EXITED, "again");
    provider_forget_system("again");
    provider_add_system("again", "me", "Running");
    while (provider_send("again", 4, NULL) == 0)
        FAILS(hcs_stream_next(stream, 1, &event, &err), HCS_E_OPERATION_TIMEOUT);
    expect(stream, 4, "again");
    hcs_stream_close(stream);
}

static void a_hosts_stream_ends_once_when_the_service_goes(void **state)
{
    hcs_stream *stream = NULL;

    (void) state;
    provider_add_system("a", "me", "Running");
    provider_add_system("b", "me", "Running");
    OK(hcs_stream_open(host, NULL, &stream, &err));
    provider_send("a", 0x02000000, NULL);
    provider_send("b", 0x02000000, NULL);
    assert_int_equal(next(stream).kind, HCS_EVENT_SERVICE_DISCONNECT);
    expect_end(stream, "the service was disconnected");
    hcs_stream_close(stream);
    /* and when there was no system to hear it from */
    provider_forget_system("a");
    provider_forget_system("b");
    OK(hcs_stream_open(host, NULL, &stream, &err));
    provider_fail_next("HcsEnumerateComputeSystems", HCS_E_WIN32_RPC_SERVER_UNAVAILABLE, 0, NULL);
    assert_int_equal(next(stream).kind, HCS_EVENT_SERVICE_DISCONNECT);
    expect_end(stream, "the service was disconnected");
    hcs_stream_close(stream);
}

static void a_hosts_stream_survives_what_goes_wrong_for_a_moment(void **state)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream *stream = NULL;

    (void) state;
    OK(hcs_stream_open(host, NULL, &stream, &err));
    provider_fail_next("HcsEnumerateComputeSystems", 0, HCS_E_OUTOFMEMORY, NULL);
    for (int i = 0; i < 10; i++)
        FAILS(hcs_stream_next(stream, 2, &event, &err), HCS_E_OPERATION_TIMEOUT);
    provider_fail_next("HcsOpenComputeSystem", HCS_E_ACCESS_DENIED, 0, NULL);
    provider_add_system("later", "me", "Running");
    while (provider_send("later", 4, NULL) == 0)
        FAILS(hcs_stream_next(stream, 1, &event, &err), HCS_E_OPERATION_TIMEOUT);
    expect(stream, 4, "later");
    hcs_stream_end(stream);
    expect_end(stream, "\"closed\"");
    hcs_stream_close(stream);
    provider_fail_next("HcsEnumerateComputeSystems", 0, HCS_E_ACCESS_DENIED, NULL);
    FAILS(hcs_stream_open(host, NULL, &stream, &err), HCS_E_ACCESS_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER(a_handles_events_arrive_with_their_numbers),
        OVER(hcs_cannot_speak_for_the_stream),
        OVER(the_three_ends_are_told_apart),
        OVER(a_filter_leaves_out_what_does_not_match_but_no_end),
        OVER(a_stream_that_does_not_follow_ends_with_what_was_told),
        OVER(many_streams_of_a_handle_are_one_registration),
        OVER(a_stream_begins_where_it_was_asked_to),
        OVER(an_exit_is_delivered_to_who_comes_late_and_once),
        OVER(a_reader_that_falls_behind_gets_one_gap_with_exact_numbers),
        OVER(a_stream_of_a_system_that_is_not_created_after_all_ends),
        OVER(nothing_of_a_life_is_missed_when_the_stream_is_older_than_the_system),
        OVER(the_pollable_says_whether_there_is_an_event),
        OVER(another_thread_wakes_a_waiting_reader),
        OVER(a_stream_by_id_has_a_handle_of_its_own),
        OVER(an_exit_told_by_both_asking_and_event_comes_once),
        OVER(a_hosts_stream_sees_all_systems_newcomers_and_the_gone),
        OVER(a_system_that_hcs_lists_on_after_its_exit_is_not_told_twice),
        OVER(a_new_system_of_an_old_id_is_a_newcomer),
        OVER(a_hosts_stream_ends_once_when_the_service_goes),
        OVER(a_hosts_stream_survives_what_goes_wrong_for_a_moment),
    };

    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
