/* Exit reports in all their forms. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "utf.h"

#ifndef _WIN32 /* where there are no forks and wait statuses to compare with */

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static hcs_exit exit_of_child(void (*die)(int), int argument)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit none = { 0, 0 };

        setrlimit(RLIMIT_CORE, &none);
        signal(argument & 0x7F, SIG_DFL);
        die(argument);
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return exit_from_wait_status((uint32_t) status);
}

static void die_by_signal(int number)
{
    kill(getpid(), number);
}

static void every_exit_code_of_a_real_process_is_seen(void **state)
{
    (void) state;
    for (int code = 0; code < 256; code++) {
        hcs_exit report = exit_of_child(_exit, code);

        assert_int_equal(report.how, HCS_EXIT_CODE);
        assert_int_equal(report.code, code);
        assert_int_equal(report.signal, 0);
        assert_int_equal(report.size, sizeof report);
    }
}

static void every_deadly_signal_of_a_real_process_is_seen(void **state)
{
    static const int deadly[] = { SIGHUP, SIGINT, SIGABRT, SIGKILL, SIGSEGV, SIGTERM, SIGUSR1 };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(deadly); i++) {
        hcs_exit report = exit_of_child(die_by_signal, deadly[i]);

        assert_int_equal(report.how, HCS_EXIT_SIGNAL);
        assert_int_equal(report.signal, deadly[i]);
        assert_int_equal(report.code, 0);
    }
}

static void wait_statuses_are_taken_apart_as_the_kernel_makes_them(void **state)
{
    (void) state;
    for (uint32_t status = 0; status <= 0x1FFFF; status++) {
        hcs_exit report = exit_from_wait_status(status);
        int ours = (int) status;

        if (status <= 0xFFFF && WIFEXITED(ours)) {
            assert_int_equal(report.how, HCS_EXIT_CODE);
            assert_int_equal(report.code, WEXITSTATUS(ours));
        } else if (status <= 0xFF && WIFSIGNALED(ours)) {
            assert_int_equal(report.how, HCS_EXIT_SIGNAL);
            assert_int_equal(report.signal, WTERMSIG(ours));
            assert_int_equal(report.core_dumped, WCOREDUMP(ours) ? 1 : 0);
        } else {
            assert_int_equal(report.how, HCS_EXIT_UNKNOWN);
            assert_true(report.reason[0]);
        }
    }
}

static void signal_names_are_those_of_this_host(void **state)
{
    char name[40];

    (void) state;
    for (int i = 1; i < 32; i++) {
        assert_string_equal(exit_signal_name(i), i == 29 ? "IO" : sigabbrev_np(i));
        assert_int_equal(exit_signal_number(exit_signal_name(i)), i);
        snprintf(name, sizeof name, "SIG%s", exit_signal_name(i));
        assert_int_equal(exit_signal_number(name), i);
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(exit_signal_number(name), i);
    }
    assert_null(exit_signal_name(0));
    assert_null(exit_signal_name(-1));
    assert_null(exit_signal_name(32));
    assert_int_equal(exit_signal_number("sigterm"), 15);
    assert_int_equal(exit_signal_number("64"), 64);
}

#endif

static void what_is_no_signal_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "SIG", "0", "65", "-9", "9x", "SIG9", "NOSUCH", " 9", "99999999999999999999", "009",
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        assert_int_equal(exit_signal_number(bad[i]), -1);
}

static void check_json(const hcs_exit *report, const char *expected)
{
    json_t *json = exit_to_json(report);
    char *text = json_dumps(json, JSON_COMPACT);
    hcs_exit back = HCS_EXIT_INIT;

    assert_string_equal(text, expected);
    assert_int_equal(exit_from_json(json, &back, NULL), HCS_OK);
    assert_memory_equal(&back, report, sizeof back);
    free(text);
    json_decref(json);
}

