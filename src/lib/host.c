/* host.c - the public functions of host.h that have a host.
 *
 * Owns nothing: what is behind a handle is the back end's.  Users: user programs.  Promises that an
 * address goes to one back end by its form alone, before anybody is asked. */
#include <string.h>

#include "backend.h"
#include "environment.h"

#define COMPUTECORE "computecore:"

#ifdef _WIN32
#define SOCKETS 0 /* of the kind that has a path */
#define ADDRESS_DEFAULT COMPUTECORE
#else
#define SOCKETS 1
#define ADDRESS_DEFAULT NULL
#endif

#define LOG_BYTES_MIN ((size_t) 64 << 10)
#define LOG_BYTES_MAX ((size_t) 1 << 30)

static const char *behind(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

#ifdef _WIN32

static hcs_result address_refuse(const char *address, const char *name, hcs_error *err)
{
    return fail(err, HCS_E_INVALIDARG, "host.address",
                "%s '%s' is neither computecore: nor tcp:127.0.0.1:PORT%s", name, address,
                behind(address, "unix:") || address[0] == '/'
                    ? ", and Windows has no sockets of this kind"
                    : "");
}

#else

static hcs_result address_refuse(const char *address, const char *name, hcs_error *err)
{
    return fail(err, HCS_E_INVALIDARG, "host.address",
                "%s '%s' is neither unix:/path nor an absolute path nor tcp:127.0.0.1:PORT nor "
                "computecore:",
                name, address);
}

#endif

/* The back end of an address, and what of the address is left for it. */
static hcs_result address_resolve(const char *address_opt, const char *given_opt,
                                  const struct backend **out_backend, const char **out_rest_opt,
                                  hcs_error *err)
{
    const char *given = given_opt ? given_opt : ADDRESS_DEFAULT;
    const char *rest = given;

    if (given && behind(given, COMPUTECORE)) {
        *out_backend = &computecore_backend;
        *out_rest_opt = behind(given, COMPUTECORE);
        return HCS_OK;
    }
    if (given && behind(given, "unix:"))
        rest = behind(given, "unix:");
    if (rest && !(SOCKETS && rest[0] == '/') && !behind(rest, "tcp:"))
        return address_refuse(given, address_opt ? "address" : "HCS_HOST", err);
    *out_backend = &varlink_backend;
    *out_rest_opt = rest;
    return HCS_OK;
}

hcs_result hcs_host_open(const char *address_opt, hcs_host **out, hcs_error *err)
{
    _cleanup_(free_drop) char *set = address_opt ? NULL : environment_get("HCS_HOST");
    const struct backend *backend = NULL;
    const char *rest_opt = NULL;
    hcs_result r;

    NEED(out, "hcs_host_open");
    r = address_resolve(address_opt, address_opt ? address_opt : set, &backend, &rest_opt, err);
    if (r < 0)
        return r;
    return backend->host_open(rest_opt, out, err);
}

void hcs_host_close(hcs_host *host)
{
    if (host)
        host->backend->host_close(host);
}

hcs_result hcs_host_info(hcs_host *host, char **out_document, hcs_error *err)
{
    NEED(host, "hcs_host_info");
    NEED(out_document, "hcs_host_info");
    return host->backend->host_info(host, out_document, err);
}

hcs_result hcs_host_status(hcs_host *host, char **out_document, hcs_error *err)
{
    NEED(host, "hcs_host_status");
    NEED(out_document, "hcs_host_status");
    return host->backend->host_status(host, out_document, err);
}

hcs_result hcs_host_enumerate(hcs_host *host, const char *query_opt, char **out_document,
                              hcs_error *err)
{
    NEED(host, "hcs_host_enumerate");
    NEED(out_document, "hcs_host_enumerate");
    return host->backend->host_enumerate(host, query_opt, out_document, err);
}

hcs_result hcs_host_snapshot(hcs_host *host, const char *query_opt, char **out_document,
                             char cursor[HCS_CURSOR_SIZE], hcs_error *err)
{
    NEED(host, "hcs_host_snapshot");
    NEED(out_document, "hcs_host_snapshot");
    NEED(cursor, "hcs_host_snapshot");
    return host->backend->host_snapshot(host, query_opt, out_document, cursor, err);
}

hcs_result hcs_host_set_log_bytes(hcs_host *host, size_t bytes, hcs_error *err)
{
    NEED(host, "hcs_host_set_log_bytes");
    if (bytes < LOG_BYTES_MIN || bytes > LOG_BYTES_MAX)
        return fail(err, HCS_E_INVALIDARG, "hcs_host_set_log_bytes",
                    "a log of %zu bytes: it must be %zu to %zu", bytes, LOG_BYTES_MIN,
                    LOG_BYTES_MAX);
    return host->backend->host_set_log_bytes(host, bytes, err);
}
