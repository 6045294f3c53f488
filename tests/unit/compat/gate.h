/* gate.h - a callback that stays until somebody else's call has returned, if that call is so rude
 * as to return while the callback runs; else for some milliseconds. */
#ifndef TESTS_COMPAT_GATE_H
#define TESTS_COMPAT_GATE_H

#include <stdatomic.h>

#include "clock.h"
#include "thread.h"

struct gate {
    atomic_int inside;   /* the callback runs */
    atomic_int called;   /* the other call is about to be made */
    atomic_int returned; /* and has returned */
    atomic_int broken;   /* while the callback ran */
};

#define GATE_NS UINT64_C(20000000)

static inline void gate_stay(struct gate *g)
{
    uint64_t until;

    atomic_store(&g->inside, 1);
    while (!atomic_load(&g->called))
        thread_yield();
    until = clock_monotonic_ns() + GATE_NS;
    while (!atomic_load(&g->returned) && clock_monotonic_ns() < until)
        thread_yield();
    atomic_store(&g->broken, atomic_load(&g->returned));
    atomic_store(&g->inside, 0);
}

static inline void gate_wait_inside(struct gate *g)
{
    while (!atomic_load(&g->inside))
        thread_yield();
    atomic_store(&g->called, 1);
}

#endif
