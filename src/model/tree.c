/* tree.c - a document of a program: a tree of values that the tables of field.h know.
 *
 * Owns the values.  Used by the library's doc.c.  Promises that a value which was set is of the
 * type that the schema gives its place, that a setter which fails changes nothing, and that what
 * was read and not set comes out as it came in.
 */
#include "tree.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "doc.h"
#include "err.h"
#include "utf.h"
#include "wide.h"

#define WHERE "doc"

struct hcs_doc {
    const struct field_table *type;
    json_t *root;
    hcs_error first; /* of the first setter that failed; code 0: none */
};

static const struct place root_place = { 0 };

static void json_drop(json_t **json)
{
    json_decref(*json);
}

static hcs_result no_memory(hcs_error *err)
{
    return fail(err, HCS_E_OUTOFMEMORY, WHERE, "no memory for the document");
}

/* ---- paths ---- */

/* One step of a path: a member, or an entry of an array, and what the schema says of it. */
struct step {
    struct place at;
    const struct field_table *table; /* that the member was looked for in; NULL: none */
    const struct field *field;       /* NULL: the schema does not know it */
    int is_entry;                    /* of the field's array or map */
};

struct route {
    char text[TREE_PATH_MAX]; /* the path, cut into the names that the steps point to */
    struct step steps[TREE_STEPS_MAX];
    size_t n;
};

static hcs_result bad_path(const char *path, const char *at, const char *what, hcs_error *err)
{
    return fail(err, HCS_E_INVALIDARG, WHERE, "the path '%s' has %s at position %zu", path, what,
                (size_t) (at - path) + 1);
}

/* "12]" at @*p: the number of an entry. */
static hcs_result read_index(const char *path, const char **p, struct place *out, hcs_error *err)
{
    size_t n = strspn(*p, "0123456789");

    if (n == 0 || n > 9 || (*p)[n] != ']')
        return bad_path(path, *p, "no index and ']'", err);
    out->index = strtoul(*p, NULL, 10);
    *p += n + 1;
    return HCS_OK;
}

/* The name of @n bytes at @from, put behind the others at *@room. */
static void take_name(const char *from, size_t n, char **room, struct place *out)
{
    memcpy(*room, from, n);
    (*room)[n] = '\0';
    out->key = *room;
    *room += n + 1;
}

/* "'NAME']" at @*p: the name of a member with dots in it. */
static hcs_result read_quoted(const char *path, const char **p, char **room, struct place *out,
                              hcs_error *err)
{
    const char *end = strstr(*p + 1, "']");

    if (!end)
        return bad_path(path, *p, "a quote without its end", err);
    take_name(*p + 1, (size_t) (end - *p) - 1, room, out);
    *p = end + 2;
    return HCS_OK;
}

static hcs_result read_step(const char *path, const char **p, char **room, struct place *out,
                            hcs_error *err)
{
    size_t n;

    if (**p == '[') {
        (*p)++;
        return **p == '\'' ? read_quoted(path, p, room, out, err) : read_index(path, p, out, err);
    }
    if (*p > path) {
        if (**p != '.')
            return bad_path(path, *p, "no '.' or '['", err);
        (*p)++;
    }
    n = strcspn(*p, ".[");
    if (n == 0)
        return bad_path(path, *p, "no name", err);
    take_name(*p, n, room, out);
    *p += n;
    return HCS_OK;
}

/* What the schema says of @step, which comes after @before_opt. */
static hcs_result type_step(const hcs_doc *doc, const struct step *before_opt, struct step *step,
                            hcs_error *err)
{
    const struct field *field = before_opt ? before_opt->field : NULL;
    const struct place *at = before_opt ? &before_opt->at : &root_place;

    if (before_opt && !field)
        return HCS_OK; /* no schema below */
    if (field && field->shape != SHAPE_ONE && !before_opt->is_entry) {
        step->field = field;
        step->is_entry = 1;
        if ((field->shape == SHAPE_ARRAY) == !step->at.key)
            return HCS_OK;
        return field_fail(at, err, HCS_E_INVALID_JSON, "is %s",
                          step->at.key ? "an array: an index is needed, [0]"
                                       : "an object: a name is needed, not an index");
    }
    if (field && field->kind == KIND_ANY)
        return HCS_OK;
    if (field && field->kind != KIND_OBJECT)
        return field_fail(at, err, HCS_E_INVALID_JSON, "is a %s and has no parts", field->type);
    if (!step->at.key)
        return field_fail(at, err, HCS_E_INVALID_JSON,
                          "is an object: a name is needed, not an index");
    step->table = field ? field->of : doc->type;
    step->field = field_of(step->table, step->at.key);
    return HCS_OK;
}

