/* options.c - the small documents that calls of the flat API take.
 *
 * Owns nothing.  Used by the calls that have such a parameter.  Promises that nothing in them is
 * ignored, except the reason of a shutdown. */
#include "options.h"

#include <assert.h>
#include <string.h>

#include <jansson.h>

#include "text.h"

static void json_unref(json_t **json)
{
    json_decref(*json);
}

/* An object, owned; NULL for NULL, "" and white space. */
static HRESULT parse(PCWSTR text, const char *name, json_t **out, hcs_error *err)
{
    _cleanup_(free_drop) char *bytes = NULL;
    json_error_t where;
    json_t *json;
    HRESULT r;

    *out = NULL;
    r = text_from_flat_opt(text, HCS_E_INVALID_JSON, name, &bytes, err);
    if (r < 0)
        return r;
    if (!bytes || bytes[strspn(bytes, " \t\r\n")] == '\0')
        return S_OK;
    json = json_loads(bytes, JSON_REJECT_DUPLICATES, &where);
    if (!json)
        return fail(err, HCS_E_INVALID_JSON, "options", "%s: line %d, column %d: %s", name,
                    where.line, where.column, where.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return fail(err, HCS_E_INVALID_JSON, "options", "%s is no JSON object", name);
    }
    *out = json;
    return S_OK;
}

/* Refuse members that are not in the NULL-terminated list. */
static HRESULT only(const json_t *json, const char *const *names, const char *what, hcs_error *err)
{
    json_t *object = (json_t *) (uintptr_t) json; /* jansson iterates over non-const only */
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        size_t i = 0;

        while (names[i] && strcmp(names[i], key) != 0)
            i++;
        if (!names[i])
            return fail(err, HCS_E_INVALID_JSON, "options", "%s has no member '%s'", what, key);
    }
    return S_OK;
}

/* The string member @name: its index in the NULL-terminated list; -1 absent, -2 none of them. */
static int choice(const json_t *json, const char *name, const char *const *values)
{
    const json_t *member = json_object_get(json, name);
    const char *text = json_string_value(member);

    if (!member || json_is_null(member))
        return -1;
    for (int i = 0; text && values[i]; i++) {
        if (strcmp(values[i], text) == 0)
            return i;
    }
    return -2;
}

HRESULT options_reserved(PCWSTR options, hcs_error *err)
{
    _cleanup_(json_unref) json_t *json = NULL;
    HRESULT r = parse(options, "options", &json, err);

    if (r >= 0 && json && json_object_size(json) > 0)
        return fail(err, E_INVALIDARG, "options",
                    "options are reserved for this call: leave them out");
    return r;
}

HRESULT options_shutdown(PCWSTR options, hcs_error *err)
{
    static const char *const members[] = { "Mechanism", "Type", "Force", "Reason", NULL };
    static const char *const mechanisms[] = { "GuestConnection", "IntegrationService", NULL };
    static const char *const types[] = { "Shutdown", "Hibernate", "Reboot", NULL };
    _cleanup_(json_unref) json_t *json = NULL;
    const json_t *force, *reason;
    HRESULT r = parse(options, "options", &json, err);

    if (r < 0 || !json)
        return r;
    r = only(json, members, "ShutdownOptions", err);
    if (r < 0)
        return r;
    force = json_object_get(json, "Force");
    reason = json_object_get(json, "Reason");
    if (choice(json, "Mechanism", mechanisms) == -2 || choice(json, "Type", types) == -2 ||
        (force && !json_is_boolean(force)) || (reason && !json_is_string(reason)))
        return fail(err, HCS_E_INVALID_JSON, "options", "ShutdownOptions with a wrong value");
    if (choice(json, "Type", types) > 0)
        return fail(err, E_NOTIMPL, "options", "Type '%s': only Shutdown can be done",
                    json_string_value(json_object_get(json, "Type")));
    if (json_is_true(force))
        return fail(err, E_NOTIMPL, "options", "Force: use HcsTerminateComputeSystem");
    return S_OK;
}

