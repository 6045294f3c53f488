/* system_index.c - systems by id, however many there are.
 * Owns:    the tree of the engine; its keys are the ids in the systems themselves.
 * Users:   system.c puts them in and takes them out; whoever is told an id asks.  Loop thread only.
 * Promise: no set of ids, whoever chose them, makes a search long. */

#include <search.h>
#include <string.h>

#include "system.h"

static int compare(const void *one, const void *other)
{
    return strcmp(one, other);
}

static struct system *system_of(char *id)
{
    return container_of(id, struct system, id);
}

static struct system *first_of(struct engine *e, const char *id)
{
    char *const *at = tfind(id, &e->by_id, compare);

    return at ? system_of(*at) : NULL;
}

hcs_result system_index_add(struct system *s)
{
    char *const *at = tsearch(s->id, &s->engine->by_id, compare);
    struct system *first = at ? system_of(*at) : NULL;

    if (!first)
        return HCS_E_OUTOFMEMORY;
    if (first != s) {
        s->same_id = first->same_id;
        first->same_id = s;
    }
    return HCS_OK;
}

void system_index_remove(struct system *s)
{
    char **at = tfind(s->id, &s->engine->by_id, compare);
    struct system *before = at ? system_of(*at) : NULL;

    if (before == s && s->same_id)
        *at = s->same_id->id;
    else if (before == s)
        (void) tdelete(s->id, &s->engine->by_id, compare);
    while (before && before->same_id != s)
        before = before->same_id;
    if (before)
        before->same_id = s->same_id;
}

struct system *system_find(struct engine *e, const char *id, uint64_t incarnation)
{
    struct system *found = NULL;

    for (struct system *s = first_of(e, id); s; s = s->same_id)
        if (incarnation == 0 ? !found || s->incarnation > found->incarnation
                             : s->incarnation == incarnation)
            found = s;
    return found;
}
