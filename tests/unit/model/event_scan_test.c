/* event_scan_test.c - an event from the text of its frame is the one that JSON gives, or none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "event_same.h"
#include "exit.h"

static hcs_event sample(void)
{
    static const char detail[] = "{\"ProcessId\":99,\"path\":\"C:\\\\a\"}\t\n";
    hcs_event event = HCS_EVENT_INIT;

    event.kind = HCS_EVENT_PROCESS_EXITED;
    event.sequence = 12;
    event.realtime_ns = 1700000000000000001;
    event.monotonic_ns = 55;
    event.system = (hcs_event_system){ "web", 7, "", "Container", "namespaces" };
    event.process_id = 99;
    event.has_exit = 1;
    event.exit = exit_from_wait_status(3 << 8);
    event.detail = detail;
    event.detail_length = sizeof detail - 1;
    return event;
}

/* The answer of the service, owned. */
static char *frame_of(const hcs_event *event)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    assert_int_equal(buf_append_string(&b, "{\"parameters\":{\"event\":"), HCS_OK);
    assert_int_equal(event_encode(event, &b), HCS_OK);
    assert_int_equal(buf_append_string(&b, "},\"continues\":true}"), HCS_OK);
    return b.data;
}

/* What it gives of @frame is what JSON gives; 1 when it gives something. */
static int check_frame(const char *frame, size_t n)
{
    char *text = malloc(n + 1); /* so that the address sanitizer sees each step beyond */
    hcs_event scanned = HCS_EVENT_INIT, viewed = HCS_EVENT_INIT;
    json_t *json;
    int r;

    memcpy(text, frame, n);
    text[n] = 0;
    r = event_scan(text, n, &scanned);
    if (r) {
        json = json_loadb(frame, n, JSON_REJECT_DUPLICATES, NULL);
        if (!json)
            fail_msg("scanned, and no JSON: %.*s", (int) n, frame);
        assert_true(json_is_true(json_object_get(json, "continues")));
        assert_int_equal(event_view(json_object_get(json_object_get(json, "parameters"), "event"),
                                    &viewed, NULL),
                         HCS_OK);
        check_same(&scanned, &viewed);
        json_decref(json);
    }
    free(text);
    return r;
}

static void check_event(const hcs_event *event, int expected)
{
    char *frame = frame_of(event);

    assert_int_equal(check_frame(frame, strlen(frame)), expected);
    free(frame);
}

static void what_the_service_writes_is_scanned(void **state)
{
    hcs_event event = sample();

    (void) state;
    check_event(&event, 1);
    event.sequence = event.realtime_ns = event.monotonic_ns = event.system.incarnation = INT64_MAX;
    event.kind = event.process_id = UINT32_MAX;
    check_event(&event, 1);
    event.exit = exit_from_wait_status(11 | 0x80);
    check_event(&event, 1);
    event.exit = exit_unknown("nobody \"knows\" \\ why");
    check_event(&event, 1);
    event.kind = HCS_EVENT_SYSTEM_EXITED;
    event.process_id = 0;
    event.exit = exit_of_system(HCS_E_TERMINATED, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_INTERNAL);
    check_event(&event, 1);
    event.exit.oom_kills = 3;
    check_event(&event, 1);
    event = sample();
    event.has_exit = 0;
    event.process_id = 0;
    event.detail_length = 0;
    check_event(&event, 1);
}

/* Rare, and left to JSON. */
static void what_is_not_ascii_is_not(void **state)
{
    hcs_event event = sample();

    (void) state;
    event.system.owner = "J\xC3\xBCrgen";
    check_event(&event, 0);
    event.system.owner = "bell \x07";
    check_event(&event, 0);
}

static void a_frame_that_is_cut_is_not_scanned(void **state)
{
    hcs_event event = sample();
    char *frame = frame_of(&event);

    (void) state;
    for (size_t n = 0; n < strlen(frame); n++)
        assert_int_equal(check_frame(frame, n), 0);
    free(frame);
}

/* Each byte as each other, but for NUL, at which a frame ends: what is still scanned is still what
 * JSON says. */
static void a_frame_with_another_byte_is_what_json_says_or_nothing(void **state)
{
    hcs_event event = sample();
    char *frame;
    int n_scanned = 0;
    size_t n;

    (void) state;
    for (int with_exit = 0; with_exit <= 1; with_exit++) {
        event.exit = with_exit
                         ? exit_of_system(HCS_OK, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_CLIENT)
                         : exit_from_wait_status(3 << 8);
        frame = frame_of(&event);
        n = strlen(frame);
        for (size_t i = 0; i < n; i++)
            for (int c = 1; c < 256; c++) {
                char before = frame[i];

                frame[i] = (char) c;
                n_scanned += check_frame(frame, n);
                frame[i] = before;
            }
        free(frame);
    }
    assert_true(n_scanned > 1000);
}

static void numbers_out_of_range_are_not_scanned(void **state)
{
    static const char *const bad[] = {
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999",
        "-1",
        "01",
        "",
        "1.0",
        "1e3",
    };
    char frame[512];

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        snprintf(frame, sizeof frame,
                 "{\"parameters\":{\"event\":{\"sequence\":%s,\"kind\":1,\"name\":\"\","
                 "\"realtimeNs\":1,\"monotonicNs\":1,\"system\":{\"id\":\"\",\"incarnation\":0,"
                 "\"owner\":\"\",\"type\":\"\",\"isolation\":\"\"}}},\"continues\":true}",
                 bad[i]);
        assert_int_equal(check_frame(frame, strlen(frame)), 0);
    }
}

static void other_answers_are_not_scanned(void **state)
{
    static const char *const others[] = {
        "{\"parameters\":{\"gap\":{\"first\":1,\"last\":2}},\"continues\":true}",
        "{\"parameters\":{\"end\":\"x\"}}",
        "{\"error\":\"org.libhcs.ComputeService.Failed\"}",
        "{}",
        "",
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(others); i++)
        assert_int_equal(check_frame(others[i], strlen(others[i])), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_service_writes_is_scanned),
        cmocka_unit_test(what_is_not_ascii_is_not),
        cmocka_unit_test(a_frame_that_is_cut_is_not_scanned),
        cmocka_unit_test(a_frame_with_another_byte_is_what_json_says_or_nothing),
        cmocka_unit_test(numbers_out_of_range_are_not_scanned),
        cmocka_unit_test(other_answers_are_not_scanned),
    };

    return cmocka_run_group_tests_name("event_scan", tests, NULL, NULL);
}
