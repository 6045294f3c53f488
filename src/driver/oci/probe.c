/* probe.c - which runtime and which mode this host gets.
 * Owns:    nothing but what it returns.
 * Users:   oci_new() at the start of the service, `hcsd --probe`.
 * Promise: nothing is believed that trial.c has not done; the first that can do everything wins,
 *          else what can do most. */

#include "probe.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "err.h"
#include "fd.h"
#include "trial.h"

#define CONTROLLERS_BYTES_MAX 4096
#define MODES_MAX 8
#define TMPFS_MAGIC 0x01021994
#define CGROUP2_MAGIC 0x63677270
#define UNIFIED "/sys/fs/cgroup/unified"

static const char search_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* ---- facts about the host ---- */

static int is_cgroup2(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && (unsigned long) fs.f_type == CGROUP2_MAGIC;
}

/* 1 when v1 and v2 are both mounted and v2 has controllers: then crun refuses to run at all. */
static int is_hybrid(void)
{
    _cleanup_(free_drop) char *controllers = NULL;
    struct statfs fs;

    return statfs("/sys/fs/cgroup", &fs) == 0 && (unsigned long) fs.f_type == TMPFS_MAGIC &&
           is_cgroup2(UNIFIED) &&
           file_read(UNIFIED "/cgroup.controllers", CONTROLLERS_BYTES_MAX, &controllers, NULL,
                     NULL) >= 0 &&
           controllers[strspn(controllers, " \n")] != '\0';
}

static uint64_t own_capabilities(void)
{
    _cleanup_(free_drop) char *text = NULL;
    const char *line;

    if (file_read("/proc/self/status", 65536, &text, NULL, NULL) < 0)
        return 0;
    line = strstr(text, "\nCapPrm:");
    return line ? strtoull(line + strlen("\nCapPrm:"), NULL, 16) : 0;
}

hcs_result probe_host(struct oci_host *out, hcs_error *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct rlimit files;

    assert(out);

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return fail_os(err, result_from_errno(errno), errno, "oci.host", "limit of open files");
    out->processors = processors > 0 ? (uint32_t) processors : 1;
    out->uid = (uint32_t) geteuid();
    out->gid = (uint32_t) getegid();
    out->files_max = files.rlim_max > UINT32_MAX ? UINT32_MAX : (uint32_t) files.rlim_max;
    /* in a user namespace of its own a container has them all */
    out->capabilities = geteuid() == 0 ? own_capabilities() : UINT64_MAX;
    return HCS_OK;
}

/* ---- what there is to try ---- */

/* "rro" came with crun 1.4 and runc 1.1, and needs mount_setattr(). */
static int knows_recursive_read_only(const struct runtime *rt)
{
    unsigned int major = 0;
    unsigned int minor = 0;

    if (syscall(SYS_mount_setattr, -1, "", 0, NULL, (size_t) 0) < 0 && errno == ENOSYS)
        return 0;
    if (sscanf(rt->version, "%u.%u", &major, &minor) != 2)
        return 0;
    return major > 1 || (major == 1 && minor >= (rt->flavour == RUNTIME_CRUN ? 4 : 1));
}

static void add_mode(struct oci_mode modes[MODES_MAX], size_t *n, const struct oci_mode *mode,
                     int device_rules)
{
    assert(*n < MODES_MAX);

    modes[*n] = *mode;
    modes[(*n)++].device_rules = device_rules;
}

/* Modes worth a trial, best first.  In v2 a device filter is a BPF program, which costs locked
 * memory that this process may not be allowed to give: then it is tried without. */
