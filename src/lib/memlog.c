/* memlog.c - the bounded event log in memory of one handle: what producers do.
 *
 * Owns the log.  Used by the trampoline, on foreign threads, and by whoever opens and closes a
 * handle; memlog_cursor.c is the readers' side.  Promises that a put waits for no reader, takes
 * one compare-and-swap and two stores besides writing the record, and loses no number: what there
 * is no room for is missing by number. */
#include "memlog.h"

#include <assert.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "memlog_state.h"
#include "utf.h"

/* Room for a final record when there is no memory: the exit documents of HCS have about 200. */
#define RESERVE_BYTES ((size_t) 1024)

#define PREFETCH_AHEAD 256
#define APART_NS UINT64_C(1000000)

/* Besides WORD_PARKED in what put() remembers: memory went through its hands. */
#define FREE_TRASH 4u

struct source {
    const uint16_t *units; /* NULL: not UTF-16 */
    const char *bytes;     /* NULL: not UTF-8 */
    size_t n;              /* of the bytes */
    int malformed;         /* the bytes */
};

/* What became of a source. */
struct written {
    size_t length;
    size_t units; /* of UTF-16, taken */
    uint32_t flags;
    int fits; /* 0: there was no room, or the log has ended; the rest says how far it came */
};

/* ---- the word ---- */

uint32_t memlog_hold_slowly(struct memlog *l)
{
    unsigned turn = 0;

    for (;;) {
        uint32_t seen = atomic_load_explicit(&l->word, memory_order_relaxed);

        if (!(seen & WORD_LOCK) &&
            atomic_compare_exchange_weak_explicit(&l->word, &seen, WORD_LOCK, memory_order_acquire,
                                                  memory_order_relaxed))
            return seen;
        if (seen & WORD_LOCK)
            spin_wait(&turn);
    }
}

