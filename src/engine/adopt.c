/* adopt.c - systems that an hcsd before this one left: most of them run, and go on to.
 * Users:   hcsd, once, before it serves anybody.
 * Promise: a system that lives is what it was, with its number, document, state and processes; what
 * happened meanwhile is told once, with its true report where anybody saw it; of a system that has
 * ended or never came to be nothing stays behind. */

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "event.h"
#include "exit.h"
#include "fd.h"
#include "log.h"
#include "system.h"

/* A row of the log, before a system is made of it. */
struct left {
    struct list link;
    struct evlog_living living; /* its strings are the copies below */
    char *id;
    char *owner;
    char *document;
    char *boot_id;
    int is_plain;
    const char *unseen_opt; /* why it is of no use to look for it */
    int is_rescued;         /* its file says this, and the log knew nothing */
};

struct lefts {
    struct list all; /* struct left, by incarnation */
    int lacks_memory;
    int are_rescued;        /* those that are collected now */
    const char *unseen_opt; /* why */
};

struct processes {
    struct driver_process *at; /* that run */
    size_t n;
    uint32_t *settled; /* those that have exited, by number */
    size_t n_settled;
    int lacks_memory;
};

static void left_drop(struct left *l)
{
    list_remove(&l->link);
    free(l->id);
    free(l->owner);
    free(l->document);
    free(l->boot_id);
    free(l);
}

/* The one that the next of that incarnation comes before. */
static struct list *place_of(struct lefts *lefts, uint64_t incarnation)
{
    struct list *n = lefts->all.next;

    while (n != &lefts->all &&
           container_of(n, struct left, link)->living.system.incarnation < incarnation)
        n = n->next;
    return n;
}

static void collect(void *context, const struct evlog_living *living)
{
    struct lefts *lefts = context;
    struct left *l = calloc(1, sizeof *l);

    if (!l) {
        lefts->lacks_memory = 1;
        return;
    }
    list_init(&l->link);
    l->living = *living;
    l->id = strdup(living->system.id);
    l->owner = strdup(living->system.owner);
    l->document = strdup(living->document);
    l->boot_id = strdup(living->boot_id);
    l->is_plain = strcmp(living->system.isolation, "none") == 0;
    l->unseen_opt = lefts->unseen_opt;
    l->is_rescued = lefts->are_rescued;
    if (!l->id || !l->owner || !l->document || !l->boot_id) {
        left_drop(l);
        lefts->lacks_memory = 1;
        return;
    }
    list_append(l->is_rescued ? place_of(lefts, living->system.incarnation) : &lefts->all,
                &l->link);
}

static void collect_process(void *context, const struct evlog_process *process)
{
    struct processes *all = context;

    if (process->exit_sequence != 0) {
        uint32_t *settled = realloc(all->settled, (all->n_settled + 1) * sizeof *settled);

        all->lacks_memory |= !settled;
        if (settled) {
            all->settled = settled;
            settled[all->n_settled++] = process->number;
        }
    } else {
        struct driver_process *at = realloc(all->at, (all->n + 1) * sizeof *at);

        all->lacks_memory |= !at;
        if (at) {
            all->at = at;
            at[all->n++] =
                (struct driver_process){ .number = process->number, .pid = process->pid };
        }
    }
}

static hcs_result restore_processes(struct system *s, struct processes *all, hcs_error *err)
{
    s->settled = TAKE(all->settled);
    s->n_settled = all->n_settled;
    if (s->n_settled)
        s->last_process = s->settled[s->n_settled - 1];
    for (size_t i = 0; i < all->n; i++) {
        struct process *p = process_new(s, all->at[i].number);

        if (!p)
            return fail(err, HCS_E_OUTOFMEMORY, "engine.adopt", "no memory for system '%s'", s->id);
        p->started = 1;
        p->pid = all->at[i].pid;
    }
    return HCS_OK;
}

/* It ended with nobody there to see it: tell why that is so. */
static void end_unseen(struct system *s)
{
    const char *why = s->unseen;
    hcs_exit report = exit_unknown(why);

    report.type = HCS_EXIT_TYPE_UNEXPECTED;
    report.initiator = HCS_INITIATOR_UNKNOWN;
    processes_end_unknown(s, why);
    s->state = STATE_STOPPED;
    system_end(s, &report);
    log_line(LOG_LINE_NOTICE, "system '%s', left by an earlier hcsd, has ended: %s", s->id, why);
}

