/* fake.c - systems that obey a script, on a virtual clock.
 * Owns:    its systems and processes, and the list of what is due.
 * Users:   hcsd --driver fake; tests of the engine.
 * Promise: the same script gives the same events in the same order, however slow the machine.
 *
 * A program is a list of arguments, read as steps:
 *   sleep MS          let virtual time pass
 *   exit CODE         end with a code (what a script that has run out does too, with 0)
 *   signal N          end by a signal
 *   unknown REASON    end in a way nobody knows
 *   ignore N          from now on signal N does nothing
 *   event KIND JSON   something happens to the system: any kind HCS has or may have
 *   crash             the system ends unexpectedly
 *   hang              nothing, for ever
 * Any other first word is a program that does not exist.
 *
 * GuestOs.HostName "fail-create" and "fail-start" make those verbs fail. */

#include "fake.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

#include "err.h"
#include "exit.h"
#include "list.h"

#define AT_ONCE 256 /* things due at one moment that are done before the loop has its turn */

enum due_what { DUE_DONE, DUE_STEP, DUE_EXITED, DUE_PROCESS_STARTED };

struct fake {
    struct driver driver;
    sd_event_source *clock;
    struct list due; /* struct due, by time, then by order */
    uint64_t now_ms;
    uint32_t last_pid;
};

struct fake_system {
    struct fake *fake;
    struct driver_system *system;
    struct list processes;
    hcs_exit exit;
    int exiting;
};

struct fake_process {
    struct list link;
    struct fake_system *system;
    char **steps;
    size_t at, n_steps;
    uint64_t job;
    uint32_t number;
    uint32_t pid;
    uint64_t ignored; /* bit n: signal n */
    int ended;
};

struct due {
    struct list link;
    struct fake_system *system;
    struct fake_process *process;
    enum due_what what;
    uint64_t at_ms;
    uint64_t job;
    hcs_result result;
    hcs_error err;
};

