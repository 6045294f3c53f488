/* account.c - what each user takes of the service, and how much it may be.
 * Owns:    the accounts, one for each user who has a connection or a ticket; the limits.
 * Users:   connection.c and ticket.c count, methods.c and sink.c ask, status.c tells.  Loop thread
 *          only.
 * Promise: what one user takes is bounded; root and the owner can always come in; a refusal names
 *          the limit, its value and the way out. */

#include "account.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define BYTES_DEFAULT ((uint64_t) 64 << 20)
#define BYTES_MIN ((uint64_t) 64 << 10)
#define BYTES_MAX ((uint64_t) 1 << 40)
#define COUNT_MAX ((uint64_t) 1000000)

static const struct {
    const char *name;
    const char *what;    /* "uid 7 has 3 ..." */
    const char *way_out; /* what the user can do */
} kinds[N_LIMITS] = {
    [LIMIT_CONNECTIONS] = { "connections", "connections", "close some of them" },
    [LIMIT_STREAMS] = { "streams", "streams of events",
                        "close some of them; one stream of the host has the events of all "
                        "systems" },
    [LIMIT_CALLS] = { "calls", "calls that wait",
                      "let some be answered; one stream of the host tells the ends of all "
                      "systems" },
    [LIMIT_TICKETS] = { "tickets", "standard handles that wait for their programs",
                        "create the programs first; each waits 30 s at most" },
    [LIMIT_BYTES] = { "bytes", "bytes on their way",
                      "read the answers and events that wait, or send requests whole" },
};

const char *limit_name(enum limit which)
{
    return kinds[which].name;
}

static uint64_t at_least_one(uint64_t n)
{
    return n > 0 ? n : 1;
}

void accounts_init(struct accounts *all, uid_t owner, uint32_t most_connections,
                   uint32_t most_tickets)
{
    *all = (struct accounts){ .owner = owner, .most_connections = most_connections };
    list_init(&all->list);
    all->limit[LIMIT_CONNECTIONS] = at_least_one(most_connections / 4);
    all->limit[LIMIT_STREAMS] = at_least_one(most_connections / 8);
    all->limit[LIMIT_CALLS] = at_least_one(most_connections / 8);
    all->limit[LIMIT_TICKETS] = at_least_one(most_tickets / ACCOUNT_PRIVILEGED);
    all->limit[LIMIT_BYTES] = BYTES_DEFAULT;
}

/* ---- the option ---- */

static int parse_value(const char *text, size_t n, uint64_t *out)
{
    static const char units[] = "KMG";
    char copy[24], *end;
    const char *unit;

    if (n == 0 || n >= sizeof copy || *text < '0' || *text > '9')
        return 0;
    memcpy(copy, text, n);
    copy[n] = '\0';
    errno = 0;
    *out = strtoull(copy, &end, 10);
    unit = *end ? strchr(units, *end) : NULL;
    if (unit && *out <= UINT64_MAX >> 30) {
        *out <<= 10 * (unit - units + 1);
        end++;
    }
    return errno == 0 && *end == '\0';
}

static hcs_result parse_one(const char *text, size_t n, struct accounts *all, hcs_error *err)
{
    const char *equals = memchr(text, '=', n);
    size_t n_name = equals ? (size_t) (equals - text) : n;
    uint64_t value = 0, least, most;
    enum limit which = 0;

    while (which < N_LIMITS &&
           (strlen(kinds[which].name) != n_name || strncmp(kinds[which].name, text, n_name) != 0))
        which++;
    if (which == N_LIMITS || !equals)
        return fail(err, HCS_E_INVALIDARG, "hcsd.limits",
                    "--limits '%.*s' is none of connections=N, streams=N, calls=N, tickets=N and "
                    "bytes=N",
                    (int) (n < 60 ? n : 60), text);
    least = which == LIMIT_BYTES ? BYTES_MIN : 1;
    most = which == LIMIT_BYTES         ? BYTES_MAX
           : which == LIMIT_CONNECTIONS ? all->most_connections
                                        : COUNT_MAX;
    if (!parse_value(equals + 1, n - n_name - 1, &value) || value < least || value > most)
        return fail(
            err, HCS_E_INVALIDARG, "hcsd.limits",
            "--limits '%.*s' must be a number from %llu to %llu (K, M and G are units)%s",
            (int) (n < 60 ? n : 60), text, (unsigned long long) least, (unsigned long long) most,
            which == LIMIT_CONNECTIONS ? ": that is what the limit of open files allows" : "");
    all->limit[which] = value;
    return HCS_OK;
}

