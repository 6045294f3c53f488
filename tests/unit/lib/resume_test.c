/* resume_test.c - cursors, bookmarks and reconnecting: promises of stream.h, with a service that
 * has a log and breaks off wherever the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "hcs/hcs.h"
#include "monitor.h"
#include "pollable.h"
#include "service.h"
#include "thread.h"

#define LOG "00112233445566778899aabbccddeeff"
#define OTHER_LOG "ffeeddccbbaa99887766554433221100"
#define HOST "host0000000000000000000000000000"
#define BOOT "boot0000000000000000000000000000"
#define N_EVENTS 4u
#define WHOLE SIZE_MAX

/* What the service does with the next Subscribe calls. */
static struct {
    const char *log;
    unsigned n_events;     /* that it sends at once, from where it is asked */
    unsigned refuse;       /* so many calls are closed without an answer */
    const char *error;     /* the answer is this error */
    const char *nonsense;  /* the answer is this */
    bool lose_creation;    /* CreateSystem is closed without an answer */
    unsigned exit;         /* number of the event that is the exit of the system; 0: none */
    unsigned n_subscribed; /* calls that came */
    char asked[600];       /* the last one */
    struct client *reader;
} script;

static struct monitor script_monitor = MONITOR_INIT;

/* What the test changes or reads while the service runs. */
#define SCRIPT(...)                                                                                \
    do {                                                                                           \
        monitor_enter(&script_monitor);                                                            \
        __VA_ARGS__;                                                                               \
        monitor_leave(&script_monitor);                                                            \
    } while (0)

static struct service service;
static hcs_host *host;

/* ---- a log of N_EVENTS events ---- */

static size_t event_text(char *text, size_t size, unsigned sequence)
{
    return (size_t) snprintf(
        text, size,
        "{\"parameters\":{\"event\":{\"sequence\":%u,\"kind\":%u,\"name\":\"X\",\"realtimeNs\":5,"
        "\"monotonicNs\":6,\"system\":{\"id\":\"a\",\"incarnation\":9,\"owner\":\"\",\"type\":\"\","
        "\"isolation\":\"\"}}},\"continues\":true}",
        sequence, sequence == script.exit ? 1u : HCS_EVENT_SYSTEM_CREATED);
}

/* All that a reader behind @after is sent, NULs and all. */
static size_t conversation(char *out, size_t size, const char *log, unsigned after)
{
    size_t n = (size_t) snprintf(out, size,
                                 "{\"parameters\":{\"ready\":{\"log\":\"%s\",\"after\":%u,\"host\":"
                                 "\"" HOST "\",\"boot\":\"" BOOT "\"}},\"continues\":true}",
                                 log, after) +
               1;

    for (unsigned i = after + 1; i <= script.n_events; i++)
        n += event_text(out + n, size - n, i) + 1;
    assert_true(n < size);
    return n;
}

/* For the test that cuts everywhere: what is the stream's own is in its bookmarkMs. */
enum { MARK = 1000, STREAMS = 2000 };
static struct {
    size_t cuts[2];
    unsigned n_tried;
} streams[STREAMS];

static size_t cut_of(const json_t *parameters)
{
    json_int_t mark = json_integer_value(json_object_get(parameters, "bookmarkMs")) - MARK;
    unsigned tried;

    if (mark < 0)
        return WHOLE;
    tried = streams[mark].n_tried++;
    return tried < 2 ? streams[mark].cuts[tried] : WHOLE;
}

static void subscribed(struct client *c, const json_t *parameters)
{
    char text[4000];
    size_t cut = cut_of(parameters);
    unsigned after = (unsigned) json_integer_value(json_object_get(parameters, "after"));
    size_t n = conversation(text, sizeof text, script.log, after);
    size_t sent = cut < n ? cut : n;
    ssize_t r;

    script.reader = c;
    /* The client may have left since it asked. */
    r = socket_send(varlink_fd(c->link), text, sent, NULL, 0);
    assert_true(r == (ssize_t) sent || r == -EPIPE || r == -ECONNRESET);
    c->go = cut < n;
}

