/* computebase.h - what programs of the compute API take from windows.h on Windows, for Linux.
 *
 * Types of exactly the same size, the constants that go with them, and the few system calls
 * without which such a program does not get far; libcomputecore provides them.  On Windows
 * include windows.h instead: this file does that for you.
 *
 *   WCHAR   char16_t, so texts are written u"..." (good C on Windows too).  Never use the wcs
 *           functions or L"..." on them here: wchar_t has four bytes.
 *   HANDLE  carries a file descriptor: HANDLE_TO_FD() and HANDLE_FROM_FD().  NULL and
 *           INVALID_HANDLE_VALUE are no handle; the library never gives out descriptor 0.
 */
#ifndef HCS_COMPUTEBASE_H
#define HCS_COMPUTEBASE_H

#ifdef _WIN32
#include <windows.h>
#else

#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <uchar.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int BOOL;
typedef uint8_t BYTE;
typedef uint32_t DWORD;
typedef uint32_t UINT32;
typedef uint64_t UINT64;
typedef int32_t HRESULT;
typedef char16_t WCHAR;
typedef WCHAR *PWSTR;
typedef const WCHAR *PCWSTR;
typedef void *PVOID;
typedef void *HANDLE;
typedef void *HLOCAL;
typedef struct SECURITY_DESCRIPTOR SECURITY_DESCRIPTOR; /* never looked into */
typedef struct SECURITY_ATTRIBUTES SECURITY_ATTRIBUTES; /* never looked into */
typedef struct OVERLAPPED OVERLAPPED;                   /* not provided: pass NULL */

/* One calling convention only. */
#define WINAPI
#define CALLBACK

#define FALSE 0
#define TRUE 1
#define INFINITE 0xFFFFFFFFu
#define GENERIC_ALL 0x10000000u
#define INVALID_HANDLE_VALUE ((HANDLE) (intptr_t) -1)
#define HANDLE_TO_FD(handle) ((handle) ? (int) (intptr_t) (handle) : -1)
#define HANDLE_FROM_FD(fd) ((HANDLE) (intptr_t) (fd))

#define WAIT_OBJECT_0 0u
#define WAIT_TIMEOUT 258u
#define WAIT_FAILED 0xFFFFFFFFu

#define ERROR_SUCCESS 0
#define ERROR_FILE_NOT_FOUND 2
#define ERROR_PATH_NOT_FOUND 3
#define ERROR_ACCESS_DENIED 5
#define ERROR_INVALID_HANDLE 6
#define ERROR_INVALID_DATA 13
#define ERROR_NOT_SUPPORTED 50
#define ERROR_INVALID_PARAMETER 87
#define ERROR_BROKEN_PIPE 109
#define ERROR_NOT_FOUND 1168

#define SUCCEEDED(result) ((HRESULT) (result) >= 0)
#define FAILED(result) ((HRESULT) (result) < 0)
#define HRESULT_FROM_WIN32(error)                                                                  \
    ((HRESULT) (error) <= 0 ? (HRESULT) (error)                                                    \
                            : (HRESULT) (((uint32_t) (error) &0xFFFFu) | 0x80070000u))

#define S_OK ((HRESULT) 0)
#define S_FALSE ((HRESULT) 1)
#define E_NOTIMPL ((HRESULT) 0x80004001u)
#define E_POINTER ((HRESULT) 0x80004003u)
#define E_FAIL ((HRESULT) 0x80004005u)
#define E_UNEXPECTED ((HRESULT) 0x8000FFFFu)
#define E_ACCESSDENIED ((HRESULT) 0x80070005u)
#define E_HANDLE ((HRESULT) 0x80070006u)
#define E_OUTOFMEMORY ((HRESULT) 0x8007000Eu)
#define E_INVALIDARG ((HRESULT) 0x80070057u)

#define HCS_COMPUTECORE_API __attribute__((visibility("default")))

/* Release a text that a call of the API gave.  NULL is allowed.  Returns NULL.  Both functions do
 * the same: programs use either. */
HCS_COMPUTECORE_API HLOCAL LocalFree(HLOCAL memory);
HCS_COMPUTECORE_API void CoTaskMemFree(PVOID memory);

/* Close a standard handle of a process, or an event.  FALSE for what is no handle. */
HCS_COMPUTECORE_API BOOL CloseHandle(HANDLE handle);

/* Read what there is, waiting for the first byte.  At the end FALSE, with ERROR_BROKEN_PIPE as
 * the last error, as on a pipe of Windows.  @overlapped must be NULL. */
HCS_COMPUTECORE_API BOOL ReadFile(HANDLE handle, void *buffer, DWORD size, DWORD *out_read,
                                  OVERLAPPED *overlapped);

/* Write all of it.  A reader that has gone is FALSE and ERROR_BROKEN_PIPE, never a signal. */
HCS_COMPUTECORE_API BOOL WriteFile(HANDLE handle, const void *buffer, DWORD size,
                                   DWORD *out_written, OVERLAPPED *overlapped);

/* An event, without a name.  Wait for one object: an event, or a standard handle that has data. */
HCS_COMPUTECORE_API HANDLE CreateEventW(SECURITY_ATTRIBUTES *attributes, BOOL manual_reset,
                                        BOOL set, PCWSTR name);
HCS_COMPUTECORE_API BOOL SetEvent(HANDLE event);
HCS_COMPUTECORE_API BOOL ResetEvent(HANDLE event);
HCS_COMPUTECORE_API DWORD WaitForSingleObject(HANDLE object, DWORD timeout_ms);

/* Why the last of these calls of this thread returned FALSE, NULL or WAIT_FAILED. */
HCS_COMPUTECORE_API DWORD GetLastError(void);

#ifdef __cplusplus
}
#endif
#endif
#endif
