/* leftover.c - what an hcsd that has ended left behind.
 * Users:   the drivers, once, when the daemon begins and before it serves anybody.
 * Promise: no process of the system is left, and every exit that the keeper saw has been told. */

#include "leftover.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "fd.h"
#include "launch.h"
#include "protocol.h"

#define WHERE "keeper.leftover"
#define END_NS (15ull * 1000000000ull)
#define RECORD_BYTES_MAX 512

/* Read and drop what the keeper says until it has closed the connection, as it does by ending. */
static hcs_result wait_for_end(int fd, const char *run_dir, hcs_error *err)
{
    uint64_t deadline = clock_monotonic_ns() + END_NS;
    static char message[KEEPER_MESSAGE_MAX];

    for (;;) {
        uint64_t now = clock_monotonic_ns();
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (now >= deadline)
            return fail(err, HCS_E_OPERATION_TIMEOUT, WHERE, "the keeper of '%s' does not leave",
                        run_dir);
        if (poll(&p, 1, (int) ((deadline - now) / 1000000) + 1) < 0 && errno != EINTR)
            return fail_os(err, HCS_E_FAIL, errno, WHERE, "poll the keeper of '%s'", run_dir);
        n = p.revents ? recv(fd, message, sizeof message, MSG_DONTWAIT) : -1;
        if (n == 0 || (n < 0 && p.revents && errno != EAGAIN && errno != EINTR))
            return HCS_OK;
    }
}

hcs_result leftover_end(const char *run_dir, hcs_error *err)
{
    struct keeper_header quit = { .type = KEEPER_QUIT };
    _cleanup_(fd_drop) int fd = -1;

    assert(run_dir);
    if (launch_connect(run_dir, &fd, NULL) < 0)
        return HCS_OK; /* nobody listens: the keeper is gone */
    if (send(fd, &quit, sizeof quit, MSG_NOSIGNAL) < 0)
        return HCS_OK;
    return wait_for_end(fd, run_dir, err);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return (x > y) - (x < y);
}

static void visit_record(const char *run_dir, uint32_t number, leftover_visit visit, void *context)
{
    _cleanup_(free_drop) char *text = NULL;
    uint32_t said, pid, status;
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s%" PRIu32, run_dir, KEEPER_RECORD_PREFIX, number) >=
            (int) sizeof path ||
        file_read(path, RECORD_BYTES_MAX, &text, NULL, NULL) < 0)
        return;
    if (sscanf(text, "number %" SCNu32 " pid %" SCNu32 " status %" SCNu32, &said, &pid, &status) ==
            3 &&
        said == number)
        visit(context, number, pid, status);
}

void leftover_records(const char *run_dir, leftover_visit visit, void *context)
{
    uint32_t numbers[KEEPER_PROCESSES_MAX];
    size_t n_numbers = 0;
    DIR *directory = opendir(run_dir);

    if (!directory)
        return;
    for (struct dirent *entry; n_numbers < N_ELEMENTS(numbers) && (entry = readdir(directory));) {
        uint32_t number;
        int end = 0;

        if (sscanf(entry->d_name, KEEPER_RECORD_PREFIX "%" SCNu32 "%n", &number, &end) == 1 &&
            entry->d_name[end] == 0)
            numbers[n_numbers++] = number;
    }
    closedir(directory);
    qsort(numbers, n_numbers, sizeof numbers[0], by_number);
    for (size_t i = 0; i < n_numbers; i++)
        visit_record(run_dir, numbers[i], visit, context);
}
