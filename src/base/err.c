/* err.c - filling an hcs_error.
 *
 * Owns nothing: the error lives with the caller.  Used by every layer above.  Promises that a
 * report needs no memory and cannot fail, never writes past the size the caller's struct had when
 * the caller was compiled, and leaves one printable line of well-formed UTF-8.
 */
#include "err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf.h"

/* Where a caller's array ends, counted from the start of its struct. */
#define END_OF(member) (offsetof(hcs_error, member) + sizeof(((hcs_error *) 0)->member))

static size_t size_of(const hcs_error *err)
{
    return err->size < sizeof *err ? err->size : sizeof *err;
}

/* Put @source into the @room bytes at @to, cut between characters.  Messages carry names and values
 * that came from outside: what a terminal or a JSON encoder could choke on is replaced. */
static void put_string(char *to, size_t room, const char *source)
{
    size_t n = strlen(source);

    if (room == 0)
        return;
    n = utf8_cut(source, n, room - 1);
    memmove(to, source, n);
    to[n] = '\0';
    utf8_make_printable(to, n);
}

/* What of the array that ends at @end the caller's struct of @size bytes really has. */
static size_t room_of(size_t size, size_t begin, size_t end)
{
    if (size <= begin)
        return 0;
    return (size < end ? size : end) - begin;
}

static void fill(hcs_error *err, hcs_result code, int os, const char *where, const char *text)
{
    size_t size = size_of(err);

    if (size >= END_OF(code))
        err->code = code;
    if (size >= END_OF(os))
        err->os = os;
    put_string(err->where, room_of(size, offsetof(hcs_error, where), END_OF(where)), where);
    put_string(err->text, room_of(size, offsetof(hcs_error, text), END_OF(text)), text);
}

/* One byte more than the text has, so that put_string() sees that something was cut. */
#define SCRATCH_BYTES (sizeof(((hcs_error *) 0)->text) + 4)

hcs_result fail(hcs_error *err, hcs_result code, const char *where, const char *format, ...)
{
    char text[SCRATCH_BYTES];
    va_list args;

    assert(code < 0);
    assert(where && format);
    if (!err)
        return code;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    fill(err, code, 0, where, text);
    return code;
}

hcs_result fail_os(hcs_error *err, hcs_result code, int os, const char *where, const char *format,
                   ...)
{
    char text[SCRATCH_BYTES];
    char words[256];
    va_list args;
    int n;

    assert(code < 0);
    assert(where && format);
    if (!err)
        return code;
    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if ((size_t) n < sizeof text)
        snprintf(text + n, sizeof text - (size_t) n, n > 0 ? ": %s" : "%s",
                 os_words(os, words, sizeof words));
    fill(err, code, os, where, text);
    return code;
}

hcs_result hint(hcs_error *err, hcs_result code, const char *format, ...)
{
    char text[2 * SCRATCH_BYTES];
    va_list args;
    size_t room;
    int n;

    assert(code < 0);
    assert(format);
    if (!err || size_of(err) < END_OF(code))
        return code;
    room = room_of(size_of(err), offsetof(hcs_error, text), END_OF(text));
    if (room == 0)
        return err->code;
    va_start(args, format);
    n = vsnprintf(text, SCRATCH_BYTES, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if ((size_t) n >= SCRATCH_BYTES)
        n = SCRATCH_BYTES - 1;
    snprintf(text + n, sizeof text - (size_t) n, err->text[0] ? ": %.*s" : "%.*s", (int) room,
             err->text);
    put_string(err->text, room, text);
    return err->code;
}

void error_copy(hcs_error *to, const hcs_error *from)
{
    hcs_error whole = HCS_ERROR_INIT;

    assert(from);
    if (!to)
        return;
    /* A smaller struct of an older caller gives what it has; its text may end without a NUL. */
    memcpy(&whole, from, size_of(from));
    whole.where[sizeof whole.where - 1] = '\0';
    whole.text[sizeof whole.text - 1] = '\0';
    fill(to, whole.code, whole.os, whole.where, whole.text);
}
