/* handle.c - one HCS handle, its one registration, its log, and how it is closed.
 *
 * Owns:    the native handle, the number that HCS has as the context, the log.
 * Users:   system.c, process.c, stream.c and roster.c; any number of cursors read the log.
 * Promise: HCS's close runs once, without a lock, after every call with the handle has returned;
 * when cc_handle_close() returns no callback is running for it or ever will; an end is told once,
 * whether HCS told it or was asked.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "deadline.h"
#include "exit.h"
#include "objects.h"
#include "registry.h"
#include "wide.h"

/* How long the true end of a process is waited for after its system has ended: HCS does not say
 * in which order the two come, nor that the first comes at all. */
#define GRACE_NS UINT64_C(1000000000)

/* ---- making and counting ---- */

hcs_result cc_handle_new(struct cc_host *host, const char *subject, struct cc_handle *parent_opt,
                         struct cc_handle **out, hcs_error *err)
{
    size_t ceiling = parent_opt ? MEMLOG_CEILING_MIN : atomic_load(&host->log_bytes);
    struct cc_handle *h = calloc(1, sizeof *h);
    hcs_result r;

    if (!h)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.handle", "no memory for %s", subject);
    r = memlog_new(ceiling, &h->log, err);
    if (r < 0) {
        free(h);
        return r;
    }
    atomic_init(&h->references, 1);
    h->host = cc_host_ref(host);
    snprintf(h->subject, sizeof h->subject, "%s", subject);
    h->parent_opt = parent_opt ? cc_handle_ref(parent_opt) : NULL;
    h->report = (hcs_exit) HCS_EXIT_INIT;
    lock_init(&h->lock);
    condition_init(&h->changed);
    *out = h;
    return HCS_OK;
}

struct cc_handle *cc_handle_ref(struct cc_handle *h)
{
    assert(h);
    atomic_fetch_add_explicit(&h->references, 1, memory_order_relaxed);
    return h;
}

void cc_handle_unref(struct cc_handle *h)
{
    if (!h || atomic_fetch_sub_explicit(&h->references, 1, memory_order_acq_rel) > 1)
        return;
    assert(h->state == HANDLE_NEW || h->state == HANDLE_CLOSED);
    cc_handle_unref(h->parent_opt);
    memlog_unref(h->log);
    condition_done(&h->changed);
    lock_done(&h->lock);
    cc_host_unref(h->host);
    free(h);
}

/* ---- opening and closing ---- */

static void native_close(struct cc_handle *h)
{
    if (h->process)
        h->host->api.HcsCloseProcess(h->process);
    else
        h->host->api.HcsCloseComputeSystem(h->system);
}

static int32_t native_register(struct cc_handle *h)
{
    void *context = registry_context(h->trampoline.number);

    if (h->process)
        return h->host->api.HcsSetProcessCallback(h->process, FLAT_EVENT_OPTION_NONE, context,
                                                  trampoline_event);
    return h->host->api.HcsSetComputeSystemCallback(h->system, FLAT_EVENT_OPTION_NONE, context,
                                                    trampoline_event);
}

hcs_result cc_handle_register(struct cc_handle *h, flat_system system, flat_process process,
                              hcs_error *err)
{
    hcs_result r;
    int32_t result;

    assert(h && h->state == HANDLE_NEW && !system != !process);
    h->system = system;
    h->process = process;
    h->state = HANDLE_OPEN;
    r = trampoline_open(&h->trampoline, h->log, h->tells_parent ? h->parent_opt->log : NULL,
                        process ? HCS_EVENT_PROCESS_EXITED : HCS_EVENT_SYSTEM_EXITED, err);
    if (r >= 0) {
        result = native_register(h);
        if (result < 0)
            r = cc_fail(err, result,
                        process ? "HcsSetProcessCallback" : "HcsSetComputeSystemCallback",
                        h->subject, NULL);
    }
    h->registered = r >= 0;
    return r;
}

hcs_result cc_handle_enter(struct cc_handle *h, hcs_error *err)
{
    bool open;

    lock_take(&h->lock);
    open = h->state == HANDLE_OPEN;
    h->calls += open;
    lock_give(&h->lock);
    if (!open)
        return fail(err, HCS_E_WIN32_INVALID_HANDLE, "computecore.handle",
                    "the handle of %s was closed", h->subject);
    return HCS_OK;
}

