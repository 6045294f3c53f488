/* spin.h - waiting for another thread that is in the middle of a few instructions.
 *
 * It helps nobody to sleep for that; but the other one may have lost its processor, so a wait that
 * lasts yields, and at last sleeps: a thread that must not be interrupted would else wait for ever
 * for one that it keeps from running. */
#ifndef HCS_BASE_SPIN_H
#define HCS_BASE_SPIN_H

#include "attr.h"

#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#else
#include <sched.h>
#include <time.h>
#endif

/* Tell the processor that this is a waiting loop. */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline void spin_yield(void)
{
#ifdef _WIN32
    SwitchToThread();
#else
    sched_yield();
#endif
}

static inline void spin_sleep(void)
{
#ifdef _WIN32
    Sleep(1);
#else
    const struct timespec moment = { 0, 50000 };

    nanosleep(&moment, NULL);
#endif
}

/* One more turn of waiting; *@turn is 0 in the first one. */
static inline void spin_wait(unsigned *turn)
{
    unsigned n = (*turn)++;

    if (n < 7)
        for (unsigned i = 0; i < 1u << n; i++)
            spin_pause();
    else if (n < 64)
        spin_yield();
    else
        spin_sleep();
}

#endif
