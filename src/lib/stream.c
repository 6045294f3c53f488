/* stream.c - the public functions of stream.h.
 *
 * Owns nothing: what is behind a handle is the back end's.  Users: user programs.  Promises that
 * events of a caller with an older or newer header are written as far as both know them. */
#include <string.h>

#include "backend.h"
#include "deadline.h"
#include "options.h"

/* Size in the first header that was published: no caller has a smaller one. */
#define EVENT_SIZE_MIN offsetof(hcs_event, detail_flags)

hcs_result hcs_stream_open(hcs_host *host, const hcs_stream_options *options_opt, hcs_stream **out,
                           hcs_error *err)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_result r;

    NEED(host, "hcs_stream_open");
    NEED(out, "hcs_stream_open");
    r = options_read(options_opt, "hcs_stream_open", &options, err);
    if (r < 0)
        return r;
    return host->backend->stream_open(host, &options, out, err);
}

hcs_result hcs_stream_open_system(hcs_system *system, const hcs_stream_options *options_opt,
                                  hcs_stream **out, hcs_error *err)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_result r;

    NEED(system, "hcs_stream_open_system");
    NEED(out, "hcs_stream_open_system");
    r = options_read(options_opt, "hcs_stream_open_system", &options, err);
    if (r < 0)
        return r;
    if (options.system_id)
        return fail(err, HCS_E_INVALIDARG, "hcs_stream_open_system",
                    "system_id is '%.128s': it must be NULL, for the handle is that of '%s'",
                    options.system_id, system->id);
    return system->backend->stream_open_system(system, &options, out, err);
}

hcs_pollable hcs_stream_pollable(const hcs_stream *stream)
{
    return stream ? stream->backend->stream_pollable(stream) : HCS_POLLABLE_NONE;
}

hcs_result hcs_stream_next(hcs_stream *stream, int timeout_ms, hcs_event *out, hcs_error *err)
{
    hcs_event event = HCS_EVENT_INIT;
    uint64_t deadline;
    hcs_result r;

    NEED(stream, "hcs_stream_next");
    NEED(out, "hcs_stream_next");
    if (out->size < EVENT_SIZE_MIN)
        return fail(err, HCS_E_INVALIDARG, "hcs_stream_next",
                    "size of hcs_event is %u; HCS_EVENT_INIT sets it", out->size);
    r = deadline_of(timeout_ms, "hcs_stream_next", &deadline, err);
    if (r >= 0)
        r = stream->backend->stream_next(stream, deadline, &event, err);
    if (r < 0)
        return r;
    event.size = out->size;
    memcpy(out, &event, event.size < sizeof(event) ? event.size : sizeof(event));
    return HCS_OK;
}

hcs_result hcs_stream_cursor(const hcs_stream *stream, char *buffer, size_t size, hcs_error *err)
{
    NEED(stream, "hcs_stream_cursor");
    NEED(buffer, "hcs_stream_cursor");
    if (size < HCS_CURSOR_SIZE)
        return fail(err, HCS_E_INVALIDARG, "hcs_stream_cursor",
                    "a buffer of %zu bytes: a cursor needs HCS_CURSOR_SIZE (%d)", size,
                    HCS_CURSOR_SIZE);
    return stream->backend->stream_cursor(stream, buffer, err);
}

void hcs_stream_end(hcs_stream *stream)
{
    if (stream)
        stream->backend->stream_end(stream);
}

void hcs_stream_close(hcs_stream *stream)
{
    if (stream)
        stream->backend->stream_close(stream);
}
