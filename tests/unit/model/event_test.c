/* Events to JSON and back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "event.h"
#include "event_same.h"
#include "exit.h"

#define SYSTEM                                                                                     \
    "\"system\":{\"id\":\"web\",\"incarnation\":7,\"owner\":\"me\",\"type\":\"Container\","        \
    "\"isolation\":\"namespaces\"}"

static hcs_event sample(void)
{
    hcs_event event = HCS_EVENT_INIT;

    event.kind = HCS_EVENT_PROCESS_EXITED;
    event.sequence = 12;
    event.realtime_ns = 1700000000000000001;
    event.monotonic_ns = 55;
    event.system = (hcs_event_system){ "web", 7, "me", "Container", "namespaces" };
    return event;
}

static char *encode(const hcs_event *event, struct buf *b)
{
    assert_int_equal(event_encode(event, b), HCS_OK);
    return b->data;
}

static void fields_come_in_the_order_of_the_interface(void **state)
{
    _cleanup_(buf_done) struct buf b;
    hcs_event event = sample();

    (void) state;
    buf_init(&b, 4096);
    event.process_id = 99;
    event.has_exit = 1;
    event.exit = exit_from_wait_status(3 << 8);
    event.detail = "{\"ProcessId\":99}";
    event.detail_length = strlen(event.detail);
    assert_string_equal(
        encode(&event, &b),
        "{\"sequence\":12,\"kind\":65536,\"name\":\"ProcessExited\","
        "\"realtimeNs\":1700000000000000001,\"monotonicNs\":55," SYSTEM ",\"processId\":99,"
        "\"exit\":{\"how\":\"code\",\"code\":3},\"detail\":\"{\\\"ProcessId\\\":99}\"}");
}

static void what_an_event_does_not_have_is_left_out(void **state)
{
    _cleanup_(buf_done) struct buf b;
    hcs_event event = sample();

    (void) state;
    buf_init(&b, 4096);
    event.kind = HCS_EVENT_SYSTEM_STARTED;
    assert_string_equal(encode(&event, &b),
                        "{\"sequence\":12,\"kind\":1279787010,\"name\":\"SystemStarted\","
                        "\"realtimeNs\":1700000000000000001,\"monotonicNs\":55," SYSTEM "}");
}

static void check_round_trip(const hcs_event *event)
{
    _cleanup_(buf_done) struct buf b;
    hcs_event back = HCS_EVENT_INIT;
    json_error_t where;
    json_t *json;

    buf_init(&b, 1 << 20);
    json = json_loads(encode(event, &b), JSON_REJECT_DUPLICATES, &where);
    assert_non_null(json);
    assert_int_equal(event_view(json, &back, NULL), HCS_OK);
    check_same(event, &back);
    json_decref(json);
}

static void events_make_the_round_trip(void **state)
{
    hcs_event event = sample();
    char detail[256];

    (void) state;
    check_round_trip(&event);
    event.sequence = event.realtime_ns = event.monotonic_ns = INT64_MAX;
    event.system.incarnation = INT64_MAX;
    event.kind = UINT32_MAX;
    event.process_id = UINT32_MAX;
    event.has_exit = 1;
    event.exit = exit_unknown("nobody \"knows\" \\ why");
    check_round_trip(&event);
    /* every character of ASCII, and one of each longer kind */
    for (int i = 1; i < 128; i++)
        detail[i - 1] = (char) i;
    strcpy(detail + 127, "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    event.detail = detail;
    event.detail_length = strlen(detail);
    event.system.owner = "line\nbreak \"quoted\" \\ \x01\x1F\x7F \xC2\x9B";
    check_round_trip(&event);
}

static void a_kind_we_do_not_know_is_delivered_raw(void **state)
{
    _cleanup_(buf_done) struct buf b;
    hcs_event event = sample();

    (void) state;
    buf_init(&b, 4096);
    event.kind = 0x77;
    assert_non_null(strstr(encode(&event, &b), "\"kind\":119,\"name\":\"Unknown\""));
    check_round_trip(&event);
}

