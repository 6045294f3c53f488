/* host.c - a host that is reached over the flat API.
 *
 * Owns:    the table of functions; the operations that nobody waits for any more.
 * Users:   the table of this back end; everything opened from a host keeps it.
 * Promise: a library that is missing, or lacks a function, is told by name when the host is opened,
 *          and not before.  What the user closed while HCS was still at it is let go at the latest
 *          with the last thing of its host.
 */
#include <assert.h>
#include <string.h>

#include <jansson.h>

#include "objects.h"
#include "wide.h"

#define POLL_NS UINT64_C(1000000000)

/* ---- counting ---- */

struct cc_host *cc_host_ref(struct cc_host *host)
{
    assert(host);
    atomic_fetch_add_explicit(&host->references, 1, memory_order_relaxed);
    return host;
}

void cc_host_unref(struct cc_host *host)
{
    if (atomic_fetch_sub_explicit(&host->references, 1, memory_order_acq_rel) > 1)
        return;
    lock_done(&host->lock);
    free(host->library);
    free(host);
}

struct cc_host *cc_host_use(struct cc_host *host)
{
    assert(host);
    atomic_fetch_add_explicit(&host->users, 1, memory_order_relaxed);
    return host;
}

void cc_host_unuse(struct cc_host *host)
{
    if (!host || atomic_fetch_sub_explicit(&host->users, 1, memory_order_acq_rel) > 1)
        return;
    cc_op_abandon_all(host);
    cc_host_unref(host);
}

/* ---- opening ---- */

static hcs_result host_new(const char *name, hcs_error *err, struct cc_host **out)
{
    struct cc_host *host = calloc(1, sizeof *host);

    if (host)
        host->library = strdup(name);
    if (!host || !host->library) {
        free(host);
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.open", "no memory for a host");
    }
    host->head.backend = &computecore_backend;
    atomic_init(&host->users, 1);
    atomic_init(&host->references, 1);
    atomic_init(&host->log_bytes, MEMLOG_CEILING_DEFAULT);
    host->poll_ns = POLL_NS;
    lock_init(&host->lock);
    list_init(&host->pending);
    *out = host;
    return HCS_OK;
}

hcs_result cc_host_open(const char *path_opt, hcs_host **out, hcs_error *err)
{
    struct cc_host *host = NULL;
    hcs_result r;

    if (path_opt && path_opt[0] == '\0')
        path_opt = NULL;
    r = host_new(path_opt ? path_opt : flat_default_name(), err, &host);
    if (r < 0)
        return r;
    r = flat_load(path_opt, &host->api, err);
    if (r < 0) {
        cc_host_unuse(host);
        return r;
    }
    *out = &host->head;
    return HCS_OK;
}

hcs_result cc_host_over(const struct flat_api *api, const char *name, uint64_t poll_ns,
                        hcs_host **out, hcs_error *err)
{
    struct cc_host *host = NULL;
    hcs_result r;

    assert(api && name && out);
    r = host_new(name, err, &host);
    if (r < 0)
        return r;
    host->api = *api;
    if (poll_ns)
        host->poll_ns = poll_ns;
    *out = &host->head;
    return HCS_OK;
}

void cc_host_close(hcs_host *host)
{
    cc_host_unuse(cc_host_of(host));
}

/* ---- asking ---- */

/* What HcsGetServiceProperties says, or JSON's null. */
static json_t *service_properties(struct cc_host *host)
{
    _cleanup_(free_drop) uint16_t *query = NULL;
    _cleanup_(free_drop) char *text = NULL;
    uint16_t *document = NULL;
    json_t *json = NULL;

    if (!host->api.HcsGetServiceProperties ||
        wide_from_text("{\"PropertyTypes\":[\"Basic\"]}", HCS_E_INVALIDARG, "a query", &query,
                       NULL) < 0)
        return json_null();
    if (host->api.HcsGetServiceProperties(query, &document) >= 0 &&
        wide_to_text(document, WIDE_UNITS_MAX, &text, NULL) >= 0 && text)
        json = json_loads(text, 0, NULL);
    if (document)
        host->api.LocalFree(document);
    return json ? json : json_null();
}

hcs_result cc_host_info(hcs_host *handle, char **out_document, hcs_error *err)
{
    struct cc_host *host = cc_host_of(handle);
    json_t *json = json_pack("{s:s, s:s, s:o}", "backend", "computecore", "library", host->library,
                             "serviceProperties", service_properties(host));
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.info", "no memory for an answer");
    *out_document = text;
    return HCS_OK;
}

hcs_result cc_host_list(struct cc_host *host, const char *query_opt, char **out, hcs_error *err)
{
    _cleanup_(free_drop) uint16_t *query = NULL;
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;
    char *text;
    hcs_result r = HCS_OK;

    if (query_opt)
        r = wide_from_text(query_opt, HCS_E_INVALID_JSON, "the query", &query, err);
    if (r >= 0)
        r = cc_op_new(host, OPERATION_WAIT, "HcsEnumerateComputeSystems", "the systems", &op, err);
    if (r >= 0)
        r = cc_op_started(op, host->api.HcsEnumerateComputeSystems(query, op->native), err);
    if (r >= 0)
        r = cc_op_finish(op, err);
    if (r < 0)
        return r;
    text = cc_op_take_document(op);
    /* No match: HCS may say "[]", "null", or nothing. */
    if (!text || text[0] == '\0' || strcmp(text, "null") == 0) {
        free(text);
        text = strdup("[]");
    }
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.list", "no memory for an answer");
    *out = text;
    return HCS_OK;
}

hcs_result cc_host_status(hcs_host *handle, char **out_document, hcs_error *err)
{
    (void) out_document;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "computecore.status",
                "%s tells nothing of the kind: hcs_host_info() has what HCS says of itself, and "
                "hcs_host_enumerate() its systems",
                cc_host_of(handle)->library);
}

hcs_result cc_host_enumerate(hcs_host *host, const char *query_opt, char **out_document,
                             hcs_error *err)
{
    return cc_host_list(cc_host_of(host), query_opt, out_document, err);
}

hcs_result cc_host_snapshot(hcs_host *host, const char *query_opt, char **out_document,
                            char cursor[HCS_CURSOR_SIZE], hcs_error *err)
{
    (void) host;
    (void) query_opt;
    (void) out_document;
    (void) cursor;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "computecore.snapshot",
                "HCS keeps no log that a list of systems could stand in; hcsd does");
}

hcs_result cc_host_set_log_bytes(hcs_host *host, size_t bytes, hcs_error *err)
{
    (void) err; /* the bounds have been looked at */
    atomic_store_explicit(&cc_host_of(host)->log_bytes, bytes, memory_order_relaxed);
    return HCS_OK;
}
