/* cmd_exec.c - hcs exec: one more program in a system that runs already.  The system is left as it
 * was. */
#include <string.h>

#include "cli.h"
#include "output.h"
#include "program.h"

static const char text[] =
    "The program gets the standard handles of hcs; the exit status is the program's own, as with\n"
    "hcs run.  The system goes on when the program has ended.\n"
    "\n"
    "Example:\n"
    "  hcs exec web -- sh -c 'ps; exit 3'\n";

static int exec_in(const char *id, const char *parameters)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(host_dropp) hcs_host *host = NULL;
    _cleanup_(system_dropp) hcs_system *system = NULL;
    struct program p;
    int status = STATUS_OURS;

    if (cli_open_host(&host, &err) < 0 || hcs_system_open(host, id, &system, &err) < 0) {
        output_error(&err, host ? id : NULL);
        return STATUS_OURS;
    }
    if (program_init(&p, host, THIRD_KILLS_PROCESS) == 0) {
        p.system = system;
        status = program_run(&p, parameters);
    }
    program_done(&p);
    return status;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct opt_list environment = { 0 };
    const char *directory = NULL;
    const struct opt opts[] = {
        { "env", 'e', OPT_LIST, &environment, "NAME=VALUE",
          "set a variable; NAME alone: as it is here" },
        { "workdir", 'w', OPT_TEXT, &directory, "DIR", "working directory of the program" },
    };
    struct arguments arguments, words;
    _cleanup_(free_dropp) char *parameters = NULL;
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 2, -1);
    if (status < 0) {
        int skip = 1 + (strcmp(arguments.items[1], "--") == 0);

        words = (struct arguments){ arguments.items + skip, arguments.n - skip };
        status = words.n > 0 ? -1 : cli_usage(self, "%s needs %s", self->name, self->arguments);
    }
    if (status < 0)
        parameters = program_parameters(self, &words, &environment, directory, &status);
    if (parameters)
        status = exec_in(arguments.items[0], parameters);
    opt_list_done(&environment);
    return status;
}

const struct command cmd_exec = {
    .name = "exec",
    .arguments = "ID [--] PROGRAM [ARGUMENT...]",
    .summary = "Run one more program in a running system",
    .text = text,
    .failure = STATUS_OURS,
    .run = run,
};