static void answer(struct client *c, const char *method, const json_t *parameters)
{
    if (strcmp(method, "org.libhcs.ComputeService.CreateSystem") == 0 && script.lose_creation) {
        c->go = true;
    } else if (strcmp(method, "org.libhcs.ComputeService.CreateSystem") == 0 ||
               strcmp(method, "org.libhcs.ComputeService.OpenSystem") == 0) {
        client_reply(c, "{\"system\":{\"id\":\"a\",\"incarnation\":9,\"owner\":\"\",\"type\":\"\","
                        "\"isolation\":\"\"}}");
    } else if (strcmp(method, "org.libhcs.ComputeService.ListSystems") == 0) {
        client_reply(c, json_is_true(json_object_get(parameters, "snapshot")) && script.log
                            ? "{\"systems\":[{\"Id\":\"a\"}],\"position\":{\"log\":\"" LOG
                              "\",\"after\":77}}"
                            : "{\"systems\":[]}");
    } else if (strcmp(method, "org.libhcs.ComputeService.Subscribe") != 0) {
        client_reply(c, "{\"info\":{}}");
    } else {
        char *text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);

        snprintf(script.asked, sizeof script.asked, "%s", text);
        free(text);
        script.n_subscribed++;
        if (script.refuse > 0) {
            script.refuse--;
            c->go = true;
        } else if (script.error) {
            client_error(c, "org.libhcs.ComputeService.Failed", script.error);
        } else if (script.nonsense) {
            client_continue(c, script.nonsense);
        } else {
            subscribed(c, parameters);
        }
    }
}

static void handle(struct service *s, struct client *c, const char *method,
                   const json_t *parameters, struct varlink_message *message)
{
    (void) s;
    (void) message;
    SCRIPT(answer(c, method, parameters));
}

static int setup(void **state)
{
    char address[120];

    (void) state;
    memset(&script, 0, sizeof script);
    script.log = LOG;
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

/* ---- what tests share ---- */

static unsigned count_subscribed(void)
{
    unsigned n;

    SCRIPT(n = script.n_subscribed);
    return n;
}

static void expect_asked(const char *expected)
{
    char asked[sizeof script.asked];

    SCRIPT(strcpy(asked, script.asked));
    assert_string_equal(asked, expected);
}

static hcs_stream *stream_opened(const hcs_stream_options *options)
{
    hcs_stream *stream = NULL;
    hcs_error err = HCS_ERROR_INIT;

    if (hcs_stream_open(host, options, &stream, &err) < 0)
        fail_msg("%s", err.text);
    return stream;
}

static hcs_stream *reconnecting(void)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;

    options.flags = HCS_STREAM_RECONNECT;
    return stream_opened(&options);
}

static hcs_event next(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;

    assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_OK);
    return event;
}

static void expect_kind(hcs_stream *stream, hcs_event_kind kind)
{
    hcs_event event = next(stream);

    if (event.kind != kind)
        fail_msg("%s instead of %s: %s", hcs_event_kind_name(event.kind), hcs_event_kind_name(kind),
                 event.detail);
}

static void expect_event(hcs_stream *stream, uint64_t sequence)
{
    hcs_event event = next(stream);

    assert_int_equal(event.kind, HCS_EVENT_SYSTEM_CREATED);
    assert_int_equal(event.sequence, sequence);
}

static void expect_end(hcs_stream *stream, const char *reason)
{
    hcs_event event = next(stream);

    assert_int_equal(event.kind, HCS_EVENT_END);
    if (!strstr(event.detail, reason))
        fail_msg("the reason is %s", event.detail);
    assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_E_WIN32_NO_MORE_ITEMS);
}

static void expect_cursor(const hcs_stream *stream, const char *expected)
{
    char cursor[HCS_CURSOR_SIZE];

    assert_int_equal(hcs_stream_cursor(stream, cursor, sizeof cursor, NULL), HCS_OK);
    assert_string_equal(cursor, expected);
}

static bool readable(const hcs_stream *stream, int timeout_ms)
{
    return pollable_is_ready(hcs_stream_pollable(stream), timeout_ms);
}

static void work_continue(struct service *s, void *context)
{
    (void) s;
    client_continue(script.reader, context);
}

static void say(const char *parameters)
{
    service_do(&service, work_continue, (void *) (uintptr_t) parameters);
}

/* ---- options ---- */

