/* handles.h - what is behind the handles that come from hcsd, and the calls they share.
 *
 * Locks: each handle has its own, held for moments only and never while waiting for the service.
 * Order, outer first: system or process, operation, host. */
#ifndef HCS_LIB_VARLINK_HANDLES_H
#define HCS_LIB_VARLINK_HANDLES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "attr.h"
#include "backend.h"
#include "deadline.h"
#include "lock.h"
#include "loopback.h"
#include "varlink.h"
#include "watch.h"

#define INTERFACE "org.libhcs.ComputeService."

#define IDLE_MAX 8                          /* connections a host keeps for later calls */
#define REPLY_BYTES_MAX ((size_t) 16 << 20) /* largest message of an answer, and of a request */
#define EVENT_BYTES_MAX ((size_t) 4 << 20)  /* largest message of a stream */
#define START_LIMIT_MS 30000                /* until a service that was started has answered */

/* ---- autostart.c: where the service is, and starting it ---- */

/* A service started by us that ends at once leaves its reason in its log. */
struct autostart {
    bool started;   /* we started it */
    off_t log_from; /* its words are in the log from here on */
};

/* The socket at @path_opt, or that of this user. */
_must_use_ hcs_result autostart_address(const char *path_opt, char **out_path, hcs_error *err);

/* Connect to @path; start the service when nobody answers there. */
_must_use_ hcs_result autostart_connect(const char *path, int *out_fd, struct autostart *out_start,
                                        hcs_error *err);

/* The same, but nothing is started: when nobody answers that is HCS_E_SERVICE_NOT_AVAILABLE. */
_must_use_ hcs_result autostart_connect_only(const char *path, int *out_fd, hcs_error *err);

/* Replace @err of a service that was started and went away by what its log says. */
_must_use_ hcs_result autostart_explain(const char *path, const struct autostart *start,
                                        hcs_error *err);

/* ---- host.c ---- */

struct vl_host {
    struct hcs_host head;
    atomic_uint references; /* the user's and one of each thing opened from it */
    char *path;             /* of the socket; over TCP only what messages call the service */
    bool is_tcp;
    struct loopback tcp; /* then */
    struct lock lock;    /* guards what follows */
    struct varlink *idle[IDLE_MAX];
    size_t n_idle;
};

struct vl_host *vl_host_ref(struct vl_host *host);
void vl_host_unref(struct vl_host *host);

/* A connection that waits for a request, or NULL. */
struct varlink *vl_host_take_idle(struct vl_host *host);
void vl_host_give_idle(struct vl_host *host, struct varlink *take_link);

/* ---- call.c: one request and its answer ---- */

struct call {
    struct vl_host *host; /* counted; NULL when there is no call */
    struct varlink *link; /* of this call alone until it has its answer */
    struct autostart start;
    bool greeting; /* the answer to the token of a new connection over TCP is still out */
    bool answered;
};

/* CALL_STREAM_ONLY is a CALL_STREAM that starts no service. */
enum call_kind { CALL_ONCE, CALL_STREAM, CALL_STREAM_ONLY };

void call_init(struct call *c);
void call_done(struct call *c); /* a connection that still waits for its answer is closed */

/* Send a request; returns when the whole of it is on its way.  @parameters is taken, NULL is
 * reported as out of memory. */
_must_use_ hcs_result call_begin(struct call *c, struct vl_host *host, enum call_kind kind,
                                 const char *method, json_t *take_parameters, const int *fds,
                                 size_t n_fds, hcs_error *err);

/* The answer if it is there, without waiting: 1 and @out->json is the object with its parameters, 0
 * it is not there yet, negative: the error that the service answered, or HCS_E_SERVICE_DISCONNECT.
 */
_must_use_ hcs_result call_try(struct call *c, struct varlink_message *out, hcs_error *err);

