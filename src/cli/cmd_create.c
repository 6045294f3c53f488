/* cmd_create.c - hcs create: a system from a document of its own, as HCS programs write them. */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "machine.h"
#include "output.h"

static const char text[] =
    "FILE holds a ComputeSystem document (schema 2.x); - is the standard input.  The system is\n"
    "created but not started, and its id is printed.\n"
    "\n"
    "Example:\n"
    "  cat > web.json <<'END'\n"
    "  { \"Owner\": \"me\", \"SchemaVersion\": { \"Major\": 2, \"Minor\": 1 },\n"
    "    \"Container\": { \"Storage\": { \"Path\": \"/tmp/busybox\" },\n"
    "                   \"Memory\": { \"SizeInMB\": 256 } } }\n"
    "  END\n"
    "  hcs create web.json --id web\n"
    "  hcs start web && hcs exec web -- hostname\n";

static int create(const char *id, const char *document)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(host_dropp) hcs_host *host = NULL;
    _cleanup_(system_dropp) hcs_system *system = NULL;

    if (cli_open_host(&host, &err) < 0 ||
        hcs_system_create(host, id, document, &system, NULL, &err) < 0) {
        output_error(&err, NULL);
        return STATUS_FAILED;
    }
    puts(id);
    return STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
    const char *id = NULL;
    const struct opt opts[] = {
        { "id", 0, OPT_TEXT, &id, "ID", "id of the system (default: a random one)" },
    };
    struct arguments arguments;
    _cleanup_(free_dropp) char *document = NULL;
    char random_id[16];
    uint32_t number;
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 1, 1);
    if (status >= 0)
        return status;
    document = cli_read_document(arguments.items[0]);
    if (!document)
        return STATUS_FAILED;
    if (!id) {
        if (machine_random(&number) < 0) {
            output_fail("no random number for the id: %s", strerror(errno));
            return STATUS_FAILED;
        }
        snprintf(random_id, sizeof random_id, "hcs-%08x", (unsigned) number);
    }
    return create(id ? id : random_id, document);
}

const struct command cmd_create = {
    .name = "create",
    .arguments = "FILE.json|-",
    .summary = "Create a system from a document",
    .text = text,
    .run = run,
};
