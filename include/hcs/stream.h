/* stream.h - the lifecycle event stream.
 *
 * A stream is a cursor on the service's log.  Any number may be open; none can stall
 * another, and one that is not read costs the service a position, not memory.
 *
 * Over computecore (host.h) there is no log but what HCS tells a handle from the moment it is
 * opened, kept in memory (hcs_host_set_log_bytes()):
 *   - numbers count the events of one handle, 1, 2, ...; streams of one handle see the same ones.
 *     HCS_FROM_BEGINNING means from the opening of the handle; HCS_FROM_AFTER is for streams of a
 *     handle only, elsewhere HCS_E_WIN32_NOT_SUPPORTED;
 *   - kinds are HCS's alone and as HCS gives them: no event of a creation or a start is made up.
 *     The end of a process is in the streams of the system's handle that it was created by;
 *   - an end that HCS told nobody, or before the handle was opened, is found by asking and told
 *     once, with the document that HCS has for it or without;
 *   - a stream of one system by its id, and of a host for each system, opens a handle of its own.
 *     A stream of the host looks for newcomers and for the gone about once a second, when it is
 *     read; its pollable is readable then.  A system that lives shorter may be missed.  When one
 *     handle is told that the service has gone, the stream ends.  A handle that is open keeps a
 *     system alive whose document has ShouldTerminateOnLastHandleClosed, as any handle of HCS:
 * close such a stream when its owner's end must end the system.
 */
#ifndef HCS_STREAM_H
#define HCS_STREAM_H

#include "event.h"
#include "host.h"
#include "system.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hcs_stream hcs_stream;

/* Where a stream begins. */
typedef uint32_t hcs_stream_from;
enum {
    HCS_FROM_NOW = 0,       /* events that get their number after the stream is open */
    HCS_FROM_BEGINNING = 1, /* everything the log still has */
    HCS_FROM_AFTER = 2      /* after the event numbered `after` */
};

typedef struct hcs_stream_options {
    uint32_t size; /* sizeof(hcs_stream_options), set by HCS_STREAM_OPTIONS_INIT */
    hcs_stream_from from;
    uint64_t after;        /* HCS_FROM_AFTER */
    const char *system_id; /* one system only; NULL for the whole host */
} hcs_stream_options;

#define HCS_STREAM_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(hcs_stream_options), HCS_FROM_NOW, 0, NULL                                          \
    }

/**
 * Open a stream.  When the call returns the position is taken: whatever happens from
 * then on will be in the stream.
 *
 * A stream of one system ends (HCS_EVENT_END) after that system's HCS_EVENT_SYSTEM_EXITED.
 * A stream of the host ends when it is closed or the service goes away.
 *
 * Owner:  @out is yours; hcs_stream_close().  @options_opt is copied.
 * Errors: HCS_E_SYSTEM_NOT_FOUND the service knows no such system, or was made to forget it ·
 *         HCS_E_INVALIDARG · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_stream_open(hcs_host *host,
                                                const hcs_stream_options *options_opt,
                                                hcs_stream **out, hcs_error *err);

/**
 * Open a stream of one system by its handle.
 *
 * As hcs_stream_open() with the id of the system, and:
 *   - it follows the system of the handle, never a later one that took the same id;
 *   - it may be opened as soon as hcs_system_create() has returned, and begins with the system's
 *     first event, whatever `from` says, unless that was seen to be done (hcs_op_wait(), or
 *     another call on the handle).  Until the system is there the pollable may be readable without
 *     an event, and a system that could not be created is an HCS_EVENT_END that says why;
 *   - with HCS_FROM_NOW on a system that has ended, its HCS_EVENT_SYSTEM_EXITED is still given, as
 *     long as the log has it;
 *   - hcs_system_close() of the handle ends it: what had arrived is given, then HCS_EVENT_END with
 *     the reason "the system's handle was closed".  It must still be closed, before or after the
 *     handle.
 *
 * `system_id` of the options must be NULL.
 *
 * Owner:  @out is yours; hcs_stream_close().  @options_opt is copied.
 * Thread: hcs_system_close() may come from any thread while others use the stream.
 * Errors: HCS_E_SYSTEM_NOT_FOUND the service was made to forget it · HCS_E_INVALIDARG ·
 *         HCS_E_SERVICE_DISCONNECT · those of hcs_system_create() when that has failed
 */
HCS_API HCS_MUST_USE hcs_result hcs_stream_open_system(hcs_system *system,
                                                       const hcs_stream_options *options_opt,
                                                       hcs_stream **out, hcs_error *err);

/**
 * Something to poll for: readable while hcs_stream_next() would return an event.  (It may
 * be readable once more when the next event has arrived only in part.)
 *
 * Owner: borrowed from @stream.
 */
HCS_API hcs_pollable hcs_stream_pollable(const hcs_stream *stream);

/**
 * Take the next event.
 *
 * Events come in the order of their numbers, each once; what the log no longer has is
 * one HCS_EVENT_GAP with the exact numbers.  When the service goes away the stream says
 * HCS_EVENT_SERVICE_DISCONNECT.  The last event of every stream is HCS_EVENT_END, with
 * {"Reason":...} as its detail.
 *
 * Owner:  the strings of @out are borrowed until the next call on @stream.
 * Thread: one reader at a time; a second one gets HCS_E_WIN32_BUSY.
 *         hcs_stream_end() may come from any thread.
 * Blocks: up to @timeout_ms (0 never, -1 for ever).
 * Errors: HCS_E_OPERATION_TIMEOUT nothing yet · HCS_E_WIN32_NO_MORE_ITEMS after HCS_EVENT_END
 */
HCS_API HCS_MUST_USE hcs_result hcs_stream_next(hcs_stream *stream, int timeout_ms, hcs_event *out,
                                                hcs_error *err);

/**
 * End a stream from any thread: a reader that waits in hcs_stream_next() gets
 * HCS_EVENT_END, and so does the next call.  The stream must still be closed.
 */
HCS_API void hcs_stream_end(hcs_stream *stream);

/**
 * Close a stream and release it.  No other call may be using it; end it first when a
 * reader on another thread must be woken.  NULL is allowed.
 */
HCS_API void hcs_stream_close(hcs_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
