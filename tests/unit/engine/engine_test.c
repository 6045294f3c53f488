/* engine_test.c - what the engine promises, over the fake driver, without a wire. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "event.h"
#include "exit.h"
#include "fake.h"
#include "fd.h"

#define EVENTS 4096

struct seen {
    uint64_t sequence;
    hcs_event_kind kind;
    char id[132];
    uint64_t incarnation;
    uint32_t process_id;
    hcs_exit exit;
    char detail[512];
};

struct reader {
    struct sub sub;
    struct seen seen[EVENTS];
    size_t n_seen;
    size_t room; /* events it takes before it says it has no room */
    uint64_t gap_first, gap_last;
    char end[64];
};

struct fixture {
    sd_event *loop;
    struct evlog *log;
    struct driver *fake;
    struct engine *engine;
    struct reader reader;
    char dir[64];
};

struct asked {
    struct call call;
    int answers;
    hcs_result result;
    char text[512];
    uint32_t process_id;
    uint64_t incarnation;
    hcs_exit exit;
    json_t *json;
};

/* ---- harness ---- */

static int take_event(struct sub *s, const char *bytes, size_t length)
{
    struct reader *r = container_of(s, struct reader, sub);
    hcs_event event = HCS_EVENT_INIT;
    json_t *json;
    struct seen *seen = &r->seen[r->n_seen];

    if (r->room == 0)
        return 0;
    r->room--;
    json = json_loadb(bytes, length, 0, NULL);
    assert_int_equal(event_view(json, &event, NULL), HCS_OK);
    assert_true(r->n_seen < EVENTS);
    seen->sequence = event.sequence;
    seen->kind = event.kind;
    seen->incarnation = event.system.incarnation;
    seen->process_id = event.process_id;
    seen->exit = event.exit;
    snprintf(seen->id, sizeof seen->id, "%s", event.system.id);
    snprintf(seen->detail, sizeof seen->detail, "%s", event.detail);
    r->n_seen++;
    json_decref(json);
    return 1;
}

static int take_gap(struct sub *s, uint64_t first, uint64_t last)
{
    struct reader *r = container_of(s, struct reader, sub);

    r->gap_first = first;
    r->gap_last = last;
    return 1;
}

static int take_end(struct sub *s, const char *reason)
{
    struct reader *r = container_of(s, struct reader, sub);

    assert_string_equal(r->end, "");
    snprintf(r->end, sizeof r->end, "%s", reason);
    return 1;
}

static const struct sub_sink reader_sink = { .event = take_event,
                                             .gap = take_gap,
                                             .end = take_end };

static hcs_result open_from(struct engine *e, struct sub *s, enum sub_from from, uint64_t after,
                            const char *system_id_opt, uint64_t incarnation, hcs_error *err)
{
    struct sub_options options = {
        .from = from, .after = after, .system_id_opt = system_id_opt, .incarnation = incarnation
    };

    return sub_open(e, s, &options, err);
}

static int set_up_limited(void **state, uint64_t events_max, uint32_t systems_max)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct evlog_options log = { .path = ":memory:", .events_max = events_max, .ended_max = 100 };
    struct engine_options options = { .systems_max = systems_max, .processes_max = 16 };

    strcpy(f->dir, "/tmp/hcs-engine-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_true(sd_event_new(&f->loop) >= 0);
    assert_int_equal(evlog_open(f->loop, &log, &f->log, NULL), HCS_OK);
    assert_int_equal(fake_new(f->loop, &f->fake, NULL), HCS_OK);
    options.loop = f->loop;
    options.log = f->log;
    options.run_dir = f->dir;
    options.namespaces = f->fake;
    assert_int_equal(engine_new(&options, &f->engine, NULL), HCS_OK);
    f->reader.sub.sink = &reader_sink;
    f->reader.room = EVENTS;
    assert_int_equal(open_from(f->engine, &f->reader.sub, SUB_FROM_NOW, 0, NULL, 0, NULL), HCS_OK);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_limited(state, 100000, 100);
}

static int set_up_small(void **state)
{
    return set_up_limited(state, 20, 4);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sub_close(&f->reader.sub);
    engine_drop(f->engine);
    f->fake->ops->drop(f->fake);
    evlog_close(f->log);
    sd_event_unref(f->loop);
    assert_int_equal(dir_remove(f->dir, NULL), HCS_OK);
    free(f);
    return 0;
}

