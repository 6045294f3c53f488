/* trial.c - one container from create to delete, to see whether a runtime works in a mode.
 * Owns:    a directory below state_dir and one container, while it runs.
 * Users:   probe.c.
 * Promise: a mode that is said to work has run, entered, ended and deleted a container a moment
 *          ago; a capability was seen in the container's cgroup; nothing stays behind.
 *
 * A trial runs in a forked child: it enters mount namespaces, adopts orphans and may hang, none of
 * which the service may do. */

#include "trial.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "clock.h"
#include "err.h"
#include "fd.h"
#include "protocol.h"

#define TRIAL_GRACE_MS 5000 /* to clean up after a trial that ran out of time */
#define TRIAL_MEMORY_MB 64
#define REPORT_BYTES_MAX 4096
#define UNIFIED "/sys/fs/cgroup/unified"

/* ---- a child of one's own, with a deadline ---- */

static int ms_until(uint64_t deadline_ns)
{
    uint64_t now = clock_monotonic_ns();

    return now >= deadline_ns ? 0 : (int) ((deadline_ns - now) / 1000000) + 1;
}

/* The service blocks signals for its loop; what it runs must not inherit that. */
static void reset_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
}

static void become(char *const argv[], int out_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    reset_signals();
    if (null < 0 || dup2(null, 0) < 0 || dup2(out_fd >= 0 ? out_fd : null, 1) < 0 ||
        dup2(null, 2) < 0 || dup2(null, KEEPER_REPORT_FD) < 0)
        _exit(127);
    execv(argv[0], argv);
    _exit(127);
}

/* Wait for @pid.  1 with its status, 0 when the deadline has passed. */
static int wait_until(pid_t pid, uint64_t deadline_ns, int *out_status)
{
    _cleanup_(fd_drop) int pidfd = pidfd_open(pid, 0);
    struct pollfd p = { .fd = pidfd, .events = POLLIN };

    if (pidfd >= 0 && poll(&p, 1, ms_until(deadline_ns)) == 0)
        return 0;
    return waitpid(pid, out_status, 0) == pid;
}

/* Run a program to its end.  -1 when it had to be killed at the deadline, else its wait status. */
static int run(char *const argv[], int out_fd, uint64_t deadline_ns)
{
    pid_t pid = fork();
    int status = -1;

    if (pid < 0)
        return -1;
    if (pid == 0)
        become(argv, out_fd);
    if (wait_until(pid, deadline_ns, &status))
        return status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

/* Read from @fd to its end or the deadline; what came is NUL-terminated. */
static void read_until(int fd, uint64_t deadline_ns, char *out, size_t size)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t length = 0;

    while (length < size - 1 && poll(&p, 1, ms_until(deadline_ns)) > 0) {
        ssize_t n = read(fd, out + length, size - 1 - length);

        if (n <= 0)
            break;
        length += (size_t) n;
    }
    out[length] = '\0';
}

int trial_output(char *const argv[], char *out, size_t size)
{
    uint64_t deadline = clock_monotonic_ns() + (uint64_t) TRIAL_MS * 1000000;
    int ends[2];
    int good;

    assert(argv && out);
    assert(size > 0);

    out[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) < 0)
        return 0;
    good = run(argv, ends[1], deadline) == 0;
    fd_drop(&ends[1]); /* else there is no end to read to */
    if (good)
        read_until(ends[0], deadline, out, size);
    fd_drop(&ends[0]);
    return good;
}

/* ---- one trial ---- */

struct trial {
    const struct oci_options *options;
    const struct runtime *runtime;
    const struct oci_host *host;
    struct oci_mode mode;          /* capabilities are filled in */
    char directory[PATH_MAX - 64]; /* private; root/, bundle/, log, pid */
    char name[BUNDLE_NAME_MAX];
    uint64_t incarnation;
    uint64_t deadline_ns;
    pid_t init; /* 0: none */
};

static const char trial_id[] = "hcs-probe";

static hcs_result trial_run(struct trial *t, enum runtime_verb verb, hcs_error *err)
{
    _cleanup_(runtime_argv_drop) char **argv = NULL;
    char log[PATH_MAX], bundle[PATH_MAX], pid_file[PATH_MAX], process[PATH_MAX];
    struct runtime_command command = {
        .verb = verb,
        .name = t->name,
        .log = log,
        .bundle = bundle,
        .process = process,
        .pid_file = pid_file,
    };
    hcs_result r;
    int status;

    snprintf(log, sizeof log, "%s/log", t->directory);
    snprintf(bundle, sizeof bundle, "%s/bundle", t->directory);
    snprintf(process, sizeof process, "%s/process.json", t->directory);
    snprintf(pid_file, sizeof pid_file, "%s/%s.pid", t->directory, runtime_verb_name(verb));
    (void) unlink(log);
    r = runtime_argv(t->runtime, &t->mode, &command, &argv, err);
    if (r < 0)
        return r;
    status = run(argv, -1, t->deadline_ns);
    if (status == 0)
        return HCS_OK;
    if (status == -1)
        return fail(err, HCS_E_OPERATION_TIMEOUT, "oci.probe", "%s: no answer within %d s",
                    runtime_verb_name(verb), TRIAL_MS / 1000);
    return runtime_failure(verb, log, (uint32_t) status, err);
}

