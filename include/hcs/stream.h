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
 *   - a filter is applied by the library.  HCS_STREAM_NO_FOLLOW ends when everything that was told
 *     has been read.  The other options need a log that outlives its readers:
 *     HCS_FROM_CURSOR, HCS_FROM_TIME, HCS_FROM_LAST, until_ns, bookmark_ms and
 *     HCS_STREAM_RECONNECT are HCS_E_WIN32_NOT_SUPPORTED, and so is hcs_stream_cursor();
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
    HCS_FROM_AFTER = 2,     /* after the event numbered `after` */
    HCS_FROM_CURSOR = 3,    /* where `cursor` stands, see below */
    HCS_FROM_TIME = 4,      /* the first event, by its number, of `since_ns` or later */
    HCS_FROM_LAST = 5       /* the newest `last` events that match the filter, and on from there */
};

/* A cursor is a position in one log, as text: "hcs1.", the log's id (32 hexadecimal digits in
 * small letters), ".", and the number of the event it stands behind, in decimal.  It stays good
 * over restarts of the service and of the machine, and any program may keep it.
 *
 * A stream that begins at a cursor goes on behind it.  What the log no longer has is one
 * HCS_EVENT_GAP with the exact numbers.  When the service had to begin a new log meanwhile, and
 * knows where the old one ended, the stream begins with an HCS_EVENT_GAP of what was in the old log
 * behind the cursor, and goes on with the first event of the new one; when it does not know, the
 * cursor is refused: HCS_E_WIN32_NOT_FOUND, and the text names both logs and the oldest position
 * that can be had. */

/* What a stream shall tell.  Every part that is given must match; of a list any item.
 * HCS_EVENT_GAP, END, BOOKMARK, SERVICE_DISCONNECT and SERVICE_RECONNECTED come whatever the filter
 * is.  At most 64 items in a list. */
typedef struct hcs_event_filter {
    uint32_t size; /* sizeof(hcs_event_filter), set by HCS_EVENT_FILTER_INIT */
    const hcs_event_kind *kinds;
    size_t n_kinds; /* 0: any kind */
    const char *const *ids;
    size_t n_ids; /* 0: any system.  An id, or a pattern with * and ? */
    const char *const *owners;
    size_t n_owners;  /* 0: any owner.  As ids */
    const char *exit; /* NULL: with an exit report or without.  Else only events with a report:
                       * "0" to "4294967295" that code; "nonzero" a code that is not 0, a signal, or
                       * a system that ended in failure or otherwise than gracefully; "signal",
                       * "signal:9"; "unknown" nobody knows how it ended */
} hcs_event_filter;

#define HCS_EVENT_FILTER_INIT                                                                      \
    {                                                                                              \
        sizeof(hcs_event_filter), NULL, 0, NULL, 0, NULL, 0, NULL                                  \
    }

/* Flags of a stream. */
enum {
    HCS_STREAM_RECONNECT = 1, /* go on when the service went away and came again, see below */
    HCS_STREAM_NO_FOLLOW = 2  /* end with what there is when the stream is opened: the reason of
                               * HCS_EVENT_END is "no more events" */
};

typedef struct hcs_stream_options {
    uint32_t size; /* sizeof(hcs_stream_options), set by HCS_STREAM_OPTIONS_INIT */
    hcs_stream_from from;
    uint64_t after;        /* HCS_FROM_AFTER */
    const char *system_id; /* one system only; NULL for the whole host */
    const char *cursor;    /* HCS_FROM_CURSOR */
    uint64_t since_ns;     /* HCS_FROM_TIME: wall clock, ns since 1970 */
    uint64_t last;         /* HCS_FROM_LAST: 1 or more */
    uint64_t until_ns; /* 0: none.  End before the first event that is later than this by the wall
                        * clock, once that moment has passed: the reason is "until" */
    uint32_t flags;    /* HCS_STREAM_ */
    uint32_t bookmark_ms; /* 0: none.  An HCS_EVENT_BOOKMARK at least this often (100 or more), also
                           * when nothing happens or nothing matches: the cursor moves on, so that
                           * what was filtered out is not looked at again, and a reader sees that
                           * the service lives.  With or without, the cursor of a stream that the
                           * service has ended is behind all that was looked at for it */
    const hcs_event_filter *filter; /* NULL: everything */
} hcs_stream_options;

#define HCS_STREAM_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(hcs_stream_options), HCS_FROM_NOW, 0, NULL, NULL, 0, 0, 0, 0, 0, NULL               \
    }

