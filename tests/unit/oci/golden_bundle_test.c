/* Walks a directory of documents: for every system-NAME.json and each of its .MODE.expect, and for
 * every process-NAME.json and its .expect, what bundle.c makes of it must be that, byte for byte.
 * With HCS_GOLDEN_UPDATE in the environment the .expect files that exist are written instead. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "fd.h"

#define TEXT_MAX ((size_t) 2 << 20)

static const struct oci_mode modes[] = {
    { .name = "systemd",
      .cgroups = OCI_CGROUPS_SYSTEMD,
      .device_rules = 1,
      .cgroup_namespace = 1,
      .recursive_read_only = 1,
      .swap_accounting = 1,
      .limits = 1,
      .pause = 1,
      .stats = 1 },
    { .name = "cgroup-v2",
      .cgroups = OCI_CGROUPS_V2,
      .device_rules = 0,
      .cgroup_namespace = 1,
      .recursive_read_only = 1,
      .swap_accounting = 1,
      .limits = 1,
      .pause = 1,
      .stats = 1 },
    { .name = "cgroup-v1",
      .cgroups = OCI_CGROUPS_V1,
      .hide_unified = 1,
      .device_rules = 1,
      .cgroup_namespace = 1,
      .recursive_read_only = 1,
      .swap_accounting = 0,
      .limits = 1,
      .pause = 1,
      .stats = 1 },
    { .name = "no-cgroup", .cgroups = OCI_CGROUPS_NONE, .cgroup_namespace = 0 },
    { .name = "rootless",
      .cgroups = OCI_CGROUPS_NONE,
      .rootless = 1,
      .cgroup_namespace = 1,
      .recursive_read_only = 1 },
};

/* The host of the expectations: four processors, a low limit of files, not all capabilities. */
static const struct oci_host host = {
    .processors = 4,
    .uid = 1000,
    .gid = 100,
    .files_max = 4096,
    .capabilities = ~((uint64_t) 1 << 18),
};
static const struct bundle_names names = {
    .id = "web",
    .name = "web.7",
    .init_program = "/usr/libexec/hcs/hcs-keeper",
};

/* Text of a failure: the name of the code, and the message. */
static char *show_failure(hcs_result r, const hcs_error *err)
{
    char *text;

    if (asprintf(&text, "%s\n%s", hcs_result_name(r), err->text) < 0)
        abort();
    return text;
}

static char *show_system(const char *text, const struct oci_mode *mode)
{
    _cleanup_(doc_system_dropp) struct doc_system *doc = NULL;
    hcs_error err = HCS_ERROR_INIT;
    char *out = NULL;
    hcs_result r = doc_system_parse(text, &doc, &err);

    if (r >= 0)
        r = bundle_check(doc, mode, &host, &err);
    if (r >= 0)
        r = bundle_config(doc, mode, &host, &names, &out, &err);
    return r < 0 ? show_failure(r, &err) : out;
}

static char *show_process(const char *text)
{
    _cleanup_(doc_process_dropp) struct doc_process *doc = NULL;
    hcs_error err = HCS_ERROR_INIT;
    char *out = NULL;
    hcs_result r = doc_process_parse(text, &doc, &err);

    if (r >= 0)
        r = bundle_process(doc, &host, &out, &err);
    return r < 0 ? show_failure(r, &err) : out;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f) != 0)
        abort();
}

/* 1 as expected, 0 not, -1 there is no such expectation. */
static int compare(const char *path, char *take_got)
{
    _cleanup_(free_drop) char *got = take_got;
    _cleanup_(free_drop) char *expected = NULL;
    size_t n = strlen(got);

    if (file_read(path, TEXT_MAX, &expected, NULL, NULL) < 0)
        return -1;
    if (getenv("HCS_GOLDEN_UPDATE")) {
        write_file(path, got);
        return 1;
    }
    if (strncmp(got, expected, n) == 0 && strcmp(expected + n, "\n") == 0)
        return 1;
    printf("# %s; got:\n", path);
    for (char *line = strtok(got, "\n"); line; line = strtok(NULL, "\n"))
        printf("# %s\n", line);
    return 0;
}

static int check(const char *directory, const char *name)
{
    _cleanup_(free_drop) char *text = NULL;
    char path[4096];
    int good = 1, compared = 0;

    snprintf(path, sizeof path, "%s/%s.json", directory, name);
    if (file_read(path, TEXT_MAX, &text, NULL, NULL) < 0)
        return 0;
    if (strncmp(name, "process-", 8) == 0) {
        snprintf(path, sizeof path, "%s/%s.expect", directory, name);
        return compare(path, show_process(text)) == 1;
    }
    for (size_t i = 0; i < N_ELEMENTS(modes); i++) {
        int r;

        snprintf(path, sizeof path, "%s/%s.%s.expect", directory, name, modes[i].name);
        r = compare(path, show_system(text, &modes[i]));
        good &= r != 0;
        compared += r >= 0;
    }
    if (compared == 0)
        printf("# %s has no .MODE.expect\n", name);
    return good && compared > 0;
}

static int is_document(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0 &&
           (strncmp(entry->d_name, "system-", 7) == 0 ||
            strncmp(entry->d_name, "process-", 8) == 0);
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    int n = argc == 2 ? scandir(argv[1], &entries, is_document, alphasort) : -1;
    int failed = 0;

    if (n <= 0) {
        printf("Bail out! no documents in %s\n",
               argc == 2 ? argv[1] : "the directory that was not named");
        return 1;
    }
    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        char *name = entries[i]->d_name;

        name[strlen(name) - 5] = '\0';
        if (check(argv[1], name)) {
            printf("ok %d - %s\n", i + 1, name);
        } else {
            printf("not ok %d - %s\n", i + 1, name);
            failed++;
        }
        free(entries[i]);
    }
    free(entries);
    return failed > 0;
}
