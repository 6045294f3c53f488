/* report_test.c - the promises of report.h: no number is made up, and documents stay as they came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <hcs/hcs.h>

#include "report.h"

static hcs_exit exit_of(hcs_exit_how how, uint32_t code, int number)
{
    hcs_exit report = HCS_EXIT_INIT;

    report.how = how;
    report.code = code;
    report.signal = number;
    return report;
}

static hcs_event event_of(hcs_event_kind kind, const char *detail)
{
    hcs_event event = HCS_EVENT_INIT;

    event.kind = kind;
    event.sequence = 7;
    event.realtime_ns = 1700000000123456789u;
    event.monotonic_ns = 5;
    event.system = (hcs_event_system){ "web", 3, "me", "Container", "namespaces" };
    event.detail = detail;
    event.detail_length = strlen(detail);
    return event;
}

static void exit_status_is_that_of_a_shell(void **state)
{
    hcs_exit report = exit_of(HCS_EXIT_CODE, 42, 0);

    (void) state;
    assert_int_equal(report_exit_status(&report), 42);
    report = exit_of(HCS_EXIT_SIGNAL, 0, 11);
    assert_int_equal(report_exit_status(&report), 139);
    report = exit_of(HCS_EXIT_UNKNOWN, 0, 0);
    assert_int_equal(report_exit_status(&report), 125);
    report = exit_of(HCS_EXIT_STATUS, 0, 0);
    assert_int_equal(report_exit_status(&report), 125);
}

static void failure_to_start_is_told_as_docker_does(void **state)
{
    (void) state;
    assert_int_equal(report_failure_status(HCS_E_WIN32_FILE_NOT_FOUND), 127);
    assert_int_equal(report_failure_status(HCS_E_WIN32_ACCESS_DENIED), 126);
    assert_int_equal(report_failure_status(HCS_E_SERVICE_DISCONNECT), 125);
    assert_int_equal(report_failure_status(HCS_E_WIN32_PATH_NOT_FOUND), 125);
}

static void assert_words(const hcs_event *event, const char *expected)
{
    char *words = report_event_words(event, 0);

    assert_string_equal(words, expected);
    free(words);
}

static void events_are_told_in_words(void **state)
{
    hcs_event e = event_of(HCS_EVENT_SYSTEM_CREATED, "");

    (void) state;
    assert_words(&e, "container created, owner me");
    e.system.isolation = "none";
    assert_words(&e, "container created, owner me, without isolation");
    e = event_of(HCS_EVENT_PROCESS_STARTED, "{\"CommandArgs\":[\"sh\",\"-c\",\"exit 42\"]}");
    e.process_id = 1234;
    assert_words(&e, "process 1234 started: sh -c 'exit 42'");
    e = event_of(HCS_EVENT_PROCESS_EXITED, "");
    e.process_id = 1234;
    e.has_exit = 1;
    e.exit = exit_of(HCS_EXIT_CODE, 42, 0);
    assert_words(&e, "process 1234 exited: code 42");
    e.exit = exit_of(HCS_EXIT_SIGNAL, 0, 11);
    assert_words(&e, "process 1234 exited: signal 11 (SEGV)");
    e.exit = exit_of(HCS_EXIT_UNKNOWN, 0, 0);
    strcpy(e.exit.reason, "the keeper was killed");
    assert_words(&e, "process 1234 exited: unknown: the keeper was killed");
    e = event_of(HCS_EVENT_GAP, "");
    e.gap_first = 5;
    e.gap_last = 9;
    assert_words(&e, "EVENTS ARE MISSING: 5 to 9 (5), the log of the service no longer has them");
    e = event_of(0x1234, "{\"A\":1}");
    assert_words(&e, "{\"A\":1}");
}

static void detail_is_handed_on_with_its_numbers(void **state)
{
    hcs_event e = event_of(HCS_EVENT_PROCESS_EXITED,
                           "{\"ExitCode\":42,\n \"Big\":18446744073709551615, \"R\":1.10}");
    char *line;

    (void) state;
    e.process_id = 9;
    e.has_exit = 1;
    e.exit = exit_of(HCS_EXIT_CODE, 42, 0);
    line = report_event_json(&e, "");
    assert_string_equal(line, "{\"sequence\":7,\"kind\":65536,\"name\":\"ProcessExited\","
                              "\"realtimeNs\":1700000000123456789,\"monotonicNs\":5,"
                              "\"system\":{\"id\":\"web\",\"incarnation\":3,\"owner\":\"me\","
                              "\"type\":\"Container\",\"isolation\":\"namespaces\"},"
                              "\"processId\":9,\"exit\":{\"how\":\"code\",\"code\":42},"
                              "\"detail\":{\"ExitCode\":42,  \"Big\":18446744073709551615, "
                              "\"R\":1.10}}");
    free(line);
}

static void lines_are_lines_and_json(void **state)
{
    static const char *const details[] = { "",          "{}",        "no json\n",
                                           "[1,\r\n2]", "\"a\\nb\"", "{\"a\":" };

    (void) state;
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        hcs_event e = event_of(0x4C48FFFF, details[i]);
        char *line = report_event_json(&e, "");
        json_t *json = json_loads(line, 0, NULL);

        assert_null(strchr(line, '\n'));
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "name")), "0x4C48FFFF");
        assert_int_equal(json_object_get(json, "detail") != NULL, details[i][0] != '\0');
        json_decref(json);
        free(line);
    }
}

static void exit_report_of_properties_is_read(void **state)
{
    json_t *json = json_pack("{s:s, s:i, s:s, s:s, s:i}", "how", "status", "status", -2143878911,
                             "type", "forced", "initiator", "client", "oomKills", 2);
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    assert_int_equal(report_exit_from_json(json, &report), 0);
    assert_int_equal(report.how, HCS_EXIT_STATUS);
    assert_int_equal(report.status, -2143878911);
    assert_int_equal(report.type, HCS_EXIT_TYPE_FORCED);
    assert_int_equal(report.initiator, HCS_INITIATOR_CLIENT);
    assert_int_equal(report.oom_kills, 2);
    json_decref(json);
    assert_int_equal(report_exit_from_json(NULL, &report), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_status_is_that_of_a_shell),
        cmocka_unit_test(failure_to_start_is_told_as_docker_does),
        cmocka_unit_test(events_are_told_in_words),
        cmocka_unit_test(detail_is_handed_on_with_its_numbers),
        cmocka_unit_test(lines_are_lines_and_json),
        cmocka_unit_test(exit_report_of_properties_is_read),
    };

    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