/* ---- signals ---- */

/* Numbers as on Linux, whatever system this is compiled for. */
static const struct {
    const char *name;
    int number;
} signals[] = {
    { "CtrlC", 2 },         { "CtrlBreak", 3 }, { "CtrlClose", 1 }, { "CtrlLogOff", 1 },
    { "CtrlShutdown", 15 }, { "HUP", 1 },       { "INT", 2 },       { "QUIT", 3 },
    { "ILL", 4 },           { "TRAP", 5 },      { "ABRT", 6 },      { "BUS", 7 },
    { "FPE", 8 },           { "KILL", 9 },      { "USR1", 10 },     { "SEGV", 11 },
    { "USR2", 12 },         { "PIPE", 13 },     { "ALRM", 14 },     { "TERM", 15 },
    { "STKFLT", 16 },       { "CHLD", 17 },     { "CONT", 18 },     { "STOP", 19 },
    { "TSTP", 20 },         { "TTIN", 21 },     { "TTOU", 22 },     { "URG", 23 },
    { "XCPU", 24 },         { "XFSZ", 25 },     { "VTALRM", 26 },   { "PROF", 27 },
    { "WINCH", 28 },        { "IO", 29 },       { "PWR", 30 },      { "SYS", 31 },
};
#define SIGNAL_LAST 64
#define SIGNAL_TERM 15

