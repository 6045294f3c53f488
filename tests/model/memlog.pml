/* memlog.pml - publish, subscribe, sleep, wake and close of src/lib/memlog*.c, every interleaving.
 *
 * Properties:
 *   1. No use after close: who wakes never touches a cursor that was closed, and a reader never reads
 *      a chunk that was given to somebody else; what it borrows stays as it was.
 *   2. No lost wake-up: a reader that sleeps is woken when there is something; else it would be stuck
 *      in the end, which is a deadlock here.  And no needless one: who is woken finds something.
 *   3. Every number is seen once, in order, or counted in a gap: at the end a reader's records and
 *      missing numbers add up to what was put since it opened.
 *
 * What is here one step is in C what is done under WORD_LOCK and seen by nobody without it.  What readers
 * look at without the lock (`state`, `body`) is written step by step.  Memory is sequentially consistent
 * here; that release and acquire are enough is said at each operation in memlog_state.h and looked at by
 * the thread sanitizer.
 *
 * BREAK_... leave one thing out each; run.py sees that every one of them is found. */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef PUTS
#define PUTS 2
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef CHUNKS
#define CHUNKS 3
#endif
#ifndef SLOTS
#define SLOTS 1
#endif
/* SLOTS: records of a chunk; one more place has the mark behind the last. */
#define PLACE(chunk, slot) ((chunk) * (SLOTS + 1) + (slot))

#define NOTHING 0
#define RECORD 1
#define MARK_CHUNK 2
#define MARK_END 3

#define NONE 255

/* read without the lock */
byte state[CHUNKS * (SLOTS + 1)];
byte body[CHUNKS * (SLOTS + 1)]; /* of a record: its number; 0: half written */

/* the word */
bool locked, parked;

/* under the word's lock */
byte first[CHUNKS], next[CHUNKS], inside[CHUNKS];
bool attached[CHUNKS];
byte newest, oldest, at, number = 1, turn = 1;
bool closed, ended;

/* cursors */
bool waking; /* the mutex */
bool listed[READERS], alive[READERS];
byte armed[READERS];
bool wake[READERS];

byte running = PRODUCERS;

inline hold(had) { atomic { !locked -> locked = true; had = parked; parked = false } }
inline release(has) { atomic { locked = false; parked = has } }

/* Set the wakes of who was armed up to `upto`. */
inline wake_armed(upto) {
    atomic { !waking -> waking = true }
    i = 0;
    do
    :: i < READERS ->
        if
        :: listed[i] ->
            assert(alive[i]);
            if
            :: d_step { armed[i] != 0 && armed[i] <= upto -> armed[i] = 0 }
                assert(alive[i]);
                wake[i] = true
            :: else
            fi
        :: else
        fi;
        i++
    :: else -> break
    od;
    waking = false
}

inline finish(had, upto) {
    d_step { upto = turn; if :: had -> turn++ :: else fi }
    release(false);
    if
    :: had -> wake_armed(upto)
    :: else
    fi
}

/* A chunk for the next record, or NONE: what is free, else what is oldest and nobody is in. */
inline take_chunk(c) {
    d_step {
        c = NONE;
        i = 0;
        do
        :: i < CHUNKS && !attached[i] && inside[i] == 0 -> c = i; break
        :: i < CHUNKS && !(!attached[i] && inside[i] == 0) -> i++
        :: i == CHUNKS -> break
        od;
        do
        :: c == NONE && oldest != newest ->
            attached[oldest] = false;
#ifdef BREAK_PIN
            c = oldest;
#else
            if :: inside[oldest] == 0 -> c = oldest :: else fi;
#endif
            oldest = next[oldest]
        :: else -> break
        od;
        i = 0
    }
}

inline make_room(c) {
    take_chunk(c);
    if
    :: c != NONE ->
        state[PLACE(c, 0)] = NOTHING;
        d_step {
            first[c] = number; next[c] = NONE; attached[c] = true;
            next[newest] = c; b = PLACE(newest, at); newest = c; at = 0; closed = false
        }
        state[b] = MARK_CHUNK
    :: else -> d_step { closed = true; number++ }
    fi
}

