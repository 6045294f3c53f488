/* host.c - the handle of a host, and the connections it keeps.
 *
 * Owns:    the address and up to IDLE_MAX idle connections.
 * Users:   everything in the library; systems, processes, operations and streams each hold a
 *          reference, so that the user may close the host first.
 * Promise: usable from any thread; the lock is never held while talking to the service.
 */
#include <assert.h>
#include <string.h>

#include "cursor.h"
#include "handles.h"

/* Where the service is: a port of this machine, and what messages call it, or a socket's path. */
static hcs_result address_parse(const char *address_opt, struct vl_host *out, hcs_error *err)
{
    size_t n = strlen(LOOPBACK_PREFIX);
    hcs_result r;

    out->is_tcp = address_opt && strncmp(address_opt, LOOPBACK_PREFIX, n) == 0;
    if (!out->is_tcp)
        return autostart_address(address_opt, &out->path, err);
    r = loopback_parse(address_opt, "host.address", &out->tcp, err);
    if (r < 0)
        return r;
    out->path = strdup(address_opt);
    if (!out->path)
        return fail(err, HCS_E_OUTOFMEMORY, "host.address", "no memory for an address");
    return HCS_OK;
}

static hcs_result host_new(const char *address_opt, struct vl_host **out, hcs_error *err)
{
    struct vl_host *host;
    hcs_result r;

    host = calloc(1, sizeof(*host));
    if (!host)
        return fail(err, HCS_E_OUTOFMEMORY, "host.open", "no memory for a host");
    host->head.backend = &varlink_backend;
    atomic_init(&host->references, 1);
    r = address_parse(address_opt, host, err);
    if (r < 0) {
        free(host);
        return r;
    }
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

hcs_result vl_host_open(const char *address_opt, hcs_host **out, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    uint64_t deadline = 0;
    struct vl_host *host = NULL;
    hcs_result r;

    varlink_message_init(&reply);
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

/* The one object that the service answers a method with that takes nothing. */
static hcs_result ask(hcs_host *host, const char *method, const char *name, char **out_document,
                      hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    hcs_result r;

    varlink_message_init(&reply);
    r = call_make(vl_host_of(host), method, json_object(), NULL, 0, NO_DEADLINE, &reply, err);
    if (r < 0)
        return r;
    return call_document(&reply, name, out_document, err);
}

hcs_result vl_host_info(hcs_host *host, char **out_document, hcs_error *err)
{
    return ask(host, INTERFACE "GetInfo", "info", out_document, err);
}

hcs_result vl_host_status(hcs_host *host, char **out_document, hcs_error *err)
{
    return ask(host, INTERFACE "GetStatus", "status", out_document, err);
}

static hcs_result list_systems(struct vl_host *host, const char *query_opt, bool snapshot,
                               struct varlink_message *reply, const char *where, hcs_error *err)
{
    json_t *query = NULL;
    hcs_result r;

    if (query_opt) {
        r = call_text(query_opt, HCS_E_INVALID_JSON, where, "query", &query, err);
        if (r < 0)
            return r;
    }
    return call_make(
        host, INTERFACE "ListSystems",
        json_pack("{s:o*, s:o*}", "query", query, "snapshot", snapshot ? json_true() : NULL), NULL,
        0, NO_DEADLINE, reply, err);
}

hcs_result vl_host_enumerate(hcs_host *host, const char *query_opt, char **out_document,
                             hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    hcs_result r;

    varlink_message_init(&reply);
    r = list_systems(vl_host_of(host), query_opt, false, &reply, "hcs_host_enumerate", err);
    return r < 0 ? r : call_document(&reply, "systems", out_document, err);
}

hcs_result vl_host_snapshot(hcs_host *host, const char *query_opt, char **out_document,
                            char cursor[HCS_CURSOR_SIZE], hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    const json_t *position, *after;
    const char *log;
    hcs_result r;

    varlink_message_init(&reply);
    r = list_systems(vl_host_of(host), query_opt, true, &reply, "hcs_host_snapshot", err);
    if (r < 0)
        return r;
    position = json_object_get(reply.json, "position");
    after = json_object_get(position, "after");
    log = json_string_value(json_object_get(position, "log"));
    if (!log || !json_is_integer(after) || json_integer_value(after) < 0 ||
        cursor_format(log, (uint64_t) json_integer_value(after), cursor) < 0)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "host.snapshot",
                    "the service at '%s' does not say where in its log the list stands",
                    vl_host_of(host)->path);
    return call_document(&reply, "systems", out_document, err);
}

hcs_result vl_host_set_log_bytes(hcs_host *host, size_t bytes, hcs_error *err)
{
    (void) bytes;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "host.set_log_bytes",
                "the log is that of the service at '%s', which decides what it keeps",
                vl_host_of(host)->path);
}
