/* properties.c - what can be asked of systems: HCS's Properties, and the list of them.
 * Users:   hcsd's methods.  Loop thread only. */

#include <string.h>

#include "err.h"
#include "exit.h"
#include "system.h"

static const char *exit_type_text(const hcs_exit *exit)
{
    switch (exit->type) {
    case HCS_EXIT_TYPE_GRACEFUL:
        return "GracefulExit";
    case HCS_EXIT_TYPE_FORCED:
        return "ForcedExit";
    case HCS_EXIT_TYPE_UNEXPECTED:
        return "UnexpectedExit";
    default:
        return "Unknown";
    }
}

/* HCS's Properties, and what HCS has no field for: Isolation, Incarnation, Exit. */
static json_t *basic_properties(const hcs_event_system *system, const char *state,
                                const hcs_exit *exit_opt)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "Id", system->id, "SystemType",
                  system->type, "RuntimeOsType", "Linux", "Owner", system->owner, "State", state,
                  "Isolation", system->isolation, "Incarnation", (json_int_t) system->incarnation);

    if (json && exit_opt) {
        json_object_set_new(json, "Stopped", json_true());
        json_object_set_new(json, "ExitType", json_string(exit_type_text(exit_opt)));
        json_object_set_new(json, "Exit", exit_to_json(exit_opt));
    }
    return json;
}

static json_t *living_properties(struct system *s, int whole)
{
    hcs_event_system view;
    json_t *json, *list;

    system_view(s, &view);
    json =
        basic_properties(&view, state_name(s->state), s->state == STATE_STOPPED ? &s->exit : NULL);
    if (!json || !whole)
        return json;
    list = json_array();
    list_for_each(&s->processes, n)
    {
        struct process *p = container_of(n, struct process, link);

        if (p->started && !p->exited)
            json_array_append_new(list, json_pack("{s:I}", "ProcessId", (json_int_t) p->pid));
    }
    json_object_set_new(json, "ProcessList", list);
    json_object_set_new(json, "Document", json_loads(s->doc->text, 0, NULL));
    return json;
}

static json_t *ended_properties(const struct evlog_ended *ended)
{
    return basic_properties(&ended->system, "Stopped", &ended->exit);
}

static void answer_json(struct call *call, json_t *take_json, const struct sub_position *at_opt)
{
    struct answer answer = { .json = take_json, .position = at_opt };

    if (take_json)
        call->answered(call, &answer);
    else
        call_no_memory(call);
    json_decref(take_json);
}

static void on_ended_properties(void *context, const struct evlog_ended *ended)
{
    json_t **out = context;

    *out = ended_properties(ended);
}

void engine_properties(struct engine *e, struct call *call, const char *id, uint64_t incarnation)
{
    struct system *s = system_find_readable(e, id, incarnation);
    hcs_error err = HCS_ERROR_INIT;
    json_t *json = NULL;
    hcs_result r = doc_check_id(id, &err);

    if (r >= 0 && s) {
        answer_json(call, living_properties(s, 1), NULL);
        return;
    }
    if (r >= 0)
        r = evlog_find_ended(e->options.log, id, incarnation, on_ended_properties, &json, &err);
    if (r == 0)
        r = fail(&err, HCS_E_SYSTEM_NOT_FOUND, "engine.properties", "no system '%s'%s", id,
                 incarnation ? " of this handle" : "");
    if (r < 0)
        call_fail_now(call, r, &err);
    else
        answer_json(call, json, NULL);
}

struct listing {
    struct engine *engine;
    const struct doc_query *query;
    json_t *list;
};

static void on_list_ended(void *context, const struct evlog_ended *ended)
{
    struct listing *l = context;

    if (!system_find(l->engine, ended->system.id, ended->system.incarnation) &&
        doc_query_matches(l->query, ended->system.id, ended->system.type, ended->system.owner))
        json_array_append_new(l->list, ended_properties(ended));
}

/* Those that live.  One that is being created has no event yet: it is in no snapshot. */
static void list_living(struct listing *l, int snapshot)
{
    list_for_each(&l->engine->systems, n)
    {
        struct system *s = container_of(n, struct system, link);
        hcs_event_system view;

        system_view(s, &view);
        if (system_is_readable(s) && !(snapshot && s->first_sequence == 0) &&
            doc_query_matches(l->query, view.id, view.type, view.owner))
            json_array_append_new(l->list, living_properties(s, 0));
    }
}

void engine_list(struct engine *e, struct call *call, const char *query_opt, int snapshot)
{
    _cleanup_(doc_query_dropp) struct doc_query *query = NULL;
    struct listing listing = { .engine = e };
    struct evlog *log = e->options.log;
    struct sub_position at = { .boot = "" };
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = doc_query_parse(query_opt, &query, &err);

    listing.query = query;
    listing.list = json_array();
    /* the states are those after all that was appended, so all of it must have its position */
    if (r >= 0 && snapshot)
        r = engine_commit(e, &err);
    if (r >= 0)
        r = evlog_list_ended(log, on_list_ended, &listing, &err);
    if (r < 0) {
        json_decref(listing.list);
        call_fail_now(call, r, &err);
        return;
    }
    list_living(&listing, snapshot);
    at.log = evlog_id(log);
    at.after = evlog_last(log);
    at.boot = evlog_boot_at(log, at.after + 1);
    answer_json(call, listing.list, snapshot ? &at : NULL);
}
