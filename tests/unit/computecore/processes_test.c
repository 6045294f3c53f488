/* processes_test.c - processes over the flat API. */
#include "over.h"

#include "thread.h"

#include <signal.h>
#ifndef _WIN32
#include <fcntl.h>
#include <unistd.h>
#endif

static hcs_system *home;

static int begin_running(void **state)
{
    if (over_begin(state) < 0)
        return -1;
    OK(hcs_system_create(host, "home", "{}", &home, NULL, &err));
    OK(hcs_system_start(home, NULL, &err));
    return 0;
}

static int end_running(void **state)
{
    hcs_system_close(home);
    return over_end(state);
}

#define RUNNING(name) cmocka_unit_test_setup_teardown(name, begin_running, end_running)

static const char hang[] = "{\"CommandArgs\":[\"hang\"]}";

static hcs_process *run(const char *parameters)
{
    hcs_process *process = NULL;

    OK(hcs_process_create(home, parameters, NULL, &process, NULL, &err));
    assert_true(hcs_process_id(process) != 0);
    return process;
}

static void the_code_is_the_programs_own(void **state)
{
    static const unsigned codes[] = { 0, 1, 42, 255, 3221225477u };
    char parameters[64];

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        hcs_exit report = HCS_EXIT_INIT;
        hcs_process *process;

        snprintf(parameters, sizeof parameters, "{\"CommandArgs\":[\"exit\",\"%u\"]}", codes[i]);
        process = run(parameters);
        OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
        assert_int_equal(report.how, HCS_EXIT_CODE);
        assert_int_equal(report.code, codes[i]);
        FAILS(hcs_process_signal(process, SIGTERM, &err), HCS_E_PROCESS_ALREADY_STOPPED);
        hcs_process_close(process);
    }
}

static void an_exit_before_the_registration_is_not_lost(void **state)
{
    hcs_process *process;
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    provider_set_tells(0); /* as if it had been told before */
    process = run("{\"CommandArgs\":[\"exit\",\"7\"]}");
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.code, 7);
    hcs_process_close(process);
}

static void an_exit_that_is_replayed_is_told_once(void **state)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_exit report = HCS_EXIT_INIT;
    hcs_stream *stream = NULL;
    hcs_process *process;

    (void) state;
    OK(hcs_stream_open_system(home, NULL, &stream, &err));
    provider_set_sticky(1); /* and told besides */
    for (int i = 0; i < 50; i++) {
        process = run("{\"CommandArgs\":[\"exit\",\"7\"]}");
        OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
        OK(hcs_stream_next(stream, DEADLINE_MS, &event, &err));
        assert_int_equal(event.kind, HCS_EVENT_PROCESS_EXITED);
        assert_int_equal(event.process_id, hcs_process_id(process));
        assert_int_equal(event.exit.code, 7);
        hcs_process_close(process);
    }
    provider_wait_idle();
    FAILS(hcs_stream_next(stream, 0, &event, &err), HCS_E_OPERATION_TIMEOUT);
    hcs_stream_close(stream);
}

static void a_code_that_hcs_could_not_wait_for_is_no_code(void **state)
{
    hcs_process *process = run(hang);
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    FAILS(hcs_process_wait(process, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
    provider_stop_process(hcs_process_id(process),
                          "{\"ProcessId\":1,\"Exited\":true,\"ExitCode\":0,\"LastWaitResult\":-1}",
                          1);
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.how, HCS_EXIT_UNKNOWN);
    assert_int_equal(report.code, 0);
    hcs_process_close(process);
}

static void a_signal_goes_by_its_number_and_kill_is_terminate(void **state)
{
    hcs_process *process = run(hang);
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    OK(hcs_process_signal(process, 15, &err));
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.code, 115); /* the provider's way to say which */
    hcs_process_close(process);
    process = run(hang);
    OK(hcs_process_signal(process, 9, &err));
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.code, 1);
    hcs_process_close(process);
}

static void a_missing_program_is_an_error_with_hcss_words(void **state)
{
    hcs_process *process = NULL;
    hcs_op *op = NULL;

    (void) state;
    /* the process exists no more than the program does: nor can its information be asked for */
    provider_fail_next("HcsGetProcessInfo", HCS_E_PROCESS_ALREADY_STOPPED, 0, NULL);
    FAILS(hcs_process_create(home, "{\"CommandArgs\":[\"missing\"]}", NULL, &process, NULL, &err),
          HCS_E_WIN32_FILE_NOT_FOUND);
    SAYS("no program 'missing'");
    assert_null(process);
    OK(hcs_process_create(home, "{\"CommandArgs\":[\"missing\"]}", NULL, &process, &op, &err));
    FAILS(hcs_op_wait(op, DEADLINE_MS, &err), HCS_E_WIN32_FILE_NOT_FOUND);
    assert_int_equal(hcs_process_id(process), 0);
    hcs_op_close(op);
    hcs_process_close(process);
}

