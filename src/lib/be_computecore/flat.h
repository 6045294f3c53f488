/* flat.h - the flat C API of the Host Compute System, as a table of function pointers.
 *
 * The types are our own and exact: neither the Windows SDK's computecore.h nor ours for Linux is
 * needed, so the same text compiles everywhere, and a provider can be any library, or a table that
 * is linked in.  Names of functions are HCS's; a HRESULT is int32_t, a WCHAR is uint16_t. */
#ifndef HCS_COMPUTECORE_FLAT_H
#define HCS_COMPUTECORE_FLAT_H

#include "attr.h"
#include "hcs/error.h"

#if defined(_WIN32) && !defined(_WIN64)
#define FLAT_CALL __attribute__((stdcall))
#else
#define FLAT_CALL
#endif

/* Three different pointers, so that one cannot be given for another. */
typedef struct flat_system_ *flat_system;
typedef struct flat_process_ *flat_process;
typedef struct flat_operation_ *flat_operation;
typedef void *flat_handle; /* HANDLE; on Linux a file descriptor */

struct flat_event { /* HCS_EVENT */
    uint32_t type;
    const uint16_t *data;
    flat_operation operation;
};

struct flat_process_information { /* HCS_PROCESS_INFORMATION */
    uint32_t process_id;
    uint32_t reserved;
    flat_handle in;
    flat_handle out;
    flat_handle err;
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct flat_event) == 24, "HCS_EVENT");
_Static_assert(sizeof(void *) != 8 || sizeof(struct flat_process_information) == 32,
               "HCS_PROCESS_INFORMATION");

typedef void(FLAT_CALL *flat_completion)(flat_operation operation, void *context);
typedef void(FLAT_CALL *flat_event_callback)(struct flat_event *event, void *context);

#define FLAT_GENERIC_ALL 0x10000000u
#define FLAT_INFINITE 0xFFFFFFFFu
#define FLAT_EVENT_OPTION_NONE 0u

/* NEED: a library without it is refused by that name.  MAY: newer than some Windows that we run
 * on; the pointer is NULL there. */
#define FLAT_FUNCTIONS(NEED, MAY)                                                                  \
    NEED(int32_t, HcsEnumerateComputeSystems, (const uint16_t *query, flat_operation op))          \
    NEED(flat_operation, HcsCreateOperation, (const void *context, flat_completion callback))      \
    NEED(void, HcsCloseOperation, (flat_operation op))                                             \
    NEED(int32_t, HcsGetOperationResult, (flat_operation op, uint16_t * *document))                \
    NEED(int32_t, HcsGetOperationResultAndProcessInfo,                                             \
         (flat_operation op, struct flat_process_information * info, uint16_t * *document))        \
    NEED(int32_t, HcsWaitForOperationResult,                                                       \
         (flat_operation op, uint32_t timeout_ms, uint16_t * *document))                           \
    NEED(int32_t, HcsWaitForOperationResultAndProcessInfo,                                         \
         (flat_operation op, uint32_t timeout_ms, struct flat_process_information * info,          \
          uint16_t * *document))                                                                   \
    NEED(int32_t, HcsCreateComputeSystem,                                                          \
         (const uint16_t *id, const uint16_t *document, flat_operation op,                         \
          const void *security_descriptor, flat_system *out))                                      \
    NEED(int32_t, HcsOpenComputeSystem,                                                            \
         (const uint16_t *id, uint32_t requested_access, flat_system *out))                        \
    NEED(void, HcsCloseComputeSystem, (flat_system system))                                        \
    NEED(int32_t, HcsStartComputeSystem,                                                           \
         (flat_system system, flat_operation op, const uint16_t *options))                         \
    NEED(int32_t, HcsShutDownComputeSystem,                                                        \
         (flat_system system, flat_operation op, const uint16_t *options))                         \
    NEED(int32_t, HcsTerminateComputeSystem,                                                       \
         (flat_system system, flat_operation op, const uint16_t *options))                         \
    NEED(int32_t, HcsGetComputeSystemProperties,                                                   \
         (flat_system system, flat_operation op, const uint16_t *query))                           \
    NEED(                                                                                          \
        int32_t, HcsSetComputeSystemCallback,                                                      \
        (flat_system system, uint32_t options, const void *context, flat_event_callback callback)) \
    NEED(int32_t, HcsCreateProcess,                                                                \
         (flat_system system, const uint16_t *parameters, flat_operation op,                       \
          const void *security_descriptor, flat_process *out))                                     \
    NEED(int32_t, HcsOpenProcess,                                                                  \
         (flat_system system, uint32_t id, uint32_t requested_access, flat_process * out))         \
    NEED(void, HcsCloseProcess, (flat_process process))                                            \
    NEED(int32_t, HcsTerminateProcess,                                                             \
         (flat_process process, flat_operation op, const uint16_t *options))                       \
    NEED(int32_t, HcsSignalProcess,                                                                \
         (flat_process process, flat_operation op, const uint16_t *options))                       \
    NEED(int32_t, HcsGetProcessInfo, (flat_process process, flat_operation op))                    \
    NEED(int32_t, HcsGetProcessProperties,                                                         \
         (flat_process process, flat_operation op, const uint16_t *query))                         \
    NEED(int32_t, HcsSetProcessCallback,                                                           \
         (flat_process process, uint32_t options, void *context, flat_event_callback callback))    \
    MAY(int32_t, HcsGetServiceProperties, (const uint16_t *query, uint16_t **result))              \
    MAY(int32_t, HcsWaitForComputeSystemExit,                                                      \
        (flat_system system, uint32_t timeout_ms, uint16_t * *result))                             \
    MAY(int32_t, HcsWaitForProcessExit,                                                            \
        (flat_process process, uint32_t timeout_ms, uint16_t * *result))

struct flat_api {
#define FLAT_POINTER(type, name, parameters) type(FLAT_CALL *name) parameters;
    FLAT_FUNCTIONS(FLAT_POINTER, FLAT_POINTER)
#undef FLAT_POINTER
    /* kernel32's on Windows, the library's own elsewhere; releases every string of the others. */
    void *(FLAT_CALL *LocalFree)(void *memory);
};

/* Load a library into a table.  @path_opt NULL: computecore.dll of the system directory, or
 * libcomputecore.so.1.  The code stays in memory for ever, since a callback may still be in it.
 *
 * Errors: HCS_E_SERVICE_NOT_AVAILABLE there is no such library ·
 *         HCS_E_INVALIDARG the path is not absolute ·
 *         HCS_E_WIN32_PROC_NOT_FOUND it lacks a function, named in the text */
_must_use_ hcs_result flat_load(const char *path_opt, struct flat_api *out, hcs_error *err);

/* Take the functions of a table from @find: HCS_E_WIN32_PROC_NOT_FOUND names the first missing. */
_must_use_ hcs_result flat_fill(void *(*find)(void *library, const char *name), void *library,
                                const char *library_name, struct flat_api *out, hcs_error *err);

/* "computecore.dll" or "libcomputecore.so.1". */
const char *flat_default_name(void);

/* Whether a starter's HRESULT says that the operation is under way. */
static inline int flat_is_started(int32_t result)
{
    return result >= 0 || result == HCS_E_OPERATION_PENDING || result == HCS_E_V1_OPERATION_PENDING;
}

/* NULL and INVALID_HANDLE_VALUE both mean that there is none. */
static inline int flat_handle_is_none(flat_handle h)
{
    return h == NULL || (intptr_t) h == -1;
}

#endif
