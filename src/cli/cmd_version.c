/* cmd_version.c - hcs version: the library, the service, and what it can do on this machine. */
#include <string.h>

#include "cli.h"
#include "output.h"

#define COLUMN 10

static const char text[] =
    "Shows which OCI runtime the service uses, in which mode, and what that mode can do.\n"
    "\n"
    "Examples:\n"
    "  hcs version\n"
    "  hcs version --format json | jq '.service.drivers'\n";

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void print_capabilities(json_t *capabilities)
{
    const char *key;
    json_t *value;

    json_object_foreach(capabilities, key, value)
        printf(", %s %s", key, json_is_true(value) ? "yes" : "no");
}

/* "oci       crun 1.8.1, mode cgroup-v1, pause yes, limits no" */
static void print_driver(const json_t *driver)
{
    static const char *const keys[] = { "isolation", "mode" };
    const json_t *runtime = json_object_get(driver, "runtime");
    const char *name =
        json_is_object(runtime) ? text_of(runtime, "name") : json_string_value(runtime);
    const char *version = text_of(json_is_object(runtime) ? runtime : driver, "version");
    const char *between = "";

    printf("  %-*s", COLUMN - 2, text_of(driver, "name") ? text_of(driver, "name") : "?");
    if (name) {
        printf("%s%s%s", name, version ? " " : "", version ? version : "");
        between = ", ";
    }
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        if (!text_of(driver, keys[i]))
            continue;
        printf("%s%s %s", between, keys[i], text_of(driver, keys[i]));
        between = ", ";
    }
    print_capabilities(json_object_get(driver, "capabilities"));
    putchar('\n');
}

/* "tcp       port 40123, 2 connections refused" */
static void print_tcp(const json_t *tcp)
{
    json_int_t refused = json_integer_value(json_object_get(tcp, "refused"));

    if (json_is_object(tcp))
        printf("%-*sport %lld, %lld connection%s refused\n", COLUMN, "tcp",
               json_integer_value(json_object_get(tcp, "port")), refused, refused == 1 ? "" : "s");
}

/* "service   computecore.dll, schema 2.6": more HCS does not say of itself. */
static void print_flat(const json_t *info)
{
    const json_t *basic = json_array_get(
        json_object_get(json_object_get(info, "serviceProperties"), "Properties"), 0);
    const json_t *version;
    size_t i;

    printf("%-*s%s", COLUMN, "service", text_of(info, "library") ? text_of(info, "library") : "?");
    json_array_foreach(json_object_get(basic, "SupportedSchemaVersions"), i, version)
        printf("%s%lld.%lld", i ? ", " : ", schema ",
               json_integer_value(json_object_get(version, "Major")),
               json_integer_value(json_object_get(version, "Minor")));
    putchar('\n');
}

static void print_service(const json_t *info)
{
    const char *name = text_of(info, "name"), *version = text_of(info, "version");
    const json_t *driver;
    size_t i;

    printf("%-*s%s %s, process %lld%s\n", COLUMN, "service", name ? name : "?",
           version ? version : "?", json_integer_value(json_object_get(info, "pid")),
           json_is_true(json_object_get(info, "shared")) ? ", shared" : "");
    print_tcp(json_object_get(info, "tcp"));
    puts("drivers");
    json_array_foreach(json_object_get(info, "drivers"), i, driver) print_driver(driver);
    if (text_of(info, "noContainers"))
        printf("no containers on this machine: %s\n", text_of(info, "noContainers"));
}

/* What the service says of itself; NULL after saying what is wrong. */
static json_t *fetch(void)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(host_dropp) hcs_host *host = NULL;
    _cleanup_(string_dropp) char *document = NULL;
    json_t *info;

    if (cli_open_host(&host, &err) < 0 || hcs_host_info(host, &document, &err) < 0) {
        output_error(&err, NULL);
        return NULL;
    }
    info = json_loads(document, 0, NULL);
    if (!info)
        output_fail("what the service says of itself is not JSON");
    return info;
}

static int run(const struct command *self, int argc, char **argv)
{
    const char *format = NULL;
    int as_json = 0;
    const struct opt opts[] = {
        { "format", 0, OPT_TEXT, &format, "table|json", "text (default) or a JSON object" },
    };
    struct arguments arguments;
    _cleanup_(json_dropp) json_t *info = NULL;
    _cleanup_(json_dropp) json_t *whole = NULL;
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 0, 0);
    if (status < 0)
        status = cli_format(self, format, &as_json);
    if (status >= 0)
        return status;
    if (!as_json)
        printf("%-*s%s\n", COLUMN, "libhcs", hcs_version());
    info = fetch();
    if (!info)
        return STATUS_FAILED;
    if (!as_json) {
        if (text_of(info, "backend"))
            print_flat(info);
        else
            print_service(info);
        return STATUS_OK;
    }
    whole = json_pack("{s:s, s:O}", "library", hcs_version(), "service", info);
    if (whole && json_dumpf(whole, stdout, JSON_INDENT(2)) == 0)
        putchar('\n');
    return whole ? STATUS_OK : STATUS_FAILED;
}

const struct command cmd_version = {
    .name = "version",
    .arguments = "",
    .summary = "Show versions, and what this machine can do",
    .text = text,
    .run = run,
};
