/* object.c - numbers for the objects of the flat API, and their counts.
 *
 * Owns:    the table; one reference of each object in it.
 * Users:   every exported function.
 * Promise: nothing that a program passes as a handle is ever dereferenced.  The lock is held for a
 *          look into the table only.
 */
#include "object.h"

#include <assert.h>

#include "idtab.h"
#include "lock.h"

_Static_assert(sizeof(void *) == sizeof(uint64_t), "a handle has room for a number");

static struct idtab table;
static struct lock table_lock;

__attribute__((constructor)) static void table_begin(void)
{
    idtab_init(&table);
    lock_init(&table_lock);
}

void object_init(struct object *o, enum object_kind kind, void (*drop)(struct object *object))
{
    assert(o && drop);
    o->kind = kind;
    atomic_init(&o->references, 1);
    atomic_init(&o->closed, false);
    o->number = 0;
    o->drop = drop;
}

struct object *object_ref(struct object *o)
{
    assert(o);
    atomic_fetch_add_explicit(&o->references, 1, memory_order_relaxed);
    return o;
}

void object_unref(struct object *o)
{
    if (o && atomic_fetch_sub_explicit(&o->references, 1, memory_order_acq_rel) == 1)
        o->drop(o);
}

HRESULT object_publish(struct object *o)
{
    hcs_result r;

    assert(o && o->number == 0);
    lock_take(&table_lock);
    r = idtab_add(&table, o, &o->number);
    if (r >= 0)
        object_ref(o);
    lock_give(&table_lock);
    return r;
}

void *object_handle(const struct object *o)
{
    return (void *) (uintptr_t) o->number;
}

struct object *object_find_closing(const void *handle, enum object_kind kind)
{
    struct object *o;

    lock_take(&table_lock);
    o = idtab_find(&table, (uint64_t) (uintptr_t) handle);
    if (o && o->kind == kind)
        object_ref(o);
    else
        o = NULL;
    lock_give(&table_lock);
    return o;
}

struct object *object_find(const void *handle, enum object_kind kind)
{
    struct object *o = object_find_closing(handle, kind);

    if (o && atomic_load_explicit(&o->closed, memory_order_acquire)) {
        object_unref(o);
        return NULL;
    }
    return o;
}

void object_retire(struct object *o)
{
    bool mine;

    assert(o && o->number);
    lock_take(&table_lock);
    mine = idtab_find(&table, o->number) == o;
    if (mine)
        idtab_remove(&table, o->number);
    lock_give(&table_lock);
    if (mine)
        object_unref(o);
}