static hcs_result route_read(const hcs_doc *doc, const char *path, struct route *out,
                             hcs_error *err)
{
    char *room = out->text;
    const char *p = path;

    out->n = 0;
    if (strlen(path) >= TREE_PATH_MAX / 2)
        return fail(err, HCS_E_INVALIDARG, WHERE, "the path has %zu bytes, at most %d are allowed",
                    strlen(path), TREE_PATH_MAX / 2 - 1);
    while (*p) {
        const struct step *before = out->n ? &out->steps[out->n - 1] : NULL;
        struct step *step = &out->steps[out->n];
        hcs_result r;

        if (out->n == TREE_STEPS_MAX)
            return bad_path(path, p, "more than 32 parts", err);
        *step = (struct step){ .at.up = before ? &before->at : &root_place };
        r = read_step(path, &p, &room, &step->at, err);
        if (r >= 0)
            r = type_step(doc, before, step, err);
        if (r < 0)
            return r;
        out->n++;
    }
    return HCS_OK;
}

static json_t *child_of(const json_t *json, const struct step *step)
{
    return step->at.key ? json_object_get(json, step->at.key)
                        : json_array_get(json, step->at.index);
}

/* ---- finding ---- */

static hcs_result not_there(const struct step *step, hcs_error *err)
{
    if (step->table && !step->field)
        return field_unknown(step->table, &step->at, err);
    return field_fail(&step->at, err, HCS_E_WIN32_NOT_FOUND, "is not in the document");
}

hcs_result tree_find(const hcs_doc *doc, const char *path, const json_t **out, hcs_error *err)
{
    const json_t *json = doc->root;
    struct route route = { .n = 0 };
    hcs_result r = route_read(doc, path, &route, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < route.n; i++) {
        json = child_of(json, &route.steps[i]);
        if (!json || json_is_null(json))
            return not_there(&route.steps[i], err);
    }
    *out = json;
    return HCS_OK;
}

hcs_result tree_other_type(const char *path, const json_t *value, const char *wanted,
                           hcs_error *err)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
    };

    return fail(err, HCS_E_INVALID_JSON, WHERE, "$.%s is %s, not %s", path,
                wide_is_number(value) ? "a number" : names[json_typeof(value)], wanted);
}

/* ---- setting ---- */

hcs_result tree_spoil(hcs_doc *doc, hcs_result code, const char *format, ...)
{
    char text[sizeof doc->first.text];
    va_list args;

    if (doc->first.code < 0)
        return doc->first.code;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    return fail(&doc->first, code, WHERE, "%s", text);
}

/* Whether the values on the way are there or can be made: nothing is changed before. */
static hcs_result check_way(const hcs_doc *doc, const struct route *route, hcs_error *err)
{
    const json_t *json = doc->root;

    for (size_t i = 0; i < route->n; i++) {
        const struct step *step = &route->steps[i];
        size_t n = json_array_size(json); /* 0 for what is not there yet */

        if (!step->field)
            return step->table ? field_unknown(step->table, &step->at, err)
                               : field_fail(step->at.up, err, HCS_E_INVALID_JSON,
                                            "may hold any JSON: set it as a whole");
        if (!step->at.key && step->at.index > n)
            return field_fail(step->at.up, err, HCS_E_INVALIDARG,
                              "has %zu entries: the next is [%zu], not [%zu]", n, n,
                              step->at.index);
        json = child_of(json, step);
    }
    return HCS_OK;
}

