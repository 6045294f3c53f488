/* wake.c - something to poll for that a thread can set.
 *
 * Owns one descriptor or handle.  Used by streams and operations.  Promises that setting never
 * blocks and never fails, and that a set wake stays set until it is cleared. */
#include "wake.h"

#include <assert.h>

#include "clock.h"
#include "err.h"

#define MS_NS UINT64_C(1000000)

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

hcs_result wake_init(struct wake *w, hcs_error *err)
{
    assert(w);
    w->pollable = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!w->pollable)
        return fail_os(err, HCS_E_OUTOFMEMORY, (int) GetLastError(), "wake.new", "event object");
    return HCS_OK;
}

void wake_done(struct wake *w)
{
    if (w->pollable != HCS_POLLABLE_NONE)
        CloseHandle(w->pollable);
    w->pollable = HCS_POLLABLE_NONE;
}

void wake_set(struct wake *w)
{
    SetEvent(w->pollable);
}

void wake_clear(struct wake *w)
{
    ResetEvent(w->pollable);
}

static DWORD left_ms(uint64_t deadline_ns)
{
    uint64_t now, left;

    if (deadline_ns == UINT64_MAX)
        return INFINITE;
    now = clock_monotonic_ns();
    left = now >= deadline_ns ? 0 : (deadline_ns - now + MS_NS - 1) / MS_NS;
    return left >= INFINITE ? INFINITE - 1 : (DWORD) left;
}

int wake_wait(struct wake *w, uint64_t deadline_ns)
{
    for (;;) {
        if (WaitForSingleObject(w->pollable, left_ms(deadline_ns)) == WAIT_OBJECT_0)
            return 1;
        if (left_ms(deadline_ns) == 0)
            return 0;
    }
}

#else

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fd.h"

hcs_result wake_init(struct wake *w, hcs_error *err)
{
    assert(w);
    w->pollable = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->pollable < 0)
        return fail_os(err, result_from_errno(errno), errno, "wake.new", "eventfd");
    return HCS_OK;
}

void wake_done(struct wake *w)
{
    fd_drop(&w->pollable);
}

void wake_set(struct wake *w)
{
    const uint64_t one = 1;
    ssize_t n = write(w->pollable, &one, sizeof one);

    (void) n; /* full means set */
}

void wake_clear(struct wake *w)
{
    uint64_t count;
    ssize_t n = read(w->pollable, &count, sizeof count);

    (void) n; /* empty means cleared */
}

static int left_ms(uint64_t deadline_ns)
{
    uint64_t now, left;

    if (deadline_ns == UINT64_MAX)
        return -1;
    now = clock_monotonic_ns();
    left = now >= deadline_ns ? 0 : (deadline_ns - now + MS_NS - 1) / MS_NS;
    return left > INT_MAX ? INT_MAX : (int) left;
}

int wake_wait(struct wake *w, uint64_t deadline_ns)
{
    struct pollfd p = { .fd = w->pollable, .events = POLLIN };

    for (;;) {
        if (poll(&p, 1, left_ms(deadline_ns)) > 0)
            return 1;
        if (left_ms(deadline_ns) == 0)
            return 0;
    }
}

#endif
