/* err_linux.c - what errno means.
 *
 * Owns nothing.  Used by err.c and by whoever makes system calls.  Promises a code and words for
 * every number. */
#include <errno.h>
#include <string.h>

#include "err.h"

const char *os_words(int os, char *buffer, size_t size)
{
    /* strerror() of both glibc (since 2.32) and musl may be called from any thread. */
    (void) buffer;
    (void) size;
    return strerror(os);
}

static const struct {
    int os;
    hcs_result code;
} codes_of_errno[] = {
    { ENOENT, HCS_E_WIN32_FILE_NOT_FOUND },
    { ENOTDIR, HCS_E_WIN32_PATH_NOT_FOUND },
    { ESRCH, HCS_E_WIN32_NOT_FOUND },
    { EACCES, HCS_E_WIN32_ACCESS_DENIED },
    { EPERM, HCS_E_WIN32_ACCESS_DENIED },
    { EROFS, HCS_E_WIN32_ACCESS_DENIED },
    { ENOMEM, HCS_E_OUTOFMEMORY },
    { EMFILE, HCS_E_OUTOFMEMORY },
    { ENFILE, HCS_E_OUTOFMEMORY },
    { ENOBUFS, HCS_E_OUTOFMEMORY },
    { ENOSPC, HCS_E_WIN32_DISK_FULL },
    { EDQUOT, HCS_E_WIN32_DISK_FULL },
    { EBUSY, HCS_E_WIN32_BUSY },
    { EAGAIN, HCS_E_WIN32_BUSY },
    { ETXTBSY, HCS_E_WIN32_SHARING_VIOLATION },
    { EINVAL, HCS_E_INVALIDARG },
    { ENAMETOOLONG, HCS_E_INVALIDARG },
    { ELOOP, HCS_E_INVALIDARG },
    { E2BIG, HCS_E_WIN32_INSUFFICIENT_BUFFER },
    { EMSGSIZE, HCS_E_WIN32_INSUFFICIENT_BUFFER },
    { EFBIG, HCS_E_WIN32_INSUFFICIENT_BUFFER },
    { EFAULT, HCS_E_POINTER },
    { EBADF, HCS_E_WIN32_INVALID_HANDLE },
    { ENOEXEC, HCS_E_WIN32_INVALID_DATA },
    { EBADMSG, HCS_E_WIN32_INVALID_DATA },
    { EPROTO, HCS_E_PROTOCOL_ERROR },
    { ENOSYS, HCS_E_WIN32_NOT_SUPPORTED },
    { EOPNOTSUPP, HCS_E_WIN32_NOT_SUPPORTED },
    { EAFNOSUPPORT, HCS_E_WIN32_NOT_SUPPORTED },
    { ETIMEDOUT, HCS_E_OPERATION_TIMEOUT },
    { ECONNREFUSED, HCS_E_SERVICE_NOT_AVAILABLE },
    { EPIPE, HCS_E_SERVICE_DISCONNECT },
    { ECONNRESET, HCS_E_SERVICE_DISCONNECT },
    { ENOTCONN, HCS_E_SERVICE_DISCONNECT },
};

hcs_result result_from_errno(int os)
{
    for (size_t i = 0; i < N_ELEMENTS(codes_of_errno); i++)
        if (codes_of_errno[i].os == os)
            return codes_of_errno[i].code;
    return HCS_E_FAIL;
}
