/* registry.h - numbers that are given to foreign code in place of pointers.
 *
 * A number is slot and generation.  It finds its object from registry_add() to registry_retire(),
 * and nothing before, after, or ever again: no number is given twice.  Slots live in pages that
 * are never freed, so a number may be looked up at any time, by any thread, without a lock.  0 is
 * never a number. */
#ifndef HCS_COMPUTECORE_REGISTRY_H
#define HCS_COMPUTECORE_REGISTRY_H

#include "attr.h"
#include "hcs/error.h"

/* Errors: HCS_E_OUTOFMEMORY, also when all slots are in use. */
_must_use_ hcs_result registry_add(void *object, uintptr_t *out, hcs_error *err);

/* The object, kept until registry_leave(); NULL: the number means nothing (any more). */
void *registry_enter(uintptr_t number);
void registry_leave(uintptr_t number);

/* When it returns the number finds nothing and nobody is between enter and leave.  Waits for those
 * who are, so not to be called between the two by the same thread.  A number that is retired
 * already, or by somebody else at this moment, is waited for all the same. */
void registry_retire(uintptr_t number);

/* What goes as `context` to foreign code, and back. */
static inline void *registry_context(uintptr_t number)
{
    return (void *) number;
}

static inline uintptr_t registry_number(const void *context)
{
    return (uintptr_t) context;
}

/* For tests: slots that have an object, and pages that exist. */
struct registry_stats {
    size_t used;
    size_t pages;
};
void registry_stats(struct registry_stats *out);

#endif
