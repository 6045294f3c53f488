/* cmd_inspect.c - hcs inspect: all that the service says of systems, as a JSON array. */
#include "cli.h"
#include "output.h"

static const char text[] = "Prints one JSON array with a Properties document for each id.\n"
                           "\n"
                           "Example:\n"
                           "  hcs inspect web | jq '.[0].State'\n";

/* The properties of one system; NULL after saying what is wrong. */
static json_t *properties_of(hcs_host *host, const char *id)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(system_dropp) hcs_system *system = NULL;
    _cleanup_(string_dropp) char *document = NULL;
    json_t *json;

    if (hcs_system_open(host, id, &system, &err) < 0 ||
        hcs_system_properties(system, &document, &err) < 0) {
        output_error(&err, id);
        return NULL;
    }
    json = json_loads(document, 0, NULL);
    if (!json)
        output_fail("%s: the service's properties are not JSON", id);
    return json;
}

static int run(const struct command *self, int argc, char **argv)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(host_dropp) hcs_host *host = NULL;
    _cleanup_(json_dropp) json_t *all = json_array();
    struct arguments arguments;
    int status = cli_parse(self, NULL, 0, argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 1, -1);
    if (status >= 0)
        return status;
    if (cli_open_host(&host, &err) < 0) {
        output_error(&err, NULL);
        return STATUS_FAILED;
    }
    for (int i = 0; i < arguments.n; i++)
        json_array_append_new(all, properties_of(host, arguments.items[i]));
    if (json_array_size(all) && json_dumpf(all, stdout, JSON_INDENT(2)) == 0)
        putchar('\n');
    return json_array_size(all) == (size_t) arguments.n ? STATUS_OK : STATUS_FAILED;
}

const struct command cmd_inspect = {
    .name = "inspect",
    .arguments = "ID...",
    .summary = "Show everything about systems, as JSON",
    .text = text,
    .run = run,
};
