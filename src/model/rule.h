/* rule.h - what this service asks of a text besides that it is one.
 *
 * Each rule_*() with a place returns HCS_OK, HCS_E_INVALIDARG or, for a value that HCS has and this
 * service has not, HCS_E_WIN32_NOT_SUPPORTED; the error names the place and the value.
 */
#ifndef HCS_MODEL_RULE_H
#define HCS_MODEL_RULE_H

#include "field.h"

int rule_is_letter_or_digit(char c);

/* Bytes of a value that a message shows. */
int rule_shown(const char *value);

_must_use_ hcs_result rule_absolute(const char *value, const struct place *at, hcs_error *err);
_must_use_ hcs_result rule_container_path(const char *value, const struct place *at,
                                          hcs_error *err);
_must_use_ hcs_result rule_host_name(const char *value, const struct place *at, hcs_error *err);
_must_use_ hcs_result rule_path_type(const char *value, const struct place *at, hcs_error *err);
_must_use_ hcs_result rule_isolation(const char *value, const struct place *at, hcs_error *err);

#endif
