/* report.h - exit reports and events: as words, as JSON lines, as exit statuses of hcs. */
#ifndef HCS_CLI_REPORT_H
#define HCS_CLI_REPORT_H

#include <hcs/event.h>
#include <jansson.h>

#include "output.h"

/* The exit status of a shell for how a process ended: its code, 128 + n for signal n;
 * STATUS_OURS when nobody knows. */
int report_exit_status(const hcs_exit *report);

/* The exit status for a program that could not be started. */
int report_failure_status(hcs_result why);

/* From the Exit object of a Properties document.  0, or -1 when it is none. */
int report_exit_from_json(const json_t *json, hcs_exit *out);

/* One JSON object without a newline, owned; NULL when out of memory.  The service's detail is in it
 * as it came, numbers and all; what is no JSON is in it as a string.  @cursor: behind it, "" when
 * there is none. */
char *report_event_json(const hcs_event *event, const char *cursor);

/* A document as it may stand in a line: byte for byte, but for newlines between its values; a
 * string when it is no JSON.  Owned; NULL when out of memory. */
char *report_json_line(const char *document, size_t n);

/* What the event means: "process 1234 exited: code 42".  @reconnects: a service that is gone is
 * waited for.  Owned; NULL when out of memory. */
char *report_event_words(const hcs_event *event, int reconnects);

/* Name of the event's kind; for an unknown kind its number, in @buffer. */
const char *report_event_name(const hcs_event *event, char *buffer, size_t size);

enum colour report_event_colour(const hcs_event *event);

/* Whether an exit is one that nobody has to look at: code 0, or a system that was stopped. */
int report_exit_is_good(const hcs_exit *report);

#endif