static void options_reach_the_service(void **state)
{
    static const hcs_event_kind kinds[] = { HCS_EVENT_SYSTEM_EXITED, HCS_EVENT_PROCESS_EXITED };
    static const char *const ids[] = { "web*", "db" }, *const owners[] = { "me" };
    hcs_event_filter filter = HCS_EVENT_FILTER_INIT;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;

    (void) state;
    options.from = HCS_FROM_CURSOR;
    options.cursor = "hcs1." LOG ".12345678901";
    hcs_stream_close(stream_opened(&options));
    expect_asked("{\"after\":12345678901,\"from\":\"after\",\"log\":\"" LOG "\"}");
    options.cursor = NULL;
    options.from = HCS_FROM_TIME;
    options.since_ns = 1600000000000000001;
    options.until_ns = 1700000000000000002;
    options.bookmark_ms = 250;
    hcs_stream_close(stream_opened(&options));
    expect_asked("{\"bookmarkMs\":250,\"from\":\"since\",\"since\":"
                 "1600000000000000001,\"until\":1700000000000000002}");
    options = (hcs_stream_options) HCS_STREAM_OPTIONS_INIT;
    options.from = HCS_FROM_LAST;
    options.last = 20;
    options.flags = HCS_STREAM_NO_FOLLOW;
    options.filter = &filter;
    filter.kinds = kinds;
    filter.n_kinds = 2;
    filter.ids = ids;
    filter.n_ids = 2;
    filter.owners = owners;
    filter.n_owners = 1;
    filter.exit = "nonzero";
    hcs_stream_close(stream_opened(&options));
    expect_asked("{\"filter\":{\"exit\":\"nonzero\",\"ids\":[\"web*\",\"db\"],\"kinds\":[1,"
                 "65536],\"owners\":[\"me\"]},\"follow\":false,\"from\":\"last\",\"last\":20}");
}

static void expect_refused(const hcs_stream_options *options, const char *text)
{
    unsigned before = count_subscribed();
    hcs_stream *stream = NULL;
    hcs_error err = HCS_ERROR_INIT;

    assert_int_equal(hcs_stream_open(host, options, &stream, &err), HCS_E_INVALIDARG);
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    assert_null(stream);
    assert_int_equal(count_subscribed(), before);
}

static void what_cannot_be_meant_is_refused_by_name(void **state)
{
    static const hcs_stream_options clean = HCS_STREAM_OPTIONS_INIT;
    hcs_stream_options o = clean;

    (void) state;
    o.from = HCS_FROM_CURSOR;
    expect_refused(&o, "cursor is NULL");
    o.cursor = "17";
    expect_refused(&o, "at character 1");
    o.from = HCS_FROM_NOW;
    expect_refused(&o, "a cursor goes with from HCS_FROM_CURSOR, not with 0");
    o = clean;
    o.since_ns = 5;
    expect_refused(&o, "since_ns goes with");
    o = clean;
    o.last = 5;
    expect_refused(&o, "last goes with");
    o = clean;
    o.from = HCS_FROM_LAST;
    expect_refused(&o, "last is 0");
    o = clean;
    o.flags = 4;
    expect_refused(&o, "flags are 0x4");
    o = clean;
    o.bookmark_ms = 99;
    expect_refused(&o, "bookmark_ms is 99");
    o = clean;
    o.until_ns = UINT64_MAX;
    expect_refused(&o, "until_ns is 18446744073709551615");
}

static void a_filter_that_cannot_be_meant_is_refused_by_name(void **state)
{
    static const char *const nothing[] = { NULL }, *const bad[] = { "\xFF" },
                             *const good[] = { "a" };
    hcs_event_filter f = HCS_EVENT_FILTER_INIT;
    hcs_stream_options o = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = NULL;
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    o.filter = &f;
    f.size = 3;
    expect_refused(&o, "hcs_event_filter is 3");
    f = (hcs_event_filter) HCS_EVENT_FILTER_INIT;
    f.ids = bad;
    f.n_ids = 1;
    expect_refused(&o, "filter.ids[0] is not UTF-8");
    f.ids = good;
    f.n_ids = 65;
    expect_refused(&o, "filter.ids has 65 items");
    f.ids = nothing;
    f.n_ids = 1;
    assert_int_equal(hcs_stream_open(host, &o, &stream, &err), HCS_E_POINTER);
    assert_non_null(strstr(err.text, "filter.ids[0] is NULL"));
    f = (hcs_event_filter) HCS_EVENT_FILTER_INIT;
    f.exit = "sometimes";
    expect_refused(&o, "sometimes");
}

