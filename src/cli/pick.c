/* pick.c - which events to show.
 *
 * Owns the pieces of a text with commas.  Used by events.  Pure.  Promises that a kind or a key
 * that is not known is refused, with the one that was probably meant.
 */
#include "pick.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

void pick_init(struct pick *p)
{
    *p = (struct pick){ .filter = HCS_EVENT_FILTER_INIT };
    p->filter.kinds = p->kinds;
    p->filter.ids = p->ids;
    p->filter.owners = p->owners;
}

void pick_done(struct pick *p)
{
    for (size_t i = 0; i < p->n_owned; i++)
        free(p->owned[i]);
    free(p->owned);
    p->owned = NULL;
    p->n_owned = 0;
}

/* ---- kinds ---- */

static const hcs_event_kind known_kinds[] = {
    HCS_EVENT_SYSTEM_EXITED,           HCS_EVENT_SYSTEM_CRASH_INITIATED,
    HCS_EVENT_SYSTEM_CRASH_REPORT,     HCS_EVENT_SYSTEM_RDP_STATE_CHANGED,
    HCS_EVENT_SYSTEM_SILO_JOB_CREATED, HCS_EVENT_SYSTEM_GUEST_CONNECTION_CLOSED,
    HCS_EVENT_PROCESS_EXITED,          HCS_EVENT_SYSTEM_CREATED,
    HCS_EVENT_SYSTEM_STARTED,          HCS_EVENT_SYSTEM_PAUSED,
    HCS_EVENT_SYSTEM_RESUMED,          HCS_EVENT_PROCESS_STARTED,
};

static int refuse_kind(const char *value, char problem[OPTION_PROBLEM])
{
    const char *names[N_ELEMENTS(known_kinds)];
    const char *nearest;

    for (size_t i = 0; i < N_ELEMENTS(known_kinds); i++)
        names[i] = hcs_event_kind_name(known_kinds[i]);
    nearest = option_nearest(value, names, N_ELEMENTS(names));
    if (nearest)
        snprintf(problem, OPTION_PROBLEM, "'%.80s' is no kind of event, did you mean '%s'?", value,
                 nearest);
    else
        snprintf(problem, OPTION_PROBLEM,
                 "'%.80s' is no kind of event: write a name such as ProcessExited, or a number",
                 value);
    return -1;
}

static int parse_kind(const char *value, hcs_event_kind *out, char problem[OPTION_PROBLEM])
{
    char *end;
    unsigned long long number;

    if (hcs_event_kind_from_name(value, out) == HCS_OK)
        return 0;
    if (value[0] < '0' || value[0] > '9')
        return refuse_kind(value, problem);
    number = strtoull(value, &end, 0);
    if (*end || number < 1 || number > UINT32_MAX)
        return refuse_kind(value, problem);
    *out = (hcs_event_kind) number;
    return 0;
}

/* ---- one condition ---- */

static int refuse_many(const char *key, char problem[OPTION_PROBLEM])
{
    snprintf(problem, OPTION_PROBLEM, "'%s' is given more than %d times", key, PICK_ITEMS_MAX);
    return -1;
}

static int add_text(const char *key, const char **list, size_t *n, const char *value,
                    char problem[OPTION_PROBLEM])
{
    if (*n == PICK_ITEMS_MAX)
        return refuse_many(key, problem);
    list[(*n)++] = value;
    return 0;
}

static int add_kind(struct pick *p, const char *value, char problem[OPTION_PROBLEM])
{
    if (p->filter.n_kinds == PICK_ITEMS_MAX)
        return refuse_many("kind", problem);
    if (parse_kind(value, &p->kinds[p->filter.n_kinds], problem) < 0)
        return -1;
    p->filter.n_kinds++;
    return 0;
}

static int is_number(const char *text, uint64_t least, uint64_t most)
{
    char problem[OPTION_PROBLEM];
    uint64_t value;

    return option_number(text, least, most, &value, problem) == 0;
}

static int is_how(const char *value)
{
    static const char *const words[] = { "nonzero", "signal", "unknown" };

    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (strcmp(value, words[i]) == 0)
            return 1;
    if (strncmp(value, "signal:", 7) == 0)
        return is_number(value + 7, 1, INT32_MAX);
    return is_number(value, 0, UINT32_MAX);
}

static int add_exit(struct pick *p, const char *value, char problem[OPTION_PROBLEM])
{
    if (p->filter.exit) {
        snprintf(problem, OPTION_PROBLEM,
                 "'exit=%.80s': exit is '%.80s' already, and is given once", value, p->filter.exit);
        return -1;
    }
    if (!is_how(value)) {
        snprintf(problem, OPTION_PROBLEM,
                 "'exit=%.80s': it must be a code, nonzero, signal, signal:NUMBER or unknown",
                 value);
        return -1;
    }
    p->filter.exit = value;
    return 0;
}

static int refuse_key(const char *key, char problem[OPTION_PROBLEM])
{
    static const char *const keys[] = { "kind", "id", "owner", "exit" };
    const char *nearest = option_nearest(key, keys, N_ELEMENTS(keys));

    if (nearest)
        snprintf(problem, OPTION_PROBLEM, "'%.80s' is no key, did you mean '%s='?", key, nearest);
    else
        snprintf(problem, OPTION_PROBLEM, "'%.80s' is no key: write " PICK_FORMS, key);
    return -1;
}

static int add_value(struct pick *p, const char *key, const char *value,
                     char problem[OPTION_PROBLEM])
{
    if (!*value) {
        snprintf(problem, OPTION_PROBLEM, "'%.80s=' has no value", key);
        return -1;
    }
    p->is_set = 1;
    if (strcmp(key, "kind") == 0)
        return add_kind(p, value, problem);
    if (strcmp(key, "id") == 0)
        return add_text(key, p->ids, &p->filter.n_ids, value, problem);
    if (strcmp(key, "owner") == 0)
        return add_text(key, p->owners, &p->filter.n_owners, value, problem);
    if (strcmp(key, "exit") == 0)
        return add_exit(p, value, problem);
    return refuse_key(key, problem);
}

/* A copy that lives as long as @p; NULL when out of memory. */
static char *keep(struct pick *p, const char *text)
{
    char **owned = realloc(p->owned, (p->n_owned + 1) * sizeof *owned);
    char *copy = strdup(text);

    if (owned)
        p->owned = owned;
    if (!owned || !copy) {
        free(copy);
        return NULL;
    }
    p->owned[p->n_owned++] = copy;
    return copy;
}

int pick_add(struct pick *p, const char *text, char problem[OPTION_PROBLEM])
{
    char *at = keep(p, text);
    const char *key = NULL;

    if (!at) {
        snprintf(problem, OPTION_PROBLEM, "not enough memory");
        return -1;
    }
    for (char *next; at; at = next) {
        char *equals;

        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        equals = strchr(at, '=');
        if (equals) {
            *equals = '\0';
            key = at;
            at = equals + 1;
        }
        if (!key) {
            snprintf(problem, OPTION_PROBLEM, "'%.80s' has no '=': write " PICK_FORMS, at);
            return -1;
        }
        if (add_value(p, key, at, problem) < 0)
            return -1;
    }
    return 0;
}
