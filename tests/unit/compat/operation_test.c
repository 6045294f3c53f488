/* operation_test.c - operations of the flat API that take as long as the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gate.h"
#include "process.h"
#include "recorder.h"
#include "stage.h"
#include "thread.h"

static struct stage stage;
static HCS_SYSTEM opened;

static int setup(void **state)
{
    (void) state;
    stage_begin(&stage);
    return HcsOpenComputeSystem(u"s", GENERIC_ALL, &opened) == S_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void) state;
    HcsCloseComputeSystem(opened);
    stage_end(&stage);
    return 0;
}

struct count {
    struct monitor monitor;
    unsigned n;
};

#define COUNT                                                                                      \
    {                                                                                              \
        MONITOR_INIT, 0                                                                            \
    }

static void CALLBACK count_up(HCS_OPERATION operation, void *context)
{
    struct count *c = context;

    (void) operation;
    monitor_enter(&c->monitor);
    c->n++;
    monitor_tell(&c->monitor);
    monitor_leave(&c->monitor);
}

static void count_wait(struct count *c, unsigned n)
{
    monitor_enter(&c->monitor);
    while (c->n < n)
        assert_true(monitor_wait(&c->monitor));
    monitor_leave(&c->monitor);
}

static void a_pending_operation_is_pending_times_out_and_goes_on(void **state)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    PWSTR text = (PWSTR) state;

    stage_hold(&stage, "StartSystem");
    assert_int_equal(HcsStartComputeSystem(opened, op, NULL), S_OK);
    assert_int_equal(HcsGetOperationResult(op, &text), HCS_E_OPERATION_PENDING);
    assert_null(text);
    assert_int_equal(HcsWaitForOperationResult(op, 0, NULL), HCS_E_OPERATION_TIMEOUT);
    assert_int_equal(HcsWaitForOperationResult(op, 5, NULL), HCS_E_OPERATION_TIMEOUT);
    assert_int_equal(HcsGetOperationType(op), HcsOperationTypeStart);
    stage_hold(&stage, NULL);
    assert_int_equal(HcsWaitForOperationResult(op, INFINITE, NULL), S_OK);
    assert_int_equal(HcsGetOperationResult(op, NULL), S_OK);
    HcsCloseOperation(op);
}

static void a_pending_operation_cannot_be_used_again(void **state)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    UINT64 id;

    (void) state;
    stage_hold(&stage, "StartSystem");
    assert_int_equal(HcsStartComputeSystem(opened, op, NULL), S_OK);
    id = HcsGetOperationId(op);
    assert_int_equal(HcsTerminateComputeSystem(opened, op, NULL), HCS_E_OPERATION_ALREADY_STARTED);
    assert_int_equal(HcsPauseComputeSystem(opened, op, NULL), HCS_E_OPERATION_ALREADY_STARTED);
    assert_true(HcsGetOperationId(op) == id);
    assert_int_equal(HcsGetOperationType(op), HcsOperationTypeStart);
    stage_hold(&stage, NULL);
    assert_int_equal(HcsWaitForOperationResult(op, INFINITE, NULL), S_OK);
    assert_int_equal(HcsTerminateComputeSystem(opened, op, NULL), S_OK);
    assert_int_equal(HcsWaitForOperationResult(op, INFINITE, NULL), S_OK);
    HcsCloseOperation(op);
}

static void a_closed_operation_goes_on_and_calls_nothing(void **state)
{
    struct count closed = COUNT, other = COUNT;
    HCS_OPERATION op = HcsCreateOperation(&closed, count_up);
    HCS_OPERATION second = HcsCreateOperation(&other, count_up);

    (void) state;
    stage_hold(&stage, "StartSystem");
    assert_int_equal(HcsStartComputeSystem(opened, op, NULL), S_OK);
    assert_int_equal(HcsStartComputeSystem(opened, second, NULL), S_OK);
    HcsCloseOperation(op);
    while (stage_held(&stage) < 2)
        ;
    stage_hold(&stage, NULL);
    assert_int_equal(HcsWaitForOperationResult(second, INFINITE, NULL), S_OK);
    HcsCloseOperation(second);
    assert_int_equal(closed.n, 0);
}

static void CALLBACK stay_for_operation(HCS_OPERATION op, void *context)
{
    (void) op;
    gate_stay(context);
}

static void closing_an_operation_waits_for_its_callback(void **state)
{
    struct gate gate = { 0 };
    HCS_OPERATION op = HcsCreateOperation(&gate, stay_for_operation);

    (void) state;
    assert_int_equal(HcsStartComputeSystem(opened, op, NULL), S_OK);
    gate_wait_inside(&gate);
    HcsCloseOperation(op);
    atomic_store(&gate.returned, 1);
    assert_int_equal(atomic_load(&gate.inside), 0);
    assert_int_equal(atomic_load(&gate.broken), 0);
}

struct waiting {
    HCS_OPERATION operation;
    HRESULT result;
};

THREAD_FUNCTION(wait_for_it, context)
{
    struct waiting *w = context;

    w->result = HcsWaitForOperationResult(w->operation, INFINITE, NULL);
    THREAD_RETURN;
}

static void a_waiter_is_woken_when_its_operation_is_closed(void **state)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    struct waiting waiting = { op, S_OK };
    thread waiter;

    (void) state;
    stage_hold(&stage, "StartSystem");
    assert_int_equal(HcsStartComputeSystem(opened, op, NULL), S_OK);
    thread_start(&waiter, wait_for_it, &waiting);
    HcsCloseOperation(op);
    thread_join(waiter);
    assert_int_equal(waiting.result, E_HANDLE);
    stage_hold(&stage, NULL);
}

static void the_out_handle_can_be_used_before_create_is_done(void **state)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL), other = HcsCreateOperation(NULL, NULL);
    HCS_SYSTEM system = NULL;
    struct recorder r;

    (void) state;
    recorder_init(&r);
    stage_hold(&stage, "CreateSystem");
    assert_int_equal(HcsCreateComputeSystem(u"s", u"{}", op, NULL, &system), S_OK);
    assert_ptr_equal(HcsGetComputeSystemFromOperation(op), system);
    assert_int_equal(HcsStartComputeSystem(system, other, NULL), HCS_E_INVALID_STATE);
    assert_int_equal(HcsWaitForComputeSystemExit(system, 0, NULL), HCS_E_INVALID_STATE);
    assert_int_equal(HcsSetComputeSystemCallback(system, HcsEventOptionNone, &r, record_event),
                     S_OK);
    HcsCloseComputeSystem(system);
    stage_hold(&stage, NULL);
    assert_int_equal(HcsWaitForOperationResult(op, INFINITE, NULL), S_OK);
    assert_null(HcsGetComputeSystemFromOperation(op));
    HcsCloseOperation(op);
    HcsCloseOperation(other);
    assert_int_equal(r.n, 0);
    recorder_done(&r);
}

static void a_callback_in_place_while_creating_hears_everything(void **state)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_CREATE_OPTIONS_1 options = {
        HcsCreateOptions_1, NULL, NULL, HcsEventOptionEnableOperationCallbacks, NULL, record_event
    };
    HCS_SYSTEM system = NULL;
    struct recorder r;

    (void) state;
    recorder_init(&r);
    options.CallbackContext = &r;
    stage_hold(&stage, "CreateSystem");
    assert_int_equal(
        HcsCreateComputeSystemInNamespace(NULL, u"s", u"{}", op, &options.Version, &system), S_OK);
    stage_exit(&stage); /* it ends before anybody knew that it was there */
    stage_hold(&stage, NULL);
    assert_true(recorder_wait_until(&r, 2));
    assert_int_equal(r.records[0].type + r.records[1].type,
                     (DWORD) HcsEventSystemExited + HcsEventOperationCallback);
    HcsCloseComputeSystem(system);
    HcsCloseOperation(op);
    recorder_done(&r);
}

