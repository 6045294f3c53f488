/* over.h - what the tests of the computecore back end share: a host over the scripted provider.
 *
 * After each test nothing may be left: no handle of HCS, no operation, no string, no number; and
 * the provider may not have seen a mistake. */
#ifndef HCS_TESTS_COMPUTECORE_OVER_H
#define HCS_TESTS_COMPUTECORE_OVER_H

#include "clock.h"
#include "hcs/hcs.h"
#include "objects.h"
#include "provider.h"
#include "registry.h"
#include "thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after ours: its fail() is a macro */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 60000
#define POLL_NS UINT64_C(5000000) /* of streams of a host, so that nobody waits for a second */

static hcs_host *host __attribute__((unused));
static hcs_error err = HCS_ERROR_INIT;

#define OK(call)                                                                                   \
    do {                                                                                           \
        err = (hcs_error) HCS_ERROR_INIT;                                                          \
        hcs_result ok_ = (call);                                                                   \
        if (ok_ != HCS_OK)                                                                         \
            fail_msg("%s: 0x%08x %s", #call, (unsigned) ok_, err.text);                            \
    } while (0)

#define FAILS(call, expected)                                                                      \
    do {                                                                                           \
        err = (hcs_error) HCS_ERROR_INIT;                                                          \
        hcs_result got_ = (call);                                                                  \
        if (got_ != (expected))                                                                    \
            fail_msg("%s: 0x%08x (%s) instead of %s", #call, (unsigned) got_, err.text,            \
                     #expected);                                                                   \
    } while (0)

#define SAYS(part)                                                                                 \
    do {                                                                                           \
        if (!strstr(err.text, part))                                                               \
            fail_msg("the error says '%s' and not '%s'", err.text, part);                          \
    } while (0)

static inline int over_begin(void **state)
{
    (void) state;
    provider_reset();
    return cc_host_over(provider_api(), "scripted", POLL_NS, &host, &err) < 0 ? -1 : 0;
}

static inline int over_nothing_is_left(void)
{
    struct provider_counts c = provider_counts();
    struct registry_stats numbers;

    registry_stats(&numbers);
    if (c.systems || c.processes || c.operations || c.strings || c.misuses || numbers.used) {
        print_error("left: %d systems, %d processes, %d operations, %d strings, %u numbers; %d "
                    "misuses\n",
                    c.systems, c.processes, c.operations, c.strings, (unsigned) numbers.used,
                    c.misuses);
        return -1;
    }
    return 0;
}

/* A test that leaves something for the host to close. */
static inline int over_end_pending(void **state)
{
    (void) state;
    provider_wait_idle();
    hcs_host_close(host);
    return over_nothing_is_left();
}

/* Counted before the host is closed, which would hide what leaks until then. */
static inline int over_end(void **state)
{
    int r;

    provider_wait_idle();
    r = over_nothing_is_left();
    return over_end_pending(state) < 0 ? -1 : r;
}

/* ---- HCS is called without a lock of ours ---- */

/* What another thread does with the handle of whoever is calling HcsCloseOperation just now. */
struct over_visit {
    void (*visit)(void *thing);
    void *thing;
    atomic_int comes;
    int was_kept_out;
};

THREAD_FUNCTION(over_visitor, parameter)
{
    const struct over_visit *v = parameter;

    v->visit(v->thing);
    THREAD_RETURN;
}

/* A hook of the provider: it does not return before the visitor has left, if that is possible. */
static inline void over_visit(void *parameter)
{
    uint64_t until = clock_monotonic_ns() + UINT64_C(5000000000);
    struct over_visit *v = parameter;
    thread t;

    if (atomic_exchange(&v->comes, 1))
        return;
    thread_start(&t, over_visitor, v);
    do {
        thread_yield();
        v->was_kept_out = thread_runs(t);
    } while (v->was_kept_out && clock_monotonic_ns() < until);
}

#define OVER_PENDING(name) cmocka_unit_test_setup_teardown(name, over_begin, over_end_pending)
#define OVER(name) cmocka_unit_test_setup_teardown(name, over_begin, over_end)

#endif
