/* several.c - several systems that are followed in one stream of the host.
 *
 * Owns the list of them.  Used by events.  Promises that events come in the order of their numbers,
 * whichever system they are of, and that following ends when the last of them has ended, whether it
 * did so before or after.
 */
#include "several.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* A system that is followed. */
struct wanted {
    const char *id;
    uint64_t incarnation; /* 0: any */
    uint64_t until;       /* ended at or before this number; 0: it lives */
    int ended;
};

int several_init(struct several *s, const struct arguments *ids)
{
    *s = (struct several){ .n = ids->n > 1 ? ids->n : 0 };
    s->items = calloc((size_t) s->n + 1, sizeof *s->items);
    for (int i = 0; s->items && i < s->n; i++)
        s->items[i].id = ids->items[i];
    return s->items ? 0 : -1;
}

void several_done(struct several *s)
{
    free(s->items);
    s->items = NULL;
}

/* ---- who they are ---- */

/* Which log the service has, and the number of its newest event. */
static hcs_result look_at_log(struct several *s, hcs_host *host, uint64_t *out_last, hcs_error *err)
{
    _cleanup_(string_dropp) char *document = NULL;
    _cleanup_(json_dropp) json_t *info = NULL;
    const json_t *log;
    const char *id;
    hcs_result r = hcs_host_info(host, &document, err);

    if (r < 0)
        return r;
    info = json_loads(document, 0, NULL);
    log = json_object_get(info, "log");
    id = json_string_value(json_object_get(log, "id"));
    snprintf(s->log, sizeof s->log, "%s", id ? id : "");
    *out_last = (uint64_t) json_integer_value(json_object_get(log, "last"));
    return HCS_OK;
}

/* A system that the service has forgotten: the log may still know it. */
static hcs_result look_in_log(hcs_host *host, struct wanted *w, hcs_error *err)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = NULL;
    hcs_result r;

    options.from = HCS_FROM_BEGINNING;
    options.system_id = w->id;
    r = hcs_stream_open(host, &options, &stream, err);
    hcs_stream_close(stream);
    w->ended = r == HCS_OK;
    return r;
}

static hcs_result look_up(hcs_host *host, struct wanted *w, hcs_error *err)
{
    _cleanup_(system_dropp) hcs_system *system = NULL;
    _cleanup_(string_dropp) char *document = NULL;
    _cleanup_(json_dropp) json_t *json = NULL;
    const char *state;
    hcs_result r = hcs_system_open(host, w->id, &system, err);

    if (r == HCS_E_SYSTEM_NOT_FOUND)
        r = look_in_log(host, w, err);
    else if (r == HCS_OK)
        r = hcs_system_properties(system, &document, err);
    if (r < 0)
        return r;
    json = document ? json_loads(document, 0, NULL) : NULL;
    w->incarnation = (uint64_t) json_integer_value(json_object_get(json, "Incarnation"));
    state = json_string_value(json_object_get(json, "State"));
    w->ended |= state && strcmp(state, "Stopped") == 0;
    return HCS_OK;
}

/* The number that a cursor stands behind; 0 when it is of a log that was before this one: the
 * numbers of that say nothing about what has been seen here. */
static uint64_t number_of(const struct several *s, const char *cursor)
{
    const char *log = strchr(cursor, '.'), *dot = strrchr(cursor, '.');
    size_t n = strlen(s->log);

    if (!log || dot != log + 1 + n || strncmp(log + 1, s->log, n) != 0)
        return 0;
    return strtoull(dot + 1, NULL, 10);
}

/* What has ended already ends no stream: read on to the number the log has now, and no further. */
hcs_result several_look_up(struct several *s, hcs_host *host, const char *cursor, hcs_error *err)
{
    uint64_t last = 0;
    hcs_result r = HCS_OK;

    for (int i = 0; i < s->n && r == HCS_OK; i++)
        r = look_up(host, &s->items[i], err);
    if (r == HCS_OK && s->n > 0)
        r = look_at_log(s, host, &last, err);
    s->position = number_of(s, cursor);
    for (int i = 0; i < s->n && r == HCS_OK; i++) {
        if (!s->items[i].ended)
            continue;
        s->items[i].until = last;
        s->items[i].ended = last == 0;
    }
    return r;
}

/* ---- what is seen ---- */

static struct wanted *find(struct several *s, const hcs_event *event)
{
    for (int i = 0; i < s->n; i++) {
        struct wanted *w = &s->items[i];

        if (strcmp(w->id, event->system.id) == 0 &&
            (!w->incarnation || w->incarnation == event->system.incarnation))
            return w;
    }
    return NULL;
}

int several_shows(struct several *s, const hcs_event *event)
{
    struct wanted *w;

    if (event->sequence && strcmp(event->log_id, s->log) == 0)
        s->position = event->sequence;
    if (s->n == 0 || !event->system.id[0])
        return 1;
    w = find(s, event);
    if (w && event->kind == HCS_EVENT_SYSTEM_EXITED)
        w->ended = 1;
    return w != NULL;
}

int several_have_ended(const struct several *s)
{
    for (int i = 0; i < s->n; i++) {
        const struct wanted *w = &s->items[i];

        if (!w->ended && !(w->until && s->position >= w->until))
            return 0;
    }
    return s->n > 0;
}
