/* pulse.c - something to poll for that is also readable at intervals.
 *
 * Owns a timer.  Used by streams of a whole host, whose reader looks for newcomers itself: no
 * thread of ours runs.  Promises that nothing touches the wake after pulse_done(). */
#include "pulse.h"

#include <assert.h>

#include "err.h"

#ifdef _WIN32

#include <windows.h>

static VOID CALLBACK on_timer(PTP_CALLBACK_INSTANCE instance, PVOID context, PTP_TIMER timer)
{
    struct pulse *p = context;

    (void) instance;
    (void) timer;
    atomic_store(&p->due, 1);
    wake_set(p->wake);
}

hcs_result pulse_init(struct pulse *p, struct wake *wake, uint64_t interval_ns, hcs_error *err)
{
    LARGE_INTEGER first = { .QuadPart = -(LONGLONG) (interval_ns / 100) };
    FILETIME due = { (DWORD) first.LowPart, (DWORD) first.HighPart };

    assert(p && wake && interval_ns > 0);
    p->wake = wake;
    p->pollable = wake->pollable;
    atomic_init(&p->due, 0);
    p->timer = CreateThreadpoolTimer(on_timer, p, NULL);
    if (!p->timer)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.stream", "no timer (Windows error %lu)",
                    GetLastError());
    SetThreadpoolTimer(p->timer, &due, (DWORD) ((interval_ns + 999999) / 1000000), 0);
    return HCS_OK;
}

void pulse_done(struct pulse *p)
{
    if (!p->timer)
        return;
    SetThreadpoolTimer(p->timer, NULL, 0, 0);
    WaitForThreadpoolTimerCallbacks(p->timer, TRUE);
    CloseThreadpoolTimer(p->timer);
    p->timer = NULL;
}

int pulse_take(struct pulse *p)
{
    return atomic_exchange(&p->due, 0);
}

int pulse_is_due(struct pulse *p)
{
    return atomic_load(&p->due);
}

#else

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fd.h"

#define S_NS UINT64_C(1000000000)

static int watch(int epoll_fd, int fd)
{
    struct epoll_event event = { .events = EPOLLIN };

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

hcs_result pulse_init(struct pulse *p, struct wake *wake, uint64_t interval_ns, hcs_error *err)
{
    struct timespec interval = { (time_t) (interval_ns / S_NS), (long) (interval_ns % S_NS) };
    struct itimerspec timer = { interval, interval };

    assert(p && wake && interval_ns > 0);
    p->pollable = epoll_create1(EPOLL_CLOEXEC);
    p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (p->pollable < 0 || p->timer_fd < 0 || timerfd_settime(p->timer_fd, 0, &timer, NULL) < 0 ||
        watch(p->pollable, p->timer_fd) < 0 || watch(p->pollable, wake->pollable) < 0) {
        int os = errno;

        pulse_done(p);
        return fail_os(err, result_from_errno(os), os, "computecore.stream",
                       "file descriptors for a stream");
    }
    return HCS_OK;
}

void pulse_done(struct pulse *p)
{
    if (p->pollable > 0)
        fd_drop(&p->pollable);
    if (p->timer_fd > 0)
        fd_drop(&p->timer_fd);
    p->pollable = p->timer_fd = 0;
}

int pulse_take(struct pulse *p)
{
    uint64_t times;

    return read(p->timer_fd, &times, sizeof times) == (ssize_t) sizeof times;
}

int pulse_is_due(struct pulse *p)
{
    (void) p; /* the timer is in the epoll itself */
    return 0;
}

#endif
