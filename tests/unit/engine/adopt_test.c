/* adopt_test.c - an engine that comes after another one, over a driver that obeys the test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "event.h"
#include "exit.h"
#include "fd.h"

#define SYSTEMS 8
#define PROCESSES 16

/* ---- a driver that does nothing by itself ---- */

struct asked {
    struct driver_system *system;
    uint64_t create, start, process, adopt, clean; /* jobs */
    uint32_t number;                               /* of the process */
    struct driver_process known[PROCESSES];
    size_t n_known;
    int is_leftover;
    size_t n_settled;
};

static struct script {
    struct driver driver;
    struct asked asked[SYSTEMS];
    size_t n;
} script;

static struct asked *of(struct driver_system *s)
{
    return s->data;
}

static struct asked *begin(struct driver_system *s)
{
    struct asked *a = &script.asked[script.n++];

    assert_true(script.n <= SYSTEMS);
    memset(a, 0, sizeof *a);
    a->system = s;
    s->data = a;
    return a;
}

static hcs_result do_check(struct driver *d, const struct doc_system *doc, hcs_error *err)
{
    (void) d, (void) doc, (void) err;
    return HCS_OK;
}

static void do_create(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    begin(s)->create = job;
}

static void do_adopt(struct driver *d, struct driver_system *s, uint64_t job,
                     const struct driver_known *known_opt)
{
    struct asked *a = begin(s);

    (void) d;
    a->adopt = job;
    a->is_leftover = !known_opt;
    a->n_known = known_opt ? known_opt->n_processes : 0;
    assert_true(a->n_known <= PROCESSES);
    if (a->n_known)
        memcpy(a->known, known_opt->processes, a->n_known * sizeof a->known[0]);
}

static void do_start(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    of(s)->start = job;
}

static void do_process_create(struct driver *d, struct driver_system *s, uint64_t job,
                              uint32_t number, const struct doc_process *doc, const int fds[3])
{
    (void) d, (void) doc, (void) fds;
    of(s)->process = job;
    of(s)->number = number;
}

static void do_settled(struct driver *d, struct driver_system *s, uint32_t number)
{
    (void) d;
    if (s->data && number)
        of(s)->n_settled++;
}

static void do_clean(struct driver *d, struct driver_system *s, uint64_t job)
{
    (void) d;
    of(s)->clean = job;
}

static void do_forget(struct driver *d, struct driver_system *s)
{
    (void) d, (void) s;
}

static const struct driver_ops ops = {
    .name = "script",
    .isolation = "namespaces",
    .check = do_check,
    .create = do_create,
    .adopt = do_adopt,
    .start = do_start,
    .process_create = do_process_create,
    .settled = do_settled,
    .clean = do_clean,
    .forget = do_forget,
};

/* ---- one hcsd after another ---- */

struct place {
    char dir[64];
    char path[96];
    char run_dir[96];
    sd_event *loop;
    struct evlog *log;
    struct engine *engine;
    char boot_id[33];
};

struct answer_of {
    struct call call;
    int n;
    hcs_result result;
    hcs_exit exit;
    uint64_t incarnation;
    uint32_t pid;
};

static const char *there_before_answers; /* a path, or NULL */

static void on_answer(struct call *call, const struct answer *answer)
{
    struct answer_of *a = container_of(call, struct answer_of, call);

    if (there_before_answers)
        assert_int_equal(access(there_before_answers, F_OK), 0);
    a->n++;
    a->result = answer->result;
    a->pid = answer->process_id;
    if (answer->exit)
        a->exit = *answer->exit;
    if (answer->system)
        a->incarnation = answer->system->incarnation;
}

/* Never dropped: an answer that comes when the test is over finds it still there. */
static struct answer_of *ask(void)
{
    static struct answer_of answers[8];
    static size_t n_asked;
    struct answer_of *a = &answers[n_asked++ % N_ELEMENTS(answers)];

    if (a->call.answered)
        call_drop(&a->call);
    memset(a, 0, sizeof *a);
    call_init(&a->call, on_answer);
    return a;
}

static void settle(struct place *p)
{
    while (sd_event_run(p->loop, 0) > 0)
        ;
}

