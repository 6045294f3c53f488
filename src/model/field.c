/* field.c - checks a JSON document against tables of the fields it may have.
 *
 * Owns nothing.  Used by doc.c, which has the tables.  Promises that a document which passes has
 * only fields of its tables, each with its type, its range and its required company.
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
    const char *got = names[json_typeof(value)];

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

/* The field that somebody who wrote @key most likely meant, or NULL. */
static const char *similar_name(const struct field_table *table, const char *key)
{
    const char *best = NULL;
    size_t n = strlen(key), least = 3;

    if (n > NAME_MAX_GUESS)
        return NULL;
    for (size_t i = 0; i < table->n_fields; i++) {
        const char *name = table->fields[i].name;
        size_t length = strlen(name), d;

        if (length > NAME_MAX_GUESS)
            continue;
        d = distance(key, n, name, length);
        if (d < least && 2 * d < length) { /* short names are all similar */
            least = d;
            best = name;
        }
    }
    return best;
}

static hcs_result unknown_field(const struct field_table *table, const struct place *at,
                                hcs_error *err)
{
    const char *meant = similar_name(table, at->key);

    if (meant)
        return field_fail(at, err, HCS_E_INVALID_JSON, "is not a field of %s (did you mean %s?)",
                          table->name, meant);
    return field_fail(at, err, HCS_E_INVALID_JSON, "is not a field of %s", table->name);
}

static const struct field *field_of(const struct field_table *table, const char *key)
{
    for (size_t i = 0; i < table->n_fields; i++)
        if (strcmp(table->fields[i].name, key) == 0)
            return &table->fields[i];
    return NULL;
}

/* ---- values ---- */

static hcs_result check_boolean(const json_t *value, const struct field *field,
                                const struct place *at, hcs_error *err)
{
    if (!json_is_boolean(value))
        return wrong_type(at, "a boolean", value, err);
    if (field->type == FIELD_FALSE && json_is_true(value))
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED, "may only be false: %s",
                          field->reason);
    return HCS_OK;
}

static hcs_result check_integer(const json_t *value, const struct field *field,
                                const struct place *at, hcs_error *err)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value))
        return wrong_type(at, "an integer", value, err);
    if (number >= field->low && number <= field->high)
        return HCS_OK;
    if (field->low == field->high)
        return field_fail(at, err, HCS_E_INVALIDARG, "is %" PRId64 ", must be %" PRId64,
                          (int64_t) number, field->low);
    return field_fail(at, err, HCS_E_INVALIDARG, "is %" PRId64 ", must be %" PRId64 " to %" PRId64,
                      (int64_t) number, field->low, field->high);
}

static hcs_result check_string(const json_t *value, const struct field *field,
                               const struct place *at, hcs_error *err)
{
    if (!json_is_string(value))
        return wrong_type(at, "a string", value, err);
    return field->check ? field->check(json_string_value(value), at, err) : HCS_OK;
}

static hcs_result check_array(const json_t *value, const struct field *field,
                              const struct place *at, hcs_error *err)
{
    if (!json_is_array(value))
        return wrong_type(at, "an array", value, err);
    if (field->type == FIELD_EMPTY && json_array_size(value) > 0)
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED, "may only be empty: %s",
                          field->reason);
    if (field->type != FIELD_EMPTY && json_array_size(value) > (size_t) field->high)
        return field_fail(at, err, HCS_E_WIN32_INSUFFICIENT_BUFFER,
                          "has %zu entries, at most %" PRId64 " are allowed",
                          json_array_size(value), field->high);
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *entry = json_array_get(value, i);
        struct place here = { .up = at, .index = i };
        hcs_result r;

        if (field->type == FIELD_OBJECTS)
            r = field_check(entry, field->of, &here, err);
        else
            r = check_string(entry, field, &here, err);
        if (r < 0)
            return r;
    }
    return HCS_OK;
}

static hcs_result check_map(json_t *value, const struct place *at, hcs_error *err)
{
    const char *key;
    json_t *entry;

    if (!json_is_object(value))
        return wrong_type(at, "an object", value, err);
    json_object_foreach(value, key, entry)
    {
        struct place here = { .up = at, .key = key };

        if (!json_is_string(entry))
            return wrong_type(&here, "a string", entry, err);
    }
    return HCS_OK;
}

static hcs_result check_value(json_t *value, const struct field *field, const struct place *at,
                              hcs_error *err)
{
    switch (field->type) {
    case FIELD_STRING:
        return check_string(value, field, at, err);
    case FIELD_BOOLEAN:
    case FIELD_FALSE:
        return check_boolean(value, field, at, err);
    case FIELD_INTEGER:
        return check_integer(value, field, at, err);
    case FIELD_OBJECT:
        return field_check(value, field->of, at, err);
    case FIELD_OBJECTS:
    case FIELD_STRINGS:
    case FIELD_EMPTY:
        return check_array(value, field, at, err);
    case FIELD_MAP:
        return check_map(value, at, err);
    case FIELD_REFUSED:
        break;
    }
    return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED, "is not supported by this service%s%s",
                      field->reason ? ": " : "", field->reason ? field->reason : "");
}

hcs_result field_check(json_t *json, const struct field_table *table, const struct place *at,
                       hcs_error *err)
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
        hcs_result r;

        r = field ? check_value(value, field, &here, err) : unknown_field(table, &here, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < table->n_fields; i++) {
        const struct field *field = &table->fields[i];
        struct place here = { .up = at, .key = field->name };

        if (field->required && !json_object_get(json, field->name))
            return field_fail(&here, err, HCS_E_INVALIDARG, "is missing: %s", field->required);
    }
    return HCS_OK;
}