static size_t modes_for(const struct runtime *rt, struct oci_mode modes[MODES_MAX])
{
    int cgroup2 = is_cgroup2("/sys/fs/cgroup");
    struct oci_mode mode = {
        .cgroup_namespace = access("/proc/self/ns/cgroup", F_OK) == 0,
        .recursive_read_only = knows_recursive_read_only(rt),
        .swap_accounting = cgroup_counts_swap(),
    };
    size_t n = 0;

    if (geteuid() != 0) {
        mode.name = "rootless";
        mode.cgroups = OCI_CGROUPS_NONE;
        mode.rootless = 1;
        add_mode(modes, &n, &mode, 0);
        return n;
    }
    mode.hide_unified = is_hybrid();
    for (int rules = 1; cgroup2 && rules >= 0 && access("/run/systemd/system", F_OK) == 0;
         rules--) {
        mode.name = "systemd";
        mode.cgroups = OCI_CGROUPS_SYSTEMD;
        add_mode(modes, &n, &mode, rules);
    }
    for (int rules = 1; cgroup2 && rules >= 0; rules--) {
        mode.name = "cgroup-v2";
        mode.cgroups = OCI_CGROUPS_V2;
        add_mode(modes, &n, &mode, rules);
    }
    if (!cgroup2 && cgroup_has_v1("memory")) {
        mode.name = "cgroup-v1";
        mode.cgroups = OCI_CGROUPS_V1;
        add_mode(modes, &n, &mode, 1);
    }
    if (rt->flavour == RUNTIME_CRUN) {
        mode.name = "no-cgroup";
        mode.cgroups = OCI_CGROUPS_NONE;
        add_mode(modes, &n, &mode, 0);
    }
    return n;
}

/* ---- all of them ---- */

static int is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static char *find_in(const char *directories, const char *name)
{
    while (*directories) {
        size_t n = strcspn(directories, ":");
        char *path = NULL;

        if (directories[0] == '/' && asprintf(&path, "%.*s/%s", (int) n, directories, name) >= 0) {
            if (is_program(path))
                return path;
            free(path);
        }
        directories += n + (directories[n] == ':');
    }
    return NULL;
}

/* Owned absolute path of a program by name or path; NULL when there is none. */
static char *find_program(const char *name)
{
    const char *path = getenv("PATH");
    char *found;

    if (strchr(name, '/'))
        return is_program(name) ? realpath(name, NULL) : NULL;
    found = find_in(path ? path : "", name);
    return found ? found : find_in(search_path, name);
}

/* "crun version 1.8.1" and "runc version 1.1.5+ds1" begin what they print. */
static void read_version(struct runtime *rt)
{
    char option[] = "--version";
    char *argv[] = { rt->path, option, NULL };
    char text[512];
    char name[32], version[64];

    if (!trial_output(argv, text, sizeof text))
        return;
    if (sscanf(text, "%31s version %63s", name, version) != 2)
        return;
    rt->flavour = strcmp(name, "crun") == 0 ? RUNTIME_CRUN : RUNTIME_RUNC;
    free(rt->version);
    rt->version = strdup(version);
}

static hcs_result open_runtime(const struct oci_options *options, const char *name,
                               struct runtime *out, hcs_error *err)
{
    struct runtime rt = { .flavour = RUNTIME_RUNC };

    rt.path = find_program(name);
    if (!rt.path)
        return fail(err, HCS_E_WIN32_FILE_NOT_FOUND, "oci.probe", "no program '%s'", name);
    rt.version = strdup("");
    read_version(&rt);
    if (asprintf(&rt.root, "%s/%s", options->state_dir,
                 rt.flavour == RUNTIME_CRUN ? "crun" : "runc") < 0)
        rt.root = NULL;
    if (!rt.root || !rt.version) {
        runtime_done(&rt);
        return fail(err, HCS_E_OUTOFMEMORY, "oci.probe", "no memory for runtime '%s'", name);
    }
    *out = rt;
    return HCS_OK;
}

static json_t *describe(const char *name, const struct runtime *rt_opt,
                        const struct oci_mode *mode_opt, int works, const char *reason)
{
    static const struct oci_mode none = { .name = "" };
    const struct oci_mode *m = mode_opt ? mode_opt : &none;

    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:{s:b, s:b, s:b}}", "runtime", name, "path",
                     rt_opt ? rt_opt->path : "", "version", rt_opt ? rt_opt->version : "", "mode",
                     m->name, "works", works, "reason", reason, "capabilities", "limits", m->limits,
                     "pause", m->pause, "stats", m->stats);
}

static int score(const struct oci_mode *mode)
{
    return 1 + 4 * mode->limits + 2 * mode->stats + mode->pause;
}

#define SCORE_FULL 8

