/* object.h - what is behind the handles of the flat API: numbers, and counted objects.
 *
 * A handle is a number of one table for all kinds.  A number that was closed, or of another kind,
 * finds nothing; a call that has found its object keeps it until it is done, whoever closes the
 * handle meanwhile. */
#ifndef HCS_COMPAT_OBJECT_H
#define HCS_COMPAT_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "flat.h"

enum object_kind { OBJECT_SYSTEM, OBJECT_PROCESS, OBJECT_OPERATION };

struct object {
    enum object_kind kind;
    atomic_uint references;
    atomic_bool closed; /* by the program: no more calls */
    uint64_t number;    /* 0: not in the table */
    void (*drop)(struct object *object);
};

/* With one reference, the caller's. */
void object_init(struct object *o, enum object_kind kind, void (*drop)(struct object *object));
struct object *object_ref(struct object *o);
void object_unref(struct object *o); /* NULL is allowed */

/* Into the table, which holds a reference of its own. */
_must_use_ HRESULT object_publish(struct object *o);
void *object_handle(const struct object *o);

/* Counted, or NULL: closed, of another kind, no handle at all. */
struct object *object_find(const void *handle, enum object_kind kind);

/* For a close: also one that another thread is closing just now. */
struct object *object_find_closing(const void *handle, enum object_kind kind);

/* Out of the table; once, whoever calls it. */
void object_retire(struct object *o);

#endif
