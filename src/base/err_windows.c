/* err_windows.c - what a Win32 error means.
 *
 * Owns nothing.  Used by err.c and by whoever calls the system.  Promises a code and words, in
 * UTF-8, for every number; the error of a socket is a Win32 error like any other. */
#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>

#include <windows.h>

#include <stdio.h>
#include <string.h>

#include "err.h"

#define WORDS_MAX 200 /* UTF-16 units of a message */

/* The system's messages end with a full stop and a line break; ours do not. */
static void trim(char *text)
{
    size_t n = strlen(text);

    while (n > 0 && strchr("\r\n. ", text[n - 1]))
        text[--n] = '\0';
}

const char *os_words(int os, char *buffer, size_t size)
{
    wchar_t wide[WORDS_MAX];
    DWORD n =
        FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, (DWORD) os,
                       MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US), wide, WORDS_MAX, NULL);

    if (n == 0)
        n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                           (DWORD) os, 0, wide, WORDS_MAX, NULL);
    if (n > 0)
        n = (DWORD) WideCharToMultiByte(CP_UTF8, 0, wide, (int) n, buffer, (int) size - 1, NULL,
                                        NULL);
    if (n == 0)
        snprintf(buffer, size, "Windows error %d", os);
    else
        buffer[n] = '\0';
    trim(buffer);
    return buffer;
}

static const struct {
    int os;
    hcs_result code;
} codes_of_windows[] = {
    { ERROR_FILE_NOT_FOUND, HCS_E_WIN32_FILE_NOT_FOUND },
    { ERROR_PATH_NOT_FOUND, HCS_E_WIN32_PATH_NOT_FOUND },
    { ERROR_MOD_NOT_FOUND, HCS_E_WIN32_FILE_NOT_FOUND },
    { ERROR_NOT_FOUND, HCS_E_WIN32_NOT_FOUND },
    { ERROR_ACCESS_DENIED, HCS_E_WIN32_ACCESS_DENIED },
    { WSAEACCES, HCS_E_WIN32_ACCESS_DENIED },
    { ERROR_NOT_ENOUGH_MEMORY, HCS_E_OUTOFMEMORY },
    { ERROR_OUTOFMEMORY, HCS_E_OUTOFMEMORY },
    { ERROR_TOO_MANY_OPEN_FILES, HCS_E_OUTOFMEMORY },
    { ERROR_NO_SYSTEM_RESOURCES, HCS_E_OUTOFMEMORY },
    { WSAEMFILE, HCS_E_OUTOFMEMORY },
    { WSAENOBUFS, HCS_E_OUTOFMEMORY },
    { ERROR_DISK_FULL, HCS_E_WIN32_DISK_FULL },
    { ERROR_BUSY, HCS_E_WIN32_BUSY },
    { ERROR_PIPE_BUSY, HCS_E_WIN32_BUSY },
    { ERROR_SHARING_VIOLATION, HCS_E_WIN32_SHARING_VIOLATION },
    { ERROR_INVALID_PARAMETER, HCS_E_INVALIDARG },
    { ERROR_INVALID_NAME, HCS_E_INVALIDARG },
    { WSAEINVAL, HCS_E_INVALIDARG },
    { ERROR_INSUFFICIENT_BUFFER, HCS_E_WIN32_INSUFFICIENT_BUFFER },
    { ERROR_INVALID_HANDLE, HCS_E_WIN32_INVALID_HANDLE },
    { WSAENOTSOCK, HCS_E_WIN32_INVALID_HANDLE },
    { ERROR_INVALID_DATA, HCS_E_WIN32_INVALID_DATA },
    { ERROR_NOT_SUPPORTED, HCS_E_WIN32_NOT_SUPPORTED },
    { ERROR_CALL_NOT_IMPLEMENTED, HCS_E_WIN32_NOT_SUPPORTED },
    { WSAEAFNOSUPPORT, HCS_E_WIN32_NOT_SUPPORTED },
    { WSAETIMEDOUT, HCS_E_OPERATION_TIMEOUT },
    { WSAECONNREFUSED, HCS_E_SERVICE_NOT_AVAILABLE },
    { ERROR_BROKEN_PIPE, HCS_E_SERVICE_DISCONNECT },
    { ERROR_NO_DATA, HCS_E_SERVICE_DISCONNECT },
    { WSAECONNRESET, HCS_E_SERVICE_DISCONNECT },
    { WSAECONNABORTED, HCS_E_SERVICE_DISCONNECT },
    { WSAENOTCONN, HCS_E_SERVICE_DISCONNECT },
    { WSAESHUTDOWN, HCS_E_SERVICE_DISCONNECT },
};

hcs_result result_from_windows(unsigned long os)
{
    for (size_t i = 0; i < N_ELEMENTS(codes_of_windows); i++)
        if (codes_of_windows[i].os == (int) os)
            return codes_of_windows[i].code;
    return HCS_E_FAIL;
}
