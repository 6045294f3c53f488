/* windows_calls_test.c - the calls of Windows that libcomputecore provides on Linux. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "computecore.h"

static void a_manual_event_stays_set(void **state)
{
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

    (void) state;
    assert_int_equal(WaitForSingleObject(event, 0), WAIT_TIMEOUT);
    assert_int_equal(WaitForSingleObject(event, 3), WAIT_TIMEOUT);
    assert_true(SetEvent(event));
    assert_true(SetEvent(event));
    assert_int_equal(WaitForSingleObject(event, INFINITE), WAIT_OBJECT_0);
    assert_int_equal(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    assert_true(ResetEvent(event));
    assert_true(ResetEvent(event));
    assert_int_equal(WaitForSingleObject(event, 0), WAIT_TIMEOUT);
    assert_true(CloseHandle(event));
}

static void an_automatic_event_wakes_once(void **state)
{
    HANDLE event = CreateEventW(NULL, FALSE, TRUE, NULL);

    (void) state;
    assert_true(SetEvent(event));
    assert_int_equal(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    assert_int_equal(WaitForSingleObject(event, 0), WAIT_TIMEOUT);
    assert_true(CloseHandle(event));
}

static void *wait_for_event(void *event)
{
    return (void *) (uintptr_t) WaitForSingleObject(event, INFINITE);
}

static void an_automatic_event_wakes_one_of_many(void **state)
{
    enum { N = 8 };
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
    pthread_t threads[N];

    (void) state;
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_event, event), 0);
    for (int i = 0; i < N; i++) {
        assert_true(
            SetEvent(event)); /* one that is taken late counts once: set until all are through */
        while (WaitForSingleObject(event, 0) == WAIT_OBJECT_0)
            assert_true(SetEvent(event));
    }
    for (int i = 0; i < N; i++) {
        void *result = event;

        while (pthread_tryjoin_np(threads[i], &result) != 0)
            assert_true(SetEvent(event));
        assert_int_equal((uintptr_t) result, WAIT_OBJECT_0);
    }
    assert_true(CloseHandle(event));
}

static void what_is_no_handle_is_refused(void **state)
{
    DWORD n = 7;
    char c;

    (void) state;
    assert_false(CloseHandle(NULL));
    assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
    assert_false(CloseHandle(INVALID_HANDLE_VALUE));
    assert_int_equal(WaitForSingleObject(NULL, 0), WAIT_FAILED);
    assert_int_equal(WaitForSingleObject(HANDLE_FROM_FD(999), 0), WAIT_FAILED);
    assert_int_equal(GetLastError(), ERROR_INVALID_HANDLE);
    assert_false(ReadFile(INVALID_HANDLE_VALUE, &c, 1, &n, NULL));
    assert_int_equal(n, 0);
    assert_false(SetEvent(NULL));
    assert_false(ReadFile(HANDLE_FROM_FD(0), &c, 1, NULL, NULL));
    assert_int_equal(GetLastError(), ERROR_INVALID_PARAMETER);
    assert_null(CreateEventW(NULL, TRUE, FALSE, u"name"));
}

static void the_end_of_a_pipe_is_a_broken_pipe(void **state)
{
    char buffer[8];
    int ends[2];
    DWORD n = 0;

    (void) state;
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(pipe(ends), 0);
    assert_true(WriteFile(HANDLE_FROM_FD(ends[1]), "abc", 3, &n, NULL));
    assert_int_equal(n, 3);
    close(ends[1]);
    assert_true(ReadFile(HANDLE_FROM_FD(ends[0]), buffer, sizeof buffer, &n, NULL));
    assert_int_equal(n, 3);
    assert_false(ReadFile(HANDLE_FROM_FD(ends[0]), buffer, sizeof buffer, &n, NULL));
    assert_int_equal(GetLastError(), ERROR_BROKEN_PIPE);
    assert_true(CloseHandle(HANDLE_FROM_FD(ends[0])));
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_false(
        WriteFile(HANDLE_FROM_FD(ends[1]), "abc", 3, &n, NULL)); /* and we are still here */
    assert_int_equal(GetLastError(), ERROR_BROKEN_PIPE);
    close(ends[1]);
}

static void memory_is_released_by_either_call(void **state)
{
    PWSTR text = NULL;

    (void) state;
    assert_int_equal(HcsGetServiceProperties(NULL, &text), S_OK);
    assert_null(LocalFree(text));
    assert_int_equal(HcsGetServiceProperties(NULL, &text), S_OK);
    CoTaskMemFree(text);
    assert_null(LocalFree(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manual_event_stays_set),
        cmocka_unit_test(an_automatic_event_wakes_once),
        cmocka_unit_test(an_automatic_event_wakes_one_of_many),
        cmocka_unit_test(what_is_no_handle_is_refused),
        cmocka_unit_test(the_end_of_a_pipe_is_a_broken_pipe),
        cmocka_unit_test(memory_is_released_by_either_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
