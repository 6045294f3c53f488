/* own_event.c - events that the library itself makes.
 *
 * Owns nothing.  Users: the streams of the back ends. */
#include "own_event.h"

#include <assert.h>
#include <string.h>

#include "clock.h"

void own_event_stamp(hcs_event *e, hcs_event_kind kind)
{
    assert(e);
    e->kind = kind;
    e->realtime_ns = clock_realtime_ns();
    e->monotonic_ns = clock_monotonic_ns();
}

void own_event_document(hcs_event *e, hcs_event_kind kind, json_t *take_detail, char **out_detail)
{
    assert(e && out_detail);
    *out_detail = take_detail ? json_dumps(take_detail, JSON_COMPACT) : NULL;
    json_decref(take_detail);
    own_event_stamp(e, kind);
    e->detail = *out_detail ? *out_detail : "";
    e->detail_length = strlen(e->detail);
}

void own_event_make(hcs_event *e, hcs_event_kind kind, const char *reason, char **out_detail)
{
    own_event_document(e, kind, json_pack("{s:s}", "Reason", reason), out_detail);
}