static void begin_hcsd(struct place *p, struct driver *driver_opt)
{
    struct evlog_options log = { .path = p->path, .events_max = 10000, .ended_max = 100 };
    struct engine_options options = {
        .run_dir = p->run_dir,
        .namespaces = driver_opt,
        .systems_max = 10,
        .processes_max = 10,
        .boot_id = p->boot_id,
    };

    script.driver.ops = &ops;
    script.n = 0;
    assert_int_equal(evlog_open(p->loop, &log, &p->log, NULL), HCS_OK);
    options.loop = p->loop;
    options.log = p->log;
    assert_int_equal(engine_new(&options, &p->engine, NULL), HCS_OK);
    assert_int_equal(engine_adopt(p->engine, NULL), HCS_OK);
}

/* What was not committed is lost, as with kill -9, and so is every call. */
static void end_hcsd(struct place *p)
{
    for (int i = 0; i < 8; i++)
        (void) ask();
    engine_drop(p->engine);
    evlog_close(p->log);
}

static void again(struct place *p)
{
    end_hcsd(p);
    begin_hcsd(p, &script.driver);
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    there_before_answers = NULL;
    strcpy(p->dir, "/tmp/hcs-adopt-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/events.db", p->dir);
    snprintf(p->run_dir, sizeof p->run_dir, "%s/systems", p->dir);
    snprintf(p->boot_id, sizeof p->boot_id, "%032d", 1);
    assert_int_equal(mkdir(p->run_dir, 0700), 0);
    assert_true(sd_event_new(&p->loop) >= 0);
    begin_hcsd(p, &script.driver);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    end_hcsd(p);
    sd_event_unref(p->loop);
    assert_int_equal(dir_remove(p->dir, NULL), HCS_OK);
    free(p);
    return 0;
}

static void done(struct asked *a, uint64_t job)
{
    a->system->tell->done(a->system, job, HCS_OK, NULL);
}

static struct asked *last(void)
{
    assert_true(script.n > 0);
    return &script.asked[script.n - 1];
}

#define DOCUMENT                                                                                   \
    "{\"Owner\":\"me\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Container\":{\"Storage\":"    \
    "{\"Path\":\"/root-fs\"}}}"

static void run_system(struct place *p, const char *id)
{
    struct answer_of *a = ask();

    engine_create(p->engine, &a->call, id, DOCUMENT);
    done(last(), last()->create);
    settle(p);
    assert_int_equal(a->result, HCS_OK);
    a = ask();
    engine_start(p->engine, &a->call, id, 0);
    done(last(), last()->start);
    settle(p);
    assert_int_equal(a->n, 1);
}

/* Ask for a process; the driver has not answered. */
static uint32_t ask_process(struct place *p, const char *id, struct answer_of **out)
{
    struct doc_process *doc = NULL;

    *out = ask();
    assert_int_equal(doc_process_parse("{\"CommandLine\":\"x\"}", &doc, NULL), HCS_OK);
    engine_process_create(p->engine, &(*out)->call, id, 0, doc, (int[]){ 0, 1, 2 });
    doc_process_drop(doc);
    return last()->number;
}

static uint32_t run_process(struct place *p, const char *id, uint32_t pid)
{
    struct answer_of *a;
    uint32_t number = ask_process(p, id, &a);

    last()->system->tell->process_started(last()->system, last()->process, number, pid);
    settle(p);
    assert_int_equal(a->pid, pid);
    return number;
}

static void exit_process(struct asked *a, uint32_t number, uint32_t wait_status)
{
    hcs_exit report = exit_from_wait_status(wait_status);

    a->system->tell->process_exited(a->system, number, &report);
}

static int is_settled(uint32_t number)
{
    return last()->system->tell->is_settled(last()->system, number);
}

struct told {
    hcs_event_kind kind[64];
    uint32_t pid[64];
    hcs_exit exit[64];
    size_t n;
};

static int on_event(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                    const char *bytes, size_t length)
{
    struct told *t = context;
    hcs_event event = HCS_EVENT_INIT;
    json_t *json = json_loadb(bytes, length, 0, NULL);

    (void) sequence, (void) incarnation;
    assert_int_equal(event_view(json, &event, NULL), HCS_OK);
    assert_true(t->n < 64);
    t->kind[t->n] = kind;
    t->pid[t->n] = event.process_id;
    t->exit[t->n++] = event.exit;
    json_decref(json);
    return 1;
}

