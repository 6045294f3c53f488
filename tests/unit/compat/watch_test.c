/* watch_test.c - event callbacks of the flat API, with events that the test makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "gate.h"
#include "recorder.h"
#include "stage.h"

static struct stage stage;
static HCS_SYSTEM opened;
static struct recorder events;

static int setup(void **state)
{
    (void) state;
    recorder_init(&events);
    stage_begin(&stage);
    return HcsOpenComputeSystem(u"s", GENERIC_ALL, &opened) == S_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void) state;
    HcsCloseComputeSystem(opened);
    stage_end(&stage);
    recorder_done(&events);
    return 0;
}

static void watch(void)
{
    assert_int_equal(HcsSetComputeSystemCallback(opened, HcsEventOptionNone, &events, record_event),
                     S_OK);
}

static HCS_PROCESS process_made(void)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_PROCESS process = NULL;

    assert_int_equal(HcsCreateProcess(opened, u"{}", op, NULL, &process), S_OK);
    assert_int_equal(HcsWaitForOperationResult(op, INFINITE, NULL), S_OK);
    HcsCloseOperation(op);
    return process;
}

static void expect(unsigned at, DWORD type)
{
    assert_true(recorder_wait_until(&events, at + 1));
    assert_int_equal(events.records[at].type, type);
}

static void every_kind_comes_raw_and_in_order(void **state)
{
    static const DWORD kinds[] = { 2, 3, 4, 5, 6, 0x80000002, 0x80000003, 0xC0000001, 0x12345678 };

    (void) state;
    watch();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        stage_event(&stage, kinds[i], i % 2 ? "{\\\"n\\\":1}" : NULL);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        expect(i, kinds[i]);
        assert_int_equal(events.records[i].has_data, i % 2);
        assert_string_equal(events.records[i].data, i % 2 ? "{\"n\":1}" : "");
    }
}

static void kinds_of_libhcs_and_exits_of_processes_are_not_for_systems(void **state)
{
    HCS_PROCESS process = process_made();

    (void) state;
    watch();
    stage_event(&stage, 0x4C480001, NULL);
    stage_event(&stage, 0x4C480010, NULL);
    stage_process_exit(&stage);
    stage_event(&stage, 4, NULL);
    expect(0, HcsEventSystemRdpEnhancedModeStateChanged);
    HcsCloseProcess(process);
}

static void CALLBACK stay_for_event(HCS_EVENT *event, void *context)
{
    (void) event;
    gate_stay(context);
}

static void taking_a_callback_away_waits_for_it(void **state)
{
    struct gate gate = { 0 };

    (void) state;
    assert_int_equal(HcsSetComputeSystemCallback(opened, HcsEventOptionNone, &gate, stay_for_event),
                     S_OK);
    stage_event(&stage, 4, NULL);
    gate_wait_inside(&gate);
    assert_int_equal(HcsSetComputeSystemCallback(opened, HcsEventOptionNone, NULL, NULL), S_OK);
    atomic_store(&gate.returned, 1);
    assert_int_equal(atomic_load(&gate.inside), 0);
    assert_int_equal(atomic_load(&gate.broken), 0);
}

static void closing_a_process_waits_for_its_callback(void **state)
{
    HCS_PROCESS process = process_made();
    struct gate gate = { 0 };

    (void) state;
    assert_int_equal(HcsSetProcessCallback(process, HcsEventOptionNone, &gate, stay_for_event),
                     S_OK);
    while (stage_subscribed(&stage) == 0)
        ;
    stage_process_exit(&stage);
    gate_wait_inside(&gate);
    HcsCloseProcess(process);
    atomic_store(&gate.returned, 1);
    assert_int_equal(atomic_load(&gate.inside), 0);
    assert_int_equal(atomic_load(&gate.broken), 0);
}

static void a_process_gets_its_exit_only(void **state)
{
    HCS_PROCESS process = process_made();

    (void) state;
    assert_int_equal(HcsSetProcessCallback(process, HcsEventOptionNone, &events, record_event),
                     S_OK);
    while (stage_subscribed(&stage) == 0)
        ;
    stage_event(&stage, 4, NULL);
    stage_process_exit(&stage);
    expect(0, HcsEventProcessExited);
    assert_non_null(strstr(events.records[0].data, "\"ExitCode\":42"));
    HcsCloseProcess(process);
    assert_int_equal(events.n, 1);
}

static void a_late_callback_of_a_process_gets_the_exit(void **state)
{
    HCS_PROCESS process = process_made();

    (void) state;
    stage_process_exit(&stage);
    assert_int_equal(HcsSetProcessCallback(process, HcsEventOptionNone, &events, record_event),
                     S_OK);
    expect(0, HcsEventProcessExited);
    assert_non_null(strstr(events.records[0].data, "\"ExitCode\":42"));
    HcsCloseProcess(process);
}

static void service_disconnect_reaches_a_process_that_is_being_created(void **state)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_PROCESS process = NULL;

    (void) state;
    stage_hold(&stage, "CreateProcess");
    assert_int_equal(HcsCreateProcess(opened, u"{}", op, NULL, &process), S_OK);
    assert_int_equal(HcsSetProcessCallback(process, HcsEventOptionNone, &events, record_event),
                     S_OK);
    while (stage_held(&stage) == 0)
        ;
    assert_int_equal(recorder_count(&events), 0);
    stage_hang_up(&stage);
    assert_int_equal(HcsWaitForOperationResult(op, INFINITE, NULL), HCS_E_SERVICE_DISCONNECT);
    expect(0, HcsEventServiceDisconnect);
    HcsCloseProcess(process);
    assert_int_equal(events.n, 1);
    HcsCloseOperation(op);
}

static void service_disconnect_is_told_once_to_every_handle(void **state)
{
    HCS_PROCESS process = process_made();
    struct recorder other, of_process;
    HCS_SYSTEM second = NULL;

    (void) state;
    recorder_init(&other);
    recorder_init(&of_process);
    assert_int_equal(HcsOpenComputeSystem(u"s", GENERIC_ALL, &second), S_OK);
    watch();
    assert_int_equal(HcsSetComputeSystemCallback(second, HcsEventOptionNone, &other, record_event),
                     S_OK);
    assert_int_equal(HcsSetProcessCallback(process, HcsEventOptionNone, &of_process, record_event),
                     S_OK);
    while (stage_subscribed(&stage) < 3)
        ;
    stage_hang_up(&stage);
    expect(0, HcsEventServiceDisconnect);
    assert_false(events.records[0].has_data);
    assert_true(recorder_wait_until(&other, 1));
    assert_true(recorder_wait_until(&of_process, 1));
    HcsCloseComputeSystem(second);
    HcsCloseProcess(process);
    HcsCloseComputeSystem(opened);
    assert_int_equal(events.n, 1);
    assert_int_equal(other.n, 1);
    assert_int_equal(of_process.n, 1);
    assert_int_equal(of_process.records[0].type, HcsEventServiceDisconnect);
    recorder_done(&other);
    recorder_done(&of_process);
}

static unsigned running_in(struct recorder *r)
{
    unsigned n;

    monitor_enter(&r->monitor);
    n = r->running;
    monitor_leave(&r->monitor);
    return n;
}

/* Long enough for whoever is not kept out: what comes next is on its way already. */
static void stay_for_another(struct recorder *r, HCS_EVENT *event)
{
    uint64_t until = clock_monotonic_ns() + GATE_NS;

    (void) event;
    while (running_in(r) < 2 && clock_monotonic_ns() < until)
        thread_yield();
}

