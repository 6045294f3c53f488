/* stream.c - the public functions of stream.h.
 *
 * Owns nothing: what is behind a handle is the back end's.  Users: user programs.  Promises that
 * options and events of a caller with an older or newer header are read and written as far as both
 * know them. */
#include <string.h>

#include "backend.h"
#include "deadline.h"

hcs_result hcs_stream_open(hcs_host *host, const hcs_stream_options *options_opt, hcs_stream **out,
                           hcs_error *err)
{
    const hcs_stream_options defaults = HCS_STREAM_OPTIONS_INIT;
    const hcs_stream_options *options = options_opt ? options_opt : &defaults;

    NEED(host, "hcs_stream_open");
    NEED(out, "hcs_stream_open");
    if (options->size < sizeof(*options))
        return fail(err, HCS_E_INVALIDARG, "hcs_stream_open",
                    "size of hcs_stream_options is %u; HCS_STREAM_OPTIONS_INIT sets it",
                    options->size);
    if (options->from > HCS_FROM_AFTER)
        return fail(err, HCS_E_INVALIDARG, "hcs_stream_open", "from is %u, none of hcs_stream_from",
                    options->from);
    return host->backend->stream_open(host, options, out, err);
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
    if (out->size < sizeof(*out))
        return fail(err, HCS_E_INVALIDARG, "hcs_stream_next",
                    "size of hcs_event is %u; HCS_EVENT_INIT sets it", out->size);
    r = deadline_of(timeout_ms, "hcs_stream_next", &deadline, err);
    if (r >= 0)
        r = stream->backend->stream_next(stream, deadline, &event, err);
    if (r < 0)
        return r;
    event.size = out->size;
    *out = event;
    return HCS_OK;
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
