/* care.c - the processes in the keeper's care: which there are, and how each one ended.
 *
 * Owns the tables of processes and of exits that nobody has claimed yet.  Used by the loop on
 * SIGCHLD and by talk.c.  Promises that an exit, once reaped, is in a record before it can be told,
 * and stays known until hcsd acknowledges it. */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attr.h"

#define NAME_ROOM 32

/* ---- text, without stdio ---- */

static char *put_string(char *at, const char *string)
{
    size_t n = strlen(string);

    memcpy(at, string, n); /* NOLINT(bugprone-not-null-terminated-result): more follows */
    return at + n;
}

static char *put_number(char *at, uint64_t value)
{
    char digits[20], *first = digits + sizeof(digits);

    do {
        *--first = (char) ('0' + value % 10);
        value /= 10;
    } while (value);
    memcpy(at, first, (size_t) (digits + sizeof(digits) - first));
    return at + (digits + sizeof(digits) - first);
}

static void record_name(char out[static NAME_ROOM], uint32_t number, const char *suffix)
{
    *put_string(put_number(put_string(out, KEEPER_RECORD_PREFIX), number), suffix) = 0;
}

/* ---- records ---- */

static size_t record_text(char *out, const struct process *p)
{
    char *at = out;

    at = put_string(put_number(put_string(at, "number "), p->number), "\n");
    at = put_string(put_number(put_string(at, "pid "), (uint64_t) p->pid), "\n");
    at = put_string(put_number(put_string(at, "status "), p->status), "\n");
    at = put_string(put_number(put_string(at, "realtime_ns "), p->realtime_ns), "\n");
    at = put_string(put_number(put_string(at, "monotonic_ns "), p->monotonic_ns), "\n");
    at = put_string(put_number(put_string(at, "asked "), p->asked), "\n");
    at = put_string(put_number(put_string(at, "stage "), (uint64_t) report_value(p)), "\n");
    return (size_t) (at - out);
}

/* Returns 0 or an errno.  Not synced: a record has to survive hcsd and the keeper, and after the
 * host itself went down the run directory is gone anyway. */
static int record_write(const struct process *p)
{
    char text[224], name[NAME_ROOM], temporary[NAME_ROOM];
    size_t n = record_text(text, p);
    int fd, error = 0;
    ssize_t written;

    record_name(name, p->number, "");
    record_name(temporary, p->number, ".tmp");
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    written = write(fd, text, n);
    if (written != (ssize_t) n)
        error = written < 0 ? errno : ENOSPC;
    if (close(fd) < 0 && !error)
        error = errno;
    if (!error && rename(temporary, name) < 0)
        error = errno;
    if (error)
        unlink(temporary);
    return error;
}

/* ---- processes ---- */

struct process *care_find(struct keeper *k, uint32_t number)
{
    for (size_t i = 0; i < k->n_processes; i++)
        if (k->processes[i].state != PROCESS_FREE && k->processes[i].number == number)
            return &k->processes[i];
    return NULL;
}

static struct process *find_living(struct keeper *k, pid_t pid)
{
    for (size_t i = 0; i < k->n_processes; i++)
        if (k->processes[i].state == PROCESS_LIVING && k->processes[i].pid == pid)
            return &k->processes[i];
    return NULL;
}

/* A place for a process that is about to start: having it beforehand, no start can
 * succeed and then go unwatched. */
struct process *care_reserve(struct keeper *k, uint32_t number, int *out_error)
{
    if (!number || care_find(k, number)) {
        *out_error = number ? EEXIST : EINVAL;
        return NULL;
    }
    for (size_t i = 0; i < KEEPER_PROCESSES_MAX; i++) {
        struct process *p = &k->processes[i];

        if (p->state != PROCESS_FREE)
            continue;
        if (i >= k->n_processes)
            k->n_processes = i + 1;
        *p = (struct process){
            .state = PROCESS_RESERVED, .number = number, .held = 1, .report_fd = -1
        };
        return p;
    }
    *out_error = ENOBUFS;
    return NULL;
}

void care_release(struct process *p)
{
    if (p->report_fd >= 0)
        close(p->report_fd);
    p->report_fd = -1;
    p->state = PROCESS_FREE;
}

/* Something began: whatever was to be said about there being nothing is no longer so. */
void care_took_on(struct keeper *k)
{
    k->care = CARE_SOME;
    k->empty_due = 0;
}

void care_asked(uint8_t *asked, int signal)
{
    *asked |= signal == SIGTERM ? KEEPER_ASKED_TERM : signal == SIGKILL ? KEEPER_ASKED_KILL : 0;
}

void care_forget(struct keeper *k, uint32_t number)
{
    struct process *p = care_find(k, number);
    char name[NAME_ROOM];

    if (!p || p->state != PROCESS_ENDED || p->held)
        return;
    record_name(name, number, "");
    unlink(name);
    care_release(p);
}

static void process_ended(struct process *p, const struct stranger *end)
{
    int error;

    report_end(p); /* the dead have said all that they had to say */
    p->state = PROCESS_ENDED;
    p->status = end->status;
    p->realtime_ns = end->realtime_ns;
    p->monotonic_ns = end->monotonic_ns;
    error = record_write(p);
    if (error) /* it is told all the same, and kept in memory */
        complain("cannot write the record of an exit", "", error);
}

/* ---- strangers ---- */

