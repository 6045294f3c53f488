/* sub.h - readers of the event log, each with its own position.
 *
 * A reader is a cursor: whatever it does it costs the engine a position, a filter and what its sink
 * holds.  Each gets every event that it wants once, in the order of the numbers, or one gap with
 * the exact numbers.  Loop thread only.
 *
 * What is given to all readers in one turn of the engine is bounded, and they take their turns by
 * client: the client with a thousand readers waits no shorter than the client with one.
 */
#ifndef HCS_ENGINE_SUB_H
#define HCS_ENGINE_SUB_H

#include <systemd/sd-event.h>

#include "attr.h"
#include "filter.h"
#include "list.h"

#define SUB_LOG_SIZE 40u /* of the text of a log's id, or of a boot's */
#define SUB_BOOKMARK_MS_MIN 100u

struct engine;
struct sub_client;

/* A position: after event @after of @log.  What comes next was numbered in @boot, "" when that is
 * not known.  Strings are borrowed for the call. */
struct sub_position {
    const char *log;
    uint64_t after;
    const char *boot;
};

enum sub_from {
    SUB_FROM_NOW,
    SUB_FROM_BEGINNING,
    SUB_FROM_AFTER,
    SUB_FROM_NOW_OR_EXIT, /* of one system: now, but with the exit event of one that has ended */
    SUB_FROM_SINCE,       /* with the oldest event that was stamped @since_ns or later */
    SUB_FROM_LAST         /* with the newest @last events that match */
};

struct sub_options {
    enum sub_from from;
    uint64_t after;            /* SUB_FROM_AFTER */
    const char *log_opt;       /* the log that @after is of; NULL: this one */
    uint64_t since_ns;         /* realtime */
    uint64_t last;             /* SUB_FROM_LAST; 0 is as good as now */
    const char *system_id_opt; /* only this system, which must be known... */
    uint64_t incarnation;      /* ...and be this one, unless 0 */
    struct filter *filter_opt; /* taken, also when it fails */
    uint64_t until_ns;         /* realtime: it ends before the first event after that; 0: never */
    int no_follow;             /* it ends after what is durable now */
    uint32_t bookmark_ms;      /* a bookmark at least that often; 0: only where one is needed */
    uint64_t client;           /* whose it is: readers with the same number take turns as one */
};

struct sub {
    const struct sub_sink *sink;

    /* the engine's */
    struct list link; /* in its client's list */
    struct sub_client *client;
    struct engine *engine;
    struct filter *filter_opt;
    sd_event_source *bookmark_timer;
    sd_event_source *until_timer;
    uint64_t position;    /* newest event it has seen or that was not for it */
    uint64_t told;        /* what the reader knows of that: its last event, gap or bookmark */
    uint64_t incarnation; /* 0: all systems */
    uint64_t since_ns;    /* nothing before an event of that time was there yet; 0: it was */
    uint64_t until_ns;
    uint64_t stop_after; /* it ends when it has passed this event */
    uint64_t bookmark_us;
    uint64_t seek_left; /* events still to be found... */
    uint64_t seek_top;  /* ...among those up to this one */
    uint64_t lost;      /* newest event of the log that its position is of, and that is no more */
    uint64_t sent;      /* events */
    uint64_t filtered;  /* passed because they were not for it */
    char boot[SUB_LOG_SIZE];
    int has_lost;
    int seeking;
    int bookmark_due;
    int blocked; /* its sink had no room */
    int ended;
    const char *reason; /* of the end; NULL: the exit of the system */
};

/* Where events go.  A sink that has no room says 0 and is asked again after sub_wake(). */
struct sub_sink {
    int (*event)(struct sub *s, const char *bytes, size_t length);
    int (*gap)(struct sub *s, uint64_t first, uint64_t last);

    /* The last; the reader is closed when it returns 1. */
    int (*end)(struct sub *s, const char *reason);

    /* Once, before all else, perhaps from within sub_open(): where the stream begins.  Not asked
     * again.  NULL: it does not care. */
    void (*ready)(struct sub *s, const struct sub_position *at);

    /* Everything up to @at was given.  A @regular one is one of many: it says 0 also when something
     * still waits to be sent, and the next one will say more.  NULL: it wants none. */
    int (*bookmark)(struct sub *s, const struct sub_position *at, int regular);
};

/* Begin.  Nothing but ready() is called before the loop runs.
 * Errors: HCS_E_SYSTEM_NOT_FOUND · HCS_E_WIN32_NOT_FOUND @log_opt is neither this log nor the one
 * before it · HCS_E_INVALIDARG @after does not exist yet · HCS_E_OUTOFMEMORY · of the log */
_must_use_ hcs_result sub_open(struct engine *e, struct sub *s, const struct sub_options *options,
                               hcs_error *err);
void sub_wake(struct sub *s);
void sub_close(struct sub *s); /* also one that was never opened, when it is all zero */

/* How a reader is. */
struct sub_figures {
    uint64_t position;
    uint64_t lag; /* events of the log that it has not passed */
    uint64_t incarnation;
    uint64_t sent;
    uint64_t filtered;
    int blocked;
    int seeking; /* it looks for where to begin */
};
void sub_get_figures(const struct sub *s, struct sub_figures *out);

#endif
