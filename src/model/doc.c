/* doc.c - HCS documents in: what a client asks for, checked and typed.
 *
 * Owns the tables of what this service honours.  Used by the engine on every document of a client;
 * drivers read the typed result.  Promises that whatever is in a typed document was checked here,
 * and that whatever the client wrote is either in it or refused by name.
 */
#include "doc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "err.h"
#include "field.h"
#include "utf.h"

#define WHERE "doc.check"
#define ID_MAX 128
#define PATH_BYTES_MAX 4095 /* of the kernel, without the NUL */
#define LABEL_MAX 63
#define HOST_NAME_MAX_BYTES 64
#define MEMORY_MB_MAX (INT64_MAX >> 20)
#define VALUE_SHOWN 64

#define TABLE(title, list)                                                                         \
    {                                                                                              \
        .name = (title), .fields = (list), .n_fields = N_ELEMENTS(list)                            \
    }

static const struct place root = { 0 };

/* ---- strings ---- */

static int is_letter_or_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Bytes of a value that a message shows. */
static int shown(const char *value)
{
    return (int) utf8_cut(value, strlen(value), VALUE_SHOWN);
}

hcs_result doc_check_id(const char *id, hcs_error *err)
{
    size_t n;

    assert(id);
    n = strlen(id);
    if (n == 0)
        return fail(err, HCS_E_INVALIDARG, WHERE, "the id is empty");
    if (n > ID_MAX)
        return fail(err, HCS_E_INVALIDARG, WHERE,
                    "the id has %zu characters, at most %d are allowed", n, ID_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t length = utf8_sequence(id + i, n - i);

        if (is_letter_or_digit(id[i]))
            continue;
        if (i > 0 && strchr("_.-", id[i]))
            continue;
        if (i == 0 && strchr("_.-", id[i]))
            return fail(err, HCS_E_INVALIDARG, WHERE,
                        "the id '%s' begins with '%c', must begin with a letter or digit", id,
                        id[0]);
        return fail(err, HCS_E_INVALIDARG, WHERE,
                    "the id '%s' has '%.*s' at position %zu, allowed are A-Z a-z 0-9 _ . -", id,
                    (int) (length ? length : 1), id + i, i + 1);
    }
    return HCS_OK;
}

static hcs_result check_absolute(const char *value, const struct place *at, hcs_error *err)
{
    if (value[0] != '/')
        return field_fail(at, err, HCS_E_INVALIDARG, "is '%.*s', must be an absolute path",
                          shown(value), value);
    if (strlen(value) > PATH_BYTES_MAX)
        return field_fail(at, err, HCS_E_INVALIDARG, "has %zu bytes, a path has at most %d",
                          strlen(value), PATH_BYTES_MAX);
    return HCS_OK;
}

/* Inside the container: it must name something below the root, and say so plainly. */
static hcs_result check_container_path(const char *value, const struct place *at, hcs_error *err)
{
    hcs_result r = check_absolute(value, at, err);
    size_t n_names = 0;

    if (r < 0)
        return r;
    for (const char *p = value; *p;) {
        size_t n = strcspn(p, "/");

        if (n == 2 && memcmp(p, "..", 2) == 0)
            return field_fail(at, err, HCS_E_INVALIDARG, "is '%.*s', must be without '..'",
                              shown(value), value);
        n_names += n > 0 && !(n == 1 && p[0] == '.');
        p += n + (p[n] == '/');
    }
    if (n_names == 0)
        return field_fail(at, err, HCS_E_INVALIDARG,
                          "is '%.*s', must be a directory below '/': the root is Storage.Path",
                          shown(value), value);
    return HCS_OK;
}

static int is_label(const char *label, size_t n)
{
    if (n < 1 || n > LABEL_MAX || label[0] == '-' || label[n - 1] == '-')
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!is_letter_or_digit(label[i]) && label[i] != '-')
            return 0;
    return 1;
}

