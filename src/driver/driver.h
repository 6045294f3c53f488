/* driver.h - the border between the engine and what really runs a system.
 *
 * The engine decides what a happening means; a driver makes it happen and says how it went.
 * Everything runs on the daemon's one loop thread and nothing here may block for longer than a
 * file system call.  A verb that takes time gets a job number and is answered by exactly one
 * `done` (or `process_started`) with that number, which may come before the verb has returned.
 */
#ifndef HCS_DRIVER_DRIVER_H
#define HCS_DRIVER_DRIVER_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "attr.h"
#include "doc.h"
#include "hcs/event.h"

#define DRIVER_ADOPT_US 5000000 /* from adopt to done, at most */

struct driver_system;

/* What a driver may tell the engine. */
struct driver_events {
    /* A verb is done; @result and @err (NULL when good) say how.  Not for process_create that
     * worked. */
    void (*done)(struct driver_system *s, uint64_t job, hcs_result result, const hcs_error *err);

    /* A process_create worked; @number is the engine's number of the process, @pid the host's. */
    void (*process_started)(struct driver_system *s, uint64_t job, uint32_t number, uint32_t pid);

    /* Process @number has ended, once for each that started, after its process_started. */
    void (*process_exited)(struct driver_system *s, uint32_t number, const hcs_exit *report);

    /* Of an adopted system: process @number runs as @pid, but no hcsd got as far as telling its
     * start; whoever asked for it is gone.  With @pid 0 that may still come to be: no other process
     * may have the number. */
    void (*process_found)(struct driver_system *s, uint32_t number, uint32_t pid);

    /* Of an adopted system: 1 when the exit of process @number was durable before: a record of it
     * may be deleted, and it is not to be told. */
    int (*is_settled)(struct driver_system *s, uint32_t number);

    /* Anything else that happened to a system that has not ended: kind and document as HCS has
     * them, or a kind HCS may have one day.  @detail is JSON text of at most 32 KiB, or "". */
    void (*happened)(struct driver_system *s, hcs_event_kind kind, const char *detail);

    /* The system has ended: once, after a create that worked and after process_exited of all its
     * processes. `how` is HCS_EXIT_STATUS or HCS_EXIT_UNKNOWN.  The driver says GRACEFUL after its
     * own shut_down, FORCED after its own terminate, UNEXPECTED otherwise. */
    void (*exited)(struct driver_system *s, const hcs_exit *report);
};

/* One system as a driver sees it.  Made and owned by the engine; valid from create to the return of
 * forget. */
struct driver_system {
    const char *id;
    uint64_t incarnation;
    const struct doc_system *doc; /* NULL for one that is adopted only to be cleaned */
    const char *run_dir; /* absolute; private to this system; exists, mode 0700; empty before a
                          * create; the engine removes it after `clean`; in it the name `system`,
                          * alone or with a dot and more, is the engine's */
    const struct driver_events *tell;
    void *data; /* the driver's own */
};

struct driver;

/* A process that runs, as far as the event log knows. */
struct driver_process {
    uint32_t number;
    uint32_t pid;
};

struct driver_known {
    const struct driver_process *processes; /* by number */
    size_t n_processes;
};

struct driver_ops {
    const char *name;      /* "oci" */
    const char *isolation; /* "namespaces" or "none": what its systems have */

    /* Whether @doc can be honoured on this host, every field of it; otherwise the error names the
     * JSON path and the reason.  May look at the file system; starts nothing. */
    hcs_result (*check)(struct driver *d, const struct doc_system *doc, hcs_error *err);

    /* Prepare a system; programs do not run yet.  After a failed create only clean and forget
     * follow. */
    void (*create)(struct driver *d, struct driver_system *s, uint64_t job);
    void (*start)(struct driver *d, struct driver_system *s, uint64_t job);

    /* Ask it to stop cleanly; done when it was told. */
    void (*shut_down)(struct driver *d, struct driver_system *s, uint64_t job);

    /* End it by force; done when the order is on its way; `exited` follows. */
    void (*terminate)(struct driver *d, struct driver_system *s, uint64_t job);

    /* Run a program.  @fds are its stdin, stdout, stderr, borrowed for the call; none is negative.
     */
    void (*process_create)(struct driver *d, struct driver_system *s, uint64_t job, uint32_t number,
                           const struct doc_process *doc, const int fds[3]);
    hcs_result (*process_signal)(struct driver *d, struct driver_system *s, uint32_t number,
                                 int signal, hcs_error *err);

    /* The exit of process @number, or with 0 of the system, is durable in the event log: its exit
     * record may be deleted. */
    void (*settled)(struct driver *d, struct driver_system *s, uint32_t number);

    /* After `exited` or a failed create: remove every trace outside run_dir (cgroups, mounts, the
     * keeper). */
    void (*clean)(struct driver *d, struct driver_system *s, uint64_t job);

    /* Release driver data, now; the daemon may be leaving.  Cannot fail; a keeper that still runs
     * is left alone. */
    void (*forget)(struct driver *d, struct driver_system *s);

    /* In place of create: take over a system that an hcsd before this one left in its run_dir. What
     * happened meanwhile is told as always.  `done` comes within DRIVER_ADOPT_US: when all is told,
     * or when the keeper is too slow, and then that is told later.  With a failure (a keeper that
     * is gone) `exited` follows: unknown, or the truth where there is another witness. With
     * @known_opt NULL nobody wants to hear of it: `done`, then only clean and forget follow.
     * @known_opt is borrowed for the call. */
    void (*adopt)(struct driver *d, struct driver_system *s, uint64_t job,
                  const struct driver_known *known_opt);

    /* What it is and can do, as a JSON object for GetInfo (new reference); NULL when out of memory.
     */
    json_t *(*info)(struct driver *d);

    void (*drop)(struct driver *d);
};

/* Every driver's own struct begins with this. */
struct driver {
    const struct driver_ops *ops;
};

#endif
