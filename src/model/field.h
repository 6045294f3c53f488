/* field.h - HCS's documents as tables of typed fields, and a JSON document against them.
 *
 * The tables are generated from idl/schema.tsv: every type of HCS's schema with its fields, and of
 * each field its type, its unit and whether this service honours it.  The first thing that is wrong
 * with a document, in its own order, is told by its JSON path.
 */
#ifndef HCS_MODEL_FIELD_H
#define HCS_MODEL_FIELD_H

#include <jansson.h>

#include "attr.h"
#include "hcs/doc.h"
#include "hcs/error.h"

/* Most entries of an array that this service takes. */
#define FIELD_ENTRIES_MAX 256

/* A place in a document: member @key of what @up says, or entry @index when @key is NULL.  The
 * root has no @up. */
struct place {
    const struct place *up;
    const char *key;
    size_t index;
};

enum field_kind {
    KIND_ANY, /* whatever JSON there is */
    KIND_STRING,
    KIND_GUID,
    KIND_TIME,   /* ISO 8601 */
    KIND_BASE64, /* bytes */
    KIND_MAC,
    KIND_BOOLEAN,
    KIND_INT32,
    KIND_INT64,
    KIND_UINT8,
    KIND_UINT16,
    KIND_UINT32,
    KIND_UINT64,
    KIND_OBJECT, /* of the fields of @of */
    KIND_ENUM    /* one of the strings of @of, or one of a newer schema */
};

enum field_shape { SHAPE_ONE, SHAPE_ARRAY, SHAPE_MAP /* an object of them with any names */ };

struct field {
    const char *name;
    const char *type; /* as idl/schema.tsv writes it: "uint32", "Layer[]", "{Scsi}" */
    enum field_kind kind;
    enum field_shape shape;
    const struct field_table *of; /* KIND_OBJECT, KIND_ENUM */
    const char *from;             /* "2.4": the schema; "newer" or "libhcs": not in it */
    const char *unit;             /* "" when it has none */
    hcs_doc_service service;
    int has_range; /* low to high: of the numbers, or of how many entries an array has */
    int64_t low;
    int64_t high;
    hcs_result (*check)(const char *value, const struct place *at, hcs_error *err); /* strings */
    const char *rule;     /* the two above, in words; "" for none */
    const char *required; /* NULL: optional; else what to do when it is missing */
    const char *note;     /* a line for a person, or why it is not honoured; "" for none */
};

struct field_table {
    const char *name; /* of the type, as in HCS's schema */
    const struct field *fields;
    size_t n_fields;
    const char *const *values; /* of an enumeration: it has these instead of fields */
    size_t n_values;
    int is_document; /* it is sent or told as a whole */
    hcs_doc_service service;
    const char *note;
};

extern const struct field_table field_tables[];
extern const size_t n_field_tables;

/* NULL when there is no such type. */
const struct field_table *field_table_of(const char *name);
const struct field *field_of(const struct field_table *table, const char *name);

/* Report @name as none of the types: HCS_E_WIN32_NOT_FOUND. */
hcs_result field_no_table(const char *name, hcs_error *err);

/* What a document is held against. */
enum field_view {
    FIELD_READ,   /* the types of what the tables know; what they do not know is left alone */
    FIELD_SCHEMA, /* and nothing that the tables do not know */
    FIELD_SERVICE /* and nothing that this service does not honour */
};

/* Errors: HCS_E_INVALID_JSON a wrong type or an unknown field ·
 * HCS_E_INVALIDARG a value out of range, a missing field ·
 * HCS_E_WIN32_NOT_SUPPORTED a field or value that is not honoured ·
 * HCS_E_WIN32_INSUFFICIENT_BUFFER an array with too many entries */
_must_use_ hcs_result field_check(json_t *json, const struct field_table *table,
                                  enum field_view view, const struct place *at, hcs_error *err);

/* One field's value; with @is_entry one entry of its array or map.  Errors as above. */
_must_use_ hcs_result field_check_value(json_t *value, const struct field *field, int is_entry,
                                        enum field_view view, const struct place *at,
                                        hcs_error *err);

/* Report @at->key as none of the fields of @table. */
hcs_result field_unknown(const struct field_table *table, const struct place *at, hcs_error *err);

/* Report what is wrong at a place: "$.A.B[2] " and the formatted text. */
_printf_(4, 5) hcs_result
    field_fail(const struct place *at, hcs_error *err, hcs_result code, const char *format, ...);

#endif
