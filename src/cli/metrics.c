/* metrics.c - the status of a service in the text format of Prometheus.
 *
 * Owns the names of the metrics, which people's alarms depend on: they may be added to, never
 * changed.  Used by hcs status.  Promises HELP and TYPE once for each, before all of its samples.
 */
#include "metrics.h"

#include <stdint.h>
#include <string.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

enum unit { COUNT, NANOSECONDS, FLAG };

struct metric {
    const char *part; /* of the status; NULL: the status itself */
    const char *field;
    const char *name;
    const char *type;
    const char *help;
    enum unit unit;
};

static const struct metric plain[] = {
    { NULL, "startedNs", "hcs_start_time_seconds", "gauge", "Start of the service, since 1970.",
      NANOSECONDS },
    { NULL, "uptimeNs", "hcs_uptime_seconds", "gauge", "How long the service has run.",
      NANOSECONDS },
    { NULL, "connections", "hcs_connections", "gauge", "Connections of clients.", COUNT },
    { "log", "last", "hcs_events_total", "counter", "Events that are durable.", COUNT },
    { "log", "first", "hcs_log_first_sequence", "gauge", "Number of the oldest event in the log.",
      COUNT },
    { "log", "events", "hcs_log_events", "gauge", "Events in the log.", COUNT },
    { "log", "eventsMax", "hcs_log_events_max", "gauge", "Events that the log keeps.", COUNT },
    { "log", "eventBytes", "hcs_log_event_bytes", "gauge", "Bytes of the events in the log.",
      COUNT },
    { "log", "bytesMax", "hcs_log_event_max_bytes", "gauge",
      "Bytes of events that the log keeps; 0: no limit.", COUNT },
    { "log", "ageMaxNs", "hcs_log_age_max_seconds", "gauge",
      "Age of events that the log keeps; 0: no limit.", NANOSECONDS },
    { "log", "fileBytes", "hcs_log_file_bytes", "gauge", "Bytes of the files of the log.", COUNT },
    { "log", "pending", "hcs_log_pending_events", "gauge", "Events that are not durable yet.",
      COUNT },
    { "log", "stuck", "hcs_log_stuck", "gauge", "1 while events cannot be made durable.", FLAG },
    { "log", "setAside", "hcs_log_set_aside", "gauge", "Damaged logs that were set aside.", COUNT },
    { "readers", "count", "hcs_readers", "gauge", "Streams of events.", COUNT },
    { "readers", "blocked", "hcs_readers_blocked", "gauge",
      "Streams that have no room for their next event.", COUNT },
    { "readers", "lagMax", "hcs_readers_lag_max_events", "gauge",
      "Events that the reader furthest behind has not passed.", COUNT },
    { "readers", "gaps", "hcs_gaps_total", "counter", "Gaps told to readers.", COUNT },
    { "readers", "missedEvents", "hcs_missed_events_total", "counter",
      "Events in gaps, counted for each reader.", COUNT },
};

static const struct metric of_reader[] = {
    { NULL, "lag", "hcs_reader_lag_events", "gauge", "Events that the reader has not passed.",
      COUNT },
    { NULL, "unsentBytes", "hcs_reader_unsent_bytes", "gauge", "Bytes that wait for the reader.",
      COUNT },
    { NULL, "missedEvents", "hcs_reader_missed_events_total", "counter",
      "Events in gaps that the reader was told.", COUNT },
};

/* What one user has, and may have. */
static const struct metric of_user[] = {
    { "used", "connections", "hcs_user_connections", "gauge", "Connections of the user.", COUNT },
    { "used", "streams", "hcs_user_streams", "gauge", "Streams of the user.", COUNT },
    { "used", "calls", "hcs_user_calls", "gauge", "Calls of the user that wait.", COUNT },
    { "used", "tickets", "hcs_user_tickets", "gauge",
      "Standard handles of the user that wait for their programs.", COUNT },
    { "used", "bytes", "hcs_user_bytes", "gauge", "Bytes on their way for the user.", COUNT },
    { "limits", "connections", "hcs_user_limit_connections", "gauge",
      "Connections that the user may have.", COUNT },
    { "limits", "streams", "hcs_user_limit_streams", "gauge", "Streams that the user may have.",
      COUNT },
    { "limits", "calls", "hcs_user_limit_calls", "gauge", "Calls that wait that the user may have.",
      COUNT },
    { "limits", "tickets", "hcs_user_limit_tickets", "gauge",
      "Standard handles that wait that the user may have.", COUNT },
    { "limits", "bytes", "hcs_user_limit_bytes", "gauge",
      "Bytes on their way that the user may have.", COUNT },
};

static const json_t *value_of(const struct metric *m, const json_t *object)
{
    return json_object_get(m->part ? json_object_get(object, m->part) : object, m->field);
}

