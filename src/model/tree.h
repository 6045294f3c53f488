/* tree.h - a document of a program: a tree of values that the tables of field.h know.
 *
 * Behind the handle hcs_doc of hcs/doc.h, which has the promises; here a path and an output are
 * never NULL.  Functions that set take the error to the document, see hcs/doc.h.
 */
#ifndef HCS_MODEL_TREE_H
#define HCS_MODEL_TREE_H

#include "field.h"

/* Largest document that is read or written, and longest path. */
#define TREE_BYTES_MAX ((size_t) 1 << 20)
#define TREE_PATH_MAX 1024
#define TREE_STEPS_MAX 32

_must_use_ hcs_result tree_new(const char *type, hcs_doc **out, hcs_error *err);
_must_use_ hcs_result tree_parse(const char *type, const char *text, hcs_doc **out, hcs_error *err);
void tree_free(hcs_doc *doc);

_must_use_ hcs_result tree_check(const hcs_doc *doc, enum field_view view, hcs_error *err);
_must_use_ hcs_result tree_text(const hcs_doc *doc, char **out, hcs_error *err);

/* Set one value.  The last takes JSON text. */
hcs_result tree_set_string(hcs_doc *doc, const char *path, const char *value);
hcs_result tree_set_integer(hcs_doc *doc, const char *path, int64_t value);
hcs_result tree_set_unsigned(hcs_doc *doc, const char *path, uint64_t value);
hcs_result tree_set_boolean(hcs_doc *doc, const char *path, int value);
hcs_result tree_set_json(hcs_doc *doc, const char *path, const char *json);

/* Make @code the error of @doc, unless it has one. */
_printf_(3, 4) hcs_result tree_spoil(hcs_doc *doc, hcs_result code, const char *format, ...);

/* The value at @path, borrowed: one that is there and not null. */
_must_use_ hcs_result tree_find(const hcs_doc *doc, const char *path, const json_t **out,
                                hcs_error *err);

/* Report the value at @path as not being @wanted ("a string"). */
hcs_result tree_other_type(const char *path, const json_t *value, const char *wanted,
                           hcs_error *err);

#endif
