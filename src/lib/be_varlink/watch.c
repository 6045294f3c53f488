/* watch.c - waiting for a connection, on Linux.
 *
 * Owns:    an eventfd, an epoll and, where there are alarms, a timerfd for each watch.
 * Users:   call.c and op.c wait for links, stream.c has a watch for its user.
 * Promise: a watch is readable exactly while its flag is set, its link has something, or its alarm
 *          is due.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "clock.h"
#include "deadline.h"
#include "err.h"
#include "fd.h"

#define S_NS UINT64_C(1000000000)

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

void link_hang_up(const struct varlink *link)
{
    shutdown(varlink_fd(link), SHUT_RDWR);
}

hcs_result link_watch_init(struct link_watch *w, const struct varlink *link, hcs_error *err)
{
    (void) err;
    w->pollable = varlink_fd(link);
    return HCS_OK;
}

void link_watch_done(struct link_watch *w)
{
    w->pollable = HCS_POLLABLE_NONE;
}

void link_watch_read(struct link_watch *w)
{
    (void) w; /* a descriptor is readable while there is something to read */
}

void link_watch_hang_up(struct link_watch *w, const struct varlink *link)
{
    (void) w;
    link_hang_up(link);
}

bool link_watch_wait(const struct link_watch *w, uint64_t deadline)
{
    return fd_wait(w->pollable, POLLIN, deadline);
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

    *w = (struct watch){ .flag = { HCS_POLLABLE_NONE }, .both = HCS_POLLABLE_NONE, .timer_fd = -1 };
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
    fd_drop(&w->timer_fd);
    wake_done(&w->flag);
}

hcs_result watch_add(struct watch *w, const struct varlink *link, hcs_error *err)
{
    w->link = link;
    return epoll_add(w->both, varlink_fd(link), err);
}

void watch_forget(struct watch *w)
{
    /* What is closed is forgotten only when no child of a fork() has it any more. */
    if (w->link)
        (void) epoll_ctl(w->both, EPOLL_CTL_DEL, varlink_fd(w->link), NULL);
    w->link = NULL;
}

hcs_result watch_add_other(struct watch *w, const struct link_watch *other, hcs_error *err)
{
    return epoll_add(w->both, other->pollable, err);
}

void watch_remove_other(struct watch *w, const struct link_watch *other)
{
    (void) epoll_ctl(w->both, EPOLL_CTL_DEL, other->pollable, NULL);
}

hcs_result watch_allow_alarm(struct watch *w, hcs_error *err)
{
    w->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->timer_fd < 0)
        return fail_os(err, result_from_errno(errno), errno, "stream.open", "timer for a stream");
    return epoll_add(w->both, w->timer_fd, err);
}

void watch_set_alarm(struct watch *w, uint64_t at_ns)
{
    const struct itimerspec at = { .it_value = { (time_t) (at_ns / S_NS), (long) (at_ns % S_NS) } };

    if (w->alarm_ns == at_ns)
        return;
    w->alarm_ns = at_ns;
    (void) timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

bool watch_alarm_is_due(struct watch *w)
{
    return w->alarm_ns != 0 && clock_monotonic_ns() >= w->alarm_ns;
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
