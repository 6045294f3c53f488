/* conformance.c - the promises of libhcs, one test each, over the public API and a running service.
 *
 * Usage: conformance fake|oci|plain|computecore-oci|computecore-plain [ROOTFS]
 * The same table runs on every driver; only how a program is spelled differs.  Over HCS's flat API
 * (computecore-) a promise that needs what HCS does not have is skipped with that as the reason.
 * The numbers are those of docs/conformance.md. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcs/hcs.h"
#include "pollable.h"
#include "thread.h"

#define DEADLINE_MS 60000

/* Signals are those of the machine that the programs run on; a client for Windows has others. */
enum { ABORTED = 6, KILLED = 9, CRASHED = 11, ASKED_TO_END = 15 };

static const char *driver;
static char document[4096];
static hcs_host *host;
static hcs_error err = HCS_ERROR_INIT;

#define OK(call)                                                                                   \
    do {                                                                                           \
        err = (hcs_error) HCS_ERROR_INIT;                                                          \
        hcs_result ok_ = (call);                                                                   \
        if (ok_ != HCS_OK)                                                                         \
            fail_msg("%s: 0x%08x %s", #call, (unsigned) ok_, err.text);                            \
    } while (0)

#define FAILS(call, expected)                                                                      \
    do {                                                                                           \
        err = (hcs_error) HCS_ERROR_INIT;                                                          \
        hcs_result got_ = (call);                                                                  \
        if (got_ != (expected))                                                                    \
            fail_msg("%s: 0x%08x (%s) instead of %s", #call, (unsigned) got_, err.text,            \
                     #expected);                                                                   \
    } while (0)

static int is_fake(void)
{
    return strcmp(driver, "fake") == 0;
}

static int is_over_hcs(void)
{
    return strncmp(driver, "computecore-", 12) == 0;
}

/* Over TCP no handle of ours can be given to a process, and HCS takes none. */
static int passes_handles(void)
{
    const char *address = getenv("HCS_HOST");

    return !is_over_hcs() && (!address || strncmp(address, "tcp:", 4) != 0);
}

/* What a row needs of the host, and HCS does not have. */
#define NOT_OVER_HCS(why)                                                                          \
    do {                                                                                           \
        if (is_over_hcs()) {                                                                       \
            print_message("%s\n", why);                                                            \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

#define NO_SUCH_EVENT "HCS tells of no creation and no start"
#define NO_PROCESS_EVENTS "HCS tells the end of a process to handles of that process only"

/* ---- programs ---- */

static const char *exit_with(int code)
{
    static char text[128];

    snprintf(text, sizeof text,
             is_fake() ? "{\"CommandArgs\":[\"exit\",\"%d\"]}"
                       : "{\"CommandArgs\":[\"sh\",\"-c\",\"exit %d\"]}",
             code);
    return text;
}

static const char *die_by(int number)
{
    static char text[128];

    snprintf(text, sizeof text,
             is_fake() ? "{\"CommandArgs\":[\"signal\",\"%d\"]}"
                       : "{\"CommandArgs\":[\"sh\",\"-c\",\"kill -%d $$\"]}",
             number);
    return text;
}

static const char *hang(void)
{
    return is_fake() ? "{\"CommandArgs\":[\"hang\"]}" : "{\"CommandArgs\":[\"sleep\",\"100000\"]}";
}

static const char missing_program[] = "{\"CommandArgs\":[\"no-such-program\"]}";

/* ---- fixture: a created system of its own, and a stream of it from its beginning ---- */

struct life {
    char id[64];
    hcs_system *system;
    hcs_stream *stream;
};

static int begin_life(void **state)
{
    static int n;
    struct life *life = calloc(1, sizeof *life);
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;

    snprintf(life->id, sizeof life->id, "conformance-%s-%d", driver, ++n);
    OK(hcs_system_create(host, life->id, document, &life->system, NULL, &err));
    options.system_id = life->id;
    options.from = HCS_FROM_BEGINNING;
    OK(hcs_stream_open(host, &options, &life->stream, &err));
    *state = life;
    return 0;
}

static int begin_running(void **state)
{
    begin_life(state);
    OK(hcs_system_start(((struct life *) *state)->system, NULL, &err));
    return 0;
}

static int end_life(void **state)
{
    struct life *life = *state;
    hcs_exit report = HCS_EXIT_INIT;

    if (hcs_system_terminate(life->system, NULL, &err) == HCS_OK)
        OK(hcs_system_wait(life->system, DEADLINE_MS, &report, &err));
    hcs_stream_close(life->stream);
    hcs_system_close(life->system);
    free(life);
    return 0;
}

static hcs_event next(struct life *life)
{
    hcs_event event = HCS_EVENT_INIT;

    OK(hcs_stream_next(life->stream, DEADLINE_MS, &event, &err));
    return event;
}

static hcs_event expect(struct life *life, hcs_event_kind kind)
{
    hcs_event event = next(life);

    if (event.kind != kind)
        fail_msg("%s (%#x) instead of %s", hcs_event_kind_name(event.kind), event.kind,
                 hcs_event_kind_name(kind));
    assert_string_equal(event.system.id, life->id);
    return event;
}

/* An event of our own service: HCS has none of the kind. */
static void expect_own(struct life *life, hcs_event_kind kind)
{
    if (!is_over_hcs())
        expect(life, kind);
}

/* HCS shows a signal as the code 128 + n. */
static void assert_ended_by(const hcs_exit *report, int number)
{
    assert_int_equal(report->how, is_over_hcs() ? HCS_EXIT_CODE : HCS_EXIT_SIGNAL);
    assert_int_equal(report->signal, is_over_hcs() ? 0 : number);
    assert_int_equal(report->code, is_over_hcs() ? 128 + number : 0);
}

static hcs_process *run(struct life *life, const char *parameters)
{
    hcs_process *process = NULL;

    OK(hcs_process_create(life->system, parameters, NULL, &process, NULL, &err));
    return process;
}

static hcs_exit run_to_end(struct life *life, const char *parameters)
{
    hcs_process *process = run(life, parameters);
    hcs_exit report = HCS_EXIT_INIT;

    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    hcs_process_close(process);
    return report;
}

/* ---- C01..: a life ---- */

static void c01_created_is_the_first_event(void **state)
{
    hcs_event event;

    NOT_OVER_HCS(NO_SUCH_EVENT);
    event = expect(*state, HCS_EVENT_SYSTEM_CREATED);
    assert_string_equal(event.system.owner, "conformance");
    assert_string_equal(event.system.type, "Container");
    assert_true(event.system.incarnation > 0);
    assert_true(event.realtime_ns > 0 && event.monotonic_ns > 0);
}

static void c02_started_follows_start(void **state)
{
    struct life *life = *state;

    NOT_OVER_HCS(NO_SUCH_EVENT);
    expect(life, HCS_EVENT_SYSTEM_CREATED);
    OK(hcs_system_start(life->system, NULL, &err));
    expect(life, HCS_EVENT_SYSTEM_STARTED);
}

static void c03_exit_code_is_the_programs_own(void **state)
{
    for (int code = 0; code < 256; code += 51) {
        hcs_exit report = run_to_end(*state, exit_with(code));

        assert_int_equal(report.how, HCS_EXIT_CODE);
        assert_int_equal(report.code, code);
    }
}

static void c04_signal_is_a_signal_and_no_code(void **state)
{
    static const int numbers[] = { CRASHED, KILLED, ASKED_TO_END, ABORTED };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hcs_exit report = run_to_end(*state, die_by(numbers[i]));

        assert_ended_by(&report, numbers[i]);
    }
}

static void c05_process_events_are_in_order_and_carry_the_report(void **state)
{
    struct life *life = *state;
    hcs_process *process;
    hcs_event event;

    NOT_OVER_HCS(NO_PROCESS_EVENTS);
    expect(life, HCS_EVENT_SYSTEM_CREATED);
    expect(life, HCS_EVENT_SYSTEM_STARTED);
    process = run(life, exit_with(42));
    event = expect(life, HCS_EVENT_PROCESS_STARTED);
    assert_int_equal(event.process_id, hcs_process_id(process));
    event = expect(life, HCS_EVENT_PROCESS_EXITED);
    assert_int_equal(event.process_id, hcs_process_id(process));
    assert_int_equal(event.has_exit, 1);
    assert_int_equal(event.exit.code, 42);
    assert_non_null(strstr(event.detail, "\"ExitCode\":42"));
    assert_int_equal(event.detail_length, strlen(event.detail));
    hcs_process_close(process);
}

static void c06_shut_down_is_a_graceful_exit_by_the_client(void **state)
{
    struct life *life = *state;
    hcs_exit report = HCS_EXIT_INIT;

    OK(hcs_system_shut_down(life->system, NULL, &err));
    OK(hcs_system_wait(life->system, DEADLINE_MS, &report, &err));
    assert_int_equal(report.how, HCS_EXIT_STATUS);
    assert_int_equal(report.type, HCS_EXIT_TYPE_GRACEFUL);
    assert_int_equal(report.initiator, HCS_INITIATOR_CLIENT);
    assert_int_equal(report.status, HCS_OK);
}

static void c07_terminate_is_a_forced_exit_by_the_client(void **state)
{
    struct life *life = *state;
    hcs_exit report = HCS_EXIT_INIT;

    OK(hcs_system_terminate(life->system, NULL, &err));
    OK(hcs_system_wait(life->system, 0, &report, &err)); /* terminate is done when it has ended */
    assert_int_equal(report.type, HCS_EXIT_TYPE_FORCED);
    assert_int_equal(report.initiator, HCS_INITIATOR_CLIENT);
}

static void c08_processes_end_before_their_system(void **state)
{
    struct life *life = *state;

    NOT_OVER_HCS(NO_PROCESS_EVENTS);
    for (int i = 0; i < 3; i++)
        hcs_process_close(run(life, hang()));
    OK(hcs_system_terminate(life->system, NULL, &err));
    expect(life, HCS_EVENT_SYSTEM_CREATED);
    expect(life, HCS_EVENT_SYSTEM_STARTED);
    for (int i = 0; i < 3; i++)
        expect(life, HCS_EVENT_PROCESS_STARTED);
    for (int i = 0; i < 3; i++)
        assert_int_equal(expect(life, HCS_EVENT_PROCESS_EXITED).exit.signal, KILLED);
    expect(life, HCS_EVENT_SYSTEM_EXITED);
}

static void c09_a_system_that_was_never_started_can_be_terminated(void **state)
{
    struct life *life = *state;

    OK(hcs_system_terminate(life->system, NULL, &err));
    expect_own(life, HCS_EVENT_SYSTEM_CREATED);
    expect(life, HCS_EVENT_SYSTEM_EXITED);
}

static void c10_a_system_lives_on_when_its_programs_have_ended(void **state)
{
    struct life *life = *state;
    hcs_exit report = HCS_EXIT_INIT;

    run_to_end(life, exit_with(0));
    FAILS(hcs_system_wait(life->system, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
    run_to_end(life, exit_with(0));
}

/* ---- refusals ---- */

static void c20_start_twice_is_refused(void **state)
{
    FAILS(hcs_system_start(((struct life *) *state)->system, NULL, &err), HCS_E_INVALID_STATE);
}

static void c21_shut_down_before_start_is_refused(void **state)
{
    FAILS(hcs_system_shut_down(((struct life *) *state)->system, NULL, &err), HCS_E_INVALID_STATE);
}

static void c22_process_before_start_is_refused(void **state)
{
    hcs_process *process = NULL;

    FAILS(hcs_process_create(((struct life *) *state)->system, exit_with(0), NULL, &process, NULL,
                             &err),
          HCS_E_INVALID_STATE);
    assert_null(process);
}

static void c23_everything_after_the_end_is_already_stopped(void **state)
{
    struct life *life = *state;
    hcs_process *process = NULL;

    OK(hcs_system_terminate(life->system, NULL, &err));
    FAILS(hcs_system_terminate(life->system, NULL, &err), HCS_E_SYSTEM_ALREADY_STOPPED);
    FAILS(hcs_system_shut_down(life->system, NULL, &err), HCS_E_SYSTEM_ALREADY_STOPPED);
    FAILS(hcs_system_start(life->system, NULL, &err), HCS_E_SYSTEM_ALREADY_STOPPED);
    FAILS(hcs_process_create(life->system, exit_with(0), NULL, &process, NULL, &err),
          HCS_E_SYSTEM_ALREADY_STOPPED);
}

static void c24_a_taken_id_is_refused(void **state)
{
    struct life *life = *state;
    hcs_system *second = NULL;

    FAILS(hcs_system_create(host, life->id, document, &second, NULL, &err),
          HCS_E_SYSTEM_ALREADY_EXISTS);
    assert_null(second);
    assert_non_null(strstr(err.text, life->id));
}

static void c25_an_unknown_id_is_not_found(void **state)
{
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;

    (void) state;
    FAILS(hcs_system_open(host, "nobody", &system, &err), HCS_E_SYSTEM_NOT_FOUND);
    options.system_id = "nobody";
    FAILS(hcs_stream_open(host, &options, &stream, &err), HCS_E_SYSTEM_NOT_FOUND);
}

static void c26_a_missing_program_is_an_error_without_events(void **state)
{
    struct life *life = *state;
    hcs_process *process = NULL;

    FAILS(hcs_process_create(life->system, missing_program, NULL, &process, NULL, &err),
          HCS_E_WIN32_FILE_NOT_FOUND);
    assert_non_null(strstr(err.text, "no-such-program"));
    expect_own(life, HCS_EVENT_SYSTEM_CREATED);
    expect_own(life, HCS_EVENT_SYSTEM_STARTED);
    run_to_end(life, exit_with(1));
    expect_own(life, HCS_EVENT_PROCESS_STARTED);
}

static void c27_null_where_it_must_not_be_is_a_pointer_error(void **state)
{
    hcs_system *system = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    FAILS(hcs_system_create(NULL, "a", document, &system, NULL, &err), HCS_E_POINTER);
    FAILS(hcs_system_create(host, NULL, document, &system, NULL, &err), HCS_E_POINTER);
    FAILS(hcs_system_create(host, "a", NULL, &system, NULL, &err), HCS_E_POINTER);
    FAILS(hcs_system_start(NULL, NULL, &err), HCS_E_POINTER);
    FAILS(hcs_process_wait(NULL, 0, &report, &err), HCS_E_POINTER);
    hcs_system_close(NULL);
    hcs_process_close(NULL);
    hcs_stream_close(NULL);
    hcs_op_close(NULL);
    hcs_host_close(NULL);
    hcs_string_free(NULL);
}

static void c28_errors_leave_outputs_alone_and_name_the_place(void **state)
{
    hcs_system *system = (hcs_system *) (uintptr_t) 1;

    (void) state;
    FAILS(hcs_system_create(host, "bad", "{\n\"Owner\": oops}", &system, NULL, &err),
          HCS_E_INVALID_JSON);
    assert_ptr_equal(system, (void *) (uintptr_t) 1);
    assert_non_null(strstr(err.text, "line 2"));
    assert_true(err.where[0] != 0);
    assert_null(strchr(err.text, '\n'));
}

/* ---- handles ---- */

static void c30_closing_a_handle_ends_nothing(void **state)
{
    struct life *life = *state;
    hcs_system *second = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    OK(hcs_system_open(host, life->id, &second, &err));
    hcs_system_close(second);
    FAILS(hcs_system_wait(life->system, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
}

static void c31_a_handle_never_means_a_later_system_of_the_same_id(void **state)
{
    struct life *life = *state;
    hcs_system *later = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    OK(hcs_system_terminate(life->system, NULL, &err));
    OK(hcs_system_create(host, life->id, document, &later, NULL, &err));
    FAILS(hcs_system_start(life->system, NULL, &err), HCS_E_SYSTEM_ALREADY_STOPPED);
    OK(hcs_system_wait(life->system, 0, &report, &err));
    OK(hcs_system_start(later, NULL, &err));
    OK(hcs_system_terminate(later, NULL, &err));
    hcs_system_close(later);
}

static void c32_the_exit_can_be_asked_after_the_end(void **state)
{
    struct life *life = *state;
    hcs_process *process = run(life, exit_with(7));
    hcs_system *late = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    OK(hcs_system_shut_down(life->system, NULL, &err));
    OK(hcs_system_wait(life->system, DEADLINE_MS, &report, &err));
    OK(hcs_system_open(host, life->id, &late, &err));
    report = (hcs_exit) HCS_EXIT_INIT;
    OK(hcs_system_wait(late, 0, &report, &err));
    assert_int_equal(report.type, HCS_EXIT_TYPE_GRACEFUL);
    OK(hcs_process_wait(process, 0, &report, &err));
    hcs_process_close(process);
    hcs_system_close(late);
}

static void c33_a_forgotten_system_is_not_found(void **state)
{
    struct life *life = *state;
    hcs_system *system = NULL;

    NOT_OVER_HCS("HCS cannot be made to forget a system");
    FAILS(hcs_system_forget(life->system, &err), HCS_E_INVALID_STATE);
    OK(hcs_system_terminate(life->system, NULL, &err));
    OK(hcs_system_forget(life->system, &err));
    FAILS(hcs_system_open(host, life->id, &system, &err), HCS_E_SYSTEM_NOT_FOUND);
}

static void c34_handles_outlive_their_host(void **state)
{
    struct life *life = *state;
    hcs_host *other = NULL;
    hcs_system *system = NULL;
    char *properties = NULL;

    OK(hcs_host_open(NULL, &other, &err));
    OK(hcs_system_open(other, life->id, &system, &err));
    hcs_host_close(other);
    OK(hcs_system_properties(system, &properties, &err));
    assert_non_null(strstr(properties, life->id));
    hcs_string_free(properties);
    hcs_system_close(system);
}

static void c35_signals_reach_the_process(void **state)
{
    struct life *life = *state;
    hcs_process *process = run(life, hang());
    hcs_exit report = HCS_EXIT_INIT;

    FAILS(hcs_process_wait(process, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
    FAILS(hcs_process_signal(process, 0, &err), HCS_E_INVALIDARG);
    FAILS(hcs_process_signal(process, 4711, &err), HCS_E_INVALIDARG);
    OK(hcs_process_signal(process, ASKED_TO_END, &err));
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_ended_by(&report, ASKED_TO_END);
    FAILS(hcs_process_signal(process, ASKED_TO_END, &err), HCS_E_PROCESS_ALREADY_STOPPED);
    hcs_process_close(process);
}

static void c36_a_process_that_runs_can_be_opened_by_its_id(void **state)
{
    struct life *life = *state;
    hcs_process *process = run(life, hang()), *opened = NULL;
    uint32_t id = hcs_process_id(process);
    hcs_exit report = HCS_EXIT_INIT;

    hcs_process_close(process);
    OK(hcs_process_open(life->system, id, &opened, &err));
    assert_int_equal(hcs_process_id(opened), id);
    assert_true(hcs_process_take_stdio(opened, HCS_STDOUT) == HCS_POLLABLE_NONE);
    FAILS(hcs_process_wait(opened, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
    OK(hcs_process_signal(opened, KILLED, &err));
    OK(hcs_process_wait(opened, DEADLINE_MS, &report, &err));
    assert_ended_by(&report, KILLED);
    hcs_process_close(opened);
}

static void c37_a_process_that_is_not_there_cannot_be_opened(void **state)
{
    struct life *life = *state;
    hcs_process *process = run(life, exit_with(0)), *opened = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    FAILS(hcs_process_open(life->system, hcs_process_id(process), &opened, &err),
          HCS_E_PROCESS_ALREADY_STOPPED);
    FAILS(hcs_process_open(life->system, 0x7FFFFFF0, &opened, &err), HCS_E_WIN32_NOT_FOUND);
    FAILS(hcs_process_open(life->system, 0, &opened, &err), HCS_E_WIN32_NOT_FOUND);
    assert_null(opened);
    hcs_process_close(process);
}

/* ---- operations ---- */

static void c40_operations_are_done_once_and_keep_their_result(void **state)
{
    struct life *life = *state;
    hcs_op *op = NULL;

    OK(hcs_system_start(life->system, &op, &err));
    assert_true(pollable_is_ready(hcs_op_pollable(op), DEADLINE_MS));
    OK(hcs_op_wait(op, 0, &err));
    OK(hcs_op_wait(op, 0, &err));
    hcs_op_close(op);
}

static void c41_a_failing_operation_tells_why(void **state)
{
    struct life *life = *state;
    hcs_op *op = NULL;

    OK(hcs_system_start(life->system, &op, &err));
    FAILS(hcs_op_wait(op, DEADLINE_MS, &err), HCS_E_INVALID_STATE);
    FAILS(hcs_op_wait(op, 0, &err), HCS_E_INVALID_STATE);
    hcs_op_close(op);
}

static void c42_closing_a_pending_operation_does_not_stop_the_verb(void **state)
{
    struct life *life = *state;
    hcs_op *op = NULL;

    NOT_OVER_HCS(NO_SUCH_EVENT);
    OK(hcs_system_start(life->system, &op, &err));
    hcs_op_close(op);
    expect(life, HCS_EVENT_SYSTEM_CREATED);
    expect(life, HCS_EVENT_SYSTEM_STARTED);
}

static void c43_a_process_can_be_created_without_blocking(void **state)
{
    struct life *life = *state;
    hcs_process *process = NULL;
    hcs_op *op = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    OK(hcs_process_create(life->system, exit_with(9), NULL, &process, &op, &err));
    assert_non_null(process);
    OK(hcs_op_wait(op, DEADLINE_MS, &err));
    hcs_op_close(op);
    assert_true(hcs_process_id(process) > 0);
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.code, 9);
    hcs_process_close(process);
}

/* ---- standard handles ---- */

static void c50_pipes_that_the_document_asks_for(void **state)
{
    struct life *life = *state;
    hcs_process *process = NULL;
    hcs_exit report = HCS_EXIT_INIT;
    char text[64] = "";

    if (is_fake()) {
        print_message("fake processes have no output\n");
        skip();
    }
    OK(hcs_process_create(
        life->system,
        "{\"CommandArgs\":[\"cat\"],\"CreateStdInPipe\":true,\"CreateStdOutPipe\":true}", NULL,
        &process, NULL, &err));
    hcs_pollable in = hcs_process_take_stdio(process, HCS_STDIN),
                 out = hcs_process_take_stdio(process, HCS_STDOUT);
    assert_true(in != HCS_POLLABLE_NONE && out != HCS_POLLABLE_NONE);
    assert_true(hcs_process_take_stdio(process, HCS_STDOUT) == HCS_POLLABLE_NONE);
    assert_true(hcs_process_take_stdio(process, HCS_STDERR) == HCS_POLLABLE_NONE);
    assert_int_equal(end_write(in, "hello", 5), 5);
    assert_int_equal(end_read(out, text, sizeof text), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(end_close(in), 0); /* end of input is the end of cat */
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(end_read(out, text, sizeof text), 0);
    assert_int_equal(end_close(out), 0);
    hcs_process_close(process);
}

/* Any that is one of ours. */
static hcs_pollable own_handle(void)
{
#ifdef _WIN32
    return GetStdHandle(STD_OUTPUT_HANDLE);
#else
    return 1;
#endif
}

#ifdef _WIN32

/* No host on Windows is reached by something that handles pass through. */
static void give_a_pipe(struct life *life)
{
    fail_msg("%s: this connection passes handles", life->id);
}

#else

static void give_a_pipe(struct life *life)
{
    hcs_stdio stdio = HCS_STDIO_INIT;
    hcs_process *process = NULL;
    char text[64] = "";
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    stdio.out = ends[1];
    OK(hcs_process_create(life->system, "{\"CommandLine\":\"echo given\"}", &stdio, &process, NULL,
                          &err));
    close(ends[1]);
    assert_int_equal(read(ends[0], text, sizeof text), 6);
    assert_string_equal(text, "given\n");
    assert_int_equal(read(ends[0], text, sizeof text), 0); /* nobody else holds the other end */
    close(ends[0]);
    hcs_process_close(process);
}

#endif

static void c51_handles_that_are_given(void **state)
{
    struct life *life = *state;
    hcs_stdio stdio = HCS_STDIO_INIT;
    hcs_process *process = NULL;

    NOT_OVER_HCS("HCS gives pipes of its own only");
    if (is_fake()) {
        print_message("fake processes have no output\n");
        skip();
    }
    if (!passes_handles()) {
        print_message("over TCP no handles can be passed\n");
        skip();
    }
    give_a_pipe(life);
    stdio.out = own_handle();
    FAILS(hcs_process_create(life->system, "{\"CommandArgs\":[\"echo\"],\"CreateStdOutPipe\":true}",
                             &stdio, &process, NULL, &err),
          HCS_E_INVALIDARG);
}

static void c52_a_handle_that_cannot_be_given_is_refused_with_the_way_out(void **state)
{
    struct life *life = *state;
    hcs_stdio stdio = HCS_STDIO_INIT;
    hcs_process *process = NULL;

    if (passes_handles()) {
        print_message("this connection passes handles\n");
        skip();
    }
    stdio.out = own_handle();
    FAILS(hcs_process_create(life->system, exit_with(0), &stdio, &process, NULL, &err),
          HCS_E_WIN32_NOT_SUPPORTED);
    assert_null(process);
    assert_non_null(strstr(err.text, "stdout"));
    assert_non_null(strstr(err.text, "CreateStdOutPipe"));
    assert_non_null(strstr(err.text, "hcs_process_take_stdio()"));
}

/* ---- streams ---- */

static void c60_numbers_of_the_host_are_dense(void **state)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = NULL;
    hcs_event event = HCS_EVENT_INIT;
    struct life *life = *state;
    uint64_t last = 0;

    NOT_OVER_HCS("HCS has no numbers: each handle counts its own events");
    OK(hcs_stream_open(host, &options, &stream, &err));
    for (int i = 0; i < 5; i++)
        run_to_end(life, exit_with(i));
    for (int i = 0; i < 10; i++) {
        OK(hcs_stream_next(stream, DEADLINE_MS, &event, &err));
        if (last)
            assert_int_equal(event.sequence, last + 1);
        last = event.sequence;
    }
    FAILS(hcs_stream_next(stream, 0, &event, &err), HCS_E_OPERATION_TIMEOUT);
    hcs_stream_close(stream);
}

static void c61_a_stream_of_a_system_ends_with_it_and_says_so(void **state)
{
    struct life *life = *state;
    hcs_event event = HCS_EVENT_INIT;

    OK(hcs_system_terminate(life->system, NULL, &err));
    expect_own(life, HCS_EVENT_SYSTEM_CREATED);
    expect_own(life, HCS_EVENT_SYSTEM_STARTED);
    expect(life, HCS_EVENT_SYSTEM_EXITED);
    event = next(life);
    assert_int_equal(event.kind, HCS_EVENT_END);
    assert_non_null(strstr(event.detail, "exited"));
    FAILS(hcs_stream_next(life->stream, DEADLINE_MS, &event, &err), HCS_E_WIN32_NO_MORE_ITEMS);
    FAILS(hcs_stream_next(life->stream, DEADLINE_MS, &event, &err), HCS_E_WIN32_NO_MORE_ITEMS);
}

static void c62_a_stream_resumes_after_an_exact_event(void **state)
{
    struct life *life = *state;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = NULL;
    hcs_event event = HCS_EVENT_INIT;
    uint64_t after;

    NOT_OVER_HCS("HCS keeps no log");
    after = expect(life, HCS_EVENT_SYSTEM_CREATED).sequence;
    options.from = HCS_FROM_AFTER;
    options.after = after;
    options.system_id = life->id;
    OK(hcs_stream_open(host, &options, &stream, &err));
    OK(hcs_stream_next(stream, DEADLINE_MS, &event, &err));
    assert_int_equal(event.kind, HCS_EVENT_SYSTEM_STARTED);
    hcs_stream_close(stream);
    options.after = UINT64_MAX / 4;
    FAILS(hcs_stream_open(host, &options, &stream, &err), HCS_E_INVALIDARG);
}

static void c63_the_pollable_is_ready_exactly_when_there_is_something(void **state)
{
    struct life *life = *state;
    hcs_pollable p = hcs_stream_pollable(life->stream);

    for (int i = 0; i < 2 && !is_over_hcs(); i++) {
        assert_true(pollable_is_ready(p, DEADLINE_MS));
        next(life);
    }
    assert_false(pollable_is_ready(p, 0));
    OK(hcs_system_terminate(life->system, NULL, &err));
    assert_true(pollable_is_ready(p, DEADLINE_MS));
    expect(life, HCS_EVENT_SYSTEM_EXITED);
    assert_true(pollable_is_ready(p, DEADLINE_MS));
    assert_int_equal(next(life).kind, HCS_EVENT_END);
}

struct reading {
    hcs_stream *stream;
    hcs_event event;
    hcs_result result;
};

THREAD_FUNCTION(read_one, context)
{
    struct reading *r = context;
    hcs_error ignored = HCS_ERROR_INIT;

    r->result = hcs_stream_next(r->stream, DEADLINE_MS, &r->event, &ignored);
    THREAD_RETURN;
}

static void c64_end_wakes_a_reader_on_another_thread(void **state)
{
    struct life *life = *state;
    struct reading reading = { life->stream, HCS_EVENT_INIT, HCS_E_FAIL };
    thread reader;

    expect_own(life, HCS_EVENT_SYSTEM_CREATED);
    expect_own(life, HCS_EVENT_SYSTEM_STARTED);
    thread_start(&reader, read_one, &reading);
    hcs_stream_end(life->stream);
    thread_join(reader);
    assert_int_equal(reading.result, HCS_OK);
    assert_int_equal(reading.event.kind, HCS_EVENT_END);
}

static void c65_any_number_of_streams_see_the_same(void **state)
{
    struct life *life = *state;
    hcs_stream *streams[64];
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    uint64_t sequence[4] = { 0 };
    const int n = is_over_hcs() ? 2 : 4; /* without the two of the process */

    options.system_id = life->id;
    for (int i = 0; i < 64; i++)
        OK(hcs_stream_open(host, &options, &streams[i], &err));
    run_to_end(life, exit_with(0));
    OK(hcs_system_terminate(life->system, NULL, &err));
    for (int i = 0; i < 64; i++) {
        for (int j = 0; j < n; j++) {
            OK(hcs_stream_next(streams[i], DEADLINE_MS, &event, &err));
            if (i == 0)
                sequence[j] = event.sequence;
            assert_int_equal(event.sequence, sequence[j]);
        }
        hcs_stream_close(streams[i]);
    }
}

static void c66_an_event_is_told_before_the_call_that_caused_it_returns(void **state)
{
    struct life *life = *state;

    NOT_OVER_HCS(NO_SUCH_EVENT);
    expect(life, HCS_EVENT_SYSTEM_CREATED);
    OK(hcs_system_start(life->system, NULL, &err));
    assert_true(pollable_is_ready(hcs_stream_pollable(life->stream), DEADLINE_MS));
    expect(life, HCS_EVENT_SYSTEM_STARTED);
}

static hcs_event next_of(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;

    OK(hcs_stream_next(stream, DEADLINE_MS, &event, &err));
    return event;
}

static void c67_a_stream_of_a_handle_may_begin_before_the_system_is_created(void **state)
{
    struct life *life = *state;
    char id[80];
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;
    hcs_op *op = NULL;

    snprintf(id, sizeof id, "%s-early", life->id);
    OK(hcs_system_create(host, id, document, &system, &op, &err));
    OK(hcs_stream_open_system(system, NULL, &stream, &err));
    OK(hcs_op_wait(op, DEADLINE_MS, &err));
    OK(hcs_system_start(system, NULL, &err));
    OK(hcs_system_terminate(system, NULL, &err));
    if (!is_over_hcs()) {
        assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_CREATED);
        assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_STARTED);
    }
    assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_END);
    hcs_op_close(op);
    hcs_stream_close(stream);
    hcs_system_close(system);
}

static void c68_a_stream_of_a_system_that_was_not_created_ends_and_says_why(void **state)
{
    struct life *life = *state;
    hcs_system *second = NULL;
    hcs_stream *stream = NULL;
    hcs_op *op = NULL;
    hcs_event event;

    OK(hcs_system_create(host, life->id, document, &second, &op, &err));
    /* One that has failed already says so at once. */
    if (hcs_stream_open_system(second, NULL, &stream, &err) < 0) {
        assert_int_equal(err.code, HCS_E_SYSTEM_ALREADY_EXISTS);
    } else {
        event = next_of(stream);
        assert_int_equal(event.kind, HCS_EVENT_END);
        assert_non_null(strstr(event.detail, "was not created"));
    }
    FAILS(hcs_op_wait(op, DEADLINE_MS, &err), HCS_E_SYSTEM_ALREADY_EXISTS);
    hcs_op_close(op);
    hcs_stream_close(stream);
    hcs_system_close(second);
}

static void c69_closing_a_handle_ends_its_streams_and_loses_nothing(void **state)
{
    struct life *life = *state;
    hcs_system *second = NULL;
    hcs_stream *stream = NULL;
    hcs_event event = HCS_EVENT_INIT;
    struct reading reading = { NULL, HCS_EVENT_INIT, HCS_E_FAIL };
    thread reader;

    OK(hcs_system_open(host, life->id, &second, &err));
    OK(hcs_stream_open_system(second, NULL, &stream, &err));
    reading.stream = stream;
    thread_start(&reader, read_one, &reading);
    hcs_system_close(second);
    thread_join(reader);
    assert_int_equal(reading.result, HCS_OK);
    assert_int_equal(reading.event.kind, HCS_EVENT_END);
    assert_string_equal(reading.event.detail, "{\"Reason\":\"the system's handle was closed\"}");
    FAILS(hcs_stream_next(stream, 0, &event, &err), HCS_E_WIN32_NO_MORE_ITEMS);
    hcs_stream_close(stream);
    OK(hcs_system_open(host, life->id, &second, &err));
    OK(hcs_stream_open_system(second, NULL, &stream, &err));
    OK(hcs_system_terminate(second, NULL, &err));
    hcs_system_close(second);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_END);
    hcs_stream_close(stream);
}

static void c80_a_stream_of_a_handle_still_tells_an_exit_that_has_been(void **state)
{
    struct life *life = *state;
    hcs_stream *stream = NULL;

    OK(hcs_system_terminate(life->system, NULL, &err));
    for (int i = 0; i < 2; i++) {
        hcs_event event;

        OK(hcs_stream_open_system(life->system, NULL, &stream, &err));
        event = next_of(stream);
        assert_int_equal(event.kind, HCS_EVENT_SYSTEM_EXITED);
        assert_int_equal(event.exit.type, HCS_EXIT_TYPE_FORCED);
        assert_int_equal(next_of(stream).kind, HCS_EVENT_END);
        hcs_stream_close(stream);
    }
}

static void c81_a_stream_of_a_handle_never_tells_of_a_later_system(void **state)
{
    struct life *life = *state;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_system *later = NULL;
    hcs_stream *stream = NULL;
    uint64_t incarnation;

    NOT_OVER_HCS("HCS has no incarnation numbers");
    incarnation = expect(life, HCS_EVENT_SYSTEM_CREATED).system.incarnation;
    OK(hcs_system_terminate(life->system, NULL, &err));
    OK(hcs_system_create(host, life->id, document, &later, NULL, &err));
    options.from = HCS_FROM_BEGINNING;
    OK(hcs_stream_open_system(life->system, &options, &stream, &err));
    for (hcs_event event = next_of(stream); event.kind != HCS_EVENT_END; event = next_of(stream))
        assert_int_equal(event.system.incarnation, incarnation);
    hcs_stream_close(stream);
    OK(hcs_system_terminate(later, NULL, &err));
    hcs_system_close(later);
}

/* ---- streams that go on, and streams of a part ---- */

/* A stream of the life's handle. */
static hcs_stream *open_own(struct life *life, const hcs_stream_options *options)
{
    hcs_stream *stream = NULL;

    OK(hcs_stream_open_system(life->system, options, &stream, &err));
    return stream;
}

static void c82_a_cursor_goes_on_behind_what_was_given_last(void **state)
{
    struct life *life = *state;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    char cursor[HCS_CURSOR_SIZE];
    hcs_stream *stream = NULL;

    NOT_OVER_HCS("HCS keeps no log");
    expect(life, HCS_EVENT_SYSTEM_CREATED);
    OK(hcs_stream_cursor(life->stream, cursor, sizeof cursor, &err));
    for (int i = 0; i < 2; i++) { /* it stays good */
        options.from = HCS_FROM_CURSOR;
        options.cursor = cursor;
        options.system_id = life->id;
        OK(hcs_stream_open(host, &options, &stream, &err));
        assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_STARTED);
        hcs_stream_close(stream);
    }
    cursor[0] = 'H';
    FAILS(hcs_stream_open(host, &options, &stream, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "character 1"));
    options.cursor = "hcs1.00000000000000000000000000000000.1";
    FAILS(hcs_stream_open(host, &options, &stream, &err), HCS_E_WIN32_NOT_FOUND);
}

static void c83_a_filter_gives_what_matches_and_nothing_else(void **state)
{
    static const hcs_event_kind exited[] = { HCS_EVENT_SYSTEM_EXITED };
    const char *const own[] = { "conformance-*" }, *const others[] = { "else?" };
    struct life *life = *state;
    hcs_event_filter filter = HCS_EVENT_FILTER_INIT;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream;

    options.from = HCS_FROM_BEGINNING;
    options.filter = &filter;
    filter.kinds = exited;
    filter.n_kinds = 1;
    filter.ids = own;
    filter.n_ids = 1;
    OK(hcs_system_terminate(life->system, NULL, &err));
    stream = open_own(life, &options);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_END);
    hcs_stream_close(stream);
    filter.ids = others;
    stream = open_own(life, &options);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_END);
    hcs_stream_close(stream);
    filter.ids = own;
    filter.exit = "nonzero"; /* it was ended by force */
    stream = open_own(life, &options);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_EXITED);
    hcs_stream_close(stream);
    filter.exit = "sometimes";
    FAILS(hcs_stream_open(host, &options, &stream, &err), HCS_E_INVALIDARG);
}

static void c84_a_stream_that_does_not_follow_ends_with_what_there_is(void **state)
{
    struct life *life = *state;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream;
    hcs_event event;

    options.from = HCS_FROM_BEGINNING;
    options.flags = HCS_STREAM_NO_FOLLOW;
    stream = open_own(life, &options);
    if (!is_over_hcs()) {
        assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_CREATED);
        assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_STARTED);
    }
    event = next_of(stream);
    assert_int_equal(event.kind, HCS_EVENT_END);
    assert_string_equal(event.detail, "{\"Reason\":\"no more events\"}");
    hcs_stream_close(stream);
}