/* Where a search stands. */
struct search {
    const struct oci_options *options;
    struct oci_host host;
    int all;  /* try everything, do not stop at the best */
    int best; /* score; 0: nothing works so far */
    struct probe_found found;
};

/* Keep @mode of @rt when it is better than what there was; copies, so that @rt can go on. */
static void keep_if_better(struct search *s, const struct runtime *rt, const struct oci_mode *mode)
{
    struct runtime copy = { .flavour = rt->flavour };

    if (score(mode) <= s->best)
        return;
    copy.path = strdup(rt->path);
    copy.version = strdup(rt->version);
    copy.root = strdup(rt->root);
    if (!copy.path || !copy.version || !copy.root) {
        runtime_done(&copy);
        return;
    }
    runtime_done(&s->found.runtime);
    s->found.runtime = copy;
    s->found.mode = *mode;
    s->best = score(mode);
}

static void search_runtime(struct search *s, const char *name)
{
    struct runtime rt = { 0 };
    struct oci_mode modes[MODES_MAX];
    hcs_error err = HCS_ERROR_INIT;
    size_t n;

    if (open_runtime(s->options, name, &rt, &err) < 0) {
        (void) json_array_append_new(s->found.attempts, describe(name, NULL, NULL, 0, err.text));
        return;
    }
    n = modes_for(&rt, modes);
    for (size_t i = 0; i < n && (s->all || s->best < SCORE_FULL); i++) {
        char reason[512] = "";
        int works = trial_of_mode(s->options, &rt, &s->host, &modes[i], reason, sizeof reason);

        (void) json_array_append_new(s->found.attempts,
                                     describe(name, &rt, &modes[i], works, reason));
        if (works)
            keep_if_better(s, &rt, &modes[i]);
    }
    runtime_done(&rt);
}

static hcs_result search_all(struct search *s, hcs_error *err)
{
    static const char *const names[] = { "crun", "runc" };
    hcs_result r = probe_host(&s->host, err);

    if (r >= 0)
        r = dir_make(s->options->state_dir, 0700, err);
    if (r < 0)
        return r;
    s->found.attempts = json_array();
    if (!s->found.attempts)
        return fail(err, HCS_E_OUTOFMEMORY, "oci.probe", "no memory for the search");
    if (s->options->runtime_opt)
        search_runtime(s, s->options->runtime_opt);
    for (size_t i = 0;
         !s->options->runtime_opt && i < N_ELEMENTS(names) && (s->all || s->best < SCORE_FULL); i++)
        search_runtime(s, names[i]);
    return HCS_OK;
}

/* "crun cgroup-v1: reason; runc: reason" */
static hcs_result nothing_works(const json_t *attempts, hcs_error *err)
{
    char text[400] = "";
    size_t length = 0;

    for (size_t i = 0; i < json_array_size(attempts) && length < sizeof text; i++) {
        const json_t *a = json_array_get(attempts, i);
        const char *mode = json_string_value(json_object_get(a, "mode"));

        length += (size_t) snprintf(text + length, sizeof text - length, "%s%s%s%s: %s",
                                    i ? "; " : "", json_string_value(json_object_get(a, "runtime")),
                                    mode && *mode ? " " : "", mode ? mode : "",
                                    json_string_value(json_object_get(a, "reason")));
    }
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "oci.probe", "this host can run no container: %s",
                text);
}

hcs_result probe_find(const struct oci_options *options, struct probe_found *out, hcs_error *err)
{
    struct search s = { .options = options };
    hcs_result r;

    assert(options && out);
    assert(options->keeper_program && options->state_dir);

    r = search_all(&s, err);
    if (r >= 0 && s.best == 0)
        r = nothing_works(s.found.attempts, err);
    if (r < 0) {
        json_decref(s.found.attempts);
        return r;
    }
    *out = s.found;
    return HCS_OK;
}

json_t *oci_probe_all(const struct oci_options *options)
{
    struct search s = { .options = options, .all = 1 };

    assert(options);
    assert(options->keeper_program && options->state_dir);

    if (search_all(&s, NULL) < 0)
        return NULL;
    runtime_done(&s.found.runtime);
    return s.found.attempts;
}
