/* metrics_test.c - promises of metrics.h: what Prometheus would not read is never written, and what
 * the status does not say is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "written.h"

static char *printed(const char *status)
{
    json_t *json = json_loads(status, 0, NULL);
    FILE *to = tmpfile();

    assert_non_null(json);
    assert_non_null(to);
    metrics_print(to, json);
    json_decref(json);
    return written(to);
}

static void expect(const char *status, const char *line)
{
    char *text = printed(status);

    if (!strstr(text, line))
        fail_msg("not there: %s\nbut:\n%s", line, text);
    free(text);
}

static void expect_no(const char *status, const char *part)
{
    char *text = printed(status);

    if (strstr(text, part))
        fail_msg("there: %s\n%s", part, text);
    free(text);
}

static void labels_are_escaped(void **state)
{
    (void) state;
    expect("{\"version\":\"a\\\"b\\\\c\\nd\"}",
           "\nhcs_service_info{version=\"a\\\"b\\\\c\\nd\"} 1\n");
    expect("{}", "\nhcs_service_info 1\n");
    expect("{\"version\":\"1\",\"log\":{\"id\":\"x\"},\"host\":\"h\"}",
           "{version=\"1\",log=\"x\",host=\"h\"} 1\n");
}

static void what_is_not_said_is_not_there(void **state)
{
    (void) state;
    expect_no("{}", "hcs_uptime_seconds");
    expect_no("{}", "hcs_systems");
    expect_no("{\"users\":[],\"readers\":{\"list\":[]}}", "hcs_user");
    expect_no("{\"uptimeNs\":\"soon\"}", "hcs_uptime_seconds");
    expect_no("{\"log\":{\"stuck\":1}}", "hcs_log_stuck");
}

static void nanoseconds_become_seconds_exactly(void **state)
{
    (void) state;
    expect("{\"startedNs\":1795521583124228710}",
           "\nhcs_start_time_seconds 1795521583.124228710\n");
    expect("{\"uptimeNs\":5}", "\nhcs_uptime_seconds 0.000000005\n");
}

static void flags_are_0_and_1(void **state)
{
    (void) state;
    expect("{\"log\":{\"stuck\":true}}", "\nhcs_log_stuck 1\n");
    expect("{\"log\":{\"stuck\":false}}", "\nhcs_log_stuck 0\n");
}

static void users_and_readers_have_their_labels(void **state)
{
    static const char status[] =
        "{\"users\":[{\"uid\":1000,\"used\":{\"streams\":1},\"limits\":{\"streams\":9}},"
        "{\"used\":{\"streams\":2},\"limits\":{\"streams\":8}}],"
        "\"readers\":{\"list\":[{\"reader\":7,\"uid\":1000,\"lag\":3},{\"reader\":8,\"lag\":0}]}}";

    (void) state;
    expect(status, "\n# TYPE hcs_user_streams gauge\nhcs_user_streams{user=\"1000\"} 1\n"
                   "hcs_user_streams{user=\"tcp\"} 2\n");
    expect(status, "\nhcs_user_limit_streams{user=\"tcp\"} 8\n");
    expect(status, "\nhcs_reader_lag_events{reader=\"7\",user=\"1000\"} 3\n"
                   "hcs_reader_lag_events{reader=\"8\",user=\"tcp\"} 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(what_is_not_said_is_not_there),
        cmocka_unit_test(nanoseconds_become_seconds_exactly),
        cmocka_unit_test(flags_are_0_and_1),
        cmocka_unit_test(users_and_readers_have_their_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
