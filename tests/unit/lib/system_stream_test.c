/* system_stream_test.c - promises of hcs_stream_open_system(), with a service that says what the
 * test wants. */
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
#include "service.h"
#include "thread.h"

#define READY "{\"ready\":{\"log\":\"l\",\"after\":3}}"
#define SYSTEM                                                                                     \
    "{\"system\":{\"id\":\"s\",\"incarnation\":77,\"owner\":\"\",\"type\":\"Container\","          \
    "\"isolation\":\"\"}}"
#define ORPHANED "{\"Reason\":\"the system's handle was closed\"}"
#define ALREADY_EXISTS "{\"code\":-2143878897,\"text\":\"it is taken\"}"

static struct service service;
static hcs_host *host;
static struct client *reader;    /* the client with the newest stream */
static struct client *creator;   /* the client whose CreateSystem waits for its answer */
static const char *first_answer; /* to Subscribe, instead of `ready`; "" none yet */
static char asked[300];          /* parameters of the last Subscribe */
static unsigned n_subscribed;

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
        n_subscribed++;
        if (!first_answer || first_answer[0])
            client_continue(c, first_answer ? first_answer : READY);
    } else if (strcmp(method, "org.libhcs.ComputeService.CreateSystem") == 0)
        creator = c;
    else if (strcmp(method, "org.libhcs.ComputeService.OpenSystem") == 0)
        client_reply(c, SYSTEM);
    else
        client_reply(c, "{\"info\":{}}");
}

static int setup(void **state)
{
    char address[120];

    (void) state;
    first_answer = NULL;
    creator = NULL;
    reader = NULL;
    n_subscribed = 0;
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

/* ---- what the service does ---- */

static void work_continue(struct service *s, void *context)
{
    (void) s;
    client_continue(reader, context);
}

static void say(const char *parameters)
{
    service_do(&service, work_continue, (void *) (uintptr_t) parameters);
}

static void say_event(unsigned sequence)
{
    char text[400];

    snprintf(text, sizeof(text),
             "{\"event\":{\"sequence\":%u,\"kind\":1,\"name\":\"X\",\"realtimeNs\":5,"
             "\"monotonicNs\":6,\"system\":{\"id\":\"s\",\"incarnation\":77,\"owner\":\"\","
             "\"type\":\"Container\",\"isolation\":\"\"},\"detail\":\"{}\"}}",
             sequence);
    say(text);
}

static void work_end(struct service *s, void *context)
{
    (void) s;
    client_reply(reader, context);
}

static void work_get_creator(struct service *s, void *context)
{
    (void) s;
    *(struct client **) context = creator;
}

static void wait_for_creator(void)
{
    for (struct client *c = NULL; !c;)
        service_do(&service, work_get_creator, &c);
}

static void work_created(struct service *s, void *context)
{
    (void) s;
    (void) context;
    client_reply(creator, SYSTEM);
}

static void work_not_created(struct service *s, void *context)
{
    (void) s;
    client_error(creator, "org.libhcs.ComputeService.Failed", context);
}

static void work_count(struct service *s, void *context)
{
    (void) s;
    *(unsigned *) context = n_subscribed;
}

static unsigned subscribed(void)
{
    unsigned n;

    service_do(&service, work_count, &n);
    return n;
}

/* A late subscription is on its way when the call returns; wait until the service has it. */
static void wait_subscribed(const char *text)
{
    while (subscribed() == 0)
        continue;
    assert_string_equal(asked, text);
}

/* ---- what the user does ---- */

static hcs_system *system_opened(void)
{
    hcs_system *system = NULL;

    assert_int_equal(hcs_system_open(host, "s", &system, NULL), HCS_OK);
    return system;
}

/* A system whose creation has not been answered. */
static hcs_system *system_begun(hcs_op **out_op)
{
    hcs_system *system = NULL;

    assert_int_equal(hcs_system_create(host, "s", "{}", &system, out_op, NULL), HCS_OK);
    wait_for_creator();
    return system;
}

static hcs_stream *stream_opened(hcs_system *system)
{
    hcs_stream *stream = NULL;

    assert_int_equal(hcs_stream_open_system(system, NULL, &stream, NULL), HCS_OK);
    return stream;
}

static hcs_event next(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;

    assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_OK);
    return event;
}

static void expect_nothing_yet(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;

    assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_E_OPERATION_TIMEOUT);
}

static bool readable(const hcs_stream *stream)
{
    return pollable_is_ready(hcs_stream_pollable(stream), 0);
}

static void expect_end(hcs_stream *stream, const char *detail)
{
    hcs_event event;

    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_END);
    assert_string_equal(event.detail, detail);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_E_WIN32_NO_MORE_ITEMS);
        assert_false(readable(stream));
    }
}

/* ---- opening ---- */

