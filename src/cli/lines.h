/* lines.h - events on the standard output: rows, JSON lines, or lines of a template. */
#ifndef HCS_CLI_LINES_H
#define HCS_CLI_LINES_H

#include <hcs/event.h>

#include "option.h"

struct template;

enum lines_form { LINES_TABLE, LINES_JSON, LINES_TEMPLATE };

struct lines_widths {
    int time, id, name;
};

struct lines {
    enum lines_form form;
    const struct lines_widths *widths; /* of the table: fewer columns in a narrow terminal */
    struct template *template;         /* LINES_TEMPLATE: owned */
    int has_colour;
    int reconnects; /* a service that is gone is waited for */
};

/* --format: NULL, "table", "json" or a template.  0, or -1 with @problem. */
int lines_init(struct lines *l, const char *format_opt, char problem[OPTION_PROBLEM]);
void lines_done(struct lines *l);

/* What stands above a table. */
void lines_title(const struct lines *l);

/* One event.  @cursor: behind it, "" when there is none.  A gap, and a service that is gone or
 * back, go to the standard error in words when a template would not tell them from an event.  0, or
 * -1 when out of memory. */
int lines_print(const struct lines *l, const hcs_event *event, const char *cursor);

#endif