/* ---- cursor and bookmarks ---- */

static void the_cursor_is_behind_what_was_given_last(void **state)
{
    char small[HCS_CURSOR_SIZE - 1];
    hcs_stream *stream;
    hcs_event event;

    (void) state;
    SCRIPT(script.n_events = 2);
    stream = stream_opened(NULL);
    assert_int_equal(hcs_stream_cursor(stream, small, sizeof small, NULL), HCS_E_INVALIDARG);
    expect_cursor(stream, "hcs1." LOG ".0");
    event = next(stream);
    assert_string_equal(event.log_id, LOG);
    assert_string_equal(event.host_id, HOST);
    assert_string_equal(event.boot_id, BOOT);
    expect_cursor(stream, "hcs1." LOG ".1");
    next(stream);
    expect_cursor(stream, "hcs1." LOG ".2");
    say("{\"gap\":{\"first\":3,\"last\":10}}");
    assert_string_equal(next(stream).log_id, LOG);
    expect_cursor(stream, "hcs1." LOG ".10");
    hcs_stream_end(stream);
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_END);
    assert_string_equal(event.log_id, "");
    expect_cursor(stream, "hcs1." LOG ".10");
    hcs_stream_close(stream);
}

static void a_log_that_no_cursor_can_say_has_none(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    char cursor[HCS_CURSOR_SIZE];
    hcs_stream *stream;

    (void) state;
    SCRIPT(script.log = "old");
    stream = stream_opened(NULL);
    assert_int_equal(hcs_stream_cursor(stream, cursor, sizeof cursor, &err),
                     HCS_E_WIN32_NOT_SUPPORTED);
    assert_non_null(strstr(err.text, "'old'"));
    hcs_stream_close(stream);
}

#define BOOKMARK(log, after)                                                                       \
    "{\"bookmark\":{\"log\":\"" log "\",\"after\":" after ",\"host\":\"" HOST                      \
    "\",\"boot\":\"second\"}}"

static void bookmarks_move_the_cursor_and_are_told_when_wanted(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream *stream = stream_opened(NULL);

    (void) state;
    say(BOOKMARK(LOG, "9"));
    say("{\"gap\":{\"first\":10,\"last\":11}}");
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_GAP);
    assert_string_equal(event.boot_id, "second");
    say(BOOKMARK(OTHER_LOG, "4"));
    while (hcs_stream_next(stream, 0, &event, NULL) == HCS_E_OPERATION_TIMEOUT) {
        char cursor[HCS_CURSOR_SIZE];

        assert_int_equal(hcs_stream_cursor(stream, cursor, sizeof cursor, NULL), HCS_OK);
        if (strcmp(cursor, "hcs1." OTHER_LOG ".4") == 0)
            break;
    }
    hcs_stream_close(stream);
    options.bookmark_ms = 100;
    stream = stream_opened(&options);
    say(BOOKMARK(OTHER_LOG, "5"));
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_BOOKMARK);
    assert_int_equal(event.sequence, 5);
    assert_string_equal(event.log_id, OTHER_LOG);
    assert_string_equal(event.boot_id, "second");
    assert_int_equal(event.detail_flags, HCS_DETAIL_ABSENT);
    expect_cursor(stream, "hcs1." OTHER_LOG ".5");
    hcs_stream_close(stream);
}

static void a_snapshot_says_where_it_stands(void **state)
{
    char cursor[HCS_CURSOR_SIZE] = "";
    hcs_error err = HCS_ERROR_INIT;
    char *document = NULL;

    (void) state;
    assert_int_equal(hcs_host_snapshot(host, NULL, &document, cursor, NULL), HCS_OK);
    assert_string_equal(document, "[{\"Id\":\"a\"}]");
    assert_string_equal(cursor, "hcs1." LOG ".77");
    hcs_string_free(document);
    document = NULL;
    SCRIPT(script.log = NULL);
    assert_int_equal(hcs_host_snapshot(host, NULL, &document, cursor, &err),
                     HCS_E_WIN32_NOT_SUPPORTED);
    assert_null(document);
}

/* ---- reconnecting ---- */

/* One stream of the test below: what it has seen. */
struct seen {
    hcs_stream *stream;
    uint64_t last;
    unsigned disconnects, reconnects;
};

