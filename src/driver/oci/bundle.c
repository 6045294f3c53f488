/* bundle.c - from HCS documents to the JSON of the OCI runtime specification.
 * Owns:    nothing.
 * Users:   oci.c for real systems, probe.c for trial ones; the golden tests.
 * Promise: pure; the same input gives the same bytes; nothing that a runtime would refuse because
 *          this host cannot give it (rlimits above ours, capabilities we lack). */

#include "bundle.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

#define HOST_NAME_BYTES 64u /* the kernel's __NEW_UTS_LEN */
#define CPU_PERIOD_US 100000u
#define CPU_QUOTA_MIN_US 1000u /* the kernel refuses less */
#define FILES_SOFT 1024u       /* what programs that use select() rely on */
#define FILES_HARD 1048576u

/* What a program in a container may do as root: own, read and change any file of its root file
 * system, become another user, signal its children, listen on low ports.  Left out of what other
 * engines give: MKNOD (device nodes), NET_RAW (forged packets), AUDIT_WRITE (the host's audit log),
 * SETFCAP (programs that carry privileges). */
static const struct {
    unsigned int number;
    const char *name;
} capabilities[] = {
    { 0, "CAP_CHOWN" },       { 1, "CAP_DAC_OVERRIDE" }, { 3, "CAP_FOWNER" },
    { 4, "CAP_FSETID" },      { 5, "CAP_KILL" },         { 6, "CAP_SETGID" },
    { 7, "CAP_SETUID" },      { 8, "CAP_SETPCAP" },      { 10, "CAP_NET_BIND_SERVICE" },
    { 18, "CAP_SYS_CHROOT" },
};

/* Kernel interfaces that show or change the whole host. */
static const char *const masked_paths[] = {
    "/proc/acpi",          "/proc/asound",
    "/proc/kcore",         "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug",
    "/proc/scsi",          "/proc/timer_list",
    "/proc/timer_stats",   "/sys/devices/virtual/powercap",
    "/sys/firmware",
};
static const char *const read_only_paths[] = {
    "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

/* Where a mount of the document's would change what the container's safety rests on. */
static const char *const kernel_directories[] = { "dev", "proc", "sys" };

static const char default_path[] = "PATH=" BUNDLE_DEFAULT_PATH;

void bundle_name(const char *id, uint64_t incarnation, uint32_t service, char out[BUNDLE_NAME_MAX])
{
    assert(id);

    snprintf(out, BUNDLE_NAME_MAX, "%.128s.%" PRIu64 ".%08" PRIx32, id, incarnation, service);
}

/* The first name of an absolute path, whatever slashes and dots it is written with. */
static const char *first_name(const char *path, size_t *out_length)
{
    size_t n;

    for (;; path += n) {
        path += strspn(path, "/");
        n = strcspn(path, "/");
        if (n != 1 || path[0] != '.')
            break;
    }
    *out_length = n;
    return path;
}

static int path_is_below(const char *path, const char *name)
{
    size_t n;
    const char *first = first_name(path, &n);

    return n == strlen(name) && strncmp(first, name, n) == 0;
}

static hcs_result check_mapped(const struct doc_system *doc, size_t i, hcs_error *err)
{
    const char *path = doc->mapped[i].container_path;

    for (size_t k = 0; k < N_ELEMENTS(kernel_directories); k++)
        if (path_is_below(path, kernel_directories[k]))
            return fail(err, HCS_E_INVALIDARG, "oci.check",
                        "$.Container.MappedDirectories[%zu].ContainerPath is '%.200s', nothing can "
                        "be mapped into /%s",
                        i, path, kernel_directories[k]);
    return HCS_OK;
}

/* CPU time in each period that the document allows; 0: no limit. */
static uint64_t quota_of(const struct doc_system *doc, const struct oci_host *host)
{
    if (doc->processor_count)
        return (uint64_t) doc->processor_count * CPU_PERIOD_US;
    return (uint64_t) CPU_PERIOD_US * host->processors * doc->processor_maximum / 10000;
}

static hcs_result check_processor(const struct doc_system *doc, const struct oci_host *host,
                                  hcs_error *err)
{
    uint64_t least =
        ((uint64_t) CPU_QUOTA_MIN_US * 10000 + (uint64_t) CPU_PERIOD_US * host->processors - 1) /
        ((uint64_t) CPU_PERIOD_US * host->processors);

    if (doc->processor_count > host->processors)
        return fail(err, HCS_E_INVALIDARG, "oci.check",
                    "$.Container.Processor.Count is %" PRIu32 ", more than the %" PRIu32
                    " processor%s of this host",
                    doc->processor_count, host->processors, host->processors == 1 ? "" : "s");
    if (doc->processor_maximum && doc->processor_maximum < least)
        return fail(err, HCS_E_INVALIDARG, "oci.check",
                    "$.Container.Processor.Maximum is %" PRIu32
                    ", the least this host can enforce is %" PRIu64,
                    doc->processor_maximum, least);
    return HCS_OK;
}

static hcs_result check_limits(const struct doc_system *doc, const struct oci_mode *mode,
                               hcs_error *err)
{
    const char *field = NULL;
    const char *what = "processors";

    if (doc->memory_mb) {
        field = "Memory";
        what = "memory";
    } else if (doc->processor_count || doc->processor_weight || doc->processor_maximum) {
        field = "Processor";
    }
    if (!field || mode->limits)
        return HCS_OK;
    return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "oci.check",
                "$.Container.%s: this host cannot limit %s (mode: %s): leave it out, or run the "
                "service where it may "
                "write to the cgroup file system",
                field, what, mode->name);
}

