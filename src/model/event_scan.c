/* event_scan.c - an event from the text of its frame, without building JSON in between.
 *
 * Owns nothing: the strings of the event are in the text, where they came.
 * Used by the library, which reads a long log again several times as fast.
 * Promises what event_view() gives of the same frame, or that it cannot: of what is not written
 * exactly as event_encode() and the service write it, and of what is not ASCII, it says so.
 */
#include "event.h"

#include <assert.h>
#include <string.h>

#include "exit.h"

struct scan {
    char *at; /* the text ends with a NUL, on which everything below stops */
    char *end;
};

static int skip(struct scan *s, const char *words)
{
    size_t n = strlen(words);

    if (strncmp(s->at, words, n) != 0)
        return 0;
    s->at += n;
    return 1;
}

/* Without a sign and a leading zero, as JSON has numbers. */
static int scan_number(struct scan *s, uint64_t max, uint64_t *out)
{
    const char *begin = s->at;
    uint64_t n = 0;

    for (; *s->at >= '0' && *s->at <= '9'; s->at++) {
        uint64_t digit = (uint64_t) (*s->at - '0');

        if (n > (max - digit) / 10)
            return 0;
        n = n * 10 + digit;
    }
    *out = n;
    return s->at != begin && (*begin != '0' || s->at == begin + 1);
}

static int scan_escape(struct scan *s, char *out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *found = *s->at ? strchr(letters, *s->at) : NULL;

    if (!found)
        return 0; /* a code number: rare */
    *out = meanings[found - letters];
    s->at++;
    return 1;
}

/* The string behind a quotation mark, moved together and ended where it stands. */
static int scan_string(struct scan *s, const char **out, size_t *out_length)
{
    char *to = s->at;

    *out = to;
    for (;;) {
        unsigned char c = (unsigned char) *s->at++;

        if (c == '"')
            break;
        if (c < 0x20 || c >= 0x80)
            return 0;
        if (c != '\\')
            *to++ = (char) c;
        else if (!scan_escape(s, to++))
            return 0;
    }
    *out_length = (size_t) (to - *out);
    *to = 0;
    return 1;
}

static int scan_word(struct scan *s, const char *lead, const char **out)
{
    size_t length;

    return skip(s, lead) && scan_string(s, out, &length);
}

static int scan_system(struct scan *s, hcs_event_system *out)
{
    return scan_word(s, ",\"system\":{\"id\":\"", &out->id) && skip(s, ",\"incarnation\":") &&
           scan_number(s, INT64_MAX, &out->incarnation) &&
           scan_word(s, ",\"owner\":\"", &out->owner) && scan_word(s, ",\"type\":\"", &out->type) &&
           scan_word(s, ",\"isolation\":\"", &out->isolation) && skip(s, "}");
}

static int scan_exit(struct scan *s, hcs_event *out)
{
    json_error_t why;
    json_t *json = json_loadb(s->at, (size_t) (s->end - s->at),
                              JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &why);
    int ok = json && exit_from_json(json, &out->exit, NULL) >= 0;

    json_decref(json);
    s->at += ok ? (size_t) why.position : 0;
    out->has_exit = 1;
    return ok;
}

static int scan_rest(struct scan *s, hcs_event *out)
{
    uint64_t process_id = 0;

    if (skip(s, ",\"processId\":") && !scan_number(s, UINT32_MAX, &process_id))
        return 0;
    out->process_id = (uint32_t) process_id;
    if (skip(s, ",\"exit\":") && !scan_exit(s, out))
        return 0;
    return !skip(s, ",\"detail\":\"") || scan_string(s, &out->detail, &out->detail_length);
}

int event_scan(char *text, size_t length, hcs_event *out)
{
    struct scan s = { text, text + length };
    hcs_event event = HCS_EVENT_INIT;
    const char *name;
    uint64_t kind;

    assert(text[length] == 0);
    if (!skip(&s, "{\"parameters\":{\"event\":{\"sequence\":") ||
        !scan_number(&s, INT64_MAX, &event.sequence) || !skip(&s, ",\"kind\":") ||
        !scan_number(&s, UINT32_MAX, &kind) || !scan_word(&s, ",\"name\":\"", &name) ||
        !skip(&s, ",\"realtimeNs\":") || !scan_number(&s, INT64_MAX, &event.realtime_ns) ||
        !skip(&s, ",\"monotonicNs\":") || !scan_number(&s, INT64_MAX, &event.monotonic_ns) ||
        !scan_system(&s, &event.system) || !scan_rest(&s, &event) ||
        !skip(&s, "}},\"continues\":true}") || s.at != s.end)
        return 0;
    event.kind = (hcs_event_kind) kind;
    *out = event;
    return 1;
}
