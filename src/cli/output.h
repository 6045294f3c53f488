/* output.h - what people see: tables, colours, errors. */
#ifndef HCS_CLI_OUTPUT_H
#define HCS_CLI_OUTPUT_H

#include <stdio.h>

#include <hcs/error.h>

/* The formats are C's own, also where the system's C library has others. */
#ifdef __MINGW32__
#define OUTPUT_FORMAT(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#else
#define OUTPUT_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))
#endif

enum colour {
    COLOUR_NONE,
    COLOUR_BOLD,
    COLOUR_DIM,
    COLOUR_RED,
    COLOUR_GREEN,
    COLOUR_YELLOW,
    COLOUR_BLUE
};

/* Whether @to gets colours: a terminal that has them, and no NO_COLOR. */
int output_has_colour(FILE *to);

/* Columns that UTF-8 text takes on a terminal. */
size_t output_width(const char *text);

/* Owned copy of @text that is safe on a terminal: control characters and what is not UTF-8 as \xNN.
 * NULL when out of memory. */
char *output_clean(const char *text);

/* @text, cleaned, in @colour, then spaces up to @width columns (0: none).  @has_colour: see above.
 */
void output_cell(FILE *to, const char *text, enum colour colour, size_t width, int has_colour);

/* A table whose columns are as wide as their widest cell. */
#define TABLE_COLUMNS_MAX 8

struct table_cell {
    char *text;
    enum colour colour;
};

struct table {
    size_t n_columns;
    struct table_cell *cells;
    size_t n_cells, capacity;
    int out_of_memory;
};

void table_init(struct table *t, const char *const *titles, size_t n_columns);
void table_done(struct table *t);

/* The next cell, row by row.  Copied. */
void table_add(struct table *t, const char *text, enum colour colour);

/* Returns 0, or -1 when there was not enough memory for all of it (nothing is printed then). */
int table_print(const struct table *t, FILE *to, int has_colour);

/* "hcs: TEXT" on stderr, and the advice for its code on a second line.  @about_opt is put in front
 * when the text does not name it. */
void output_error(const hcs_error *err, const char *about_opt);

/* "hcs: TEXT" on stderr. */
OUTPUT_FORMAT(1, 2) void output_fail(const char *format, ...);

/* Flush stdout.  0, or -1 after saying that it could not be written. */
int output_finish(void);

#endif
