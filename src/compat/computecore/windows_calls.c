/* windows_calls.c - the calls of Windows that programs of this API need, for Linux.
 *
 * Owns:    the last error of each thread.
 * Users:   programs.  Nothing in this library calls them.
 * Promise: a HANDLE is a file descriptor; events are eventfds, so that they can be polled with
 *          anything.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "flat.h"

#define MS_NS UINT64_C(1000000)
#define ERROR_NOT_ENOUGH_MEMORY 8
#define ERROR_GEN_FAILURE 31

static _Thread_local DWORD last_error;

static DWORD error_of(int os)
{
    switch (os) {
    case EBADF:
        return ERROR_INVALID_HANDLE;
    case EPIPE:
    case ECONNRESET:
        return ERROR_BROKEN_PIPE;
    case EINVAL:
    case EFAULT:
        return ERROR_INVALID_PARAMETER;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ERROR_NOT_ENOUGH_MEMORY;
    default:
        return ERROR_GEN_FAILURE;
    }
}

static BOOL refuse(DWORD error)
{
    last_error = error;
    return FALSE;
}

DWORD GetLastError(void)
{
    return last_error;
}

HLOCAL LocalFree(HLOCAL memory)
{
    free(memory);
    return NULL;
}

void CoTaskMemFree(PVOID memory)
{
    free(memory);
}

BOOL CloseHandle(HANDLE handle)
{
    int fd = HANDLE_TO_FD(handle);

    if (fd < 0)
        return refuse(ERROR_INVALID_HANDLE);
    return close(fd) == 0 ? TRUE : refuse(error_of(errno));
}

BOOL ReadFile(HANDLE handle, void *buffer, DWORD size, DWORD *out_read, OVERLAPPED *overlapped)
{
    ssize_t n;

    if (!out_read || overlapped)
        return refuse(ERROR_INVALID_PARAMETER);
    *out_read = 0;
    do {
        n = read(HANDLE_TO_FD(handle), buffer, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return refuse(error_of(errno));
    if (n == 0 && size > 0)
        return refuse(ERROR_BROKEN_PIPE);
    *out_read = (DWORD) n;
    return TRUE;
}

/* write() that makes no SIGPIPE, also where the program has not ignored it. */
static ssize_t write_quietly(int fd, const void *bytes, size_t n)
{
    struct timespec none = { 0, 0 };
    sigset_t pipe, pending, before;
    ssize_t written;
    int os;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    do {
        written = write(fd, bytes, n);
    } while (written < 0 && errno == EINTR);
    os = errno;
    if (written < 0 && os == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe, NULL, &none) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = os;
    return written;
}

BOOL WriteFile(HANDLE handle, const void *buffer, DWORD size, DWORD *out_written,
               OVERLAPPED *overlapped)
{
    const char *bytes = buffer;

    if (!out_written || overlapped)
        return refuse(ERROR_INVALID_PARAMETER);
    *out_written = 0;
    while (*out_written < size) {
        ssize_t n = write_quietly(HANDLE_TO_FD(handle), bytes + *out_written, size - *out_written);

        if (n < 0)
            return refuse(error_of(errno));
        *out_written += (DWORD) n;
    }
    return TRUE;
}

/* A handle of an event that resets itself has a mark above the descriptor. */
#define RESETS_ITSELF (UINT64_C(1) << 32)

HANDLE CreateEventW(SECURITY_ATTRIBUTES *attributes, BOOL manual_reset, BOOL set, PCWSTR name)
{
    int fd;

    if (attributes || name) {
        last_error = ERROR_NOT_SUPPORTED;
        return NULL;
    }
    fd = eventfd(set ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd == 0) { /* would be NULL */
        fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
        close(0);
    }
    if (fd < 0) {
        last_error = error_of(errno);
        return NULL;
    }
    return (HANDLE) (uintptr_t) ((uint64_t) fd | (manual_reset ? 0 : RESETS_ITSELF));
}

/* What was written before an event was set is seen after a wait for it: the kernel sees to that,
 * and this says so to tools that do not look into the kernel. */
static atomic_uint order;

BOOL SetEvent(HANDLE event)
{
    const uint64_t one = 1;

    atomic_fetch_add(&order, 1);
    if (write(HANDLE_TO_FD(event), &one, sizeof one) < 0 && errno != EAGAIN)
        return refuse(error_of(errno));
    return TRUE;
}

BOOL ResetEvent(HANDLE event)
{
    uint64_t count;

    if (read(HANDLE_TO_FD(event), &count, sizeof count) < 0 && errno != EAGAIN)
        return refuse(error_of(errno));
    return TRUE;
}

static int left_ms(uint64_t deadline)
{
    uint64_t now = clock_monotonic_ns();
    uint64_t left = now >= deadline ? 0 : (deadline - now + MS_NS - 1) / MS_NS;

    return deadline == UINT64_MAX ? -1 : left > INT_MAX ? INT_MAX : (int) left;
}

/* Whether it was us who reset it. */
static BOOL event_take(int fd)
{
    uint64_t count;

    return read(fd, &count, sizeof count) == (ssize_t) sizeof count;
}

DWORD WaitForSingleObject(HANDLE object, DWORD timeout_ms)
{
    uint64_t deadline =
        timeout_ms == INFINITE ? UINT64_MAX : clock_monotonic_ns() + timeout_ms * MS_NS;
    struct pollfd p = { .fd = HANDLE_TO_FD(object), .events = POLLIN };
    int n;

    if (p.fd < 0) {
        last_error = ERROR_INVALID_HANDLE;
        return WAIT_FAILED;
    }
    for (;;) {
        n = poll(&p, 1, left_ms(deadline));
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0 && (p.revents & POLLNVAL)) {
            errno = EBADF;
            break;
        }
        if (n > 0 && (!((uint64_t) (uintptr_t) object & RESETS_ITSELF) || event_take(p.fd))) {
            atomic_fetch_add(&order, 1);
            return WAIT_OBJECT_0;
        }
        if (left_ms(deadline) == 0)
            return WAIT_TIMEOUT;
    }
    last_error = error_of(errno);
    return WAIT_FAILED;
}