hcs_result bundle_check(const struct doc_system *doc, const struct oci_mode *mode,
                        const struct oci_host *host, hcs_error *err)
{
    hcs_result r;

    assert(doc && mode && host);
    assert(host->processors > 0);

    if (!doc->storage_path)
        return fail(
            err, HCS_E_INVALIDARG, "oci.check",
            "$.Container.Storage.Path is missing: the directory that is the root file system");
    r = check_limits(doc, mode, err);
    if (r >= 0)
        r = check_processor(doc, host, err);
    for (size_t i = 0; r >= 0 && i < doc->n_mapped; i++)
        r = check_mapped(doc, i, err);
    return r;
}

/* In what follows NULL is "no memory", and travels up: json_pack() refuses it. */

static json_t *strings_to_json(const char *const *strings, size_t n)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < n; i++)
        if (json_array_append_new(array, json_string(strings[i])) < 0) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

/* Append, and carry a failure of before on. */
static json_t *append(json_t *array, json_t *entry)
{
    if (array && json_array_append_new(array, entry) == 0)
        return array;
    if (!array)
        json_decref(entry);
    json_decref(array);
    return NULL;
}

/* Options are one string, separated by commas: they are easier to read that way. */
static json_t *options_to_json(const char *options)
{
    json_t *array = json_array();

    while (array && *options) {
        size_t n = strcspn(options, ",");

        array = append(array, json_stringn(options, n));
        options += n + (options[n] == ',');
    }
    return array;
}

static json_t *mount_of(const char *destination, const char *type, const char *source,
                        const char *options)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type", type, "source",
                     source, "options", options_to_json(options));
}

static json_t *mounts_of(const struct doc_system *doc, const struct oci_mode *mode,
                         const struct bundle_names *names)
{
    json_t *mounts = json_array();

    mounts = append(mounts, mount_of("/proc", "proc", "proc", "nosuid,noexec,nodev"));
    mounts = append(mounts,
                    mount_of("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"));
    /* gid 5, the tty group everywhere, is not mapped in a user namespace of one user */
    mounts =
        append(mounts, mount_of("/dev/pts", "devpts", "devpts",
                                mode->rootless
                                    ? "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"
                                    : "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"));
    mounts = append(
        mounts, mount_of("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"));
    mounts = append(mounts, mount_of("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"));
    if (mode->rootless)
        mounts = append(mounts, mount_of("/sys", "bind", "/sys", "rbind,nosuid,noexec,nodev,ro"));
    else
        mounts = append(mounts, mount_of("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"));
    mounts =
        append(mounts, mount_of(BUNDLE_INIT, "bind", names->init_program, "bind,ro,nosuid,nodev"));
    for (size_t i = 0; i < doc->n_mapped; i++) {
        const char *options = "rbind,rprivate,nosuid,nodev,rw";

        /* without "rro" what is mounted below the directory would stay writable: leave it out
         * instead */
        if (doc->mapped[i].read_only)
            options = mode->recursive_read_only ? "rbind,rprivate,nosuid,nodev,ro,rro"
                                                : "bind,rprivate,nosuid,nodev,ro";
        mounts = append(mounts, mount_of(doc->mapped[i].container_path, "bind",
                                         doc->mapped[i].host_path, options));
    }
    return mounts;
}

