/* place.c - where a stream is in the log of the service.
 *
 * Owns:    nothing; the place is the stream's.
 * Users:   subscribe.c and stream.c for what the service says, the table for hcs_stream_cursor().
 * Promise: the place is behind what the user has been given, and never behind anything that he has
 *          not; it is read from any thread.
 */
#include <string.h>

#include "cursor.h"
#include "stream.h"

static hcs_result refuse(const char *name, hcs_error *err)
{
    return fail(err, HCS_E_PROTOCOL_ERROR, "stream.place",
                "a position without '%s' in the answer of the service", name);
}

/* An id; "" when the service does not tell it. */
static hcs_result take_id(const json_t *position, const char *name, char out[PLACE_BYTES],
                          hcs_error *err)
{
    const json_t *id = json_object_get(position, name);

    if (!id || json_is_null(id))
        return HCS_OK;
    if (!json_is_string(id) || json_string_length(id) >= PLACE_BYTES)
        return refuse(name, err);
    memcpy(out, json_string_value(id), json_string_length(id) + 1);
    return HCS_OK;
}

hcs_result place_take(struct vl_stream *s, const json_t *position, hcs_error *err)
{
    const json_t *after = json_object_get(position, "after");
    struct place place = { .known = true };
    hcs_result r;

    if (!json_is_integer(after) || json_integer_value(after) < 0)
        return refuse("after", err);
    place.after = (uint64_t) json_integer_value(after);
    r = take_id(position, "log", place.log, err);
    if (r >= 0)
        r = take_id(position, "host", place.host, err);
    if (r >= 0)
        r = take_id(position, "boot", place.boot, err);
    if (r < 0)
        return r;
    lock_take(&s->lock);
    s->at = place;
    lock_give(&s->lock);
    return HCS_OK;
}

void place_move(struct vl_stream *s, uint64_t sequence)
{
    lock_take(&s->lock);
    s->at.after = sequence;
    lock_give(&s->lock);
}

void place_stamp(const struct vl_stream *s, hcs_event *e)
{
    e->host_id = s->at.host;
    e->log_id = s->at.log;
    e->boot_id = s->at.boot;
}

/* ---- verbs of the back end ---- */

hcs_result vl_stream_cursor(const hcs_stream *stream, char out[HCS_CURSOR_SIZE], hcs_error *err)
{
    struct vl_stream *s = container_of((hcs_stream *) (uintptr_t) stream, struct vl_stream, head);
    struct place at;

    lock_take(&s->lock);
    at = s->at;
    lock_give(&s->lock);
    if (!at.known)
        return fail(err, HCS_E_OPERATION_PENDING, "stream.cursor",
                    "the stream has not begun: its system is still being created");
    if (cursor_format(at.log, at.after, out) < 0)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "stream.cursor",
                    "the service at '%s' calls its log '%s', which no cursor can say",
                    s->host->path, at.log);
    return HCS_OK;
}
