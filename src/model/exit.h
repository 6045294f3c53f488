/* exit.h - exit reports: from wait statuses, to and from JSON, as HCS documents.
 *
 * The report is a sum: code, signal, status or unknown with a reason.  No number is
 * ever made up.
 */
#ifndef HCS_MODEL_EXIT_H
#define HCS_MODEL_EXIT_H

#include <jansson.h>

#include "attr.h"
#include "hcs/event.h"

/* From a raw wait status (what waitpid stores; encoding of Linux). */
hcs_exit exit_from_wait_status(uint32_t wait_status);
hcs_exit exit_unknown(const char *reason);

/* How a system ended: status, type and initiator; how is HCS_EXIT_STATUS. */
hcs_exit exit_of_system(hcs_result status, hcs_exit_type type, hcs_exit_initiator initiator);

/* The Exit object of the wire.  NULL when out of memory. */
json_t *exit_to_json(const hcs_exit *report);
_must_use_ hcs_result exit_from_json(const json_t *json, hcs_exit *out, hcs_error *err);

/* HCS's ProcessStatus and SystemExitStatus documents as owned JSON texts; NULL when out of
 * memory.  A signal appears as HCS shows it for Linux guests: ExitCode 128 + n. An unknown end has
 * no ExitCode, and a LastWaitResult that says so. */
char *exit_process_status(uint32_t process_id, const hcs_exit *report);
char *exit_system_status(const hcs_exit *report);

/* "SIGSEGV" without SIG, or NULL. */
const char *exit_signal_name(int number);

/* Number of a signal by name, with or without SIG, or by number; -1 when unknown. */
int exit_signal_number(const char *name);

#endif
