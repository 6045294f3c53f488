/* bundle.h - HCS documents as what an OCI runtime wants: config.json and process.json.
 *
 * Pure functions: what they must know of the host comes in, JSON text goes out.
 *
 * How the fields of a ComputeSystem document are translated:
 *   Container.Storage.Path       root.path, writable
 *   Container.GuestOs.HostName   hostname; the id of the system when absent, cut to 64
 *   Container.MappedDirectories  private recursive bind mounts, nosuid and nodev
 *   Container.Memory.SizeInMB    memory limit, without swap in addition where the kernel counts
 * swap Container.Processor.Count    the CPU time of that many processors
 *   Container.Processor.Maximum  that share of the CPU time of all processors of the host
 *   Container.Processor.Weight   CPU shares; 100 (the default of Hyper-V) is 1024 (the default of
 * Linux)
 */
#ifndef HCS_DRIVER_OCI_BUNDLE_H
#define HCS_DRIVER_OCI_BUNDLE_H

#include "attr.h"
#include "doc.h"
#include "hcs/error.h"

/* Who makes the cgroup of a container, and in which hierarchy. */
enum oci_cgroups {
    OCI_CGROUPS_SYSTEMD, /* systemd, v2 */
    OCI_CGROUPS_V2,      /* the runtime, v2 */
    OCI_CGROUPS_V1,      /* the runtime, v1; also of hosts that mount both */
    OCI_CGROUPS_NONE     /* nobody */
};

/* How containers are run on this host; probe.c finds out. */
struct oci_mode {
    const char *name; /* "cgroup-v1", for people */
    enum oci_cgroups cgroups;
    int rootless;     /* the service has no privileges: own user namespace, one uid */
    int hide_unified; /* the runtime must not see /sys/fs/cgroup/unified */
    int device_rules; /* linux.resources.devices can be given */
    int cgroup_namespace;
    int recursive_read_only; /* the runtime and the kernel know "rro" */
    int swap_accounting;
    int limits, pause, stats; /* what was seen to work */
};

/* What a bundle depends on besides the document. */
struct oci_host {
    uint32_t processors;
    uint32_t uid, gid;
    uint32_t files_max;    /* hard RLIMIT_NOFILE: the most that can be given on */
    uint64_t capabilities; /* bit n: capability n can be given on */
};

struct bundle_names {
    const char *id;           /* of the system */
    const char *name;         /* bundle_name() of it */
    const char *init_program; /* absolute path of hcs-keeper on the host */
};

/* PATH of a process whose document gives none. */
#define BUNDLE_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Longest name of a container that bundle_name() makes, with the NUL. */
#define BUNDLE_NAME_MAX 160

/* Where the init program appears in a container: in the tmpfs of /dev, so that the root file system
 * stays as it was. */
#define BUNDLE_INIT "/dev/.hcs-init"

/* The runtime's name for a system, and that of its control groups: "ID.INCARNATION.SERVICE", so
 * that one incarnation never meets the remains of another, nor one service of this machine those of
 * another one. */
void bundle_name(const char *id, uint64_t incarnation, uint32_t service, char out[BUNDLE_NAME_MAX]);

/* Whether the document can be honoured in @mode, as far as that can be said without looking at
 * files. */
_must_use_ hcs_result bundle_check(const struct doc_system *doc, const struct oci_mode *mode,
                                   const struct oci_host *host, hcs_error *err);

/* Owned text of config.json, for a document that bundle_check() accepts. */
_must_use_ hcs_result bundle_config(const struct doc_system *doc, const struct oci_mode *mode,
                                    const struct oci_host *host, const struct bundle_names *names,
                                    char **out, hcs_error *err);

/* Owned text of a process.json for `exec --process`: the init program, which becomes the
 * document's program and says whether that worked (`hcs-keeper --enter`). */
_must_use_ hcs_result bundle_process(const struct doc_process *doc, const struct oci_host *host,
                                     char **out, hcs_error *err);

#endif
