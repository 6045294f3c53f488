/* host.c - the handle of a host, and the connections it keeps.
 *
 * Owns:    the address and up to IDLE_MAX idle connections.
 * Users:   everything in the library; systems, processes, operations and streams each hold a
 *          reference, so that the user may close the host first.
 * Promise: usable from any thread; the lock is never held while talking to the service.
 */
#include <assert.h>
#include <string.h>

#include "handles.h"

static hcs_result host_new(const char *path_opt, struct vl_host **out, hcs_error *err)
{
    _cleanup_(free_drop) char *path = NULL;
    hcs_result r;
    struct vl_host *host;

    r = autostart_address(path_opt, &path, err);
    if (r < 0)
        return r;
    host = calloc(1, sizeof(*host));
    if (!host)
        return fail(err, HCS_E_OUTOFMEMORY, "host.open", "no memory for a host");
    host->head.backend = &varlink_backend;
    atomic_init(&host->references, 1);
    host->path = TAKE(path);
    lock_init(&host->lock);
    *out = host;
    return HCS_OK;
}

struct vl_host *vl_host_ref(struct vl_host *host)
{
    assert(host);
    atomic_fetch_add_explicit(&host->references, 1, memory_order_relaxed);
    return host;
}

void vl_host_unref(struct vl_host *host)
{
    if (!host || atomic_fetch_sub_explicit(&host->references, 1, memory_order_acq_rel) > 1)
        return;
    while (host->n_idle > 0)
        varlink_drop(host->idle[--host->n_idle]);
    lock_done(&host->lock);
    free(host->path);
    free(host);
}

struct varlink *vl_host_take_idle(struct vl_host *host)
{
    struct varlink *link = NULL;

    assert(host);
    lock_take(&host->lock);
    if (host->n_idle > 0)
        link = host->idle[--host->n_idle];
    lock_give(&host->lock);
    return link;
}

void vl_host_give_idle(struct vl_host *host, struct varlink *take_link)
{
    assert(host && take_link);
    lock_take(&host->lock);
    if (host->n_idle < IDLE_MAX) {
        host->idle[host->n_idle++] = take_link;
        take_link = NULL;
    }
    lock_give(&host->lock);
    varlink_drop(take_link);
}

/* ---- verbs of the back end ---- */

hcs_result vl_host_open(const char *path_opt, hcs_host **out, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    uint64_t deadline = 0;
    struct vl_host *host = NULL;
    hcs_result r;

    varlink_message_init(&reply);
    r = deadline_of(START_LIMIT_MS, "hcs_host_open", &deadline, err);
    if (r < 0)
        return r;
    r = host_new(path_opt, &host, err);
    if (r < 0)
        return r;
    r = call_make(host, INTERFACE "GetInfo", json_object(), NULL, 0, deadline, &reply, err);
    if (r == HCS_E_OPERATION_TIMEOUT)
        r = fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.open",
                 "the service at '%s' did not answer within %d s", host->path,
                 START_LIMIT_MS / 1000);
    if (r < 0) {
        vl_host_unref(host);
        return r;
    }
    *out = &host->head;
    return HCS_OK;
}

void vl_host_close(hcs_host *host)
{
    vl_host_unref(vl_host_of(host));
}

hcs_result vl_host_info(hcs_host *host, char **out_document, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    hcs_result r;

    varlink_message_init(&reply);
    r = call_make(vl_host_of(host), INTERFACE "GetInfo", json_object(), NULL, 0, NO_DEADLINE,
                  &reply, err);
    if (r < 0)
        return r;
    return call_document(&reply, "info", out_document, err);
}

hcs_result vl_host_enumerate(hcs_host *host, const char *query_opt, char **out_document,
                             hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    json_t *query = NULL;
    hcs_result r;

    varlink_message_init(&reply);
    if (query_opt) {
        r = call_text(query_opt, HCS_E_INVALID_JSON, "hcs_host_enumerate", "query", &query, err);
        if (r < 0)
            return r;
    }
    r = call_make(vl_host_of(host), INTERFACE "ListSystems", json_pack("{s:o*}", "query", query),
                  NULL, 0, NO_DEADLINE, &reply, err);
    if (r < 0)
        return r;
    return call_document(&reply, "systems", out_document, err);
}

hcs_result vl_host_set_log_bytes(hcs_host *host, size_t bytes, hcs_error *err)
{
    (void) bytes;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "host.set_log_bytes",
                "the log is that of the service at '%s', which decides what it keeps",
                vl_host_of(host)->path);
}
