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

static hcs_result host_new(const char *address_opt, hcs_host **out, hcs_error *err)
{
    _cleanup_(free_drop) char *path = NULL;
    hcs_result r;
    hcs_host *host;

    r = autostart_address(address_opt, &path, err);
    if (r < 0)
        return r;
    host = calloc(1, sizeof(*host));
    if (!host)
        return fail(err, HCS_E_OUTOFMEMORY, "host.open", "no memory for a host");
    atomic_init(&host->references, 1);
    host->path = TAKE(path);
    pthread_mutex_init(&host->lock, NULL);
    *out = host;
    return HCS_OK;
}

hcs_host *host_ref(hcs_host *host)
{
    assert(host);
    atomic_fetch_add_explicit(&host->references, 1, memory_order_relaxed);
    return host;
}

void host_unref(hcs_host *host)
{
    if (!host || atomic_fetch_sub_explicit(&host->references, 1, memory_order_acq_rel) > 1)
        return;
    while (host->n_idle > 0)
        varlink_drop(host->idle[--host->n_idle]);
    pthread_mutex_destroy(&host->lock);
    free(host->path);
    free(host);
}

struct varlink *host_take_idle(hcs_host *host)
{
    struct varlink *link = NULL;

    assert(host);
    pthread_mutex_lock(&host->lock);
    if (host->n_idle > 0)
        link = host->idle[--host->n_idle];
    pthread_mutex_unlock(&host->lock);
    return link;
}

void host_give_idle(hcs_host *host, struct varlink *take_link)
{
    assert(host && take_link);
    pthread_mutex_lock(&host->lock);
    if (host->n_idle < IDLE_MAX) {
        host->idle[host->n_idle++] = take_link;
        take_link = NULL;
    }
    pthread_mutex_unlock(&host->lock);
    varlink_drop(take_link);
}

/* ---- public ---- */

hcs_result hcs_host_open(const char *address_opt, hcs_host **out, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    uint64_t deadline = 0;
    hcs_host *host = NULL;
    hcs_result r;

    varlink_message_init(&reply);
    NEED(out, "hcs_host_open");
    r = deadline_of(START_LIMIT_MS, "hcs_host_open", &deadline, err);
    if (r < 0)
        return r;
    r = host_new(address_opt, &host, err);
    if (r < 0)
        return r;
    r = call_make(host, INTERFACE "GetInfo", json_object(), NULL, 0, deadline, &reply, err);
    if (r == HCS_E_OPERATION_TIMEOUT)
        r = fail(err, HCS_E_SERVICE_NOT_AVAILABLE, "host.open",
                 "the service at '%s' did not answer within %d s", host->path,
                 START_LIMIT_MS / 1000);
    if (r < 0) {
        host_unref(host);
        return r;
    }
    *out = host;
    return HCS_OK;
}

void hcs_host_close(hcs_host *host)
{
    host_unref(host);
}

hcs_result hcs_host_info(hcs_host *host, char **out_document, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    hcs_result r;

    varlink_message_init(&reply);
    NEED(host, "hcs_host_info");
    NEED(out_document, "hcs_host_info");
    r = call_make(host, INTERFACE "GetInfo", json_object(), NULL, 0, NO_DEADLINE, &reply, err);
    if (r < 0)
        return r;
    return call_document(&reply, "info", out_document, err);
}

hcs_result hcs_host_enumerate(hcs_host *host, const char *query_opt, char **out_document,
                              hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    json_t *query = NULL;
    hcs_result r;

    varlink_message_init(&reply);
    NEED(host, "hcs_host_enumerate");
    NEED(out_document, "hcs_host_enumerate");
    if (query_opt) {
        r = call_text(query_opt, HCS_E_INVALID_JSON, "hcs_host_enumerate", "query", &query, err);
        if (r < 0)
            return r;
    }
    r = call_make(host, INTERFACE "ListSystems", json_pack("{s:o*}", "query", query), NULL, 0,
                  NO_DEADLINE, &reply, err);
    if (r < 0)
        return r;
    return call_document(&reply, "systems", out_document, err);
}
