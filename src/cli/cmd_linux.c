/* cmd_linux.c - the commands that hcs has on Linux only, where it is for another system: they say
 * so. */
#include "cli.h"
#include "output.h"

static int run(const struct command *self, int argc, char **argv)
{
    (void) argc;
    (void) argv;
    output_fail(
        "hcs %s is not there on Windows: create and start a system from a document, then hcs exec",
        self->name);
    return self->failure;
}

const struct command cmd_run = {
    .name = "run",
    .arguments = "",
    .summary = "(not on Windows)",
    .text = "",
    .failure = STATUS_OURS,
    .run = run,
};

const struct command cmd_rootfs = {
    .name = "rootfs",
    .arguments = "",
    .summary = "(not on Windows)",
    .text = "",
    .failure = STATUS_FAILED,
    .run = run,
};
