/* moment_test.c - the promises of moment.h: what people write for a moment, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "moment.h"

#define S UINT64_C(1000000000)
#define NOW (1764000000 * S + 5)

static void moments_are_understood(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:00.000000001Z", 1 },
        { "2000-02-29T12:00:00Z", 951825600 * S },
        { "2026-11-24T10:30:00Z", 1795516200 * S },
        { "2026-11-24t10:30:00z", 1795516200 * S },
        { "2026-11-24 10:30:00Z", 1795516200 * S },
        { "2026-11-24T10:30:00.25+01:00", 1795512600 * S + S / 4 },
        { "2026-11-24T10:30:00-05:30", 1795536000 * S },
        { "2016-12-31T23:59:60Z", 1483228800 * S },
        { "2262-01-01T00:00:00Z", 9214646400 * S },
        { "0", 0 },
        { "1764000000", 1764000000 * S },
        { "1764000000.5", 1764000000 * S + S / 2 },
        { "1764000000.123456789", 1764000000 * S + 123456789 },
        { "0s", NOW },
        { "500ms", NOW - S / 2 },
        { "90s", NOW - 90 * S },
        { "10m", NOW - 600 * S },
        { "2h", NOW - 7200 * S },
        { "1d", NOW - 86400 * S },
        { "2w", NOW - 14 * 86400 * S },
        { "1h30m", NOW - 5400 * S },
        { "1d2h3m4s5ms", NOW - (86400 + 7200 + 180 + 4) * S - 5 * S / 1000 },
        { "+10m", NOW + 600 * S },
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char problem[OPTION_PROBLEM] = "";
        uint64_t ns = 1;

        if (moment_parse(rows[i].text, NOW, &ns, problem) < 0)
            fail_msg("%s", problem);
        if (ns != rows[i].ns)
            fail_msg("'%s' is %llu, not %llu", rows[i].text, (unsigned long long) ns,
                     (unsigned long long) rows[i].ns);
    }
}

static void what_is_no_moment_is_refused(void **state)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        { "", "'' is no moment" },
        { "yesterday", "'yesterday' is no moment: write 2026-11-24T10:30:00Z, seconds since 1970" },
        { "10", NULL },
        { "-10", "is no moment" },
        { "10 m", "is no moment" },
        { "10M", "is no moment" },
        { "m", "is no moment" },
        { "1h30", "is no moment" },
        { "+", "is no moment" },
        { "1.5h", "is no number of seconds" },
        { "10.", "is no number of seconds" },
        { "10.1234567890", "is no number of seconds" },
        { "99999999999999999999", "is no number of seconds" },
        { "9999999999999", "is after 2262" },
        { "99999999999d", "is no moment" },
        { "99999d", "is before 1970" },
        { "2026-11-24", "is a date without a time" },
        { "2026-11-24T", "has a time that no clock shows" },
        { "2026-11-24T10:30Z", "has a time that no clock shows" },
        { "2026-11-24T24:00:00Z", "has a time that no clock shows" },
        { "2026-11-24T10:30:00", "does not end in Z or an offset" },
        { "2026-11-24T10:30:00+0100", "does not end in Z or an offset" },
        { "2026-11-24T10:30:00Zx", "does not end in Z or an offset" },
        { "2026-02-29T00:00:00Z", "in no calendar" },
        { "2026-13-01T00:00:00Z", "in no calendar" },
        { "2026-00-01T00:00:00Z", "in no calendar" },
        { "1969-12-31T00:00:00Z", "in no calendar" },
        { "1970-01-01T00:00:00+01:00", "is before 1970" },
        { "2300-01-01T00:00:00Z", "or after 2262" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char problem[OPTION_PROBLEM] = "";
        uint64_t ns = 4711;
        int r = moment_parse(rows[i].text, NOW, &ns, problem);

        if (!rows[i].problem) {
            assert_int_equal(r, 0);
            continue;
        }
        assert_int_equal(r, -1);
        assert_int_equal(ns, 4711);
        if (!strstr(problem, rows[i].problem))
            fail_msg("'%s' gives: %s", rows[i].text, problem);
    }
}

/* Every day from 1970 on, against the C library. */
static void days_are_those_of_the_calendar(void **state)
{
    (void) state;
    for (int64_t day = 0; day < 106000; day++) {
        time_t seconds = (time_t) (day * 86400 + day % 86400);
        char text[MOMENT_SIZE], problem[OPTION_PROBLEM] = "", expected[MOMENT_SIZE];
        struct tm tm;
        uint64_t ns;

#ifdef _WIN32
        assert_int_equal(gmtime_s(&tm, &seconds), 0);
#else
        assert_non_null(gmtime_r(&seconds, &tm));
#endif
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000007Z", &tm);
        assert_string_equal(moment_format((uint64_t) seconds * S + 7, text), expected);
        assert_int_equal(moment_parse(text, NOW, &ns, problem), 0);
        assert_int_equal(ns, (uint64_t) seconds * S + 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_understood),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(days_are_those_of_the_calendar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
