/* init.c - the first process of a container: reap everybody, stop everybody when asked.
 *
 * Runs as pid 1 of a pid namespace, in a root that may hold nothing but this program.  Promises to
 * stay until SIGTERM and then until nobody else is left: SIGTERM to all, no deadline, no SIGKILL;
 * who asked decides whether to escalate. */
#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attr.h"

static void reap_all(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

/* Processes that were put into the namespace from outside are nobody's children here, so
 * there is no wait() for them: their end shows only in that a signal finds no one any more. */
static int is_alone(void)
{
    return kill(-1, 0) < 0 && errno == ESRCH;
}

/* SIGTERM is blocked and waited for. */
static void never_runs(int number)
{
    (void) number;
}

int init_main(void)
{
    const struct timespec poll = { .tv_nsec = 10 * 1000 * 1000 };
    int stopping = 0;
    sigset_t all;

    if (getpid() != 1) {
        complain("--init is only for the first process of a container", "", 0);
        return 2;
    }

    /* A blocked signal is never thrown away, not even for pid 1, which has the kernel's protection.
     */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);

    /* To be seen from outside, as SigCgt in /proc/PID/status: from now on a SIGTERM will be heard.
     * A blocked signal alone would be no sign, it may be the runtime's. */
    signal(SIGTERM, never_runs);
    for (;;) {
        int signal = stopping ? sigtimedwait(&all, NULL, &poll) : sigwaitinfo(&all, NULL);

        reap_all();
        if (signal == SIGTERM) {
            stopping = 1;
            kill(-1, SIGTERM);
        }
        if (stopping && is_alone())
            return 0;
    }
}
