/* stream.c - the public functions of stream.h.
 *
 * Owns nothing: what is behind a handle is the back end's.  Users: user programs.  Promises that
 * options and events of a caller with an older or newer header are read and written as far as both
 * know them. */
#include <string.h>

#include "backend.h"
#include "deadline.h"

/* Sizes in the first header that was published: no caller has a smaller one. */
#define OPTIONS_SIZE_MIN (offsetof(hcs_stream_options, system_id) + sizeof(const char *))
#define EVENT_SIZE_MIN offsetof(hcs_event, detail_flags)

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The options of the user as this version knows them. */
static hcs_result options_read(const hcs_stream_options *options_opt, const char *where,
                               hcs_stream_options *out, hcs_error *err)
{
    if (!options_opt)
        return HCS_OK;
    if (options_opt->size < OPTIONS_SIZE_MIN)
        return fail(err, HCS_E_INVALIDARG, where,
                    "size of hcs_stream_options is %u; HCS_STREAM_OPTIONS_INIT sets it",
                    options_opt->size);
    if (options_opt->from > HCS_FROM_AFTER)
        return fail(err, HCS_E_INVALIDARG, where, "from is %u, none of hcs_stream_from",
                    options_opt->from);
    memcpy(out, options_opt, smaller(options_opt->size, sizeof(*out)));
    return HCS_OK;
}

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
    memcpy(out, &event, smaller(event.size, sizeof(event)));
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
