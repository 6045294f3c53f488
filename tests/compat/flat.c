/* flat.c - the promises of the flat API, one test each, over libcomputecore and a running service.
 *
 * Usage: flat fake|oci|plain [ROOTFS]
 * The same table runs on every driver; only how a program is spelled differs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "recorder.h"
#include "thread.h"
#ifdef _WIN32
#include "pollable.h"
#endif

#define DEADLINE_MS 60000

static const char *driver;
static char document[4096];

#define OK(call)                                                                                   \
    do {                                                                                           \
        HRESULT ok_ = (call);                                                                      \
        if (ok_ != S_OK)                                                                           \
            fail_msg("%s: 0x%08x", #call, (unsigned) ok_);                                         \
    } while (0)

#define GIVES(call, expected)                                                                      \
    do {                                                                                           \
        HRESULT got_ = (call);                                                                     \
        if (got_ != (expected))                                                                    \
            fail_msg("%s: 0x%08x instead of %s", #call, (unsigned) got_, #expected);               \
    } while (0)

static int is_fake(void)
{
    return strcmp(driver, "fake") == 0;
}

/* ---- programs ---- */

static PCWSTR exit_with(int code)
{
    char text[128];

    snprintf(text, sizeof text,
             is_fake() ? "{\"CommandArgs\":[\"exit\",\"%d\"]}"
                       : "{\"CommandArgs\":[\"sh\",\"-c\",\"exit %d\"]}",
             code);
    return wide(text);
}

static PCWSTR hang(void)
{
    return is_fake() ? u"{\"CommandArgs\":[\"hang\"]}"
                     : u"{\"CommandArgs\":[\"sleep\",\"100000\"]}";
}

/* ---- a call with an operation, from its beginning to its end ---- */

static char last_document[4096]; /* of the last operation that was waited for */

static HRESULT finish(HCS_OPERATION op)
{
    PWSTR text = NULL;
    HRESULT r = HcsWaitForOperationResult(op, DEADLINE_MS, &text);

    last_document[0] = '\0';
    if (text)
        narrow(text, last_document, sizeof last_document);
    LocalFree(text);
    return r;
}

/* The outcome of a call, wherever it is told.  @started is what the call returned. */
static HRESULT outcome(HCS_OPERATION op, HRESULT started)
{
    HRESULT r = finish(op);

    if (started < 0)
        assert_int_equal(r, started);
    HcsCloseOperation(op);
    return r;
}

#define CALL(call)                                                                                 \
    ({                                                                                             \
        HCS_OPERATION op = HcsCreateOperation(NULL, NULL);                                         \
        HRESULT started_ = (call);                                                                 \
        outcome(op, started_);                                                                     \
    })

static json_t *last_json(void)
{
    json_t *json = json_loads(last_document, 0, NULL);

    if (!json)
        fail_msg("no JSON: '%s'", last_document);
    return json;
}

/* ---- fixture: a created system of its own ---- */

struct life {
    char id[64];
    HCS_SYSTEM system;
    struct recorder events;
};

static int begin_life(void **state)
{
    static int n;
    struct life *life = calloc(1, sizeof *life);

    snprintf(life->id, sizeof life->id, "flat-%s-%d", driver, ++n);
    recorder_init(&life->events);
    OK(CALL(HcsCreateComputeSystem(wide(life->id), wide(document), op, NULL, &life->system)));
    assert_non_null(life->system);
    *state = life;
    return 0;
}

static int begin_running(void **state)
{
    begin_life(state);
    OK(CALL(HcsStartComputeSystem(((struct life *) *state)->system, op, NULL)));
    return 0;
}

static int end_life(void **state)
{
    struct life *life = *state;

    if (CALL(HcsTerminateComputeSystem(life->system, op, NULL)) == S_OK)
        OK(HcsWaitForComputeSystemExit(life->system, DEADLINE_MS, NULL));
    HcsCloseComputeSystem(life->system);
    recorder_done(&life->events);
    free(life);
    return 0;
}

static HCS_PROCESS run(struct life *life, PCWSTR parameters, HCS_PROCESS_INFORMATION *information)
{
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_PROCESS_INFORMATION own;
    HCS_PROCESS process = NULL;

    OK(HcsCreateProcess(life->system, parameters, op, NULL, &process));
    assert_non_null(process);
    OK(HcsWaitForOperationResultAndProcessInfo(op, DEADLINE_MS, information ? information : &own,
                                               NULL));
    HcsCloseOperation(op);
    return process;
}

/* Exit code of a ProcessStatus document; -1 without one. */
static int code_of(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    const json_t *code = json_object_get(json, "ExitCode");
    int value = code ? (int) json_integer_value(code) : -1;

    if (!json_is_true(json_object_get(json, "Exited")))
        fail_msg("not exited: %s", text);
    json_decref(json);
    return value;
}

static int wait_code(HCS_PROCESS process)
{
    char buffer[1024];
    PWSTR text = NULL;
    int code;

    OK(HcsWaitForProcessExit(process, DEADLINE_MS, &text));
    code = code_of(narrow(text, buffer, sizeof buffer));
    LocalFree(text);
    return code;
}

static void watch(struct life *life, HCS_EVENT_OPTIONS options)
{
    OK(HcsSetComputeSystemCallback(life->system, options, &life->events, record_event));
}

static const struct record *expect(struct recorder *r, unsigned at, DWORD type)
{
    if (!recorder_wait_until(r, at + 1))
        fail_msg("event %u (0x%x) does not come", at, (unsigned) type);
    if (r->records[at].type != type)
        fail_msg("event %u is 0x%x instead of 0x%x: %s", at, (unsigned) r->records[at].type,
                 (unsigned) type, r->records[at].data);
    return &r->records[at];
}

/* A string member of a document. */
static void has(const char *text, const char *name, const char *value)
{
    json_t *json = json_loads(text, 0, NULL);
    const char *found = json_string_value(json_object_get(json, name));

    if (!found || strcmp(found, value) != 0)
        fail_msg("%s is %s instead of %s: %s", name, found ? found : "absent", value, text);
    json_decref(json);
}

/* ---- F01..: lives ---- */

static void f01_exit_code_is_the_programs_own(void **state)
{
    for (int code = 0; code < 256; code += 51) {
        HCS_PROCESS process = run(*state, exit_with(code), NULL);

        assert_int_equal(wait_code(process), code);
        OK(CALL(HcsGetProcessProperties(process, op, NULL)));
        assert_int_equal(code_of(last_document), code);
        HcsCloseProcess(process);
    }
}

static void f02_shut_down_is_a_graceful_exit_told_once(void **state)
{
    struct life *life = *state;

    watch(life, HcsEventOptionNone);
    OK(CALL(HcsShutDownComputeSystem(life->system, op, NULL)));
    has(expect(&life->events, 0, HcsEventSystemExited)->data, "ExitType", "GracefulExit");
    HcsCloseComputeSystem(life->system);
    assert_int_equal(recorder_count(&life->events), 1);
}

