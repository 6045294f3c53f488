/* documents_test.c - HCS's documents as reports, and the numbers of the older API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "notification.h"
#include "status.h"
#include "wide.h"

static hcs_exit system_of(const char *document)
{
    return status_of_system(document, strlen(document));
}

static void a_system_exit_has_status_type_and_initiator(void **state)
{
    hcs_exit e =
        system_of("{\"Status\":-1070137082,\"ExitType\":\"UnexpectedExit\",\"Attribution\":[{"
                  "\"WorkerExit\":{\"ExitCode\":3,\"Initiator\":\"GuestOS\"}},{"
                  "\"SystemExit\":{\"Detail\":\"UnexpectedExit\",\"Initiator\":\"Internal\""
                  "}}]}");

    (void) state;
    assert_int_equal(e.how, HCS_EXIT_STATUS);
    assert_int_equal((uint32_t) e.status, 0xC0370106u);
    assert_int_equal(e.type, HCS_EXIT_TYPE_UNEXPECTED);
    assert_int_equal(e.initiator, HCS_INITIATOR_INTERNAL);
    e = system_of("{\"Status\":0,\"ExitType\":\"GracefulExit\",\"Attribution\":[{\"WorkerExit\":{"
                  "\"Initiator\":\"GuestOS\"}}]}");
    assert_int_equal(e.type, HCS_EXIT_TYPE_GRACEFUL);
    assert_int_equal(e.initiator, HCS_INITIATOR_GUEST_OS);
}

static void what_an_older_or_newer_hcs_leaves_out_or_adds_is_unknown(void **state)
{
    hcs_exit e = system_of("{\"Status\":0}"); /* 1809 */

    (void) state;
    assert_int_equal(e.how, HCS_EXIT_STATUS);
    assert_int_equal(e.type, HCS_EXIT_TYPE_UNKNOWN);
    assert_int_equal(e.initiator, HCS_INITIATOR_UNKNOWN);
    e = system_of("{\"Status\":2151088390,\"ExitType\":\"Reboot\",\"Later\":[{}]}");
    assert_int_equal((uint32_t) e.status, 0x80370106u);
    assert_int_equal(e.type, HCS_EXIT_TYPE_UNKNOWN);
}

static void a_system_exit_without_a_status_is_unknown_and_says_why(void **state)
{
    static const char *const documents[] = {
        "",     "{}",  "null",     "[1]", "{\"Status\":\"0\"}", "{\"Status\":99999999999}",
        "{\"S", "0\0", "\xFF\xFE",
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(documents); i++) {
        hcs_exit e = system_of(documents[i]);

        assert_int_equal(e.how, HCS_EXIT_UNKNOWN);
        assert_true(e.reason[0] != '\0');
    }
    assert_int_equal(system_of("{\"ExitType\":\"ForcedExit\"}").type, HCS_EXIT_TYPE_FORCED);
}

static void an_exit_code_is_one_only_when_exited_and_waited_for(void **state)
{
    static const struct {
        const char *document;
        hcs_exit_how how;
        uint32_t code;
        int exited;
    } rows[] = {
        { "{\"ProcessId\":353,\"Exited\":true,\"ExitCode\":7,\"LastWaitResult\":0}", HCS_EXIT_CODE,
          7, 1 },
        { "{\"ProcessId\":353,\"Exited\":true,\"ExitCode\":3221225477,\"LastWaitResult\":0}",
          HCS_EXIT_CODE, 0xC0000005u, 1 },
        { "{\"ProcessId\":353,\"Exited\":true,\"ExitCode\":0,\"LastWaitResult\":-1}",
          HCS_EXIT_UNKNOWN, 0, 1 },
        { "{\"ProcessId\":353,\"Exited\":true,\"ExitCode\":0}", HCS_EXIT_UNKNOWN, 0, 1 },
        { "{\"ProcessId\":353,\"Exited\":true,\"LastWaitResult\":0}", HCS_EXIT_UNKNOWN, 0, 1 },
        { "{\"ProcessId\":353,\"Exited\":false,\"ExitCode\":0,\"LastWaitResult\":0}",
          HCS_EXIT_UNKNOWN, 0, 0 },
        { "{\"ProcessId\":353,\"ExitCode\":0,\"LastWaitResult\":0}", HCS_EXIT_UNKNOWN, 0, 0 },
        { "{\"ProcessId\":353", HCS_EXIT_UNKNOWN, 0, 0 },
        { "", HCS_EXIT_UNKNOWN, 0, 0 },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        uint32_t id = 1;
        int exited = -1;
        hcs_exit e = status_of_process(rows[i].document, strlen(rows[i].document), &id, &exited);

        assert_int_equal(e.how, rows[i].how);
        assert_int_equal(e.code, rows[i].code);
        assert_int_equal(exited, rows[i].exited);
        assert_int_equal(id, i < 7 ? 353 : 0);
        assert_int_equal(e.reason[0] != '\0', rows[i].how == HCS_EXIT_UNKNOWN);
    }
}

