/* environment.c - variables of the environment.
 *
 * Owns nothing.  Used by the library.  Promises that a program with more rights than its user does
 * not listen to that user's variables. */
#include "environment.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "attr.h"
#include "utf.h"

static wchar_t *wide_of(const char *text)
{
    size_t n = strlen(text);
    wchar_t *wide = calloc(utf16_length_of_utf8(text, n, NULL) + 1, sizeof *wide);

    if (wide)
        utf16_from_utf8(text, n, wide);
    return wide;
}

static char *narrow_of(const wchar_t *wide, size_t n)
{
    char *text = calloc(utf8_length_of_utf16(wide, n, NULL) + 1, 1);

    if (text)
        utf8_from_utf16(wide, n, text);
    return text;
}

char *environment_get(const char *name)
{
    _cleanup_(free_drop) wchar_t *wide_name = NULL;
    _cleanup_(free_drop) wchar_t *wide = NULL;
    DWORD size, n;

    assert(name);
    wide_name = wide_of(name);
    size = wide_name ? GetEnvironmentVariableW(wide_name, NULL, 0) : 0;
    wide = size ? calloc(size, sizeof *wide) : NULL;
    if (!wide)
        return NULL;
    n = GetEnvironmentVariableW(wide_name, wide, size);
    return n < size ? narrow_of(wide, n) : NULL; /* set anew meanwhile */
}

#else

char *environment_get(const char *name)
{
    const char *value;

    assert(name);
    value = secure_getenv(name);
    return value ? strdup(value) : NULL;
}

#endif
