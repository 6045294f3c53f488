/* event_kinds.c - event callbacks of a system and of a process, with a line for every event of any
 * kind.  The exit code comes from the ProcessExited event: a system has none. */
#include "pattern.h"

struct watcher {
    HANDLE exited;
    int code;
};

static const char *kind_name(HCS_EVENT_TYPE type)
{
    switch (type) {
    case HcsEventInvalid:
        return "Invalid";
    case HcsEventSystemExited:
        return "SystemExited";
    case HcsEventSystemCrashInitiated:
        return "SystemCrashInitiated";
    case HcsEventSystemCrashReport:
        return "SystemCrashReport";
    case HcsEventSystemRdpEnhancedModeStateChanged:
        return "SystemRdpEnhancedModeStateChanged";
    case HcsEventSystemSiloJobCreated:
        return "SystemSiloJobCreated";
    case HcsEventSystemGuestConnectionClosed:
        return "SystemGuestConnectionClosed";
    case HcsEventProcessExited:
        return "ProcessExited";
    case HcsEventOperationCallback:
        return "OperationCallback";
    case HcsEventServiceDisconnect:
        return "ServiceDisconnect";
    default:
        return "unknown, ignored"; /* newer versions have more; none of them is an exit */
    }
}

static void event_print(const HCS_EVENT *event)
{
    printf("%s 0x%08lx ", kind_name(event->Type), (unsigned long) (DWORD) event->Type);
    text_print(event->EventData);
    putchar('\n');
    fflush(stdout);
}

static void CALLBACK on_system_event(HCS_EVENT *event, void *context)
{
    struct watcher *watcher = (struct watcher *) context;

    event_print(event);
    if (event->Type == HcsEventSystemExited || event->Type == HcsEventServiceDisconnect)
        SetEvent(watcher->exited);
}

static void CALLBACK on_process_event(HCS_EVENT *event, void *context)
{
    struct watcher *watcher = (struct watcher *) context;

    event_print(event);
    if (event->Type == HcsEventProcessExited)
        watcher->code = exit_code_in(event->EventData);
    if (event->Type == HcsEventProcessExited || event->Type == HcsEventServiceDisconnect)
        SetEvent(watcher->exited);
}

static void wait_for(const char *what, HRESULT started, HCS_OPERATION operation)
{
    must(what, started);
    must(what, HcsWaitForOperationResult(operation, LIMIT_MS, NULL));
}

static void wait_exited(const char *what, struct watcher *watcher)
{
    if (WaitForSingleObject(watcher->exited, LIMIT_MS) != WAIT_OBJECT_0)
        give_up(what, E_FAIL);
}

int main(int argc, char **argv)
{
    struct plan *plan = plan_make(argc, argv);
    HCS_OPERATION operation = HcsCreateOperation(NULL, NULL);
    struct watcher of_system = { 0 }, of_process = { 0 };
    HCS_SYSTEM system = NULL;
    HCS_PROCESS process = NULL;

    of_process.code = PATTERN_FAILED;
    of_system.exited = CreateEventW(NULL, FALSE, FALSE, NULL);
    of_process.exited = CreateEventW(NULL, FALSE, FALSE, NULL);
    wait_for("create",
             HcsCreateComputeSystem(plan->id.units, plan->system.units, operation, NULL, &system),
             operation);
    must("set callback",
         HcsSetComputeSystemCallback(system, HcsEventOptionNone, &of_system, on_system_event));
    wait_for("start", HcsStartComputeSystem(system, operation, NULL), operation);
    wait_for("create process",
             HcsCreateProcess(system, plan->process.units, operation, NULL, &process), operation);
    must("set callback of the process",
         HcsSetProcessCallback(process, HcsEventOptionNone, &of_process, on_process_event));
    wait_exited("no exit of the process", &of_process);
    if (of_process.code != PATTERN_FAILED)
        wait_for("terminate", HcsTerminateComputeSystem(system, operation, NULL), operation);
    wait_exited("no exit of the system", &of_system);
    HcsCloseOperation(operation);
    HcsCloseProcess(process); /* from here on nothing calls us */
    HcsCloseComputeSystem(system);
    CloseHandle(of_system.exited);
    CloseHandle(of_process.exited);
    free(plan);
    return of_process.code;
}
