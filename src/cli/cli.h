/* cli.h - what the files of hcs share: commands, exit statuses, and how handles are let go.
 *
 * hcs knows the public headers and nothing else of the library: what it can do, any program can.
 */
#ifndef HCS_CLI_CLI_H
#define HCS_CLI_CLI_H

#include <stdlib.h>

#include <hcs/hcs.h>
#include <jansson.h>

#include "option.h"
#include "output.h"

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _printf_(fmt, args) OUTPUT_FORMAT(fmt, args)
#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* Exit statuses.  Those of run and exec are what users of containers expect. */
enum {
    STATUS_OK = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_NO_SERVICE = 3,       /* status: no service can be reached */
    STATUS_OURS = 125,           /* run, exec: hcs or the service failed, not the program */
    STATUS_NOT_EXECUTABLE = 126, /* run, exec */
    STATUS_NOT_FOUND = 127       /* run, exec */
};

struct command {
    const char *name;
    const char *arguments; /* as the usage line shows them */
    const char *summary;   /* one line for the list of commands */
    const char *text;      /* what --help says below the options: teaches, with examples */
    int failure; /* exit status of a failure that is ours, usage included; 0: the usual ones */
    int (*run)(const struct command *self, int argc, char **argv);
};

extern const struct command *const commands[];
extern const size_t n_commands;

extern const struct command cmd_check, cmd_create, cmd_events, cmd_exec, cmd_explain, cmd_inspect,
    cmd_kill, cmd_list, cmd_rm, cmd_rootfs, cmd_run, cmd_start, cmd_status, cmd_stop, cmd_version,
    cmd_wait;

/* ---- main.c ---- */

/* Parse the arguments after the command's name.  Prints help or what is wrong.
 * Returns: -1 go on, else the exit status to leave with. */
int cli_parse(const struct command *self, const struct opt *opts, size_t n_opts, int argc,
              char **argv, struct arguments *out);

/* "hcs: TEXT", "Try: hcs COMMAND --help".  Returns the exit status of a usage error. */
_printf_(2, 3) int cli_usage(const struct command *self, const char *format, ...);

/* Refuse a number of arguments.  Returns as cli_parse(). */
int cli_count(const struct command *self, const struct arguments *arguments, int least, int most);

/* --format table|json.  Returns as cli_parse(); *@out_json is 1 for json. */
int cli_format(const struct command *self, const char *format_opt, int *out_json);

/* The whole file @path, "-" for the standard input, as owned text.  NULL after saying what is
 * wrong. */
char *cli_read_document(const char *path);

/* Open the host that -H names, else the default one. */
HCS_MUST_USE hcs_result cli_open_host(hcs_host **out, hcs_error *err);

/* ---- letting go ---- */

static inline void host_dropp(hcs_host **p)
{
    hcs_host_close(*p);
}

static inline void system_dropp(hcs_system **p)
{
    hcs_system_close(*p);
}

static inline void process_dropp(hcs_process **p)
{
    hcs_process_close(*p);
}

static inline void stream_dropp(hcs_stream **p)
{
    hcs_stream_close(*p);
}

static inline void op_dropp(hcs_op **p)
{
    hcs_op_close(*p);
}

static inline void doc_dropp(hcs_doc **p)
{
    hcs_doc_free(*p);
}

static inline void string_dropp(char **p)
{
    hcs_string_free(*p);
}

static inline void free_dropp(char **p)
{
    free(*p);
}

static inline void json_dropp(json_t **p)
{
    json_decref(*p);
}

#endif
