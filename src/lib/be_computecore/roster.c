/* roster.c - the logs that a stream reads.
 *
 * Owns:    a cursor on each log, and the handles that were opened for the stream.
 * Users:   stream.c.
 * Promise: each system that HCS lists is opened once; a system that is gone is asked how it ended
 *          and then closed; one that has ended is not opened again because HCS lists it a little
 * longer. No handle outlives the stream.
 */
#include "roster.h"

#include <assert.h>
#include <string.h>

#include <jansson.h>

/* HCS may list a system as alive for a moment after its exit was told.  One that is listed for more
 * than this many looks is another system of the same id. */
#define LINGER_LOOKS 2

void roster_init(struct roster *r, struct cc_host *host, struct wake *wake)
{
    assert(r && host && wake);
    r->host = host;
    r->wake = wake;
    list_init(&r->sources);
}

static void handle_let_go(struct cc_handle *h, bool owned)
{
    if (h && owned)
        cc_handle_close(h, "closed");
    cc_handle_unref(h);
}

static void source_drop(struct roster_source *s)
{
    list_remove(&s->node);
    memlog_cursor_close(s->cursor);
    handle_let_go(s->handle, s->owned);
    free(s->id);
    free(s);
}

void roster_done(struct roster *r)
{
    list_for_each(&r->sources, n) source_drop(container_of(n, struct roster_source, node));
}

hcs_result roster_add(struct roster *r, const char *id, struct cc_handle *handle, bool owned,
                      enum memlog_from from, uint64_t after, hcs_error *err)
{
    struct roster_source *s = calloc(1, sizeof *s);
    hcs_result result;

    assert(r && id && handle);
    if (s)
        s->id = strdup(id);
    if (!s || !s->id) {
        free(s);
        handle_let_go(owned ? handle : NULL, owned);
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.stream", "no memory for a stream");
    }
    list_init(&s->node);
    s->handle = owned ? handle : cc_handle_ref(handle);
    s->owned = owned;
    cc_handle_properties(handle, &s->properties);
    result = memlog_cursor_open(handle->log, from, after, r->wake, &s->cursor, err);
    if (result < 0) {
        source_drop(s);
        return result;
    }
    list_append(&r->sources, &s->node);
    return HCS_OK;
}

/* ---- reading ---- */

enum memlog_next roster_next(struct roster *r, struct memlog_record *out,
                             struct roster_source **out_source)
{
    list_for_each(&r->sources, n)
    {
        struct roster_source *s = container_of(n, struct roster_source, node);
        enum memlog_next next = s->cursor ? memlog_next(s->cursor, out) : MEMLOG_NOTHING;

        if (next == MEMLOG_NOTHING)
            continue;
        list_remove(&s->node);
        list_append(&r->sources, &s->node);
        *out_source = s;
        return next;
    }
    return MEMLOG_NOTHING;
}

void roster_end(struct roster_source *source)
{
    assert(source);
    memlog_cursor_close(TAKE(source->cursor));
    handle_let_go(TAKE(source->handle), source->owned);
}

bool roster_arm(struct roster *r)
{
    list_for_each(&r->sources, n)
    {
        struct roster_source *s = container_of(n, struct roster_source, node);

        if (s->cursor && !memlog_arm(s->cursor))
            return false;
    }
    return true;
}

bool roster_ready(struct roster *r)
{
    list_for_each(&r->sources, n)
    {
        struct roster_source *s = container_of(n, struct roster_source, node);

        if (s->cursor && memlog_ready(s->cursor))
            return true;
    }
    return false;
}

bool roster_spin(struct roster *r)
{
    struct roster_source *only = list_first(&r->sources, struct roster_source, node);

    /* One log is worth it; with many, looking at each takes as long as the spinning. */
    return only && only->node.next == &r->sources && only->cursor && memlog_spin(only->cursor);
}

/* ---- newcomers and the gone ---- */

static struct roster_source *source_of(struct roster *r, const char *id)
{
    list_for_each(&r->sources, n)
    {
        struct roster_source *s = container_of(n, struct roster_source, node);

        if (strcmp(s->id, id) == 0)
            return s;
    }
    return NULL;
}

static bool is_stopped(const json_t *entry)
{
    const char *state = json_string_value(json_object_get(entry, "State"));

    return (state && strcmp(state, "Stopped") == 0) ||
           json_is_true(json_object_get(entry, "Stopped"));
}

/* A system that cannot be opened is gone already, or is not ours to see. */
static void newcomer_open(struct roster *r, const char *id, enum memlog_from from)
{
    struct cc_handle *h = NULL;

    if (cc_handle_open_system(r->host, id, &h, NULL) < 0)
        return;
    cc_handle_ask(h, false);
    if (roster_add(r, id, h, true, from, 0, NULL) < 0)
        return; /* without memory it is tried again */
}

static void entry_compare(struct roster *r, const json_t *entry, enum memlog_from from)
{
    const char *id = json_string_value(json_object_get(entry, "Id"));
    struct roster_source *s = id ? source_of(r, id) : NULL;

    if (!id || (is_stopped(entry) && !s))
        return;
    if (s)
        s->seen = !is_stopped(entry);
    if (s && !s->cursor && s->seen && ++s->lingers > LINGER_LOOKS) {
        source_drop(s);
        s = NULL;
    }
    if (!s) {
        newcomer_open(r, id, from);
        s = source_of(r, id);
        if (s)
            s->seen = true;
    }
}

/* HCS does not list it (as alive) any more. */
static void source_gone(struct roster_source *s)
{
    if (!s->cursor)
        source_drop(s);
    else
        cc_handle_ask(s->handle, true);
}

hcs_result roster_refresh(struct roster *r, enum memlog_from newcomers, hcs_error *err)
{
    _cleanup_(free_drop) char *text = NULL;
    json_t *list;
    hcs_result result = cc_host_list(r->host, NULL, &text, err);

    if (result < 0)
        return result;
    list = json_loads(text, 0, NULL);
    if (!json_is_array(list)) {
        json_decref(list);
        return fail(err, HCS_E_WIN32_INVALID_DATA, "computecore.stream",
                    "HcsEnumerateComputeSystems gave no array");
    }
    list_for_each(&r->sources, n) container_of(n, struct roster_source, node)->seen = false;
    for (size_t i = 0; i < json_array_size(list); i++)
        entry_compare(r, json_array_get(list, i), newcomers);
    json_decref(list);
    list_for_each(&r->sources, m)
    {
        struct roster_source *s = container_of(m, struct roster_source, node);

        if (!s->seen)
            source_gone(s);
    }
    return HCS_OK;
}
