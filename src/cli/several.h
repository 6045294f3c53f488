/* several.h - several systems that are followed in one stream of the host. */
#ifndef HCS_CLI_SEVERAL_H
#define HCS_CLI_SEVERAL_H

#include <hcs/hcs.h>

#include "option.h"

struct wanted;

struct several {
    struct wanted *items;
    int n;             /* 0: no ids, everything is shown */
    char log[64];      /* id of the log that the service has */
    uint64_t position; /* number of the last event of it that was seen */
};

/* 0, or -1 when out of memory.  The ids are borrowed. */
int several_init(struct several *s, const struct arguments *ids);
void several_done(struct several *s);

/* Look up which systems they are, once the stream is open; @cursor is where it began, "" when that
 * is not known. */
HCS_MUST_USE hcs_result several_look_up(struct several *s, hcs_host *host, const char *cursor,
                                        hcs_error *err);

/* Whether @event is one of theirs, or of nobody's; and take note of it. */
int several_shows(struct several *s, const hcs_event *event);

/* Whether all that was to be seen of them has been. */
int several_have_ended(const struct several *s);

#endif
