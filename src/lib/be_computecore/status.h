/* status.h - HCS's own documents about ends and errors, read into our reports.
 *
 * Pure.  Whatever a document lacks, or says in words that are not known, becomes "unknown" with the
 * reason: never a number that HCS did not say. */
#ifndef HCS_COMPUTECORE_STATUS_H
#define HCS_COMPUTECORE_STATUS_H

#include "attr.h"
#include "hcs/event.h"

/* SystemExitStatus. */
hcs_exit status_of_system(const char *document, size_t length);

/* ProcessStatus.  A code only when HCS says Exited and LastWaitResult 0.  @out_process_id_opt is 0
 * when the document names none; @out_exited_opt is whether it says that the process has exited. */
hcs_exit status_of_process(const char *document, size_t length, uint32_t *out_process_id_opt,
                           int *out_exited_opt);

/* What a Properties document says of a system. */
struct status_properties {
    char owner[128];
    char type[32];
    int stopped;        /* it has ended */
    hcs_exit_type exit; /* HCS_EXIT_TYPE_UNKNOWN when it does not say */
};
void status_of_properties(const char *document, struct status_properties *out);

/* ErrorMessage of a ResultError into @buffer as one line: 1; 0 when there is none. */
int status_error_message(const char *document_opt, char *buffer, size_t size);

#endif
