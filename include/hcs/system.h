/* system.h - compute systems: containers and, later, virtual machines.
 *
 * A system is created from a JSON document (schema 2.x, ComputeSystem), started, and
 * ends once.  After the end only its exit report and properties can be asked; to run
 * it again, create a new one.  A handle names one incarnation: it never acts on a
 * later system that took the same id.
 */
#ifndef HCS_SYSTEM_H
#define HCS_SYSTEM_H

#include "event.h"
#include "host.h"
#include "op.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hcs_system hcs_system;

/**
 * Create a system from a ComputeSystem document.  It is not started.
 *
 * @id is 1 to 128 of A-Z a-z 0-9 _ . - and begins with a letter or digit.
 * With @out_op_opt, *@out is valid at once; its calls fail until the operation is done.
 *
 * Owner:  @out is yours; hcs_system_close().  The system outlives its handles.
 * Blocks: without @out_op_opt, until created (typically 10 ms).
 * Errors: HCS_E_INVALID_JSON the document; the text has line and column, or the JSON path ·
 *         HCS_E_INVALIDARG the id, or a value in the document ·
 *         HCS_E_WIN32_NOT_SUPPORTED a field this host cannot honour, by its JSON path ·
 *         HCS_E_SYSTEM_ALREADY_EXISTS · HCS_E_WIN32_PATH_NOT_FOUND a directory it names ·
 *         HCS_E_WIN32_BUSY the service has as many systems as it allows ·
 *         HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_system_create(hcs_host *host, const char *id,
                                                  const char *document, hcs_system **out,
                                                  hcs_op **out_op_opt, hcs_error *err);

/**
 * Open an existing system, running or remembered.
 *
 * Owner:  @out is yours; hcs_system_close().
 * Errors: HCS_E_SYSTEM_NOT_FOUND · HCS_E_INVALIDARG the id · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_system_open(hcs_host *host, const char *id, hcs_system **out,
                                                hcs_error *err);

/**
 * Close a handle.  The system lives on; streams of the handle (hcs_stream_open_system()) end.
 * NULL is allowed.
 *
 * Over computecore HCS ends a system whose document says ShouldTerminateOnLastHandleClosed when its
 * last handle is closed, and tells nobody; and a call under way on another thread is waited for,
 * except one that waits for the end: that gets HCS_E_WIN32_INVALID_HANDLE.
 */
HCS_API void hcs_system_close(hcs_system *system);

/**
 * Id of the system.  Borrowed from @system.
 */
HCS_API const char *hcs_system_id(const hcs_system *system);

/**
 * Start a created system.  A started container has no program of its own; programs
 * come by hcs_process_create().
 *
 * Errors: HCS_E_INVALID_STATE already started · HCS_E_SYSTEM_ALREADY_STOPPED ·
 *         HCS_E_SYSTEM_NOT_FOUND · HCS_E_TERMINATED_DURING_START · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_system_start(hcs_system *system, hcs_op **out_op_opt,
                                                 hcs_error *err);

/**
 * Ask a running system to stop cleanly: its programs get SIGTERM, and it ends when
 * they have ended.  Done when the system was told; wait for the end with
 * hcs_system_wait().
 *
 * Errors: HCS_E_INVALID_STATE not started · HCS_E_SYSTEM_ALREADY_STOPPED ·
 *         HCS_E_SYSTEM_NOT_FOUND · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_system_shut_down(hcs_system *system, hcs_op **out_op_opt,
                                                     hcs_error *err);

/**
 * Stop a system by force.  Done when it has ended and its exit event has its number.
 *
 * Errors: HCS_E_SYSTEM_ALREADY_STOPPED · HCS_E_SYSTEM_NOT_FOUND · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_system_terminate(hcs_system *system, hcs_op **out_op_opt,
                                                     hcs_error *err);

/**
 * Wait until the system has ended.  Answers at once for one that already has.
 *
 * Blocks: up to @timeout_ms (0 never, -1 for ever).
 * Errors: HCS_E_OPERATION_TIMEOUT still there · HCS_E_SYSTEM_NOT_FOUND forgotten by the service ·
 *         HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_system_wait(hcs_system *system, int timeout_ms, hcs_exit *out,
                                                hcs_error *err);

/**
 * The system's Properties document, with its exit report once it has ended.
 *
 * Owner:  @out_document is yours; hcs_string_free().
 * Errors: HCS_E_SYSTEM_NOT_FOUND · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_system_properties(hcs_system *system, char **out_document,
                                                      hcs_error *err);

/**
 * Make the service forget a system that has stopped.  Its events stay in the log.  Over
 * computecore HCS_E_WIN32_NOT_SUPPORTED: HCS forgets by itself.
 *
 * Errors: HCS_E_INVALID_STATE it has not stopped · HCS_E_SYSTEM_NOT_FOUND ·
 *         HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_system_forget(hcs_system *system, hcs_error *err);

#ifdef __cplusplus
}
#endif
#endif
