/* cmd_stop.c - the verbs on systems that exist: start, stop, kill, rm, wait.
 *
 * Each takes any number of ids, does what it can for every one of them, and fails when it failed
 * for one.
 */
#include <string.h>

#include "await.h"
#include "cli.h"
#include "machine.h"
#include "output.h"

#define STOP_LIMIT_S 10
#define STOP_LIMIT_MAX_S 86400

typedef hcs_result verb(hcs_system *system, int64_t until_ms, hcs_error *err);

/* ---- the verbs ---- */

static hcs_result start(hcs_system *system, int64_t until_ms, hcs_error *err)
{
    (void) until_ms;
    return hcs_system_start(system, NULL, err);
}

static hcs_result tell_to_stop(hcs_system *system, int64_t until_ms, hcs_error *err)
{
    hcs_result r = hcs_system_shut_down(system, NULL, err);

    (void) until_ms;
    return r == HCS_E_SYSTEM_ALREADY_STOPPED ? HCS_OK : r;
}

static hcs_result force(hcs_system *system, int64_t until_ms, hcs_error *err)
{
    (void) until_ms;
    return hcs_system_terminate(system, NULL, err);
}

/* Wait for the end of a system that was told to stop; end it by force when the time is over. */
static hcs_result see_stopped(hcs_system *system, int64_t until_ms, hcs_error *err)
{
    hcs_exit report = HCS_EXIT_INIT;
    int64_t left = until_ms - machine_now_ms();
    hcs_result r = hcs_system_wait(system, left > 0 ? (int) left : 0, &report, err);

    if (r != HCS_E_OPERATION_TIMEOUT)
        return r;
    r = hcs_system_terminate(system, NULL, err);
    return r == HCS_E_SYSTEM_ALREADY_STOPPED ? HCS_OK : r;
}

static hcs_result forget(hcs_system *system, int64_t until_ms, hcs_error *err)
{
    (void) until_ms;
    return hcs_system_forget(system, err);
}

static hcs_result wait_and_tell(hcs_system *system, int64_t until_ms, hcs_error *err)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_result r = await_end(system, &report, err);
    char how[256];

    (void) until_ms;
    if (r < 0)
        return r;
    printf("%s: %s\n", hcs_system_id(system), hcs_exit_describe(&report, how, sizeof how));
    fflush(stdout); /* main() notices when it fails */
    return HCS_OK;
}

/* ---- many ids ---- */

/* The systems in @list, NULL where there is none or something failed. */
struct batch {
    hcs_system **list;
    char **ids;
    int n;
    int status;
};

static void failed(struct batch *b, int i, const hcs_error *err)
{
    output_error(err, b->ids[i]);
    hcs_system_close(b->list[i]);
    b->list[i] = NULL;
    b->status = STATUS_FAILED;
}

static void open_all(struct batch *b, hcs_host *host)
{
    for (int i = 0; i < b->n; i++) {
        hcs_error err = HCS_ERROR_INIT;

        if (hcs_system_open(host, b->ids[i], &b->list[i], &err) < 0)
            failed(b, i, &err);
    }
}

static void each(struct batch *b, verb *what, int64_t until_ms)
{
    for (int i = 0; i < b->n; i++) {
        hcs_error err = HCS_ERROR_INIT;

        if (b->list[i] && what(b->list[i], until_ms, &err) < 0)
            failed(b, i, &err);
    }
}

static int run_batch(const struct arguments *arguments, verb *first, verb *second_opt,
                     int64_t limit_ms)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(host_dropp) hcs_host *host = NULL;
    struct batch b = { NULL, arguments->items, arguments->n, STATUS_OK };

    if (cli_open_host(&host, &err) < 0) {
        output_error(&err, NULL);
        return STATUS_FAILED;
    }
    b.list = calloc((size_t) b.n, sizeof(hcs_system *));
    if (!b.list) {
        output_fail("not enough memory");
        return STATUS_FAILED;
    }
    open_all(&b, host);
    each(&b, first, 0);
    if (second_opt)
        each(&b, second_opt, machine_now_ms() + limit_ms);
    for (int i = 0; i < b.n; i++)
        hcs_system_close(b.list[i]);
    free(b.list);
    return b.status;
}

static int run_ids(const struct command *self, int argc, char **argv, verb *what)
{
    struct arguments arguments;
    int status = cli_parse(self, NULL, 0, argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 1, -1);
    return status < 0 ? run_batch(&arguments, what, NULL, 0) : status;
}

/* ---- the commands ---- */

static int run_start(const struct command *self, int argc, char **argv)
{
    return run_ids(self, argc, argv, start);
}

static int run_kill(const struct command *self, int argc, char **argv)
{
    return run_ids(self, argc, argv, force);
}

static int run_rm(const struct command *self, int argc, char **argv)
{
    return run_ids(self, argc, argv, forget);
}

static int run_wait(const struct command *self, int argc, char **argv)
{
    return run_ids(self, argc, argv, wait_and_tell);
}

static int run_stop(const struct command *self, int argc, char **argv)
{
    const char *time_text = NULL;
    const struct opt opts[] = {
        { "time", 't', OPT_TEXT, &time_text, "SEC", "end it by force after so long (default: 10)" },
    };
    char problem[OPTION_PROBLEM];
    uint64_t seconds = STOP_LIMIT_S;
    struct arguments arguments;
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 1, -1);
    if (status < 0 && time_text &&
        option_number(time_text, 0, STOP_LIMIT_MAX_S, &seconds, problem) < 0)
        status = cli_usage(self, "--time %s", problem);
    return status < 0 ? run_batch(&arguments, tell_to_stop, see_stopped, (int64_t) seconds * 1000)
                      : status;
}

const struct command cmd_start = {
    .name = "start",
    .arguments = "ID...",
    .summary = "Start systems that were created",
    .text = "A started container has no program of its own: hcs exec runs programs in it.\n\n"
            "Example:\n  hcs start web && hcs exec web -- hostname\n",
    .run = run_start,
};

const struct command cmd_stop = {
    .name = "stop",
    .arguments = "ID...",
    .summary = "Stop systems: their programs get SIGTERM, and some time",
    .text = "Returns when they have ended.  A system that has already ended is no error.\n\n"
            "Example:\n  hcs stop --time 3 web db\n",
    .run = run_stop,
};

const struct command cmd_kill = {
    .name = "kill",
    .arguments = "ID...",
    .summary = "End systems by force, at once",
    .text = "Returns when they have ended and their exit events have their numbers.\n\n"
            "Example:\n  hcs kill web\n",
    .run = run_kill,
};

const struct command cmd_rm = {
    .name = "rm",
    .arguments = "ID...",
    .summary = "Forget systems that have ended",
    .text = "Their events stay in the log: hcs events --all --filter id=ID.\n\n"
            "Example:\n  hcs stop web && hcs rm web\n",
    .run = run_rm,
};

const struct command cmd_wait = {
    .name = "wait",
    .arguments = "ID...",
    .summary = "Wait until systems have ended and say how",
    .text = "Answers at once for those that have ended.  When the service goes away it is waited "
            "for.\n\n"
            "Example:\n  hcs wait web      # web: shut down by client\n",
    .run = run_wait,
};
