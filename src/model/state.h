/* state.h - the life of a system as one table.
 *
 * (state, happening) -> (state, event, result).  Pure; every cell is written down, and what is not
 * allowed says with which result it is refused.
 */
#ifndef HCS_MODEL_STATE_H
#define HCS_MODEL_STATE_H

#include "hcs/error.h"
#include "hcs/event.h"

enum state {
    STATE_CREATING, /* the driver prepares it; it has no event yet */
    STATE_CREATED,
    STATE_STARTING,
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_STOPPED, /* the exit event has its number */
    N_STATES
};

enum happening {
    HAPPENED_CREATED, /* the driver has created it */
    HAPPENED_CREATE_FAILED,
    WANT_START, /* a client asks */
    HAPPENED_STARTED,
    HAPPENED_START_FAILED,
    WANT_SHUT_DOWN,
    WANT_TERMINATE,
    WANT_PROCESS, /* a client asks to create a process */
    WANT_PAUSE,
    HAPPENED_PAUSED,
    WANT_RESUME,
    HAPPENED_RESUMED,
    HAPPENED_EXIT,
    N_HAPPENINGS
};

struct step {
    enum state next;
    hcs_event_kind event; /* HCS_EVENT_INVALID: none */
    hcs_result result;    /* HCS_OK, or why it is refused (then `next` is the same state) */
};

struct step state_step(enum state now, enum happening what);

/* HCS's State strings: "Created", "Running", "Paused", "Stopped"; transitional states give
 * the one they come from. */
const char *state_name(enum state state);

/* "start", "shut down", ...: for texts of refusals. */
const char *happening_name(enum happening what);

#endif
