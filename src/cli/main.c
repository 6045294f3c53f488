/* main.c - hcs: finds the command and gives it its arguments.
 *
 * Owns the list of commands and the options that all of them have.  Promises that nothing is done
 * before the whole command line was understood.
 */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "cli.h"
#include "machine.h"
#include "output.h"

#define OPTIONS_MAX 24
#ifdef _WIN32
#define ADDRESSES "computecore: (the default) or tcp:127.0.0.1:PORT"
#define TRY_IT                                                                                     \
    "Try it: hcs events.  hcs COMMAND --help has an example for each command.\n"                   \
    "\n"                                                                                           \
    "Environment:\n"                                                                               \
    "  HCS_HOST  the service, as -H   NO_COLOR  no colours\n"
#else
#define ADDRESSES "unix:/path/to/socket or tcp:127.0.0.1:PORT"
#define TRY_IT                                                                                     \
    "Try it, in two terminals:\n"                                                                  \
    "  hcs events\n"                                                                               \
    "  hcs run --rootfs DIR -- sh -c 'exit 42'\n"                                                  \
    "\n"                                                                                           \
    "hcs rootfs make DIR makes a root file system to play with; hcs COMMAND --help has an\n"       \
    "example for each command.  The service, hcsd, is started when nobody answers.\n"              \
    "\n"                                                                                           \
    "Environment:\n"                                                                               \
    "  HCS_HOST    the service, as -H       HCS_HCSD      the hcsd to start\n"                     \
    "  HCS_ROOTFS  root file system of run  HCS_TOKEN_FILE  what hcsd --tcp wrote\n"               \
    "  NO_COLOR    no colours\n"
#endif

const struct command *const commands[] = {
    &cmd_run,     &cmd_create, &cmd_start,   &cmd_exec,    &cmd_stop,   &cmd_kill,
    &cmd_wait,    &cmd_rm,     &cmd_list,    &cmd_inspect, &cmd_events, &cmd_status,
    &cmd_explain, &cmd_check,  &cmd_version, &cmd_rootfs,
};
const size_t n_commands = N_ELEMENTS(commands);

static const char *host_address;

static int is_version_wanted;
static const struct opt global_options[] = {
    { "host", 'H', OPT_TEXT, &host_address, "ADDRESS", "the service to talk to: " ADDRESSES },
    { "version", 'v', OPT_FLAG, &is_version_wanted, NULL, "version of hcs" },
};

static void print_help(void)
{
    printf(
        "Usage: hcs [-H ADDRESS] COMMAND [ARGUMENT...]\n\n"
        "Creates, runs and watches containers, and tells how each of them ended.\n\nCommands:\n");
    for (size_t i = 0; i < n_commands; i++)
        printf("  %-10s%s\n", commands[i]->name, commands[i]->summary);
    printf("\nOptions:\n");
    option_print(stdout, global_options, N_ELEMENTS(global_options));
    printf("\n" TRY_IT);
}

static void print_command_help(const struct command *self, const struct opt *opts, size_t n_opts)
{
    printf("Usage: hcs %s [OPTION...]%s%s\n\n%s.\n\nOptions:\n", self->name,
           *self->arguments ? " " : "", self->arguments, self->summary);
    option_print(stdout, opts, n_opts);
    printf("\n%s", self->text);
}

int cli_usage(const struct command *self, const char *format, ...)
{
    char text[OPTION_PROBLEM];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    output_fail("%s", text);
    fprintf(stderr, "  try: hcs %s --help\n", self->name);
    return self->failure ? self->failure : STATUS_USAGE;
}

int cli_parse(const struct command *self, const struct opt *opts, size_t n_opts, int argc,
              char **argv, struct arguments *out)
{
    struct opt all[OPTIONS_MAX];
    char problem[OPTION_PROBLEM];

    assert(n_opts < OPTIONS_MAX);
    for (size_t i = 0; i < n_opts; i++)
        all[i] = opts[i];
    all[n_opts++] = global_options[0];
    switch (option_parse(self->name, all, n_opts, self->failure ? OPT_FIRST : OPT_ANYWHERE, argc,
                         argv, out, problem)) {
    case PARSED_HELP:
        print_command_help(self, all, n_opts);
        return output_finish() < 0 ? STATUS_FAILED : STATUS_OK;
    case PARSED_BAD:
        return cli_usage(self, "%s", problem);
    default:
        return -1;
    }
}

int cli_count(const struct command *self, const struct arguments *arguments, int least, int most)
{
    if (arguments->n < least)
        return cli_usage(self, "%s needs %s", self->name, self->arguments);
    if (most >= 0 && arguments->n > most)
        return cli_usage(self, "%s has no use for '%s'", self->name, arguments->items[most]);
    return -1;
}

int cli_format(const struct command *self, const char *format_opt, int *out_json)
{
    if (format_opt && strcmp(format_opt, "table") != 0 && strcmp(format_opt, "json") != 0)
        return cli_usage(self, "--format is '%s', must be 'table' or 'json'", format_opt);
    *out_json = format_opt && strcmp(format_opt, "json") == 0;
    return -1;
}

hcs_result cli_open_host(hcs_host **out, hcs_error *err)
{
    return hcs_host_open(host_address, out, err);
}

static const struct command *command_by_name(const char *name)
{
    for (size_t i = 0; i < n_commands; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[N_ELEMENTS(commands)];
    const char *nearest;

    for (size_t i = 0; i < n_commands; i++)
        names[i] = commands[i]->name;
    nearest = option_nearest(name, names, n_commands);
    if (nearest)
        output_fail("there is no command '%s', did you mean 'hcs %s'?", name, nearest);
    else
        output_fail("there is no command '%s'", name);
    fputs("  try: hcs --help\n", stderr);
    return STATUS_USAGE;
}

/* The options before the command.  -1 go on. */
static int parse_global(int argc, char **argv, struct arguments *out)
{
    char problem[OPTION_PROBLEM];

    switch (option_parse("hcs", global_options, N_ELEMENTS(global_options), OPT_FIRST, argc, argv,
                         out, problem)) {
    case PARSED_HELP:
        print_help();
        return output_finish() < 0 ? STATUS_FAILED : STATUS_OK;
    case PARSED_BAD:
        output_fail("%s", problem);
        fputs("  try: hcs --help\n", stderr);
        return STATUS_USAGE;
    default:
        break;
    }
    if (is_version_wanted) {
        printf("hcs %s\n", hcs_version());
        return output_finish() < 0 ? STATUS_FAILED : STATUS_OK;
    }
    if (out->n > 0)
        return -1;
    output_fail("which command? hcs --help lists them");
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    const struct command *command;
    int status;

    if (machine_begin(&argc, &argv) < 0)
        return STATUS_FAILED;
    status = parse_global(argc - 1, argv + 1, &arguments);
    if (status >= 0)
        return status;
    if (strcmp(arguments.items[0], "help") == 0) {
        print_help();
        return output_finish() < 0 ? STATUS_FAILED : STATUS_OK;
    }
    command = command_by_name(arguments.items[0]);
    if (!command)
        return unknown_command(arguments.items[0]);
    status = command->run(command, arguments.n - 1, arguments.items + 1);
    if (output_finish() < 0 && status == STATUS_OK)
        status = command->failure ? command->failure : STATUS_FAILED;
    return status;
}
