/* callback.pml - a callback that comes at any time, also after the handle was closed: the registry of
 * src/lib/be_computecore, every interleaving.
 *
 * Foreign code is given a number, slot and generation, not a pointer.  A slot is never freed; its one word
 * holds the generation and how many calls are in flight.  A call enters by adding itself in the same
 * compare-and-swap that finds its generation; close first makes the generation another, then waits until
 * nobody is in, and only then releases.  The provider is one that breaks its word: its close does not wait
 * for callbacks, and some come later.
 *
 * Properties:
 *   1. No use after close: who is in finds the handle it came for, not released and not another one in the
 *      same slot.
 *   2. Close returns: nobody waits for ever (that would be a deadlock here).
 *   3. A callback that the provider had begun and finished before close is not lost.
 *
 * Simpler than the code: there a flag is taken away before the generation changes, and who waits sleeps until the last
 * one who leaves wakes him, under a lock.
 *
 * BREAK_... leave one thing out each; run.py sees that every one of them is found. */

#define CALLS 3

/* the word of the slot, in two fields; both change in one step, as one compare-and-swap does it */
byte generation = 1, inside;

/* Whose memory the slot leads to: the generation of the handle, 0 when it is released. */
byte handle = 1;

byte put_in_time, had;
bool closing;

proctype callback() {
    byte mine = 1, g, n;
    bool before;

    before = !closing;
    do
    :: d_step { g = generation; n = inside }
#ifndef BREAK_GENERATION
        if :: g != mine -> goto late :: else fi;
#endif
#ifdef BREAK_TWO_WORDS
        inside++;
        break
#else
        if
        :: d_step { generation == g && inside == n -> inside++ } break
        :: else
        fi
#endif
    od;
    assert(handle == mine); /* what leads to the log is read here */
    had++;                  /* and the record is put here */
    assert(handle == mine);
    if
    :: before && !closing -> put_in_time++
    :: else
    fi;
    d_step { inside-- }
late:
    skip
}

/* Close, and open another handle, which gets the same slot. */
proctype owner() {
    closing = true;
#ifdef BREAK_RETIRE_LATE
    inside == 0;
    generation++;
#else
    generation++;
#ifndef BREAK_NO_WAIT
    inside == 0;
#endif
#endif
    handle = 0;
    assert(had >= put_in_time);
    handle = generation
}

init {
    byte i;

    atomic {
        do :: i < CALLS -> run callback(); i++ :: else -> break od;
        run owner()
    }
}