static void callbacks_of_one_handle_do_not_overlap(void **state)
{
    enum { N = 6 };
    HCS_OPERATION ops[N];

    (void) state;
    events.inside = stay_for_another;
    assert_int_equal(HcsSetComputeSystemCallback(opened, HcsEventOptionEnableOperationCallbacks,
                                                 &events, record_event),
                     S_OK);
    for (size_t i = 0; i < N; i++) {
        ops[i] = HcsCreateOperation(NULL, NULL);
        assert_int_equal(HcsGetComputeSystemProperties(opened, ops[i], NULL), S_OK);
        stage_event(&stage, 4, NULL);
    }
    assert_true(recorder_wait_until(&events, 2 * N));
    assert_int_equal(events.most, 1);
    for (size_t i = 0; i < N; i++)
        HcsCloseOperation(ops[i]);
}

static void ask_inside(struct recorder *r, HCS_EVENT *event)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

    if (event->Type == HcsEventSystemRdpEnhancedModeStateChanged) {
        assert_int_equal(HcsGetComputeSystemProperties(opened, op, NULL), S_OK);
        assert_int_equal(HcsWaitForOperationResult(op, INFINITE, NULL), S_OK);
        assert_int_equal(HcsSetComputeSystemCallback(opened, HcsEventOptionNone, NULL, NULL), S_OK);
    }
    HcsCloseOperation(op);
    (void) r;
}

