/* text.h - texts between the flat API and libhcs: UTF-16 there, UTF-8 here. */
#ifndef HCS_COMPAT_TEXT_H
#define HCS_COMPAT_TEXT_H

#include "flat.h"

/* Owned UTF-8 of @text.  A lone surrogate is @bad: it cannot be what the program meant. */
_must_use_ HRESULT text_from_flat(PCWSTR text, HRESULT bad, const char *name, char **out,
                                  hcs_error *err);

/* Like text_from_flat() with NULL for NULL. */
_must_use_ HRESULT text_from_flat_opt(PCWSTR text_opt, HRESULT bad, const char *name,
                                      char **out_opt, hcs_error *err);

/* Text for the program to release with LocalFree(); NULL without memory. */
PWSTR text_to_flat(const char *text);

/* For a result document: NULL gives NULL.  HCS_E_OPERATION_RESULT_ALLOCATION_FAILED. */
_must_use_ HRESULT text_give(const char *text_opt, PWSTR *out_opt);

/* A ResultError document, owned UTF-8; NULL without memory. */
char *text_result_error(HRESULT result, const hcs_error *err);

#endif
