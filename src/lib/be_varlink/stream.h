/* stream.h - what is behind a stream that comes from hcsd. */
#ifndef HCS_LIB_VARLINK_STREAM_H
#define HCS_LIB_VARLINK_STREAM_H

#include "handles.h"
#include "roster.h"
#include "watch.h"

#define PLACE_BYTES 65 /* for an id of a host, a log or a boot, with the NUL */

/* Where a stream is: what the service said of itself, and the number that was given to the user
 * last. */
struct place {
    bool known; /* else nothing has been said */
    uint64_t after;
    char log[PLACE_BYTES];
    char host[PLACE_BYTES];
    char boot[PLACE_BYTES];
};

/* When to try again, and how often it was tried. */
struct backoff {
    unsigned next_ms;    /* what the next pause is made of */
    unsigned attempts;   /* since the service was lost */
    unsigned hopeless;   /* of those the last ones, which no later one mends */
    hcs_error why;       /* of the last one that failed; code 0: none has */
    uint32_t chance;     /* state of a generator of its own */
    uint64_t settled_ns; /* since when the connection is good */
};

struct vl_stream {
    struct hcs_stream head;
    struct roster_place place; /* on the roster of the handle it is a stream of */
    struct call call;          /* Subscribe; its answers are the stream */
    struct watch watch;
    atomic_flag reading;

    struct vl_host *host; /* counted */
    json_t *request;      /* parameters of Subscribe, but for where to begin */
    json_t *begin;        /* and where, for the first time */
    bool bookmarks;       /* wanted by the user: he is told */
    uint64_t since_ns;    /* HCS_FROM_TIME, until an event shows that it was there; 0: it was */
    bool since_is_ours;   /* the service was not told of it: it goes on after a place */

    /* A stream of a system that is being created has not subscribed yet: */
    struct vl_op *creation; /* counted; NULL: it has */

    bool reconnects;                /* as the user wants it */
    bool may_start;                 /* the service said that a client had started it */
    bool away;                      /* the service was lost, and we do not have our place again */
    struct backoff backoff;         /* then */
    bool exited;                    /* the one system's exit has been told */
    bool subscribing;               /* the service has not answered that it is ready */
    bool lost;                      /* HCS_EVENT_SERVICE_DISCONNECT has been said: END is next */
    bool cut;                       /* we have hung up: what had arrived is what is left */
    char *end_reason;               /* the service has said END, or will say nothing more */
    struct varlink_message message; /* what the last event is borrowed from, or... */
    char *text;                     /* ...this, which has room for text_size bytes */
    size_t text_size;
    char *detail; /* of the last event, when we made it */

    struct lock lock; /* guards what follows */
    struct place at;  /* written by the reader alone */
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

/* The connection is of no use any more. */
void stream_hang_up(struct vl_stream *s);

/* The handle it is a stream of is closed. */
void stream_orphan(struct roster_place *place);

/* The flag of the watch as it must be now. */
void stream_update(struct vl_stream *s);

/* ---- place.c ---- */

/* Take over a Position object of the service. */
_must_use_ hcs_result place_take(struct vl_stream *s, const json_t *position, hcs_error *err);

/* The user has been given everything up to @sequence. */
void place_move(struct vl_stream *s, uint64_t sequence);

/* An event that has a number is one of this place; strings are borrowed from it. */
void place_stamp(const struct vl_stream *s, hcs_event *e);

/* ---- subscribe.c ---- */

/* Send Subscribe, for where the stream is, or for where it begins. */
_must_use_ hcs_result subscribe_begin(struct vl_stream *s, hcs_error *err);

/* Whether an answer is the first one that a subscription needs. */
_must_use_ hcs_result subscribe_check_ready(struct vl_stream *s, const json_t *answer,
                                            hcs_error *err);

/* Subscribe to a system if it has been created by now: 1, 0 it is still being created, negative:
 * it was not created, or the service cannot be asked. */
_must_use_ hcs_result subscribe_try(struct vl_stream *s, hcs_error *err);

/* ---- reconnect.c ---- */

/* Let it reconnect: what that needs is had now. */
_must_use_ hcs_result reconnect_allow(struct vl_stream *s, hcs_error *err);

/* Whether a stream that was lost, or not had again, for the reason @why, may be had later. */
bool reconnect_can(const struct vl_stream *s, hcs_result why);

/* The connection was lost: try again, later. */
void reconnect_later(struct vl_stream *s);

/* An attempt has failed for the reason @why: try again, later. */
void reconnect_failed(struct vl_stream *s, const hcs_error *why);

/* Try if it is time: 1 and the service has been asked, 0: later, negative: it is of no use. */
_must_use_ hcs_result reconnect_try(struct vl_stream *s, hcs_error *err);

/* The service has answered that it is ready; it has told something. */
void reconnect_done(struct vl_stream *s);
void reconnect_settled(struct vl_stream *s);

#endif
