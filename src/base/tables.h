/* tables.h - the tables of idl/ as C data. */
#ifndef HCS_BASE_TABLES_H
#define HCS_BASE_TABLES_H

#include "hcs/error.h"
#include "hcs/event.h"

struct error_row {
    hcs_result code;
    const char *name;
    hcs_error_class error_class;
    int retryable;
    int os;
    const char *meaning;
    const char *advice;
};

struct event_row {
    hcs_event_kind kind;
    uint32_t number; /* as typed in events.tsv; a test compares it with `kind` */
    const char *name;
    int ends;
    const char *meaning;
};

extern const struct error_row error_rows[];
extern const size_t n_error_rows;
extern const char *const class_names[]; /* by hcs_error_class */
extern const size_t n_class_names;
extern const struct event_row event_rows[];
extern const size_t n_event_rows;

/* Row of a code, of either family; NULL when unknown: the code has no name. */
const struct error_row *error_row_of(hcs_result code);

#endif
