/* objects.h - what is behind the handles of the public headers over the flat API.
 *
 * Locks: a host's and each handle's, held for moments, never while HCS is called and never by
 * anything that HCS calls back, but for the operation's own.  Order, outer first: system or
 * process, handle, operation, host. */
#ifndef HCS_COMPUTECORE_OBJECTS_H
#define HCS_COMPUTECORE_OBJECTS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "backend.h"
#include "flat.h"
#include "list.h"
#include "lock.h"
#include "memlog.h"
#include "status.h"
#include "trampoline.h"
#include "wake.h"

#define SUBJECT_BYTES 192 /* "process 17 of system 'web'", in texts of errors */

/* ---- host.c ---- */

/* Two counts: `users` are the user's handle of the host and of each thing opened from it; when the
 * last of them goes, operations that nobody waits for are let go.  `references` is the memory:
 * those operations too. */
struct cc_host {
    struct hcs_host head;
    atomic_uint users;
    atomic_uint references;
    struct flat_api api;
    char *library;
    atomic_size_t log_bytes;
    uint64_t poll_ns;    /* how often a stream of the host looks for newcomers */
    struct lock lock;    /* guards what follows */
    struct list pending; /* of cc_op: their number is alive */
};

struct cc_host *cc_host_ref(struct cc_host *host);
void cc_host_unref(struct cc_host *host);
struct cc_host *cc_host_use(struct cc_host *host);
void cc_host_unuse(struct cc_host *host); /* NULL is allowed */

/* A host over a table that is linked in, for tests.  @poll_ns 0: the usual. */
_must_use_ hcs_result cc_host_over(const struct flat_api *api, const char *name, uint64_t poll_ns,
                                   hcs_host **out, hcs_error *err);

/* The systems that HCS lists, as text. */
_must_use_ hcs_result cc_host_list(struct cc_host *host, const char *query_opt, char **out,
                                   hcs_error *err);

/* ---- operation.c ---- */

struct cc_handle;

/* CALL: the result comes by the completion callback; WAIT: by waiting in HCS. */
enum cc_op_manner { OPERATION_CALL, OPERATION_WAIT };

struct cc_op {
    struct hcs_op head;
    atomic_uint references; /* the user's, the number's, of a callback that runs, of a creation */
    struct cc_host *host;   /* referenced */
    const char *verb;       /* "HcsStartComputeSystem" */
    char subject[SUBJECT_BYTES];
    bool with_process; /* the result has process information */
    uintptr_t number;  /* 0: WAIT */
    flat_operation native;
    struct cc_handle *ends_opt; /* counted: its log ends when the operation fails */
    struct cc_handle *asks_opt; /* counted: it is asked for its end when the operation is done */
    atomic_int collected;       /* somebody reads the result out of HCS */
    struct wake wake;
    struct list pending; /* in the host's; under its lock */
    struct lock lock;    /* guards what follows; what is done does not change any more */
    bool done;
    hcs_result result;
    hcs_error error;
    char *document;
    struct flat_process_information process; /* its handles are ours until they are taken */
};

_must_use_ hcs_result cc_op_new(struct cc_host *host, enum cc_op_manner manner, const char *verb,
                                const char *subject, struct cc_op **out, hcs_error *err);
struct cc_op *cc_op_ref(struct cc_op *op);
void cc_op_unref(struct cc_op *op); /* NULL is allowed */
static inline void cc_op_unrefp(struct cc_op **op)
{
    cc_op_unref(*op);
}

/* Let go of all operations that HCS is still at. */
void cc_op_abandon_all(struct cc_host *host);

/* When it fails, the log of @h is ended: what it is the handle of does not come to be. */
void cc_op_ends(struct cc_op *op, struct cc_handle *h);

/* When it is done well, whoever waits for it asks @h whether it has ended: the event of an end may
 * come later than the call that caused it is done. */
void cc_op_asks(struct cc_op *op, struct cc_handle *h);

/* Take the HRESULT of the starter: HCS_OK when the operation is under way.  Otherwise the error,
 * with what the operation may know of it, and it will never complete. */
_must_use_ hcs_result cc_op_started(struct cc_op *op, int32_t result, hcs_error *err);

/* Of WAIT: wait in HCS for the result. */
hcs_result cc_op_finish(struct cc_op *op, hcs_error *err);