void cc_handle_leave(struct cc_handle *h)
{
    lock_take(&h->lock);
    assert(h->calls > 0);
    if (--h->calls == 0 && h->state == HANDLE_CLOSING)
        condition_tell_all(&h->changed);
    lock_give(&h->lock);
}

/* With the lock held: whether this caller is the one who closes; the others wait for it. */
static bool close_claim(struct cc_handle *h)
{
    if (h->state == HANDLE_OPEN) {
        h->state = HANDLE_CLOSING;
        return true;
    }
    while (h->state == HANDLE_CLOSING)
        condition_wait(&h->changed, &h->lock);
    return false;
}

void cc_handle_close(struct cc_handle *h, const char *static_reason)
{
    assert(h && static_reason);
    memlog_end(h->log, static_reason); /* wakes whoever reads */
    lock_take(&h->lock);
    if (!close_claim(h)) {
        lock_give(&h->lock);
        return;
    }
    while (h->calls > 0)
        condition_wait(&h->changed, &h->lock);
    lock_give(&h->lock);
    native_close(h); /* HCS drains its callbacks here, and may take its time */
    if (h->trampoline.number)
        trampoline_close(&h->trampoline);
    lock_take(&h->lock);
    h->state = HANDLE_CLOSED;
    condition_tell_all(&h->changed);
    lock_give(&h->lock);
}

hcs_result cc_handle_open_system(struct cc_host *host, const char *id, struct cc_handle **out,
                                 hcs_error *err)
{
    _cleanup_(free_drop) uint16_t *wide = NULL;
    _cleanup_(cc_handle_unrefp) struct cc_handle *h = NULL;
    char subject[SUBJECT_BYTES];
    flat_system native = NULL;
    int32_t result;
    hcs_result r;

    snprintf(subject, sizeof subject, "system '%s'", id);
    r = wide_from_text(id, HCS_E_INVALIDARG, "the id", &wide, err);
    if (r >= 0)
        r = cc_handle_new(host, subject, NULL, &h, err);
    if (r < 0)
        return r;
    result = host->api.HcsOpenComputeSystem(wide, FLAT_GENERIC_ALL, &native);
    if (result < 0)
        return cc_fail(err, result, "HcsOpenComputeSystem", subject, NULL);
    r = cc_handle_register(h, native, NULL, err);
    if (r < 0) {
        cc_handle_close(h, HANDLE_REFUSED);
        return r;
    }
    *out = TAKE(h);
    return HCS_OK;
}

/* ---- asking ---- */

hcs_result cc_handle_query(struct cc_handle *h, char **out, hcs_error *err)
{
    _cleanup_(cc_op_unrefp) struct cc_op *op = NULL;
    const struct flat_api *api = &h->host->api;
    int32_t started;
    hcs_result r;

    r = cc_op_new(h->host, OPERATION_WAIT,
                  h->process ? "HcsGetProcessProperties" : "HcsGetComputeSystemProperties",
                  h->subject, &op, err);
    if (r >= 0)
        r = cc_handle_enter(h, err);
    if (r < 0)
        return r;
    started = h->process ? api->HcsGetProcessProperties(h->process, op->native, NULL)
                         : api->HcsGetComputeSystemProperties(h->system, op->native, NULL);
    cc_handle_leave(h);
    r = cc_op_started(op, started, err);
    if (r >= 0)
        r = cc_op_finish(op, err);
    if (r >= 0)
        *out = cc_op_take_document(op);
    return r;
}

/* Whether this HCS says that the end has come already, and its document, which may be NULL. */
static bool end_has_come(struct cc_handle *h, char **out_document)
{
    const struct flat_api *api = &h->host->api;
    uint16_t *document = NULL;
    int32_t result = HCS_E_WIN32_PROC_NOT_FOUND;
    char *text = NULL;

    if (cc_handle_enter(h, NULL) < 0)
        return false;
    if (h->process && api->HcsWaitForProcessExit)
        result = api->HcsWaitForProcessExit(h->process, 0, &document);
    else if (h->system && api->HcsWaitForComputeSystemExit)
        result = api->HcsWaitForComputeSystemExit(h->system, 0, &document);
    cc_handle_leave(h);
    if (result >= 0 && wide_to_text(document, WIDE_UNITS_MAX, &text, NULL) < 0)
        text = NULL;
    if (document)
        api->LocalFree(document);
    *out_document = text;
    return result >= 0;
}

