/* report.c - exit reports and events as words, as JSON lines and as exit statuses.
 *
 * Owns nothing; used by events, list, run and wait.  Pure.  Promises that no number is made up:
 * what nobody knows is told as unknown, and a document of the service is handed on as it came.
 */
#include "report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum {
    COMMAND_SHOWN = 100, /* bytes of a command line in a table, more or less */
    COMMAND_SIZE = 2 * COMMAND_SHOWN + 16
};

/* ---- exit statuses ---- */

int report_exit_status(const hcs_exit *report)
{
    if (report->how == HCS_EXIT_CODE)
        return (int) (report->code & 0xFF);
    if (report->how == HCS_EXIT_SIGNAL)
        return 128 + report->signal;
    return STATUS_OURS;
}

int report_failure_status(hcs_result why)
{
    if (why == HCS_E_WIN32_FILE_NOT_FOUND)
        return STATUS_NOT_FOUND;
    if (why == HCS_E_WIN32_ACCESS_DENIED)
        return STATUS_NOT_EXECUTABLE;
    return STATUS_OURS;
}

int report_exit_is_good(const hcs_exit *report)
{
    if (report->how == HCS_EXIT_CODE)
        return report->code == 0;
    return report->how == HCS_EXIT_STATUS && report->type != HCS_EXIT_TYPE_UNEXPECTED &&
           report->type != HCS_EXIT_TYPE_UNKNOWN;
}

/* ---- to and from JSON ---- */

struct word {
    const char *text;
    uint32_t value;
};

static const struct word hows[] = { { "code", HCS_EXIT_CODE },
                                    { "signal", HCS_EXIT_SIGNAL },
                                    { "status", HCS_EXIT_STATUS },
                                    { "unknown", HCS_EXIT_UNKNOWN } };
static const struct word types[] = { { "graceful", HCS_EXIT_TYPE_GRACEFUL },
                                     { "forced", HCS_EXIT_TYPE_FORCED },
                                     { "unexpected", HCS_EXIT_TYPE_UNEXPECTED },
                                     { "unknown", HCS_EXIT_TYPE_UNKNOWN } };
static const struct word initiators[] = { { "guestOs", HCS_INITIATOR_GUEST_OS },
                                          { "client", HCS_INITIATOR_CLIENT },
                                          { "internal", HCS_INITIATOR_INTERNAL },
                                          { "unknown", HCS_INITIATOR_UNKNOWN } };

static const char *text_of(uint32_t value, const struct word *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (words[i].value == value)
            return words[i].text;
    return NULL;
}

static uint32_t value_of(const json_t *json, const struct word *words, size_t n, uint32_t otherwise)
{
    const char *text = json_string_value(json);

    for (size_t i = 0; text && i < n; i++)
        if (strcmp(words[i].text, text) == 0)
            return words[i].value;
    return otherwise;
}

int report_exit_from_json(const json_t *json, hcs_exit *out)
{
    hcs_exit report = HCS_EXIT_INIT;
    const char *reason = json_string_value(json_object_get(json, "reason"));

    if (!json_is_string(json_object_get(json, "how")))
        return -1;
    report.how = value_of(json_object_get(json, "how"), hows, N_ELEMENTS(hows), HCS_EXIT_UNKNOWN);
    report.code = (uint32_t) json_integer_value(json_object_get(json, "code"));
    report.signal = (int32_t) json_integer_value(json_object_get(json, "signal"));
    report.core_dumped = json_is_true(json_object_get(json, "coreDumped"));
    report.status = (hcs_result) json_integer_value(json_object_get(json, "status"));
    report.type =
        value_of(json_object_get(json, "type"), types, N_ELEMENTS(types), HCS_EXIT_TYPE_NONE);
    report.initiator = value_of(json_object_get(json, "initiator"), initiators,
                                N_ELEMENTS(initiators), HCS_INITIATOR_NONE);
    report.oom_kills = (uint64_t) json_integer_value(json_object_get(json, "oomKills"));
    if (reason)
        snprintf(report.reason, sizeof report.reason, "%s", reason);
    *out = report;
    return 0;
}

static json_t *exit_to_json(const hcs_exit *report)
{
    const char *how = text_of(report->how, hows, N_ELEMENTS(hows));
    const char *type = text_of(report->type, types, N_ELEMENTS(types));
    const char *initiator = text_of(report->initiator, initiators, N_ELEMENTS(initiators));
    json_t *json = json_pack("{s:s}", "how", how ? how : "unknown");

    if (!json)
        return NULL;
    if (report->how == HCS_EXIT_CODE)
        json_object_set_new(json, "code", json_integer(report->code));
    else if (report->how == HCS_EXIT_SIGNAL) {
        json_object_set_new(json, "signal", json_integer(report->signal));
        json_object_set_new(json, "coreDumped", json_boolean(report->core_dumped));
    } else if (report->how == HCS_EXIT_STATUS)
        json_object_set_new(json, "status", json_integer(report->status));
    else
        json_object_set_new(json, "reason", json_string(report->reason));
    if (type)
        json_object_set_new(json, "type", json_string(type));
    if (type && initiator)
        json_object_set_new(json, "initiator", json_string(initiator));
    if (report->oom_kills)
        json_object_set_new(json, "oomKills", json_integer((json_int_t) report->oom_kills));
    return json;
}