static void arm(struct fake *f)
{
    sd_event_source_set_enabled(f->clock, list_is_empty(&f->due) ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static struct due *add_due(struct fake_system *fs, enum due_what what, uint64_t after_ms)
{
    struct due *due = calloc(1, sizeof *due);
    struct list *at;

    if (!due)
        abort(); /* a test tool that cannot keep its schedule must not go on */
    due->system = fs;
    due->what = what;
    due->at_ms = fs->fake->now_ms + after_ms;
    due->err = (hcs_error) HCS_ERROR_INIT;
    for (at = fs->fake->due.prev; at != &fs->fake->due; at = at->prev)
        if (container_of(at, struct due, link)->at_ms <= due->at_ms)
            break;
    list_append(at->next, &due->link); /* "append" to the successor: right before it */
    arm(fs->fake);
    return due;
}

static void done_soon(struct fake_system *fs, uint64_t job)
{
    add_due(fs, DUE_DONE, 0)->job = job;
}

static void fail_soon(struct fake_system *fs, uint64_t job, hcs_result result, const char *text)
{
    struct due *due = add_due(fs, DUE_DONE, 0);

    due->job = job;
    due->result = fail(&due->err, result, "fake", "%s", text);
}

static void drop_process(struct fake_process *p)
{
    list_remove(&p->link);
    for (size_t i = 0; i < p->n_steps; i++)
        free(p->steps[i]);
    free(p->steps);
    free(p);
}

/* Forget what was due for a process, or with NULL for the whole system. */
static void cancel(struct fake_system *fs, const struct fake_process *only)
{
    list_for_each(&fs->fake->due, n)
    {
        struct due *due = container_of(n, struct due, link);

        if (due->system == fs && (!only || due->process == only)) {
            list_remove(n);
            free(due);
        }
    }
    arm(fs->fake);
}

static void end_process(struct fake_process *p, const hcs_exit *report)
{
    struct fake_system *fs = p->system;

    cancel(fs, p);
    p->ended = 1;
    fs->system->tell->process_exited(fs->system, p->number, report);
}

static void end_system(struct fake_system *fs, const hcs_exit *report)
{
    hcs_exit killed = exit_from_wait_status(SIGKILL);

    if (fs->exiting)
        return;
    fs->exiting = 1;
    fs->exit = *report;
    list_for_each(&fs->processes, n)
    {
        struct fake_process *p = container_of(n, struct fake_process, link);

        if (p->pid && !p->ended)
            end_process(p, &killed);
    }
    add_due(fs, DUE_EXITED, 0);
}

static const char *next_word(struct fake_process *p)
{
    return p->at < p->n_steps ? p->steps[p->at++] : "";
}

static void next_step_after(struct fake_process *p, uint64_t ms)
{
    add_due(p->system, DUE_STEP, ms)->process = p;
}

static void end_by_word(struct fake_process *p, const char *word)
{
    hcs_exit report;

    if (strcmp(word, "signal") == 0)
        report = exit_from_wait_status((uint32_t) atoi(next_word(p)));
    else if (strcmp(word, "unknown") == 0)
        report = exit_unknown(next_word(p));
    else
        report = exit_from_wait_status(((uint32_t) atoi(next_word(p)) & 0xff) << 8);
    end_process(p, &report);
}

static void take_step(struct fake_process *p)
{
    struct driver_system *s = p->system->system;
    hcs_exit crashed =
        exit_of_system(HCS_E_UNEXPECTED_EXIT, HCS_EXIT_TYPE_UNEXPECTED, HCS_INITIATOR_UNKNOWN);
    const char *word = next_word(p);

    if (strcmp(word, "hang") == 0)
        return;
    if (strcmp(word, "crash") == 0) {
        end_system(p->system, &crashed);
        return;
    }
    if (strcmp(word, "sleep") == 0) {
        next_step_after(p, strtoull(next_word(p), NULL, 10));
    } else if (strcmp(word, "ignore") == 0) {
        p->ignored |= (uint64_t) 1 << (atoi(next_word(p)) & 63);
        next_step_after(p, 0);
    } else if (strcmp(word, "event") == 0) {
        hcs_event_kind kind = (hcs_event_kind) strtoul(next_word(p), NULL, 0);

        s->tell->happened(s, kind, next_word(p));
        next_step_after(p, 0);
    } else {
        end_by_word(p, word);
    }
}

static void process_started(struct fake_process *p)
{
    struct driver_system *s = p->system->system;

    if (p->system->exiting) {
        fail_soon(p->system, p->job, HCS_E_SYSTEM_ALREADY_STOPPED, "the system has ended");
        p->ended = 1;
        return;
    }
    p->pid = ++p->system->fake->last_pid;
    s->tell->process_started(s, p->job, p->number, p->pid);
    next_step_after(p, 0);
}

static void do_due(struct due *due)
{
    struct driver_system *s = due->system->system;

    switch (due->what) {
    case DUE_DONE:
        s->tell->done(s, due->job, due->result, due->result < 0 ? &due->err : NULL);
        break;
    case DUE_STEP:
        take_step(due->process);
        break;
    case DUE_EXITED:
        s->tell->exited(s, &due->system->exit);
        break;
    case DUE_PROCESS_STARTED:
        process_started(due->process);
        break;
    }
}

/* Let time jump to what is due next, and do what is due at that moment. */
static int on_clock(sd_event_source *source, void *context)
{
    struct fake *f = context;
    struct due *due = list_first(&f->due, struct due, link);

    (void) source;
    if (due)
        f->now_ms = due->at_ms;
    for (int n = 0; due && due->at_ms == f->now_ms && n < AT_ONCE; n++) {
        list_remove(&due->link);
        do_due(due);
        free(due);
        due = list_first(&f->due, struct due, link);
    }
    arm(f);
    return 0;
}

static hcs_result fake_check(struct driver *d, const struct doc_system *doc, hcs_error *err)
{
    (void) d;
    if (doc->storage_path && strstr(doc->storage_path, "/missing"))
        return fail(err, HCS_E_WIN32_PATH_NOT_FOUND, "fake.check",
                    "$.Container.Storage.Path: '%s' does not exist", doc->storage_path);
    return HCS_OK;
}

static void fake_create(struct driver *d, struct driver_system *s, uint64_t job)
{
    struct fake_system *fs = calloc(1, sizeof *fs);
    hcs_error err = HCS_ERROR_INIT;

    if (!fs) {
        (void) fail(&err, HCS_E_OUTOFMEMORY, "fake.create", "no memory for system '%s'", s->id);
        s->tell->done(s, job, err.code, &err);
        return;
    }
    fs->fake = container_of(d, struct fake, driver);
    fs->system = s;
    list_init(&fs->processes);
    s->data = fs;
    if (s->doc->host_name && strcmp(s->doc->host_name, "fail-create") == 0)
        fail_soon(fs, job, HCS_E_FAIL, "the script says that create fails");
    else
        done_soon(fs, job);
}

/* Its systems are only in the memory of an hcsd, and end with that. */
static void fake_adopt(struct driver *d, struct driver_system *s, uint64_t job,
                       const struct driver_known *known_opt)
{
    static const char gone[] = "its system existed only in the memory of an hcsd that has ended";
    hcs_exit report = exit_unknown(gone);
    hcs_error err = HCS_ERROR_INIT;

    (void) d;
    if (!known_opt) {
        s->tell->done(s, job, HCS_OK, NULL);
        return;
    }
    (void) fail(&err, HCS_E_SYSTEM_ALREADY_STOPPED, "fake.adopt", "%s", gone);
    s->tell->done(s, job, err.code, &err);
    for (size_t i = 0; i < known_opt->n_processes; i++)
        s->tell->process_exited(s, known_opt->processes[i].number, &report);
    report.type = HCS_EXIT_TYPE_UNEXPECTED;
    report.initiator = HCS_INITIATOR_UNKNOWN;
    s->tell->exited(s, &report);
}

static void fake_start(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    if (s->doc->host_name && strcmp(s->doc->host_name, "fail-start") == 0)
        fail_soon(s->data, job, HCS_E_FAIL, "the script says that start fails");
    else
        done_soon(s->data, job);
}

static void fake_shut_down(struct driver *d, struct driver_system *s, uint64_t job)
{
    hcs_exit report = exit_of_system(HCS_OK, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_CLIENT);

    (void) d;
    done_soon(s->data, job);
    end_system(s->data, &report);
}

static void fake_terminate(struct driver *d, struct driver_system *s, uint64_t job)
{
    hcs_exit report = exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);

    (void) d;
    done_soon(s->data, job);
    end_system(s->data, &report);
}

static int has_program(const char *word)
{
    static const char *const words[] = { "sleep",  "exit",  "signal", "unknown",
                                         "ignore", "event", "crash",  "hang" };

    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        if (strcmp(word, words[i]) == 0)
            return 1;
    return 0;
}

static struct fake_process *make_process(struct fake_system *fs, const struct doc_process *doc)
{
    struct fake_process *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    list_init(&p->link);
    p->system = fs;
    p->steps = calloc(doc->n_arguments, sizeof *p->steps);
    for (size_t i = 0; p->steps && i < doc->n_arguments; i++) {
        p->steps[i] = strdup(doc->arguments[i]);
        p->n_steps += p->steps[i] != NULL;
    }
    if (p->n_steps == doc->n_arguments)
        return p;
    drop_process(p);
    return NULL;
}

static void fake_process_create(struct driver *d, struct driver_system *s, uint64_t job,
                                uint32_t number, const struct doc_process *doc, const int fds[3])
{
    struct fake_system *fs = s->data;
    struct fake_process *p;

    (void) d;
    (void) fds;
    if (!has_program(doc->arguments[0])) {
        struct due *due = add_due(fs, DUE_DONE, 0);

        due->job = job;
        due->result = fail(&due->err, HCS_E_WIN32_FILE_NOT_FOUND, "fake.process",
                           "program '%.200s' does not exist", doc->arguments[0]);
        return;
    }
    p = fs->exiting ? NULL : make_process(fs, doc);
    if (!p) {
        fail_soon(fs, job, fs->exiting ? HCS_E_SYSTEM_ALREADY_STOPPED : HCS_E_OUTOFMEMORY,
                  "the process cannot start");
        return;
    }
    p->job = job;
    p->number = number;
    list_append(&fs->processes, &p->link);
    add_due(fs, DUE_PROCESS_STARTED, 0)->process = p;
}

static hcs_result fake_process_signal(struct driver *d, struct driver_system *s, uint32_t number,
                                      int signal, hcs_error *err)
{
    struct fake_system *fs = s->data;
    hcs_exit report = exit_from_wait_status((uint32_t) signal);

    (void) d;
    list_for_each(&fs->processes, n)
    {
        struct fake_process *p = container_of(n, struct fake_process, link);

        if (p->number != number || p->ended)
            continue;
        if (signal == SIGKILL || !(p->ignored >> (signal & 63) & 1))
            end_process(p, &report);
        return HCS_OK;
    }
    return fail(err, HCS_E_PROCESS_ALREADY_STOPPED, "fake.signal", "process %u has exited", number);
}

static void fake_settled(struct driver *d, struct driver_system *s, uint32_t number)
{
    struct fake_system *fs = s->data;

    (void) d;
    if (!fs) /* adopted: there is nothing here of it */
        return;
    list_for_each(&fs->processes, n)
    {
        struct fake_process *p = container_of(n, struct fake_process, link);

        if (p->number == number && p->ended)
            drop_process(p);
    }
}

static void fake_clean(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    if (s->data)
        done_soon(s->data, job);
    else
        s->tell->done(s, job, HCS_OK, NULL);
}

static void fake_forget(struct driver *d, struct driver_system *s)
{
    struct fake_system *fs = s->data;

    (void) d;
    if (!fs)
        return;
    cancel(fs, NULL);
    list_for_each(&fs->processes, n) drop_process(container_of(n, struct fake_process, link));
    free(fs);
    s->data = NULL;
}

static json_t *fake_info(struct driver *d)
{
    (void) d;
    return json_pack("{s:s, s:s, s:b}", "name", "fake", "isolation", "namespaces", "works", 1);
}

static void fake_drop(struct driver *d)
{
    struct fake *f = container_of(d, struct fake, driver);

    sd_event_source_unref(f->clock);
    free(f);
}

static const struct driver_ops fake_ops = {
    .name = "fake",
    .isolation = "namespaces",
    .check = fake_check,
    .create = fake_create,
    .adopt = fake_adopt,
    .start = fake_start,
    .shut_down = fake_shut_down,
    .terminate = fake_terminate,
    .process_create = fake_process_create,
    .process_signal = fake_process_signal,
    .settled = fake_settled,
    .clean = fake_clean,
    .forget = fake_forget,
    .info = fake_info,
    .drop = fake_drop,
};

hcs_result fake_new(sd_event *loop, struct driver **out, hcs_error *err)
{
    struct fake *f = calloc(1, sizeof *f);
    int r;

    if (!f)
        return fail(err, HCS_E_OUTOFMEMORY, "fake.new", "no memory for the fake driver");
    f->driver.ops = &fake_ops;
    list_init(&f->due);
    r = sd_event_add_defer(loop, &f->clock, on_clock, f);
    if (r < 0) {
        free(f);
        return fail_os(err, HCS_E_FAIL, -r, "fake.new", "clock of the fake driver");
    }
    /* virtual time passes only when nothing else is ready */
    sd_event_source_set_priority(f->clock, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_enabled(f->clock, SD_EVENT_OFF);
    *out = &f->driver;
    return HCS_OK;
}