static hcs_result check_host_name(const char *value, const struct place *at, hcs_error *err)
{
    if (strlen(value) > HOST_NAME_MAX_BYTES)
        return field_fail(at, err, HCS_E_INVALIDARG, "has %zu characters, at most %d are allowed",
                          strlen(value), HOST_NAME_MAX_BYTES);
    for (const char *p = value;; p++) {
        size_t n = strcspn(p, ".");

        if (!is_label(p, n))
            return field_fail(at, err, HCS_E_INVALIDARG,
                              "is '%s', must be a host name: letters, "
                              "digits and inner hyphens, parts of 1 to %d characters with dots "
                              "between",
                              value, LABEL_MAX);
        p += n;
        if (!*p)
            return HCS_OK;
    }
}

static hcs_result check_path_type(const char *value, const struct place *at, hcs_error *err)
{
    if (strcmp(value, "AbsolutePath") == 0)
        return HCS_OK;
    if (strcmp(value, "VirtualSmbShareName") == 0)
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED,
                          "is 'VirtualSmbShareName', this service has only 'AbsolutePath'");
    return field_fail(at, err, HCS_E_INVALIDARG, "is '%.*s', must be 'AbsolutePath'", shown(value),
                      value);
}

static hcs_result check_isolation(const char *value, const struct place *at, hcs_error *err)
{
    if (strcmp(value, "None") == 0)
        return HCS_OK;
    if (strcmp(value, "HostProcess") == 0)
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED,
                          "is 'HostProcess', this service has only 'None'");
    return field_fail(
        at, err, HCS_E_INVALIDARG,
        "is '%.*s', must be 'None', or absent for a container with its own namespaces",
        shown(value), value);
}

/* ---- what there is: ComputeSystem ---- */

static const struct field schema_version_fields[] = {
    { "Major", FIELD_INTEGER, .low = 2, .high = 2, .required = "it must be 2" },
    { "Minor", FIELD_INTEGER, .low = 0, .high = UINT32_MAX },
};
static const struct field_table schema_version_table =
    TABLE("SchemaVersion", schema_version_fields);

static const struct field guest_os_fields[] = {
    { "HostName", FIELD_STRING, .check = check_host_name },
};
static const struct field_table guest_os_table = TABLE("GuestOs", guest_os_fields);

static const struct field storage_fields[] = {
    { "Path", FIELD_STRING, .check = check_absolute },
    { "Layers", FIELD_EMPTY, .reason = "this service has no layers, Path is the root file system" },
    { "QoS", FIELD_REFUSED },
    { "PrivilegedContainerRootPath", FIELD_REFUSED },
};
static const struct field_table storage_table = TABLE("Storage", storage_fields);

static const struct field mapped_directory_fields[] = {
    { "HostPath", FIELD_STRING, .check = check_absolute, .required = "the directory on the host" },
    { "HostPathType", FIELD_STRING, .check = check_path_type },
    { "ContainerPath", FIELD_STRING, .check = check_container_path,
      .required = "where the container sees the directory" },
    { "ReadOnly", FIELD_BOOLEAN },
    { "SupportCloudFiles", FIELD_FALSE, .reason = "there are no cloud files on this host" },
};
static const struct field_table mapped_directory_table =
    TABLE("MappedDirectory", mapped_directory_fields);

static const struct field memory_fields[] = {
    { "SizeInMB", FIELD_INTEGER, .low = 1, .high = MEMORY_MB_MAX },
};
static const struct field_table memory_table = TABLE("Memory", memory_fields);

static const struct field processor_fields[] = {
    { "Count", FIELD_INTEGER, .low = 1, .high = UINT32_MAX },
    { "Weight", FIELD_INTEGER, .low = 1, .high = 10000 },
    { "Maximum", FIELD_INTEGER, .low = 1, .high = 10000 },
};
static const struct field_table processor_table = TABLE("Processor", processor_fields);

