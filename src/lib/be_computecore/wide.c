/* wide.c - whole strings across the border to the flat API.
 *
 * Owns nothing.  Used for ids, documents and results, on the user's threads and when an operation
 * completes; events go another way, without memory of their own.  Promises that nothing of the
 * user's is changed on its way in, and that nothing that comes out is malformed. */
#include "wide.h"

#include <assert.h>
#include <string.h>

#include "err.h"
#include "utf.h"

hcs_result wide_from_text(const char *text, hcs_result bad, const char *name, uint16_t **out,
                          hcs_error *err)
{
    size_t length, n;
    uint16_t *wide;
    int lossy = 0;

    assert(text && name && out);
    length = strlen(text);
    n = utf16_length_of_utf8(text, length, &lossy);
    if (lossy)
        return fail(err, bad, "computecore.text", "%s is not UTF-8", name);
    wide = malloc((n + 1) * sizeof *wide);
    if (!wide)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.text", "no memory for %s of %zu bytes",
                    name, length);
    utf16_from_utf8(text, length, wide);
    wide[n] = 0;
    *out = wide;
    return HCS_OK;
}

hcs_result wide_to_text(const uint16_t *wide_opt, size_t ceiling, char **out, hcs_error *err)
{
    size_t n = 0, length;
    char *text;

    assert(out);
    if (!wide_opt) {
        *out = NULL;
        return HCS_OK;
    }
    while (n < ceiling && wide_opt[n])
        n++;
    if (n == ceiling && wide_opt[n])
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "computecore.text",
                    "a document of HCS is longer than %zu characters", ceiling);
    length = utf8_length_of_utf16(wide_opt, n, NULL);
    text = malloc(length + 1);
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "computecore.text",
                    "no memory for a document of HCS of %zu bytes", length);
    utf8_from_utf16(wide_opt, n, text);
    text[length] = '\0';
    *out = text;
    return HCS_OK;
}
