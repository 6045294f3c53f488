/* options_test.c - the small documents that calls of the flat API take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h" /* before cmocka.h, which has another fail() */

#include <cmocka.h>

static hcs_error err = HCS_ERROR_INIT;

#define GIVES(call, expected)                                                                      \
    do {                                                                                           \
        HRESULT got_ = (call);                                                                     \
        if (got_ != (expected))                                                                    \
            fail_msg("%s: 0x%08x (%s) instead of %s", #call, (unsigned) got_, err.text,            \
                     #expected);                                                                   \
    } while (0)

static void reserved_options_are_empty(void **state)
{
    static const PCWSTR empty[] = { NULL, u"", u"  \t\r\n", u"{}", u" { } " };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(empty); i++)
        GIVES(options_reserved(empty[i], &err), S_OK);
    GIVES(options_reserved(u"{\"a\":1}", &err), E_INVALIDARG);
    GIVES(options_reserved(u"[]", &err), HCS_E_INVALID_JSON);
    GIVES(options_reserved(u"{", &err), HCS_E_INVALID_JSON);
    GIVES(options_reserved(u"{\"a\":1,\"a\":2}", &err), HCS_E_INVALID_JSON);
    GIVES(options_reserved(u"{} {}", &err), HCS_E_INVALID_JSON);
}

static void shutdown_options(void **state)
{
    static const struct {
        PCWSTR text;
        HRESULT result;
    } rows[] = {
        { NULL, S_OK },
        { u"{\"Mechanism\":\"GuestConnection\"}", S_OK },
        { u"{\"Mechanism\":\"IntegrationService\",\"Type\":\"Shutdown\",\"Force\":false,"
          u"\"Reason\":\"because\"}",
          S_OK },
        { u"{\"Mechanism\":null}", S_OK },
        { u"{\"Mechanism\":\"Telepathy\"}", HCS_E_INVALID_JSON },
        { u"{\"Mechanism\":1}", HCS_E_INVALID_JSON },
        { u"{\"Type\":\"shutdown\"}", HCS_E_INVALID_JSON },
        { u"{\"Type\":\"Hibernate\"}", E_NOTIMPL },
        { u"{\"Type\":\"Reboot\"}", E_NOTIMPL },
        { u"{\"Force\":true}", E_NOTIMPL },
        { u"{\"Force\":1}", HCS_E_INVALID_JSON },
        { u"{\"Reason\":1}", HCS_E_INVALID_JSON },
        { u"{\"TimeoutSeconds\":1}", HCS_E_INVALID_JSON },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++)
        GIVES(options_shutdown(rows[i].text, &err), rows[i].result);
}

static void signals(void **state)
{
    static const struct {
        PCWSTR text;
        int number;
    } rows[] = {
        { NULL, 15 },
        { u"{}", 15 },
        { u"{\"Signal\":1}", 1 },
        { u"{\"Signal\":64}", 64 },
        { u"{\"Signal\":\"SIGKILL\"}", 9 },
        { u"{\"Signal\":\"USR1\"}", 10 },
        { u"{\"Signal\":\"CtrlC\"}", 2 },
        { u"{\"Signal\":\"CtrlBreak\"}", 3 },
        { u"{\"Signal\":\"CtrlClose\"}", 1 },
        { u"{\"Signal\":\"CtrlLogOff\"}", 1 },
        { u"{\"Signal\":\"CtrlShutdown\"}", 15 },
    };
    static const PCWSTR bad[] = { u"{\"Signal\":0}",       u"{\"Signal\":-1}",
                                  u"{\"Signal\":65}",      u"{\"Signal\":4294967311}",
                                  u"{\"Signal\":\"15\"}",  u"{\"Signal\":\"sigterm\"}",
                                  u"{\"Signal\":\"SIG\"}", u"{\"Signal\":null}" };
    int number;

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        GIVES(options_signal(rows[i].text, &number, &err), S_OK);
        assert_int_equal(number, rows[i].number);
    }
    for (size_t i = 0; i < N_ELEMENTS(bad); i++)
        GIVES(options_signal(bad[i], &number, &err), E_INVALIDARG);
    GIVES(options_signal(u"{\"Number\":15}", &number, &err), HCS_E_INVALID_JSON);
}

