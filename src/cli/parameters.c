/* parameters.c - the ProcessParameters document of run and exec.
 *
 * Owns nothing.  Pure.  Promises that what cannot be said in a document is refused before anything
 * is done. */
#include <string.h>

#include "program.h"

static char *part_of(const char *text, size_t n)
{
    char *part = malloc(n + 1);

    if (part) {
        memcpy(part, text, n);
        part[n] = '\0';
    }
    return part;
}

/* K=V as a member of @object.  -1 after saying what is wrong. */
static int add_variable(const struct command *self, json_t *object, const char *given,
                        int *out_status)
{
    size_t n = strcspn(given, "=");
    _cleanup_(free_dropp) char *name = part_of(given, n);
    const char *value = given[n] ? given + n + 1 : name ? getenv(name) : NULL;

    if (!name || n == 0 || !value) {
        *out_status = cli_usage(self,
                                !name || n ? "--env '%s': it has no value here, write NAME=VALUE"
                                           : "--env '%s' has no name, write NAME=VALUE",
                                given);
        return -1;
    }
    if (json_object_set_new(object, name, json_string(value)) < 0) {
        *out_status = cli_usage(self, "--env '%s' is not UTF-8", given);
        return -1;
    }
    return 0;
}

static int add_words(const struct command *self, json_t *array, const struct arguments *words,
                     int *out_status)
{
    for (int i = 0; i < words->n; i++) {
        if (json_array_append_new(array, json_string(words->items[i])) == 0)
            continue;
        *out_status = cli_usage(self, "the argument '%s' is not UTF-8", words->items[i]);
        return -1;
    }
    return 0;
}

char *program_parameters(const struct command *self, const struct arguments *words,
                         const struct opt_list *environment, const char *directory_opt,
                         int *out_status)
{
    _cleanup_(json_dropp) json_t *json = json_object();
    json_t *arguments = json_array();
    json_t *variables = json_object();

    json_object_set_new(json, "CommandArgs", arguments);
    json_object_set_new(json, "Environment", variables);
    if (add_words(self, arguments, words, out_status) < 0)
        return NULL;
    for (size_t i = 0; i < environment->n; i++)
        if (add_variable(self, variables, environment->items[i], out_status) < 0)
            return NULL;
    if (json_object_size(variables) == 0)
        json_object_del(json, "Environment");
    if (directory_opt &&
        json_object_set_new(json, "WorkingDirectory", json_string(directory_opt)) < 0) {
        *out_status = cli_usage(self, "--workdir '%s' is not UTF-8", directory_opt);
        return NULL;
    }
    *out_status = STATUS_OURS;
    return json_dumps(json, JSON_COMPACT);
}

char *program_with_pipes(const char *parameters)
{
    _cleanup_(json_dropp) json_t *json = json_loads(parameters, 0, NULL);

    if (!json || json_object_set_new(json, "CreateStdInPipe", json_true()) < 0 ||
        json_object_set_new(json, "CreateStdOutPipe", json_true()) < 0 ||
        json_object_set_new(json, "CreateStdErrPipe", json_true()) < 0)
        return NULL;
    return json_dumps(json, JSON_COMPACT);
}
