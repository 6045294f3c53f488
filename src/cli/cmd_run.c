/* cmd_run.c - hcs run: a container for one program, from creation to the end.
 *
 * Owns the system it creates: whatever goes wrong, the system is ended before hcs leaves.  The exit
 * status is the program's own.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "machine.h"
#include "output.h"
#include "program.h"

#define STOP_LIMIT_MS 10000
#define TRIES 3 /* of a call over which the service goes away */
#define ID_SIZE 16

struct wishes {
    const char *rootfs, *id, *owner, *isolation, *hostname, *memory, *cpus, *workdir;
    int remove;
    struct opt_list volumes, environment;
};

static const char text[] =
    "A container is made from the root file system in DIR, started, the program run in it with\n"
    "the standard handles of hcs, and the container ended when the program has.  The exit status\n"
    "is the program's own; 128 + n when signal n ended it; 125 when hcs or the service failed,\n"
    "126 when the program cannot be executed, 127 when it is not there.  SIGINT, SIGTERM, SIGHUP\n"
    "and SIGQUIT go to the program; the third Ctrl-C ends the container by force.  A service that\n"
    "goes away is waited for: the program goes on, and its status is still the true one.\n"
    "\n"
    "Without --rootfs it is $HCS_ROOTFS, else the default of the installation.  With --isolation\n"
    "none the program is a plain process of this machine, under the same watch: for machines\n"
    "whose kernel allows no containers.\n"
    "\n"
    "Examples:\n"
    "  hcs rootfs make /tmp/busybox\n"
    "  hcs run --rm --rootfs /tmp/busybox -- sh -c 'echo hello; exit 42'; echo $?\n"
    "  hcs run --rm --rootfs /tmp/busybox -v $PWD:/src:ro -w /src --memory 256M -- ls -l\n";

/* ---- the document ---- */

/* @path, with the working directory in front when it is relative.  Owned. */
static char *absolute(const char *path)
{
    char here[PATH_MAX];
    char *whole;

    if (path[0] == '/')
        return strdup(path);
    if (!getcwd(here, sizeof here))
        return NULL;
    return asprintf(&whole, "%s/%s", here, path) < 0 ? NULL : whole;
}

static int set_absolute(const struct command *self, json_t *object, const char *key,
                        const char *path)
{
    _cleanup_(free_dropp) char *whole = absolute(path);

    if (whole && json_object_set_new(object, key, json_string(whole)) == 0)
        return -1;
    return cli_usage(self, "the path '%s' cannot be used: %s", path,
                     whole ? "it is not UTF-8" : strerror(errno));
}

static int add_rootfs(const struct command *self, const struct wishes *w, json_t *container)
{
    const char *path = w->rootfs ? w->rootfs : getenv("HCS_ROOTFS");
    json_t *storage = json_object();

    if (!path || !*path)
        path = DEFAULT_ROOTFS;
    json_object_set_new(container, "Storage", storage);
    if (*path)
        return set_absolute(self, storage, "Path", path);
    output_fail("no root file system: name one with --rootfs DIR or $HCS_ROOTFS");
    fputs("  hcs rootfs make DIR makes one from this machine's busybox\n", stderr);
    return STATUS_OURS;
}

static int add_volumes(const struct command *self, const struct opt_list *volumes,
                       json_t *container)
{
    json_t *list = json_array();

    json_object_set_new(container, "MappedDirectories", list);
    for (size_t i = 0; i < volumes->n; i++) {
        struct option_volume volume;
        char problem[OPTION_PROBLEM];
        json_t *entry = json_object();
        int status;

        json_array_append_new(list, entry);
        if (option_volume(volumes->items[i], &volume, problem) < 0)
            return cli_usage(self, "--volume %s", problem);
        status = set_absolute(self, entry, "HostPath", volume.host);
        if (status >= 0)
            return status;
        if (json_object_set_new(entry, "ContainerPath", json_string(volume.container)) < 0)
            return cli_usage(self, "--volume '%s' is not UTF-8", volumes->items[i]);
        if (volume.read_only)
            json_object_set_new(entry, "ReadOnly", json_true());
    }
    if (volumes->n == 0)
        json_object_del(container, "MappedDirectories");
    return -1;
}

/* Whole processors are a count; a part of one is a share of all that this machine has. */
static json_t *processor_of(uint64_t thousandths)
{
    uint64_t processors = (uint64_t) sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t maximum;

    if (thousandths % 1000 == 0)
        return json_pack("{s:I}", "Count", (json_int_t) (thousandths / 1000));
    maximum = (thousandths * 10 + processors / 2) / processors;
    return json_pack("{s:I}", "Maximum", (json_int_t) (maximum ? maximum : 1));
}

