/* create_options.c - HCS_CREATE_OPTIONS_1: the event callback is there before the system is, so
 * nothing is missed. */
#include "pattern.h"

struct watcher {
    HANDLE completed;
    HANDLE exited;
    HRESULT result;
};

static void CALLBACK on_event(HCS_EVENT *event, void *context)
{
    struct watcher *watcher = (struct watcher *) context;

    if (event->Type == HcsEventOperationCallback) {
        watcher->result = HcsGetOperationResult(event->Operation, NULL);
        SetEvent(watcher->completed);
    } else if (event->Type == HcsEventSystemExited || event->Type == HcsEventServiceDisconnect) {
        text_print(event->EventData);
        putchar('\n');
        SetEvent(watcher->exited);
    }
}

static void wait_for(const char *what, HRESULT started, struct watcher *watcher)
{
    must(what, started);
    if (WaitForSingleObject(watcher->completed, LIMIT_MS) != WAIT_OBJECT_0)
        give_up(what, E_FAIL);
    must(what, watcher->result);
}

int main(int argc, char **argv)
{
    struct plan *plan = plan_make(argc, argv);
    HCS_OPERATION operation = HcsCreateOperation(NULL, NULL);
    HCS_CREATE_OPTIONS_1 options = { 0 };
    struct watcher watcher = { 0 };
    HCS_SYSTEM system = NULL;
    HCS_PROCESS process = NULL;
    PWSTR status = NULL;
    int code;

    watcher.completed = CreateEventW(NULL, FALSE, FALSE, NULL);
    watcher.exited = CreateEventW(NULL, TRUE, FALSE, NULL);
    options.Version = HcsCreateOptions_1;
    options.CallbackOptions = HcsEventOptionEnableOperationCallbacks;
    options.CallbackContext = &watcher;
    options.Callback = on_event;
    wait_for("create",
             HcsCreateComputeSystemInNamespace(NULL, plan->id.units, plan->system.units, operation,
                                               &options.Version, &system),
             &watcher);
    wait_for("start", HcsStartComputeSystem(system, operation, NULL), &watcher);
    wait_for("create process",
             HcsCreateProcess(system, plan->process.units, operation, NULL, &process), &watcher);
    must("wait for the process", HcsWaitForProcessExit(process, LIMIT_MS, &status));
    code = exit_code_in(status);
    LocalFree(status);
    HcsCloseProcess(process);
    wait_for("terminate", HcsTerminateComputeSystem(system, operation, NULL), &watcher);
    if (WaitForSingleObject(watcher.exited, LIMIT_MS) != WAIT_OBJECT_0)
        give_up("no exit of the system", E_FAIL);
    HcsCloseOperation(operation);
    HcsCloseComputeSystem(system);
    CloseHandle(watcher.completed);
    CloseHandle(watcher.exited);
    free(plan);
    return code;
}
