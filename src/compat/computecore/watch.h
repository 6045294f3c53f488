/* watch.h - the event callback of one handle.
 *
 * Nothing runs, and no connection is held, while a handle has no callback.  With one there is a
 * thread that reads a stream and calls it; completions of operations are called from the
 * operation's thread, in turn. */
#ifndef HCS_COMPAT_WATCH_H
#define HCS_COMPAT_WATCH_H

#include "lock.h"
#include "object.h"

struct watch;

/* What a system and a process do differently.  All may block; none is called with a lock held. */
struct watch_source {
    /* A callback is in place: the first thing that its thread does.  May be NULL. */
    void (*began)(struct object *owner);
    hcs_result (*open)(struct object *owner, hcs_stream **out, hcs_error *err);

    /* An exit that is known already, without waiting: an owned document, or NULL. */
    char *(*exit_document)(struct object *owner);

    /* Whether the event is for callbacks of this handle, and is its exit. */
    int (*wants)(struct object *owner, const hcs_event *event, int *out_exit);
    HCS_EVENT_TYPE exit_type;
    int ask_in_gap; /* the stream goes on after an exit that is in a gap */
    int open_first; /* before the callback is in place: what comes then is not missed */
};

struct watch {
    struct object *owner; /* it is part of it */
    const struct watch_source *source;
    struct lock lock; /* guards what follows; never held while a callback runs */
    struct condition changed;
    HCS_EVENT_CALLBACK callback; /* NULL: none */
    void *context;
    HCS_EVENT_OPTIONS options;
    uint64_t registration; /* number of the last one; a thread of an earlier one says nothing */
    int setting;           /* a call is opening the stream */
    int closed;
    int exit_told;
    enum watch_ready { WATCH_CREATING, WATCH_READY, WATCH_FAILED, WATCH_LOST } ready;
    int calling; /* a callback runs */
    uint64_t calling_thread;
    uint64_t calling_registration;
    hcs_stream *stream; /* what the thread reads; to end it */
    unsigned threads;   /* that have not ended */
    unsigned asking;    /* of these, how many wait for the service */
};

void watch_init(struct watch *w, struct object *owner, const struct watch_source *source);
void watch_done(struct watch *w);

/* The object has been created, or will never be. */
void watch_is_ready(struct watch *w, enum watch_ready ready);

/* NULL takes the callback away, and waits for one that runs (not for itself). */
_must_use_ HRESULT watch_set(struct watch *w, HCS_EVENT_OPTIONS options, const void *context,
                             HCS_EVENT_CALLBACK callback_opt, hcs_error *err);

/* No callback any more, ever; waits for one that runs (not for itself).  May be called again. */
void watch_close(struct watch *w);

/* Whether completions go through the event callback. */
int watch_takes_operations(struct watch *w);

/* Begin to call for a completion: waits for its turn, then 1 with @callback and @context, to be
 * ended with watch_leave(); 0 when there is no such callback. */
int watch_enter_operation(struct watch *w, HCS_EVENT_CALLBACK *out_callback, void **out_context);
void watch_leave(struct watch *w);

#endif