static void see(struct seen *s, const hcs_event *event)
{
    switch (event->kind) {
    case HCS_EVENT_SYSTEM_CREATED:
        assert_int_equal(event->sequence, s->last + 1);
        assert_int_equal(s->disconnects, s->reconnects);
        s->last = event->sequence;
        break;
    case HCS_EVENT_SERVICE_DISCONNECT:
        assert_int_equal(s->disconnects++, s->reconnects);
        break;
    case HCS_EVENT_SERVICE_RECONNECTED:
        assert_int_equal(++s->reconnects, s->disconnects);
        break;
    default:
        fail_msg("%s: %s", hcs_event_kind_name(event->kind), event->detail);
    }
}

/* Take what there is of all; the first that has not seen everything yet, or NULL. */
static struct seen *see_some(struct seen *seen, size_t n)
{
    struct seen *first = NULL;

    for (size_t i = n; i-- > 0;) {
        hcs_event event = HCS_EVENT_INIT;

        while (seen[i].last < N_EVENTS &&
               hcs_stream_next(seen[i].stream, 0, &event, NULL) == HCS_OK)
            see(&seen[i], &event);
        if (seen[i].last < N_EVENTS)
            first = &seen[i];
    }
    return first;
}

/* Whatever is to be done next makes a stream readable. */
static void see_all(struct seen *seen, size_t n)
{
    for (struct seen *first = see_some(seen, n); first; first = see_some(seen, n))
        assert_true(readable(first->stream, 20000));
}

/* The first connection ends after each byte of the whole conversation, the second one somewhere,
 * also before it says that it is ready; the third one is good. */
static void cut_at_every_byte_nothing_is_lost_and_nothing_twice(void **state)
{
    char text[4000];
    size_t ready, whole, done = 0, step = getenv("HCS_TEST_STREAMS") ? 7 : 1;

    (void) state;
    SCRIPT(script.n_events = 0);
    ready = conversation(text, sizeof text, LOG, 0);
    SCRIPT(script.n_events = N_EVENTS);
    whole = conversation(text, sizeof text, LOG, 0);
    assert_true(whole < STREAMS);
    memset(streams, 0, sizeof streams);
    for (size_t first = ready; first < whole;) {
        struct seen seen[32] = { { 0 } };
        size_t n = 0;

        for (; n < 32 && first < whole; n++, first += step) {
            hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;

            streams[first].cuts[0] = first;
            streams[first].cuts[1] = first * 7 % (ready * 2);
            options.from = HCS_FROM_BEGINNING;
            options.flags = HCS_STREAM_RECONNECT;
            options.bookmark_ms = MARK + (uint32_t) first;
            seen[n].stream = stream_opened(&options);
        }
        see_all(seen, n);
        for (size_t i = 0; i < n; i++, done++) {
            assert_true(seen[i].disconnects >= 1);
            expect_cursor(seen[i].stream, "hcs1." LOG ".4");
            hcs_stream_close(seen[i].stream);
        }
    }
    assert_int_equal(done, (whole - ready + step - 1) / step);
}

/* Before the service is ready for the first time there is no stream. */
static void cut_before_ready_it_cannot_be_opened(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    char text[4000];
    size_t ready = conversation(text, sizeof text, LOG, 0);

    (void) state;
    memset(streams, 0, sizeof streams);
    options.flags = HCS_STREAM_RECONNECT;
    for (size_t cut = 0; cut < ready; cut++) {
        hcs_stream *stream = NULL;

        streams[cut].cuts[0] = cut;
        options.bookmark_ms = MARK + (uint32_t) cut;
        assert_int_equal(hcs_stream_open(host, &options, &stream, NULL), HCS_E_SERVICE_DISCONNECT);
        assert_null(stream);
    }
}

