/* cmd_check.c - hcs check: whether a document is HCS's, and whether hcsd takes it.  Needs no
 * service.
 */
#include <string.h>

#include "cli.h"
#include "output.h"
#include "schema.h"

static const char text[] =
    "FILE holds a JSON document; - is the standard input.  It is held against HCS's schema: "
    "names,\n"
    "types and values; and against what hcsd asks of a document that it gets, as far as that can "
    "be\n"
    "said without the machine.  The first thing that is wrong is told, by its path; the exit "
    "status\n"
    "is then 1.\n"
    "hcs explain --types lists the types.\n"
    "\n"
    "Examples:\n"
    "  hcs check web.json\n"
    "  hcs check --fields --for schema --type SystemExitStatus status.json\n";

/* Print what becomes of the document.  Returns the exit status. */
static int report(const char *file, const char *type, const hcs_doc *doc, int is_for_hcsd)
{
    hcs_error err = HCS_ERROR_INIT;

    if (hcs_doc_check(doc, HCS_DOC_FOR_SCHEMA, &err) < 0) {
        output_error(&err, file);
        return STATUS_FAILED;
    }
    printf("%s: a %s of HCS's schema\n", file, type);
    if (!is_for_hcsd)
        return STATUS_OK;
    if (hcs_doc_check(doc, HCS_DOC_FOR_HCSD, &err) < 0) {
        output_error(&err, file);
        return STATUS_FAILED;
    }
    printf("%s: hcsd refuses nothing of it\n", file);
    return STATUS_OK;
}

static int check(const char *file, const char *type, int is_for_hcsd, int has_fields)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(free_dropp) char *document = cli_read_document(file);
    _cleanup_(doc_dropp) hcs_doc *doc = NULL;

    if (!document)
        return STATUS_FAILED;
    if (hcs_doc_parse(type, document, &doc, &err) < 0) {
        output_error(&err, file);
        return STATUS_FAILED;
    }
    if (has_fields && schema_print_document(stdout, type, doc, output_has_colour(stdout)) < 0) {
        output_fail("no memory for the table");
        return STATUS_FAILED;
    }
    return report(file, type, doc, is_for_hcsd);
}

static int run(const struct command *self, int argc, char **argv)
{
    const char *type = NULL, *purpose = NULL;
    int has_fields = 0;
    const struct opt opts[] = {
        { "type", 't', OPT_TEXT, &type, "TYPE", "what the document is (default: ComputeSystem)" },
        { "for", 0, OPT_TEXT, &purpose, "hcsd|schema",
          "for whom it has to be good (default: hcsd)" },
        { "fields", 0, OPT_FLAG, &has_fields, NULL,
          "list its fields with type, unit and what hcsd makes of them" },
    };
    struct arguments arguments;
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 1, 1);
    if (status >= 0)
        return status;
    if (purpose && strcmp(purpose, "hcsd") != 0 && strcmp(purpose, "schema") != 0)
        return cli_usage(self, "--for is '%s', must be 'hcsd' or 'schema'", purpose);
    return check(arguments.items[0], type ? type : "ComputeSystem",
                 !purpose || strcmp(purpose, "hcsd") == 0, has_fields);
}

const struct command cmd_check = {
    .name = "check",
    .arguments = "FILE.json|-",
    .summary = "Check a document against the schema",
    .text = text,
    .run = run,
};
