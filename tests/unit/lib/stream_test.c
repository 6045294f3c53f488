/* stream_test.c - promises of stream.h, with a service that says what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcs/hcs.h"
#include "pollable.h"
#include "process.h"
#include "service.h"
#include "thread.h"

static struct service service;
static hcs_host *host;
static struct client *reader;    /* the client with the stream */
static char asked[300];          /* parameters of the last Subscribe */
static const char *first_answer; /* instead of `ready` */

static void handle(struct service *s, struct client *c, const char *method,
                   const json_t *parameters, struct varlink_message *message)
{
    (void) s;
    (void) message;
    if (strcmp(method, "org.libhcs.ComputeService.Subscribe") == 0) {
        char *text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);

        snprintf(asked, sizeof(asked), "%s", text);
        free(text);
        reader = c;
        client_continue(c, first_answer ? first_answer : "{\"ready\":{\"log\":\"l\",\"after\":3}}");
    } else {
        client_reply(c, "{\"info\":{}}");
    }
}

static int setup(void **state)
{
    char address[120];

    (void) state;
    first_answer = NULL;
    service_start_here(&service, handle, address, sizeof address);
    return hcs_host_open(address, &host, NULL) == HCS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void) state;
    hcs_host_close(host);
    service_stop(&service);
    return 0;
}

static hcs_stream *stream_opened(void)
{
    hcs_stream *stream = NULL;

    assert_int_equal(hcs_stream_open(host, NULL, &stream, NULL), HCS_OK);
    return stream;
}

/* ---- what the service says ---- */

static void work_continue(struct service *s, void *context)
{
    (void) s;
    client_continue(reader, context);
}

static void say(const char *parameters)
{
    service_do(&service, work_continue, (void *) (uintptr_t) parameters);
}

static void work_reply(struct service *s, void *context)
{
    (void) s;
    client_reply(reader, context);
}

static void event_text(char *text, size_t size, unsigned sequence, unsigned kind)
{
    snprintf(
        text, size,
        "{\"event\":{\"sequence\":%u,\"kind\":%u,\"name\":\"X\",\"realtimeNs\":5,\"monotonicNs\":6,"
        "\"system\":{\"id\":\"s%u\",\"incarnation\":9,\"owner\":\"\",\"type\":\"Container\","
        "\"isolation\":\"\"},"
        "\"detail\":\"{\\\"n\\\":%u}\",\"brandNew\":[1]},\"alsoNew\":{}}",
        sequence, kind, sequence, sequence);
}

static void say_event(unsigned sequence, unsigned kind)
{
    char text[400];

    event_text(text, sizeof(text), sequence, kind);
    say(text);
}

struct burst {
    unsigned first;
    unsigned n;
};

static void work_burst(struct service *s, void *context)
{
    struct burst *b = context;
    char text[400];

    (void) s;
    for (unsigned i = 0; i < b->n; i++) {
        event_text(text, sizeof(text), b->first + i, HCS_EVENT_SYSTEM_CREATED);
        client_continue(reader, text);
    }
}

static hcs_event next(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;

    assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_OK);
    return event;
}

static bool readable(const hcs_stream *stream)
{
    return pollable_is_ready(hcs_stream_pollable(stream), 0);
}

static void expect_finished(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_E_WIN32_NO_MORE_ITEMS);
        assert_false(readable(stream));
        /* Too late to end it: it stays quiet. */
        hcs_stream_end(stream);
    }
}

/* ---- opening ---- */