/* Put @take_child where @step says.  0, or -1 when there is no memory. */
static int put_child(json_t *json, const struct step *step, json_t *take_child)
{
    if (step->at.key)
        return json_object_set_new(json, step->at.key, take_child);
    if (step->at.index == json_array_size(json))
        return json_array_append_new(json, take_child);
    return json_array_set_new(json, step->at.index, take_child);
}

/* What is at the end of @route inside what is at the end of its first @n steps: @take_value, with
 * whatever objects and arrays lie between.  NULL without memory. */
static json_t *wrapped(const struct route *route, size_t n, json_t *take_value)
{
    json_t *json = take_value;

    for (size_t i = route->n; json && i-- > n;) {
        json_t *outer = route->steps[i].at.key ? json_object() : json_array();

        if (!outer || put_child(outer, &route->steps[i], json) < 0) {
            if (!outer)
                json_decref(json);
            json_decref(outer);
            return NULL;
        }
        json = outer;
    }
    return json;
}

static int put_value(hcs_doc *doc, const struct route *route, json_t *take_value)
{
    json_t *json = doc->root, *child;
    size_t i = 0;

    while (i + 1 < route->n && (child = child_of(json, &route->steps[i])) && !json_is_null(child)) {
        json = child;
        i++;
    }
    child = wrapped(route, i + 1, take_value);
    return child ? put_child(json, &route->steps[i], child) : -1;
}

static hcs_result set_value(hcs_doc *doc, const char *path, json_t *take_value)
{
    _cleanup_(json_drop) json_t *value = take_value;
    const struct step *last;
    struct route route = { .n = 0 };
    hcs_result r;

    if (doc->first.code < 0)
        return doc->first.code;
    if (!value)
        return no_memory(&doc->first);
    r = route_read(doc, path, &route, &doc->first);
    if (r >= 0 && route.n == 0)
        r = fail(&doc->first, HCS_E_INVALIDARG, WHERE, "the path is empty");
    if (r >= 0)
        r = check_way(doc, &route, &doc->first);
    if (r < 0)
        return r;
    last = &route.steps[route.n - 1];
    r = field_check_value(value, last->field, last->is_entry, FIELD_READ, &last->at, &doc->first);
    if (r >= 0 && put_value(doc, &route, TAKE(value)) < 0)
        r = no_memory(&doc->first);
    return r;
}

hcs_result tree_set_string(hcs_doc *doc, const char *path, const char *value)
{
    if (!utf8_valid(value, strlen(value)))
        return tree_spoil(doc, HCS_E_INVALIDARG, "$.%s: the value '%s' is not UTF-8", path, value);
    return set_value(doc, path, json_string(value));
}

hcs_result tree_set_integer(hcs_doc *doc, const char *path, int64_t value)
{
    return set_value(doc, path, json_integer(value));
}

hcs_result tree_set_unsigned(hcs_doc *doc, const char *path, uint64_t value)
{
    return set_value(doc, path,
                     value > INT64_MAX ? wide_new(value) : json_integer((json_int_t) value));
}

hcs_result tree_set_boolean(hcs_doc *doc, const char *path, int value)
{
    return set_value(doc, path, json_boolean(value));
}

/* ---- text ---- */

static hcs_result load(const char *text, size_t flags, json_t **out, hcs_error *err)
{
    size_t n = strlen(text);
    json_error_t where;

    if (n > TREE_BYTES_MAX)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, WHERE,
                    "the document has %zu bytes, at most %zu are allowed", n, TREE_BYTES_MAX);
    *out = wide_load(text, n, flags, &where);
    if (*out)
        return HCS_OK;
    if (json_error_code(&where) == json_error_out_of_memory)
        return no_memory(err);
    return fail(err, HCS_E_INVALID_JSON, WHERE, "line %d, column %d: %s", where.line, where.column,
                where.text);
}