/* The same, waiting until @deadline: HCS_OK, or HCS_E_OPERATION_TIMEOUT and the call goes on. */
_must_use_ hcs_result call_wait(struct call *c, uint64_t deadline, struct varlink_message *out,
                                hcs_error *err);

/* Begin, wait for the answer, done.  A request that the service cannot have read is sent again,
 * once. */
_must_use_ hcs_result call_make(struct vl_host *host, const char *method, json_t *take_parameters,
                                const int *fds, size_t n_fds, uint64_t deadline,
                                struct varlink_message *out, hcs_error *err);

/* Turn a reply into its parameters, in place; negative: the error that it is. */
_must_use_ hcs_result call_parameters(struct varlink_message *message, hcs_error *err);

/* A string that came from the user, as JSON; @bad when it is not UTF-8. */
_must_use_ hcs_result call_text(const char *text, hcs_result bad, const char *where,
                                const char *name, json_t **out, hcs_error *err);

/* Owned text of the object or array @member of a reply. */
_must_use_ hcs_result call_document(const struct varlink_message *reply, const char *member,
                                    char **out, hcs_error *err);

/* ---- op.c ---- */

struct vl_op {
    struct hcs_op head;
    atomic_uint references;
    struct call call; /* its connection stays until the end */
    struct link_watch watch;
    struct lock lock; /* guards what follows; what is done does not change any more */
    bool done;
    bool seen;
    hcs_result result;
    hcs_error error;
    struct varlink_message reply;
};

_must_use_ hcs_result vl_op_new(struct vl_host *host, const char *method, json_t *take_parameters,
                                const int *fds, size_t n_fds, struct vl_op **out, hcs_error *err);
struct vl_op *vl_op_ref(struct vl_op *op);
void vl_op_unref(struct vl_op *op);

/* Read the answer if it is there.  Whoever asks first reads it from the connection, for all. */
bool vl_op_done(struct vl_op *op);

/* The user was told that it is done.  Of an answer that was read early, while the request was being
 * sent, he does not know. */
void vl_op_see(struct vl_op *op);
bool vl_op_was_seen(struct vl_op *op);

/* Of an operation that is done.  The reply is empty unless the result is good; its descriptors
 * may be taken by the one object that the operation creates. */
_must_use_ hcs_result vl_op_result(struct vl_op *op, hcs_error *err);
struct varlink_message *vl_op_reply(struct vl_op *op);

/* ---- wait.c: waiting for the end of a system or a process ---- */

/* The exit report once it is known, and a call that waits for it, kept so that waiting again
 * goes on with the same call. */
struct waiter {
    struct lock lock; /* guards what follows */
    bool known;
    hcs_exit report;
    struct call pending;
};

void waiter_init(struct waiter *w);
void waiter_done(struct waiter *w);
bool waiter_known(struct waiter *w, hcs_exit *out);
_must_use_ hcs_result waiter_wait(struct waiter *w, struct vl_host *host, const char *method,
                                  json_t *take_parameters, uint64_t deadline, hcs_exit *out,
                                  hcs_error *err);

/* ---- system.c ---- */

struct vl_system {
    struct hcs_system head;
    struct vl_host *host; /* counted */
    struct waiter waiter;
    struct roster *streams; /* of this handle */
    struct lock lock;       /* guards what follows */
    uint64_t incarnation;   /* 0 until created */
    struct vl_op *creation; /* counted; until its good result has been taken over */
};

/* Fails while it is being created. */
_must_use_ hcs_result vl_system_incarnation(struct vl_system *system, uint64_t *out,
                                            hcs_error *err);

/* The incarnation; or, as long as nobody has seen the system's creation be done, the operation that
 * creates it, counted.  Negative: it was not created. */
_must_use_ hcs_result vl_system_identity(struct vl_system *system, uint64_t *out_incarnation,
                                         struct vl_op **out_creation, hcs_error *err);

/* The incarnation that an operation which is done has created. */
_must_use_ hcs_result vl_system_created(struct vl_op *creation, uint64_t *out_incarnation,
                                        hcs_error *err);