static void attempts_that_fail_are_not_told(void **state)
{
    hcs_stream *stream;
    uint64_t lost_ns;
    hcs_event event;

    (void) state;
    SCRIPT(script.n_events = 1);
    stream = reconnecting();
    expect_event(stream, 1);
    SCRIPT(script.refuse = 3);
    SCRIPT(script.n_events = 2);
    service_hang_up(&service);
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_SERVICE_DISCONNECT);
    lost_ns = event.monotonic_ns;
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_SERVICE_RECONNECTED);
    /* Pauses of 50, 100, 200 and 400 ms, of which chance takes up to a half. */
    assert_true(event.monotonic_ns - lost_ns >= 375 * UINT64_C(1000000));
    assert_int_equal(event.sequence, 0);
    assert_non_null(strstr(event.detail, "{\"Attempts\":4,\"LastError\":\""));
    expect_asked("{\"after\":1,\"from\":\"after\",\"log\":\"" LOG "\"}");
    expect_event(stream, 2);
    expect_cursor(stream, "hcs1." LOG ".2");
    hcs_stream_close(stream);
}

#ifndef _WIN32
/* A child that has the descriptors of ours, but for the service's, until it is ended. */
static pid_t fork_child(void)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    for (size_t i = 0; i < service.n_clients; i++)
        close(varlink_fd(service.clients[i]->link));
    for (;;)
        pause();
}

static void a_child_that_has_the_connection_wakes_nobody(void **state)
{
    hcs_stream *stream = reconnecting();
    hcs_event event = HCS_EVENT_INIT;
    pid_t child = fork_child();
    unsigned looks = 0;

    (void) state;
    assert_true(child > 0);
    SCRIPT(script.n_subscribed = 0);
    SCRIPT(script.refuse = UINT32_MAX);
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    for (; count_subscribed() < 4 && looks < 100; looks++) {
        assert_true(readable(stream, 20000));
        assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_E_OPERATION_TIMEOUT);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(looks < 100); /* an attempt needs a few: until it is due, and for its answer */
    SCRIPT(script.refuse = 0);
    expect_kind(stream, HCS_EVENT_SERVICE_RECONNECTED);
    hcs_stream_close(stream);
}
#endif

static void a_service_that_is_full_is_asked_again_and_one_that_refuses_ends_it(void **state)
{
    hcs_stream *stream = reconnecting();

    (void) state;
    SCRIPT(script.error =
               "{\"code\":-2147024726,\"name\":\"HCS_E_WIN32_BUSY\",\"os\":0,\"place\":\"p\","
               "\"text\":\"too many streams\"}");
    SCRIPT(script.n_subscribed = 0);
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    while (count_subscribed() < 3) {
        hcs_event event = HCS_EVENT_INIT;

        assert_true(readable(stream, 20000));
        assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_E_OPERATION_TIMEOUT);
    }
    SCRIPT(script.error =
               "{\"code\":-2147023728,\"name\":\"HCS_E_WIN32_NOT_FOUND\",\"os\":0,\"place\":\"p\","
               "\"text\":\"that log is gone\"}");
    expect_end(stream, "that log is gone");
    hcs_stream_close(stream);
}

static void nonsense_ends_it_and_is_not_asked_for_again(void **state)
{
    hcs_stream *stream = reconnecting();

    (void) state;
    say("{\"event\":5}");
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_end(stream, "the service was disconnected");
    hcs_stream_close(stream);
    stream = reconnecting();
    SCRIPT(script.nonsense = "{\"ready\":{\"log\":\"" LOG "\"}}");
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_end(stream, "'after'");
    hcs_stream_close(stream);
    SCRIPT(script.nonsense = NULL);
    stream = reconnecting();
    SCRIPT(script.nonsense = "{\"ready\":{\"log\":\"" LOG "\",\"after\":7}}");
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_end(stream, "asked to go on after event 0, the service goes on after 7");
    hcs_stream_close(stream);
}

static void another_log_is_gone_over_to(void **state)
{
    hcs_stream *stream;

    (void) state;
    SCRIPT(script.n_events = 2);
    stream = reconnecting();
    expect_event(stream, 1);
    expect_event(stream, 2);
    SCRIPT(script.log = OTHER_LOG);
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_kind(stream, HCS_EVENT_SERVICE_RECONNECTED);
    expect_cursor(stream, "hcs1." OTHER_LOG ".2");
    hcs_stream_close(stream);
}

