/* transport_windows.c - bytes over a TCP socket, on Windows.
 *
 * Owns nothing.  Used by varlink.c.  Whoever made the socket has started Winsock.
 */
#include <limits.h>

#include "err.h"
#include "transport.h"

static int at_most_int(size_t n)
{
    return n > INT_MAX ? INT_MAX : (int) n;
}

enum transport transport_receive(int fd, char *to, size_t room, struct transport_in *out)
{
    int n = recv((SOCKET) fd, to, at_most_int(room), 0);

    out->os = n < 0 ? WSAGetLastError() : 0;
    if (n < 0)
        return out->os == WSAEWOULDBLOCK ? TRANSPORT_AGAIN : TRANSPORT_FAILED;
    if (n == 0)
        return TRANSPORT_CLOSED;
    out->n_bytes = (size_t) n;
    out->n_fds = 0;
    return TRANSPORT_DONE;
}

enum transport transport_send(int fd, const char *bytes, size_t n, const int *fds, size_t n_fds,
                              size_t *out_sent, int *out_os)
{
    int sent = send((SOCKET) fd, bytes, at_most_int(n), 0);

    (void) fds;
    (void) n_fds; /* 0: transport_duplicate() gave none */
    *out_os = sent < 0 ? WSAGetLastError() : 0;
    if (sent >= 0) {
        *out_sent = (size_t) sent;
        return TRANSPORT_DONE;
    }
    if (*out_os == WSAEWOULDBLOCK)
        return TRANSPORT_AGAIN;
    return *out_os == WSAECONNRESET || *out_os == WSAECONNABORTED || *out_os == WSAESHUTDOWN
               ? TRANSPORT_CLOSED
               : TRANSPORT_FAILED;
}

hcs_result transport_duplicate(int fd, int *out, hcs_error *err)
{
    (void) out;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "varlink.send",
                "socket %d cannot be sent: Windows passes no descriptors", fd);
}