static struct told told(struct place *p)
{
    struct told t = { .n = 0 };

    settle(p);
    assert_int_equal(evlog_read(p->log, 0, on_event, &t, NULL), HCS_OK);
    return t;
}

static size_t run_dirs(const struct place *p)
{
    DIR *directory = opendir(p->run_dir);
    size_t n = 0;

    while (readdir(directory))
        n++;
    closedir(directory);
    return n - 2; /* . and .. */
}

/* ---- promises ---- */

static void a_system_is_adopted_with_what_runs_in_it(void **state)
{
    struct place *p = *state;
    uint32_t first, second, third;
    struct answer_of *a;

    run_system(p, "a");
    first = run_process(p, "a", 100);
    second = run_process(p, "a", 101);
    exit_process(last(), first, 0);
    third = run_process(p, "a", 100); /* the pid is used again */
    again(p);
    assert_int_equal(engine_adopting(p->engine), 1);
    assert_int_equal(last()->n_known, 2);
    assert_int_equal(last()->known[0].number, second);
    assert_int_equal(last()->known[0].pid, 101);
    assert_int_equal(last()->known[1].number, third);
    assert_string_equal(last()->system->doc->owner, "me");
    assert_int_equal(last()->system->incarnation, 1);
    assert_true(is_settled(first));
    assert_false(is_settled(second));
    done(last(), last()->adopt);
    assert_int_equal(engine_adopting(p->engine), 0);
    a = ask();
    engine_process_wait(p->engine, &a->call, "a", 1, 100); /* the newest of that pid */
    settle(p);
    assert_int_equal(a->n, 0);
    exit_process(last(), third, 3 << 8);
    settle(p);
    assert_int_equal(a->exit.code, 3);
    assert_true(run_process(p, "a", 102) > third); /* no number is given twice */
    assert_int_equal(told(p).n, 2 + 4 + 2);
}

static void what_happens_meanwhile_is_told_once(void **state)
{
    struct place *p = *state;
    uint32_t known, unknown;
    struct answer_of *a;
    struct told t;

    run_system(p, "a");
    known = run_process(p, "a", 100);
    unknown = ask_process(p, "a", &a);
    again(p);
    last()->system->tell->process_found(last()->system, unknown, 101);
    exit_process(last(), unknown, 9);
    exit_process(last(), known, 1 << 8);
    done(last(), last()->adopt);
    t = told(p);
    assert_int_equal(t.n, 2 + 4);
    assert_int_equal(t.kind[3], HCS_EVENT_PROCESS_STARTED);
    assert_int_equal(t.pid[3], 101);
    assert_int_equal(t.exit[4].signal, 9);
    assert_int_equal(t.exit[5].code, 1);
    assert_int_equal(last()->n_settled, 2); /* durable, so acknowledged */
    again(p);
    assert_int_equal(last()->n_known, 0);
    assert_true(is_settled(known));
    assert_true(is_settled(unknown));
    done(last(), last()->adopt);
    assert_int_equal(told(p).n, 2 + 4);
}

static void an_exit_that_was_not_durable_is_told_again(void **state)
{
    struct place *p = *state;
    struct told t;
    uint32_t number;

    run_system(p, "a");
    number = run_process(p, "a", 100);
    exit_process(last(), number, 5 << 8); /* and killed before the commit */
    again(p);
    assert_int_equal(last()->n_known, 1);
    exit_process(last(), number, 5 << 8);
    done(last(), last()->adopt);
    t = told(p);
    assert_int_equal(t.n, 2 + 2);
    assert_int_equal(t.exit[3].code, 5);
}

static void a_number_that_is_taken_is_not_given(void **state)
{
    struct place *p = *state;
    struct answer_of *a;
    uint32_t number;

    run_system(p, "a");
    number = ask_process(p, "a", &a);
    again(p);
    last()->system->tell->process_found(last()->system, number, 0); /* it may still come */
    done(last(), last()->adopt);
    assert_true(run_process(p, "a", 100) > number);
    last()->system->tell->process_found(last()->system, number, 99); /* now it has */
    exit_process(last(), number, 0);
    assert_int_equal(told(p).n, 2 + 1 + 2);
}

