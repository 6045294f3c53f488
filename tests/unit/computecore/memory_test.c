/* memory_test.c - each allocation of a call fails once: what HCS has made is not left where nobody
 * has it.
 *
 * calloc() is wrapped by the linker; that of HCS, the provider, is not used. */
#include "over.h"

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static _Thread_local unsigned fails_in; /* 0: none does */

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_in > 0 && --fails_in == 0 ? NULL : __real_calloc(n, size);
}

/* Call until nothing fails any more; 1 when @r was a failure, after which the next allocation is to
 * fail. */
static int has_failed(hcs_result r, unsigned n)
{
    int has = fails_in == 0;

    fails_in = 0;
    assert_true(n < 100);
    assert_int_equal(r, has ? HCS_E_OUTOFMEMORY : HCS_OK);
    return has;
}

static void a_system_that_cannot_be_given_does_not_stay(void **state)
{
    (void) state;
    for (int with_op = 0; with_op < 2; with_op++) {
        hcs_system *system = NULL;
        hcs_op *op = NULL;
        unsigned n = 0;
        char id[16];
        hcs_result r;

        do {
            provider_wait_idle();
            assert_int_equal(provider_counts().alive, with_op);
            assert_null(system);
            assert_null(op);
            snprintf(id, sizeof id, "%d-%u", with_op, n);
            fails_in = ++n;
            r = hcs_system_create(host, id, "{}", &system, with_op ? &op : NULL, &err);
        } while (has_failed(r, n));
        assert_true(n > 2);
        if (op)
            OK(hcs_op_wait(op, DEADLINE_MS, &err));
        hcs_op_close(op);
        hcs_system_close(system);
    }
}

static void a_program_that_cannot_be_given_does_not_run(void **state)
{
    hcs_system *home = NULL;

    (void) state;
    OK(hcs_system_create(host, "home", "{}", &home, NULL, &err));
    OK(hcs_system_start(home, NULL, &err));
    for (int with_op = 0; with_op < 2; with_op++) {
        hcs_process *process = NULL;
        hcs_op *op = NULL;
        unsigned n = 0;
        hcs_result r;

        do {
            provider_wait_idle();
            assert_int_equal(provider_counts().programs, with_op);
            assert_null(process);
            assert_null(op);
            fails_in = ++n;
            r = hcs_process_create(home, "{\"CommandArgs\":[\"hang\"]}", NULL, &process,
                                   with_op ? &op : NULL, &err);
        } while (has_failed(r, n));
        assert_true(n > 2);
        if (op)
            OK(hcs_op_wait(op, DEADLINE_MS, &err));
        hcs_op_close(op);
        hcs_process_close(process);
    }
    hcs_system_close(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER(a_system_that_cannot_be_given_does_not_stay),
        OVER(a_program_that_cannot_be_given_does_not_run),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