/* Where the number is one, as far as it is known. */
static void place_to_json(json_t *json, const hcs_event *event, const char *cursor)
{
    const struct {
        const char *key, *value;
    } ids[] = { { "hostId", event->host_id },
                { "logId", event->log_id },
                { "bootId", event->boot_id },
                { "cursor", cursor } };

    for (size_t i = 0; i < N_ELEMENTS(ids); i++)
        if (ids[i].value[0])
            json_object_set_new(json, ids[i].key, json_string(ids[i].value));
}

static json_t *event_to_json(const hcs_event *event, const char *cursor)
{
    char number[16];
    json_t *json = json_pack("{s:I, s:I, s:s}", "sequence", (json_int_t) event->sequence, "kind",
                             (json_int_t) event->kind, "name",
                             report_event_name(event, number, sizeof number));

    if (!json)
        return NULL;
    if (event->realtime_ns) {
        json_object_set_new(json, "realtimeNs", json_integer((json_int_t) event->realtime_ns));
        json_object_set_new(json, "monotonicNs", json_integer((json_int_t) event->monotonic_ns));
    }
    if (event->system.id[0])
        json_object_set_new(json, "system",
                            json_pack("{s:s, s:I, s:s, s:s, s:s}", "id", event->system.id,
                                      "incarnation", (json_int_t) event->system.incarnation,
                                      "owner", event->system.owner, "type", event->system.type,
                                      "isolation", event->system.isolation));
    if (event->process_id)
        json_object_set_new(json, "processId", json_integer(event->process_id));
    if (event->has_exit)
        json_object_set_new(json, "exit", exit_to_json(&event->exit));
    if (event->kind == HCS_EVENT_GAP)
        json_object_set_new(json, "gap",
                            json_pack("{s:I, s:I}", "first", (json_int_t) event->gap_first, "last",
                                      (json_int_t) event->gap_last));
    place_to_json(json, event, cursor);
    return json;
}

static char *copy_of(const char *text, size_t n)
{
    char *copy = malloc(n + 1);

    if (copy) {
        memcpy(copy, text, n);
        copy[n] = '\0';
    }
    return copy;
}

char *report_json_line(const char *document, size_t n)
{
    /* only to see whether it is JSON: as reals, no integer of it is too large */
    json_t *json =
        json_loadb(document, n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    char *text;

    if (json) {
        text = copy_of(document, n);
        for (char *c = text; c && *c; c++)
            if (*c == '\n' || *c == '\r')
                *c = ' ';
    } else {
        _cleanup_(free_dropp) char *clean = output_clean(document);

        json = json_stringn(document, n);
        if (!json) /* not UTF-8 */
            json = json_string(clean);
        text = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
    }
    json_decref(json);
    return text;
}

char *report_event_json(const hcs_event *event, const char *cursor)
{
    _cleanup_(json_dropp) json_t *json = event_to_json(event, cursor);
    _cleanup_(free_dropp) char *head = json ? json_dumps(json, JSON_COMPACT) : NULL;
    _cleanup_(free_dropp) char *detail = NULL;
    char *line;

    if (!head || event->detail_length == 0)
        return head ? strdup(head) : NULL;
    detail = report_json_line(event->detail, event->detail_length);
    if (!detail || asprintf(&line, "%.*s,\"detail\":%s}", (int) strlen(head) - 1, head, detail) < 0)
        return NULL;
    return line;
}

/* ---- words ---- */

const char *report_event_name(const hcs_event *event, char *buffer, size_t size)
{
    const char *name = hcs_event_kind_name(event->kind);

    if (name)
        return name;
    snprintf(buffer, size, "0x%08X", (unsigned) event->kind);
    return buffer;
}

static int is_plain(const char *word)
{
    return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "_./-+=:,@%^") == strlen(word);
}

/* The arguments of a program as one would type them, cut when long. */
static const char *command_words(const json_t *arguments, char text[COMMAND_SIZE])
{
    size_t i, at = 0;
    json_t *item;

    text[0] = '\0';
    json_array_foreach(arguments, i, item)
    {
        const char *word = json_string_value(item);

        if (!word)
            continue;
        if (at > COMMAND_SHOWN) {
            snprintf(text + at, COMMAND_SIZE - at, " ...");
            break;
        }
        at +=
            (size_t) snprintf(text + at, COMMAND_SIZE - at, is_plain(word) ? "%s%.*s" : "%s'%.*s'",
                              i ? " " : "", COMMAND_SHOWN, word);
    }
    return text;
}