static void an_end_meanwhile_is_told_after_those_of_its_processes(void **state)
{
    struct place *p = *state;
    hcs_exit end =
        exit_of_system(HCS_E_UNEXPECTED_EXIT, HCS_EXIT_TYPE_UNEXPECTED, HCS_INITIATOR_UNKNOWN);
    struct answer_of *a;
    struct told t;

    run_system(p, "a");
    run_process(p, "a", 100);
    again(p);
    a = ask();
    engine_wait(p->engine, &a->call, "a", 0);
    done(last(), last()->adopt);
    last()->system->tell->exited(last()->system, &end);
    t = told(p);
    assert_int_equal(t.n, 2 + 1 + 2);
    assert_int_equal(t.kind[3], HCS_EVENT_PROCESS_EXITED);
    assert_int_equal(t.exit[3].how, HCS_EXIT_UNKNOWN);
    assert_int_equal(t.kind[4], HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(a->exit.type, HCS_EXIT_TYPE_UNEXPECTED);
    done(last(), last()->clean);
    assert_int_equal(run_dirs(p), 0);
    again(p);
    assert_int_equal(script.n, 0);
}

static void a_failed_adoption_ends_with_the_system(void **state)
{
    struct place *p = *state;
    hcs_error err = HCS_ERROR_INIT;
    hcs_exit end = exit_unknown("the keeper is gone");

    run_system(p, "a");
    again(p);
    err.code = HCS_E_CONNECTION_CLOSED;
    snprintf(err.text, sizeof err.text, "the keeper is gone");
    last()->system->tell->done(last()->system, last()->adopt, err.code, &err);
    assert_int_equal(engine_adopting(p->engine), 0);
    last()->system->tell->exited(last()->system, &end);
    settle(p);
    done(last(), last()->clean);
    assert_int_equal(told(p).exit[2].how, HCS_EXIT_UNKNOWN);
    assert_int_equal(engine_busy(p->engine), 0);
}

static void what_a_slow_one_has_to_tell_comes_later(void **state)
{
    struct place *p = *state;
    struct asked *slow, *quick;
    uint32_t number;

    run_system(p, "slow");
    number = run_process(p, "slow", 100);
    run_system(p, "quick");
    again(p);
    slow = &script.asked[0];
    quick = &script.asked[1];
    done(quick, quick->adopt);
    assert_int_equal(engine_adopting(p->engine), 1);
    done(slow, slow->adopt); /* the deadline */
    settle(p);
    exit_process(slow, number, 7 << 8);
    assert_int_equal(told(p).exit[5].code, 7);
}

static void a_creation_that_was_not_told_is_cleaned_up(void **state)
{
    struct place *p = *state;
    struct answer_of *a = ask();

    engine_create(p->engine, &a->call, "a", DOCUMENT);
    assert_int_equal(run_dirs(p), 1);
    again(p);
    assert_true(last()->is_leftover);
    assert_null(last()->system->doc);
    done(last(), last()->adopt);
    assert_int_equal(engine_adopting(p->engine), 0);
    a = ask(); /* it is not there for anybody */
    engine_wait(p->engine, &a->call, "a", 0);
    assert_int_equal(a->result, HCS_E_SYSTEM_NOT_FOUND);
    a = ask(); /* its id is to be had as soon as it is gone */
    engine_create(p->engine, &a->call, "a", DOCUMENT);
    assert_int_equal(script.n, 1);
    done(last(), last()->clean);
    assert_int_equal(script.n, 2);
    done(last(), last()->create);
    settle(p);
    assert_int_equal(a->result, HCS_OK);
    assert_true(a->incarnation > 1); /* its number is not used again */
    assert_int_equal(told(p).n, 1);
    assert_int_equal(run_dirs(p), 1);
}

static void a_clean_up_that_was_not_finished_is(void **state)
{
    struct place *p = *state;
    hcs_exit end = exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);
    struct answer_of *a;

    run_system(p, "a");
    last()->system->tell->exited(last()->system, &end);
    settle(p);
    assert_true(last()->clean > 0);
    again(p);
    assert_true(last()->is_leftover);
    done(last(), last()->adopt);
    a = ask();
    engine_wait(p->engine, &a->call, "a", 0);
    settle(p);
    assert_int_equal(a->exit.type, HCS_EXIT_TYPE_FORCED); /* what is remembered of it */
    done(last(), last()->clean);
    settle(p);
    assert_int_equal(run_dirs(p), 0);
    assert_int_equal(told(p).n, 3);
}

