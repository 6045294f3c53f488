/* state.c - the life of a system as one table.
 *
 * Owns the table and the names in it.  Used by the engine, which takes every step through it.
 * Promises that every pair of state and happening has a cell written down here, that a refusal
 * leaves the state as it was, and that nothing follows the end.
 */
#include "state.h"

#include <assert.h>

#include "attr.h"

/* The ways a cell can be filled. */
#define TO(state)                                                                                  \
    {                                                                                              \
        STATE_##state, HCS_EVENT_INVALID, HCS_OK                                                   \
    }
#define TELL(state, event)                                                                         \
    {                                                                                              \
        STATE_##state, HCS_EVENT_##event, HCS_OK                                                   \
    }
#define NO(state, code)                                                                            \
    {                                                                                              \
        STATE_##state, HCS_EVENT_INVALID, HCS_E_##code                                             \
    }

static const struct step table[N_STATES][N_HAPPENINGS] = {
    [STATE_CREATING] = {
        [HAPPENED_CREATED] = TELL(CREATED, SYSTEM_CREATED),
        [HAPPENED_CREATE_FAILED] = TO(STOPPED), /* nobody ever saw it: no event */
        [WANT_START] = NO(CREATING, INVALID_STATE),
        [HAPPENED_STARTED] = NO(CREATING, UNEXPECTED),
        [HAPPENED_START_FAILED] = NO(CREATING, UNEXPECTED),
        [WANT_SHUT_DOWN] = NO(CREATING, INVALID_STATE),
        [WANT_TERMINATE] = NO(CREATING, INVALID_STATE),
        [WANT_PROCESS] = NO(CREATING, INVALID_STATE),
        [WANT_PAUSE] = NO(CREATING, INVALID_STATE),
        [HAPPENED_PAUSED] = NO(CREATING, UNEXPECTED),
        [WANT_RESUME] = NO(CREATING, INVALID_STATE),
        [HAPPENED_RESUMED] = NO(CREATING, UNEXPECTED),
        [HAPPENED_EXIT] = NO(CREATING, UNEXPECTED),
    },
    [STATE_CREATED] = {
        [HAPPENED_CREATED] = NO(CREATED, UNEXPECTED),
        [HAPPENED_CREATE_FAILED] = NO(CREATED, UNEXPECTED),
        [WANT_START] = TO(STARTING),
        [HAPPENED_STARTED] = NO(CREATED, UNEXPECTED),
        [HAPPENED_START_FAILED] = NO(CREATED, UNEXPECTED),
        [WANT_SHUT_DOWN] = NO(CREATED, INVALID_STATE),
        [WANT_TERMINATE] = TO(CREATED),
        [WANT_PROCESS] = NO(CREATED, INVALID_STATE),
        [WANT_PAUSE] = NO(CREATED, INVALID_STATE),
        [HAPPENED_PAUSED] = NO(CREATED, UNEXPECTED),
        [WANT_RESUME] = NO(CREATED, INVALID_STATE),
        [HAPPENED_RESUMED] = NO(CREATED, UNEXPECTED),
        [HAPPENED_EXIT] = TELL(STOPPED, SYSTEM_EXITED),
    },
    [STATE_STARTING] = {
        [HAPPENED_CREATED] = NO(STARTING, UNEXPECTED),
        [HAPPENED_CREATE_FAILED] = NO(STARTING, UNEXPECTED),
        [WANT_START] = NO(STARTING, INVALID_STATE),
        [HAPPENED_STARTED] = TELL(RUNNING, SYSTEM_STARTED),
        [HAPPENED_START_FAILED] = TO(STARTING), /* a failed start is not tried again: its exit follows */
        [WANT_SHUT_DOWN] = NO(STARTING, INVALID_STATE),
        [WANT_TERMINATE] = TO(STARTING),
        [WANT_PROCESS] = NO(STARTING, INVALID_STATE),
        [WANT_PAUSE] = NO(STARTING, INVALID_STATE),
        [HAPPENED_PAUSED] = NO(STARTING, UNEXPECTED),
        [WANT_RESUME] = NO(STARTING, INVALID_STATE),
        [HAPPENED_RESUMED] = NO(STARTING, UNEXPECTED),
        [HAPPENED_EXIT] = TELL(STOPPED, SYSTEM_EXITED),
    },
    [STATE_RUNNING] = {
        [HAPPENED_CREATED] = NO(RUNNING, UNEXPECTED),
        [HAPPENED_CREATE_FAILED] = NO(RUNNING, UNEXPECTED),
        [WANT_START] = NO(RUNNING, INVALID_STATE),
        [HAPPENED_STARTED] = NO(RUNNING, UNEXPECTED),
        [HAPPENED_START_FAILED] = NO(RUNNING, UNEXPECTED),
        [WANT_SHUT_DOWN] = TO(RUNNING),
        [WANT_TERMINATE] = TO(RUNNING),
        [WANT_PROCESS] = TO(RUNNING),
        [WANT_PAUSE] = TO(RUNNING),
        [HAPPENED_PAUSED] = TELL(PAUSED, SYSTEM_PAUSED),
        [WANT_RESUME] = NO(RUNNING, INVALID_STATE),
        [HAPPENED_RESUMED] = NO(RUNNING, UNEXPECTED),
        [HAPPENED_EXIT] = TELL(STOPPED, SYSTEM_EXITED),
    },
    [STATE_PAUSED] = {
        [HAPPENED_CREATED] = NO(PAUSED, UNEXPECTED),
        [HAPPENED_CREATE_FAILED] = NO(PAUSED, UNEXPECTED),
        [WANT_START] = NO(PAUSED, INVALID_STATE),
        [HAPPENED_STARTED] = NO(PAUSED, UNEXPECTED),
        [HAPPENED_START_FAILED] = NO(PAUSED, UNEXPECTED),
        [WANT_SHUT_DOWN] = NO(PAUSED, INVALID_STATE),
        [WANT_TERMINATE] = TO(PAUSED),
        [WANT_PROCESS] = NO(PAUSED, INVALID_STATE),
        [WANT_PAUSE] = NO(PAUSED, INVALID_STATE),
        [HAPPENED_PAUSED] = NO(PAUSED, UNEXPECTED),
        [WANT_RESUME] = TO(PAUSED),
        [HAPPENED_RESUMED] = TELL(RUNNING, SYSTEM_RESUMED),
        [HAPPENED_EXIT] = TELL(STOPPED, SYSTEM_EXITED),
    },
    [STATE_STOPPED] = {
        [HAPPENED_CREATED] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [HAPPENED_CREATE_FAILED] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [WANT_START] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [HAPPENED_STARTED] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [HAPPENED_START_FAILED] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [WANT_SHUT_DOWN] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [WANT_TERMINATE] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [WANT_PROCESS] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [WANT_PAUSE] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [HAPPENED_PAUSED] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [WANT_RESUME] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [HAPPENED_RESUMED] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
        [HAPPENED_EXIT] = NO(STOPPED, SYSTEM_ALREADY_STOPPED),
    },
};