/* HCS_STREAM_RECONNECT: when the service goes away the stream says HCS_EVENT_SERVICE_DISCONNECT
 * and lives on.  It tries again within 50 ms, then within twice as long each time, up to 5 s, with
 * some chance in it so that readers do not all come at once; once it has been told something, 50 ms
 * are the first pause again.  It starts a service only where one had been started by a client: what
 * somebody has started with options of his own it waits for.  When it has its place it says
 * HCS_EVENT_SERVICE_RECONNECTED, with {"Attempts":n} as its detail, and "LastError" in it, the text
 * of the last attempt that failed, when one did; and goes on behind the event that
 * hcs_stream_next() gave last: no event is told twice, none is left out but by an HCS_EVENT_GAP.
 *   - The work is done inside hcs_stream_next(); the pollable becomes readable when it is due.
 *   - A stream of one system goes on with the same incarnation of it, and ends when that has been
 *     forgotten meanwhile.  After its HCS_EVENT_SYSTEM_EXITED nothing is tried again: it ends.
 *   - A service that came back and refuses the place (a cursor of a log that is gone) ends the
 *     stream with that as the reason, and so does one that answers what makes no sense.
 *   - An attempt that fails with what hcs_result_retryable() denies (no permission at the socket, a
 *     token file that cannot be used) ends it, too, when three in a row have: a service that begins
 *     may not be open to its group yet.
 * Opening a stream is not tried again: it fails as without the flag. */

/**
 * Open a stream.  When the call returns the position is taken: whatever happens from
 * then on will be in the stream.
 *
 * A stream of one system ends (HCS_EVENT_END) after that system's HCS_EVENT_SYSTEM_EXITED, also
 * when a filter leaves that out.  A stream of the host ends when it is closed, when the service
 * goes away (unless HCS_STREAM_RECONNECT), or as its options say.
 *
 * Owner:  @out is yours; hcs_stream_close().  @options_opt is copied, with all it points to.
 * Errors: HCS_E_SYSTEM_NOT_FOUND the service knows no such system, or was made to forget it ·
 *         HCS_E_INVALIDARG an option, named in the text; of a cursor the place in it, and what is
 *         expected there · HCS_E_WIN32_INSUFFICIENT_BUFFER an item of the filter is longer than 256
 *         bytes · HCS_E_WIN32_NOT_FOUND the cursor is of a log that is gone ·
 *         HCS_E_WIN32_NOT_SUPPORTED over computecore, see above · HCS_E_SERVICE_DISCONNECT
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
 * Owner:  the strings of @out are borrowed until the next call of this function on @stream.
 * Thread: one reader at a time; a second one gets HCS_E_WIN32_BUSY.
 *         hcs_stream_end() may come from any thread.
 * Blocks: up to @timeout_ms (0 never, -1 for ever).  With HCS_STREAM_RECONNECT, while the service
 *         is away, it may take as long as connecting does, which is nothing but while somebody
 *         else is just starting the service: at most 10 s.
 * Errors: HCS_E_OPERATION_TIMEOUT nothing yet · HCS_E_WIN32_NO_MORE_ITEMS after HCS_EVENT_END
 */
HCS_API HCS_MUST_USE hcs_result hcs_stream_next(hcs_stream *stream, int timeout_ms, hcs_event *out,
                                                hcs_error *err);

/**
 * Write the cursor of a stream into @buffer: the position behind the event that hcs_stream_next()
 * gave last, or further on when what lies between is left out by the filter; before the first
 * event, where the stream began.  HCS_FROM_CURSOR goes on from there, so a program that keeps the
 * cursor after it has dealt with an event misses nothing; what it had dealt with but not kept comes
 * again.
 *
 * @size is at least HCS_CURSOR_SIZE.  The cursor of a stream that has ended is that of its last
 * event.
 *
 * Thread: any; while another thread is in hcs_stream_next() it may be that of before or after.
 * Blocks: never.
 * Errors: HCS_E_INVALIDARG @size · HCS_E_OPERATION_PENDING the stream was opened while its system
 *         was being created, and has not begun · HCS_E_WIN32_NOT_SUPPORTED over computecore, or the
 *         service is older and its log has no id
 */
HCS_API HCS_MUST_USE hcs_result hcs_stream_cursor(const hcs_stream *stream, char *buffer,
                                                  size_t size, hcs_error *err);

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
