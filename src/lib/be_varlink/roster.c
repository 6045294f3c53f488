/* roster.c - the streams of one handle, so that closing the handle can end them.
 *
 * Owns:    a list under a lock, until the handle and all its streams have let go of it.
 * Users:   system.c has one for each handle, stream.c a place for each stream of a handle.
 * Promise: a stream is told once, while it is alive, or never: it leaves before it is released.
 */
#include "roster.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lock.h"

struct roster {
    struct lock lock;
    struct list places;
    unsigned references; /* guarded by the lock, as the list */
};

struct roster *roster_new(void)
{
    struct roster *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    lock_init(&r->lock);
    list_init(&r->places);
    r->references = 1;
    return r;
}

/* With the lock held, which is given. */
static void roster_unref(struct roster *r)
{
    bool last = --r->references == 0;

    lock_give(&r->lock);
    if (!last)
        return;
    lock_done(&r->lock);
    free(r);
}

void roster_join(struct roster *r, struct roster_place *place)
{
    assert(r && place && !place->roster);
    lock_take(&r->lock);
    r->references++;
    place->roster = r;
    list_append(&r->places, &place->link);
    lock_give(&r->lock);
}

void roster_leave(struct roster_place *place)
{
    struct roster *r = place->roster;

    if (!r)
        return;
    place->roster = NULL;
    lock_take(&r->lock);
    list_remove(&place->link);
    roster_unref(r);
}

void roster_close(struct roster *r, void (*tell)(struct roster_place *place))
{
    if (!r)
        return;
    lock_take(&r->lock);
    list_for_each(&r->places, n) tell(container_of(n, struct roster_place, link));
    roster_unref(r);
}
