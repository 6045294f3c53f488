/* machine_windows.c - what hcs needs of Windows.
 *
 * Owns the code page of the console while hcs runs.  Promises UTF-8 inside and outside, whatever
 * the system's code page is. */
#define _CRT_RAND_S
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <shellapi.h>

/* Owned; NULL when out of memory. */
static char *utf8_of(const wchar_t *wide)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = n > 0 ? malloc((size_t) n) : NULL;

    if (text)
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, n, NULL, NULL);
    return text;
}

static UINT code_page_before;

static void restore_code_page(void)
{
    SetConsoleOutputCP(code_page_before);
}

/* What we write are UTF-8 bytes with plain newlines, into a file, a pipe or a console. */
static void begin_output(void)
{
    _setmode(_fileno(stdout), _O_BINARY);
    _setmode(_fileno(stderr), _O_BINARY);
    _setmode(_fileno(stdin), _O_BINARY);
    code_page_before = GetConsoleOutputCP();
    if (code_page_before && code_page_before != CP_UTF8 && SetConsoleOutputCP(CP_UTF8))
        atexit(restore_code_page);
}

/* The arguments that the C library got are in the system's code page, where most names have no
 * letters.  What is made here lives as long as the process. */
int machine_begin(int *argc, char ***argv)
{
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), argc);
    char **narrow = wide ? calloc((size_t) *argc + 1, sizeof *narrow) : NULL;

    for (int i = 0; narrow && i < *argc; i++) {
        narrow[i] = utf8_of(wide[i]);
        if (!narrow[i])
            return -1;
    }
    LocalFree(wide);
    if (!narrow)
        return -1;
    *argv = narrow;
    begin_output();
    return 0;
}

/* There are consoles that take the mode, have it when they are asked, and show the codes all the
 * same.  So one is tried where nobody sees it, in a buffer that is never shown: what is interpreted
 * takes no room. */
static int interprets_codes(void)
{
    static const WCHAR text[] = L"\x1b[0mx";
    const DWORD n = sizeof text / sizeof text[0] - 1;
    CONSOLE_SCREEN_BUFFER_INFO after = { 0 };
    DWORD mode, written = 0;
    HANDLE buffer =
        CreateConsoleScreenBuffer(GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                  NULL, CONSOLE_TEXTMODE_BUFFER, NULL);
    int good;

    if (buffer == INVALID_HANDLE_VALUE)
        return 0;
    good = GetConsoleMode(buffer, &mode) &&
           SetConsoleMode(buffer,
                          mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING) &&
           WriteConsoleW(buffer, text, n, &written, NULL) && written == n &&
           GetConsoleScreenBufferInfo(buffer, &after) && after.dwCursorPosition.X == 1 &&
           after.dwCursorPosition.Y == 0;
    CloseHandle(buffer);
    return good;
}

/* The service of Windows is not ours to start. */
void machine_start_no_service(void) {}

int machine_has_colour(FILE *to)
{
    HANDLE console = (HANDLE) _get_osfhandle(_fileno(to));
    DWORD mode;

    return GetConsoleMode(console, &mode) && interprets_codes() &&
           SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

/* Owned; NULL with errno. */
static wchar_t *wide_of(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *wide = n > 0 ? calloc((size_t) n, sizeof *wide) : NULL;

    errno = ENOMEM;
    if (wide)
        MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, n);
    return wide;
}

int machine_columns(FILE *to)
{
    CONSOLE_SCREEN_BUFFER_INFO info;

    if (!GetConsoleScreenBufferInfo((HANDLE) _get_osfhandle(_fileno(to)), &info))
        return 0;
    return info.srWindow.Right - info.srWindow.Left + 1;
}

FILE *machine_open(const char *path)
{
    wchar_t *wide = wide_of(path);
    FILE *f = wide ? _wfopen(wide, L"rbN") : NULL;

    free(wide);
    return f;
}

/* Whether all of it is on the disk. */
static int write_whole(const wchar_t *path, const char *text)
{
    FILE *f = _wfopen(path, L"wbN");
    int bad;

    if (!f)
        return -1;
    bad = fputs(text, f) < 0 || fflush(f) != 0 || _commit(_fileno(f)) != 0;
    return fclose(f) != 0 || bad ? -1 : 0;
}

int machine_replace(const char *path, const char *text)
{
    size_t size = strlen(path) + sizeof ".new";
    char *name = malloc(size);
    wchar_t *to = wide_of(path), *beside = NULL;
    int r = -1;

    if (name) {
        snprintf(name, size, "%s.new", path);
        beside = wide_of(name);
    }
    if (to && beside)
        r = write_whole(beside, text);
    if (r == 0 && !MoveFileExW(beside, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) {
        errno = EACCES;
        r = -1;
    }
    free(beside);
    free(to);
    free(name);
    return r;
}

/* FILETIME counts 100 ns from 1601. */
uint64_t machine_wall_ns(void)
{
    FILETIME t;

    GetSystemTimePreciseAsFileTime(&t);
    return (((uint64_t) t.dwHighDateTime << 32 | t.dwLowDateTime) - 116444736000000000u) * 100u;
}

int64_t machine_now_ms(void)
{
    return (int64_t) GetTickCount64();
}

int machine_random(uint32_t *out)
{
    unsigned int number;

    if (rand_s(&number) != 0)
        return -1;
    *out = number;
    return 0;
}

int machine_local_time(time_t seconds, struct tm *out)
{
    return localtime_s(out, &seconds) == 0 ? 0 : -1;
}

/* A pipe cannot tell that nobody reads it; the next write does. */
int machine_wait_or_reader_gone(hcs_pollable pollable)
{
    WaitForSingleObject(pollable, INFINITE);
    return 0;
}
