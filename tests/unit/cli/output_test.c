/* output_test.c - the promises of output.h: aligned by what is seen, and nothing steers the
 * terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "written.h"

static const char *const titles[] = { "ID", "STATE" };

/* Owned text of a table with one row. */
static char *printed(const char *id, const char *state_text, int has_colour)
{
    struct table t;
    FILE *to = tmpfile();

    assert_non_null(to);
    table_init(&t, titles, 2);
    table_add(&t, id, COLOUR_NONE);
    table_add(&t, state_text, COLOUR_RED);
    assert_int_equal(table_print(&t, to, has_colour), 0);
    table_done(&t);
    return written(to);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    char *text = printed("a-long-id", "Running", 0);

    (void) state;
    assert_string_equal(text, "ID         STATE\na-long-id  Running\n");
    free(text);
    text = printed("x", "Running", 0);
    assert_string_equal(text, "ID  STATE\nx   Running\n");
    free(text);
}

static void width_is_what_a_terminal_shows(void **state)
{
    char *text = printed("\xe6\xbc\xa2\xe5\xad\x97", "up", 0);

    (void) state;
    assert_string_equal(text, "ID    STATE\n\xe6\xbc\xa2\xe5\xad\x97  up\n");
    free(text);
    assert_int_equal(output_width("gr\xc3\xbc\xc3\x9f"), 4);
    assert_int_equal(output_width("e\xcc\x81"), 1);
    assert_int_equal(output_width("\xf0\x9f\x98\x80"), 2);
    assert_int_equal(output_width(""), 0);
}

static void colours_do_not_count_as_width(void **state)
{
    char *text = printed("x", "Stopped", 1);

    (void) state;
    assert_string_equal(text,
                        "\x1b[1mID\x1b[0m  \x1b[1mSTATE\x1b[0m\nx   \x1b[31mStopped\x1b[0m\n");
    free(text);
}

static void no_colour_when_it_is_no_terminal(void **state)
{
    static char term[] = "TERM=xterm", no_color[] = "NO_COLOR=";
    FILE *f = tmpfile();

    (void) state;
    assert_non_null(f);
    (void) putenv(term);
    (void) putenv(no_color);
    assert_false(output_has_colour(f));
    fclose(f);
}

static void assert_clean(const char *text, const char *expected)
{
    char *clean = output_clean(text);

    assert_string_equal(clean, expected);
    free(clean);
}

static void text_cannot_steer_the_terminal(void **state)
{
    (void) state;
    assert_clean("plain \xc3\xa4", "plain \xc3\xa4");
    assert_clean("\x1b[31mred\n\t", "\\x1b[31mred\\x0a\\x09");
    assert_clean("\xff\xc3", "\\xff\\xc3");
    assert_clean("\xc2\x9b", "\\xc2\\x9b");          /* CSI in one character */
    assert_clean("\xe2\x80\xae", "\\xe2\\x80\\xae"); /* right to left */
    assert_clean("\xc0\x80", "\\xc0\\x80");          /* overlong NUL */
    assert_clean("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* lone surrogate */
    assert_clean("\x7f", "\\x7f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(width_is_what_a_terminal_shows),
        cmocka_unit_test(colours_do_not_count_as_width),
        cmocka_unit_test(no_colour_when_it_is_no_terminal),
        cmocka_unit_test(text_cannot_steer_the_terminal),
    };

    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
