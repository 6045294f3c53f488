/* filter.c - which events a reader wants.
 *
 * Owns nothing but the filters it makes.  Used by the engine, so that what nobody wants is not
 * sent, and by the library where the service has no filter. Promises a match in time linear in
 * pattern and text together, but for one * that is tried at every place; nothing recurses.
 */
#include "filter.h"

#include <assert.h>
#include <string.h>

#include "err.h"
#include "utf.h"

enum exit_want { EXIT_ANY, EXIT_CODE, EXIT_NONZERO, EXIT_SIGNAL, EXIT_SIGNAL_NUMBER, EXIT_UNKNOWN };

struct patterns {
    char *items[FILTER_ENTRIES_MAX];
    size_t n;
};

struct filter {
    hcs_event_kind kinds[FILTER_ENTRIES_MAX];
    size_t n_kinds;
    struct patterns ids;
    struct patterns owners;
    enum exit_want exit;
    uint32_t number; /* EXIT_CODE, EXIT_SIGNAL_NUMBER */
};

/* ---- matching ---- */

/* Bytes of the character at the front; what is malformed counts as one each. */
static size_t character(const char *s, const char *end)
{
    size_t n = utf8_sequence(s, (size_t) (end - s));

    return n ? n : 1;
}

/* Only the last * is gone back to: what an earlier one could still take, the last one can, too. */
static int pattern_matches(const char *pattern, const char *text)
{
    const char *end = text + strlen(text);
    const char *star = NULL, *tried = NULL;

    while (text < end) {
        if (*pattern == '*') {
            star = ++pattern;
            tried = text;
        } else if (*pattern == '?') {
            pattern++;
            text += character(text, end);
        } else if (*pattern && *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            tried += character(tried, end);
            text = tried;
        } else {
            return 0;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static int any_matches(const struct patterns *p, const char *text)
{
    if (p->n == 0)
        return 1;
    for (size_t i = 0; i < p->n; i++)
        if (pattern_matches(p->items[i], text))
            return 1;
    return 0;
}

static int is_bad(const hcs_exit *e)
{
    switch (e->how) {
    case HCS_EXIT_CODE:
        return e->code != 0;
    case HCS_EXIT_SIGNAL:
        return 1;
    case HCS_EXIT_STATUS:
        return e->status < 0 || e->type != HCS_EXIT_TYPE_GRACEFUL;
    default:
        return 0;
    }
}

static int exit_matches(const struct filter *f, const hcs_event *e)
{
    if (f->exit == EXIT_ANY)
        return 1;
    if (!e->has_exit)
        return 0;
    switch (f->exit) {
    case EXIT_CODE:
        return e->exit.how == HCS_EXIT_CODE && e->exit.code == f->number;
    case EXIT_NONZERO:
        return is_bad(&e->exit);
    case EXIT_SIGNAL:
        return e->exit.how == HCS_EXIT_SIGNAL;
    case EXIT_SIGNAL_NUMBER:
        return e->exit.how == HCS_EXIT_SIGNAL && e->exit.signal == (int32_t) f->number;
    case EXIT_UNKNOWN:
        return e->exit.how == HCS_EXIT_UNKNOWN;
    default:
        return 1;
    }
}

static int has_kind(const struct filter *f, hcs_event_kind kind)
{
    for (size_t i = 0; i < f->n_kinds; i++)
        if (f->kinds[i] == kind)
            return 1;
    return f->n_kinds == 0;
}

int filter_matches_kind(const struct filter *f, hcs_event_kind kind)
{
    if (!has_kind(f, kind))
        return 0;
    return f->ids.n == 0 && f->owners.n == 0 && f->exit == EXIT_ANY ? 1 : -1;
}

int filter_matches(const struct filter *f, const hcs_event *e)
{
    return has_kind(f, e->kind) && any_matches(&f->ids, e->system.id) &&
           any_matches(&f->owners, e->system.owner) && exit_matches(f, e);
}

/* ---- parsing ---- */

static hcs_result no_memory(hcs_error *err)
{
    return fail(err, HCS_E_OUTOFMEMORY, "filter.parse", "no memory for the filter");
}

/* Entries of a list; 0 when it is not given. */
static hcs_result list_size(const json_t *list, const char *name, size_t *out, hcs_error *err)
{
    *out = 0;
    if (!list || json_is_null(list))
        return HCS_OK;
    if (!json_is_array(list))
        return fail(err, HCS_E_INVALIDARG, "filter.parse", "filter.%s must be a list", name);
    if (json_array_size(list) == 0)
        return fail(err, HCS_E_INVALIDARG, "filter.parse",
                    "filter.%s is empty, and nothing would match: leave it out to want all", name);
    if (json_array_size(list) > FILTER_ENTRIES_MAX)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "filter.parse",
                    "filter.%s has %zu entries: at most %u are allowed", name,
                    json_array_size(list), FILTER_ENTRIES_MAX);
    *out = json_array_size(list);
    return HCS_OK;
}

static hcs_result parse_kinds(const json_t *list, struct filter *f, hcs_error *err)
{
    size_t n;
    hcs_result r = list_size(list, "kinds", &n, err);

    for (size_t i = 0; r >= 0 && i < n; i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t kind = json_integer_value(item);

        if (!json_is_integer(item) || kind < 1 || kind > (json_int_t) UINT32_MAX)
            return fail(err, HCS_E_INVALIDARG, "filter.parse",
                        "filter.kinds[%zu] must be a number from 1 to %u", i, UINT32_MAX);
        f->kinds[f->n_kinds++] = (hcs_event_kind) kind;
    }
    return r;
}

/* Several * in a row say no more than one. */
static char *copy_pattern(const char *text)
{
    char *copy = strdup(text);
    size_t n = 0;

    for (size_t i = 0; copy && text[i]; i++)
        if (text[i] != '*' || n == 0 || copy[n - 1] != '*')
            copy[n++] = text[i];
    if (copy)
        copy[n] = '\0';
    return copy;
}

static hcs_result parse_patterns(const json_t *list, const char *name, struct patterns *out,
                                 hcs_error *err)
{
    size_t n;
    hcs_result r = list_size(list, name, &n, err);

    for (size_t i = 0; r >= 0 && i < n; i++) {
        const json_t *item = json_array_get(list, i);
        const char *text = json_string_value(item);

        if (!text)
            return fail(err, HCS_E_INVALIDARG, "filter.parse", "filter.%s[%zu] must be a text",
                        name, i);
        if (json_string_length(item) != strlen(text))
            return fail(err, HCS_E_INVALIDARG, "filter.parse",
                        "filter.%s[%zu] has a NUL character in it", name, i);
        if (strlen(text) > FILTER_PATTERN_BYTES_MAX)
            return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "filter.parse",
                        "filter.%s[%zu] has %zu bytes: at most %u are allowed", name, i,
                        strlen(text), FILTER_PATTERN_BYTES_MAX);
        out->items[i] = copy_pattern(text);
        if (!out->items[i])
            return no_memory(err);
        out->n++;
    }
    return r;
}

/* A decimal number and nothing else: 1. */
static int parse_number(const char *text, uint32_t *out)
{
    uint64_t n = 0;

    if (!*text || strlen(text) > 10)
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        n = n * 10 + (uint64_t) (*text - '0');
    }
    *out = (uint32_t) n;
    return n <= UINT32_MAX;
}

