/* exit.c - exit reports: from wait statuses, to and from JSON, as HCS documents, in words.
 *
 * Owns the numbers of Linux signals.  Used by the drivers, the engine and the library.  Promises
 * that every report says exactly one thing, that unknown stays unknown through every form, and
 * that a report which went to JSON comes back the same.
 */
#include "exit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "err.h"
#include "utf.h"

/* Linux on x86 and ARM.  The table is our own because this file also runs on Windows, where the
 * reports come from a Linux guest or a Linux host. */
#define SIGNAL_MAX 64
static const char *const signal_names[] = {
    [1] = "HUP",   [2] = "INT",     [3] = "QUIT",  [4] = "ILL",     [5] = "TRAP",  [6] = "ABRT",
    [7] = "BUS",   [8] = "FPE",     [9] = "KILL",  [10] = "USR1",   [11] = "SEGV", [12] = "USR2",
    [13] = "PIPE", [14] = "ALRM",   [15] = "TERM", [16] = "STKFLT", [17] = "CHLD", [18] = "CONT",
    [19] = "STOP", [20] = "TSTP",   [21] = "TTIN", [22] = "TTOU",   [23] = "URG",  [24] = "XCPU",
    [25] = "XFSZ", [26] = "VTALRM", [27] = "PROF", [28] = "WINCH",  [29] = "IO",   [30] = "PWR",
    [31] = "SYS",
};

/* Words of the wire, of HCS documents, by value. */
static const char *const how_words[] = { "unknown", "code", "signal", "status" };
static const char *const type_words[] = { NULL, "graceful", "forced", "unexpected", "unknown" };
static const char *const initiator_words[] = { NULL, "guestOs", "client", "internal", "unknown" };
static const char *const type_documents[] = {
    "Unknown", "GracefulExit", "ForcedExit", "UnexpectedExit", "Unknown",
};
static const char *const detail_documents[] = { NULL, "Shutdown", "Terminate", "UnexpectedExit",
                                                NULL };
static const char *const initiator_documents[] = { "None", "GuestOS", "Client", "Internal",
                                                   "Unknown" };

/* ---- making ---- */

/* One printable line of well-formed UTF-8: it becomes part of events, whose room is counted. */
static void put_reason(hcs_exit *report, const char *reason)
{
    size_t n = utf8_cut(reason, strlen(reason), sizeof report->reason - 1);

    memcpy(report->reason, reason, n);
    report->reason[n] = '\0';
    utf8_make_printable(report->reason, n);
}

hcs_exit exit_from_wait_status(uint32_t wait_status)
{
    hcs_exit report = HCS_EXIT_INIT;
    uint32_t signal = wait_status & 0x7F;
    char reason[48];

    if (signal == 0 && wait_status <= 0xFFFF) {
        report.how = HCS_EXIT_CODE;
        report.code = wait_status >> 8;
        return report;
    }
    if (signal != 0x7F && wait_status <= 0xFF) {
        report.how = HCS_EXIT_SIGNAL;
        report.signal = (int32_t) signal;
        report.core_dumped = (wait_status & 0x80) != 0;
        return report;
    }
    snprintf(reason, sizeof reason, "wait status 0x%X is not that of an end",
             (unsigned) wait_status);
    return exit_unknown(reason);
}

hcs_exit exit_unknown(const char *reason)
{
    hcs_exit report = HCS_EXIT_INIT;

    assert(reason);
    report.how = HCS_EXIT_UNKNOWN;
    put_reason(&report, reason);
    return report;
}

hcs_exit exit_of_system(hcs_result status, hcs_exit_type type, hcs_exit_initiator initiator)
{
    hcs_exit report = HCS_EXIT_INIT;

    assert(type != HCS_EXIT_TYPE_NONE && type < N_ELEMENTS(type_words));
    assert(initiator < N_ELEMENTS(initiator_words));
    report.how = HCS_EXIT_STATUS;
    report.status = status;
    report.type = type;
    report.initiator = initiator;
    return report;
}

/* ---- the wire ---- */

static const char *word_of(const char *const *words, size_t n, uint32_t value)
{
    return value < n ? words[value] : NULL;
}