static void options_reach_the_service(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = stream_opened();
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_string_equal(asked, "{\"from\":\"now\"}");
    hcs_stream_close(stream);
    options.from = HCS_FROM_BEGINNING;
    options.system_id = "abc";
    assert_int_equal(hcs_stream_open(host, &options, &stream, NULL), HCS_OK);
    assert_string_equal(asked, "{\"from\":\"beginning\",\"systemId\":\"abc\"}");
    hcs_stream_close(stream);
    options.from = HCS_FROM_AFTER;
    options.after = 12345678901;
    options.system_id = NULL;
    assert_int_equal(hcs_stream_open(host, &options, &stream, NULL), HCS_OK);
    assert_string_equal(asked, "{\"after\":12345678901,\"from\":\"after\"}");
    hcs_stream_close(stream);
    stream = NULL;
    options.from = 6;
    assert_int_equal(hcs_stream_open(host, &options, &stream, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "from is 6"));
    options.size = 4;
    assert_int_equal(hcs_stream_open(host, &options, &stream, &err), HCS_E_INVALIDARG);
    assert_null(stream);
}

static void stream_without_ready_is_refused(void **state)
{
    hcs_stream *stream = NULL;

    (void) state;
    first_answer = "{\"event\":null}";
    assert_int_equal(hcs_stream_open(host, NULL, &stream, NULL), HCS_E_PROTOCOL_ERROR);
    assert_null(stream);
}

/* ---- events ---- */

static void events_come_in_order_each_once(void **state)
{
    enum { N = 500 };
    hcs_stream *stream = stream_opened();
    struct burst burst = { .first = 4, .n = N };
    char id[20], detail[20];

    (void) state;
    service_do(&service, work_burst, &burst);
    for (unsigned i = 4; i < 4 + N; i++) {
        hcs_event event = next(stream);

        snprintf(id, sizeof(id), "s%u", i);
        snprintf(detail, sizeof(detail), "{\"n\":%u}", i);
        assert_int_equal(event.sequence, i);
        assert_int_equal(event.kind, HCS_EVENT_SYSTEM_CREATED);
        assert_int_equal(event.realtime_ns, 5);
        assert_int_equal(event.system.incarnation, 9);
        assert_string_equal(event.system.id, id);
        assert_string_equal(event.detail, detail);
        assert_int_equal(event.detail_length, strlen(detail));
    }
    hcs_stream_close(stream);
}

static void unknown_kinds_come_raw(void **state)
{
    hcs_stream *stream = stream_opened();
    hcs_event event;

    (void) state;
    say("{\"somethingElse\":1}");
    say_event(4, 0x12345678);
    event = next(stream);
    assert_int_equal(event.kind, 0x12345678);
    assert_string_equal(event.detail, "{\"n\":4}");
    hcs_stream_close(stream);
}

static void gap_has_exact_numbers(void **state)
{
    hcs_stream *stream = stream_opened();
    hcs_event event;

    (void) state;
    say("{\"gap\":{\"first\":4,\"last\":10}}");
    say_event(11, HCS_EVENT_SYSTEM_STARTED);
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_GAP);
    assert_int_equal(event.gap_first, 4);
    assert_int_equal(event.gap_last, 10);
    /* A stream that begins after it goes on behind the gap. */
    assert_int_equal(event.sequence, 10);
    assert_true(event.realtime_ns > 0);
    assert_int_equal(next(stream).sequence, 11);
    hcs_stream_close(stream);
}

static void end_is_last(void **state)
{
    hcs_stream *stream = stream_opened();
    hcs_event event;

    (void) state;
    say_event(4, HCS_EVENT_SYSTEM_EXITED);
    service_do(&service, work_reply,
               (void *) (uintptr_t) "{\"end\":\"the \\\"system\\\" has exited\"}");
    assert_int_equal(next(stream).kind, HCS_EVENT_SYSTEM_EXITED);
    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_END);
    assert_int_equal(event.sequence, 0);
    assert_string_equal(event.detail, "{\"Reason\":\"the \\\"system\\\" has exited\"}");
    assert_string_equal(event.system.id, "");
    expect_finished(stream);
    hcs_stream_close(stream);
}

