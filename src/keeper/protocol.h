/* protocol.h - what hcsd and a keeper say to each other.
 *
 * A SOCK_SEQPACKET unix socket in the system's run directory; a message is a header, then strings,
 * each ended by a NUL. Both sides run on one machine and come from one build; `version` in HELLO
 * catches a mixed pair.  The keeper serves one hcsd at a time; a new connection replaces the old
 * one.
 *
 * The keeper knows processes by the numbers hcsd gives them (never by pid alone), keeps every exit
 * until it is acknowledged, in a file and in memory, and tells all of them to each new connection.
 */
#ifndef HCS_KEEPER_PROTOCOL_H
#define HCS_KEEPER_PROTOCOL_H

#include <stdint.h>

#define KEEPER_VERSION 2u
#define KEEPER_MESSAGE_MAX (160u * 1024u) /* header and strings */
#define KEEPER_PROCESSES_MAX 1024u  /* tracked at once, ended but unacknowledged ones included */
#define KEEPER_STRINGS_MAX 4096u    /* in one message */
#define KEEPER_COMMANDS_MAX 64u     /* RUNs that have not ended; one more is answered with EAGAIN */
#define KEEPER_SOCKET "keeper.sock" /* in the run directory */
#define KEEPER_RECORD_PREFIX "exit." /* exit.NUMBER, in the run directory */

enum keeper_message {
    /* hcsd to keeper; each is answered by one KEEPER_DONE with the same tag, but ACK and QUIT by
       none */
    KEEPER_RUN = 1, /* run a program to its end.  strings: pid file ("" none), argv...  fds: 0 or 3.
                     * `number`: when the program ends with 0 and there is a pid file, the pid in it
                     * becomes process `number`.  `value` 1: it gets a descriptor KEEPER_REPORT_FD
                     * on which that process says how far it has come; TRACKED and EXITED tell it */
    KEEPER_SPAWN = 2,  /* start process `number` as a child.  strings: directory ("" as it is), how
                          many arguments (decimal), argv..., environment...  fds: 3 */
    KEEPER_SIGNAL = 3, /* send signal `value` to process `number` */
    KEEPER_SIGNAL_ALL = 4, /* send signal `value` to every process in the keeper's care, known by
                            * number or not; after SIGKILL whatever comes to light is killed, too,
                            * until nothing is left but RUNs begun since */
    KEEPER_ACK = 5,  /* the exit of `number` is durable elsewhere: forget it, remove its record */
    KEEPER_QUIT = 6, /* kill what is left, then leave */

    /* keeper to hcsd */
    KEEPER_HELLO = 16,   /* first message; `value` is KEEPER_VERSION, `pid` the keeper's */
    KEEPER_TRACKED = 17, /* after HELLO: process `number` lives as `pid`; `tag` is what was asked of
                          * it (enum keeper_asked), `value` how far it has come (KEEPER_STAGE) and
                          * `error` the errno with which it was refused.  Told again whenever that
                          * changes.  With `pid` 0: the RUN of a connection that is gone may still
                          * leave it behind; then it is told again, or NOTHING is */
    KEEPER_READY = 18,  /* after HELLO, the TRACKED and the EXITED of old; `value` is what was asked
                         * of all (enum keeper_asked) */
    KEEPER_DONE = 19,   /* `tag` is done.  RUN: `status` is the wait status, `pid` the process read
                         * from the pid file (0 none);    SPAWN: `pid`, or `error` is the errno of the
                         * step that `value` names (enum keeper_step);    SIGNAL, SIGNAL_ALL: `error`.
                         * RUN, too: `error` and `value` when the program cannot be started; `error`
                         * alone when it ended    with 0 but its pid file cannot be read (its errno),
                         * makes no sense (EINVAL) or names a    process that is not the keeper's
                         * (ECHILD).  SIGNAL: ESRCH when it has ended or there is no    such number.
                         * SIGNAL_ALL: ESRCH when there is no process at all.  RUN and SPAWN, without
                         * a    step: EEXIST the number is taken, ENOBUFS or EAGAIN a table is full,
                         * ESHUTDOWN everything is    being killed */
    KEEPER_EXITED = 20, /* process `number`, `pid`, ended with wait status `status` at the two
                         * times; `tag`, `value` and `error` as in TRACKED */
    KEEPER_EMPTY = 21,  /* no process is left in the keeper's care (after having had one); the
                         * program  of a RUN is none, but while it runs it is not empty.  Told again
                         * to a new  connection, after READY */
    KEEPER_NOTHING = 22 /* process `number`, which was TRACKED with pid 0, has come to nothing */
};

/* Signals that were passed on: a later hcsd has to know what an earlier one was asked for. */
enum keeper_asked {
    KEEPER_ASKED_TERM = 1,
    KEEPER_ASKED_KILL = 2,
    KEEPER_ALONE = 4 /* in READY: nobody is in the keeper's care */
};

/* Where a SPAWN, or a --enter, failed.  EXEC fails with ELIBACC when the program is there and the
 * interpreter or loader that it names is not. */
enum keeper_step { KEEPER_STEP_FORK = 1, KEEPER_STEP_DIRECTORY = 2, KEEPER_STEP_EXEC = 3 };

/* What `hcs-keeper --enter DIRECTORY PROGRAM [ARGUMENT...]` says on its descriptor 3, a
 * SOCK_SEQPACKET socket: first one with `step` 0, I am there; then nothing more, and the end of the
 * connection, when it has become the program; else why not.  The runtime's word that it has
 * started something is no sign that the program runs.  The keeper has the other end, so that what
 * was said outlives hcsd. */
struct keeper_report {
    int32_t step;
    int32_t error;
};
#define KEEPER_REPORT_FD 3

/* What was said there so far.  A report that somebody else holds open may stay at THERE for ever.
 */
enum keeper_stage {
    KEEPER_STAGE_NONE,    /* nothing yet, or there is no report */
    KEEPER_STAGE_THERE,   /* it was reached */
    KEEPER_STAGE_RUNS,    /* it has become the program */
    KEEPER_STAGE_REFUSED, /* it could not, at a step, with an errno */
    KEEPER_STAGE_NEVER    /* it ended without having been reached */
};

/* Stage and step in one `value`. */
#define KEEPER_STAGE(value) ((enum keeper_stage)((value) &0xff))
#define KEEPER_STAGE_STEP(value) ((value) >> 8)

struct keeper_header {
    uint32_t type;
    uint32_t tag;
    uint32_t number;
    int32_t value;
    int32_t pid;
    int32_t error;   /* errno, 0 none */
    uint32_t status; /* raw wait status */
    uint32_t n_strings;
    uint64_t realtime_ns;
    uint64_t monotonic_ns;
};

#endif
