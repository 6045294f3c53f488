/* text.c - texts between the flat API and libhcs.
 *
 * Owns nothing.  Used by every function that takes or gives a document.  Promises that what it
 * gives is well-formed and NUL-terminated, whatever libhcs said. */
#include "text.h"

#include <assert.h>
#include <string.h>

#include <jansson.h>

#include "platform.h"
#include "utf.h"

static size_t units_of(PCWSTR text)
{
    size_t n = 0;

    while (text[n])
        n++;
    return n;
}

HRESULT text_from_flat(PCWSTR text, HRESULT bad, const char *name, char **out, hcs_error *err)
{
    const uint16_t *units = (const uint16_t *) text;
    size_t n, length;
    int lossy = 0;
    char *bytes;

    assert(out && name);
    if (!text)
        return fail(err, E_INVALIDARG, "text", "%s must not be NULL", name);
    n = units_of(text);
    length = utf8_length_of_utf16(units, n, &lossy);
    if (lossy)
        return fail(err, bad, "text", "%s is not well-formed UTF-16", name);
    bytes = malloc(length + 1);
    if (!bytes)
        return fail(err, E_OUTOFMEMORY, "text", "no memory for %s", name);
    utf8_from_utf16(units, n, bytes);
    bytes[length] = '\0';
    *out = bytes;
    return S_OK;
}

HRESULT text_from_flat_opt(PCWSTR text_opt, HRESULT bad, const char *name, char **out_opt,
                           hcs_error *err)
{
    if (text_opt)
        return text_from_flat(text_opt, bad, name, out_opt, err);
    *out_opt = NULL;
    return S_OK;
}

PWSTR text_to_flat(const char *text)
{
    size_t length = strlen(text);
    size_t n = utf16_length_of_utf8(text, length, NULL);
    PWSTR units = platform_text_alloc((n + 1) * sizeof *units);

    if (!units)
        return NULL;
    utf16_from_utf8(text, length, (uint16_t *) units);
    units[n] = 0;
    return units;
}

HRESULT text_give(const char *text_opt, PWSTR *out_opt)
{
    if (!out_opt)
        return S_OK;
    *out_opt = NULL;
    if (!text_opt)
        return S_OK;
    *out_opt = text_to_flat(text_opt);
    return *out_opt ? S_OK : HCS_E_OPERATION_RESULT_ALLOCATION_FAILED;
}

char *text_result_error(HRESULT result, const hcs_error *err)
{
    const char *text = err->text[0] ? err->text : hcs_result_meaning(result);
    json_t *json = json_pack("{s:i, s:s}", "Error", (int) result, "ErrorMessage",
                             text ? text : "no more is known");
    char *document = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

    json_decref(json);
    return document;
}