static void service_that_goes_away_is_told_before_the_end(void **state)
{
    hcs_stream *stream = stream_opened();
    hcs_event event;

    (void) state;
    say_event(4, HCS_EVENT_SYSTEM_CREATED);
    service_hang_up(&service);
    assert_int_equal(next(stream).sequence, 4);
    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_SERVICE_DISCONNECT);
    assert_int_equal(event.sequence, 0);
    assert_true(event.monotonic_ns > 0);
    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_END);
    assert_string_equal(event.detail, "{\"Reason\":\"the service was disconnected\"}");
    expect_finished(stream);
    hcs_stream_close(stream);
}

static void nonsense_of_the_service_ends_the_stream(void **state)
{
    static const char *const rows[] = { "{\"event\":5}", "{\"event\":{}}",
                                        "{\"gap\":{\"first\":5,\"last\":4}}", "{\"end\":5}", "[]" };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hcs_stream *stream = stream_opened();
        hcs_event event;

        say(rows[i]);
        event = next(stream);
        assert_int_equal(event.kind, HCS_EVENT_SERVICE_DISCONNECT);
        assert_true(event.detail_length > strlen("{\"Reason\":\"\"}"));
        assert_int_equal(next(stream).kind, HCS_EVENT_END);
        expect_finished(stream);
        hcs_stream_close(stream);
    }
}

static void last_answer_without_end_still_ends(void **state)
{
    hcs_stream *stream = stream_opened();
    char text[400];

    (void) state;
    event_text(text, sizeof(text), 4, HCS_EVENT_SYSTEM_CREATED);
    service_do(&service, work_reply, text);
    assert_int_equal(next(stream).sequence, 4);
    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    assert_int_equal(next(stream).kind, HCS_EVENT_END);
    expect_finished(stream);
    hcs_stream_close(stream);
}

static void detail_that_is_absent_is_told_from_an_empty_one(void **state)
{
    hcs_stream *stream = stream_opened();

    (void) state;
    say_event(4, HCS_EVENT_SYSTEM_CREATED);
    say("{\"gap\":{\"first\":5,\"last\":10}}");
    assert_int_equal(next(stream).detail_flags, 0);
    assert_int_equal(next(stream).detail_flags, HCS_DETAIL_ABSENT);
    hcs_stream_end(stream);
    assert_int_equal(next(stream).detail_flags, 0);
    hcs_stream_close(stream);
}

/* ---- callers with another header ---- */

/* What the first header that was published had. */
static void event_of_an_older_header_is_filled_as_far_as_it_goes(void **state)
{
    const uint32_t size = offsetof(hcs_event, detail_flags);
    hcs_stream *stream = stream_opened();
    hcs_event event = HCS_EVENT_INIT;

    (void) state;
    say_event(4, HCS_EVENT_SYSTEM_CREATED);
    say("{\"gap\":{\"first\":5,\"last\":10}}");
    for (int i = 0; i < 2; i++) {
        event.size = size;
        memset((char *) &event + size, 0x5A, sizeof(event) - size);
        assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_OK);
        assert_int_equal(event.size, size);
        for (size_t at = size; at < sizeof(event); at++)
            assert_int_equal(((const char *) &event)[at], 0x5A);
    }
    assert_int_equal(event.gap_last, 10);
    event.size = size - 1;
    assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_E_INVALIDARG);
    hcs_stream_close(stream);
}

static void event_of_a_newer_header_keeps_what_we_do_not_know(void **state)
{
    struct {
        hcs_event event;
        uint64_t brand_new;
    } larger = { HCS_EVENT_INIT, 0x5A5A };
    struct {
        hcs_stream_options options;
        uint64_t brand_new;
    } options = { HCS_STREAM_OPTIONS_INIT, 0x5A5A };
    hcs_stream *stream = NULL;

    (void) state;
    options.options.size = sizeof(options);
    options.options.from = HCS_FROM_BEGINNING;
    assert_int_equal(hcs_stream_open(host, &options.options, &stream, NULL), HCS_OK);
    assert_string_equal(asked, "{\"from\":\"beginning\"}");
    say_event(4, HCS_EVENT_SYSTEM_CREATED);
    larger.event.size = sizeof(larger);
    assert_int_equal(hcs_stream_next(stream, -1, &larger.event, NULL), HCS_OK);
    assert_int_equal(larger.event.sequence, 4);
    assert_int_equal(larger.event.size, sizeof(larger));
    assert_int_equal(larger.brand_new, 0x5A5A);
    hcs_stream_close(stream);
}

