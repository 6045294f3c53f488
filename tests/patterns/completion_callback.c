/* completion_callback.c - an operation for each call; its callback reads the result, and closes the
 * operation where it is. */
#include "pattern.h"

struct completion {
    HANDLE done;
    HCS_OPERATION_TYPE type;
    HRESULT result;
};

static void CALLBACK on_completion(HCS_OPERATION operation, void *context)
{
    struct completion *completion = (struct completion *) context;
    PWSTR document = NULL;

    completion->type = HcsGetOperationType(operation);
    completion->result = HcsGetOperationResult(operation, &document);
    LocalFree(document);
    HcsCloseOperation(operation);
    SetEvent(completion->done);
}

static void wait_for(const char *what, HRESULT started, struct completion *completion,
                     HCS_OPERATION_TYPE type)
{
    must(what, started);
    if (WaitForSingleObject(completion->done, LIMIT_MS) != WAIT_OBJECT_0)
        give_up(what, E_FAIL);
    must(what, completion->result);
    if (completion->type != type)
        give_up("type of the operation", E_UNEXPECTED);
}

static HCS_OPERATION operation_for(struct completion *completion)
{
    return HcsCreateOperation(completion, on_completion);
}

int main(int argc, char **argv)
{
    struct plan *plan = plan_make(argc, argv);
    struct completion completion = { 0 };
    HCS_SYSTEM system = NULL;
    HCS_PROCESS process = NULL;
    PWSTR status = NULL;
    int code;

    completion.done = CreateEventW(NULL, FALSE, FALSE, NULL);
    wait_for("create",
             HcsCreateComputeSystem(plan->id.units, plan->system.units, operation_for(&completion),
                                    NULL, &system),
             &completion, HcsOperationTypeCreate);
    wait_for("start", HcsStartComputeSystem(system, operation_for(&completion), NULL), &completion,
             HcsOperationTypeStart);
    wait_for(
        "create process",
        HcsCreateProcess(system, plan->process.units, operation_for(&completion), NULL, &process),
        &completion, HcsOperationTypeCreateProcess);
    must("wait for the process", HcsWaitForProcessExit(process, LIMIT_MS, &status));
    code = exit_code_in(status);
    LocalFree(status);
    HcsCloseProcess(process);
    wait_for("terminate", HcsTerminateComputeSystem(system, operation_for(&completion), NULL),
             &completion, HcsOperationTypeTerminate);
    HcsCloseComputeSystem(system);
    CloseHandle(completion.done);
    free(plan);
    return code;
}
