/* report.c - an exit report into the hands of the user.
 *
 * Owns nothing.  Used by the calls that wait for an end.  Promises that what a newer caller has
 * behind our fields is left alone. */
#include "report.h"

#include "backend.h"

hcs_result report_check(const hcs_exit *out, const char *where, hcs_error *err)
{
    NEED(out, where);
    if (out->size < sizeof(*out))
        return fail(err, HCS_E_INVALIDARG, where, "size of hcs_exit is %u; HCS_EXIT_INIT sets it",
                    out->size);
    return HCS_OK;
}

void report_give(const hcs_exit *report, hcs_exit *out)
{
    uint32_t size = out->size;

    *out = *report;
    out->size = size;
}
