/* options.h - the small documents that calls of the flat API take.
 *
 * Refused whole, by name: broken JSON with HCS_E_INVALID_JSON, what is no such option with
 * E_INVALIDARG, what this version cannot do with E_NOTIMPL. */
#ifndef HCS_COMPAT_OPTIONS_H
#define HCS_COMPAT_OPTIONS_H

#include "flat.h"

/* NULL, "" or "{}". */
_must_use_ HRESULT options_reserved(PCWSTR options, hcs_error *err);

/* NULL, or a ShutdownOptions document that asks for a plain shutdown. */
_must_use_ HRESULT options_shutdown(PCWSTR options, hcs_error *err);

/* NULL (SIGTERM), or a SignalProcessOptions document.  The number is Linux's. */
_must_use_ HRESULT options_signal(PCWSTR options, int *out_signal, hcs_error *err);

/* A ProcessModifyRequest that closes standard handles: bit n for handle n. */
_must_use_ HRESULT options_modify_process(PCWSTR settings, unsigned *out_close, hcs_error *err);

/* A System_PropertyQuery: what to add to the basic properties. */
enum { QUERY_PROCESS_LIST = 1, QUERY_TERMINATE_ON_LAST_HANDLE_CLOSED = 2 };
_must_use_ HRESULT options_property_query(PCWSTR query, uint32_t *out_flags, hcs_error *err);

/* A Service_PropertyQuery: how many times the answer has the basic properties. */
_must_use_ HRESULT options_service_query(PCWSTR query, size_t *out_n, hcs_error *err);

#endif
