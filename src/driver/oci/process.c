/* process.c - the programs in one container: how each starts, whether it runs, how it ended.
 * Owns:    the list of processes.
 * Users:   oci.c, verb by verb; container.c hands on what the keeper says.
 * Promise: a create is answered once, and within a time limit once the runtime has done its part,
 * whoever holds the report open; only what became the program is told as started and has an exit;
 * what is told as refused does not run. */

#include "container.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "exit.h"
#include "fd.h"
#include "log.h"
#include "refusal.h"
#include "witness.h"

#define LOG_BYTES_MAX ((size_t) 64 << 10)

/* How far a process has come.  That the runtime has started something is not yet the program. */
enum process_state {
    PROCESS_ASKED,   /* the runtime runs */
    PROCESS_ENTERED, /* it has a pid; whether it becomes the program is not known yet */
    PROCESS_RUNS,    /* told */
    PROCESS_REFUSED  /* told that it could not start; the exit of what was to become it is due */
};

struct process {
    struct list link;
    struct container *container;
    enum process_state state;
    uint32_t number;
    uint32_t pid;
    uint64_t birth;         /* with the pid it is that process and no other; 0: not known */
    uint64_t job;           /* the engine's number of the create; 0: an earlier hcsd was asked */
    int is_there;           /* it has said that it was reached */
    int is_seen;            /* by the keeper; those that the event log knows have to show first */
    sd_event_source *limit; /* on what it says */
    uint64_t oom_before;    /* counter when it started */
    char *program;          /* for errors, until it has started */
    char *directory;
};

/* ---- processes ---- */

static struct process *process_find(struct container *c, uint32_t number)
{
    list_for_each(&c->processes, n)
    {
        struct process *p = container_of(n, struct process, link);

        if (p->number == number)
            return p;
    }
    return NULL;
}

static void report_close(struct process *p)
{
    p->limit = sd_event_source_disable_unref(p->limit);
}

/* Whoever asked for it, unless that was an earlier hcsd. */
static void tell_done(struct container *c, const struct process *p, hcs_result result,
                      const hcs_error *err)
{
    if (p->job)
        container_tell_done(c, p->job, result, err);
}

void process_drop(struct process *p)
{
    if (!p)
        return;
    list_remove(&p->link);
    report_close(p);
    free(p->program);
    free(p->directory);
    free(p);
}

static void name_oom_file(uint32_t number, char out[static 64])
{
    snprintf(out, 64, "process.%" PRIu32 ".oom", number);
}

static void remove_oom_file(const struct container *c, uint32_t number)
{
    char name[64];

    if (!c->memory_directory)
        return;
    name_oom_file(number, name);
    container_remove_file(c, name);
}

/* What the counter said at its start has to outlive this hcsd as the process does. */
static void note_oom(const struct container *c, const struct process *p)
{
    _cleanup_(free_drop) char *path = NULL;
    char name[64], text[24];

    if (!c->memory_directory || p->oom_before == 0) /* no file means none */
        return;
    name_oom_file(p->number, name);
    path = container_path(c, "%s", name);
    snprintf(text, sizeof text, "%" PRIu64, p->oom_before);
    if (!path || runtime_write_input(path, text, NULL) < 0)
        log_line(LOG_LINE_WARNING, "container '%s': kills before process %u could not be noted",
                 c->system->id, p->number);
}

static uint64_t recall_oom(const struct container *c, uint32_t number)
{
    _cleanup_(free_drop) char *path = NULL;
    _cleanup_(free_drop) char *text = NULL;
    char name[64];

    name_oom_file(number, name);
    path = container_path(c, "%s", name);
    if (!c->memory_directory || !path || file_read(path, 64, &text, NULL, NULL) < 0)
        return 0;
    return strtoull(text, NULL, 10);
}

static void tell_process_exit(struct container *c, struct process *p, const hcs_exit *report)
{
    uint32_t number = p->number;

    remove_oom_file(c, number);
    process_drop(p);
    c->system->tell->process_exited(c->system, number, report);
}