static void reports_make_the_round_trip_through_json(void **state)
{
    hcs_exit report = exit_from_wait_status(42 << 8);

    (void) state;
    check_json(&report, "{\"how\":\"code\",\"code\":42}");
    report.code = UINT32_MAX;
    report.oom_kills = 3;
    check_json(&report, "{\"how\":\"code\",\"code\":4294967295,\"oomKills\":3}");
    report = exit_from_wait_status(11);
    check_json(&report, "{\"how\":\"signal\",\"signal\":11,\"coreDumped\":false}");
    report = exit_from_wait_status(6 | 0x80);
    check_json(&report, "{\"how\":\"signal\",\"signal\":6,\"coreDumped\":true}");
    report =
        exit_of_system(HCS_E_UNEXPECTED_EXIT, HCS_EXIT_TYPE_UNEXPECTED, HCS_INITIATOR_INTERNAL);
    check_json(&report, "{\"how\":\"status\",\"status\":-2143878906,\"type\":\"unexpected\","
                        "\"initiator\":\"internal\"}");
    report = exit_of_system(0, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_GUEST_OS);
    check_json(&report, "{\"how\":\"status\",\"status\":0,\"type\":\"graceful\","
                        "\"initiator\":\"guestOs\"}");
    report = exit_unknown("the keeper was killed");
    check_json(&report, "{\"how\":\"unknown\",\"reason\":\"the keeper was killed\"}");
    report.type = HCS_EXIT_TYPE_UNKNOWN;
    report.initiator = HCS_INITIATOR_UNKNOWN;
    check_json(&report, "{\"how\":\"unknown\",\"reason\":\"the keeper was killed\","
                        "\"type\":\"unknown\",\"initiator\":\"unknown\"}");
}

static hcs_result decode(const char *text, hcs_exit *out, hcs_error *err)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    hcs_result r = exit_from_json(json, out, err);

    assert_non_null(json);
    json_decref(json);
    return r;
}

static void a_report_that_contradicts_itself_is_refused(void **state)
{
    static const struct {
        const char *json;
        const char *text;
    } bad[] = {
        { "{}", "exit.how is missing" },
        { "[]", "exit must be an object" },
        { "{\"how\":7}", "exit.how must be a string" },
        { "{\"how\":\"magic\"}", "exit.how is not a known word" },
        { "{\"how\":\"code\"}", "exit.code is missing" },
        { "{\"how\":\"signal\",\"code\":1,\"signal\":9}", "exit.code contradicts exit.how" },
        { "{\"how\":\"code\",\"code\":1,\"reason\":\"x\"}", "exit.reason contradicts exit.how" },
        { "{\"how\":\"code\",\"code\":\"1\"}", "exit.code must be an integer" },
        { "{\"how\":\"code\",\"code\":-1}", "exit.code is out of range" },
        { "{\"how\":\"code\",\"code\":4294967296}", "exit.code is out of range" },
        { "{\"how\":\"signal\",\"signal\":0}", "exit.signal is out of range" },
        { "{\"how\":\"signal\",\"signal\":9,\"coreDumped\":1}",
          "exit.coreDumped must be a boolean" },
        { "{\"how\":\"status\",\"status\":2147483648}", "exit.status is out of range" },
        { "{\"how\":\"unknown\",\"reason\":5}", "exit.reason must be a string" },
        { "{\"how\":\"code\",\"code\":1,\"type\":4}", "exit.type must be a string" },
        { "{\"how\":\"code\",\"code\":1,\"oomKills\":-1}", "exit.oomKills is out of range" },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        hcs_exit out = HCS_EXIT_INIT, untouched = HCS_EXIT_INIT;
        hcs_error err = HCS_ERROR_INIT;

        assert_int_equal(decode(bad[i].json, &out, &err), HCS_E_INVALID_JSON);
        assert_string_equal(err.text, bad[i].text);
        assert_memory_equal(&out, &untouched, sizeof out);
    }
}

static void words_and_fields_of_a_newer_service_do_not_disturb(void **state)
{
    hcs_exit out = HCS_EXIT_INIT;

    (void) state;
    assert_int_equal(decode("{\"how\":\"status\",\"status\":0,\"signal\":null,\"type\":\"reboot\","
                            "\"initiator\":\"moon\",\"new\":[1]}",
                            &out, NULL),
                     HCS_OK);
    assert_int_equal(out.type, HCS_EXIT_TYPE_UNKNOWN);
    assert_int_equal(out.initiator, HCS_INITIATOR_UNKNOWN);
}

