/* race_test.c - calls of the flat API that meet each other, many times each: HCS_TEST_RACES, or
 * 2000.
 *
 * It is two programs: with stage.c over libhcs and a service, and with memory.c over neither, where
 * a round costs so little that each race is run 100,000 times where a race detector watches.
 *
 * The context of each callback is freed as soon as the API says that nothing will call it any more;
 * AddressSanitizer, ThreadSanitizer and valgrind tell when that was not true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "process.h"
#include "recorder.h"
#include "stage.h"
#include "thread.h"

static struct stage stage;
#define ROUNDS 2000
static unsigned n_rounds = ROUNDS;

static int setup(void **state)
{
    (void) state;
    stage_begin(&stage);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    stage_end(&stage);
    return 0;
}

static HCS_SYSTEM open_it(void)
{
    HCS_SYSTEM system = NULL;

    assert_int_equal(HcsOpenComputeSystem(u"s", GENERIC_ALL, &system), S_OK);
    return system;
}

/* What a callback writes into, without any protection: the API promises that there is no need. */
struct victim {
    unsigned calls;
    char padding[200];
};

static void CALLBACK hit(HCS_EVENT *event, void *context)
{
    struct victim *v = context;

    (void) event;
    v->calls++;
    memset(v->padding, (int) v->calls, sizeof v->padding);
}

static void CALLBACK hit_completion(HCS_OPERATION operation, void *context)
{
    (void) operation;
    hit(NULL, context);
}

static HCS_SYSTEM watched(struct victim **out)
{
    HCS_SYSTEM system = open_it();

    *out = calloc(1, sizeof **out);
    assert_int_equal(HcsSetComputeSystemCallback(system, HcsEventOptionNone, *out, hit), S_OK);
    return system;
}

/* ---- a second thread that lives throughout a test, and is there at once ---- */

static struct {
    thread thread;
    atomic_uint asked;
    atomic_uint done;
    void (*job)(void *context); /* NULL: go */
    void *context;
} partner;

THREAD_FUNCTION(partner_main, parameter)
{
    (void) parameter;
    for (unsigned seen = 1;; seen++) {
        while (atomic_load_explicit(&partner.asked, memory_order_acquire) != seen)
            thread_yield();
        if (!partner.job)
            THREAD_RETURN;
        partner.job(partner.context);
        atomic_store_explicit(&partner.done, seen, memory_order_release);
    }
}

static void partner_begin(void (*job_opt)(void *), void *context)
{
    partner.job = job_opt;
    partner.context = context;
    atomic_fetch_add_explicit(&partner.asked, 1, memory_order_release);
}

static void partner_join(void)
{
    while (atomic_load_explicit(&partner.done, memory_order_acquire) !=
           atomic_load_explicit(&partner.asked, memory_order_relaxed))
        thread_yield();
}

static int setup_two(void **state)
{
    atomic_store(&partner.asked, 0);
    atomic_store(&partner.done, 0);
    thread_start(&partner.thread, partner_main, NULL);
    return setup(state);
}

static int teardown_two(void **state)
{
    partner_begin(NULL, NULL);
    thread_join(partner.thread);
    return teardown(state);
}

/* ---- the races ---- */

static void close_system(void *system)
{
    HcsCloseComputeSystem(system);
}

static void a_callback_during_a_close(void **state)
{
    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v;
        HCS_SYSTEM system = watched(&v);

        stage_event(&stage, 4, NULL);
        partner_begin(close_system, system);
        stage_event(&stage, 4, NULL);
        partner_join();
        free(v);
    }
}

static void a_close_during_a_close(void **state)
{
    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v;
        HCS_SYSTEM system = watched(&v);

        stage_event(&stage, 4, NULL);
        partner_begin(close_system, system);
        HcsCloseComputeSystem(system);
        free(v); /* each of them has waited */
        partner_join();
    }
}

static void close_what_is_created(void *operation)
{
    HCS_SYSTEM system = NULL;

    while (!(system = HcsGetComputeSystemFromOperation(operation)))
        thread_yield();
    HcsCloseComputeSystem(system);
}

static void a_close_from_another_thread_during_create(void **state)
{
    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v = calloc(1, sizeof *v);
        HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
        HCS_CREATE_OPTIONS_1 options = {
            HcsCreateOptions_1, NULL, NULL, HcsEventOptionNone, v, hit
        };
        HCS_SYSTEM system = NULL;
        HRESULT r;

        partner_begin(close_what_is_created, op);
        r = HcsCreateComputeSystemInNamespace(NULL, u"s", u"{}", op, &options.Version, &system);
        /* The close may come before the callback is in place: then the call has failed. */
        if (r != S_OK)
            assert_int_equal(r, E_HANDLE);
        HcsWaitForOperationResult(op, INFINITE, NULL);
        partner_join();
        HcsCloseOperation(op);
        free(v);
    }
}

static void an_operation_closed_while_it_completes(void **state)
{
    HCS_SYSTEM system = open_it();

    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v = calloc(1, sizeof *v);
        HCS_OPERATION op = HcsCreateOperation(v, hit_completion);

        assert_int_equal(HcsGetComputeSystemProperties(system, op, NULL), S_OK);
        if (i % 2)
            HcsWaitForOperationResult(op, INFINITE, NULL);
        HcsCloseOperation(op);
        assert_true(v->calls <= 1);
        free(v);
    }
    HcsCloseComputeSystem(system);
}

