/* plain.c - the driver of isolation none: programs of a system run on the host as they are.
 *
 * Owns a keeper for each system and the list of its programs.  Used by the engine through driver.h
 * only.  A system lives from create until it is shut down or terminated, however many programs come
 * and go. Promises true exits as the keeper saw them; where the keeper was lost, it says so. */
#include "plain.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "err.h"
#include "exit.h"
#include "list.h"
#include "log.h"
#include "record.h"
#include "refusal.h"

/* What a program gets whose document has no Environment; HOME is that of the service. */
#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define HOME_DEFAULT "/"

struct plain {
    struct driver driver;
    sd_event *loop;
    char *keeper_program;
};

struct plain_process {
    struct list link;
    uint32_t number;
    int is_seen; /* by the keeper; those of the log have to show first */
};

/* A command that the keeper has not answered yet. */
struct plain_job {
    struct list link;
    uint32_t tag;
    uint64_t number;               /* the engine's */
    struct plain_process *process; /* of process_create, else NULL */
    char *program;
    char *directory;
};

struct plain_system {
    struct plain *plain;
    struct driver_system *system;
    struct channel *channel;
    struct list jobs;
    struct list processes; /* that run */
    uint32_t last_tag;
    int stopping; /* shut_down or terminate was asked */
    int forced;
    int told; /* the keeper has passed a stop on: when it is empty now, that is the end */
    int nothing_left;
    int ended; /* or only to be cleaned: nothing is told any more */
    uint64_t clean_job;
    uint64_t adopt_job;
    int adopting;           /* the keeper has not told all it knows */
    sd_event_source *timer; /* of the answer to adopt */
};

static struct plain *plain_of(struct driver *d)
{
    return container_of(d, struct plain, driver);
}

/* ---- jobs ---- */

static void job_drop(struct plain_job *job)
{
    list_remove(&job->link);
    free(job->process);
    free(job->program);
    free(job->directory);
    free(job);
}

static void job_dropp(struct plain_job **job)
{
    if (*job)
        job_drop(*job);
}

static struct plain_job *job_new(struct plain_system *ps, uint64_t number)
{
    struct plain_job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    if (!++ps->last_tag)
        ps->last_tag = 1; /* 0 is the tag of commands that nobody waits for */
    job->tag = ps->last_tag;
    job->number = number;
    list_append(&ps->jobs, &job->link);
    return job;
}

static struct plain_job *job_find(const struct plain_system *ps, uint32_t tag)
{
    list_for_each(&ps->jobs, n)
    {
        struct plain_job *job = container_of(n, struct plain_job, link);

        if (job->tag == tag)
            return job;
    }
    return NULL;
}

static void job_fail(struct plain_system *ps, uint64_t number, hcs_result result,
                     const hcs_error *err)
{
    ps->system->tell->done(ps->system, number, result, err);
}

static void job_fail_memory(struct plain_system *ps, uint64_t number)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = fail(&err, HCS_E_OUTOFMEMORY, "plain.job",
                        "no memory for a command to system '%s'", ps->system->id);

    job_fail(ps, number, r, &err);
}

/* ---- the end of a system ---- */

static void end_if_over(struct plain_system *ps)
{
    hcs_exit_type type = ps->forced ? HCS_EXIT_TYPE_FORCED : HCS_EXIT_TYPE_GRACEFUL;
    hcs_exit report = exit_of_system(HCS_OK, type, HCS_INITIATOR_CLIENT);

    if (ps->ended || !ps->stopping || !ps->nothing_left || !list_is_empty(&ps->processes))
        return;
    ps->ended = 1;
    ps->system->tell->exited(ps->system, &report);
}

/* ---- what the keeper says ---- */

static struct plain_process *process_find(const struct plain_system *ps, uint32_t number)
{
    list_for_each(&ps->processes, n)
    {
        struct plain_process *p = container_of(n, struct plain_process, link);

        if (p->number == number)
            return p;
    }
    return NULL;
}

static void process_drop(struct plain_process *p)
{
    list_remove(&p->link);
    free(p);
}

static struct plain_process *process_new(uint32_t number)
{
    struct plain_process *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    list_init(&p->link);
    p->number = number;
    p->is_seen = 1;
    return p;
}

