/* operation_events.c - completions through the event callback: set right after the create call, it
 * hears of every operation of the handle, and an operation with a callback of its own is
 * refused. */
#include "pattern.h"

struct watcher {
    HANDLE completed;
    HANDLE exited;
    HCS_OPERATION_TYPE type;
    HRESULT result;
};

static void CALLBACK on_event(HCS_EVENT *event, void *context)
{
    struct watcher *watcher = (struct watcher *) context;

    switch (event->Type) {
    case HcsEventOperationCallback:
        watcher->type = HcsGetOperationType(event->Operation);
        watcher->result = HcsGetOperationResult(event->Operation, NULL);
        HcsCloseOperation(event->Operation);
        SetEvent(watcher->completed);
        break;
    case HcsEventSystemExited:
        SetEvent(watcher->exited);
        break;
    default:
        break;
    }
}

static void CALLBACK never(HCS_OPERATION operation, void *context)
{
    (void) operation, (void) context;
    give_up("a callback of an operation that was refused", E_UNEXPECTED);
}

static void wait_for(const char *what, HRESULT started, struct watcher *watcher,
                     HCS_OPERATION_TYPE type)
{
    must(what, started);
    if (WaitForSingleObject(watcher->completed, LIMIT_MS) != WAIT_OBJECT_0)
        give_up(what, E_FAIL);
    must(what, watcher->result);
    if (watcher->type != type)
        give_up("type of the operation", E_UNEXPECTED);
}

static void expect_refusal(HCS_SYSTEM system)
{
    HCS_OPERATION operation = HcsCreateOperation(NULL, never);
    HRESULT result = HcsStartComputeSystem(system, operation, NULL);

    if (result != HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET)
        give_up("an operation with a callback is not refused", result);
    printf("refused: 0x%08lx\n", (unsigned long) (DWORD) result);
    HcsCloseOperation(operation);
}

int main(int argc, char **argv)
{
    struct plan *plan = plan_make(argc, argv);
    struct watcher watcher = { 0 };
    HCS_SYSTEM system = NULL;
    HCS_PROCESS process = NULL;
    PWSTR status = NULL;
    HRESULT result;
    int code;

    watcher.completed = CreateEventW(NULL, FALSE, FALSE, NULL);
    watcher.exited = CreateEventW(NULL, TRUE, FALSE, NULL);
    result = HcsCreateComputeSystem(plan->id.units, plan->system.units,
                                    HcsCreateOperation(NULL, NULL), NULL, &system);
    must("set callback", HcsSetComputeSystemCallback(system, HcsEventOptionEnableOperationCallbacks,
                                                     &watcher, on_event));
    wait_for("create", result, &watcher, HcsOperationTypeCreate);
    expect_refusal(system);
    wait_for("start", HcsStartComputeSystem(system, HcsCreateOperation(NULL, NULL), NULL), &watcher,
             HcsOperationTypeStart);
    wait_for("create process",
             HcsCreateProcess(system, plan->process.units, HcsCreateOperation(NULL, NULL), NULL,
                              &process),
             &watcher, HcsOperationTypeCreateProcess);
    must("wait for the process", HcsWaitForProcessExit(process, LIMIT_MS, &status));
    code = exit_code_in(status);
    LocalFree(status);
    HcsCloseProcess(process);
    wait_for("terminate", HcsTerminateComputeSystem(system, HcsCreateOperation(NULL, NULL), NULL),
             &watcher, HcsOperationTypeTerminate);
    if (WaitForSingleObject(watcher.exited, LIMIT_MS) != WAIT_OBJECT_0)
        give_up("no exit of the system", E_FAIL);
    HcsCloseComputeSystem(system);
    CloseHandle(watcher.completed);
    CloseHandle(watcher.exited);
    free(plan);
    return code;
}
