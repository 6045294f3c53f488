/* Small files and sockets on Windows: paths are UTF-8 whatever the code page is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>

#include <windows.h>

#include <string.h>

#include "fd.h"

#define NAME L"gr\u00fc\u00df \u2192 \U0001F4E6.txt"
#define NAME_UTF8 "gr\xC3\xBC\xC3\x9F \xE2\x86\x92 \xF0\x9F\x93\xA6.txt"

static void put(const char *bytes, size_t n)
{
    HANDLE file =
        CreateFileW(NAME, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD written;

    assert_true(file != INVALID_HANDLE_VALUE);
    assert_true(WriteFile(file, bytes, (DWORD) n, &written, NULL));
    assert_int_equal(written, n);
    CloseHandle(file);
}

static int enter_empty_directory(void **state)
{
    static wchar_t path[MAX_PATH], name[40];

    (void) state;
    if (!GetTempPathW(MAX_PATH - 40, path))
        return -1;
    wsprintfW(name, L"hcs-fd-test-%lu", GetCurrentProcessId());
    lstrcatW(path, name);
    *state = path;
    return CreateDirectoryW(path, NULL) && SetCurrentDirectoryW(path) ? 0 : -1;
}

static int leave_directory(void **state)
{
    DeleteFileW(NAME);
    SetCurrentDirectoryW(L"..");
    return RemoveDirectoryW(*state) ? 0 : -1;
}

static void a_file_of_any_name_is_read_byte_for_byte(void **state)
{
    _cleanup_(free_drop) char *text = NULL;
    char bytes[10000];
    size_t length;

    (void) state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char) (i * 7);
    put(bytes, sizeof bytes);
    assert_int_equal(file_read(NAME_UTF8, sizeof bytes, &text, &length, NULL), HCS_OK);
    assert_int_equal(length, sizeof bytes);
    assert_memory_equal(text, bytes, length);
    assert_int_equal(text[length], 0);
}

static void a_file_over_the_ceiling_is_refused(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    char *text = NULL;

    (void) state;
    put("12345678", 8);
    assert_int_equal(file_read(NAME_UTF8, 7, &text, NULL, &err), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_null(text);
    assert_non_null(strstr(err.text, "larger than 7 bytes"));
    assert_int_equal(file_read(NAME_UTF8, 8, &text, NULL, &err), HCS_OK);
    free(text);
}

static void a_missing_file_is_named(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    char *text = NULL;

    (void) state;
    assert_int_equal(file_read("\xC3\xB6.none", 9, &text, NULL, &err), HCS_E_WIN32_FILE_NOT_FOUND);
    assert_non_null(strstr(err.text, "\xC3\xB6.none"));
    assert_int_equal(err.os, ERROR_FILE_NOT_FOUND);
}

static void a_socket_becomes_nonblocking(void **state)
{
    WSADATA data;
    char byte;
    int s;

    (void) state;
    assert_int_equal(WSAStartup(MAKEWORD(2, 2), &data), 0);
    s = (int) socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(s >= 0);
    assert_int_equal(bind((SOCKET) s,
                          (struct sockaddr *) &(struct sockaddr_in){ .sin_family = AF_INET },
                          sizeof(struct sockaddr_in)),
                     0);
    assert_int_equal(fd_nonblocking(s, NULL), HCS_OK);
    assert_int_equal(recv((SOCKET) s, &byte, 1, 0), -1);
    assert_int_equal(WSAGetLastError(), WSAEWOULDBLOCK);
    fd_drop(&s);
    assert_int_equal(s, -1);
    fd_drop(&s);
    assert_int_equal(fd_nonblocking(-1, NULL), HCS_E_WIN32_INVALID_HANDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_any_name_is_read_byte_for_byte),
        cmocka_unit_test(a_file_over_the_ceiling_is_refused),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_socket_becomes_nonblocking),
    };

    return cmocka_run_group_tests_name("fd on windows", tests, enter_empty_directory,
                                       leave_directory);
}