static void tell_exited(struct plain_system *ps, struct plain_process *p, const hcs_exit *report)
{
    uint32_t number = p->number;

    process_drop(p);
    ps->system->tell->process_exited(ps->system, number, report);
}

static void spawn_done(struct plain_system *ps, struct plain_job *job, uint32_t pid, int os,
                       int step)
{
    hcs_error err = HCS_ERROR_INIT;
    struct plain_process *p;

    if (os) {
        hcs_result r = refusal_of_start(step, os, job->program,
                                        job->directory ? job->directory : "/", "plain.spawn", &err);

        job_fail(ps, job->number, r, &err);
        return;
    }
    p = TAKE(job->process);
    list_append(&ps->processes, &p->link);
    ps->nothing_left = 0;
    ps->system->tell->process_started(ps->system, job->number, p->number, pid);
}

static void stop_done(struct plain_system *ps, struct plain_job *job, int os)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = HCS_OK;

    if (os && os != ESRCH)
        r = fail_os(&err, result_from_errno(os), os, "plain.stop",
                    "signal to the programs of system '%s'", ps->system->id);
    ps->told = 1;
    if (os == ESRCH)
        ps->nothing_left = 1;
    ps->system->tell->done(ps->system, job->number, r, r < 0 ? &err : NULL);
    end_if_over(ps);
}

static void on_done(void *owner, uint32_t tag, uint32_t wait_status, uint32_t pid, int os, int step)
{
    struct plain_system *ps = owner;
    _cleanup_(job_dropp) struct plain_job *job = job_find(ps, tag);

    (void) wait_status;
    if (!job)
        return;
    list_remove(&job->link);
    if (job->process)
        spawn_done(ps, job, pid, os, step);
    else
        stop_done(ps, job, os);
}

/* The process of that number, which the log may not know yet: then its start is told.  NULL: it is
 * none of ours any more. */
static struct plain_process *process_find_or_tell(struct plain_system *ps, uint32_t number,
                                                  uint32_t pid)
{
    struct plain_process *p = process_find(ps, number);

    if (p || !ps->adopting || ps->system->tell->is_settled(ps->system, number))
        return p;
    p = process_new(number);
    if (!p) {
        log_line(LOG_LINE_CRITICAL, "system '%s': process %u is lost for lack of memory",
                 ps->system->id, number);
        return NULL;
    }
    list_append(&ps->processes, &p->link);
    ps->system->tell->process_found(ps->system, number, pid);
    return p;
}

static void on_exited(void *owner, const struct channel_exit *end)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_from_wait_status(end->wait_status);
    struct plain_process *p;

    if (ps->ended)
        return;
    p = process_find_or_tell(ps, end->number, end->pid);
    if (p)
        tell_exited(ps, p, &report);
    else if (ps->adopting && ps->channel)
        channel_ack(ps->channel, end->number);
    end_if_over(ps);
}

static void on_tracked(void *owner, const struct channel_process *process)
{
    struct plain_system *ps = owner;
    struct plain_process *p;

    if (ps->ended || process->pid == 0) /* a start here is done when it is begun */
        return;
    p = process_find_or_tell(ps, process->number, process->pid);
    if (p)
        p->is_seen = 1;
}

static void on_nothing(void *owner, uint32_t number)
{
    (void) owner;
    (void) number;
}

static void on_empty(void *owner)
{
    struct plain_system *ps = owner;

    /* One from before the stop may still be on its way; what counts is that nothing is left after
     * it. */
    if (!ps->told)
        return;
    ps->nothing_left = 1;
    end_if_over(ps);
}

/* ---- a system that an earlier hcsd left ---- */

static void adopt_answer(struct plain_system *ps, hcs_result result, const hcs_error *err)
{
    uint64_t job = ps->adopt_job;

    ps->timer = sd_event_source_disable_unref(ps->timer);
    ps->adopt_job = 0;
    if (job)
        ps->system->tell->done(ps->system, job, result, err);
}

static int on_adopt_deadline(sd_event_source *source, uint64_t usec, void *owner)
{
    struct plain_system *ps = owner;

    (void) source;
    (void) usec;
    log_line(LOG_LINE_WARNING,
             "the keeper of system '%s' does not answer: what it has to tell will come later",
             ps->system->id);
    adopt_answer(ps, HCS_OK, NULL);
    return 0;
}