/* The pid a verb wrote, 0 when none. */
static pid_t trial_pid(const struct trial *t, const char *verb)
{
    _cleanup_(free_drop) char *text = NULL;
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s.pid", t->directory, verb);
    if (file_read(path, 64, &text, NULL, NULL) < 0)
        return 0;
    return (pid_t) strtol(text, NULL, 10);
}

static hcs_result trial_write(const struct trial *t, const char *file, const char *text,
                              hcs_error *err)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", t->directory, file);
    return runtime_write_input(path, text, err);
}

/* A directory, an empty root file system, config.json and process.json. */
static hcs_result trial_prepare(struct trial *t, hcs_error *err)
{
    _cleanup_(free_drop) char *config = NULL;
    _cleanup_(free_drop) char *process = NULL;
    char root[PATH_MAX], bundle[PATH_MAX];
    char init[] = BUNDLE_INIT, just_true[] = "--true";
    char *arguments[] = { init, just_true, NULL };
    char *environment[] = { NULL };
    struct doc_system system = {
        .storage_path = root,
        .memory_mb = t->mode.cgroups == OCI_CGROUPS_NONE ? 0 : TRIAL_MEMORY_MB,
    };
    struct doc_process program = { .arguments = arguments,
                                   .n_arguments = 2,
                                   .environment = environment };
    struct bundle_names names = {
        .id = trial_id,
        .name = t->name,
        .init_program = t->options->keeper_program,
    };
    hcs_result r;

    snprintf(root, sizeof root, "%s/root", t->directory);
    snprintf(bundle, sizeof bundle, "%s/bundle", t->directory);
    r = dir_make(root, 0755, err);
    if (r >= 0)
        r = dir_make(bundle, 0700, err);
    if (r >= 0)
        r = bundle_config(&system, &t->mode, t->host, &names, &config, err);
    if (r >= 0)
        r = bundle_process(&program, t->host, &process, err);
    if (r >= 0)
        r = trial_write(t, "bundle/config.json", config, err);
    if (r >= 0)
        r = trial_write(t, "process.json", process, err);
    return r;
}

static hcs_result trial_hide_unified(hcs_error *err)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount("none", UNIFIED, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=256k,mode=755") < 0)
        return fail_os(err, result_from_errno(errno), errno, "oci.probe", "private mount over %s",
                       UNIFIED);
    return HCS_OK;
}

/* Run a program in the container: this proves that processes can enter it, and that its init is
 * alive. */
static hcs_result trial_enter(struct trial *t, hcs_error *err)
{
    hcs_result r = trial_run(t, RUNTIME_EXEC, err);
    int status = 0;
    pid_t pid;

    if (r < 0)
        return r;
    pid = trial_pid(t, "exec");
    if (pid <= 0 || !wait_until(pid, t->deadline_ns, &status))
        return fail(err, HCS_E_FAIL, "oci.probe", "exec: the end of the program was not seen");
    if (status != 0)
        return fail(err, HCS_E_FAIL, "oci.probe",
                    "exec: %s did not run in the container (wait status %#x)", BUNDLE_INIT,
                    (unsigned int) status);
    return HCS_OK;
}

static int has_number(const char *directory, const char *v1, const char *v2, const char *v2_key,
                      uint64_t *out)
{
    return cgroup_number(directory, v1, NULL, out) || cgroup_number(directory, v2, v2_key, out);
}

/* Believe no option: look into the cgroup. */
static void trial_see_capabilities(struct trial *t)
{
    _cleanup_(free_drop) char *memory = NULL;
    _cleanup_(free_drop) char *cpu = NULL;
    uint64_t n = 0;

    if (t->mode.cgroups == OCI_CGROUPS_NONE)
        return;
    if (cgroup_find((uint32_t) t->init, "memory", &memory, NULL) < 0 ||
        cgroup_find((uint32_t) t->init, "cpuacct", &cpu, NULL) < 0)
        return;
    t->mode.limits = has_number(memory, "memory.limit_in_bytes", "memory.max", NULL, &n) &&
                     n == (uint64_t) TRIAL_MEMORY_MB << 20;
    t->mode.stats = has_number(memory, "memory.usage_in_bytes", "memory.current", NULL, &n) &&
                    has_number(cpu, "cpuacct.usage", "cpu.stat", "usage_usec", &n);
    t->mode.pause =
        trial_run(t, RUNTIME_PAUSE, NULL) >= 0 && trial_run(t, RUNTIME_RESUME, NULL) >= 0;
}

