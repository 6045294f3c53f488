/* cmd_list.c - hcs list: what runs, and with --all what has ended and how. */
#include <string.h>

#include "cli.h"
#include "output.h"
#include "report.h"

static const char text[] =
    "Systems that have ended are listed with --all, with how they ended, until hcs rm.\n"
    "\n"
    "Examples:\n"
    "  hcs list --all\n"
    "  hcs stop $(hcs list --quiet)\n";

static const char *text_of(const json_t *system, const char *key)
{
    const char *value = json_string_value(json_object_get(system, key));

    return value ? value : "";
}

static int has_stopped(const json_t *system)
{
    return strcmp(text_of(system, "State"), "Stopped") == 0;
}

static enum colour state_colour(const char *state)
{
    return strcmp(state, "Running") == 0  ? COLOUR_GREEN
           : strcmp(state, "Paused") == 0 ? COLOUR_YELLOW
                                          : COLOUR_NONE;
}

static void add_row(struct table *t, const json_t *system)
{
    const char *state = text_of(system, "State");
    hcs_exit report = HCS_EXIT_INIT;
    char how[256] = "";
    enum colour colour = COLOUR_NONE;

    if (report_exit_from_json(json_object_get(system, "Exit"), &report) == 0) {
        hcs_exit_describe(&report, how, sizeof how);
        colour = report_exit_is_good(&report) ? COLOUR_NONE : COLOUR_RED;
    }
    table_add(t, text_of(system, "Id"), COLOUR_NONE);
    table_add(t, state, state_colour(state));
    table_add(t, text_of(system, "Owner"), COLOUR_NONE);
    table_add(t, text_of(system, "Isolation"),
              strcmp(text_of(system, "Isolation"), "none") == 0 ? COLOUR_YELLOW : COLOUR_NONE);
    table_add(t, how, colour);
}

static int print_table(const json_t *systems)
{
    static const char *const titles[] = { "ID", "STATE", "OWNER", "ISOLATION", "ENDED" };
    struct table t;
    const json_t *system;
    size_t i;
    int r;

    table_init(&t, titles, N_ELEMENTS(titles));
    json_array_foreach(systems, i, system) add_row(&t, system);
    r = table_print(&t, stdout, output_has_colour(stdout));
    table_done(&t);
    if (r < 0)
        output_fail("not enough memory");
    return r < 0 ? STATUS_FAILED : STATUS_OK;
}

static void print_ids(const json_t *systems)
{
    const json_t *system;
    size_t i;

    json_array_foreach(systems, i, system) puts(text_of(system, "Id"));
}

/* The systems of the host, those that have ended only with @all.  NULL after saying what is wrong.
 */
static json_t *fetch(int all)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(host_dropp) hcs_host *host = NULL;
    _cleanup_(string_dropp) char *document = NULL;
    json_t *systems;

    if (cli_open_host(&host, &err) < 0 || hcs_host_enumerate(host, NULL, &document, &err) < 0) {
        output_error(&err, NULL);
        return NULL;
    }
    systems = json_loads(document, 0, NULL);
    if (!systems)
        output_fail("the service's list of systems is not JSON");
    for (size_t i = json_array_size(systems); i-- > 0 && !all;)
        if (has_stopped(json_array_get(systems, i)))
            json_array_remove(systems, i);
    return systems;
}

static int run(const struct command *self, int argc, char **argv)
{
    int all = 0, quiet = 0, as_json = 0;
    const char *format = NULL;
    const struct opt opts[] = {
        { "all", 'a', OPT_FLAG, &all, NULL, "those that have ended, too" },
        { "quiet", 'q', OPT_FLAG, &quiet, NULL, "ids only" },
        { "format", 0, OPT_TEXT, &format, "table|json", "a table (default) or a JSON array" },
    };
    struct arguments arguments;
    _cleanup_(json_dropp) json_t *systems = NULL;
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 0, 0);
    if (status < 0)
        status = cli_format(self, format, &as_json);
    if (status < 0 && quiet && as_json)
        status = cli_usage(self, "--quiet and --format json exclude each other");
    if (status >= 0)
        return status;
    systems = fetch(all);
    if (!systems)
        return STATUS_FAILED;
    if (quiet)
        print_ids(systems);
    else if (!as_json)
        return print_table(systems);
    else if (json_dumpf(systems, stdout, JSON_INDENT(2)) == 0)
        putchar('\n');
    return STATUS_OK;
}

const struct command cmd_list = {
    .name = "list",
    .arguments = "",
    .summary = "List systems",
    .text = text,
    .run = run,
};
