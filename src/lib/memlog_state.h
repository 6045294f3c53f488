/* memlog_state.h - what a log and its cursors know of each other: memlog.c and memlog_cursor.c
 * only.
 *
 * One word is lock and signal.  LOCK: somebody is changing the log, or moving a cursor to another
 * chunk, which is a matter of nanoseconds.  PARKED: a cursor is armed, so whoever puts something
 * next has to wake.  The two are one word so that a put finds out by taking the lock, at no cost;
 * and as a cursor arms itself under the same lock, after it has looked once more, there is no
 * moment at which a put could be missed, and no fence to be reasoned about.
 *
 * Readers take no lock to read.  A record is there when the first word of its header, the state, is
 * not 0.  The order in which a producer stores: the record, 0 into the state of the place behind
 * it, then the state (release).  A reader that loads the state (acquire) so sees the record whole,
 * and finds the 0, or what was put there later, behind it.  A chunk that is used again has been
 * left by its last reader under the lock, which orders that reader's loads before the new stores.
 *
 * tests/model/ has this protocol as a model, checked exhaustively. */
#ifndef HCS_LIB_MEMLOG_STATE_H
#define HCS_LIB_MEMLOG_STATE_H

#include <stdatomic.h>

#include "list.h"
#include "lock.h"
#include "memlog.h"
#include "memlog_chunks.h"
#include "spin.h"

/* A record: header, text, NUL, up to 7 bytes.  Its number is its place: that of the chunk's first
 * record and one for each before it. */
struct record {
    _Atomic uint32_t state; /* a mark, or record_state() */
    uint32_t kind;
    uint64_t realtime_ns;
    uint64_t monotonic_ns;
    char text[];
};

/* States that are no record. */
enum {
    MARK_NOTHING = 0, /* nothing here yet */
    MARK_CHUNK = 1,   /* go on in the next chunk; there is one */
    MARK_END = 2,     /* the log has ended */
    MARK_GAP = 3,     /* never in a log: where a cursor stands that begins with a gap */
    MARK_LAST = 3
};

/* Of a record the state is the length of its text and 1, so that it is no mark, and three flags. */
#define RECORD_TEXT_MAX (((size_t) 1 << 29) - 2)
_Static_assert(MEMLOG_CEILING_MAX / 4 <= RECORD_TEXT_MAX,
               "a text may have a quarter of the ceiling");

static inline uint32_t record_state(size_t length, uint32_t flags)
{
    return (uint32_t) (length + 1) << 3 | flags;
}

static inline size_t record_length(uint32_t state)
{
    return (size_t) (state >> 3) - 1;
}

static inline uint32_t record_flags(uint32_t state)
{
    return state & 7;
}

/* Bytes of a record with a text of @length. */
static inline size_t record_bytes(size_t length)
{
    return (sizeof(struct record) + length + 1 + 7) & ~(size_t) 7;
}

static inline size_t record_size(uint32_t state)
{
    return record_bytes(record_length(state));
}

static inline struct record *record_at(unsigned char *at)
{
    return (struct record *) (void *) at;
}

/* Acquire: pairs with the release in record_mark(), see the top. */
static inline uint32_t record_look(unsigned char *at)
{
    return atomic_load_explicit(&record_at(at)->state, memory_order_acquire);
}

/* Release: whoever sees the mark sees what was stored before. */
static inline void record_mark(unsigned char *at, uint32_t state)
{
    atomic_store_explicit(&record_at(at)->state, state, memory_order_release);
}

/* Relaxed: readers get to this place only by a mark that is released later. */
static inline void record_clear(unsigned char *at)
{
    atomic_store_explicit(&record_at(at)->state, MARK_NOTHING, memory_order_relaxed);
}

enum { WORD_LOCK = 1, WORD_PARKED = 2 };

struct memlog {
    _Atomic uint32_t word;
    _Atomic uint32_t references;

    /* Under WORD_LOCK. */
    unsigned char *at;  /* where the next record goes, in the newest chunk */
    unsigned char *end; /* behind what it may take; before `at` when the chunk is closed */
    uint64_t next;      /* number of the next record */
    uint64_t apart;     /* realtime - monotonic, as it was at ... */
    uint64_t apart_at;  /* ... this monotonic time; 0: not looked at */
    size_t limit;       /* bytes of a text */
    uint64_t turn;      /* of arming; a wake is for what was armed in this turn or before */
    const char *reason; /* not NULL: ended */
    struct chunks chunks;
    struct chunk *reserve;     /* for a final record when there is no memory */
    struct chunk *final_chunk; /* of the first final record, NULL: none */
    unsigned char *final_at;
    uint64_t final_number;
    uint64_t allocations;

    /* Under `waking`, which is taken while WORD_LOCK is not held, and held while wakes are set: so
     * a cursor that has left the list is not touched any more. */
    struct lock waking;
    struct list cursors;
    uint64_t wakes;
};

struct memlog_cursor {
    unsigned char *at;
    uint64_t wanted; /* number of the record at `at`; or, at a gap, the first that is missing */
    struct chunk *chunk;
    struct memlog *log;
    struct wake *wake;
    _Atomic uint64_t armed; /* the turn, 0: not.  Set under WORD_LOCK, taken back by who wakes */
    unsigned char *begin;   /* where it goes on after MARK_GAP */
    struct list link;
};

uint32_t memlog_hold_slowly(struct memlog *l);

/* Take the lock; returns WORD_PARKED or 0, to be given to memlog_release() unless one wakes.
 * Acquire: pairs with the release, so that all that is said above to be under the lock is. */
static inline uint32_t memlog_hold(struct memlog *l)
{
    uint32_t seen = 0;

    if (atomic_compare_exchange_strong_explicit(&l->word, &seen, WORD_LOCK, memory_order_acquire,
                                                memory_order_relaxed))
        return 0;
    return memlog_hold_slowly(l);
}

/* Nobody else changes the word while LOCK is in it, so a store is enough. */
static inline void memlog_release(struct memlog *l, uint32_t parked)
{
    atomic_store_explicit(&l->word, parked, memory_order_release);
}

/* memlog_release() of one that only moved chunks about; frees what is to be freed. */
void memlog_release_chunks(struct memlog *l, uint32_t parked);

#endif