static void c85_the_newest_events_and_those_from_a_time_to_a_time(void **state)
{
    struct life *life = *state;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream;
    uint64_t started;

    NOT_OVER_HCS("HCS keeps no log");
    expect(life, HCS_EVENT_SYSTEM_CREATED);
    started = expect(life, HCS_EVENT_SYSTEM_STARTED).realtime_ns;
    OK(hcs_system_terminate(life->system, NULL, &err));
    options.from = HCS_FROM_LAST;
    options.last = 2;
    stream = open_own(life, &options);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_STARTED);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_EXITED);
    hcs_stream_close(stream);
    options.last = 0;
    options.from = HCS_FROM_TIME;
    options.since_ns = started;
    options.until_ns = started;
    stream = open_own(life, &options);
    assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_STARTED);
    assert_string_equal(next_of(stream).detail, "{\"Reason\":\"until\"}");
    hcs_stream_close(stream);
}

static void c86_bookmarks_come_when_nothing_happens(void **state)
{
    struct life *life = *state;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    char cursor[HCS_CURSOR_SIZE];
    hcs_stream *stream;
    hcs_event event;

    NOT_OVER_HCS("HCS keeps no log");
    options.bookmark_ms = 100;
    stream = open_own(life, &options);
    for (int i = 0; i < 2; i++) {
        event = next_of(stream);
        assert_int_equal(event.kind, HCS_EVENT_BOOKMARK);
        OK(hcs_stream_cursor(stream, cursor, sizeof cursor, &err));
        assert_non_null(strstr(cursor, event.log_id));
        assert_int_equal(strtoull(strrchr(cursor, '.') + 1, NULL, 10), event.sequence);
    }
    hcs_stream_close(stream);
}

