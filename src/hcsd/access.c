/* access.c - who may use this service.
 * Owns:    the rule, and the reading of who a client is.
 * Users:   main.c sets it up, connection.c asks for each client.  Loop thread only.
 * Promise: whoever cannot be told apart is refused; a refusal says who was refused and what to do
 *          about it. */

#include "access.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"

/* Looked up once, when the service begins: a directory service that does not answer later shall
 * keep nobody waiting. */
hcs_result access_init(struct access *a, uid_t owner, const char *group_opt, hcs_error *err)
{
    const char *name = group_opt ? group_opt : ACCESS_GROUP;
    const struct group *group;

    *a = (struct access){ .owner = owner, .is_default = !group_opt };
    if (owner != 0 && group_opt && *group_opt)
        return fail(err, HCS_E_INVALIDARG, "hcsd.access",
                    "--group '%.60s': only the service of root is for a group, that of uid %u is "
                    "for this user and root",
                    group_opt, owner);
    if (owner != 0 || !*name)
        return HCS_OK;
    group = getgrnam(name);
    if (!group && !group_opt)
        return HCS_OK;
    if (!group || strlen(name) >= sizeof a->group_name)
        return fail(err, HCS_E_INVALIDARG, "hcsd.access",
                    "--group '%.60s': there is no such group (groupadd --system makes one)", name);
    a->has_group = 1;
    a->group = group->gr_gid;
    strcpy(a->group_name, name);
    return HCS_OK;
}

static void read_groups(struct peer *p, int fd)
{
    socklen_t size = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE || size == 0)
        return; /* none; or a kernel that does not tell: the first group is known all the same */
    p->groups = malloc(size);
    if (p->groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->groups, &size) == 0)
        p->n_groups = size / sizeof *p->groups;
}

void peer_read(struct peer *p, int fd)
{
    struct ucred who = { .uid = (uid_t) -1 };
    socklen_t size = sizeof who;

    *p = (struct peer){ .uid = (uid_t) -1, .gid = (gid_t) -1 };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 || who.uid == (uid_t) -1)
        return;
    p->is_known = 1;
    p->uid = who.uid;
    p->gid = who.gid;
    p->pid = who.pid;
    read_groups(p, fd);
}

void peer_done(struct peer *p)
{
    free(TAKE(p->groups));
    p->n_groups = 0;
}

static int is_member(const struct peer *p, gid_t group)
{
    if (p->gid == group)
        return 1;
    for (size_t i = 0; i < p->n_groups; i++)
        if (p->groups[i] == group)
            return 1;
    return 0;
}

/* What somebody who was refused can do about it. */
static void way_out(const struct access *a, char text[200])
{
    if (a->owner != 0)
        snprintf(text, 200, "become uid %u, or use a service of your own (hcs starts one)",
                 a->owner);
    else if (a->has_group)
        snprintf(text, 200, "join group %s (usermod -a -G %s USER, then log in again)",
                 a->group_name, a->group_name);
    else if (a->is_default)
        snprintf(text, 200, "make group %s (groupadd --system %s), restart hcsd, and join group %s",
                 ACCESS_GROUP, ACCESS_GROUP, ACCESS_GROUP);
    else
        snprintf(text, 200, "become root: this hcsd was started with --group '', for root alone");
}

hcs_result access_check(const struct access *a, const struct peer *p, hcs_error *err)
{
    char who[32], what[200];

    if (p->is_known &&
        (p->uid == 0 || p->uid == a->owner || (a->has_group && is_member(p, a->group))))
        return HCS_OK;
    if (p->is_known)
        snprintf(who, sizeof who, "uid %u", p->uid);
    else
        strcpy(who, "an unknown user");
    way_out(a, what);
    return fail(err, HCS_E_ACCESS_DENIED, "hcsd.access", "%s may not use the service of uid %u: %s",
                who, a->owner, what);
}