static void ask_driver(struct system *s, const struct driver_known *known_opt)
{
    struct job *job = job_begin(s, N_HAPPENINGS, NULL);

    if (!job) {
        log_line(LOG_LINE_CRITICAL, "system '%s' cannot be adopted for lack of memory", s->id);
        return;
    }
    s->adopting = 1;
    s->engine->n_adopting++;
    system_ops(s)->adopt(s->driver, &s->at_driver, job->number, known_opt);
}

void adopt_done(struct system *s, struct job *job, hcs_result result, const hcs_error *err)
{
    job_end(job);
    s->adopting = 0;
    s->engine->n_adopting--;
    if (s->unseen)
        end_unseen(s);
    else if (!s->doc)
        system_clean(s);
    else if (result < 0)
        log_line(LOG_LINE_WARNING, "system '%s' (%" PRIu64 ") cannot be adopted: %s", s->id,
                 s->incarnation, err ? err->text : "");
    else if (s->state != STATE_STOPPED && s->is_rescued)
        log_line(LOG_LINE_WARNING,
                 "system '%s' (%" PRIu64 ") adopted without the event log, which did not know it: "
                 "%s, %u processes; told again: its creation, %s%u processes",
                 s->id, s->incarnation, state_name(s->state), processes_running(s),
                 s->started_ns ? "its start, " : "", s->n_found);
    else if (s->state != STATE_STOPPED)
        log_line(LOG_LINE_NOTICE,
                 "system '%s' (%" PRIu64 ") adopted: %s, %u processes; %u started and %u ended "
                 "while no hcsd was there",
                 s->id, s->incarnation, state_name(s->state), processes_running(s), s->n_found,
                 s->n_ended);
}

/* The directory may be gone, with the memory that it was in, while traces elsewhere are not. */
static void need_run_dir(const struct system *s)
{
    if (mkdir(s->run_dir, 0700) < 0 && errno != EEXIST)
        log_line(LOG_LINE_WARNING, "system '%s': directory '%s': %s", s->id, s->run_dir,
                 strerror(errno));
}

static struct driver *driver_of(const struct engine *e, int is_plain)
{
    struct driver *driver = is_plain ? e->options.plain : e->options.namespaces;

    return driver && driver->ops->adopt ? driver : NULL;
}

/* Enough of a document for the end of a system whose own cannot be had. */
static hcs_result stand_in_document(const char *owner, struct doc_system **out, hcs_error *err)
{
    json_t *json = json_pack("{s:s, s:{s:i, s:i}, s:{s:s}}", "Owner", owner, "SchemaVersion",
                             "Major", 2, "Minor", 1, "Container", "IsolationType", "None");
    _cleanup_(free_drop) char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text ? doc_system_parse(text, out, err)
                : fail(err, HCS_E_OUTOFMEMORY, "engine.adopt", "no memory for a document");
}

/* Where the log says that it stands, or its file. */
static void resume(struct system *s, const struct left *l)
{
    s->started_ns = l->living.started_ns;
    s->is_rescued = l->is_rescued;
    if (!l->is_rescued) {
        s->first_sequence = l->living.first_sequence ? l->living.first_sequence : 1;
        s->state = s->started_ns ? STATE_RUNNING : STATE_CREATED;
        return;
    }
    (void) system_step(s, HAPPENED_CREATED, NULL); /* this log has to be told */
    if (s->started_ns) {
        (void) system_step(s, WANT_START, NULL);
        (void) system_step(s, HAPPENED_STARTED, NULL);
    }
}

/* Make a system of what is known, and have its driver look for it. */
static hcs_result adopt(struct engine *e, const struct left *l, struct driver *driver,
                        struct processes *processes, hcs_error *err)
{
    _cleanup_(doc_system_dropp) struct doc_system *doc = NULL;
    struct driver_known known = { processes->at, processes->n };
    const char *unseen = l->unseen_opt;
    struct system *s;
    hcs_result r = HCS_OK;