static void f03_terminate_is_a_forced_exit(void **state)
{
    struct life *life = *state;

    watch(life, HcsEventOptionNone);
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    has(expect(&life->events, 0, HcsEventSystemExited)->data, "ExitType", "ForcedExit");
}

static void f04_a_process_callback_gets_its_exit_and_no_other(void **state)
{
    struct recorder mine, others;
    HCS_PROCESS one = run(*state, hang(), NULL), two = run(*state, hang(), NULL);

    recorder_init(&mine);
    recorder_init(&others);
    OK(HcsSetProcessCallback(one, HcsEventOptionNone, &mine, record_event));
    OK(HcsSetProcessCallback(two, HcsEventOptionNone, &others, record_event));
    OK(CALL(HcsTerminateProcess(one, op, NULL)));
    assert_int_equal(code_of(expect(&mine, 0, HcsEventProcessExited)->data), 137);
    assert_int_equal(recorder_count(&others), 0);
    HcsCloseProcess(two);
    HcsCloseProcess(one);
    assert_int_equal(recorder_count(&others), 0);
    assert_int_equal(recorder_count(&mine), 1);
    recorder_done(&mine);
    recorder_done(&others);
}

static void f05_a_late_registrant_gets_the_exit_once(void **state)
{
    struct life *life = *state;
    HCS_PROCESS process = run(life, exit_with(7), NULL);
    struct recorder exits;

    recorder_init(&exits);
    assert_int_equal(wait_code(process), 7);
    OK(HcsSetProcessCallback(process, HcsEventOptionNone, &exits, record_event));
    assert_int_equal(code_of(expect(&exits, 0, HcsEventProcessExited)->data), 7);
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    watch(life, HcsEventOptionNone);
    expect(&life->events, 0, HcsEventSystemExited);
    HcsCloseProcess(process);
    HcsCloseComputeSystem(life->system);
    assert_int_equal(recorder_count(&exits), 1);
    assert_int_equal(recorder_count(&life->events), 1);
    recorder_done(&exits);
}

static void f06_every_handle_has_its_callback(void **state)
{
    struct life *life = *state;
    HCS_SYSTEM others[4];
    struct recorder seen[4];

    for (size_t i = 0; i < 4; i++) {
        recorder_init(&seen[i]);
        OK(HcsOpenComputeSystem(wide(life->id), GENERIC_ALL, &others[i]));
        OK(HcsSetComputeSystemCallback(others[i], HcsEventOptionNone, &seen[i], record_event));
    }
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    for (size_t i = 0; i < 4; i++) {
        expect(&seen[i], 0, HcsEventSystemExited);
        HcsCloseComputeSystem(others[i]);
        assert_int_equal(recorder_count(&seen[i]), 1);
        recorder_done(&seen[i]);
    }
}

static void f07_a_second_callback_is_refused_and_null_takes_the_first_away(void **state)
{
    struct life *life = *state;
    struct recorder second;

    recorder_init(&second);
    watch(life, HcsEventOptionNone);
    GIVES(HcsSetComputeSystemCallback(life->system, HcsEventOptionNone, &second, record_event),
          HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET);
    OK(HcsSetComputeSystemCallback(life->system, HcsEventOptionNone, NULL, NULL));
    OK(HcsSetComputeSystemCallback(life->system, HcsEventOptionNone, NULL, NULL));
    OK(HcsSetComputeSystemCallback(life->system, HcsEventOptionNone, &second, record_event));
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    expect(&second, 0, HcsEventSystemExited);
    HcsCloseComputeSystem(life->system);
    assert_int_equal(recorder_count(&life->events), 0);
    recorder_done(&second);
}

static void f08_the_exit_is_told_once_for_each_handle(void **state)
{
    struct life *life = *state;
    struct recorder again, other;
    HCS_SYSTEM second;

    recorder_init(&again);
    recorder_init(&other);
    watch(life, HcsEventOptionNone);
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    expect(&life->events, 0, HcsEventSystemExited);
    OK(HcsSetComputeSystemCallback(life->system, HcsEventOptionNone, NULL, NULL));
    OK(HcsSetComputeSystemCallback(life->system, HcsEventOptionNone, &again, record_event));
    OK(HcsOpenComputeSystem(wide(life->id), GENERIC_ALL, &second));
    OK(HcsSetComputeSystemCallback(second, HcsEventOptionNone, &other, record_event));
    expect(&other, 0, HcsEventSystemExited);
    HcsCloseComputeSystem(second);
    HcsCloseComputeSystem(life->system);
    assert_int_equal(recorder_count(&again), 0);
    recorder_done(&again);
    recorder_done(&other);
}

static void f09_the_exit_can_be_waited_for(void **state)
{
    struct life *life = *state;
    char buffer[1024];
    PWSTR text = NULL;

    GIVES(HcsWaitForComputeSystemExit(life->system, 0, &text), HCS_E_OPERATION_TIMEOUT);
    GIVES(HcsWaitForComputeSystemExit(life->system, 1, &text), HCS_E_OPERATION_TIMEOUT);
    assert_null(text);
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    OK(HcsWaitForComputeSystemExit(life->system, INFINITE, &text));
    has(narrow(text, buffer, sizeof buffer), "ExitType", "ForcedExit");
    LocalFree(text);
    OK(HcsWaitForComputeSystemExit(life->system, 0, NULL));
}

static void f10_a_failed_start_ends_the_system_and_tells_so(void **state)
{
    struct life *life = *state;
    HCS_SYSTEM system = NULL;
    char id[80];

    if (!is_fake()) {
        print_message("nothing makes the start of a real container fail\n");
        skip();
    }
    snprintf(id, sizeof id, "%s-fails", life->id);
    OK(CALL(HcsCreateComputeSystem(
        wide(id),
        u"{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Container\":{\"GuestOs\":{\"HostName\":"
        u"\"fail-start\"},\"Storage\":{\"Path\":\"/\"}}}",
        op, NULL, &system)));
    OK(HcsSetComputeSystemCallback(system, HcsEventOptionNone, &life->events, record_event));
    assert_true(CALL(HcsStartComputeSystem(system, op, NULL)) < 0);
    has(expect(&life->events, 0, HcsEventSystemExited)->data, "ExitType", "UnexpectedExit");
    HcsCloseComputeSystem(system);
}

