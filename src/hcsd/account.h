/* account.h - what each user takes of the service, and how much it may be.
 *
 * An account is there as long as its user has a connection or a ticket, so there are never more of
 * them than of those.  The limits are those of one user; root, the owner of the service and the
 * clients over TCP (who have the owner's token) have PRIVILEGED times as much each.  Connections
 * are kept free (one in RESERVE) that only root and the owner can take: whatever the others do,
 * they get in. */
#ifndef HCS_HCSD_ACCOUNT_H
#define HCS_HCSD_ACCOUNT_H

#include <sys/types.h>

#include "attr.h"
#include "hcs/error.h"
#include "list.h"

#define ACCOUNT_PRIVILEGED 4u
#define ACCOUNT_RESERVE 8u
#define ACCOUNT_TCP ((uid_t) -2) /* whoever has the token */

enum limit {
    LIMIT_CONNECTIONS, /* the first, so that it can be the last to be given back */
    LIMIT_STREAMS,     /* connections that are one */
    LIMIT_CALLS,       /* that wait for something to happen */
    LIMIT_TICKETS,     /* standard handles over TCP that wait for their program */
    LIMIT_BYTES,       /* answers and events not sent yet, and requests not complete yet */
    N_LIMITS
};

struct accounts {
    struct list list;
    uid_t owner;
    uint64_t limit[N_LIMITS];  /* of one user */
    uint64_t most_connections; /* of all together */
    uint64_t n_connections;    /* of those that are counted */
    uint64_t refused[N_LIMITS];
};

struct account {
    struct list link;
    struct accounts *all;
    uid_t uid;
    uint64_t used[N_LIMITS];
};

/* The limits that follow from how many connections and tickets are possible at all. */
void accounts_init(struct accounts *all, uid_t owner, uint32_t most_connections,
                   uint32_t most_tickets);

/* "streams", and so on: what --limits and GetStatus call it. */
const char *limit_name(enum limit which);

/* "connections=10,bytes=1M": set those limits.  HCS_E_INVALIDARG with what is wrong. */
_must_use_ hcs_result limits_parse(const char *text, struct accounts *all, hcs_error *err);

/* A connection of @uid (ACCOUNT_TCP: of whoever has the token) begins: find or make the account and
 * count it.  HCS_E_WIN32_BUSY with the limit, its value and the way out: counted as refused. */
_must_use_ hcs_result account_enter(struct accounts *all, uid_t uid, struct account **out,
                                    hcs_error *err);

/* Whether one more of @which is allowed; for LIMIT_BYTES whether any is.  As account_enter(). */
_must_use_ hcs_result account_check(struct account *a, enum limit which, hcs_error *err);

/* As much as is allowed, or more, is in use.  Counts no refusal. */
int account_is_full(const struct account *a, enum limit which);

/* What somebody takes has changed from @before to @now.  @a is gone with the last connection and
 * ticket. */
void account_change(struct account *a, enum limit which, uint64_t before, uint64_t now);

uint64_t account_limit(const struct account *a, enum limit which);
int account_is_privileged(const struct account *a);

#endif
