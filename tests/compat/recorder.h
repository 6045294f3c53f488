/* recorder.h - an event callback that remembers what it was called with, and texts of both widths,
 * for tests of the flat API. */
#ifndef HCS_TESTS_RECORDER_H
#define HCS_TESTS_RECORDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcs/error_codes.h"
#include "monitor.h"
#include "sdk.h"

#define RECORDS_MAX 64
#define RECORD_BYTES 1024

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
};

struct recorder {
    struct monitor monitor;
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
    monitor_init(&r->monitor);
}

static inline void recorder_done(struct recorder *r)
{
    monitor_done(&r->monitor);
}

static inline void CALLBACK record_event(HCS_EVENT *event, void *context)
{
    struct recorder *r = context;

    monitor_enter(&r->monitor);
    r->running++;
    if (r->running > r->most)
        r->most = r->running;
    monitor_leave(&r->monitor);
    if (r->inside)
        r->inside(r, event);
    monitor_enter(&r->monitor);
    if (r->n < RECORDS_MAX) {
        struct record *record = &r->records[r->n];

        record->type = (DWORD) event->Type;
        record->has_data = event->EventData != NULL;
        if (event->EventData)
            narrow(event->EventData, record->data, sizeof record->data);
        record->operation = event->Operation;
    }
    r->n++;
    r->running--;
    monitor_tell(&r->monitor);
    monitor_leave(&r->monitor);
}

static inline int recorder_wait_until(struct recorder *r, unsigned n)
{
    int in_time;

    monitor_enter(&r->monitor);
    while (r->n < n && monitor_wait(&r->monitor))
        ;
    in_time = r->n >= n;
    monitor_leave(&r->monitor);
    return in_time;
}

static inline unsigned recorder_count(struct recorder *r)
{
    unsigned n;

    monitor_enter(&r->monitor);
    n = r->n;
    monitor_leave(&r->monitor);
    return n;
}

#endif