static const struct field container_fields[] = {
    { "GuestOs", FIELD_OBJECT, .of = &guest_os_table },
    { "Storage", FIELD_OBJECT, .of = &storage_table },
    { "MappedDirectories", FIELD_OBJECTS, .of = &mapped_directory_table, .high = DOC_ENTRIES_MAX },
    { "Memory", FIELD_OBJECT, .of = &memory_table },
    { "Processor", FIELD_OBJECT, .of = &processor_table },
    { "IsolationType", FIELD_STRING, .check = check_isolation },
    { "MappedPipes", FIELD_REFUSED },
    { "Networking", FIELD_REFUSED },
    { "HvSocket", FIELD_REFUSED },
    { "ContainerCredentialGuard", FIELD_REFUSED },
    { "RegistryChanges", FIELD_REFUSED },
    { "AssignedDevices", FIELD_REFUSED },
    { "AdditionalDeviceNamespace", FIELD_REFUSED },
};
static const struct field_table container_table = TABLE("Container", container_fields);

static const struct field system_fields[] = {
    { "Owner", FIELD_STRING },
    { "SchemaVersion", FIELD_OBJECT, .of = &schema_version_table,
      .required = "add {\"Major\":2,\"Minor\":1}" },
    { "Container", FIELD_OBJECT, .of = &container_table, .required = "it describes the system" },
    { "ShouldTerminateOnLastHandleClosed", FIELD_FALSE,
      .reason = "systems of this service outlive their handles" },
    { "VirtualMachine", FIELD_REFUSED },
    { "HostedSystem", FIELD_REFUSED },
    { "HostingSystemId", FIELD_REFUSED },
};
static const struct field_table system_table = TABLE("ComputeSystem", system_fields);

/* ---- what there is: ProcessParameters, SystemQuery ---- */

static const struct field process_fields[] = {
    { "CommandArgs", FIELD_STRINGS, .high = DOC_ARGUMENT_BYTES_MAX },
    { "CommandLine", FIELD_STRING },
    { "WorkingDirectory", FIELD_STRING, .check = check_absolute },
    { "Environment", FIELD_MAP },
    { "CreateStdInPipe", FIELD_BOOLEAN },
    { "CreateStdOutPipe", FIELD_BOOLEAN },
    { "CreateStdErrPipe", FIELD_BOOLEAN },
    { "EmulateConsole", FIELD_FALSE, .reason = "this service has no consoles yet" },
    { "RestrictedToken", FIELD_FALSE, .reason = "there are no restricted tokens on this host" },
    { "UseExistingLogin", FIELD_FALSE, .reason = "there are no logins in containers of this host" },
    { "UseLegacyConsole", FIELD_FALSE, .reason = "this service has no consoles yet" },
    { "ApplicationName", FIELD_REFUSED, .reason = "the first of CommandArgs names the program" },
    { "User", FIELD_REFUSED },
    { "ConsoleSize", FIELD_REFUSED },
    { "CreateInUtilityVm", FIELD_REFUSED },
    { "OCIProcess", FIELD_REFUSED },
    { "OCISpecification", FIELD_REFUSED },
};
static const struct field_table process_table = TABLE("ProcessParameters", process_fields);

static const struct field query_fields[] = {
    { "Ids", FIELD_STRINGS, .high = DOC_ENTRIES_MAX },
    { "Names", FIELD_STRINGS, .high = DOC_ENTRIES_MAX },
    { "Types", FIELD_STRINGS, .high = DOC_ENTRIES_MAX },
    { "Owners", FIELD_STRINGS, .high = DOC_ENTRIES_MAX },
};
static const struct field_table query_table = TABLE("SystemQuery", query_fields);

/* ---- reading ---- */

static void json_drop(json_t **json)
{
    json_decref(*json);
}

static hcs_result no_memory(hcs_error *err)
{
    return fail(err, HCS_E_OUTOFMEMORY, WHERE, "no memory for the document");
}

static hcs_result not_json(const json_error_t *where, hcs_error *err)
{
    enum json_error_code code = json_error_code(where);

    if (code == json_error_out_of_memory)
        return no_memory(err);
    if (code == json_error_null_character || code == json_error_null_byte_in_key)
        return fail(err, HCS_E_INVALID_JSON, WHERE,
                    "line %d, column %d: a string with \\u0000 in it", where->line, where->column);
    return fail(err, HCS_E_INVALID_JSON, WHERE, "line %d, column %d: %s", where->line,
                where->column, where->text);
}