static void f11_a_hundred_handles_hear_of_one_exit_once_each(void **state)
{
    enum { N = 100 };
    struct life *life = *state;
    struct recorder *seen = calloc(N, sizeof *seen);
    HCS_SYSTEM handles[N];

    for (size_t i = 0; i < N; i++) {
        recorder_init(&seen[i]);
        OK(HcsOpenComputeSystem(wide(life->id), GENERIC_ALL, &handles[i]));
        OK(HcsSetComputeSystemCallback(handles[i], HcsEventOptionNone, &seen[i], record_event));
    }
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    for (size_t i = 0; i < N; i++) {
        expect(&seen[i], 0, HcsEventSystemExited);
        HcsCloseComputeSystem(handles[i]);
        assert_int_equal(seen[i].n, 1);
        recorder_done(&seen[i]);
    }
    free(seen);
}

/* ---- F20..: operations ---- */

static void f20_an_operation_tells_of_its_last_use(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(life, NULL);
    HCS_PROCESS process = NULL;
    UINT64 first;

    assert_int_equal(HcsGetOperationType(op), HcsOperationTypeNone);
    assert_true(HcsGetOperationId(op) == HCS_INVALID_OPERATION_ID);
    GIVES(HcsGetOperationResult(op, NULL), HCS_E_OPERATION_NOT_STARTED);
    GIVES(HcsWaitForOperationResult(op, 0, NULL), HCS_E_OPERATION_NOT_STARTED);
    assert_null(HcsGetComputeSystemFromOperation(op));
    assert_ptr_equal(HcsGetOperationContext(op), life);
    OK(HcsSetOperationContext(op, state));
    assert_ptr_equal(HcsGetOperationContext(op), state);
    OK(HcsStartComputeSystem(life->system, op, NULL));
    OK(finish(op));
    assert_string_equal(last_document, "");
    first = HcsGetOperationId(op);
    assert_int_equal(HcsGetOperationType(op), HcsOperationTypeStart);
    assert_ptr_equal(HcsGetComputeSystemFromOperation(op), life->system);
    assert_null(HcsGetProcessFromOperation(op));
    OK(HcsCreateProcess(life->system, exit_with(3), op, NULL, &process));
    OK(finish(op));
    assert_true(HcsGetOperationId(op) != first);
    assert_int_equal(HcsGetOperationType(op), HcsOperationTypeCreateProcess);
    assert_ptr_equal(HcsGetProcessFromOperation(op), process);
    HcsCloseProcess(process);
    assert_null(HcsGetProcessFromOperation(op));
    GIVES(HcsCancelOperation(op), E_NOTIMPL);
    HcsCloseOperation(op);
}

static void f21_a_result_can_be_read_twice(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    char first[4096];

    OK(HcsGetComputeSystemProperties(life->system, op, NULL));
    OK(finish(op));
    strcpy(first, last_document);
    OK(finish(op));
    assert_string_equal(first, last_document);
    has(first, "Id", life->id);
    GIVES(HcsGetOperationResultAndProcessInfo(op, NULL, NULL), E_INVALIDARG);
    HcsCloseOperation(op);
}

static void f22_a_failure_has_a_document(void **state)
{
    struct life *life = *state;
    HCS_SYSTEM second = (HCS_SYSTEM) state;
    json_t *json;

    GIVES(CALL(HcsCreateComputeSystem(wide(life->id), wide(document), op, NULL, &second)),
          HCS_E_SYSTEM_ALREADY_EXISTS);
    json = last_json();
    assert_int_equal(json_integer_value(json_object_get(json, "Error")),
                     HCS_E_SYSTEM_ALREADY_EXISTS);
    assert_non_null(strstr(json_string_value(json_object_get(json, "ErrorMessage")), life->id));
    json_decref(json);
    HcsCloseComputeSystem(second);
    GIVES(CALL(HcsCreateComputeSystem(u"other", u"{", op, NULL, &second)), HCS_E_INVALID_JSON);
    HcsCloseComputeSystem(second);
    GIVES(CALL(HcsShutDownComputeSystem(life->system, op, NULL)), HCS_E_INVALID_STATE);
    GIVES(CALL(HcsGetProcessInfo(NULL, op)), E_HANDLE);
}

struct completion {
    struct monitor monitor;
    unsigned n;
    int close_inside;
    HRESULT result;
    thread_id thread;
};

#define COMPLETION                                                                                 \
    {                                                                                              \
        MONITOR_INIT, 0, 0, 0, 0                                                                   \
    }

static void CALLBACK on_completion(HCS_OPERATION op, void *context)
{
    struct completion *c = context;

    monitor_enter(&c->monitor);
    c->n++;
    c->thread = thread_self();
    c->result = HcsGetOperationResult(op, NULL);
    if (c->close_inside)
        HcsCloseOperation(op);
    monitor_tell(&c->monitor);
    monitor_leave(&c->monitor);
}

static void completion_wait(struct completion *c, unsigned n)
{
    monitor_enter(&c->monitor);
    while (c->n < n)
        assert_true(monitor_wait(&c->monitor));
    monitor_leave(&c->monitor);
}

static void f23_a_completion_callback_may_close_its_operation(void **state)
{
    struct completion c = COMPLETION;
    struct life *life = *state;
    HCS_OPERATION op;

    c.close_inside = 1;
    op = HcsCreateOperation(&c, on_completion);
    OK(HcsStartComputeSystem(life->system, op, NULL));
    completion_wait(&c, 1);
    GIVES(c.result, S_OK);
    assert_false(c.thread == thread_self());
    GIVES(HcsGetOperationResult(op, NULL), E_HANDLE);
    HcsCloseOperation(op);
}

static void f24_a_callback_runs_once_for_each_use(void **state)
{
    struct completion c = COMPLETION;
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(&c, on_completion);

    for (unsigned i = 1; i <= 20; i++) {
        OK(HcsGetComputeSystemProperties(life->system, op, NULL));
        completion_wait(&c, i);
    }
    HcsCloseOperation(op);
    assert_int_equal(c.n, 20);
}

static void f25_a_call_that_fails_at_once_calls_nothing(void **state)
{
    struct completion c = COMPLETION;
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(&c, on_completion);

    GIVES(HcsStartComputeSystem(life->system, op, u"{\"X\":1}"), E_INVALIDARG);
    GIVES(HcsPauseComputeSystem(life->system, op, NULL), E_NOTIMPL);
    GIVES(HcsGetOperationResult(op, NULL), E_NOTIMPL);
    OK(HcsStartComputeSystem(life->system, op, NULL));
    completion_wait(&c, 1);
    HcsCloseOperation(op);
    assert_int_equal(c.n, 1);
}

static void f26_closing_a_pending_operation_stops_nothing(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

    OK(HcsTerminateComputeSystem(life->system, op, NULL));
    HcsCloseOperation(op);
    OK(HcsWaitForComputeSystemExit(life->system, DEADLINE_MS, NULL));
}

static void f27_notifications_tell_the_completion(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op =
        HcsCreateOperationWithNotifications(HcsOperationOptionNone, &life->events, record_event);

    OK(HcsStartComputeSystem(life->system, op, NULL));
    assert_ptr_equal(expect(&life->events, 0, HcsEventOperationCallback)->operation, op);
    HcsCloseOperation(op);
}

