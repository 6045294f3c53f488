/* filter.h - which events a reader wants.
 *
 * A filter is the Filter object of the wire: {"kinds":[..],"ids":[..],"owners":[..],"exit":".."}.
 * Every part that is given must match; of a list one entry is enough.
 *
 *   kinds   numbers of kinds
 *   ids     ids of systems, and
 *   owners  their owners: as they are, or with * for any characters and ? for any one; no other
 *           character is special
 *   exit    how it ended; an event without an exit report does not match:
 *             "N"         the code N (systems have a status, and no code)
 *             "nonzero"   a code that is not 0, or a signal; of a system a status that says failure
 *                         or an end that was not graceful
 *             "signal"    any signal
 *             "signal:N"  the signal of that number
 *             "unknown"   nobody knows; none of the others matches that
 *
 * Pure; a filter may be used by any thread that owns it.
 */
#ifndef HCS_MODEL_FILTER_H
#define HCS_MODEL_FILTER_H

#include <jansson.h>

#include "attr.h"
#include "hcs/event.h"

#define FILTER_ENTRIES_MAX 64u        /* in a list */
#define FILTER_PATTERN_BYTES_MAX 256u /* in an id or an owner */

struct filter;

/* Owned: filter_drop().  A null member is as good as none.  The error names the member and entry:
 * HCS_E_INVALIDARG a wrong type or value, an empty list, a member that is not known ·
 * HCS_E_WIN32_INSUFFICIENT_BUFFER too many entries, a pattern too long · HCS_E_OUTOFMEMORY */
_must_use_ hcs_result filter_parse(const json_t *object, struct filter **out, hcs_error *err);
void filter_drop(struct filter *f);
static inline void filter_dropp(struct filter **f)
{
    filter_drop(*f);
}

/* 1 when @e has everything that is asked.  Needed of it: kind, system.id, system.owner, exit. */
int filter_matches(const struct filter *f, const hcs_event *e);

/* What can be said by the kind alone, which the log has beside the text of an event: 0 no event of
 * that kind matches, 1 all do, -1 its content decides. */
int filter_matches_kind(const struct filter *f, hcs_event_kind kind);

#endif