static json_t *capabilities_of(const struct oci_host *host)
{
    const char *names[N_ELEMENTS(capabilities)];
    size_t n = 0;

    for (size_t i = 0; i < N_ELEMENTS(capabilities); i++)
        if (host->capabilities >> capabilities[i].number & 1)
            names[n++] = capabilities[i].name;
    return json_pack("{s:o, s:o, s:o}", "bounding", strings_to_json(names, n), "effective",
                     strings_to_json(names, n), "permitted", strings_to_json(names, n));
}

static json_t *rlimits_of(const struct oci_host *host)
{
    uint32_t hard = host->files_max < FILES_HARD ? host->files_max : FILES_HARD;
    uint32_t soft = hard < FILES_SOFT ? hard : FILES_SOFT;

    return json_pack("[{s:s, s:I, s:I}]", "type", "RLIMIT_NOFILE", "hard", (json_int_t) hard,
                     "soft", (json_int_t) soft);
}

/* The process object of both documents.  @arguments and @environment are taken. */
static json_t *process_of(json_t *arguments, json_t *environment, const char *directory,
                          const struct oci_host *host)
{
    return json_pack("{s:b, s:{s:i, s:i}, s:o, s:o, s:s, s:o, s:o, s:b}", "terminal", 0, "user",
                     "uid", 0, "gid", 0, "args", arguments, "env", environment, "cwd", directory,
                     "capabilities", capabilities_of(host), "rlimits", rlimits_of(host),
                     "noNewPrivileges", 1);
}

static json_t *init_process(const struct oci_host *host)
{
    static const char *const arguments[] = { BUNDLE_INIT, "--init" };
    static const char *const environment[] = { default_path };

    return process_of(strings_to_json(arguments, N_ELEMENTS(arguments)),
                      strings_to_json(environment, N_ELEMENTS(environment)), "/", host);
}

static json_t *namespaces_of(const struct oci_mode *mode)
{
    static const char *const always[] = { "pid", "mount", "ipc", "uts", "network" };
    json_t *array = json_array();

    for (size_t i = 0; i < N_ELEMENTS(always); i++)
        array = append(array, json_pack("{s:s}", "type", always[i]));
    if (mode->cgroup_namespace)
        array = append(array, json_pack("{s:s}", "type", "cgroup"));
    if (mode->rootless)
        array = append(array, json_pack("{s:s}", "type", "user"));
    return array;
}

static json_t *memory_of(const struct doc_system *doc, const struct oci_mode *mode)
{
    json_int_t limit = (json_int_t) doc->memory_mb << 20;

    /* "swap" is memory and swap together: the same number leaves no swap */
    if (mode->swap_accounting)
        return json_pack("{s:I, s:I}", "limit", limit, "swap", limit);
    return json_pack("{s:I}", "limit", limit);
}

static json_t *cpu_of(const struct doc_system *doc, const struct oci_host *host)
{
    uint64_t shares = (uint64_t) doc->processor_weight * 1024 / 100;

    if (doc->processor_weight)
        return json_pack("{s:I}", "shares", (json_int_t) (shares < 2 ? 2 : shares));
    return json_pack("{s:I, s:I}", "quota", (json_int_t) quota_of(doc, host), "period",
                     (json_int_t) CPU_PERIOD_US);
}

static json_t *resources_of(const struct doc_system *doc, const struct oci_mode *mode,
                            const struct oci_host *host)
{
    json_t *devices = NULL;
    json_t *memory = NULL;
    json_t *cpu = NULL;
    int bad = 0;

    /* the runtimes add the harmless ones (null, zero, random, tty...) by themselves */
    if (mode->device_rules)
        bad |= !(devices = json_pack("[{s:b, s:s}]", "allow", 0, "access", "rwm"));
    if (doc->memory_mb)
        bad |= !(memory = memory_of(doc, mode));
    if (doc->processor_count || doc->processor_weight || doc->processor_maximum)
        bad |= !(cpu = cpu_of(doc, host));
    if (!bad)
        return json_pack("{s:o*, s:o*, s:o*}", "devices", devices, "memory", memory, "cpu", cpu);
    json_decref(devices);
    json_decref(memory);
    json_decref(cpu);
    return NULL;
}

