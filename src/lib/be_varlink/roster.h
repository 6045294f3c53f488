/* roster.h - the streams of one handle, so that closing the handle can end them.
 *
 * Handle and streams are closed by their owners in any order, from any thread: each holds a
 * reference to the roster, and neither knows the other. */
#ifndef HCS_LIB_VARLINK_ROSTER_H
#define HCS_LIB_VARLINK_ROSTER_H

#include "attr.h"
#include "list.h"

struct roster;

/* A place on a roster, inside what is on it; all zero: on none. */
struct roster_place {
    struct roster *roster; /* counted */
    struct list link;
};

struct roster *roster_new(void); /* NULL when out of memory; one reference is the caller's */

/* Put @place on the roster of a handle that is open. */
void roster_join(struct roster *r, struct roster_place *place);

/* When it returns nobody tells @place any more. */
void roster_leave(struct roster_place *place);

/* Tell all who are on it, with the roster's lock held, and drop the caller's reference.  NULL is
 * allowed. */
void roster_close(struct roster *r, void (*tell)(struct roster_place *place));

#endif
