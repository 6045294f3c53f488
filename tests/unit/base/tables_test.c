/* The tables of idl/ against a second list, typed from Microsoft's documentation and winerror.h
 * and not from errors.tsv: a number that is wrong in one place shows as a difference. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "tables.h"

struct expected {
    uint32_t bits;
    const char *name;
};

/* The family of computecore.dll. */
static const struct expected hcs[] = {
    { 0x80370100, "HCS_E_TERMINATED_DURING_START" },
    { 0x80370101, "HCS_E_IMAGE_MISMATCH" },
    { 0x80370102, "HCS_E_HYPERV_NOT_INSTALLED" },
    { 0x80370105, "HCS_E_INVALID_STATE" },
    { 0x80370106, "HCS_E_UNEXPECTED_EXIT" },
    { 0x80370107, "HCS_E_TERMINATED" },
    { 0x80370108, "HCS_E_CONNECT_FAILED" },
    { 0x80370109, "HCS_E_CONNECTION_TIMEOUT" },
    { 0x8037010A, "HCS_E_CONNECTION_CLOSED" },
    { 0x8037010B, "HCS_E_UNKNOWN_MESSAGE" },
    { 0x8037010C, "HCS_E_UNSUPPORTED_PROTOCOL_VERSION" },
    { 0x8037010D, "HCS_E_INVALID_JSON" },
    { 0x8037010E, "HCS_E_SYSTEM_NOT_FOUND" },
    { 0x8037010F, "HCS_E_SYSTEM_ALREADY_EXISTS" },
    { 0x80370110, "HCS_E_SYSTEM_ALREADY_STOPPED" },
    { 0x80370111, "HCS_E_PROTOCOL_ERROR" },
    { 0x80370112, "HCS_E_INVALID_LAYER" },
    { 0x80370113, "HCS_E_WINDOWS_INSIDER_REQUIRED" },
    { 0x80370114, "HCS_E_SERVICE_NOT_AVAILABLE" },
    { 0x80370115, "HCS_E_OPERATION_NOT_STARTED" },
    { 0x80370116, "HCS_E_OPERATION_ALREADY_STARTED" },
    { 0x80370117, "HCS_E_OPERATION_PENDING" },
    { 0x80370118, "HCS_E_OPERATION_TIMEOUT" },
    { 0x80370119, "HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET" },
    { 0x8037011A, "HCS_E_OPERATION_RESULT_ALLOCATION_FAILED" },
    { 0x8037011B, "HCS_E_ACCESS_DENIED" },
    { 0x8037011C, "HCS_E_GUEST_CRITICAL_ERROR" },
    { 0x8037011D, "HCS_E_PROCESS_INFO_NOT_AVAILABLE" },
    { 0x8037011E, "HCS_E_SERVICE_DISCONNECT" },
    { 0x8037011F, "HCS_E_PROCESS_ALREADY_STOPPED" },
    { 0x80370120, "HCS_E_SYSTEM_NOT_CONFIGURED_FOR_OPERATION" },
    { 0x80370121, "HCS_E_OPERATION_ALREADY_CANCELLED" },
};