/* Parameters that begin a call on @system: id and incarnation.  Fails while it is being created. */
_must_use_ hcs_result vl_system_parameters(struct vl_system *system, json_t **out, hcs_error *err);

/* ---- from the head to the whole ---- */

static inline struct vl_host *vl_host_of(hcs_host *host)
{
    return container_of(host, struct vl_host, head);
}

static inline struct vl_system *vl_system_of(hcs_system *system)
{
    return container_of(system, struct vl_system, head);
}

static inline struct vl_op *vl_op_of(const hcs_op *op)
{
    return container_of((hcs_op *) (uintptr_t) op, struct vl_op, head);
}

/* ---- verbs, for the table in table.c ---- */

hcs_result vl_host_open(const char *address_opt, hcs_host **out, hcs_error *err);
void vl_host_close(hcs_host *host);
hcs_result vl_host_info(hcs_host *host, char **out_document, hcs_error *err);
hcs_result vl_host_status(hcs_host *host, char **out_document, hcs_error *err);
hcs_result vl_host_enumerate(hcs_host *host, const char *query_opt, char **out_document,
                             hcs_error *err);
hcs_result vl_host_snapshot(hcs_host *host, const char *query_opt, char **out_document,
                            char cursor[HCS_CURSOR_SIZE], hcs_error *err);
hcs_result vl_host_set_log_bytes(hcs_host *host, size_t bytes, hcs_error *err);
hcs_result vl_system_create(hcs_host *host, const char *id, const char *document, hcs_system **out,
                            hcs_op **out_op_opt, hcs_error *err);
hcs_result vl_system_open(hcs_host *host, const char *id, hcs_system **out, hcs_error *err);
void vl_system_close(hcs_system *system);
hcs_result vl_system_verb(hcs_system *system, enum system_verb verb, hcs_op **out_op_opt,
                          hcs_error *err);
hcs_result vl_system_wait(hcs_system *system, uint64_t deadline_ns, int timeout_ms, hcs_exit *out,
                          hcs_error *err);
hcs_result vl_system_properties(hcs_system *system, char **out_document, hcs_error *err);
hcs_result vl_system_forget(hcs_system *system, hcs_error *err);
hcs_result vl_process_create(hcs_system *system, const char *parameters, const hcs_stdio *stdio_opt,
                             hcs_process **out, hcs_op **out_op_opt, hcs_error *err);
hcs_result vl_process_open(hcs_system *system, uint32_t process_id, hcs_process **out,
                           hcs_error *err);
uint32_t vl_process_id(hcs_process *process);
hcs_pollable vl_process_take_stdio(hcs_process *process, hcs_stdio_which which);
hcs_result vl_process_wait(hcs_process *process, uint64_t deadline_ns, int timeout_ms,
                           hcs_exit *out, hcs_error *err);
hcs_result vl_process_signal(hcs_process *process, int signal, hcs_error *err);
void vl_process_close(hcs_process *process);
hcs_pollable vl_op_pollable(const hcs_op *op);
hcs_result vl_op_wait(hcs_op *op, uint64_t deadline_ns, hcs_error *err);
void vl_op_close(hcs_op *op);
hcs_result vl_stream_open(hcs_host *host, const hcs_stream_options *options, hcs_stream **out,
                          hcs_error *err);
hcs_result vl_stream_open_system(hcs_system *system, const hcs_stream_options *options,
                                 hcs_stream **out, hcs_error *err);
hcs_pollable vl_stream_pollable(const hcs_stream *stream);
hcs_result vl_stream_next(hcs_stream *stream, uint64_t deadline_ns, hcs_event *out, hcs_error *err);
hcs_result vl_stream_cursor(const hcs_stream *stream, char out[HCS_CURSOR_SIZE], hcs_error *err);
void vl_stream_end(hcs_stream *stream);
void vl_stream_close(hcs_stream *stream);

#endif
