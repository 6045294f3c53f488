/* watch.c - waiting for a connection, on Linux.
 *
 * Owns:    an eventfd and an epoll for each watch.
 * Users:   call.c and op.c wait for links, stream.c has a watch for its user.
 * Promise: a watch is readable exactly while its flag is set or its link has something.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "deadline.h"
#include "err.h"
#include "fd.h"

static bool fd_wait(int fd, short events, uint64_t deadline)
{
    struct pollfd p = { .fd = fd, .events = events };
    int n;

    do {
        n = poll(&p, 1, deadline_left_ms(deadline));
        /* ENOMEM passes; whoever asked looks again. */
        if (n < 0 && errno != EINTR)
            return true;
    } while (n < 0 || (n == 0 && deadline_left_ms(deadline) != 0));
    return n > 0;
}

bool link_wait_readable(const struct varlink *link, uint64_t deadline)
{
    return fd_wait(varlink_fd(link), POLLIN, deadline);
}

bool link_wait(const struct varlink *link, uint64_t deadline)
{
    return fd_wait(varlink_fd(link), varlink_events(link), deadline);
}

hcs_pollable link_pollable(const struct varlink *link)
{
    return varlink_fd(link);
}

void link_hang_up(const struct varlink *link)
{
    shutdown(varlink_fd(link), SHUT_RDWR);
}

static hcs_result epoll_add(int epoll_fd, int fd, hcs_error *err)
{
    struct epoll_event event = { .events = EPOLLIN };

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return fail_os(err, result_from_errno(errno), errno, "stream.open",
                       "watch file descriptor %d", fd);
    return HCS_OK;
}

hcs_result watch_init(struct watch *w, hcs_error *err)
{
    hcs_result r;

    *w = (struct watch){ .flag = { HCS_POLLABLE_NONE }, .both = HCS_POLLABLE_NONE };
    r = wake_init(&w->flag, err);
    if (r < 0)
        return r;
    w->both = epoll_create1(EPOLL_CLOEXEC);
    if (w->both < 0)
        return fail_os(err, result_from_errno(errno), errno, "stream.open", "epoll for a stream");
    return epoll_add(w->both, w->flag.pollable, err);
}

void watch_done(struct watch *w)
{
    fd_drop(&w->both);
    wake_done(&w->flag);
}

hcs_result watch_add(struct watch *w, const struct varlink *link, hcs_error *err)
{
    return epoll_add(w->both, varlink_fd(link), err);
}

void watch_remove(struct watch *w, const struct varlink *link)
{
    (void) epoll_ctl(w->both, EPOLL_CTL_DEL, varlink_fd(link), NULL);
}

void watch_set(struct watch *w, bool set)
{
    if (w->set == set)
        return;
    w->set = set;
    if (set)
        wake_set(&w->flag);
    else
        wake_clear(&w->flag);
}

bool watch_wait(const struct watch *w, uint64_t deadline)
{
    return fd_wait(w->both, POLLIN, deadline);
}