/* The family of vmcompute.dll: what the same low word means there. */
static const struct expected hcs_v1[] = {
    { 0xC0370100, "HCS_E_TERMINATED_DURING_START" },
    { 0xC0370101, "HCS_E_IMAGE_MISMATCH" },
    { 0xC0370102, "HCS_E_HYPERV_NOT_INSTALLED" },
    { 0xC0370103, "HCS_E_V1_OPERATION_PENDING" },
    { 0xC0370104, "HCS_E_V1_TOO_MANY_NOTIFICATIONS" },
    { 0xC0370105, "HCS_E_INVALID_STATE" },
    { 0xC0370106, "HCS_E_UNEXPECTED_EXIT" },
    { 0xC0370107, "HCS_E_TERMINATED" },
    { 0xC0370108, "HCS_E_CONNECT_FAILED" },
    { 0xC0370109, "HCS_E_CONNECTION_TIMEOUT" },
    { 0xC037010A, "HCS_E_CONNECTION_CLOSED" },
    { 0xC037010B, "HCS_E_UNKNOWN_MESSAGE" },
    { 0xC037010C, "HCS_E_UNSUPPORTED_PROTOCOL_VERSION" },
    { 0xC037010D, "HCS_E_INVALID_JSON" },
    { 0xC037010E, "HCS_E_SYSTEM_NOT_FOUND" },
    { 0xC037010F, "HCS_E_SYSTEM_ALREADY_EXISTS" },
    { 0xC0370110, "HCS_E_SYSTEM_ALREADY_STOPPED" },
    { 0xC0370111, "HCS_E_PROTOCOL_ERROR" },
    { 0xC0370112, "HCS_E_INVALID_LAYER" },
    { 0xC0370113, "HCS_E_WINDOWS_INSIDER_REQUIRED" },
};

static const struct expected generic[] = {
    { 0x80004001, "HCS_E_NOTIMPL" },
    { 0x80004003, "HCS_E_POINTER" },
    { 0x80004005, "HCS_E_FAIL" },
    { 0x8000FFFF, "HCS_E_UNEXPECTED" },
    { 0x80070002, "HCS_E_WIN32_FILE_NOT_FOUND" },
    { 0x80070003, "HCS_E_WIN32_PATH_NOT_FOUND" },
    { 0x80070005, "HCS_E_WIN32_ACCESS_DENIED" },
    { 0x80070006, "HCS_E_WIN32_INVALID_HANDLE" },
    { 0x8007000D, "HCS_E_WIN32_INVALID_DATA" },
    { 0x8007000E, "HCS_E_OUTOFMEMORY" },
    { 0x80070020, "HCS_E_WIN32_SHARING_VIOLATION" },
    { 0x80070032, "HCS_E_WIN32_NOT_SUPPORTED" },
    { 0x80070057, "HCS_E_INVALIDARG" },
    { 0x80070070, "HCS_E_WIN32_DISK_FULL" },
    { 0x8007007A, "HCS_E_WIN32_INSUFFICIENT_BUFFER" },
    { 0x8007007F, "HCS_E_WIN32_PROC_NOT_FOUND" },
    { 0x800700AA, "HCS_E_WIN32_BUSY" },
    { 0x80070103, "HCS_E_WIN32_NO_MORE_ITEMS" },
    { 0x80070490, "HCS_E_WIN32_NOT_FOUND" },
    { 0x800706BA, "HCS_E_WIN32_RPC_SERVER_UNAVAILABLE" },
    { 0x800706EF, "HCS_E_WIN32_RPC_NULL_CONTEXT_HANDLE" },
};

static void check_names(const struct expected *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = hcs_result_name((hcs_result) list[i].bits);

        if (!name || strcmp(name, list[i].name) != 0)
            fail_msg("0x%08X is %s, should be %s", (unsigned) list[i].bits, name ? name : "unknown",
                     list[i].name);
    }
}

static void numbers_are_those_of_computecore(void **state)
{
    (void) state;
    check_names(hcs, N_ELEMENTS(hcs));
}

static void numbers_of_the_older_api_have_their_twins_name(void **state)
{
    (void) state;
    check_names(hcs_v1, N_ELEMENTS(hcs_v1));
}

static void generic_numbers_are_those_of_winerror(void **state)
{
    (void) state;
    check_names(generic, N_ELEMENTS(generic));
}

static void every_row_is_in_the_second_list(void **state)
{
    (void) state;
    /* the two rows of the older family with a number of their own are in hcs_v1 */
    assert_int_equal(n_error_rows, N_ELEMENTS(hcs) + N_ELEMENTS(generic) + 2);
    for (size_t i = 0; i < n_error_rows; i++)
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(error_rows[i].code, error_rows[j].code);
            assert_string_not_equal(error_rows[i].name, error_rows[j].name);
        }
}

