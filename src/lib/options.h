/* options.h - the options of a stream as the public header promises them, for the back ends. */
#ifndef HCS_LIB_OPTIONS_H
#define HCS_LIB_OPTIONS_H

#include <jansson.h>

#include "attr.h"
#include "hcs/stream.h"

/* The options of the user as this version knows them; NULL: the default ones.  What no back end
 * could use is refused by name: combinations, bounds, an unknown flag. */
_must_use_ hcs_result options_read(const hcs_stream_options *options_opt, const char *where,
                                   hcs_stream_options *out, hcs_error *err);

/* A filter as the Filter object of the wire (src/model/filter.h), which has been checked; NULL
 * without one. */
_must_use_ hcs_result options_filter(const hcs_event_filter *filter_opt, const char *where,
                                     json_t **out, hcs_error *err);

#endif
