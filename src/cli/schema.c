/* schema.c - HCS's schema at a terminal: types, fields, units, and what hcsd makes of them.
 *
 * Owns nothing; used by the commands explain and check.  Needs no service.
 */
#include "schema.h"

#include <stdlib.h>
#include <string.h>

#include "output.h"

#define COLUMN 12
#define TEXT_MAX 512

struct shown {
    const char *words;
    enum colour colour;
};

/* Also for a newer library, with something that this program does not know. */
static struct shown shown_of(hcs_doc_service service)
{
    static const struct shown all[] = {
        [HCS_DOC_PART] = { "", COLOUR_NONE },
        [HCS_DOC_HONOURED] = { "honoured", COLOUR_GREEN },
        [HCS_DOC_REFUSED] = { "refused", COLOUR_RED },
        [HCS_DOC_ONLY_FALSE] = { "only false", COLOUR_YELLOW },
        [HCS_DOC_ONLY_EMPTY] = { "only empty", COLOUR_YELLOW },
        [HCS_DOC_GIVEN] = { "given", COLOUR_GREEN },
        [HCS_DOC_NOT_GIVEN] = { "not given", COLOUR_DIM },
    };

    return service < sizeof all / sizeof all[0] ? all[service] : (struct shown){ "?", COLOUR_NONE };
}

static void append(char out[TEXT_MAX], const char *prefix, const char *text)
{
    size_t n = strlen(out);

    if (*text)
        snprintf(out + n, TEXT_MAX - n, "%s%s%s", n ? "; " : "", prefix, text);
}

/* All there is to say of a field in one line. */
static void about_field(const hcs_doc_field *field, char out[TEXT_MAX])
{
    out[0] = '\0';
    append(out, "", field->rule);
    append(out, "needed: ", field->required);
    append(out, "", field->note);
    if (strcmp(field->from, "newer") == 0)
        append(out, "", "of a newer schema");
    else if (strcmp(field->from, "libhcs") == 0)
        append(out, "", "not of HCS");
}

static void add_service(struct table *table, hcs_doc_service service)
{
    struct shown shown = shown_of(service);

    table_add(table, shown.words, shown.colour);
}

static int finish(struct table *table, FILE *to, int has_colour)
{
    int r = table_print(table, to, has_colour);

    table_done(table);
    return r;
}

/* ---- types ---- */

static hcs_result print_fields(FILE *to, const hcs_doc_type *type, int has_colour, hcs_error *err)
{
    static const char *const titles[] = { "FIELD", "TYPE", "UNIT", "HCSD", "ABOUT" };
    hcs_doc_field field = HCS_DOC_FIELD_INIT;
    char about[TEXT_MAX];
    struct table table;

    table_init(&table, titles, sizeof titles / sizeof titles[0]);
    for (size_t i = 0; i < type->n_fields; i++) {
        if (hcs_doc_field_at(type->name, i, &field, err) < 0)
            break; /* there are as many as the type says */
        about_field(&field, about);
        table_add(&table, field.name, COLOUR_BOLD);
        table_add(&table, field.type, COLOUR_NONE);
        table_add(&table, field.unit, COLOUR_NONE);
        add_service(&table, field.service);
        table_add(&table, about, COLOUR_NONE);
    }
    return finish(&table, to, has_colour) < 0 ? HCS_E_OUTOFMEMORY : HCS_OK;
}

static void print_values(FILE *to, const hcs_doc_type *type)
{
    const char *value;

    for (size_t i = 0; hcs_doc_value_at(type->name, i, &value, NULL) == HCS_OK; i++)
        fprintf(to, "  \"%s\"\n", value);
}

static hcs_result explain_type(FILE *to, const hcs_doc_type *type, int has_colour, hcs_error *err)
{
    output_cell(to, type->name, COLOUR_BOLD, 0, has_colour);
    if (type->n_values) {
        fprintf(to, "  one of these strings, or another of a newer schema\n");
        print_values(to, type);
        return HCS_OK;
    }
    fprintf(to, "%s%s\n", *type->note ? "  " : "", type->note);
    if (type->service != HCS_DOC_PART)
        fprintf(to, "  hcsd: %s\n", shown_of(type->service).words);
    if (type->n_fields == 0) {
        fprintf(to, "  an object without fields: {}\n");
        return HCS_OK;
    }
    fputc('\n', to);
    return print_fields(to, type, has_colour, err);
}

