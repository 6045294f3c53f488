/* transport_linux.c - bytes and descriptors over a stream socket, on Linux.
 *
 * Owns nothing.  Used by varlink.c.  Promises that a descriptor which came is either given to the
 * caller or closed, and that a signal does not show. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "fd.h"
#include "transport.h"

union control {
    char bytes[CMSG_SPACE(TRANSPORT_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

/* Take the descriptors of @header into @fds.  Returns how many; -1 when some were lost or
 * there are too many, and then none is open any more. */
static int header_fds(struct msghdr *header, int fds[TRANSPORT_FDS_MAX])
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
            if (n < TRANSPORT_FDS_MAX) {
                fds[n++] = fd;
            } else {
                fd_drop(&fd);
                lost = true;
            }
        }
    }
    if (!lost)
        return n;
    while (n > 0)
        fd_drop(&fds[--n]);
    return -1;
}

enum transport transport_receive(int fd, char *to, size_t room, struct transport_in *out)
{
    union control control;
    struct iovec iov = { .iov_base = to, .iov_len = room };
    struct msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t n;

    do {
        n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    out->os = n < 0 ? errno : 0;
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? TRANSPORT_AGAIN : TRANSPORT_FAILED;
    if (n == 0)
        return TRANSPORT_CLOSED;
    out->n_bytes = (size_t) n;
    out->n_fds = header_fds(&header, out->fds);
    return TRANSPORT_DONE;
}

static void header_put_fds(struct msghdr *header, union control *control, const int *fds, size_t n)
{
    size_t size = n * sizeof(int);
    struct cmsghdr *c;

    memset(control, 0, sizeof(*control));
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(size);
    c = CMSG_FIRSTHDR(header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), fds, size);
}

enum transport transport_send(int fd, const char *bytes, size_t n, const int *fds, size_t n_fds,
                              size_t *out_sent, int *out_os)
{
    union control control;
    struct iovec iov = { .iov_base = (void *) (uintptr_t) bytes, .iov_len = n };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t sent;

    if (n_fds > 0)
        header_put_fds(&header, &control, fds, n_fds);
    do {
        sent = sendmsg(fd, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    *out_os = sent < 0 ? errno : 0;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return TRANSPORT_AGAIN;
    if (sent < 0)
        return errno == EPIPE || errno == ECONNRESET ? TRANSPORT_CLOSED : TRANSPORT_FAILED;
    *out_sent = (size_t) sent;
    return TRANSPORT_DONE;
}

hcs_result transport_duplicate(int fd, int *out, hcs_error *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy < 0)
        return fail_os(err, result_from_errno(errno), errno, "varlink.send", "file descriptor %d",
                       fd);
    *out = copy;
    return HCS_OK;
}
