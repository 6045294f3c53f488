/* wait_sync.c - the simplest client: one operation, used again and again, and waited for. */
#include "pattern.h"

static void wait_for(const char *what, HRESULT started, HCS_OPERATION operation)
{
    PWSTR document = NULL;
    HRESULT result;

    must(what, started);
    result = HcsWaitForOperationResult(operation, LIMIT_MS, &document);
    text_print(document);
    LocalFree(document);
    must(what, result);
}

int main(int argc, char **argv)
{
    struct plan *plan = plan_make(argc, argv);
    HCS_OPERATION operation = HcsCreateOperation(NULL, NULL);
    HCS_PROCESS_INFORMATION information = { 0 };
    HCS_SYSTEM system = NULL;
    HCS_PROCESS process = NULL;
    PWSTR status = NULL;
    int code;

    wait_for("create",
             HcsCreateComputeSystem(plan->id.units, plan->system.units, operation, NULL, &system),
             operation);
    wait_for("start", HcsStartComputeSystem(system, operation, NULL), operation);
    must("create process",
         HcsCreateProcess(system, plan->process.units, operation, NULL, &process));
    must("create process",
         HcsWaitForOperationResultAndProcessInfo(operation, LIMIT_MS, &information, NULL));
    must("wait for the process", HcsWaitForProcessExit(process, LIMIT_MS, &status));
    code = exit_code_in(status);
    LocalFree(status);
    HcsCloseProcess(process);
    wait_for("terminate", HcsTerminateComputeSystem(system, operation, NULL), operation);
    must("wait for the system", HcsWaitForComputeSystemExit(system, LIMIT_MS, NULL));
    HcsCloseOperation(operation);
    HcsCloseComputeSystem(system);
    free(plan);
    return code;
}
