/* keeper.c - stands between hcsd and the processes of one compute system, so that hcsd may die.
 *
 * The program's entry, the set-up of its surroundings and its loop.  It is the subreaper of
 * everything it started, knows how each of it ended, and serves whichever hcsd is alive.  It knows
 * nothing of HCS: processes in, exit records out. */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attr.h"

#define LISTEN_FD 3
#define CGROUP_ROOT "/sys/fs/cgroup"
#define UNIFIED CGROUP_ROOT "/unified"
#define TMPFS_TYPE 0x01021994
#define CGROUP2_TYPE 0x63677270
#define EVENTS_MAX 4

static struct keeper the_keeper; /* all zero here, or its tables would lie in the file */

static int refuse(const char *what, const char *object, int os)
{
    complain(what, object, os);
    return -1;
}

/* ---- hybrid cgroup hosts ---- */

static int is_hybrid_host(void)
{
    struct statfs root, unified;
    char first;
    int fd, r;

    if (statfs(CGROUP_ROOT, &root) < 0 || (unsigned long) root.f_type != TMPFS_TYPE)
        return 0;
    if (statfs(UNIFIED, &unified) < 0 || (unsigned long) unified.f_type != CGROUP2_TYPE)
        return 0;
    fd = open(UNIFIED "/cgroup.controllers", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    r = read(fd, &first, 1) == 1 && first != '\n';
    close(fd);
    return r;
}

/* crun takes a host that has controllers in both hierarchies for one it cannot serve.  It is
 * shown an empty, writable one instead of the second, here and nowhere else. */
static int hide_unified(void)
{
    if (!is_hybrid_host())
        return 0;
    if (unshare(CLONE_NEWNS) < 0)
        return refuse("cannot have a mount namespace of its own", "", errno);
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return refuse("cannot keep mounts to itself at", "/", errno);
    if (mount("none", UNIFIED, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=256k,mode=755") < 0)
        return refuse("cannot mount a tmpfs at", UNIFIED, errno);
    return 0;
}

/* ---- surroundings ---- */

static int check_listener(void)
{
    int type = 0, listening = 0;
    socklen_t size = sizeof(int);

    if (getsockopt(LISTEN_FD, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
        getsockopt(LISTEN_FD, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0)
        return refuse("fd 3 is not a socket", "", errno);
    if (type != SOCK_SEQPACKET || !listening)
        return refuse("fd 3 is not a listening SOCK_SEQPACKET socket", "", 0);
    if (fcntl(LISTEN_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(LISTEN_FD, F_SETFL, O_NONBLOCK) < 0)
        return refuse("cannot prepare fd 3", "", errno);
    return 0;
}

/* All signals are blocked: the keeper ends when it is told to, or by SIGKILL; an exit that it would
 * take along to the grave, nobody else can tell.  Programs get a clean slate in start.c. */
static void tame_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
}

static int watch_fd(int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

    return epoll_ctl(the_keeper.epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int prepare_loop(struct keeper *k)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    k->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    k->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (k->signal_fd < 0 || k->epoll_fd < 0 || watch_fd(k->signal_fd) < 0 ||
        watch_fd(LISTEN_FD) < 0)
        return refuse("cannot prepare the loop", "", errno);
    return 0;
}

static int prepare(struct keeper *k, const char *run_dir, int wants_hiding)
{
    k->listen_fd = LISTEN_FD;
    k->connection_fd = -1;
    tame_signals();
    setsid(); /* refused to the leader of a group, who needs it the least */
    umask(077);
    if (check_listener() < 0)
        return -1;
    if (syscall(SYS_close_range, LISTEN_FD + 1, ~0u, 0) < 0 && errno != ENOSYS)
        return refuse("cannot close what was inherited", "", errno);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return refuse("cannot become the subreaper", "", errno);
    if (chdir(run_dir) < 0)
        return refuse("cannot enter", run_dir, errno);
    if (wants_hiding && hide_unified() < 0)
        return -1;
    return prepare_loop(k);
}

/* ---- the loop ---- */

static void drain_signals(int fd)
{
    struct signalfd_siginfo info[8];

    while (read(fd, info, sizeof(info)) > 0)
        continue;
}

static void turn(struct keeper *k)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(k->epoll_fd, events, EVENTS_MAX, -1);

    for (int i = 0; i < n; i++) {
        int fd = events[i].data.fd;

        if (fd == k->signal_fd) {
            drain_signals(fd);
            care_reap(k);
        } else if (fd == k->listen_fd) {
            talk_accept(k);
        } else if (fd == k->connection_fd && events[i].events & ~(uint32_t) EPOLLOUT) {
            talk_receive(k);
        } else if (fd != k->connection_fd) {
            report_ready(k, fd);
        }
    }
    talk_flush(k);
}

/* Leave when told to and nothing is left.  A look at the children decides that, not a count. */
static int may_leave(struct keeper *k)
{
    siginfo_t info;

    if (!k->quitting)
        return 0;
    care_reap(k);
    talk_flush(k);
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static int keep(const char *run_dir, int wants_hiding)
{
    if (prepare(&the_keeper, run_dir, wants_hiding) < 0)
        return 1;
    while (!may_leave(&the_keeper))
        turn(&the_keeper);
    unlink(KEEPER_SOCKET);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--true"))
        return 0;
    if (argc == 2 && !strcmp(argv[1], "--init"))
        return init_main();
    if (argc >= 4 && !strcmp(argv[1], "--enter"))
        return enter_main(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "--keep"))
        return keep(argv[2], 0);
    if (argc == 4 && !strcmp(argv[1], "--keep") && !strcmp(argv[3], "--hide-unified"))
        return keep(argv[2], 1);
    complain("one of --keep RUN_DIR [--hide-unified], --init, --enter DIRECTORY PROGRAM, --true is "
             "needed",
             "", 0);
    return 2;
}