hcs_result tree_set_json(hcs_doc *doc, const char *path, const char *json)
{
    json_t *value = NULL;

    if (doc->first.code < 0)
        return doc->first.code;
    if (load(json, JSON_DECODE_ANY, &value, &doc->first) < 0)
        return hint(&doc->first, doc->first.code, "$.%s", path);
    return set_value(doc, path, value);
}

hcs_result tree_text(const hcs_doc *doc, char **out, hcs_error *err)
{
    _cleanup_(free_drop) char *text = NULL;

    if (doc->first.code < 0) {
        error_copy(err, &doc->first);
        return doc->first.code;
    }
    text = wide_dump(doc->root, JSON_COMPACT);
    if (!text)
        return no_memory(err);
    if (strlen(text) > TREE_BYTES_MAX)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, WHERE,
                    "the document has %zu bytes, at most %zu are allowed", strlen(text),
                    TREE_BYTES_MAX);
    *out = TAKE(text);
    return HCS_OK;
}

/* ---- documents ---- */

static hcs_result object_type(const char *name, const struct field_table **out, hcs_error *err)
{
    const struct field_table *table = field_table_of(name);

    if (!table)
        return field_no_table(name, err);
    if (table->n_values)
        return fail(err, HCS_E_INVALIDARG, WHERE,
                    "%s is a list of values, a document has the type of an object", name);
    *out = table;
    return HCS_OK;
}

static hcs_result make(const struct field_table *type, json_t *take_root, hcs_doc **out,
                       hcs_error *err)
{
    _cleanup_(json_drop) json_t *root = take_root;
    hcs_doc *doc = root ? calloc(1, sizeof *doc) : NULL;

    if (!doc)
        return no_memory(err);
    doc->type = type;
    doc->root = TAKE(root);
    doc->first.size = sizeof doc->first;
    *out = doc;
    return HCS_OK;
}

hcs_result tree_new(const char *type, hcs_doc **out, hcs_error *err)
{
    const struct field_table *table = NULL;
    hcs_result r = object_type(type, &table, err);

    return r < 0 ? r : make(table, json_object(), out, err);
}

hcs_result tree_parse(const char *type, const char *text, hcs_doc **out, hcs_error *err)
{
    _cleanup_(json_drop) json_t *json = NULL;
    const struct field_table *table = NULL;
    hcs_result r = object_type(type, &table, err);

    if (r >= 0)
        r = load(text, 0, &json, err);
    if (r >= 0)
        r = field_check(json, table, FIELD_READ, &root_place, err);
    return r < 0 ? r : make(table, TAKE(json), out, err);
}

void tree_free(hcs_doc *doc)
{
    if (!doc)
        return;
    json_decref(doc->root);
    free(doc);
}

/* What hcsd does with a document that it gets, where it takes documents of the type. */
static hcs_result check_as_service(const hcs_doc *doc, hcs_error *err)
{
    _cleanup_(doc_system_dropp) struct doc_system *system = NULL;
    _cleanup_(doc_process_dropp) struct doc_process *process = NULL;
    _cleanup_(doc_query_dropp) struct doc_query *query = NULL;
    _cleanup_(free_drop) char *text = wide_dump(doc->root, JSON_COMPACT);

    if (!text)
        return no_memory(err);
    if (strcmp(doc->type->name, "ComputeSystem") == 0)
        return doc_system_parse(text, &system, err);
    if (strcmp(doc->type->name, "ProcessParameters") == 0)
        return doc_process_parse(text, &process, err);
    if (strcmp(doc->type->name, "SystemQuery") == 0)
        return doc_query_parse(text, &query, err);
    return HCS_OK;
}

hcs_result tree_check(const hcs_doc *doc, enum field_view view, hcs_error *err)
{
    hcs_result r;

    if (doc->first.code < 0) {
        error_copy(err, &doc->first);
        return doc->first.code;
    }
    if (view == FIELD_SERVICE && doc->type->service == HCS_DOC_REFUSED)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, WHERE,
                    "$ is a document of the type %s, which hcsd does not take", doc->type->name);
    r = field_check(doc->root, doc->type, view, &root_place, err);
    return r >= 0 && view == FIELD_SERVICE ? check_as_service(doc, err) : r;
}
