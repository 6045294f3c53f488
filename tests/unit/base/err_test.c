/* hcs_error: what fail(), fail_os() and hint() promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail /* cmocka has a macro of that name; here the function under test is meant */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "utf.h"

static void fail_fills_everything(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    err.os = 5;
    assert_int_equal(fail(&err, HCS_E_INVALIDARG, "test.verb", "'%s' is %d", "x", 3),
                     HCS_E_INVALIDARG);
    assert_int_equal(err.code, HCS_E_INVALIDARG);
    assert_int_equal(err.os, 0);
    assert_string_equal(err.where, "test.verb");
    assert_string_equal(err.text, "'x' is 3");
}

static void no_error_struct_is_needed(void **state)
{
    (void) state;
    assert_int_equal(fail(NULL, HCS_E_FAIL, "a", "b"), HCS_E_FAIL);
    assert_int_equal(fail_os(NULL, HCS_E_FAIL, EIO, "a", "b"), HCS_E_FAIL);
    assert_int_equal(hint(NULL, HCS_E_FAIL, "b"), HCS_E_FAIL);
    error_copy(NULL, &(hcs_error) HCS_ERROR_INIT);
}

/* What the system says of ENOENT, which is ERROR_FILE_NOT_FOUND in Windows' counting. */
static const char *with_words(const char *front)
{
    static char text[300];
    char words[200];

    snprintf(text, sizeof text, "%s: %s", front, os_words(ENOENT, words, sizeof words));
    assert_true(strlen(text) > strlen(front) + 5);
    assert_true(isalnum((unsigned char) text[strlen(text) - 1]));
    return text;
}

static void os_text_stands_behind(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    fail_os(&err, HCS_E_WIN32_FILE_NOT_FOUND, ENOENT, "test.open", "open '%s'", "/x");
    assert_int_equal(err.os, ENOENT);
    assert_string_equal(err.text, with_words("open '/x'"));
}

static void hint_goes_in_front_and_keeps_the_rest(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    fail_os(&err, HCS_E_WIN32_FILE_NOT_FOUND, ENOENT, "test.open", "open '%s'", "/x");
    assert_int_equal(hint(&err, HCS_E_FAIL, "start '%s'", "web"), HCS_E_WIN32_FILE_NOT_FOUND);
    assert_string_equal(err.text, with_words("start 'web': open '/x'"));
    assert_string_equal(err.where, "test.open");
    assert_int_equal(err.os, ENOENT);
}

