/* The two clocks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "clock.h"

static void realtime_is_the_time_of_day(void **state)
{
    uint64_t before = (uint64_t) time(NULL) - 1, now = clock_realtime_ns() / 1000000000u;

    (void) state;
    assert_true(now >= before && now <= (uint64_t) time(NULL) + 1);
}

static void monotonic_never_goes_back(void **state)
{
    uint64_t last = clock_monotonic_ns(), first = last;

    (void) state;
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_monotonic_ns();

        assert_true(now >= last);
        last = now;
    }
    assert_true(last > first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(realtime_is_the_time_of_day),
        cmocka_unit_test(monotonic_never_goes_back),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
