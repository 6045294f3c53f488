/* Numbers of 64 bits without a sign, in and out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "wide.h"

static json_t *load(const char *text)
{
    json_error_t where;

    return wide_load(text, strlen(text), JSON_DECODE_ANY, &where);
}

static void comes_out_as(const char *text, const char *expected)
{
    json_t *json = load(text);
    char *out;

    assert_non_null(json);
    out = wide_dump(json, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(out, expected);
    free(out);
    json_decref(json);
}

static void every_number_of_64_bits_comes_out_as_it_came_in(void **state)
{
    static const char *const numbers[] = { "0",
                                           "-1",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "-9223372036854775808",
                                           "18446744073709551615",
                                           "[18446744073709551615,1,9223372036854775808]",
                                           "{\"a\":18446703986658459648,\"b\":{\"c\":[1]}}" };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
        comes_out_as(numbers[i], numbers[i]);
}

static void numbers_that_are_larger_are_refused(void **state)
{
    (void) state;
    assert_null(load("18446744073709551616"));
    assert_null(load("-9223372036854775809"));
    assert_null(load("[1,99999999999999999999]"));
}

/* Digits are told from numbers also where a wide number makes the text be looked at. */
static void strings_stay_strings(void **state)
{
    static const char *const texts[] = {
        "[\"18446744073709551615\",18446744073709551615]",
        "[\"a\\\"18446744073709551615\",18446744073709551615]",
        "[\"\\\\\",18446744073709551615]",
        "[\"\\\"\\u000118446744073709551615\",18446744073709551615]",
        "{\"18446744073709551615\":18446744073709551615}",
        "[\"\\u0001\",\"\\u00011\",18446744073709551615]",
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++)
        comes_out_as(texts[i], texts[i]);
}

static void what_is_no_json_is_refused_with_a_wide_number_too(void **state)
{
    (void) state;
    assert_null(load("[18446744073709551615"));
    assert_null(load("[18446744073709551615,]"));
    assert_null(load("[018446744073709551615]"));
    assert_null(load("[18446744073709551615x]"));
    assert_null(load("{\"a\":18446744073709551615,\"a\":1}"));
    assert_null(load("[18446744073709551615,\"open"));
    comes_out_as("[1844674407370955161.5e1,18446744073709551615]",
                 "[1.8446744073709552e19,18446744073709551615]");
}

static void a_wide_number_has_its_value(void **state)
{
    json_t *wide = wide_new(UINT64_MAX), *text = json_string("18446744073709551615");

    (void) state;
    assert_true(wide_is_number(wide));
    assert_string_equal(wide_digits(wide), "18446744073709551615");
    assert_true(wide_value(wide) == UINT64_MAX);
    assert_false(wide_is_number(text));
    assert_false(wide_is_number(NULL));
    json_decref(text);
    json_decref(wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_of_64_bits_comes_out_as_it_came_in),
        cmocka_unit_test(numbers_that_are_larger_are_refused),
        cmocka_unit_test(strings_stay_strings),
        cmocka_unit_test(what_is_no_json_is_refused_with_a_wide_number_too),
        cmocka_unit_test(a_wide_number_has_its_value),
    };

    return cmocka_run_group_tests_name("wide", tests, NULL, NULL);
}
