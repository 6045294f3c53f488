/* event.h - events on the wire and in the log: encode once, view without copying twice. */
#ifndef HCS_MODEL_EVENT_H
#define HCS_MODEL_EVENT_H

#include <jansson.h>

#include "attr.h"
#include "buf.h"
#include "hcs/event.h"

/* Append the Event object of the wire, as JSON text, to @out. */
_must_use_ hcs_result event_encode(const hcs_event *event, struct buf *out);

/* Give an encoded event another number, which is not longer than the one that it has. */
void event_renumber(struct buf *encoded, uint64_t sequence);

/* The realtime of an encoded event, without decoding the rest; 0 when it has none. */
uint64_t event_realtime(const char *encoded);

/* View an Event object.  The strings of @out are borrowed from @json. */
_must_use_ hcs_result event_view(const json_t *json, hcs_event *out, hcs_error *err);

/* The same from the text of a whole answer of Subscribe, with a NUL behind it and none in it, in
 * which the strings of @out are afterwards, several times as fast.  0: it is not written as the
 * service writes it, is something else, or not ASCII, and the text is spoilt: view a copy. */
int event_scan(char *text, size_t length, hcs_event *out);

/* The System object of the wire; the strings of a view are borrowed from @json. */
json_t *event_system_to_json(const hcs_event_system *system);
_must_use_ hcs_result event_system_view(const json_t *json, hcs_event_system *out, hcs_error *err);

#endif
