/* stdio_windows.c - standard handles of a process, as programs for Windows know them.
 *
 * Owns:    for each handle given out a thread that moves bytes between it and the connection to the
 *          program, until one of the two ends.
 * Users:   process.c.
 * Promise: a handle is one end of a named pipe and can be used overlapped, with a completion port
 *          too.  What the program wrote before it ended can be read after that; each stream ends by
 *          itself, and none waits for another: programs read them one after the other.
 */
#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>

#include <stdio.h>

#include "fd.h"
#include "platform.h"

#define PIPE_BYTES 65536

struct pump {
    HANDLE pipe; /* our end, overlapped */
    int socket;
    int is_input;
    HANDLE moved; /* the event of what is under way on the pipe */
    HANDLE gone;  /* set when the connection has ended; NULL: nobody waits for that */
};

static void pump_drop(struct pump *p)
{
    if (p->pipe != INVALID_HANDLE_VALUE)
        CloseHandle(p->pipe); /* never flushed: the program may never read the rest */
    fd_drop(&p->socket);
    if (p->moved)
        CloseHandle(p->moved);
    if (p->gone)
        WSACloseEvent(p->gone);
    free(p);
}

/* Wait for what was begun on the pipe; 0 when it failed, or when the connection ended first. */
static DWORD pipe_finish(struct pump *p, BOOL done, OVERLAPPED *o)
{
    HANDLE both[] = { p->moved, p->gone };
    DWORD n = 0;

    if (!done && GetLastError() != ERROR_IO_PENDING)
        return 0;
    if (WaitForMultipleObjects(p->gone ? 2 : 1, both, FALSE, INFINITE) != WAIT_OBJECT_0)
        CancelIoEx(p->pipe, o);
    return GetOverlappedResult(p->pipe, o, &n, TRUE) ? n : 0;
}

static DWORD pipe_read(struct pump *p, char *to, DWORD room)
{
    OVERLAPPED o = { .hEvent = p->moved };

    return pipe_finish(p, ReadFile(p->pipe, to, room, NULL, &o), &o);
}

static int pipe_write(struct pump *p, const char *bytes, DWORD n)
{
    while (n > 0) {
        OVERLAPPED o = { .hEvent = p->moved };
        DWORD written = pipe_finish(p, WriteFile(p->pipe, bytes, n, NULL, &o), &o);

        if (written == 0)
            return -1;
        bytes += written;
        n -= written;
    }
    return 0;
}

/* Watching for the end makes a socket non-blocking. */
static int socket_put(const struct pump *p, const char *bytes, int n)
{
    while (n > 0) {
        int sent = send((SOCKET) p->socket, bytes, n, 0);

        if (sent < 0 && WSAGetLastError() == WSAEWOULDBLOCK) {
            WSAPOLLFD writable = { .fd = (SOCKET) p->socket, .events = POLLOUT };

            WSAPoll(&writable, 1, -1);
            continue;
        }
        if (sent < 0)
            return -1;
        bytes += sent;
        n -= sent;
    }
    return 0;
}

static void pump_input(struct pump *p, char *buffer)
{
    DWORD n;

    while ((n = pipe_read(p, buffer, PIPE_BYTES)) > 0 && socket_put(p, buffer, (int) n) == 0)
        ;
    shutdown((SOCKET) p->socket, SD_SEND);
}

static void pump_output(struct pump *p, char *buffer)
{
    int n;

    while ((n = recv((SOCKET) p->socket, buffer, PIPE_BYTES, 0)) > 0 &&
           pipe_write(p, buffer, (DWORD) n) == 0)
        ;
}

static void pump_main(void *context)
{
    struct pump *p = context;
    char *buffer = malloc(PIPE_BYTES);

    if (buffer && p->is_input)
        pump_input(p, buffer);
    else if (buffer)
        pump_output(p, buffer);
    free(buffer);
    pump_drop(p);
}

/* Both ends of a pipe: ours in @p, the program's is returned; NULL: there is none. */
static HANDLE pipe_make(struct pump *p)
{
    static LONG last;
    const DWORD ours = p->is_input ? PIPE_ACCESS_INBOUND : PIPE_ACCESS_OUTBOUND;
    const DWORD theirs =
        p->is_input ? GENERIC_WRITE | FILE_READ_ATTRIBUTES : GENERIC_READ | FILE_WRITE_ATTRIBUTES;
    WCHAR name[80];
    HANDLE end;

    swprintf(name, N_ELEMENTS(name), L"\\\\.\\pipe\\hcs-%lu-%lu-%08lx", GetCurrentProcessId(),
             (DWORD) InterlockedIncrement(&last), GetTickCount());
    p->pipe = CreateNamedPipeW(name, ours | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                               PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT |
                                   PIPE_REJECT_REMOTE_CLIENTS,
                               1, PIPE_BYTES, PIPE_BYTES, 0, NULL);
    if (p->pipe == INVALID_HANDLE_VALUE)
        return NULL;
    end = CreateFileW(name, theirs, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    return end == INVALID_HANDLE_VALUE ? NULL : end;
}

static struct pump *pump_new(int take_socket, int is_input)
{
    struct pump *p = calloc(1, sizeof *p);

    if (!p) {
        fd_drop(&take_socket);
        return NULL;
    }
    *p = (struct pump){ .pipe = INVALID_HANDLE_VALUE, .socket = take_socket, .is_input = is_input };
    p->moved = CreateEventW(NULL, TRUE, FALSE, NULL);
    /* Somebody who writes shall hear that the program is gone, whether there are bytes or not. */
    if (is_input && (p->gone = WSACreateEvent()) &&
        WSAEventSelect((SOCKET) p->socket, p->gone, FD_CLOSE) != 0) {
        WSACloseEvent(p->gone);
        p->gone = NULL;
    }
    return p;
}

HANDLE platform_stdio_handle(hcs_pollable take_pollable, enum platform_stdio which)
{
    struct pump *p;
    HANDLE end;

    if (take_pollable == HCS_POLLABLE_NONE)
        return NULL;
    p = pump_new((int) (uintptr_t) take_pollable, which == PLATFORM_STDIN);
    if (!p)
        return NULL;
    end = p->moved ? pipe_make(p) : NULL;
    if (end && platform_thread_start(pump_main, p) == 0)
        return end;
    if (end)
        CloseHandle(end);
    pump_drop(p);
    return NULL;
}

void platform_pollable_close(hcs_pollable take_pollable)
{
    int socket = take_pollable == HCS_POLLABLE_NONE ? -1 : (int) (uintptr_t) take_pollable;

    fd_drop(&socket);
}
