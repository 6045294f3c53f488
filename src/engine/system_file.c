/* system_file.c - the file `system` in a run directory: what is needed to adopt a system whose row
 * was lost with the event log.
 * Owns:    its form.
 * Users:   engine.c has it written, system.c removed, adopt.c asks.  Loop thread only.
 * Promise: it is there, whole, as long as a system lives of which anybody was told; it is there no
 * more when its end has been told. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "log.h"
#include "system.h"

#define NAME "system"
#define BYTES_MAX (2 * DOC_BYTES_MAX + 4096) /* the document with its quotes escaped, the rest */

static char *path_of(const struct system *s)
{
    char *path;

    return asprintf(&path, "%s/" NAME, s->run_dir) < 0 ? NULL : path;
}

static char *text_of(const struct system *s)
{
    json_t *json =
        json_pack("{s:s, s:I, s:s, s:s, s:s, s:I, s:s, s:s}", "id", s->id, "incarnation",
                  (json_int_t) s->incarnation, "owner", s->doc->owner, "type", "Container",
                  "isolation", system_ops(s)->isolation, "startedNs", (json_int_t) s->started_ns,
                  "boot", s->engine->boot_id, "document", s->doc->text);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

/* Not synced: it is needed as long as the machine has not been restarted. */
void system_file_write(const struct system *s)
{
    _cleanup_(free_drop) char *path = path_of(s);
    _cleanup_(free_drop) char *text = text_of(s);
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = path && text
                       ? file_write_unsynced(path, text, strlen(text), 0600, &err)
                       : fail(&err, HCS_E_OUTOFMEMORY, "engine.file", "no memory for its file");

    if (r < 0)
        log_line(LOG_LINE_ERROR, "system '%s' (%" PRIu64 ") would be lost with the event log: %s",
                 s->id, s->incarnation, err.text);
}

void system_file_remove(const struct system *s)
{
    _cleanup_(free_drop) char *path = path_of(s);

    if (!path || (unlink(path) < 0 && errno != ENOENT))
        log_line(LOG_LINE_WARNING, "system '%s' (%" PRIu64 ") has ended, and its file stays: %s",
                 s->id, s->incarnation, path ? strerror(errno) : "no memory");
}

/* The strings are of @json. */
static int unpack(json_t *json, struct evlog_living *out, json_error_t *why)
{
    json_int_t incarnation, started_ns;

    if (json_unpack_ex(json, why, 0, "{s:s, s:I, s:s, s:s, s:s, s:I, s:s, s:s}", "id",
                       &out->system.id, "incarnation", &incarnation, "owner", &out->system.owner,
                       "type", &out->system.type, "isolation", &out->system.isolation, "startedNs",
                       &started_ns, "boot", &out->boot_id, "document", &out->document) < 0)
        return -1;
    out->system.incarnation = (uint64_t) incarnation;
    out->started_ns = (uint64_t) started_ns;
    return 0;
}

/* A file that is of another system is as good as none that can be read. */
static hcs_result parse(const char *text, const struct evlog_living *expected, const char *path,
                        evlog_visit_living visit, void *context, hcs_error *err)
{
    struct evlog_living living = { .first_sequence = 0 };
    json_error_t why = { .text = "" };
    json_t *json = json_loads(text, 0, &why);
    hcs_result r = 1;

    if (!json || unpack(json, &living, &why) < 0)
        r = fail(err, HCS_E_INVALIDARG, "engine.file", "'%s' cannot be read: %s", path, why.text);
    else if (strcmp(living.system.id, expected->system.id) != 0 ||
             living.system.incarnation != expected->system.incarnation)
        r = fail(err, HCS_E_INVALIDARG, "engine.file", "'%s' is of system '%.128s' (%" PRIu64 ")",
                 path, living.system.id, living.system.incarnation);
    else
        visit(context, &living);
    json_decref(json);
    return r;
}

hcs_result system_file_read(const struct engine *e, const char *id, uint64_t incarnation,
                            evlog_visit_living visit, void *context, hcs_error *err)
{
    const struct evlog_living expected = { .system = { .id = id, .incarnation = incarnation } };
    _cleanup_(free_drop) char *path = NULL;
    _cleanup_(free_drop) char *text = NULL;
    hcs_result r;

    if (asprintf(&path, "%s/%s.%" PRIu64 "/" NAME, e->options.run_dir, id, incarnation) < 0) {
        path = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "engine.file", "no memory for system '%s'", id);
    }
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    r = file_read(path, BYTES_MAX, &text, NULL, err);
    return r < 0 ? r : parse(text, &expected, path, visit, context, err);
}
