/* bridge_memlog.c - the log in memory as it ships; and, built with noclock.h, without its clocks.
 */
#include "attr.h"
#include "design.h"
#include "memlog.h"

#ifndef MEMLOG_DESIGN
#define MEMLOG_DESIGN memlog_design
#define MEMLOG_NAME "libhcs"
#endif

struct bridge {
    struct memlog *log;
    struct memlog_cursor *cursor;
    struct wake wake;
};

static void *open_bridge(void)
{
    struct bridge *b = calloc(1, sizeof *b);

    if (!b || wake_init(&b->wake, NULL) < 0 ||
        memlog_new(MEMLOG_CEILING_DEFAULT, &b->log, NULL) < 0 ||
        memlog_cursor_open(b->log, MEMLOG_FROM_OLDEST, 0, &b->wake, &b->cursor, NULL) < 0)
        abort();
    return b;
}

static void close_bridge(void *bridge)
{
    struct bridge *b = bridge;

    memlog_cursor_close(b->cursor);
    memlog_unref(b->log);
    wake_done(&b->wake);
    free(b);
}

static void put(void *bridge, uint32_t kind, const uint16_t *text)
{
    memlog_put(((struct bridge *) bridge)->log, kind, text, 0);
}

static void wait_for_more(struct bridge *b)
{
    if (memlog_spin(b->cursor))
        return;
    wake_clear(&b->wake);
    if (memlog_arm(b->cursor))
        wake_wait(&b->wake, UINT64_MAX);
}

static uint64_t take(void *bridge, uint64_t n, tell *told, void *context)
{
    struct bridge *b = bridge;
    struct memlog_record r;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n;) {
        switch (memlog_next(b->cursor, &r)) {
        case MEMLOG_RECORD:
            sum += r.kind + r.length + (unsigned char) r.detail[0];
            told(context, ++i);
            break;
        case MEMLOG_NOTHING:
            wait_for_more(b);
            break;
        default: /* the callers keep less in flight than the log holds */
            abort();
        }
    }
    return sum;
}

const struct design MEMLOG_DESIGN = { MEMLOG_NAME, open_bridge, close_bridge, put, take };