static void calls_are_allowed_inside_a_callback_and_it_may_take_itself_away(void **state)
{
    (void) state;
    events.inside = ask_inside;
    watch();
    stage_event(&stage, 4, NULL);
    expect(0, HcsEventSystemRdpEnhancedModeStateChanged);
    stage_event(&stage, 4, NULL);
    stage_exit(&stage);
    HcsCloseComputeSystem(opened);
    assert_int_equal(events.n, 1);
}

static struct recorder next_events;
static atomic_int entered;

/* Runs while another thread takes this callback away, and sets the next. */
static void set_the_next(struct recorder *r, HCS_EVENT *event)
{
    (void) r, (void) event;
    entered = 1;
    while (HcsSetComputeSystemCallback(opened, HcsEventOptionNone, &next_events, record_event) !=
           S_OK)
        ;
}

THREAD_FUNCTION(take_away, result)
{
    *(HRESULT *) result = HcsSetComputeSystemCallback(opened, HcsEventOptionNone, NULL, NULL);
    THREAD_RETURN;
}

static void taking_a_callback_away_does_not_wait_for_the_next(void **state)
{
    HRESULT result = E_FAIL;
    thread taker;

    (void) state;
    recorder_init(&next_events);
    events.inside = set_the_next;
    watch();
    stage_event(&stage, 4, NULL);
    while (!entered)
        ;
    thread_start(&taker, take_away, &result);
    thread_join(taker);
    assert_int_equal(result, S_OK);
    stage_exit(&stage);
    assert_true(recorder_wait_until(&next_events, 1));
    HcsCloseComputeSystem(opened);
    assert_int_equal(next_events.records[0].type, HcsEventSystemExited);
    recorder_done(&next_events);
}

static void work_gap(struct service *service, void *context)
{
    struct stage *s = (struct stage *) service;

    (void) context;
    s->exited = true;
    for (size_t i = 0; i < s->n_readers; i++) {
        client_continue(s->readers[i], "{\"gap\":{\"first\":1,\"last\":9}}");
        client_reply(s->readers[i], "{\"end\":\"the system has ended\"}");
    }
    s->n_readers = 0;
}

static void an_exit_in_a_gap_is_told_all_the_same(void **state)
{
    (void) state;
    watch();
    service_do(&stage.service, work_gap, NULL);
    expect(0, HcsEventSystemExited);
    assert_non_null(strstr(events.records[0].data, "ForcedExit"));
    HcsCloseComputeSystem(opened);
    assert_int_equal(events.n, 1);
}

static void work_gap_alone(struct service *service, void *context)
{
    struct stage *s = (struct stage *) service;

    (void) context;
    s->process_exited = true;
    for (size_t i = 0; i < s->n_readers; i++)
        client_continue(s->readers[i], "{\"gap\":{\"first\":1,\"last\":9}}");
}

static void the_exit_of_a_process_in_a_gap_is_told_all_the_same(void **state)
{
    HCS_PROCESS process = process_made();

    (void) state;
    assert_int_equal(HcsSetProcessCallback(process, HcsEventOptionNone, &events, record_event),
                     S_OK);
    while (stage_subscribed(&stage) == 0)
        ;
    service_do(&stage.service, work_gap_alone, NULL);
    expect(0, HcsEventProcessExited);
    HcsCloseProcess(process);
    assert_int_equal(events.n, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_kind_comes_raw_and_in_order),
        TEST(kinds_of_libhcs_and_exits_of_processes_are_not_for_systems),
        TEST(taking_a_callback_away_waits_for_it),
        TEST(closing_a_process_waits_for_its_callback),
        TEST(a_process_gets_its_exit_only),
        TEST(a_late_callback_of_a_process_gets_the_exit),
        TEST(service_disconnect_reaches_a_process_that_is_being_created),
        TEST(service_disconnect_is_told_once_to_every_handle),
        TEST(callbacks_of_one_handle_do_not_overlap),
        TEST(calls_are_allowed_inside_a_callback_and_it_may_take_itself_away),
        TEST(taking_a_callback_away_does_not_wait_for_the_next),
        TEST(an_exit_in_a_gap_is_told_all_the_same),
        TEST(the_exit_of_a_process_in_a_gap_is_told_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
