/* The tables of src/model against a second list of HCS's fields, tests/golden/schema/fields.tsv,
 * both ways: nothing is missing, nothing is there that the schema has not, and every type is the
 * schema's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "fd.h"
#include "field.h"

#define TEXT_MAX ((size_t) 1 << 20)

static int number, failures;

static void check(int good, const char *type, const char *what)
{
    printf("%sok %d - %s: %s\n", good ? "" : "not ", ++number, type, what);
    failures += !good;
}

static void complain(const char *type, const char *name, const char *what)
{
    printf("# %s.%s %s\n", type, name, what);
}

/* Whether the list has the line "TYPE TAB NAME TAB KIND". */
static int is_listed(const char *list, const char *type, const char *name, const char *kind)
{
    char line[512];

    snprintf(line, sizeof line, "\n%s\t%s\t%s\n", type, name, kind);
    return strstr(list, line) != NULL;
}

static int value_is_known(const struct field_table *table, const char *value)
{
    for (size_t i = 0; i < table->n_values; i++)
        if (strcmp(table->values[i], value) == 0)
            return 1;
    return 0;
}

/* One line of the list, cut into its parts. */
static int line_is_in_the_tables(char *line)
{
    char *name = strchr(line, '\t'), *kind = name ? strchr(name + 1, '\t') : NULL;
    const struct field_table *table;
    const struct field *field;

    if (!kind)
        return 0;
    *name++ = '\0';
    *kind++ = '\0';
    table = field_table_of(line);
    if (!table)
        return 0;
    if (strcmp(kind, "value") == 0)
        return value_is_known(table, name);
    if (strcmp(kind, "no fields") == 0)
        return table->n_fields == 0 && table->n_values == 0;
    field = field_of(table, name);
    return field && strcmp(field->type, kind) == 0 && strcmp(field->from, "2.4") == 0;
}

static void list_is_in_the_tables(const char *list)
{
    char *copy = strdup(list), *rest = copy ? strchr(copy, '\n') : NULL; /* after the titles */
    int good = rest != NULL, n = 0;

    while (rest && rest[1]) {
        char *line = rest + 1;
        char shown[256];

        rest = strchr(line, '\n');
        if (rest)
            *rest = '\0';
        snprintf(shown, sizeof shown, "%s", line);
        n++;
        if (!line_is_in_the_tables(line)) {
            printf("# not in the tables: %s\n", shown);
            good = 0;
        }
    }
    free(copy);
    check(good && n > 900, "schema", "every line of the list is in the tables");
}

/* Every field of a table is in the list, or says that it is of a newer schema or our own. */
static void table_is_in_the_list(const char *list, const struct field_table *table)
{
    int good = 1;

    for (size_t i = 0; i < table->n_values; i++)
        if (!is_listed(list, table->name, table->values[i], "value")) {
            complain(table->name, table->values[i], "is not in the list");
            good = 0;
        }
    for (size_t i = 0; i < table->n_fields; i++) {
        const struct field *field = &table->fields[i];
        int listed = is_listed(list, table->name, field->name, field->type);

        if (listed == (strcmp(field->from, "2.4") == 0))
            continue;
        complain(table->name, field->name, listed ? "is in the list" : "is not in the list");
        good = 0;
    }
    check(good, table->name, "its fields are those of the list");
}

static int is_number(const struct field *field)
{
    return field->kind >= KIND_INT32 && field->kind <= KIND_UINT64;
}

/* What a name says of its unit. */
static int unit_fits(const struct field *field)
{
    const char *name = field->name;
    size_t n = strlen(name);

    if (!is_number(field))
        return !*field->unit;
    if (n > 4 && strcmp(name + n - 4, "InMB") == 0)
        return strcmp(field->unit, "MiB") == 0;
    if (n > 5 && strcmp(name + n - 5, "100ns") == 0)
        return strcmp(field->unit, "100 ns") == 0;
    if (n > 5 && strcmp(name + n - 5, "Bytes") == 0)
        return strcmp(field->unit, "bytes") == 0;
    return 1;
}

/* There is nothing that hcsd ignores: of each field it is said what becomes of it. */
static void table_is_whole(const struct field_table *table)
{
    int good = 1;

    for (size_t i = 0; i < table->n_fields; i++) {
        const struct field *field = &table->fields[i];
        int has_type = field->kind == KIND_OBJECT || field->kind == KIND_ENUM;
        int says_why = field->service != HCS_DOC_ONLY_FALSE && field->service != HCS_DOC_ONLY_EMPTY;

        if (field->service != HCS_DOC_PART && has_type == (field->of != NULL) &&
            (field->kind != KIND_ENUM || field->of->n_values) && unit_fits(field) &&
            (says_why || *field->note))
            continue;
        complain(table->name, field->name, "lacks what is said of it");
        good = 0;
    }
    check(good, table->name, "says of each field what becomes of it, and its unit");
}

int main(int argc, char **argv)
{
    _cleanup_(free_drop) char *list = NULL;
    hcs_error err = HCS_ERROR_INIT;

    if (argc != 2 || file_read(argv[1], TEXT_MAX, &list, NULL, &err) < 0) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    printf("1..%zu\n", 1 + 2 * n_field_tables);
    list_is_in_the_tables(list);
    for (size_t i = 0; i < n_field_tables; i++) {
        table_is_in_the_list(list, &field_tables[i]);
        table_is_whole(&field_tables[i]);
    }
    return failures > 0;
}
