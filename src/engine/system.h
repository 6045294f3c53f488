/* system.h - inside of the engine: systems, processes and the turn in which events become durable.
 */
#ifndef HCS_ENGINE_SYSTEM_H
#define HCS_ENGINE_SYSTEM_H

#include "engine.h"
#include "state.h"

#define EXIT_EVENT_ROOM 1024u /* bytes reserved for an exit event, without its owner */

struct engine {
    struct engine_options options;
    struct list systems;          /* struct system, oldest first */
    void *by_id;                  /* tsearch(3): those, by id */
    struct list clients;          /* struct sub_client: who reads */
    struct list answers;          /* struct call: to be answered after the next commit */
    struct list exited_processes; /* struct process, settling: their exits become durable with the
                                     next commit */
    struct list exited_systems;
    struct list unwritten;  /* struct system, writing: with the next commit their files are due */
    sd_event_source *turn;  /* the commit, after what was ready before it was dispatched */
    sd_event_source *retry; /* a commit that did not work is tried again */
    uint32_t n_systems;
    uint32_t n_adopting;
    int log_is_stuck;
    int is_retry_due;
    char boot_id[33];
};

struct process {
    struct list link;     /* in its system's processes */
    struct list settling; /* in the engine's list */
    struct system *system;
    struct evlog_slot *exit_slot; /* reserved for its last event */
    struct list waiters;          /* struct call */
    uint32_t number;
    uint32_t pid;
    int started, exited, durable;
    hcs_exit exit;
};

/* A verb under way at the driver. */
struct job {
    struct list link;
    uint64_t number;
    enum happening want;     /* WANT_START, WANT_SHUT_DOWN, ...; HAPPENED_CREATED for create,
                                HAPPENED_EXIT for clean, N_HAPPENINGS for adopt */
    struct list calls;       /* struct call: none when the asker has gone */
    struct process *process; /* WANT_PROCESS */
    char *arguments;         /* WANT_PROCESS: for the event */
};

struct system {
    struct list link;
    struct list settling;
    struct list writing;    /* in the engine's list */
    struct system *same_id; /* another one, which is being cleaned up */
    struct engine *engine;
    struct driver *driver;
    struct driver_system at_driver;
    struct doc_system *doc; /* NULL: left by an earlier hcsd, forgotten, being cleaned up */
    char *run_dir;
    char *detail; /* SystemExitStatus, once it has ended */
    char id[129];
    uint64_t incarnation;
    enum state state;
    int ended_durably; /* the exit event is durable, or there was none to wait for */
    int start_failed;
    int forgotten; /* nobody may see it any more; it is only being cleaned up */
    hcs_exit exit;
    uint64_t first_sequence;
    uint64_t exit_sequence;
    uint64_t started_ns; /* realtime of the start */
    struct evlog_slot *exit_slot;
    struct list jobs;
    struct list processes;
    struct list waiters;     /* for the exit */
    struct list terminators; /* terminate calls, answered with the exit */
    struct list successors;  /* create calls of the same id, until it is cleaned up */
    uint64_t last_job;
    uint32_t last_process;
    uint32_t n_processes; /* in the list */
    uint32_t n_found;     /* processes told by the driver that the log did not know */
    uint32_t n_ended;     /* processes that ended while nobody was there */
    uint32_t *settled;    /* numbers of processes whose exits were durable before the adoption */
    size_t n_settled;
    int adopting;
    int is_rescued;     /* by its file, for the log did not know it */
    const char *unseen; /* why nobody saw its end, when that is known before it is looked for */
};

/* engine.c */
void engine_want_turn(struct engine *e);
void engine_want_retry(struct engine *e); /* a turn in a moment, after what did not work */
/* What was appended becomes durable, and may be told when this is done. */
_must_use_ hcs_result engine_commit(struct engine *e, hcs_error *err);
const char *engine_log_error(const struct engine *e);
void call_answer_later(struct engine *e, struct call *call, hcs_result result,
                       const hcs_error *err);
void call_fail_now(struct call *call, hcs_result result, const hcs_error *err);
void call_no_memory(struct call *call);
void calls_answer_later(struct engine *e, struct list *calls, hcs_result result,
                        const hcs_error *err);
void calls_answer_exit(struct engine *e, struct list *waiters, const hcs_exit *exit,
                       const char *detail);

/* system.c */
struct system *system_new(struct engine *e, const char *id, uint64_t incarnation,
                          struct doc_system **take_doc_opt, struct driver *driver, hcs_error *err);
void system_bind(struct system *s);
void system_clean(struct system *s);
void system_end(struct system *s, const hcs_exit *report);
int system_is_readable(const struct system *s);
struct system *system_find_readable(struct engine *e, const char *id, uint64_t incarnation);
struct system *system_find_living(struct engine *e, struct call *call, const char *id,
                                  uint64_t incarnation);
struct system *system_at_driver(struct driver_system *at_driver);
const struct driver_ops *system_ops(const struct system *s);
void system_view(const struct system *s, hcs_event_system *out);
uint64_t system_append(struct system *s, struct evlog_slot *take_slot_opt, hcs_event *event);
hcs_result system_step(struct system *s, enum happening what, hcs_error *err);
void system_settle(struct system *s);
void system_renumber(struct system *s, uint64_t lost); /* the log before ended with event @lost */
void system_free(struct system *s);
struct job *job_begin(struct system *s, enum happening want, struct call *call_opt);
struct job *job_find(struct system *s, uint64_t number);
void job_end(struct job *job);

/* system_index.c: systems by id; with @incarnation 0 the newest of that id. */
_must_use_ hcs_result system_index_add(struct system *s);
void system_index_remove(struct system *s); /* also of one that was not added */
struct system *system_find(struct engine *e, const char *id, uint64_t incarnation);

/* system_file.c: what an hcsd after this one needs to adopt a system, beside the log, in its run
 * directory.  Written once its creation and its start are durable and before anybody is told;
 * removed once its end is durable and told. */
void system_file_write(const struct system *s); /* says in the log that it could not */
void system_file_remove(const struct system *s);

/* 1 visited, 0 there is none; a failure: there is one, and it cannot be read. */
_must_use_ hcs_result system_file_read(const struct engine *e, const char *id, uint64_t incarnation,
                                       evlog_visit_living visit, void *context, hcs_error *err);

/* adopt.c */
void adopt_done(struct system *s, struct job *job, hcs_result result, const hcs_error *err);

/* process.c */
struct process *process_new(struct system *s, uint32_t number);
void process_on_found(struct driver_system *at_driver, uint32_t number, uint32_t pid);
int process_is_settled(struct driver_system *at_driver, uint32_t number);
void processes_end_unknown(struct system *s, const char *why);
/* Those that run, for the log; @out is owned. */
size_t processes_noted(struct system *s, struct evlog_process **out);
static inline void processes_noted_drop(struct evlog_process **noted)
{
    free(*noted);
}
uint32_t processes_running(struct system *s);
void process_on_started(struct driver_system *at_driver, uint64_t number, uint32_t process,
                        uint32_t pid);
void process_on_exited(struct driver_system *at_driver, uint32_t number, const hcs_exit *report);
void process_create_failed(struct system *s, struct job *job, hcs_result result,
                           const hcs_error *err);
void process_settle(struct process *p);
void process_free(struct process *p);

/* sub.c */
void subs_pump(struct engine *e);
void subs_renumber(struct engine *e, uint64_t lost); /* as system_renumber() */
void subs_end(struct engine *e, uint64_t incarnation, const char *reason);

#endif
