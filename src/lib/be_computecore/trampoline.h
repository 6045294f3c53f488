/* trampoline.h - from HCS's callback to the log of a handle.
 *
 * HCS gets a number as the context, never a pointer; what it says later than it should finds
 * nothing.  In the callback: look the number up, classify, put one record, leave.  No memory for
 * each event, no JSON, no code of the user, no lock that a closer holds, nothing that waits for a
 * reader. */
#ifndef HCS_COMPUTECORE_TRAMPOLINE_H
#define HCS_COMPUTECORE_TRAMPOLINE_H

#include <stdatomic.h>

#include "flat.h"
#include "hcs/event.h"
#include "memlog.h"

/* The reasons of END, by which a reader tells the ends apart. */
#define TRAMPOLINE_EXITED "the system has exited"
#define TRAMPOLINE_PROCESS_EXITED "the process has exited"
#define TRAMPOLINE_DISCONNECTED "the service was disconnected"
#define TRAMPOLINE_CLOSED "the system's handle was closed"

struct trampoline {
    struct memlog *log;      /* borrowed; outlives the trampoline */
    struct memlog *also_opt; /* borrowed: gets the end of a process besides */
    hcs_event_kind end_kind; /* HCS_EVENT_SYSTEM_EXITED or HCS_EVENT_PROCESS_EXITED */
    atomic_int told;         /* the end: by HCS or by us, whoever is first */
    uintptr_t number;        /* 0: not open */
};

/* What an event is for a handle whose own end has the kind @end_kind. */
enum trampoline_class {
    TRAMPOLINE_EVENT,        /* whatever its kind: recorded raw */
    TRAMPOLINE_END,          /* the end of what the handle stands for */
    TRAMPOLINE_SERVICE_GONE, /* nothing more will be known */
};
enum trampoline_class trampoline_classify(uint32_t kind, hcs_event_kind end_kind);

/* Give it a number.  It must not move until trampoline_close(). */
_must_use_ hcs_result trampoline_open(struct trampoline *t, struct memlog *log,
                                      struct memlog *also_opt, hcs_event_kind end_kind,
                                      hcs_error *err);

/* When it returns no callback is in it, and none will ever be. */
void trampoline_close(struct trampoline *t);

/* The callback for HcsSetComputeSystemCallback and HcsSetProcessCallback; @context is
 * registry_context(t->number). */
void FLAT_CALL trampoline_event(struct flat_event *event, void *context);

/* Tell the end ourselves, with HCS's document when it gave one: it was found by asking.  0: it has
 * been told already. */
int trampoline_tell_end(struct trampoline *t, const char *document_opt);

static inline int trampoline_has_told(struct trampoline *t)
{
    return atomic_load_explicit(&t->told, memory_order_acquire);
}

#endif
