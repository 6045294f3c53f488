/* process.c - the public functions of process.h.
 *
 * Owns nothing: what is behind a handle is the back end's.  Users: user programs. */
#include "backend.h"
#include "deadline.h"
#include "report.h"

hcs_result hcs_process_create(hcs_system *system, const char *parameters,
                              const hcs_stdio *stdio_opt, hcs_process **out, hcs_op **out_op_opt,
                              hcs_error *err)
{
    NEED(system, "hcs_process_create");
    NEED(parameters, "hcs_process_create");
    NEED(out, "hcs_process_create");
    if (stdio_opt && stdio_opt->size < sizeof(*stdio_opt))
        return fail(err, HCS_E_INVALIDARG, "hcs_process_create",
                    "size of hcs_stdio is %u; HCS_STDIO_INIT sets it", stdio_opt->size);
    return system->backend->process_create(system, parameters, stdio_opt, out, out_op_opt, err);
}

hcs_result hcs_process_open(hcs_system *system, uint32_t process_id, hcs_process **out,
                            hcs_error *err)
{
    NEED(system, "hcs_process_open");
    NEED(out, "hcs_process_open");
    return system->backend->process_open(system, process_id, out, err);
}

uint32_t hcs_process_id(const hcs_process *process)
{
    /* To the user a question, to a back end the moment to take over what an operation brought. */
    hcs_process *self = (hcs_process *) (uintptr_t) process;

    return self ? self->backend->process_id(self) : 0;
}

hcs_pollable hcs_process_take_stdio(hcs_process *process, hcs_stdio_which which)
{
    if (!process || which > HCS_STDERR)
        return HCS_POLLABLE_NONE;
    return process->backend->process_take_stdio(process, which);
}

hcs_result hcs_process_wait(hcs_process *process, int timeout_ms, hcs_exit *out, hcs_error *err)
{
    hcs_exit report = HCS_EXIT_INIT;
    uint64_t deadline;
    hcs_result r;

    NEED(process, "hcs_process_wait");
    r = report_check(out, "hcs_process_wait", err);
    if (r >= 0)
        r = deadline_of(timeout_ms, "hcs_process_wait", &deadline, err);
    if (r >= 0)
        r = process->backend->process_wait(process, deadline, timeout_ms, &report, err);
    if (r >= 0)
        report_give(&report, out);
    return r;
}

hcs_result hcs_process_signal(hcs_process *process, int signal, hcs_error *err)
{
    NEED(process, "hcs_process_signal");
    if (signal < 1)
        return fail(err, HCS_E_INVALIDARG, "process.signal", "%d is not a signal", signal);
    return process->backend->process_signal(process, signal, err);
}

void hcs_process_close(hcs_process *process)
{
    if (process)
        process->backend->process_close(process);
}