static void check_document(char *document, const char *expected)
{
    assert_string_equal(document, expected);
    free(document);
}

static void process_documents_are_those_of_hcs(void **state)
{
    hcs_exit report = exit_from_wait_status(0);

    (void) state;
    check_document(exit_process_status(353, &report),
                   "{\"ProcessId\":353,\"Exited\":true,\"ExitCode\":0,\"LastWaitResult\":0}");
    report.code = UINT32_MAX;
    check_document(exit_process_status(UINT32_MAX, &report),
                   "{\"ProcessId\":4294967295,\"Exited\":true,\"ExitCode\":4294967295,"
                   "\"LastWaitResult\":0}");
    report = exit_from_wait_status(9);
    check_document(exit_process_status(1, &report),
                   "{\"ProcessId\":1,\"Exited\":true,\"ExitCode\":137,\"LastWaitResult\":0}");
    report = exit_unknown("x"); /* 0x8037011D */
    check_document(exit_process_status(1, &report),
                   "{\"ProcessId\":1,\"Exited\":true,\"LastWaitResult\":-2143878883}");
}

static void system_documents_are_those_of_hcs(void **state)
{
    hcs_exit report = exit_of_system(0, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_CLIENT);

    (void) state;
    check_document(exit_system_status(&report),
                   "{\"Status\":0,\"ExitType\":\"GracefulExit\",\"Attribution\":[{\"SystemExit\":"
                   "{\"Detail\":\"Shutdown\",\"Initiator\":\"Client\"}}]}");
    report = exit_of_system(0, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);
    check_document(exit_system_status(&report),
                   "{\"Status\":0,\"ExitType\":\"ForcedExit\",\"Attribution\":[{\"SystemExit\":"
                   "{\"Detail\":\"Terminate\",\"Initiator\":\"Client\"}}]}");
    report =
        exit_of_system(HCS_E_UNEXPECTED_EXIT, HCS_EXIT_TYPE_UNEXPECTED, HCS_INITIATOR_INTERNAL);
    check_document(exit_system_status(&report),
                   "{\"Status\":-2143878906,\"ExitType\":\"UnexpectedExit\",\"Attribution\":["
                   "{\"SystemExit\":{\"Detail\":\"UnexpectedExit\",\"Initiator\":\"Internal\"}}]}");
    report = exit_unknown("the keeper was killed");
    check_document(exit_system_status(&report),
                   "{\"Status\":-2143878906,\"ExitType\":\"Unknown\"}");
    report = exit_of_system(0, HCS_EXIT_TYPE_UNKNOWN, HCS_INITIATOR_UNKNOWN);
    check_document(exit_system_status(&report), "{\"Status\":0,\"ExitType\":\"Unknown\"}");
}

static void check_words(const hcs_exit *report, const char *expected)
{
    char words[300];

    assert_ptr_equal(hcs_exit_describe(report, words, sizeof words), words);
    assert_string_equal(words, expected);
}

static void reports_are_told_in_words(void **state)
{
    hcs_exit report = exit_from_wait_status(42 << 8);

    (void) state;
    check_words(&report, "code 42");
    report.oom_kills = 2;
    check_words(&report, "code 42, 2 killed for lack of memory");
    report = exit_from_wait_status(11);
    check_words(&report, "signal 11 (SEGV)");
    report = exit_from_wait_status(6 | 0x80);
    check_words(&report, "signal 6 (ABRT), core dumped");
    report = exit_from_wait_status(40);
    check_words(&report, "signal 40");
    report = exit_of_system(0, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_CLIENT);
    check_words(&report, "shut down by client");
    report = exit_of_system(0, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);
    check_words(&report, "terminated by client");
    report = exit_of_system(0, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_GUEST_OS);
    check_words(&report, "ended by itself");
    report = exit_of_system(HCS_E_UNEXPECTED_EXIT, HCS_EXIT_TYPE_UNEXPECTED, HCS_INITIATOR_UNKNOWN);
    check_words(&report, "ended unexpectedly (0x80370106)");
    report.oom_kills = 1;
    check_words(&report, "ended unexpectedly (0x80370106), 1 killed for lack of memory");
    report = exit_of_system(HCS_E_TERMINATED, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT);
    check_words(&report, "terminated by client (0x80370107)");
    report = exit_unknown("the keeper was killed");
    check_words(&report, "unknown: the keeper was killed");
    report = exit_unknown("");
    check_words(&report, "unknown");
    check_words(NULL, "unknown");
}