/* Answer the creation of a process that has not been answered; it is dropped. */
static void process_fail(struct container *c, struct process *p, hcs_error *err)
{
    uint64_t job = p->job;

    remove_oom_file(c, p->number);
    process_drop(p);
    if (job)
        container_tell_done(c, job, err->code, err);
}

/* The container has ended with @p in the list. */
static void process_end_unseen(struct container *c, struct process *p)
{
    hcs_exit unseen = exit_unknown(
        c->lost[0] ? c->lost : "the container ended first, and its exit was never reported");
    hcs_error err = HCS_ERROR_INIT;

    if (p->state == PROCESS_RUNS) {
        tell_process_exit(c, p, &unseen);
    } else if (p->state == PROCESS_REFUSED) {
        process_drop(p);
    } else {
        fail(&err, HCS_E_SYSTEM_ALREADY_STOPPED, "oci.exec", "the container has ended");
        process_fail(c, p, &err);
    }
}

/* ---- does the program run? ---- */

/* Why the runtime did not get as far as the program, with its log removed. */
static hcs_result exec_failure(struct container *c, const struct process *p, uint32_t wait_status,
                               int os, hcs_error *err)
{
    _cleanup_(free_drop) char *log = container_path(c, "process.%" PRIu32 ".log", p->number);
    _cleanup_(free_drop) char *text = NULL;
    char line[300];

    if (os)
        return fail_os(err, result_from_errno(os), os, "oci.keeper", "exec '%.200s'", p->program);
    if (!log)
        return container_no_memory(c, err);
    if (c->init_ended)
        fail(err, HCS_E_SYSTEM_ALREADY_STOPPED, "oci.exec", "the container has ended");
    else if (file_read(log, LOG_BYTES_MAX, &text, NULL, NULL) >= 0 &&
             runtime_log_error(text, line, sizeof line))
        runtime_exec_failure(line, err);
    else if (wait_status == 0)
        fail(err, HCS_E_FAIL, "oci.exec",
             "exec: the runtime said that program '%.200s' runs, but it was never reached",
             p->program);
    else
        runtime_failure(RUNTIME_EXEC, log, wait_status, err);
    (void) unlink(log);
    return err->code;
}

static void remove_process_files(const struct container *c, uint32_t number)
{
    static const char *const endings[] = { "json", "pid", "log" };
    char name[64];

    for (size_t i = 0; i < N_ELEMENTS(endings); i++) {
        snprintf(name, sizeof name, "process.%" PRIu32 ".%s", number, endings[i]);
        container_remove_file(c, name);
    }
}

/* The program has not come to run: say why.  The exit of what was to become it is still due. */
static void start_refuse(struct container *c, struct process *p, hcs_error *err)
{
    p->state = PROCESS_REFUSED;
    report_close(p);
    remove_process_files(c, p->number);
    remove_oom_file(c, p->number);
    tell_done(c, p, err->code, err);
}

static void start_end_of_report(struct container *c, struct process *p)
{
    hcs_error err = HCS_ERROR_INIT;

    if (!p->is_there) {
        exec_failure(c, p, 0, 0, &err);
        start_refuse(c, p, &err);
        return;
    }
    p->state = PROCESS_RUNS;
    p->birth = witness_birth((pid_t) p->pid);
    report_close(p);
    remove_process_files(c, p->number);
    if (p->job)
        c->system->tell->process_started(c->system, p->job, p->number, p->pid);
    else
        c->system->tell->process_found(c->system, p->number, p->pid);
}

/* It may be running, and nobody will hear more of that: it shall not. */
static void start_kill(struct container *c, struct process *p, hcs_error *err)
{
    hcs_error told = *err, why = HCS_ERROR_INIT;

    if (channel_signal(c->channel, 0, p->number, SIGKILL, &why) < 0)
        fail(err, told.code, "oci.exec", "%.200s; it could not be killed: %.200s", told.text,
             why.text);
    start_refuse(c, p, err);
}