/* An hcsd could not remove the directory of a system that had ended, and went on. */
static void what_is_left_of_one_does_not_hide_a_later_one_of_its_id(void **state)
{
    struct place *p = *state;
    struct answer_of *a;
    char path[160];

    run_system(p, "b");
    run_system(p, "a");
    snprintf(path, sizeof path, "%s/a.1", p->run_dir);
    assert_int_equal(mkdir(path, 0700), 0);
    again(p);
    assert_int_equal(script.n, 3);
    for (size_t i = 0; i < 3; i++)
        done(&script.asked[i], script.asked[i].adopt);
    a = ask();
    engine_open(p->engine, &a->call, "a");
    assert_int_equal(a->incarnation, 2);
    for (size_t i = 0; i < 3; i++)
        if (script.asked[i].is_leftover)
            done(&script.asked[i], script.asked[i].clean);
    a = ask();
    engine_open(p->engine, &a->call, "a");
    assert_int_equal(a->incarnation, 2);
    assert_int_equal(engine_busy(p->engine), 2);
    assert_int_equal(run_dirs(p), 2);
}

static void after_a_restart_of_the_host_all_have_ended(void **state)
{
    struct place *p = *state;
    struct told t;

    run_system(p, "a");
    run_process(p, "a", 100);
    snprintf(p->boot_id, sizeof p->boot_id, "%032d", 2);
    again(p);
    assert_true(last()->is_leftover); /* nobody looks for it; its traces are removed */
    done(last(), last()->adopt);
    t = told(p);
    assert_int_equal(t.n, 2 + 1 + 2);
    for (size_t i = 3; i < 5; i++) {
        assert_int_equal(t.exit[i].how, HCS_EXIT_UNKNOWN);
        assert_string_equal(t.exit[i].reason, "the host was restarted");
    }
    assert_int_equal(t.exit[4].type, HCS_EXIT_TYPE_UNEXPECTED);
    done(last(), last()->clean);
    settle(p);
    again(p);
    assert_int_equal(script.n, 0);
    assert_int_equal(told(p).n, 5);
}

static void a_system_without_a_driver_stays_for_an_hcsd_that_has_one(void **state)
{
    struct place *p = *state;

    run_system(p, "a");
    end_hcsd(p);
    begin_hcsd(p, NULL);
    assert_int_equal(engine_adopting(p->engine), 0);
    assert_int_equal(run_dirs(p), 1);
    again(p);
    assert_int_equal(last()->system->incarnation, 1);
    done(last(), last()->adopt);
    assert_int_equal(told(p).n, 2);
}

