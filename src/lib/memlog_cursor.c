/* memlog_cursor.c - the readers of an event log in memory.
 *
 * Owns the cursors.  Used by streams, one thread at a time for each cursor.  Promises that reading
 * takes no lock but where a chunk ends, that a record is borrowed until the next one is taken
 * though producers go round the log meanwhile, and that numbers missing are told exactly: a cursor
 * knows which number it wants, and a chunk which number it begins with. */
#include <assert.h>
#include <string.h>

#include "clock.h"
#include "err.h"
#include "memlog_state.h"

/* About what a wake-up costs both sides together. */
#define SPIN_NS 5000u
#define LOOK_NS 500u

/* Where a cursor stands until it has told of what was missing at its beginning. */
static struct record gap_place = { .state = MARK_GAP };

/* ---- opening and closing ---- */

static void begin_at_end(struct memlog *l, struct memlog_cursor *c)
{
    c->chunk = l->chunks.newest;
    c->at = l->at;
    c->wanted = l->next;
}

static void begin_now(struct memlog *l, struct memlog_cursor *c)
{
    begin_at_end(l, c);
    if (!l->final_chunk)
        return;
    c->chunk = l->final_chunk;
    c->at = l->final_at;
    c->wanted = l->final_number;
}

static void begin_oldest(struct memlog *l, struct memlog_cursor *c)
{
    c->chunk = l->chunks.oldest;
    c->at = c->chunk->bytes;
    c->wanted = c->chunk->first;
}

static void begin_after(struct memlog *l, struct memlog_cursor *c, uint64_t after)
{
    struct chunk *chunk = l->chunks.oldest;

    if (after >= l->next - 1) {
        begin_at_end(l, c);
        return;
    }
    while (chunk && (chunk->end ? chunk->end : l->next) <= after + 1)
        chunk = chunk->next;
    c->wanted = after + 1;
    c->chunk = chunk ? chunk : l->chunks.newest;
    c->at = chunk ? chunk->bytes : l->at; /* at the end, with the next ones lost already */
    if (!chunk)
        return;
    if (chunk->first > c->wanted) {
        c->begin = c->at;
        c->at = (unsigned char *) &gap_place;
        return;
    }
    for (uint64_t n = chunk->first; n < c->wanted; n++)
        c->at += record_size(record_look(c->at));
}

/* Put the cursor at its place, under the lock: so the chunk cannot go before it is entered. */
static void take_place(struct memlog *l, struct memlog_cursor *c, enum memlog_from from,
                       uint64_t after)
{
    uint32_t parked = memlog_hold(l);

    if (from == MEMLOG_FROM_OLDEST)
        begin_oldest(l, c);
    else if (from == MEMLOG_FROM_AFTER)
        begin_after(l, c, after);
    else
        begin_now(l, c);
    chunks_enter(c->chunk);
    l->chunks.n_cursors++;
    memlog_release(l, parked);
}

hcs_result memlog_cursor_open(struct memlog *l, enum memlog_from from, uint64_t after,
                              struct wake *wake, struct memlog_cursor **out, hcs_error *err)
{
    struct memlog_cursor *c;

    assert(l && wake && out);
    c = calloc(1, sizeof *c);
    if (!c)
        return fail(err, HCS_E_OUTOFMEMORY, "memlog.open", "no memory for a cursor");
    c->log = l;
    c->wake = wake;
    /* Relaxed: the caller has a reference, so this cannot be the first or last one. */
    atomic_fetch_add_explicit(&l->references, 1, memory_order_relaxed);
    lock_take(&l->waking);
    list_append(&l->cursors, &c->link);
    lock_give(&l->waking);
    take_place(l, c, from, after);
    *out = c;
    return HCS_OK;
}

