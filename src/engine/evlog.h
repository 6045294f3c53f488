/* evlog.h - the one place where an event gets its number.
 *
 * An append stamps sequence and clocks and encodes the event once; a commit makes all appended
 * events durable in one transaction; only then can they be read.  Numbers are dense, from 1, and go
 * on over restarts and reboots of the machine.  The file is SQLite in WAL mode, synchronous FULL.
 *
 * The oldest events go when there are more than is kept.  A file that is damaged, found so at
 * opening or while the service runs, is set aside and a new log begun, with another id and numbers
 * from 1.  docs/events.md is the contract.
 *
 * The same file remembers systems that have ended, written in the transaction of their exit event.
 *
 * Loop thread only; every call may block for as long as the disk takes.
 */
#ifndef HCS_ENGINE_EVLOG_H
#define HCS_ENGINE_EVLOG_H

#include <systemd/sd-event.h>

#include "attr.h"
#include "hcs/event.h"
#include "list.h"

struct evlog;

/* Room for one event, reserved ahead so that the append cannot fail for lack of memory. */
struct evlog_slot;

struct evlog_options {
    const char *path;        /* file, or ":memory:" */
    uint64_t events_max;     /* the newest so many are kept; at most an eighth more */
    uint64_t bytes_max;      /* of the events in the file, likewise; 0: no limit */
    uint64_t age_max_ns;     /* older ones go within about a minute; 0: no limit */
    uint64_t ended_max;      /* remembered systems that have ended */
    const char *boot_id;     /* NULL: that of this machine */
    uint64_t (*clock)(void); /* NULL: the machine's; ns since 1970 */
};

/* How the log is; strings are borrowed until the next call that changes the log. */
struct evlog_status {
    const char *log_id;
    uint64_t first, last; /* as evlog_first(), evlog_last() */
    uint64_t events;      /* that can be read */
    uint64_t event_bytes; /* what they count for bytes_max */
    uint64_t file_bytes;  /* of the file and what belongs to it */
    uint64_t events_max, bytes_max, age_max_ns;
    uint64_t pending;            /* events that wait for a commit */
    uint64_t pending_bytes;      /* memory of those */
    uint64_t stuck_since_ns;     /* realtime since when no commit has worked; 0: it works */
    const char *error;           /* of the last commit that did not work; "" none since the start */
    uint64_t set_aside;          /* damaged files that are kept beside this one */
    const char *set_aside_path;  /* the newest of them, "" none */
    const char *previous_log_id; /* as evlog_previous() */
    uint64_t previous_last;
};

/* A new log was begun in place of a damaged one.  What was pending has new numbers: @last less. */
struct evlog_renewal {
    const char *log_id; /* of the one that was set aside */
    uint64_t last;      /* its newest durable event */
};

/* A system that has ended, as remembered.  Strings are borrowed for the call. */
struct evlog_ended {
    hcs_event_system system;
    uint64_t first_sequence; /* its events are between these */
    uint64_t exit_sequence;
    hcs_exit exit;
    const char *detail; /* SystemExitStatus */
};

/* One of its processes, known by the engine's number: pids are used again. */
struct evlog_process {
    uint32_t number;
    uint32_t pid;
    uint64_t exit_sequence; /* 0: it runs, as far as the log knows */
};

/* A system that lives, noted so that the next hcsd can take it over.  Strings are borrowed for the
 * call. */
struct evlog_living {
    hcs_event_system system;
    uint64_t first_sequence;
    uint64_t started_ns;                   /* realtime of its start; 0: it was not started */
    const char *document;                  /* "": the file is from a time when none was kept */
    const char *boot_id;                   /* of the host when it was made; "" as well */
    const struct evlog_process *processes; /* that it has already; not set by evlog_list_living() */
    size_t n_processes;
};

/* A damaged file is set aside as PATH.damaged-TIME, said in the log, and a new one begun.  A file
 * of an older hcsd is brought up to date; one of a newer hcsd is refused.  One that is up to date
 * is not written, so that a full disk does not keep the service from beginning. */
_must_use_ hcs_result evlog_open(sd_event *loop, const struct evlog_options *options,
                                 struct evlog **out, hcs_error *err);
void evlog_close(struct evlog *log);

/* Id of this log: another one after the file was lost. */
const char *evlog_id(const struct evlog *log);

/* The log that this one replaced, and its newest event; "" when there was none or when it could not
 * be known exactly. */
const char *evlog_previous(const struct evlog *log, uint64_t *out_last);

/* Told within evlog_commit() after a new log was begun: what is noted as living must be noted
 * again, readers must be told.  Systems that had ended are remembered still, if they could be read.
 */
void evlog_on_renewal(struct evlog *log,
                      void (*renewed)(void *context, const struct evlog_renewal *renewal),
                      void *context);