static int add_limits(const struct command *self, const struct wishes *w, json_t *container)
{
    char problem[OPTION_PROBLEM];
    uint64_t value;

    if (w->memory) {
        if (option_memory(w->memory, &value, problem) < 0)
            return cli_usage(self, "--memory %s", problem);
        json_object_set_new(container, "Memory",
                            json_pack("{s:I}", "SizeInMB", (json_int_t) value));
    }
    if (w->cpus) {
        if (option_cpus(w->cpus, &value, problem) < 0)
            return cli_usage(self, "--cpus %s", problem);
        json_object_set_new(container, "Processor", processor_of(value));
    }
    return -1;
}

static int add_isolation(const struct command *self, const struct wishes *w, json_t *container)
{
    const char *isolation = w->isolation ? w->isolation : "namespaces";

    if (strcmp(isolation, "namespaces") == 0)
        return add_rootfs(self, w, container);
    if (strcmp(isolation, "none") != 0)
        return cli_usage(self, "--isolation is '%s', must be 'namespaces' or 'none'", isolation);
    if (w->rootfs)
        return cli_usage(self, "--rootfs has no meaning with --isolation none: the program runs in "
                               "the root file system of this machine");
    json_object_set_new(container, "IsolationType", json_string("None"));
    return -1;
}

/* The ComputeSystem document, owned; NULL with the status to leave with. */
static char *document_of(const struct command *self, const struct wishes *w, int *out_status)
{
    json_t *container = json_object();
    _cleanup_(json_dropp) json_t *json =
        json_pack("{s:s, s:{s:i, s:i}, s:o}", "Owner", w->owner ? w->owner : "hcs", "SchemaVersion",
                  "Major", 2, "Minor", 1, "Container", container);

    if (!json) {
        *out_status = cli_usage(self, "--owner '%s' is not UTF-8", w->owner ? w->owner : "");
        return NULL;
    }
    *out_status = add_volumes(self, &w->volumes, container);
    if (*out_status < 0)
        *out_status = add_limits(self, w, container);
    if (*out_status < 0)
        *out_status = add_isolation(self, w, container);
    if (*out_status >= 0)
        return NULL;
    if (w->hostname && json_object_set_new(container, "GuestOs",
                                           json_pack("{s:s}", "HostName", w->hostname)) < 0) {
        *out_status = cli_usage(self, "--hostname '%s' is not UTF-8", w->hostname);
        return NULL;
    }
    *out_status = STATUS_OURS;
    return json_dumps(json, JSON_COMPACT);
}

static int make_id(char id[ID_SIZE])
{
    uint32_t number;

    if (machine_random(&number) < 0)
        return -1;
    snprintf(id, ID_SIZE, "hcs-%08x", (unsigned) number);
    return 0;
}

/* ---- the life of the system ---- */

static hcs_result create_and_start(struct program *p, const char *id, const char *document,
                                   hcs_error *err)
{
    hcs_op *op = NULL;
    hcs_result r = hcs_system_create(p->host, id, document, &p->system, &op, err);

    if (r < 0)
        return r;
    r = program_finish_op(p, op, err);
    if (r < 0 && r != HCS_E_OPERATION_TIMEOUT) { /* then there is no system to end */
        hcs_system_close(p->system);
        p->system = NULL;
        return r;
    }
    if (r < 0 || p->pending)
        return r;
    op = NULL;
    r = hcs_system_start(p->system, &op, err);
    if (r < 0)
        return r;
    return program_finish_op(p, op, err);
}

static void say_left(const struct program *p)
{
    const char *id = hcs_system_id(p->system);

    output_fail("%s was not ended, the service is away: hcs kill %s ends it", id, id);
}

static hcs_result try_terminate(struct program *p, hcs_error *err)
{
    hcs_op *op = NULL;
    hcs_result r = hcs_system_terminate(p->system, &op, err);

    if (r == HCS_OK)
        r = hcs_op_wait(op, STOP_LIMIT_MS, err);
    hcs_op_close(op);
    program_note_loss(p, r);
    return r;
}

static void terminate(struct program *p)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = HCS_E_SERVICE_DISCONNECT;

    for (int i = 0; i < TRIES && hcs_result_class(r) == HCS_CLASS_SERVICE_GONE; i++) {
        if (program_await_service(p) < 0) {
            say_left(p);
            return;
        }
        if (p->system_ended)
            return;
        r = try_terminate(p, &err);
    }
    if (r == HCS_E_OPERATION_TIMEOUT)
        output_fail("%s has not ended after %d s", hcs_system_id(p->system), STOP_LIMIT_MS / 1000);
    else if (r < 0 && hcs_result_class(r) != HCS_CLASS_ALREADY_STOPPED)
        output_error(&err, hcs_system_id(p->system));
    else
        p->system_ended = 1;
}