/* The service does not know any more what the stream was opened with. */
static void what_is_before_since_is_not_told_after_a_reconnect(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream *stream;

    (void) state;
    options.from = HCS_FROM_TIME;
    options.since_ns = 6; /* the events of the script are of 5 */
    options.flags = HCS_STREAM_RECONNECT;
    stream = stream_opened(&options);
    SCRIPT(script.n_events = 2);
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_kind(stream, HCS_EVENT_SERVICE_RECONNECTED);
    say("{\"gap\":{\"first\":3,\"last\":4}}");
    event = next(stream);
    assert_int_equal(event.kind, HCS_EVENT_GAP);
    expect_cursor(stream, "hcs1." LOG ".4");
    hcs_stream_close(stream);
}

/* Told of bookmarks, and without an event of the script before the moment. */
static hcs_stream *stream_since(uint64_t since_ns)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;

    options.from = HCS_FROM_TIME;
    options.since_ns = since_ns;
    options.flags = HCS_STREAM_RECONNECT;
    options.bookmark_ms = 500;
    return stream_opened(&options);
}

static void lose_and_find(hcs_stream *stream)
{
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_kind(stream, HCS_EVENT_SERVICE_RECONNECTED);
}

/* The first event of the moment was left out by a filter, and then the clock was set back. */
static void what_the_service_gives_is_not_too_early(void **state)
{
    hcs_stream *stream;

    (void) state;
    SCRIPT(script.n_events = 1);
    stream = stream_since(6);
    expect_event(stream, 1);
    SCRIPT(script.n_events = 2);
    lose_and_find(stream);
    expect_event(stream, 2);
    hcs_stream_close(stream);
}

static void a_bookmark_behind_the_moment_is_as_good_as_an_event(void **state)
{
    hcs_stream *stream = stream_since(6);

    (void) state;
    say(BOOKMARK(LOG, "0"));
    expect_kind(stream, HCS_EVENT_BOOKMARK);
    SCRIPT(script.n_events = 1);
    lose_and_find(stream);
    expect_event(stream, 1);
    hcs_stream_close(stream);
}

static void a_bookmark_before_the_moment_says_nothing_of_it(void **state)
{
    hcs_stream *stream = stream_since(UINT64_C(9000000000000000000)); /* in 2255 */

    (void) state;
    say(BOOKMARK(LOG, "0"));
    expect_kind(stream, HCS_EVENT_BOOKMARK);
    SCRIPT(script.n_events = 1);
    lose_and_find(stream);
    say("{\"gap\":{\"first\":2,\"last\":3}}");
    expect_kind(stream, HCS_EVENT_GAP);
    hcs_stream_close(stream);
}

static hcs_stream *stream_of_one(const char *id)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;

    options.system_id = id;
    options.flags = HCS_STREAM_RECONNECT;
    return stream_opened(&options);
}

static void the_same_incarnation_is_asked_for_again(void **state)
{
    hcs_stream *stream = stream_of_one("a");

    (void) state;
    expect_asked("{\"from\":\"now\",\"incarnation\":9,\"systemId\":\"a\"}");
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_kind(stream, HCS_EVENT_SERVICE_RECONNECTED);
    expect_asked("{\"after\":0,\"from\":\"after\",\"incarnation\":9,\"log\":\"" LOG
                 "\",\"systemId\":\"a\"}");
    hcs_stream_close(stream);
}

static void after_the_exit_nothing_is_tried_again(void **state)
{
    hcs_stream *stream;

    (void) state;
    SCRIPT(script.n_events = script.exit = 2);
    stream = stream_of_one("a");
    expect_event(stream, 1);
    expect_kind(stream, HCS_EVENT_SYSTEM_EXITED);
    SCRIPT(script.n_subscribed = 0);
    service_hang_up(&service);
    expect_end(stream, "the system has exited");
    assert_int_equal(count_subscribed(), 0);
    hcs_stream_close(stream);
}

/* The system is there, and whoever wanted its first event gets it, though the service was lost
 * before it was ready. */
static void a_stream_of_a_system_that_is_being_created_is_had_in_the_end(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    char cursor[HCS_CURSOR_SIZE];
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;
    hcs_op *op = NULL;

    (void) state;
    options.flags = HCS_STREAM_RECONNECT;
    SCRIPT(script.n_events = 1);
    SCRIPT(script.refuse = 2);
    assert_int_equal(hcs_system_create(host, "a", "{}", &system, &op, NULL), HCS_OK);
    assert_int_equal(hcs_stream_open_system(system, &options, &stream, NULL), HCS_OK);
    assert_int_equal(hcs_stream_cursor(stream, cursor, sizeof cursor, NULL),
                     HCS_E_OPERATION_PENDING);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_kind(stream, HCS_EVENT_SERVICE_RECONNECTED);
    expect_asked("{\"from\":\"beginning\",\"incarnation\":9,\"systemId\":\"a\"}");
    expect_event(stream, 1);
    hcs_stream_close(stream);
    hcs_op_close(op);
    hcs_system_close(system);
}