/* Whether it comes to nothing, waiting for that, but not for ever. */
bool cc_op_comes_to_nothing(struct cc_op *op, hcs_error *err);

/* It will not be started after all. */
void cc_op_cancel(struct cc_op *op);

/* Into the hands of the user. */
hcs_op *cc_op_give(struct cc_op *take_op);

bool cc_op_done(struct cc_op *op);
_must_use_ hcs_result cc_op_result(struct cc_op *op, hcs_error *err); /* of one that is done */
char *cc_op_take_document(struct cc_op *op);                          /* owned; NULL: none */
struct flat_process_information cc_op_take_process(struct cc_op *op);
void cc_stdio_close(flat_handle h);

/* A synchronous call of HCS that failed with @result, and may have left a ResultError. */
hcs_result cc_fail(hcs_error *err, int32_t result, const char *verb, const char *subject,
                   const char *document_opt);

/* ---- handle.c ---- */

enum cc_handle_state { HANDLE_NEW, HANDLE_OPEN, HANDLE_CLOSING, HANDLE_CLOSED };
enum cc_asked { NOT_ASKED, ASKING, ASKED };

/* One HCS handle with its one registration and its log. */
struct cc_handle {
    atomic_uint references;
    struct cc_host *host; /* referenced; used by whoever has the handle */
    char subject[SUBJECT_BYTES];
    flat_system system; /* one of the two is not NULL once it is open */
    flat_process process;
    struct memlog *log;           /* counted */
    struct cc_handle *parent_opt; /* counted: of the system that a process is in */
    bool tells_parent;            /* the end is an event of the parent's log too */
    struct trampoline trampoline;
    bool registered;
    struct lock lock; /* guards what follows */
    struct condition changed;
    enum cc_handle_state state;
    unsigned calls; /* of HCS with the native handle, now */
    enum cc_asked asked;
    bool has_properties;
    struct status_properties properties;
    bool has_report;
    hcs_exit report;
};

/* A handle without anything of HCS's in it yet: of a process when @parent_opt is the handle of its
 * system. */
_must_use_ hcs_result cc_handle_new(struct cc_host *host, const char *subject,
                                    struct cc_handle *parent_opt, struct cc_handle **out,
                                    hcs_error *err);
struct cc_handle *cc_handle_ref(struct cc_handle *h);
void cc_handle_unref(struct cc_handle *h); /* NULL is allowed */
static inline void cc_handle_unrefp(struct cc_handle **h)
{
    cc_handle_unref(*h);
}

/* Take over a native handle and register the callback on it.  Also after a failure it has to be
 * closed. */
#define HANDLE_REFUSED "HCS refused the event callback"
_must_use_ hcs_result cc_handle_register(struct cc_handle *h, flat_system system,
                                         flat_process process, hcs_error *err);

/* Around every call of HCS with the native handle: HCS_E_WIN32_INVALID_HANDLE once it is being
 * closed. */
_must_use_ hcs_result cc_handle_enter(struct cc_handle *h, hcs_error *err);
void cc_handle_leave(struct cc_handle *h);

/* End the log, wait for calls, close the native handle, retire the number.  From any thread, any
 * number of times, also at once: it is quiet when any of them returns. */
void cc_handle_close(struct cc_handle *h, const char *static_reason);

/* Ask HCS whether it has ended, and tell the end if so: an end before the registration is not lost.
 * Once, unless @again. */
void cc_handle_ask(struct cc_handle *h, bool again);

/* The Properties or ProcessStatus document, owned; NULL when HCS gave none. */
_must_use_ hcs_result cc_handle_query(struct cc_handle *h, char **out, hcs_error *err);

/* Owner and type as HCS told, "" before it was asked. */
void cc_handle_properties(struct cc_handle *h, struct status_properties *out);

/* Wait for the end. */
_must_use_ hcs_result cc_handle_wait(struct cc_handle *h, uint64_t deadline, hcs_exit *out,
                                     hcs_error *err);

/* Whether the end has come, without waiting and without HCS. */
bool cc_handle_has_ended(struct cc_handle *h);

/* Open a system by its id. */
_must_use_ hcs_result cc_handle_open_system(struct cc_host *host, const char *id,
                                            struct cc_handle **out, hcs_error *err);

/* ---- create.c ---- */