static void text_of_the_same_error_may_be_an_argument(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    fail(&err, HCS_E_FAIL, "a.b", "inner");
    fail(&err, HCS_E_FAIL, "a.b", "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
}

static void long_text_is_cut_between_characters(void **state)
{
    (void) state;
    for (size_t lead = 0; lead < 4; lead++) {
        char text[1200] = "";
        hcs_error err = HCS_ERROR_INIT;

        memset(text, 'a', lead);
        for (size_t i = lead; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        fail(&err, HCS_E_FAIL, "a.b", "%s", text);
        assert_true(utf8_valid(err.text, strlen(err.text)));
        assert_true(strlen(err.text) > sizeof err.text - 5);
        assert_null(strchr(err.text, '?'));
        hint(&err, HCS_E_FAIL, "%.700s", text);
        assert_true(utf8_valid(err.text, strlen(err.text)));
        fail_os(&err, HCS_E_FAIL, EIO, "a.b", "%s", text);
        assert_true(utf8_valid(err.text, strlen(err.text)));
    }
}

static void text_is_one_printable_line(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    fail(&err, HCS_E_FAIL, "a.b", "%s", "a\nb\tc\x1B[0m\x7F \xFF \xC2\x9B \xED\xA0\x80 \xC3\xA4");
    assert_string_equal(err.text, "a b c [0m  ?    ??? \xC3\xA4");
}

/* A caller that was compiled when the struct was smaller. */
static void smaller_structs_are_not_overrun(void **state)
{
    (void) state;
    for (uint32_t size = 0; size <= sizeof(hcs_error); size++) {
        union {
            hcs_error err;
            unsigned char bytes[sizeof(hcs_error)];
        } u;
        hcs_error source = HCS_ERROR_INIT;
        char text[600];

        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = '\0';
        memset(u.bytes, 0xA5, sizeof u.bytes);
        u.err.size = size;
        fail_os(&u.err, HCS_E_FAIL, EIO, "a.very.long.place.that.is.cut", "%s", text);
        hint(&u.err, HCS_E_FAIL, "%s", text);
        fail(&source, HCS_E_FAIL, "x.y", "%s", text);
        error_copy(&u.err, &source);
        for (size_t i = size < sizeof u.err.size ? sizeof u.err.size : size; i < sizeof u.bytes;
             i++)
            assert_int_equal(u.bytes[i], 0xA5);
        assert_int_equal(u.err.size, size);
        if (size > offsetof(hcs_error, text))
            assert_int_equal(u.bytes[size - 1], 0);
        if (size >= 8)
            assert_int_equal(u.err.code, HCS_E_FAIL);
    }
}

static void copy_takes_all_and_keeps_the_size(void **state)
{
    hcs_error from = HCS_ERROR_INIT, to = HCS_ERROR_INIT;

    (void) state;
    fail_os(&from, HCS_E_WIN32_DISK_FULL, ENOSPC, "a.b", "write");
    error_copy(&to, &from);
    assert_memory_equal(&to, &from, sizeof to);
}

#ifdef _WIN32

static void system_error_becomes_the_nearest_code(void **state)
{
    (void) state;
    assert_int_equal(result_from_windows(2), HCS_E_WIN32_FILE_NOT_FOUND);
    assert_int_equal(result_from_windows(3), HCS_E_WIN32_PATH_NOT_FOUND);
    assert_int_equal(result_from_windows(5), HCS_E_WIN32_ACCESS_DENIED);
    assert_int_equal(result_from_windows(8), HCS_E_OUTOFMEMORY);
    assert_int_equal(result_from_windows(112), HCS_E_WIN32_DISK_FULL);
    assert_int_equal(result_from_windows(10054), HCS_E_SERVICE_DISCONNECT);
    assert_int_equal(result_from_windows(10061), HCS_E_SERVICE_NOT_AVAILABLE);
    assert_int_equal(result_from_windows(0), HCS_E_FAIL);
}

#else

static void system_error_becomes_the_nearest_code(void **state)
{
    (void) state;
    assert_int_equal(result_from_errno(ENOENT), HCS_E_WIN32_FILE_NOT_FOUND);
    assert_int_equal(result_from_errno(ENOTDIR), HCS_E_WIN32_PATH_NOT_FOUND);
    assert_int_equal(result_from_errno(EACCES), HCS_E_WIN32_ACCESS_DENIED);
    assert_int_equal(result_from_errno(EPERM), HCS_E_WIN32_ACCESS_DENIED);
    assert_int_equal(result_from_errno(ENOMEM), HCS_E_OUTOFMEMORY);
    assert_int_equal(result_from_errno(ENOSPC), HCS_E_WIN32_DISK_FULL);
    assert_int_equal(result_from_errno(EPIPE), HCS_E_SERVICE_DISCONNECT);
    assert_int_equal(result_from_errno(0), HCS_E_FAIL);
    for (int os = 1; os < 200; os++)
        assert_true(result_from_errno(os) < 0);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_everything),
        cmocka_unit_test(no_error_struct_is_needed),
        cmocka_unit_test(os_text_stands_behind),
        cmocka_unit_test(hint_goes_in_front_and_keeps_the_rest),
        cmocka_unit_test(text_of_the_same_error_may_be_an_argument),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(text_is_one_printable_line),
        cmocka_unit_test(smaller_structs_are_not_overrun),
        cmocka_unit_test(copy_takes_all_and_keeps_the_size),
        cmocka_unit_test(system_error_becomes_the_nearest_code),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
