/* own_event.h - events that the library itself makes, for the streams of the back ends: GAP,
 * SERVICE_DISCONNECT, SERVICE_RECONNECTED, BOOKMARK, END. */
#ifndef HCS_LIB_OWN_EVENT_H
#define HCS_LIB_OWN_EVENT_H

#include <jansson.h>

#include "attr.h"
#include "hcs/event.h"

/* Make @e one of @kind that happens now. */
void own_event_stamp(hcs_event *e, hcs_event_kind kind);

/* The same with @take_detail, which @e borrows from *@out_detail, owned by the caller.  Without
 * memory
 * (@take_detail NULL, too) it is NULL and the event has no detail: its kind is worth more. */
void own_event_document(hcs_event *e, hcs_event_kind kind, json_t *take_detail, char **out_detail);

/* The same with the detail {"Reason": @reason}. */
void own_event_make(hcs_event *e, hcs_event_kind kind, const char *reason, char **out_detail);

#endif
