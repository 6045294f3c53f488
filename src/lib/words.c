/* words.c - the small public functions that belong to no handle.
 *
 * Owns nothing.  The functions about result codes and event kinds are in base, that about exit
 * reports in words is in model. */
#include <stdbool.h>
#include <stdlib.h>

#include "backend.h"
#include "exit.h"

const char *hcs_version(void)
{
    return HCS_VERSION;
}

void hcs_string_free(char *string)
{
    free(string);
}

hcs_result hcs_exit_document(const hcs_exit *report, uint32_t process_id, char **out,
                             hcs_error *err)
{
    bool of_process;
    char *text;

    NEED(report, "hcs_exit_document");
    NEED(out, "hcs_exit_document");
    if (report->size < sizeof(*report))
        return fail(err, HCS_E_INVALIDARG, "hcs_exit_document",
                    "size of hcs_exit is %u; HCS_EXIT_INIT sets it", report->size);
    if (report->how > HCS_EXIT_STATUS)
        return fail(err, HCS_E_INVALIDARG, "hcs_exit_document", "how is %u, none of hcs_exit_how",
                    report->how);
    of_process = report->how == HCS_EXIT_CODE || report->how == HCS_EXIT_SIGNAL ||
                 (report->how == HCS_EXIT_UNKNOWN && process_id != 0);
    text = of_process ? exit_process_status(process_id, report) : exit_system_status(report);
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "hcs_exit_document", "no memory for a document");
    *out = text;
    return HCS_OK;
}