static hcs_result load(const char *text, const struct field_table *table, json_t **out,
                       hcs_error *err)
{
    _cleanup_(json_drop) json_t *json = NULL;
    size_t n = strlen(text);
    json_error_t where;
    hcs_result r;

    if (n > DOC_BYTES_MAX)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, WHERE,
                    "the document has %zu bytes, at most %zu are allowed", n, DOC_BYTES_MAX);
    json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
    if (!json)
        return not_json(&where, err);
    r = field_check(json, table, &root, err);
    if (r < 0)
        return r;
    *out = TAKE(json);
    return HCS_OK;
}

/* The getters below read what field_check() has let pass.  0, or -1 when out of memory. */

static int copy_string(const json_t *json, const char *name, char **out)
{
    const json_t *value = json_object_get(json, name);

    if (!value)
        return 0;
    *out = strdup(json_string_value(value));
    return *out ? 0 : -1;
}

static int copy_strings(const json_t *array, char ***out, size_t *out_n)
{
    size_t n = json_array_size(array);
    char **list = calloc(n + 1, sizeof *list);

    if (!list)
        return -1;
    *out = list;
    for (size_t i = 0; i < n; i++) {
        list[i] = strdup(json_string_value(json_array_get(array, i)));
        if (!list[i])
            return -1;
        *out_n = i + 1;
    }
    return 0;
}

static void strings_free(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static int flag(const json_t *json, const char *name)
{
    return json_is_true(json_object_get(json, name));
}

/* ---- ComputeSystem ---- */

/* A program without isolation runs on the host as it is: what would shape a container has nothing
 * to act upon. */
static hcs_result check_without_isolation(const json_t *container, const struct place *at,
                                          hcs_error *err)
{
    static const char *const names[] = {
        "Storage", "GuestOs", "MappedDirectories", "Memory", "Processor",
    };

    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        struct place here = { .up = at, .key = names[i] };

        if (json_object_get(container, names[i]))
            return field_fail(
                &here, err, HCS_E_INVALIDARG,
                "cannot be had together with IsolationType 'None': there is no container");
    }
    return HCS_OK;
}

static hcs_result check_processor(const json_t *container, const struct place *at, hcs_error *err)
{
    const json_t *processor = json_object_get(container, "Processor");
    struct place here = { .up = at, .key = "Processor" };
    const char *first = NULL;

    for (size_t i = 0; i < processor_table.n_fields; i++) {
        const char *name = processor_table.fields[i].name;

        if (!json_object_get(processor, name))
            continue;
        if (first)
            return field_fail(&here, err, HCS_E_INVALIDARG, "has %s and %s, only one is allowed",
                              first, name);
        first = name;
    }
    return HCS_OK;
}

static const char *container_path(const json_t *mapped, size_t i)
{
    return json_string_value(json_object_get(json_array_get(mapped, i), "ContainerPath"));
}

/* The next name in @path and its length; 0 at the end. */
static const char *next_name(const char *path, size_t *out_n)
{
    for (;;) {
        path += strspn(path, "/");
        *out_n = strcspn(path, "/");
        if (*out_n != 1 || path[0] != '.')
            return path;
        path++;
    }
}

static int is_same_path(const char *a, const char *b)
{
    size_t n_a, n_b;

    for (;;) {
        a = next_name(a, &n_a);
        b = next_name(b, &n_b);
        if (n_a != n_b || memcmp(a, b, n_a) != 0)
            return 0;
        if (n_a == 0)
            return 1;
        a += n_a;
        b += n_b;
    }
}