static void c87_a_snapshot_and_the_stream_behind_it_are_the_whole(void **state)
{
    struct life *life = *state;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    char cursor[HCS_CURSOR_SIZE], query[128];
    char *list = NULL;
    hcs_stream *stream = NULL;

    NOT_OVER_HCS("HCS keeps no log");
    snprintf(query, sizeof query, "{\"Ids\":[\"%s\"]}", life->id);
    OK(hcs_host_snapshot(host, query, &list, cursor, &err));
    assert_non_null(strstr(list, "Running"));
    hcs_string_free(list);
    OK(hcs_system_terminate(life->system, NULL, &err));
    options.from = HCS_FROM_CURSOR;
    options.cursor = cursor;
    options.system_id = life->id;
    OK(hcs_stream_open(host, &options, &stream, &err));
    assert_int_equal(next_of(stream).kind, HCS_EVENT_SYSTEM_EXITED);
    hcs_stream_close(stream);
}

static void c88_what_needs_a_log_is_refused_by_name_where_there_is_none(void **state)
{
    static const hcs_stream_options clean = HCS_STREAM_OPTIONS_INIT;
    struct life *life = *state;
    char cursor[HCS_CURSOR_SIZE];
    hcs_stream_options options[6];
    hcs_stream *stream = NULL;
    char *list = NULL;

    if (!is_over_hcs()) {
        OK(hcs_stream_cursor(life->stream, cursor, sizeof cursor, &err));
        return;
    }
    for (size_t i = 0; i < 6; i++)
        options[i] = clean;
    options[0].from = HCS_FROM_CURSOR;
    options[0].cursor = "hcs1.00000000000000000000000000000000.1";
    options[1].from = HCS_FROM_TIME;
    options[1].since_ns = 1;
    options[2].from = HCS_FROM_LAST;
    options[2].last = 1;
    options[3].until_ns = 1;
    options[4].bookmark_ms = 100;
    options[5].flags = HCS_STREAM_RECONNECT;
    for (size_t i = 0; i < 6; i++) {
        FAILS(hcs_stream_open(host, &options[i], &stream, &err), HCS_E_WIN32_NOT_SUPPORTED);
        FAILS(hcs_stream_open_system(life->system, &options[i], &stream, &err),
              HCS_E_WIN32_NOT_SUPPORTED);
    }
    FAILS(hcs_stream_cursor(life->stream, cursor, sizeof cursor, &err), HCS_E_WIN32_NOT_SUPPORTED);
    FAILS(hcs_host_snapshot(host, NULL, &list, cursor, &err), HCS_E_WIN32_NOT_SUPPORTED);
}

