/* lock.h - a mutex and a condition, of the platform's own kind.
 *
 * Never held while foreign code runs, and for moments only.  Neither can fail: both are plain
 * memory on Linux (no attributes) and on Windows (SRWLOCK, CONDITION_VARIABLE). */
#ifndef HCS_BASE_LOCK_H
#define HCS_BASE_LOCK_H

#include "attr.h"

#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

struct lock {
    SRWLOCK native;
};

struct condition {
    CONDITION_VARIABLE native;
};

static inline void lock_init(struct lock *l)
{
    InitializeSRWLock(&l->native);
}

static inline void lock_done(struct lock *l)
{
    (void) l;
}

static inline void lock_take(struct lock *l)
{
    AcquireSRWLockExclusive(&l->native);
}

static inline void lock_give(struct lock *l)
{
    ReleaseSRWLockExclusive(&l->native);
}

static inline void condition_init(struct condition *c)
{
    InitializeConditionVariable(&c->native);
}

static inline void condition_done(struct condition *c)
{
    (void) c;
}

static inline void condition_wait(struct condition *c, struct lock *held)
{
    SleepConditionVariableSRW(&c->native, &held->native, INFINITE, 0);
}

static inline void condition_tell_all(struct condition *c)
{
    WakeAllConditionVariable(&c->native);
}

#else

#include <pthread.h>

struct lock {
    pthread_mutex_t native;
};

struct condition {
    pthread_cond_t native;
};

static inline void lock_init(struct lock *l)
{
    pthread_mutex_init(&l->native, NULL);
}

static inline void lock_done(struct lock *l)
{
    pthread_mutex_destroy(&l->native);
}

static inline void lock_take(struct lock *l)
{
    pthread_mutex_lock(&l->native);
}

static inline void lock_give(struct lock *l)
{
    pthread_mutex_unlock(&l->native);
}

static inline void condition_init(struct condition *c)
{
    pthread_cond_init(&c->native, NULL);
}

static inline void condition_done(struct condition *c)
{
    pthread_cond_destroy(&c->native);
}

static inline void condition_wait(struct condition *c, struct lock *held)
{
    pthread_cond_wait(&c->native, &held->native);
}

static inline void condition_tell_all(struct condition *c)
{
    pthread_cond_broadcast(&c->native);
}

#endif
#endif
