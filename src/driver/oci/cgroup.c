/* cgroup.c - finding and reading cgroups, v1 and v2, wherever they are mounted.
 * Owns:    nothing; every call looks at the kernel's own lists.
 * Users:   oci.c for the OOM counter and the last cleaning, probe.c to see what really works.
 * Promise: reads only small files of the kernel; never makes a cgroup. */

#include "cgroup.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"

#define LIST_BYTES_MAX ((size_t) 4 << 20) /* a host with thousands of mounts */
#define FILE_BYTES_MAX ((size_t) 64 << 10)

/* A mounted hierarchy, as one line of mountinfo tells it; the strings are in the line. */
struct hierarchy {
    const char *root; /* the cgroup that is mounted */
    const char *mount_point;
    const char *type;    /* "cgroup" or "cgroup2" */
    const char *options; /* v1: the controllers, among others */
};

/* 1 when @word is one of the words of @list, which commas separate. */
static int has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (strncmp(list, word, n) == 0 && (list[n] == ',' || list[n] == '\0'))
            return 1;
    return 0;
}

/* Cut a line of mountinfo ("id parent dev root point options... - type source options") in place.
 */
static int parse_mount(char *line, struct hierarchy *out)
{
    char *fields[6];
    char *rest = strstr(line, " - ");
    char *save = NULL;

    if (!rest)
        return 0;
    *rest = '\0';
    for (size_t i = 0; i < 5; i++) {
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
        if (!fields[i])
            return 0;
    }
    out->root = fields[3];
    out->mount_point = fields[4];
    out->type = strtok_r(rest + 3, " ", &save);
    (void) strtok_r(NULL, " ", &save);
    out->options = strtok_r(NULL, " ", &save);
    return out->options && strncmp(out->type, "cgroup", 6) == 0;
}

/* Next hierarchy of mountinfo text; @at moves on.  0 at the end. */
static int next_hierarchy(char **at, struct hierarchy *out)
{
    char *line;

    while ((line = strsep(at, "\n")) != NULL)
        if (parse_mount(line, out))
            return 1;
    return 0;
}

static int is_v2(const struct hierarchy *h)
{
    return strcmp(h->type, "cgroup2") == 0;
}

/* The path of v1's @controller, or with NULL of v2, in the text of /proc/PID/cgroup; cut in place.
 */
static char *path_in(char *text, const char *controller_opt)
{
    char *line;

    while ((line = strsep(&text, "\n")) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path)
            continue;
        *path++ = '\0';
        controllers++;
        if (controller_opt ? has_word(controllers, controller_opt) : controllers[0] == '\0')
            return path;
    }
    return NULL;
}

/* Directory of cgroup @path in @h; NULL when it is not below what is mounted, or no memory. */
static char *directory_of(const struct hierarchy *h, const char *path)
{
    size_t n = strcmp(h->root, "/") == 0 ? 0 : strlen(h->root);
    char *directory = NULL;

    if (strncmp(path, h->root, n) != 0)
        return NULL;
    if (asprintf(&directory, "%s%s", h->mount_point, path + n) < 0)
        return NULL;
    return directory;
}

static char *find_directory(const char *membership, const char *controller_opt)
{
    _cleanup_(free_drop) char *mounts = NULL;
    _cleanup_(free_drop) char *text = strdup(membership);
    const char *path = text ? path_in(text, controller_opt) : NULL;
    struct hierarchy h;
    char *at;

    if (!path || file_read("/proc/self/mountinfo", LIST_BYTES_MAX, &mounts, NULL, NULL) < 0)
        return NULL;
    at = mounts;
    while (next_hierarchy(&at, &h))
        if (controller_opt ? !is_v2(&h) && has_word(h.options, controller_opt) : is_v2(&h)) {
            char *directory = directory_of(&h, path);

            if (directory)
                return directory;
        }
    return NULL;
}

hcs_result cgroup_find(uint32_t pid, const char *controller, char **out, hcs_error *err)
{
    _cleanup_(free_drop) char *text = NULL;
    char file[64];
    char *directory;
    hcs_result r;

    assert(controller && out);

    snprintf(file, sizeof file, "/proc/%" PRIu32 "/cgroup", pid);
    r = file_read(file, FILE_BYTES_MAX, &text, NULL, err);
    if (r < 0)
        return r;
    directory = find_directory(text, controller);
    if (!directory)
        directory = find_directory(text, NULL);
    if (!directory)
        return fail(err, HCS_E_WIN32_NOT_FOUND, "oci.cgroup",
                    "process %" PRIu32 " has no mounted cgroup for '%s'", pid, controller);
    *out = directory;
    return HCS_OK;
}

