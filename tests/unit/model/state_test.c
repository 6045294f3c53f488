/* Every cell of the life of a system, typed a second time in another form: one letter for each
 * cell, rows are states, columns are happenings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "state.h"

/* . refused: not in this state     ! cannot happen          x refused: it has ended
 * = allowed, stays                 c created  s starting  r running  p paused  e ended
 * E ended without an event.  The capital of an event: see cell_of(). */
static const enum happening columns[N_HAPPENINGS] = {
    WANT_START,       WANT_SHUT_DOWN,        WANT_TERMINATE,   WANT_PROCESS,
    WANT_PAUSE,       WANT_RESUME,           HAPPENED_CREATED, HAPPENED_CREATE_FAILED,
    HAPPENED_STARTED, HAPPENED_START_FAILED, HAPPENED_PAUSED,  HAPPENED_RESUMED,
    HAPPENED_EXIT,
};

static const struct {
    enum state state;
    const char *cells;
} rows[N_STATES] = {
    { STATE_CREATING, "......"
                      "cE!!!!!" },
    { STATE_CREATED, "s.=..."
                     "!!!!!!e" },
    { STATE_STARTING, "..=..."
                      "!!r=!!e" },
    { STATE_RUNNING, ".====."
                     "!!!!p!e" },
    { STATE_PAUSED, "..=..="
                    "!!!!!re" },
    { STATE_STOPPED, "xxxxxx"
                     "xxxxxxx" },
};

static struct step cell_of(enum state now, enum happening what, char letter)
{
    switch (letter) {
    case '.':
        return (struct step){ now, HCS_EVENT_INVALID, HCS_E_INVALID_STATE };
    case '!':
        return (struct step){ now, HCS_EVENT_INVALID, HCS_E_UNEXPECTED };
    case 'x':
        return (struct step){ now, HCS_EVENT_INVALID, HCS_E_SYSTEM_ALREADY_STOPPED };
    case '=':
        return (struct step){ now, HCS_EVENT_INVALID, HCS_OK };
    case 'c':
        return (struct step){ STATE_CREATED, HCS_EVENT_SYSTEM_CREATED, HCS_OK };
    case 's':
        return (struct step){ STATE_STARTING, HCS_EVENT_INVALID, HCS_OK };
    case 'r':
        return (struct step){ STATE_RUNNING,
                              what == HAPPENED_RESUMED ? HCS_EVENT_SYSTEM_RESUMED
                                                       : HCS_EVENT_SYSTEM_STARTED,
                              HCS_OK };
    case 'p':
        return (struct step){ STATE_PAUSED, HCS_EVENT_SYSTEM_PAUSED, HCS_OK };
    case 'e':
        return (struct step){ STATE_STOPPED, HCS_EVENT_SYSTEM_EXITED, HCS_OK };
    case 'E':
        return (struct step){ STATE_STOPPED, HCS_EVENT_INVALID, HCS_OK };
    default:
        fail_msg("letter '%c'", letter);
        return (struct step){ 0, 0, 0 };
    }
}

static void every_cell_is_as_written(void **state)
{
    (void) state;
    for (int i = 0; i < N_STATES; i++) {
        assert_int_equal(strlen(rows[i].cells), N_HAPPENINGS);
        for (int j = 0; j < N_HAPPENINGS; j++) {
            struct step wanted = cell_of(rows[i].state, columns[j], rows[i].cells[j]);
            struct step got = state_step(rows[i].state, columns[j]);

            if (got.next != wanted.next || got.event != wanted.event || got.result != wanted.result)
                fail_msg("%s (%d) + %s: next %d event %u result 0x%08X", state_name(rows[i].state),
                         (int) rows[i].state, happening_name(columns[j]), (int) got.next,
                         (unsigned) got.event, (unsigned) got.result);
        }
    }
}

static void every_state_and_happening_is_tested_once(void **state)
{
    unsigned states = 0, happenings = 0;

    (void) state;
    for (int i = 0; i < N_STATES; i++)
        states |= 1u << rows[i].state;
    for (int j = 0; j < N_HAPPENINGS; j++)
        happenings |= 1u << columns[j];
    assert_int_equal(states, (1u << N_STATES) - 1);
    assert_int_equal(happenings, (1u << N_HAPPENINGS) - 1);
}

static void a_refusal_changes_nothing(void **state)
{
    (void) state;
    for (int i = 0; i < N_STATES; i++)
        for (int j = 0; j < N_HAPPENINGS; j++) {
            struct step step = state_step((enum state) i, (enum happening) j);

            assert_true(step.result <= 0);
            if (step.result < 0) {
                assert_int_equal(step.next, i);
                assert_int_equal(step.event, HCS_EVENT_INVALID);
            }
        }
}

/* However long it lives, a system tells its end once. */
static void the_end_is_told_once_on_every_path(void **state)
{
    uint32_t seed = 99;

    (void) state;
    for (int round = 0; round < 20000; round++) {
        enum state now = STATE_CREATING;
        int ends = 0, creations = 0;

        for (int i = 0; i < 40; i++) {
            struct step step;

            seed = seed * 1664525u + 1013904223u;
            step = state_step(now, (enum happening)((seed >> 16) % N_HAPPENINGS));
            ends += step.event == HCS_EVENT_SYSTEM_EXITED;
            creations += step.event == HCS_EVENT_SYSTEM_CREATED;
            now = step.next;
        }
        assert_true(ends <= 1 && creations <= 1 && ends <= creations);
        if (now == STATE_STOPPED)
            assert_int_equal(ends, creations);
        else
            assert_int_equal(ends, 0);
    }
}

static void names_are_those_of_hcs(void **state)
{
    (void) state;
    assert_string_equal(state_name(STATE_CREATING), "Created");
    assert_string_equal(state_name(STATE_CREATED), "Created");
    assert_string_equal(state_name(STATE_STARTING), "Created");
    assert_string_equal(state_name(STATE_RUNNING), "Running");
    assert_string_equal(state_name(STATE_PAUSED), "Paused");
    assert_string_equal(state_name(STATE_STOPPED), "Stopped");
    assert_string_equal(happening_name(WANT_START), "start");
    assert_string_equal(happening_name(WANT_SHUT_DOWN), "shut down");
    for (int j = 0; j < N_HAPPENINGS; j++)
        assert_non_null(happening_name((enum happening) j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_as_written),
        cmocka_unit_test(every_state_and_happening_is_tested_once),
        cmocka_unit_test(a_refusal_changes_nothing),
        cmocka_unit_test(the_end_is_told_once_on_every_path),
        cmocka_unit_test(names_are_those_of_hcs),
    };

    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
