/* field.c - checks a JSON document against tables of the fields it may have.
 *
 * Owns nothing; the tables are generated from idl/schema.tsv.  Used by doc.c for what this service
 * takes, and by tree.c for documents of programs.  Promises that what the tables know of a document
 * which passes has its type, and what the service takes its range and its required company.
 */
#include "field.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "err.h"
#include "utf.h"
#include "wide.h"

#define WHERE "doc.check"
#define PATH_BYTES 256
#define KEY_SHOWN 64      /* bytes of a name that came from the document */
#define NAME_MAX_GUESS 40 /* longest name for which a similar one is looked for */

/* ---- places ---- */

/* Append the place to @out, which has @size bytes and @length of them used. */
static size_t place_print(const struct place *at, char *out, size_t size)
{
    size_t length;
    int n;

    if (!at->up)
        return (size_t) snprintf(out, size, "$");
    length = place_print(at->up, out, size);
    if (length >= size - 1)
        return size - 1;
    if (at->key)
        n = snprintf(out + length, size - length, ".%.*s",
                     (int) utf8_cut(at->key, strlen(at->key), KEY_SHOWN), at->key);
    else
        n = snprintf(out + length, size - length, "[%zu]", at->index);
    length += n < 0 ? 0 : (size_t) n;
    return length < size ? length : size - 1;
}

hcs_result field_fail(const struct place *at, hcs_error *err, hcs_result code, const char *format,
                      ...)
{
    char path[PATH_BYTES], text[sizeof err->text];
    va_list args;
    int n;

    assert(at && format);
    place_print(at, path, sizeof path);
    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail(err, code, WHERE, "%s %s", path, n < 0 ? "" : text);
}

static hcs_result wrong_type(const struct place *at, const char *wanted, const json_t *value,
                             hcs_error *err)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
    };
    const char *got = wide_is_number(value) ? "a number" : names[json_typeof(value)];

    if (json_is_real(value) && strcmp(wanted, "an integer") == 0)
        got = "a number with a fraction or an exponent";
    return field_fail(at, err, HCS_E_INVALID_JSON, "must be %s, not %s", wanted, got);
}

/* ---- names ---- */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/* Edits that make one name of the other; upper and lower case are the same. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t row[NAME_MAX_GUESS + 1];

    assert(n_b <= NAME_MAX_GUESS);
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1,
                              diagonal + (lower(a[i - 1]) != lower(b[j - 1])));
            diagonal = above;
        }
    }
    return row[n_b];
}

/* How unlike @key the name @name is; SIZE_MAX when it cannot have been meant. */
static size_t unlikeness(const char *key, const char *name)
{
    size_t n = strlen(key), length = strlen(name), d;

    if (n > NAME_MAX_GUESS || length > NAME_MAX_GUESS)
        return SIZE_MAX;
    d = distance(key, n, name, length);
    return d < 3 && 2 * d < length ? d : SIZE_MAX; /* short names are all similar */
}

/* The field that somebody who wrote @key most likely meant, or NULL. */
static const char *similar_name(const struct field_table *table, const char *key)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < table->n_fields; i++) {
        size_t d = unlikeness(key, table->fields[i].name);

        if (d < least) {
            least = d;
            best = table->fields[i].name;
        }
    }
    return best;
}

/* The type whose name is most like @name, or NULL. */
static const struct field_table *similar_table(const char *name)
{
    const struct field_table *best = NULL;
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < n_field_tables; i++) {
        size_t d = unlikeness(name, field_tables[i].name);

        if (d < least) {
            least = d;
            best = &field_tables[i];
        }
    }
    return best;
}

hcs_result field_unknown(const struct field_table *table, const struct place *at, hcs_error *err)
{
    const char *meant = similar_name(table, at->key);

    if (meant)
        return field_fail(at, err, HCS_E_INVALID_JSON, "is not a field of %s (did you mean %s?)",
                          table->name, meant);
    return field_fail(at, err, HCS_E_INVALID_JSON, "is not a field of %s", table->name);
}

const struct field *field_of(const struct field_table *table, const char *name)
{
    for (size_t i = 0; i < table->n_fields; i++)
        if (strcmp(table->fields[i].name, name) == 0)
            return &table->fields[i];
    return NULL;
}

const struct field_table *field_table_of(const char *name)
{
    for (size_t i = 0; i < n_field_tables; i++)
        if (strcmp(field_tables[i].name, name) == 0)
            return &field_tables[i];
    return NULL;
}