/* Nobody knows which system it would have been. */
static void a_creation_without_an_answer_ends_it(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;
    hcs_op *op = NULL;

    (void) state;
    options.flags = HCS_STREAM_RECONNECT;
    SCRIPT(script.lose_creation = true);
    assert_int_equal(hcs_system_create(host, "a", "{}", &system, &op, NULL), HCS_OK);
    assert_int_equal(hcs_stream_open_system(system, &options, &stream, NULL), HCS_OK);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    expect_end(stream, "the service was disconnected");
    assert_int_equal(count_subscribed(), 0);
    hcs_stream_close(stream);
    hcs_op_close(op);
    hcs_system_close(system);
}

/* ---- an end while the service is away ---- */

static hcs_stream *stream_away(void)
{
    hcs_stream *stream = reconnecting();

    SCRIPT(script.refuse = UINT32_MAX);
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    return stream;
}

THREAD_FUNCTION(end_main, context)
{
    hcs_stream_end(context);
    THREAD_RETURN;
}

static void end_from_another_thread_while_the_service_is_away(void **state)
{
    (void) state;
    for (int i = 0; i < 20; i++) {
        hcs_stream *stream = stream_away();
        thread ending;

        /* Some of them while an attempt is under way. */
        if (i % 2)
            assert_true(readable(stream, 20000));
        thread_start(&ending, end_main, stream);
        expect_end(stream, "closed");
        thread_join(ending);
        assert_false(readable(stream, 0));
        hcs_stream_close(stream);
        SCRIPT(script.refuse = 0);
    }
}

static void close_while_the_service_is_away(void **state)
{
    (void) state;
    hcs_stream_close(stream_away());
}

static void a_handle_that_is_closed_ends_it_while_the_service_is_away(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;

    (void) state;
    options.flags = HCS_STREAM_RECONNECT;
    assert_int_equal(hcs_system_open(host, "a", &system, NULL), HCS_OK);
    assert_int_equal(hcs_stream_open_system(system, &options, &stream, NULL), HCS_OK);
    SCRIPT(script.refuse = UINT32_MAX);
    service_hang_up(&service);
    expect_kind(stream, HCS_EVENT_SERVICE_DISCONNECT);
    hcs_system_close(system);
    expect_end(stream, "the system's handle was closed");
    hcs_stream_close(stream);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(options_reach_the_service),
        T(what_cannot_be_meant_is_refused_by_name),
        T(a_filter_that_cannot_be_meant_is_refused_by_name),
        T(the_cursor_is_behind_what_was_given_last),
        T(a_log_that_no_cursor_can_say_has_none),
        T(bookmarks_move_the_cursor_and_are_told_when_wanted),
        T(a_snapshot_says_where_it_stands),
        T(cut_at_every_byte_nothing_is_lost_and_nothing_twice),
        T(cut_before_ready_it_cannot_be_opened),
        T(attempts_that_fail_are_not_told),
#ifndef _WIN32
        T(a_child_that_has_the_connection_wakes_nobody),
#endif
        T(a_service_that_is_full_is_asked_again_and_one_that_refuses_ends_it),
        T(nonsense_ends_it_and_is_not_asked_for_again),
        T(another_log_is_gone_over_to),
        T(what_is_before_since_is_not_told_after_a_reconnect),
        T(what_the_service_gives_is_not_too_early),
        T(a_bookmark_behind_the_moment_is_as_good_as_an_event),
        T(a_bookmark_before_the_moment_says_nothing_of_it),
        T(the_same_incarnation_is_asked_for_again),
        T(after_the_exit_nothing_is_tried_again),
        T(a_stream_of_a_system_that_is_being_created_is_had_in_the_end),
        T(a_creation_without_an_answer_ends_it),
        T(end_from_another_thread_while_the_service_is_away),
        T(close_while_the_service_is_away),
        T(a_handle_that_is_closed_ends_it_while_the_service_is_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
