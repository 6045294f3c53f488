/* doc.c - the public functions of doc.h.
 *
 * Owns nothing: a document is src/model/tree.c's, the schema src/model/field.h's.  Users: user
 * programs. Promises that a NULL is refused. */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "draft.h"
#include "tree.h"
#include "wide.h"

/* ---- documents ---- */

hcs_result hcs_doc_new(const char *type, hcs_doc **out, hcs_error *err)
{
    NEED(type, "hcs_doc_new");
    NEED(out, "hcs_doc_new");
    return tree_new(type, out, err);
}

hcs_result hcs_doc_parse(const char *type, const char *text, hcs_doc **out, hcs_error *err)
{
    NEED(type, "hcs_doc_parse");
    NEED(text, "hcs_doc_parse");
    NEED(out, "hcs_doc_parse");
    return tree_parse(type, text, out, err);
}

void hcs_doc_free(hcs_doc *doc)
{
    tree_free(doc);
}

hcs_result hcs_doc_container(const char *root_path, hcs_doc **out, hcs_error *err)
{
    NEED(root_path, "hcs_doc_container");
    NEED(out, "hcs_doc_container");
    return draft_container(root_path, out, err);
}

hcs_result hcs_doc_virtual_machine(uint64_t memory_mb, uint32_t processors, hcs_doc **out,
                                   hcs_error *err)
{
    NEED(out, "hcs_doc_virtual_machine");
    return draft_virtual_machine(memory_mb, processors, out, err);
}

hcs_result hcs_doc_process(const char *const *arguments, hcs_doc **out, hcs_error *err)
{
    NEED(arguments, "hcs_doc_process");
    NEED(out, "hcs_doc_process");
    return draft_process(arguments, out, err);
}

hcs_result hcs_doc_check(const hcs_doc *doc, hcs_doc_for what, hcs_error *err)
{
    NEED(doc, "hcs_doc_check");
    if (what > HCS_DOC_FOR_HCSD)
        return fail(err, HCS_E_INVALIDARG, "hcs_doc_check", "%u is none of hcs_doc_for", what);
    return tree_check(doc, what == HCS_DOC_FOR_HCSD ? FIELD_SERVICE : FIELD_SCHEMA, err);
}

hcs_result hcs_doc_text(const hcs_doc *doc, char **out, hcs_error *err)
{
    NEED(doc, "hcs_doc_text");
    NEED(out, "hcs_doc_text");
    return tree_text(doc, out, err);
}

/* ---- setting ---- */

/* A pointer that is missing is an error like any other of the document. */
static hcs_result need_value(hcs_doc *doc, const char *path, const void *value)
{
    if (!doc)
        return HCS_E_POINTER;
    if (path && value)
        return HCS_OK;
    return tree_spoil(doc, HCS_E_POINTER, "%s must not be NULL", path ? "the value" : "the path");
}

hcs_result hcs_doc_set_string(hcs_doc *doc, const char *path, const char *value)
{
    hcs_result r = need_value(doc, path, value);

    return r < 0 ? r : tree_set_string(doc, path, value);
}

hcs_result hcs_doc_set_integer(hcs_doc *doc, const char *path, int64_t value)
{
    hcs_result r = need_value(doc, path, &value);

    return r < 0 ? r : tree_set_integer(doc, path, value);
}

hcs_result hcs_doc_set_unsigned(hcs_doc *doc, const char *path, uint64_t value)
{
    hcs_result r = need_value(doc, path, &value);

    return r < 0 ? r : tree_set_unsigned(doc, path, value);
}

hcs_result hcs_doc_set_boolean(hcs_doc *doc, const char *path, int value)
{
    hcs_result r = need_value(doc, path, &value);

    return r < 0 ? r : tree_set_boolean(doc, path, value);
}

hcs_result hcs_doc_set_json(hcs_doc *doc, const char *path, const char *json)
{
    hcs_result r = need_value(doc, path, json);

    return r < 0 ? r : tree_set_json(doc, path, json);
}

/* ---- getting ---- */

static hcs_result no_more(const char *verb, size_t index, hcs_error *err)
{
    return fail(err, HCS_E_WIN32_NO_MORE_ITEMS, verb, "there is no number %zu", index);
}

