/* socket_linux.c - stream sockets of Linux.
 *
 * Owns:    nothing past a call.
 * Users:   varlink.c and loopback.c; hcsd and the library for sockets that leave a connection.
 * Promise: nothing here waits, raises SIGPIPE, or leaves a descriptor open that it does not hand
 * on.
 */
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"

void socket_drop(os_socket *s)
{
    fd_drop(s);
}

int socket_connect(const void *address, size_t size, int limit_s, os_socket *out)
{
    const struct timeval limit = { .tv_sec = limit_s }, none = { 0 };
    const struct sockaddr *any = address;
    _cleanup_(socket_drop) os_socket s = socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r;

    if (s < 0)
        return -errno;
    (void) setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    do {
        r = connect(s, any, (socklen_t) size);
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return -errno;
    /* It may become somebody's standard input, which waits as long as it takes. */
    (void) setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
    *out = TAKE_FD(s);
    return 0;
}

int socket_wait(os_socket s, short events, int timeout_ms)
{
    struct pollfd p = { .fd = s, .events = events };

    return poll(&p, 1, timeout_ms) > 0;
}

hcs_result socket_set_blocking(os_socket s, int blocking, hcs_error *err)
{
    int flags = fcntl(s, F_GETFL);

    if (flags < 0 || fcntl(s, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0)
        return fail_os(err, result_from_errno(errno), errno, "socket.blocking", "socket %d", s);
    return HCS_OK;
}

void socket_set_prompt(os_socket s)
{
    const int on = 1;

    (void) setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void socket_end_output(os_socket s)
{
    (void) shutdown(s, SHUT_WR);
}

hcs_result socket_copy_fd(int fd, int *out, hcs_error *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy < 0)
        return fail_os(err, result_from_errno(errno), errno, "varlink.send", "file descriptor %d",
                       fd);
    *out = copy;
    return HCS_OK;
}

union control {
    char bytes[CMSG_SPACE(SOCKET_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

ssize_t socket_send(os_socket s, const void *bytes, size_t n, const int *fds, size_t n_fds)
{
    union control control;
    struct iovec iov = { .iov_base = (void *) (uintptr_t) bytes, .iov_len = n };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t sent;

    if (n_fds > 0) {
        size_t size = n_fds * sizeof(int);
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(size);
        c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(c), fds, size);
    }
    do {
        sent = sendmsg(s, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* Who sent it may make it linger at any time while he has it too, so it is undone last thing; and
 * then nobody else has it, or this is not what closes it. */
void socket_drop_fd(int *fd)
{
    const struct linger off = { 0 };

    if (*fd >= 0)
        (void) setsockopt(*fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
    fd_drop(fd);
}

/* Take the descriptors of @header into @fds.  Returns how many; -1 when some were lost or
 * there are too many, and then none is open any more. */
static int header_fds(struct msghdr *header, int fds[SOCKET_FDS_MAX])
{
    bool lost = header->msg_flags & MSG_CTRUNC;
    int n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        size_t n_here;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n_here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n_here; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (n < SOCKET_FDS_MAX) {
                fds[n++] = fd;
            } else {
                socket_drop_fd(&fd);
                lost = true;
            }
        }
    }
    if (!lost)
        return n;
    while (n > 0)
        socket_drop_fd(&fds[--n]);
    return -1;
}

ssize_t socket_receive(os_socket s, void *bytes, size_t n, int fds[SOCKET_FDS_MAX], int *out_n_fds)
{
    union control control;
    struct iovec iov = { .iov_base = bytes, .iov_len = n };
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t got;

    *out_n_fds = 0;
    do {
        got = recvmsg(s, &header, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    if (got > 0)
        *out_n_fds = header_fds(&header, fds);
    return got;
}
