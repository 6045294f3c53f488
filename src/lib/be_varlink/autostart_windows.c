/* autostart_windows.c - there is no service on Windows to be found or started.
 *
 * Owns nothing.  Used by host.c and call.c.  Promises to say so. */
#include "handles.h"

static hcs_result not_here(const char *path_opt, hcs_error *err)
{
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "host.address",
                "'%s' is a socket of Linux: on Windows an address is computecore: (the default) or "
                "tcp:127.0.0.1:PORT",
                path_opt ? path_opt : "unix:");
}

hcs_result autostart_address(const char *path_opt, char **out_path, hcs_error *err)
{
    (void) out_path;
    return not_here(path_opt, err);
}

hcs_result autostart_connect(const char *path, int *out_fd, struct autostart *out_start,
                             hcs_error *err)
{
    (void) out_fd;
    (void) out_start;
    return not_here(path, err);
}

hcs_result autostart_connect_only(const char *path, int *out_fd, hcs_error *err)
{
    (void) out_fd;
    return not_here(path, err);
}

hcs_result autostart_explain(const char *path, const struct autostart *start, hcs_error *err)
{
    (void) start;
    return not_here(path, err);
}