/* ---- information ---- */

static void c70_properties_tell_state_and_exit(void **state)
{
    struct life *life = *state;
    char *text = NULL;

    OK(hcs_system_properties(life->system, &text, &err));
    assert_non_null(strstr(text, "Created"));
    hcs_string_free(text);
    OK(hcs_system_start(life->system, NULL, &err));
    OK(hcs_system_properties(life->system, &text, &err));
    assert_non_null(strstr(text, "Running"));
    hcs_string_free(text);
    OK(hcs_system_terminate(life->system, NULL, &err));
    OK(hcs_system_properties(life->system, &text, &err));
    assert_non_null(strstr(text, "Stopped"));
    assert_non_null(strstr(text, "ForcedExit"));
    hcs_string_free(text);
}

static void c71_enumeration_honours_its_query(void **state)
{
    struct life *life = *state;
    char query[200], *text = NULL;

    snprintf(query, sizeof query, "{\"Ids\":[\"%s\"]}", life->id);
    OK(hcs_host_enumerate(host, query, &text, &err));
    assert_non_null(strstr(text, life->id));
    hcs_string_free(text);
    OK(hcs_host_enumerate(host, "{\"Owners\":[\"nobody\"]}", &text, &err));
    assert_string_equal(text, "[]");
    hcs_string_free(text);
    FAILS(hcs_host_enumerate(host, "{\"Idz\":[]}", &text, &err), HCS_E_INVALID_JSON);
    OK(hcs_host_info(host, &text, &err));
    assert_non_null(strstr(text, is_over_hcs() ? "computecore" : "hcsd"));
    hcs_string_free(text);
}

