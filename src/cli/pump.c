/* pump.c - standard handles of a program, carried by us.
 *
 * Owns the program's ends and a buffer for each direction.  Used by program.c where a host cannot
 * be given our own handles.  Promises that every byte arrives in its order or its lane ends, that
 * nothing here waits for longer than our own standard output does, and that the end of a lane is
 * passed on: the end of our input is the end of the program's, and who closes our output closes the
 * program's.
 */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

enum { LANE_IN = 0 };

void pump_init(struct pump *p)
{
    p->said = 0;
    for (int i = 0; i < PUMP_LANES; i++)
        p->lanes[i] = (struct lane){ .from = -1, .to = -1, .owned = -1 };
}

static void lane_end(struct lane *l)
{
    if (l->owned >= 0)
        close(l->owned);
    free(l->buffer);
    *l = (struct lane){ .from = -1, .to = -1, .owned = -1 };
}

void pump_done(struct pump *p)
{
    for (int i = 0; i < PUMP_LANES; i++)
        lane_end(&p->lanes[i]);
}

/* Only the program's end is made not to wait: ours may be shared with whoever started us. */
static int lane_begin(struct lane *l, int which, int fd)
{
    int flags = fcntl(fd, F_GETFL);

    *l = (struct lane){ .from = which == LANE_IN ? which : fd,
                        .to = which == LANE_IN ? fd : which,
                        .owned = fd,
                        .buffer = malloc(LANE_BYTES) };
    if (l->buffer && flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        return 0;
    output_fail("standard handles of the program: %s", strerror(errno));
    return -1;
}

int pump_begin(struct pump *p, hcs_process *process)
{
    signal(SIGPIPE, SIG_IGN); /* the end of a lane is no reason to die */
    for (int i = 0; i < PUMP_LANES; i++) {
        int fd = hcs_process_take_stdio(process, (hcs_stdio_which) i);

        if (fd != HCS_POLLABLE_NONE && lane_begin(&p->lanes[i], i, fd) < 0)
            return -1;
    }
    return 0;
}

void pump_wants(const struct pump *p, struct pollfd out[PUMP_LANES])
{
    for (int i = 0; i < PUMP_LANES; i++) {
        const struct lane *l = &p->lanes[i];
        int full = l->start < l->end;

        out[i] = (struct pollfd){ .fd = full ? l->to : l->from, .events = full ? POLLOUT : POLLIN };
    }
}

static int is_for_later(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* How many bytes came. */
static size_t lane_read(struct lane *l)
{
    ssize_t n = read(l->from, l->buffer, LANE_BYTES);

    if (is_for_later(n))
        return 0;
    if (n <= 0) {
        lane_end(l);
        return 0;
    }
    l->start = 0;
    l->end = (size_t) n;
    return l->end;
}

/* What our own handles are ready for is at least that many bytes; more could wait. */
static void lane_write(struct lane *l)
{
    size_t left = l->end - l->start;
    size_t most = l->to == l->owned || left < PIPE_BUF ? left : PIPE_BUF;
    ssize_t n = write(l->to, l->buffer + l->start, most);

    if (is_for_later(n))
        return;
    if (n < 0)
        lane_end(l);
    else
        l->start += (size_t) n;
}

void pump_carry(struct pump *p, const struct pollfd polled[PUMP_LANES])
{
    for (int i = 0; i < PUMP_LANES; i++) {
        struct lane *l = &p->lanes[i];

        if (polled[i].fd < 0 || !polled[i].revents)
            continue;
        if (polled[i].revents & POLLNVAL)
            lane_end(l);
        else if (l->start < l->end)
            lane_write(l);
        else if (i == LANE_IN)
            (void) lane_read(l);
        else
            p->said += lane_read(l);
    }
}

void pump_end_input(struct pump *p)
{
    lane_end(&p->lanes[LANE_IN]);
}

int pump_has_output(const struct pump *p)
{
    return p->lanes[HCS_STDOUT].from >= 0 || p->lanes[HCS_STDERR].from >= 0;
}

int pump_holds_output(const struct pump *p)
{
    const struct lane *out = &p->lanes[HCS_STDOUT], *err = &p->lanes[HCS_STDERR];

    return out->start < out->end || err->start < err->end;
}
