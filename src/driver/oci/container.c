/* container.c - the life of one container, told from what its keeper says.
 * Owns:    the channel to the keeper, the list of what was asked.
 * Users:   oci.c, verb by verb; process.c for its programs; clean.c when it is over.
 * Promise: every verb is answered once; every process that started is told to have ended once,
 * before the container is; the OOM counter is read before an end is told. */

#include "container.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "err.h"
#include "exit.h"
#include "fd.h"
#include "witness.h"

#define STATUS_BYTES_MAX ((size_t) 64 << 10)
#define LISTEN_RETRY_US 1000  /* between two looks whether init listens */
#define LISTEN_TRIES_MAX 1000 /* then the signal is sent all the same */
#define END_GRACE_US 1000000  /* for exits that should have come before that of init */
#define KILL_US 10000000      /* for a killed container whose keeper is lost */

static void send_held(struct container *c);

/* ---- paths and jobs ---- */

char *container_path(const struct container *c, const char *format, ...)
{
    char name[128];
    char *path;
    va_list args;

    va_start(args, format);
    (void) vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return asprintf(&path, "%s/%s", c->system->run_dir, name) < 0 ? NULL : path;
}

void container_remove_file(const struct container *c, const char *name)
{
    _cleanup_(free_drop) char *path = container_path(c, "%s", name);

    if (path)
        (void) unlink(path);
}

static struct job *job_new(struct container *c, enum job_what what, uint64_t number)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    job->what = what;
    job->job = number;
    if (++c->last_tag == 0) /* tag 0 is for what needs no answer */
        c->last_tag = 1;
    job->tag = c->last_tag;
    list_append(&c->jobs, &job->link);
    return job;
}

static void job_drop(struct job *job)
{
    list_remove(&job->link);
    free(job);
}

static struct job *job_find(struct container *c, uint32_t tag)
{
    list_for_each(&c->jobs, n)
    {
        struct job *job = container_of(n, struct job, link);

        if (job->tag == tag && !job->held)
            return job;
    }
    return NULL;
}

void container_tell_done(struct container *c, uint64_t job, hcs_result result, const hcs_error *err)
{
    c->system->tell->done(c->system, job, result, result < 0 ? err : NULL);
}

hcs_result container_no_memory(const struct container *c, hcs_error *err)
{
    return fail(err, HCS_E_OUTOFMEMORY, "oci", "no memory for container '%s'", c->system->id);
}

/* What the verbs say when there is nobody left to ask. */
hcs_result container_check(const struct container *c, hcs_error *err)
{
    if (c->channel && !c->init_ended)
        return HCS_OK;
    return fail(err, HCS_E_SYSTEM_ALREADY_STOPPED, "oci", "the container has ended");
}

hcs_result container_new(struct oci *oci, struct driver_system *s, struct container **out,
                         hcs_error *err)
{
    struct container *c = calloc(1, sizeof *c);

    assert(oci && s && out);

    if (!c)
        return fail(err, HCS_E_OUTOFMEMORY, "oci", "no memory for container '%s'", s->id);
    c->oci = oci;
    c->system = s;
    c->init_pidfd = -1;
    c->clean_error = (hcs_error) HCS_ERROR_INIT;
    list_init(&c->jobs);
    list_init(&c->processes);
    bundle_name(s->id, s->incarnation, oci->service, c->name);
    *out = c;
    return HCS_OK;
}

void container_drop(struct container *c)
{
    if (!c)
        return;
    clean_abandon(c);
    channel_drop(c->channel);
    sd_event_source_disable_unref(c->timer);
    sd_event_source_disable_unref(c->watch);
    sd_event_source_disable_unref(c->adopt_timer);
    fd_drop(&c->init_pidfd);
    list_for_each(&c->jobs, n) job_drop(container_of(n, struct job, link));
    processes_drop(c);
    free(c->memory_directory);
    free(c);
}

/* ---- the end ---- */

uint64_t container_oom_kills(const struct container *c)
{
    return c->memory_directory ? cgroup_oom_kills(c->memory_directory) : 0;
}