static int signal_of(const json_t *value)
{
    const char *name = json_string_value(value);

    if (json_is_integer(value) && json_integer_value(value) > 0 &&
        json_integer_value(value) <= SIGNAL_LAST)
        return (int) json_integer_value(value);
    if (name && strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (size_t i = 0; name && i < N_ELEMENTS(signals); i++) {
        if (strcmp(signals[i].name, name) == 0)
            return signals[i].number;
    }
    return -1;
}

HRESULT options_signal(PCWSTR options, int *out_signal, hcs_error *err)
{
    static const char *const members[] = { "Signal", NULL };
    _cleanup_(json_unref) json_t *json = NULL;
    HRESULT r = parse(options, "options", &json, err);
    int number = SIGNAL_TERM;

    assert(out_signal);
    if (r >= 0 && json)
        r = only(json, members, "SignalProcessOptions", err);
    if (r < 0)
        return r;
    if (json && json_object_size(json) > 0)
        number = signal_of(json_object_get(json, "Signal"));
    if (number < 0)
        return fail(
            err, E_INVALIDARG, "options",
            "Signal is none of CtrlC, CtrlBreak, CtrlClose, CtrlLogOff, CtrlShutdown, a name "
            "like SIGTERM, or a number from 1 to %d",
            SIGNAL_LAST);
    *out_signal = number;
    return S_OK;
}

/* ---- changes of a process ---- */

HRESULT options_modify_process(PCWSTR settings, unsigned *out_close, hcs_error *err)
{
    static const char *const members[] = { "Operation", "ConsoleSize", "CloseHandle", NULL };
    static const char *const operations[] = { "CloseHandle", "ConsoleSize", NULL };
    static const char *const handles[] = { "StdIn", "StdOut", "StdErr", "All", NULL };
    _cleanup_(json_unref) json_t *json = NULL;
    HRESULT r = parse(settings, "settings", &json, err);
    int operation, handle;

    assert(out_close);
    if (r >= 0 && !json)
        r = fail(err, E_INVALIDARG, "options", "settings are needed");
    if (r >= 0)
        r = only(json, members, "ProcessModifyRequest", err);
    if (r < 0)
        return r;
    operation = choice(json, "Operation", operations);
    if (operation < 0)
        return fail(err, E_INVALIDARG, "options",
                    "Operation is neither CloseHandle nor ConsoleSize");
    if (operation == 1)
        return fail(err, E_NOTIMPL, "options", "ConsoleSize: processes have no console here");
    handle = choice(json_object_get(json, "CloseHandle"), "Handle", handles);
    if (handle < 0)
        return fail(err, E_INVALIDARG, "options",
                    "CloseHandle.Handle is none of StdIn, StdOut, StdErr, All");
    *out_close = handle == 3 ? 7u : 1u << handle;
    return S_OK;
}

/* ---- queries ---- */

static HRESULT query_parse(PCWSTR query, const char *other, const char *what, json_t **out,
                           hcs_error *err)
{
    const char *const members[] = { "PropertyTypes", other, NULL };
    const json_t *types, *rest;
    HRESULT r = parse(query, "propertyQuery", out, err);

    if (r < 0 || !*out)
        return r;
    r = only(*out, members, what, err);
    if (r < 0)
        return r;
    types = json_object_get(*out, "PropertyTypes");
    rest = json_object_get(*out, other);
    if (types && !json_is_null(types) && !json_is_array(types))
        return fail(err, HCS_E_INVALID_JSON, "options", "PropertyTypes is no array");
    if (rest && !json_is_null(rest) && json_object_size(rest) > 0)
        return fail(err, E_NOTIMPL, "options", "%s are not there in this version", other);
    return S_OK;
}

/* E_NOTIMPL for one that HCS has, E_INVALIDARG for any other. */
static HRESULT type_refuse(const json_t *type, const char *const *known, hcs_error *err)
{
    const char *name = json_string_value(type);

    for (size_t i = 0; name && known[i]; i++) {
        if (strcmp(known[i], name) == 0)
            return fail(err, E_NOTIMPL, "options",
                        "property type '%s' is not there in this version", name);
    }
    return fail(err, E_INVALIDARG, "options", "there is no property type '%s'", name ? name : "");
}

HRESULT options_property_query(PCWSTR query, uint32_t *out_flags, hcs_error *err)
{
    static const char *const known[] = { "Memory",
                                         "Statistics",
                                         "SharedMemoryRegion",
                                         "GuestConnection",
                                         "GuestMemory",
                                         "ContainerCredentialGuard",
                                         "ICHeartbeatStatus",
                                         "ProcessorTopology",
                                         "CpuGroup",
                                         "SystemGUID",
                                         NULL };
    _cleanup_(json_unref) json_t *json = NULL;
    HRESULT r = query_parse(query, "Queries", "System_PropertyQuery", &json, err);
    const json_t *type;
    uint32_t flags = 0;
    size_t i;

    assert(out_flags);
    if (r < 0)
        return r;
    json_array_foreach(json_object_get(json, "PropertyTypes"), i, type)
    {
        const char *name = json_string_value(type);

        if (name && strcmp(name, "ProcessList") == 0)
            flags |= QUERY_PROCESS_LIST;
        else if (name && strcmp(name, "TerminateOnLastHandleClosed") == 0)
            flags |= QUERY_TERMINATE_ON_LAST_HANDLE_CLOSED;
        else
            return type_refuse(type, known, err);
    }
    *out_flags = flags;
    return S_OK;
}

HRESULT options_service_query(PCWSTR query, size_t *out_n, hcs_error *err)
{
    static const char *const known[] = {
        "Memory",          "CpuGroup", "ProcessorTopology", "ContainerCredentialGuard",
        "QoSCapabilities", NULL
    };
    _cleanup_(json_unref) json_t *json = NULL;
    HRESULT r = query_parse(query, "PropertyQueries", "Service_PropertyQuery", &json, err);
    const json_t *types, *type;
    size_t i;

    assert(out_n);
    if (r < 0)
        return r;
    types = json_object_get(json, "PropertyTypes");
    json_array_foreach(types, i, type)
    {
        const char *name = json_string_value(type);

        if (!name || strcmp(name, "Basic") != 0)
            return type_refuse(type, known, err);
    }
    *out_n = json_is_array(types) ? json_array_size(types) : 1;
    return S_OK;
}