/* ---- F30..: operations through the event callback ---- */

static void f30_completions_come_through_the_event_callback(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_OPERATION own = HcsCreateOperation(NULL, on_completion);

    watch(life, HcsEventOptionEnableOperationCallbacks);
    OK(HcsStartComputeSystem(life->system, op, NULL));
    assert_ptr_equal(expect(&life->events, 0, HcsEventOperationCallback)->operation, op);
    assert_false(life->events.records[0].has_data);
    OK(HcsGetOperationResult(op, NULL));
    GIVES(HcsTerminateComputeSystem(life->system, own, NULL),
          HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET);
    HcsCloseOperation(own);
    OK(HcsGetComputeSystemProperties(life->system, op, NULL));
    expect(&life->events, 1, HcsEventOperationCallback);
    HcsCloseOperation(op);
}

static void f31_a_callback_set_after_create_hears_of_it(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_SYSTEM system = NULL;
    char id[80];

    snprintf(id, sizeof id, "%s-again", life->id);
    OK(HcsCreateComputeSystem(wide(id), wide(document), op, NULL, &system));
    OK(HcsSetComputeSystemCallback(system, HcsEventOptionEnableOperationCallbacks, &life->events,
                                   record_event));
    assert_ptr_equal(expect(&life->events, 0, HcsEventOperationCallback)->operation, op);
    OK(HcsGetOperationResult(op, NULL));
    OK(HcsTerminateComputeSystem(system, op, NULL));
    /* The completion and the exit come in either order. */
    assert_true(recorder_wait_until(&life->events, 3));
    HcsCloseOperation(op);
    HcsCloseComputeSystem(system);
    assert_int_equal(recorder_count(&life->events), 3);
}

static void f32_a_create_that_was_read_is_not_told_again(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

    watch(life, HcsEventOptionEnableOperationCallbacks); /* its creation has been waited for */
    OK(HcsStartComputeSystem(life->system, op, NULL));
    assert_ptr_equal(expect(&life->events, 0, HcsEventOperationCallback)->operation, op);
    HcsCloseOperation(op);
}

static HCS_SYSTEM create_watched(struct life *life, HCS_EVENT_OPTIONS options, HCS_OPERATION op)
{
    HCS_CREATE_OPTIONS_1 o = {
        HcsCreateOptions_1, NULL, NULL, options, &life->events, record_event
    };
    HCS_SYSTEM system = NULL;
    char id[80];

    snprintf(id, sizeof id, "%s-watched", life->id);
    OK(HcsCreateComputeSystemInNamespace(NULL, wide(id), wide(document), op, &o.Version, &system));
    return system;
}

static void f33_create_options_miss_nothing(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_SYSTEM system = create_watched(life, HcsEventOptionEnableOperationCallbacks, op);

    assert_ptr_equal(expect(&life->events, 0, HcsEventOperationCallback)->operation, op);
    GIVES(HcsSetComputeSystemCallback(system, HcsEventOptionNone, &life->events, record_event),
          HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET);
    OK(HcsTerminateComputeSystem(system, op, NULL));
    assert_true(recorder_wait_until(&life->events, 3));
    HcsCloseOperation(op);
    HcsCloseComputeSystem(system);
}

static void f34_create_options_without_operation_callbacks(void **state)
{
    struct completion c = COMPLETION;
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(&c, on_completion);
    HCS_SYSTEM system = create_watched(life, HcsEventOptionNone, op);

    completion_wait(&c, 1);
    GIVES(c.result, S_OK);
    OK(HcsTerminateComputeSystem(system, op, NULL));
    expect(&life->events, 0, HcsEventSystemExited);
    completion_wait(&c, 2);
    HcsCloseOperation(op);
    HcsCloseComputeSystem(system);
    assert_int_equal(recorder_count(&life->events), 1);
}

static void f35_create_options_that_cannot_be_honoured_are_refused(void **state)
{
    HCS_CREATE_OPTIONS_1 o = {
        HcsCreateOptions_1, NULL, NULL, HcsEventOptionEnableOperationCallbacks, NULL, record_event
    };
    HCS_OPERATION own = HcsCreateOperation(NULL, on_completion);
    HCS_SYSTEM system = (HCS_SYSTEM) state;
    PCWSTR text = wide(document);

    GIVES(HcsCreateComputeSystemInNamespace(NULL, u"x", text, own, &o.Version, &system),
          HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET);
    HcsCloseOperation(own);
    assert_null(system);
    o.UserToken = (HANDLE) state;
    GIVES(CALL(HcsCreateComputeSystemInNamespace(NULL, u"x", text, op, &o.Version, &system)),
          E_NOTIMPL);
    o.UserToken = NULL;
    o.CallbackOptions = (HCS_EVENT_OPTIONS) 0x100;
    GIVES(CALL(HcsCreateComputeSystemInNamespace(NULL, u"x", text, op, &o.Version, &system)),
          E_INVALIDARG);
    o.Version = (HCS_CREATE_OPTIONS) 0x00020000;
    GIVES(CALL(HcsCreateComputeSystemInNamespace(NULL, u"x", text, op, &o.Version, &system)),
          E_INVALIDARG);
    GIVES(
        CALL(HcsCreateComputeSystem(u"x", text, op, (const SECURITY_DESCRIPTOR *) state, &system)),
        E_NOTIMPL);
    GIVES(HcsOpenComputeSystem(u"x", GENERIC_ALL, &system), HCS_E_SYSTEM_NOT_FOUND);
}

/* ---- F40..: closing ---- */

static void close_inside(struct recorder *r, HCS_EVENT *event)
{
    if (event->Type == HcsEventSystemExited)
        HcsCloseComputeSystem(r->context);
}

static void f40_a_handle_may_be_closed_from_its_own_callback(void **state)
{
    struct life *life = *state;
    HCS_SYSTEM system = NULL;

    OK(HcsOpenComputeSystem(wide(life->id), GENERIC_ALL, &system));
    life->events.inside = close_inside;
    life->events.context = system;
    OK(HcsSetComputeSystemCallback(system, HcsEventOptionNone, &life->events, record_event));
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    expect(&life->events, 0, HcsEventSystemExited);
    GIVES(HcsWaitForComputeSystemExit(system, 0, NULL), E_HANDLE);
}

struct gate {
    struct monitor monitor;
    int entered, open, left;
};

static void pass_gate(struct recorder *r, HCS_EVENT *event)
{
    struct gate *g = r->context;

    (void) event;
    monitor_enter(&g->monitor);
    g->entered = 1;
    monitor_tell(&g->monitor);
    while (!g->open)
        monitor_wait(&g->monitor);
    g->left = 1;
    monitor_leave(&g->monitor);
}