void memlog_cursor_close(struct memlog_cursor *c)
{
    struct memlog *l;
    uint32_t parked;

    if (!c)
        return;
    l = c->log;
    /* Who wakes holds this lock while it touches a cursor, and finds cursors only in the list. */
    lock_take(&l->waking);
    list_remove(&c->link);
    lock_give(&l->waking);
    parked = memlog_hold(l);
    chunks_leave(&l->chunks, c->chunk);
    l->chunks.n_cursors--;
    memlog_release_chunks(l, parked);
    free(c);
    memlog_unref(l);
}

/* ---- reading ---- */

static enum memlog_next tell_gap(struct memlog_cursor *c, uint64_t next, struct memlog_record *out)
{
    *out = (struct memlog_record){ .gap_first = c->wanted, .sequence = next - 1, .detail = "" };
    c->wanted = next;
    return MEMLOG_GAP;
}

static enum memlog_next tell_end(struct memlog_cursor *c, struct memlog_record *out)
{
    const struct memlog *l = c->log;

    /* Neither changes after the mark, which was seen with acquire. */
    if (c->wanted < l->next)
        return tell_gap(c, l->next, out);
    *out = (struct memlog_record){ .detail = l->reason, .length = strlen(l->reason) };
    return MEMLOG_END;
}

static void go_to_next_chunk(struct memlog_cursor *c)
{
    struct memlog *l = c->log;
    uint32_t parked = memlog_hold(l);
    struct chunk *from = c->chunk, *to = chunks_after(&l->chunks, from, c->wanted);

    chunks_enter(to);
    chunks_leave(&l->chunks, from);
    c->chunk = to;
    c->at = to->bytes;
    memlog_release_chunks(l, parked);
}

static __attribute__((noinline)) enum memlog_next next_slowly(struct memlog_cursor *c,
                                                              struct memlog_record *out)
{
    for (;;) {
        switch (record_look(c->at)) {
        case MARK_NOTHING:
            return MEMLOG_NOTHING;
        case MARK_END:
            return tell_end(c, out);
        case MARK_GAP:
            c->at = c->begin;
            return tell_gap(c, c->chunk->first, out);
        case MARK_CHUNK:
            go_to_next_chunk(c);
            if (c->chunk->first > c->wanted)
                return tell_gap(c, c->chunk->first, out);
            break;
        default:
            return memlog_next(c, out);
        }
    }
}

enum memlog_next memlog_next(struct memlog_cursor *c, struct memlog_record *out)
{
    unsigned char *at = c->at;
    const struct record *r = record_at(at);
    uint32_t state = record_look(at);

    if (state <= MARK_LAST)
        return state == MARK_NOTHING ? MEMLOG_NOTHING : next_slowly(c, out);
    c->at = at + record_size(state);
    out->sequence = c->wanted++;
    out->gap_first = 0;
    out->realtime_ns = r->realtime_ns;
    out->monotonic_ns = r->monotonic_ns;
    out->kind = r->kind;
    out->flags = record_flags(state);
    out->detail = r->text;
    out->length = record_length(state);
    return MEMLOG_RECORD;
}

/* ---- waiting ---- */

int memlog_arm(struct memlog_cursor *c)
{
    struct memlog *l = c->log;
    uint32_t parked = memlog_hold(l);

    if (record_look(c->at) != MARK_NOTHING) {
        memlog_release(l, parked);
        return 0;
    }
    /* Relaxed: the release of the word tells it. */
    atomic_store_explicit(&c->armed, l->turn, memory_order_relaxed);
    memlog_release(l, WORD_PARKED);
    return 1;
}

int memlog_ready(const struct memlog_cursor *c)
{
    return record_look(c->at) != MARK_NOTHING;
}

int memlog_spin(struct memlog_cursor *c)
{
    uint64_t now = clock_monotonic_ns(), until = now + SPIN_NS, look;

    /* Every look takes the line from the producer, who then waits for it as long as a put takes:
     * so look seldom, and find several records. */
    do {
        for (look = now + LOOK_NS; now < look; now = clock_monotonic_ns())
            spin_pause();
        if (record_look(c->at) != MARK_NOTHING)
            return 1;
    } while (now < until);
    return 0;
}
