/* Something to poll for that a thread can set. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "wake.h"

static int make(void **state)
{
    static struct wake w;

    *state = &w;
    return wake_init(&w, NULL) < 0;
}

static int end(void **state)
{
    wake_done(*state);
    return 0;
}

static void is_not_set_at_first(void **state)
{
    assert_int_equal(wake_wait(*state, 0), 0);
}

static void stays_set_until_cleared(void **state)
{
    wake_set(*state);
    wake_set(*state);
    assert_int_equal(wake_wait(*state, 0), 1);
    assert_int_equal(wake_wait(*state, UINT64_MAX), 1);
    wake_clear(*state);
    assert_int_equal(wake_wait(*state, 0), 0);
    wake_clear(*state);
    wake_set(*state);
    assert_int_equal(wake_wait(*state, 0), 1);
}

static void deadline_is_kept(void **state)
{
    uint64_t deadline = clock_monotonic_ns() + 3000000;

    assert_int_equal(wake_wait(*state, deadline), 0);
    assert_true(clock_monotonic_ns() >= deadline);
}

static void done_twice_is_allowed(void **state)
{
    struct wake w;

    (void) state;
    assert_int_equal(wake_init(&w, NULL), HCS_OK);
    wake_done(&w);
    wake_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_not_set_at_first, make, end),
        cmocka_unit_test_setup_teardown(stays_set_until_cleared, make, end),
        cmocka_unit_test_setup_teardown(deadline_is_kept, make, end),
        cmocka_unit_test(done_twice_is_allowed),
    };

    return cmocka_run_group_tests_name("wake", tests, NULL, NULL);
}
