/* service.c - what the flat API asks of the service as a whole.
 *
 * Owns nothing.  Used by programs.  Promises that what this version has not says so, E_NOTIMPL, and
 * does nothing. */
#include "host.h"
#include "operation.h"
#include "options.h"
#include "properties.h"
#include "text.h"

/* ---- enumerate ---- */

static HRESULT finish_enumerate(struct use *use, char **out_document, hcs_error *err)
{
    _cleanup_(host_putp) struct shared_host *host = NULL;
    char *document = NULL;
    HRESULT r = host_get(&host, err);

    if (r >= 0)
        r = hcs_host_enumerate(host->host, use->text, &document, err);
    if (r >= 0)
        r = properties_of_list(document, out_document, err);
    hcs_string_free(document);
    return r;
}

HRESULT WINAPI HcsEnumerateComputeSystems(PCWSTR query, HCS_OPERATION operation)
{
    return HcsEnumerateComputeSystemsInNamespace(NULL, query, operation);
}

HRESULT WINAPI HcsEnumerateComputeSystemsInNamespace(PCWSTR idNamespace, PCWSTR query,
                                                     HCS_OPERATION operation)
{
    _cleanup_(free_drop) char *text = NULL;
    hcs_error err = HCS_ERROR_INIT;
    struct use *use = NULL;
    HRESULT r = S_OK;

    if (idNamespace && idNamespace[0])
        r = fail(&err, E_NOTIMPL, "service", "there are no namespaces of ids in this version");
    if (r >= 0 && query && query[0])
        r = text_from_flat(query, HCS_E_INVALID_JSON, "query", &text, &err);
    if (r < 0)
        return use_refuse(operation, HcsOperationTypeEnumerate, r, &err);
    r = use_begin(operation, HcsOperationTypeEnumerate, NULL, NULL, &use, &err);
    if (r < 0)
        return r;
    use->text = TAKE(text);
    use_go(use, finish_enumerate);
    return S_OK;
}

/* ---- the service itself ---- */

static HRESULT give_error(HRESULT r, const hcs_error *err, PWSTR *result)
{
    _cleanup_(free_drop) char *document = text_result_error(r, err);
    HRESULT given = text_give(document, result);

    (void) given; /* the code itself matters more */
    return r;
}

HRESULT WINAPI HcsGetServiceProperties(PCWSTR propertyQuery, PWSTR *result)
{
    _cleanup_(free_drop) char *document = NULL;
    hcs_error err = HCS_ERROR_INIT;
    size_t n = 0;
    HRESULT r;

    if (!result)
        return E_POINTER;
    *result = NULL;
    r = options_service_query(propertyQuery, &n, &err);
    if (r >= 0)
        r = properties_of_service(n, &document, &err);
    return r < 0 ? give_error(r, &err, result) : text_give(document, result);
}

HRESULT WINAPI HcsModifyServiceSettings(PCWSTR settings, PWSTR *result)
{
    hcs_error err = HCS_ERROR_INIT;
    HRESULT r = fail(&err, E_NOTIMPL, "service", "the service has no settings in this version");

    (void) settings;
    return give_error(r, &err, result);
}

HRESULT WINAPI HcsSubmitWerReport(PCWSTR settings)
{
    (void) settings;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsCreateEmptyGuestStateFile(PCWSTR guestStateFilePath)
{
    (void) guestStateFilePath;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsCreateEmptyRuntimeStateFile(PCWSTR runtimeStateFilePath)
{
    (void) runtimeStateFilePath;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsGrantVmAccess(PCWSTR vmId, PCWSTR filePath)
{
    (void) vmId, (void) filePath;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsRevokeVmAccess(PCWSTR vmId, PCWSTR filePath)
{
    (void) vmId, (void) filePath;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsGrantVmGroupAccess(PCWSTR filePath)
{
    (void) filePath;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsRevokeVmGroupAccess(PCWSTR filePath)
{
    (void) filePath;
    return E_NOTIMPL;
}

HRESULT WINAPI HcsGetProcessorCompatibilityFromSavedState(PCWSTR RuntimeFileName,
                                                          PCWSTR *ProcessorFeaturesString)
{
    (void) RuntimeFileName;
    if (ProcessorFeaturesString)
        *ProcessorFeaturesString = NULL;
    return E_NOTIMPL;
}