THREAD_FUNCTION(close_it, system)
{
    HcsCloseComputeSystem(system);
    THREAD_RETURN;
}

static void f41_a_close_waits_for_a_callback_that_runs(void **state)
{
    struct gate g = { MONITOR_INIT, 0, 0, 0 };
    struct life *life = *state;
    thread closer;

    life->events.inside = pass_gate;
    life->events.context = &g;
    watch(life, HcsEventOptionNone);
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    monitor_enter(&g.monitor);
    while (!g.entered)
        assert_true(monitor_wait(&g.monitor));
    monitor_leave(&g.monitor);
    thread_start(&closer, close_it, life->system);
    /* The handle is refused as soon as the close has begun, and the close is not done. */
    while (HcsSetComputeSystemCallback(life->system, HcsEventOptionNone, NULL, record_event) !=
           E_HANDLE)
        ;
    assert_true(thread_runs(closer));
    monitor_enter(&g.monitor);
    g.open = 1;
    monitor_tell(&g.monitor);
    monitor_leave(&g.monitor);
    thread_join(closer);
    assert_true(g.left);
}

static void f42_a_closed_or_foreign_handle_is_an_error(void **state)
{
    struct life *life = *state;
    HCS_OPERATION own = HcsCreateOperation(NULL, NULL);
    HCS_SYSTEM gone = NULL;

    OK(HcsOpenComputeSystem(wide(life->id), 0, &gone));
    HcsCloseComputeSystem(gone);
    HcsCloseComputeSystem(gone);
    GIVES(HcsStartComputeSystem(gone, own, NULL), E_HANDLE);
    GIVES(HcsStartComputeSystem((HCS_SYSTEM) own, own, NULL), E_HANDLE);
    GIVES(HcsStartComputeSystem((HCS_SYSTEM) &life, own, NULL), E_HANDLE);
    GIVES(HcsStartComputeSystem(life->system, (HCS_OPERATION) life->system, NULL), E_HANDLE);
    HcsCloseOperation(own);
    GIVES(HcsStartComputeSystem(life->system, own, NULL), E_HANDLE);
    HcsCloseOperation((HCS_OPERATION) life->system);
    HcsCloseProcess((HCS_PROCESS) life->system);
    OK(CALL(HcsGetComputeSystemProperties(life->system, op, NULL)));
}

/* ---- F50..: arguments ---- */

static void f50_null_is_an_error_of_its_own(void **state)
{
    struct life *life = *state;
    HCS_SYSTEM system;
    HCS_PROCESS process;
    PWSTR text = NULL;

    GIVES(HcsStartComputeSystem(life->system, NULL, NULL), E_HANDLE);
    GIVES(CALL(HcsStartComputeSystem(NULL, op, NULL)), E_HANDLE);
    GIVES(CALL(HcsCreateComputeSystem(NULL, u"{}", op, NULL, &system)), E_INVALIDARG);
    GIVES(CALL(HcsCreateComputeSystem(u"x", NULL, op, NULL, &system)), E_INVALIDARG);
    GIVES(CALL(HcsCreateComputeSystem(u"x", u"{}", op, NULL, NULL)), E_POINTER);
    GIVES(CALL(HcsCreateProcess(life->system, NULL, op, NULL, &process)), E_INVALIDARG);
    GIVES(CALL(HcsCreateProcess(life->system, u"{}", op, NULL, NULL)), E_POINTER);
    GIVES(HcsOpenComputeSystem(NULL, 0, &system), E_INVALIDARG);
    GIVES(HcsOpenComputeSystem(u"x", 0, NULL), E_POINTER);
    GIVES(HcsOpenProcess(NULL, 1, 0, &process), E_HANDLE);
    /* the handle is looked at first */
    GIVES(HcsOpenProcess(NULL, 1, 0, NULL), E_HANDLE);
    GIVES(CALL(HcsCreateProcess(NULL, u"{}", op, NULL, NULL)), E_HANDLE);
    GIVES(HcsOpenProcess(life->system, 1, 0, NULL), E_POINTER);
    GIVES(HcsGetServiceProperties(NULL, NULL), E_POINTER);
    GIVES(HcsWaitForProcessExit(NULL, 0, &text), E_HANDLE);
    GIVES(HcsWaitForOperationResult(NULL, 0, &text), E_HANDLE);
    GIVES(HcsSetComputeSystemCallback(NULL, HcsEventOptionNone, NULL, record_event), E_HANDLE);
    GIVES(HcsSetProcessCallback(NULL, HcsEventOptionNone, NULL, record_event), E_HANDLE);
    assert_int_equal(HcsGetOperationType(NULL), HcsOperationTypeNone);
    assert_null(HcsGetOperationContext(NULL));
    HcsCloseComputeSystem(NULL);
    HcsCloseProcess(NULL);
    HcsCloseOperation(NULL);
}

static void f51_reserved_options_are_empty(void **state)
{
    struct life *life = *state;

    GIVES(CALL(HcsStartComputeSystem(life->system, op, u"nonsense")), HCS_E_INVALID_JSON);
    GIVES(CALL(HcsStartComputeSystem(life->system, op, u"{\"X\":1}")), E_INVALIDARG);
    OK(CALL(HcsStartComputeSystem(life->system, op, u"{}")));
    GIVES(CALL(HcsShutDownComputeSystem(life->system, op, u"{\"Type\":\"Reboot\"}")), E_NOTIMPL);
    GIVES(CALL(HcsShutDownComputeSystem(life->system, op, u"{\"Timeout\":1}")), HCS_E_INVALID_JSON);
    OK(CALL(HcsShutDownComputeSystem(
        life->system, op, u"{\"Mechanism\":\"IntegrationService\",\"Type\":\"Shutdown\"}")));
    OK(HcsWaitForComputeSystemExit(life->system, DEADLINE_MS, NULL));
    GIVES(CALL(HcsTerminateComputeSystem(life->system, op, u"")), HCS_E_SYSTEM_ALREADY_STOPPED);
}

