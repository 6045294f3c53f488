/* token.c - the file in which hcsd tells its user port and token for TCP.
 *
 * Owns:    nothing past a call.
 * Users:   tcp.c, for each new connection: a service that was started again has another token.
 * Promise: a file that somebody else may have written, or may read, is not believed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "environment.h"
#include "fd.h"
#include "tcp.h"

#define LINE_MAX_BYTES 256

#ifdef _WIN32

/* Who may read it is for those to see to who made it: over TCP there is only a service of Linux,
 * whose clients here run under Wine. */
static hcs_result read_line(const char *path, char line[LINE_MAX_BYTES], hcs_error *err)
{
    _cleanup_(free_drop) char *text = NULL;
    hcs_result r = file_read(path, LINE_MAX_BYTES - 1, &text, NULL, err);

    if (r == HCS_E_WIN32_FILE_NOT_FOUND || r == HCS_E_WIN32_PATH_NOT_FOUND)
        return fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.token",
                    "token file '%s' (HCS_TOKEN_FILE; hcsd --tcp writes it) is not there", path);
    if (r >= 0)
        snprintf(line, LINE_MAX_BYTES, "%s", text);
    return r;
}

#else

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

static hcs_result read_line(const char *path, char line[LINE_MAX_BYTES], hcs_error *err)
{
    _cleanup_(fd_drop) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    hcs_result r;
    ssize_t n;

    if (fd < 0)
        return cannot_read(errno, path, err);
    r = check_owner(fd, path, err);
    if (r < 0)
        return r;
    n = read(fd, line, LINE_MAX_BYTES - 1);
    if (n < 0)
        return cannot_read(errno, path, err);
    line[n] = '\0';
    return HCS_OK;
}

#endif

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
    _cleanup_(free_drop) char *path = environment_get("HCS_TOKEN_FILE");
    char line[LINE_MAX_BYTES] = "";
    hcs_result r;

    if (!path || !*path)
        return fail(err, HCS_E_ACCESS_DENIED, "host.token",
                    "HCS_TOKEN_FILE is not set: it names the file that hcsd writes with "
                    "--token-file");
    r = read_line(path, line, err);
    return r < 0 ? r : parse(line, path, out_port, out_token, err);
}
