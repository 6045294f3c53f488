/* output.c - tables by display width, colours only where they are wanted, and errors with advice.
 *
 * Owns nothing; used by every command.  Promises that text which came from a container or a
 * document cannot steer the terminal, and that output which could not be written is noticed.
 */
#include "output.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

static const char *const colour_codes[] = {
    [COLOUR_NONE] = "",         [COLOUR_BOLD] = "\x1b[1m",   [COLOUR_DIM] = "\x1b[2m",
    [COLOUR_RED] = "\x1b[31m",  [COLOUR_GREEN] = "\x1b[32m", [COLOUR_YELLOW] = "\x1b[33m",
    [COLOUR_BLUE] = "\x1b[34m",
};

int output_has_colour(FILE *to)
{
    const char *no = getenv("NO_COLOR");

    return !(no && *no) && machine_has_colour(to);
}

/* ---- text ---- */

/* Decode one character of UTF-8; returns its bytes, 0 when it is none. */
static size_t decode(const char *text, uint32_t *out)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *s = (const unsigned char *) text;
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xE0) == 0xC0 ? 2
               : (s[0] & 0xF0) == 0xE0 ? 3
               : (s[0] & 0xF8) == 0xF0 ? 4
                                       : 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7Fu >> n);

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3F);
    }
    if (n == 0 || c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *out = c;
    return n;
}

struct range {
    uint32_t first, last;
};

static int is_in(uint32_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return 1;
    return 0;
}

/* Not wcwidth(): that depends on the locale, and hcs shows UTF-8 in all of them. */
static size_t width_of(uint32_t c)
{
    static const struct range zero[] = {
        { 0x300, 0x36F },   { 0x483, 0x489 },   { 0x591, 0x5BD },
        { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF }, { 0x200B, 0x200F },
        { 0x20D0, 0x20FF }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F }
    };
    static const struct range wide[] = { { 0x1100, 0x115F },   { 0x2E80, 0xA4CF },
                                         { 0xAC00, 0xD7A3 },   { 0xF900, 0xFAFF },
                                         { 0xFE30, 0xFE6F },   { 0xFF00, 0xFF60 },
                                         { 0xFFE0, 0xFFE6 },   { 0x1F300, 0x1F64F },
                                         { 0x1F900, 0x1F9FF }, { 0x20000, 0x3FFFD } };

    if (is_in(c, zero, sizeof zero / sizeof zero[0]))
        return 0;
    return is_in(c, wide, sizeof wide / sizeof wide[0]) ? 2 : 1;
}

size_t output_width(const char *text)
{
    size_t width = 0;
    uint32_t c = 0;

    while (*text) {
        size_t n = decode(text, &c);

        width += n ? width_of(c) : 1;
        text += n ? n : 1;
    }
    return width;
}

/* Control characters of both halves, the bidirectional ones included: they can forge a line. */
static int is_safe(uint32_t c)
{
    return c >= 0x20 && !(c >= 0x7F && c <= 0x9F) && !(c >= 0x202A && c <= 0x202E) &&
           !(c >= 0x2066 && c <= 0x2069) && c != 0x2028 && c != 0x2029;
}

char *output_clean(const char *text)
{
    char *clean = malloc(strlen(text) * 4 + 1);
    char *to = clean;
    uint32_t c = 0;

    while (clean && *text) {
        size_t n = decode(text, &c);

        if (n && is_safe(c)) {
            memcpy(to, text, n);
            to += n;
            text += n;
            continue;
        }
        for (size_t i = 0; i < (n ? n : 1); i++)
            to += sprintf(to, "\\x%02x", (unsigned char) *text++);
    }
    if (clean)
        *to = '\0';
    return clean;
}

void output_cell(FILE *to, const char *text, enum colour colour, size_t width, int has_colour)
{
    char *clean = output_clean(text);
    const char *shown = clean ? clean : "?";
    size_t taken = output_width(shown);

    if (has_colour && colour != COLOUR_NONE)
        fprintf(to, "%s%s\x1b[0m", colour_codes[colour], shown);
    else
        fputs(shown, to);
    if (taken < width)
        fprintf(to, "%*s", (int) (width - taken), "");
    free(clean);
}

/* ---- tables ---- */

void table_init(struct table *t, const char *const *titles, size_t n_columns)
{
    assert(n_columns > 0 && n_columns <= TABLE_COLUMNS_MAX);
    *t = (struct table){ .n_columns = n_columns };
    for (size_t i = 0; i < n_columns; i++)
        table_add(t, titles[i], COLOUR_BOLD);
}

void table_done(struct table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct table){ .n_columns = t->n_columns };
}

void table_add(struct table *t, const char *text, enum colour colour)
{
    char *clean = output_clean(text);

    if (clean && t->n_cells == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 64;
        struct table_cell *cells = realloc(t->cells, capacity * sizeof *cells);

        if (cells) {
            t->cells = cells;
            t->capacity = capacity;
        }
    }
    if (!clean || t->n_cells == t->capacity) {
        t->out_of_memory = 1;
        free(clean);
        return;
    }
    t->cells[t->n_cells++] = (struct table_cell){ clean, colour };
}

int table_print(const struct table *t, FILE *to, int has_colour)
{
    size_t widths[TABLE_COLUMNS_MAX] = { 0 };

    if (t->out_of_memory)
        return -1;
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t width = output_width(t->cells[i].text);

        if (width > widths[i % t->n_columns])
            widths[i % t->n_columns] = width;
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t column = i % t->n_columns;
        int is_last = column == t->n_columns - 1;

        output_cell(to, t->cells[i].text, t->cells[i].colour, is_last ? 0 : widths[column] + 2,
                    has_colour);
        if (is_last)
            fputc('\n', to);
    }
    return 0;
}

/* ---- errors ---- */

void output_error(const hcs_error *err, const char *about_opt)
{
    const char *name = hcs_result_name(err->code);
    const char *advice = hcs_result_advice(err->code);
    const char *text = err->text[0] ? err->text : name ? name : "an error without a text";
    char *clean = output_clean(text);
    char *about = about_opt && !strstr(text, about_opt) ? output_clean(about_opt) : NULL;

    fprintf(stderr, "hcs: %s%s%s\n", about ? about : "", about ? ": " : "", clean ? clean : "?");
    if (advice)
        fprintf(stderr, "  %s\n", advice);
    free(about);
    free(clean);
}

void output_fail(const char *format, ...)
{
    char text[1024];
    char *clean;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    clean = output_clean(text);
    fprintf(stderr, "hcs: %s\n", clean ? clean : "not enough memory");
    free(clean);
}

int output_finish(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    output_fail("cannot write to the standard output: %s", strerror(errno ? errno : EIO));
    return -1;
}
