/* engine.h - compute systems, their processes and the stream of what happens to them.
 *
 * The engine decides what a request and a happening mean; drivers make things happen; whoever asks
 * (the Varlink side, a test) hands in a call and gets one answer.  Loop thread only.
 *
 * An answer that has to do with an event is given after that event is durable and was offered to
 * the streams.
 */
#ifndef HCS_ENGINE_ENGINE_H
#define HCS_ENGINE_ENGINE_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "driver.h"
#include "evlog.h"
#include "list.h"
#include "sub.h"

struct engine;

struct engine_options {
    sd_event *loop;
    struct evlog *log;
    const char *run_dir;       /* absolute; systems get a directory each below it */
    const char *boot_id;       /* of the host as it runs now; NULL: ask the kernel */
    struct driver *namespaces; /* for containers; NULL when this host can run none... */
    const char *no_namespaces; /* ...and then why */
    struct driver *plain;      /* for isolation none; NULL: refused */
    int shared;                /* others use this service too: isolation none is refused */
    uint32_t systems_max;
    uint32_t processes_max;      /* for each system, running */
    void (*gone)(void *context); /* NULL, or told after a system was cleaned up */
    void *gone_context;
};

struct answer {
    hcs_result result;
    const hcs_error *err;           /* with a negative result */
    const hcs_event_system *system; /* create, open */
    uint32_t process_id;            /* process create */
    const hcs_exit *exit;           /* waits */
    const char *detail;
    json_t *json;                        /* properties, list; borrowed */
    const struct sub_position *position; /* of a list that is a snapshot, else NULL */
};

/* One request.  Embed it; it may be dropped (call_drop) at any time before its answer, and then
 * there is none. */
struct call {
    void (*answered)(struct call *call, const struct answer *answer);

    /* the engine's */
    struct list link;
    hcs_result result;
    hcs_error err;
    hcs_exit exit;
    char *text; /* a document that waits, or the detail of the answer */
    char id[129];
    uint32_t number; /* process */
    uint32_t process_id;
    uint64_t incarnation;
    hcs_event_system system; /* its strings are the engine's */
    int has_system, has_exit;
};

void call_init(struct call *call, void (*answered)(struct call *call, const struct answer *answer));
void call_drop(struct call *call);

_must_use_ hcs_result engine_new(const struct engine_options *options, struct engine **out,
                                 hcs_error *err);
void engine_drop(struct engine *e);

/* Before anybody is served: take over the systems that an hcsd before this one left, tell what
 * happened to them meanwhile, and clean up what is left of those that have ended or never were.
 * Begun here; the loop is to run until engine_adopting() says 0, which takes a few seconds at most,
 * however many there are and whatever state they are in. */
_must_use_ hcs_result engine_adopt(struct engine *e, hcs_error *err);
uint32_t engine_adopting(const struct engine *e);

struct evlog *engine_log(struct engine *e);

/* How many systems are in each state (N_STATES of them); those that have ended are being cleaned
 * up. */
void engine_count(const struct engine *e, uint32_t *out_counts);

/* Systems that have not ended or are not yet cleaned up. */
uint32_t engine_busy(const struct engine *e);

/* Verbs that clients wait for and that a driver has not answered. */
uint32_t engine_under_way(const struct engine *e);

/* Those of them that have ended, or could not be created, and are being cleaned up. */
uint32_t engine_cleaning(const struct engine *e);

/* Each is answered once, perhaps before it returns.  @incarnation 0 means whatever system has the
 * id. */
void engine_create(struct engine *e, struct call *call, const char *id, const char *document);
void engine_open(struct engine *e, struct call *call, const char *id);
void engine_start(struct engine *e, struct call *call, const char *id, uint64_t incarnation);
void engine_shut_down(struct engine *e, struct call *call, const char *id, uint64_t incarnation);
void engine_terminate(struct engine *e, struct call *call, const char *id, uint64_t incarnation);
void engine_wait(struct engine *e, struct call *call, const char *id, uint64_t incarnation);
void engine_forget(struct engine *e, struct call *call, const char *id, uint64_t incarnation);
void engine_properties(struct engine *e, struct call *call, const char *id, uint64_t incarnation);

/* A @snapshot has the position that belongs to the states: whatever happened up to it is in them,
 * and nothing that happened after it. */
void engine_list(struct engine *e, struct call *call, const char *query_opt, int snapshot);

/* @fds are borrowed for the call. */
void engine_process_create(struct engine *e, struct call *call, const char *id,
                           uint64_t incarnation, const struct doc_process *doc, const int fds[3]);
void engine_process_wait(struct engine *e, struct call *call, const char *id, uint64_t incarnation,
                         uint32_t process_id);
void engine_process_signal(struct engine *e, struct call *call, const char *id,
                           uint64_t incarnation, uint32_t process_id, int signal);

#endif