/* All that the keeper knew is told. */
static void on_ready(void *owner, uint32_t asked)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_unknown("its keeper knows nothing of it");

    if (ps->ended)
        return;
    list_for_each(&ps->processes, n)
    {
        struct plain_process *p = container_of(n, struct plain_process, link);

        if (!p->is_seen)
            tell_exited(ps, p, &report);
    }
    ps->adopting = 0;
    if (asked & (KEEPER_ASKED_TERM | KEEPER_ASKED_KILL)) /* what we asked meanwhile stays asked */
        ps->stopping = ps->told = 1;
    ps->forced |= (asked & KEEPER_ASKED_KILL) != 0;
    ps->nothing_left = ps->told && (asked & KEEPER_ALONE) != 0;
    adopt_answer(ps, HCS_OK, NULL);
    end_if_over(ps);
}

static void end_jobs(struct plain_system *ps, const char *why)
{
    list_for_each(&ps->jobs, n)
    {
        _cleanup_(job_dropp) struct plain_job *job = container_of(n, struct plain_job, link);
        hcs_error err = HCS_ERROR_INIT;
        hcs_result r = HCS_OK; /* of a stop: it has come to pass, in whatever way */

        list_remove(&job->link);
        if (job->process)
            r = fail(&err, HCS_E_CONNECTION_CLOSED, "plain.keeper", "system '%s': %s",
                     ps->system->id, why);
        ps->system->tell->done(ps->system, job->number, r, r < 0 ? &err : NULL);
    }
}

static void on_record(void *owner, const struct record *record)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_from_wait_status(record->wait_status);
    struct plain_process *p = process_find_or_tell(ps, record->number, record->pid);

    if (p)
        tell_exited(ps, p, &report);
}

/* Its programs died with it, by the kernel's hand, but nobody saw that. */
static void on_lost(void *owner, const char *why)
{
    struct plain_system *ps = owner;
    hcs_exit report = exit_unknown(why);
    hcs_error err = HCS_ERROR_INIT;

    if (ps->ended)
        return;
    (void) fail(&err, HCS_E_CONNECTION_CLOSED, "plain.keeper", "%s", why);
    adopt_answer(ps, err.code, &err);
    end_jobs(ps, why);
    records_read(ps->system->run_dir, on_record, ps);
    list_for_each(&ps->processes, n)
        tell_exited(ps, container_of(n, struct plain_process, link), &report);
    report.type = HCS_EXIT_TYPE_UNEXPECTED;
    report.initiator = HCS_INITIATOR_UNKNOWN;
    ps->ended = 1;
    ps->system->tell->exited(ps->system, &report);
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

/* The document's reader refuses these together with isolation none; this is the driver's own word.
 */
static hcs_result plain_check(struct driver *d, const struct doc_system *doc, hcs_error *err)
{
    const char *field = NULL;

    (void) d;
    if (doc->isolation != DOC_ISOLATION_NONE)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "plain.check",
                    "$.Container.IsolationType: this driver has no isolation");
    if (doc->storage_path)
        field = "Storage";
    else if (doc->host_name)
        field = "GuestOs";
    else if (doc->n_mapped)
        field = "MappedDirectories";
    else if (doc->memory_mb)
        field = "Memory";
    else if (doc->processor_count || doc->processor_weight || doc->processor_maximum)
        field = "Processor";
    if (field)
        return fail(err, HCS_E_WIN32_NOT_SUPPORTED, "plain.check",
                    "$.Container.%s: cannot be had without isolation", field);
    return HCS_OK;
}

/* NULL: the job was answered. */
static struct plain_system *system_new(struct driver *d, struct driver_system *s, uint64_t job)
{
    struct plain_system *ps = calloc(1, sizeof(*ps));
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    s->data = ps;
    if (!ps) {
        r = fail(&err, HCS_E_OUTOFMEMORY, "plain.create", "no memory for system '%s'", s->id);
        s->tell->done(s, job, r, &err);
        return NULL;
    }
    ps->plain = plain_of(d);
    ps->system = s;
    list_init(&ps->jobs);
    list_init(&ps->processes);
    return ps;
}

