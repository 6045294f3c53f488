/* sweep.c - one signal to every process in the keeper's care, known by number or not.
 *
 * Used by talk.c when asked, and by care.c again and again while all are being killed.  The
 * keeper is the subreaper, so whatever loses its parent comes to light as a child here; a repeated
 * sweep therefore finds everybody in the end.  Promises never to signal a process that is not
 * a descendant. */
#include "keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attr.h"

#define SWEEP_MAX 4096
#define ROUNDS_MAX 8
#define GENERATIONS_MAX 8

struct found {
    pid_t pid;
    pid_t parent;
};

struct sweep {
    pid_t self;
    size_t n;
    int overflowed;
    struct found found[SWEEP_MAX];
};

static struct sweep the_sweep; /* 32 KiB, too much for a stack that should stay small */

static int is_listed(const struct sweep *s, pid_t pid)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->found[i].pid == pid)
            return 1;
    return 0;
}

static void add(struct sweep *s, pid_t pid, pid_t parent)
{
    if (is_listed(s, pid))
        return;
    if (s->n == SWEEP_MAX)
        s->overflowed = 1;
    else
        s->found[s->n++] = (struct found){ pid, parent };
}

/* "/proc/PID" and what follows, without stdio. */
static char *proc_path(char out[static 64], pid_t pid, const char *tail)
{
    char digits[12], *at = digits + sizeof(digits);

    *--at = 0;
    for (unsigned left = (unsigned) pid; left || !*at; left /= 10)
        *--at = (char) ('0' + left % 10);
    strcpy(out, "/proc/");
    strcat(out, at);
    return strcat(out, tail);
}

/* Add the numbers that the "children" file of a thread lists. */
static void add_listed(struct sweep *s, int fd, pid_t parent)
{
    char text[1024];
    pid_t pid = 0;
    ssize_t n;

    while ((n = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid) {
                add(s, pid, parent);
                pid = 0;
            }
        }
    }
    if (pid)
        add(s, pid, parent);
}

static void add_children_of_thread(struct sweep *s, int tasks_fd, const char *thread, pid_t parent)
{
    char name[280];
    int fd;

    if (strlen(thread) + sizeof("/children") > sizeof(name))
        return;
    strcpy(name, thread);
    strcat(name, "/children");
    fd = openat(tasks_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    add_listed(s, fd, parent);
    close(fd);
}

static void add_children(struct sweep *s, pid_t parent)
{
    _Alignas(struct dirent64) char entries[2048];
    char path[64];
    int tasks_fd = open(proc_path(path, parent, "/task"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ssize_t n;

    if (tasks_fd < 0)
        return;
    while ((n = getdents64(tasks_fd, entries, sizeof(entries))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct dirent64 *entry = (const void *) (entries + at);

            if (entry->d_name[0] != '.')
                add_children_of_thread(s, tasks_fd, entry->d_name, parent);
            at += entry->d_reclen;
        }
    }
    close(tasks_fd);
}

/* What the keeper knows by itself, should the kernel not list children. */
static void add_known(struct sweep *s, const struct keeper *k)
{
    for (size_t i = 0; i < k->n_processes; i++) {
        const struct process *p = &k->processes[i];

        if (p->state == PROCESS_LIVING)
            add(s, p->pid, s->self);
    }
    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++) {
        const struct command *c = &k->commands[i];

        if (c->state == COMMAND_RUNNING)
            add(s, c->pid, s->self);
    }
}

static void remove_spared(struct sweep *s, const struct keeper *k)
{
    for (size_t i = 0; i < KEEPER_COMMANDS_MAX; i++) {
        const struct command *c = &k->commands[i];

        if (c->state != COMMAND_RUNNING || !c->spared)
            continue;
        for (size_t j = 0; j < s->n; j++)
            if (s->found[j].pid == c->pid)
                s->found[j--] = s->found[--s->n];
    }
}

/* The present parent of @pid; 0 when that cannot be known. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512], *at;
    int fd = open(proc_path(path, pid, "/stat"), O_RDONLY | O_CLOEXEC);
    pid_t parent = 0;
    ssize_t n;

    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    at = strrchr(text, ')'); /* the name before it may hold anything */
    if (!at || strlen(at) < 5)
        return 0;
    for (at += 4; *at >= '0' && *at <= '9'; at++)
        parent = parent * 10 + (*at - '0');
    return parent;
}

int sweep_is_descendant(pid_t pid)
{
    pid_t self = getpid();

    for (int i = 0; i < GENERATIONS_MAX && pid > 1; i++) {
        pid = parent_of(pid);
        if (pid == self)
            return 1;
    }
    return 0;
}

/* Somebody else's child may be reaped and its number given away at any time: take hold of it
 * first, then look whether it is still the one that was found. */
static int signal_descendant(const struct sweep *s, const struct found *f, int signal)
{
    int fd = (int) syscall(SYS_pidfd_open, f->pid, 0);
    pid_t parent;
    long r = -1;

    if (fd < 0)
        return errno;
    parent = parent_of(f->pid);
    if (parent == f->parent || parent == s->self)
        r = syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0);
    else
        errno = ESRCH;
    if (r < 0)
        r = errno;
    close(fd);
    return (int) r;
}

static int signal_found(const struct sweep *s, const struct found *f, int signal)
{
    if (f->parent != s->self)
        return signal_descendant(s, f, signal);

    /* One's own child keeps its number until it is waited for, which nobody does in between. */
    return kill(f->pid, signal) < 0 ? errno : 0;
}

/* Add everybody who is not listed yet.  What was signalled before stays listed, to be signalled
 * once. */
static void collect(struct sweep *s, const struct keeper *k)
{
    add_children(s, s->self);
    add_known(s, k);
    remove_spared(s, k);
    for (size_t i = 0; i < s->n; i++)
        add_children(s, s->found[i].pid);
}

/* How many there were, the ended but not yet reaped ones included.  Looks again after each round
 * for those who were started while it went on. */
size_t sweep_signal(struct keeper *k, int signal, int *out_error)
{
    struct sweep *s = &the_sweep;
    size_t done = 0;
    int error = 0;

    s->self = getpid();
    s->n = 0;
    s->overflowed = 0;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        collect(s, k);
        if (done == s->n)
            break;
        for (; done < s->n; done++) {
            int why = signal_found(s, &s->found[done], signal);

            if (why && why != ESRCH && !error)
                error = why;
        }
    }
    *out_error = !s->n ? ESRCH : error ? error : s->overflowed ? E2BIG : 0;
    return s->n;
}
