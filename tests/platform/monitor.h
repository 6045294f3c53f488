/* monitor.h - a lock and a condition for tests, with a limit to waiting. */
#ifndef HCS_TESTS_PLATFORM_MONITOR_H
#define HCS_TESTS_PLATFORM_MONITOR_H

#include <time.h>

#include "lock.h"

#define MONITOR_LIMIT_S 60

struct monitor {
    struct lock lock;
    struct condition changed;
};

#ifdef _WIN32
#define MONITOR_INIT                                                                               \
    {                                                                                              \
        { SRWLOCK_INIT },                                                                          \
        {                                                                                          \
            CONDITION_VARIABLE_INIT                                                                \
        }                                                                                          \
    }
#else
#define MONITOR_INIT                                                                               \
    {                                                                                              \
        { PTHREAD_MUTEX_INITIALIZER },                                                             \
        {                                                                                          \
            PTHREAD_COND_INITIALIZER                                                               \
        }                                                                                          \
    }
#endif

static inline void monitor_init(struct monitor *m)
{
    lock_init(&m->lock);
    condition_init(&m->changed);
}

static inline void monitor_done(struct monitor *m)
{
    lock_done(&m->lock);
    condition_done(&m->changed);
}

static inline void monitor_enter(struct monitor *m)
{
    lock_take(&m->lock);
}

static inline void monitor_leave(struct monitor *m)
{
    lock_give(&m->lock);
}

/* Inside: those who wait look again. */
static inline void monitor_tell(struct monitor *m)
{
    condition_tell_all(&m->changed);
}

/* Inside: wait until something may have changed.  0: nothing has, for as long as a test waits. */
static inline int monitor_wait(struct monitor *m)
{
#ifdef _WIN32
    return SleepConditionVariableSRW(&m->changed.native, &m->lock.native, MONITOR_LIMIT_S * 1000,
                                     0) != 0;
#else
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += MONITOR_LIMIT_S;
    return pthread_cond_timedwait(&m->changed.native, &m->lock.native, &at) == 0;
#endif
}

#endif
