/* watch.c - the event callback of one handle.
 *
 * Owns:    the registration, and while there is one a thread and a stream.
 * Users:   systems and processes; operations, for completions through the event callback.
 * Promise: callbacks of one handle never run two at a time, no lock is held meanwhile, the exit is
 *          told once for each handle, and after a close or a clear nothing is called any more.  Who
 *          closes from inside a callback does not wait for that callback.
 */
#include "watch.h"

#include <assert.h>

#include "platform.h"
#include "text.h"

#define OUR_KINDS UINT32_C(0x4C480000)
#define OUR_KINDS_MASK UINT32_C(0xFFFF0000)

/* A thread of one registration. */
struct watcher {
    struct watch *w; /* with a reference of its owner */
    uint64_t registration;
    hcs_stream *stream; /* NULL: not open yet */
    int told_exit;
    int lost;
};

void watch_init(struct watch *w, struct object *owner, const struct watch_source *source)
{
    assert(w && owner && source);
    *w = (struct watch){ .owner = owner, .source = source };
    lock_init(&w->lock);
    condition_init(&w->changed);
}

void watch_done(struct watch *w)
{
    assert(w->threads == 0 && !w->calling);
    condition_done(&w->changed);
    lock_done(&w->lock);
}

/* ---- calling ---- */

/* With the lock held: wait for a turn of @registration; whether it still stands. */
static int turn_take(struct watch *w, uint64_t registration)
{
    while (w->calling && w->registration == registration)
        condition_wait(&w->changed, &w->lock);
    if (w->registration != registration || !w->callback)
        return 0;
    w->calling = 1;
    w->calling_thread = platform_thread_self();
    w->calling_registration = registration;
    return 1;
}

void watch_leave(struct watch *w)
{
    lock_take(&w->lock);
    w->calling = 0;
    w->calling_thread = 0;
    condition_tell_all(&w->changed);
    lock_give(&w->lock);
}

void watch_is_ready(struct watch *w, enum watch_ready ready)
{
    lock_take(&w->lock);
    w->ready = ready;
    condition_tell_all(&w->changed);
    lock_give(&w->lock);
}

int watch_takes_operations(struct watch *w)
{
    int yes;

    lock_take(&w->lock);
    yes = w->callback && (w->options & HcsEventOptionEnableOperationCallbacks);
    lock_give(&w->lock);
    return yes;
}

int watch_enter_operation(struct watch *w, HCS_EVENT_CALLBACK *out_callback, void **out_context)
{
    int mine = 0;

    lock_take(&w->lock);
    if (w->callback && (w->options & HcsEventOptionEnableOperationCallbacks))
        mine = turn_take(w, w->registration);
    if (mine) {
        *out_callback = w->callback;
        *out_context = w->context;
    }
    lock_give(&w->lock);
    return mine;
}

/* Call with one event; not any more when the registration is over, not again for an exit. */
static void deliver(struct watcher *me, HCS_EVENT_TYPE type, const char *document_opt, int is_exit)
{
    struct watch *w = me->w;
    HCS_EVENT_CALLBACK callback;
    HCS_EVENT event = { .Type = type };
    PWSTR text = NULL;
    void *context;
    int mine;

    if (document_opt && document_opt[0])
        text = text_to_flat(document_opt); /* without memory the event comes without it */
    lock_take(&w->lock);
    mine = !(is_exit && w->exit_told) && turn_take(w, me->registration);
    if (mine && is_exit)
        w->exit_told = 1;
    callback = w->callback;
    context = w->context;
    lock_give(&w->lock);
    if (mine) {
        event.EventData = text;
        callback(&event, context);
        watch_leave(w);
    }
    LocalFree(text);
}

/* ---- the thread ---- */

/* A close does not wait for a thread that waits for the service; what it learns goes nowhere.
 * Whether the registration still stands. */
static int asking(struct watcher *me, int begins)
{
    struct watch *w = me->w;
    int stands;

    lock_take(&w->lock);
    stands = w->registration == me->registration;
    if (begins && stands)
        w->asking++;
    else if (!begins)
        w->asking--;
    condition_tell_all(&w->changed);
    lock_give(&w->lock);
    return stands;
}

static void tell_exit_if_known(struct watcher *me)
{
    char *document;

    if (!asking(me, 1))
        return;
    document = me->w->source->exit_document(me->w->owner);
    asking(me, 0);
    if (!document)
        return;
    me->told_exit = 1;
    deliver(me, me->w->source->exit_type, document, 1);
    hcs_string_free(document);
}

/* Give up @me->stream, so that nobody ends it any more. */
static void stream_release(struct watcher *me)
{
    lock_take(&me->w->lock);
    if (me->w->stream == me->stream)
        me->w->stream = NULL;
    lock_give(&me->w->lock);
    hcs_stream_close(TAKE(me->stream));
}

/* Until the object is there: whether it is, and the registration stands; -1 when the service went
 * away meanwhile. */
static int wait_ready(struct watcher *me)
{
    struct watch *w = me->w;
    int good;

    lock_take(&w->lock);
    while (w->ready == WATCH_CREATING && w->registration == me->registration)
        condition_wait(&w->changed, &w->lock);
    good = w->registration != me->registration ? 0
           : w->ready == WATCH_LOST            ? -1
                                               : w->ready == WATCH_READY;
    lock_give(&w->lock);
    return good;
}

/* The stream belongs to the registration, which may end it; whether it still stands. */
static int stream_adopt(struct watcher *me, hcs_stream *take_stream)
{
    struct watch *w = me->w;
    int stands;

    me->stream = take_stream;
    lock_take(&w->lock);
    stands = w->registration == me->registration;
    if (stands)
        w->stream = me->stream;
    lock_give(&w->lock);
    return stands;
}

