/* trampoline.c - from HCS's callback to the log of a handle.
 *
 * Owns:    the number of a handle, between open and close.
 * Users:   handle.c; HCS's threads, through the pointer that handle.c gives away.
 * Promise: safe for any event, any context, any thread, any number of them at once, at any time,
 *          also during and after close; the end is told once; after close nothing is touched. */
#include "trampoline.h"

#include <assert.h>

#include "registry.h"

enum trampoline_class trampoline_classify(uint32_t kind, hcs_event_kind end_kind)
{
    if (kind == end_kind)
        return TRAMPOLINE_END;
    if (kind == HCS_EVENT_SERVICE_DISCONNECT)
        return TRAMPOLINE_SERVICE_GONE;
    return TRAMPOLINE_EVENT;
}

hcs_result trampoline_open(struct trampoline *t, struct memlog *log, struct memlog *also_opt,
                           hcs_event_kind end_kind, hcs_error *err)
{
    assert(t && log);
    t->log = log;
    t->also_opt = also_opt;
    t->end_kind = end_kind;
    atomic_init(&t->told, 0);
    return registry_add(t, &t->number, err);
}

void trampoline_close(struct trampoline *t)
{
    assert(t);
    registry_retire(t->number);
}

/* Whether this caller is the one who tells the end. */
static int end_claim(struct trampoline *t)
{
    return atomic_exchange_explicit(&t->told, 1, memory_order_acq_rel) == 0;
}

static void end_logs(struct trampoline *t, enum trampoline_class what)
{
    if (what == TRAMPOLINE_SERVICE_GONE)
        memlog_end(t->log, TRAMPOLINE_DISCONNECTED);
    else if (t->end_kind == HCS_EVENT_SYSTEM_EXITED)
        memlog_end(t->log, TRAMPOLINE_EXITED);
    else
        memlog_end(t->log, TRAMPOLINE_PROCESS_EXITED);
}

static void take(struct trampoline *t, const struct flat_event *event)
{
    enum trampoline_class what = trampoline_classify(event->type, t->end_kind);

    if (what == TRAMPOLINE_EVENT) {
        memlog_put(t->log, event->type, event->data, 0);
        return;
    }
    if (!end_claim(t))
        return;
    /* A system's log first: who waits for the process finds the event there already. */
    if (t->also_opt && what == TRAMPOLINE_END)
        memlog_put(t->also_opt, event->type, event->data, 0);
    memlog_put(t->log, event->type, event->data, 1);
    end_logs(t, what);
}

void FLAT_CALL trampoline_event(struct flat_event *event, void *context)
{
    uintptr_t number = registry_number(context);
    struct trampoline *t;

    if (!event)
        return;
    t = registry_enter(number);
    if (!t)
        return;
    take(t, event);
    registry_leave(number);
}

int trampoline_tell_end(struct trampoline *t, const char *document_opt)
{
    assert(t);
    if (!end_claim(t))
        return 0;
    if (t->also_opt)
        memlog_put_utf8(t->also_opt, t->end_kind, document_opt, 0);
    memlog_put_utf8(t->log, t->end_kind, document_opt, 1);
    end_logs(t, TRAMPOLINE_END);
    return 1;
}
