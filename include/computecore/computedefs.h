/* computedefs.h - types of the Host Compute Service's C API, for Linux.
 *
 * Every name, number and size is Microsoft's, so that a program written for computecore.dll
 * compiles unchanged.  HCS_E_ codes come from libhcs's table, the numbers are Microsoft's.
 */
#ifndef HCS_COMPUTEDEFS_H
#define HCS_COMPUTEDEFS_H

#include "computebase.h"

#ifdef _WIN32
#error "on Windows use the computedefs.h of its SDK or of mingw-w64"
#endif

#include "hcs/error_codes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Handles are numbers that look like pointers.  One that is closed, or never was one, is refused
 * with E_HANDLE. */
typedef struct HCS_SYSTEM__ *HCS_SYSTEM;
typedef struct HCS_PROCESS__ *HCS_PROCESS;
typedef struct HCS_OPERATION__ *HCS_OPERATION;
typedef struct HCS_CALLBACK__ *HCS_CALLBACK;

/* ---- operations ---- */

typedef enum HCS_OPERATION_TYPE {
    HcsOperationTypeNone = -1,
    HcsOperationTypeEnumerate = 0,
    HcsOperationTypeCreate = 1,
    HcsOperationTypeStart = 2,
    HcsOperationTypeShutdown = 3,
    HcsOperationTypePause = 4,
    HcsOperationTypeResume = 5,
    HcsOperationTypeSave = 6,
    HcsOperationTypeTerminate = 7,
    HcsOperationTypeModify = 8,
    HcsOperationTypeGetProperties = 9,
    HcsOperationTypeCreateProcess = 10,
    HcsOperationTypeSignalProcess = 11,
    HcsOperationTypeGetProcessInfo = 12,
    HcsOperationTypeGetProcessProperties = 13,
    HcsOperationTypeModifyProcess = 14,
    HcsOperationTypeCrash = 15,
    HcsOperationTypeReserved1 = 16,
    HcsOperationTypeReserved2 = 17,
    HcsOperationTypeReserved3 = 18,
    HcsOperationTypeLiveMigration = 19
} HCS_OPERATION_TYPE;

#define HCS_INVALID_OPERATION_ID ((UINT64) -1)

typedef void(CALLBACK *HCS_OPERATION_COMPLETION)(HCS_OPERATION operation, void *context);

typedef enum HCS_OPERATION_OPTIONS {
    HcsOperationOptionNone = 0,
    HcsOperationOptionProgressUpdate = 1,
    HcsOperationOptionReserved1 = 2
} HCS_OPERATION_OPTIONS;

typedef enum HCS_RESOURCE_TYPE {
    HcsResourceTypeNone = 0,
    HcsResourceTypeFile = 1,
    HcsResourceTypeJob = 2,
    HcsResourceTypeComObject = 3,
    HcsResourceTypeSocket = 4
} HCS_RESOURCE_TYPE;

/* ---- events ---- */

/* Numbers from 0x80000000 do not fit an int: compare as DWORD.  Kinds that are not listed here may
 * come; ignore them. */
typedef enum HCS_EVENT_TYPE {
    HcsEventInvalid = 0x00000000,
    HcsEventSystemExited = 0x00000001,
    HcsEventSystemCrashInitiated = 0x00000002,
    HcsEventSystemCrashReport = 0x00000003,
    HcsEventSystemRdpEnhancedModeStateChanged = 0x00000004,
    HcsEventSystemSiloJobCreated = 0x00000005,
    HcsEventSystemGuestConnectionClosed = 0x00000006,
    HcsEventProcessExited = 0x00010000,
    HcsEventOperationCallback = 0x01000000,
    HcsEventServiceDisconnect = 0x02000000,
    HcsEventGroupVmLifecycle = (int32_t) 0x80000002u,
    HcsEventGroupLiveMigration = (int32_t) 0x80000003u,
    HcsEventGroupOperationInfo = (int32_t) 0xC0000001u
} HCS_EVENT_TYPE;

/* Valid during the callback only.  EventData is a JSON document or NULL; Operation is for
 * HcsEventOperationCallback. */