/* Whether the failure of a query says that there is nothing left to ask. */
static bool is_gone(hcs_result r)
{
    hcs_error_class c = hcs_result_class(r);

    return c == HCS_CLASS_ALREADY_STOPPED || r == HCS_E_SYSTEM_NOT_FOUND ||
           r == HCS_E_WIN32_NOT_FOUND;
}

/* A query has given @r, not that it runs: whether it has ended.  Around a stop HCS answers with one
 * or another error (ERROR_INVALID_HANDLE was seen), so the wait decides where it knows. */
static bool has_ended(struct cc_handle *h, hcs_result r, char **out_document)
{
    if (r < 0 && hcs_result_class(r) == HCS_CLASS_SERVICE_GONE)
        return false;
    return end_has_come(h, out_document) || r >= 0 || is_gone(r);
}

static void ask_system(struct cc_handle *h)
{
    _cleanup_(free_drop) char *document = NULL;
    _cleanup_(free_drop) char *end = NULL;
    struct status_properties properties = { .exit = HCS_EXIT_TYPE_UNKNOWN };
    hcs_result r = cc_handle_query(h, &document, NULL);

    if (r >= 0 && document) {
        status_of_properties(document, &properties);
        lock_take(&h->lock);
        h->properties = properties;
        lock_give(&h->lock);
    }
    if (r >= 0 && !properties.stopped)
        return;
    if (has_ended(h, r, &end))
        (void) trampoline_tell_end(&h->trampoline, end);
}

static void ask_process(struct cc_handle *h)
{
    _cleanup_(free_drop) char *document = NULL;
    int exited = 0;
    hcs_result r = cc_handle_query(h, &document, NULL);

    if (r >= 0 && document)
        (void) status_of_process(document, strlen(document), NULL, &exited);
    if (r < 0) {
        free(TAKE(document));
        exited = has_ended(h, r, &document);
    }
    if (exited)
        (void) trampoline_tell_end(&h->trampoline, document);
}

void cc_handle_ask(struct cc_handle *h, bool again)
{
    bool ask;

    assert(h);
    if (trampoline_has_told(&h->trampoline)) {
        if (h->process)
            return;
        again = false; /* but a system's owner and type may still be wanted */
    }
    lock_take(&h->lock);
    while (h->asked == ASKING)
        condition_wait(&h->changed, &h->lock);
    ask = h->asked == NOT_ASKED || again;
    if (ask)
        h->asked = ASKING;
    lock_give(&h->lock);
    if (!ask)
        return;
    if (h->process)
        ask_process(h);
    else
        ask_system(h);
    lock_take(&h->lock);
    h->asked = ASKED;
    condition_tell_all(&h->changed);
    lock_give(&h->lock);
}

void cc_handle_properties(struct cc_handle *h, struct status_properties *out)
{
    lock_take(&h->lock);
    *out = h->properties;
    lock_give(&h->lock);
}

/* ---- waiting ---- */

bool cc_handle_has_ended(struct cc_handle *h)
{
    return trampoline_has_told(&h->trampoline);
}

struct watch {
    struct wake wake;
    struct memlog_cursor *own;
    struct memlog_cursor *parent; /* of the system that a process is in */
    uint64_t deadline;            /* the user's, or the end of the grace */
    bool grace;                   /* the system has ended */
};

static void watch_done(struct watch *w)
{
    memlog_cursor_close(w->own);
    memlog_cursor_close(w->parent);
    wake_done(&w->wake);
}

static hcs_result watch_open(struct watch *w, struct cc_handle *h, hcs_error *err)
{
    hcs_result r = wake_init(&w->wake, err);

    if (r >= 0)
        r = memlog_cursor_open(h->log, MEMLOG_FROM_NOW, 0, &w->wake, &w->own, err);
    if (r >= 0 && h->parent_opt)
        r = memlog_cursor_open(h->parent_opt->log, MEMLOG_FROM_NOW, 0, &w->wake, &w->parent, err);
    return r;
}

