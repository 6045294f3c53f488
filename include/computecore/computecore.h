/* computecore.h - the Host Compute Service's C API on Linux: link with libcomputecore.
 *
 * The functions are those of computecore.dll; programs written for it compile unchanged, after
 * #ifdef _WIN32 around their windows.h.  libcomputecore(3) says what this implementation does
 * where Microsoft's documents are silent.  In short:
 *
 *   - any function may be called from any thread, also from inside a callback;
 *   - callbacks run on threads of the library, those of one handle never two at a time;
 *   - a closed handle, or something that never was a handle, gives E_HANDLE; a NULL text that is
 *     needed E_INVALIDARG; a NULL out parameter that is needed E_POINTER;
 *   - out parameters are NULL after a failure, and hold their value before any callback can run;
 *   - a text that you get is yours: LocalFree();
 *   - S_OK of a call with an operation means that it is under way: its outcome is in the
 *     operation.  After a failure nothing is under way and no callback comes; the operation
 *     has the failure as its result, with a ResultError document;
 *   - options that are reserved are NULL, "" or "{}".
 */
#ifndef HCS_COMPUTECORE_H
#define HCS_COMPUTECORE_H

#include "computedefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- operations ---- */

/* A new operation, or NULL without memory.  Use it for one call after the other; @callback runs
 * once for each use, unless the operation is closed before. */
HCS_COMPUTECORE_API HCS_OPERATION WINAPI HcsCreateOperation(const void *context,
                                                            HCS_OPERATION_COMPLETION callback);

/* An operation that tells its completion as HcsEventOperationCallback.  Progress is never told. */
HCS_COMPUTECORE_API HCS_OPERATION WINAPI HcsCreateOperationWithNotifications(
    HCS_OPERATION_OPTIONS eventTypes, const void *context, HCS_EVENT_CALLBACK callback);

/* What it does goes on; its result is forgotten and its callback does not come any more.  Waits for
 * a callback that is running, unless called from inside it. */
HCS_COMPUTECORE_API void WINAPI HcsCloseOperation(HCS_OPERATION operation);

HCS_COMPUTECORE_API void *WINAPI HcsGetOperationContext(HCS_OPERATION operation);
HCS_COMPUTECORE_API HRESULT WINAPI HcsSetOperationContext(HCS_OPERATION operation,
                                                          const void *context);
HCS_COMPUTECORE_API HRESULT WINAPI HcsSetOperationCallback(HCS_OPERATION operation,
                                                           const void *context,
                                                           HCS_OPERATION_COMPLETION callback);

/* Borrowed; NULL when there is none, or it has been closed. */
HCS_COMPUTECORE_API HCS_SYSTEM WINAPI HcsGetComputeSystemFromOperation(HCS_OPERATION operation);
HCS_COMPUTECORE_API HCS_PROCESS WINAPI HcsGetProcessFromOperation(HCS_OPERATION operation);

/* Of the last use; HcsOperationTypeNone and HCS_INVALID_OPERATION_ID before the first. */
HCS_COMPUTECORE_API HCS_OPERATION_TYPE WINAPI HcsGetOperationType(HCS_OPERATION operation);
HCS_COMPUTECORE_API UINT64 WINAPI HcsGetOperationId(HCS_OPERATION operation);

/* The result of the last use, as often as asked.  HCS_E_OPERATION_NOT_STARTED,
 * HCS_E_OPERATION_PENDING; @resultDocument may be NULL. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsGetOperationResult(HCS_OPERATION operation,
                                                         PWSTR *resultDocument);

/* The same for HcsCreateProcess and HcsGetProcessInfo only, else E_INVALIDARG.  The standard
 * handles are given once; after that they are NULL. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsGetOperationResultAndProcessInfo(
    HCS_OPERATION operation, HCS_PROCESS_INFORMATION *processInformation, PWSTR *resultDocument);

/* The same, waiting: HCS_E_OPERATION_TIMEOUT when it is not done in time, and it goes on. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsWaitForOperationResult(HCS_OPERATION operation,
                                                             DWORD timeoutMs,
                                                             PWSTR *resultDocument);
HCS_COMPUTECORE_API HRESULT WINAPI HcsWaitForOperationResultAndProcessInfo(
    HCS_OPERATION operation, DWORD timeoutMs, HCS_PROCESS_INFORMATION *processInformation,
    PWSTR *resultDocument);

/* E_NOTIMPL, as documented: nothing can be cancelled. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsCancelOperation(HCS_OPERATION operation);

/* E_NOTIMPL. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsAddResourceToOperation(HCS_OPERATION operation,
                                                             HCS_RESOURCE_TYPE type, PCWSTR uri,
                                                             HANDLE handle);
HCS_COMPUTECORE_API HRESULT WINAPI HcsGetOperationProperties(HCS_OPERATION operation,
                                                             PCWSTR options, PWSTR *resultDocument);

/* ---- systems ---- */