static void classes_do_not_depend_on_the_family(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(hcs); i++) {
        hcs_result old = (hcs_result) (0xC0370000u | (hcs[i].bits & 0xFFFF));

        assert_int_equal(hcs_result_class(old), hcs_result_class((hcs_result) hcs[i].bits));
    }
    assert_int_equal(hcs_result_class((hcs_result) 0x80370117u), HCS_CLASS_PENDING);
    assert_int_equal(hcs_result_class((hcs_result) 0xC0370103u), HCS_CLASS_PENDING);
}

/* Numbers that other libraries take for something else. */
static void numbers_often_mistaken_keep_their_meaning(void **state)
{
    (void) state;
    assert_int_equal(hcs_result_class((hcs_result) 0x80370100u), HCS_CLASS_CRASHED);
    assert_int_equal(hcs_result_class((hcs_result) 0x8037010Eu), HCS_CLASS_NOT_FOUND);
    assert_int_equal(hcs_result_class((hcs_result) 0xC037010Eu), HCS_CLASS_NOT_FOUND);
    assert_int_equal(hcs_result_class((hcs_result) 0x80000005u), HCS_CLASS_OTHER);
    assert_int_equal(hcs_result_class((hcs_result) 0x80070005u), HCS_CLASS_ACCESS_DENIED);
    assert_int_equal(hcs_result_class((hcs_result) 0x8037011Bu), HCS_CLASS_ACCESS_DENIED);
    assert_int_equal(hcs_result_class((hcs_result) 0x80370109u), HCS_CLASS_TIMEOUT);
    assert_int_equal(hcs_result_class((hcs_result) 0x80370119u), HCS_CLASS_CALLBACK_ALREADY_SET);
    assert_int_equal(hcs_result_class((hcs_result) 0x8037010Du), HCS_CLASS_INVALID_DOCUMENT);
    assert_int_equal(hcs_result_class((hcs_result) 0xC037010Du), HCS_CLASS_INVALID_DOCUMENT);
    assert_null(hcs_result_name((hcs_result) 0x80370002u));
    assert_null(hcs_result_name((hcs_result) 0x80370003u));
    /* 0103 and 0104 have a meaning in the older family only */
    assert_null(hcs_result_name((hcs_result) 0x80370103u));
    assert_null(hcs_result_name((hcs_result) 0x80370104u));
}

/* What the field takes each low word for, typed from its meaning and not from errors.tsv: class,
 * whether the same call may succeed later, and errno. */
struct kind {
    uint32_t low;
    hcs_error_class error_class;
    int retryable;
    int os;
};