/* Our init ends with 0 exactly when it was told to and nobody was left. */
static hcs_exit exit_of_init(const struct container *c)
{
    int status = (int) c->init_status;
    int clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    if (!c->init_is_told)
        return exit_unknown(c->lost);
    if (c->asked_shut_down && clean)
        return exit_of_system(HCS_OK, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_CLIENT);
    if (c->asked_terminate)
        return exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);
    return exit_of_system(HCS_E_UNEXPECTED_EXIT, HCS_EXIT_TYPE_UNEXPECTED, HCS_INITIATOR_UNKNOWN);
}

static void tell_end(struct container *c)
{
    hcs_exit report = exit_of_init(c);

    c->told = 1;
    c->timer = sd_event_source_disable_unref(c->timer);
    report.oom_kills = container_oom_kills(c);
    processes_end(c);
    c->system->tell->exited(c->system, &report);
}

static int on_end_grace(sd_event_source *source, uint64_t usec, void *owner)
{
    (void) source;
    (void) usec;
    tell_end(owner);
    return 0;
}

static int has_job(const struct container *c, enum job_what what)
{
    list_for_each(&c->jobs, n) if (container_of(n, struct job, link)->what == what) return 1;
    return 0;
}

static hcs_result arm_timer(struct container *c, uint64_t us, sd_event_time_handler_t handler)
{
    c->timer = sd_event_source_disable_unref(c->timer);
    return sd_event_add_time_relative(c->oci->loop, &c->timer, CLOCK_MONOTONIC, us, 0, handler, c) <
                   0
               ? HCS_E_OUTOFMEMORY
               : HCS_OK;
}

/* The container has ended when its init has.  The kernel lets an init end last, so nobody should
 * be missing then; an exec still in flight is waited for, its process is dead too. */
void container_try_end(struct container *c)
{
    if (!c->init_ended || c->told || c->adopting || has_job(c, JOB_PROCESS))
        return;
    if (list_is_empty(&c->processes) || arm_timer(c, END_GRACE_US, on_end_grace) < 0)
        tell_end(c);
}

/* ---- ends ---- */

static void on_exited(void *owner, const struct channel_exit *exit)
{
    struct container *c = owner;

    if (exit->number == INIT_NUMBER) {
        c->init_ended = c->init_is_told = 1;
        c->init_status = exit->wait_status;
        adopt_asked(c, exit->asked);
        send_held(c);
    } else {
        process_exited(c, exit);
    }
    container_try_end(c);
}

static void on_tracked(void *owner, const struct channel_process *told)
{
    struct container *c = owner;

    if (told->number == INIT_NUMBER)
        adopt_saw_init(c, told);
    else
        process_tracked(c, told);
    container_try_end(c);
}

static void on_nothing(void *owner, uint32_t number)
{
    struct container *c = owner;

    process_nothing(c, number);
    container_try_end(c);
}

static void on_ready(void *owner, uint32_t asked)
{
    (void) asked; /* nothing is ever asked of all of a container */
    adopt_ready(owner);
}

/* ---- what the keeper answers ---- */

/* Result of a run of the runtime.  @log is removed. */
static hcs_result run_result(struct container *c, enum runtime_verb verb, uint32_t wait_status,
                             int os, hcs_error *err)
{
    _cleanup_(free_drop) char *log = container_path(c, "%s.log", runtime_verb_name(verb));
    hcs_result r = HCS_OK;

    if (os)
        r = fail_os(err, result_from_errno(os), os, "oci.keeper", "%s", runtime_verb_name(verb));
    else if (wait_status != 0)
        r = log ? runtime_failure(verb, log, wait_status, err) : container_no_memory(c, err);
    if (log)
        (void) unlink(log);
    return r;
}

static void on_created(struct container *c, uint64_t job, uint32_t wait_status, uint32_t pid,
                       int os)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = run_result(c, RUNTIME_RUN, wait_status, os, &err);

    container_remove_file(c, "init.pid");
    if (r >= 0 && pid == 0)
        r = fail(&err, HCS_E_FAIL, "oci.create", "the runtime gave no pid");
    if (r >= 0 && c->system->doc->memory_mb)
        r = cgroup_find(pid, "memory", &c->memory_directory, &err);
    if (r >= 0) {
        c->created = 1;
        c->init_pid = pid;
        c->init_birth = witness_birth((pid_t) pid);
        c->init_pidfd = pidfd_open(pid, 0);
        adopt_note_init(c);
    }
    container_tell_done(c, job, r, &err);
}

