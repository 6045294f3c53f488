/* field.h - checks a JSON document against tables of the fields it may have.
 *
 * The tables say of every field which type it has, which values, and whether this service honours
 * it.  The first thing that is wrong, in the order of the document, is told by its JSON path.
 */
#ifndef HCS_MODEL_FIELD_H
#define HCS_MODEL_FIELD_H

#include <jansson.h>

#include "attr.h"
#include "hcs/error.h"

/* A place in a document: member @key of what @up says, or entry @index when @key is NULL.  The
 * root has no @up. */
struct place {
    const struct place *up;
    const char *key;
    size_t index;
};

enum field_type {
    FIELD_STRING,
    FIELD_BOOLEAN,
    FIELD_FALSE,   /* a boolean that may only be false; @reason says why */
    FIELD_INTEGER, /* low to high */
    FIELD_OBJECT,
    FIELD_OBJECTS, /* array of at most @high */
    FIELD_STRINGS, /* array of at most @high */
    FIELD_EMPTY,   /* an array that may only be empty; @reason says why */
    FIELD_MAP,     /* object of strings with any names */
    FIELD_REFUSED  /* HCS has it, this service does not honour it yet */
};

struct field {
    const char *name;
    enum field_type type;
    int64_t low;
    int64_t high;
    const struct field_table *of; /* FIELD_OBJECT, FIELD_OBJECTS */
    hcs_result (*check)(const char *value, const struct place *at,
                        hcs_error *err); /* FIELD_STRING */
    const char *required;                /* NULL: optional; else what to do when it is missing */
    const char *reason;
};

struct field_table {
    const char *name; /* of the object, as in HCS's schema */
    const struct field *fields;
    size_t n_fields;
};

/* Errors: HCS_E_INVALID_JSON a wrong type or an unknown field ·
 * HCS_E_INVALIDARG a value out of range, a missing field ·
 * HCS_E_WIN32_NOT_SUPPORTED a field or value that is not honoured ·
 * HCS_E_WIN32_INSUFFICIENT_BUFFER an array with too many entries */
_must_use_ hcs_result field_check(json_t *json, const struct field_table *table,
                                  const struct place *at, hcs_error *err);

/* Report what is wrong at a place: "$.A.B[2] " and the formatted text. */
_printf_(4, 5) hcs_result
    field_fail(const struct place *at, hcs_error *err, hcs_result code, const char *format, ...);

#endif
