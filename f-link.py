def edit(p, reps):
    s=open(p).read()
    for a,b in reps:
        assert a in s, (p,a)
        s=s.replace(a,b,1)
    open(p,'w').write(s)
edit('src/keeper/link.h',[
('/* link.h - the daemon\'s end of a keeper: start one, talk to it, notice its death.','/* link.h - the daemon\'s end of a keeper: start one or find one, talk to it, notice its death.'),
('''    uint32_t wait_status;
    uint64_t realtime_ns;''','''    uint32_t wait_status;
    uint32_t asked; /* enum keeper_asked: what it was asked for, by whichever hcsd */
    uint64_t realtime_ns;'''),
('''    /* The keeper is gone or broke''','''    /* After link_adopt only, and may be NULL where that is not used: KEEPER_TRACKED, READY and NOTHING
     * say what they mean.  @asked is enum keeper_asked.  What had ended before is told as `exited`
     * before `ready`. */
    void (*tracked)(void *owner, uint32_t number, uint32_t pid, uint32_t asked);
    void (*ready)(void *owner, uint32_t asked);
    void (*nothing)(void *owner, uint32_t number);

    /* The keeper is gone or broke'''),
('''/* HCS_E_WIN32_INSUFFICIENT_BUFFER: larger''','''/* Take over the keeper of @run_dir that an earlier hcsd started.  A keeper that does not listen is an
 * error; one that listens and does not answer is the owner's to give up. */
_must_use_ hcs_result link_adopt(sd_event *loop, const char *run_dir,
                                 const struct link_events *events, void *owner, struct link **out,
                                 hcs_error *err);

/* HCS_E_WIN32_INSUFFICIENT_BUFFER: larger'''),
('''comes after this, `lost` neither; @gone comes once, when the process is gone and reaped.''','''comes after this, `lost` neither; @gone comes once, when the process is gone (and reaped, if it
 * is a child).'''),
])
edit('src/keeper/link.c',[
(''' * Owns the keeper as a child process and the connection to it.''',''' * Owns the connection to the keeper, and the keeper as a child process unless an earlier hcsd started it.'''),
('''    pid_t pid; /* 0 once reaped */
''','''    pid_t pid; /* 0 once it is gone, and before an adopted one has said which it is */
    int is_adopted; /* somebody else's child: to be watched, but not to be waited for */
    uint64_t birth; /* of an adopted one */
'''),
('''static void describe_end(struct link *l, const siginfo_t *info, char *out, size_t size)
{''','''/* How it ended, as far as that can be known.  It is reaped if it is ours. */
static siginfo_t end_of(const struct link *l)
{
    siginfo_t info = { 0 };
    uint32_t status;

    if (!l->is_adopted) {
        waitid(P_PID, (id_t) l->pid, &info, WEXITED | WNOHANG);
    } else if (witness_status(l->pidfd, l->pid, l->birth, &status)) {
        info.si_code = WIFEXITED((int) status) ? CLD_EXITED : CLD_KILLED;
        info.si_status = WIFEXITED((int) status) ? WEXITSTATUS((int) status)
                                                 : WTERMSIG((int) status);
    }
    return info;
}

static void describe_end(struct link *l, const siginfo_t *info, char *out, size_t size)
{'''),
('''static int on_end_overdue(''','''/* The keeper is to go, whether it listens or not. */
static void keeper_kill(struct link *l)
{
    if (!l->is_adopted)
        kill(l->pid, SIGKILL); /* not reaped, so still its own */
    else if (l->pidfd >= 0)
        (void) syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0);
    else
        launch_kill(l->run_dir);
}

static int on_end_overdue('''),
('''    if (l->quitting) {
        kill(l->pid, SIGKILL); /* not reaped, so still its own */
        return 0;
    }
    enter(l);''','''    if (l->quitting) {
        keeper_kill(l);
        return 0;
    }
    enter(l);'''),
('''    snprintf(l->why, sizeof(l->why), "%s", why);
    connection_close(l);
    if (l->over''','''    snprintf(l->why, sizeof(l->why), "%s", why);
    connection_close(l);
    if (l->is_adopted && l->pidfd < 0) { /* there is nothing else to see of it */
        keeper_gone(l, l->why);
        return;
    }
    if (l->over'''),
('''/* The connection ended, the keeper perhaps''','''static void keeper_gone(struct link *l, const char *why)
{
    source_drop(&l->timer);
    if (l->quitting && !l->dropped)
        l->gone(l->owner);
    else if (!l->dropped)
        tell_lost(l, why);
}

/* The connection ended, the keeper perhaps'''),
('''                                   .wait_status = m->status,
''','''                                   .wait_status = m->status,
                                   .asked = m->tag,
'''),
('''    if (m->type < KEEPER_HELLO || m->type > KEEPER_EMPTY || m->n_strings)''','''    if (m->type < KEEPER_HELLO || m->type > KEEPER_NOTHING || m->n_strings)'''),
('''static void dispatch(struct link *l, const struct keeper_header *m)
{
    if (m->type == KEEPER_HELLO)
        l->greeted = 1;
    else if''','''/* The keeper has said which process it is: watch that.  Without pidfds the end of the connection has
 * to do. */
static void greeted(struct link *l, const struct keeper_header *m)
{
    l->greeted = 1;
    if (!l->is_adopted)
        return;
    l->pid = m->pid;
    l->birth = witness_birth(l->pid);
    l->pidfd = witness_open(l->pid, l->birth);
    if (l->pidfd >= 0 &&
        sd_event_add_io(l->loop, &l->ended, l->pidfd, EPOLLIN, on_pidfd, l) < 0)
        fd_drop(&l->pidfd), l->pidfd = -1;
}

static void dispatch(struct link *l, const struct keeper_header *m)
{
    if (m->type == KEEPER_HELLO)
        greeted(l, m);
    else if'''),
('''    else if (m->type == KEEPER_EMPTY)
        l->events->empty(l->owner);
''','''    else if (m->type == KEEPER_EMPTY)
        l->events->empty(l->owner);
    else if (!l->is_adopted)
        return;
    else if (m->type == KEEPER_TRACKED)
        l->events->tracked(l->owner, m->number, (uint32_t) m->pid, m->tag);
    else if (m->type == KEEPER_READY)
        l->events->ready(l->owner, (uint32_t) m->value);
    else
        l->events->nothing(l->owner, m->number);
'''),
('''/* The keeper has ended and is not reaped yet. */
static void keeper_ended(struct link *l)
{
    int was_quitting = l->quitting;
    siginfo_t info = { 0 };
    char why[256];

    waitid(P_PID, (id_t) l->pid, &info, WEXITED | WNOHANG);
    l->pid = 0;''','''/* The keeper has ended and is not reaped yet, if it is ours. */
static void keeper_ended(struct link *l)
{
    siginfo_t info = end_of(l);
    char why[256];

    l->pid = 0;'''),
('''    if (was_quitting && !l->dropped)
        l->gone(l->owner);
    else if (!l->dropped)
        tell_lost(l, why);
    leave(l);''','''    keeper_gone(l, why);
    leave(l);'''),
('''/* A keeper that cannot be watched is not kept. */
static hcs_result link_watch(''','''/* negative errno */
static int watch_connection(struct link *l)
{
    int r = sd_event_add_io(l->loop, &l->readable, l->fd, EPOLLIN, on_connection, l);

    if (r >= 0)
        r = sd_event_add_defer(l->loop, &l->already_gone, on_already_gone, l);
    return r < 0 ? r : sd_event_source_set_enabled(l->already_gone, SD_EVENT_OFF);
}

/* A keeper that cannot be watched is not kept. */
static hcs_result link_watch('''),
('''    if (r >= 0)
        r = sd_event_add_io(l->loop, &l->readable, l->fd, EPOLLIN, on_connection, l);
    if (r >= 0)
        r = sd_event_add_defer(l->loop, &l->already_gone, on_already_gone, l);
    if (r >= 0)
        r = sd_event_source_set_enabled(l->already_gone, SD_EVENT_OFF);
    if (r >= 0)
        return HCS_OK;''','''    if (r >= 0)
        r = watch_connection(l);
    if (r >= 0)
        return HCS_OK;'''),
('''/* ---- commands ---- */
''','''hcs_result link_adopt(sd_event *loop, const char *run_dir, const struct link_events *events,
                      void *owner, struct link **out, hcs_error *err)
{
    _cleanup_(link_dropp) struct link *l = NULL;
    hcs_result r;

    assert(loop && run_dir && events && out);
    r = link_new(loop, run_dir, events, owner, &l, err);
    if (r < 0)
        return r;
    l->is_adopted = 1;
    r = launch_connect(run_dir, &l->fd, err);
    if (r >= 0 && watch_connection(l) < 0)
        r = fail(err, HCS_E_OUTOFMEMORY, "link.adopt", "watch the keeper of '%s'", run_dir);
    if (r < 0)
        return r;
    *out = TAKE(l);
    return HCS_OK;
}

/* ---- commands ---- */
'''),
('''    if (!l->pid) {
        sd_event''','''    if (!l->pid && l->fd < 0) {
        sd_event'''),
('''                                   on_end_overdue, l) < 0)
        kill(l->pid, SIGKILL); /* not reaped, so still its own */
}''','''                                   on_end_overdue, l) < 0)
        keeper_kill(l);
}'''),
('''#include "launch.h"
''','''#include "launch.h"
#include "witness.h"
'''),
('''/* Callbacks run between these two;''','''static int on_pidfd(sd_event_source *source, int fd, uint32_t revents, void *userdata);

/* Callbacks run between these two;'''),
])
edit('src/keeper/launch.h',[
('''/* Connect to the keeper of @run_dir that somebody else started. */
_must_use_ hcs_result launch_connect(const char *run_dir, int *out_fd, hcs_error *err);
''','''/* Connect to the keeper of @run_dir that somebody else started. */
_must_use_ hcs_result launch_connect(const char *run_dir, int *out_fd, hcs_error *err);

/* SIGKILL to the keeper of @run_dir that somebody else started and that does not say who it is: it is
 * looked for by its command line. */
void launch_kill(const char *run_dir);
'''),
])
edit('src/keeper/launch.c',[
('''static hcs_result log_open(''','''/* 1 when @arguments, separated by NULs, are those of the keeper of @run_dir. */
static int is_keeper_of(const char *arguments, size_t length, const char *run_dir)
{
    const char *end = arguments + length;
    const char *option = arguments + strlen(arguments) + 1;
    const char *directory = option < end ? option + strlen(option) + 1 : end;

    return option < end && strcmp(option, "--keep") == 0 && directory < end &&
           strcmp(directory, run_dir) == 0;
}

void launch_kill(const char *run_dir)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc && (entry = readdir(proc)) != NULL) {
        _cleanup_(free_drop) char *arguments = NULL;
        pid_t pid = (pid_t) atoi(entry->d_name);
        char path[64];
        size_t length;

        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int) pid);
        if (pid > 1 && file_read(path, ARGUMENTS_BYTES_MAX, &arguments, &length, NULL) >= 0 &&
            length > 0 && is_keeper_of(arguments, length, run_dir))
            (void) kill(pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
}

static hcs_result log_open('''),
('''#include <errno.h>
''','''#include <dirent.h>
#include <errno.h>
'''),
('''#include <stdio.h>
#include <string.h>
''','''#include <stdio.h>
#include <stdlib.h>
#include <string.h>
'''),
('''#define LISTEN_FD 3 ''','''#define ARGUMENTS_BYTES_MAX ((size_t) 64 << 10)
#define LISTEN_FD 3 '''),
])
