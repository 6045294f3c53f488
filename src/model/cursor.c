/* cursor.c - a position in a log, as text.
 *
 * Owns nothing.  Used by the library, and by the service for what it says of positions.  Promises
 * that one position has one text, and that what is no cursor is refused with the place where it
 * stops being one. */
#include "cursor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

static const char prefix[] = "hcs1.";
static const char hexadecimal[] = "0123456789abcdef", decimal[] = "0123456789";

static hcs_result refuse(const char *text, size_t at, const char *expected, hcs_error *err)
{
    unsigned char c = (unsigned char) text[at];
    char found[24] = "the end";

    if (c > ' ' && c < 0x7F)
        snprintf(found, sizeof found, "'%c'", c);
    else if (c)
        snprintf(found, sizeof found, "the byte 0x%02x", c);
    return fail(err, HCS_E_INVALIDARG, "cursor.parse",
                "cursor '%.80s': at character %zu %s is expected, not %s", text, at + 1, expected,
                found);
}

hcs_result cursor_parse(const char *text, struct cursor *out, hcs_error *err)
{
    struct cursor cursor = { "", 0 };
    const size_t log = sizeof prefix - 1, dot = log + CURSOR_LOG_DIGITS;
    size_t at;

    assert(text && out);
    for (at = 0; at < log; at++)
        if (text[at] != prefix[at])
            return refuse(text, at, "\"hcs1.\", then the log's id, '.', and a number,", err);
    for (; at < dot; at++) {
        if (!text[at] || !strchr(hexadecimal, text[at]))
            return refuse(text, at, "one of the log id's 32 digits (0-9, a-f)", err);
        cursor.log[at - log] = text[at];
    }
    if (text[at] != '.')
        return refuse(text, at, "'.' behind the log's id", err);
    for (at++; text[at]; at++) {
        uint64_t digit = (uint64_t) (text[at] - '0');

        if (!strchr(decimal, text[at]))
            return refuse(text, at, "a decimal digit of the event's number", err);
        if (at > dot + 1 && text[dot + 1] == '0')
            return refuse(text, at, "the end, for a number does not begin with 0,", err);
        if (cursor.after > ((uint64_t) INT64_MAX - digit) / 10)
            return refuse(text, at, "the end, for no event has a number as large as this,", err);
        cursor.after = cursor.after * 10 + digit;
    }
    if (at == dot + 1)
        return refuse(text, at, "the event's number", err);
    *out = cursor;
    return HCS_OK;
}

hcs_result cursor_format(const char *log, uint64_t after, char out[HCS_CURSOR_SIZE])
{
    assert(log && out);
    if (strlen(log) != CURSOR_LOG_DIGITS || strspn(log, hexadecimal) != CURSOR_LOG_DIGITS ||
        after > INT64_MAX)
        return HCS_E_INVALIDARG;
    snprintf(out, HCS_CURSOR_SIZE, "%s%s.%" PRIu64, prefix, log, after);
    return HCS_OK;
}