/* The second of two at one place would hide the first. */
static hcs_result check_mapped(const json_t *container, const struct place *at, hcs_error *err)
{
    const json_t *mapped = json_object_get(container, "MappedDirectories");
    struct place list = { .up = at, .key = "MappedDirectories" };

    for (size_t i = 1; i < json_array_size(mapped); i++) {
        struct place entry = { .up = &list, .index = i };
        struct place here = { .up = &entry, .key = "ContainerPath" };

        for (size_t j = 0; j < i; j++)
            if (is_same_path(container_path(mapped, i), container_path(mapped, j)))
                return field_fail(&here, err, HCS_E_INVALIDARG, "is '%.*s', like that of entry %zu",
                                  shown(container_path(mapped, i)), container_path(mapped, i), j);
    }
    return HCS_OK;
}

static hcs_result check_container(const json_t *container, hcs_error *err)
{
    struct place at = { .up = &root, .key = "Container" };
    struct place storage = { .up = &at, .key = "Storage" };
    struct place path = { .up = &storage, .key = "Path" };
    hcs_result r;

    if (json_object_get(container, "IsolationType"))
        return check_without_isolation(container, &at, err);
    if (!json_object_get(json_object_get(container, "Storage"), "Path"))
        return field_fail(&path, err, HCS_E_INVALIDARG,
                          "is missing: the directory that is the root file system");
    r = check_processor(container, &at, err);
    return r < 0 ? r : check_mapped(container, &at, err);
}

static int read_mapped(const json_t *list, struct doc_system *doc)
{
    size_t n = json_array_size(list);

    if (n == 0)
        return 0;
    doc->mapped = calloc(n, sizeof *doc->mapped);
    if (!doc->mapped)
        return -1;
    doc->n_mapped = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(list, i);
        struct doc_mapped_directory *mapped = &doc->mapped[i];

        mapped->read_only = flag(entry, "ReadOnly");
        if (copy_string(entry, "HostPath", &mapped->host_path) < 0 ||
            copy_string(entry, "ContainerPath", &mapped->container_path) < 0)
            return -1;
    }
    return 0;
}

static uint32_t number(const json_t *json, const char *name)
{
    return (uint32_t) json_integer_value(json_object_get(json, name));
}

static int read_system(const char *text, const json_t *json, struct doc_system *doc)
{
    const json_t *container = json_object_get(json, "Container");
    const json_t *processor = json_object_get(container, "Processor");
    const json_t *memory = json_object_get(container, "Memory");

    if (json_object_get(container, "IsolationType"))
        doc->isolation = DOC_ISOLATION_NONE;
    doc->memory_mb = (uint64_t) json_integer_value(json_object_get(memory, "SizeInMB"));
    doc->processor_count = number(processor, "Count");
    doc->processor_weight = number(processor, "Weight");
    doc->processor_maximum = number(processor, "Maximum");
    doc->text = strdup(text);
    if (copy_string(json, "Owner", &doc->owner) < 0)
        return -1;
    if (!doc->owner)
        doc->owner = strdup("");
    if (copy_string(json_object_get(container, "Storage"), "Path", &doc->storage_path) < 0 ||
        copy_string(json_object_get(container, "GuestOs"), "HostName", &doc->host_name) < 0 ||
        read_mapped(json_object_get(container, "MappedDirectories"), doc) < 0)
        return -1;
    return doc->text && doc->owner ? 0 : -1;
}

hcs_result doc_system_parse(const char *text, struct doc_system **out, hcs_error *err)
{
    _cleanup_(doc_system_dropp) struct doc_system *doc = NULL;
    _cleanup_(json_drop) json_t *json = NULL;
    hcs_result r;

    assert(text && out);
    r = load(text, &system_table, &json, err);
    if (r >= 0)
        r = check_container(json_object_get(json, "Container"), err);
    if (r < 0)
        return r;
    doc = calloc(1, sizeof *doc);
    if (!doc || read_system(text, json, doc) < 0)
        return no_memory(err);
    *out = TAKE(doc);
    return HCS_OK;
}

void doc_system_drop(struct doc_system *doc)
{
    if (!doc)
        return;
    for (size_t i = 0; i < doc->n_mapped; i++) {
        free(doc->mapped[i].host_path);
        free(doc->mapped[i].container_path);
    }
    free(doc->mapped);
    free(doc->host_name);
    free(doc->storage_path);
    free(doc->owner);
    free(doc->text);
    free(doc);
}

