/* run_one.c - create a system, run one program in it, print how it ended.
 *
 *   run_one PROGRAM        in a container whose root file system is $HCS_ROOTFS;
 *                          without that, as a plain process under the same watch
 *
 * PROGRAM is split at white space; double quotes group. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <hcs/hcs.h>

static char *system_document(void)
{
    const char *rootfs = getenv("HCS_ROOTFS");
    json_t *container = rootfs ? json_pack("{s:{s:s}}", "Storage", "Path", rootfs)
                               : json_pack("{s:s}", "IsolationType", "None");
    json_t *json = json_pack("{s:s, s:{s:i, s:i}, s:o}", "Owner", "run_one", "SchemaVersion",
                             "Major", 2, "Minor", 1, "Container", container);
    char *text = json ? json_dumps(json, 0) : NULL;

    json_decref(json);
    return text;
}

static hcs_result run(hcs_system *system, const char *parameters, hcs_exit *out, hcs_error *err)
{
    hcs_stdio stdio = HCS_STDIO_INIT;
    hcs_process *process = NULL;
    hcs_result r = hcs_system_start(system, NULL, err);

    stdio.in = STDIN_FILENO;
    stdio.out = STDOUT_FILENO;
    stdio.err = STDERR_FILENO;
    if (r == HCS_OK)
        r = hcs_process_create(system, parameters, &stdio, &process, NULL, err);
    if (r == HCS_OK)
        r = hcs_process_wait(process, -1, out, err);
    hcs_process_close(process);
    return r;
}

int main(int argc, char **argv)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_exit report = HCS_EXIT_INIT;
    hcs_host *host = NULL;
    hcs_system *system = NULL;
    json_t *line = json_pack("{s:s}", "CommandLine", argc > 1 ? argv[1] : "true");
    char *document = system_document(), *parameters = line ? json_dumps(line, 0) : NULL;
    char id[32], how[256];
    hcs_result r = document && parameters ? hcs_host_open(NULL, &host, &err) : HCS_E_OUTOFMEMORY;

    snprintf(id, sizeof id, "run-one-%ld", (long) getpid());
    if (r == HCS_OK)
        r = hcs_system_create(host, id, document, &system, NULL, &err);
    if (r == HCS_OK) {
        r = run(system, parameters, &report, &err);
        if (hcs_system_terminate(system, NULL, NULL) == HCS_OK && r == HCS_OK)
            r = hcs_system_forget(system, &err);
    }
    if (r == HCS_OK)
        printf("%s\n", hcs_exit_describe(&report, how, sizeof how));
    else
        fprintf(stderr, "run_one: %s (%s)\n", err.text, hcs_result_name(r));
    hcs_system_close(system);
    hcs_host_close(host);
    json_decref(line);
    free(document);
    free(parameters);
    return r < 0;
}
