/* witness.c - how a process ended, from /proc while it is a zombie, from its pidfd afterwards.
 * Users:   the drivers and channel.c, when a keeper is dead. */

#include "witness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attr.h"
#include "fd.h"

#define STAT_BYTES_MAX 4096
#define FIELD_STATE 3 /* of /proc/PID/stat, see proc(5) */
#define FIELD_BIRTH 22
#define FIELD_STATUS 52

/* <linux/pidfd.h> of a kernel newer than the headers at hand may be. */
struct info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t pids[3];
    uint32_t credentials[8];
    int32_t status;
    uint64_t reserved;
};
#define INFO_EXIT 8u
#define INFO_ASK _IOWR(0xFF, 11, struct info)

/* The fields from the state on; "" when there is no such process. */
static const char *read_stat(pid_t pid, char **out_text)
{
    char path[64];
    char *at;

    snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
    if (file_read(path, STAT_BYTES_MAX, out_text, NULL, NULL) < 0)
        return "";
    at = strrchr(*out_text, ')'); /* the name before it may hold anything */
    return at && at[1] == ' ' ? at + 2 : "";
}

static const char *field(const char *fields, int number)
{
    for (int i = FIELD_STATE; i < number && *fields; i++) {
        fields += strcspn(fields, " ");
        fields += strspn(fields, " ");
    }
    return fields;
}

uint64_t witness_birth(pid_t pid)
{
    _cleanup_(free_drop) char *text = NULL;

    return strtoull(field(read_stat(pid, &text), FIELD_BIRTH), NULL, 10);
}

int witness_open(pid_t pid, uint64_t birth)
{
    int pidfd = pid > 0 ? (int) syscall(SYS_pidfd_open, pid, 0) : -1;

    if (pidfd >= 0 && (birth == 0 || witness_birth(pid) != birth))
        fd_drop(&pidfd), pidfd = -1;
    return pidfd;
}

/* Who may not look is shown a 0 as status; the same rule decides whether he may follow this link.
 */
static int may_look(pid_t pid)
{
    char path[64], target[8];

    snprintf(path, sizeof path, "/proc/%d/cwd", (int) pid);
    return readlink(path, target, sizeof target) >= 0 || errno == ENOENT;
}

static int ask_zombie(pid_t pid, uint64_t birth, uint32_t *out_status)
{
    _cleanup_(free_drop) char *text = NULL;
    int allowed = may_look(pid);
    const char *fields = read_stat(pid, &text);
    const char *status = field(fields, FIELD_STATUS);

    if (!allowed || *fields != 'Z' || !*status ||
        strtoull(field(fields, FIELD_BIRTH), NULL, 10) != birth)
        return 0;
    *out_status = (uint32_t) strtol(status, NULL, 10);
    return 1;
}

static int ask_pidfd(int pidfd, uint32_t *out_status)
{
    struct info info = { .mask = INFO_EXIT };

    if (pidfd < 0 || ioctl(pidfd, INFO_ASK, &info) < 0 || !(info.mask & INFO_EXIT))
        return 0;
    *out_status = (uint32_t) info.status;
    return 1;
}

int witness_status(int pidfd, pid_t pid, uint64_t birth, uint32_t *out_status)
{
    /* it may be reaped between the two: then it is the pidfd's turn again */
    return ask_pidfd(pidfd, out_status) || ask_zombie(pid, birth, out_status) ||
           ask_pidfd(pidfd, out_status);
}
