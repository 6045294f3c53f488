/* registry.c - numbers that are given to foreign code in place of pointers.
 *
 * Owns:    the pages of slots, for the life of the process.
 * Users:   trampoline.c and operation.c.
 * Promise: looking up is one compare-and-swap, never waits and never touches freed memory, whatever
 *          number comes; nobody is between enter and leave when retire returns.
 *
 * A slot's word is generation | live | callers.  Whoever enters raises the number of callers only
 * while the generation is its own and the slot is live, in the same step; retiring takes `live`
 * away, so callers can only become fewer; the one who leaves last tells the one who waits. */
#include "registry.h"

#include <assert.h>
#include <stdatomic.h>

#include "err.h"
#include "lock.h"

#define CALLERS_BITS 23
#define CALLERS_MASK ((UINT64_C(1) << CALLERS_BITS) - 1)
#define LIVE (UINT64_C(1) << CALLERS_BITS)
#define GENERATION_SHIFT (CALLERS_BITS + 1)

/* A number has to fit in a pointer. */
#if UINTPTR_MAX > 0xFFFFFFFFu
#define SLOT_BITS 24
#define GENERATION_MAX ((UINT64_C(1) << 40) - 1)
#else
#define SLOT_BITS 18
#define GENERATION_MAX ((UINT64_C(1) << 14) - 1)
#endif
#define SLOT_MASK (((uintptr_t) 1 << SLOT_BITS) - 1)

/* Page k has PAGE_FIRST << k slots. */
#define PAGE_FIRST 64u
#define PAGES (SLOT_BITS - 6)

struct slot {
    _Atomic uint64_t word;
    void *_Atomic object;
    uint32_t next_free; /* index + 1; under the lock */
};

static struct slot *_Atomic pages[PAGES];

/* Taken to give out and to take back, and by the last caller of a retired number.  Zero is the
 * initial value of both kinds on both platforms. */
static struct lock lock;
static struct condition left; /* some retired slot has lost its last caller */
static uint32_t first_free;   /* index + 1 */
static uint32_t n_slots;      /* that exist */
static uint32_t n_used;

static struct slot *slot_at(uint32_t index)
{
    uint32_t n = index / PAGE_FIRST + 1, page = 31 - (uint32_t) __builtin_clz(n);
    struct slot *first;

    if (page >= PAGES)
        return NULL;
    first = atomic_load_explicit(&pages[page], memory_order_acquire);
    return first ? first + (index - PAGE_FIRST * ((1u << page) - 1)) : NULL;
}

static struct slot *slot_of(uintptr_t number, uint64_t *out_generation)
{
    uintptr_t index = number & SLOT_MASK;

    *out_generation = number >> SLOT_BITS;
    return index == 0 ? NULL : slot_at((uint32_t) index - 1);
}

/* ---- looking up ---- */

void *registry_enter(uintptr_t number)
{
    uint64_t generation, word;
    struct slot *slot = slot_of(number, &generation);

    if (!slot)
        return NULL;
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    do {
        if (word >> GENERATION_SHIFT != generation || !(word & LIVE))
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    return atomic_load_explicit(&slot->object, memory_order_relaxed);
}

void registry_leave(uintptr_t number)
{
    uint64_t generation, before;
    struct slot *slot = slot_of(number, &generation);

    assert(slot);
    before = atomic_fetch_sub_explicit(&slot->word, 1, memory_order_release);
    assert((before & CALLERS_MASK) > 0);
    if ((before & LIVE) || (before & CALLERS_MASK) != 1)
        return;
    lock_take(&lock);
    condition_tell_all(&left);
    lock_give(&lock);
}

/* ---- giving out and taking back ---- */

static hcs_result page_add(hcs_error *err)
{
    uint32_t n = n_slots / PAGE_FIRST + 1, page = 31 - (uint32_t) __builtin_clz(n);
    uint32_t size = PAGE_FIRST << page;
    struct slot *slots = page < PAGES ? calloc(size, sizeof *slots) : NULL;

    if (!slots)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.registry",
                    "no room for one more callback context beside %u", n_slots);
    for (uint32_t i = 0; i < size; i++) {
        atomic_init(&slots[i].word, UINT64_C(1) << GENERATION_SHIFT);
        slots[i].next_free = i + 1 < size ? n_slots + i + 2 : 0;
    }
    atomic_store_explicit(&pages[page], slots, memory_order_release);
    first_free = n_slots + 1;
    n_slots += size;
    return HCS_OK;
}

hcs_result registry_add(void *object, uintptr_t *out, hcs_error *err)
{
    struct slot *slot;
    uint64_t word;
    hcs_result r = HCS_OK;

    assert(object && out);
    lock_take(&lock);
    if (first_free == 0)
        r = page_add(err);
    if (r >= 0) {
        uint32_t index = first_free - 1;

        slot = slot_at(index);
        first_free = slot->next_free;
        n_used++;
        word = atomic_load_explicit(&slot->word, memory_order_relaxed);
        atomic_store_explicit(&slot->object, object, memory_order_relaxed);
        atomic_store_explicit(&slot->word, word | LIVE, memory_order_release);
        *out = (uintptr_t) (word >> GENERATION_SHIFT) << SLOT_BITS | (index + 1);
    }
    lock_give(&lock);
    return r;
}

/* With the lock held, when the last caller has gone: ready for another object. */
static void slot_free(struct slot *slot, uint32_t index, uint64_t generation)
{
    atomic_store_explicit(&slot->object, NULL, memory_order_relaxed);
    n_used--;
    /* One that has used up its generations stays dead: no number is given twice. */
    atomic_store_explicit(&slot->word, (generation + 1) << GENERATION_SHIFT, memory_order_relaxed);
    if (generation == GENERATION_MAX)
        return;
    slot->next_free = first_free;
    first_free = index + 1;
}

void registry_retire(uintptr_t number)
{
    uint64_t generation, word;
    struct slot *slot = slot_of(number, &generation);

    if (!slot)
        return;
    lock_take(&lock);
    word = atomic_load_explicit(&slot->word, memory_order_relaxed);
    if (word >> GENERATION_SHIFT == generation)
        word = atomic_fetch_and_explicit(&slot->word, ~LIVE, memory_order_acquire) & ~LIVE;
    while (word >> GENERATION_SHIFT == generation && (word & CALLERS_MASK) != 0) {
        condition_wait(&left, &lock);
        word = atomic_load_explicit(&slot->word, memory_order_acquire);
    }
    if (word >> GENERATION_SHIFT == generation)
        slot_free(slot, (uint32_t) (number & SLOT_MASK) - 1, generation);
    lock_give(&lock);
}

void registry_stats(struct registry_stats *out)
{
    assert(out);
    lock_take(&lock);
    out->used = n_used;
    out->pages = 0;
    for (size_t i = 0; i < PAGES; i++)
        out->pages += atomic_load_explicit(&pages[i], memory_order_relaxed) != NULL;
    lock_give(&lock);
}
