/* buf.c - a growing byte buffer with a compulsory ceiling.
 *
 * Owns its bytes.  Used wherever text of unknown length is made or read: encoders, connections,
 * whole files.  Promises that length never passes the ceiling, that a call which fails changes
 * nothing, and that growing by small steps costs time in proportion to the bytes.
 */
#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CAPACITY 64

void buf_init(struct buf *b, size_t ceiling)
{
    assert(b);
    assert(ceiling > 0 && ceiling < SIZE_MAX);
    *b = (struct buf){ .ceiling = ceiling };
}

void buf_done(struct buf *b)
{
    assert(b);
    free(b->data);
    *b = (struct buf){ .ceiling = b->ceiling };
}

hcs_result buf_reserve(struct buf *b, size_t extra)
{
    size_t needed, capacity;
    char *data;

    assert(b);
    assert(b->length <= b->ceiling);
    if (extra > b->ceiling - b->length)
        return HCS_E_WIN32_INSUFFICIENT_BUFFER;
    needed = b->length + extra + 1;
    if (b->data && needed <= b->capacity)
        return HCS_OK;
    capacity = b->capacity <= b->ceiling / 2 ? b->capacity * 2 : b->ceiling + 1;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity > b->ceiling + 1)
        capacity = b->ceiling + 1;
    if (capacity < needed)
        capacity = needed;
    data = realloc(b->data, capacity);
    if (!data)
        return HCS_E_OUTOFMEMORY;
    data[b->length] = '\0';
    b->data = data;
    b->capacity = capacity;
    return HCS_OK;
}

hcs_result buf_append(struct buf *b, const void *bytes, size_t n)
{
    hcs_result r;

    assert(b);
    assert(bytes || n == 0);
    r = buf_reserve(b, n);
    if (r < 0)
        return r;
    if (n > 0)
        memcpy(b->data + b->length, bytes, n);
    b->length += n;
    b->data[b->length] = '\0';
    return HCS_OK;
}

hcs_result buf_append_string(struct buf *b, const char *string)
{
    assert(string);
    return buf_append(b, string, strlen(string));
}

hcs_result buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    hcs_result r;
    size_t room;
    int n;

    assert(b);
    assert(format);
    r = buf_reserve(b, 0);
    if (r < 0)
        return r;
    room = b->capacity - b->length;
    va_start(args, format);
    n = vsnprintf(b->data + b->length, room, format, args);
    va_end(args);
    if (n >= 0 && (size_t) n < room) {
        b->length += (size_t) n;
        return HCS_OK;
    }
    b->data[b->length] = '\0';
    if (n < 0)
        return HCS_E_UNEXPECTED;
    r = buf_reserve(b, (size_t) n);
    if (r < 0)
        return r;
    va_start(args, format);
    n = vsnprintf(b->data + b->length, (size_t) n + 1, format, args);
    va_end(args);
    if (n < 0) {
        b->data[b->length] = '\0';
        return HCS_E_UNEXPECTED;
    }
    b->length += (size_t) n;
    return HCS_OK;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(b);
    assert(n <= b->length);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->length - n + 1);
    b->length -= n;
}
