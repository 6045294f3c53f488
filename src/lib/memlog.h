/* memlog.h - the bounded event log in memory of one handle, and cursors on it.
 *
 * Foreign threads put records, which get dense numbers; any number of cursors read them, each at
 * its own pace.  A put never waits for a reader and, once the log has its size, never allocates,
 * but for a text longer than a chunk.  What no longer fits below the ceiling is dropped, oldest
 * first, and every cursor that has not had it gets one GAP with the exact numbers.  A final record
 * is not dropped.
 *
 * How a reader waits.  memlog_next() never sleeps and never arms.  On MEMLOG_NOTHING:
 *
 *     wake_clear(wake);            for a wake shared by several cursors: once for all of them
 *     if (memlog_arm(cursor))      of every cursor that shares the wake
 *         wait for the wake        it is set by the first record that comes from now on
 *     else                         something came meanwhile: memlog_next() again, and wake_set()
 *                                  first if somebody polls the wake
 *
 * in this order: a wake cleared after the arming may be the one that was waited for.  A thread that
 * is about to sleep calls memlog_spin() before all that: a wake-up costs both sides more than the
 * few microseconds it spins. */
#ifndef HCS_LIB_MEMLOG_H
#define HCS_LIB_MEMLOG_H

#include "attr.h"
#include "hcs/error.h"
#include "wake.h"

struct memlog;
struct memlog_cursor;

/* Flags of a record: the numbers of HCS_DETAIL_ in hcs/event.h. */
enum {
    MEMLOG_LOSSY = 1,     /* something malformed became U+FFFD */
    MEMLOG_TRUNCATED = 2, /* longer than a quarter of the ceiling, or than the memory there was; cut
                           * at a character */
    MEMLOG_ABSENT = 4     /* there was no text: NULL, not empty */
};

/* Where a cursor begins: the numbers of hcs_stream_from. */
enum memlog_from {
    MEMLOG_FROM_NOW = 0,    /* what is put from now on; of a log that has a final record already:
                             * from the first such record on */
    MEMLOG_FROM_OLDEST = 1, /* everything the log still has */
    MEMLOG_FROM_AFTER = 2   /* after the record of a number; a GAP when the next ones are no longer
                             * there; a number not reached yet means from now on */
};

enum memlog_next { MEMLOG_NOTHING, MEMLOG_RECORD, MEMLOG_GAP, MEMLOG_END };

struct memlog_record {
    uint64_t sequence;  /* RECORD: 1, 2, ...; GAP: the last number missing; END: 0 */
    uint64_t gap_first; /* GAP: the first number missing; else 0 */
    uint64_t realtime_ns, monotonic_ns; /* RECORD: when it got its number */
    uint32_t kind;                      /* RECORD: raw */
    uint32_t flags;                     /* RECORD: MEMLOG_ flags */
    const char
        *detail; /* RECORD: well-formed UTF-8, NUL-terminated, "" when there is none, borrowed
                  * until the next memlog_next() on the cursor or its close; END: the reason */
    size_t length;
};

struct memlog_stats {
    uint64_t records;     /* numbers given */
    uint64_t allocations; /* of chunks, since the beginning */
    uint64_t wakes;       /* times a wake was set */
    size_t bytes; /* held: the log itself, its chunks, spare ones and those that only a reader
                   * still holds */
    size_t chunks;
    size_t cursors;
};

/* Bounds of a ceiling; what is outside is refused. */
#define MEMLOG_CEILING_MIN ((size_t) 64 << 10)
#define MEMLOG_CEILING_MAX ((size_t) 1 << 30)
#define MEMLOG_CEILING_DEFAULT ((size_t) 4 << 20)

/* An empty log of at most @ceiling bytes.  A reader that stands still keeps the chunk it is in, a
 * sixteenth of the ceiling or 64 KiB: those count, but leave half of the ceiling to the log.  One
 * reference is the caller's; each cursor has one. */
_must_use_ hcs_result memlog_new(size_t ceiling, struct memlog **out, hcs_error *err);
void memlog_unref(struct memlog *l); /* NULL is allowed */

/* Put a record.  Any thread, concurrently.  @text_opt is decoded lossily, straight into the record;
 * no more of it is looked at than can be kept.  @final: the record is kept as long as the log,
 * whatever is dropped around it (until such records fill a quarter of the ceiling).  After
 * memlog_end() nothing is put. */
void memlog_put(struct memlog *l, uint32_t kind, const uint16_t *text_opt, int final);
void memlog_put_utf8(struct memlog *l, uint32_t kind, const char *text_opt, int final);

/* No more records: every cursor gets MEMLOG_END with this reason, borrowed for ever, after what is
 * there.  Needs no memory.  The first call wins. */
void memlog_end(struct memlog *l, const char *static_reason);

/* @wake is borrowed until the cursor's close, and set when an armed cursor goes from nothing to
 * something. */
_must_use_ hcs_result memlog_cursor_open(struct memlog *l, enum memlog_from from, uint64_t after,
                                         struct wake *wake, struct memlog_cursor **out,
                                         hcs_error *err);

/* Take what is next.  One thread at a time for each cursor.  @out is untouched on MEMLOG_NOTHING.
 * After MEMLOG_END: MEMLOG_END again. */
enum memlog_next memlog_next(struct memlog_cursor *c, struct memlog_record *out);

/* 1: there is nothing, and the wake will be set by what comes first.  0: there is something. */
int memlog_arm(struct memlog_cursor *c);

/* 1: memlog_next() would give something.  A look that holds up nobody. */
int memlog_ready(const struct memlog_cursor *c);

/* Wait at most about five microseconds for something to come; 1 when there is something. */
int memlog_spin(struct memlog_cursor *c);

/* When it returns nobody touches the cursor or, for this cursor, its wake.  NULL is allowed.  Not
 * while another thread is in a call on the same cursor. */
void memlog_cursor_close(struct memlog_cursor *c);

void memlog_stats(struct memlog *l, struct memlog_stats *out);

#endif