typedef struct HCS_EVENT {
    HCS_EVENT_TYPE Type;
    PCWSTR EventData;
    HCS_OPERATION Operation;
} HCS_EVENT;

typedef enum HCS_EVENT_OPTIONS {
    HcsEventOptionNone = 0x00000000,
    HcsEventOptionEnableOperationCallbacks = 0x00000001,
    HcsEventOptionEnableVmLifecycle = 0x00000002,
    HcsEventOptionEnableLiveMigrationEvents = 0x00000004
} HCS_EVENT_OPTIONS;

typedef void(CALLBACK *HCS_EVENT_CALLBACK)(HCS_EVENT *event, void *context);

/* ---- notifications of the older API, vmcompute.dll: other numbers for the same things ---- */

typedef enum HCS_NOTIFICATION_FLAGS {
    HcsNotificationFlagSuccess = 0x00000000,
    HcsNotificationFlagFailure = (int32_t) 0x80000000u
} HCS_NOTIFICATION_FLAGS;

typedef enum HCS_NOTIFICATIONS {
    HcsNotificationInvalid = 0x00000000,
    HcsNotificationSystemExited = 0x00000001,
    HcsNotificationSystemCreateCompleted = 0x00000002,
    HcsNotificationSystemStartCompleted = 0x00000003,
    HcsNotificationSystemPauseCompleted = 0x00000004,
    HcsNotificationSystemResumeCompleted = 0x00000005,
    HcsNotificationSystemCrashReport = 0x00000006,
    HcsNotificationSystemSiloJobCreated = 0x00000007,
    HcsNotificationSystemSaveCompleted = 0x00000008,
    HcsNotificationSystemRdpEnhancedModeStateChanged = 0x00000009,
    HcsNotificationSystemShutdownFailed = 0x0000000A,
    HcsNotificationSystemShutdownCompleted = 0x0000000A,
    HcsNotificationSystemGetPropertiesCompleted = 0x0000000B,
    HcsNotificationSystemModifyCompleted = 0x0000000C,
    HcsNotificationSystemCrashInitiated = 0x0000000D,
    HcsNotificationSystemGuestConnectionClosed = 0x0000000E,
    HcsNotificationSystemOperationCompletion = 0x0000000F,
    HcsNotificationSystemPassThru = 0x00000010,
    HcsNotificationProcessExited = 0x00010000,
    HcsNotificationServiceDisconnect = 0x01000000,
    HcsNotificationFlagsReserved = (int32_t) 0xF0000000u
} HCS_NOTIFICATIONS;

typedef void(CALLBACK *HCS_NOTIFICATION_CALLBACK)(DWORD notificationType, void *context,
                                                  HRESULT notificationStatus,
                                                  PCWSTR notificationData);

/* ---- processes, options of create ---- */

/* The standard handles are the caller's, to be closed with CloseHandle(); NULL where there is
 * none. */
typedef struct HCS_PROCESS_INFORMATION {
    DWORD ProcessId;
    DWORD Reserved;
    HANDLE StdInput;
    HANDLE StdOutput;
    HANDLE StdError;
} HCS_PROCESS_INFORMATION;

typedef enum HCS_CREATE_OPTIONS { HcsCreateOptions_1 = 0x00010000 } HCS_CREATE_OPTIONS;

typedef struct HCS_CREATE_OPTIONS_1 {
    HCS_CREATE_OPTIONS Version;
    HANDLE UserToken;
    SECURITY_DESCRIPTOR *SecurityDescriptor;
    HCS_EVENT_OPTIONS CallbackOptions;
    void *CallbackContext;
    HCS_EVENT_CALLBACK Callback;
} HCS_CREATE_OPTIONS_1;

#ifdef __cplusplus
}

inline HCS_EVENT_OPTIONS operator|(HCS_EVENT_OPTIONS a, HCS_EVENT_OPTIONS b)
{
    return static_cast<HCS_EVENT_OPTIONS>(static_cast<int>(a) | static_cast<int>(b));
}
inline HCS_EVENT_OPTIONS operator&(HCS_EVENT_OPTIONS a, HCS_EVENT_OPTIONS b)
{
    return static_cast<HCS_EVENT_OPTIONS>(static_cast<int>(a) & static_cast<int>(b));
}
#endif
#endif
