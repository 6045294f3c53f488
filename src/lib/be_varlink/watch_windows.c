/* watch_windows.c - waiting for a connection, on Windows.
 *
 * Owns:    an event object for each watch, which Winsock sets when something arrives; a timer where
 *          there are alarms, which sets it too.
 * Users:   call.c and op.c wait for links, stream.c has a watch for its user.
 * Promise: an event is set while there is something, as a descriptor is readable.  Winsock itself
 *          only says when something comes: so whoever clears an event looks afterwards.
 */
#include "watch.h"

#include "clock.h"
#include "deadline.h"
#include "err.h"
#include "idtab.h"
#include "lock.h"

static bool socket_wait_until(os_socket s, short events, uint64_t deadline)
{
    for (;;) {
        if (socket_wait(s, events, deadline_left_ms(deadline)))
            return true;
        if (deadline_left_ms(deadline) == 0)
            return false;
    }
}

static bool event_wait(HANDLE event, uint64_t deadline)
{
    struct wake w = { event };

    return wake_wait(&w, deadline);
}

/* Let Winsock set @event when @link has something. */
static hcs_result event_select(HANDLE event, const struct varlink *link, hcs_error *err)
{
    int os;

    if (WSAEventSelect((SOCKET) varlink_fd(link), event, FD_READ | FD_CLOSE) == 0)
        return HCS_OK;
    os = WSAGetLastError();
    return fail_os(err, result_from_os(os), os, "stream.open", "watch socket %d", varlink_fd(link));
}

bool link_wait_readable(const struct varlink *link, uint64_t deadline)
{
    return socket_wait_until(varlink_fd(link), POLLIN, deadline);
}

bool link_wait(const struct varlink *link, uint64_t deadline)
{
    return socket_wait_until(varlink_fd(link), varlink_events(link), deadline);
}

/* Reading is not shut down: Winsock would drop what has come and was not read.  The service hangs
 * up when it sees this, so there is an end. */
void link_hang_up(const struct varlink *link)
{
    socket_end_output(varlink_fd(link));
}

/* ---- a link alone ---- */

hcs_result link_watch_init(struct link_watch *w, const struct varlink *link, hcs_error *err)
{
    struct wake event = { HCS_POLLABLE_NONE };
    hcs_result r = wake_init(&event, err);

    if (r < 0)
        return r;
    r = event_select(event.pollable, link, err);
    if (r < 0)
        wake_done(&event);
    else
        w->pollable = event.pollable;
    return r;
}

void link_watch_done(struct link_watch *w)
{
    struct wake event = { w->pollable };

    wake_done(&event);
    w->pollable = HCS_POLLABLE_NONE;
}

/* Reading until there is nothing makes Winsock set it for what comes next. */
void link_watch_read(struct link_watch *w)
{
    ResetEvent(w->pollable);
}

void link_watch_hang_up(struct link_watch *w, const struct varlink *link)
{
    WSAEventSelect((SOCKET) varlink_fd(link), NULL, 0);
    link_hang_up(link);
    SetEvent(w->pollable);
}

bool link_watch_wait(const struct link_watch *w, uint64_t deadline)
{
    return event_wait(w->pollable, deadline);
}

/* ---- a link and a flag ---- */

hcs_result watch_init(struct watch *w, hcs_error *err)
{
    hcs_result r;

    *w = (struct watch){ .flag = { HCS_POLLABLE_NONE } };
    r = wake_init(&w->flag, err);
    w->both = w->flag.pollable;
    return r;
}

void watch_done(struct watch *w)
{
    if (w->timer) {
        SetThreadpoolTimer(w->timer, NULL, 0, 0);
        WaitForThreadpoolTimerCallbacks(w->timer, TRUE);
        CloseThreadpoolTimer(w->timer);
        w->timer = NULL;
    }
    wake_done(&w->flag);
}

hcs_result watch_add(struct watch *w, const struct varlink *link, hcs_error *err)
{
    hcs_result r = event_select(w->both, link, err);

    if (r >= 0)
        w->link = link;
    return r;
}

void watch_forget(struct watch *w)
{
    w->link = NULL;
}

/* A socket sets one event at most, so what the other one says is passed on by a thread of the
 * system, once: the other's event may stay set for good.  It may come when its wait has been taken
 * back, whatever is promised: Wine's does.  So it has a number of the watch, and finds nothing
 * then.
 */
static struct {
    struct lock lock;
    struct idtab watches;
} others;

__attribute__((constructor)) static void others_begin(void)
{
    lock_init(&others.lock);
    idtab_init(&others.watches);
}

