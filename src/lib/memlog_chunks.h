/* memlog_chunks.h - the memory of an event log: a list of chunks below a ceiling.
 *
 * Knows how much is kept and what goes first; knows nothing of records, threads or wakes.  All
 * calls are made under the lock of the log, and none allocates or frees: what is to be freed is
 * collected in `trash`, and what is missing is asked for.
 *
 * A chunk is attached (part of the log), detached (dropped, but a reader is still in it) or spare.
 */
#ifndef HCS_LIB_MEMLOG_CHUNKS_H
#define HCS_LIB_MEMLOG_CHUNKS_H

#include "attr.h"

struct chunk {
    struct chunk *next;
    uint64_t first;   /* number of its first record */
    uint64_t end;     /* number after its last one; 0 while records are still added */
    size_t size;      /* bytes allocated, this head included */
    uint32_t readers; /* cursors that are in it */
    uint16_t kept;    /* 1: holds a final record and is never dropped */
    uint16_t attached;
    unsigned char bytes[];
};

struct chunks {
    size_t ceiling;
    size_t chunk_max; /* size of a chunk once the log is no longer small */
    size_t size_next; /* size of the next chunk to allocate */
    size_t history;   /* bytes kept for cursors to come, though all that are there have had them */
    size_t attached, detached, spare, kept; /* bytes; kept ones are attached as well */
    size_t n_chunks, n_detached, n_cursors;
    struct chunk *oldest, *newest;
    struct chunk *spares;
    struct chunk *trash; /* to be freed when the lock has been given */
};

/* Bytes of a chunk's head and of the marker behind its last record. */
#define CHUNK_OVERHEAD (sizeof(struct chunk) + 8)

void chunks_init(struct chunks *cs, size_t ceiling);

/* A chunk with room for @need bytes, from what is spare, what everybody has read, or, at the
 * ceiling, what is oldest.  NULL: there is none, and one of chunks_size_for() should be allocated.
 */
struct chunk *chunks_take(struct chunks *cs, size_t need);

/* The same when there is no memory: the oldest goes though the ceiling is not reached, and the room
 * may be less than what was wanted.  NULL: nothing can go. */
struct chunk *chunks_take_oldest(struct chunks *cs);

size_t chunks_size_for(const struct chunks *cs, size_t need);

/* Count a chunk that was just allocated with @size bytes; it is neither attached nor spare. */
void chunks_adopt(struct chunks *cs, struct chunk *fresh, size_t size);

/* Make @chunk the newest, from number @first on. */
void chunks_attach(struct chunks *cs, struct chunk *chunk, uint64_t first);

/* A chunk that was taken or adopted, and is not needed. */
void chunks_give_back(struct chunks *cs, struct chunk *chunk);

/* Never drop it.  0: too much is kept already. */
int chunks_keep(struct chunks *cs, struct chunk *chunk);

/* The chunk a reader goes on in that has read @chunk and wants number @wanted; there is one. */
struct chunk *chunks_after(const struct chunks *cs, const struct chunk *chunk, uint64_t wanted);

void chunks_enter(struct chunk *chunk);
void chunks_leave(struct chunks *cs, struct chunk *chunk);

#endif
