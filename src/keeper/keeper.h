/* keeper.h - the inside of the keeper: its whole state, and who does what to it.
 *
 * One process, one thread, no allocation: every table has its size here.  The tables live in zeroed
 * memory, so what is never used costs nothing.
 */
#ifndef HCS_KEEPER_KEEPER_H
#define HCS_KEEPER_KEEPER_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol.h"

/* NOTHING: it was announced as perhaps to come, and does not. */
enum process_state {
    PROCESS_FREE,
    PROCESS_RESERVED,
    PROCESS_LIVING,
    PROCESS_ENDED,
    PROCESS_NOTHING
};

/* A process that hcsd knows by number. */
struct process {
    enum process_state state;
    uint32_t number;
    pid_t pid;
    uint32_t status;
    uint64_t realtime_ns;
    uint64_t monotonic_ns;
    uint8_t held; /* the DONE that announces it has not been sent: say nothing about it before */
    uint8_t announced; /* to the present connection, by DONE or TRACKED */
    uint8_t told;      /* its exit, to the present connection */
    uint8_t orphaned;  /* RESERVED by a connection that is gone */
    uint8_t asked;     /* enum keeper_asked */
    uint8_t stage;     /* enum keeper_stage */
    uint8_t stage_told;
    uint8_t refused_step;
    int refused_error;
    int report_fd; /* -1: nothing more will be said there */
};

/* ADOPTING: the program has ended well, and what it left behind is not the keeper's child yet,
 * because a parent in between is still ending (`crun run --detach` has one). */
enum command_state { COMMAND_FREE, COMMAND_RUNNING, COMMAND_ADOPTING, COMMAND_DONE };

/* A command that waits for its end, or for room on the connection for its answer. */
struct command {
    enum command_state state;
    pid_t pid;               /* of the program of a RUN */
    uint8_t foreign;         /* the connection that gave it is gone: nobody wants the answer */
    uint8_t spared;          /* it began after the order to kill all, so that does not mean it */
    struct process *process; /* what it started or may start, or NULL */
    struct keeper_header answer;
};

/* The exit of a process without a number, kept while a RUN may still name it in its pid file. */
struct stranger {
    pid_t pid;
    uint32_t status;
    uint64_t realtime_ns;
    uint64_t monotonic_ns;
};

/* Whether the keeper has processes (programs of RUN do not count). */
enum care { CARE_NEVER, CARE_SOME, CARE_NONE };

struct keeper {
    int epoll_fd;
    int signal_fd;
    int listen_fd;
    int connection_fd; /* -1 none */
    uint32_t watched;  /* epoll events asked for on the connection */
    uint8_t blocked;   /* the connection took no more */
    uint8_t hello_due;
    uint8_t ready_due;
    uint8_t empty_due;
    uint8_t killing; /* kill whatever comes to light until nothing is left */
    uint8_t quitting;
    uint8_t asked; /* of all: enum keeper_asked */
    enum care care;
    struct process processes[KEEPER_PROCESSES_MAX];
    size_t n_processes; /* entries after this one were never used */
    struct command commands[KEEPER_COMMANDS_MAX];
    char pid_files[KEEPER_COMMANDS_MAX][PATH_MAX]; /* of each; apart, for they are large */
    struct command answer;                         /* of a command that is done at once */
    struct stranger strangers[KEEPER_PROCESSES_MAX];
    size_t n_strangers;
    size_t next_stranger; /* the oldest once the table is full */
    size_t n_awaiting;    /* RUNs with a pid file that have not ended */
};

/* care.c */
struct process *care_find(struct keeper *k, uint32_t number);
struct process *care_reserve(struct keeper *k, uint32_t number, int *out_error);
void care_release(struct process *p);
void care_took_on(struct keeper *k);
void care_reap(struct keeper *k);
void care_asked(uint8_t *asked, int signal);
void care_forget(struct keeper *k, uint32_t number);

/* report.c */
int report_begin(struct keeper *k, struct process *p, int *out_fd); /* 0 or an errno */
void report_ready(struct keeper *k, int fd);
void report_end(struct process *p);
int32_t report_value(const struct process *p);

/* sweep.c */
size_t sweep_signal(struct keeper *k, int signal, int *out_error);
int sweep_is_descendant(pid_t pid); /* now; the number may be somebody else's soon */

/* start.c */
struct program {
    char *const *argv;
    char *const *environment;
    const char *directory; /* "" as it is */
    const int *fds; /* its descriptors from 0 on; without any the first three are /dev/null */
    size_t n_fds;   /* 0, 3 or 4 */
    int is_own;     /* in a session of its own, and never to outlive the keeper */
};

/* 0, or the errno of the step that *@out_step then names. */
int start_program(const struct program *what, pid_t *out_pid, int *out_step);

/* Become a program, found by the PATH of @environment; returns only when that failed: why not. */
int start_become(char *const argv[], char *const environment[]);

/* enter.c */
int enter_main(char **argv);

/* talk.c */
void talk_accept(struct keeper *k);
void talk_receive(struct keeper *k);
void talk_flush(struct keeper *k);

/* init.c */
int init_main(void);

/* complain.c: one line on stderr, without stdio and without locales. */
void complain(const char *what, const char *object, int os);

#endif