    if (!unseen && *l->boot_id && strcmp(l->boot_id, e->boot_id) != 0)
        unseen = "the host was restarted";
    if (doc_system_parse(l->document, &doc, err) < 0) {
        if (!unseen)
            unseen = "hcsd was replaced by one that cannot read its document";
        r = stand_in_document(l->owner, &doc, err);
    }
    if (r < 0)
        return r;
    s = system_new(e, l->id, l->living.system.incarnation, &doc, driver, err);
    if (!s)
        return HCS_E_OUTOFMEMORY;
    r = restore_processes(s, processes, err);
    if (r < 0) {
        system_free(s);
        return r;
    }
    resume(s, l);
    need_run_dir(s);
    system_bind(s);
    s->unseen = unseen;
    ask_driver(s, unseen ? NULL : &known);
    return HCS_OK;
}

static void adopt_left(struct engine *e, const struct left *l)
{
    struct driver *driver = driver_of(e, l->is_plain);
    struct processes processes = { 0 };
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    if (!driver) {
        log_line(LOG_LINE_WARNING,
                 "system '%s', left by an earlier hcsd, stays as it is: this one has no driver for "
                 "isolation %s",
                 l->id, l->is_plain ? "none" : "namespaces");
        return;
    }
    r = evlog_list_processes(e->options.log, l->living.system.incarnation, collect_process,
                             &processes, &err);
    if (r >= 0 && processes.lacks_memory)
        r = fail(&err, HCS_E_OUTOFMEMORY, "engine.adopt", "no memory for its processes");
    if (r >= 0)
        r = adopt(e, l, driver, &processes, &err);
    if (r < 0)
        log_line(LOG_LINE_ERROR, "system '%s', left by an earlier hcsd, stays as it is: %s", l->id,
                 err.text);
    free(processes.at);
    free(processes.settled);
}

/* ---- what is in no row: its end, or its beginning, was not finished; or the log was lost ---- */

/* "ID.INCARNATION" */
static int parse_run_dir(const char *name, char id[static 129], uint64_t *out_incarnation)
{
    const char *dot = strrchr(name, '.');
    size_t n = dot ? (size_t) (dot - name) : 0;
    char *end;

    if (n == 0 || n > 128 || !isdigit((unsigned char) dot[1]))
        return 0;
    memcpy(id, name, n);
    id[n] = 0;
    errno = 0;
    *out_incarnation = strtoull(dot + 1, &end, 10);
    return !*end && errno == 0 && *out_incarnation > 0 && doc_check_id(id, NULL) >= 0;
}

static int is_living(const struct list *all, const char *id, uint64_t incarnation)
{
    list_for_each(all, n)
    {
        const struct left *l = container_of(n, struct left, link);

        if (l->living.system.incarnation == incarnation && strcmp(l->id, id) == 0)
            return 1;
    }
    return 0;
}

static void on_ended_isolation(void *context, const struct evlog_ended *ended)
{
    int *is_plain = context;

    *is_plain = strcmp(ended->system.isolation, "none") == 0;
}

/* It was being created, and nobody was told of it; or it has ended, and that is told already. */
static void clean_left(struct engine *e, const char *id, uint64_t incarnation, int is_plain,
                       int was_there)
{
    hcs_error err = HCS_ERROR_INIT;
    struct driver *driver;
    struct system *s;

    /* the driver of containers removes all that the other one could leave */
    driver = driver_of(e, is_plain);
    if (!driver)
        driver = driver_of(e, !is_plain);
    s = driver ? system_new(e, id, incarnation, NULL, driver, &err) : NULL;
    if (!s) {
        log_line(LOG_LINE_WARNING, "what is left of system '%s' (%" PRIu64 ") stays: %s", id,
                 incarnation, driver ? err.text : "there is no driver for it");
        return;
    }
    log_line(LOG_LINE_NOTICE, "system '%s' (%" PRIu64 ") %s when hcsd ended: it is cleaned up", id,
             incarnation, was_there ? "had ended and was not cleaned up" : "was being created");
    s->state = STATE_STOPPED;
    s->ended_durably = 1;
    s->forgotten = 1;
    system_file_remove(s); /* its row may be forgotten before it is cleaned up */
    system_bind(s);
    ask_driver(s, NULL);
}