static void plain_create(struct driver *d, struct driver_system *s, uint64_t job)
{
    struct plain_system *ps = system_new(d, s, job);
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    if (!ps)
        return;
    r = channel_start(ps->plain->loop, ps->plain->keeper_program, s->run_dir, 0, &keeper_events, ps,
                      &ps->channel, &err);
    s->tell->done(s, job, r, r < 0 ? &err : NULL);
}

static hcs_result restore_processes(struct plain_system *ps, const struct driver_known *known,
                                    hcs_error *err)
{
    for (size_t i = 0; i < known->n_processes; i++) {
        struct plain_process *p = process_new(known->processes[i].number);

        if (!p)
            return fail(err, HCS_E_OUTOFMEMORY, "plain.adopt", "no memory for system '%s'",
                        ps->system->id);
        p->is_seen = 0;
        list_append(&ps->processes, &p->link);
    }
    return HCS_OK;
}

static void plain_adopt(struct driver *d, struct driver_system *s, uint64_t job,
                        const struct driver_known *known_opt)
{
    struct plain_system *ps = system_new(d, s, job);
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    if (!ps)
        return;
    r = channel_adopt(ps->plain->loop, s->run_dir, &keeper_events, ps, &ps->channel, &err);
    if (!known_opt) {
        ps->ended = 1;
        s->tell->done(s, job, HCS_OK, NULL);
        return;
    }
    ps->adopting = 1;
    ps->adopt_job = job;
    if (restore_processes(ps, known_opt, &err) < 0)
        r = err.code;
    if (r >= 0 && sd_event_add_time_relative(ps->plain->loop, &ps->timer, CLOCK_MONOTONIC,
                                             DRIVER_ADOPT_US, 0, on_adopt_deadline, ps) < 0)
        r = fail(&err, HCS_E_OUTOFMEMORY, "plain.adopt", "no memory to wait for a keeper");
    if (r < 0)
        on_lost(ps, err.text);
}

static void plain_start(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    s->tell->done(s, job, HCS_OK,
                  NULL); /* there is nothing to start but programs, and these come one by one */
}

static void stop(struct plain_system *ps, uint64_t number, int signal)
{
    struct plain_job *job = job_new(ps, number);
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    if (!job) {
        job_fail_memory(ps, number);
        return;
    }
    r = channel_signal_all(ps->channel, job->tag, signal, &err);
    if (r < 0) {
        job_drop(job);
        job_fail(ps, number, r, &err);
        return;
    }
    ps->stopping = 1;
    ps->forced |= signal == SIGKILL;
}

static void plain_shut_down(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    stop(s->data, job, SIGTERM);
}

static void plain_terminate(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    stop(s->data, job, SIGKILL);
}

/* ---- programs ---- */

static hcs_result home_default(char **out, hcs_error *err)
{
    const char *home = getenv("HOME");

    if (asprintf(out, "HOME=%s", home && *home ? home : HOME_DEFAULT) >= 0)
        return HCS_OK;
    *out = NULL;
    return fail(err, HCS_E_OUTOFMEMORY, "plain.spawn", "no memory for an environment");
}

static hcs_result send_spawn(struct plain_system *ps, const struct plain_job *job,
                             const struct doc_process *doc, const int fds[3], hcs_error *err)
{
    _cleanup_(free_drop) char *home = NULL;
    char path[] = PATH_DEFAULT;
    char *fallback[] = { path, NULL, NULL };
    hcs_result r = home_default(&home, err);

    if (r < 0)
        return r;
    fallback[1] = home;
    return channel_spawn(ps->channel, job->tag, job->process->number, doc->working_directory,
                         doc->arguments, doc->n_environment ? doc->environment : fallback, fds,
                         err);
}

static struct plain_job *spawn_job_new(struct plain_system *ps, uint64_t number, uint32_t process,
                                       const struct doc_process *doc)
{
    struct plain_job *job = job_new(ps, number);

    if (!job)
        return NULL;
    job->process = process_new(process);
    job->program = strdup(doc->arguments[0]);
    job->directory = doc->working_directory ? strdup(doc->working_directory) : NULL;
    if (!job->process || !job->program || (doc->working_directory && !job->directory)) {
        job_drop(job);
        return NULL;
    }
    return job;
}