static VOID CALLBACK other_came(PVOID number, BOOLEAN timed_out)
{
    struct watch *w;

    (void) timed_out;
    lock_take(&others.lock);
    w = idtab_find(&others.watches, (uint64_t) (uintptr_t) number);
    if (w) {
        atomic_store(&w->other_came, 1);
        SetEvent(w->both);
    }
    lock_give(&others.lock);
}

static int other_number(struct watch *w)
{
    hcs_result r;

    lock_take(&others.lock);
    r = idtab_add(&others.watches, w, &w->number);
    lock_give(&others.lock);
    return r < 0 ? -1 : 0;
}

static void other_forget(struct watch *w)
{
    lock_take(&others.lock);
    idtab_remove(&others.watches, w->number);
    lock_give(&others.lock);
}

/* Not in the thread that waits: Wine's may fall over its own list when such a wait is taken back at
 * the moment it is over. */
static int other_wait(struct watch *w)
{
    atomic_store(&w->other_came, 0);
    w->other_wait = NULL;
    if (other_number(w) < 0) {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return -1;
    }
    if (RegisterWaitForSingleObject(&w->other_wait, w->other, other_came,
                                    (PVOID) (uintptr_t) w->number, INFINITE,
                                    WT_EXECUTEDEFAULT | WT_EXECUTEONLYONCE))
        return 0;
    w->other_wait = NULL;
    other_forget(w);
    return -1;
}

static void other_end(struct watch *w)
{
    if (!w->other_wait)
        return;
    other_forget(w);
    UnregisterWaitEx(w->other_wait, INVALID_HANDLE_VALUE);
    w->other_wait = NULL;
}

hcs_result watch_add_other(struct watch *w, const struct link_watch *other, hcs_error *err)
{
    w->other = other->pollable;
    if (other_wait(w) == 0)
        return HCS_OK;
    w->other = NULL;
    return fail_os(err, result_from_os(GetLastError()), (int) GetLastError(), "stream.open",
                   "watch an operation");
}

void watch_remove_other(struct watch *w, const struct link_watch *other)
{
    (void) other;
    other_end(w);
    w->other = NULL;
}

/* Whether the other one has something again; if that cannot be waited for, say so: it is looked at.
 */
static bool other_again(struct watch *w)
{
    if (w->other_wait && !atomic_load(&w->other_came))
        return false;
    other_end(w);
    return other_wait(w) < 0;
}

/* ---- an alarm ---- */

/* On a thread of the system, which does nothing else. */
static VOID CALLBACK alarm_came(PTP_CALLBACK_INSTANCE instance, PVOID watch, PTP_TIMER timer)
{
    struct watch *w = watch;

    (void) instance;
    (void) timer;
    atomic_store(&w->alarm_came, 1);
    SetEvent(w->both);
}

hcs_result watch_allow_alarm(struct watch *w, hcs_error *err)
{
    w->timer = CreateThreadpoolTimer(alarm_came, w, NULL);
    if (!w->timer)
        return fail_os(err, HCS_E_OUTOFMEMORY, (int) GetLastError(), "stream.open",
                       "timer for a stream");
    return HCS_OK;
}

void watch_set_alarm(struct watch *w, uint64_t at_ns)
{
    uint64_t now = clock_monotonic_ns();
    LARGE_INTEGER left = { .QuadPart = at_ns > now ? -(LONGLONG) ((at_ns - now) / 100) : 0 };
    FILETIME due = { (DWORD) left.LowPart, (DWORD) left.HighPart };

    if (w->alarm_ns == at_ns)
        return;
    /* The alarm before says nothing any more from here on. */
    SetThreadpoolTimer(w->timer, NULL, 0, 0);
    WaitForThreadpoolTimerCallbacks(w->timer, TRUE);
    atomic_store(&w->alarm_came, 0);
    w->alarm_ns = at_ns;
    if (at_ns)
        SetThreadpoolTimer(w->timer, &due, 0, 0);
}

bool watch_alarm_is_due(struct watch *w)
{
    return w->alarm_ns != 0 && (atomic_load(&w->alarm_came) || clock_monotonic_ns() >= w->alarm_ns);
}

void watch_set(struct watch *w, bool set)
{
    w->set = set;
    if (!set) {
        wake_clear(&w->flag);
        set = (w->link && socket_wait(varlink_fd(w->link), POLLIN, 0)) ||
              (w->other && other_again(w)) || watch_alarm_is_due(w);
    }
    if (set)
        wake_set(&w->flag);
}

bool watch_wait(const struct watch *w, uint64_t deadline)
{
    return event_wait(w->both, deadline);
}
