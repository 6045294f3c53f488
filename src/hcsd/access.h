/* access.h - who may use this service.
 *
 * A user's service is for that user and for root; a service that runs as root is for root and for
 * the members of one group.  The kernel says who a client is, as of when it connected
 * (SO_PEERCRED, SO_PEERGROUPS): a connection that is passed on to another program stays that of who
 * made it. */
#ifndef HCS_HCSD_ACCESS_H
#define HCS_HCSD_ACCESS_H

#include <sys/types.h>

#include "attr.h"
#include "hcs/error.h"

#define ACCESS_GROUP "hcs" /* its members may use the service of root */

struct access {
    uid_t owner;    /* of the service */
    int has_group;  /* members of `group` may use it, too */
    int is_default; /* the group was not asked for by name */
    gid_t group;
    char group_name[64];
    uint64_t refused;
};

/* Who is at the other end of a unix socket. */
struct peer {
    int is_known;
    uid_t uid;
    gid_t gid;
    pid_t pid;     /* as of then: it may be another program's by now */
    gid_t *groups; /* owned */
    size_t n_groups;
};

/* @group_opt: whose members may use the service when @owner is root; NULL means "hcs" if there is
 * such a group, "" nobody but root.
 * HCS_E_INVALIDARG there is no such group, or @owner is not root and a group was named. */
_must_use_ hcs_result access_init(struct access *a, uid_t owner, const char *group_opt,
                                  hcs_error *err);

/* Never fails: who cannot be told apart is not known, and not let in. */
void peer_read(struct peer *p, int fd);
void peer_done(struct peer *p);

/* HCS_OK, or HCS_E_ACCESS_DENIED with a text that names the uid and the way out.  Counts nothing.
 */
_must_use_ hcs_result access_check(const struct access *a, const struct peer *p, hcs_error *err);

#endif
