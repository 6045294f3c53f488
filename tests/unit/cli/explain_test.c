/* explain_test.c - the promises of explain.h: both families are known, and no code is taken for
 * another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "written.h"

static char *explained(hcs_result code, int *out_known)
{
    FILE *to = tmpfile();

    assert_non_null(to);
    *out_known = explain_print(to, code, 0);
    return written(to);
}

static void a_code_may_be_written_in_each_way(void **state)
{
    static const char *const ways[] = { "0x8037010E",      "0x8037010e",  "0X8037010E",
                                        "2151088398",      "-2143878898", "HCS_E_SYSTEM_NOT_FOUND",
                                        "system_not_found" };

    (void) state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        hcs_result code = 0;

        assert_int_equal(explain_parse(ways[i], &code), 0);
        assert_int_equal(code, HCS_E_SYSTEM_NOT_FOUND);
    }
}

static void what_is_no_code_is_refused(void **state)
{
    static const char *const bad[] = {
        "",    "0x",         "-",  "0x1FFFFFFFF", "4294967296",   "-2147483649",
        "12x", "0x8037010G", " 1", "HCS_E_",      "NO_SUCH_NAME", "99999999999999999999"
    };
    hcs_result code = 5;

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(explain_parse(bad[i], &code), -1);
    assert_int_equal(code, 5);
}

static void kinds_of_events_are_explained(void **state)
{
    static const char *const ways[] = { "ProcessExited", "processexited", "0x10000", "65536" };
    static const char *const bad[] = { "", "ProcessExit", "0x8037010E", "0x4C48FFFF", "0" };
    hcs_event_kind kind = 0;
    FILE *to = tmpfile();
    char *text;

    (void) state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        assert_int_equal(explain_parse_kind(ways[i], &kind), 0);
        assert_int_equal(kind, HCS_EVENT_PROCESS_EXITED);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(explain_parse_kind(bad[i], &kind), -1);
    assert_non_null(to);
    explain_print_kind(to, HCS_EVENT_SERVICE_RECONNECTED, 0);
    text = written(to);
    assert_non_null(strstr(text, "ServiceReconnected  0x4C480103 ("));
    assert_non_null(strstr(text, "the stream has its place at the service again"));
    free(text);
}

static void known_code_is_explained(void **state)
{
    int known;
    char *text = explained(HCS_E_SYSTEM_NOT_FOUND, &known);

    (void) state;
    assert_true(known);
    assert_non_null(strstr(text, "HCS_E_SYSTEM_NOT_FOUND  0x8037010E (-2143878898)"));
    assert_non_null(strstr(text, "there is no system of that id"));
    assert_non_null(strstr(text, "hcs list"));
    assert_non_null(strstr(text, "class       not found\n"));
    assert_non_null(strstr(text, "try again   no"));
#ifdef __GLIBC__ /* others know the number only */
    assert_non_null(strstr(text, "ENOENT"));
#endif
    assert_null(strstr(text, "older"));
    free(text);
}

static void older_family_is_explained_by_its_twin(void **state)
{
    int known;
    char *text = explained((hcs_result) 0xC037010Eu, &known);

    (void) state;
    assert_true(known);
    assert_non_null(strstr(text, "HCS_E_SYSTEM_NOT_FOUND  0xC037010E"));
    assert_non_null(strstr(text, "the newer says 0x8037010E"));
    free(text);

    text = explained((hcs_result) 0xC0370103u, &known); /* the newer family has no twin of it */
    assert_true(known);
    assert_non_null(strstr(text, "still running"));
    assert_null(strstr(text, "the newer says"));
    free(text);
}

static void unknown_code_is_told_as_unknown(void **state)
{
    int known;
    char *text = explained((hcs_result) 0x80070539u, &known);

    (void) state;
    assert_false(known);
    assert_non_null(strstr(text, "not in the table"));
    assert_non_null(strstr(text, "failure"));
    assert_non_null(strstr(text, "7, Win32"));
    assert_non_null(strstr(text, "1337 (0x0539)"));
    free(text);
    text = explained((hcs_result) 0xC0370FFFu, &known);
    assert_false(known);
    assert_non_null(strstr(text, "55, the Host Compute Service"));
    assert_non_null(strstr(text, "class       other\n"));
    assert_null(strstr(text, "judged by"));
    free(text);
}

/* No list has 0x80370103; the older family has its number. */
static void unknown_code_of_a_known_number_is_judged_by_it(void **state)
{
    int known;
    char *text = explained((hcs_result) 0x80370103u, &known);

    (void) state;
    assert_false(known);
    assert_non_null(strstr(text, "not in the table"));
    assert_non_null(strstr(text, "class       pending\n"));
    assert_non_null(strstr(text, "try again   yes"));
    assert_non_null(strstr(text, "judged by   its number"));
    free(text);
}

static void success_is_no_failure(void **state)
{
    int known;
    char *text = explained(HCS_OK, &known);

    (void) state;
    assert_true(known);
    assert_non_null(strstr(text, "success"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_may_be_written_in_each_way),
        cmocka_unit_test(what_is_no_code_is_refused),
        cmocka_unit_test(kinds_of_events_are_explained),
        cmocka_unit_test(known_code_is_explained),
        cmocka_unit_test(older_family_is_explained_by_its_twin),
        cmocka_unit_test(unknown_code_is_told_as_unknown),
        cmocka_unit_test(unknown_code_of_a_known_number_is_judged_by_it),
        cmocka_unit_test(success_is_no_failure),
    };

    return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