proctype producer() {
    byte i, n, c, b, upto;
    bool had;

    n = 0;
    do
    :: n < PUTS ->
        hold(had);
        c = 0;
        if
        :: !ended && (at == SLOTS || closed) -> make_room(c)
        :: else
        fi;
        if
        :: ended || c == NONE -> release(had)
        :: else ->
            b = PLACE(newest, at);
#ifdef BREAK_BODY
            state[b + 1] = NOTHING; state[b] = RECORD; body[b] = 0; body[b] = number;
#else
            body[b] = 0;
            body[b] = number;
#ifdef BREAK_CLEAR
            state[b] = RECORD; state[b + 1] = NOTHING;
#else
            state[b + 1] = NOTHING;
            state[b] = RECORD;
#endif
#endif
            d_step { at++; number++ }
            finish(had, upto)
        fi;
        n++
    :: else -> break
    od;
    running--
}

/* memlog_end(), at any moment. */
proctype ender() {
    byte i, upto;
    bool had;

    hold(had);
    ended = true;
    state[PLACE(newest, at)] = MARK_END;
    finish(had, upto)
}

inline go_on() {
    d_step {
        if
        :: attached[chunk] -> c = next[chunk]
        :: else ->
            c = oldest;
            do :: first[c] < wanted -> c = next[c] :: else -> break od
        fi;
        inside[c]++; inside[chunk]--;
        chunk = c; slot = 0
    }
}

inline gap_to(n) {
#ifdef BREAK_GAP
    skip;
#else
    d_step { missing = missing + (n - wanted); wanted = n }
#endif
}

proctype reader(byte me) {
    byte chunk, slot, c, wanted, begin, seen, missing, s, b = NONE;
    bool had, again;

    atomic { !waking -> waking = true }
    d_step { listed[me] = true; alive[me] = true }
    waking = false;
    hold(had);
    d_step { chunk = newest; slot = at; wanted = number; begin = number; inside[chunk]++ }
    release(had);
    do
    :: /* close at any moment */ break
    :: s = state[PLACE(chunk, slot)];
        if
        :: b != NONE -> assert(body[b] == wanted - 1); b = NONE /* what was borrowed till now */
        :: else
        fi;
        if
        :: s == RECORD ->
            b = PLACE(chunk, slot);
            assert(body[b] == wanted);
            d_step { wanted++; seen++; slot++ }
        :: s == MARK_CHUNK ->
            hold(had);
            go_on();
            release(had);
            if :: first[chunk] > wanted -> gap_to(first[chunk]) :: else fi
        :: s == MARK_END ->
            if :: wanted < number -> gap_to(number) :: else fi;
            assert(seen + missing == number - begin);
            break
        :: s == NOTHING ->
#ifndef BREAK_WAKE_CLEAR
            wake[me] = false;
#endif
            hold(had);
            again = (state[PLACE(chunk, slot)] != NOTHING);
#ifdef BREAK_RECHECK
            again = false;
#endif
            if
            :: again -> release(had)
            :: else ->
                armed[me] = turn;
#ifdef BREAK_PARK
                release(had);
#else
                release(true);
#endif
#ifdef BREAK_WAKE_CLEAR
                wake[me] = false;
#endif
                if
                :: true ->
                    wake[me]; /* stuck here for ever is a lost wake-up */
                    assert(state[PLACE(chunk, slot)] != NOTHING)
                :: break /* close it armed */
                fi
            fi
        fi
    od;
#ifdef BREAK_CLOSE
    listed[me] = false;
#else
    atomic { !waking -> waking = true }
    listed[me] = false;
    waking = false;
#endif
    hold(had);
    inside[chunk]--;
    release(had);
    alive[me] = false
}

init {
    byte i;

    atomic {
        first[0] = 1; next[0] = NONE; attached[0] = true;
        i = 0;
        do :: i < PRODUCERS -> run producer(); i++ :: else -> break od;
        i = 0;
        do :: i < READERS -> run reader(i); i++ :: else -> break od;
        run ender()
    }
}