static hcs_result parse_exit(const json_t *exit, struct filter *f, hcs_error *err)
{
    const char *text = json_string_value(exit);

    if (!exit || json_is_null(exit))
        return HCS_OK;
    if (!text)
        return fail(err, HCS_E_INVALIDARG, "filter.parse", "filter.exit must be a text");
    if (strlen(text) == json_string_length(exit)) {
        if (strcmp(text, "nonzero") == 0)
            f->exit = EXIT_NONZERO;
        else if (strcmp(text, "signal") == 0)
            f->exit = EXIT_SIGNAL;
        else if (strcmp(text, "unknown") == 0)
            f->exit = EXIT_UNKNOWN;
        else if (parse_number(text, &f->number))
            f->exit = EXIT_CODE;
        else if (strncmp(text, "signal:", 7) == 0 && parse_number(text + 7, &f->number) &&
                 f->number >= 1 && f->number <= INT32_MAX)
            f->exit = EXIT_SIGNAL_NUMBER;
    }
    if (f->exit != EXIT_ANY)
        return HCS_OK;
    return fail(err, HCS_E_INVALIDARG, "filter.parse",
                "filter.exit is '%.40s': it must be a code, nonzero, signal, signal:NUMBER or "
                "unknown",
                text);
}

static hcs_result check_members(const json_t *object, hcs_error *err)
{
    static const char *const known[] = { "kinds", "ids", "owners", "exit" };
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return fail(err, HCS_E_INVALIDARG, "filter.parse", "filter must be an object");
    json_object_foreach((json_t *) (uintptr_t) object, name, value)
    {
        size_t i = 0;

        while (i < N_ELEMENTS(known) && strcmp(known[i], name) != 0)
            i++;
        if (i == N_ELEMENTS(known))
            return fail(err, HCS_E_INVALIDARG, "filter.parse",
                        "filter.%.40s is not known: a filter has kinds, ids, owners and exit",
                        name);
    }
    return HCS_OK;
}

hcs_result filter_parse(const json_t *object, struct filter **out, hcs_error *err)
{
    _cleanup_(filter_dropp) struct filter *f = NULL;
    hcs_result r = check_members(object, err);

    assert(out);
    if (r < 0)
        return r;
    f = calloc(1, sizeof *f);
    if (!f)
        return no_memory(err);
    r = parse_kinds(json_object_get(object, "kinds"), f, err);
    if (r >= 0)
        r = parse_patterns(json_object_get(object, "ids"), "ids", &f->ids, err);
    if (r >= 0)
        r = parse_patterns(json_object_get(object, "owners"), "owners", &f->owners, err);
    if (r >= 0)
        r = parse_exit(json_object_get(object, "exit"), f, err);
    if (r >= 0)
        *out = TAKE(f);
    return r;
}

static void drop_patterns(struct patterns *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->items[i]);
}

void filter_drop(struct filter *f)
{
    if (!f)
        return;
    drop_patterns(&f->ids);
    drop_patterns(&f->owners);
    free(f);
}