static const struct kind kinds[] = {
    { 0x0100, HCS_CLASS_CRASHED, 0, ECHILD },
    { 0x0101, HCS_CLASS_INVALID_DOCUMENT, 0, ENOEXEC },
    { 0x0102, HCS_CLASS_NOT_SUPPORTED, 0, ENOTSUP },
    { 0x0103, HCS_CLASS_PENDING, 1, EINPROGRESS },
    { 0x0104, HCS_CLASS_OUT_OF_RESOURCES, 1, ENOBUFS },
    { 0x0105, HCS_CLASS_INVALID_STATE, 0, EINVAL },
    { 0x0106, HCS_CLASS_CRASHED, 0, ECHILD },
    { 0x0107, HCS_CLASS_CRASHED, 0, ECHILD },
    { 0x0108, HCS_CLASS_SERVICE_GONE, 1, ECONNREFUSED },
    { 0x0109, HCS_CLASS_TIMEOUT, 1, ETIMEDOUT },
    { 0x010A, HCS_CLASS_SERVICE_GONE, 1, ECONNRESET },
    { 0x010B, HCS_CLASS_OTHER, 0, EPROTO },
    { 0x010C, HCS_CLASS_NOT_SUPPORTED, 0, EPROTONOSUPPORT },
    { 0x010D, HCS_CLASS_INVALID_DOCUMENT, 0, EBADMSG },
    { 0x010E, HCS_CLASS_NOT_FOUND, 0, ENOENT },
    { 0x010F, HCS_CLASS_ALREADY_EXISTS, 0, EEXIST },
    { 0x0110, HCS_CLASS_ALREADY_STOPPED, 0, ESRCH },
    { 0x0111, HCS_CLASS_OTHER, 0, EPROTO },
    { 0x0112, HCS_CLASS_INVALID_DOCUMENT, 0, EINVAL },
    { 0x0113, HCS_CLASS_NOT_SUPPORTED, 0, ENOTSUP },
    { 0x0114, HCS_CLASS_SERVICE_GONE, 1, ENOTCONN },
    { 0x0115, HCS_CLASS_INVALID_STATE, 0, EINVAL },
    { 0x0116, HCS_CLASS_INVALID_STATE, 0, EALREADY },
    { 0x0117, HCS_CLASS_PENDING, 1, EINPROGRESS },
    { 0x0118, HCS_CLASS_TIMEOUT, 1, ETIMEDOUT },
    { 0x0119, HCS_CLASS_CALLBACK_ALREADY_SET, 0, EBUSY },
    { 0x011A, HCS_CLASS_OUT_OF_MEMORY, 1, ENOMEM },
    { 0x011B, HCS_CLASS_ACCESS_DENIED, 0, EACCES },
    { 0x011C, HCS_CLASS_CRASHED, 0, ECHILD },
    { 0x011D, HCS_CLASS_NOT_FOUND, 0, ENODATA },
    { 0x011E, HCS_CLASS_SERVICE_GONE, 1, ECONNRESET },
    { 0x011F, HCS_CLASS_ALREADY_STOPPED, 0, ESRCH },
    { 0x0120, HCS_CLASS_NOT_SUPPORTED, 0, ENOTSUP },
    { 0x0121, HCS_CLASS_CLOSED, 0, ECANCELED },
};

static void check_kind(uint32_t family, const struct kind *kind)
{
    hcs_result code = (hcs_result) (family | kind->low);

    if (hcs_result_class(code) != kind->error_class ||
        hcs_result_retryable(code) != kind->retryable || hcs_result_errno(code) != kind->os)
        fail_msg("0x%08X is %s, retry %d, errno %d; should be %s, %d, %d", (unsigned) code,
                 hcs_error_class_name(hcs_result_class(code)), hcs_result_retryable(code),
                 hcs_result_errno(code), hcs_error_class_name(kind->error_class), kind->retryable,
                 kind->os);
}

/* All of both families: the 65536 numbers that are not in the list are of no class. */
static void both_families_are_classified_by_their_low_word(void **state)
{
    static const uint32_t families[] = { 0x80370000u, 0xC0370000u };

    (void) state;
    for (size_t f = 0; f < N_ELEMENTS(families); f++) {
        uint32_t low = 0;

        for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
            struct kind unknown = { 0, HCS_CLASS_OTHER, 0, EIO };

            for (; low < kinds[i].low; low++) {
                unknown.low = low;
                check_kind(families[f], &unknown);
            }
            check_kind(families[f], &kinds[i]);
            low++;
        }
        for (; low <= 0xFFFF; low++) {
            struct kind unknown = { low, HCS_CLASS_OTHER, 0, EIO };

            check_kind(families[f], &unknown);
        }
    }
}