/* The number after @key at the start of a line of @text; NULL when it is not there. */
static const char *after_key(const char *text, const char *key)
{
    size_t n = strlen(key);

    while (*text) {
        if (strncmp(text, key, n) == 0 && text[n] == ' ')
            return text + n + 1;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return NULL;
}

int cgroup_number(const char *directory, const char *file, const char *key_opt, uint64_t *out)
{
    _cleanup_(free_drop) char *text = NULL;
    char path[PATH_MAX];
    const char *digits;

    assert(directory && file && out);

    if (snprintf(path, sizeof path, "%s/%s", directory, file) >= (int) sizeof path ||
        file_read(path, FILE_BYTES_MAX, &text, NULL, NULL) < 0)
        return 0;
    digits = key_opt ? after_key(text, key_opt) : text;
    if (!digits || digits[0] < '0' || digits[0] > '9')
        return 0;
    *out = strtoull(digits, NULL, 10);
    return 1;
}

uint64_t cgroup_oom_kills(const char *memory_directory)
{
    uint64_t kills = 0;

    if (!cgroup_number(memory_directory, "memory.oom_control", "oom_kill", &kills))
        (void) cgroup_number(memory_directory, "memory.events", "oom_kill", &kills);
    return kills;
}

static void kill_members(const char *list)
{
    while (*list) {
        long pid = strtol(list, NULL, 10);

        if (pid > 1)
            (void) kill((pid_t) pid, SIGKILL);
        list += strcspn(list, "\n");
        list += *list == '\n';
    }
}

void cgroup_kill(const char *name)
{
    _cleanup_(free_drop) char *mounts = NULL;
    struct hierarchy h;
    char *at;

    assert(name && name[0] && !strchr(name, '/'));

    if (file_read("/proc/self/mountinfo", LIST_BYTES_MAX, &mounts, NULL, NULL) < 0)
        return;
    at = mounts;
    while (next_hierarchy(&at, &h)) {
        _cleanup_(free_drop) char *members = NULL;
        char path[PATH_MAX];

        if (snprintf(path, sizeof path, "%s/hcs/%s/cgroup.procs", h.mount_point, name) <
                (int) sizeof path &&
            file_read(path, FILE_BYTES_MAX, &members, NULL, NULL) >= 0)
            kill_members(members);
    }
}

hcs_result cgroup_remove(const char *name, hcs_error *err)
{
    _cleanup_(free_drop) char *mounts = NULL;
    struct hierarchy h;
    char *at;
    hcs_result r;

    assert(name && name[0] && !strchr(name, '/'));

    r = file_read("/proc/self/mountinfo", LIST_BYTES_MAX, &mounts, NULL, err);
    if (r < 0)
        return r;
    at = mounts;
    while (next_hierarchy(&at, &h)) {
        char path[PATH_MAX];

        if (snprintf(path, sizeof path, "%s/hcs/%s", h.mount_point, name) >= (int) sizeof path)
            continue;
        if (rmdir(path) < 0 && errno == EBUSY)
            r = fail(err, HCS_E_WIN32_BUSY, "oci.cgroup", "cgroup '%s' still has processes", path);
    }
    return r;
}

int cgroup_has_v1(const char *controller)
{
    _cleanup_(free_drop) char *mounts = NULL;
    struct hierarchy h;
    char *at;

    if (file_read("/proc/self/mountinfo", LIST_BYTES_MAX, &mounts, NULL, NULL) < 0)
        return 0;
    at = mounts;
    while (next_hierarchy(&at, &h))
        if (!is_v2(&h) && has_word(h.options, controller))
            return 1;
    return 0;
}

/* The files are missing where the kernel does not count; in v2 the root cgroup never has them. */
int cgroup_counts_swap(void)
{
    static const char *const patterns[] = {
        "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes",
        "/sys/fs/cgroup/*/memory.swap.max",
    };
    int found = 0;

    for (size_t i = 0; !found && i < N_ELEMENTS(patterns); i++) {
        glob_t matches = { 0 };

        found = glob(patterns[i], GLOB_NOSORT, NULL, &matches) == 0;
        globfree(&matches);
    }
    return found;
}