static void stranger_keep(struct keeper *k, const struct stranger *end)
{
    if (k->n_strangers < KEEPER_PROCESSES_MAX) {
        k->strangers[k->n_strangers++] = *end;
        return;
    }
    k->strangers[k->next_stranger] = *end;
    k->next_stranger = (k->next_stranger + 1) % KEEPER_PROCESSES_MAX;
}

/* The latest exit of @pid: an earlier one may be of another process with the same number. */
static const struct stranger *stranger_find(const struct keeper *k, pid_t pid)
{
    const struct stranger *best = NULL;

    for (size_t i = 0; i < k->n_strangers; i++) {
        const struct stranger *s = &k->strangers[i];

        if (s->pid == pid && (!best || s->monotonic_ns >= best->monotonic_ns))
            best = s;
    }
    return best;
}

static void strangers_forget(struct keeper *k)
{
    k->n_strangers = 0;
    k->next_stranger = 0;
}

/* ---- programs of RUN ---- */

static int pid_parse(const char *text, size_t n, pid_t *out)
{
    int64_t pid = 0;
    size_t i;

    for (i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++) {
        pid = pid * 10 + (text[i] - '0');
        if (pid > INT_MAX)
            return EINVAL;
    }
    if (!pid || (i < n && text[i] != '\n'))
        return EINVAL;
    *out = (pid_t) pid;
    return 0;
}

static int pid_file_read(const char *path, pid_t *out)
{
    /* Not blocking: should the path be a FIFO, nobody may hold up the keeper with it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error;
    char text[32];
    ssize_t n;

    if (fd < 0)
        return errno;
    n = read(fd, text, sizeof(text));
    error = n < 0 ? errno : pid_parse(text, (size_t) n, out);
    close(fd);
    return error;
}

static int is_own_child(pid_t pid)
{
    siginfo_t info;

    return waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static int is_program(const struct keeper *k, pid_t pid)
{
    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++)
        if (k->commands[i].state == COMMAND_RUNNING && k->commands[i].pid == pid)
            return 1;
    return 0;
}

/* The process that a RUN left behind becomes the one that hcsd knows by number; it may have ended
 * already.  A pid that is neither a child nor an exit that was seen is not believed. */
static int adopt(struct keeper *k, struct command *c)
{
    const struct stranger *end;
    pid_t pid = 0;
    int error = pid_file_read(k->pid_files[c - k->commands], &pid);

    if (error)
        return error;
    end = stranger_find(k, pid);
    if (find_living(k, pid) || is_program(k, pid))
        return EEXIST;
    if (!is_own_child(pid) && !end)
        return sweep_is_descendant(pid) ? EAGAIN : ECHILD;
    c->process->pid = pid;
    c->process->state = PROCESS_LIVING;
    c->process->announced = 0;
    c->answer.pid = pid;
    care_took_on(k);
    if (!is_own_child(pid))
        process_ended(c->process, end);
    return 0;
}

static void command_done(struct keeper *k, struct command *c)
{
    c->state = COMMAND_DONE;
    if (c->process) {
        if (c->process->state == PROCESS_RESERVED) {
            care_release(c->process);
            if (c->process->orphaned)
                c->process->state = PROCESS_NOTHING;
            c->process = NULL;
        }
        if (--k->n_awaiting == 0)
            strangers_forget(k);
    }
    if (!c->foreign)
        return;
    if (c->process)
        c->process->held = 0;
    c->state = COMMAND_FREE;
}

static void adopt_or_wait(struct keeper *k, struct command *c)
{
    int error = adopt(k, c);

    c->pid = 0;
    c->state = COMMAND_ADOPTING;
    if (error == EAGAIN)
        return;
    c->answer.error = error;
    command_done(k, c);
}

static void program_ended(struct keeper *k, struct command *c, uint32_t status)
{
    c->answer.status = status;
    if (c->process && status == 0)
        adopt_or_wait(k, c);
    else
        command_done(k, c);
}

/* Somebody has ended: children of his are the keeper's now. */
static void adopt_waiting(struct keeper *k)
{
    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++)
        if (k->commands[i].state == COMMAND_ADOPTING)
            adopt_or_wait(k, &k->commands[i]);
}

/* ---- reaping ---- */

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static void reaped(struct keeper *k, const struct stranger *end)
{
    struct process *p;

    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++) {
        if (k->commands[i].state == COMMAND_RUNNING && k->commands[i].pid == end->pid) {
            program_ended(k, &k->commands[i], end->status);
            return;
        }
    }
    p = find_living(k, end->pid);
    if (p) {
        process_ended(p, end);
        return;
    }
    care_took_on(k);
    if (k->n_awaiting) {
        stranger_keep(k, end);
        adopt_waiting(k);
    }
}

static void nobody_left(struct keeper *k)
{
    k->killing = 0;
    if (k->care != CARE_SOME)
        return;
    k->care = CARE_NONE;
    k->empty_due = 1;
}

void care_reap(struct keeper *k)
{
    int status, ignored;

    for (;;) {
        pid_t pid = waitpid(-1, &status, WNOHANG);
        struct stranger end = {
            .pid = pid,
            .status = (uint32_t) status,
            .realtime_ns = nanoseconds(CLOCK_REALTIME),
            .monotonic_ns = nanoseconds(CLOCK_MONOTONIC),
        };

        if (pid > 0) {
            reaped(k, &end);
            continue;
        }
        if (pid == 0)
            break;
        if (errno == ECHILD) {
            nobody_left(k);
            return;
        }
    }
    if (k->killing && sweep_signal(k, SIGKILL, &ignored) == 0)
        k->killing = 0;
}
