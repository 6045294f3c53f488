/* properties.c - Properties documents as HCS has them, from those of libhcs.
 *
 * Owns nothing.  Used by the calls that ask for properties.  Promises that a document has no member
 * that HCS's has not, with one exception: Isolation, for programs that run without any must not
 * look as if they had some. */
#include "properties.h"

#include <assert.h>

#include <jansson.h>

#define SCHEMA_MAJOR 2
#define SCHEMA_MINOR 6

static void json_unref(json_t **json)
{
    json_decref(*json);
}

static HRESULT no_memory(hcs_error *err)
{
    return fail(err, E_OUTOFMEMORY, "properties", "no memory for a document");
}

static HRESULT dump(const json_t *json, char **out, hcs_error *err)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

    if (!text)
        return no_memory(err);
    *out = text;
    return S_OK;
}

/* The members that HCS has, of one system; owned. */
static json_t *basic(const json_t *from)
{
    static const char *const names[] = { "Id",       "SystemType", "RuntimeOsType", "Name",
                                         "Owner",    "RuntimeId",  "State",         "Stopped",
                                         "ExitType", "Isolation" };
    json_t *to = json_object();

    for (size_t i = 0; to && i < N_ELEMENTS(names); i++) {
        json_t *value = json_object_get(from, names[i]);

        if (value && json_object_set(to, names[i], value) < 0) {
            json_decref(to);
            return NULL;
        }
    }
    return to;
}

static HRESULT load(const char *document, json_t **out, hcs_error *err)
{
    *out = json_loads(document, 0, NULL);
    if (!*out)
        return fail(err, HCS_E_PROTOCOL_ERROR, "properties", "properties that are no JSON");
    return S_OK;
}

HRESULT properties_of_system(const char *document, uint32_t flags, char **out, hcs_error *err)
{
    _cleanup_(json_unref) json_t *all = NULL;
    _cleanup_(json_unref) json_t *json = NULL;
    HRESULT r = load(document, &all, err);

    if (r < 0)
        return r;
    json = basic(all);
    if (!json)
        return no_memory(err);
    if (flags & QUERY_PROCESS_LIST) {
        json_t *list = json_object_get(all, "ProcessList");

        list = list ? json_incref(list) : json_array();
        if (json_object_set_new(json, "ProcessList", list) < 0)
            return no_memory(err);
    }
    if ((flags & QUERY_TERMINATE_ON_LAST_HANDLE_CLOSED) &&
        json_object_set_new(json, "TerminateOnLastHandleClosed", json_false()) < 0)
        return no_memory(err);
    return dump(json, out, err);
}

HRESULT properties_of_list(const char *document, char **out, hcs_error *err)
{
    _cleanup_(json_unref) json_t *all = NULL;
    _cleanup_(json_unref) json_t *list = json_array();
    HRESULT r = load(document, &all, err);
    const json_t *one;
    size_t i;

    if (r < 0)
        return r;
    json_array_foreach(all, i, one)
    {
        if (json_array_append_new(list, basic(one)) < 0)
            return no_memory(err);
    }
    return dump(list, out, err);
}

HRESULT properties_of_service(size_t n, char **out, hcs_error *err)
{
    _cleanup_(json_unref) json_t *json = NULL;
    json_t *list = json_array();

    for (size_t i = 0; list && i < n; i++)
        json_array_append_new(list, json_pack("{s:[{s:i, s:i}]}", "SupportedSchemaVersions",
                                              "Major", SCHEMA_MAJOR, "Minor", SCHEMA_MINOR));
    json = json_pack("{s:o}", "Properties", list);
    return dump(json, out, err);
}

HRESULT properties_of_running(uint32_t process_id, char **out, hcs_error *err)
{
    _cleanup_(json_unref) json_t *json =
        json_pack("{s:I, s:b}", "ProcessId", (json_int_t) process_id, "Exited", 0);

    return dump(json, out, err);
}