/* ---- ProcessParameters ---- */

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Move one argument of the line at *@at into @word, which has room for the whole line.
 * 1 there was one, 0 the line is done, -1 a quote that starts at *@at is not closed. */
static int next_word(const char **at, char *word)
{
    const char *p = *at, *quote = NULL;

    while (is_space(*p))
        p++;
    if (!*p)
        return 0;
    for (; *p && (quote || !is_space(*p)); p++) {
        if (*p == '"')
            quote = quote ? NULL : p;
        else if (quote && p[0] == '\\' && (p[1] == '"' || p[1] == '\\'))
            *word++ = *++p;
        else
            *word++ = *p;
    }
    *word = '\0';
    *at = quote ? quote : p;
    return quote ? -1 : 1;
}

static hcs_result split_line(const char *line, struct doc_process *doc, hcs_error *err)
{
    _cleanup_(free_drop) char *word = malloc(strlen(line) + 1);
    struct place here = { .up = &root, .key = "CommandLine" };
    const char *at = line;
    int more;

    /* Every argument but the last has a separator behind it. */
    doc->arguments = calloc(strlen(line) / 2 + 2, sizeof *doc->arguments);
    if (!word || !doc->arguments)
        return no_memory(err);
    while ((more = next_word(&at, word)) > 0) {
        doc->arguments[doc->n_arguments] = strdup(word);
        if (!doc->arguments[doc->n_arguments])
            return no_memory(err);
        doc->n_arguments++;
    }
    if (more < 0)
        return field_fail(&here, err, HCS_E_INVALIDARG,
                          "has a quote at position %zu that is not closed",
                          (size_t) (at - line) + 1);
    return HCS_OK;
}

static hcs_result read_arguments(const json_t *json, struct doc_process *doc, hcs_error *err)
{
    const json_t *line = json_object_get(json, "CommandLine");
    const json_t *list = json_object_get(json, "CommandArgs");
    struct place here = { .up = &root, .key = line ? "CommandLine" : "CommandArgs" };
    hcs_result r = HCS_OK;

    if (line && list)
        return field_fail(&here, err, HCS_E_INVALIDARG,
                          "and $.CommandArgs cannot be had together: give one of them");
    if (!line && !list)
        return field_fail(&here, err, HCS_E_INVALIDARG,
                          "is missing: the program and its arguments");
    if (line)
        r = split_line(json_string_value(line), doc, err);
    else if (copy_strings(list, &doc->arguments, &doc->n_arguments) < 0)
        r = no_memory(err);
    if (r < 0)
        return r;
    if (doc->n_arguments == 0 || !doc->arguments[0][0])
        return field_fail(&here, err, HCS_E_INVALIDARG,
                          "names no program: its first argument is %s",
                          doc->n_arguments == 0 ? "missing" : "empty");
    return HCS_OK;
}

static hcs_result read_environment(json_t *map, struct doc_process *doc, hcs_error *err)
{
    struct place at = { .up = &root, .key = "Environment" };
    const char *name;
    json_t *value;

    doc->environment = calloc(json_object_size(map) + 1, sizeof *doc->environment);
    if (!doc->environment)
        return no_memory(err);
    json_object_foreach(map, name, value)
    {
        struct place here = { .up = &at, .key = name };
        char *entry;

        if (!*name)
            return field_fail(&at, err, HCS_E_INVALIDARG, "has a variable without a name");
        if (strchr(name, '='))
            return field_fail(&here, err, HCS_E_INVALIDARG, "is a name with '='");
        if (asprintf(&entry, "%s=%s", name, json_string_value(value)) < 0)
            return no_memory(err);
        doc->environment[doc->n_environment++] = entry;
    }
    return HCS_OK;
}