/* Until nothing is left to do: no timers but the retry run here, so an empty loop is the end. */
static void settle(struct fixture *f)
{
    while (sd_event_run(f->loop, 0) > 0)
        ;
}

static void on_answer(struct call *call, const struct answer *answer)
{
    struct asked *a = container_of(call, struct asked, call);

    a->answers++;
    a->result = answer->result;
    snprintf(a->text, sizeof a->text, "%s",
             answer->result < 0 ? answer->err->text
             : answer->detail   ? answer->detail
                                : "");
    a->process_id = answer->process_id;
    if (answer->exit)
        a->exit = *answer->exit;
    if (answer->system)
        a->incarnation = answer->system->incarnation;
    a->json = json_incref(answer->json);
}

static void ask(struct asked *a)
{
    memset(a, 0, sizeof *a);
    call_init(&a->call, on_answer);
}

#define DOCUMENT(more)                                                                             \
    "{\"Owner\":\"me\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Container\":{\"Storage\":"    \
    "{\"Path\":\"/root-fs\"}" more "}}"

static hcs_result create(struct fixture *f, const char *id, const char *document)
{
    struct asked a;

    ask(&a);
    engine_create(f->engine, &a.call, id, document);
    settle(f);
    assert_int_equal(a.answers, 1);
    call_drop(&a.call);
    return a.result;
}

static hcs_result verb(struct fixture *f, const char *id,
                       void (*what)(struct engine *, struct call *, const char *, uint64_t))
{
    struct asked a;

    ask(&a);
    what(f->engine, &a.call, id, 0);
    settle(f);
    assert_int_equal(a.answers, 1);
    call_drop(&a.call);
    return a.result;
}

static uint32_t run(struct fixture *f, const char *id, const char *arguments, hcs_result expected)
{
    struct doc_process *doc = NULL;
    int fds[3] = { 0, 1, 2 };
    char text[512];
    struct asked a;

    snprintf(text, sizeof text, "{\"CommandLine\":\"%s\"}", arguments);
    assert_int_equal(doc_process_parse(text, &doc, NULL), HCS_OK);
    ask(&a);
    engine_process_create(f->engine, &a.call, id, 0, doc, fds);
    settle(f);
    assert_int_equal(a.answers, 1);
    assert_int_equal(a.result, expected);
    doc_process_drop(doc);
    call_drop(&a.call);
    return a.process_id;
}

static const struct seen *event_at(struct fixture *f, size_t i, hcs_event_kind kind)
{
    assert_true(i < f->reader.n_seen);
    assert_int_equal(f->reader.seen[i].kind, kind);
    return &f->reader.seen[i];
}

/* ---- promises ---- */

