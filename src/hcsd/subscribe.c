/* subscribe.c - the parameters of a stream, and positions on the wire.
 * Users:   methods.c, for Subscribe and ListSystems; sink.c.  Loop thread only.
 * Promise: a parameter that goes with another, or whose value means nothing, is refused by name. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "server.h"

/* Which parameter a `from` needs; it goes with no other one. */
static const struct from {
    const char *name;
    enum sub_from from;
    const char *parameter;
} froms[] = {
    { "now", SUB_FROM_NOW, NULL },        { "beginning", SUB_FROM_BEGINNING, NULL },
    { "after", SUB_FROM_AFTER, "after" }, { "nowOrExit", SUB_FROM_NOW_OR_EXIT, NULL },
    { "since", SUB_FROM_SINCE, "since" }, { "last", SUB_FROM_LAST, "last" },
};

static int is_given(const json_t *p, const char *name)
{
    const json_t *value = json_object_get(p, name);

    return value && !json_is_null(value);
}

static const char *text_of(const json_t *p, const char *name)
{
    return json_string_value(json_object_get(p, name));
}

static uint64_t number_of(const json_t *p, const char *name)
{
    return (uint64_t) json_integer_value(json_object_get(p, name));
}

_printf_(2, 3) static hcs_result refuse(hcs_error *err, const char *format, ...)
{
    char text[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return fail(err, HCS_E_INVALIDARG, "hcsd.subscribe", "%s", text);
}

static hcs_result parse_from(const json_t *p, struct sub_options *out, hcs_error *err)
{
    const char *name = text_of(p, "from");
    const struct from *from = froms;

    for (size_t i = 0; name && i < N_ELEMENTS(froms); i++)
        if (strcmp(froms[i].name, name) == 0)
            from = &froms[i];
    if (name && strcmp(from->name, name) != 0)
        return refuse(err,
                      "from is '%.40s': it must be now, beginning, after, nowOrExit, since or last",
                      name);
    for (size_t i = 0; i < N_ELEMENTS(froms); i++) {
        const char *parameter = froms[i].parameter;

        if (parameter && (from == &froms[i]) != is_given(p, parameter))
            return refuse(err, "`%s` goes with from \"%s\", and only with it", parameter,
                          froms[i].name);
    }
    if (is_given(p, "log") && from->from != SUB_FROM_AFTER)
        return refuse(err, "`log` goes with from \"after\", and only with it");
    if (!is_given(p, "systemId") &&
        (from->from == SUB_FROM_NOW_OR_EXIT || is_given(p, "incarnation")))
        return refuse(err, "from \"nowOrExit\" and `incarnation` go with `systemId`");
    out->from = from->from;
    return HCS_OK;
}

static hcs_result parse_ends(const json_t *p, struct sub_options *out, hcs_error *err)
{
    uint64_t bookmark_ms = number_of(p, "bookmarkMs");

    if (is_given(p, "until") && number_of(p, "until") == 0)
        return refuse(err, "`until` is 0: it is a time in ns since 1970, after which it ends");
    if (is_given(p, "bookmarkMs") &&
        (bookmark_ms < SUB_BOOKMARK_MS_MIN || bookmark_ms > UINT32_MAX))
        return refuse(err, "`bookmarkMs` is %" PRIu64 ": it must be %u or more, and %u at most",
                      bookmark_ms, SUB_BOOKMARK_MS_MIN, UINT32_MAX);
    out->until_ns = number_of(p, "until");
    out->bookmark_ms = (uint32_t) bookmark_ms;
    out->no_follow = json_is_false(json_object_get(p, "follow"));
    return HCS_OK;
}

static hcs_result parse(const json_t *p, struct sub_options *out, hcs_error *err)
{
    hcs_result r;

    *out = (struct sub_options){
        .after = number_of(p, "after"),
        .log_opt = text_of(p, "log"),
        .since_ns = number_of(p, "since"),
        .last = number_of(p, "last"),
        .system_id_opt = text_of(p, "systemId"),
        .incarnation = number_of(p, "incarnation"),
    };
    r = parse_from(p, out, err);
    if (r >= 0)
        r = parse_ends(p, out, err);
    if (r >= 0 && is_given(p, "filter"))
        r = filter_parse(json_object_get(p, "filter"), &out->filter_opt, err);
    return r;
}

void subscribe_begin(struct connection *c, const json_t *p, struct varlink_message *message)
{
    struct sub_options options;
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = parse(p, &options, &err);

    (void) message;
    options.client = c->client;
    memset(&c->sub, 0, sizeof c->sub);
    c->sub.sink = &connection_sink;
    if (r >= 0)
        r = sub_open(c->server->engine, &c->sub, &options, &err);
    if (r < 0) {
        connection_reply_failure(c, &err);
        connection_call_done(c);
        return;
    }
    c->method = NULL;
    c->streaming = 1;
    connection_update(c);
}

json_t *position_to_json(const struct server *s, const struct sub_position *at)
{
    return json_pack("{s:s, s:I, s:s, s:s}", "log", at->log, "after", (json_int_t) at->after,
                     "host", s->host_id, "boot", at->boot);
}
