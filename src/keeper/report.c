/* report.c - how far a process that a RUN leaves behind has come on its way to the program.
 *
 * Owns the socket on which `hcs-keeper --enter` says so.  Used by talk.c, care.c and the loop.
 * Promises that what was said is kept as long as the process is, whichever hcsd asks. */
#include "keeper.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attr.h"

int report_begin(struct keeper *k, struct process *p, int *out_fd)
{
    struct epoll_event event = { .events = EPOLLIN };
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return errno;
    p->report_fd = ends[0];
    *out_fd = ends[1];
    event.data.fd = ends[0];
    return epoll_ctl(k->epoll_fd, EPOLL_CTL_ADD, ends[0], &event) < 0 ? errno : 0;
}

static void settle(struct process *p, enum keeper_stage stage)
{
    p->stage = (uint8_t) stage;
    if (stage == KEEPER_STAGE_THERE)
        return;
    close(p->report_fd);
    p->report_fd = -1;
}

static enum keeper_stage stage_at_end(const struct process *p)
{
    return p->stage == KEEPER_STAGE_THERE ? KEEPER_STAGE_RUNS : KEEPER_STAGE_NEVER;
}

/* One word of it; what nobody of ours would say is somebody else's, who has the socket. */
static void hear_word(struct process *p, const struct keeper_report *report)
{
    if (report->step == 0) {
        settle(p, p->stage == KEEPER_STAGE_THERE ? KEEPER_STAGE_RUNS : KEEPER_STAGE_THERE);
    } else if (report->step < KEEPER_STEP_FORK || report->step > KEEPER_STEP_EXEC) {
        settle(p, stage_at_end(p));
    } else {
        p->refused_step = (uint8_t) report->step;
        p->refused_error = report->error;
        settle(p, KEEPER_STAGE_REFUSED);
    }
}

static void hear(struct process *p)
{
    struct keeper_report report;

    while (p->report_fd >= 0) {
        ssize_t n = recv(p->report_fd, &report, sizeof(report), MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n == sizeof(report))
            hear_word(p, &report);
        else
            settle(p, stage_at_end(p));
    }
}

void report_ready(struct keeper *k, int fd)
{
    for (size_t i = 0; i < k->n_processes; i++)
        if (k->processes[i].state != PROCESS_FREE && k->processes[i].report_fd == fd) {
            hear(&k->processes[i]);
            return;
        }
}

/* The process has ended: nothing is on its way any more, even if somebody else holds the socket. */
void report_end(struct process *p)
{
    hear(p);
    if (p->report_fd < 0)
        return;
    close(p->report_fd);
    p->report_fd = -1;
}

int32_t report_value(const struct process *p)
{
    return p->stage | p->refused_step << 8;
}
