/* evlog.h - the one place where an event gets its number.
 *
 * An append stamps sequence and clocks and encodes the event once; a commit makes all appended
 * events durable in one transaction; only then can they be read.  Numbers are dense, from 1, and go
 * on over restarts.  The file is SQLite in WAL mode, synchronous FULL.
 *
 * The same file remembers systems that have ended, written in the transaction of their exit event.
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
    const char *path;    /* file, or ":memory:" */
    uint64_t events_max; /* the oldest beyond these are trimmed */
    uint64_t ended_max;  /* remembered systems that have ended */
};

/* A system that has ended, as remembered.  Strings are borrowed for the call. */
struct evlog_ended {
    hcs_event_system system;
    uint64_t first_sequence; /* its events are between these */
    uint64_t exit_sequence;
    hcs_exit exit;
    const char *detail; /* SystemExitStatus */
};

/* A damaged file is set aside as PATH.damaged-TIME, said in the log, and a new one begun. */
_must_use_ hcs_result evlog_open(sd_event *loop, const struct evlog_options *options,
                                 struct evlog **out, hcs_error *err);
void evlog_close(struct evlog *log);

/* Id of this log: another one after the file was lost. */
const char *evlog_id(const struct evlog *log);

uint64_t evlog_first(const struct evlog *log); /* oldest event still there; last + 1 when none */
uint64_t evlog_last(const struct evlog *log);  /* newest durable event; 0 when none ever */

/* A number that no system of this log has had, for a new one.  Durable with the next commit. */
uint64_t evlog_next_incarnation(struct evlog *log);

struct evlog_slot *evlog_reserve(size_t room); /* bytes; NULL when out of memory */
void evlog_slot_drop(struct evlog_slot *slot);

/* Number @event (sequence and clocks are set in it) and queue it in @take_slot. */
_must_use_ hcs_result evlog_append(struct evlog *log, struct evlog_slot *take_slot,
                                   hcs_event *event);

/* Remember a system with the next commit; its exit event must have been appended. */
_must_use_ hcs_result evlog_remember(struct evlog *log, const struct evlog_ended *ended);

/* Note with the next commit that a system lives, until evlog_remember() says that it has ended; its
 * first event must have been appended. */
_must_use_ hcs_result evlog_begin_life(struct evlog *log, const hcs_event_system *system,
                                       uint64_t first_sequence);

int evlog_has_pending(const struct evlog *log);

/* Make what was appended durable.  On failure everything stays pending and may be tried again. */
_must_use_ hcs_result evlog_commit(struct evlog *log, hcs_error *err);

/* Visit durable events after @after in order, at most about 64 a call, until @visit returns 0.  The
 * bytes are the Event object of the wire. */
typedef int (*evlog_visit)(void *context, uint64_t sequence, uint64_t incarnation,
                           hcs_event_kind kind, const char *bytes, size_t length);
_must_use_ hcs_result evlog_read(struct evlog *log, uint64_t after, evlog_visit visit,
                                 void *context, hcs_error *err);

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

/* Systems that were noted as living; of the rows only `system` and `first_sequence` mean anything.
 */
_must_use_ hcs_result evlog_list_living(struct evlog *log, evlog_visit_ended visit, void *context,
                                        hcs_error *err);
_must_use_ hcs_result evlog_forget_ended(struct evlog *log, uint64_t incarnation, hcs_error *err);

#endif