static void a_create_that_was_done_too_soon_to_be_waited_for_is_recovered(void **state)
{
    hcs_process *process = NULL;

    (void) state;
    provider_fail_next("HcsWaitForOperationResultAndProcessInfo", HCS_E_INVALIDARG, 0, NULL);
    OK(hcs_process_create(home, hang, NULL, &process, NULL, &err));
    assert_true(hcs_process_id(process) > 4000);
    hcs_process_close(process);
}

static void a_refused_registration_of_a_process_releases_everything(void **state)
{
    hcs_process *process = NULL;
    hcs_op *op = NULL;

    (void) state;
    provider_fail_next("HcsSetProcessCallback", HCS_E_ACCESS_DENIED, 0, NULL);
    FAILS(hcs_process_create(home, hang, NULL, &process, NULL, &err), HCS_E_ACCESS_DENIED);
    provider_fail_next("HcsSetProcessCallback", HCS_E_ACCESS_DENIED, 0, NULL);
    FAILS(hcs_process_create(home, hang, NULL, &process, &op, &err), HCS_E_ACCESS_DENIED);
    provider_wait_idle();
    assert_int_equal(provider_counts().processes, 0);
    assert_int_equal(provider_counts().operations, 0);
    assert_int_equal(provider_counts().programs, 0); /* nobody is left with a program */
}

static void a_process_can_be_opened_by_its_id(void **state)
{
    hcs_process *process = run(hang), *again = NULL, *late = NULL;
    uint32_t id = hcs_process_id(process);
    hcs_event event = HCS_EVENT_INIT;
    hcs_exit report = HCS_EXIT_INIT;
    hcs_stream *stream = NULL;

    (void) state;
    OK(hcs_stream_open_system(home, NULL, &stream, &err));
    OK(hcs_process_open(home, id, &again, &err));
    assert_int_equal(hcs_process_id(again), id);
    FAILS(hcs_process_open(home, 1, &late, &err), HCS_E_WIN32_NOT_FOUND);
    OK(hcs_process_signal(again, 9, &err));
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    OK(hcs_process_wait(again, DEADLINE_MS, &report, &err));
    assert_int_equal(report.code, 1);
    hcs_process_close(again);
    FAILS(hcs_process_open(home, id, &late, &err), HCS_E_PROCESS_ALREADY_STOPPED);
    assert_null(late);
    /* an event once, however many handles were told */
    OK(hcs_stream_next(stream, 0, &event, &err));
    assert_int_equal(event.kind, HCS_EVENT_PROCESS_EXITED);
    FAILS(hcs_stream_next(stream, 0, &event, &err), HCS_E_OPERATION_TIMEOUT);
    hcs_stream_close(stream);
    hcs_process_close(process);
}

static void the_end_of_the_system_ends_the_wait_for_a_process(void **state)
{
    hcs_process *process = run(hang);
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    provider_stop_system("home", NULL, 1);
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.how, HCS_EXIT_UNKNOWN);
    assert_non_null(strstr(report.reason, "system ended"));
    hcs_process_close(process);
}

static void the_handle_of_the_system_may_be_closed_first(void **state)
{
    hcs_process *process = run(hang);
    hcs_exit report = HCS_EXIT_INIT;
    uint32_t id = hcs_process_id(process);

    (void) state;
    hcs_system_close(home);
    home = NULL;
    FAILS(hcs_process_wait(process, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
    provider_stop_process(id, NULL, 1);
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.code, 0);
    hcs_process_close(process);
}

static void a_process_is_not_to_be_used_while_it_is_created(void **state)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_process *process = NULL;
    hcs_op *op = NULL;

    (void) state;
    provider_set_manner(PROVIDER_HELD);
    OK(hcs_process_create(home, hang, NULL, &process, &op, &err));
    assert_int_equal(hcs_process_id(process), 0);
    FAILS(hcs_process_wait(process, 0, &report, &err), HCS_E_OPERATION_PENDING);
    FAILS(hcs_process_signal(process, 15, &err), HCS_E_OPERATION_PENDING);
    provider_complete_all();
    OK(hcs_op_wait(op, 0, &err));
    assert_true(hcs_process_id(process) != 0);
    hcs_op_close(op);
    provider_set_manner(PROVIDER_LATER);
    hcs_process_close(process);
}

#ifndef _WIN32

static const char piped[] = "{\"CommandArgs\":[\"hang\"],\"CreateStdInPipe\":true,"
                            "\"CreateStdOutPipe\":true}";