/* Take what the create of a system or a process has returned, @result and a native handle: the
 * callback of @h is registered on it.  HCS_OK also when nothing comes of it, as @creation tells
 * then.  When it cannot be watched it is ended, and @h is closed. */
_must_use_ hcs_result cc_create_started(struct cc_handle *h, struct cc_op *creation, int32_t result,
                                        flat_system system_opt, flat_process process_opt,
                                        hcs_error *err);

/* ---- system.c ---- */

struct cc_system {
    struct hcs_system head;
    struct cc_handle *handle; /* counted */
    struct lock lock;         /* guards what follows */
    struct cc_op *creation;   /* counted; until its good result has been seen */
};

/* Fails while the system is being created, and when that failed. */
_must_use_ hcs_result cc_system_settle(struct cc_system *system, hcs_error *err);

static inline struct cc_host *cc_host_of(hcs_host *host)
{
    return container_of(host, struct cc_host, head);
}

static inline struct cc_system *cc_system_of(hcs_system *system)
{
    return container_of(system, struct cc_system, head);
}

static inline struct cc_op *cc_op_of(const hcs_op *op)
{
    return container_of((hcs_op *) (uintptr_t) op, struct cc_op, head);
}

/* ---- the functions of the table ---- */

hcs_result cc_host_open(const char *path_opt, hcs_host **out, hcs_error *err);
void cc_host_close(hcs_host *host);
hcs_result cc_host_info(hcs_host *host, char **out_document, hcs_error *err);
hcs_result cc_host_status(hcs_host *host, char **out_document, hcs_error *err);
hcs_result cc_host_enumerate(hcs_host *host, const char *query_opt, char **out_document,
                             hcs_error *err);
hcs_result cc_host_snapshot(hcs_host *host, const char *query_opt, char **out_document,
                            char cursor[HCS_CURSOR_SIZE], hcs_error *err);
hcs_result cc_host_set_log_bytes(hcs_host *host, size_t bytes, hcs_error *err);
hcs_result cc_system_create(hcs_host *host, const char *id, const char *document, hcs_system **out,
                            hcs_op **out_op_opt, hcs_error *err);
hcs_result cc_system_open(hcs_host *host, const char *id, hcs_system **out, hcs_error *err);
void cc_system_close(hcs_system *system);
hcs_result cc_system_verb(hcs_system *system, enum system_verb verb, hcs_op **out_op_opt,
                          hcs_error *err);
hcs_result cc_system_wait(hcs_system *system, uint64_t deadline_ns, int timeout_ms, hcs_exit *out,
                          hcs_error *err);
hcs_result cc_system_properties(hcs_system *system, char **out_document, hcs_error *err);
hcs_result cc_system_forget(hcs_system *system, hcs_error *err);
hcs_result cc_process_create(hcs_system *system, const char *parameters, const hcs_stdio *stdio_opt,
                             hcs_process **out, hcs_op **out_op_opt, hcs_error *err);
hcs_result cc_process_open(hcs_system *system, uint32_t process_id, hcs_process **out,
                           hcs_error *err);
uint32_t cc_process_id(hcs_process *process);
hcs_pollable cc_process_take_stdio(hcs_process *process, hcs_stdio_which which);
hcs_result cc_process_wait(hcs_process *process, uint64_t deadline_ns, int timeout_ms,
                           hcs_exit *out, hcs_error *err);
hcs_result cc_process_signal(hcs_process *process, int signal, hcs_error *err);
void cc_process_close(hcs_process *process);
hcs_pollable cc_op_pollable(const hcs_op *op);
hcs_result cc_op_wait(hcs_op *op, uint64_t deadline_ns, hcs_error *err);
void cc_op_close(hcs_op *op);
hcs_result cc_stream_open(hcs_host *host, const hcs_stream_options *options, hcs_stream **out,
                          hcs_error *err);
hcs_result cc_stream_open_system(hcs_system *system, const hcs_stream_options *options,
                                 hcs_stream **out, hcs_error *err);
hcs_pollable cc_stream_pollable(const hcs_stream *stream);
hcs_result cc_stream_next(hcs_stream *stream, uint64_t deadline_ns, hcs_event *out, hcs_error *err);
hcs_result cc_stream_cursor(const hcs_stream *stream, char out[HCS_CURSOR_SIZE], hcs_error *err);
void cc_stream_end(hcs_stream *stream);
void cc_stream_close(hcs_stream *stream);

#endif