static void c72_the_exit_document_is_the_detail_of_the_event(void **state)
{
    struct life *life = *state;
    hcs_event event;
    char *text = NULL;

    run_to_end(life, exit_with(7));
    OK(hcs_system_terminate(life->system, NULL, &err));
    do {
        event = next(life);
        if (!event.has_exit)
            continue;
        OK(hcs_exit_document(&event.exit, event.process_id, &text, &err));
        assert_string_equal(text, event.detail);
        assert_int_equal(event.detail_flags, 0);
        hcs_string_free(text);
    } while (event.kind != HCS_EVENT_END);
    assert_non_null(text);
}

static void c73_the_status_counts_systems_or_says_why_not(void **state)
{
    struct life *life = *state;
    char *text = NULL;

    if (is_over_hcs()) {
        FAILS(hcs_host_status(host, &text, &err), HCS_E_WIN32_NOT_SUPPORTED);
        assert_non_null(strstr(err.text, "hcs_host_info()"));
        return;
    }
    OK(hcs_host_status(host, &text, &err));
    assert_non_null(strstr(text, "\"running\":1"));
    hcs_string_free(text);
    OK(hcs_system_terminate(life->system, NULL, &err));
    OK(hcs_host_status(host, &text, &err));
    assert_non_null(strstr(text, "\"running\":0"));
    hcs_string_free(text);
    FAILS(hcs_host_status(NULL, &text, &err), HCS_E_POINTER);
    FAILS(hcs_host_status(host, NULL, &err), HCS_E_POINTER);
}

