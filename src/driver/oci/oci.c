/* oci.c - the driver of containers: driver.h on top of an OCI runtime and a keeper for each
 * container. Owns:    the runtime and mode that the probe found. Users:   the engine, through
 * driver.h only. Promise: a document that `check` accepts is honoured in every field. */

#include "oci.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "container.h"
#include "err.h"
#include "probe.h"

#define START_LIMIT_US 10000000

static struct oci *oci_of(struct driver *d)
{
    return container_of(d, struct oci, driver);
}

/* @field is the JSON path that says so. */
static hcs_result check_directory(const char *path, const char *field, hcs_error *err)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return fail_os(err, HCS_E_WIN32_PATH_NOT_FOUND, errno, "oci.check", "%s is '%.200s'",
                           field, path);
        return fail_os(err, result_from_errno(errno), errno, "oci.check", "%s is '%.200s'", field,
                       path);
    }
    if (!S_ISDIR(st.st_mode))
        return fail(err, HCS_E_INVALIDARG, "oci.check",
                    "%s is '%.200s', a file and not a directory", field, path);
    return HCS_OK;
}

static hcs_result oci_check(struct driver *d, const struct doc_system *doc, hcs_error *err)
{
    struct oci *oci = oci_of(d);
    hcs_result r = bundle_check(doc, &oci->found.mode, &oci->host, err);

    if (r >= 0)
        r = check_directory(doc->storage_path, "$.Container.Storage.Path", err);
    for (size_t i = 0; r >= 0 && i < doc->n_mapped; i++) {
        char field[80];

        snprintf(field, sizeof field, "$.Container.MappedDirectories[%zu].HostPath", i);
        r = check_directory(doc->mapped[i].host_path, field, err);
    }
    return r;
}

static void oci_create(struct driver *d, struct driver_system *s, uint64_t job)
{
    hcs_error err = HCS_ERROR_INIT;
    struct container *c = NULL;
    hcs_result r = container_new(oci_of(d), s, &c, &err);

    s->data = c;
    if (r < 0)
        s->tell->done(s, job, r, &err);
    else
        container_create(c, job);
}

static void oci_adopt(struct driver *d, struct driver_system *s, uint64_t job,
                      const struct driver_known *known_opt)
{
    hcs_error err = HCS_ERROR_INIT;
    struct container *c = NULL;
    hcs_result r = container_new(oci_of(d), s, &c, &err);

    s->data = c;
    if (r < 0)
        s->tell->done(s, job, r, &err);
    else
        container_adopt(c, job, known_opt);
}

static void oci_start(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    container_start(s->data, job);
}

static void oci_shut_down(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    container_shut_down(s->data, job);
}

static void oci_terminate(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    container_terminate(s->data, job);
}

static void oci_process_create(struct driver *d, struct driver_system *s, uint64_t job,
                               uint32_t number, const struct doc_process *doc, const int fds[3])
{
    (void) d;
    container_process_create(s->data, job, number, doc, fds);
}

static hcs_result oci_process_signal(struct driver *d, struct driver_system *s, uint32_t number,
                                     int signal, hcs_error *err)
{
    (void) d;
    return container_process_signal(s->data, number, signal, err);
}

static void oci_settled(struct driver *d, struct driver_system *s, uint32_t number)
{
    (void) d;
    if (s->data)
        container_settled(s->data, number);
}

static void oci_clean(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    if (s->data)
        clean_begin(s->data, job);
    else
        s->tell->done(s, job, HCS_OK, NULL);
}

static void oci_forget(struct driver *d, struct driver_system *s)
{
    (void) d;
    container_drop(s->data);
    s->data = NULL;
}

static json_t *oci_info(struct driver *d)
{
    const struct oci *oci = oci_of(d);
    const struct runtime *rt = &oci->found.runtime;
    const struct oci_mode *m = &oci->found.mode;
    const char *name = strrchr(rt->path, '/');

    return json_pack("{s:s, s:s, s:b, s:{s:s, s:s, s:s}, s:s, s:{s:b, s:b, s:b}, s:O}", "name",
                     "oci", "isolation", "namespaces", "works", 1, "runtime", "name",
                     name ? name + 1 : rt->path, "path", rt->path, "version", rt->version, "mode",
                     m->name, "capabilities", "limits", m->limits, "pause", m->pause, "stats",
                     m->stats, "attempts", oci->found.attempts);
}

static void oci_drop(struct driver *d)
{
    struct oci *oci = oci_of(d);

    runtime_done(&oci->found.runtime);
    json_decref(oci->found.attempts);
    sd_event_unref(oci->loop);
    free(oci->keeper_program);
    free(oci);
}

static const struct driver_ops oci_ops = {
    .name = "oci",
    .isolation = "namespaces",
    .check = oci_check,
    .create = oci_create,
    .adopt = oci_adopt,
    .start = oci_start,
    .shut_down = oci_shut_down,
    .terminate = oci_terminate,
    .process_create = oci_process_create,
    .process_signal = oci_process_signal,
    .settled = oci_settled,
    .clean = oci_clean,
    .forget = oci_forget,
    .info = oci_info,
    .drop = oci_drop,
};

/* FNV-1a of the one directory that no two services share, and that the next hcsd of this one has,
 * too. */
static uint32_t service_of(const char *directory)
{
    uint32_t hash = 2166136261u;

    for (; *directory; directory++)
        hash = (hash ^ (unsigned char) *directory) * 16777619u;
    return hash;
}

hcs_result oci_new(sd_event *loop, const struct oci_options *options, struct driver **out,
                   hcs_error *err)
{
    struct oci *oci;
    hcs_result r;

    assert(loop && options && out);
    assert(options->keeper_program && options->keeper_program[0] == '/');
    assert(options->state_dir && options->state_dir[0] == '/');

    oci = calloc(1, sizeof *oci);
    if (!oci)
        return fail(err, HCS_E_OUTOFMEMORY, "oci.new", "no memory for the driver");
    oci->driver.ops = &oci_ops;
    oci->loop = sd_event_ref(loop);
    oci->service = service_of(options->state_dir);
    oci->start_limit_us = options->start_limit_us ? options->start_limit_us : START_LIMIT_US;
    oci->keeper_program = strdup(options->keeper_program);
    r = oci->keeper_program ? probe_host(&oci->host, err)
                            : fail(err, HCS_E_OUTOFMEMORY, "oci.new", "no memory for the driver");
    if (r >= 0)
        r = probe_find(options, &oci->found, err);
    if (r < 0) {
        oci_drop(&oci->driver);
        return r;
    }
    *out = &oci->driver;
    return HCS_OK;
}
