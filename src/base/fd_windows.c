/* fd_windows.c - sockets as owned resources, and small files, on Windows.
 *
 * Owns nothing past a call.  Used by wire and the library.  Promises that paths are UTF-8 on our
 * side, whatever the code page is. */
#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>

#include <windows.h>

#include <assert.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "fd.h"
#include "utf.h"

#define READ_STEP 4096

void fd_drop(int *fd)
{
    DWORD saved = GetLastError();

    if (*fd >= 0)
        closesocket((SOCKET) *fd);
    *fd = -1;
    SetLastError(saved);
}

hcs_result fd_nonblocking(int fd, hcs_error *err)
{
    u_long yes = 1;
    int os;

    if (ioctlsocket((SOCKET) fd, FIONBIO, &yes) == 0)
        return HCS_OK;
    os = WSAGetLastError();
    return fail_os(err, result_from_windows((DWORD) os), os, "fd.nonblocking", "socket %d", fd);
}

static wchar_t *wide_of(const char *text)
{
    size_t n = strlen(text);
    wchar_t *wide = calloc(utf16_length_of_utf8(text, n, NULL) + 1, sizeof *wide);

    if (wide)
        utf16_from_utf8(text, n, wide);
    return wide;
}

static void handle_drop(HANDLE *h)
{
    if (*h != INVALID_HANDLE_VALUE)
        CloseHandle(*h);
}

static hcs_result read_all(HANDLE file, const char *path, struct buf *b, hcs_error *err)
{
    for (;;) {
        size_t room = b->ceiling - b->length < READ_STEP ? b->ceiling - b->length : READ_STEP;
        hcs_result r = buf_reserve(b, room);
        char probe;
        DWORD n;

        if (r < 0)
            return fail(err, r, "file.read", "no memory for '%s'", path);
        if (!ReadFile(file, room ? b->data + b->length : &probe, room ? (DWORD) room : 1, &n, NULL))
            return fail_os(err, result_from_windows(GetLastError()), (int) GetLastError(),
                           "file.read", "read '%s'", path);
        if (n == 0)
            return HCS_OK;
        if (room == 0)
            return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "file.read",
                        "'%s' is larger than %zu bytes", path, b->ceiling);
        b->length += n;
        b->data[b->length] = '\0';
    }
}

hcs_result file_read(const char *path, size_t ceiling, char **out, size_t *out_length_opt,
                     hcs_error *err)
{
    _cleanup_(handle_drop) HANDLE file = INVALID_HANDLE_VALUE;
    _cleanup_(free_drop) wchar_t *wide = NULL;
    _cleanup_(buf_done) struct buf b;
    hcs_result r;

    assert(path && out);
    buf_init(&b, ceiling);
    wide = wide_of(path);
    if (!wide)
        return fail(err, HCS_E_OUTOFMEMORY, "file.read", "no memory for '%s'", path);
    file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                       NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return fail_os(err, result_from_windows(GetLastError()), (int) GetLastError(), "file.read",
                       "open '%s'", path);
    r = read_all(file, path, &b, err);
    if (r < 0)
        return r;
    if (out_length_opt)
        *out_length_opt = b.length;
    *out = TAKE(b.data);
    return HCS_OK;
}