/* The boot of the machine in which an event was numbered, without which its monotonic time means
 * nothing; "" when it is not known.  Borrowed until the next call. */
const char *evlog_boot_at(struct evlog *log, uint64_t sequence);

void evlog_get_status(const struct evlog *log, struct evlog_status *out);

uint64_t evlog_first(const struct evlog *log); /* oldest event still there; last + 1 when none */
uint64_t evlog_last(const struct evlog *log);  /* newest durable event; 0 when none ever */

/* A number that no system of this log has had, for a new one.  Durable with the next commit. */
uint64_t evlog_next_incarnation(struct evlog *log);

/* Numbers up to @incarnation were used, too, by systems that never got as far as the log. */
void evlog_skip_incarnations(struct evlog *log, uint64_t incarnation);

struct evlog_slot *evlog_reserve(size_t room); /* bytes; NULL when out of memory */
void evlog_slot_drop(struct evlog_slot *slot);

/* Number @event (sequence and clocks are set in it) and queue it in @take_slot. */
_must_use_ hcs_result evlog_append(struct evlog *log, struct evlog_slot *take_slot,
                                   hcs_event *event);

/* Before the append: the PROCESS_STARTED or PROCESS_EXITED in @slot is of process @number, which
 * is kept with it until its system has ended (of processes that have exited the newest 2048). */
void evlog_slot_process(struct evlog_slot *slot, uint32_t number);

/* Remember a system with the next commit; its exit event must have been appended. */
_must_use_ hcs_result evlog_remember(struct evlog *log, const struct evlog_ended *ended);

/* Note with the next commit that a system lives, until evlog_remember() says that it has ended; its
 * first event must have been appended.  That it has started is noted with that event. */
_must_use_ hcs_result evlog_begin_life(struct evlog *log, const struct evlog_living *living);

int evlog_has_pending(const struct evlog *log);
uint64_t evlog_pending_bytes(const struct evlog *log); /* memory of what waits */

/* Make what was appended durable.  On failure everything stays pending and may be tried again.  It
 * is also where a log that was found damaged is replaced, so it is to be called again after any
 * call here that failed. */
_must_use_ hcs_result evlog_commit(struct evlog *log, hcs_error *err);

/* Visit durable events after @after in order, at most about 64 a call, until @visit returns 0.  The
 * bytes are the Event object of the wire.  An event that is not where it must be is damage. */
typedef int (*evlog_visit)(void *context, uint64_t sequence, uint64_t incarnation,
                           hcs_event_kind kind, const char *bytes, size_t length);
_must_use_ hcs_result evlog_read(struct evlog *log, uint64_t after, evlog_visit visit,
                                 void *context, hcs_error *err);

/* The oldest event that is still there and was stamped @realtime_ns or later: everything before it
 * is earlier, though the clock may have been set back; last + 1 when there is none. */
_must_use_ hcs_result evlog_find_time(struct evlog *log, uint64_t realtime_ns,
                                      uint64_t *out_sequence, hcs_error *err);

/* Visit the events of one kind of one system between two numbers (inclusive), newest first, until
 * @visit returns 0. */
_must_use_ hcs_result evlog_read_system(struct evlog *log, uint64_t incarnation,
                                        hcs_event_kind kind, uint64_t first, uint64_t last,
                                        evlog_visit visit, void *context, hcs_error *err);

/* Newest remembered system of that id (and incarnation, unless 0): 1 found and visited, 0 not. */
typedef void (*evlog_visit_ended)(void *context, const struct evlog_ended *ended);
_must_use_ hcs_result evlog_find_ended(struct evlog *log, const char *id, uint64_t incarnation,
                                       evlog_visit_ended visit, void *context, hcs_error *err);
_must_use_ hcs_result evlog_find_incarnation(struct evlog *log, uint64_t incarnation,
                                             evlog_visit_ended visit, void *context,
                                             hcs_error *err);
_must_use_ hcs_result evlog_list_ended(struct evlog *log, evlog_visit_ended visit, void *context,
                                       hcs_error *err);

/* Systems that were noted as living, by incarnation, and the processes of one, by number. */
typedef void (*evlog_visit_living)(void *context, const struct evlog_living *living);
_must_use_ hcs_result evlog_list_living(struct evlog *log, evlog_visit_living visit, void *context,
                                        hcs_error *err);
typedef void (*evlog_visit_process)(void *context, const struct evlog_process *process);
_must_use_ hcs_result evlog_list_processes(struct evlog *log, uint64_t incarnation,
                                           evlog_visit_process visit, void *context,
                                           hcs_error *err);
_must_use_ hcs_result evlog_forget_ended(struct evlog *log, uint64_t incarnation, hcs_error *err);

#endif
