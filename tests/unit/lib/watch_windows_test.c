/* watch_windows_test.c - a watch on Windows whose wait for another is told too late, as Wine does
 * it now and then.  The system's two functions are the test's here, so it is told when the test
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "watch.h"

static struct {
    WAITORTIMERCALLBACK callback;
    PVOID context;
    unsigned n_waits;
} told;

static BOOL WINAPI begin_wait(PHANDLE out, HANDLE object, WAITORTIMERCALLBACK callback,
                              PVOID context, ULONG ms, ULONG flags)
{
    (void) object, (void) ms, (void) flags;
    told.callback = callback;
    told.context = context;
    told.n_waits++;
    *out = (HANDLE) &told;
    return TRUE;
}

static BOOL WINAPI end_wait(HANDLE wait, HANDLE done)
{
    assert_ptr_equal(wait, &told);
    assert_ptr_equal(done, INVALID_HANDLE_VALUE);
    return TRUE;
}

/* What watch_windows.c is compiled to call. */
extern void *const __imp_begin_wait_of_test, *const __imp_end_wait_of_test;
void *const __imp_begin_wait_of_test = (void *) begin_wait;
void *const __imp_end_wait_of_test = (void *) end_wait;

static struct link_watch other;
static struct watch watch;

static int setup(void **state)
{
    (void) state;
    memset(&told, 0, sizeof told);
    other.pollable = CreateEventW(NULL, TRUE, FALSE, NULL);
    return watch_init(&watch, NULL) < 0 || watch_add_other(&watch, &other, NULL) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void) state;
    watch_remove_other(&watch, &other);
    watch_done(&watch);
    CloseHandle(other.pollable);
    return 0;
}

static int is_set(void)
{
    return WaitForSingleObject(watch.both, 0) == WAIT_OBJECT_0;
}

static void the_other_sets_ours(void **state)
{
    (void) state;
    assert_false(is_set());
    told.callback(told.context, FALSE);
    assert_true(is_set());
}

static void one_that_comes_after_the_end_finds_nothing(void **state)
{
    HANDLE both = watch.both;
    struct watch before;

    (void) state;
    watch_remove_other(&watch, &other);
    before = watch;
    told.callback(told.context, FALSE);
    assert_int_equal(WaitForSingleObject(both, 0), WAIT_TIMEOUT);
    assert_memory_equal(&watch, &before, sizeof before);
}

/* That of the wait before is not taken for that of the next. */
static void one_that_comes_twice_counts_once(void **state)
{
    PVOID first = told.context;

    (void) state;
    told.callback(first, FALSE);
    watch_set(&watch, false);
    assert_int_equal(told.n_waits, 2);
    assert_false(is_set());
    told.callback(first, FALSE);
    assert_false(is_set());
    told.callback(told.context, FALSE);
    assert_true(is_set());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_other_sets_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_comes_after_the_end_finds_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_that_comes_twice_counts_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
