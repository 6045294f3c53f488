/* The growing buffer and its ceiling. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "buf.h"

static void bytes_come_back_in_order_with_a_nul_behind(void **state)
{
    static const char bytes[] = "01234\0"
                                "6789";
    _cleanup_(buf_done) struct buf b;

    (void) state;
    buf_init(&b, 1000);
    assert_null(b.data);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(buf_append(&b, &bytes[i % 10], 1), HCS_OK);
        assert_int_equal(b.data[b.length], 0);
    }
    assert_int_equal(b.length, 100);
    for (int i = 0; i < 10; i++)
        assert_memory_equal(b.data + 10 * i, bytes, 10);
}

static void an_empty_string_is_a_string(void **state)
{
    _cleanup_(buf_done) struct buf b;

    (void) state;
    buf_init(&b, 10);
    assert_int_equal(buf_append_string(&b, ""), HCS_OK);
    assert_string_equal(b.data, "");
}

static void the_ceiling_can_be_reached_and_not_passed(void **state)
{
    (void) state;
    for (size_t ceiling = 1; ceiling < 200; ceiling++) {
        _cleanup_(buf_done) struct buf b;

        buf_init(&b, ceiling);
        for (size_t i = 0; i < ceiling; i++)
            assert_int_equal(buf_append(&b, "x", 1), HCS_OK);
        assert_int_equal(buf_append(&b, "y", 1), HCS_E_WIN32_INSUFFICIENT_BUFFER);
        assert_int_equal(buf_printf(&b, "%d", 7), HCS_E_WIN32_INSUFFICIENT_BUFFER);
        assert_int_equal(buf_reserve(&b, SIZE_MAX), HCS_E_WIN32_INSUFFICIENT_BUFFER);
        assert_int_equal(b.length, ceiling);
        assert_int_equal(strspn(b.data, "x"), ceiling);
        assert_true(b.capacity <= ceiling + 1);
        assert_int_equal(buf_append(&b, NULL, 0), HCS_OK);
    }
}

static void formatted_text_grows_the_buffer(void **state)
{
    _cleanup_(buf_done) struct buf b;
    char expected[301];

    (void) state;
    memset(expected, ' ', 299);
    strcpy(expected + 299, "7");
    buf_init(&b, 310);
    assert_int_equal(buf_printf(&b, "%300d", 7), HCS_OK);
    assert_string_equal(b.data, expected);
    assert_int_equal(buf_printf(&b, "%300d", 8), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_string_equal(b.data, expected);
    assert_int_equal(b.length, 300);
}

static void consuming_keeps_what_comes_after(void **state)
{
    _cleanup_(buf_done) struct buf b;

    (void) state;
    buf_init(&b, 100);
    buf_consume(&b, 0);
    assert_int_equal(buf_append_string(&b, "headtail"), HCS_OK);
    buf_consume(&b, 4);
    assert_string_equal(b.data, "tail");
    buf_consume(&b, 4);
    assert_string_equal(b.data, "");
    assert_int_equal(b.length, 0);
}

static void done_leaves_it_usable(void **state)
{
    struct buf b;

    (void) state;
    buf_init(&b, 5);
    assert_int_equal(buf_append_string(&b, "12345"), HCS_OK);
    buf_done(&b);
    assert_int_equal(b.length, 0);
    assert_int_equal(buf_append_string(&b, "123456"), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_int_equal(buf_append_string(&b, "abcde"), HCS_OK);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back_in_order_with_a_nul_behind),
        cmocka_unit_test(an_empty_string_is_a_string),
        cmocka_unit_test(the_ceiling_can_be_reached_and_not_passed),
        cmocka_unit_test(formatted_text_grows_the_buffer),
        cmocka_unit_test(consuming_keeps_what_comes_after),
        cmocka_unit_test(done_leaves_it_usable),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