static hcs_result check_bytes(const struct doc_process *doc, hcs_error *err)
{
    size_t n = 0;

    for (size_t i = 0; i < doc->n_arguments; i++)
        n += strlen(doc->arguments[i]) + 1;
    for (size_t i = 0; i < doc->n_environment; i++)
        n += strlen(doc->environment[i]) + 1;
    if (n <= DOC_ARGUMENT_BYTES_MAX)
        return HCS_OK;
    return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, WHERE,
                "arguments and environment have %zu bytes, at most %d are allowed", n,
                DOC_ARGUMENT_BYTES_MAX);
}

static hcs_result read_process(const char *text, const json_t *json, struct doc_process *doc,
                               hcs_error *err)
{
    hcs_result r = read_arguments(json, doc, err);

    if (r >= 0)
        r = read_environment(json_object_get(json, "Environment"), doc, err);
    if (r >= 0)
        r = check_bytes(doc, err);
    if (r < 0)
        return r;
    doc->create_stdin_pipe = flag(json, "CreateStdInPipe");
    doc->create_stdout_pipe = flag(json, "CreateStdOutPipe");
    doc->create_stderr_pipe = flag(json, "CreateStdErrPipe");
    doc->text = strdup(text);
    if (!doc->text || copy_string(json, "WorkingDirectory", &doc->working_directory) < 0)
        return no_memory(err);
    return HCS_OK;
}

hcs_result doc_process_parse(const char *text, struct doc_process **out, hcs_error *err)
{
    _cleanup_(doc_process_dropp) struct doc_process *doc = NULL;
    _cleanup_(json_drop) json_t *json = NULL;
    hcs_result r;

    assert(text && out);
    r = load(text, &process_table, &json, err);
    if (r < 0)
        return r;
    doc = calloc(1, sizeof *doc);
    if (!doc)
        return no_memory(err);
    r = read_process(text, json, doc, err);
    if (r < 0)
        return r;
    *out = TAKE(doc);
    return HCS_OK;
}

void doc_process_drop(struct doc_process *doc)
{
    if (!doc)
        return;
    strings_free(doc->arguments, doc->n_arguments);
    strings_free(doc->environment, doc->n_environment);
    free(doc->working_directory);
    free(doc->text);
    free(doc);
}

/* ---- SystemQuery ---- */

static int read_query(const json_t *json, struct doc_query *query)
{
    if (copy_strings(json_object_get(json, "Ids"), &query->ids, &query->n_ids) < 0 ||
        copy_strings(json_object_get(json, "Names"), &query->names, &query->n_names) < 0 ||
        copy_strings(json_object_get(json, "Types"), &query->types, &query->n_types) < 0)
        return -1;
    return copy_strings(json_object_get(json, "Owners"), &query->owners, &query->n_owners);
}

hcs_result doc_query_parse(const char *text_opt, struct doc_query **out, hcs_error *err)
{
    _cleanup_(doc_query_dropp) struct doc_query *query = NULL;
    _cleanup_(json_drop) json_t *json = NULL;
    hcs_result r;

    assert(out);
    r = load(text_opt ? text_opt : "{}", &query_table, &json, err);
    if (r < 0)
        return r;
    query = calloc(1, sizeof *query);
    if (!query || read_query(json, query) < 0)
        return no_memory(err);
    *out = TAKE(query);
    return HCS_OK;
}

void doc_query_drop(struct doc_query *query)
{
    if (!query)
        return;
    strings_free(query->ids, query->n_ids);
    strings_free(query->names, query->n_names);
    strings_free(query->types, query->n_types);
    strings_free(query->owners, query->n_owners);
    free(query);
}

static int is_any_of(char *const *list, size_t n, const char *value)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], value) == 0)
            return 1;
    return n == 0;
}

int doc_query_matches(const struct doc_query *query, const char *id, const char *type,
                      const char *owner)
{
    assert(query && id && type && owner);
    return is_any_of(query->ids, query->n_ids, id) && is_any_of(query->names, query->n_names, id) &&
           is_any_of(query->types, query->n_types, type) &&
           is_any_of(query->owners, query->n_owners, owner);
}
