/* lines.c - events on the standard output.
 *
 * Owns the template.  Used by events.  Promises one line for each event.
 */
#include "lines.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "machine.h"
#include "report.h"
#include "template.h"

#define WIDTH_SEQUENCE 8
#define WIDE_COLUMNS 100 /* a terminal with fewer gets the narrow table */

/* Columns of the table.  In a terminal of 80 columns "process 1234 exited: code 42" ends the line,
 * and the ids that hcs run makes fit. */
static const struct lines_widths wide = { 21, 20, 21 }, narrow = { 16, 12, 14 };

int lines_init(struct lines *l, const char *format_opt, char problem[OPTION_PROBLEM])
{
    int columns = machine_columns(stdout);

    *l = (struct lines){ .form = LINES_TABLE, .has_colour = output_has_colour(stdout) };
    l->widths = columns > 0 && columns < WIDE_COLUMNS ? &narrow : &wide;
    if (!format_opt || strcmp(format_opt, "table") == 0)
        return 0;
    if (strcmp(format_opt, "json") == 0) {
        l->form = LINES_JSON;
        return 0;
    }
    if (!strstr(format_opt, "{{")) {
        snprintf(problem, OPTION_PROBLEM,
                 "is '%.80s', must be 'table', 'json' or a template such as '{{.ID}} {{.Kind}}'",
                 format_opt);
        return -1;
    }
    l->form = LINES_TEMPLATE;
    l->template = template_parse(format_opt, problem);
    return l->template ? 0 : -1;
}

void lines_done(struct lines *l)
{
    template_drop(l->template);
    l->template = NULL;
}

void lines_title(const struct lines *l)
{
    if (l->form != LINES_TABLE)
        return;
    printf("%-*s%*s  %-*s %-*s %s\n", l->widths->time, "TIME", WIDTH_SEQUENCE - 2, "NUMBER",
           l->widths->id, "ID", l->widths->name, "EVENT", "WHAT IT MEANS");
    fflush(stdout);
}

static void print_time(const struct lines *l, const hcs_event *event)
{
    time_t seconds = (time_t) (event->realtime_ns / 1000000000u);
    unsigned thousandths = (unsigned) (event->realtime_ns / 1000000u % 1000u);
    struct tm t;
    char day[32] = "", whole[48] = "-";

    if (event->realtime_ns && machine_local_time(seconds, &t) == 0 &&
        strftime(day, sizeof day, "%b %d %H:%M:%S", &t))
        snprintf(whole, sizeof whole, "%s.%03u", day, thousandths);
    if (l->widths == &narrow)
        whole[strcspn(whole, ".")] = '\0';
    printf("%-*s", l->widths->time, whole);
}

static int print_row(const struct lines *l, const hcs_event *event)
{
    _cleanup_(free_dropp) char *words = report_event_words(event, l->reconnects);
    enum colour colour = report_event_colour(event);
    char number[24] = "-", name[16];

    if (!words)
        return -1;
    if (event->sequence)
        snprintf(number, sizeof number, "%llu", (unsigned long long) event->sequence);
    print_time(l, event);
    printf("%*s  ", WIDTH_SEQUENCE - 2, number);
    output_cell(stdout, event->system.id[0] ? event->system.id : "-", COLOUR_BOLD, l->widths->id,
                l->has_colour);
    printf(" ");
    output_cell(stdout, report_event_name(event, name, sizeof name), COLOUR_NONE, l->widths->name,
                l->has_colour);
    printf(" ");
    output_cell(stdout, words, colour, 0, l->has_colour);
    putchar('\n');
    return 0;
}

static int print_json(const hcs_event *event, const char *cursor)
{
    _cleanup_(free_dropp) char *line = report_event_json(event, cursor);

    if (line)
        puts(line);
    return line ? 0 : -1;
}

/* What is no event of a system must not be missed: a template that does not say what an event is
 * shows it as if it were one. */
static int is_apart(hcs_event_kind kind)
{
    return kind == HCS_EVENT_GAP || kind == HCS_EVENT_SERVICE_DISCONNECT ||
           kind == HCS_EVENT_SERVICE_RECONNECTED;
}

static int print_apart(const struct lines *l, const hcs_event *event)
{
    _cleanup_(free_dropp) char *words = NULL;

    if (event->kind == HCS_EVENT_SERVICE_DISCONNECT && !l->reconnects)
        return 0; /* it ends hcs, which says so */
    words = report_event_words(event, l->reconnects);
    if (words)
        output_fail("%s", words);
    return words ? 0 : -1;
}

static int print_template(const struct lines *l, const hcs_event *event, const char *cursor)
{
    int r;

    if (is_apart(event->kind) && !template_tells_kind(l->template))
        return print_apart(l, event);
    r = template_print(l->template, stdout, event, cursor, l->reconnects);
    putchar('\n');
    return r;
}

int lines_print(const struct lines *l, const hcs_event *event, const char *cursor)
{
    if (l->form == LINES_TABLE)
        return print_row(l, event);
    if (l->form == LINES_JSON)
        return print_json(event, cursor);
    return print_template(l, event, cursor);
}
