/* program.h - run a program in a system as if it were our own: our handles, our signals, its exit
 * status.
 *
 * On Windows there is exec only: that part of this file that it needs. */
#ifndef HCS_CLI_PROGRAM_H
#define HCS_CLI_PROGRAM_H

#include "cli.h"
#ifndef _WIN32
#include "pump.h"
#endif

/* What a program has said and nobody has read is no more than this: more than the buffers of two
 * sockets.  Who has its handles and says nothing for so long is not waited for, once it has ended.
 */
#define LAST_WORDS_BYTES (32u << 20)
#define LAST_WORDS_MS 1000

/* What the third Ctrl-C ends. */
enum program_third { THIRD_KILLS_SYSTEM, THIRD_KILLS_PROCESS };

struct program {
    hcs_host *host;     /* borrowed */
    hcs_system *system; /* borrowed */
    enum program_third third;
    hcs_process *process;
#ifndef _WIN32
    int signals; /* signalfd */
    hcs_stream *stream;
    struct pump pump;    /* of a host that takes no handles of ours */
    int pending;         /* signal that came before there was a process, 0 none */
    unsigned interrupts; /* how many times the user pressed Ctrl-C */
    int has_exit;
    hcs_exit exit;
    int system_ended;
    int reconnects; /* the stream goes on when the service is back */
    int is_away;    /* the service is gone, and waited for */
    int is_lost;    /* the stream says nothing more */
#endif
};

/* Signals are kept for the program from here on: a Ctrl-C no longer ends hcs. */
HCS_MUST_USE int program_init(struct program *p, hcs_host *host, enum program_third third);
void program_done(struct program *p);

/* Run @parameters in p->system to the end.  A service that goes away meanwhile is waited for (on
 * Linux), and said to be.  Returns the exit status; what went wrong was printed. */
int program_run(struct program *p, const char *parameters);

#ifndef _WIN32

/* Wait for an operation, noting signals.  @take_op is closed. */
HCS_MUST_USE hcs_result program_finish_op(struct program *p, hcs_op *take_op, hcs_error *err);

/* Read the stream until the system has ended.  0, or -1 when it has not after @timeout_ms. */
int program_await_system(struct program *p, int timeout_ms);

/* Note when a call failed because the service is gone. */
void program_note_loss(struct program *p, hcs_result result);

/* Wait until the service can be asked again.  0, or -1 when it will not be: what it did for us is
 * left as it is. */
HCS_MUST_USE int program_await_service(struct program *p);

#endif

/* ---- parameters.c ---- */

/* A ProcessParameters document, owned; NULL after a usage error was printed to *@out_status.
 * @environment holds K=V, or K for the value it has here. */
char *program_parameters(const struct command *self, const struct arguments *words,
                         const struct opt_list *environment, const char *directory_opt,
                         int *out_status);

/* The document with a pipe for each standard handle, owned; NULL when out of memory. */
char *program_with_pipes(const char *parameters);

#endif
