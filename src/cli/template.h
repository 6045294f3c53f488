/* template.h - an event in the words of a template: '{{.ID}} {{.Exit}} {{json .}}'. */
#ifndef HCS_CLI_TEMPLATE_H
#define HCS_CLI_TEMPLATE_H

#include <hcs/event.h>

#include "option.h"

struct template;

/* Owned: template_drop().  NULL with @problem: what is wrong, and at which character. */
struct template *template_parse(const char *text, char problem[OPTION_PROBLEM]);
void template_drop(struct template *t);

/* Write @event, without a newline at the end.  @cursor: behind it, "" where there is none.
 * @reconnects: a service that is gone is waited for.  0, or -1 when out of memory: then the line is
 * not whole. */
int template_print(const struct template *t, FILE *to, const hcs_event *event, const char *cursor,
                   int reconnects);

/* Whether its lines say what an event is: by its kind, in words, by the numbers of a gap, or as
 * JSON. */
int template_tells_kind(const struct template *t);

/* The names of fields, with commas between, in @buffer. */
char *template_fields(char *buffer, size_t size);

#endif