static void plain_process_create(struct driver *d, struct driver_system *s, uint64_t job,
                                 uint32_t number, const struct doc_process *doc, const int fds[3])
{
    struct plain_system *ps = s->data;
    hcs_error err = HCS_ERROR_INIT;
    struct plain_job *mine;
    hcs_result r;

    (void) d;
    if (ps->adopting) { /* it may have a process of that number */
        r = fail(&err, HCS_E_WIN32_BUSY, "plain.spawn",
                 "the keeper of system '%s' has not told yet what it knows: try again", s->id);
        job_fail(ps, job, r, &err);
        return;
    }
    if (ps->stopping || ps->ended) {
        r = fail(&err, HCS_E_INVALID_STATE, "plain.spawn", "system '%s' is being stopped", s->id);
        job_fail(ps, job, r, &err);
        return;
    }
    mine = spawn_job_new(ps, job, number, doc);
    if (!mine) {
        job_fail_memory(ps, job);
        return;
    }
    r = send_spawn(ps, mine, doc, fds, &err);
    if (r < 0) {
        job_drop(mine);
        job_fail(ps, job, r, &err);
    }
}

static hcs_result plain_process_signal(struct driver *d, struct driver_system *s, uint32_t number,
                                       int signal, hcs_error *err)
{
    struct plain_system *ps = s->data;

    (void) d;
    if (!process_find(ps, number))
        return fail(err, HCS_E_PROCESS_ALREADY_STOPPED, "plain.signal",
                    "process %u of system '%s' has ended", number, s->id);
    return channel_signal(ps->channel, 0, number, signal, err);
}

/* ---- afterwards ---- */

static void plain_settled(struct driver *d, struct driver_system *s, uint32_t number)
{
    struct plain_system *ps = s->data;

    (void) d;
    if (ps && ps->channel && number)
        channel_ack(ps->channel, number);
}

static void on_keeper_gone(void *owner)
{
    struct plain_system *ps = owner;

    channel_drop(ps->channel);
    ps->channel = NULL;
    ps->system->tell->done(ps->system, ps->clean_job, HCS_OK, NULL);
}

static void plain_clean(struct driver *d, struct driver_system *s, uint64_t job)
{
    struct plain_system *ps = s->data;

    (void) d;
    if (!ps || !ps->channel) {
        s->tell->done(s, job, HCS_OK, NULL);
        return;
    }
    ps->clean_job = job;
    channel_quit(ps->channel, on_keeper_gone);
}

static void plain_forget(struct driver *d, struct driver_system *s)
{
    struct plain_system *ps = s->data;

    (void) d;
    if (!ps)
        return;
    channel_drop(ps->channel);
    sd_event_source_disable_unref(ps->timer);
    list_for_each(&ps->jobs, n) job_drop(container_of(n, struct plain_job, link));
    list_for_each(&ps->processes, n) process_drop(container_of(n, struct plain_process, link));
    free(ps);
    s->data = NULL;
}

static json_t *plain_info(struct driver *d)
{
    (void) d;
    return json_pack("{s:s, s:s, s:b}", "name", "plain", "isolation", "none", "works", 1);
}

static void plain_drop(struct driver *d)
{
    struct plain *plain = plain_of(d);

    sd_event_unref(plain->loop);
    free(plain->keeper_program);
    free(plain);
}

static const struct driver_ops plain_ops = {
    .name = "plain",
    .isolation = "none",
    .check = plain_check,
    .create = plain_create,
    .adopt = plain_adopt,
    .start = plain_start,
    .shut_down = plain_shut_down,
    .terminate = plain_terminate,
    .process_create = plain_process_create,
    .process_signal = plain_process_signal,
    .settled = plain_settled,
    .clean = plain_clean,
    .forget = plain_forget,
    .info = plain_info,
    .drop = plain_drop,
};

hcs_result plain_new(sd_event *loop, const char *keeper_program, struct driver **out,
                     hcs_error *err)
{
    struct plain *plain = calloc(1, sizeof(*plain));

    assert(loop && keeper_program && out);
    if (plain)
        plain->keeper_program = strdup(keeper_program);
    if (!plain || !plain->keeper_program) {
        free(plain);
        return fail(err, HCS_E_OUTOFMEMORY, "plain.new",
                    "no memory for the driver of isolation none");
    }
    plain->driver.ops = &plain_ops;
    plain->loop = sd_event_ref(loop);
    *out = &plain->driver;
    return HCS_OK;
}
