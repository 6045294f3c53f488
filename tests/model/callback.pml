/* callback.pml - a callback that comes at any time, also after the handle was closed: the registry of
 * src/lib/be_computecore/registry.c, every interleaving.
 *
 * Foreign code is given a number, slot and generation, not a pointer.  A slot is never freed; its one word
 * holds the generation, whether it is live, and how many calls are in flight.  A call enters by adding itself
 * in the same compare-and-swap that finds its generation live; who retires takes `live` away, sleeps until the
 * last one who leaves tells him, and only then lets the slot go to the next generation.  The provider is one
 * that breaks its word: its close does not wait for callbacks, some come later, and some come with a number
 * before it was given.  Two retire the same number at once, and one of them goes on to use the slot again,
 * for a second number, and to retire that too.
 *
 * Properties:
 *   1. No use after retire: who is in finds the object of its own number, not released, not another one in the
 *      same slot; and a number finds nothing before it is given and after it was retired.
 *   2. When a retire returns, whoever called it and however many did, nobody is in with that number.
 *   3. Every retire returns, and every leave: who sleeps for ever is a deadlock here.
 *   4. The slot is let go once for each number, and the count of those who are in is never below zero.
 *   5. A callback that the provider had begun and finished before the retire is not lost.
 *
 * What one atomic operation does is one step; the object is read in a step of its own, after entering.  What is
 * done under the lock is written step by step, because those who enter and leave do not take it.  Memory is
 * sequentially consistent here; that acquire and release are enough is looked at by the thread sanitizer.
 *
 * BREAK_... leave one thing out each; run.py sees that every one of them is found. */

#define FIRST 1  /* the generation of the first number, and its object */
#define SECOND 2 /* the same of the number that gets the slot next */
#define NONE 0   /* no object */

#define LATE 2 /* callbacks with the first number */

/* The word of the slot, in three fields. */
byte generation = FIRST;
bool live = true;
byte callers;

byte object = FIRST;
byte frees; /* how often the slot was let go */

/* The lock and its condition: one bit for each who may sleep. */
bool locked;
bool asleep[2];

/* What the test knows and the code does not. */
bool released[3];
byte in[3]; /* between enter and leave, by number */
bool closing;
byte put_in_time, had;

inline lock_take() { atomic { !locked -> locked = true } }
inline lock_give() { locked = false }

/* ---- registry_enter() and registry_leave() ---- */

/* With @mine: @found is the object, or NONE. */
inline enter() {
    found = NONE;
    do
    :: d_step { g = generation; l = live; n = callers } /* the load, or what a failed swap gives */
#ifndef BREAK_GENERATION
        if :: g != mine -> break :: else fi;
#endif
#if !defined(BREAK_LIVE) && !defined(BREAK_LIVE_LATE)
        if :: !l -> break :: else fi;
#endif
#ifdef BREAK_TWO_WORDS
        d_step { callers++; in[mine]++ }
        found = object;
        break
#else
        if
        :: d_step { generation == g && live == l && callers == n -> callers++; in[mine]++ }
#ifdef BREAK_LIVE_LATE
            if :: !live -> leave(); break :: else fi;
#endif
            found = object;
            assert(found == mine);
            break
        :: else
        fi
#endif
    od
}

inline leave() {
    d_step { assert(callers > 0); n = callers; l = live; callers--; in[mine]-- }
    if
    :: !l && n == 1 ->
#ifdef BREAK_NO_SIGNAL
        skip
#else
#ifndef BREAK_SIGNAL_WITHOUT_LOCK
        lock_take();
#endif
#ifdef BREAK_SIGNAL_ONE
        if :: asleep[0] -> asleep[0] = false :: else -> asleep[1] = false fi;
#else
        d_step { asleep[0] = false; asleep[1] = false }
#endif
#ifndef BREAK_SIGNAL_WITHOUT_LOCK
        lock_give()
#endif
#endif
    :: else
    fi
}

proctype callback(byte mine) {
    byte g, n, found;
    bool l, before;

    before = !closing;
    enter();
    if
    :: found != NONE ->
        assert(found == mine && !released[mine]); /* what leads to the log is read here */
        if :: mine == FIRST -> had++ :: else fi;  /* and the record is put here */
        assert(found == mine && !released[mine]);
        if :: before && !closing -> put_in_time++ :: else fi;
        leave()
    :: else
    fi
}

/* ---- registry_retire() and registry_add() ---- */

inline slot_free(mine) {
    object = NONE;
    d_step { generation = mine + 1; live = false; callers = 0; frees++ }
}

inline condition_wait(me) {
    atomic { locked = false; asleep[me] = true }
    !asleep[me];
    lock_take()
}

/* @me sleeps in a place of its own. */
inline retire(mine, me) {
    lock_take();
    d_step { g = generation; l = live; n = callers }
#ifdef BREAK_RETIRE_ONCE
    if :: g == mine && !l -> n = 0; g = NONE :: else fi;
#endif
#ifndef BREAK_RETIRE_LATE
    if :: g == mine -> d_step { live = false; n = callers } :: else fi;
#endif
#ifndef BREAK_NO_WAIT
    do
    :: g == mine && n != 0 ->
        condition_wait(me);
        d_step { g = generation; n = callers }
    :: else -> break
    od;
#endif
#ifdef BREAK_RETIRE_LATE
    if :: g == mine -> live = false :: else fi;
#endif
#ifdef BREAK_FREE_TWICE
    slot_free(mine);
#else
    if :: g == mine -> slot_free(mine) :: else fi;
#endif
    lock_give();
    assert(in[mine] == 0);
    released[mine] = true
}

/* The only free slot is taken: whoever owns the first number owns the second next. */
inline add() {
    lock_take();
    assert(generation == SECOND && !live && callers == 0 && frees == 1);
    object = SECOND;
    live = true;
    lock_give()
}

proctype owner() {
    byte g, n;
    bool l;

    closing = true;
    retire(FIRST, 0);
    assert(had >= put_in_time);
    add();
    retire(SECOND, 0);
    assert(frees == 2)
}

proctype second_retirer() {
    byte g, n;
    bool l;

    closing = true;
    retire(FIRST, 1)
}

init {
    byte i;

    atomic {
        do :: i < LATE -> run callback(FIRST); i++ :: else -> break od;
        run callback(SECOND);
        run owner();
        run second_retirer()
    }
}
