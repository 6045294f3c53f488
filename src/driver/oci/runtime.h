/* runtime.h - the command line of an OCI runtime, and what its log says when it refuses. */
#ifndef HCS_DRIVER_OCI_RUNTIME_H
#define HCS_DRIVER_OCI_RUNTIME_H

#include "attr.h"
#include "bundle.h"
#include "hcs/error.h"

enum runtime_flavour { RUNTIME_CRUN, RUNTIME_RUNC };

/* An OCI runtime program. */
struct runtime {
    enum runtime_flavour flavour;
    char *path;    /* absolute */
    char *version; /* "1.8.1" */
    char *root;    /* its --root: where it keeps its own state */
};

enum runtime_verb {
    RUNTIME_RUN,  /* bundle, pid_file: create and start in one, for the first process is ours */
    RUNTIME_EXEC, /* process, pid_file; descriptor 3 is given on */
    RUNTIME_KILL, /* with SIGKILL */
    RUNTIME_PAUSE,
    RUNTIME_RESUME,
    RUNTIME_DELETE,
    RUNTIME_DELETE_FORCE,
    N_RUNTIME_VERBS
};

struct runtime_command {
    enum runtime_verb verb;
    const char *name; /* of the container */
    const char *log;  /* where it writes why it refused */
    const char *bundle;
    const char *process; /* file with process.json */
    const char *pid_file;
};

void runtime_done(struct runtime *rt);

/* Owned, NULL-terminated arguments; runtime_argv_drop(). */
_must_use_ hcs_result runtime_argv(const struct runtime *rt, const struct oci_mode *mode,
                                   const struct runtime_command *command, char ***out,
                                   hcs_error *err);
void runtime_argv_drop(char ***argv);

/* Write a file that a runtime will read once; it need not survive a crash. */
_must_use_ hcs_result runtime_write_input(const char *path, const char *text, hcs_error *err);

/* "run", "exec": for texts. */
const char *runtime_verb_name(enum runtime_verb verb);

/* The last error of a log in JSON lines as one plain line, without the runtime's own prefixes.
 * Returns 1 when there is one; else 0, and @out is "". */
int runtime_log_error(const char *log_text, char *out, size_t size);

/* Fill @err with why @verb did not work: from the log at @path, else from the wait status. */
hcs_result runtime_failure(enum runtime_verb verb, const char *log_path, uint32_t wait_status,
                           hcs_error *err);

/* The same for an exec; @line is what runtime_log_error() gave. */
hcs_result runtime_exec_failure(const char *line, hcs_error *err);

#endif