static void it_follows_the_incarnation_of_the_handle(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_system *system = system_opened();
    hcs_stream *stream = stream_opened(system);

    (void) state;
    assert_string_equal(asked, "{\"from\":\"nowOrExit\",\"incarnation\":77,\"systemId\":\"s\"}");
    hcs_stream_close(stream);
    options.from = HCS_FROM_BEGINNING;
    assert_int_equal(hcs_stream_open_system(system, &options, &stream, NULL), HCS_OK);
    assert_string_equal(asked, "{\"from\":\"beginning\",\"incarnation\":77,\"systemId\":\"s\"}");
    hcs_stream_close(stream);
    options.from = HCS_FROM_AFTER;
    options.after = 5;
    assert_int_equal(hcs_stream_open_system(system, &options, &stream, NULL), HCS_OK);
    assert_string_equal(asked,
                        "{\"after\":5,\"from\":\"after\",\"incarnation\":77,\"systemId\":\"s\"}");
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void bad_options_are_refused_by_name(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_system *system = system_opened();
    hcs_stream *stream = NULL;
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    options.system_id = "other";
    assert_int_equal(hcs_stream_open_system(system, &options, &stream, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "'other'"));
    options.system_id = NULL;
    options.from = 3;
    assert_int_equal(hcs_stream_open_system(system, &options, &stream, &err), HCS_E_INVALIDARG);
    options.from = HCS_FROM_AFTER;
    options.after = UINT64_MAX;
    assert_int_equal(hcs_stream_open_system(system, &options, &stream, &err), HCS_E_INVALIDARG);
    assert_int_equal(hcs_stream_open_system(NULL, NULL, &stream, &err), HCS_E_POINTER);
    assert_int_equal(hcs_stream_open_system(system, NULL, NULL, &err), HCS_E_POINTER);
    assert_null(stream);
    assert_int_equal(subscribed(), 0);
    hcs_system_close(system);
}

/* ---- while the system is being created ---- */

static void it_begins_with_a_system_that_is_being_created(void **state)
{
    hcs_op *op = NULL;
    hcs_system *system = system_begun(&op);
    hcs_stream *stream = stream_opened(system);

    (void) state;
    assert_false(readable(stream));
    expect_nothing_yet(stream);
    assert_int_equal(subscribed(), 0);
    service_do(&service, work_created, NULL);
    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    expect_nothing_yet(stream);
    wait_subscribed("{\"from\":\"beginning\",\"incarnation\":77,\"systemId\":\"s\"}");
    say_event(4);
    assert_int_equal(next(stream).sequence, 4);
    assert_false(readable(stream));
    hcs_op_close(op);
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void it_wakes_when_another_has_taken_the_answer(void **state)
{
    hcs_op *op = NULL;
    hcs_system *system = system_begun(&op);
    hcs_stream *stream = stream_opened(system);

    (void) state;
    service_do(&service, work_created, NULL);
    assert_int_equal(hcs_op_wait(op, -1, NULL), HCS_OK);
    hcs_op_close(op);
    assert_int_equal(hcs_system_start(system, NULL, NULL), HCS_OK);
    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    expect_nothing_yet(stream);
    wait_subscribed("{\"from\":\"beginning\",\"incarnation\":77,\"systemId\":\"s\"}");
    say_event(4);
    assert_int_equal(next(stream).sequence, 4);
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void creation_that_was_seen_to_be_done_is_the_past(void **state)
{
    hcs_op *op = NULL;
    hcs_system *system = system_begun(&op);
    hcs_stream *stream;

    (void) state;
    service_do(&service, work_created, NULL);
    assert_int_equal(hcs_op_wait(op, -1, NULL), HCS_OK);
    hcs_op_close(op);
    stream = stream_opened(system);
    assert_string_equal(asked, "{\"from\":\"nowOrExit\",\"incarnation\":77,\"systemId\":\"s\"}");
    hcs_stream_close(stream);
    hcs_system_close(system);
}

/* Whether the answer is there already is chance; what the stream begins with is not. */
static void creation_that_nobody_has_seen_to_be_done_is_not(void **state)
{
    hcs_op *op = NULL;
    hcs_system *system = system_begun(&op);
    hcs_stream *stream;

    (void) state;
    service_do(&service, work_created, NULL);
    stream = stream_opened(system);
    assert_true(pollable_shows(hcs_stream_pollable(stream)));
    expect_nothing_yet(stream);
    wait_subscribed("{\"from\":\"beginning\",\"incarnation\":77,\"systemId\":\"s\"}");
    hcs_op_close(op);
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void system_that_is_not_created_ends_it(void **state)
{
    hcs_op *op = NULL;
    hcs_system *system = system_begun(&op);
    hcs_stream *stream = stream_opened(system), *second = NULL;
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    service_do(&service, work_not_created, (void *) (uintptr_t) ALREADY_EXISTS);
    expect_end(stream, "{\"Reason\":\"the system was not created: it is taken\"}");
    assert_int_equal(hcs_stream_open_system(system, NULL, &second, &err),
                     HCS_E_SYSTEM_ALREADY_EXISTS);
    assert_string_equal(err.text, "it is taken");
    assert_null(second);
    assert_int_equal(subscribed(), 0);
    hcs_op_close(op);
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void service_that_goes_away_meanwhile_is_told(void **state)
{
    hcs_op *op = NULL;
    hcs_system *system = system_begun(&op);
    hcs_stream *stream = stream_opened(system);

    (void) state;
    service_hang_up(&service);
    assert_int_equal(next(stream).kind, HCS_EVENT_SERVICE_DISCONNECT);
    expect_end(stream, "{\"Reason\":\"the service was disconnected\"}");
    hcs_op_close(op);
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void service_that_refuses_late_ends_it(void **state)
{
    static const char *const rows[] = { "{\"event\":null}", "[]" };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hcs_op *op = NULL;
        hcs_system *system = system_begun(&op);
        hcs_stream *stream = stream_opened(system);

        first_answer = rows[i];
        service_do(&service, work_created, NULL);
        assert_int_equal(next(stream).kind, HCS_EVENT_SERVICE_DISCONNECT);
        expect_end(stream, "{\"Reason\":\"the service was disconnected\"}");
        hcs_op_close(op);
        hcs_stream_close(stream);
        hcs_system_close(system);
        creator = NULL;
    }
}

static void it_may_be_ended_while_the_system_is_being_created(void **state)
{
    hcs_op *op = NULL;
    hcs_system *system = system_begun(&op);
    hcs_stream *ended = stream_opened(system), *orphan = stream_opened(system),
               *closed = stream_opened(system);

    (void) state;
    hcs_stream_end(ended);
    expect_end(ended, "{\"Reason\":\"closed\"}");
    hcs_stream_close(closed);
    hcs_system_close(system);
    expect_end(orphan, ORPHANED);
    service_do(&service, work_created, NULL);
    assert_int_equal(hcs_op_wait(op, -1, NULL), HCS_OK);
    assert_false(readable(ended));
    assert_false(readable(orphan));
    hcs_op_close(op);
    hcs_stream_close(ended);
    hcs_stream_close(orphan);
}

/* ---- closing the handle ---- */

static void closing_the_handle_gives_what_had_arrived_and_ends_it(void **state)
{
    hcs_system *system = system_opened();
    hcs_stream *stream = stream_opened(system);

    (void) state;
    for (unsigned i = 4; i < 8; i++)
        say_event(i);
    assert_int_equal(next(stream).sequence, 4);
    hcs_system_close(system);
    for (unsigned i = 5; i < 8; i++)
        assert_int_equal(next(stream).sequence, i);
    expect_end(stream, ORPHANED);
    hcs_stream_close(stream);
}

static void work_count_clients(struct service *s, void *context)
{
    *(size_t *) context = s->n_clients;
}

/* So a system of which there is always something to tell does not keep it from its end. */
static void stream_of_a_closed_handle_hears_no_more(void **state)
{
    hcs_system *system = system_opened();
    hcs_stream *stream = stream_opened(system);
    size_t n_clients;

    (void) state;
    say_event(4);
    say_event(5);
    hcs_system_close(system);
    assert_int_equal(next(stream).sequence, 4);
    /* It has hung up: the idle connection of the host is the only one left. */
    do {
        service_do(&service, work_count_clients, &n_clients);
    } while (n_clients > 1);
    assert_int_equal(next(stream).sequence, 5);
    expect_end(stream, ORPHANED);
    hcs_stream_close(stream);
}

static void end_of_the_service_that_had_arrived_is_the_reason(void **state)
{
    hcs_system *system = system_opened();
    hcs_stream *stream = stream_opened(system);

    (void) state;
    say_event(4);
    service_do(&service, work_end, (void *) (uintptr_t) "{\"end\":\"the system has exited\"}");
    hcs_system_close(system);
    assert_int_equal(next(stream).sequence, 4);
    expect_end(stream, "{\"Reason\":\"the system has exited\"}");
    hcs_stream_close(stream);
}

static void handle_may_be_closed_before_the_service_is_ready(void **state)
{
    hcs_op *op = NULL;
    hcs_system *system = system_begun(&op);
    hcs_stream *stream = stream_opened(system);

    (void) state;
    first_answer = "";
    service_do(&service, work_created, NULL);
    expect_nothing_yet(stream);
    wait_subscribed("{\"from\":\"beginning\",\"incarnation\":77,\"systemId\":\"s\"}");
    assert_false(readable(stream));
    hcs_system_close(system);
    expect_end(stream, ORPHANED);
    hcs_op_close(op);
    hcs_stream_close(stream);
}

struct reading {
    hcs_stream *stream;
    thread thread;
    int good;
};

THREAD_FUNCTION(read_main, context)
{
    struct reading *reading = context;
    hcs_event event = HCS_EVENT_INIT;
    hcs_result r = hcs_stream_next(reading->stream, -1, &event, NULL);

    reading->good =
        r == HCS_OK && event.kind == HCS_EVENT_END && strcmp(event.detail, ORPHANED) == 0;
    THREAD_RETURN;
}

static void reading_begin(struct reading *reading, hcs_stream *take_stream)
{
    reading->stream = take_stream;
    reading->good = 0;
    thread_start(&reading->thread, read_main, reading);
}

static void reading_end(struct reading *reading)
{
    thread_join(reading->thread);
    assert_true(reading->good);
    hcs_stream_close(reading->stream);
}

static void closing_the_handle_wakes_its_readers(void **state)
{
    enum { N = 6 };

    (void) state;
    for (int turn = 0; turn < 60; turn++) {
        hcs_system *system = system_opened();
        struct reading readings[N];

        for (int i = 0; i < N; i++)
            reading_begin(&readings[i], stream_opened(system));
        hcs_system_close(system);
        for (int i = 0; i < N; i++)
            reading_end(&readings[i]);
    }
}

static void readers_of_a_system_that_is_being_created_wake_too(void **state)
{
    (void) state;
    for (int turn = 0; turn < 60; turn++) {
        hcs_op *op = NULL;
        hcs_system *system = system_begun(&op);
        struct reading reading;

        reading_begin(&reading, stream_opened(system));
        if (turn % 2)
            service_do(&service, work_created, NULL);
        hcs_system_close(system);
        reading_end(&reading);
        hcs_op_close(op);
        creator = NULL;
    }
}

THREAD_FUNCTION(close_main, stream)
{
    hcs_stream_close(stream);
    THREAD_RETURN;
}

static void handle_and_streams_are_closed_in_any_order(void **state)
{
    enum { N = 4 };

    (void) state;
    for (int turn = 0; turn < 100; turn++) {
        hcs_system *system = system_opened();
        thread threads[N];

        for (int i = 0; i < N; i++)
            thread_start(&threads[i], close_main, stream_opened(system));
        hcs_system_close(system);
        for (int i = 0; i < N; i++)
            thread_join(threads[i]);
    }
}

THREAD_FUNCTION(end_main, stream)
{
    hcs_stream_end(stream);
    THREAD_RETURN;
}

/* However they meet, END comes once. */
static void it_may_be_ended_while_the_handle_is_closed(void **state)
{
    (void) state;
    for (int turn = 0; turn < 100; turn++) {
        hcs_system *system = system_opened();
        hcs_stream *stream = stream_opened(system);
        hcs_event event = HCS_EVENT_INIT;
        thread ender;

        thread_start(&ender, end_main, stream);
        hcs_system_close(system);
        assert_int_equal(next(stream).kind, HCS_EVENT_END);
        assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_E_WIN32_NO_MORE_ITEMS);
        thread_join(ender);
        assert_false(readable(stream));
        hcs_stream_close(stream);
    }
}

static void streams_of_other_handles_go_on(void **state)
{
    hcs_system *system = system_opened(), *other = system_opened();
    hcs_stream *stream = stream_opened(system), *kept = stream_opened(other);

    (void) state;
    hcs_system_close(system);
    expect_end(stream, ORPHANED);
    say_event(4);
    assert_int_equal(next(kept).sequence, 4);
    hcs_stream_close(stream);
    hcs_stream_close(kept);
    hcs_system_close(other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(it_follows_the_incarnation_of_the_handle),
        T(bad_options_are_refused_by_name),
        T(it_begins_with_a_system_that_is_being_created),
        T(it_wakes_when_another_has_taken_the_answer),
        T(creation_that_was_seen_to_be_done_is_the_past),
        T(creation_that_nobody_has_seen_to_be_done_is_not),
        T(system_that_is_not_created_ends_it),
        T(service_that_goes_away_meanwhile_is_told),
        T(service_that_refuses_late_ends_it),
        T(it_may_be_ended_while_the_system_is_being_created),
        T(closing_the_handle_gives_what_had_arrived_and_ends_it),
        T(stream_of_a_closed_handle_hears_no_more),
        T(end_of_the_service_that_had_arrived_is_the_reason),
        T(handle_may_be_closed_before_the_service_is_ready),
        T(closing_the_handle_wakes_its_readers),
        T(readers_of_a_system_that_is_being_created_wake_too),
        T(handle_and_streams_are_closed_in_any_order),
        T(it_may_be_ended_while_the_handle_is_closed),
        T(streams_of_other_handles_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
