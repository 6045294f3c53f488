/* tables.c - questions to the tables of idl/.
 *
 * Owns nothing: the rows are generated from idl/errors.tsv and idl/events.tsv.  Used by everybody,
 * also as a part of the public API.  Promises that no code is called by the name of another: a code
 * of the older family 0xC037nnnn is answered by its own row or by 0x8037nnnn, never the reverse,
 * since two numbers of the older family mean something that the newer gave other numbers to.  What
 * kind of failure it is, is judged in both directions.
 */
#include "tables.h"

#include <assert.h>
#include <errno.h>
#include <strings.h>

#define FAMILY_MASK 0xFFFF0000u
#define FAMILY_HCS 0x80370000u
#define FAMILY_HCS_V1 0xC0370000u

static const struct error_row *exact_row_of(hcs_result code)
{
    for (size_t i = 0; i < n_error_rows; i++)
        if (error_rows[i].code == code)
            return &error_rows[i];
    return NULL;
}

const struct error_row *error_row_of(hcs_result code)
{
    const struct error_row *row = exact_row_of(code);
    uint32_t bits = (uint32_t) code;

    if (!row && (bits & FAMILY_MASK) == FAMILY_HCS_V1)
        row = exact_row_of((hcs_result) (FAMILY_HCS | (bits & ~FAMILY_MASK)));
    return row;
}

/* Row that says what kind of failure a code is: its own, else that of the number's twin. */
static const struct error_row *kind_row_of(hcs_result code)
{
    const struct error_row *row = error_row_of(code);
    uint32_t bits = (uint32_t) code;

    if (!row && (bits & FAMILY_MASK) == FAMILY_HCS)
        row = exact_row_of((hcs_result) (FAMILY_HCS_V1 | (bits & ~FAMILY_MASK)));
    return row;
}

const char *hcs_result_name(hcs_result code)
{
    const struct error_row *row = error_row_of(code);

    return row ? row->name : NULL;
}

const char *hcs_result_meaning(hcs_result code)
{
    const struct error_row *row = error_row_of(code);

    return row ? row->meaning : NULL;
}

const char *hcs_result_advice(hcs_result code)
{
    const struct error_row *row = error_row_of(code);

    return row ? row->advice : NULL;
}

hcs_error_class hcs_result_class(hcs_result code)
{
    const struct error_row *row = kind_row_of(code);

    if (code >= 0)
        return HCS_CLASS_NONE;
    return row ? row->error_class : HCS_CLASS_OTHER;
}

const char *hcs_error_class_name(hcs_error_class error_class)
{
    return class_names[error_class < n_class_names ? error_class : HCS_CLASS_OTHER];
}

int hcs_result_retryable(hcs_result code)
{
    const struct error_row *row = kind_row_of(code);

    return row ? row->retryable : 0;
}

int hcs_result_errno(hcs_result code)
{
    const struct error_row *row = kind_row_of(code);

    if (code >= 0)
        return 0;
    return row ? row->os : EIO;
}

hcs_result hcs_result_from_name(const char *name, hcs_result *out)
{
    if (!name || !out)
        return HCS_E_POINTER;
    for (size_t i = 0; i < n_error_rows; i++) {
        if (strcasecmp(error_rows[i].name, name) == 0) {
            *out = error_rows[i].code;
            return HCS_OK;
        }
    }
    return HCS_E_WIN32_NOT_FOUND;
}

const char *hcs_event_kind_name(hcs_event_kind kind)
{
    for (size_t i = 0; i < n_event_rows; i++)
        if (event_rows[i].kind == kind)
            return event_rows[i].name;
    return NULL;
}

const char *hcs_event_kind_meaning(hcs_event_kind kind)
{
    for (size_t i = 0; i < n_event_rows; i++)
        if (event_rows[i].kind == kind)
            return event_rows[i].meaning;
    return NULL;
}

hcs_result hcs_event_kind_from_name(const char *name, hcs_event_kind *out)
{
    if (!name || !out)
        return HCS_E_POINTER;
    for (size_t i = 0; i < n_event_rows; i++) {
        if (strcasecmp(event_rows[i].name, name) == 0) {
            *out = event_rows[i].kind;
            return HCS_OK;
        }
    }
    return HCS_E_WIN32_NOT_FOUND;
}
