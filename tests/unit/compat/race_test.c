/* race_test.c - calls of the flat API that meet each other, many times each: HCS_TEST_RACES, or
 * 1000.
 *
 * The context of each callback is freed as soon as the API says that nothing will call it any more;
 * AddressSanitizer, ThreadSanitizer and valgrind tell when that was not true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process.h"
#include "recorder.h"
#include "stage.h"
#include "thread.h"

static struct stage stage;
static unsigned n_rounds = 2000;

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

THREAD_FUNCTION(close_system, system)
{
    HcsCloseComputeSystem(system);
    THREAD_RETURN;
}

static void a_callback_during_a_close(void **state)
{
    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v;
        HCS_SYSTEM system = watched(&v);
        thread closer;

        stage_event(&stage, 4, NULL);
        thread_start(&closer, close_system, system);
        stage_event(&stage, 4, NULL);
        thread_join(closer);
        free(v);
    }
}

static void a_close_during_a_close(void **state)
{
    (void) state;
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v;
        HCS_SYSTEM system = watched(&v);
        thread closer;

        stage_event(&stage, 4, NULL);
        thread_start(&closer, close_system, system);
        HcsCloseComputeSystem(system);
        free(v); /* each of them has waited */
        thread_join(closer);
    }
}

THREAD_FUNCTION(close_what_is_created, operation)
{
    HCS_SYSTEM system = NULL;

    while (!system)
        system = HcsGetComputeSystemFromOperation(operation);
    HcsCloseComputeSystem(system);
    THREAD_RETURN;
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
        thread closer;
        HRESULT r;

        thread_start(&closer, close_what_is_created, op);
        r = HcsCreateComputeSystemInNamespace(NULL, u"s", u"{}", op, &options.Version, &system);
        /* The close may come before the callback is in place: then the call has failed. */
        if (r != S_OK)
            assert_int_equal(r, E_HANDLE);
        HcsWaitForOperationResult(op, INFINITE, NULL);
        thread_join(closer);
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

static void set_and_clear(struct setter *me)
{
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

THREAD_FUNCTION(setter_main, context)
{
    set_and_clear(context);
    THREAD_RETURN;
}

/* Whoever takes a callback away does not wait for the next one. */
static void set_and_clear_from_two_threads(void **state)
{
    struct setter one = { open_it(), 0 }, two = { one.system, 0 };
    thread other;

    (void) state;
    thread_start(&other, setter_main, &one);
    set_and_clear(&two);
    thread_join(other);
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
    unsigned threads = process_threads(), handles = process_handles();

    (void) state;
    assert_true(threads > 0 && handles > 0); /* they are counted */
    for (unsigned i = 0; i < n_rounds; i++) {
        struct victim *v;

        HcsCloseComputeSystem(watched(&v));
        free(v);
    }
    for (int tries = 0; process_threads() > threads && tries < 6000; tries++)
        process_pause();
    assert_true(process_threads() <= threads);
    assert_true(process_handles() <= handles + 8); /* idle connections to the service */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_callback_during_a_close),
        TEST(a_close_during_a_close),
        TEST(a_close_from_another_thread_during_create),
        TEST(an_operation_closed_while_it_completes),
        TEST(set_and_clear_among_events),
        TEST(set_and_clear_from_two_threads),
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
