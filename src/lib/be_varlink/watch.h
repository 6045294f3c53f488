/* watch.h - waiting for a connection, the part of this back end that is the platform's.
 *
 * A link is polled by itself; a watch is a pollable of a link, of a flag of ours and of an alarm
 * together. */
#ifndef HCS_LIB_VARLINK_WATCH_H
#define HCS_LIB_VARLINK_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "varlink.h"
#include "wake.h"

/* Wait until @link has something to read, or what varlink_events() says, or the deadline: whether
 * it was one of the former.  Without memory the answer is true: whoever asked looks again. */
bool link_wait_readable(const struct varlink *link, uint64_t deadline);
bool link_wait(const struct varlink *link, uint64_t deadline);

/* No more of @link: what has come can be read, and soon its end. */
void link_hang_up(const struct varlink *link);

/* A pollable of a link alone. */
struct link_watch {
    hcs_pollable pollable;
};

/* It borrows from @link, which lives longer. */
_must_use_ hcs_result link_watch_init(struct link_watch *w, const struct varlink *link,
                                      hcs_error *err);
void link_watch_done(struct link_watch *w);

/* Before the link is read: what comes after that makes the pollable readable again. */
void link_watch_read(struct link_watch *w);

/* No more of @link: the pollable is readable for good, and everybody who waits for it wakes up. */
void link_watch_hang_up(struct link_watch *w, const struct varlink *link);

/* Wait until it is readable: true, or until the deadline: false. */
bool link_watch_wait(const struct link_watch *w, uint64_t deadline);

struct watch {
    struct wake flag;
    hcs_pollable both;
    bool set;                   /* guarded by the owner's lock, as the two calls that say so */
    const struct varlink *link; /* NULL: none, or forgotten */
    uint64_t alarm_ns;          /* moment that makes it readable; 0: none */
#ifdef _WIN32
    void *timer; /* the system's; NULL: it has no alarms */
    atomic_int alarm_came;
    hcs_pollable other; /* event of the other's watch; NULL: there is none */
    void *other_wait;   /* the system's, which sets ours when it is set, once */
    uint64_t number;    /* by which it knows us */
    atomic_int other_came;
#else
    int timer_fd; /* -1: it has no alarms */
#endif
};

_must_use_ hcs_result watch_init(struct watch *w, hcs_error *err);
void watch_done(struct watch *w); /* of one that failed to begin, too */

/* Watch a link too, until it is forgotten, which must be before it is dropped. */
_must_use_ hcs_result watch_add(struct watch *w, const struct varlink *link, hcs_error *err);
void watch_forget(struct watch *w);

/* Watch the link of something else that is waited for, by its own watch; until it is removed, which
 * must be before it is dropped. */
_must_use_ hcs_result watch_add_other(struct watch *w, const struct link_watch *other,
                                      hcs_error *err);
void watch_remove_other(struct watch *w, const struct link_watch *other);

/* It shall have alarms: before the first one. */
_must_use_ hcs_result watch_allow_alarm(struct watch *w, hcs_error *err);

/* Readable from the moment @at_ns of clock_monotonic_ns() on, until the alarm is set again; 0: not
 * at all.  By the thread that reads. */
void watch_set_alarm(struct watch *w, uint64_t at_ns);

/* Whether an alarm is set and its moment has come. */
bool watch_alarm_is_due(struct watch *w);

/* With the owner's lock held: readable without the link, or only with it. */
void watch_set(struct watch *w, bool set);

/* Wait until it is readable: true, or until the deadline: false. */
bool watch_wait(const struct watch *w, uint64_t deadline);

#endif