/* ---- pollable ---- */

static void pollable_is_readable_exactly_while_next_has_something(void **state)
{
    hcs_stream *stream = stream_opened();
    hcs_event event = HCS_EVENT_INIT;
    unsigned sequence = 4;

    (void) state;
    for (unsigned n = 0; n < 40; n++) {
        struct burst burst = { .first = sequence, .n = n };

        service_do(&service, work_burst, &burst);
        for (unsigned i = 0; i < n; i++) {
            assert_true(pollable_shows(hcs_stream_pollable(stream)));
            assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_OK);
            assert_int_equal(event.sequence, sequence++);
        }
        assert_false(readable(stream));
        assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_E_OPERATION_TIMEOUT);
        assert_int_equal(hcs_stream_next(stream, 1, &event, NULL), HCS_E_OPERATION_TIMEOUT);
    }
    hcs_stream_end(stream);
    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    assert_int_equal(next(stream).kind, HCS_EVENT_END);
    expect_finished(stream);
    hcs_stream_close(stream);
}

struct piece {
    const char *bytes;
    size_t n;
};

static void work_piece(struct service *s, void *context)
{
    const struct piece *piece = context;

    (void) s;
    assert_int_equal(socket_send(varlink_fd(reader->link), piece->bytes, piece->n, NULL, 0),
                     piece->n);
}

static void half_an_event_wakes_at_most_once(void **state)
{
    hcs_stream *stream = stream_opened();
    hcs_event event = HCS_EVENT_INIT;
    char text[400], whole[500];

    (void) state;
    event_text(text, sizeof(text), 4, HCS_EVENT_SYSTEM_CREATED);
    snprintf(whole, sizeof(whole), "{\"parameters\":%s,\"continues\":true}", text);
    service_do(&service, work_piece, &(struct piece){ whole, 50 });
    assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_E_OPERATION_TIMEOUT);
    assert_false(readable(stream));
    service_do(&service, work_piece, &(struct piece){ whole + 50, strlen(whole + 50) + 1 });
    assert_int_equal(next(stream).sequence, 4);
    hcs_stream_close(stream);
}

/* ---- threads ---- */

struct reading {
    hcs_stream *stream;
    int good;
};

THREAD_FUNCTION(read_main, context)
{
    struct reading *reading = context;
    hcs_event event = HCS_EVENT_INIT;
    hcs_result r;

    do {
        r = hcs_stream_next(reading->stream, -1, &event, NULL);
    } while (r == HCS_E_WIN32_BUSY);
    reading->good = r == HCS_OK && event.kind == HCS_EVENT_END;
    THREAD_RETURN;
}

static void end_wakes_a_reader_on_another_thread(void **state)
{
    (void) state;
    for (int i = 0; i < 200; i++) {
        hcs_stream *stream = stream_opened();
        struct reading reading = { stream, 0 };
        thread reading_thread;

        thread_start(&reading_thread, read_main, &reading);
        hcs_stream_end(stream);
        thread_join(reading_thread);
        assert_true(reading.good);
        expect_finished(stream);
        hcs_stream_close(stream);
    }
}