/* An array of Properties; @query is a SystemQuery document or NULL. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsEnumerateComputeSystems(PCWSTR query,
                                                              HCS_OPERATION operation);
HCS_COMPUTECORE_API HRESULT WINAPI HcsEnumerateComputeSystemsInNamespace(PCWSTR idNamespace,
                                                                         PCWSTR query,
                                                                         HCS_OPERATION operation);

/* Create a system; it is not started.  The handle is there at once, and must be closed even when
 * the operation fails. */
HCS_COMPUTECORE_API HRESULT WINAPI
HcsCreateComputeSystem(PCWSTR id, PCWSTR configuration, HCS_OPERATION operation,
                       const SECURITY_DESCRIPTOR *securityDescriptor, HCS_SYSTEM *computeSystem);

/* The same; @options is NULL or an HCS_CREATE_OPTIONS_1 whose event callback misses nothing. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsCreateComputeSystemInNamespace(
    PCWSTR idNamespace, PCWSTR id, PCWSTR configuration, HCS_OPERATION operation,
    const HCS_CREATE_OPTIONS *options, HCS_SYSTEM *computeSystem);

HCS_COMPUTECORE_API HRESULT WINAPI HcsOpenComputeSystem(PCWSTR id, DWORD requestedAccess,
                                                        HCS_SYSTEM *computeSystem);
HCS_COMPUTECORE_API HRESULT WINAPI HcsOpenComputeSystemInNamespace(PCWSTR idNamespace, PCWSTR id,
                                                                   DWORD requestedAccess,
                                                                   HCS_SYSTEM *computeSystem);

/* Close a handle.  When it returns no callback of the handle runs or will, except the one it was
 * called from; closing it a second time meanwhile does not wait for that one either. */
HCS_COMPUTECORE_API void WINAPI HcsCloseComputeSystem(HCS_SYSTEM computeSystem);

HCS_COMPUTECORE_API HRESULT WINAPI HcsStartComputeSystem(HCS_SYSTEM computeSystem,
                                                         HCS_OPERATION operation, PCWSTR options);
HCS_COMPUTECORE_API HRESULT WINAPI HcsShutDownComputeSystem(HCS_SYSTEM computeSystem,
                                                            HCS_OPERATION operation,
                                                            PCWSTR options);
HCS_COMPUTECORE_API HRESULT WINAPI HcsTerminateComputeSystem(HCS_SYSTEM computeSystem,
                                                             HCS_OPERATION operation,
                                                             PCWSTR options);
HCS_COMPUTECORE_API HRESULT WINAPI HcsGetComputeSystemProperties(HCS_SYSTEM computeSystem,
                                                                 HCS_OPERATION operation,
                                                                 PCWSTR propertyQuery);

/* E_NOTIMPL in this version. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsCrashComputeSystem(HCS_SYSTEM computeSystem,
                                                         HCS_OPERATION operation, PCWSTR options);
HCS_COMPUTECORE_API HRESULT WINAPI HcsPauseComputeSystem(HCS_SYSTEM computeSystem,
                                                         HCS_OPERATION operation, PCWSTR options);
HCS_COMPUTECORE_API HRESULT WINAPI HcsResumeComputeSystem(HCS_SYSTEM computeSystem,
                                                          HCS_OPERATION operation, PCWSTR options);
HCS_COMPUTECORE_API HRESULT WINAPI HcsSaveComputeSystem(HCS_SYSTEM computeSystem,
                                                        HCS_OPERATION operation, PCWSTR options);
HCS_COMPUTECORE_API HRESULT WINAPI HcsModifyComputeSystem(HCS_SYSTEM computeSystem,
                                                          HCS_OPERATION operation,
                                                          PCWSTR configuration, HANDLE identity);

/* Wait for the end, HCS_E_OPERATION_TIMEOUT without it.  @result: SystemExitStatus. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsWaitForComputeSystemExit(HCS_SYSTEM computeSystem,
                                                               DWORD timeoutMs, PWSTR *result);

/* The event callback of this handle.  A second one is
 * HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET; NULL takes it away and waits like a close.  An exit
 * that was before is told, once. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsSetComputeSystemCallback(HCS_SYSTEM computeSystem,
                                                               HCS_EVENT_OPTIONS callbackOptions,
                                                               const void *context,
                                                               HCS_EVENT_CALLBACK callback);

/* ---- processes ---- */

