/* properties.h - Properties documents as HCS has them, from those of libhcs. */
#ifndef HCS_COMPAT_PROPERTIES_H
#define HCS_COMPAT_PROPERTIES_H

#include "flat.h"
#include "options.h"

/* Owned, from a document of hcs_system_properties(); @flags of options_property_query(). */
_must_use_ HRESULT properties_of_system(const char *document, uint32_t flags, char **out,
                                        hcs_error *err);

/* The same for an array of them, basic properties only. */
_must_use_ HRESULT properties_of_list(const char *document, char **out, hcs_error *err);

/* ServiceProperties with @n times the basic properties. */
_must_use_ HRESULT properties_of_service(size_t n, char **out, hcs_error *err);

/* ProcessStatus of a process that runs. */
_must_use_ HRESULT properties_of_running(uint32_t process_id, char **out, hcs_error *err);

#endif