static void on_signalled(struct container *c, uint64_t job, int os)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = HCS_OK;

    if (os == ESRCH)
        r = fail(&err, HCS_E_SYSTEM_ALREADY_STOPPED, "oci", "the container has ended");
    else if (os)
        r = fail_os(&err, result_from_errno(os), os, "oci.keeper", "signal to the container");
    container_tell_done(c, job, r, &err);
}

static void on_deleted(struct container *c, uint32_t wait_status, int os)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = run_result(c, RUNTIME_DELETE_FORCE, wait_status, os, &err);

    clean_deleted(c, r, &err);
}

static void on_done(void *owner, uint32_t tag, uint32_t wait_status, uint32_t pid, int os, int step)
{
    struct container *c = owner;
    struct job *found = job_find(c, tag);
    struct job job;

    (void) step;
    if (!found)
        return;
    job = *found;
    job_drop(found); /* before telling: what is told may ask for more */
    switch (job.what) {
    case JOB_CREATE:
        on_created(c, job.job, wait_status, pid, os);
        break;
    case JOB_SHUT_DOWN:
    case JOB_TERMINATE:
        on_signalled(c, job.job, os);
        break;
    case JOB_PROCESS:
        process_answered(c, job.process, wait_status, pid, os);
        break;
    case JOB_DELETE:
        on_deleted(c, wait_status, os);
        return;
    }
    container_try_end(c);
}

static void on_empty(void *owner)
{
    (void) owner; /* the end of init says it all */
}

/* ---- the keeper is lost ---- */

/* Nobody will answer what was asked. */
void container_fail_jobs(struct container *c, hcs_result code, const char *why)
{
    hcs_error err = HCS_ERROR_INIT;
    struct job *found;

    fail(&err, code, "oci.keeper", "container '%s': %s", c->system->id, why);
    while ((found = list_first(&c->jobs, struct job, link)) != NULL) {
        struct job job = *found;

        job_drop(found);
        process_drop(job.process);
        if (job.what != JOB_DELETE)
            container_tell_done(c, job.job, err.code, &err);
    }
    processes_fail(c, &err);
}

static void end_lost(struct container *c)
{
    c->watch = sd_event_source_disable_unref(c->watch);
    /* what it did itself before our signal came is its own end, the signal is not */
    if (!c->init_ended && adopt_witness_init(c) && WIFSIGNALED((int) c->init_status) &&
        WTERMSIG((int) c->init_status) == SIGKILL)
        c->init_is_told = 0;
    c->init_ended = 1;
    tell_end(c);
}

static int on_init_gone(sd_event_source *source, int fd, uint32_t ready, void *owner)
{
    (void) source;
    (void) fd;
    (void) ready;
    end_lost(owner);
    return 0;
}

static int on_kill_deadline(sd_event_source *source, uint64_t usec, void *owner)
{
    (void) source;
    (void) usec;
    end_lost(owner);
    return 0;
}

/* Without its keeper a container has nobody who could say how it ends: end it, and say that; unless
 * it has ended already, and the kernel still knows how. */
static void end_without_keeper(struct container *c)
{
    adopt_testify(c);
    if (!c->init_ended && c->init_pidfd >= 0) {
        (void) pidfd_send_signal(c->init_pidfd, SIGKILL, NULL, 0);
        if (sd_event_add_io(c->oci->loop, &c->watch, c->init_pidfd, EPOLLIN, on_init_gone, c) >=
                0 &&
            arm_timer(c, KILL_US, on_kill_deadline) >= 0)
            return;
    }
    end_lost(c);
}