static void set_and_clear_among_events(void **state)
{
    HCS_SYSTEM system = open_it();

    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v = calloc(1, sizeof *v);

        assert_int_equal(HcsSetComputeSystemCallback(system, HcsEventOptionNone, v, hit), S_OK);
        stage_event(&stage, 4, NULL);
        assert_int_equal(HcsSetComputeSystemCallback(system, HcsEventOptionNone, NULL, NULL), S_OK);
        free(v);
    }
    HcsCloseComputeSystem(system);
}

static void CALLBACK count_call(HCS_EVENT *event, void *context)
{
    (void) event;
    __atomic_fetch_add((unsigned *) context, 1, __ATOMIC_RELAXED);
}

struct setter {
    HCS_SYSTEM system;
    unsigned calls;
};

static void set_and_clear(void *context)
{
    struct setter *me = context;

    for (unsigned i = 0; i < n_rounds; i++) {
        HRESULT r =
            HcsSetComputeSystemCallback(me->system, HcsEventOptionNone, &me->calls, count_call);

        if (r != S_OK && r != HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET)
            abort();
        r = HcsSetComputeSystemCallback(me->system, HcsEventOptionNone, NULL, NULL);
        if (r != S_OK)
            abort();
    }
}

/* Whoever takes a callback away does not wait for the next one. */
static void set_and_clear_from_two_threads(void **state)
{
    struct setter one = { open_it(), 0 }, two = { one.system, 0 };

    (void) state;
    partner_begin(set_and_clear, &one);
    set_and_clear(&two);
    partner_join();
    HcsCloseComputeSystem(one.system);
}

static void completions_through_an_event_callback_that_closes(void **state)
{
    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v = calloc(1, sizeof *v);
        HCS_SYSTEM system = open_it();
        HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

        assert_int_equal(
            HcsSetComputeSystemCallback(system, HcsEventOptionEnableOperationCallbacks, v, hit),
            S_OK);
        assert_int_equal(HcsGetComputeSystemProperties(system, op, NULL), S_OK);
        stage_event(&stage, 4, NULL);
        if (i % 2)
            HcsCloseOperation(op);
        HcsCloseComputeSystem(system);
        free(v);
        HcsCloseOperation(op);
    }
}

static void CALLBACK close_from_inside(HCS_EVENT *event, void *context)
{
    HCS_SYSTEM *system = context;

    (void) event;
    HcsCloseComputeSystem(*system);
}

static void a_close_from_inside_and_from_outside(void **state)
{
    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        HCS_SYSTEM *system = malloc(sizeof(HCS_SYSTEM));

        *system = open_it();
        assert_int_equal(
            HcsSetComputeSystemCallback(*system, HcsEventOptionNone, system, close_from_inside),
            S_OK);
        stage_event(&stage, 4, NULL);
        HcsCloseComputeSystem(*system);
        free(system);
    }
}

static void the_exit_of_a_process_and_its_close(void **state)
{
    HCS_SYSTEM system = open_it();
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v = calloc(1, sizeof *v);
        HCS_PROCESS process = NULL;

        stage_live_again(&stage);
        assert_int_equal(HcsCreateProcess(system, u"{}", op, NULL, &process), S_OK);
        assert_int_equal(HcsSetProcessCallback(process, HcsEventOptionNone, v, hit), S_OK);
        if (i % 2)
            assert_int_equal(HcsWaitForOperationResult(op, INFINITE, NULL), S_OK);
        stage_process_exit(&stage);
        if (i % 4 == 1)
            assert_int_equal(HcsWaitForProcessExit(process, INFINITE, NULL), S_OK);
        HcsCloseProcess(process);
        assert_true(v->calls <= 1);
        free(v);
        HcsWaitForOperationResult(op, INFINITE, NULL);
    }
    HcsCloseOperation(op);
    HcsCloseComputeSystem(system);
}

/* Threads that were waiting for the service end by themselves, soon. */
static void nothing_is_left(void **state)
{
    unsigned threads = stage_threads(), handles = process_handles();

    (void) state;
    assert_true(handles > 0);                               /* they are counted */
    for (unsigned i = 0; i < n_rounds && i < ROUNDS; i++) { /* this is no race */
        struct victim *v;

        HcsCloseComputeSystem(watched(&v));
        free(v);
    }
    for (int tries = 0; stage_threads() > threads && tries < 6000; tries++)
        process_pause();
    assert_true(stage_threads() <= threads);
    assert_true(process_handles() <= handles + 8); /* idle connections to the service */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_OF_TWO(name) cmocka_unit_test_setup_teardown(name, setup_two, teardown_two)
    const struct CMUnitTest tests[] = {
        TEST_OF_TWO(a_callback_during_a_close),
        TEST_OF_TWO(a_close_during_a_close),
        TEST_OF_TWO(a_close_from_another_thread_during_create),
        TEST(an_operation_closed_while_it_completes),
        TEST(set_and_clear_among_events),
        TEST_OF_TWO(set_and_clear_from_two_threads),
        TEST(completions_through_an_event_callback_that_closes),
        TEST(a_close_from_inside_and_from_outside),
        TEST(the_exit_of_a_process_and_its_close),
        TEST(nothing_is_left),
    };
    const char *given = getenv("HCS_TEST_RACES");

    if (given)
        n_rounds = (unsigned) atoi(given);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