static void pipes_that_the_document_asks_for_are_taken_once(void **state)
{
    hcs_process *process = run(piped);
    int in = hcs_process_take_stdio(process, HCS_STDIN);
    int out = hcs_process_take_stdio(process, HCS_STDOUT);
    char byte;

    (void) state;
    assert_true(in >= 0 && out >= 0);
    assert_int_equal(hcs_process_take_stdio(process, HCS_STDIN), HCS_POLLABLE_NONE);
    assert_int_equal(hcs_process_take_stdio(process, HCS_STDERR), HCS_POLLABLE_NONE);
    OK(hcs_process_signal(process, 9, &err));
    assert_int_equal(read(out, &byte, 1), 0); /* the program's end is closed */
    close(in);
    close(out);
    hcs_process_close(process);
}

static int descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void pipes_that_nobody_takes_are_closed(void **state)
{
    hcs_process *process = NULL;
    hcs_op *op = NULL;
    int before;

    (void) state;
    process = run(piped);
    OK(hcs_process_signal(process, 9, &err));
    hcs_process_close(process);
    provider_wait_idle();
    before = descriptors();
    process = run(piped);
    OK(hcs_process_signal(process, 9, &err));
    hcs_process_close(process);
    /* also when the process goes before its creation is done */
    OK(hcs_process_create(home, piped, NULL, &process, &op, &err));
    OK(hcs_op_wait(op, DEADLINE_MS, &err));
    OK(hcs_process_signal(process, 9, &err));
    hcs_process_close(process);
    hcs_op_close(op);
    provider_set_manner(PROVIDER_HELD);
    OK(hcs_process_create(home, piped, NULL, &process, &op, &err));
    hcs_process_close(process);
    hcs_op_close(op);
    provider_complete_all();
    provider_set_manner(PROVIDER_LATER);
    for (uint32_t id = 4001; id < 4010; id++)
        provider_stop_process(id, NULL, 0);
    provider_wait_idle();
    /* what a thread of the provider's has still in hand goes by itself; what leaks does not */
    for (int i = 0; i < 1000000 && descriptors() != before; i++)
        thread_yield();
    assert_int_equal(descriptors(), before);
}

#endif

static void a_handle_of_the_users_own_is_refused(void **state)
{
    hcs_stdio stdio = HCS_STDIO_INIT;
    hcs_process *process = NULL;

    (void) state;
    OK(hcs_process_create(home, hang, &stdio, &process, NULL, &err));
    hcs_process_close(process);
    process = NULL;
#ifdef _WIN32
    stdio.out = (hcs_pollable) (uintptr_t) 4;
#else
    stdio.out = 1;
#endif
    FAILS(hcs_process_create(home, hang, &stdio, &process, NULL, &err), HCS_E_WIN32_NOT_SUPPORTED);
    SAYS("stdout is a handle of the caller");
    assert_null(process);
}

static void visit_process(void *process)
{
    (void) hcs_process_id(process);
}

static void an_operation_is_closed_without_the_lock_of_its_process(void **state)
{
    hcs_process *process = NULL;
    struct over_visit visit = { .visit = visit_process };
    hcs_op *op = NULL;

    (void) state;
    OK(hcs_process_create(home, hang, NULL, &process, &op, &err));
    OK(hcs_op_wait(op, DEADLINE_MS, &err));
    hcs_op_close(op);
    provider_wait_idle();
    visit.thing = process;
    provider_set_on_operation_close(over_visit, &visit);
    assert_true(hcs_process_id(process) != 0); /* the creation is let go here */
    provider_set_on_operation_close(NULL, NULL);
    assert_true(atomic_load(&visit.comes));
    assert_false(visit.was_kept_out);
    hcs_process_close(process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNNING(the_code_is_the_programs_own),
        RUNNING(an_exit_before_the_registration_is_not_lost),
        RUNNING(an_exit_that_is_replayed_is_told_once),
        RUNNING(a_code_that_hcs_could_not_wait_for_is_no_code),
        RUNNING(a_signal_goes_by_its_number_and_kill_is_terminate),
        RUNNING(a_missing_program_is_an_error_with_hcss_words),
        RUNNING(a_create_that_was_done_too_soon_to_be_waited_for_is_recovered),
        RUNNING(a_refused_registration_of_a_process_releases_everything),
        RUNNING(a_process_can_be_opened_by_its_id),
        RUNNING(the_end_of_the_system_ends_the_wait_for_a_process),
        RUNNING(the_handle_of_the_system_may_be_closed_first),
        RUNNING(a_process_is_not_to_be_used_while_it_is_created),
#ifndef _WIN32
        RUNNING(pipes_that_the_document_asks_for_are_taken_once),
        RUNNING(pipes_that_nobody_takes_are_closed),
#endif
        RUNNING(an_operation_is_closed_without_the_lock_of_its_process),
        RUNNING(a_handle_of_the_users_own_is_refused),
    };

    return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
