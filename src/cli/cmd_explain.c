/* cmd_explain.c - hcs explain: what a result code means and what to do about it, and what a kind of
 * event means.  Needs no service. */
#include "cli.h"
#include "explain.h"
#include "output.h"

static const char text[] =
    "CODE is an HRESULT as a program or a log shows it: 0x8037010E, 2151088398, -2143878898, or a\n"
    "name.  The numbers of the older API (0xC037....) are known, too; and the names and numbers\n"
    "of events.  Of a code that is not known its bits are told, and its class where HCS has its\n"
    "low 16 bits; the exit status is then 1.\n"
    "\n"
    "Examples:\n"
    "  hcs explain 0x8037010E\n"
    "  hcs explain ServiceReconnected\n";

static int run(const struct command *self, int argc, char **argv)
{
    struct arguments arguments;
    hcs_result code;
    char *first[1] = { NULL };
    hcs_event_kind kind;
    int status;

    /* a negative number is no option */
    if (argc == 1 && explain_parse(argv[0], &code) == 0) {
        first[0] = argv[0];
        arguments = (struct arguments){ first, 1 };
        status = -1;
    } else {
        status = cli_parse(self, NULL, 0, argc, argv, &arguments);
    }
    if (status < 0)
        status = cli_count(self, &arguments, 1, 1);
    if (status >= 0)
        return status;
    if (explain_parse_kind(arguments.items[0], &kind) == 0) {
        explain_print_kind(stdout, kind, output_has_colour(stdout));
        return STATUS_OK;
    }
    if (explain_parse(arguments.items[0], &code) < 0) {
        output_fail("'%s' is neither a number of 32 bits nor the name of a result code or an event",
                    arguments.items[0]);
        return STATUS_FAILED;
    }
    return explain_print(stdout, code, output_has_colour(stdout)) ? STATUS_OK : STATUS_FAILED;
}

const struct command cmd_explain = {
    .name = "explain",
    .arguments = "CODE|NAME",
    .summary = "Explain a result code or a kind of event",
    .text = text,
    .run = run,
};