static void directories_of_another_form_are_left_alone(void **state)
{
    static const char *const names[] = { "a", "a.", "a.x", ".a.1", "a b.1", "a.0" };
    struct place *p = *state;
    char path[160];

    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        snprintf(path, sizeof path, "%s/%s", p->run_dir, names[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    again(p);
    assert_int_equal(script.n, 0);
    assert_int_equal(run_dirs(p), N_ELEMENTS(names));
}

/* ---- the log is lost ---- */

static void lose_log(struct place *p)
{
    static const char *const suffixes[] = { "", "-wal", "-mark" };
    char path[128];

    end_hcsd(p);
    for (size_t i = 0; i < N_ELEMENTS(suffixes); i++) {
        snprintf(path, sizeof path, "%s%s", p->path, suffixes[i]);
        (void) unlink(path);
    }
    begin_hcsd(p, &script.driver);
}

static const char *file_of(const struct place *p, const char *name)
{
    static char path[192];

    snprintf(path, sizeof path, "%s/%s/system", p->run_dir, name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(file_write_unsynced(path, text, strlen(text), 0600, NULL), HCS_OK);
}

static void the_file_is_there_from_before_the_answer_until_the_end_is_told(void **state)
{
    struct place *p = *state;
    hcs_exit end = exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);
    const char *path = file_of(p, "a.1");
    struct answer_of *a = ask();
    char *text = NULL;
    struct stat st;

    engine_create(p->engine, &a->call, "a", DOCUMENT);
    done(last(), last()->create);
    assert_int_equal(access(path, F_OK), -1); /* nothing is durable, and nobody was told */
    there_before_answers = path;
    settle(p);
    assert_int_equal(a->n, 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_read(path, 1 << 16, &text, NULL, NULL), HCS_OK);
    assert_non_null(strstr(text, "\"startedNs\":0,"));
    free(text);
    a = ask();
    engine_start(p->engine, &a->call, "a", 0);
    done(last(), last()->start);
    settle(p);
    assert_int_equal(a->n, 1);
    assert_int_equal(file_read(path, 1 << 16, &text, NULL, NULL), HCS_OK);
    assert_null(strstr(text, "\"startedNs\":0,"));
    free(text);
    a = ask();
    engine_wait(p->engine, &a->call, "a", 0);
    last()->system->tell->exited(last()->system, &end);
    settle(p);
    assert_int_equal(a->n, 1);
    there_before_answers = NULL;
    assert_int_equal(access(path, F_OK), -1);
}

/* A snapshot commits by itself: what it shows is told. */
static void the_file_is_there_before_a_snapshot_shows_its_system(void **state)
{
    struct place *p = *state;
    struct answer_of *a = ask(), *list = ask();

    engine_create(p->engine, &a->call, "a", DOCUMENT);
    done(last(), last()->create);
    there_before_answers = file_of(p, "a.1");
    engine_list(p->engine, &list->call, NULL, 1);
    there_before_answers = NULL;
    assert_int_equal(list->n, 1);
    settle(p);
}

static void what_the_log_has_lost_is_adopted_and_told_once(void **state)
{
    struct place *p = *state;
    struct asked *with;
    struct answer_of *a;
    struct told t;

    run_system(p, "a");
    run_process(p, "a", 100);
    a = ask();
    engine_create(p->engine, &a->call, "created", DOCUMENT);
    done(last(), last()->create);
    settle(p);
    for (int i = 0; i < 2; i++) { /* it may be lost again */
        lose_log(p);
        assert_int_equal(script.n, 2);
        with = &script.asked[0];
        assert_string_equal(with->system->id, "a");
        assert_int_equal(with->system->incarnation, 1);
        assert_int_equal(script.asked[1].system->incarnation, 2);
        assert_false(with->is_leftover || script.asked[1].is_leftover);
        assert_string_equal(with->system->doc->owner, "me");
        with->system->tell->process_found(with->system, 1, 100);
        done(with, with->adopt);
        done(&script.asked[1], script.asked[1].adopt);
        t = told(p);
        assert_int_equal(t.n, 2 + 1 + 1);
    }
    exit_process(with, 1, 7 << 8);
    t = told(p);
    assert_int_equal(t.n, 5);
    assert_int_equal(t.kind[0], HCS_EVENT_SYSTEM_CREATED);
    assert_int_equal(t.kind[1], HCS_EVENT_SYSTEM_STARTED);
    assert_int_equal(t.kind[2], HCS_EVENT_SYSTEM_CREATED);
    assert_int_equal(t.kind[3], HCS_EVENT_PROCESS_STARTED);
    assert_int_equal(t.exit[4].code, 7);
    a = ask();
    engine_create(p->engine, &a->call, "next", DOCUMENT);
    assert_true(last()->system->incarnation > 2);
    again(p);
    assert_int_equal(told(p).n, 5);
    assert_int_equal(script.asked[1].system->incarnation, 1);
    assert_true(script.asked[1].system->tell->is_settled(script.asked[1].system, 1));
}

static void a_creation_that_was_not_told_is_cleaned_up_without_a_log_as_well(void **state)
{
    struct place *p = *state;
    struct answer_of *a = ask();

    engine_create(p->engine, &a->call, "a", DOCUMENT);
    done(last(), last()->create); /* and killed before the commit */
    lose_log(p);
    assert_true(last()->is_leftover);
    done(last(), last()->adopt);
    done(last(), last()->clean);
    assert_int_equal(told(p).n, 0);
    assert_int_equal(run_dirs(p), 0);
}

/* Told once: as not known, with the reason. */
static void is_told_unknown(struct place *p, const char *reason)
{
    struct told t;

    assert_int_equal(script.n, 1);
    assert_true(last()->is_leftover);
    done(last(), last()->adopt);
    t = told(p);
    assert_int_equal(t.kind[0], HCS_EVENT_SYSTEM_CREATED);
    assert_int_equal(t.kind[t.n - 1], HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(t.exit[t.n - 1].how, HCS_EXIT_UNKNOWN);
    assert_string_equal(t.exit[t.n - 1].reason, reason);
    done(last(), last()->clean);
    assert_int_equal(run_dirs(p), 0);
    again(p);
    assert_int_equal(script.n, 0);
    assert_int_equal(told(p).n, t.n);
}

static void a_file_that_cannot_be_read_is_an_end_that_is_not_known(void **state)
{
    static const char *const texts[] = { "", "{", "{\"id\":\"a\"}",
                                         "{\"id\":\"b\",\"incarnation\":1,\"owner\":\"me\","
                                         "\"type\":\"Container\",\"isolation\":\"none\","
                                         "\"startedNs\":0,\"boot\":\"\",\"document\":\"\"}" };
    struct place *p = *state;

    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        run_system(p, "a");
        write_file(file_of(p, "a.1"), texts[i]);
        lose_log(p);
        is_told_unknown(p, "the event log has lost it, and its file cannot be read");
        lose_log(p); /* numbers from 1 */
    }
}

static void a_file_that_cannot_be_written_keeps_nobody_from_going_on(void **state)
{
    struct place *p = *state;
    struct answer_of *a = ask();
    char inside[224];

    engine_create(p->engine, &a->call, "a", DOCUMENT);
    assert_int_equal(mkdir(file_of(p, "a.1"), 0700), 0); /* in its way */
    snprintf(inside, sizeof inside, "%s/x", file_of(p, "a.1"));
    assert_int_equal(mkdir(inside, 0700), 0);
    done(last(), last()->create);
    settle(p);
    assert_int_equal(a->n, 1);
    assert_int_equal(a->result, HCS_OK);
    again(p);
    assert_false(last()->is_leftover); /* the log is as good */
    lose_log(p);
    is_told_unknown(p, "the event log has lost it, and its file cannot be read");
}

static void what_is_of_another_boot_has_ended_without_a_log_as_well(void **state)
{
    struct place *p = *state;

    run_system(p, "a");
    snprintf(p->boot_id, sizeof p->boot_id, "%032d", 2);
    lose_log(p);
    is_told_unknown(p, "the host was restarted");
}

static void who_has_ended_and_was_forgotten_is_not_told_again(void **state)
{
    struct place *p = *state;
    hcs_exit end = exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);
    struct answer_of *a = ask();

    run_system(p, "a");
    last()->system->tell->exited(last()->system, &end);
    a = ask();
    engine_forget(p->engine, &a->call, "a", 0); /* before the turn, and killed right after */
    again(p);
    assert_true(last()->is_leftover);
    assert_int_equal(told(p).n, 3);
    done(last(), last()->adopt);
    done(last(), last()->clean);
    assert_int_equal(told(p).n, 3);
}

static void a_row_that_went_while_its_directory_stays_is_not_told_again(void **state)
{
    struct place *p = *state;
    hcs_exit end = exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);
    char *text = NULL;

    run_system(p, "a");
    assert_int_equal(file_read(file_of(p, "a.1"), 1 << 16, &text, NULL, NULL), HCS_OK);
    last()->system->tell->exited(last()->system, &end);
    settle(p);
    end_hcsd(p);
    write_file(file_of(p, "a.1"), text); /* as if killed between the commit and its removal */
    free(text);
    begin_hcsd(p, &script.driver);
    assert_true(last()->is_leftover);
    assert_int_equal(access(file_of(p, "a.1"), F_OK), -1);
    done(last(), last()->adopt);
    assert_int_equal(evlog_forget_ended(p->log, 1, NULL), HCS_OK);
    again(p);
    assert_true(last()->is_leftover);
    done(last(), last()->adopt);
    assert_int_equal(told(p).n, 3);
}