static void codes_of_winerror_have_the_class_of_their_cause(void **state)
{
    (void) state;
    assert_int_equal(hcs_result_class(HCS_E_OUTOFMEMORY), HCS_CLASS_OUT_OF_MEMORY);
    assert_int_equal(hcs_result_class(HCS_E_WIN32_DISK_FULL), HCS_CLASS_NO_SPACE);
    assert_int_equal(hcs_result_class(HCS_E_WIN32_BUSY), HCS_CLASS_BUSY);
    assert_int_equal(hcs_result_class(HCS_E_WIN32_SHARING_VIOLATION), HCS_CLASS_BUSY);
    assert_int_equal(hcs_result_class(HCS_E_WIN32_NOT_FOUND), HCS_CLASS_NOT_FOUND);
    assert_int_equal(hcs_result_class(HCS_E_NOTIMPL), HCS_CLASS_NOT_SUPPORTED);
    assert_int_equal(hcs_result_class(HCS_E_INVALIDARG), HCS_CLASS_INVALID_ARGUMENT);
    /* the low word alone is not enough: these have it, but another facility */
    assert_int_equal(hcs_result_class((hcs_result) 0x8007010Eu), HCS_CLASS_OTHER);
    assert_int_equal(hcs_result_class((hcs_result) 0x80040117u), HCS_CLASS_OTHER);
}

static void every_class_has_a_name_of_its_own(void **state)
{
    (void) state;
    assert_int_equal(n_class_names, HCS_CLASS_NO_SPACE + 1);
    for (hcs_error_class i = 0; i < n_class_names; i++) {
        assert_non_null(class_names[i]);
        assert_ptr_equal(hcs_error_class_name(i), class_names[i]);
        for (hcs_error_class j = 0; j < i; j++)
            assert_string_not_equal(class_names[i], class_names[j]);
    }
    assert_string_equal(hcs_error_class_name(HCS_CLASS_CALLBACK_ALREADY_SET),
                        "callback already set");
    assert_string_equal(hcs_error_class_name(HCS_CLASS_NO_SPACE + 1), "other");
    assert_string_equal(hcs_error_class_name(UINT32_MAX), "other");
}

static void unknown_codes_are_other(void **state)
{
    hcs_result code = (hcs_result) 0x80FF1234u;

    (void) state;
    assert_null(hcs_result_name(code));
    assert_null(hcs_result_meaning(code));
    assert_null(hcs_result_advice(code));
    assert_int_equal(hcs_result_class(code), HCS_CLASS_OTHER);
    assert_int_equal(hcs_result_retryable(code), 0);
    assert_int_equal(hcs_result_errno(code), EIO);
}

static void success_is_no_failure(void **state)
{
    (void) state;
    assert_int_equal(hcs_result_class(HCS_OK), HCS_CLASS_NONE);
    assert_int_equal(hcs_result_class(1), HCS_CLASS_NONE);
    assert_int_equal(hcs_result_errno(HCS_OK), 0);
    assert_int_equal(hcs_result_retryable(HCS_OK), 0);
    assert_null(hcs_result_name(HCS_OK));
}

static void every_row_tells_meaning_and_advice(void **state)
{
    (void) state;
    for (size_t i = 0; i < n_error_rows; i++) {
        const struct error_row *row = &error_rows[i];

        assert_true(row->code < 0);
        assert_true(strlen(row->meaning) > 5 && strlen(row->advice) > 5);
        assert_null(strchr(".", row->meaning[strlen(row->meaning) - 1]));
        assert_true(row->error_class >= HCS_CLASS_OTHER && row->error_class <= HCS_CLASS_NO_SPACE);
        assert_true(row->os > 0);
    }
}

static void names_lead_back_to_their_codes(void **state)
{
    hcs_result code = 77;

    (void) state;
    for (size_t i = 0; i < n_error_rows; i++) {
        assert_int_equal(hcs_result_from_name(error_rows[i].name, &code), HCS_OK);
        assert_int_equal(code, error_rows[i].code);
    }
    assert_int_equal(hcs_result_from_name("hcs_e_invalid_json", &code), HCS_OK);
    assert_int_equal(code, HCS_E_INVALID_JSON);
    assert_int_equal(hcs_result_from_name("HCS_E_NONSENSE", &code), HCS_E_WIN32_NOT_FOUND);
    assert_int_equal(code, HCS_E_INVALID_JSON);
    assert_int_equal(hcs_result_from_name(NULL, &code), HCS_E_POINTER);
    assert_int_equal(hcs_result_from_name("HCS_E_FAIL", NULL), HCS_E_POINTER);
}