int schema_print_types(FILE *to, int has_colour)
{
    static const char *const titles[] = { "TYPE", "HCSD", "ABOUT" };
    hcs_doc_type type = HCS_DOC_TYPE_INIT;
    struct table table;

    table_init(&table, titles, sizeof titles / sizeof titles[0]);
    for (size_t i = 0; hcs_doc_type_at(i, &type, NULL) == HCS_OK; i++) {
        table_add(&table, type.name, type.service == HCS_DOC_PART ? COLOUR_NONE : COLOUR_BOLD);
        add_service(&table, type.service);
        table_add(&table, type.n_values ? "values" : type.note, COLOUR_NONE);
    }
    return finish(&table, to, has_colour);
}

/* ---- fields ---- */

/* The name of the type inside "Layer[]" or "{Scsi}". */
static void inner_type(const char *type, char out[TEXT_MAX])
{
    snprintf(out, TEXT_MAX, "%.*s", (int) strcspn(type + (type[0] == '{'), "[}"),
             type + (type[0] == '{'));
}

/* The field of @type whose name is the @n bytes at @name.  1 when there is one. */
static int find_field(const char *type, const char *name, size_t n, hcs_doc_field *out)
{
    for (size_t i = 0; hcs_doc_field_at(type, i, out, NULL) == HCS_OK; i++)
        if (strlen(out->name) == n && memcmp(out->name, name, n) == 0)
            return 1;
    return 0;
}

static void print_row(FILE *to, const char *title, const char *text)
{
    if (*text)
        fprintf(to, "  %-*s%s\n", COLUMN, title, text);
}

static void print_type_row(FILE *to, const hcs_doc_field *field)
{
    hcs_doc_type type = HCS_DOC_TYPE_INIT;
    char inner[TEXT_MAX], line[2 * TEXT_MAX + 64];

    inner_type(field->type, inner);
    snprintf(line, sizeof line, "%s%s%s", field->type,
             field->type[0] == '{'      ? ", an object of them with any names"
             : strchr(field->type, '[') ? ", an array"
                                        : "",
             strcmp(inner, "any") == 0 ? ", whatever JSON there is" : "");
    if (hcs_doc_type_of(inner, &type, NULL) == HCS_OK)
        snprintf(line + strlen(line), sizeof line - strlen(line), "; see hcs explain %s", inner);
    print_row(to, "type", line);
}

static void explain_field(FILE *to, const char *type, const hcs_doc_field *field, int has_colour)
{
    output_cell(to, type, COLOUR_BOLD, 0, has_colour);
    output_cell(to, ".", COLOUR_BOLD, 0, has_colour);
    output_cell(to, field->name, COLOUR_BOLD, 0, has_colour);
    fputc('\n', to);
    print_type_row(to, field);
    print_row(to, "unit", field->unit);
    print_row(to, "hcsd", shown_of(field->service).words);
    print_row(to, "value", field->rule);
    print_row(to, "needed", field->required);
    print_row(to, "about", field->note);
    print_row(to, "schema", strcmp(field->from, "libhcs") == 0 ? "not of HCS" : field->from);
}

static hcs_result no_field(const char *type, const char *name, size_t n, hcs_error *err)
{
    hcs_doc *doc = NULL;
    char path[TEXT_MAX];
    hcs_result r;

    /* the library names the one that was probably meant */
    snprintf(path, sizeof path, "%.*s", (int) n, name);
    r = hcs_doc_new(type, &doc, err);
    if (r >= 0)
        hcs_doc_set_json(doc, path, "null");
    if (r >= 0)
        r = hcs_doc_check(doc, HCS_DOC_FOR_SCHEMA, err);
    hcs_doc_free(doc);
    return r < 0 ? r : HCS_E_INVALID_JSON;
}

/* Follow @way, fields with dots between, from the type @name on, which becomes the type that has
 * the last of them. */
static hcs_result follow(const char *way, char name[TEXT_MAX], hcs_doc_field *out, hcs_error *err)
{
    hcs_doc_type inner = HCS_DOC_TYPE_INIT;
    char next[TEXT_MAX];

    for (;;) {
        size_t n = strcspn(way, ".");

        if (!find_field(name, way, n, out))
            return no_field(name, way, n, err);
        if (!way[n])
            return HCS_OK;
        inner_type(out->type, next);
        if (hcs_doc_type_of(next, &inner, NULL) < 0)
            return no_field(name, way, strlen(way), err); /* it has no parts */
        memcpy(name, next, TEXT_MAX);
        way += n + 1;
    }
}

