/* schema.h - HCS's schema at a terminal: types, fields, units, and what hcsd makes of them. */
#ifndef HCS_CLI_SCHEMA_H
#define HCS_CLI_SCHEMA_H

#include <stdio.h>

#include <hcs/hcs.h>

/* Explain a type, "Container", or a field by its way from a type: "Container.Memory.SizeInMB";
 * arrays and maps on the way need no index or name.  Returns 0, or an error that says what is not
 * there: HCS_E_WIN32_NOT_FOUND for the type, HCS_E_INVALID_JSON for a field. */
HCS_MUST_USE hcs_result schema_explain(FILE *to, const char *what, int has_colour, hcs_error *err);

/* List the types.  These two return 0, or -1 without memory. */
int schema_print_types(FILE *to, int has_colour);

/* List the fields that @doc, of the type @type, has, with their values. */
int schema_print_document(FILE *to, const char *type, const hcs_doc *doc, int has_colour);

#endif
