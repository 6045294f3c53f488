/* wide.c - JSON with numbers of 64 bits without a sign.
 *
 * Owns nothing.  Used by tree.c and field.c.  Promises that every whole number up to UINT64_MAX
 * comes out as it came in.  Such a number is the string "\x01DIGITS" inside.
 */
#include "wide.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "buf.h"

#define MARK '\x01'
#define MARK_IN_JSON "\"\\u0001"
#define DIGITS_MAX 20
#define TEXT_MAX ((size_t) 64 << 20)

/* Whether the @n characters are a number that is wide; nothing else, no leading zero. */
static int is_wide(const char *digits, size_t n)
{
    char copy[DIGITS_MAX + 1];
    uint64_t value;

    if (n < DIGITS_MAX - 1 || n > DIGITS_MAX || digits[0] == '0')
        return 0;
    memcpy(copy, digits, n);
    copy[n] = '\0';
    if (strspn(copy, "0123456789") != n)
        return 0;
    errno = 0;
    value = strtoull(copy, NULL, 10);
    return errno == 0 && value > INT64_MAX;
}

/* Length of the JSON string that begins at @text, with its quotes; what is left when it has no end.
 */
static size_t string_length(const char *text, size_t n)
{
    size_t i = 1;

    while (i < n && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
    return i < n ? i + 1 : n;
}

/* The next piece of @text: a string, a number (with whatever stands together with it), one other.
 */
static size_t piece_length(const char *text, size_t n)
{
    size_t i = 0;

    if (text[0] == '"')
        return string_length(text, n);
    while (i < n && text[i] && strchr("+-.0123456789eE", text[i]))
        i++;
    return i ? i : 1;
}

static hcs_result mark_numbers(const char *text, size_t n, struct buf *out)
{
    hcs_result r = HCS_OK;

    for (size_t i = 0, length; r >= 0 && i < n; i += length) {
        length = piece_length(text + i, n - i);
        if (is_wide(text + i, length))
            r = buf_printf(out, MARK_IN_JSON "%.*s\"", (int) length, text + i);
        else
            r = buf_append(out, text + i, length);
    }
    return r;
}

json_t *wide_load(const char *text, size_t n, size_t flags, json_error_t *where)
{
    json_t *json = json_loadb(text, n, flags | JSON_REJECT_DUPLICATES, where);
    _cleanup_(buf_done) struct buf marked;

    buf_init(&marked, TEXT_MAX);
    if (json || json_error_code(where) != json_error_numeric_overflow)
        return json;
    if (mark_numbers(text, n, &marked) < 0)
        return NULL;
    return json_loadb(marked.data, marked.length, flags | JSON_REJECT_DUPLICATES, where);
}

/* A mark where a value begins: a quote inside a string has a backslash before it. */
static char *next_mark(char *text, const char *begin)
{
    char *mark = text;

    while ((mark = strstr(mark, MARK_IN_JSON)) && mark > begin && mark[-1] == '\\')
        mark++;
    return mark;
}

char *wide_dump(const json_t *json, size_t flags)
{
    char *text = json_dumps(json, flags), *from = text, *to = text, *mark;

    while (text && (mark = next_mark(from, text))) {
        char *digits = mark + strlen(MARK_IN_JSON);
        size_t n = strspn(digits, "0123456789");
        int is_number = digits[n] == '"' && digits[n + 1] != ':' && is_wide(digits, n);

        memmove(to, from, (size_t) (mark - from));
        to += mark - from;
        from = is_number ? digits : mark;
        n = is_number ? n : strlen(MARK_IN_JSON);
        memmove(to, from, n);
        to += n;
        from += n + (size_t) is_number;
    }
    if (text)
        memmove(to, from, strlen(from) + 1);
    return text;
}

json_t *wide_new(uint64_t value)
{
    char text[DIGITS_MAX + 2];

    snprintf(text, sizeof text, "%c%" PRIu64, MARK, value);
    return json_string(text);
}

int wide_is_number(const json_t *json)
{
    const char *text = json_string_value(json);

    return text && text[0] == MARK && is_wide(text + 1, strlen(text + 1));
}

const char *wide_digits(const json_t *json)
{
    return json_string_value(json) + 1;
}

uint64_t wide_value(const json_t *json)
{
    return strtoull(wide_digits(json), NULL, 10);
}