static void f52_what_is_not_there_says_so(void **state)
{
    struct life *life = *state;
    PWSTR text = NULL;
    PCWSTR features = NULL;

    GIVES(CALL(HcsPauseComputeSystem(life->system, op, NULL)), E_NOTIMPL);
    GIVES(CALL(HcsResumeComputeSystem(life->system, op, NULL)), E_NOTIMPL);
    GIVES(CALL(HcsSaveComputeSystem(life->system, op, NULL)), E_NOTIMPL);
    GIVES(CALL(HcsCrashComputeSystem(life->system, op, NULL)), E_NOTIMPL);
    GIVES(CALL(HcsModifyComputeSystem(life->system, op, u"{}", NULL)), E_NOTIMPL);
    GIVES(CALL(HcsGetComputeSystemProperties(life->system, op,
                                             u"{\"PropertyTypes\":[\"Statistics\"]}")),
          E_NOTIMPL);
    GIVES(CALL(HcsGetComputeSystemProperties(life->system, op, u"{\"PropertyTypes\":[\"No\"]}")),
          E_INVALIDARG);
    GIVES(HcsModifyServiceSettings(u"{}", &text), E_NOTIMPL);
    assert_non_null(text);
    LocalFree(text);
    GIVES(HcsSubmitWerReport(u"{}"), E_NOTIMPL);
    GIVES(HcsCreateEmptyGuestStateFile(u"x"), E_NOTIMPL);
    GIVES(HcsCreateEmptyRuntimeStateFile(u"x"), E_NOTIMPL);
    GIVES(HcsGrantVmAccess(u"x", u"y"), E_NOTIMPL);
    GIVES(HcsRevokeVmAccess(u"x", u"y"), E_NOTIMPL);
    GIVES(HcsGrantVmGroupAccess(u"x"), E_NOTIMPL);
    GIVES(HcsRevokeVmGroupAccess(u"x"), E_NOTIMPL);
    GIVES(HcsGetProcessorCompatibilityFromSavedState(u"x", &features), E_NOTIMPL);
    GIVES(CALL(HcsAddResourceToOperation(op, HcsResourceTypeFile, u"x", NULL) < 0
                   ? HcsPauseComputeSystem(life->system, op, NULL)
                   : S_OK),
          E_NOTIMPL);
}

static void f53_there_is_one_namespace(void **state)
{
    struct life *life = *state;
    HCS_SYSTEM system = NULL;

    OK(HcsOpenComputeSystemInNamespace(NULL, wide(life->id), GENERIC_ALL, &system));
    HcsCloseComputeSystem(system);
    OK(HcsOpenComputeSystemInNamespace(u"", wide(life->id), GENERIC_ALL, &system));
    HcsCloseComputeSystem(system);
    GIVES(HcsOpenComputeSystemInNamespace(u"mine", wide(life->id), GENERIC_ALL, &system),
          E_NOTIMPL);
    assert_null(system);
    GIVES(CALL(HcsEnumerateComputeSystemsInNamespace(u"mine", NULL, op)), E_NOTIMPL);
    GIVES(CALL(HcsCreateComputeSystemInNamespace(u"mine", u"x", u"{}", op, NULL, &system)),
          E_NOTIMPL);
    OK(CALL(HcsEnumerateComputeSystemsInNamespace(u"", NULL, op)));
}

static void f54_a_lone_surrogate_is_refused(void **state)
{
    static const WCHAR id[] = { 'a', 0xD800, 'b', 0 };
    static const WCHAR text[] = { '{', '"', 0xDC00, '"', ':', '1', '}', 0 };
    HCS_SYSTEM system = NULL;

    (void) state;
    GIVES(HcsOpenComputeSystem(id, 0, &system), E_INVALIDARG);
    GIVES(CALL(HcsCreateComputeSystem(u"x", text, op, NULL, &system)), HCS_E_INVALID_JSON);
}

/* ---- F60..: processes ---- */

static void f60_signals_by_number_and_by_name(void **state)
{
    static const struct {
        PCWSTR options;
        int code;
    } rows[] = {
        { u"{\"Signal\":15}", 143 },        { u"{\"Signal\":\"SIGTERM\"}", 143 },
        { u"{\"Signal\":\"KILL\"}", 137 },  { u"{\"Signal\":\"CtrlShutdown\"}", 143 },
        { u"{\"Signal\":\"CtrlC\"}", 130 }, { NULL, 143 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        HCS_PROCESS process = run(*state, hang(), NULL);

        OK(CALL(HcsSignalProcess(process, op, rows[i].options)));
        assert_int_equal(wait_code(process), rows[i].code);
        GIVES(CALL(HcsSignalProcess(process, op, rows[i].options)), HCS_E_PROCESS_ALREADY_STOPPED);
        HcsCloseProcess(process);
    }
}

static void f61_a_wrong_signal_is_refused(void **state)
{
    HCS_PROCESS process = run(*state, hang(), NULL);

    GIVES(CALL(HcsSignalProcess(process, op, u"{\"Signal\":\"CtrlZ\"}")), E_INVALIDARG);
    GIVES(CALL(HcsSignalProcess(process, op, u"{\"Signal\":0}")), E_INVALIDARG);
    GIVES(CALL(HcsSignalProcess(process, op, u"{\"Number\":9}")), HCS_E_INVALID_JSON);
    OK(CALL(HcsTerminateProcess(process, op, NULL)));
    assert_int_equal(HcsGetOperationType(NULL), HcsOperationTypeNone);
    assert_int_equal(wait_code(process), 137);
    GIVES(CALL(HcsTerminateProcess(process, op, NULL)), HCS_E_PROCESS_ALREADY_STOPPED);
    HcsCloseProcess(process);
}

static void f62_a_process_can_be_opened_by_its_id(void **state)
{
    struct life *life = *state;
    HCS_PROCESS_INFORMATION information, again;
    HCS_PROCESS process = run(life, hang(), &information), other = NULL;
    HCS_OPERATION own = HcsCreateOperation(NULL, NULL);

    assert_true(information.ProcessId > 0);
    assert_null(information.StdInput);
    OK(HcsOpenProcess(life->system, information.ProcessId, GENERIC_ALL, &other));
    OK(HcsGetProcessInfo(other, own));
    OK(HcsWaitForOperationResultAndProcessInfo(own, DEADLINE_MS, &again, NULL));
    assert_int_equal(again.ProcessId, information.ProcessId);
    OK(HcsGetProcessProperties(other, own, NULL));
    OK(finish(own));
    assert_non_null(strstr(last_document, "\"Exited\":false"));
    OK(HcsTerminateProcess(other, own, NULL));
    OK(finish(own));
    assert_int_equal(HcsGetOperationType(own), HcsOperationTypeSignalProcess);
    assert_int_equal(wait_code(process), 137);
    GIVES(CALL(HcsGetProcessInfo(process, op)), HCS_E_PROCESS_ALREADY_STOPPED);
    HcsCloseProcess(other);
    GIVES(HcsOpenProcess(life->system, information.ProcessId, GENERIC_ALL, &other),
          HCS_E_PROCESS_ALREADY_STOPPED);
    GIVES(HcsOpenProcess(life->system, 0x7FFFFFF0, GENERIC_ALL, &other), HCS_E_WIN32_NOT_FOUND);
    assert_null(other);
    HcsCloseOperation(own);
    HcsCloseProcess(process);
}

static void f63_a_callback_may_be_set_while_the_process_is_being_created(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_PROCESS process = NULL;

    OK(HcsCreateProcess(life->system, exit_with(9), op, NULL, &process));
    OK(HcsSetProcessCallback(process, HcsEventOptionNone, &life->events, record_event));
    assert_int_equal(code_of(expect(&life->events, 0, HcsEventProcessExited)->data), 9);
    HcsCloseProcess(process);
    OK(finish(op));
    HcsCloseOperation(op);
    assert_int_equal(recorder_count(&life->events), 1);
}

static void f64_a_missing_program_is_an_error_and_no_event(void **state)
{
    struct life *life = *state;
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);
    HCS_PROCESS process = NULL;

    OK(HcsCreateProcess(life->system, u"{\"CommandArgs\":[\"no-such-program\"]}", op, NULL,
                        &process));
    OK(HcsSetProcessCallback(process, HcsEventOptionNone, &life->events, record_event));
    GIVES(finish(op), HCS_E_WIN32_FILE_NOT_FOUND);
    HcsCloseProcess(process);
    HcsCloseOperation(op);
    assert_int_equal(recorder_count(&life->events), 0);
}