static void report_keep(struct cc_handle *h, const struct memlog_record *record)
{
    hcs_exit report = h->process ? status_of_process(record->detail, record->length, NULL, NULL)
                                 : status_of_system(record->detail, record->length);

    lock_take(&h->lock);
    if (!h->has_report && report.how == HCS_EXIT_UNKNOWN && !h->process &&
        report.type == HCS_EXIT_TYPE_NONE)
        report.type = h->properties.exit;
    if (!h->has_report)
        h->report = report;
    h->has_report = true;
    lock_give(&h->lock);
}

static bool report_known(struct cc_handle *h, hcs_exit *out)
{
    bool known;

    lock_take(&h->lock);
    known = h->has_report;
    if (known)
        *out = h->report;
    lock_give(&h->lock);
    return known;
}

/* What the handle's own log says: HCS_OK nothing yet or the report is known. */
static hcs_result watch_own(struct watch *w, struct cc_handle *h, hcs_error *err)
{
    struct memlog_record record;

    for (;;) {
        switch (memlog_next(w->own, &record)) {
        case MEMLOG_NOTHING:
            return HCS_OK;
        case MEMLOG_GAP:
            break;
        case MEMLOG_RECORD:
            if (record.kind == h->trampoline.end_kind) {
                report_keep(h, &record);
                return HCS_OK;
            }
            if (record.kind == HCS_EVENT_SERVICE_DISCONNECT)
                return fail(err, HCS_E_SERVICE_DISCONNECT, "computecore.wait",
                            "the service went away before %s ended", h->subject);
            break;
        case MEMLOG_END:
            return fail(err, HCS_E_WIN32_INVALID_HANDLE, "computecore.wait",
                        "waiting for the end of %s: %s", h->subject, record.detail);
        }
    }
}

/* The system of a process: when it has ended, the process is not waited for much longer. */
static void watch_parent(struct watch *w)
{
    struct memlog_record record;
    enum memlog_next next;

    while (w->parent && (next = memlog_next(w->parent, &record)) != MEMLOG_NOTHING) {
        uint64_t grace = clock_monotonic_ns() + GRACE_NS;

        if (next == MEMLOG_RECORD && record.kind == HCS_EVENT_SYSTEM_EXITED && !w->grace &&
            grace < w->deadline) {
            w->grace = true;
            w->deadline = grace;
        }
        if (next == MEMLOG_END) {
            memlog_cursor_close(w->parent);
            w->parent = NULL;
        }
    }
}

static bool watch_is_empty(struct watch *w)
{
    return memlog_arm(w->own) && (!w->parent || memlog_arm(w->parent));
}

static hcs_result watch_out_of_time(struct watch *w, struct cc_handle *h, hcs_error *err)
{
    if (!w->grace)
        return fail(err, HCS_E_OPERATION_TIMEOUT, "computecore.wait", "%s has not ended",
                    h->subject);
    /* Asked once more; if HCS does not know either, nobody does. */
    cc_handle_ask(h, true);
    if (trampoline_tell_end(&h->trampoline, NULL)) {
        lock_take(&h->lock);
        h->report = exit_unknown("the system ended, and HCS did not say how this process did");
        h->has_report = true;
        lock_give(&h->lock);
    }
    w->grace = false;
    w->deadline = NO_DEADLINE;
    return HCS_OK;
}

static hcs_result watch_run(struct watch *w, struct cc_handle *h, hcs_exit *out, hcs_error *err)
{
    for (;;) {
        hcs_result r = watch_own(w, h, err);

        if (r < 0)
            return r;
        if (report_known(h, out))
            return HCS_OK;
        watch_parent(w);
        wake_clear(&w->wake);
        if (!watch_is_empty(w) || wake_wait(&w->wake, w->deadline))
            continue;
        r = watch_out_of_time(w, h, err);
        if (r < 0)
            return r;
    }
}

hcs_result cc_handle_wait(struct cc_handle *h, uint64_t deadline, hcs_exit *out, hcs_error *err)
{
    _cleanup_(watch_done) struct watch w = { .wake = { HCS_POLLABLE_NONE }, .deadline = deadline };
    hcs_result r;

    assert(h && out);
    if (report_known(h, out))
        return HCS_OK;
    r = watch_open(&w, h, err);
    return r < 0 ? r : watch_run(&w, h, out, err);
}
