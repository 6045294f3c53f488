/* process.h - processes inside a compute system. */
#ifndef HCS_PROCESS_H
#define HCS_PROCESS_H

#include "system.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hcs_process hcs_process;

/* Standard handles to give to a new process.  Borrowed for the call: the process gets
 * duplicates.  HCS_POLLABLE_NONE gives /dev/null. */
typedef struct hcs_stdio {
    uint32_t size; /* sizeof(hcs_stdio), set by HCS_STDIO_INIT */
    hcs_pollable in;
    hcs_pollable out;
    hcs_pollable err;
} hcs_stdio;

#define HCS_STDIO_INIT                                                                             \
    {                                                                                              \
        sizeof(hcs_stdio), HCS_POLLABLE_NONE, HCS_POLLABLE_NONE, HCS_POLLABLE_NONE                 \
    }

/* Which standard handle. */
typedef uint32_t hcs_stdio_which;
enum { HCS_STDIN = 0, HCS_STDOUT = 1, HCS_STDERR = 2 };

/**
 * Run a program in a started system, from a ProcessParameters document.
 *
 * Standard handles: those of @stdio_opt; or, for each that the document asks for with
 * CreateStdInPipe, CreateStdOutPipe or CreateStdErrPipe, a new pipe whose other end
 * hcs_process_take_stdio() gives; else /dev/null.  Data goes straight between you and
 * the program, not through the service.  Over computecore a handle of yours is refused with
 * HCS_E_WIN32_NOT_SUPPORTED: HCS gives pipes only.
 *
 * A host over TCP takes no handles of yours: HCS_E_WIN32_NOT_SUPPORTED.  The pipes of the document
 * are connected sockets there, on both sides.
 *
 * Owner:  @out is yours; hcs_process_close().  The process outlives its handles.
 * Blocks: without @out_op_opt, until the program runs.
 * Errors: HCS_E_WIN32_FILE_NOT_FOUND no such program ·
 *         HCS_E_WIN32_ACCESS_DENIED it is not executable for the user ·
 *         HCS_E_INVALID_JSON, HCS_E_INVALIDARG, HCS_E_WIN32_NOT_SUPPORTED the document ·
 *         HCS_E_INVALID_STATE not started · HCS_E_SYSTEM_ALREADY_STOPPED ·
 *         HCS_E_SYSTEM_NOT_FOUND · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_process_create(hcs_system *system, const char *parameters,
                                                   const hcs_stdio *stdio_opt, hcs_process **out,
                                                   hcs_op **out_op_opt, hcs_error *err);

/**
 * Open a process that runs, by its id: one that this program did not create, or has closed.
 * There are no standard handles to take from it.
 *
 * Owner:  @out is yours; hcs_process_close().
 * Errors: HCS_E_PROCESS_ALREADY_STOPPED it has exited ·
 *         HCS_E_WIN32_NOT_FOUND the system has no such process ·
 *         HCS_E_OPERATION_PENDING the system is still being created ·
 *         HCS_E_SYSTEM_ALREADY_STOPPED · HCS_E_SYSTEM_NOT_FOUND · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_process_open(hcs_system *system, uint32_t process_id,
                                                 hcs_process **out, hcs_error *err);

/**
 * Process id, as HCS gives it for containers: the host's.  0 until the operation that
 * creates the process is done.
 */
HCS_API uint32_t hcs_process_id(const hcs_process *process);

/**
 * Take our end of a pipe that the document asked for.  On Windows it is the pipe that HCS gives,
 * opened for overlapped use; over TCP a blocking SOCKET, which closesocket() closes.
 *
 * Returns: owned, close it; HCS_POLLABLE_NONE when there is none or it was taken.
 */
HCS_API hcs_pollable hcs_process_take_stdio(hcs_process *process, hcs_stdio_which which);

/**
 * Wait until the process has exited.  Answers at once for one that already has.
 *
 * Over computecore the report is HCS's ProcessStatus: a code only when that says Exited and
 * LastWaitResult 0, and a signal only as the code 128 + n; when the system has ended and HCS does
 * not tell of the process within a second, it is unknown.
 *
 * Blocks: up to @timeout_ms (0 never, -1 for ever).
 * Errors: HCS_E_OPERATION_TIMEOUT still running · HCS_E_SYSTEM_NOT_FOUND ·
 *         HCS_E_WIN32_NOT_FOUND forgotten by the service ·
 *         HCS_E_OPERATION_PENDING the process is still being created ·
 *         HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_process_wait(hcs_process *process, int timeout_ms,
                                                 hcs_exit *out, hcs_error *err);

/**
 * Send a signal, by the host's number.  Over computecore as {"Signal":number}, which Linux guests
 * understand; 9 is HcsTerminateProcess() for all.
 *
 * Errors: HCS_E_PROCESS_ALREADY_STOPPED · HCS_E_INVALIDARG no such signal ·
 *         HCS_E_SYSTEM_NOT_FOUND · HCS_E_WIN32_NOT_FOUND · HCS_E_OPERATION_PENDING ·
 *         HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_process_signal(hcs_process *process, int signal,
                                                   hcs_error *err);

/**
 * Close a handle.  The process lives on.  NULL is allowed.
 */
HCS_API void hcs_process_close(hcs_process *process);

#ifdef __cplusplus
}
#endif
#endif
