/* notification.c - numbers of the older vmcompute.dll API.
 *
 * Owns nothing; pure.  Users: tests today, and a back end over vmcompute.dll if there ever is one.
 * Promise: no v1 number is taken for a v2 one. */
#include "notification.h"

#include <assert.h>

#define FLAGS 0xF0000000u

static const struct {
    uint32_t type;
    enum notification_meaning meaning;
    hcs_event_kind kind;
} rows[] = {
    { 0x00000001, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_EXITED },
    { 0x00000002, NOTIFICATION_COMPLETED, 0 }, /* create */
    { 0x00000003, NOTIFICATION_COMPLETED, 0 }, /* start */
    { 0x00000004, NOTIFICATION_COMPLETED, 0 }, /* pause */
    { 0x00000005, NOTIFICATION_COMPLETED, 0 }, /* resume */
    { 0x00000006, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_CRASH_REPORT },
    { 0x00000007, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_SILO_JOB_CREATED },
    { 0x00000008, NOTIFICATION_COMPLETED, 0 }, /* save */
    { 0x00000009, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_RDP_STATE_CHANGED },
    { 0x0000000A, NOTIFICATION_COMPLETED, 0 }, /* shut down, or its failure */
    { 0x0000000B, NOTIFICATION_COMPLETED, 0 }, /* get properties */
    { 0x0000000C, NOTIFICATION_COMPLETED, 0 }, /* modify */
    { 0x0000000D, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_CRASH_INITIATED },
    { 0x0000000E, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_GUEST_CONNECTION_CLOSED },
    { 0x0000000F, NOTIFICATION_COMPLETED, 0 }, /* an operation */
    { 0x00010000, NOTIFICATION_EVENT, HCS_EVENT_PROCESS_EXITED },
    { 0x01000000, NOTIFICATION_EVENT, HCS_EVENT_SERVICE_DISCONNECT },
};

enum notification_meaning notification_from_v1(uint32_t type, hcs_event_kind *out)
{
    assert(out);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        if (rows[i].type != (type & ~FLAGS))
            continue;
        if (rows[i].meaning == NOTIFICATION_EVENT)
            *out = rows[i].kind;
        return rows[i].meaning;
    }
    return NOTIFICATION_UNKNOWN;
}