_printf_(1, 2) static char *format(const char *pattern, ...)
{
    char *text;
    va_list arguments;
    int n;

    va_start(arguments, pattern);
    n = vasprintf(&text, pattern, arguments);
    va_end(arguments);
    return n < 0 ? NULL : text;
}

static char *created_words(const hcs_event *event)
{
    const hcs_event_system *s = &event->system;
    int is_bare = strcmp(s->isolation, "none") == 0;

    return format("%s created%s%s%s",
                  strcmp(s->type, "VirtualMachine") == 0 ? "virtual machine" : "container",
                  s->owner[0] ? ", owner " : "", s->owner, is_bare ? ", without isolation" : "");
}

static char *started_words(const hcs_event *event, const json_t *detail)
{
    const json_t *arguments = json_object_get(detail, "CommandArgs");
    const char *line = json_string_value(json_object_get(detail, "CommandLine"));
    char command[COMMAND_SIZE];
    const char *shown = *command_words(arguments, command) ? command : line ? line : "";

    return format("process %u started%s%s", (unsigned) event->process_id, *shown ? ": " : "",
                  shown);
}

static char *gap_words(const hcs_event *event)
{
    unsigned long long first = event->gap_first, last = event->gap_last;

    return format(
        "EVENTS ARE MISSING: %llu to %llu (%llu), the log of the service no longer has them", first,
        last, last - first + 1);
}

static char *end_words(const json_t *detail)
{
    const char *reason = json_string_value(json_object_get(detail, "Reason"));

    return format("the stream ends%s%s", reason ? ": " : "", reason ? reason : "");
}

static char *other_words(const hcs_event *event, int reconnects)
{
    switch (event->kind) {
    case HCS_EVENT_SYSTEM_STARTED:
        return format("running");
    case HCS_EVENT_SYSTEM_PAUSED:
        return format("paused");
    case HCS_EVENT_SYSTEM_RESUMED:
        return format("runs again");
    case HCS_EVENT_SYSTEM_CRASH_INITIATED:
        return format("the operating system in it began to crash");
    case HCS_EVENT_SYSTEM_CRASH_REPORT:
        return format("its crash was reported");
    case HCS_EVENT_SERVICE_DISCONNECT:
        return format(reconnects ? "the service is gone: waiting for it to come back"
                                 : "THE SERVICE IS GONE: what happens from here on is not seen");
    case HCS_EVENT_SERVICE_RECONNECTED:
        return format("the service is back, and the events go on where they stopped");
    case HCS_EVENT_BOOKMARK:
        return format("nothing more up to here");
    default:
        return format("%.*s", COMMAND_SHOWN, event->detail);
    }
}

char *report_event_words(const hcs_event *event, int reconnects)
{
    _cleanup_(json_dropp) json_t *detail = json_loads(event->detail, 0, NULL);
    char how[256];

    switch (event->kind) {
    case HCS_EVENT_SYSTEM_CREATED:
        return created_words(event);
    case HCS_EVENT_PROCESS_STARTED:
        return started_words(event, detail);
    case HCS_EVENT_PROCESS_EXITED:
        hcs_exit_describe(&event->exit, how, sizeof how);
        return format("process %u exited: %s", (unsigned) event->process_id, how);
    case HCS_EVENT_SYSTEM_EXITED:
        return format("ended: %s", hcs_exit_describe(&event->exit, how, sizeof how));
    case HCS_EVENT_GAP:
        return gap_words(event);
    case HCS_EVENT_END:
        return end_words(detail);
    default:
        return other_words(event, reconnects);
    }
}

enum colour report_event_colour(const hcs_event *event)
{
    switch (event->kind) {
    case HCS_EVENT_PROCESS_EXITED:
        return report_exit_is_good(&event->exit) ? COLOUR_GREEN : COLOUR_RED;
    case HCS_EVENT_SYSTEM_EXITED:
        return report_exit_is_good(&event->exit) ? COLOUR_BLUE : COLOUR_RED;
    case HCS_EVENT_GAP:
    case HCS_EVENT_SERVICE_DISCONNECT:
    case HCS_EVENT_SYSTEM_CRASH_INITIATED:
    case HCS_EVENT_SYSTEM_CRASH_REPORT:
        return COLOUR_RED;
    case HCS_EVENT_SYSTEM_PAUSED:
        return COLOUR_YELLOW;
    default:
        return COLOUR_NONE;
    }
}
