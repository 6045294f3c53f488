/* cmd_create.c - hcs create: a system from a document of its own, as HCS programs write them. */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "machine.h"
#include "output.h"

/* The service takes less; this only bounds what is read. */
#define DOCUMENT_MAX ((size_t) 4 << 20)

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

static void file_dropp(FILE **f)
{
    if (*f && *f != stdin)
        fclose(*f);
}

/* The whole file as owned text.  NULL after saying what is wrong. */
static char *read_file(const char *path)
{
    _cleanup_(file_dropp) FILE *from = strcmp(path, "-") == 0 ? stdin : machine_open(path);
    _cleanup_(free_dropp) char *data = malloc(DOCUMENT_MAX + 2);
    char *whole;
    size_t n;

    if (!from || !data) {
        output_fail("cannot read '%s': %s", path, strerror(from ? ENOMEM : errno));
        return NULL;
    }
    n = fread(data, 1, DOCUMENT_MAX + 1, from);
    if (ferror(from) || n > DOCUMENT_MAX || memchr(data, '\0', n)) {
        output_fail("cannot use '%s': %s", path,
                    ferror(from)       ? strerror(errno)
                    : n > DOCUMENT_MAX ? "it is larger than 4 MiB"
                                       : "it has a NUL byte");
        return NULL;
    }
    data[n] = '\0';
    whole = data;
    data = NULL;
    return whole;
}

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
    document = read_file(arguments.items[0]);
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
