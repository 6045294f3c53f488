/* system.c - the public functions of system.h.
 *
 * Owns nothing: what is behind a handle is the back end's.  Users: user programs.  Promises that a
 * bad id or size is refused before anybody is asked. */
#include "backend.h"
#include "deadline.h"
#include "doc.h"
#include "report.h"

hcs_result hcs_system_create(hcs_host *host, const char *id, const char *document, hcs_system **out,
                             hcs_op **out_op_opt, hcs_error *err)
{
    hcs_result r;

    NEED(host, "hcs_system_create");
    NEED(id, "hcs_system_create");
    NEED(document, "hcs_system_create");
    NEED(out, "hcs_system_create");
    r = doc_check_id(id, err);
    if (r < 0)
        return r;
    return host->backend->system_create(host, id, document, out, out_op_opt, err);
}

hcs_result hcs_system_open(hcs_host *host, const char *id, hcs_system **out, hcs_error *err)
{
    hcs_result r;

    NEED(host, "hcs_system_open");
    NEED(id, "hcs_system_open");
    NEED(out, "hcs_system_open");
    r = doc_check_id(id, err);
    if (r < 0)
        return r;
    return host->backend->system_open(host, id, out, err);
}

void hcs_system_close(hcs_system *system)
{
    if (system)
        system->backend->system_close(system);
}

const char *hcs_system_id(const hcs_system *system)
{
    return system ? system->id : "";
}

hcs_result hcs_system_start(hcs_system *system, hcs_op **out_op_opt, hcs_error *err)
{
    NEED(system, "hcs_system_start");
    return system->backend->system_verb(system, SYSTEM_START, out_op_opt, err);
}

hcs_result hcs_system_shut_down(hcs_system *system, hcs_op **out_op_opt, hcs_error *err)
{
    NEED(system, "hcs_system_shut_down");
    return system->backend->system_verb(system, SYSTEM_SHUT_DOWN, out_op_opt, err);
}

hcs_result hcs_system_terminate(hcs_system *system, hcs_op **out_op_opt, hcs_error *err)
{
    NEED(system, "hcs_system_terminate");
    return system->backend->system_verb(system, SYSTEM_TERMINATE, out_op_opt, err);
}

hcs_result hcs_system_wait(hcs_system *system, int timeout_ms, hcs_exit *out, hcs_error *err)
{
    hcs_exit report = HCS_EXIT_INIT;
    uint64_t deadline;
    hcs_result r;

    NEED(system, "hcs_system_wait");
    r = report_check(out, "hcs_system_wait", err);
    if (r >= 0)
        r = deadline_of(timeout_ms, "hcs_system_wait", &deadline, err);
    if (r >= 0)
        r = system->backend->system_wait(system, deadline, timeout_ms, &report, err);
    if (r >= 0)
        report_give(&report, out);
    return r;
}

hcs_result hcs_system_properties(hcs_system *system, char **out_document, hcs_error *err)
{
    NEED(system, "hcs_system_properties");
    NEED(out_document, "hcs_system_properties");
    return system->backend->system_properties(system, out_document, err);
}

hcs_result hcs_system_forget(hcs_system *system, hcs_error *err)
{
    NEED(system, "hcs_system_forget");
    return system->backend->system_forget(system, err);
}
