/* token.c - the file in which hcsd tells its user port and token for TCP.
 *
 * Owns:    nothing past a call.
 * Users:   tcp.c, for each new connection: a service that was started again has another token.
 * Promise: a file that somebody else may have written, or may read, is not believed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "tcp.h"

#define LINE_MAX_BYTES 256

static hcs_result cannot_read(int os, const char *path, hcs_error *err)
{
    if (os == ENOENT || os == ENOTDIR)
        return fail_os(err, HCS_E_SERVICE_NOT_AVAILABLE, os, "host.token",
                       "token file '%s' (HCS_TOKEN_FILE; hcsd --tcp writes it)", path);
    return fail_os(err, os == EACCES ? HCS_E_ACCESS_DENIED : result_from_errno(os), os,
                   "host.token", "token file '%s'", path);
}

static hcs_result check_owner(int fd, const char *path, hcs_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return cannot_read(errno, path, err);
    if (!S_ISREG(st.st_mode))
        return fail(err, HCS_E_ACCESS_DENIED, "host.token", "token file '%s' is no file", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return fail(err, HCS_E_ACCESS_DENIED, "host.token",
                    "token file '%s' belongs to uid %u: it must be this user's or root's", path,
                    st.st_uid);
    if (st.st_mode & 077)
        return fail(err, HCS_E_ACCESS_DENIED, "host.token",
                    "token file '%s' is open to others (mode %03o, must be 600)", path,
                    st.st_mode & 0777);
    return HCS_OK;
}

static hcs_result parse(const char *line, const char *path, uint16_t *out_port,
                        char out_token[TOKEN_MAX], hcs_error *err)
{
    unsigned port = 0;
    int end = 0;

    if (sscanf(line, "%5u %127[0-9a-f]%n", &port, out_token, &end) != 2 || port == 0 ||
        port > 65535 || strcmp(line + end, "\n") != 0)
        return fail(err, HCS_E_ACCESS_DENIED, "host.token",
                    "'%s' is no token file: one has a line of port and token", path);
    *out_port = (uint16_t) port;
    return HCS_OK;
}

hcs_result token_read(uint16_t *out_port, char out_token[TOKEN_MAX], hcs_error *err)
{
    const char *path = secure_getenv("HCS_TOKEN_FILE");
    char line[LINE_MAX_BYTES] = "";
    _cleanup_(fd_drop) int fd = -1;
    hcs_result r;
    ssize_t n;

    if (!path || !*path)
        return fail(err, HCS_E_ACCESS_DENIED, "host.token",
                    "HCS_TOKEN_FILE is not set: it names the file that hcsd writes with "
                    "--token-file");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return cannot_read(errno, path, err);
    r = check_owner(fd, path, err);
    if (r < 0)
        return r;
    n = read(fd, line, sizeof(line) - 1);
    if (n < 0)
        return cannot_read(errno, path, err);
    return parse(line, path, out_port, out_token, err);
}
