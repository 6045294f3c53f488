/* rule.c - what this service asks of a text besides that it is one.
 *
 * Owns nothing.  Named in idl/schema.tsv, called by field.c.  Pure: whether a path exists is the
 * driver's question.
 */
#include "rule.h"

#include <string.h>

#include "err.h"
#include "utf.h"

#define PATH_BYTES_MAX 4095 /* of the kernel, without the NUL */
#define LABEL_MAX 63
#define HOST_NAME_MAX_BYTES 64
#define VALUE_SHOWN 64

int rule_is_letter_or_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int rule_shown(const char *value)
{
    return (int) utf8_cut(value, strlen(value), VALUE_SHOWN);
}

hcs_result rule_absolute(const char *value, const struct place *at, hcs_error *err)
{
    if (value[0] != '/')
        return field_fail(at, err, HCS_E_INVALIDARG, "is '%.*s', must be an absolute path",
                          rule_shown(value), value);
    if (strlen(value) > PATH_BYTES_MAX)
        return field_fail(at, err, HCS_E_INVALIDARG, "has %zu bytes, a path has at most %d",
                          strlen(value), PATH_BYTES_MAX);
    return HCS_OK;
}

/* Inside the container: it must name something below the root, and say so plainly. */
hcs_result rule_container_path(const char *value, const struct place *at, hcs_error *err)
{
    hcs_result r = rule_absolute(value, at, err);
    size_t n_names = 0;

    if (r < 0)
        return r;
    for (const char *p = value; *p;) {
        size_t n = strcspn(p, "/");

        if (n == 2 && memcmp(p, "..", 2) == 0)
            return field_fail(at, err, HCS_E_INVALIDARG, "is '%.*s', must be without '..'",
                              rule_shown(value), value);
        n_names += n > 0 && !(n == 1 && p[0] == '.');
        p += n + (p[n] == '/');
    }
    if (n_names == 0)
        return field_fail(at, err, HCS_E_INVALIDARG,
                          "is '%.*s', must be a directory below '/': the root is Storage.Path",
                          rule_shown(value), value);
    return HCS_OK;
}

static int is_label(const char *label, size_t n)
{
    if (n < 1 || n > LABEL_MAX || label[0] == '-' || label[n - 1] == '-')
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!rule_is_letter_or_digit(label[i]) && label[i] != '-')
            return 0;
    return 1;
}

hcs_result rule_host_name(const char *value, const struct place *at, hcs_error *err)
{
    if (strlen(value) > HOST_NAME_MAX_BYTES)
        return field_fail(at, err, HCS_E_INVALIDARG, "has %zu characters, at most %d are allowed",
                          strlen(value), HOST_NAME_MAX_BYTES);
    for (const char *p = value;; p++) {
        size_t n = strcspn(p, ".");

        if (!is_label(p, n))
            return field_fail(at, err, HCS_E_INVALIDARG,
                              "is '%s', must be a host name: letters, "
                              "digits and inner hyphens, parts of 1 to %d characters with dots "
                              "between",
                              value, LABEL_MAX);
        p += n;
        if (!*p)
            return HCS_OK;
    }
}

hcs_result rule_path_type(const char *value, const struct place *at, hcs_error *err)
{
    if (strcmp(value, "AbsolutePath") == 0)
        return HCS_OK;
    if (strcmp(value, "VirtualSmbShareName") == 0)
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED,
                          "is 'VirtualSmbShareName', this service has only 'AbsolutePath'");
    return field_fail(at, err, HCS_E_INVALIDARG, "is '%.*s', must be 'AbsolutePath'",
                      rule_shown(value), value);
}

hcs_result rule_isolation(const char *value, const struct place *at, hcs_error *err)
{
    if (strcmp(value, "None") == 0)
        return HCS_OK;
    if (strcmp(value, "HostProcess") == 0)
        return field_fail(at, err, HCS_E_WIN32_NOT_SUPPORTED,
                          "is 'HostProcess', this service has only 'None'");
    return field_fail(
        at, err, HCS_E_INVALIDARG,
        "is '%.*s', must be 'None', or absent for a container with its own namespaces",
        rule_shown(value), value);
}