/* Run a program in a started system.  Process id and standard handles are in the operation's
 * process information. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsCreateProcess(HCS_SYSTEM computeSystem,
                                                    PCWSTR processParameters,
                                                    HCS_OPERATION operation,
                                                    const SECURITY_DESCRIPTOR *securityDescriptor,
                                                    HCS_PROCESS *process);
HCS_COMPUTECORE_API HRESULT WINAPI HcsOpenProcess(HCS_SYSTEM computeSystem, DWORD processId,
                                                  DWORD requestedAccess, HCS_PROCESS *process);

/* As HcsCloseComputeSystem; the process lives on. */
HCS_COMPUTECORE_API void WINAPI HcsCloseProcess(HCS_PROCESS process);

HCS_COMPUTECORE_API HRESULT WINAPI HcsTerminateProcess(HCS_PROCESS process, HCS_OPERATION operation,
                                                       PCWSTR options);

/* @options: {"Signal": 15}, {"Signal": "SIGTERM"}, {"Signal": "CtrlC"}; NULL is SIGTERM. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsSignalProcess(HCS_PROCESS process, HCS_OPERATION operation,
                                                    PCWSTR options);
HCS_COMPUTECORE_API HRESULT WINAPI HcsGetProcessInfo(HCS_PROCESS process, HCS_OPERATION operation);
HCS_COMPUTECORE_API HRESULT WINAPI HcsGetProcessProperties(HCS_PROCESS process,
                                                           HCS_OPERATION operation,
                                                           PCWSTR propertyQuery);
HCS_COMPUTECORE_API HRESULT WINAPI HcsModifyProcess(HCS_PROCESS process, HCS_OPERATION operation,
                                                    PCWSTR settings);

/* As HcsSetComputeSystemCallback and HcsWaitForComputeSystemExit.  @result: ProcessStatus. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsSetProcessCallback(HCS_PROCESS process,
                                                         HCS_EVENT_OPTIONS callbackOptions,
                                                         void *context,
                                                         HCS_EVENT_CALLBACK callback);
HCS_COMPUTECORE_API HRESULT WINAPI HcsWaitForProcessExit(HCS_PROCESS process, DWORD timeoutMs,
                                                         PWSTR *result);

/* ---- the service ---- */

/* @propertyQuery: NULL or {"PropertyTypes": ["Basic"]}. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsGetServiceProperties(PCWSTR propertyQuery, PWSTR *result);

/* E_NOTIMPL in this version. */
HCS_COMPUTECORE_API HRESULT WINAPI HcsModifyServiceSettings(PCWSTR settings, PWSTR *result);
HCS_COMPUTECORE_API HRESULT WINAPI HcsSubmitWerReport(PCWSTR settings);
HCS_COMPUTECORE_API HRESULT WINAPI HcsCreateEmptyGuestStateFile(PCWSTR guestStateFilePath);
HCS_COMPUTECORE_API HRESULT WINAPI HcsCreateEmptyRuntimeStateFile(PCWSTR runtimeStateFilePath);
HCS_COMPUTECORE_API HRESULT WINAPI HcsGrantVmAccess(PCWSTR vmId, PCWSTR filePath);
HCS_COMPUTECORE_API HRESULT WINAPI HcsRevokeVmAccess(PCWSTR vmId, PCWSTR filePath);
HCS_COMPUTECORE_API HRESULT WINAPI HcsGrantVmGroupAccess(PCWSTR filePath);
HCS_COMPUTECORE_API HRESULT WINAPI HcsRevokeVmGroupAccess(PCWSTR filePath);
HCS_COMPUTECORE_API HRESULT WINAPI
HcsGetProcessorCompatibilityFromSavedState(PCWSTR RuntimeFileName, PCWSTR *ProcessorFeaturesString);

#ifdef __cplusplus
}
#endif
#endif
