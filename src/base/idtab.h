/* idtab.h - numbers for objects that others may talk about after they are gone.
 *
 * A number is slot and generation; a number whose object is gone finds nothing.  0 is
 * never a number.
 */
#ifndef HCS_BASE_IDTAB_H
#define HCS_BASE_IDTAB_H

#include "attr.h"
#include "hcs/error.h"

struct idtab_slot {
    void *object;
    uint32_t generation;
    uint32_t next_free;
};

struct idtab {
    struct idtab_slot *slots;
    uint32_t n_slots;
    uint32_t first_free; /* index + 1; 0 when none */
    uint32_t used;
};

void idtab_init(struct idtab *t);
void idtab_done(struct idtab *t); /* the objects are not touched */
_must_use_ hcs_result idtab_add(struct idtab *t, void *object, uint64_t *out);
void *idtab_find(const struct idtab *t, uint64_t number);
void idtab_remove(struct idtab *t, uint64_t number); /* an unknown number is ignored */

#endif
