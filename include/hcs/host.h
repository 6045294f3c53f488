/* host.h - a host whose compute systems one can create and watch.
 *
 * A host handle stands for one service: the hcsd of this machine, by default.
 * It keeps a few connections, opened when they are needed.
 */
#ifndef HCS_HOST_H
#define HCS_HOST_H

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Something poll() and its kin take: a file descriptor on Linux, a HANDLE on Windows. */
#ifdef _WIN32
typedef void *hcs_pollable;
#define HCS_POLLABLE_NONE ((hcs_pollable) 0)
#else
typedef int hcs_pollable;
#define HCS_POLLABLE_NONE (-1)
#endif

typedef struct hcs_host hcs_host;

/* Room for a position in the log as text (stream.h), with the NUL. */
#define HCS_CURSOR_SIZE 64

/**
 * Open a host.
 *
 * @address_opt is "unix:/path/to/socket" or just the absolute path; NULL means
 * $HCS_HOST, and without that the service of this user on this machine:
 * /run/hcs/hcsd.sock for root, $XDG_RUNTIME_DIR/hcs/hcsd.sock for others.  When
 * nobody answers at the socket, hcsd is started (the program named by $HCS_HCSD, else
 * the installed one); it leaves again when it has had nothing to do for a while.
 * On Windows there are no such sockets, and without $HCS_HOST NULL means "computecore:".
 *
 * "tcp:127.0.0.1:PORT" (or "tcp:[::1]:PORT"; without the port it is that of the token file) is a
 * service that was started with --tcp, for programs that cannot pass file descriptors.  The token
 * is read from the file that $HCS_TOKEN_FILE names, again for each connection.  Nothing is started
 * there, and handles of the caller cannot be given to a process: see hcs_process_create().
 *
 * "computecore:" is the Host Compute System by its flat C API: computecore.dll of the system
 * directory on Windows, libcomputecore.so.1 elsewhere; "computecore:" and an absolute path is that
 * library.  It is loaded now and stays loaded.  Headers say "over computecore" where such a
 * host is another.
 *
 * Owner:  @out is yours; hcs_host_close().
 * Blocks: until the service has answered, at most 30 s.
 * Errors: HCS_E_SERVICE_NOT_AVAILABLE nobody answers and hcsd cannot be started; there is no such
 *         library · HCS_E_WIN32_PROC_NOT_FOUND the library lacks a function, named in the text ·
 *         HCS_E_ACCESS_DENIED the socket is not for this user, or the token is not that of the
 *         service, or its file is not for this user alone ·
 *         HCS_E_INVALIDARG an address of another form
 */
HCS_API HCS_MUST_USE hcs_result hcs_host_open(const char *address_opt, hcs_host **out,
                                              hcs_error *err);

/**
 * Close a host.  Systems, processes, operations and streams opened from it stay
 * usable; the last of them releases what they share.  NULL is allowed.
 */
HCS_API void hcs_host_close(hcs_host *host);

/**
 * What the service says of itself, as a JSON object: version, drivers, the OCI
 * runtime in use, its mode and capabilities.  Over computecore: {"backend":"computecore",
 * "library":name, "serviceProperties":what HCS says of itself or null}.
 *
 * Owner:  @out_document is yours; hcs_string_free().
 * Errors: HCS_E_SERVICE_DISCONNECT the service went away
 */
HCS_API HCS_MUST_USE hcs_result hcs_host_info(hcs_host *host, char **out_document, hcs_error *err);

/**
 * How the service is now, as a JSON object: positions and size of its log, systems by state,
 * readers and how far each is behind, limits and what of them is in use, refusals since its start.
 * The fields are described with GetStatus in org.libhcs.ComputeService.varlink (idl/); some may be
 * added. *hcs status* shows it.
 *
 * Owner:  @out_document is yours; hcs_string_free().
 * Blocks: until the service has answered.
 * Errors: HCS_E_WIN32_NOT_SUPPORTED over computecore: HCS tells nothing of this kind ·
 *         HCS_E_WIN32_BUSY a limit of this user is used up, as the text says ·
 *         HCS_E_SERVICE_DISCONNECT the service went away
 */
HCS_API HCS_MUST_USE hcs_result hcs_host_status(hcs_host *host, char **out_document,
                                                hcs_error *err);

/**
 * List compute systems.
 *
 * @query_opt is a SystemQuery document ({"Ids":[..],"Owners":[..],"Types":[..]}: any of
 * each list, all lists together) or NULL for all.  The answer is a JSON array of
 * Properties documents.  Systems that have stopped are listed while the service
 * remembers them; "State":"Stopped" tells them apart.
 *
 * Owner:  @out_document is yours; hcs_string_free().
 * Errors: HCS_E_INVALID_JSON · HCS_E_SERVICE_DISCONNECT
 */
HCS_API HCS_MUST_USE hcs_result hcs_host_enumerate(hcs_host *host, const char *query_opt,
                                                   char **out_document, hcs_error *err);

/**
 * List compute systems, and where in the log that list stands: what happened up to @cursor is in
 * the list, and all that comes after it is not.  A stream that begins there (HCS_FROM_CURSOR) goes
 * on from the list without a hole and without telling anything twice.
 *
 * @query_opt and @out_document are those of hcs_host_enumerate().
 *
 * Owner:  @out_document is yours; hcs_string_free().  @cursor is filled.
 * Blocks: until the service has answered, which is after what it is writing down is durable.
 * Errors: those of hcs_host_enumerate() · HCS_E_WIN32_NOT_SUPPORTED over computecore, which has no
 *         log that a list could stand in, or the service is older and keeps no positions
 */
HCS_API HCS_MUST_USE hcs_result hcs_host_snapshot(hcs_host *host, const char *query_opt,
                                                  char **out_document, char cursor[HCS_CURSOR_SIZE],
                                                  hcs_error *err);

/**
 * Set how many bytes of events the handles of this host may keep in memory, each: those that are
 * opened or created later.  64 KiB to 1 GiB; 4 MiB when it is not set.  A handle that has more to
 * keep drops the oldest, which its streams tell as one HCS_EVENT_GAP.
 *
 * This is for hosts without a service that keeps a log (computecore).  The log of hcsd is its own.
 *
 * Errors: HCS_E_WIN32_NOT_SUPPORTED the log is the service's · HCS_E_INVALIDARG out of range
 */
HCS_API HCS_MUST_USE hcs_result hcs_host_set_log_bytes(hcs_host *host, size_t bytes,
                                                       hcs_error *err);

/**
 * Release a string that a call of this library gave to you.  NULL is allowed.
 */
HCS_API void hcs_string_free(char *string);

/**
 * Version of this library, "0.1.0".
 */
HCS_API const char *hcs_version(void);

#ifdef __cplusplus
}
#endif
#endif