hcs_result field_no_table(const char *name, hcs_error *err)
{
    const struct field_table *meant = similar_table(name);
    int shown = (int) utf8_cut(name, strlen(name), KEY_SHOWN);

    if (meant)
        return fail(err, HCS_E_WIN32_NOT_FOUND, WHERE,
                    "'%.*s' is no type of the schema (did you mean %s?)", shown, name, meant->name);
    return fail(err, HCS_E_WIN32_NOT_FOUND, WHERE, "'%.*s' is no type of the schema", shown, name);
}

/* ---- values ---- */

static hcs_result check_boolean(const json_t *value, const struct field *field,
                                enum field_view view, const struct place *at, hcs_error *err)
{
    if (!json_is_boolean(value))
        return wrong_type(at, "a boolean", value, err);
    if (view == FIELD_SERVICE && field->service == HCS_DOC_ONLY_FALSE && json_is_true(value))
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED, "may only be false: %s", field->note);
    return HCS_OK;
}

static hcs_result out_of_range(json_int_t number, int64_t low, int64_t high, const struct place *at,
                               hcs_error *err)
{
    if (low == high)
        return field_fail(at, err, HCS_E_INVALIDARG, "is %" PRId64 ", must be %" PRId64,
                          (int64_t) number, low);
    return field_fail(at, err, HCS_E_INVALIDARG, "is %" PRId64 ", must be %" PRId64 " to %" PRId64,
                      (int64_t) number, low, high);
}

/* What the type has room for.  Numbers above INT64_MAX are no integers here, see wide.h. */
static const struct {
    int64_t low;
    int64_t high;
} room[] = {
    [KIND_INT32] = { INT32_MIN, INT32_MAX }, [KIND_INT64] = { INT64_MIN, INT64_MAX },
    [KIND_UINT8] = { 0, UINT8_MAX },         [KIND_UINT16] = { 0, UINT16_MAX },
    [KIND_UINT32] = { 0, UINT32_MAX },       [KIND_UINT64] = { 0, INT64_MAX },
};

static hcs_result check_integer(const json_t *value, const struct field *field,
                                enum field_view view, const struct place *at, hcs_error *err)
{
    json_int_t number = json_integer_value(value);

    if (wide_is_number(value)) {
        if (field->kind != KIND_UINT64)
            return field_fail(at, err, HCS_E_INVALIDARG, "is %s, too large for %s",
                              wide_digits(value), field->type);
        if (view == FIELD_SERVICE && field->has_range)
            return field_fail(at, err, HCS_E_INVALIDARG, "is %s, must be %s", wide_digits(value),
                              field->rule);
        return HCS_OK;
    }
    if (!json_is_integer(value))
        return wrong_type(at, "an integer", value, err);
    if (view == FIELD_SERVICE && field->has_range && (number < field->low || number > field->high))
        return out_of_range(number, field->low, field->high, at, err);
    if (number < room[field->kind].low || number > room[field->kind].high)
        return out_of_range(number, room[field->kind].low, room[field->kind].high, at, err);
    return HCS_OK;
}

static int is_guid(const char *text)
{
    static const char pattern[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != sizeof pattern - 1)
        return 0;
    for (size_t i = 0; pattern[i]; i++)
        if (pattern[i] == '-' ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]))
            return 0;
    return 1;
}

static hcs_result check_known_value(const char *value, const struct field_table *of,
                                    const struct place *at, hcs_error *err)
{
    char list[256] = "";
    size_t length = 0;

    for (size_t i = 0; i < of->n_values; i++) {
        if (strcmp(of->values[i], value) == 0)
            return HCS_OK;
        if (length < sizeof list)
            length += (size_t) snprintf(list + length, sizeof list - length, "%s'%s'",
                                        i ? ", " : "", of->values[i]);
    }
    return field_fail(at, err, HCS_E_INVALIDARG, "is '%.*s', which %s has not: %s%s",
                      (int) utf8_cut(value, strlen(value), KEY_SHOWN), value, of->name, list,
                      length < sizeof list ? "" : "...");
}

static hcs_result check_string(const json_t *value, const struct field *field, enum field_view view,
                               const struct place *at, hcs_error *err)
{
    const char *text = json_string_value(value);

    if (!text || wide_is_number(value))
        return wrong_type(at, "a string", value, err);
    if (field->kind == KIND_GUID && !is_guid(text))
        return field_fail(at, err, HCS_E_INVALIDARG,
                          "is '%.*s', must be a GUID: 8-4-4-4-12 hexadecimal digits",
                          (int) utf8_cut(text, strlen(text), KEY_SHOWN), text);
    if (field->kind == KIND_ENUM && view == FIELD_SCHEMA)
        return check_known_value(text, field->of, at, err);
    return view == FIELD_SERVICE && field->check ? field->check(text, at, err) : HCS_OK;
}

