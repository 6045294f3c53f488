/* stream.h - what is behind a stream that comes from hcsd. */
#ifndef HCS_LIB_VARLINK_STREAM_H
#define HCS_LIB_VARLINK_STREAM_H

#include "handles.h"
#include "roster.h"
#include "watch.h"

struct vl_stream {
    struct hcs_stream head;
    struct roster_place place; /* on the roster of the handle it is a stream of */
    struct call call;          /* Subscribe; its answers are the stream */
    struct watch watch;
    atomic_flag reading;

    /* A stream of a system that is being created has not subscribed yet: */
    struct vl_op *creation; /* counted; NULL: it has */
    struct vl_host *host;   /* counted */
    json_t *request;        /* what it will subscribe to, but for the incarnation */

    bool subscribing;               /* the service has not answered that it is ready */
    bool lost;                      /* HCS_EVENT_SERVICE_DISCONNECT has been said: END is next */
    bool cut;                       /* we have hung up: what had arrived is what is left */
    char *end_reason;               /* the service has said END, or will say nothing more */
    struct varlink_message message; /* what the last event is borrowed from */
    char *detail;                   /* of the last event, when we made it */

    struct lock lock; /* guards what follows */
    bool ended;       /* by hcs_stream_end() */
    bool orphaned;    /* by hcs_system_close() */
    bool finished;    /* END has been taken */
};

_must_use_ hcs_result stream_new(struct vl_stream **out, hcs_error *err);
void stream_drop(struct vl_stream *s);
static inline void stream_dropp(struct vl_stream **s)
{
    stream_drop(*s);
}

/* The system has been created, or will not be, or it does not matter any more. */
void stream_forget_creation(struct vl_stream *s);

/* The handle it is a stream of is closed. */
void stream_orphan(struct roster_place *place);

/* The flag of the watch as it must be now. */
void stream_update(struct vl_stream *s);

/* ---- subscribe.c ---- */

/* Whether an answer is the first one that a subscription needs. */
_must_use_ hcs_result subscribe_check_ready(struct vl_stream *s, const json_t *answer,
                                            hcs_error *err);

/* Subscribe to a system if it has been created by now: 1, 0 it is still being created, negative:
 * it was not created, or the service cannot be asked. */
_must_use_ hcs_result subscribe_try(struct vl_stream *s, hcs_error *err);

#endif