static void pending_operations_end_with_the_service(void **state)
{
    HCS_OPERATION one = HcsCreateOperation(NULL, NULL), two = HcsCreateOperation(NULL, NULL);
    PWSTR text = NULL;
    char buffer[1000];

    (void) state;
    stage_hold(&stage, "StartSystem");
    assert_int_equal(HcsStartComputeSystem(opened, one, NULL), S_OK);
    assert_int_equal(HcsStartComputeSystem(opened, two, NULL), S_OK);
    while (stage_held(&stage) < 2)
        ;
    stage_hang_up(&stage);
    assert_int_equal(HcsWaitForOperationResult(one, INFINITE, &text), HCS_E_SERVICE_DISCONNECT);
    assert_non_null(strstr(narrow(text, buffer, sizeof buffer), "\"Error\":-2143878882"));
    LocalFree(text);
    assert_int_equal(HcsWaitForOperationResult(two, INFINITE, NULL), HCS_E_SERVICE_DISCONNECT);
    HcsCloseOperation(one);
    HcsCloseOperation(two);
    stage_hold(&stage, NULL);
}

static HCS_SYSTEM seen_inside;

static void CALLBACK look_inside(HCS_OPERATION operation, void *context)
{
    seen_inside = HcsGetComputeSystemFromOperation(operation);
    count_up(operation, context);
}

