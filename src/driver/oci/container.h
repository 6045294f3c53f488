/* container.h - one container of the OCI driver: its life (container.c), the programs in it
 * (process.c) and its removal (clean.c). */
#ifndef HCS_DRIVER_OCI_CONTAINER_H
#define HCS_DRIVER_OCI_CONTAINER_H

#include <systemd/sd-event.h>

#include "attr.h"
#include "bundle.h"
#include "channel.h"
#include "driver.h"
#include "list.h"
#include "oci.h"
#include "probe.h"

/* The keeper's number of a container's init; the engine's numbers of processes begin at 1. */
#define INIT_NUMBER UINT32_MAX

struct oci {
    struct driver driver;
    sd_event *loop;
    char *keeper_program;
    uint32_t service; /* tells its containers and control groups from those of another service */
    struct oci_host host;
    struct probe_found found; /* runtime and mode */
    uint64_t start_limit_us;  /* see oci_options */
};

struct container {
    struct oci *oci;
    struct driver_system *system;
    struct channel *channel;    /* NULL: not yet, or lost */
    char name[BUNDLE_NAME_MAX]; /* what the runtime calls it */
    char *memory_directory;     /* whose OOM kills are counted; NULL: no memory limit */
    struct list jobs;           /* struct job: what the keeper has not answered yet */
    struct list processes;      /* struct process */
    uint32_t last_tag;
    uint32_t init_pid;
    uint64_t init_birth;
    int init_pidfd; /* -1: none */
    int created;    /* create worked: its end will be told */
    int told;       /* its end has been told */
    int asked_shut_down;
    int asked_terminate;
    int listen_tries; /* looks whether init listens */
    int init_ended;
    uint32_t init_status;   /* wait status, once init_ended... */
    int init_is_told;       /* ...and somebody saw it */
    char lost[128];         /* why the keeper is gone; "": it is not */
    sd_event_source *timer; /* of whatever the container waits for; one thing at a time */
    sd_event_source *watch; /* its init after the keeper was lost, or a runtime run by clean.c */
    int is_adopted;         /* an earlier hcsd made it */
    int adopting;           /* and its keeper has not told all it knows */
    int leftover;           /* it is only to be cleaned up */
    int init_seen;
    uint64_t adopt_job; /* 0: answered */
    sd_event_source *adopt_timer;
    uint64_t clean_job;
    int cleaning;
    int clean_tries;
    int strays_possible; /* the keeper was lost while it ran a command */
    int scans_without_strays;
    pid_t delete_pid;      /* of the runtime that clean.c runs by itself; 0: none */
    hcs_error clean_error; /* the first of cleaning */
};

enum job_what { JOB_CREATE, JOB_SHUT_DOWN, JOB_TERMINATE, JOB_PROCESS, JOB_DELETE };

struct process;

/* Something the keeper was asked, by tag. */
struct job {
    struct list link;
    enum job_what what;
    uint32_t tag;
    uint64_t job;            /* the engine's number; of no meaning for JOB_DELETE */
    struct process *process; /* JOB_PROCESS */
    int held;                /* JOB_SHUT_DOWN: not sent yet, see container_shut_down() */
};

/* container.c */
_must_use_ hcs_result container_new(struct oci *oci, struct driver_system *s,
                                    struct container **out, hcs_error *err);
void container_create(struct container *c, uint64_t job);
void container_start(struct container *c, uint64_t job);
void container_shut_down(struct container *c, uint64_t job);
void container_terminate(struct container *c, uint64_t job);
void container_settled(struct container *c, uint32_t number);
void container_drop(struct container *c);

/* Ask the keeper to run a verb of the runtime without more arguments; its answer is job @what. */
_must_use_ hcs_result container_run(struct container *c, enum job_what what, enum runtime_verb verb,
                                    uint64_t job, hcs_error *err);

/* Answer everything the keeper has not: @code, @why. */
void container_fail_jobs(struct container *c, hcs_result code, const char *why);

/* Ask the keeper to run the exec of @p; the answer goes to process_answered(). */
_must_use_ hcs_result container_exec(struct container *c, struct process *p, uint64_t job,
                                     const struct runtime_command *command, const int fds[3],
                                     uint32_t number, hcs_error *err);

/* The keeper is gone, or as good as gone: @why. */
void container_lost(struct container *c, const char *why);
hcs_result container_find_keeper(struct container *c, hcs_error *err);
void container_try_end(struct container *c);

/* Whether there is anybody to ask. */
_must_use_ hcs_result container_check(const struct container *c, hcs_error *err);

void container_tell_done(struct container *c, uint64_t job, hcs_result result,
                         const hcs_error *err);
hcs_result container_no_memory(const struct container *c, hcs_error *err);
uint64_t container_oom_kills(const struct container *c);

/* Remove a file of the run directory, if it is there. */
void container_remove_file(const struct container *c, const char *name);

/* Owned path of a file in the run directory; NULL when out of memory. */
char *container_path(const struct container *c, const char *format, ...) _printf_(2, 3);

/* process.c */
void container_process_create(struct container *c, uint64_t job, uint32_t number,
                              const struct doc_process *doc, const int fds[3]);
_must_use_ hcs_result container_process_signal(struct container *c, uint32_t number, int signal,
                                               hcs_error *err);
void process_answered(struct container *c, struct process *p, uint32_t wait_status, uint32_t pid,
                      int os); /* JOB_PROCESS is answered */
void process_exited(struct container *c, const struct channel_exit *exit);
void process_tracked(struct container *c, const struct channel_process *told);
void process_nothing(struct container *c, uint32_t number);
_must_use_ hcs_result process_restore(struct container *c, const struct driver_process *known,
                                      hcs_error *err);
void processes_confirm(
    struct container *c); /* the keeper has told all: whoever it left out is lost */
void processes_witness(struct container *c); /* it is gone: whose end can be seen without it? */
void processes_end(struct container *c); /* the container has ended, and whoever is in the list */
void processes_fail(struct container *c,
                    hcs_error *err);  /* nobody will say any more whether they start */
void process_drop(struct process *p); /* NULL is allowed */
void processes_drop(struct container *c);

/* adopt.c */
void container_adopt(struct container *c, uint64_t job, const struct driver_known *known_opt);
void adopt_answer(struct container *c, hcs_result result, const hcs_error *err);
void adopt_note_init(struct container *c); /* for the hcsd after this one */
void adopt_saw_init(struct container *c, const struct channel_process *init);
void adopt_asked(struct container *c, uint32_t asked);
void adopt_ready(struct container *c);
void adopt_testify(struct container *c); /* ends that are known without a keeper */
int adopt_witness_init(struct container *c);

/* clean.c */
void clean_begin(struct container *c, uint64_t job);
void clean_deleted(struct container *c, hcs_result result,
                   const hcs_error *err); /* JOB_DELETE is answered */
void clean_lost(struct container *c);     /* the keeper is gone while cleaning */
void clean_abandon(struct container *c);  /* release what cleaning holds */

#endif
