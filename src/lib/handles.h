/* handles.h - what is behind the handles of the public headers, and the calls they share.
 *
 * Locks: each handle has its own, held for moments only and never while waiting for the service.
 * Order, outer first: system or process, operation, host. */
#ifndef HCS_LIB_HANDLES_H
#define HCS_LIB_HANDLES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "attr.h"
#include "err.h"
#include "hcs/hcs.h"
#include "varlink.h"

#define INTERFACE "org.libhcs.ComputeService."

#define IDLE_MAX 8                          /* connections a host keeps for later calls */
#define REPLY_BYTES_MAX ((size_t) 16 << 20) /* largest message of an answer, and of a request */
#define EVENT_BYTES_MAX ((size_t) 4 << 20)  /* largest message of a stream */
#define START_LIMIT_MS 30000                /* until a service that was started has answered */

/* Refuse a NULL for the parameter @p of the public function @verb. */
#define NEED(p, verb)                                                                              \
    do {                                                                                           \
        if (!(p))                                                                                  \
            return fail(err, HCS_E_POINTER, verb, "%s must not be NULL", #p);                      \
    } while (0)

/* ---- autostart.c: where the service is, and starting it ---- */

/* A service started by us that ends at once leaves its reason in its log. */
struct autostart {
    bool started;   /* we started it */
    off_t log_from; /* its words are in the log from here on */
};

_must_use_ hcs_result autostart_address(const char *address_opt, char **out_path, hcs_error *err);

/* Connect to @path; start the service when nobody answers there. */
_must_use_ hcs_result autostart_connect(const char *path, int *out_fd, struct autostart *out_start,
                                        hcs_error *err);

/* Replace @err of a service that was started and went away by what its log says. */
_must_use_ hcs_result autostart_explain(const char *path, const struct autostart *start,
                                        hcs_error *err);

/* ---- host.c ---- */

struct hcs_host {
    atomic_uint references; /* the user's and one of each thing opened from it */
    char *path;
    pthread_mutex_t lock; /* guards what follows */
    struct varlink *idle[IDLE_MAX];
    size_t n_idle;
};

hcs_host *host_ref(hcs_host *host);
void host_unref(hcs_host *host);

/* A connection that waits for a request, or NULL. */
struct varlink *host_take_idle(hcs_host *host);
void host_give_idle(hcs_host *host, struct varlink *take_link);

/* ---- call.c: one request and its answer ---- */

struct call {
    hcs_host *host;       /* counted; NULL when there is no call */
    struct varlink *link; /* of this call alone until it has its answer */
    struct autostart start;
    bool answered;
};

enum call_kind { CALL_ONCE, CALL_STREAM };

void call_init(struct call *c);
void call_done(struct call *c); /* a connection that still waits for its answer is closed */

/* Send a request; returns when the whole of it is on its way.  @parameters is taken, NULL is
 * reported as out of memory. */
_must_use_ hcs_result call_begin(struct call *c, hcs_host *host, enum call_kind kind,
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
_must_use_ hcs_result call_make(hcs_host *host, const char *method, json_t *take_parameters,
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

/* A deadline on the monotonic clock for a timeout, and what is left of it for poll(). */
#define NO_DEADLINE UINT64_MAX
_must_use_ hcs_result deadline_of(int timeout_ms, const char *where, uint64_t *out, hcs_error *err);
int deadline_left_ms(uint64_t deadline);

/* Wait until one of @events of @fd or the deadline: whether it was the former. */
bool deadline_poll(int fd, short events, uint64_t deadline);

/* ---- op.c ---- */

_must_use_ hcs_result op_new(hcs_host *host, const char *method, json_t *take_parameters,
                             const int *fds, size_t n_fds, hcs_op **out, hcs_error *err);
hcs_op *op_ref(hcs_op *op);

/* Read the answer if it is there.  Whoever asks first reads it from the connection, for all. */
bool op_done(hcs_op *op);

/* Of an operation that is done.  The reply is empty unless the result is good; its descriptors
 * may be taken by the one object that the operation creates. */
_must_use_ hcs_result op_result(hcs_op *op, hcs_error *err);
struct varlink_message *op_reply(hcs_op *op);

/* ---- wait.c: waiting for the end of a system or a process ---- */

/* The exit report once it is known, and a call that waits for it, kept so that waiting again
 * goes on with the same call. */
struct waiter {
    pthread_mutex_t lock; /* guards what follows */
    bool known;
    hcs_exit report;
    struct call pending;
};

void waiter_init(struct waiter *w);
void waiter_done(struct waiter *w);
bool waiter_known(struct waiter *w, hcs_exit *out);
_must_use_ hcs_result waiter_wait(struct waiter *w, hcs_host *host, const char *method,
                                  json_t *take_parameters, uint64_t deadline, hcs_exit *out,
                                  hcs_error *err);
_must_use_ hcs_result waiter_check(const hcs_exit *out, const char *where, hcs_error *err);

/* ---- system.c ---- */

struct hcs_system {
    hcs_host *host; /* counted */
    char *id;
    struct waiter waiter;
    pthread_mutex_t lock; /* guards what follows */
    uint64_t incarnation; /* 0 until created */
    hcs_op *creation;     /* counted; until its good result has been taken over */
};

/* Parameters that begin a call on @system: id and incarnation.  Fails while it is being created. */
_must_use_ hcs_result system_parameters(hcs_system *system, json_t **out, hcs_error *err);

#endif