/* jansson iterates over what it could change; nothing here does. */
static json_t *doc_values(const json_t *json)
{
    return (json_t *) (uintptr_t) json;
}

hcs_result hcs_doc_get_string(const hcs_doc *doc, const char *path, const char **out,
                              hcs_error *err)
{
    const json_t *json = NULL;
    hcs_result r;

    NEED(doc, "hcs_doc_get_string");
    NEED(path, "hcs_doc_get_string");
    NEED(out, "hcs_doc_get_string");
    r = tree_find(doc, path, &json, err);
    if (r < 0)
        return r;
    if (!json_is_string(json) || wide_is_number(json))
        return tree_other_type(path, json, "a string", err);
    *out = json_string_value(json);
    return HCS_OK;
}

static hcs_result find_number(const hcs_doc *doc, const char *path, const json_t **out,
                              hcs_error *err)
{
    hcs_result r = tree_find(doc, path, out, err);

    if (r >= 0 && !json_is_integer(*out) && !wide_is_number(*out))
        r = tree_other_type(path, *out, "an integer", err);
    return r;
}

hcs_result hcs_doc_get_integer(const hcs_doc *doc, const char *path, int64_t *out, hcs_error *err)
{
    const json_t *json = NULL;
    hcs_result r;

    NEED(doc, "hcs_doc_get_integer");
    NEED(path, "hcs_doc_get_integer");
    NEED(out, "hcs_doc_get_integer");
    r = find_number(doc, path, &json, err);
    if (r < 0)
        return r;
    if (wide_is_number(json))
        return fail(err, HCS_E_INVALIDARG, "hcs_doc_get_integer",
                    "$.%s is %s, too large for a number with a sign", path, wide_digits(json));
    *out = json_integer_value(json);
    return HCS_OK;
}

hcs_result hcs_doc_get_unsigned(const hcs_doc *doc, const char *path, uint64_t *out, hcs_error *err)
{
    const json_t *json = NULL;
    hcs_result r;

    NEED(doc, "hcs_doc_get_unsigned");
    NEED(path, "hcs_doc_get_unsigned");
    NEED(out, "hcs_doc_get_unsigned");
    r = find_number(doc, path, &json, err);
    if (r < 0)
        return r;
    if (json_integer_value(json) < 0)
        return fail(err, HCS_E_INVALIDARG, "hcs_doc_get_unsigned", "$.%s is %lld, less than 0",
                    path, (long long) json_integer_value(json));
    *out = wide_is_number(json) ? wide_value(json) : (uint64_t) json_integer_value(json);
    return HCS_OK;
}

hcs_result hcs_doc_get_boolean(const hcs_doc *doc, const char *path, int *out, hcs_error *err)
{
    const json_t *json = NULL;
    hcs_result r;

    NEED(doc, "hcs_doc_get_boolean");
    NEED(path, "hcs_doc_get_boolean");
    NEED(out, "hcs_doc_get_boolean");
    r = tree_find(doc, path, &json, err);
    if (r < 0)
        return r;
    if (!json_is_boolean(json))
        return tree_other_type(path, json, "a boolean", err);
    *out = json_is_true(json);
    return HCS_OK;
}

hcs_result hcs_doc_get_json(const hcs_doc *doc, const char *path, char **out, hcs_error *err)
{
    const json_t *json = NULL;
    hcs_result r;
    char *text;

    NEED(doc, "hcs_doc_get_json");
    NEED(path, "hcs_doc_get_json");
    NEED(out, "hcs_doc_get_json");
    r = tree_find(doc, path, &json, err);
    if (r < 0)
        return r;
    text = wide_dump(json, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "hcs_doc_get_json", "no memory for the value");
    *out = text;
    return HCS_OK;
}

hcs_result hcs_doc_get_size(const hcs_doc *doc, const char *path, size_t *out, hcs_error *err)
{
    const json_t *json = NULL;
    hcs_result r;

    NEED(doc, "hcs_doc_get_size");
    NEED(path, "hcs_doc_get_size");
    NEED(out, "hcs_doc_get_size");
    r = tree_find(doc, path, &json, err);
    if (r < 0)
        return r;
    if (!json_is_array(json) && !json_is_object(json))
        return tree_other_type(path, json, "an array or an object", err);
    *out = json_is_array(json) ? json_array_size(json) : json_object_size(json);
    return HCS_OK;
}