static void print_head(FILE *to, const char *name, const char *type, const char *help)
{
    fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_value(FILE *to, enum unit unit, const json_t *value)
{
    json_int_t n = json_integer_value(value);

    if (unit == NANOSECONDS)
        fprintf(to, "%lld.%09lld\n", (long long) (n / 1000000000), (long long) (n % 1000000000));
    else if (unit == FLAG)
        fprintf(to, "%d\n", json_is_true(value));
    else
        fprintf(to, "%lld\n", (long long) n);
}

static int is_there(const struct metric *m, const json_t *value)
{
    return m->unit == FLAG ? json_is_boolean(value) : json_is_integer(value);
}

/* NAME="VALUE", with what would end it escaped. */
static void print_label(FILE *to, const char *before, const char *name, const char *value)
{
    fprintf(to, "%s%s=\"", before, name);
    for (; *value; value++) {
        if (*value == '\n')
            fputs("\\n", to);
        else if (*value == '"' || *value == '\\')
            fprintf(to, "\\%c", *value);
        else
            fputc(*value, to);
    }
    fputc('"', to);
}

/* ---- what has no labels ---- */

static void print_plain(FILE *to, const json_t *status)
{
    for (size_t i = 0; i < N_ELEMENTS(plain); i++) {
        const json_t *value = value_of(&plain[i], status);

        if (!is_there(&plain[i], value))
            continue;
        print_head(to, plain[i].name, plain[i].type, plain[i].help);
        fprintf(to, "%s ", plain[i].name);
        print_value(to, plain[i].unit, value);
    }
}

/* ---- what it is ---- */

static void print_info(FILE *to, const json_t *status)
{
    const struct {
        const char *label;
        const json_t *value;
    } labels[] = {
        { "version", json_object_get(status, "version") },
        { "log", json_object_get(json_object_get(status, "log"), "id") },
        { "host", json_object_get(status, "host") },
    };
    const char *before = "{";

    print_head(to, "hcs_service_info", "gauge", "What the service is; always 1.");
    fputs("hcs_service_info", to);
    for (size_t i = 0; i < N_ELEMENTS(labels); i++) {
        if (!json_is_string(labels[i].value))
            continue;
        print_label(to, before, labels[i].label, json_string_value(labels[i].value));
        before = ",";
    }
    fprintf(to, "%s 1\n", *before == ',' ? "}" : "");
}

/* ---- one sample for each field ---- */

static void print_fields(FILE *to, const json_t *object, const char *label, const char *name,
                         const char *type, const char *help)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return;
    print_head(to, name, type, help);
    json_object_foreach((json_t *) (uintptr_t) object, key, value)
    {
        fputs(name, to);
        print_label(to, "{", label, key);
        fputs("} ", to);
        print_value(to, COUNT, value);
    }
}

/* ---- one sample for each member of a list ---- */

/* The user that a reader or a share is of. */
static void print_user(FILE *to, const char *before, const json_t *of)
{
    const json_t *uid = json_object_get(of, "uid");
    char text[24] = "tcp";

    if (json_is_integer(uid))
        snprintf(text, sizeof text, "%lld", (long long) json_integer_value(uid));
    print_label(to, before, "user", text);
}

static void print_member_labels(FILE *to, const json_t *member)
{
    const json_t *reader = json_object_get(member, "reader");
    char text[24];

    if (json_is_integer(reader)) {
        snprintf(text, sizeof text, "%lld", (long long) json_integer_value(reader));
        print_label(to, "{", "reader", text);
        print_user(to, ",", member);
    } else {
        print_user(to, "{", member);
    }
    fputs("} ", to);
}

static void print_list(FILE *to, const json_t *list, const struct metric *metrics, size_t n)
{
    const json_t *member;
    size_t i;

    for (const struct metric *m = metrics; m < metrics + n && json_array_size(list) > 0; m++) {
        print_head(to, m->name, m->type, m->help);
        json_array_foreach(list, i, member)
        {
            if (!is_there(m, value_of(m, member)))
                continue;
            fputs(m->name, to);
            print_member_labels(to, member);
            print_value(to, m->unit, value_of(m, member));
        }
    }
}

void metrics_print(FILE *to, const json_t *status)
{
    print_info(to, status);
    print_plain(to, status);
    print_fields(to, json_object_get(status, "systems"), "state", "hcs_systems", "gauge",
                 "Systems in each state; those that are cleaning have ended.");
    print_fields(to, json_object_get(status, "refused"), "reason", "hcs_refused_total", "counter",
                 "Clients and calls that were refused.");
    print_list(to, json_object_get(json_object_get(status, "readers"), "list"), of_reader,
               N_ELEMENTS(of_reader));
    print_list(to, json_object_get(status, "users"), of_user, N_ELEMENTS(of_user));
}