/* Programs for Windows use their ends overlapped; on Linux they can wait for what is there. */
static int give(HANDLE to, const char *bytes, int n)
{
#ifdef _WIN32
    return end_write(to, bytes, n);
#else
    DWORD written = 0;

    return WriteFile(to, bytes, (DWORD) n, &written, NULL) ? (int) written : -1;
#endif
}

/* -1 at the end, with the last error. */
static int take(HANDLE from, char *to, int room)
{
#ifdef _WIN32
    int n = end_read(from, to, room);

    return n > 0 ? n : -1;
#else
    DWORD n = 0;

    assert_int_equal(WaitForSingleObject(from, DEADLINE_MS), WAIT_OBJECT_0);
    return ReadFile(from, to, (DWORD) room, &n, NULL) ? (int) n : -1;
#endif
}

static void f65_standard_handles_are_given_once_and_are_the_programs(void **state)
{
    HCS_PROCESS_INFORMATION information, again;
    struct life *life = *state;
    HCS_OPERATION op;
    HCS_PROCESS process;
    char buffer[64] = "";

    if (is_fake()) {
        print_message("the fake driver runs no programs\n");
        skip();
    }
    process = run(life,
                  u"{\"CommandArgs\":[\"sh\",\"-c\",\"cat; exit 5\"],\"CreateStdInPipe\":true,"
                  u"\"CreateStdOutPipe\":true}",
                  &information);
    assert_non_null(information.StdInput);
    assert_non_null(information.StdOutput);
    assert_null(information.StdError);
    op = HcsCreateOperation(NULL, NULL);
    OK(HcsGetProcessInfo(process, op));
    OK(HcsWaitForOperationResultAndProcessInfo(op, DEADLINE_MS, &again, NULL));
    assert_int_equal(again.ProcessId, information.ProcessId);
    assert_null(again.StdInput);
    HcsCloseOperation(op);
    HcsCloseProcess(process);
    assert_int_equal(give(information.StdInput, "hello", 5), 5);
    assert_true(CloseHandle(information.StdInput));
    assert_int_equal(take(information.StdOutput, buffer, sizeof buffer), 5);
    assert_string_equal(buffer, "hello");
    assert_int_equal(take(information.StdOutput, buffer, sizeof buffer), -1);
    assert_int_equal(GetLastError(), ERROR_BROKEN_PIPE);
    assert_true(CloseHandle(information.StdOutput));
}

static void f66_standard_input_can_be_closed_through_the_service(void **state)
{
    struct life *life = *state;
    HCS_OPERATION own = HcsCreateOperation(NULL, NULL);
    HCS_PROCESS process = NULL;

    GIVES(CALL(HcsModifyProcess(NULL, op, u"{}")), E_HANDLE);
    if (is_fake()) {
        HcsCloseOperation(own);
        print_message("the fake driver runs no programs\n");
        skip();
    }
    OK(HcsCreateProcess(
        life->system, u"{\"CommandArgs\":[\"sh\",\"-c\",\"cat; exit 6\"],\"CreateStdInPipe\":true}",
        own, NULL, &process));
    OK(finish(own));
    OK(HcsModifyProcess(process, own,
                        u"{\"Operation\":\"CloseHandle\",\"CloseHandle\":{\"Handle\":\"StdIn\"}}"));
    OK(finish(own));
    assert_int_equal(wait_code(process), 6);
    GIVES(CALL(HcsModifyProcess(process, op,
                                u"{\"Operation\":\"CloseHandle\","
                                u"\"CloseHandle\":{\"Handle\":\"StdIn\"}}")),
          HCS_E_PROCESS_ALREADY_STOPPED);
    GIVES(CALL(HcsModifyProcess(process, op, u"{\"Operation\":\"ConsoleSize\"}")), E_NOTIMPL);
    HcsCloseOperation(own);
    HcsCloseProcess(process);
}

static void f67_operation_callbacks_of_a_process_handle(void **state)
{
    struct life *life = *state;
    HCS_PROCESS process = run(life, hang(), NULL);
    HCS_OPERATION op = HcsCreateOperation(NULL, NULL);

    OK(HcsSetProcessCallback(process, HcsEventOptionEnableOperationCallbacks, &life->events,
                             record_event));
    OK(HcsTerminateProcess(process, op, NULL));
    assert_true(recorder_wait_until(&life->events, 2));
    assert_int_equal(life->events.records[0].type + life->events.records[1].type,
                     (DWORD) HcsEventOperationCallback + HcsEventProcessExited);
    HcsCloseOperation(op);
    HcsCloseProcess(process);
}

/* ---- F70..: questions ---- */

static void f70_properties_are_those_of_hcs(void **state)
{
    struct life *life = *state;
    json_t *json;

    OK(CALL(HcsGetComputeSystemProperties(life->system, op, NULL)));
    has(last_document, "Id", life->id);
    has(last_document, "SystemType", "Container");
    has(last_document, "State", "Running");
    has(last_document, "Owner", "flat");
    json = last_json();
    assert_null(json_object_get(json, "Document"));
    assert_null(json_object_get(json, "ProcessList"));
    json_decref(json);
    OK(CALL(HcsGetComputeSystemProperties(
        life->system, op,
        u"{\"PropertyTypes\":[\"ProcessList\",\"TerminateOnLastHandleClosed\"]}")));
    json = last_json();
    assert_true(json_is_array(json_object_get(json, "ProcessList")));
    assert_true(json_is_false(json_object_get(json, "TerminateOnLastHandleClosed")));
    json_decref(json);
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    OK(CALL(HcsGetComputeSystemProperties(life->system, op, NULL)));
    has(last_document, "State", "Stopped");
    has(last_document, "ExitType", "ForcedExit");
}

