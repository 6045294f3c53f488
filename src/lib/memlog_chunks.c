/* memlog_chunks.c - the memory of an event log.
 *
 * Owns the order of the chunks and the count of their bytes.  Used by memlog.c, under its lock.
 * Promises that what is attached or detached stays below the ceiling as long as readers that stand
 * still hold no more than half of it, and that a chunk with a final record is never dropped. */
#include "memlog_chunks.h"

#include <assert.h>

#define CHUNK_MAX ((size_t) 64 << 10)
#define CHUNK_FIRST ((size_t) 2048)
#define HISTORY_MAX ((size_t) 256 << 10)

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

void chunks_init(struct chunks *cs, size_t ceiling)
{
    *cs = (struct chunks){ .ceiling = ceiling };
    cs->chunk_max = lesser(ceiling / 16, CHUNK_MAX) & ~(size_t) 63;
    cs->size_next = CHUNK_FIRST;
    cs->history = lesser(ceiling / 4, HISTORY_MAX);
}

static size_t room_of(const struct chunk *chunk)
{
    return chunk->size - CHUNK_OVERHEAD;
}

size_t chunks_size_for(const struct chunks *cs, size_t need)
{
    size_t size = need + CHUNK_OVERHEAD;

    return size > cs->size_next ? size : cs->size_next;
}

void chunks_adopt(struct chunks *cs, struct chunk *fresh, size_t size)
{
    *fresh = (struct chunk){ .size = size };
    cs->n_chunks++;
    if (size == cs->size_next)
        cs->size_next = lesser(4 * size, cs->chunk_max);
}

static void discard(struct chunks *cs, struct chunk *chunk)
{
    cs->n_chunks--;
    chunk->next = cs->trash;
    cs->trash = chunk;
}

static size_t held(const struct chunks *cs)
{
    return cs->attached + cs->detached + cs->spare;
}

/* Only chunks of the usual size are kept, for they fit the next time: all of them, so that a log
 * which has been as full before allocates no more.  But none while readers that stood still have
 * made the log larger than its ceiling. */
void chunks_give_back(struct chunks *cs, struct chunk *chunk)
{
    assert(chunk->readers == 0 && !chunk->attached);
    if (chunk->size != cs->chunk_max || held(cs) + chunk->size > cs->ceiling) {
        discard(cs, chunk);
        return;
    }
    cs->spare += chunk->size;
    chunk->next = cs->spares;
    cs->spares = chunk;
}

static struct chunk *take_spare(struct chunks *cs, size_t need)
{
    struct chunk *chunk = cs->spares;

    if (!chunk || need > room_of(chunk))
        return NULL;
    cs->spares = chunk->next;
    cs->spare -= chunk->size;
    return chunk;
}

/* Take @chunk, which @before (NULL: none) stands before, out of the log. */
static void detach(struct chunks *cs, struct chunk *before, struct chunk *chunk)
{
    assert(chunk != cs->newest && !chunk->kept);
    *(before ? &before->next : &cs->oldest) = chunk->next;
    chunk->attached = 0;
    cs->attached -= chunk->size;
    if (chunk->readers == 0)
        return;
    cs->detached += chunk->size;
    cs->n_detached++;
}

/* The oldest chunk that may go, out of the log; NULL when there is none. */
static struct chunk *drop_oldest(struct chunks *cs)
{
    struct chunk *before = NULL, *chunk = cs->oldest;

    while (chunk != cs->newest && chunk->kept) {
        before = chunk;
        chunk = chunk->next;
    }
    if (chunk == cs->newest)
        return NULL;
    detach(cs, before, chunk);
    return chunk;
}

/* What every reader has passed goes, but for the history.  A reader in a detached chunk or in a
 * kept one has passed nothing that comes after. */
static void recycle_passed(struct chunks *cs)
{
    struct chunk *before = NULL, *chunk = cs->oldest;

    if (cs->n_detached || cs->n_cursors == 0)
        return;
    while (chunk != cs->newest && chunk->readers == 0 &&
           cs->attached - chunk->size >= cs->history) {
        struct chunk *next = chunk->next;

        if (chunk->kept) {
            before = chunk;
        } else {
            detach(cs, before, chunk);
            chunks_give_back(cs, chunk);
        }
        chunk = next;
    }
}

/* Whether @size bytes more can be had.  Readers that stand still cannot take more than half of the
 * ceiling from the log. */
static int may_grow(const struct chunks *cs, size_t size)
{
    return held(cs) + size <= cs->ceiling || cs->attached + size <= cs->ceiling / 2;
}

struct chunk *chunks_take(struct chunks *cs, size_t need)
{
    size_t size = chunks_size_for(cs, need);
    struct chunk *chunk;

    recycle_passed(cs);
    chunk = take_spare(cs, need);
    while (!chunk && !may_grow(cs, size)) {
        struct chunk *dropped = take_spare(cs, 0);

        if (!dropped)
            dropped = drop_oldest(cs);
        if (!dropped)
            break;
        if (dropped->readers)
            continue;
        if (dropped->size == cs->chunk_max && need <= room_of(dropped))
            chunk = dropped;
        else
            discard(cs, dropped);
    }
    return chunk;
}

struct chunk *chunks_take_oldest(struct chunks *cs)
{
    struct chunk *chunk = take_spare(cs, 0);

    while (!chunk) {
        chunk = drop_oldest(cs);
        if (!chunk)
            return NULL;
        if (chunk->readers)
            chunk = NULL;
    }
    return chunk;
}

void chunks_attach(struct chunks *cs, struct chunk *chunk, uint64_t first)
{
    *chunk = (struct chunk){ .size = chunk->size, .first = first, .attached = 1 };
    if (cs->newest)
        cs->newest->next = chunk;
    else
        cs->oldest = chunk;
    cs->newest = chunk;
    cs->attached += chunk->size;
}

int chunks_keep(struct chunks *cs, struct chunk *chunk)
{
    if (chunk->kept)
        return 1;
    if (cs->kept && cs->kept + chunk->size > cs->ceiling / 4)
        return 0;
    chunk->kept = 1;
    cs->kept += chunk->size;
    return 1;
}

struct chunk *chunks_after(const struct chunks *cs, const struct chunk *chunk, uint64_t wanted)
{
    struct chunk *next = cs->oldest;

    if (chunk->attached)
        return chunk->next;
    while (next->first < wanted)
        next = next->next;
    return next;
}

void chunks_enter(struct chunk *chunk)
{
    chunk->readers++;
}

void chunks_leave(struct chunks *cs, struct chunk *chunk)
{
    assert(chunk->readers > 0);
    chunk->readers--;
    if (chunk->attached || chunk->readers)
        return;
    cs->detached -= chunk->size;
    cs->n_detached--;
    chunks_give_back(cs, chunk);
}
