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
    lock_init(&w->lock);
}

void waiter_done(struct waiter *w)
{
    assert(w);
    call_done(&w->pending);
    lock_done(&w->lock);
}

bool waiter_known(struct waiter *w, hcs_exit *out)
{
    bool known;

    assert(w && out);
    lock_take(&w->lock);
    known = w->known;
    if (known)
        *out = w->report;
    lock_give(&w->lock);
    return known;
}

static struct call pending_take(struct waiter *w)
{
    struct call c;

    lock_take(&w->lock);
    c = w->pending;
    call_init(&w->pending);
    lock_give(&w->lock);
    return c;
}

static void pending_keep(struct waiter *w, struct call *c)
{
    lock_take(&w->lock);
    if (!w->pending.link) {
        w->pending = *c;
        call_init(c);
    }
    lock_give(&w->lock);
}

static hcs_result report_learn(struct waiter *w, const struct varlink_message *reply, hcs_exit *out,
                               hcs_error *err)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_result r = exit_from_json(json_object_get(reply->json, "exit"), &report, err);

    if (r < 0)
        return hint(err, r, "answer of the service");
    lock_take(&w->lock);
    w->known = true;
    w->report = report;
    lock_give(&w->lock);
    *out = report;
    return HCS_OK;
}

hcs_result waiter_wait(struct waiter *w, struct vl_host *host, const char *method,
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
