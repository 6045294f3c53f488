/* runtime.c - how to ask an OCI runtime, and how to read its refusals.
 * Owns:    nothing but what it returns.
 * Users:   oci.c gives the command lines to the keeper, probe.c runs them itself.
 * Promise: the same flow for crun and runc; an error is one line in their words, without their
 *          prefixes. */

#include "runtime.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"

#define ARGUMENTS_MAX 24
#define LOG_BYTES_MAX ((size_t) 64 * 1024)
#define LINE_BYTES 300

static const char *const verb_names[N_RUNTIME_VERBS] = {
    "run", "exec", "kill", "pause", "resume", "delete", "delete",
};

const char *runtime_verb_name(enum runtime_verb verb)
{
    assert(verb < N_RUNTIME_VERBS);

    return verb_names[verb];
}

void runtime_done(struct runtime *rt)
{
    free(rt->path);
    free(rt->version);
    free(rt->root);
    *rt = (struct runtime){ 0 };
}

void runtime_argv_drop(char ***argv)
{
    for (char **a = *argv; a && *a; a++)
        free(*a);
    free(*argv);
    *argv = NULL;
}

struct argument_list {
    const char *a[ARGUMENTS_MAX];
    size_t n;
};

static void add(struct argument_list *l, const char *argument)
{
    assert(l->n < ARGUMENTS_MAX);
    assert(argument);

    l->a[l->n++] = argument;
}

static void add_option(struct argument_list *l, const char *option, const char *value)
{
    add(l, option);
    add(l, value);
}

static void add_global_options(struct argument_list *l, const struct runtime *rt,
                               const struct oci_mode *mode, const struct runtime_command *c)
{
    add_option(l, "--root", rt->root);
    add_option(l, "--log", c->log);
    add_option(l, "--log-format", "json");
    if (mode->cgroups == OCI_CGROUPS_SYSTEMD)
        add(l, "--systemd-cgroup");
    /* runc has no such switch: without privileges it goes on without a cgroup by itself */
    else if (mode->cgroups == OCI_CGROUPS_NONE && rt->flavour == RUNTIME_CRUN)
        add(l, "--cgroup-manager=disabled");
}

static void add_verb(struct argument_list *l, const struct runtime_command *c)
{
    add(l, runtime_verb_name(c->verb));
    switch (c->verb) {
    case RUNTIME_RUN:
        add(l, "--detach");
        add_option(l, "--bundle", c->bundle);
        add_option(l, "--pid-file", c->pid_file);
        break;
    case RUNTIME_EXEC:
        add(l, "--detach");
        add_option(l, "--pid-file", c->pid_file);
        add_option(l, "--process", c->process);
        add_option(l, "--preserve-fds", "1");
        break;
    case RUNTIME_DELETE_FORCE:
        add(l, "--force");
        break;
    default:
        break;
    }
    add(l, c->name);
    if (c->verb == RUNTIME_KILL)
        add(l, "KILL");
}

hcs_result runtime_argv(const struct runtime *rt, const struct oci_mode *mode,
                        const struct runtime_command *command, char ***out, hcs_error *err)
{
    _cleanup_(runtime_argv_drop) char **argv = NULL;
    struct argument_list list = { .n = 0 };

    assert(rt && mode && command && out);

    add(&list, rt->path);
    add_global_options(&list, rt, mode, command);
    add_verb(&list, command);
    argv = calloc(list.n + 1, sizeof *argv);
    for (size_t i = 0; argv && i < list.n; i++) {
        argv[i] = strdup(list.a[i]);
        if (!argv[i])
            runtime_argv_drop(&argv);
    }
    if (!argv)
        return fail(err, HCS_E_OUTOFMEMORY, "oci.runtime", "no memory for the command line of %s",
                    rt->path);
    *out = TAKE(argv);
    return HCS_OK;
}

hcs_result runtime_write_input(const char *path, const char *text, hcs_error *err)
{
    _cleanup_(fd_drop) int fd = -1;
    size_t length;
    size_t done = 0;

    assert(path && text);

    length = strlen(text);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (fd >= 0 && done < length) {
        ssize_t n = write(fd, text + done, length - done);

        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t) n : 0;
    }
    if (fd < 0 || done < length)
        return fail_os(err, result_from_errno(errno), errno, "oci.write", "write '%s'", path);
    return HCS_OK;
}

/* What the runtimes put in front of the cause: who complains, while doing what. */
static const char *without_prefixes(const char *message)
{
    static const char *const prefixes[] = {
        "exec failed: ",
        "runc create failed: ",
        "runc run failed: ",
        "unable to start container process: ",
        "error during container init: ",
        "container_linux.go:",
        "OCI runtime error: ",
    };
    size_t i = 0;

    while (i < N_ELEMENTS(prefixes)) {
        size_t n = strlen(prefixes[i]);

        if (strncmp(message, prefixes[i], n) == 0) {
            message += n;
            i = 0;
        } else {
            i++;
        }
    }
    return message;
}

/* Message of one line of the log, when it is an error; new reference. */
static json_t *error_of_line(const char *line, size_t n)
{
    json_t *entry = json_loadb(line, n, 0, NULL);
    const char *level = json_string_value(json_object_get(entry, "level"));
    json_t *message = NULL;

    if (level && (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0))
        message = json_incref(json_object_get(entry, "msg"));
    json_decref(entry);
    return message;
}

int runtime_log_error(const char *log_text, char *out, size_t size)
{
    int found = 0;

    assert(log_text && out);
    assert(size > 0);

    out[0] = '\0';
    while (*log_text) {
        size_t n = strcspn(log_text, "\n");
        json_t *message = error_of_line(log_text, n);

        if (json_is_string(message)) {
            snprintf(out, size, "%s", without_prefixes(json_string_value(message)));
            found = 1;
        }
        json_decref(message);
        log_text += n + (log_text[n] == '\n');
    }
    return found;
}

hcs_result runtime_failure(enum runtime_verb verb, const char *log_path, uint32_t wait_status,
                           hcs_error *err)
{
    _cleanup_(free_drop) char *text = NULL;
    char line[LINE_BYTES];
    int status = (int) wait_status;

    assert(log_path);

    if (file_read(log_path, LOG_BYTES_MAX, &text, NULL, NULL) >= 0 &&
        runtime_log_error(text, line, sizeof line))
        return fail(err, HCS_E_FAIL, "oci.runtime", "%s: %s", runtime_verb_name(verb), line);
    if (WIFSIGNALED(status))
        return fail(err, HCS_E_FAIL, "oci.runtime", "%s: the runtime was ended by signal %d",
                    runtime_verb_name(verb), WTERMSIG(status));
    return fail(err, HCS_E_FAIL, "oci.runtime",
                "%s: the runtime ended with code %d and gave no reason", runtime_verb_name(verb),
                WEXITSTATUS(status));
}

static int says(const char *line, const char *part)
{
    return strcasestr(line, part) != NULL;
}

static int says_stopped(const char *line)
{
    return says(line, "is not running") || says(line, "stopped container") ||
           says(line, "container does not exist") || says(line, "container not running");
}

hcs_result runtime_exec_failure(const char *line, hcs_error *err)
{
    assert(line);

    if (says_stopped(line))
        return fail(err, HCS_E_SYSTEM_ALREADY_STOPPED, "oci.exec", "the container has ended");
    return fail(err, HCS_E_FAIL, "oci.exec", "exec: %s", line);
}
