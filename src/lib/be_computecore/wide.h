/* wide.h - whole strings across the border to the flat API, which speaks UTF-16. */
#ifndef HCS_COMPUTECORE_WIDE_H
#define HCS_COMPUTECORE_WIDE_H

#include "attr.h"
#include "hcs/error.h"

/* A string of the user for HCS, owned.  Text that is not UTF-8 is refused with @bad: an id or a
 * document must not become another one on its way.  @name is how the text calls it. */
_must_use_ hcs_result wide_from_text(const char *text, hcs_result bad, const char *name,
                                     uint16_t **out, hcs_error *err);

/* A string of HCS, owned, lossy; NULL gives NULL.  At most @ceiling units are looked at:
 * HCS_E_WIN32_INSUFFICIENT_BUFFER when it is longer. */
#define WIDE_UNITS_MAX ((size_t) 8 << 20)
_must_use_ hcs_result wide_to_text(const uint16_t *wide_opt, size_t ceiling, char **out,
                                   hcs_error *err);

#endif
