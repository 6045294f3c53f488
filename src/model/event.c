/* event.c - events on the wire and in the log.
 *
 * Owns nothing: encoding appends to the caller's buffer, a view borrows from the caller's JSON.
 * Used by the engine once for each event, and by the library for each event it receives.
 * Promises well-formed JSON whatever the strings hold (what is not UTF-8 becomes U+FFFD), an
 * untouched buffer on failure, and that a field from a newer service does not disturb.
 */
#include "event.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "exit.h"
#include "utf.h"

/* ---- encoding ---- */

#define SEQUENCE_PREFIX "{\"sequence\":" /* of each encoded event */

/* Length of what needs no escape at the front of @s. */
static size_t plain_length(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && (unsigned char) s[i] >= 0x20 && (unsigned char) s[i] < 0x80 && s[i] != '"' &&
           s[i] != '\\')
        i++;
    return i;
}

static hcs_result append_escaped(struct buf *out, char c)
{
    switch (c) {
    case '"':
        return buf_append_string(out, "\\\"");
    case '\\':
        return buf_append_string(out, "\\\\");
    case '\n':
        return buf_append_string(out, "\\n");
    case '\r':
        return buf_append_string(out, "\\r");
    case '\t':
        return buf_append_string(out, "\\t");
    case '\0':
        return buf_append_string(out, "\xEF\xBF\xBD"); /* readers cannot hold a NUL */
    default:
        return buf_printf(out, "\\u%04X", (unsigned) (unsigned char) c);
    }
}

static hcs_result append_json_string(struct buf *out, const char *s, size_t n)
{
    hcs_result r = buf_append_string(out, "\"");

    while (r >= 0 && n > 0) {
        size_t length = plain_length(s, n);

        if (length == 0 && (unsigned char) s[0] >= 0x80)
            length = utf8_sequence(s, n);
        if (length > 0) {
            r = buf_append(out, s, length);
        } else if ((unsigned char) s[0] < 0x80) {
            length = 1;
            r = append_escaped(out, s[0]);
        } else {
            length = 1;
            r = buf_append_string(out, "\xEF\xBF\xBD");
        }
        s += length;
        n -= length;
    }
    return r < 0 ? r : buf_append_string(out, "\"");
}

/* ,"name":"value" with the comma and the colon as given in @lead. */
static hcs_result append_field(struct buf *out, const char *lead, const char *value)
{
    hcs_result r = buf_append_string(out, lead);

    return r < 0 ? r : append_json_string(out, value, strlen(value));
}

static hcs_result append_system(struct buf *out, const hcs_event_system *system)
{
    hcs_result r = append_field(out, ",\"system\":{\"id\":", system->id);

    if (r >= 0)
        r = buf_printf(out, ",\"incarnation\":%" PRIu64, system->incarnation);
    if (r >= 0)
        r = append_field(out, ",\"owner\":", system->owner);
    if (r >= 0)
        r = append_field(out, ",\"type\":", system->type);
    if (r >= 0)
        r = append_field(out, ",\"isolation\":", system->isolation);
    return r < 0 ? r : buf_append_string(out, "}");
}

static hcs_result append_exit(struct buf *out, const hcs_exit *report)
{
    _cleanup_(free_drop) char *text = NULL;
    json_t *json = exit_to_json(report);
    hcs_result r;

    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return HCS_E_OUTOFMEMORY;
    r = buf_append_string(out, ",\"exit\":");
    return r < 0 ? r : buf_append_string(out, text);
}

static hcs_result append_event(struct buf *out, const hcs_event *event)
{
    const char *name = hcs_event_kind_name(event->kind);
    hcs_result r;

    r = buf_printf(out,
                   SEQUENCE_PREFIX "%" PRIu64 ",\"kind\":%" PRIu32 ",\"name\":\"%s\","
                                   "\"realtimeNs\":%" PRIu64 ",\"monotonicNs\":%" PRIu64,
                   event->sequence, event->kind, name ? name : "Unknown", event->realtime_ns,
                   event->monotonic_ns);
    if (r >= 0)
        r = append_system(out, &event->system);
    if (r >= 0 && event->process_id != 0)
        r = buf_printf(out, ",\"processId\":%" PRIu32, event->process_id);
    if (r >= 0 && event->has_exit)
        r = append_exit(out, &event->exit);
    if (r >= 0 && event->detail_length > 0)
        r = buf_append_string(out, ",\"detail\":");
    if (r >= 0 && event->detail_length > 0)
        r = append_json_string(out, event->detail, event->detail_length);
    return r < 0 ? r : buf_append_string(out, "}");
}

hcs_result event_encode(const hcs_event *event, struct buf *out)
{
    size_t before;
    hcs_result r;

    assert(event && out);
    assert(event->system.id && event->system.owner && event->system.type &&
           event->system.isolation);
    assert(event->detail || event->detail_length == 0);
    if (event->sequence > INT64_MAX || event->realtime_ns > INT64_MAX ||
        event->monotonic_ns > INT64_MAX || event->system.incarnation > INT64_MAX ||
        event->exit.oom_kills > INT64_MAX)
        return HCS_E_INVALIDARG;
    before = out->length;
    r = append_event(out, event);
    if (r < 0 && out->data) {
        out->length = before;
        out->data[before] = '\0';
    }
    return r;
}