static hcs_result trial_live(struct trial *t, hcs_error *err)
{
    hcs_result r = HCS_OK;

    if (t->mode.hide_unified)
        r = trial_hide_unified(err);
    if (r >= 0)
        r = trial_run(t, RUNTIME_RUN, err);
    if (r < 0)
        return r;
    t->init = trial_pid(t, "run");
    if (t->init <= 0)
        return fail(err, HCS_E_FAIL, "oci.probe", "run: the runtime gave no pid");
    r = trial_enter(t, err);
    if (r >= 0)
        trial_see_capabilities(t);
    return r;
}

/* End and delete whatever there is. */
static hcs_result trial_end(struct trial *t, hcs_error *err)
{
    int status;
    hcs_result r;

    t->deadline_ns = clock_monotonic_ns() + (uint64_t) TRIAL_GRACE_MS * 1000000;
    if (t->init > 0) {
        kill(t->init, SIGKILL);
        (void) wait_until(t->init, t->deadline_ns, &status);
    }
    r = trial_run(t, RUNTIME_DELETE_FORCE, err);
    /* a runtime that died half way may have left more than it knows of */
    while (waitpid(-1, &status, WNOHANG) > 0)
        ;
    if (cgroup_remove(t->name, r >= 0 ? err : NULL) < 0)
        r = HCS_E_WIN32_BUSY;
    return r;
}

/* Keep nothing of the service but the report: a service that is killed meanwhile must not leave its
 * socket and its lock with the child.  The report's descriptor. */
static int keep_only(int report_fd)
{
    int fd = STDERR_FILENO + 1;

    if (dup2(report_fd, fd) < 0)
        _exit(1);
    fd_close_from(fd + 1);
    return fd;
}

/* The child: try, clean, write a report to @fd.  Never returns. */
static void trial_child(struct trial *t, int fd)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_error end = HCS_ERROR_INIT;
    hcs_result r, ended;
    json_t *report;

    reset_signals();
    (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
    r = trial_live(t, &err);
    ended = trial_end(t, &end);
    if (r >= 0 && ended < 0) {
        err = end;
        r = ended;
    }
    report =
        json_pack("{s:b, s:s, s:b, s:b, s:b}", "works", r >= 0, "reason", r < 0 ? err.text : "",
                  "limits", t->mode.limits, "pause", t->mode.pause, "stats", t->mode.stats);
    if (report)
        (void) json_dumpfd(report, fd, JSON_COMPACT);
    _exit(0);
}

/* Fork the trial; 1 when it worked, with the capabilities in @t; else @reason says why. */
static int trial_fork(struct trial *t, char *reason, size_t size)
{
    char text[REPORT_BYTES_MAX];
    json_t *report;
    int ends[2];
    int works = 0;
    pid_t pid;

    snprintf(reason, size, "the trial did not end within %d s", (TRIAL_MS + TRIAL_GRACE_MS) / 1000);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return 0;
    pid = fork();
    if (pid == 0)
        trial_child(t, keep_only(ends[1]));
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return 0;
    }
    read_until(ends[0], t->deadline_ns + (uint64_t) (TRIAL_GRACE_MS + 1000) * 1000000, text,
               sizeof text);
    close(ends[0]);
    kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);
    report = json_loads(text, 0, NULL);
    if (report) {
        works = json_is_true(json_object_get(report, "works"));
        snprintf(reason, size, "%s", json_string_value(json_object_get(report, "reason")));
        t->mode.limits = json_is_true(json_object_get(report, "limits"));
        t->mode.pause = json_is_true(json_object_get(report, "pause"));
        t->mode.stats = json_is_true(json_object_get(report, "stats"));
    }
    json_decref(report);
    return works;
}

int trial_of_mode(const struct oci_options *options, const struct runtime *rt,
                  const struct oci_host *host, struct oci_mode *mode, char *reason, size_t size)
{
    hcs_error err = HCS_ERROR_INIT;
    struct trial t = { .options = options, .runtime = rt, .host = host, .mode = *mode };
    hcs_result r;
    int works;

    t.incarnation = clock_monotonic_ns(); /* two services may probe at the same time */
    t.deadline_ns = t.incarnation + (uint64_t) TRIAL_MS * 1000000;
    bundle_name(trial_id, t.incarnation, (uint32_t) getpid(), t.name);
    if (snprintf(t.directory, sizeof t.directory, "%s/%s", options->state_dir, t.name) >=
        (int) sizeof t.directory) {
        snprintf(reason, size, "the path of the state directory is too long");
        return 0;
    }
    r = trial_prepare(&t, &err);
    works = r >= 0 && trial_fork(&t, reason, size);
    if (r < 0)
        snprintf(reason, size, "%s", err.text);
    if (dir_remove(t.directory, &err) < 0 && works) {
        snprintf(reason, size, "%s", err.text);
        works = 0;
    }
    if (works)
        *mode = t.mode;
    return works;
}
