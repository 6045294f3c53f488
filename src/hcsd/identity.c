/* identity.c - which machine this is.
 * Owns:    the file host-id in the state directory, where the system has no machine id.
 * Users:   main.c, once.
 * Promise: an id that was told once is told again. */

#include "identity.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"

#define FILE_MAX 128

/* What makes the id ours: the machine id itself is nobody's business. */
static const sd_id128_t application =
    SD_ID128_MAKE(6c, 69, 62, 68, 63, 73, 4a, 1e, 9d, 20, 5b, 07, c1, 4e, 83, f2);

static hcs_result read_kept(const char *path, char out[HOST_ID_SIZE], hcs_error *err)
{
    _cleanup_(free_drop) char *text = NULL;
    sd_id128_t id;
    hcs_result r = file_read(path, FILE_MAX, &text, NULL, err);

    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = '\0';
    if (sd_id128_from_string(text, &id) < 0)
        return fail(err, HCS_E_WIN32_INVALID_DATA, "hcsd.identity",
                    "'%s' holds no id of a host: remove it, and this host will have another one",
                    path);
    sd_id128_to_string(id, out);
    return HCS_OK;
}

static hcs_result make_kept(const char *path, char out[HOST_ID_SIZE], hcs_error *err)
{
    char line[HOST_ID_SIZE + 1];
    sd_id128_t id;
    int r = sd_id128_randomize(&id);

    if (r < 0)
        return fail_os(err, result_from_errno(-r), -r, "hcsd.identity", "random id of this host");
    sd_id128_to_string(id, out);
    snprintf(line, sizeof line, "%s\n", out);
    return file_write_atomic(path, line, strlen(line), 0600, err);
}

hcs_result identity_load_kept(const char *state_dir, char out[HOST_ID_SIZE], hcs_error *err)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/host-id", state_dir);
    return access(path, F_OK) == 0 ? read_kept(path, out, err) : make_kept(path, out, err);
}

hcs_result identity_load(const char *state_dir, char out[HOST_ID_SIZE], hcs_error *err)
{
    sd_id128_t id;

    if (sd_id128_get_machine_app_specific(application, &id) < 0)
        return identity_load_kept(state_dir, out, err);
    sd_id128_to_string(id, out);
    return HCS_OK;
}
