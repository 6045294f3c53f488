/* backend.h - what a back end of the library provides: one function for each public verb.
 *
 * The public functions (host.c, system.c, process.c, op.c, stream.c of this folder) refuse NULLs,
 * wrong sizes, timeouts below -1 and ids of another form, and call the back end that the handle
 * came from with what is left.  So a back end never sees a NULL that the header forbids, and an
 * `out` of the user is as large as ours.  Ownership, blocking and errors are those of the public
 * header.
 *
 * Every handle begins with a head; a back end has it as the first member of a struct of its own. */
#ifndef HCS_LIB_BACKEND_H
#define HCS_LIB_BACKEND_H

#include "attr.h"
#include "err.h"
#include "hcs/hcs.h"

struct backend;

struct hcs_host {
    const struct backend *backend;
};

struct hcs_system {
    const struct backend *backend;
    char *id; /* what hcs_system_id() gives; the back end's to make and free */
};

struct hcs_process {
    const struct backend *backend;
};

struct hcs_op {
    const struct backend *backend;
};

struct hcs_stream {
    const struct backend *backend;
};

enum system_verb { SYSTEM_START, SYSTEM_SHUT_DOWN, SYSTEM_TERMINATE };

struct backend {
    const char *name;

    /* @rest_opt is the address without the prefix that chose the back end; NULL when the user
     * named no address anywhere. */
    hcs_result (*host_open)(const char *rest_opt, hcs_host **out, hcs_error *err);
    void (*host_close)(hcs_host *host);
    hcs_result (*host_info)(hcs_host *host, char **out_document, hcs_error *err);
    hcs_result (*host_status)(hcs_host *host, char **out_document, hcs_error *err);
    hcs_result (*host_enumerate)(hcs_host *host, const char *query_opt, char **out_document,
                                 hcs_error *err);
    hcs_result (*host_snapshot)(hcs_host *host, const char *query_opt, char **out_document,
                                char cursor[HCS_CURSOR_SIZE], hcs_error *err);
    hcs_result (*host_set_log_bytes)(hcs_host *host, size_t bytes, hcs_error *err);

    hcs_result (*system_create)(hcs_host *host, const char *id, const char *document,
                                hcs_system **out, hcs_op **out_op_opt, hcs_error *err);
    hcs_result (*system_open)(hcs_host *host, const char *id, hcs_system **out, hcs_error *err);
    void (*system_close)(hcs_system *system);
    hcs_result (*system_verb)(hcs_system *system, enum system_verb verb, hcs_op **out_op_opt,
                              hcs_error *err);
    /* The deadline is that of @timeout_ms; whoever does not want to wait at all (0) may still
     * need a round trip. */
    hcs_result (*system_wait)(hcs_system *system, uint64_t deadline_ns, int timeout_ms,
                              hcs_exit *out, hcs_error *err);
    hcs_result (*system_properties)(hcs_system *system, char **out_document, hcs_error *err);
    hcs_result (*system_forget)(hcs_system *system, hcs_error *err);

    hcs_result (*process_create)(hcs_system *system, const char *parameters,
                                 const hcs_stdio *stdio_opt, hcs_process **out, hcs_op **out_op_opt,
                                 hcs_error *err);
    hcs_result (*process_open)(hcs_system *system, uint32_t process_id, hcs_process **out,
                               hcs_error *err);
    uint32_t (*process_id)(hcs_process *process);
    hcs_pollable (*process_take_stdio)(hcs_process *process, hcs_stdio_which which);
    hcs_result (*process_wait)(hcs_process *process, uint64_t deadline_ns, int timeout_ms,
                               hcs_exit *out, hcs_error *err);
    hcs_result (*process_signal)(hcs_process *process, int signal, hcs_error *err);
    void (*process_close)(hcs_process *process);

    hcs_pollable (*op_pollable)(const hcs_op *op);
    hcs_result (*op_wait)(hcs_op *op, uint64_t deadline_ns, hcs_error *err);
    void (*op_close)(hcs_op *op);

    /* Options have been through options_read(); what they point to is the user's. */
    hcs_result (*stream_open)(hcs_host *host, const hcs_stream_options *options, hcs_stream **out,
                              hcs_error *err);
    /* Of one handle; `system_id` of the options is NULL. */
    hcs_result (*stream_open_system)(hcs_system *system, const hcs_stream_options *options,
                                     hcs_stream **out, hcs_error *err);
    hcs_pollable (*stream_pollable)(const hcs_stream *stream);
    /* @out begins as HCS_EVENT_INIT.  HCS_E_WIN32_BUSY for a second reader is the back end's to
     * say. */
    hcs_result (*stream_next)(hcs_stream *stream, uint64_t deadline_ns, hcs_event *out,
                              hcs_error *err);
    hcs_result (*stream_cursor)(const hcs_stream *stream, char out[HCS_CURSOR_SIZE],
                                hcs_error *err);
    void (*stream_end)(hcs_stream *stream);
    void (*stream_close)(hcs_stream *stream);
};

extern const struct backend varlink_backend;
extern const struct backend computecore_backend;

/* Refuse a NULL for the parameter @p of the public function @verb. */
#define NEED(p, verb)                                                                              \
    do {                                                                                           \
        if (!(p))                                                                                  \
            return fail(err, HCS_E_POINTER, verb, "%s must not be NULL", #p);                      \
    } while (0)

#endif
