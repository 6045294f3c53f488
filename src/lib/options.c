/* options.c - the options of a stream.
 *
 * Owns nothing.  Used by stream.c, and by the back ends for the filter.  Promises that the options
 * of a caller with an older or newer header are read as far as both know them, and that what is
 * given and cannot be used is refused, not ignored. */
#include "options.h"

#include <assert.h>
#include <string.h>

#include "err.h"
#include "filter.h"
#include "utf.h"

/* Sizes in the first header that was published: no caller has a smaller one. */
#define OPTIONS_SIZE_MIN (offsetof(hcs_stream_options, system_id) + sizeof(const char *))
#define FILTER_SIZE_MIN (offsetof(hcs_event_filter, exit) + sizeof(const char *))

#define BOOKMARK_MS_MIN 100

static void size_copy(void *to, size_t room, const void *from, size_t size)
{
    memcpy(to, from, size < room ? size : room);
}

/* ---- of a stream ---- */

/* What belongs to one way to begin, and is there with it and only with it. */
static hcs_result check_begin(const hcs_stream_options *o, const char *where, hcs_error *err)
{
    if ((o->from == HCS_FROM_CURSOR) != (o->cursor != NULL))
        return fail(err, HCS_E_INVALIDARG, where,
                    o->cursor ? "a cursor goes with from HCS_FROM_CURSOR, not with %u"
                              : "from is HCS_FROM_CURSOR (%u), and cursor is NULL",
                    o->from);
    if (o->from != HCS_FROM_TIME && o->since_ns != 0)
        return fail(err, HCS_E_INVALIDARG, where,
                    "since_ns goes with from HCS_FROM_TIME, not with %u", o->from);
    if ((o->from == HCS_FROM_LAST) != (o->last != 0))
        return fail(err, HCS_E_INVALIDARG, where,
                    o->last ? "last goes with from HCS_FROM_LAST, not with %u"
                            : "from is HCS_FROM_LAST (%u), and last is 0: it must be 1 or more",
                    o->from);
    return HCS_OK;
}

/* Numbers of the wire have 63 bits. */
static hcs_result check_number(uint64_t value, const char *name, const char *where, hcs_error *err)
{
    if (value <= INT64_MAX)
        return HCS_OK;
    return fail(err, HCS_E_INVALIDARG, where, "%s is %llu: it must be at most %lld", name,
                (unsigned long long) value, (long long) INT64_MAX);
}

static hcs_result check_rest(const hcs_stream_options *o, const char *where, hcs_error *err)
{
    hcs_result r;

    if (o->flags & ~(uint32_t) (HCS_STREAM_RECONNECT | HCS_STREAM_NO_FOLLOW))
        return fail(err, HCS_E_INVALIDARG, where, "flags are 0x%x, with bits that are none",
                    o->flags);
    if (o->bookmark_ms != 0 && (o->bookmark_ms < BOOKMARK_MS_MIN || o->bookmark_ms > INT32_MAX))
        return fail(err, HCS_E_INVALIDARG, where, "bookmark_ms is %u: it must be 0 or %d to %d",
                    o->bookmark_ms, BOOKMARK_MS_MIN, INT32_MAX);
    r = check_number(o->from == HCS_FROM_AFTER ? o->after : 0, "after", where, err);
    if (r >= 0)
        r = check_number(o->since_ns, "since_ns", where, err);
    if (r >= 0)
        r = check_number(o->last, "last", where, err);
    return r < 0 ? r : check_number(o->until_ns, "until_ns", where, err);
}

hcs_result options_read(const hcs_stream_options *options_opt, const char *where,
                        hcs_stream_options *out, hcs_error *err)
{
    hcs_result r;

    if (!options_opt)
        return HCS_OK;
    if (options_opt->size < OPTIONS_SIZE_MIN)
        return fail(err, HCS_E_INVALIDARG, where,
                    "size of hcs_stream_options is %u; HCS_STREAM_OPTIONS_INIT sets it",
                    options_opt->size);
    if (options_opt->from > HCS_FROM_LAST)
        return fail(err, HCS_E_INVALIDARG, where, "from is %u, none of hcs_stream_from",
                    options_opt->from);
    size_copy(out, sizeof *out, options_opt, options_opt->size);
    r = check_begin(out, where, err);
    return r < 0 ? r : check_rest(out, where, err);
}

