/* cmd_explain.c - hcs explain: what a result code means and what to do about it; what a kind of
 * event means; what a type or field of HCS's documents is.  Needs no service.
 */
#include "cli.h"
#include "explain.h"
#include "output.h"
#include "schema.h"

static const char text[] =
    "CODE is an HRESULT as a program or a log shows it: 0x8037010E, 2151088398, -2143878898, or a\n"
    "name.  The numbers of the older API (0xC037....) are known, too; and the names and numbers\n"
    "of events.  Of a code that is not known its bits are told, and its class where HCS has its\n"
    "low 16 bits; the exit status is then 1.\n"
    "\n"
    "TYPE is a type of HCS's documents as its schema writes it; FIELD is one of its fields, or\n"
    "the way to one with dots between.  HCSD says what hcsd makes of a field in a document that\n"
    "it gets (honoured, refused, or with one value only), and whether documents of hcsd have it\n"
    "(given, not given).  There is nothing that it ignores.\n"
    "\n"
    "Examples:\n"
    "  hcs explain 0x8037010E\n"
    "  hcs explain ServiceReconnected\n"
    "  hcs explain Container\n"
    "  hcs explain ComputeSystem.Container.Memory.SizeInMB\n";

static int explain(const char *what)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_event_kind kind;
    hcs_result code, r;

    if (explain_parse_kind(what, &kind) == 0) {
        explain_print_kind(stdout, kind, output_has_colour(stdout));
        return STATUS_OK;
    }
    if (explain_parse(what, &code) == 0)
        return explain_print(stdout, code, output_has_colour(stdout)) ? STATUS_OK : STATUS_FAILED;
    r = schema_explain(stdout, what, output_has_colour(stdout), &err);
    if (r == HCS_E_WIN32_NOT_FOUND)
        output_fail(
            "'%s' is neither a number of 32 bits nor the name of a result code or an event; "
            "%s",
            what, err.text);
    else if (r < 0)
        output_error(&err, what);
    return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static int list_types(const struct command *self, const struct arguments *arguments)
{
    int status = cli_count(self, arguments, 0, 0);

    if (status >= 0)
        return status;
    if (schema_print_types(stdout, output_has_colour(stdout)) == 0)
        return STATUS_OK;
    output_fail("no memory for the table");
    return STATUS_FAILED;
}

static int run(const struct command *self, int argc, char **argv)
{
    int is_list = 0;
    const struct opt opts[] = {
        { "types", 0, OPT_FLAG, &is_list, NULL, "list all types, those of documents first" },
    };
    struct arguments arguments;
    hcs_result code;
    int status;

    /* a negative number is no option */
    if (argc == 1 && explain_parse(argv[0], &code) == 0)
        return explain(argv[0]);
    status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);
    if (status < 0 && is_list)
        return list_types(self, &arguments);
    if (status < 0)
        status = cli_count(self, &arguments, 1, 1);
    return status >= 0 ? status : explain(arguments.items[0]);
}

const struct command cmd_explain = {
    .name = "explain",
    .arguments = "CODE|NAME|TYPE[.FIELD]",
    .summary = "Explain a result code, an event, or documents",
    .text = text,
    .run = run,
};