/* Microsoft's numbers are typed a third time: HCS_EVENT_TYPE of computedefs.h. */
static void event_kinds_have_microsofts_numbers(void **state)
{
    (void) state;
    for (size_t i = 0; i < n_event_rows; i++) {
        assert_int_equal(event_rows[i].kind, event_rows[i].number);
        assert_string_equal(hcs_event_kind_name(event_rows[i].kind), event_rows[i].name);
    }
    assert_string_equal(hcs_event_kind_name(0x00000001), "SystemExited");
    assert_string_equal(hcs_event_kind_name(0x00000002), "SystemCrashInitiated");
    assert_string_equal(hcs_event_kind_name(0x00000003), "SystemCrashReport");
    assert_string_equal(hcs_event_kind_name(0x00000004), "SystemRdpEnhancedModeStateChanged");
    assert_string_equal(hcs_event_kind_name(0x00000005), "SystemSiloJobCreated");
    assert_string_equal(hcs_event_kind_name(0x00000006), "SystemGuestConnectionClosed");
    assert_string_equal(hcs_event_kind_name(0x00010000), "ProcessExited");
    assert_string_equal(hcs_event_kind_name(0x01000000), "OperationCallback");
    assert_string_equal(hcs_event_kind_name(0x02000000), "ServiceDisconnect");
    assert_null(hcs_event_kind_name(0));
    assert_null(hcs_event_kind_name(0x4C48FFFF));
    assert_string_equal(hcs_event_kind_name(0x4C480102), "Bookmark");
    assert_string_equal(hcs_event_kind_name(0x4C480103), "ServiceReconnected");
}

static void kinds_are_found_by_their_names(void **state)
{
    hcs_event_kind kind = 7;

    (void) state;
    for (size_t i = 0; i < n_event_rows; i++) {
        assert_int_equal(hcs_event_kind_from_name(event_rows[i].name, &kind), HCS_OK);
        assert_int_equal(kind, event_rows[i].kind);
        assert_true(strlen(hcs_event_kind_meaning(kind)) > 10);
    }
    assert_string_equal(hcs_event_kind_meaning(HCS_EVENT_PROCESS_EXITED),
                        "a process of the system has exited");
    assert_null(hcs_event_kind_meaning(0));
    assert_int_equal(hcs_event_kind_from_name("processexited", &kind), HCS_OK);
    assert_int_equal(kind, HCS_EVENT_PROCESS_EXITED);
    assert_int_equal(hcs_event_kind_from_name("ProcessExite", &kind), HCS_E_WIN32_NOT_FOUND);
    assert_int_equal(hcs_event_kind_from_name("", &kind), HCS_E_WIN32_NOT_FOUND);
    assert_int_equal(hcs_event_kind_from_name(NULL, &kind), HCS_E_POINTER);
    assert_int_equal(kind, HCS_EVENT_PROCESS_EXITED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_computecore),
        cmocka_unit_test(numbers_of_the_older_api_have_their_twins_name),
        cmocka_unit_test(generic_numbers_are_those_of_winerror),
        cmocka_unit_test(every_row_is_in_the_second_list),
        cmocka_unit_test(classes_do_not_depend_on_the_family),
        cmocka_unit_test(numbers_often_mistaken_keep_their_meaning),
        cmocka_unit_test(both_families_are_classified_by_their_low_word),
        cmocka_unit_test(codes_of_winerror_have_the_class_of_their_cause),
        cmocka_unit_test(every_class_has_a_name_of_its_own),
        cmocka_unit_test(unknown_codes_are_other),
        cmocka_unit_test(success_is_no_failure),
        cmocka_unit_test(every_row_tells_meaning_and_advice),
        cmocka_unit_test(names_lead_back_to_their_codes),
        cmocka_unit_test(kinds_are_found_by_their_names),
        cmocka_unit_test(event_kinds_have_microsofts_numbers),
    };

    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
