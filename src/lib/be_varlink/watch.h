/* watch.h - waiting for a connection, the part of this back end that is the platform's.
 *
 * A link is polled by itself; a watch is a pollable of a link and of a flag of ours together. */
#ifndef HCS_LIB_VARLINK_WATCH_H
#define HCS_LIB_VARLINK_WATCH_H

#include <stdbool.h>

#include "varlink.h"
#include "wake.h"

/* Wait until @link has something to read, or what varlink_events() says, or the deadline: whether
 * it was one of the former.  Without memory the answer is true: whoever asked looks again. */
bool link_wait_readable(const struct varlink *link, uint64_t deadline);
bool link_wait(const struct varlink *link, uint64_t deadline);

/* Readable whenever @link is.  Borrowed from it. */
hcs_pollable link_pollable(const struct varlink *link);

/* No more of @link: it is readable for good, and everybody who waits on it wakes up. */
void link_hang_up(const struct varlink *link);

struct watch {
    struct wake flag;
    hcs_pollable both;
    bool set; /* guarded by the owner's lock, as the two calls that say so */
};

_must_use_ hcs_result watch_init(struct watch *w, hcs_error *err);
void watch_done(struct watch *w); /* of one that failed to begin, too */

/* Watch a link too.  It is forgotten when it is dropped, or when it is removed. */
_must_use_ hcs_result watch_add(struct watch *w, const struct varlink *link, hcs_error *err);
void watch_remove(struct watch *w, const struct varlink *link);

/* With the owner's lock held: readable without the link, or only with it. */
void watch_set(struct watch *w, bool set);

/* Wait until it is readable: true, or until the deadline: false. */
bool watch_wait(const struct watch *w, uint64_t deadline);

#endif
