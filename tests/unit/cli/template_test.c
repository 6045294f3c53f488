/* template_test.c - the promises of template.h: fields, and what is not understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "template.h"
#include "written.h"

#define CURSOR "hcs1.00112233445566778899aabbccddeeff.7"

static hcs_event event_of(hcs_event_kind kind, const char *detail)
{
    hcs_event event = HCS_EVENT_INIT;

    event.kind = kind;
    event.sequence = 7;
    event.realtime_ns = 1700000000123456789u;
    event.monotonic_ns = 5;
    event.system = (hcs_event_system){ "web", 3, "m\"e", "Container", "namespaces" };
    event.detail = detail;
    event.detail_length = strlen(detail);
    event.host_id = "h";
    event.log_id = "l";
    event.boot_id = "b";
    return event;
}

static hcs_event exit_event(void)
{
    hcs_event event = event_of(HCS_EVENT_PROCESS_EXITED, "{\"ExitCode\":42}");

    event.process_id = 12;
    event.has_exit = 1;
    event.exit.how = HCS_EXIT_CODE;
    event.exit.code = 42;
    return event;
}

/* Owned. */
static char *line_of(const char *template, const hcs_event *event, int reconnects)
{
    char problem[OPTION_PROBLEM] = "";
    struct template *t = template_parse(template, problem);
    FILE *f = tmpfile();

    if (!t)
        fail_msg("%s", problem);
    assert_non_null(f);
    assert_int_equal(template_print(t, f, event, CURSOR, reconnects), 0);
    template_drop(t);
    return written(f);
}

static void expect(const char *template, const hcs_event *event, const char *expected)
{
    char *line = line_of(template, event, 0);

    assert_string_equal(line, expected);
    free(line);
}

static void a_service_that_is_gone_is_waited_for_or_not(void **state)
{
    hcs_event event = event_of(HCS_EVENT_SERVICE_DISCONNECT, "");
    char *waits = line_of("{{.Message}}", &event, 1), *ends = line_of("{{.Message}}", &event, 0);

    (void) state;
    assert_string_equal(waits, "the service is gone: waiting for it to come back");
    assert_string_equal(ends, "THE SERVICE IS GONE: what happens from here on is not seen");
    free(waits);
    free(ends);
}

static void it_is_known_whether_the_kind_is_told(void **state)
{
    static const struct {
        const char *text;
        int tells;
    } rows[] = {
        { "{{.ID}} {{.Exit}} {{json .Detail}}", 0 },
        { "Kind", 0 },
        { "{{.ID}} {{.Kind}}", 1 },
        { "{{json .KindNumber}}", 1 },
        { "{{.Message}}", 1 },
        { "{{.GapFirst}}", 1 },
        { "{{.GapLast}}", 1 },
        { "{{json .}}", 1 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char problem[OPTION_PROBLEM] = "";
        struct template *t = template_parse(rows[i].text, problem);

        assert_non_null(t);
        if (template_tells_kind(t) != rows[i].tells)
            fail_msg("%s", rows[i].text);
        template_drop(t);
    }
}

static void fields_are_what_they_say(void **state)
{
    hcs_event e = exit_event();

    (void) state;
    expect("", &e, "");
    expect("plain", &e, "plain");
    expect("{{.ID}} {{.Kind}} {{.Exit}}", &e, "web ProcessExited code 42");
    expect("{{ .ID }}\\t{{.Sequence}}\\n\\\\t\\x", &e, "web\t7\n\\t\\x");
    expect("{{.KindNumber}}|{{.Time}}|{{.TimeNano}}|{{.MonotonicNano}}", &e,
           "65536|2023-11-14T22:13:20.123456789Z|1700000000123456789|5");
    expect("{{.ExitHow}}|{{.ExitCode}}|{{.Signal}}|{{.ProcessID}}|{{.Message}}", &e,
           "code|42||12|process 12 exited: code 42");
    expect("{{.Owner}}|{{.Type}}|{{.Isolation}}|{{.Incarnation}}", &e,
           "m\"e|Container|namespaces|3");
    expect("{{.Detail}}|{{.Cursor}}|{{.Host}}|{{.Log}}|{{.Boot}}", &e,
           "{\"ExitCode\":42}|" CURSOR "|h|l|b");
    expect("{{.GapFirst}}{{.GapLast}}{{.Signal}}", &e, "");
    e.exit.how = HCS_EXIT_SIGNAL;
    e.exit.signal = 9;
    expect("{{.ExitHow}}|{{.ExitCode}}|{{.Signal}}", &e, "signal||9");
    e = event_of(HCS_EVENT_GAP, "");
    e.gap_first = 3;
    e.gap_last = 5;
    expect("{{.GapFirst}}-{{.GapLast}}{{.Exit}}{{.ExitHow}}", &e, "3-5");
}

static void json_is_json(void **state)
{
    hcs_event e = exit_event();
    char *line;
    json_t *json;

    (void) state;
    expect("{{json .Owner}} {{json  .ExitCode }} {{json .Signal}} {{json .Detail}}", &e,
           "\"m\\\"e\" 42 null {\"ExitCode\":42}");
    line = line_of("{{json .}}", &e, 0);
    json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "cursor")), CURSOR);
    assert_string_equal(json_string_value(json_object_get(json, "logId")), "l");
    assert_string_equal(json_string_value(json_object_get(json, "name")), "ProcessExited");
    json_decref(json);
    free(line);
}

