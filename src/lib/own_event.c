/* own_event.c - events that the library itself makes.
 *
 * Owns nothing.  Users: the streams of the back ends. */
#include "own_event.h"

#include <assert.h>
#include <string.h>

#include <jansson.h>

#include "clock.h"

void own_event_stamp(hcs_event *e, hcs_event_kind kind)
{
    assert(e);
    e->kind = kind;
    e->realtime_ns = clock_realtime_ns();
    e->monotonic_ns = clock_monotonic_ns();
}

void own_event_make(hcs_event *e, hcs_event_kind kind, const char *reason, char **out_detail)
{
    json_t *json = json_pack("{s:s}", "Reason", reason);

    assert(e && out_detail);
    *out_detail = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    own_event_stamp(e, kind);
    e->detail = *out_detail ? *out_detail : "";
    e->detail_length = strlen(e->detail);
}