/* A second reader while the first is inside: the first leaves only when it is ended. */
static void second_reader_is_told_that_it_is_busy(void **state)
{
    hcs_stream *stream = stream_opened();
    hcs_event event = HCS_EVENT_INIT;
    struct reading reading = { stream, 0 };
    thread reading_thread;
    hcs_result r;

    (void) state;
    thread_start(&reading_thread, read_main, &reading);
    do {
        r = hcs_stream_next(stream, 0, &event, NULL);
    } while (r == HCS_E_OPERATION_TIMEOUT);
    assert_int_equal(r, HCS_E_WIN32_BUSY);
    hcs_stream_end(stream);
    thread_join(reading_thread);
    assert_true(reading.good);
    hcs_stream_close(stream);
}

THREAD_FUNCTION(end_main, stream)
{
    hcs_stream_end(stream);
    THREAD_RETURN;
}

/* However they meet, END comes once, and afterwards the stream is quiet. */
static void end_may_come_while_events_flow(void **state)
{
    (void) state;
    for (unsigned i = 0; i < 100; i++) {
        hcs_stream *stream = stream_opened();
        struct burst burst = { .first = 4, .n = 50 };
        hcs_event event = HCS_EVENT_INIT;
        uint64_t sequence = 3;
        thread ender;

        service_do(&service, work_burst, &burst);
        thread_start(&ender, end_main, stream);
        while ((event = next(stream)).kind != HCS_EVENT_END)
            assert_int_equal(event.sequence, ++sequence);
        thread_join(ender);
        expect_finished(stream);
        hcs_stream_close(stream);
    }
}

static void work_count_clients(struct service *s, void *context)
{
    *(size_t *) context = s->n_clients;
}

/* HCS_TEST_STREAMS says how many where that takes its time. */
static void ten_thousand_streams_leave_nothing_behind(void **state)
{
    const char *given = getenv("HCS_TEST_STREAMS");
    const int n = given ? atoi(given) : 10000;
    hcs_event event = HCS_EVENT_INIT;
    size_t n_clients;
    unsigned before;

    (void) state;
    hcs_stream_close(stream_opened()); /* what is there once and stays */
    before = process_handles();
    assert_true(before > 0);
    for (int i = 0; i < n; i++) {
        hcs_stream *stream = stream_opened();

        if (i % 3 == 0)
            hcs_stream_end(stream);
        if (i % 2 == 0) {
            hcs_result r = hcs_stream_next(stream, 0, &event, NULL);

            assert_int_equal(r, i % 3 == 0 ? HCS_OK : HCS_E_OPERATION_TIMEOUT);
        }
        hcs_stream_close(stream);
    }
    /* The service notices in its own time: the only client left is the idle connection. */
    do {
        service_do(&service, work_count_clients, &n_clients);
    } while (n_clients > 1);
    assert_true(process_handles() <= before);
}

static void stream_outlives_its_host(void **state)
{
    hcs_stream *stream = stream_opened();

    (void) state;
    hcs_host_close(host);
    host = NULL;
    say_event(4, HCS_EVENT_SYSTEM_CREATED);
    assert_int_equal(next(stream).sequence, 4);
    hcs_stream_close(stream);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(options_reach_the_service),
        T(stream_without_ready_is_refused),
        T(events_come_in_order_each_once),
        T(unknown_kinds_come_raw),
        T(gap_has_exact_numbers),
        T(end_is_last),
        T(service_that_goes_away_is_told_before_the_end),
        T(nonsense_of_the_service_ends_the_stream),
        T(last_answer_without_end_still_ends),
        T(detail_that_is_absent_is_told_from_an_empty_one),
        T(event_of_an_older_header_is_filled_as_far_as_it_goes),
        T(event_of_a_newer_header_keeps_what_we_do_not_know),
        T(pollable_is_readable_exactly_while_next_has_something),
        T(half_an_event_wakes_at_most_once),
        T(end_wakes_a_reader_on_another_thread),
        T(second_reader_is_told_that_it_is_busy),
        T(end_may_come_while_events_flow),
        T(ten_thousand_streams_leave_nothing_behind),
        T(stream_outlives_its_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
