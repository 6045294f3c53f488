/* sdk.h - the flat API's types and functions, on Linux and on Windows.
 *
 * On Windows the headers are those of mingw-w64, which have no HCS_E_ codes and may not have the
 * newer types and functions: those are here, and the codes are libhcs's on both.  Used by the
 * sources here and by their tests. */
#ifndef HCS_COMPAT_SDK_H
#define HCS_COMPAT_SDK_H

#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

#include <computecore.h>

/* What older headers lack. */
#ifndef HAVE_HCS_OPERATION_OPTIONS

typedef enum HCS_OPERATION_OPTIONS {
    HcsOperationOptionNone = 0,
    HcsOperationOptionProgressUpdate = 1,
    HcsOperationOptionReserved1 = 2
} HCS_OPERATION_OPTIONS;

typedef enum HCS_RESOURCE_TYPE {
    HcsResourceTypeNone = 0,
    HcsResourceTypeFile = 1
} HCS_RESOURCE_TYPE;

#define HcsEventGroupVmLifecycle ((HCS_EVENT_TYPE) 0x80000002u)
#define HcsEventOptionEnableVmLifecycle ((HCS_EVENT_OPTIONS) 2)
#define HcsEventOptionEnableLiveMigrationEvents ((HCS_EVENT_OPTIONS) 4)

#endif
#ifndef HAVE_HCS_OPERATION_NOTIFICATIONS

HCS_OPERATION WINAPI HcsCreateOperationWithNotifications(HCS_OPERATION_OPTIONS eventTypes,
                                                         const void *context,
                                                         HCS_EVENT_CALLBACK callback);
HRESULT WINAPI HcsAddResourceToOperation(HCS_OPERATION operation, HCS_RESOURCE_TYPE type,
                                         PCWSTR uri, HANDLE handle);
HRESULT WINAPI HcsGetOperationProperties(HCS_OPERATION operation, PCWSTR options,
                                         PWSTR *resultDocument);

#endif

#else
#include "computecore.h"
#endif

#endif