/* The file can be opened, and then the table of what lives cannot be read. */
static void damage_that_the_adoption_finds_loses_no_system(void **state)
{
    struct place *p = *state;
    char garbage[4096];
    sqlite3_stmt *st;
    sqlite3 *db;
    FILE *file;
    long page;

    run_system(p, "a");
    run_system(p, "b");
    end_hcsd(p);
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT rootpage FROM sqlite_master WHERE name = 'living'",
                                        -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    page = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    memset(garbage, 0xa5, sizeof garbage);
    file = fopen(p->path, "r+");
    assert_int_equal(fseek(file, (page - 1) * (long) sizeof garbage, SEEK_SET), 0);
    assert_int_equal(fwrite(garbage, sizeof garbage, 1, file), 1);
    fclose(file);
    begin_hcsd(p, &script.driver);
    assert_int_equal(script.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_false(script.asked[i].is_leftover);
        assert_int_equal(script.asked[i].system->incarnation, i + 1);
        done(&script.asked[i], script.asked[i].adopt);
    }
    assert_int_equal(told(p).n, 2 + 2);
}

/* Those that a keeper may still hold are kept, in the order of their ends and not of their starts.
 */
static void exited_processes_are_not_kept_for_ever(void **state)
{
    struct place *p = *state;
    uint32_t oldest, number = 0;

    run_system(p, "a");
    oldest = run_process(p, "a", 1);
    for (uint32_t i = 0; i < 2600; i++) {
        struct answer_of *a;

        number = ask_process(p, "a", &a);
        last()->system->tell->process_started(last()->system, last()->process, number, 100 + i);
        exit_process(last(), number, 0);
        if (i % 64 == 0)
            settle(p);
    }
    exit_process(last(), oldest, 0);
    settle(p);
    again(p);
    assert_true(is_settled(oldest));
    assert_true(is_settled(number));
    assert_true(is_settled(number - 1024));
    assert_false(is_settled(oldest + 1));
    done(last(), last()->adopt);
}