static void the_callback_sees_the_handle_that_was_stored(void **state)
{
    (void) state;
    for (int i = 0; i < 200; i++) {
        struct count c = COUNT;
        HCS_OPERATION op = HcsCreateOperation(&c, look_inside);
        HCS_SYSTEM system = NULL;

        assert_int_equal(HcsCreateComputeSystem(u"s", u"{}", op, NULL, &system), S_OK);
        count_wait(&c, 1);
        assert_ptr_equal(seen_inside, system);
        HcsCloseOperation(op);
        HcsCloseComputeSystem(system);
    }
}

static void CALLBACK use_again(HCS_OPERATION operation, void *context)
{
    struct count *c = context;

    if (c->n < 4) /* only we write it before the last */
        assert_int_equal(HcsGetComputeSystemProperties(opened, operation, NULL), S_OK);
    count_up(operation, context);
}

static void an_operation_may_be_used_again_inside_its_callback(void **state)
{
    struct count c = COUNT;
    HCS_OPERATION op = HcsCreateOperation(&c, use_again);

    (void) state;
    assert_int_equal(HcsGetComputeSystemProperties(opened, op, NULL), S_OK);
    count_wait(&c, 5);
    HcsCloseOperation(op);
}

static void the_library_does_not_run_over_itself(void **state)
{
    HCS_SYSTEM system = NULL;
    char *address = strdup(getenv("HCS_HOST"));

    (void) state;
    process_set_variable("HCS_HOST", "computecore:");
    assert_int_equal(HcsOpenComputeSystem(u"s", 0, &system), HCS_E_SERVICE_NOT_AVAILABLE);
    process_set_variable("HCS_COMPUTECORE_HOST", address);
    assert_int_equal(HcsOpenComputeSystem(u"s", 0, &system), S_OK);
    process_set_variable("HCS_COMPUTECORE_HOST", NULL);
    process_set_variable("HCS_HOST", address);
    HcsCloseComputeSystem(system);
    free(address);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(closing_an_operation_waits_for_its_callback),
        TEST(a_pending_operation_is_pending_times_out_and_goes_on),
        TEST(a_pending_operation_cannot_be_used_again),
        TEST(a_closed_operation_goes_on_and_calls_nothing),
        TEST(a_waiter_is_woken_when_its_operation_is_closed),
        TEST(the_out_handle_can_be_used_before_create_is_done),
        TEST(a_callback_in_place_while_creating_hears_everything),
        TEST(pending_operations_end_with_the_service),
        TEST(the_callback_sees_the_handle_that_was_stored),
        TEST(an_operation_may_be_used_again_inside_its_callback),
        TEST(the_library_does_not_run_over_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