/* A report that a driver filled by hand may hold any bytes; they must not cost us the report. */
static json_t *reason_to_json(const hcs_exit *report)
{
    hcs_exit clean;

    put_reason(&clean, report->reason);
    return json_string(clean.reason);
}

/* 0, or -1 when out of memory. */
static int put_what(json_t *json, const hcs_exit *report)
{
    switch (report->how) {
    case HCS_EXIT_CODE:
        return json_object_set_new(json, "code", json_integer(report->code));
    case HCS_EXIT_SIGNAL:
        return json_object_set_new(json, "signal", json_integer(report->signal)) |
               json_object_set_new(json, "coreDumped", json_boolean(report->core_dumped));
    case HCS_EXIT_STATUS:
        return json_object_set_new(json, "status", json_integer(report->status));
    default:
        return json_object_set_new(json, "reason", reason_to_json(report));
    }
}

json_t *exit_to_json(const hcs_exit *report)
{
    json_t *json = json_object();
    const char *how, *type, *initiator;
    int bad;

    assert(report);
    how = word_of(how_words, N_ELEMENTS(how_words), report->how);
    type = word_of(type_words, N_ELEMENTS(type_words), report->type);
    initiator = word_of(initiator_words, N_ELEMENTS(initiator_words), report->initiator);
    bad = json_object_set_new(json, "how", json_string(how ? how : "unknown")) |
          put_what(json, report);
    if (type)
        bad |= json_object_set_new(json, "type", json_string(type));
    if (initiator)
        bad |= json_object_set_new(json, "initiator", json_string(initiator));
    if (report->oom_kills)
        bad |= json_object_set_new(json, "oomKills", json_integer((json_int_t) report->oom_kills));
    if (bad) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static hcs_result bad_field(const char *name, const char *what, hcs_error *err)
{
    return fail(err, HCS_E_INVALID_JSON, "exit.decode", "exit.%s %s", name, what);
}

/* An integer of the object; @out keeps its value when there is none. */
static hcs_result get_integer(const json_t *json, const char *name, json_int_t low, json_int_t high,
                              json_int_t *out, hcs_error *err)
{
    const json_t *value = json_object_get(json, name);

    if (!value || json_is_null(value))
        return HCS_OK;
    if (!json_is_integer(value))
        return bad_field(name, "must be an integer", err);
    if (json_integer_value(value) < low || json_integer_value(value) > high)
        return bad_field(name, "is out of range", err);
    *out = json_integer_value(value);
    return HCS_OK;
}

/* A word of the object as its place in @words; @unknown for a word of a newer service. */
static hcs_result get_word(const json_t *json, const char *name, const char *const *words, size_t n,
                           uint32_t unknown, uint32_t *out, hcs_error *err)
{
    const json_t *value = json_object_get(json, name);

    if (!value || json_is_null(value))
        return HCS_OK;
    if (!json_is_string(value))
        return bad_field(name, "must be a string", err);
    *out = unknown;
    for (uint32_t i = 0; i < n; i++)
        if (words[i] && strcmp(words[i], json_string_value(value)) == 0)
            *out = i;
    return HCS_OK;
}

static int is_there(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    return value && !json_is_null(value);
}

/* Exactly one of the four is there, and it is the one that `how` says. */
static hcs_result check_sum(const json_t *json, hcs_exit_how how, hcs_error *err)
{
    static const char *const names[] = { "reason", "code", "signal", "status" };

    for (uint32_t i = 0; i < N_ELEMENTS(names); i++) {
        if (i == how && !is_there(json, names[i]))
            return bad_field(names[i], "is missing", err);
        if (i != how && is_there(json, names[i]))
            return bad_field(names[i], "contradicts exit.how", err);
    }
    return HCS_OK;
}

static hcs_result get_numbers(const json_t *json, hcs_exit *out, hcs_error *err)
{
    json_int_t code = 0, signal = 0, status = 0, oom_kills = 0;
    hcs_result r;

    r = get_integer(json, "code", 0, UINT32_MAX, &code, err);
    if (r >= 0)
        r = get_integer(json, "signal", 1, INT32_MAX, &signal, err);
    if (r >= 0)
        r = get_integer(json, "status", INT32_MIN, INT32_MAX, &status, err);
    if (r >= 0)
        r = get_integer(json, "oomKills", 0, INT64_MAX, &oom_kills, err);
    if (r < 0)
        return r;
    out->code = (uint32_t) code;
    out->signal = (int32_t) signal;
    out->status = (hcs_result) status;
    out->oom_kills = (uint64_t) oom_kills;
    return HCS_OK;
}

static hcs_result get_core_and_reason(const json_t *json, hcs_exit *out, hcs_error *err)
{
    const json_t *core = json_object_get(json, "coreDumped");
    const json_t *reason = json_object_get(json, "reason");

    if (core && !json_is_null(core) && !json_is_boolean(core))
        return bad_field("coreDumped", "must be a boolean", err);
    if (reason && !json_is_null(reason) && !json_is_string(reason))
        return bad_field("reason", "must be a string", err);
    if (out->how == HCS_EXIT_SIGNAL)
        out->core_dumped = json_is_true(core);
    if (json_is_string(reason))
        put_reason(out, json_string_value(reason));
    return HCS_OK;
}

hcs_result exit_from_json(const json_t *json, hcs_exit *out, hcs_error *err)
{
    hcs_exit report = HCS_EXIT_INIT;
    uint32_t how = N_ELEMENTS(how_words);
    hcs_result r;

    assert(out);
    if (!json_is_object(json))
        return fail(err, HCS_E_INVALID_JSON, "exit.decode", "exit must be an object");
    r = get_word(json, "how", how_words, N_ELEMENTS(how_words), N_ELEMENTS(how_words), &how, err);
    if (r < 0)
        return r;
    if (how == N_ELEMENTS(how_words))
        return bad_field("how", is_there(json, "how") ? "is not a known word" : "is missing", err);
    report.how = how;
    r = check_sum(json, how, err);
    if (r >= 0)
        r = get_numbers(json, &report, err);
    if (r >= 0)
        r = get_core_and_reason(json, &report, err);
    if (r >= 0)
        r = get_word(json, "type", type_words, N_ELEMENTS(type_words), HCS_EXIT_TYPE_UNKNOWN,
                     &report.type, err);
    if (r >= 0)
        r = get_word(json, "initiator", initiator_words, N_ELEMENTS(initiator_words),
                     HCS_INITIATOR_UNKNOWN, &report.initiator, err);
    if (r < 0)
        return r;
    *out = report;
    return HCS_OK;
}

/* ---- HCS documents ---- */

/* Dump and release @take_json, which may be NULL. */
static char *dump(json_t *take_json)
{
    char *text = take_json ? json_dumps(take_json, JSON_COMPACT) : NULL;

    json_decref(take_json);
    return text;
}

char *exit_process_status(uint32_t process_id, const hcs_exit *report)
{
    json_int_t code;

    assert(report);
    if (report->how != HCS_EXIT_CODE && report->how != HCS_EXIT_SIGNAL)
        return dump(json_pack("{s:I, s:b, s:i}", "ProcessId", (json_int_t) process_id, "Exited", 1,
                              "LastWaitResult", HCS_E_PROCESS_INFO_NOT_AVAILABLE));
    code = report->how == HCS_EXIT_CODE ? (json_int_t) report->code
                                        : 128 + (json_int_t) report->signal;
    return dump(json_pack("{s:I, s:b, s:I, s:i}", "ProcessId", (json_int_t) process_id, "Exited", 1,
                          "ExitCode", code, "LastWaitResult", 0));
}

char *exit_system_status(const hcs_exit *report)
{
    const char *type = NULL, *detail = NULL, *initiator;
    hcs_result status = HCS_E_UNEXPECTED_EXIT;

    assert(report);
    if (report->how == HCS_EXIT_STATUS) {
        status = report->status;
        type = word_of(type_documents, N_ELEMENTS(type_documents), report->type);
        detail = word_of(detail_documents, N_ELEMENTS(detail_documents), report->type);
    }
    initiator = word_of(initiator_documents, N_ELEMENTS(initiator_documents), report->initiator);
    if (!detail)
        return dump(json_pack("{s:i, s:s}", "Status", status, "ExitType", type ? type : "Unknown"));
    return dump(json_pack("{s:i, s:s, s:[{s:{s:s, s:s}}]}", "Status", status, "ExitType", type,
                          "Attribution", "SystemExit", "Detail", detail, "Initiator",
                          initiator ? initiator : "Unknown"));
}

/* ---- signals ---- */

const char *exit_signal_name(int number)
{
    size_t index = number > 0 ? (size_t) number : 0; /* 0 has no name */

    return index < N_ELEMENTS(signal_names) ? signal_names[index] : NULL;
}

int exit_signal_number(const char *name)
{
    int number = 0;

    assert(name);
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    else if (name[0] >= '1' && name[0] <= '9') {
        for (; *name >= '0' && *name <= '9' && number <= SIGNAL_MAX; name++)
            number = number * 10 + (*name - '0');
        return *name == '\0' && number <= SIGNAL_MAX ? number : -1;
    }
    for (size_t i = 1; i < N_ELEMENTS(signal_names); i++)
        if (strcasecmp(signal_names[i], name) == 0)
            return (int) i;
    if (strcasecmp(name, "IOT") == 0)
        return 6;
    if (strcasecmp(name, "POLL") == 0)
        return 29;
    return -1;
}

/* ---- words ---- */

/* How a system ended, for the pairs of type and initiator that have words of their own. */
static const char *words_of_end(const hcs_exit *report)
{
    static const struct {
        hcs_exit_type type;
        hcs_exit_initiator initiator;
        const char *words;
    } ends[] = {
        { HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_CLIENT, "shut down by client" },
        { HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_INTERNAL, "shut down by the service" },
        { HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_GUEST_OS, "ended by itself" },
        { HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT, "terminated by client" },
        { HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_INTERNAL, "terminated by the service" },
        { HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_GUEST_OS, "terminated from inside" },
    };

    for (size_t i = 0; i < N_ELEMENTS(ends); i++)
        if (ends[i].type == report->type && ends[i].initiator == report->initiator)
            return ends[i].words;
    if (report->type == HCS_EXIT_TYPE_GRACEFUL)
        return "ended cleanly";
    return report->type == HCS_EXIT_TYPE_FORCED ? "terminated" : NULL;
}

static int describe_status(const hcs_exit *report, char *text, size_t size)
{
    const char *words = words_of_end(report);
    const char *kind = report->type == HCS_EXIT_TYPE_UNEXPECTED ? "ended unexpectedly" : "ended";

    if (words && report->status >= 0)
        return snprintf(text, size, "%s", words);
    return snprintf(text, size, "%s (0x%08X)", words ? words : kind, (unsigned) report->status);
}

static int describe_signal(const hcs_exit *report, char *text, size_t size)
{
    const char *name = exit_signal_name(report->signal);
    const char *core = report->core_dumped ? ", core dumped" : "";

    if (name)
        return snprintf(text, size, "signal %d (%s)%s", (int) report->signal, name, core);
    return snprintf(text, size, "signal %d%s", (int) report->signal, core);
}

char *hcs_exit_describe(const hcs_exit *report, char *buffer, size_t size)
{
    hcs_exit whole = HCS_EXIT_INIT;
    char text[sizeof whole.reason + 96];
    int n;

    if (!buffer || size == 0)
        return buffer;
    if (report) /* of an older caller: what its struct has */
        memcpy(&whole, report, report->size < sizeof whole ? report->size : sizeof whole);
    whole.reason[sizeof whole.reason - 1] = '\0';
    switch (whole.how) {
    case HCS_EXIT_CODE:
        n = snprintf(text, sizeof text, "code %u", (unsigned) whole.code);
        break;
    case HCS_EXIT_SIGNAL:
        n = describe_signal(&whole, text, sizeof text);
        break;
    case HCS_EXIT_STATUS:
        n = describe_status(&whole, text, sizeof text);
        break;
    default:
        n = snprintf(text, sizeof text, whole.reason[0] ? "unknown: %s" : "unknown%s",
                     whole.reason);
        break;
    }
    if (whole.oom_kills && n > 0)
        snprintf(text + n, sizeof text - (size_t) n, ", %llu killed for lack of memory",
                 (unsigned long long) whole.oom_kills);
    size = utf8_cut(text, strlen(text), size - 1);
    memcpy(buffer, text, size);
    buffer[size] = '\0';
    return buffer;
}
