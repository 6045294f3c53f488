/* flat_test.c - finding the flat API in a library. */
#include "over.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

static hcs_host *opened;

static void a_missing_library_is_said_when_the_host_is_opened(void **state)
{
    (void) state;
#ifdef _WIN32
    FAILS(hcs_host_open("computecore:C:\\no\\such.dll", &opened, &err),
          HCS_E_SERVICE_NOT_AVAILABLE);
    SAYS("such.dll");
#else
    FAILS(hcs_host_open("computecore:/no/such.so", &opened, &err), HCS_E_SERVICE_NOT_AVAILABLE);
    SAYS("/no/such.so");
#endif
    assert_null(opened);
}

static void a_path_must_be_absolute(void **state)
{
    (void) state;
    FAILS(hcs_host_open("computecore:libcomputecore.so.1", &opened, &err), HCS_E_INVALIDARG);
    SAYS("not an absolute path");
}

/* ---- functions that are missing ---- */

static const char *hidden;
static int asked;

static void *find_but_one(void *library, const char *name)
{
    (void) library;
    asked++;
    return strcmp(name, hidden) == 0 ? NULL : (void *) &asked;
}

static void every_needed_function_is_refused_by_its_name(void **state)
{
    static const char *const needed[] = {
#define NAME(type, name, parameters) #name,
#define NONE(type, name, parameters)
        FLAT_FUNCTIONS(NAME, NONE) "LocalFree",
#undef NAME
#undef NONE
    };
    struct flat_api api;

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(needed); i++) {
        memset(&api, 0xAB, sizeof api);
        hidden = needed[i];
        FAILS(flat_fill(find_but_one, NULL, "some.dll", &api, &err), HCS_E_WIN32_PROC_NOT_FOUND);
        SAYS(needed[i]);
        SAYS("some.dll");
        for (size_t b = 0; b < sizeof api; b++)
            assert_int_equal(((unsigned char *) &api)[b], 0xAB);
    }
}

static void a_newer_function_may_be_missing(void **state)
{
    static const char *const newer[] = { "HcsGetServiceProperties", "HcsWaitForComputeSystemExit",
                                         "HcsWaitForProcessExit" };
    struct flat_api api;

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(newer); i++) {
        hidden = newer[i];
        OK(flat_fill(find_but_one, NULL, "some.dll", &api, &err));
    }
    assert_true(api.HcsWaitForProcessExit == NULL);
    assert_true(api.HcsGetServiceProperties != NULL);
}

#ifndef _WIN32

static void a_library_that_is_something_else_is_refused(void **state)
{
    char address[4096];
    Dl_info c_library;

    (void) state;
    assert_true(dladdr(dlsym(RTLD_DEFAULT, "getppid"), &c_library) != 0);
    snprintf(address, sizeof address, "computecore:%s", c_library.dli_fname);
    FAILS(hcs_host_open(address, &opened, &err), HCS_E_WIN32_PROC_NOT_FOUND);
    SAYS("HcsEnumerateComputeSystems");
    SAYS(c_library.dli_fname);
}

static void a_provider_can_be_a_library(void **state)
{
    char address[4096];
    hcs_system *system = NULL;
    hcs_process *process = NULL;
    hcs_exit report = HCS_EXIT_INIT;
    char *info = NULL;

    (void) state;
    snprintf(address, sizeof address, "computecore:%s", getenv("HCS_TEST_PROVIDER"));
    OK(hcs_host_open(address, &opened, &err));
    OK(hcs_host_info(opened, &info, &err));
    assert_non_null(strstr(info, "\"backend\":\"computecore\""));
    assert_non_null(strstr(info, "provider_for_tests"));
    hcs_string_free(info);
    OK(hcs_system_create(opened, "in-a-library", "{}", &system, NULL, &err));
    OK(hcs_system_start(system, NULL, &err));
    OK(hcs_process_create(system, "{\"CommandArgs\":[\"exit\",\"42\"]}", NULL, &process, NULL,
                          &err));
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.code, 42);
    hcs_process_close(process);
    OK(hcs_system_terminate(system, NULL, &err));
    OK(hcs_system_wait(system, DEADLINE_MS, &report, &err));
    assert_int_equal(report.type, HCS_EXIT_TYPE_FORCED);
    hcs_system_close(system);
    hcs_host_close(opened);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_library_is_said_when_the_host_is_opened),
        cmocka_unit_test(a_path_must_be_absolute),
        cmocka_unit_test(every_needed_function_is_refused_by_its_name),
        cmocka_unit_test(a_newer_function_may_be_missing),
#ifndef _WIN32
        cmocka_unit_test(a_library_that_is_something_else_is_refused),
        cmocka_unit_test(a_provider_can_be_a_library),
#endif
    };

    return cmocka_run_group_tests_name("flat", tests, NULL, NULL);
}