/* Which file a process executes: 0, or -1 with errno. */
static int program_of(uint32_t pid, struct stat *out)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%" PRIu32 "/exe", pid);
    return stat(path, out);
}

/* The report has not ended in time.  Either somebody else has its socket: then it may be the
 * program long since, and its file tells.  Or it is still on its way, which may take for ever. */
static int on_limit(sd_event_source *source, uint64_t usec, void *owner)
{
    struct process *p = owner;
    struct container *c = p->container;
    hcs_error err = HCS_ERROR_INIT;
    struct stat ours, its;
    int known = program_of(c->init_pid, &ours) == 0 && program_of(p->pid, &its) == 0;

    (void) source;
    (void) usec;
    if (!known && (errno == ENOENT || errno == ESRCH))
        return 0; /* it or all of the container has ended, and that is on its way here */
    if (known && p->is_there && (ours.st_dev != its.st_dev || ours.st_ino != its.st_ino)) {
        start_end_of_report(c, p);
        return 0;
    }
    fail(&err, HCS_E_OPERATION_TIMEOUT, "oci.exec",
         "program '%.200s' was not executed within %" PRIu64 " ms", p->program,
         c->oci->start_limit_us / 1000);
    start_kill(c, p, &err);
    return 0;
}

static int start_watch(struct container *c, struct process *p)
{
    return sd_event_add_time_relative(c->oci->loop, &p->limit, CLOCK_MONOTONIC,
                                      c->oci->start_limit_us, 0, on_limit, p);
}

/* It has a pid; the keeper tells how far it comes. */
static void start_entered(struct container *c, struct process *p, uint32_t pid)
{
    hcs_error err = HCS_ERROR_INIT;

    p->state = PROCESS_ENTERED;
    p->pid = pid;
    if (start_watch(c, p) >= 0)
        return;
    fail(&err, HCS_E_OUTOFMEMORY, "oci.exec", "no memory to watch program '%.200s' start",
         p->program);
    start_kill(c, p, &err);
}

void process_answered(struct container *c, struct process *p, uint32_t wait_status, uint32_t pid,
                      int os)
{
    hcs_error err = HCS_ERROR_INIT;

    if (os == 0 && wait_status == 0 && pid != 0) {
        start_entered(c, p, pid);
        return;
    }
    if (os == 0 && wait_status == 0)
        fail(&err, HCS_E_FAIL, "oci.exec", "the runtime gave no pid");
    else
        exec_failure(c, p, wait_status, os, &err);
    remove_process_files(c, p->number);
    process_fail(c, p, &err);
}

/* ---- ends ---- */

static void process_end(struct container *c, struct process *p, uint32_t wait_status)
{
    hcs_exit report = exit_from_wait_status(wait_status);
    uint64_t kills = container_oom_kills(c);

    /* Somebody else has its socket, and so there is no end: it was there, and its exit is its own.
     */
    if (p->state == PROCESS_ENTERED)
        start_end_of_report(c, p);
    if (p->state == PROCESS_RUNS) {
        report.oom_kills = kills - p->oom_before;
        tell_process_exit(c, p, &report);
        return;
    }
    if (c->channel) /* from a record of a keeper that is gone: nobody waits for this */
        channel_ack(c->channel, p->number);
    process_end_unseen(c, p);
}

/* ---- what an earlier hcsd has begun ---- */

static struct process *process_of_before(struct container *c, uint32_t number)
{
    struct process *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    list_init(&p->link);
    p->container = c;
    p->number = number;
    p->oom_before = recall_oom(c, number);
    p->program = strdup("(asked for by an earlier hcsd)");
    p->directory = strdup("/");
    if (!p->program || !p->directory) {
        process_drop(p);
        return NULL;
    }
    list_append(&c->processes, &p->link);
    return p;
}

