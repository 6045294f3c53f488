/* fuzz_trampoline.c - any events from HCS, in any order: what is read is well formed, raw in its
 * kind, dense in its numbers, and the end comes once.
 *
 * Input: one byte (bit 0: the handle is a process's), then events: one byte of flags, four of kind,
 * two of length, and that many UTF-16 units.  Flags: 1 no text, 2 no event at all, 4 a context
 * that is no number, 8 read everything first, 16 close the handle, 32 tell the end ourselves. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "registry.h"
#include "status.h"
#include "trampoline.h"
#include "utf.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

struct bed {
    struct memlog *log;
    struct memlog_cursor *cursor;
    struct wake wake;
    struct trampoline trampoline;
    int closed;
    uint64_t last; /* number read */
    int ends;
    int finished;
};

static void read_record(struct bed *b, const struct memlog_record *r)
{
    hcs_exit report;

    CHECK(!b->finished);
    CHECK(r->sequence == b->last + 1);
    b->last = r->sequence;
    CHECK(strlen(r->detail) == r->length && utf8_valid(r->detail, r->length));
    CHECK(!(r->flags & MEMLOG_ABSENT) || r->length == 0);
    if (r->kind == b->trampoline.end_kind || r->kind == HCS_EVENT_SERVICE_DISCONNECT)
        b->ends++;
    CHECK(b->ends <= 1);
    report = r->kind == HCS_EVENT_SYSTEM_EXITED
                 ? status_of_system(r->detail, r->length)
                 : status_of_process(r->detail, r->length, NULL, NULL);
    CHECK((report.how == HCS_EXIT_UNKNOWN) == (report.reason[0] != '\0'));
    CHECK(utf8_valid(report.reason, strlen(report.reason)));
}

static void read_all(struct bed *b)
{
    struct memlog_record r;

    for (;;) {
        switch (memlog_next(b->cursor, &r)) {
        case MEMLOG_NOTHING:
            return;
        case MEMLOG_GAP:
            CHECK(r.gap_first == b->last + 1 && r.sequence >= r.gap_first);
            b->last = r.sequence;
            break;
        case MEMLOG_RECORD:
            read_record(b, &r);
            break;
        case MEMLOG_END:
            CHECK(r.detail[0] != '\0');
            b->finished = 1;
            return;
        }
    }
}

static void close_once(struct bed *b)
{
    if (!b->closed) {
        memlog_end(b->log, TRAMPOLINE_CLOSED);
        trampoline_close(&b->trampoline);
    }
    b->closed = 1;
}

/* One event; its text is in memory of its own, with nothing behind it. */
static void send(struct bed *b, uint8_t flags, uint32_t kind, const uint8_t *units, size_t n)
{
    struct flat_event event = { .type = kind };
    uint16_t *text = calloc(n + 1, sizeof *text);
    void *context = registry_context(b->trampoline.number);

    CHECK(text);
    memcpy(text, units, n * sizeof *text);
    event.data = flags & 1 ? NULL : text;
    if (flags & 4)
        context = (void *) ((uintptr_t) context ^ ((uintptr_t) kind + 1));
    trampoline_event(flags & 2 ? NULL : &event, context);
    free(text);
}

static size_t step(struct bed *b, const uint8_t *data, size_t size)
{
    uint32_t kind;
    size_t n;

    memcpy(&kind, data + 1, sizeof kind);
    n = (size_t) data[5] | (size_t) data[6] << 8;
    if (n > (size - 7) / 2)
        n = (size - 7) / 2;
    if (data[0] & 8)
        read_all(b);
    if (data[0] & 16)
        close_once(b);
    if ((data[0] & 32) && !b->closed)
        (void) trampoline_tell_end(&b->trampoline, NULL);
    send(b, data[0], kind, data + 7, n);
    return 7 + 2 * n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bed b = { .wake = { HCS_POLLABLE_NONE } };

    if (size < 1)
        return 0;
    CHECK(wake_init(&b.wake, NULL) >= 0);
    CHECK(memlog_new(MEMLOG_CEILING_MIN, &b.log, NULL) >= 0);
    CHECK(memlog_cursor_open(b.log, MEMLOG_FROM_NOW, 0, &b.wake, &b.cursor, NULL) >= 0);
    CHECK(trampoline_open(&b.trampoline, b.log, NULL,
                          data[0] & 1 ? HCS_EVENT_PROCESS_EXITED : HCS_EVENT_SYSTEM_EXITED,
                          NULL) >= 0);
    for (size_t at = 1; at + 7 <= size;)
        at += step(&b, data + at, size - at);
    close_once(&b);
    read_all(&b);
    CHECK(b.finished);
    memlog_cursor_close(b.cursor);
    memlog_unref(b.log);
    wake_done(&b.wake);
    return 0;
}