void event_renumber(struct buf *encoded, uint64_t sequence)
{
    size_t begin = strlen(SEQUENCE_PREFIX), end = begin;
    char text[24];
    size_t n = (size_t) snprintf(text, sizeof text, "%" PRIu64, sequence);

    assert(encoded->length > begin && memcmp(encoded->data, SEQUENCE_PREFIX, begin) == 0);
    while (encoded->data[end] >= '0' && encoded->data[end] <= '9')
        end++;
    assert(n <= end - begin);
    memcpy(encoded->data + begin, text, n);
    memmove(encoded->data + begin + n, encoded->data + end, encoded->length - end + 1);
    encoded->length -= end - begin - n;
}

/* The name and its colon come before any text that somebody else has written. */
uint64_t event_realtime(const char *encoded)
{
    static const char name[] = "\"realtimeNs\":";
    const char *at = strstr(encoded, name);

    return at ? strtoull(at + sizeof name - 1, NULL, 10) : 0;
}

/* ---- viewing ---- */

static hcs_result bad_field(const char *object, const char *name, const char *what, hcs_error *err)
{
    return fail(err, HCS_E_INVALID_JSON, "event.decode", "%s.%s %s", object, name, what);
}

static int is_absent(const json_t *value)
{
    return !value || json_is_null(value);
}

static hcs_result get_number(const json_t *json, const char *object, const char *name, uint64_t max,
                             uint64_t *out, hcs_error *err)
{
    const json_t *value = json_object_get(json, name);

    if (is_absent(value))
        return bad_field(object, name, "is missing", err);
    if (!json_is_integer(value))
        return bad_field(object, name, "must be an integer", err);
    if (json_integer_value(value) < 0 || (uint64_t) json_integer_value(value) > max)
        return bad_field(object, name, "is out of range", err);
    *out = (uint64_t) json_integer_value(value);
    return HCS_OK;
}

static hcs_result get_string(const json_t *json, const char *object, const char *name,
                             const char **out, size_t *out_length_opt, hcs_error *err)
{
    const json_t *value = json_object_get(json, name);

    if (is_absent(value))
        return bad_field(object, name, "is missing", err);
    if (!json_is_string(value))
        return bad_field(object, name, "must be a string", err);
    *out = json_string_value(value);
    if (out_length_opt)
        *out_length_opt = json_string_length(value);
    return HCS_OK;
}

hcs_result event_system_view(const json_t *json, hcs_event_system *out, hcs_error *err)
{
    hcs_event_system system = { "", 0, "", "", "" };
    hcs_result r;

    assert(out);
    if (!json_is_object(json))
        return fail(err, HCS_E_INVALID_JSON, "event.decode", "system must be an object");
    r = get_string(json, "system", "id", &system.id, NULL, err);
    if (r >= 0)
        r = get_number(json, "system", "incarnation", INT64_MAX, &system.incarnation, err);
    if (r >= 0)
        r = get_string(json, "system", "owner", &system.owner, NULL, err);
    if (r >= 0)
        r = get_string(json, "system", "type", &system.type, NULL, err);
    if (r >= 0)
        r = get_string(json, "system", "isolation", &system.isolation, NULL, err);
    if (r >= 0)
        *out = system;
    return r;
}

static hcs_result view_numbers(const json_t *json, hcs_event *event, hcs_error *err)
{
    uint64_t kind = 0, process_id = 0;
    hcs_result r;

    r = get_number(json, "event", "sequence", INT64_MAX, &event->sequence, err);
    if (r >= 0)
        r = get_number(json, "event", "kind", UINT32_MAX, &kind, err);
    if (r >= 0)
        r = get_number(json, "event", "realtimeNs", INT64_MAX, &event->realtime_ns, err);
    if (r >= 0)
        r = get_number(json, "event", "monotonicNs", INT64_MAX, &event->monotonic_ns, err);
    if (r >= 0 && !is_absent(json_object_get(json, "processId")))
        r = get_number(json, "event", "processId", UINT32_MAX, &process_id, err);
    event->kind = (hcs_event_kind) kind;
    event->process_id = (uint32_t) process_id;
    return r;
}

static hcs_result view_rest(const json_t *json, hcs_event *event, hcs_error *err)
{
    const json_t *exit = json_object_get(json, "exit");
    const char *name;
    hcs_result r;

    r = get_string(json, "event", "name", &name, NULL, err);
    if (r >= 0)
        r = event_system_view(json_object_get(json, "system"), &event->system, err);
    if (r >= 0 && !is_absent(exit)) {
        r = exit_from_json(exit, &event->exit, err);
        event->has_exit = 1;
    }
    if (r >= 0 && !is_absent(json_object_get(json, "detail")))
        r = get_string(json, "event", "detail", &event->detail, &event->detail_length, err);
    return r;
}

hcs_result event_view(const json_t *json, hcs_event *out, hcs_error *err)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_result r;

    assert(out);
    if (!json_is_object(json))
        return fail(err, HCS_E_INVALID_JSON, "event.decode", "event must be an object");
    r = view_numbers(json, &event, err);
    if (r >= 0)
        r = view_rest(json, &event, err);
    if (r >= 0)
        *out = event;
    return r;
}

json_t *event_system_to_json(const hcs_event_system *system)
{
    assert(system);
    return json_pack("{s:s, s:I, s:s, s:s, s:s}", "id", system->id, "incarnation",
                     (json_int_t) system->incarnation, "owner", system->owner, "type", system->type,
                     "isolation", system->isolation);
}