static void properties_say_whether_a_system_has_stopped(void **state)
{
    struct status_properties p;

    (void) state;
    status_of_properties("{\"Id\":\"a\",\"Owner\":\"me\",\"SystemType\":\"Container\",\"State\":"
                         "\"Running\"}",
                         &p);
    assert_string_equal(p.owner, "me");
    assert_string_equal(p.type, "Container");
    assert_int_equal(p.stopped, 0);
    status_of_properties("{\"State\":\"Stopped\",\"ExitType\":\"ForcedExit\"}", &p);
    assert_int_equal(p.stopped, 1);
    assert_int_equal(p.exit, HCS_EXIT_TYPE_FORCED);
    status_of_properties("{\"Stopped\":true}", &p);
    assert_int_equal(p.stopped, 1);
    status_of_properties("{\"Id\":\"never started, has no State\"}", &p);
    assert_int_equal(p.stopped, 0);
    status_of_properties("nonsense", &p);
    assert_int_equal(p.stopped, 0);
}

static void the_message_of_an_error_document_is_found(void **state)
{
    char text[16];

    (void) state;
    assert_int_equal(status_error_message("{\"Error\":-1,\"ErrorMessage\":\"it is so\"}", text, 16),
                     1);
    assert_string_equal(text, "it is so");
    assert_int_equal(status_error_message("{\"ErrorMessage\":\"longer than it may be\"}", text, 16),
                     1);
    assert_string_equal(text, "longer than it ");
    assert_int_equal(status_error_message("{\"Error\":-1}", text, 16), 0);
    assert_int_equal(status_error_message("no JSON", text, 16), 0);
    assert_int_equal(status_error_message(NULL, text, 16), 0);
}

/* ---- v1 ---- */

static void numbers_of_the_older_api_are_told_apart(void **state)
{
    static const struct {
        uint32_t v1;
        enum notification_meaning meaning;
        hcs_event_kind kind;
    } rows[] = {
        { 0x1, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_EXITED },
        { 0x80000001, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_EXITED }, /* the failure flag */
        { 0x2, NOTIFICATION_COMPLETED, 0 },
        { 0x3, NOTIFICATION_COMPLETED, 0 },
        { 0x4, NOTIFICATION_COMPLETED, 0 },
        { 0x5, NOTIFICATION_COMPLETED, 0 },
        { 0x6, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_CRASH_REPORT },
        { 0x7, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_SILO_JOB_CREATED },
        { 0x8, NOTIFICATION_COMPLETED, 0 },
        { 0x9, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_RDP_STATE_CHANGED },
        { 0xA, NOTIFICATION_COMPLETED, 0 },
        { 0xD, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_CRASH_INITIATED },
        { 0xE, NOTIFICATION_EVENT, HCS_EVENT_SYSTEM_GUEST_CONNECTION_CLOSED },
        { 0x10, NOTIFICATION_UNKNOWN, 0 },
        { 0x10000, NOTIFICATION_EVENT, HCS_EVENT_PROCESS_EXITED },
        { 0x01000000, NOTIFICATION_EVENT, HCS_EVENT_SERVICE_DISCONNECT },
        { 0x02000000, NOTIFICATION_UNKNOWN, 0 },
        { 0x0, NOTIFICATION_UNKNOWN, 0 },
        { 0x12345, NOTIFICATION_UNKNOWN, 0 },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        hcs_event_kind kind = 0;

        assert_int_equal(notification_from_v1(rows[i].v1, &kind), rows[i].meaning);
        assert_int_equal(kind, rows[i].kind);
    }
}

/* ---- strings ---- */

static void strings_of_the_user_arrive_whole_or_not_at_all(void **state)
{
    static const uint16_t expected[] = { 'h', 0xE4, 0xD83D, 0xDE00, 0 };
    hcs_error err = HCS_ERROR_INIT;
    uint16_t *wide = NULL;

    (void) state;
    assert_int_equal(
        wide_from_text("h\xC3\xA4\xF0\x9F\x98\x80", HCS_E_INVALIDARG, "it", &wide, &err), HCS_OK);
    assert_memory_equal(wide, expected, sizeof expected);
    free(wide);
    wide = NULL;
    assert_int_equal(wide_from_text("\xC3", HCS_E_INVALID_JSON, "the document", &wide, &err),
                     HCS_E_INVALID_JSON);
    assert_null(wide);
    assert_non_null(strstr(err.text, "the document is not UTF-8"));
}

static void strings_of_hcs_survive_what_is_malformed_in_them(void **state)
{
    static const uint16_t lone[] = { 'a', 0xD800, 'b', 0xDC00, 'c', 0 };
    char *text = NULL;

    (void) state;
    assert_int_equal(wide_to_text(lone, 100, &text, NULL), HCS_OK);
    assert_string_equal(text, "a\xEF\xBF\xBD"
                              "b\xEF\xBF\xBD"
                              "c");
    free(text);
    assert_int_equal(wide_to_text(NULL, 100, &text, NULL), HCS_OK);
    assert_null(text);
    assert_int_equal(wide_to_text(lone, 5, &text, NULL), HCS_OK);
    free(text);
    text = NULL;
    assert_int_equal(wide_to_text(lone, 4, &text, NULL), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_system_exit_has_status_type_and_initiator),
        cmocka_unit_test(what_an_older_or_newer_hcs_leaves_out_or_adds_is_unknown),
        cmocka_unit_test(a_system_exit_without_a_status_is_unknown_and_says_why),
        cmocka_unit_test(an_exit_code_is_one_only_when_exited_and_waited_for),
        cmocka_unit_test(properties_say_whether_a_system_has_stopped),
        cmocka_unit_test(the_message_of_an_error_document_is_found),
        cmocka_unit_test(numbers_of_the_older_api_are_told_apart),
        cmocka_unit_test(strings_of_the_user_arrive_whole_or_not_at_all),
        cmocka_unit_test(strings_of_hcs_survive_what_is_malformed_in_them),
    };

    return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}
