/* fuzz_wire.c - a Varlink connection that is fed anything, in odd pieces.
 *
 * The input is a program: two bytes say what happens next, some of its bytes go to the connection.
 * The other end of the socket pair is the fuzzer, so it plays client and service at once; it sends
 * file descriptors too.  Checked: limits hold, what is taken is an object, no descriptor is left.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "varlink.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#define IN_MAX 300
#define OUT_MAX 1000

static void send_bytes(int fd, const uint8_t *bytes, size_t n, int fd_sent, size_t n_fds)
{
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec iov = { .iov_base = (void *) (uintptr_t) bytes, .iov_len = n };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (n == 0)
        return;
    if (n_fds > 0) {
        struct cmsghdr *c;

        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        for (size_t i = 0; i < n_fds; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &fd_sent, sizeof(int));
    }
    (void) sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Take all there is and answer each with itself. */
static void answer(struct varlink *v)
{
    for (;;) {
        struct varlink_message m;
        hcs_result r;

        varlink_message_init(&m);
        r = varlink_take(v, &m, NULL);
        if (r == 0)
            return;
        if (r > 0) {
            CHECK(json_is_object(m.json) && m.n_fds <= VARLINK_FDS_MAX);
            for (size_t i = 0; i < m.n_fds; i++)
                CHECK(fcntl(m.fds[i], F_GETFD) == FD_CLOEXEC);
            r = varlink_send(v, m.json, m.fds, m.n_fds, NULL);
            CHECK(r <= 0);
        }
        varlink_message_done(&m);
    }
}

static void process(struct varlink *v)
{
    hcs_result r = varlink_process(v, NULL);

    CHECK(r <= 0 && varlink_unsent(v) <= OUT_MAX);
    CHECK(r < 0 || varlink_partial(v) <= IN_MAX);
    answer(v);
}

static int lowest_free_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2], lowest = lowest_free_fd();
    struct varlink *v;
    hcs_result r;
    char sink[512];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return 0;
    r = varlink_new(ends[0], IN_MAX, OUT_MAX, &v, NULL);
    CHECK(r == HCS_OK);
    while (size >= 2) {
        size_t n = data[0] < size - 2 ? data[0] : size - 2;

        send_bytes(ends[1], data + 2, n, ends[1], (data[1] & 8) ? data[1] & 7 : 0);
        if (data[1] & 16)
            process(v);
        if (data[1] & 32)
            (void) !recv(ends[1], sink, sizeof(sink), MSG_DONTWAIT);
        if (data[1] & 64)
            r = varlink_send_text(v, "{\"n\":1}", 7, ends, (data[1] >> 7) * 2, NULL);
        data += 2 + n;
        size -= 2 + n;
    }
    process(v);
    close(ends[1]);
    for (int i = 0; i < 8; i++)
        process(v);
    varlink_drop(v);
    CHECK(lowest < 0 || lowest_free_fd() == lowest);
    return 0;
}