hcs_result process_restore(struct container *c, const struct driver_process *known, hcs_error *err)
{
    struct process *p = process_of_before(c, known->number);

    if (!p)
        return container_no_memory(c, err);
    p->state = PROCESS_RUNS;
    p->pid = known->pid;
    return HCS_OK;
}

/* The process that the keeper speaks of; one that the event log does not know was asked for by an
 * earlier hcsd that did not see it start.  NULL: it is none of ours any more. */
static struct process *process_find_or_make(struct container *c, uint32_t number)
{
    struct process *p = process_find(c, number);

    if (p || !c->adopting || c->system->tell->is_settled(c->system, number))
        return p;
    p = process_of_before(c, number);
    if (!p) {
        log_line(LOG_LINE_CRITICAL, "container '%s': process %u is lost for lack of memory",
                 c->system->id, number);
        return NULL;
    }
    c->system->tell->process_found(c->system, number, 0);
    return p;
}

static int is_of_before(const struct process *p)
{
    return p->job == 0;
}

void process_nothing(struct container *c, uint32_t number)
{
    struct process *p = process_find(c, number);

    if (!p || !is_of_before(p) || p->state != PROCESS_ASKED)
        return;
    remove_process_files(c, number);
    process_drop(p);
}

void processes_confirm(struct container *c)
{
    hcs_exit report = exit_unknown("its keeper knows nothing of it");

    list_for_each(&c->processes, n)
    {
        struct process *p = container_of(n, struct process, link);

        if (p->state == PROCESS_RUNS && !p->is_seen)
            tell_process_exit(c, p, &report);
    }
}

void processes_witness(struct container *c)
{
    list_for_each(&c->processes, n)
    {
        struct process *p = container_of(n, struct process, link);
        _cleanup_(fd_drop) int pidfd = -1;
        uint32_t status;

        if (p->state != PROCESS_RUNS || p->birth == 0)
            continue;
        pidfd = witness_open((pid_t) p->pid, p->birth);
        if (pidfd >= 0 && witness_status(pidfd, (pid_t) p->pid, p->birth, &status))
            process_end(c, p, status);
    }
}

/* ---- what the keeper tells ---- */

/* How far it has come, as it said itself. */
static void process_stage(struct container *c, struct process *p, int value, int error)
{
    hcs_error err = HCS_ERROR_INIT;

    if (p->state != PROCESS_ENTERED)
        return;
    switch (KEEPER_STAGE(value)) {
    case KEEPER_STAGE_NONE:
        break;
    case KEEPER_STAGE_THERE:
        p->is_there = 1;
        break;
    case KEEPER_STAGE_RUNS:
        p->is_there = 1;
        start_end_of_report(c, p);
        break;
    case KEEPER_STAGE_REFUSED:
        refusal_of_start(KEEPER_STAGE_STEP(value), error, p->program, p->directory, "oci.exec",
                         &err);
        start_refuse(c, p, &err);
        break;
    case KEEPER_STAGE_NEVER:
        start_end_of_report(c, p);
        break;
    }
}

void process_tracked(struct container *c, const struct channel_process *told)
{
    struct process *p = process_find_or_make(c, told->number);

    if (!p)
        return;
    p->is_seen = 1;
    if (p->state == PROCESS_RUNS && p->birth == 0)
        p->birth = witness_birth((pid_t) told->pid);
    if (p->state == PROCESS_ASKED && is_of_before(p) && told->pid)
        start_entered(c, p, told->pid);
    process_stage(c, p, told->stage, told->error);
}

void process_exited(struct container *c, const struct channel_exit *exit)
{
    struct process *p = process_find_or_make(c, exit->number);

    if (!p && c->is_adopted && c->channel)
        channel_ack(c->channel, exit->number);
    if (p && p->state == PROCESS_ASKED && is_of_before(p)) {
        p->state = PROCESS_ENTERED;
        p->pid = exit->pid;
    }
    if (!p || p->state == PROCESS_ASKED)
        return;
    process_stage(c, p, exit->stage, exit->error);
    process_end(c, p, exit->wait_status);
}