static void f71_enumeration_honours_its_query(void **state)
{
    struct life *life = *state;
    char query[200];
    json_t *json;

    snprintf(query, sizeof query, "{\"Ids\":[\"%s\"]}", life->id);
    OK(CALL(HcsEnumerateComputeSystems(wide(query), op)));
    json = last_json();
    assert_int_equal(json_array_size(json), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json, 0), "Id")),
                        life->id);
    json_decref(json);
    OK(CALL(HcsEnumerateComputeSystems(u"{\"Owners\":[\"nobody\"]}", op)));
    assert_string_equal(last_document, "[]");
    GIVES(CALL(HcsEnumerateComputeSystems(u"{\"Owner\":1}", op)), HCS_E_INVALID_JSON);
}

static void f72_the_service_tells_its_schema_versions(void **state)
{
    char buffer[512];
    PWSTR text = NULL;

    (void) state;
    OK(HcsGetServiceProperties(u"{\"PropertyTypes\":[\"Basic\"]}", &text));
    assert_string_equal(
        narrow(text, buffer, sizeof buffer),
        "{\"Properties\":[{\"SupportedSchemaVersions\":[{\"Major\":2,\"Minor\":6}]}]}");
    LocalFree(text);
    GIVES(HcsGetServiceProperties(u"{\"PropertyTypes\":[\"CpuGroup\"]}", &text), E_NOTIMPL);
    has(narrow(text, buffer, sizeof buffer), "ErrorMessage",
        "property type 'CpuGroup' is not there in this version");
    LocalFree(text);
}

static void f73_events_of_every_kind_come_with_their_document(void **state)
{
    struct life *life = *state;
    HCS_PROCESS process;

    if (!is_fake()) {
        print_message("real containers crash in no such way\n");
        skip();
    }
    watch(life, HcsEventOptionNone);
    process =
        run(life,
            u"{\"CommandArgs\":[\"event\",\"2\",\"{\\\"SystemId\\\":\\\"x\\\"}\",\"event\",\"3\","
            u"\"{}\",\"event\",\"4\",\"{}\",\"event\",\"5\",\"{}\",\"event\",\"6\",\"{}\","
            u"\"event\",\"2147483650\",\"{}\",\"exit\",\"0\"]}",
            NULL);
    has(expect(&life->events, 0, HcsEventSystemCrashInitiated)->data, "SystemId", "x");
    expect(&life->events, 1, HcsEventSystemCrashReport);
    expect(&life->events, 2, HcsEventSystemRdpEnhancedModeStateChanged);
    expect(&life->events, 3, HcsEventSystemSiloJobCreated);
    expect(&life->events, 4, HcsEventSystemGuestConnectionClosed);
    expect(&life->events, 5, (DWORD) HcsEventGroupVmLifecycle);
    OK(HcsWaitForProcessExit(process, DEADLINE_MS, NULL));
    HcsCloseProcess(process);
    OK(CALL(HcsTerminateComputeSystem(life->system, op, NULL)));
    expect(&life->events, 6, HcsEventSystemExited);
    assert_int_equal(life->events.most, 1);
}

int main(int argc, char **argv)
{
#define CREATED(name) cmocka_unit_test_setup_teardown(name, begin_life, end_life)
#define RUNNING(name) cmocka_unit_test_setup_teardown(name, begin_running, end_life)
    const struct CMUnitTest promises[] = {
        RUNNING(f01_exit_code_is_the_programs_own),
        RUNNING(f02_shut_down_is_a_graceful_exit_told_once),
        RUNNING(f03_terminate_is_a_forced_exit),
        RUNNING(f04_a_process_callback_gets_its_exit_and_no_other),
        RUNNING(f05_a_late_registrant_gets_the_exit_once),
        RUNNING(f06_every_handle_has_its_callback),
        CREATED(f07_a_second_callback_is_refused_and_null_takes_the_first_away),
        CREATED(f08_the_exit_is_told_once_for_each_handle),
        CREATED(f09_the_exit_can_be_waited_for),
        CREATED(f10_a_failed_start_ends_the_system_and_tells_so),
        CREATED(f11_a_hundred_handles_hear_of_one_exit_once_each),
        CREATED(f20_an_operation_tells_of_its_last_use),
        CREATED(f21_a_result_can_be_read_twice),
        CREATED(f22_a_failure_has_a_document),
        CREATED(f23_a_completion_callback_may_close_its_operation),
        CREATED(f24_a_callback_runs_once_for_each_use),
        CREATED(f25_a_call_that_fails_at_once_calls_nothing),
        RUNNING(f26_closing_a_pending_operation_stops_nothing),
        CREATED(f27_notifications_tell_the_completion),
        CREATED(f30_completions_come_through_the_event_callback),
        CREATED(f31_a_callback_set_after_create_hears_of_it),
        CREATED(f32_a_create_that_was_read_is_not_told_again),
        CREATED(f33_create_options_miss_nothing),
        CREATED(f34_create_options_without_operation_callbacks),
        CREATED(f35_create_options_that_cannot_be_honoured_are_refused),
        CREATED(f40_a_handle_may_be_closed_from_its_own_callback),
        CREATED(f41_a_close_waits_for_a_callback_that_runs),
        CREATED(f42_a_closed_or_foreign_handle_is_an_error),
        CREATED(f50_null_is_an_error_of_its_own),
        CREATED(f51_reserved_options_are_empty),
        CREATED(f52_what_is_not_there_says_so),
        CREATED(f53_there_is_one_namespace),
        CREATED(f54_a_lone_surrogate_is_refused),
        RUNNING(f60_signals_by_number_and_by_name),
        RUNNING(f61_a_wrong_signal_is_refused),
        RUNNING(f62_a_process_can_be_opened_by_its_id),
        RUNNING(f63_a_callback_may_be_set_while_the_process_is_being_created),
        RUNNING(f64_a_missing_program_is_an_error_and_no_event),
        RUNNING(f65_standard_handles_are_given_once_and_are_the_programs),
        RUNNING(f66_standard_input_can_be_closed_through_the_service),
        RUNNING(f67_operation_callbacks_of_a_process_handle),
        RUNNING(f70_properties_are_those_of_hcs),
        CREATED(f71_enumeration_honours_its_query),
        CREATED(f72_the_service_tells_its_schema_versions),
        RUNNING(f73_events_of_every_kind_come_with_their_document),
    };

    if (argc < 2)
        return 2;
    driver = argv[1];
    if (strcmp(driver, "plain") == 0)
        snprintf(document, sizeof document,
                 "{\"Owner\":\"flat\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                 "\"Container\":{\"IsolationType\":\"None\"}}");
    else
        snprintf(document, sizeof document,
                 "{\"Owner\":\"flat\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                 "\"Container\":{\"Storage\":{\"Path\":\"%s\"}}}",
                 argc > 2 ? argv[2] : "/");
    return cmocka_run_group_tests_name(driver, promises, NULL, NULL);
}