/* A file that cannot be read: that it lived is known from its name, and so is that it must end. */
static void collect_unreadable(struct lefts *lefts, const char *id, uint64_t incarnation,
                               int is_plain)
{
    struct evlog_living living = {
        .system = { .id = id,
                    .incarnation = incarnation,
                    .owner = "",
                    .type = "Container",
                    .isolation = is_plain ? "none" : "namespaces" },
        .document = "",
        .boot_id = "",
    };

    lefts->unseen_opt = "the event log has lost it, and its file cannot be read";
    collect(lefts, &living);
    lefts->unseen_opt = NULL;
}

/* The log may have been lost: what its file says of it.  0: it has none. */
static int rescue(struct engine *e, struct lefts *lefts, const char *id, uint64_t incarnation)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    lefts->are_rescued = 1;
    r = system_file_read(e, id, incarnation, collect, lefts, &err);
    if (r < 0) {
        log_line(LOG_LINE_ERROR, "system '%s' (%" PRIu64 ") is not in the event log: %s", id,
                 incarnation, err.text);
        lefts->lacks_memory |= r == HCS_E_OUTOFMEMORY;
        collect_unreadable(lefts, id, incarnation, driver_of(e, 0) == NULL);
    }
    lefts->are_rescued = 0;
    return r != 0;
}

static void sort_out(struct engine *e, struct lefts *lefts, const char *id, uint64_t incarnation)
{
    int is_plain = 0;
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r =
        evlog_find_ended(e->options.log, id, incarnation, on_ended_isolation, &is_plain, &err);

    if (r < 0)
        log_line(LOG_LINE_ERROR, "whether system '%s' (%" PRIu64 ") has ended is not known: %s", id,
                 incarnation, err.text);
    if (r > 0 || !rescue(e, lefts, id, incarnation))
        clean_left(e, id, incarnation, is_plain, r > 0);
}

static void sort_out_all(struct engine *e, struct lefts *lefts)
{
    DIR *directory = opendir(e->options.run_dir);
    const struct dirent *entry;
    uint64_t incarnation;
    char id[129];

    if (!directory) {
        log_line(LOG_LINE_WARNING, "directory '%s': %s", e->options.run_dir, strerror(errno));
        return;
    }
    while ((entry = readdir(directory)) != NULL) {
        if (!parse_run_dir(entry->d_name, id, &incarnation))
            continue;
        evlog_skip_incarnations(e->options.log, incarnation);
        if (!is_living(&lefts->all, id, incarnation))
            sort_out(e, lefts, id, incarnation);
    }
    closedir(directory);
}

static void drop_all(struct lefts *lefts)
{
    list_for_each(&lefts->all, n) left_drop(container_of(n, struct left, link));
}

/* Damage that is found here is dealt with as everywhere: a new log, with what could be read. */
static hcs_result list_living(struct engine *e, struct lefts *lefts, hcs_error *err)
{
    struct evlog *log = e->options.log;
    hcs_result r = evlog_list_living(log, collect, lefts, err);

    if (r >= 0)
        return r;
    drop_all(lefts);
    return evlog_commit(log, err) < 0 ? r : evlog_list_living(log, collect, lefts, err);
}

hcs_result engine_adopt(struct engine *e, hcs_error *err)
{
    struct lefts lefts = { 0 };
    hcs_result r;

    list_init(&lefts.all);
    r = list_living(e, &lefts, err);
    if (r >= 0 && !lefts.lacks_memory)
        sort_out_all(e, &lefts);
    if (r >= 0 && lefts.lacks_memory) /* what is not known would be taken for a trace to remove */
        r = fail(err, HCS_E_OUTOFMEMORY, "engine.adopt", "no memory for the systems that are left");
    list_for_each(&lefts.all, n)
    {
        if (r >= 0)
            adopt_left(e, container_of(n, struct left, link));
    }
    drop_all(&lefts);
    return r;
}

uint32_t engine_adopting(const struct engine *e)
{
    return e->n_adopting;
}
