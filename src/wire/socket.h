/* socket.h - what the wire needs of the operating system's sockets, and nothing more: the one place
 * to look when it is carried to another system.
 *
 * An os_socket is a connected stream socket that its owner closes with socket_drop(). */
#ifndef HCS_WIRE_SOCKET_H
#define HCS_WIRE_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

#include "attr.h"
#include "hcs/error.h"

/* What poll() and WSAPoll() ask for; the system's number for a connection that the peer closed with
 * bytes of ours unread. */
#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>
#define SOCKET_RESET WSAECONNRESET
#else
#include <errno.h>
#include <poll.h>
#define SOCKET_RESET ECONNRESET
#endif

typedef int os_socket; /* on Windows too: see fd.h */
#define SOCKET_NONE (-1)

/* Move a socket out of a cleanup variable. */
#define TAKE_SOCKET(s)                                                                             \
    ({                                                                                             \
        os_socket *take_at_ = &(s);                                                                \
        os_socket taken_ = *take_at_;                                                              \
        *take_at_ = SOCKET_NONE;                                                                   \
        taken_;                                                                                    \
    })

/* For _cleanup_(socket_drop): close unless it is SOCKET_NONE. */
void socket_drop(os_socket *s);

/* A new TCP connection to a struct sockaddr of @size bytes at @address.  Waits at most @limit_s.
 * 0, or a negative error of the system. */
int socket_connect(const void *address, size_t size, int limit_s, os_socket *out);

/* Until one of @events (POLLIN, POLLOUT) is true: 1; or @timeout_ms (-1: for ever) are over: 0. */
int socket_wait(os_socket s, short events, int timeout_ms);

/* Whether reads and writes wait.  Holds for everybody who shares the connection. */
_must_use_ hcs_result socket_set_blocking(os_socket s, int blocking, hcs_error *err);

/* Small messages go at once instead of waiting for more; of no meaning to sockets other than TCP.
 */
void socket_set_prompt(os_socket s);

/* What was sent is followed by the end; the other direction goes on. */
void socket_end_output(os_socket s);

/* A second descriptor of the same thing, to be sent with a message.  Windows passes none:
 * HCS_E_WIN32_NOT_SUPPORTED. */
_must_use_ hcs_result socket_copy_fd(int fd, int *out, hcs_error *err);

/* Send without waiting.  @fds (at most SOCKET_FDS_MAX) go with the first byte.
 * Returns how many bytes went; -EAGAIN none can now; -EPIPE, -ECONNRESET the peer
 * reads no more; another negative error of the system. */
#define SOCKET_FDS_MAX 4
ssize_t socket_send(os_socket s, const void *bytes, size_t n, const int *fds, size_t n_fds);

/* Receive without waiting.  @fds gets the descriptors that came with the bytes, owned, at most
 * SOCKET_FDS_MAX; *@out_n_fds is -1 when more came or some were lost, and then none is open.
 * Returns how many bytes came; 0 the peer will send no more; -EAGAIN there are none now; another
 * negative error of the system. */
ssize_t socket_receive(os_socket s, void *bytes, size_t n, int fds[SOCKET_FDS_MAX], int *out_n_fds);

/* Close one of these, unless negative.  Waits for nobody, whatever its sender has made of it:
 * closing a socket that lingers would wait for its peer. */
void socket_drop_fd(int *fd);

#endif
