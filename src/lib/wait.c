/* wait.c - waiting for the end of a system or a process.
 *
 * Owns:    the exit report of one system or process once it is known, and the call that waits
 *          for it between two waits.
 * Users:   system.c and process.c.
 * Promise: a report that was told once is told for ever, without asking the service; a wait that
 *          timed out costs nothing when it is continued; several threads may wait at once.
 */
#include <assert.h>

#include "exit.h"
#include "handles.h"

void waiter_init(struct waiter *w)
{
    assert(w);
    *w = (struct waiter){ .report = HCS_EXIT_INIT };
    call_init(&w->pending);
    pthread_mutex_init(&w->lock, NULL);
}

void waiter_done(struct waiter *w)
{
    assert(w);
    call_done(&w->pending);
    pthread_mutex_destroy(&w->lock);
}

hcs_result waiter_check(const hcs_exit *out, const char *where, hcs_error *err)
{
    NEED(out, where);
    if (out->size < sizeof(*out))
        return fail(err, HCS_E_INVALIDARG, where, "size of hcs_exit is %u; HCS_EXIT_INIT sets it",
                    out->size);
    return HCS_OK;
}

/* What is behind our fields belongs to a newer caller. */
static void report_give(const hcs_exit *report, hcs_exit *out)
{
    uint32_t size = out->size;

    *out = *report;
    out->size = size;
}

bool waiter_known(struct waiter *w, hcs_exit *out)
{
    bool known;

    assert(w && out);
    pthread_mutex_lock(&w->lock);
    known = w->known;
    if (known)
        report_give(&w->report, out);
    pthread_mutex_unlock(&w->lock);
    return known;
}

static struct call pending_take(struct waiter *w)
{
    struct call c;

    pthread_mutex_lock(&w->lock);
    c = w->pending;
    call_init(&w->pending);
    pthread_mutex_unlock(&w->lock);
    return c;
}

static void pending_keep(struct waiter *w, struct call *c)
{
    pthread_mutex_lock(&w->lock);
    if (!w->pending.link) {
        w->pending = *c;
        call_init(c);
    }
    pthread_mutex_unlock(&w->lock);
}

static hcs_result report_learn(struct waiter *w, const struct varlink_message *reply, hcs_exit *out,
                               hcs_error *err)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_result r = exit_from_json(json_object_get(reply->json, "exit"), &report, err);

    if (r < 0)
        return hint(err, r, "answer of the service");
    pthread_mutex_lock(&w->lock);
    w->known = true;
    w->report = report;
    pthread_mutex_unlock(&w->lock);
    report_give(&report, out);
    return HCS_OK;
}

hcs_result waiter_wait(struct waiter *w, hcs_host *host, const char *method,
                       json_t *take_parameters, uint64_t deadline, hcs_exit *out, hcs_error *err)
{
    _cleanup_(varlink_message_done) struct varlink_message reply;
    _cleanup_(call_done) struct call c;
    hcs_result r;

    assert(w && host && method && out);
    varlink_message_init(&reply);
    c = pending_take(w);
    if (c.link) {
        json_decref(take_parameters);
    } else {
        r = call_begin(&c, host, CALL_ONCE, method, take_parameters, NULL, 0, err);
        if (r < 0)
            return r;
    }
    r = call_wait(&c, deadline, &reply, err);
    if (r == HCS_E_OPERATION_TIMEOUT && !c.answered)
        pending_keep(w, &c);
    if (r < 0)
        return r;
    return report_learn(w, &reply, out, err);
}
