/* Walks a directory of documents: for every NAME.json, what the service makes of it must be
 * NAME.expect, line for line.  The first part of the name says which kind of document it is. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "doc.h"
#include "fd.h"
#include "filter.h"

#define TEXT_MAX ((size_t) 2 << 20)
#define DOCUMENTS_MAX 1000

static void put(struct buf *out, const char *name, const char *value_opt)
{
    if (value_opt && buf_printf(out, "%s %s\n", name, value_opt) < 0)
        abort();
}

static void put_number(struct buf *out, const char *name, unsigned long long value)
{
    if (value && buf_printf(out, "%s %llu\n", name, value) < 0)
        abort();
}

static void put_list(struct buf *out, const char *name, char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (buf_printf(out, "%s[%zu] %s\n", name, i, list[i]) < 0)
            abort();
}

static hcs_result show_system(const char *text, struct buf *out, hcs_error *err)
{
    _cleanup_(doc_system_dropp) struct doc_system *doc = NULL;
    hcs_result r = doc_system_parse(text, &doc, err);

    if (r < 0)
        return r;
    put(out, "owner", doc->owner[0] ? doc->owner : NULL);
    put(out, "isolation", doc->isolation == DOC_ISOLATION_NONE ? "none" : "namespaces");
    put(out, "storage", doc->storage_path);
    put(out, "host name", doc->host_name);
    for (size_t i = 0; i < doc->n_mapped; i++)
        if (buf_printf(out, "mapped[%zu] %s -> %s%s\n", i, doc->mapped[i].host_path,
                       doc->mapped[i].container_path,
                       doc->mapped[i].read_only ? " (read only)" : "") < 0)
            abort();
    put_number(out, "memory MB", doc->memory_mb);
    put_number(out, "processor count", doc->processor_count);
    put_number(out, "processor weight", doc->processor_weight);
    put_number(out, "processor maximum", doc->processor_maximum);
    return HCS_OK;
}

static hcs_result show_process(const char *text, struct buf *out, hcs_error *err)
{
    _cleanup_(doc_process_dropp) struct doc_process *doc = NULL;
    hcs_result r = doc_process_parse(text, &doc, err);

    if (r < 0)
        return r;
    put_list(out, "argument", doc->arguments, doc->n_arguments);
    put_list(out, "environment", doc->environment, doc->n_environment);
    put(out, "directory", doc->working_directory);
    put_number(out, "stdin pipe", (unsigned) doc->create_stdin_pipe);
    put_number(out, "stdout pipe", (unsigned) doc->create_stdout_pipe);
    put_number(out, "stderr pipe", (unsigned) doc->create_stderr_pipe);
    return HCS_OK;
}

static hcs_result show_query(const char *text, struct buf *out, hcs_error *err)
{
    _cleanup_(doc_query_dropp) struct doc_query *doc = NULL;
    hcs_result r = doc_query_parse(text, &doc, err);

    if (r < 0)
        return r;
    put_list(out, "id", doc->ids, doc->n_ids);
    put_list(out, "name", doc->names, doc->n_names);
    put_list(out, "type", doc->types, doc->n_types);
    put_list(out, "owner", doc->owners, doc->n_owners);
    return HCS_OK;
}

/* A filter shows nothing of itself but whether it is one: what it matches is in filter_test.c. */
static hcs_result show_filter(const char *text, hcs_error *err)
{
    _cleanup_(filter_dropp) struct filter *filter = NULL;
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    hcs_result r;

    if (!json)
        abort();
    r = filter_parse(json, &filter, err);
    json_decref(json);
    return r;
}

static void show(const char *name, const char *text, struct buf *out)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r;

    if (buf_append_string(out, "ok\n") < 0)
        abort();
    if (strncmp(name, "system-", 7) == 0)
        r = show_system(text, out, &err);
    else if (strncmp(name, "process-", 8) == 0)
        r = show_process(text, out, &err);
    else if (strncmp(name, "filter-", 7) == 0)
        r = show_filter(text, &err);
    else
        r = show_query(text, out, &err);
    if (r >= 0)
        return;
    out->length = 0;
    if (buf_printf(out, "%s\n%s\n", hcs_result_name(r), err.text) < 0)
        abort();
}

/* 1 when the document is as expected; what differs goes to stdout as a TAP comment. */
static int check(const char *directory, const char *name)
{
    _cleanup_(free_drop) char *text = NULL;
    _cleanup_(free_drop) char *expected = NULL;
    _cleanup_(buf_done) struct buf got;
    hcs_error err = HCS_ERROR_INIT;
    char path[4096];

    buf_init(&got, TEXT_MAX);
    snprintf(path, sizeof path, "%s/%s.json", directory, name);
    if (file_read(path, TEXT_MAX, &text, NULL, &err) < 0) {
        printf("# %s\n", err.text);
        return 0;
    }
    show(name, text, &got);
    snprintf(path, sizeof path, "%s/%s.expect", directory, name);
    if (file_read(path, TEXT_MAX, &expected, NULL, &err) < 0)
        printf("# %s\n", err.text);
    else if (strcmp(got.data, expected) == 0)
        return 1;
    for (char *line = strtok(got.data, "\n"); line; line = strtok(NULL, "\n"))
        printf("# got: %s\n", line);
    return 0;
}

/* The name without ".json", owned; NULL for a file that is no document. */
static char *document_name(const char *file)
{
    size_t n = strlen(file);
    char *name;

    if (n <= 5 || strcmp(file + n - 5, ".json") != 0)
        return NULL;
    name = strdup(file);
    if (!name)
        abort();
    name[n - 5] = '\0';
    return name;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The documents of @path in order.  Returns how many; 0 when it cannot be read. */
static size_t list_documents(const char *path, char *names[DOCUMENTS_MAX])
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    size_t n = 0;

    if (!directory)
        return 0;
    while ((entry = readdir(directory))) {
        names[n] = document_name(entry->d_name);
        n += names[n] != NULL;
        if (n == DOCUMENTS_MAX)
            abort();
    }
    closedir(directory);
    qsort(names, n, sizeof *names, by_name);
    return n;
}

static int has_kind(const char *name)
{
    return strncmp(name, "system-", 7) == 0 || strncmp(name, "process-", 8) == 0 ||
           strncmp(name, "query-", 6) == 0 || strncmp(name, "filter-", 7) == 0;
}

int main(int argc, char **argv)
{
    static char *names[DOCUMENTS_MAX];
    size_t n = argc == 2 ? list_documents(argv[1], names) : 0;
    int failed = 0;

    if (n == 0) {
        printf("Bail out! no documents\n");
        return 1;
    }
    printf("1..%zu\n", n);
    for (size_t i = 0; i < n; i++) {
        int good = has_kind(names[i]) && check(argv[1], names[i]);

        printf("%sok %zu - %s\n", good ? "" : "not ", i + 1, names[i]);
        failed |= !good;
        free(names[i]);
    }
    return failed;
}