static hcs_result check_one(json_t *value, const struct field *field, enum field_view view,
                            const struct place *at, hcs_error *err)
{
    switch (field->kind) {
    case KIND_ANY:
        return HCS_OK;
    case KIND_STRING:
    case KIND_GUID:
    case KIND_TIME:
    case KIND_BASE64:
    case KIND_MAC:
    case KIND_ENUM:
        return check_string(value, field, view, at, err);
    case KIND_BOOLEAN:
        return check_boolean(value, field, view, at, err);
    case KIND_INT32:
    case KIND_INT64:
    case KIND_UINT8:
    case KIND_UINT16:
    case KIND_UINT32:
    case KIND_UINT64:
        return check_integer(value, field, view, at, err);
    case KIND_OBJECT:
        break;
    }
    return field_check(value, field->of, view, at, err);
}

static hcs_result check_size(const json_t *array, const struct field *field, const struct place *at,
                             hcs_error *err)
{
    size_t high = field->has_range ? (size_t) field->high : FIELD_ENTRIES_MAX;

    if (field->service == HCS_DOC_ONLY_EMPTY && json_array_size(array) > 0)
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED, "may only be empty: %s", field->note);
    if (json_array_size(array) > high)
        return field_fail(at, err, HCS_E_WIN32_INSUFFICIENT_BUFFER,
                          "has %zu entries, at most %zu are allowed", json_array_size(array), high);
    return HCS_OK;
}

static hcs_result check_array(const json_t *value, const struct field *field, enum field_view view,
                              const struct place *at, hcs_error *err)
{
    hcs_result r = HCS_OK;

    if (!json_is_array(value))
        return wrong_type(at, "an array", value, err);
    if (view == FIELD_SERVICE)
        r = check_size(value, field, at, err);
    for (size_t i = 0; r >= 0 && i < json_array_size(value); i++) {
        struct place here = { .up = at, .index = i };

        r = check_one(json_array_get(value, i), field, view, &here, err);
    }
    return r;
}

static hcs_result check_map(json_t *value, const struct field *field, enum field_view view,
                            const struct place *at, hcs_error *err)
{
    const char *key;
    json_t *entry;

    if (!json_is_object(value))
        return wrong_type(at, "an object", value, err);
    json_object_foreach(value, key, entry)
    {
        struct place here = { .up = at, .key = key };
        hcs_result r = check_one(entry, field, view, &here, err);

        if (r < 0)
            return r;
    }
    return HCS_OK;
}

hcs_result field_check_value(json_t *value, const struct field *field, int is_entry,
                             enum field_view view, const struct place *at, hcs_error *err)
{
    assert(value && field && at);
    if (view == FIELD_READ && json_is_null(value))
        return HCS_OK; /* some services write what they have not like that */
    if (view == FIELD_SERVICE && field->service == HCS_DOC_REFUSED)
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED,
                          "is not supported by this service%s%s", *field->note ? ": " : "",
                          field->note);
    if (!is_entry && field->shape == SHAPE_ARRAY)
        return check_array(value, field, view, at, err);
    if (!is_entry && field->shape == SHAPE_MAP)
        return check_map(value, field, view, at, err);
    return check_one(value, field, view, at, err);
}

static hcs_result check_required(const json_t *json, const struct field_table *table,
                                 const struct place *at, hcs_error *err)
{
    for (size_t i = 0; i < table->n_fields; i++) {
        const struct field *field = &table->fields[i];
        struct place here = { .up = at, .key = field->name };

        if (field->required && !json_object_get(json, field->name))
            return field_fail(&here, err, HCS_E_INVALIDARG, "is missing: %s", field->required);
    }
    return HCS_OK;
}

hcs_result field_check(json_t *json, const struct field_table *table, enum field_view view,
                       const struct place *at, hcs_error *err)
{
    const char *key;
    json_t *value;

    assert(json && table && at);
    if (!json_is_object(json))
        return wrong_type(at, "an object", json, err);
    json_object_foreach(json, key, value)
    {
        const struct field *field = field_of(table, key);
        struct place here = { .up = at, .key = key };
        hcs_result r = HCS_OK;

        if (field)
            r = field_check_value(value, field, 0, view, &here, err);
        else if (view != FIELD_READ)
            r = field_unknown(table, &here, err);
        if (r < 0)
            return r;
    }
    return view == FIELD_SERVICE ? check_required(json, table, at, err) : HCS_OK;
}
