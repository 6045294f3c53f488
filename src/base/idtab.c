/* idtab.c - numbers for objects that others may talk about after they are gone.
 *
 * Owns the slots, never the objects.  Used for every link that points sideways or upward.
 * Promises that a number finds its own object or nothing, until one slot has been reused two
 * thousand million times; numbers are positive as int64, so they may travel as JSON integers.
 */
#include "idtab.h"

#include <assert.h>

#define FIRST_SLOTS 16
#define SLOTS_MAX (UINT32_C(1) << 24)
#define GENERATION_MASK UINT32_C(0x7FFFFFFF)

void idtab_init(struct idtab *t)
{
    assert(t);
    *t = (struct idtab){ 0 };
}

void idtab_done(struct idtab *t)
{
    assert(t);
    free(t->slots);
    *t = (struct idtab){ 0 };
}

static hcs_result grow(struct idtab *t)
{
    uint32_t n = t->n_slots ? t->n_slots * 2 : FIRST_SLOTS;
    struct idtab_slot *slots;

    if (n > SLOTS_MAX)
        return HCS_E_OUTOFMEMORY;
    slots = realloc(t->slots, n * sizeof *slots);
    if (!slots)
        return HCS_E_OUTOFMEMORY;
    for (uint32_t i = t->n_slots; i < n; i++)
        slots[i] = (struct idtab_slot){ .generation = 1, .next_free = i + 1 < n ? i + 2 : 0 };
    t->slots = slots;
    t->first_free = t->n_slots + 1;
    t->n_slots = n;
    return HCS_OK;
}

hcs_result idtab_add(struct idtab *t, void *object, uint64_t *out)
{
    struct idtab_slot *slot;
    uint32_t place;

    assert(t && out);
    assert(object);
    if (t->first_free == 0) {
        hcs_result r = grow(t);

        if (r < 0)
            return r;
    }
    place = t->first_free;
    slot = &t->slots[place - 1];
    t->first_free = slot->next_free;
    slot->object = object;
    slot->next_free = 0;
    t->used++;
    *out = (uint64_t) slot->generation << 32 | place;
    return HCS_OK;
}

static struct idtab_slot *slot_of(const struct idtab *t, uint64_t number)
{
    uint32_t place = (uint32_t) number;
    struct idtab_slot *slot;

    if (place == 0 || place > t->n_slots)
        return NULL;
    slot = &t->slots[place - 1];
    return slot->object && slot->generation == number >> 32 ? slot : NULL;
}

void *idtab_find(const struct idtab *t, uint64_t number)
{
    const struct idtab_slot *slot;

    assert(t);
    slot = slot_of(t, number);
    return slot ? slot->object : NULL;
}

void idtab_remove(struct idtab *t, uint64_t number)
{
    struct idtab_slot *slot;

    assert(t);
    slot = slot_of(t, number);
    if (!slot)
        return;
    slot->object = NULL;
    slot->generation = (slot->generation + 1) & GENERATION_MASK;
    if (slot->generation == 0)
        slot->generation = 1;
    slot->next_free = t->first_free;
    t->first_free = (uint32_t) number;
    t->used--;
}