hcs_result limits_parse(const char *text, struct accounts *all, hcs_error *err)
{
    hcs_result r = HCS_OK;

    while (r >= 0) {
        size_t n = strcspn(text, ",");

        r = parse_one(text, n, all, err);
        if (text[n] == '\0')
            break;
        text += n + 1;
    }
    return r;
}

/* ---- counting ---- */

int account_is_privileged(const struct account *a)
{
    return a->uid == 0 || a->uid == a->all->owner || a->uid == ACCOUNT_TCP;
}

/* The token is worth as much as the owner, but it can be given away. */
static int may_use_reserve(const struct accounts *all, uid_t uid)
{
    return uid == 0 || uid == all->owner;
}

uint64_t account_limit(const struct account *a, enum limit which)
{
    uint64_t limit = a->all->limit[which] * (account_is_privileged(a) ? ACCOUNT_PRIVILEGED : 1);

    if (which == LIMIT_CONNECTIONS && limit > a->all->most_connections)
        limit = a->all->most_connections;
    return limit;
}

int account_is_full(const struct account *a, enum limit which)
{
    return a->used[which] >= account_limit(a, which);
}

static hcs_result refuse(struct account *a, enum limit which, hcs_error *err)
{
    char who[32] = "the clients over TCP have";

    a->all->refused[which]++;
    if (a->uid != ACCOUNT_TCP)
        snprintf(who, sizeof who, "uid %u has", a->uid);
    return fail(err, HCS_E_WIN32_BUSY, "hcsd.limits",
                "%s %llu %s and may have %llu (limit \"%s\" of hcsd --limits): %s", who,
                (unsigned long long) a->used[which], kinds[which].what,
                (unsigned long long) account_limit(a, which), kinds[which].name,
                kinds[which].way_out);
}

hcs_result account_check(struct account *a, enum limit which, hcs_error *err)
{
    return account_is_full(a, which) ? refuse(a, which, err) : HCS_OK;
}

static struct account *find(const struct accounts *all, uid_t uid)
{
    list_for_each(&all->list, n)
    {
        struct account *a = container_of(n, struct account, link);

        if (a->uid == uid)
            return a;
    }
    return NULL;
}

static struct account *find_or_make(struct accounts *all, uid_t uid)
{
    struct account *a = find(all, uid);

    if (a)
        return a;
    a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->all = all;
    a->uid = uid;
    list_append(&all->list, &a->link);
    return a;
}

static void drop_unused(struct account *a)
{
    if (a->used[LIMIT_CONNECTIONS] > 0 || a->used[LIMIT_TICKETS] > 0)
        return;
    list_remove(&a->link);
    free(a);
}

/* Whether the service as a whole has room for one more connection. */
static hcs_result check_all(struct accounts *all, uid_t uid, hcs_error *err)
{
    uint64_t most = all->most_connections;

    if (!may_use_reserve(all, uid))
        most -= most / ACCOUNT_RESERVE;
    if (all->n_connections < most)
        return HCS_OK;
    all->refused[LIMIT_CONNECTIONS]++;
    return fail(err, HCS_E_WIN32_BUSY, "hcsd.limits",
                "all users together have %llu connections and may have %llu (the limit of open "
                "files of hcsd allows %llu, some are kept for root and the owner): try again later",
                (unsigned long long) all->n_connections, (unsigned long long) most,
                (unsigned long long) all->most_connections);
}

hcs_result account_enter(struct accounts *all, uid_t uid, struct account **out, hcs_error *err)
{
    struct account *a = find_or_make(all, uid);
    hcs_result r;

    if (!a)
        return fail(err, HCS_E_OUTOFMEMORY, "hcsd.limits", "no memory for a user");
    r = account_check(a, LIMIT_CONNECTIONS, err);
    if (r >= 0)
        r = check_all(all, uid, err);
    if (r < 0) {
        drop_unused(a);
        return r;
    }
    account_change(a, LIMIT_CONNECTIONS, 0, 1);
    *out = a;
    return HCS_OK;
}

void account_change(struct account *a, enum limit which, uint64_t before, uint64_t now)
{
    assert(a->used[which] >= before);
    a->used[which] += now - before;
    if (which == LIMIT_CONNECTIONS)
        a->all->n_connections += now - before;
    drop_unused(a);
}