static void changes_of_a_process(void **state)
{
    static const struct {
        PCWSTR text;
        unsigned close;
    } rows[] = {
        { u"{\"Operation\":\"CloseHandle\",\"CloseHandle\":{\"Handle\":\"StdIn\"}}", 1 },
        { u"{\"Operation\":\"CloseHandle\",\"CloseHandle\":{\"Handle\":\"StdOut\"}}", 2 },
        { u"{\"Operation\":\"CloseHandle\",\"CloseHandle\":{\"Handle\":\"StdErr\"}}", 4 },
        { u"{\"Operation\":\"CloseHandle\",\"CloseHandle\":{\"Handle\":\"All\"}}", 7 },
    };
    unsigned closing;

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        GIVES(options_modify_process(rows[i].text, &closing, &err), S_OK);
        assert_int_equal(closing, rows[i].close);
    }
    GIVES(options_modify_process(NULL, &closing, &err), E_INVALIDARG);
    GIVES(options_modify_process(u"{\"CloseHandle\":{\"Handle\":\"StdIn\"}}", &closing, &err),
          E_INVALIDARG);
    GIVES(options_modify_process(u"{\"Operation\":\"CloseHandle\"}", &closing, &err), E_INVALIDARG);
    GIVES(options_modify_process(u"{\"Operation\":\"ConsoleSize\",\"ConsoleSize\":{\"Height\":1,"
                                 u"\"Width\":1}}",
                                 &closing, &err),
          E_NOTIMPL);
}

static void queries(void **state)
{
    uint32_t flags = 99;
    size_t n = 99;

    (void) state;
    GIVES(options_property_query(NULL, &flags, &err), S_OK);
    assert_int_equal(flags, 0);
    GIVES(options_property_query(u"{\"PropertyTypes\":null,\"Queries\":{}}", &flags, &err), S_OK);
    GIVES(options_property_query(u"{\"PropertyTypes\":[\"ProcessList\"]}", &flags, &err), S_OK);
    assert_int_equal(flags, QUERY_PROCESS_LIST);
    GIVES(options_property_query(u"{\"PropertyTypes\":[\"Memory\"]}", &flags, &err), E_NOTIMPL);
    GIVES(options_property_query(u"{\"PropertyTypes\":[\"memory\"]}", &flags, &err), E_INVALIDARG);
    GIVES(options_property_query(u"{\"PropertyTypes\":[1]}", &flags, &err), E_INVALIDARG);
    GIVES(options_property_query(u"{\"PropertyTypes\":1}", &flags, &err), HCS_E_INVALID_JSON);
    GIVES(options_property_query(u"{\"Queries\":{\"Basic\":{}}}", &flags, &err), E_NOTIMPL);
    GIVES(options_property_query(u"{\"Types\":[]}", &flags, &err), HCS_E_INVALID_JSON);
    GIVES(options_service_query(NULL, &n, &err), S_OK);
    assert_int_equal(n, 1);
    GIVES(options_service_query(u"{\"PropertyTypes\":[]}", &n, &err), S_OK);
    assert_int_equal(n, 0);
    GIVES(options_service_query(u"{\"PropertyTypes\":[\"Basic\",\"Basic\"]}", &n, &err), S_OK);
    assert_int_equal(n, 2);
    GIVES(options_service_query(u"{\"PropertyQueries\":{\"ProcessorCapabilities\":{}}}", &n, &err),
          E_NOTIMPL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserved_options_are_empty),
        cmocka_unit_test(shutdown_options),
        cmocka_unit_test(signals),
        cmocka_unit_test(changes_of_a_process),
        cmocka_unit_test(queries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
