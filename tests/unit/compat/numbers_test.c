/* numbers_test.c - names, numbers and sizes of the flat API's headers, typed here once more from
 * Microsoft's documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "computecore.h"

#define IS(name, number)                                                                           \
    do {                                                                                           \
        if ((uint32_t) (name) != (uint32_t) (number))                                              \
            fail_msg("%s is 0x%x instead of 0x%x", #name, (unsigned) (name), (unsigned) (number)); \
    } while (0)

static void operation_types(void **state)
{
    (void) state;
    IS(HcsOperationTypeNone, -1);
    IS(HcsOperationTypeEnumerate, 0);
    IS(HcsOperationTypeCreate, 1);
    IS(HcsOperationTypeStart, 2);
    IS(HcsOperationTypeShutdown, 3);
    IS(HcsOperationTypePause, 4);
    IS(HcsOperationTypeResume, 5);
    IS(HcsOperationTypeSave, 6);
    IS(HcsOperationTypeTerminate, 7);
    IS(HcsOperationTypeModify, 8);
    IS(HcsOperationTypeGetProperties, 9);
    IS(HcsOperationTypeCreateProcess, 10);
    IS(HcsOperationTypeSignalProcess, 11);
    IS(HcsOperationTypeGetProcessInfo, 12);
    IS(HcsOperationTypeGetProcessProperties, 13);
    IS(HcsOperationTypeModifyProcess, 14);
    IS(HcsOperationTypeCrash, 15);
    IS(HcsOperationTypeLiveMigration, 19);
    assert_true(HCS_INVALID_OPERATION_ID == UINT64_MAX);
}

static void event_types_and_options(void **state)
{
    (void) state;
    IS(HcsEventInvalid, 0);
    IS(HcsEventSystemExited, 1);
    IS(HcsEventSystemCrashInitiated, 2);
    IS(HcsEventSystemCrashReport, 3);
    IS(HcsEventSystemRdpEnhancedModeStateChanged, 4);
    IS(HcsEventSystemSiloJobCreated, 5);
    IS(HcsEventSystemGuestConnectionClosed, 6);
    IS(HcsEventProcessExited, 0x00010000);
    IS(HcsEventOperationCallback, 0x01000000);
    IS(HcsEventServiceDisconnect, 0x02000000);
    IS(HcsEventGroupVmLifecycle, 0x80000002);
    IS(HcsEventGroupLiveMigration, 0x80000003);
    IS(HcsEventGroupOperationInfo, 0xC0000001);
    IS(HcsEventOptionNone, 0);
    IS(HcsEventOptionEnableOperationCallbacks, 1);
    IS(HcsEventOptionEnableVmLifecycle, 2);
    IS(HcsEventOptionEnableLiveMigrationEvents, 4);
    IS(HcsCreateOptions_1, 0x00010000);
    IS(HcsOperationOptionProgressUpdate, 1);
    IS(HcsResourceTypeFile, 1);
    IS(HcsResourceTypeJob, 2);
    IS(HcsResourceTypeComObject, 3);
    IS(HcsResourceTypeSocket, 4);
}

static void notifications_of_the_older_api(void **state)
{
    (void) state;
    IS(HcsNotificationSystemExited, 1);
    IS(HcsNotificationSystemCreateCompleted, 2);
    IS(HcsNotificationSystemStartCompleted, 3);
    IS(HcsNotificationSystemPauseCompleted, 4);
    IS(HcsNotificationSystemResumeCompleted, 5);
    IS(HcsNotificationSystemCrashReport, 6);
    IS(HcsNotificationSystemSiloJobCreated, 7);
    IS(HcsNotificationSystemSaveCompleted, 8);
    IS(HcsNotificationSystemRdpEnhancedModeStateChanged, 9);
    IS(HcsNotificationSystemShutdownFailed, 10);
    IS(HcsNotificationSystemShutdownCompleted, 10);
    IS(HcsNotificationSystemGetPropertiesCompleted, 11);
    IS(HcsNotificationSystemModifyCompleted, 12);
    IS(HcsNotificationSystemCrashInitiated, 13);
    IS(HcsNotificationSystemGuestConnectionClosed, 14);
    IS(HcsNotificationSystemOperationCompletion, 15);
    IS(HcsNotificationSystemPassThru, 16);
    IS(HcsNotificationProcessExited, 0x00010000);
    IS(HcsNotificationServiceDisconnect, 0x01000000);
    IS(HcsNotificationFlagsReserved, 0xF0000000);
    IS(HcsNotificationFlagFailure, 0x80000000);
}

static void result_codes(void **state)
{
    (void) state;
    IS(HCS_E_INVALID_STATE, 0x80370105);
    IS(HCS_E_INVALID_JSON, 0x8037010D);
    IS(HCS_E_SYSTEM_NOT_FOUND, 0x8037010E);
    IS(HCS_E_SYSTEM_ALREADY_EXISTS, 0x8037010F);
    IS(HCS_E_SYSTEM_ALREADY_STOPPED, 0x80370110);
    IS(HCS_E_OPERATION_NOT_STARTED, 0x80370115);
    IS(HCS_E_OPERATION_ALREADY_STARTED, 0x80370116);
    IS(HCS_E_OPERATION_PENDING, 0x80370117);
    IS(HCS_E_OPERATION_TIMEOUT, 0x80370118);
    IS(HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET, 0x80370119);
    IS(HCS_E_OPERATION_RESULT_ALLOCATION_FAILED, 0x8037011A);
    IS(HCS_E_SERVICE_DISCONNECT, 0x8037011E);
    IS(HCS_E_PROCESS_ALREADY_STOPPED, 0x8037011F);
    IS(E_NOTIMPL, 0x80004001);
    IS(E_POINTER, 0x80004003);
    IS(E_FAIL, 0x80004005);
    IS(E_UNEXPECTED, 0x8000FFFF);
    IS(E_ACCESSDENIED, 0x80070005);
    IS(E_HANDLE, 0x80070006);
    IS(E_OUTOFMEMORY, 0x8007000E);
    IS(E_INVALIDARG, 0x80070057);
    IS(HRESULT_FROM_WIN32(ERROR_NOT_FOUND), 0x80070490);
    IS(HRESULT_FROM_WIN32(0), 0);
    IS(INFINITE, 0xFFFFFFFF);
    IS(GENERIC_ALL, 0x10000000);
    IS(WAIT_TIMEOUT, 258);
}

static void sizes_and_offsets(void **state)
{
    (void) state;
    IS(sizeof(WCHAR), 2);
    IS(sizeof(DWORD), 4);
    IS(sizeof(HRESULT), 4);
    IS(sizeof(HANDLE), 8);
    IS(sizeof(HCS_EVENT_TYPE), 4);
    IS(sizeof(HCS_OPERATION_TYPE), 4);
    IS(sizeof(HCS_EVENT), 24);
    IS(offsetof(HCS_EVENT, Type), 0);
    IS(offsetof(HCS_EVENT, EventData), 8);
    IS(offsetof(HCS_EVENT, Operation), 16);
    IS(sizeof(HCS_PROCESS_INFORMATION), 32);
    IS(offsetof(HCS_PROCESS_INFORMATION, ProcessId), 0);
    IS(offsetof(HCS_PROCESS_INFORMATION, Reserved), 4);
    IS(offsetof(HCS_PROCESS_INFORMATION, StdInput), 8);
    IS(offsetof(HCS_PROCESS_INFORMATION, StdOutput), 16);
    IS(offsetof(HCS_PROCESS_INFORMATION, StdError), 24);
    IS(sizeof(HCS_CREATE_OPTIONS_1), 48);
    IS(offsetof(HCS_CREATE_OPTIONS_1, Version), 0);
    IS(offsetof(HCS_CREATE_OPTIONS_1, UserToken), 8);
    IS(offsetof(HCS_CREATE_OPTIONS_1, SecurityDescriptor), 16);
    IS(offsetof(HCS_CREATE_OPTIONS_1, CallbackOptions), 24);
    IS(offsetof(HCS_CREATE_OPTIONS_1, CallbackContext), 32);
    IS(offsetof(HCS_CREATE_OPTIONS_1, Callback), 40);
}

static void handles_carry_descriptors(void **state)
{
    (void) state;
    assert_int_equal(HANDLE_TO_FD(HANDLE_FROM_FD(7)), 7);
    assert_int_equal(HANDLE_TO_FD(NULL), -1);
    assert_int_equal(HANDLE_TO_FD(INVALID_HANDLE_VALUE), -1);
    assert_ptr_equal(HANDLE_FROM_FD(-1), INVALID_HANDLE_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operation_types),
        cmocka_unit_test(event_types_and_options),
        cmocka_unit_test(notifications_of_the_older_api),
        cmocka_unit_test(result_codes),
        cmocka_unit_test(sizes_and_offsets),
        cmocka_unit_test(handles_carry_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