static void no_text_of_a_container_steers_the_terminal(void **state)
{
    hcs_event e = event_of(0x12345678, "\x1b[2J");

    (void) state;
    e.system.owner = "a\nb\x1b[31m";
    expect("{{.Owner}} {{.Detail}} {{.Kind}}", &e, "a\\x0ab\\x1b[31m \\x1b[2J 0x12345678");
    expect("{{json .Detail}}", &e, "\"\\u001B[2J\"");
}

static void what_is_not_understood_is_refused_by_name(void **state)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        { "{{.Colour}}", "there is no field '.Colour'; there are .ID, .Kind, .KindNumber" },
        { "{{.Id}}", "there is no field '.Id', did you mean '.ID'?" },
        { "{{json .Kin}}", "there is no field '.Kin', did you mean '.Kind'?" },
        { "{{.ID", "the '{{' at character 1 is not closed by '}}'" },
        { "abc {{.ID}} {{", "the '{{' at character 13 is not closed" },
        { "{{}}", "'{{}}' is not understood: write {{.FIELD}}, {{json .FIELD}} or {{json .}}" },
        { "{{.}}", "'{{.}}' is not understood" },
        { "{{json}}", "'{{json}}' is not understood" },
        { "{{upper .ID}}", "'{{upper .ID}}' is not understood" },
        { "{{ID}}", "'{{ID}}' is not understood" },
        { "{{.ID | upper}}", "there is no field '.ID | upper'" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char problem[OPTION_PROBLEM] = "";

        assert_null(template_parse(rows[i].text, problem));
        if (!strstr(problem, rows[i].problem))
            fail_msg("'%s' gives: %s", rows[i].text, problem);
    }
}

/* The list in the manual is this one: see tests/integration. */
static void every_field_is_listed(void **state)
{
    char list[400], small[10];

    (void) state;
    assert_non_null(strstr(template_fields(list, sizeof list), ".ID, .Kind, "));
    assert_non_null(strstr(list, ", .Boot"));
    assert_int_equal(strlen(template_fields(small, sizeof small)), sizeof small - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_that_is_gone_is_waited_for_or_not),
        cmocka_unit_test(it_is_known_whether_the_kind_is_told),
        cmocka_unit_test(fields_are_what_they_say),
        cmocka_unit_test(json_is_json),
        cmocka_unit_test(no_text_of_a_container_steers_the_terminal),
        cmocka_unit_test(what_is_not_understood_is_refused_by_name),
        cmocka_unit_test(every_field_is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
