/* doc.c - HCS documents in: what a client asks for, checked and typed.
 *
 * Owns nothing; which fields there are, and which of them this service honours, is idl/schema.tsv.
 * Used by the engine on every document of a client; drivers read the typed result.  Promises that
 * whatever is in a typed document was checked here, and that whatever the client wrote is either in
 * it or refused by name.
 */
#include "doc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "err.h"
#include "field.h"
#include "rule.h"
#include "utf.h"

#define WHERE "doc.check"
#define ID_MAX 128

_Static_assert(DOC_ENTRIES_MAX == FIELD_ENTRIES_MAX, "field.c checks what doc.h promises");

static const struct place root = { 0 };

/* ---- ids ---- */

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

        if (rule_is_letter_or_digit(id[i]))
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

static hcs_result load(const char *text, const char *type, json_t **out, hcs_error *err)
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
    r = field_check(json, field_table_of(type), FIELD_SERVICE, &root, err);
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
    const struct field_table *table = field_table_of("Container_Processor");
    struct place here = { .up = at, .key = "Processor" };
    const char *first = NULL;

    for (size_t i = 0; i < table->n_fields; i++) {
        const char *name = table->fields[i].name;

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
                                  rule_shown(container_path(mapped, i)), container_path(mapped, i),
                                  j);
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
    r = load(text, "ComputeSystem", &json, err);
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
    r = load(text, "ProcessParameters", &json, err);
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
    r = load(text_opt ? text_opt : "{}", "SystemQuery", &json, err);
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