static int connect_host(void **state)
{
    (void) state;
    if (hcs_host_open(NULL, &host, &err) < 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int disconnect_host(void **state)
{
    (void) state;
    hcs_host_close(host);
    return 0;
}

int main(int argc, char **argv)
{
#define CREATED(name) cmocka_unit_test_setup_teardown(name, begin_life, end_life)
#define RUNNING(name) cmocka_unit_test_setup_teardown(name, begin_running, end_life)
    const struct CMUnitTest promises[] = {
        CREATED(c01_created_is_the_first_event),
        CREATED(c02_started_follows_start),
        RUNNING(c03_exit_code_is_the_programs_own),
        RUNNING(c04_signal_is_a_signal_and_no_code),
        RUNNING(c05_process_events_are_in_order_and_carry_the_report),
        RUNNING(c06_shut_down_is_a_graceful_exit_by_the_client),
        RUNNING(c07_terminate_is_a_forced_exit_by_the_client),
        RUNNING(c08_processes_end_before_their_system),
        CREATED(c09_a_system_that_was_never_started_can_be_terminated),
        RUNNING(c10_a_system_lives_on_when_its_programs_have_ended),
        RUNNING(c20_start_twice_is_refused),
        CREATED(c21_shut_down_before_start_is_refused),
        CREATED(c22_process_before_start_is_refused),
        RUNNING(c23_everything_after_the_end_is_already_stopped),
        CREATED(c24_a_taken_id_is_refused),
        CREATED(c25_an_unknown_id_is_not_found),
        RUNNING(c26_a_missing_program_is_an_error_without_events),
        CREATED(c27_null_where_it_must_not_be_is_a_pointer_error),
        CREATED(c28_errors_leave_outputs_alone_and_name_the_place),
        RUNNING(c30_closing_a_handle_ends_nothing),
        RUNNING(c31_a_handle_never_means_a_later_system_of_the_same_id),
        RUNNING(c32_the_exit_can_be_asked_after_the_end),
        RUNNING(c33_a_forgotten_system_is_not_found),
        RUNNING(c34_handles_outlive_their_host),
        RUNNING(c35_signals_reach_the_process),
        RUNNING(c36_a_process_that_runs_can_be_opened_by_its_id),
        RUNNING(c37_a_process_that_is_not_there_cannot_be_opened),
        CREATED(c40_operations_are_done_once_and_keep_their_result),
        RUNNING(c41_a_failing_operation_tells_why),
        CREATED(c42_closing_a_pending_operation_does_not_stop_the_verb),
        RUNNING(c43_a_process_can_be_created_without_blocking),
        RUNNING(c50_pipes_that_the_document_asks_for),
        RUNNING(c51_handles_that_are_given),
        RUNNING(c52_a_handle_that_cannot_be_given_is_refused_with_the_way_out),
        RUNNING(c60_numbers_of_the_host_are_dense),
        RUNNING(c61_a_stream_of_a_system_ends_with_it_and_says_so),
        RUNNING(c62_a_stream_resumes_after_an_exact_event),
        RUNNING(c63_the_pollable_is_ready_exactly_when_there_is_something),
        RUNNING(c64_end_wakes_a_reader_on_another_thread),
        RUNNING(c65_any_number_of_streams_see_the_same),
        CREATED(c66_an_event_is_told_before_the_call_that_caused_it_returns),
        CREATED(c67_a_stream_of_a_handle_may_begin_before_the_system_is_created),
        CREATED(c68_a_stream_of_a_system_that_was_not_created_ends_and_says_why),
        RUNNING(c69_closing_a_handle_ends_its_streams_and_loses_nothing),
        CREATED(c70_properties_tell_state_and_exit),
        CREATED(c71_enumeration_honours_its_query),
        RUNNING(c72_the_exit_document_is_the_detail_of_the_event),
        RUNNING(c73_the_status_counts_systems_or_says_why_not),
        RUNNING(c80_a_stream_of_a_handle_still_tells_an_exit_that_has_been),
        CREATED(c81_a_stream_of_a_handle_never_tells_of_a_later_system),
        RUNNING(c82_a_cursor_goes_on_behind_what_was_given_last),
        RUNNING(c83_a_filter_gives_what_matches_and_nothing_else),
        RUNNING(c84_a_stream_that_does_not_follow_ends_with_what_there_is),
        RUNNING(c85_the_newest_events_and_those_from_a_time_to_a_time),
        RUNNING(c86_bookmarks_come_when_nothing_happens),
        RUNNING(c87_a_snapshot_and_the_stream_behind_it_are_the_whole),
        CREATED(c88_what_needs_a_log_is_refused_by_name_where_there_is_none),
    };

    if (argc < 2)
        return 2;
    driver = argv[1];
    if (strstr(driver, "plain"))
        snprintf(document, sizeof document,
                 "{\"Owner\":\"conformance\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                 "\"Container\":{\"IsolationType\":\"None\"}}");
    else
        snprintf(document, sizeof document,
                 "{\"Owner\":\"conformance\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                 "\"Container\":{\"Storage\":{\"Path\":\"%s\"}}}",
                 argc > 2 ? argv[2] : "/");
    return cmocka_run_group_tests_name(driver, promises, connect_host, disconnect_host);
}
