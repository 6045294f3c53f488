/* engine_stuck_test.c - the engine while its log cannot be written: what waits is bounded, an end
 * has its room in any case. */

#define PLACE "/dev/shm"

#include "../unit/engine/evlog_place.h"

#include <sqlite3.h>

#include "fake.h"
#include "fault_vfs.h"
#include "log.h"
#include "system.h"

#define BOUND ((uint64_t) 64 * 1024 * 1024)

struct world {
    sd_event *loop;
    struct evlog *log;
    struct driver *fake;
    struct engine *engine;
    struct call call;
    int answers;
    hcs_result result;
    char text[480];
};

static void on_answer(struct call *call, const struct answer *answer)
{
    struct world *w = container_of(call, struct world, call);

    w->answers++;
    w->result = answer->result;
    snprintf(w->text, sizeof w->text, "%s", answer->err ? answer->err->text : "");
}

static void settle(struct world *w)
{
    while (sd_event_run(w->loop, 0) > 0)
        ;
}

static void create(struct world *w, const char *id)
{
    w->answers = 0;
    call_init(&w->call, on_answer);
    engine_create(w->engine, &w->call, id,
                  "{\"Owner\":\"me\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                  "\"Container\":{\"Storage\":{\"Path\":\"/\"}}}");
    settle(w);
}

static void begin(struct world *w, struct place *p)
{
    struct evlog_options log = { .path = p->path, .events_max = 1000000, .ended_max = 10 };
    struct engine_options options = { .systems_max = 10, .processes_max = 10, .run_dir = p->dir };

    memset(w, 0, sizeof *w);
    assert_true(sd_event_new(&w->loop) >= 0);
    assert_int_equal(evlog_open(w->loop, &log, &w->log, NULL), HCS_OK);
    assert_int_equal(fake_new(w->loop, &w->fake, NULL), HCS_OK);
    options.loop = w->loop;
    options.log = w->log;
    options.namespaces = w->fake;
    assert_int_equal(engine_new(&options, &w->engine, NULL), HCS_OK);
}

static void end(struct world *w)
{
    call_drop(&w->call);
    engine_drop(w->engine);
    w->fake->ops->drop(w->fake);
    evlog_close(w->log);
    sd_event_unref(w->loop);
}

/* What a driver that goes on telling would bring; how many of them were taken. */
static uint64_t tell_many(struct system *s, int n)
{
    uint64_t taken = 0;

    log_set_level((enum log_level) 0); /* each that is not taken is said */
    for (int i = 0; i < n; i++) {
        hcs_event event = HCS_EVENT_INIT;

        event.kind = 77;
        taken += system_append(s, NULL, &event) != 0;
    }
    log_set_level(LOG_LINE_NOTICE);
    return taken;
}

static void what_waits_is_bounded_and_ends_have_their_room(void **state)
{
    struct world w;
    uint64_t taken;

    begin(&w, *state);
    create(&w, "a");
    assert_int_equal(w.result, HCS_OK);
    fault_set((struct fault){ .what = FAULT_ERROR, .at = 1, .times = -1, .error = SQLITE_FULL });
    taken = tell_many(system_find(w.engine, "a", 0), 200000);
    assert_true(taken > 1000 && taken < 200000);
    assert_in_range(evlog_pending_bytes(w.log), BOUND, BOUND + 64 * 1024);

    settle(&w); /* the commit does not work */
    call_drop(&w.call);
    create(&w, "b");
    assert_int_equal(w.result, HCS_E_WIN32_DISK_FULL);
    assert_non_null(strstr(w.text, "the event log cannot be written"));

    w.answers = 0;
    call_init(&w.call, on_answer);
    engine_terminate(w.engine, &w.call, "a", 0);
    settle(&w);
    assert_int_equal(w.answers, 0); /* it has ended, and nobody is told */
    assert_int_equal(evlog_last(w.log), 1);
    assert_int_equal(status_of(w.log).pending, taken + 1);

    fault_set((struct fault){ 0 });
    while (w.answers == 0)
        assert_true(sd_event_run(w.loop, 5000000) > 0);
    assert_int_equal(w.result, HCS_OK);
    assert_int_equal(evlog_last(w.log), taken + 2);
    assert_int_equal(read_all(w.log, 0).n, taken + 2);
    end(&w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_waits_is_bounded_and_ends_have_their_room),
    };

    fault_vfs_install();
    return cmocka_run_group_tests_name("engine_stuck", tests, NULL, NULL);
}