static void words_fit_every_buffer(void **state)
{
    hcs_exit report = exit_unknown("\xC3\xA4\xE2\x82\xAC reason");
    char whole[64], words[64];

    (void) state;
    hcs_exit_describe(&report, whole, sizeof whole);
    for (size_t size = 1; size < sizeof words; size++) {
        memset(words, 'Z', sizeof words);
        hcs_exit_describe(&report, words, size);
        assert_true(strlen(words) < size);
        assert_true(utf8_valid(words, strlen(words)));
        assert_memory_equal(words, whole, strlen(words));
        for (size_t i = size; i < sizeof words; i++)
            assert_int_equal(words[i], 'Z');
    }
    assert_ptr_equal(hcs_exit_describe(&report, words, 0), words);
    assert_null(hcs_exit_describe(&report, NULL, 5));
}

static void an_older_callers_report_is_not_overread(void **state)
{
    struct {
        uint32_t size;
        hcs_exit_how how;
        uint32_t code;
    } *report = malloc(sizeof *report); /* a checker of memory sees what is read behind it */

    (void) state;
    assert_non_null(report);
    report->size = sizeof *report;
    report->how = HCS_EXIT_CODE;
    report->code = 7;
    check_words((const hcs_exit *) (const void *) report, "code 7");
    free(report);
}

static void a_reason_is_one_printable_line_that_fits(void **state)
{
    char text[400];
    hcs_exit report;

    (void) state;
    report = exit_unknown("a\nb\xFFz");
    assert_string_equal(report.reason, "a b?z");
    for (size_t lead = 0; lead < 3; lead++) {
        memset(text, 'x', lead);
        for (size_t i = lead; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        report = exit_unknown(text);
        assert_true(utf8_valid(report.reason, strlen(report.reason)));
        assert_true(strlen(report.reason) > sizeof report.reason - 5);
        assert_null(strchr(report.reason, '?'));
    }
}

static void a_reason_that_is_not_utf8_does_not_cost_the_report(void **state)
{
    hcs_exit report = HCS_EXIT_INIT, back = HCS_EXIT_INIT;
    json_t *json;

    (void) state;
    strcpy(report.reason, "x\xFFy");
    json = exit_to_json(&report);
    assert_non_null(json);
    assert_int_equal(exit_from_json(json, &back, NULL), HCS_OK);
    assert_string_equal(back.reason, "x?y");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef _WIN32
        cmocka_unit_test(every_exit_code_of_a_real_process_is_seen),
        cmocka_unit_test(every_deadly_signal_of_a_real_process_is_seen),
        cmocka_unit_test(wait_statuses_are_taken_apart_as_the_kernel_makes_them),
        cmocka_unit_test(signal_names_are_those_of_this_host),
#endif
        cmocka_unit_test(what_is_no_signal_is_refused),
        cmocka_unit_test(reports_make_the_round_trip_through_json),
        cmocka_unit_test(a_report_that_contradicts_itself_is_refused),
        cmocka_unit_test(words_and_fields_of_a_newer_service_do_not_disturb),
        cmocka_unit_test(process_documents_are_those_of_hcs),
        cmocka_unit_test(system_documents_are_those_of_hcs),
        cmocka_unit_test(reports_are_told_in_words),
        cmocka_unit_test(words_fit_every_buffer),
        cmocka_unit_test(an_older_callers_report_is_not_overread),
        cmocka_unit_test(a_reason_is_one_printable_line_that_fits),
        cmocka_unit_test(a_reason_that_is_not_utf8_does_not_cost_the_report),
    };

    return cmocka_run_group_tests_name("exit", tests, NULL, NULL);
}