static void a_life_is_told_in_order_with_dense_numbers(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(create(f, "a", DOCUMENT("")), HCS_OK);
    assert_int_equal(verb(f, "a", engine_start), HCS_OK);
    uint32_t pid = run(f, "a", "exit 42", HCS_OK);
    assert_int_equal(verb(f, "a", engine_shut_down), HCS_OK);
    assert_int_equal(f->reader.n_seen, 5);
    event_at(f, 0, HCS_EVENT_SYSTEM_CREATED);
    event_at(f, 1, HCS_EVENT_SYSTEM_STARTED);
    assert_int_equal(event_at(f, 2, HCS_EVENT_PROCESS_STARTED)->process_id, pid);
    const struct seen *exited = event_at(f, 3, HCS_EVENT_PROCESS_EXITED);
    assert_int_equal(exited->process_id, pid);
    assert_int_equal(exited->exit.how, HCS_EXIT_CODE);
    assert_int_equal(exited->exit.code, 42);
    const struct seen *last = event_at(f, 4, HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(last->exit.type, HCS_EXIT_TYPE_GRACEFUL);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(f->reader.seen[i].sequence, i + 1);
    assert_int_equal(engine_busy(f->engine), 0);
}

static void each_way_to_end_is_told_as_what_it_was(void **state)
{
    struct fixture *f = *state;

    create(f, "a", DOCUMENT(""));
    verb(f, "a", engine_start);
    run(f, "a", "signal 11", HCS_OK);
    assert_int_equal(f->reader.seen[3].exit.how, HCS_EXIT_SIGNAL);
    assert_int_equal(f->reader.seen[3].exit.signal, 11);
    run(f, "a", "unknown lost", HCS_OK);
    assert_int_equal(f->reader.seen[5].exit.how, HCS_EXIT_UNKNOWN);
    assert_string_equal(f->reader.seen[5].exit.reason, "lost");
    assert_null(strstr(f->reader.seen[5].detail, "ExitCode"));
    run(f, "a", "crash", HCS_OK);
    const struct seen *last = event_at(f, f->reader.n_seen - 1, HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(last->exit.type, HCS_EXIT_TYPE_UNEXPECTED);
    assert_int_equal(last->exit.status, HCS_E_UNEXPECTED_EXIT);
}

static void running_processes_end_before_their_system(void **state)
{
    struct fixture *f = *state;

    create(f, "a", DOCUMENT(""));
    verb(f, "a", engine_start);
    run(f, "a", "hang", HCS_OK);
    run(f, "a", "hang", HCS_OK);
    assert_int_equal(verb(f, "a", engine_terminate), HCS_OK);
    assert_int_equal(f->reader.n_seen, 7);
    assert_int_equal(event_at(f, 4, HCS_EVENT_PROCESS_EXITED)->exit.signal, 9);
    assert_int_equal(event_at(f, 5, HCS_EVENT_PROCESS_EXITED)->exit.signal, 9);
    assert_int_equal(event_at(f, 6, HCS_EVENT_SYSTEM_EXITED)->exit.type, HCS_EXIT_TYPE_FORCED);
}

static void crash_events_and_unknown_kinds_arrive_raw(void **state)
{
    struct fixture *f = *state;

    create(f, "a", DOCUMENT(""));
    verb(f, "a", engine_start);
    run(f, "a", "event 2 {} event 3 {} event 0x80000003 text event 77 {}", HCS_OK);
    event_at(f, 3, HCS_EVENT_SYSTEM_CRASH_INITIATED);
    event_at(f, 4, HCS_EVENT_SYSTEM_CRASH_REPORT);
    assert_string_equal(event_at(f, 5, 0x80000003)->detail, "text");
    event_at(f, 6, 77);
}

static void wrong_states_are_refused_and_change_nothing(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(verb(f, "a", engine_start), HCS_E_SYSTEM_NOT_FOUND);
    create(f, "a", DOCUMENT(""));
    assert_int_equal(create(f, "a", DOCUMENT("")), HCS_E_SYSTEM_ALREADY_EXISTS);
    assert_int_equal(verb(f, "a", engine_shut_down), HCS_E_INVALID_STATE);
    run(f, "a", "exit 0", HCS_E_INVALID_STATE);
    assert_int_equal(verb(f, "a", engine_start), HCS_OK);
    assert_int_equal(verb(f, "a", engine_start), HCS_E_INVALID_STATE);
    assert_int_equal(verb(f, "a", engine_terminate), HCS_OK);
    assert_int_equal(verb(f, "a", engine_terminate), HCS_E_SYSTEM_ALREADY_STOPPED);
    assert_int_equal(verb(f, "a", engine_start), HCS_E_SYSTEM_ALREADY_STOPPED);
    assert_int_equal(f->reader.n_seen, 3);
}

static void a_missing_program_is_an_error_and_no_event(void **state)
{
    struct fixture *f = *state;

    create(f, "a", DOCUMENT(""));
    verb(f, "a", engine_start);
    run(f, "a", "no-such-program", HCS_E_WIN32_FILE_NOT_FOUND);
    assert_int_equal(f->reader.n_seen, 2);
    run(f, "a", "exit 0", HCS_OK);
}

static void a_failed_create_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    size_t entries = 0;

    assert_int_equal(create(f, "a", DOCUMENT(",\"GuestOs\":{\"HostName\":\"fail-create\"}")),
                     HCS_E_FAIL);
    assert_int_equal(engine_busy(f->engine), 0);
    assert_int_equal(f->reader.n_seen, 0);
    DIR *dir = opendir(f->dir);
    while (readdir(dir))
        entries++;
    closedir(dir);
    assert_int_equal(entries, 2); /* . and .. */
    assert_int_equal(create(f, "a", DOCUMENT("")), HCS_OK);
}

static void who_waits_for_a_system_that_cannot_be_created_is_told(void **state)
{
    struct fixture *f = *state;
    struct reader *r = calloc(1, sizeof *r);
    struct asked creation, waiter;

    ask(&creation);
    ask(&waiter);
    engine_create(f->engine, &creation.call, "a",
                  DOCUMENT(",\"GuestOs\":{\"HostName\":\"fail-create\"}"));
    engine_wait(f->engine, &waiter.call, "a", 0);
    r->sub.sink = &reader_sink;
    r->room = EVENTS;
    assert_int_equal(open_from(f->engine, &r->sub, SUB_FROM_NOW, 0, "a", 0, NULL), HCS_OK);
    settle(f);
    assert_int_equal(creation.result, HCS_E_FAIL);
    assert_int_equal(waiter.answers, 1);
    assert_int_equal(waiter.result, HCS_E_SYSTEM_NOT_FOUND);
    assert_string_equal(r->end, "the system could not be created");
    call_drop(&creation.call);
    call_drop(&waiter.call);
    sub_close(&r->sub);
    free(r);
}

static void a_directory_that_was_left_does_not_stop_a_create(void **state)
{
    struct fixture *f = *state;
    char path[128];

    for (int i = 1; i < 4; i++) {
        snprintf(path, sizeof path, "%s/a.%d", f->dir, i);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(create(f, "a", DOCUMENT("")), HCS_OK);
    assert_int_equal(event_at(f, 0, HCS_EVENT_SYSTEM_CREATED)->incarnation, 4);
}

static void a_stream_whose_exit_is_in_the_gap_ends(void **state)
{
    struct fixture *f = *state;
    struct reader *slow = calloc(1, sizeof *slow);

    create(f, "z", DOCUMENT(""));
    slow->sub.sink = &reader_sink;
    assert_int_equal(open_from(f->engine, &slow->sub, SUB_FROM_NOW, 0, "z", 0, NULL), HCS_OK);
    verb(f, "z", engine_terminate);
    for (int i = 0; i < 100; i++) {
        create(f, "a", DOCUMENT(""));
        verb(f, "a", engine_terminate);
    }
    slow->room = EVENTS;
    sub_wake(&slow->sub);
    settle(f);
    assert_true(slow->gap_last > 2);
    assert_int_equal(slow->n_seen, 0);
    assert_string_equal(slow->end, "the system has exited");
    sub_close(&slow->sub);
    free(slow);
}

static void a_failed_start_ends_the_system_unexpectedly(void **state)
{
    struct fixture *f = *state;

    create(f, "a", DOCUMENT(",\"GuestOs\":{\"HostName\":\"fail-start\"}"));
    assert_int_equal(verb(f, "a", engine_start), HCS_E_FAIL);
    const struct seen *last = event_at(f, 1, HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(last->exit.status, HCS_E_TERMINATED_DURING_START);
    assert_int_equal(last->exit.type, HCS_EXIT_TYPE_UNEXPECTED);
}

static void an_id_can_be_used_again_and_handles_tell_incarnations_apart(void **state)
{
    struct fixture *f = *state;
    struct asked a, b;

    ask(&a);
    engine_create(f->engine, &a.call, "a", DOCUMENT(""));
    settle(f);
    verb(f, "a", engine_terminate);
    ask(&b);
    engine_create(f->engine, &b.call, "a", DOCUMENT(""));
    settle(f);
    assert_true(b.incarnation > a.incarnation);
    struct asked start;
    ask(&start);
    engine_start(f->engine, &start.call, "a", a.incarnation);
    settle(f);
    assert_int_equal(start.result, HCS_E_SYSTEM_ALREADY_STOPPED);
    assert_int_equal(verb(f, "a", engine_start), HCS_OK);
    call_drop(&a.call);
    call_drop(&b.call);
    call_drop(&start.call);
}

static void create_waits_for_the_clean_up_of_its_predecessor(void **state)
{
    struct fixture *f = *state;
    struct asked end, next;

    create(f, "a", DOCUMENT(""));
    ask(&end);
    ask(&next);
    engine_terminate(f->engine, &end.call, "a", 0);
    while (f->reader.n_seen < 2)
        assert_true(sd_event_run(f->loop, 0) > 0);
    engine_create(f->engine, &next.call, "a", DOCUMENT(""));
    settle(f);
    assert_int_equal(end.result, HCS_OK);
    assert_int_equal(next.answers, 1);
    assert_int_equal(next.result, HCS_OK);
    call_drop(&end.call);
    call_drop(&next.call);
}

static void waiters_get_the_report_before_and_after_the_end(void **state)
{
    struct fixture *f = *state;
    struct asked before, process_before;

    create(f, "a", DOCUMENT(""));
    verb(f, "a", engine_start);
    uint32_t pid = run(f, "a", "hang", HCS_OK);
    ask(&before);
    ask(&process_before);
    engine_wait(f->engine, &before.call, "a", 0);
    engine_process_wait(f->engine, &process_before.call, "a", 0, pid);
    settle(f);
    assert_int_equal(before.answers + process_before.answers, 0);
    verb(f, "a", engine_terminate);
    assert_int_equal(before.exit.type, HCS_EXIT_TYPE_FORCED);
    assert_int_equal(process_before.exit.signal, 9);
    call_drop(&before.call);
    call_drop(&process_before.call);

    ask(&before);
    ask(&process_before);
    engine_wait(f->engine, &before.call, "a", 0);
    engine_process_wait(f->engine, &process_before.call, "a", 0, pid);
    settle(f);
    assert_int_equal(before.exit.type, HCS_EXIT_TYPE_FORCED);
    assert_int_equal(process_before.exit.signal, 9);
    call_drop(&before.call);
    call_drop(&process_before.call);

    ask(&process_before);
    engine_process_wait(f->engine, &process_before.call, "a", 0, pid + 1000);
    settle(f);
    assert_int_equal(process_before.result, HCS_E_WIN32_NOT_FOUND);
    call_drop(&process_before.call);
}

static void a_dropped_call_gets_no_answer(void **state)
{
    struct fixture *f = *state;
    struct asked a, b;

    ask(&a);
    engine_create(f->engine, &a.call, "a", DOCUMENT(""));
    call_drop(&a.call);
    settle(f);
    assert_int_equal(a.answers, 0);
    ask(&b);
    engine_wait(f->engine, &b.call, "a", 0);
    call_drop(&b.call);
    assert_int_equal(verb(f, "a", engine_terminate), HCS_OK);
    assert_int_equal(b.answers, 0);
}

static void a_stream_of_one_system_sees_only_it_and_ends_with_it(void **state)
{
    struct fixture *f = *state;
    struct reader *r = calloc(1, sizeof *r);

    create(f, "a", DOCUMENT(""));
    create(f, "b", DOCUMENT(""));
    r->sub.sink = &reader_sink;
    r->room = EVENTS;
    assert_int_equal(open_from(f->engine, &r->sub, SUB_FROM_BEGINNING, 0, "b", 0, NULL), HCS_OK);
    verb(f, "a", engine_start);
    verb(f, "b", engine_start);
    verb(f, "a", engine_terminate);
    assert_string_equal(r->end, "");
    verb(f, "b", engine_terminate);
    assert_int_equal(r->n_seen, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(r->seen[i].id, "b");
    assert_string_equal(r->end, "the system has exited");
    sub_close(&r->sub);
    free(r);
}

static void a_stream_of_an_ended_system_replays_and_ends(void **state)
{
    struct fixture *f = *state;
    struct reader *r = calloc(1, sizeof *r);
    hcs_error err = HCS_ERROR_INIT;

    create(f, "a", DOCUMENT(""));
    verb(f, "a", engine_terminate);
    r->sub.sink = &reader_sink;
    r->room = EVENTS;
    assert_int_equal(open_from(f->engine, &r->sub, SUB_FROM_BEGINNING, 0, "a", 0, NULL), HCS_OK);
    settle(f);
    assert_int_equal(r->n_seen, 2);
    assert_string_equal(r->end, "the system has exited");
    sub_close(&r->sub);
    assert_int_equal(open_from(f->engine, &r->sub, SUB_FROM_NOW, 0, "nobody", 0, &err),
                     HCS_E_SYSTEM_NOT_FOUND);
    assert_int_equal(open_from(f->engine, &r->sub, SUB_FROM_AFTER, 99, NULL, 0, &err),
                     HCS_E_INVALIDARG);
    free(r);
}

static void a_stream_from_now_or_exit_gives_the_exit_of_an_ended_system(void **state)
{
    struct fixture *f = *state;

    for (int ended = 0; ended < 2; ended++) {
        struct reader *r = calloc(1, sizeof *r);

        create(f, "a", DOCUMENT(""));
        verb(f, "a", engine_start);
        if (ended)
            verb(f, "a", engine_terminate);
        create(f, "b", DOCUMENT(""));
        verb(f, "b", engine_terminate);
        r->sub.sink = &reader_sink;
        r->room = EVENTS;
        assert_int_equal(open_from(f->engine, &r->sub, SUB_FROM_NOW_OR_EXIT, 0, "a", 0, NULL),
                         HCS_OK);
        settle(f);
        assert_int_equal(r->n_seen, ended);
        if (!ended)
            verb(f, "a", engine_terminate);
        assert_int_equal(r->n_seen, 1);
        assert_int_equal(r->seen[0].kind, HCS_EVENT_SYSTEM_EXITED);
        assert_string_equal(r->end, "the system has exited");
        sub_close(&r->sub);
        free(r);
    }
}

static void a_stream_of_an_incarnation_is_never_that_of_a_later_system(void **state)
{
    struct fixture *f = *state;
    struct reader *r = calloc(1, sizeof *r);
    hcs_error err = HCS_ERROR_INIT;
    uint64_t first;

    create(f, "a", DOCUMENT(""));
    first = f->reader.seen[0].incarnation;
    verb(f, "a", engine_terminate);
    create(f, "a", DOCUMENT(""));
    r->sub.sink = &reader_sink;
    r->room = EVENTS;
    assert_int_equal(open_from(f->engine, &r->sub, SUB_FROM_BEGINNING, 0, "a", first, NULL),
                     HCS_OK);
    settle(f);
    assert_int_equal(r->n_seen, 2);
    assert_int_equal(r->seen[1].incarnation, first);
    assert_string_equal(r->end, "the system has exited");
    sub_close(&r->sub);
    assert_int_equal(open_from(f->engine, &r->sub, SUB_FROM_NOW, 0, "a", first + 100, &err),
                     HCS_E_SYSTEM_NOT_FOUND);
    free(r);
}

static void a_reader_without_room_stalls_nobody_and_misses_nothing(void **state)
{
    struct fixture *f = *state;
    struct reader *slow = calloc(1, sizeof *slow);

    slow->sub.sink = &reader_sink;
    assert_int_equal(open_from(f->engine, &slow->sub, SUB_FROM_NOW, 0, NULL, 0, NULL), HCS_OK);
    for (int i = 0; i < 200; i++) {
        create(f, "a", DOCUMENT(""));
        verb(f, "a", engine_terminate);
    }
    assert_int_equal(f->reader.n_seen, 400);
    assert_int_equal(slow->n_seen, 0);
    slow->room = EVENTS;
    sub_wake(&slow->sub);
    settle(f);
    assert_int_equal(slow->n_seen, 400);
    for (size_t i = 0; i < 400; i++)
        assert_int_equal(slow->seen[i].sequence, i + 1);
    sub_close(&slow->sub);
    free(slow);
}

static void what_the_log_no_longer_has_is_one_exact_gap(void **state)
{
    struct fixture *f = *state;
    struct reader *slow = calloc(1, sizeof *slow);

    slow->sub.sink = &reader_sink;
    assert_int_equal(open_from(f->engine, &slow->sub, SUB_FROM_NOW, 0, NULL, 0, NULL), HCS_OK);
    for (int i = 0; i < 100; i++) {
        create(f, "a", DOCUMENT(""));
        verb(f, "a", engine_terminate);
    }
    slow->room = EVENTS;
    sub_wake(&slow->sub);
    settle(f);
    assert_int_equal(slow->gap_first, 1);
    assert_int_equal(slow->seen[0].sequence, slow->gap_last + 1);
    assert_int_equal(slow->gap_last + slow->n_seen, 200);
    sub_close(&slow->sub);
    free(slow);
}

static void there_are_no_more_systems_than_are_allowed(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 4; i++) {
        char id[2] = { (char) ('a' + i), 0 };

        assert_int_equal(create(f, id, DOCUMENT("")), HCS_OK);
    }
    assert_int_equal(create(f, "e", DOCUMENT("")), HCS_E_WIN32_BUSY);
    verb(f, "a", engine_terminate);
    assert_int_equal(create(f, "e", DOCUMENT("")), HCS_OK);
}

static void signals_go_to_living_processes_only(void **state)
{
    struct fixture *f = *state;
    struct asked a;

    create(f, "a", DOCUMENT(""));
    verb(f, "a", engine_start);
    uint32_t pid = run(f, "a", "ignore 15 hang", HCS_OK);
    static const struct {
        int signal;
        hcs_result result;
    } cases[] = {
        { 15, HCS_OK },           { 0, HCS_OK },
        { -1, HCS_E_INVALIDARG }, { 999, HCS_E_INVALIDARG },
        { 10, HCS_OK },           { 9, HCS_E_PROCESS_ALREADY_STOPPED },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        ask(&a);
        engine_process_signal(f->engine, &a.call, "a", 0, pid, cases[i].signal);
        settle(f);
        assert_int_equal(a.result, cases[i].result);
        call_drop(&a.call);
    }
    assert_int_equal(f->reader.seen[f->reader.n_seen - 1].exit.signal, 10);
}

static void lists_show_living_and_remembered_systems_once(void **state)
{
    struct fixture *f = *state;
    struct asked a;

    create(f, "a", DOCUMENT(""));
    create(f, "b", DOCUMENT(""));
    verb(f, "a", engine_terminate);
    ask(&a);
    engine_list(f->engine, &a.call, NULL, 0);
    assert_int_equal(json_array_size(a.json), 2);
    json_decref(a.json);
    call_drop(&a.call);
    ask(&a);
    engine_list(f->engine, &a.call, "{\"Ids\":[\"a\"]}", 0);
    assert_int_equal(json_array_size(a.json), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(a.json, 0), "State")),
                        "Stopped");
    json_decref(a.json);
    call_drop(&a.call);
    assert_int_equal(verb(f, "b", engine_forget), HCS_E_INVALID_STATE);
    assert_int_equal(verb(f, "a", engine_forget), HCS_OK);
    assert_int_equal(verb(f, "a", engine_wait), HCS_E_SYSTEM_NOT_FOUND);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SMALL(name) cmocka_unit_test_setup_teardown(name, set_up_small, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_life_is_told_in_order_with_dense_numbers),
        T(each_way_to_end_is_told_as_what_it_was),
        T(running_processes_end_before_their_system),
        T(crash_events_and_unknown_kinds_arrive_raw),
        T(wrong_states_are_refused_and_change_nothing),
        T(a_missing_program_is_an_error_and_no_event),
        T(a_failed_create_leaves_nothing),
        T(who_waits_for_a_system_that_cannot_be_created_is_told),
        T(a_directory_that_was_left_does_not_stop_a_create),
        SMALL(a_stream_whose_exit_is_in_the_gap_ends),
        T(a_failed_start_ends_the_system_unexpectedly),
        T(an_id_can_be_used_again_and_handles_tell_incarnations_apart),
        T(create_waits_for_the_clean_up_of_its_predecessor),
        T(waiters_get_the_report_before_and_after_the_end),
        T(a_dropped_call_gets_no_answer),
        T(a_stream_of_one_system_sees_only_it_and_ends_with_it),
        T(a_stream_of_an_ended_system_replays_and_ends),
        T(a_stream_from_now_or_exit_gives_the_exit_of_an_ended_system),
        T(a_stream_of_an_incarnation_is_never_that_of_a_later_system),
        T(a_reader_without_room_stalls_nobody_and_misses_nothing),
        SMALL(what_the_log_no_longer_has_is_one_exact_gap),
        SMALL(there_are_no_more_systems_than_are_allowed),
        T(signals_go_to_living_processes_only),
        T(lists_show_living_and_remembered_systems_once),
    };

    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