hcs_result schema_explain(FILE *to, const char *what, int has_colour, hcs_error *err)
{
    hcs_doc_field field = HCS_DOC_FIELD_INIT;
    hcs_doc_type type = HCS_DOC_TYPE_INIT;
    size_t n = strcspn(what, ".");
    char name[TEXT_MAX];
    hcs_result r;

    snprintf(name, sizeof name, "%.*s", (int) n, what);
    r = hcs_doc_type_of(name, &type, err);
    if (r < 0 || !what[n])
        return r < 0 ? r : explain_type(to, &type, has_colour, err);
    r = follow(what + n + 1, name, &field, err);
    if (r >= 0)
        explain_field(to, name, &field, has_colour);
    return r;
}

/* ---- documents ---- */

struct walk {
    struct table table;
    const hcs_doc *doc;
    char path[TEXT_MAX];
};

static void walk_object(struct walk *w, const char *type);

/* What stands at the path: a value, or nothing for what has parts, which have rows of their own. */
static void add_row(struct walk *w, const hcs_doc_field *field, int has_parts)
{
    char *text = NULL;

    if (!has_parts && hcs_doc_get_json(w->doc, w->path, &text, NULL) < 0)
        text = NULL; /* null, which is as good as absent */
    table_add(&w->table, w->path, COLOUR_BOLD);
    table_add(&w->table, field->type, COLOUR_NONE);
    table_add(&w->table, text ? text : "", COLOUR_NONE);
    table_add(&w->table, field->unit, COLOUR_NONE);
    add_service(&w->table, field->service);
    hcs_string_free(text);
}

/* Walk the entry whose place in the path was written behind its first @n bytes in @written of them.
 */
static void walk_entry(struct walk *w, const char *type, size_t n, int written)
{
    if (written >= 0 && (size_t) written < sizeof w->path - n)
        walk_object(w, type);
    w->path[n] = '\0';
}

static void walk_parts(struct walk *w, const hcs_doc_field *field, const char *type)
{
    size_t n = strlen(w->path), size = 0;
    const char *name;

    if (strchr(field->type, '[')) {
        if (hcs_doc_get_size(w->doc, w->path, &size, NULL) < 0)
            return;
        for (size_t i = 0; i < size; i++)
            walk_entry(w, type, n, snprintf(w->path + n, sizeof w->path - n, "[%zu]", i));
    } else if (field->type[0] == '{') {
        for (size_t i = 0; hcs_doc_get_name(w->doc, w->path, i, &name, NULL) == HCS_OK; i++)
            walk_entry(w, type, n, snprintf(w->path + n, sizeof w->path - n, "['%s']", name));
    } else {
        walk_object(w, type);
    }
}

static void walk_object(struct walk *w, const char *type)
{
    hcs_doc_type inner = HCS_DOC_TYPE_INIT;
    hcs_doc_field field = HCS_DOC_FIELD_INIT;
    size_t n = strlen(w->path);
    char name_of_type[TEXT_MAX];
    const char *name;

    for (size_t i = 0; hcs_doc_get_name(w->doc, w->path, i, &name, NULL) == HCS_OK; i++) {
        int has_parts;

        if (!find_field(type, name, strlen(name), &field))
            continue; /* a document that passed the check has none */
        snprintf(w->path + n, sizeof w->path - n, "%s%s", n ? "." : "", name);
        inner_type(field.type, name_of_type);
        has_parts = hcs_doc_type_of(name_of_type, &inner, NULL) == HCS_OK && !inner.n_values;
        add_row(w, &field, has_parts);
        if (has_parts)
            walk_parts(w, &field, name_of_type);
        w->path[n] = '\0';
    }
}

int schema_print_document(FILE *to, const char *type, const hcs_doc *doc, int has_colour)
{
    static const char *const titles[] = { "FIELD", "TYPE", "VALUE", "UNIT", "HCSD" };
    struct walk walk = { .doc = doc };

    table_init(&walk.table, titles, sizeof titles / sizeof titles[0]);
    walk_object(&walk, type);
    return finish(&walk.table, to, has_colour);
}