/* ---- of a filter ---- */

static hcs_result no_memory(const char *where, hcs_error *err)
{
    return fail(err, HCS_E_OUTOFMEMORY, where, "no memory for a filter");
}

static hcs_result check_list(const void *items, size_t n, const char *name, const char *where,
                             hcs_error *err)
{
    if (n > FILTER_ENTRIES_MAX)
        return fail(err, HCS_E_INVALIDARG, where, "filter.%s has %zu items: at most %u", name, n,
                    FILTER_ENTRIES_MAX);
    if (n > 0 && !items)
        return fail(err, HCS_E_POINTER, where, "filter.%s is NULL, and has %zu items", name, n);
    return HCS_OK;
}

static hcs_result put_kinds(json_t *json, const hcs_event_filter *f, const char *where,
                            hcs_error *err)
{
    json_t *list;
    hcs_result r = check_list(f->kinds, f->n_kinds, "kinds", where, err);

    if (r < 0 || f->n_kinds == 0)
        return r;
    list = json_array();
    for (size_t i = 0; i < f->n_kinds; i++)
        if (json_array_append_new(list, json_integer(f->kinds[i])) < 0)
            r = no_memory(where, err);
    if (json_object_set_new(json, "kinds", list) < 0)
        r = no_memory(where, err);
    return r;
}

static hcs_result put_text(json_t *list, const char *text, const char *name, size_t i,
                           const char *where, hcs_error *err)
{
    if (!text)
        return fail(err, HCS_E_POINTER, where, "filter.%s[%zu] is NULL", name, i);
    if (!utf8_valid(text, strlen(text)))
        return fail(err, HCS_E_INVALIDARG, where, "filter.%s[%zu] is not UTF-8", name, i);
    return json_array_append_new(list, json_string(text)) < 0 ? no_memory(where, err) : HCS_OK;
}

static hcs_result put_texts(json_t *json, const char *name, const char *const *texts, size_t n,
                            const char *where, hcs_error *err)
{
    json_t *list;
    hcs_result r = check_list(texts, n, name, where, err);

    if (r < 0 || n == 0)
        return r;
    list = json_array();
    for (size_t i = 0; i < n && r >= 0; i++)
        r = put_text(list, texts[i], name, i, where, err);
    if (json_object_set_new(json, name, list) < 0 && r >= 0)
        r = no_memory(where, err);
    return r;
}

static hcs_result put_exit(json_t *json, const char *exit_opt, const char *where, hcs_error *err)
{
    if (!exit_opt)
        return HCS_OK;
    if (!utf8_valid(exit_opt, strlen(exit_opt)))
        return fail(err, HCS_E_INVALIDARG, where, "filter.exit is not UTF-8");
    return json_object_set_new(json, "exit", json_string(exit_opt)) < 0 ? no_memory(where, err)
                                                                        : HCS_OK;
}

/* Whether its values are ones that match something is the model's to say. */
static hcs_result filter_check(const json_t *json, hcs_error *err)
{
    struct filter *filter = NULL;
    hcs_result r = filter_parse(json, &filter, err);

    filter_drop(filter);
    return r;
}

hcs_result options_filter(const hcs_event_filter *filter_opt, const char *where, json_t **out,
                          hcs_error *err)
{
    hcs_event_filter f = HCS_EVENT_FILTER_INIT;
    json_t *json;
    hcs_result r;

    assert(out);
    *out = NULL;
    if (!filter_opt)
        return HCS_OK;
    if (filter_opt->size < FILTER_SIZE_MIN)
        return fail(err, HCS_E_INVALIDARG, where,
                    "size of hcs_event_filter is %u; HCS_EVENT_FILTER_INIT sets it",
                    filter_opt->size);
    size_copy(&f, sizeof f, filter_opt, filter_opt->size);
    json = json_object();
    r = json ? put_kinds(json, &f, where, err) : no_memory(where, err);
    if (r >= 0)
        r = put_texts(json, "ids", f.ids, f.n_ids, where, err);
    if (r >= 0)
        r = put_texts(json, "owners", f.owners, f.n_owners, where, err);
    if (r >= 0)
        r = put_exit(json, f.exit, where, err);
    if (r >= 0)
        r = filter_check(json, err);
    if (r < 0) {
        json_decref(json);
        return r;
    }
    *out = json;
    return HCS_OK;
}
