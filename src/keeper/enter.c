/* enter.c - the last step into a container: become the program, and say whether that worked.
 *
 * Runs where the OCI runtime has put it, with the program's own rights and environment.  Used by
 * the OCI driver as `hcs-keeper --enter`.  Promises that a program that cannot be executed is told
 * as that, with the kernel's reason, and never as a program that ended with some code. */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attr.h"

static void report(int step, int error)
{
    const struct keeper_report r = { step, error };
    ssize_t n = send(KEEPER_REPORT_FD, &r, sizeof(r), MSG_NOSIGNAL);

    (void) n; /* whoever listened may be gone; then nobody asks */
}

int enter_main(char **argv)
{
    /* Before anything else: no other process of the container shall take the descriptor from here.
     * It holds until the program is executed. */
    prctl(PR_SET_DUMPABLE, 0);
    fcntl(KEEPER_REPORT_FD, F_SETFD, FD_CLOEXEC);
    report(0, 0);
    if (chdir(argv[0]) < 0) {
        report(KEEPER_STEP_DIRECTORY, errno);
        return 127;
    }
    report(KEEPER_STEP_EXEC, start_become(argv + 1, environ));
    return 127;
}
