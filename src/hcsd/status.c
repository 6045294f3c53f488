/* status.c - what the service is, and how it is: the objects that GetInfo and GetStatus answer
 * with.
 * Owns:    nothing; it looks.
 * Users:   methods.c.  Loop thread only.
 * Promise: every number is read from where it is kept, now; what there is not is not there. */

#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "server.h"
#include "state.h"

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t) n);
}

/* ---- what it is ---- */

static json_t *drivers(const struct server *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n_drivers; i++)
        json_array_append_new(list, s->drivers[i]->ops->info(s->drivers[i]));
    return list;
}

/* What both objects begin with. */
static json_t *service(const struct server *s)
{
    json_t *json = json_pack("{s:s, s:s, s:i, s:b, s:o, s:o}", "name", "hcsd", "version", VERSION,
                             "pid", (int) getpid(), "shared", s->shared, "startedNs",
                             number(s->started_ns), "drivers", drivers(s));

    if (json && s->no_namespaces)
        json_object_set_new(json, "noContainers", json_string(s->no_namespaces));
    if (json && s->tcp.listen_fd != SOCKET_NONE)
        json_object_set_new(json, "tcp",
                            json_pack("{s:i, s:o}", "port", (int) s->tcp.address.port, "refused",
                                      number(s->tcp.refused)));
    return json;
}

/* ---- readers ---- */

struct readers {
    uint64_t n, n_blocked, lag_max;
    json_t *list;
};

static json_t *reader(const struct connection *c, const struct sub_figures *f)
{
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "reader", number(c->number),
                  "after", number(f->position), "lag", number(f->lag), "blocked", f->blocked,
                  "seeking", f->seeking, "sent", number(f->sent), "filtered", number(f->filtered),
                  "unsentBytes", number(varlink_unsent(c->varlink)), "gaps", number(c->gaps),
                  "missedEvents", number(c->missed));

    if (json && c->account && c->account->uid != ACCOUNT_TCP)
        json_object_set_new(json, "uid", number(c->account->uid));
    if (json && f->incarnation != 0)
        json_object_set_new(json, "incarnation", number(f->incarnation));
    return json;
}

static struct readers look_at_readers(const struct server *s, json_t *list_opt)
{
    struct readers r = { .list = list_opt };

    list_for_each(&s->connections, n)
    {
        const struct connection *c = container_of(n, struct connection, link);
        struct sub_figures f;

        if (!c->streaming)
            continue;
        sub_get_figures(&c->sub, &f);
        r.n++;
        r.n_blocked += f.blocked != 0;
        if (f.lag > r.lag_max)
            r.lag_max = f.lag;
        if (list_opt)
            json_array_append_new(list_opt, reader(c, &f));
    }
    return r;
}

static json_t *readers(const struct server *s)
{
    struct readers r = look_at_readers(s, json_array());

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "count", number(r.n), "blocked",
                     number(r.n_blocked), "lagMax", number(r.lag_max), "gaps", number(s->gaps_told),
                     "missedEvents", number(s->events_missed), "list", r.list);
}

json_t *info_object(const struct server *s)
{
    const struct evlog *log = engine_log(s->engine);
    json_t *json = service(s);
    json_t *more = json_pack(
        "{s:o, s:o, s:o, s:{s:s, s:o, s:o}}", "streams", number(look_at_readers(s, NULL).n),
        "connections", number(s->n_connections), "systems", number(engine_busy(s->engine)), "log",
        "id", evlog_id(log), "first", number(evlog_first(log)), "last", number(evlog_last(log)));

    if (json && more)
        json_object_update(json, more);
    json_decref(more);
    return json;
}

/* ---- how it is ---- */

static json_t *systems(const struct server *s)
{
    static const char *const names[N_STATES] = {
        [STATE_CREATING] = "creating", [STATE_CREATED] = "created", [STATE_STARTING] = "starting",
        [STATE_RUNNING] = "running",   [STATE_PAUSED] = "paused",   [STATE_STOPPED] = "cleaning",
    };
    uint32_t counts[N_STATES] = { 0 };
    json_t *json = json_object();

    engine_count(s->engine, counts);
    for (size_t i = 0; i < N_STATES; i++)
        json_object_set_new(json, names[i], number(counts[i]));
    return json;
}

static void add_text(json_t *json, const char *key, const char *text)
{
    if (text[0])
        json_object_set_new(json, key, json_string(text));
}

static json_t *log_object(const struct server *s)
{
    struct evlog *log = engine_log(s->engine);
    struct evlog_status now;
    json_t *json;

    evlog_get_status(log, &now);
    json = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "id",
                     now.log_id, "first", number(now.first), "last", number(now.last), "events",
                     number(now.events), "eventBytes", number(now.event_bytes), "fileBytes",
                     number(now.file_bytes), "eventsMax", number(now.events_max), "bytesMax",
                     number(now.bytes_max), "ageMaxNs", number(now.age_max_ns), "pending",
                     number(now.pending), "pendingBytes", number(now.pending_bytes), "stuck",
                     now.stuck_since_ns != 0, "setAside", number(now.set_aside));
    if (!json)
        return NULL;
    if (now.stuck_since_ns != 0)
        json_object_set_new(json, "stuckSinceNs", number(now.stuck_since_ns));
    add_text(json, "error", now.error);
    add_text(json, "setAsidePath", now.set_aside_path);
    add_text(json, "previous", now.previous_log_id);
    if (now.previous_log_id[0])
        json_object_set_new(json, "previousLast", number(now.previous_last));
    add_text(json, "boot", evlog_boot_at(log, now.last));
    return json;
}

static json_t *per_limit(const uint64_t values[N_LIMITS])
{
    json_t *json = json_object();

    for (unsigned i = 0; i < N_LIMITS; i++)
        json_object_set_new(json, limit_name((enum limit) i), number(values[i]));
    return json;
}

static json_t *user(const struct account *a)
{
    uint64_t limits[N_LIMITS];
    json_t *json;

    for (unsigned i = 0; i < N_LIMITS; i++)
        limits[i] = account_limit(a, (enum limit) i);
    json = json_pack("{s:b, s:o, s:o}", "privileged", account_is_privileged(a), "used",
                     per_limit(a->used), "limits", per_limit(limits));
    if (json && a->uid != ACCOUNT_TCP)
        json_object_set_new(json, "uid", number(a->uid));
    return json;
}

static json_t *users(const struct server *s)
{
    json_t *list = json_array();

    list_for_each(&s->accounts.list, n)
        json_array_append_new(list, user(container_of(n, struct account, link)));
    return list;
}

static json_t *refused(const struct server *s)
{
    json_t *json = per_limit(s->accounts.refused);

    json_object_set_new(json, "access", number(s->access.refused));
    json_object_set_new(json, "tcp", number(s->tcp.refused));
    return json;
}

json_t *status_object(const struct server *s)
{
    uint64_t now = clock_realtime_ns();
    json_t *json = service(s);
    json_t *more =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "socket",
                  s->socket_path, "host", s->host_id, "uid", number(s->access.owner), "uptimeNs",
                  number(clock_monotonic_ns() - s->started_monotonic_ns), "nowNs", number(now),
                  "log", log_object(s), "systems", systems(s), "readers", readers(s), "connections",
                  number(s->n_connections), "limits", per_limit(s->accounts.limit), "users",
                  users(s), "refused", refused(s));

    if (json && more)
        json_object_update(json, more);
    if (json && s->access.has_group)
        json_object_set_new(json, "group", json_string(s->access.group_name));
    json_decref(more);
    return json;
}
