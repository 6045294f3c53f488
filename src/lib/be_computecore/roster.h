/* roster.h - the logs that a stream reads: of one system, or of every system of a host.
 *
 * HCS has one callback for each handle and none for a host, so a stream of a host opens a handle of
 * every system it finds and looks for newcomers at intervals.  All is done on the reader's thread.
 */
#ifndef HCS_COMPUTECORE_ROSTER_H
#define HCS_COMPUTECORE_ROSTER_H

#include "list.h"
#include "objects.h"

/* A cursor on the log of one handle. */
struct roster_source {
    struct list node;
    char *id;
    struct cc_handle *handle;     /* counted; closed with the source when `owned` */
    bool owned;                   /* the handle was opened for this stream */
    struct memlog_cursor *cursor; /* NULL: it has ended, and HCS may list it still */
    unsigned lingers;             /* times that HCS listed it as alive after its end */
    bool seen;                    /* in the list that is being compared */
    struct status_properties properties;
};

struct roster {
    struct cc_host *host; /* borrowed */
    struct wake *wake;    /* borrowed */
    struct list sources;
};

void roster_init(struct roster *r, struct cc_host *host, struct wake *wake);
void roster_done(struct roster *r);

/* Add a log; the handle is taken when @owned, also on failure. */
_must_use_ hcs_result roster_add(struct roster *r, const char *id, struct cc_handle *handle,
                                 bool owned, enum memlog_from from, uint64_t after, hcs_error *err);

/* Compare with what HCS lists: open newcomers, ask those that are gone how they ended. */
_must_use_ hcs_result roster_refresh(struct roster *r, enum memlog_from newcomers, hcs_error *err);

/* The next thing that any of the logs has, and which; the one that was read last comes last. */
enum memlog_next roster_next(struct roster *r, struct memlog_record *out,
                             struct roster_source **out_source);

/* The source has said MEMLOG_END: it is closed, and remembered while HCS may list it still. */
void roster_end(struct roster_source *source);

/* Whether all logs have nothing, and will set the wake. */
bool roster_arm(struct roster *r);

/* Whether one of the logs has something.  A look that holds up nobody. */
bool roster_ready(struct roster *r);

/* Look for something a moment before sleeping. */
bool roster_spin(struct roster *r);

#endif