hcs_result hcs_doc_get_name(const hcs_doc *doc, const char *path, size_t index, const char **out,
                            hcs_error *err)
{
    const json_t *json = NULL;
    void *member;
    hcs_result r;

    NEED(doc, "hcs_doc_get_name");
    NEED(path, "hcs_doc_get_name");
    NEED(out, "hcs_doc_get_name");
    r = tree_find(doc, path, &json, err);
    if (r < 0)
        return r;
    if (!json_is_object(json))
        return tree_other_type(path, json, "an object", err);
    if (index >= json_object_size(json))
        return no_more("hcs_doc_get_name", index, err);
    member = json_object_iter(doc_values(json));
    while (index-- > 0)
        member = json_object_iter_next(doc_values(json), member);
    *out = json_object_iter_key(member);
    return HCS_OK;
}

/* ---- the schema ---- */

#define NEED_SIZE(p, type, verb)                                                                   \
    do {                                                                                           \
        NEED(p, verb);                                                                             \
        if ((p)->size < sizeof(type))                                                              \
            return fail(err, HCS_E_INVALIDARG, verb, "size of " #type " is %u; its INIT sets it",  \
                        (p)->size);                                                                \
    } while (0)

static void type_out(const struct field_table *table, hcs_doc_type *out)
{
    out->service = table->service;
    out->name = table->name;
    out->note = table->note;
    out->n_fields = (uint32_t) table->n_fields;
    out->n_values = (uint32_t) table->n_values;
}

hcs_result hcs_doc_type_at(size_t index, hcs_doc_type *out, hcs_error *err)
{
    NEED_SIZE(out, hcs_doc_type, "hcs_doc_type_at");
    for (int is_document = 1; is_document >= 0; is_document--)
        for (size_t i = 0; i < n_field_tables; i++)
            if (field_tables[i].is_document == is_document && index-- == 0) {
                type_out(&field_tables[i], out);
                return HCS_OK;
            }
    return no_more("hcs_doc_type_at", n_field_tables, err);
}

static hcs_result table_of(const char *name, const struct field_table **out, hcs_error *err)
{
    *out = field_table_of(name);
    return *out ? HCS_OK : field_no_table(name, err);
}

hcs_result hcs_doc_type_of(const char *name, hcs_doc_type *out, hcs_error *err)
{
    const struct field_table *table;
    hcs_result r;

    NEED(name, "hcs_doc_type_of");
    NEED_SIZE(out, hcs_doc_type, "hcs_doc_type_of");
    r = table_of(name, &table, err);
    if (r >= 0)
        type_out(table, out);
    return r;
}

hcs_result hcs_doc_field_at(const char *type, size_t index, hcs_doc_field *out, hcs_error *err)
{
    const struct field_table *table;
    const struct field *field;
    hcs_result r;

    NEED(type, "hcs_doc_field_at");
    NEED_SIZE(out, hcs_doc_field, "hcs_doc_field_at");
    r = table_of(type, &table, err);
    if (r < 0)
        return r;
    if (index >= table->n_fields)
        return no_more("hcs_doc_field_at", index, err);
    field = &table->fields[index];
    out->service = field->service;
    out->name = field->name;
    out->type = field->type;
    out->from = field->from;
    out->unit = field->unit;
    out->rule = field->rule;
    out->required = field->required ? field->required : "";
    out->note = field->note;
    return HCS_OK;
}

hcs_result hcs_doc_value_at(const char *type, size_t index, const char **out, hcs_error *err)
{
    const struct field_table *table;
    hcs_result r;

    NEED(type, "hcs_doc_value_at");
    NEED(out, "hcs_doc_value_at");
    r = table_of(type, &table, err);
    if (r < 0)
        return r;
    if (index >= table->n_values)
        return no_more("hcs_doc_value_at", index, err);
    *out = table->values[index];
    return HCS_OK;
}
