/* socket_windows.c - stream sockets of Windows.
 *
 * Owns:    Winsock, started with the first socket and for as long as the process lives.
 * Users:   varlink.c and loopback.c; the library for sockets that leave a connection.
 * Promise: nothing here waits but socket_connect() and socket_wait(); no child inherits a socket.
 */
#include <errno.h>
#include <limits.h>

#include "err.h"
#include "fd.h"
#include "socket.h"

static BOOL CALLBACK start(INIT_ONCE *once, void *out_os, void **context)
{
    WSADATA data;

    (void) once;
    (void) context;
    *(int *) out_os = WSAStartup(MAKEWORD(2, 2), &data);
    return *(int *) out_os == 0;
}

/* 0, or why there is no Winsock. */
static int winsock(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    int os = 0;

    return InitOnceExecuteOnce(&once, start, &os, NULL) ? 0 : os;
}

void socket_drop(os_socket *s)
{
    fd_drop(s);
}

int socket_connect(const void *address, size_t size, int limit_s, os_socket *out)
{
    const struct sockaddr *any = address;
    _cleanup_(socket_drop) os_socket s = SOCKET_NONE;
    int os = winsock();

    (void) limit_s; /* the loopback refuses at once, or takes the connection */
    if (os)
        return -os;
    s = (os_socket) WSASocketW(any->sa_family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                               WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (s == SOCKET_NONE)
        return -WSAGetLastError();
    if (connect((SOCKET) s, any, (int) size) != 0)
        return -WSAGetLastError();
    *out = TAKE_FD(s);
    return 0;
}

int socket_wait(os_socket s, short events, int timeout_ms)
{
    WSAPOLLFD p = { .fd = (SOCKET) s, .events = events };

    return WSAPoll(&p, 1, timeout_ms) > 0;
}

hcs_result socket_set_blocking(os_socket s, int blocking, hcs_error *err)
{
    u_long non_blocking = !blocking;
    int os;

    if (ioctlsocket((SOCKET) s, FIONBIO, &non_blocking) == 0)
        return HCS_OK;
    os = WSAGetLastError();
    return fail_os(err, result_from_os(os), os, "socket.blocking", "socket %d", s);
}

void socket_set_prompt(os_socket s)
{
    const BOOL on = TRUE;

    (void) setsockopt((SOCKET) s, IPPROTO_TCP, TCP_NODELAY, (const char *) &on, sizeof(on));
}

void socket_end_output(os_socket s)
{
    (void) shutdown((SOCKET) s, SD_SEND);
}

hcs_result socket_copy_fd(int fd, int *out, hcs_error *err)
{
    (void) out;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "varlink.send",
                "%d cannot be sent: Windows passes no descriptors", fd);
}

static int at_most_int(size_t n)
{
    return n > INT_MAX ? INT_MAX : (int) n;
}

ssize_t socket_send(os_socket s, const void *bytes, size_t n, const int *fds, size_t n_fds)
{
    int sent = send((SOCKET) s, bytes, at_most_int(n), 0);

    (void) fds;
    (void) n_fds; /* none: socket_copy_fd() gave none */
    if (sent >= 0)
        return sent;
    switch (WSAGetLastError()) {
    case WSAEWOULDBLOCK:
        return -EAGAIN;
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAESHUTDOWN:
        return -ECONNRESET;
    default:
        return -WSAGetLastError();
    }
}

ssize_t socket_receive(os_socket s, void *bytes, size_t n, int fds[SOCKET_FDS_MAX], int *out_n_fds)
{
    int got = recv((SOCKET) s, bytes, at_most_int(n), 0);

    (void) fds;
    *out_n_fds = 0;
    if (got >= 0)
        return got;
    return WSAGetLastError() == WSAEWOULDBLOCK ? -EAGAIN : -WSAGetLastError();
}

void socket_drop_fd(int *fd)
{
    fd_drop(fd); /* none is ever received */
}