/* Open the stream where that was not done before the callback was in place. */
static int stream_ready(struct watcher *me)
{
    struct watch *w = me->w;
    hcs_stream *stream = NULL;
    hcs_result r;
    int ready;

    if (me->stream)
        return 1;
    ready = wait_ready(me);
    if (ready < 0)
        deliver(me, HcsEventServiceDisconnect, NULL, 0);
    if (ready <= 0 || !asking(me, 1))
        return 0;
    r = w->source->open(w->owner, &stream, NULL);
    asking(me, 0);
    if (r >= 0 && !stream_adopt(me, stream))
        return 0;
    tell_exit_if_known(me);
    if (r < 0 && !me->told_exit)
        deliver(me, HcsEventServiceDisconnect, NULL, 0);
    return r >= 0 && !me->told_exit;
}

static void take_event(struct watcher *me, const hcs_event *event)
{
    int is_exit = 0;

    if (event->kind == HCS_EVENT_GAP) {
        if (me->w->source->ask_in_gap)
            tell_exit_if_known(me);
    } else if (event->kind == HCS_EVENT_SERVICE_DISCONNECT) {
        me->lost = 1;
        deliver(me, HcsEventServiceDisconnect, NULL, 0);
    } else if ((event->kind & OUR_KINDS_MASK) != OUR_KINDS &&
               me->w->source->wants(me->w->owner, event, &is_exit)) {
        if (is_exit)
            me->told_exit = 1;
        deliver(me, (HCS_EVENT_TYPE) event->kind, event->detail, is_exit);
    }
}

static void watch_stream(struct watcher *me)
{
    hcs_event event = HCS_EVENT_INIT;

    while (!me->told_exit && hcs_stream_next(me->stream, -1, &event, NULL) >= 0 &&
           event.kind != HCS_EVENT_END)
        take_event(me, &event);
    /* The system is over, and the end of this handle was not among what was read. */
    if (!me->told_exit && !me->lost)
        tell_exit_if_known(me);
}

static void watcher_main(void *context)
{
    struct watcher *me = context;
    struct watch *w = me->w;

    if (w->source->began)
        w->source->began(w->owner);
    if (stream_ready(me))
        watch_stream(me);
    stream_release(me);
    free(me);
    lock_take(&w->lock);
    w->threads--;
    condition_tell_all(&w->changed);
    lock_give(&w->lock);
    object_unref(w->owner);
}

/* ---- setting and clearing ---- */

/* With the lock held. */
static void unset(struct watch *w)
{
    w->callback = NULL;
    w->context = NULL;
    w->options = HcsEventOptionNone;
    w->registration++;
    if (w->stream)
        hcs_stream_end(w->stream);
    condition_tell_all(&w->changed);
}

/* With the lock held: until no callback of an earlier registration runs, except the caller's own.
 */
static void drain_callback(struct watch *w)
{
    uint64_t registration = w->registration;

    while (w->calling && w->calling_registration < registration &&
           w->calling_thread != platform_thread_self())
        condition_wait(&w->changed, &w->lock);
}

/* With the lock held, of a closed one: the same, and until no thread is left, except the caller's
 * own and those that wait for the service. */
static void drain(struct watch *w)
{
    while ((w->calling || w->threads > w->asking) && w->calling_thread != platform_thread_self())
        condition_wait(&w->changed, &w->lock);
}

/* With the lock held: the callback is in place, and a thread will call it. */
static HRESULT begin(struct watch *w, hcs_stream *take_stream_opt, hcs_error *err)
{
    struct watcher *me = calloc(1, sizeof *me);

    if (me) {
        *me =
            (struct watcher){ .w = w, .registration = w->registration, .stream = take_stream_opt };
        w->stream = take_stream_opt;
        w->threads++;
        object_ref(w->owner);
        if (platform_thread_start(watcher_main, me) == 0)
            return S_OK;
        w->threads--;
        object_unref(w->owner); /* never the last: the caller has one */
        free(me);
    }
    w->stream = NULL;
    unset(w);
    return fail(err, E_OUTOFMEMORY, "watch", "no memory or no thread for an event callback");
}

static HRESULT set_reserve(struct watch *w, hcs_error *err)
{
    HRESULT r = S_OK;

    lock_take(&w->lock);
    if (w->closed)
        r = fail(err, E_HANDLE, "watch", "the handle is closed");
    else if (w->callback || w->setting)
        r = fail(err, HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET, "watch",
                 "the handle has an event callback");
    else
        w->setting = 1;
    lock_give(&w->lock);
    return r;
}

HRESULT watch_set(struct watch *w, HCS_EVENT_OPTIONS options, const void *context,
                  HCS_EVENT_CALLBACK callback_opt, hcs_error *err)
{
    hcs_stream *stream = NULL;
    HRESULT r;

    if (!callback_opt) {
        lock_take(&w->lock);
        unset(w);
        drain_callback(w);
        lock_give(&w->lock);
        return S_OK;
    }
    r = set_reserve(w, err);
    if (r < 0)
        return r;
    if (w->source->open_first)
        r = w->source->open(w->owner, &stream, err);
    lock_take(&w->lock);
    w->setting = 0;
    if (r >= 0 && w->closed)
        r = fail(err, E_HANDLE, "watch", "the handle was closed meanwhile");
    if (r >= 0) {
        w->callback = callback_opt;
        w->context = (void *) (uintptr_t) context;
        w->options = options;
        w->registration++;
        r = begin(w, stream, err);
    }
    lock_give(&w->lock);
    if (r < 0)
        hcs_stream_close(stream);
    return r;
}

void watch_close(struct watch *w)
{
    lock_take(&w->lock);
    w->closed = 1;
    unset(w);
    drain(w);
    lock_give(&w->lock);
}