static void what_is_not_utf8_becomes_a_replacement(void **state)
{
    _cleanup_(buf_done) struct buf b;
    hcs_event event = sample(), back = HCS_EVENT_INIT;
    json_t *json;

    (void) state;
    buf_init(&b, 4096);
    event.system.owner = "a\xFF"
                         "b\xE2\x82";
    event.detail = "x\0y";
    event.detail_length = 3;
    json = json_loads(encode(&event, &b), 0, NULL);
    assert_non_null(json);
    assert_int_equal(event_view(json, &back, NULL), HCS_OK);
    assert_string_equal(back.system.owner, "a\xEF\xBF\xBD"
                                           "b\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_string_equal(back.detail, "x\xEF\xBF\xBDy");
    json_decref(json);
}

static void a_full_buffer_keeps_what_it_had(void **state)
{
    hcs_event event = sample();
    size_t whole;

    (void) state;
    event.has_exit = 1;
    event.exit = exit_from_wait_status(9);
    event.detail = "tail";
    event.detail_length = 4;
    {
        _cleanup_(buf_done) struct buf b;

        buf_init(&b, 4096);
        encode(&event, &b);
        whole = b.length;
    }
    for (size_t ceiling = 4; ceiling < 4 + whole; ceiling++) {
        _cleanup_(buf_done) struct buf b;

        buf_init(&b, ceiling);
        assert_int_equal(buf_append_string(&b, "head"), HCS_OK);
        assert_int_equal(event_encode(&event, &b), HCS_E_WIN32_INSUFFICIENT_BUFFER);
        assert_string_equal(b.data, "head");
        assert_int_equal(b.length, 4);
    }
}

static void numbers_that_json_readers_cannot_hold_are_refused(void **state)
{
    _cleanup_(buf_done) struct buf b;
    hcs_event event = sample();

    (void) state;
    buf_init(&b, 4096);
    event.sequence = (uint64_t) INT64_MAX + 1;
    assert_int_equal(event_encode(&event, &b), HCS_E_INVALIDARG);
    event = sample();
    event.system.incarnation = UINT64_MAX;
    assert_int_equal(event_encode(&event, &b), HCS_E_INVALIDARG);
    assert_int_equal(b.length, 0);
}

/* The engine sets this much aside for the exit event of each system. */
static void the_largest_exit_event_has_a_known_size(void **state)
{
    _cleanup_(buf_done) struct buf b;
    hcs_event event = sample();
    char id[129], owner[129], reason[400], *detail;

    (void) state;
    buf_init(&b, 1 << 16);
    memset(id, 'i', 128);
    id[128] = '\0';
    memset(owner, 1, 128);
    owner[128] = '\0';
    memset(reason, '"', sizeof reason);
    reason[sizeof reason - 1] = '\0';
    event.kind = HCS_EVENT_SYSTEM_EXITED;
    event.sequence = event.realtime_ns = event.monotonic_ns = INT64_MAX;
    event.system.id = id;
    event.system.owner = owner;
    event.system.incarnation = INT64_MAX;
    event.has_exit = 1;
    event.exit = exit_unknown(reason);
    event.exit.type = HCS_EXIT_TYPE_UNKNOWN;
    event.exit.initiator = HCS_INITIATOR_UNKNOWN;
    event.exit.oom_kills = INT64_MAX;
    detail = exit_system_status(&event.exit);
    event.detail = detail;
    event.detail_length = strlen(detail);
    encode(&event, &b);
    assert_true(b.length <= 1024 + 6 * strlen(owner));
    free(detail);

    b.length = 0;
    event.exit = exit_of_system(HCS_E_TERMINATED_DURING_START, HCS_EXIT_TYPE_UNEXPECTED,
                                HCS_INITIATOR_INTERNAL);
    event.exit.oom_kills = INT64_MAX;
    detail = exit_system_status(&event.exit);
    event.detail = detail;
    event.detail_length = strlen(detail);
    encode(&event, &b);
    assert_true(b.length <= 1024 + 6 * strlen(owner));
    free(detail);
}

#define HEAD                                                                                       \
    "\"sequence\":1,\"kind\":1,\"name\":\"SystemExited\",\"realtimeNs\":1,\"monotonicNs\":1,"

static hcs_result view(const char *text, hcs_event *out, json_t **json, hcs_error *err)
{
    *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(*json);
    return event_view(*json, out, err);
}

static void malformed_events_are_refused_by_name(void **state)
{
    static const struct {
        const char *json;
        const char *text;
    } bad[] = {
        { "[]", "event must be an object" },
        { "{}", "event.sequence is missing" },
        { "{\"sequence\":\"1\"}", "event.sequence must be an integer" },
        { "{\"sequence\":-1}", "event.sequence is out of range" },
        { "{\"sequence\":1,\"kind\":4294967296}", "event.kind is out of range" },
        { "{" HEAD "\"system\":7}", "system must be an object" },
        { "{" HEAD "\"x\":7}", "system must be an object" },
        { "{" HEAD "\"system\":{\"id\":3}}", "system.id must be a string" },
        { "{" HEAD "\"system\":{\"id\":\"a\",\"incarnation\":-2}}",
          "system.incarnation is out of range" },
        { "{" HEAD SYSTEM ",\"processId\":4294967296}", "event.processId is out of range" },
        { "{" HEAD SYSTEM ",\"processId\":\"1\"}", "event.processId must be an integer" },
        { "{" HEAD SYSTEM ",\"exit\":1}", "exit must be an object" },
        { "{" HEAD SYSTEM ",\"exit\":{\"how\":\"code\"}}", "exit.code is missing" },
        { "{" HEAD SYSTEM ",\"detail\":{}}", "event.detail must be a string" },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        hcs_event out = HCS_EVENT_INIT, untouched = HCS_EVENT_INIT;
        hcs_error err = HCS_ERROR_INIT;
        json_t *json;

        assert_int_equal(view(bad[i].json, &out, &json, &err), HCS_E_INVALID_JSON);
        assert_string_equal(err.text, bad[i].text);
        assert_memory_equal(&out, &untouched, sizeof out);
        json_decref(json);
    }
}

static void fields_of_a_newer_service_do_not_disturb(void **state)
{
    hcs_event out = HCS_EVENT_INIT;
    json_t *json;

    (void) state;
    assert_int_equal(view("{" HEAD SYSTEM ",\"new\":{\"a\":[1]},\"exit\":null,\"detail\":null,"
                          "\"processId\":null}",
                          &out, &json, NULL),
                     HCS_OK);
    assert_int_equal(out.has_exit, 0);
    assert_int_equal(out.process_id, 0);
    assert_string_equal(out.detail, "");
    assert_int_equal(out.detail_length, 0);
    assert_string_equal(out.system.id, "web");
    json_decref(json);
}

static void a_system_makes_the_round_trip(void **state)
{
    hcs_event_system system = { "web", INT64_MAX, "", "Container", "none" }, back = { 0 };
    json_t *json = event_system_to_json(&system);

    (void) state;
    assert_non_null(json);
    assert_int_equal(event_system_view(json, &back, NULL), HCS_OK);
    assert_string_equal(back.id, "web");
    assert_int_equal(back.incarnation, INT64_MAX);
    assert_string_equal(back.owner, "");
    assert_string_equal(back.isolation, "none");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_in_the_order_of_the_interface),
        cmocka_unit_test(what_an_event_does_not_have_is_left_out),
        cmocka_unit_test(events_make_the_round_trip),
        cmocka_unit_test(a_kind_we_do_not_know_is_delivered_raw),
        cmocka_unit_test(what_is_not_utf8_becomes_a_replacement),
        cmocka_unit_test(a_full_buffer_keeps_what_it_had),
        cmocka_unit_test(numbers_that_json_readers_cannot_hold_are_refused),
        cmocka_unit_test(the_largest_exit_event_has_a_known_size),
        cmocka_unit_test(malformed_events_are_refused_by_name),
        cmocka_unit_test(fields_of_a_newer_service_do_not_disturb),
        cmocka_unit_test(a_system_makes_the_round_trip),
    };

    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