void processes_end(struct container *c)
{
    list_for_each(&c->processes, n) process_end_unseen(c, container_of(n, struct process, link));
}

void processes_fail(struct container *c, hcs_error *err)
{
    list_for_each(&c->processes, n)
    {
        struct process *p = container_of(n, struct process, link);

        if (p->state == PROCESS_ENTERED || (p->state == PROCESS_ASKED && is_of_before(p)))
            process_fail(c, p, err);
    }
}

void processes_drop(struct container *c)
{
    list_for_each(&c->processes, n) process_drop(container_of(n, struct process, link));
}

/* ---- verbs ---- */

static hcs_result process_new(struct container *c, uint64_t job, uint32_t number,
                              const struct doc_process *doc, struct process **out, hcs_error *err)
{
    struct process *p = calloc(1, sizeof *p);

    if (!p)
        return container_no_memory(c, err);
    list_init(&p->link);
    p->container = c;
    p->number = number;
    p->job = job;
    p->is_seen = 1;
    p->oom_before = container_oom_kills(c);
    p->program = strdup(doc->arguments[0]);
    p->directory = strdup(doc->working_directory ? doc->working_directory : "/");
    if (!p->program || !p->directory) {
        process_drop(p);
        return container_no_memory(c, err);
    }
    list_append(&c->processes, &p->link);
    note_oom(c, p);
    *out = p;
    return HCS_OK;
}

/* Write process.json and give the exec to the keeper. */
static hcs_result begin_exec(struct container *c, struct process *p, const struct doc_process *doc,
                             const int fds[3], hcs_error *err)
{
    _cleanup_(free_drop) char *file = container_path(c, "process.%" PRIu32 ".json", p->number);
    _cleanup_(free_drop) char *log = container_path(c, "process.%" PRIu32 ".log", p->number);
    _cleanup_(free_drop) char *pid_file = container_path(c, "process.%" PRIu32 ".pid", p->number);
    _cleanup_(free_drop) char *text = NULL;
    struct runtime_command command = {
        .verb = RUNTIME_EXEC,
        .name = c->name,
        .log = log,
        .process = file,
        .pid_file = pid_file,
    };
    hcs_result r;

    if (!file || !log || !pid_file)
        return container_no_memory(c, err);
    r = bundle_process(doc, &c->oci->host, &text, err);
    if (r >= 0)
        r = runtime_write_input(file, text, err);
    if (r < 0)
        return r;
    return container_exec(c, p, p->job, &command, fds, p->number, err);
}

void container_process_create(struct container *c, uint64_t job, uint32_t number,
                              const struct doc_process *doc, const int fds[3])
{
    hcs_error err = HCS_ERROR_INIT;
    struct process *p = NULL;
    hcs_result r = container_check(c, &err);

    if (r >= 0 && c->adopting) /* it may have a process of that number */
        r = fail(&err, HCS_E_WIN32_BUSY, "oci.exec",
                 "the keeper of container '%s' has not told yet what it knows: try again",
                 c->system->id);
    if (r >= 0)
        r = process_new(c, job, number, doc, &p, &err);
    if (r >= 0)
        r = begin_exec(c, p, doc, fds, &err);
    if (r >= 0)
        return;
    if (p) {
        remove_process_files(c, number);
        process_drop(p);
    }
    container_tell_done(c, job, r, &err);
}

hcs_result container_process_signal(struct container *c, uint32_t number, int signal,
                                    hcs_error *err)
{
    struct process *p = process_find(c, number);

    if (!p || !c->channel)
        return fail(err, HCS_E_PROCESS_ALREADY_STOPPED, "oci.signal", "the process has exited");
    return channel_signal(c->channel, 0, number, signal, err);
}
