/* Cursors as text: one position has one text, and nothing else is a cursor. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cursor.h"

#define LOG "0123456789abcdef0123456789abcdef"

static void what_is_written_is_read(void **state)
{
    static const uint64_t numbers[] = { 0, 1, 9, 10, 4711, INT64_MAX - 1, INT64_MAX };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
        char text[HCS_CURSOR_SIZE];
        struct cursor cursor;

        assert_int_equal(cursor_format(LOG, numbers[i], text), HCS_OK);
        assert_int_equal(cursor_parse(text, &cursor, NULL), HCS_OK);
        assert_string_equal(cursor.log, LOG);
        assert_int_equal(cursor.after, numbers[i]);
    }
}

static void what_is_no_position_is_not_written(void **state)
{
    char text[HCS_CURSOR_SIZE] = "as it was";

    (void) state;
    assert_int_equal(cursor_format("", 1, text), HCS_E_INVALIDARG);
    assert_int_equal(cursor_format(LOG "0", 1, text), HCS_E_INVALIDARG);
    assert_int_equal(cursor_format("0123456789ABCDEF0123456789abcdef", 1, text), HCS_E_INVALIDARG);
    assert_int_equal(cursor_format(LOG, (uint64_t) INT64_MAX + 1, text), HCS_E_INVALIDARG);
    assert_string_equal(text, "as it was");
}

static void what_is_no_cursor_is_refused_with_the_place(void **state)
{
    static const struct {
        const char *text, *place;
    } rows[] = {
        { "", "character 1 \"hcs1.\"" },
        { "17", "character 1 \"hcs1.\"" },
        { "hcs2." LOG ".1", "character 4 \"hcs1.\"" },
        { "HCS1." LOG ".1", "not 'H'" },
        { "hcs1.",
          "character 6 one of the log id's 32 digits (0-9, a-f) is expected, not the end" },
        { "hcs1.0123456789ABCDEF", "character 16 one of the log id's" },
        { "hcs1." LOG, "character 38 '.' behind the log's id is expected, not the end" },
        { "hcs1." LOG "0.1", "character 38 '.'" },
        { "hcs1." LOG ".", "character 39 the event's number is expected, not the end" },
        { "hcs1." LOG ".-1",
          "character 39 a decimal digit of the event's number is expected, not '-'" },
        { "hcs1." LOG ".+1", "not '+'" },
        { "hcs1." LOG ".00", "character 40 the end, for a number does not begin with 0" },
        { "hcs1." LOG ".012", "character 40 the end, for a number does not begin with 0" },
        { "hcs1." LOG ".1 ",
          "character 40 a decimal digit of the event's number is expected, not the byte 0x20" },
        { "hcs1." LOG ".1\n", "not the byte 0x0a" },
        { "hcs1." LOG ".9223372036854775808",
          "character 57 the end, for no event has a number as large" },
        { "hcs1." LOG ".99999999999999999999", "character 57 the end, for no event" },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct cursor cursor = { "as it was", 5 };
        hcs_error err = HCS_ERROR_INIT;

        assert_int_equal(cursor_parse(rows[i].text, &cursor, &err), HCS_E_INVALIDARG);
        if (!strstr(err.text, rows[i].place))
            fail_msg("'%s' gives: %s", rows[i].text, err.text);
        assert_string_equal(cursor.log, "as it was");
        assert_int_equal(cursor.after, 5);
    }
}

/* Any one byte that is changed, added or left out gives another position or none. */
static void no_other_text_is_the_same_position(void **state)
{
    static const char good[] = "hcs1." LOG ".4711";

    (void) state;
    for (size_t at = 0; at < sizeof good - 1; at++)
        for (int c = 1; c < 256; c++) {
            char text[sizeof good];
            struct cursor cursor;

            memcpy(text, good, sizeof good);
            text[at] = (char) c;
            if (strcmp(text, good) != 0 && cursor_parse(text, &cursor, NULL) == HCS_OK)
                assert_false(strcmp(cursor.log, LOG) == 0 && cursor.after == 4711);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_no_position_is_not_written),
        cmocka_unit_test(what_is_no_cursor_is_refused_with_the_place),
        cmocka_unit_test(no_other_text_is_the_same_position),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
