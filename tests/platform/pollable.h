/* pollable.h - pollables as a test uses them, and our ends of a program's standard handles: a
 * descriptor on Linux; on Windows a socket over TCP, else a pipe for overlapped use. */
#ifndef HCS_TESTS_PLATFORM_POLLABLE_H
#define HCS_TESTS_PLATFORM_POLLABLE_H

#include "hcs/hcs.h"

#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>

#include <windows.h>

static inline int pollable_is_ready(hcs_pollable pollable, int timeout_ms)
{
    return WaitForSingleObject(pollable, (DWORD) timeout_ms) == WAIT_OBJECT_0;
}

/* Whether what was sent to us shows: here a moment later. */
static inline int pollable_shows(hcs_pollable pollable)
{
    return pollable_is_ready(pollable, 60000);
}

static inline int end_is_socket(hcs_pollable end)
{
    int type, size = sizeof type;

    return getsockopt((SOCKET) end, SOL_SOCKET, SO_TYPE, (char *) &type, &size) == 0;
}

/* What was begun with @o: bytes moved, or -1 with the last error. */
static inline int end_finish(hcs_pollable end, BOOL begun, OVERLAPPED *o)
{
    DWORD n = 0, error;
    BOOL good;

    if (!begun && GetLastError() != ERROR_IO_PENDING) {
        good = FALSE;
        error = GetLastError();
    } else {
        good = GetOverlappedResult(end, o, &n, TRUE);
        error = GetLastError();
    }
    CloseHandle(o->hEvent);
    SetLastError(error);
    return good ? (int) n : -1;
}

/* Bytes written; -1: the program has closed its end, or worse. */
static inline int end_write(hcs_pollable end, const void *bytes, int n)
{
    OVERLAPPED o = { 0 };

    if (end_is_socket(end))
        return send((SOCKET) end, bytes, n, 0);
    o.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    return end_finish(end, WriteFile(end, bytes, (DWORD) n, NULL, &o), &o);
}

/* What there is, waiting for the first byte; 0 at the end. */
static inline int end_read(hcs_pollable end, void *to, int room)
{
    OVERLAPPED o = { 0 };
    int n;

    if (end_is_socket(end))
        return recv((SOCKET) end, to, room, 0);
    o.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    n = end_finish(end, ReadFile(end, to, (DWORD) room, NULL, &o), &o);
    return n < 0 && GetLastError() == ERROR_BROKEN_PIPE ? 0 : n;
}

static inline int end_close(hcs_pollable end)
{
    if (end_is_socket(end))
        return closesocket((SOCKET) end);
    return CloseHandle(end) ? 0 : -1;
}

#else

#include <poll.h>
#include <unistd.h>

static inline int pollable_is_ready(hcs_pollable pollable, int timeout_ms)
{
    struct pollfd p = { .fd = pollable, .events = POLLIN };

    return poll(&p, 1, timeout_ms) == 1;
}

/* Whether what was sent to us shows: at once. */
static inline int pollable_shows(hcs_pollable pollable)
{
    return pollable_is_ready(pollable, 0);
}

static inline int end_write(hcs_pollable end, const void *bytes, int n)
{
    return (int) write(end, bytes, (size_t) n);
}

static inline int end_read(hcs_pollable end, void *to, int room)
{
    return (int) read(end, to, (size_t) room);
}

static inline int end_close(hcs_pollable end)
{
    return close(end);
}

#endif
#endif
