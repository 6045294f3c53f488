/* evlog_place.h - for tests of the event log: a directory of its own, and the calls, checked. */
#ifndef TESTS_EVLOG_PLACE_H
#define TESTS_EVLOG_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event.h"
#include "evlog.h"
#include "exit.h"
#include "fd.h"

/* Where; what is about processes and not about disks may be in memory. */
#ifndef PLACE
#define PLACE "/tmp"
#endif

struct place {
    char dir[64];
    char path[96];
};

static inline int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    strcpy(p->dir, PLACE "/hcs-evlog-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/events.db", p->dir);
    *state = p;
    return 0;
}

static inline int tear_down(void **state)
{
    struct place *p = *state;

    assert_int_equal(dir_remove(p->dir, NULL), HCS_OK);
    free(p);
    return 0;
}

/* @options without a path, which is that of @p. */
static inline struct evlog *open_with(const struct place *p, struct evlog_options options)
{
    struct evlog *log = NULL;
    hcs_error err = HCS_ERROR_INIT;

    options.path = p->path;
    if (options.events_max == 0)
        options.events_max = 1000000;
    if (options.ended_max == 0)
        options.ended_max = 3;
    if (evlog_open(NULL, &options, &log, &err) < 0)
        fail_msg("%s", err.text);
    return log;
}

static inline struct evlog *open_log(const struct place *p, uint64_t events_max)
{
    return open_with(p, (struct evlog_options){ .events_max = events_max });
}

static inline uint64_t append(struct evlog *log, const char *id, uint64_t incarnation)
{
    hcs_event event = HCS_EVENT_INIT;

    event.kind = HCS_EVENT_SYSTEM_CREATED;
    event.system.id = id;
    event.system.incarnation = incarnation;
    assert_int_equal(evlog_append(log, evlog_reserve(64), &event), HCS_OK);
    return event.sequence;
}

static inline void commit(struct evlog *log)
{
    hcs_error err = HCS_ERROR_INIT;

    if (evlog_commit(log, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void append_many(struct evlog *log, int n)
{
    for (int i = 0; i < n; i++)
        append(log, "a", 1);
    commit(log);
}

static inline struct evlog_status status_of(const struct evlog *log)
{
    struct evlog_status status;

    evlog_get_status(log, &status);
    return status;
}

/* Files of @p whose names begin with @prefix. */
static inline int count_files(const struct place *p, const char *prefix)
{
    DIR *dir = opendir(p->dir);
    int n = 0;

    assert_non_null(dir);
    for (const struct dirent *d; (d = readdir(dir));)
        n += strncmp(d->d_name, prefix, strlen(prefix)) == 0;
    closedir(dir);
    return n;
}

struct seen {
    uint64_t first, last, n;
    char id[32];
};

static inline int look(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                       const char *bytes, size_t length)
{
    struct seen *seen = context;
    json_t *json = json_loadb(bytes, length, 0, NULL);
    hcs_event event = HCS_EVENT_INIT;

    assert_non_null(json);
    assert_int_equal(event_view(json, &event, NULL), HCS_OK);
    assert_int_equal(event.sequence, sequence);
    assert_int_equal(event.system.incarnation, incarnation);
    assert_int_equal(event.kind, kind);
    if (seen->n == 0)
        seen->first = sequence;
    else
        assert_int_equal(sequence, seen->last + 1);
    seen->last = sequence;
    seen->n++;
    snprintf(seen->id, sizeof seen->id, "%s", event.system.id);
    json_decref(json);
    return 1;
}

static inline struct seen read_all(struct evlog *log, uint64_t after)
{
    struct seen seen = { 0 };
    uint64_t before;

    seen.last = after;
    do {
        before = seen.n;
        assert_int_equal(evlog_read(log, seen.n ? seen.last : after, look, &seen, NULL), HCS_OK);
    } while (seen.n > before);
    return seen;
}

#endif