/* The program has ended, and with it the purpose of the system. */
static void end_system(struct program *p, int gently)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    if (p->system_ended)
        return;
    if (!gently || program_await_service(p) < 0) {
        terminate(p);
        return;
    }
    r = hcs_system_shut_down(p->system, NULL, &err);
    program_note_loss(p, r);
    if (p->system_ended)
        return;
    if (r < 0 && hcs_result_class(r) != HCS_CLASS_ALREADY_STOPPED)
        output_error(&err, hcs_system_id(p->system));
    if (r < 0 || program_await_system(p, STOP_LIMIT_MS) < 0)
        terminate(p);
}

static void forget(struct program *p)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = hcs_system_forget(p->system, &err);

    if (r < 0 && r != HCS_E_SYSTEM_NOT_FOUND)
        output_error(&err, hcs_system_id(p->system));
}

static int run_all(struct program *p, const char *id, const char *document, const char *parameters)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = create_and_start(p, id, document, &err);
    int status;

    program_note_loss(p, r);
    if (r < 0 && !p->system) {
        output_error(&err, NULL);
        return STATUS_OURS;
    }
    if (r == HCS_E_OPERATION_TIMEOUT || (r == HCS_OK && p->pending)) {
        end_system(p, 0);
        return 128 + p->pending;
    }
    if (r < 0) {
        output_error(&err, NULL);
        end_system(p, 0);
        return STATUS_OURS;
    }
    status = program_run(p, parameters);
    end_system(p, p->has_exit);
    return status;
}

static int run_with(const char *id, const char *document, const char *parameters, int remove)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(host_dropp) hcs_host *host = NULL;
    struct program p;
    int status;

    if (cli_open_host(&host, &err) < 0) {
        output_error(&err, NULL);
        return STATUS_OURS;
    }
    status = program_init(&p, host, THIRD_KILLS_SYSTEM) < 0 ? STATUS_OURS
                                                            : run_all(&p, id, document, parameters);
    if (remove && p.system && p.system_ended)
        forget(&p);
    program_done(&p);
    hcs_system_close(p.system);
    return status;
}

static int run_wishes(const struct command *self, const struct wishes *w,
                      const struct arguments *words)
{
    _cleanup_(free_dropp) char *document = NULL;
    _cleanup_(free_dropp) char *parameters = NULL;
    char id[ID_SIZE] = "";
    int status;

    document = document_of(self, w, &status);
    if (!document)
        return status;
    parameters = program_parameters(self, words, &w->environment, w->workdir, &status);
    if (!parameters)
        return status;
    if (!w->id && make_id(id) < 0) {
        output_fail("no random number for the id: %s", strerror(errno));
        return STATUS_OURS;
    }
    return run_with(w->id ? w->id : id, document, parameters, w->remove);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct wishes w = { 0 };
    const struct opt opts[] = {
        { "rootfs", 0, OPT_TEXT, &w.rootfs, "DIR", "root file system of the container" },
        { "id", 0, OPT_TEXT, &w.id, "ID", "id of the system (default: a random one)" },
        { "owner", 0, OPT_TEXT, &w.owner, "NAME", "owner, to tell systems apart (default: hcs)" },
        { "rm", 0, OPT_FLAG, &w.remove, NULL, "forget the system when it has ended" },
        { "hostname", 0, OPT_TEXT, &w.hostname, "NAME", "host name in the container" },
        { "memory", 'm', OPT_TEXT, &w.memory, "SIZE", "limit of memory: 256M, 1G" },
        { "cpus", 0, OPT_TEXT, &w.cpus, "N", "limit of processor time: 2, 0.5" },
        { "volume", 'v', OPT_LIST, &w.volumes, "HOST:CONTAINER[:ro]",
          "show a directory of this machine" },
        { "env", 'e', OPT_LIST, &w.environment, "NAME=VALUE",
          "set a variable; NAME alone: as it is here" },
        { "workdir", 'w', OPT_TEXT, &w.workdir, "DIR", "working directory of the program" },
        { "isolation", 0, OPT_TEXT, &w.isolation, "KIND", "namespaces (default) or none" },
    };
    struct arguments arguments;
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 1, -1);
    if (status < 0)
        status = run_wishes(self, &w, &arguments);
    opt_list_done(&w.volumes);
    opt_list_done(&w.environment);
    return status;
}

const struct command cmd_run = {
    .name = "run",
    .arguments = "[--] PROGRAM [ARGUMENT...]",
    .summary = "Run a program in a container of its own",
    .text = text,
    .failure = STATUS_OURS,
    .run = run,
};