static void free_all(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

void memlog_release_chunks(struct memlog *l, uint32_t parked)
{
    struct chunk *trash = TAKE(l->chunks.trash);

    memlog_release(l, parked);
    free_all(trash);
}

/* Set the wakes of the cursors armed in turn @upto or before.  One that arms itself after the put
 * that wakes is of a later turn, and has nothing to be woken for. */
static void wake_armed(struct memlog *l, uint64_t upto)
{
    lock_take(&l->waking);
    list_for_each(&l->cursors, node)
    {
        struct memlog_cursor *c = container_of(node, struct memlog_cursor, link);
        /* Relaxed: what was armed up to this turn was so under the word's lock, which the caller
         * had since; a later value is none of its business. */
        uint64_t armed = atomic_load_explicit(&c->armed, memory_order_relaxed);

        if (armed == 0 || armed > upto ||
            !atomic_compare_exchange_strong_explicit(&c->armed, &armed, 0, memory_order_relaxed,
                                                     memory_order_relaxed))
            continue;
        wake_set(c->wake);
        l->wakes++;
    }
    lock_give(&l->waking);
}

/* Give the lock after something was put. */
static void finish_slowly(struct memlog *l, uint32_t todo)
{
    uint64_t upto = l->turn;

    if (todo & WORD_PARKED)
        l->turn++;
    memlog_release_chunks(l, 0);
    if (todo & WORD_PARKED)
        wake_armed(l, upto);
}

static inline void finish(struct memlog *l, uint32_t todo)
{
    if (todo)
        finish_slowly(l, todo);
    else
        memlog_release(l, 0);
}

/* ---- text ---- */

static inline size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Write @bytes with U+FFFD for each malformed byte, whole characters while they fit. */
static size_t put_repaired(const char *bytes, size_t n, char *to, size_t room, size_t *out_taken)
{
    size_t written = 0, i = 0;

    while (i < n) {
        size_t good = utf8_sequence(bytes + i, n - i), width = good ? good : 3;

        if (width > room - written)
            break;
        memcpy(to + written, good ? bytes + i : "\xEF\xBF\xBD", width);
        written += width;
        i += good ? good : 1;
    }
    *out_taken = i;
    return written;
}

static __attribute__((noinline)) struct written write_bytes(struct source s, char *to, size_t room,
                                                            size_t limit)
{
    struct written w = { .fits = 1 };
    size_t most = lesser(room, limit), taken = s.n;

    if (s.malformed) {
        w.flags = MEMLOG_LOSSY;
        w.length = put_repaired(s.bytes, s.n, to, most, &taken);
    } else {
        w.length = taken = utf8_cut(s.bytes, s.n, most);
        memcpy(to, s.bytes, w.length);
    }
    if (taken < s.n) {
        w.flags |= MEMLOG_TRUNCATED;
        w.fits = room >= limit;
    }
    return w;
}

/* Write the text of @s to @to, at most @limit bytes.  It does not fit when @room is what cut it. */
static inline __attribute__((always_inline)) struct written write_text(struct source s, char *to,
                                                                       size_t room, size_t limit)
{
    struct written w = { .fits = 1, .flags = MEMLOG_ABSENT };
    struct utf16_text t;

    if (s.bytes)
        return write_bytes(s, to, room, limit);
    if (!s.units)
        return w;
    t = utf8_from_utf16_text(s.units, limit, to, lesser(room, limit));
    w.length = t.bytes;
    w.units = t.units;
    w.flags = t.lossy ? MEMLOG_LOSSY : 0;
    if (!t.whole) {
        w.flags |= MEMLOG_TRUNCATED;
        w.fits = room >= limit;
    }
    return w;
}

/* Bytes that are enough for the record, after @w of it went in; too many by not more than a chunk
 * of the usual size has, so that a short text need not be measured exactly. */
static size_t bytes_wanted(const struct memlog *l, const struct source *s, const struct written *w,
                           size_t limit)
{
    size_t most = l->chunks.chunk_max - CHUNK_OVERHEAD, rest, bound;

    if (s->bytes)
        return record_bytes(lesser(s->malformed ? 3 * s->n : s->n, limit));
    if (!s->units)
        return record_bytes(0);
    rest = utf16_length(s->units + w->units, limit - w->units);
    bound = record_bytes(w->length + 3 * rest);
    if (bound > most || l->chunks.size_next < l->chunks.chunk_max)
        bound = record_bytes(
            lesser(limit, w->length + utf8_length_of_utf16(s->units + w->units, rest, NULL)));
    return bound;
}

/* ---- room ---- */

/* No more records into the newest chunk; its readers go on in the next one, whenever it comes. */
static void close_newest(struct memlog *l)
{
    if (l->chunks.newest->end == 0)
        l->chunks.newest->end = l->next;
    l->end = l->at;
}

static void begin_chunk(struct memlog *l, struct chunk *chunk)
{
    chunks_attach(&l->chunks, chunk, l->next);
    l->at = chunk->bytes;
    l->end = (unsigned char *) chunk + chunk->size - 8;
    record_clear(l->at);
}

static void go_on_in(struct memlog *l, struct chunk *chunk)
{
    unsigned char *before = l->at;

    close_newest(l);
    begin_chunk(l, chunk);
    record_mark(before, MARK_CHUNK); /* last: a reader that sees it finds the next chunk */
}

/* Allocate, which must not be done under the lock: so it is given and taken again, and *@todo is
 * then another.  NULL when there is no memory, or when there is another newest chunk by now. */
static struct chunk *grow(struct memlog *l, size_t size, uint32_t *todo)
{
    struct chunk *newest = l->chunks.newest, *fresh, *reserve = NULL;
    int without_reserve = !l->reserve;

    memlog_release_chunks(l, *todo & WORD_PARKED);
    fresh = malloc(size);
    if (fresh && without_reserve)
        reserve = malloc(RESERVE_BYTES);
    *todo = memlog_hold(l) | FREE_TRASH;
    if (reserve && !l->reserve)
        l->reserve = TAKE(reserve);
    free(reserve);
    if (!fresh)
        return NULL;
    l->allocations++;
    chunks_adopt(&l->chunks, fresh, size);
    if (l->chunks.newest == newest && !l->reason)
        return fresh;
    chunks_give_back(&l->chunks, fresh);
    return NULL;
}

/* When there is no memory: older records go, and the reserve is for what is final. */
static struct chunk *scrape(struct memlog *l, int final)
{
    struct chunk *chunk = chunks_take_oldest(&l->chunks);

    if (!chunk && final && l->reserve) {
        chunk = TAKE(l->reserve);
        chunks_adopt(&l->chunks, chunk, RESERVE_BYTES);
    }
    return chunk;
}

/* There was no room for more than @w of @s.  1: try again, with a *@limit that is less when there
 * is not the memory for all of it.  0: there is no room for it at all. */
static int make_room(struct memlog *l, const struct source *s, const struct written *w, int final,
                     size_t *limit, uint32_t *todo)
{
    size_t wanted = bytes_wanted(l, s, w, *limit);
    struct chunk *newest = l->chunks.newest, *chunk = chunks_take(&l->chunks, wanted);

    *todo |= FREE_TRASH;
    if (!chunk) {
        chunk = grow(l, chunks_size_for(&l->chunks, wanted), todo);
        if (l->reason || l->chunks.newest != newest)
            return 1; /* meanwhile others were here */
    }
    if (!chunk)
        chunk = scrape(l, final);
    if (!chunk)
        return 0;
    go_on_in(l, chunk);
    *limit = lesser(*limit, (size_t) (l->end - l->at) - sizeof(struct record) - 1);
    return 1;
}

/* ---- putting ---- */

static inline __attribute__((always_inline)) struct written
write_record(struct memlog *l, struct source s, size_t limit)
{
    size_t room = (size_t) (l->end - l->at);

    if (room < sizeof(struct record) + 8)
        return (struct written){ .fits = 0 };
    return write_text(s, record_at(l->at)->text, room - sizeof(struct record) - 1, limit);
}

static void keep_newest(struct memlog *l)
{
    struct chunk *newest = l->chunks.newest;

    if (!chunks_keep(&l->chunks, newest) || l->final_chunk)
        return;
    l->final_chunk = newest;
    l->final_at = l->at;
    l->final_number = l->next;
}

static inline void prefetch_for_writing(void *at)
{
#ifdef __x86_64__
    /* The builtin asks only to read unless told of a processor that has this; those that have not
     * take it for nothing. */
    __asm__ volatile("prefetchw %0" : : "m"(*(char *) at));
#else
    __builtin_prefetch(at, 1);
#endif
}

/* The next put takes the lock with a locked instruction, which waits until all earlier stores are
 * in the cache: so get the lines that are about to be written. */
static inline void prefetch_behind(unsigned char *at, size_t size)
{
#pragma GCC unroll 4
    for (size_t line = 0; line < 4; line++)
        if (64 * line < size)
            prefetch_for_writing(at + PREFETCH_AHEAD + 64 * line);
}

/* Both clocks for the price of one, nearly: how far they are apart is looked at again when a
 * millisecond has passed, so a step of the time of day is seen that much later at most. */
static inline void stamp(struct memlog *l, struct record *r)
{
    uint64_t now = clock_monotonic_ns();

    if (now - l->apart_at >= APART_NS) {
        l->apart = clock_realtime_ns() - now;
        l->apart_at = now;
    }
    r->monotonic_ns = now;
    r->realtime_ns = now + l->apart;
}

static inline __attribute__((always_inline)) void publish(struct memlog *l, uint32_t kind,
                                                          const struct written *w, int final)
{
    unsigned char *at = l->at;
    struct record *r = record_at(at);
    size_t size = record_bytes(w->length);

    r->kind = kind;
    stamp(l, r);
    r->text[w->length] = '\0';
    if (final)
        keep_newest(l);
    record_clear(at + size);
    prefetch_behind(at + size, size);
    l->at = at + size;
    l->next++;
    record_mark(at, record_state(w->length, w->flags));
}

/* A put that wrote @w, and perhaps found the log ended, or too little room (several times, when
 * others put too), or has more to do than to put. */
static __attribute__((noinline)) void put_slowly(struct memlog *l, uint32_t kind, struct source s,
                                                 struct written w, int final, uint32_t todo)
{
    size_t limit = l->limit;

    while (!l->reason) {
        if (w.fits) {
            publish(l, kind, &w, final);
            finish(l, todo);
            return;
        }
        if (!make_room(l, &s, &w, final, &limit, &todo)) {
            close_newest(l); /* so that the next one is in a chunk that begins with its number */
            l->next++;
            break;
        }
        w = write_record(l, s, limit);
    }
    memlog_release_chunks(l, todo & WORD_PARKED);
}

/* What is unusual has functions of its own, so that the usual put needs few registers. */
static __attribute__((noinline)) void put_rest(struct memlog *l, uint32_t kind,
                                               const uint16_t *text_opt, struct written w)
{
    put_slowly(l, kind, (struct source){ .units = text_opt }, w, 0, 0);
}

static __attribute__((noinline)) void put_all(struct memlog *l, uint32_t kind,
                                              const uint16_t *text_opt, int final, uint32_t todo)
{
    const struct source s = { .units = text_opt };

    put_slowly(l, kind, s, write_record(l, s, l->limit), final, todo);
}

void memlog_put(struct memlog *l, uint32_t kind, const uint16_t *text_opt, int final)
{
    uint32_t todo;
    struct written w;

    assert(l);
    todo = memlog_hold(l);
    if (todo || final) {
        put_all(l, kind, text_opt, final, todo);
        return;
    }
    w = write_record(l, (struct source){ .units = text_opt }, l->limit);
    if (!w.fits || w.flags & MEMLOG_TRUNCATED) {
        put_rest(l, kind, text_opt, w);
        return;
    }
    publish(l, kind, &w, 0);
    memlog_release(l, 0);
}

void memlog_put_utf8(struct memlog *l, uint32_t kind, const char *text_opt, int final)
{
    struct source s = { .bytes = text_opt };
    uint32_t todo;

    assert(l);
    if (text_opt) {
        s.n = strlen(text_opt);
        s.malformed = !utf8_valid(text_opt, s.n);
    }
    todo = memlog_hold(l);
    put_slowly(l, kind, s, write_record(l, s, l->limit), final, todo);
}

void memlog_end(struct memlog *l, const char *static_reason)
{
    uint32_t parked;

    assert(l && static_reason);
    parked = memlog_hold(l);
    if (l->reason) {
        memlog_release(l, parked);
        return;
    }
    l->reason = static_reason;
    record_mark(l->at, MARK_END); /* there is always room for a state behind the last record */
    l->end = l->at;               /* so that a put finds out where it looks anyway */
    finish(l, parked);
}

/* ---- the log itself ---- */

hcs_result memlog_new(size_t ceiling, struct memlog **out, hcs_error *err)
{
    struct memlog *l;
    struct chunk *first;
    size_t size;

    assert(out);
    if (ceiling < MEMLOG_CEILING_MIN || ceiling > MEMLOG_CEILING_MAX)
        return fail(err, HCS_E_INVALIDARG, "memlog.new",
                    "a log of %zu bytes: the least is %zu, the most is %zu", ceiling,
                    MEMLOG_CEILING_MIN, MEMLOG_CEILING_MAX);
    l = calloc(1, sizeof *l);
    if (!l)
        return fail(err, HCS_E_OUTOFMEMORY, "memlog.new", "no memory for an event log");
    chunks_init(&l->chunks, ceiling);
    l->limit = ceiling / 4;
    size = chunks_size_for(&l->chunks, 0);
    first = malloc(size);
    l->reserve = malloc(RESERVE_BYTES);
    if (!first || !l->reserve) {
        free(first);
        free(l->reserve);
        free(l);
        return fail(err, HCS_E_OUTOFMEMORY, "memlog.new", "no memory for an event log");
    }
    chunks_adopt(&l->chunks, first, size);
    l->allocations = 1;
    l->next = 1;
    l->turn = 1;
    begin_chunk(l, first);
    list_init(&l->cursors);
    lock_init(&l->waking);
    atomic_init(&l->references, 1);
    *out = l;
    return HCS_OK;
}

void memlog_unref(struct memlog *l)
{
    /* Release, so that what others did with the log is done; acquire, for the one who frees. */
    if (!l || atomic_fetch_sub_explicit(&l->references, 1, memory_order_acq_rel) > 1)
        return;
    free_all(l->chunks.oldest);
    free_all(l->chunks.spares);
    free_all(l->chunks.trash);
    free(l->reserve);
    lock_done(&l->waking);
    free(l);
}

void memlog_stats(struct memlog *l, struct memlog_stats *out)
{
    const struct chunks *cs = &l->chunks;
    uint32_t parked = memlog_hold(l);

    *out = (struct memlog_stats){
        .records = l->next - 1,
        .allocations = l->allocations,
        .bytes =
            sizeof *l + cs->attached + cs->detached + cs->spare + (l->reserve ? RESERVE_BYTES : 0),
        .chunks = cs->n_chunks,
        .cursors = cs->n_cursors,
    };
    memlog_release(l, parked);
    lock_take(&l->waking);
    out->wakes = l->wakes;
    lock_give(&l->waking);
}
