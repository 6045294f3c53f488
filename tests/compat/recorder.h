/* recorder.h - an event callback that remembers what it was called with, and texts of both widths,
 * for tests of the flat API. */
#ifndef HCS_TESTS_RECORDER_H
#define HCS_TESTS_RECORDER_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "computecore.h"

#define RECORDS_MAX 64
#define RECORD_BYTES 1024
#define DEADLINE_S 60

/* UTF-16 of an ASCII text; one of 32 buffers in turn. */
static inline PWSTR wide(const char *text)
{
    static _Thread_local WCHAR buffers[32][4096];
    static _Thread_local unsigned next;
    PWSTR to = buffers[next++ % 32];
    size_t i = 0;

    for (; text[i] && i < 4095; i++)
        to[i] = (WCHAR) (unsigned char) text[i];
    to[i] = 0;
    return to;
}

/* ASCII of a UTF-16 text; NULL for NULL. */
static inline char *narrow(PCWSTR text, char *buffer, size_t size)
{
    size_t i = 0;

    if (!text)
        return NULL;
    for (; text[i] && i < size - 1; i++)
        buffer[i] = text[i] < 0x80 ? (char) text[i] : '?';
    buffer[i] = '\0';
    return buffer;
}

struct record {
    DWORD type;
    int has_data;
    char data[RECORD_BYTES];
    HCS_OPERATION operation;
    pthread_t thread;
};

struct recorder {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n;
    unsigned running; /* callbacks that have not returned */
    unsigned most;    /* most of them at a time */
    struct record records[RECORDS_MAX];
    void (*inside)(struct recorder *r, HCS_EVENT *event); /* what the test does in the callback */
    void *context;
};

static inline void recorder_init(struct recorder *r)
{
    memset(r, 0, sizeof *r);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
}

static inline void recorder_done(struct recorder *r)
{
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
}

static inline void CALLBACK record_event(HCS_EVENT *event, void *context)
{
    struct recorder *r = context;

    pthread_mutex_lock(&r->lock);
    r->running++;
    if (r->running > r->most)
        r->most = r->running;
    pthread_mutex_unlock(&r->lock);
    if (r->inside)
        r->inside(r, event);
    pthread_mutex_lock(&r->lock);
    if (r->n < RECORDS_MAX) {
        struct record *record = &r->records[r->n];

        record->type = (DWORD) event->Type;
        record->has_data = event->EventData != NULL;
        if (event->EventData)
            narrow(event->EventData, record->data, sizeof record->data);
        record->operation = event->Operation;
        record->thread = pthread_self();
    }
    r->n++;
    r->running--;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static inline int recorder_wait_until(struct recorder *r, unsigned n)
{
    struct timespec at;
    int in_time = 1;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&r->lock);
    while (r->n < n && in_time)
        in_time = pthread_cond_timedwait(&r->changed, &r->lock, &at) == 0;
    in_time = r->n >= n;
    pthread_mutex_unlock(&r->lock);
    return in_time;
}

static inline unsigned recorder_count(struct recorder *r)
{
    unsigned n;

    pthread_mutex_lock(&r->lock);
    n = r->n;
    pthread_mutex_unlock(&r->lock);
    return n;
}

#endif
