/* await.c - wait for the end of a system, whatever becomes of the service meanwhile.
 *
 * Owns the stream of the system while it waits.  Used by wait.  Promises that the service is not
 * asked while it is away, for that would start one: the stream says when it is back.
 */
#include "await.h"

#include "cli.h"

/* 1: *@out says how it ended; 0: not yet, or it is not known whether; negative: it failed. */
static hcs_result take_event(hcs_system *system, const hcs_event *event, hcs_exit *out,
                             hcs_error *err)
{
    hcs_result r;

    switch (event->kind) {
    case HCS_EVENT_SYSTEM_EXITED:
        *out = event->exit;
        return 1;
    case HCS_EVENT_SERVICE_DISCONNECT:
        output_fail("the service is gone: waiting for it to come back; %s goes on meanwhile",
                    hcs_system_id(system));
        return 0;
    case HCS_EVENT_SERVICE_RECONNECTED:
        output_fail("the service is back");
        return 0;
    case HCS_EVENT_GAP: /* it may have swallowed the end: the service still knows */
        r = hcs_system_wait(system, 0, out, err);
        return r == HCS_OK ? 1 : r == HCS_E_OPERATION_TIMEOUT ? 0 : r;
    case HCS_EVENT_END: /* it says nothing more; the service may */
        r = hcs_system_wait(system, -1, out, err);
        return r == HCS_OK ? 1 : r;
    default:
        return 0;
    }
}

static hcs_result follow(hcs_system *system, hcs_stream *stream, hcs_exit *out, hcs_error *err)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_result r;

    do {
        r = hcs_stream_next(stream, -1, &event, err);
        if (r == HCS_OK)
            r = take_event(system, &event, out, err);
    } while (r == 0);
    return r < 0 ? r : HCS_OK;
}

hcs_result await_end(hcs_system *system, hcs_exit *out, hcs_error *err)
{
    _cleanup_(stream_dropp) hcs_stream *stream = NULL;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_result r = hcs_system_wait(system, 0, out, err);

    if (r != HCS_E_OPERATION_TIMEOUT)
        return r;
    options.flags = HCS_STREAM_RECONNECT;
    r = hcs_stream_open_system(system, &options, &stream, err);
    if (r == HCS_E_WIN32_NOT_SUPPORTED)
        return hcs_system_wait(system, -1, out, err);
    return r < 0 ? r : follow(system, stream, out, err);
}