void container_lost(struct container *c, const char *why)
{
    hcs_error err = HCS_ERROR_INIT;

    channel_drop(c->channel);
    c->channel = NULL;
    c->timer = sd_event_source_disable_unref(c->timer);
    snprintf(c->lost, sizeof c->lost, "%s", why);
    c->strays_possible = !list_is_empty(&c->jobs) || c->is_adopted;
    (void) fail(&err, HCS_E_CONNECTION_CLOSED, "oci.keeper", "%s", why);
    adopt_answer(c, err.code, &err);
    container_fail_jobs(c, HCS_E_UNEXPECTED, c->lost);
    if (c->cleaning)
        clean_lost(c);
    else if (c->created && !c->told)
        end_without_keeper(c);
}

static void on_lost(void *owner, const char *why)
{
    container_lost(owner, why);
}

static const struct channel_events keeper_events = {
    .done = on_done,
    .exited = on_exited,
    .empty = on_empty,
    .tracked = on_tracked,
    .ready = on_ready,
    .nothing = on_nothing,
    .lost = on_lost,
};

/* ---- verbs ---- */

/* Give a command to the keeper; @job is dropped when that does not work. */
static hcs_result give(struct container *c, struct job *job, const struct runtime_command *command,
                       const int *fds_opt, uint32_t number, hcs_error *err)
{
    _cleanup_(runtime_argv_drop) char **argv = NULL;
    hcs_result r;

    r = runtime_argv(&c->oci->found.runtime, &c->oci->found.mode, command, &argv, err);
    if (r >= 0 && fds_opt)
        r = channel_enter(c->channel, job->tag, argv, fds_opt, number, command->pid_file, err);
    else if (r >= 0)
        r = channel_run(c->channel, job->tag, argv, NULL, 0, number, command->pid_file, err);
    if (r < 0)
        job_drop(job);
    return r;
}

hcs_result container_exec(struct container *c, struct process *p, uint64_t job,
                          const struct runtime_command *command, const int fds[3], uint32_t number,
                          hcs_error *err)
{
    struct job *j = job_new(c, JOB_PROCESS, job);

    if (!j)
        return container_no_memory(c, err);
    j->process = p;
    return give(c, j, command, fds, number, err);
}

hcs_result container_run(struct container *c, enum job_what what, enum runtime_verb verb,
                         uint64_t job, hcs_error *err)
{
    _cleanup_(free_drop) char *log = container_path(c, "%s.log", runtime_verb_name(verb));
    struct runtime_command command = { .verb = verb, .name = c->name, .log = log };
    struct job *j = log ? job_new(c, what, job) : NULL;

    if (!j)
        return container_no_memory(c, err);
    return give(c, j, &command, NULL, 0, err);
}

/* Write run_dir/bundle/config.json. */
static hcs_result write_bundle(struct container *c, const char *bundle, hcs_error *err)
{
    _cleanup_(free_drop) char *file = container_path(c, "bundle/config.json");
    _cleanup_(free_drop) char *config = NULL;
    struct bundle_names names = {
        .id = c->system->id,
        .name = c->name,
        .init_program = c->oci->keeper_program,
    };
    hcs_result r;

    if (!file)
        return container_no_memory(c, err);
    r = dir_make(bundle, 0700, err);
    if (r >= 0)
        r = bundle_config(c->system->doc, &c->oci->found.mode, &c->oci->host, &names, &config, err);
    if (r >= 0)
        r = runtime_write_input(file, config, err);
    return r;
}

static hcs_result begin_create(struct container *c, uint64_t job, hcs_error *err)
{
    _cleanup_(free_drop) char *bundle = container_path(c, "bundle");
    _cleanup_(free_drop) char *log = container_path(c, "run.log");
    _cleanup_(free_drop) char *pid_file = container_path(c, "init.pid");
    struct runtime_command command = {
        .verb = RUNTIME_RUN,
        .name = c->name,
        .log = log,
        .bundle = bundle,
        .pid_file = pid_file,
    };
    uint32_t options = c->oci->found.mode.hide_unified ? CHANNEL_HIDE_UNIFIED : 0;
    struct job *j;
    hcs_result r;

    if (!bundle || !log || !pid_file)
        return container_no_memory(c, err);
    r = write_bundle(c, bundle, err);
    if (r >= 0)
        r = channel_start(c->oci->loop, c->oci->keeper_program, c->system->run_dir, options,
                          &keeper_events, c, &c->channel, err);
    if (r < 0)
        return r;
    j = job_new(c, JOB_CREATE, job);
    if (!j)
        return container_no_memory(c, err);
    return give(c, j, &command, NULL, INIT_NUMBER, err);
}

