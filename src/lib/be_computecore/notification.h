/* notification.h - numbers of the older vmcompute.dll API (v1), told apart from those of
 * computecore.dll (v2).
 *
 * The two number the same happenings differently, and 0x01000000 is ServiceDisconnect in one and
 * OperationCallback in the other.  So the mapping is a table of its own, and nothing that receives
 * v2 events uses it. */
#ifndef HCS_COMPUTECORE_NOTIFICATION_H
#define HCS_COMPUTECORE_NOTIFICATION_H

#include "attr.h"
#include "hcs/event.h"

enum notification_meaning {
    NOTIFICATION_EVENT,     /* *out is the kind of the same event in v2 */
    NOTIFICATION_COMPLETED, /* the end of a call; v2 says it by the operation */
    NOTIFICATION_UNKNOWN    /* no number of HCS_NOTIFICATIONS, or one without a meaning */
};

/* @type is notificationType as it came; its flags (0xF0000000) are looked past. */
enum notification_meaning notification_from_v1(uint32_t type, hcs_event_kind *out);

#endif