#define AT_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_PLACE(a_system_is_adopted_with_what_runs_in_it),
        AT_PLACE(what_happens_meanwhile_is_told_once),
        AT_PLACE(an_exit_that_was_not_durable_is_told_again),
        AT_PLACE(a_number_that_is_taken_is_not_given),
        AT_PLACE(an_end_meanwhile_is_told_after_those_of_its_processes),
        AT_PLACE(a_failed_adoption_ends_with_the_system),
        AT_PLACE(what_a_slow_one_has_to_tell_comes_later),
        AT_PLACE(a_creation_that_was_not_told_is_cleaned_up),
        AT_PLACE(a_clean_up_that_was_not_finished_is),
        AT_PLACE(what_is_left_of_one_does_not_hide_a_later_one_of_its_id),
        AT_PLACE(after_a_restart_of_the_host_all_have_ended),
        AT_PLACE(a_system_without_a_driver_stays_for_an_hcsd_that_has_one),
        AT_PLACE(directories_of_another_form_are_left_alone),
        AT_PLACE(the_file_is_there_from_before_the_answer_until_the_end_is_told),
        AT_PLACE(the_file_is_there_before_a_snapshot_shows_its_system),
        AT_PLACE(what_the_log_has_lost_is_adopted_and_told_once),
        AT_PLACE(a_creation_that_was_not_told_is_cleaned_up_without_a_log_as_well),
        AT_PLACE(a_file_that_cannot_be_read_is_an_end_that_is_not_known),
        AT_PLACE(a_file_that_cannot_be_written_keeps_nobody_from_going_on),
        AT_PLACE(what_is_of_another_boot_has_ended_without_a_log_as_well),
        AT_PLACE(who_has_ended_and_was_forgotten_is_not_told_again),
        AT_PLACE(a_row_that_went_while_its_directory_stays_is_not_told_again),
        AT_PLACE(damage_that_the_adoption_finds_loses_no_system),
        AT_PLACE(exited_processes_are_not_kept_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