hcs_result container_find_keeper(struct container *c, hcs_error *err)
{
    return channel_adopt(c->oci->loop, c->system->run_dir, &keeper_events, c, &c->channel, err);
}

void container_create(struct container *c, uint64_t job)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = begin_create(c, job, &err);

    if (r < 0)
        container_tell_done(c, job, r, &err);
}

/* Its first process is ours and has been there since it was created; programs may come now. */
void container_start(struct container *c, uint64_t job)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = container_check(c, &err);

    container_tell_done(c, job, r, &err);
}

/* A file of /proc of init; NULL when it is gone. */
static char *read_init(const struct container *c, const char *file)
{
    char path[64];
    char *text;

    snprintf(path, sizeof path, "/proc/%" PRIu32 "/%s", c->init_pid, file);
    return c->init_ended || file_read(path, STATUS_BYTES_MAX, &text, NULL, NULL) < 0 ? NULL : text;
}

/* A SIGTERM that comes before init has prepared for it is thrown away by the kernel, as for any
 * first process of a pid namespace.  1 when it has, or is gone: `hcs-keeper --init` says so by a
 * handler.  (Before that the process is the runtime, which may have handlers too.) */
static int init_listens(const struct container *c)
{
    static const char caught[] = "\nSigCgt:";
    _cleanup_(free_drop) char *program = read_init(c, "cmdline");
    _cleanup_(free_drop) char *status = read_init(c, "status");
    const char *line = status ? strstr(status, caught) : NULL;

    if (!program || !line)
        return 1;
    return strcmp(program, BUNDLE_INIT) == 0 &&
           strtoull(line + sizeof caught - 1, NULL, 16) >> (SIGTERM - 1) & 1;
}

static int on_listen_retry(sd_event_source *source, uint64_t usec, void *owner);

/* Send what waits for init to listen (the keeper answers also when it is gone), or wait on. */
static void send_held(struct container *c)
{
    int ready = init_listens(c) || ++c->listen_tries > LISTEN_TRIES_MAX ||
                arm_timer(c, LISTEN_RETRY_US, on_listen_retry) < 0;

    list_for_each(&c->jobs, n)
    {
        struct job *job = container_of(n, struct job, link);
        hcs_error err = HCS_ERROR_INIT;
        uint64_t number = job->job;

        if (!job->held || !ready)
            continue;
        job->held = 0;
        if (channel_signal(c->channel, job->tag, INIT_NUMBER, SIGTERM, &err) >= 0)
            continue;
        job_drop(job);
        container_tell_done(c, number, err.code, &err);
    }
}

static int on_listen_retry(sd_event_source *source, uint64_t usec, void *owner)
{
    (void) source;
    (void) usec;
    send_held(owner);
    return 0;
}

void container_shut_down(struct container *c, uint64_t job)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = container_check(c, &err);
    struct job *j = r >= 0 ? job_new(c, JOB_SHUT_DOWN, job) : NULL;

    if (r >= 0 && !j)
        r = container_no_memory(c, &err);
    if (r < 0) {
        container_tell_done(c, job, r, &err);
        return;
    }
    c->asked_shut_down = 1;
    j->held = 1;
    send_held(c);
}

void container_terminate(struct container *c, uint64_t job)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = container_check(c, &err);
    struct job *j = r >= 0 ? job_new(c, JOB_TERMINATE, job) : NULL;

    if (r >= 0 && !j)
        r = container_no_memory(c, &err);
    if (r >= 0)
        r = channel_signal(c->channel, j->tag, INIT_NUMBER, SIGKILL, &err);
    if (r >= 0) {
        c->asked_terminate = 1;
        return;
    }
    if (j)
        job_drop(j);
    container_tell_done(c, job, r, &err);
}

void container_settled(struct container *c, uint32_t number)
{
    if (c->channel)
        channel_ack(c->channel, number ? number : INIT_NUMBER);
}