struct step state_step(enum state now, enum happening what)
{
    assert((unsigned) now < N_STATES);
    assert((unsigned) what < N_HAPPENINGS);
    return table[now][what];
}

const char *state_name(enum state state)
{
    static const char *const names[N_STATES] = {
        [STATE_CREATING] = "Created", [STATE_CREATED] = "Created", [STATE_STARTING] = "Created",
        [STATE_RUNNING] = "Running",  [STATE_PAUSED] = "Paused",   [STATE_STOPPED] = "Stopped",
    };

    assert((unsigned) state < N_STATES);
    return names[state];
}

const char *happening_name(enum happening what)
{
    static const char *const names[N_HAPPENINGS] = {
        [HAPPENED_CREATED] = "created",
        [HAPPENED_CREATE_FAILED] = "create failed",
        [WANT_START] = "start",
        [HAPPENED_STARTED] = "started",
        [HAPPENED_START_FAILED] = "start failed",
        [WANT_SHUT_DOWN] = "shut down",
        [WANT_TERMINATE] = "terminate",
        [WANT_PROCESS] = "create process",
        [WANT_PAUSE] = "pause",
        [HAPPENED_PAUSED] = "paused",
        [WANT_RESUME] = "resume",
        [HAPPENED_RESUMED] = "resumed",
        [HAPPENED_EXIT] = "exit",
    };

    assert((unsigned) what < N_HAPPENINGS);
    return names[what];
}