/* Add @value (taken) to @object; NULL of either is carried on. */
static json_t *with(json_t *object, const char *key, json_t *value)
{
    if (object && json_object_set_new(object, key, value) == 0)
        return object;
    if (!object)
        json_decref(value);
    json_decref(object);
    return NULL;
}

static json_t *cgroups_path_of(const struct oci_mode *mode, const struct bundle_names *names)
{
    return json_sprintf(mode->cgroups == OCI_CGROUPS_SYSTEMD ? "hcs.slice:hcs:%s" : "/hcs/%s",
                        names->name);
}

static json_t *id_mapping(uint32_t host_id)
{
    return json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t) host_id, "size",
                     1);
}

static json_t *linux_of(const struct doc_system *doc, const struct oci_mode *mode,
                        const struct oci_host *host, const struct bundle_names *names)
{
    json_t *object = json_pack("{s:o}", "namespaces", namespaces_of(mode));

    if (mode->rootless) {
        object = with(object, "uidMappings", id_mapping(host->uid));
        object = with(object, "gidMappings", id_mapping(host->gid));
    }
    if (mode->cgroups != OCI_CGROUPS_NONE) {
        object = with(object, "cgroupsPath", cgroups_path_of(mode, names));
        object = with(object, "resources", resources_of(doc, mode, host));
    }
    object = with(object, "maskedPaths", strings_to_json(masked_paths, N_ELEMENTS(masked_paths)));
    return with(object, "readonlyPaths",
                strings_to_json(read_only_paths, N_ELEMENTS(read_only_paths)));
}

/* The name others see when the document gives none.  An id is ASCII, so it may be cut anywhere. */
static json_t *host_name_of(const struct doc_system *doc, const struct bundle_names *names)
{
    const char *name = doc->host_name ? doc->host_name : names->id;

    return json_stringn(name, strnlen(name, HOST_NAME_BYTES));
}

/* Text of @take_json, which is released. */
static hcs_result text_of(json_t *take_json, const char *what, char **out, hcs_error *err)
{
    char *text = take_json ? json_dumps(take_json, JSON_INDENT(2)) : NULL;

    json_decref(take_json);
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "oci.bundle",
                    "no memory for %s, or a string in it is not UTF-8", what);
    *out = text;
    return HCS_OK;
}

hcs_result bundle_config(const struct doc_system *doc, const struct oci_mode *mode,
                         const struct oci_host *host, const struct bundle_names *names, char **out,
                         hcs_error *err)
{
    json_t *config;

    assert(doc && mode && host && names && out);
    assert(doc->storage_path);

    config = json_pack("{s:s, s:o, s:{s:s, s:b}, s:o, s:o, s:o}", "ociVersion", "1.0.2", "process",
                       init_process(host), "root", "path", doc->storage_path, "readonly", 0,
                       "hostname", host_name_of(doc, names), "mounts", mounts_of(doc, mode, names),
                       "linux", linux_of(doc, mode, host, names));
    return text_of(config, "config.json", out, err);
}

static int has_path(const struct doc_process *doc)
{
    for (size_t i = 0; i < doc->n_environment; i++)
        if (strncmp(doc->environment[i], "PATH=", 5) == 0)
            return 1;
    return 0;
}

/* The working directory is changed by who enters, too, so that it can say when that fails. */
static json_t *entering(const struct doc_process *doc)
{
    const char *const own[] = { BUNDLE_INIT, "--enter",
                                doc->working_directory ? doc->working_directory : "/" };
    json_t *arguments = strings_to_json(own, N_ELEMENTS(own));

    for (size_t i = 0; i < doc->n_arguments; i++)
        arguments = append(arguments, json_string(doc->arguments[i]));
    return arguments;
}

hcs_result bundle_process(const struct doc_process *doc, const struct oci_host *host, char **out,
                          hcs_error *err)
{
    json_t *environment;

    assert(doc && host && out);
    assert(doc->n_arguments > 0);

    environment = strings_to_json((const char *const *) doc->environment, doc->n_environment);
    if (!has_path(doc))
        environment = append(environment, json_string(default_path));
    return text_of(process_of(entering(doc), environment, "/", host), "process.json", out, err);
}
