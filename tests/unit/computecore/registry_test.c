/* registry_test.c - numbers in place of pointers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "registry.h"
#include "thread.h"

static void a_number_finds_its_object_until_it_is_retired(void **state)
{
    int object, other;
    uintptr_t number, second;

    (void) state;
    assert_int_equal(registry_add(&object, &number, NULL), HCS_OK);
    assert_int_equal(registry_add(&other, &second, NULL), HCS_OK);
    assert_true(number != 0 && second != 0 && number != second);
    assert_ptr_equal(registry_enter(number), &object);
    assert_ptr_equal(registry_enter(second), &other);
    registry_leave(second);
    registry_leave(number);
    registry_retire(number);
    assert_null(registry_enter(number));
    assert_ptr_equal(registry_enter(second), &other);
    registry_leave(second);
    registry_retire(second);
}

static void no_number_is_given_twice(void **state)
{
    uintptr_t before = 0, number;
    int object;

    (void) state;
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(registry_add(&object, &number, NULL), HCS_OK);
        assert_true(number != before);
        if (before)
            assert_null(registry_enter(before));
        before = number;
        registry_retire(number);
    }
}

static void what_was_never_a_number_finds_nothing(void **state)
{
    uintptr_t number;
    int object;

    (void) state;
    assert_null(registry_enter(0));
    assert_null(registry_enter(UINTPTR_MAX));
    assert_int_equal(registry_add(&object, &number, NULL), HCS_OK);
    for (int bit = 0; bit < (int) sizeof number * 8; bit++)
        assert_null(registry_enter(number ^ (uintptr_t) 1 << bit));
    registry_retire(number);
    registry_retire(0);
}

static void retiring_twice_is_retiring_once(void **state)
{
    struct registry_stats before, after;
    uintptr_t number, next, last;
    int object;

    (void) state;
    registry_stats(&before);
    assert_int_equal(registry_add(&object, &number, NULL), HCS_OK);
    registry_retire(number);
    registry_retire(number);
    assert_int_equal(registry_add(&object, &next, NULL), HCS_OK);
    registry_retire(number); /* not the number of the same slot */
    assert_ptr_equal(registry_enter(next), &object);
    registry_leave(next);
    assert_int_equal(registry_add(&object, &last, NULL), HCS_OK);
    assert_true(last != next);
    registry_retire(next);
    registry_retire(last);
    registry_stats(&after);
    assert_int_equal(before.used, after.used);
}

static void many_numbers_have_many_slots_and_come_back(void **state)
{
    static uintptr_t numbers[20000];
    static int objects[20000];
    struct registry_stats before, stats;

    (void) state;
    registry_stats(&before);
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(registry_add(&objects[i], &numbers[i], NULL), HCS_OK);
    for (size_t i = 0; i < 20000; i++) {
        assert_ptr_equal(registry_enter(numbers[i]), &objects[i]);
        registry_leave(numbers[i]);
    }
    for (size_t i = 0; i < 20000; i++)
        registry_retire(numbers[i]);
    registry_stats(&stats);
    assert_int_equal(stats.used, before.used);
}

/* ---- waiting ---- */

static uintptr_t shared;
static atomic_int retired, inside;

THREAD_FUNCTION(retire_it, parameter)
{
    (void) parameter;
    registry_retire(shared);
    assert_int_equal(atomic_load(&inside), 0);
    atomic_store(&retired, 1);
    THREAD_RETURN;
}

static void retiring_waits_for_those_who_are_inside(void **state)
{
    int object;
    thread t, u;

    (void) state;
    assert_int_equal(registry_add(&object, &shared, NULL), HCS_OK);
    atomic_store(&retired, 0);
    atomic_store(&inside, 1);
    assert_non_null(registry_enter(shared));
    assert_non_null(registry_enter(shared));
    thread_start(&t, retire_it, NULL);
    thread_start(&u, retire_it, NULL);
    while (registry_enter(shared)) /* until one of them has begun */
        registry_leave(shared);
    registry_leave(shared);
    for (int i = 0; i < 1000; i++)
        thread_yield();
    assert_int_equal(atomic_load(&retired), 0);
    atomic_store(&inside, 0);
    registry_leave(shared);
    thread_join(t);
    thread_join(u);
    assert_int_equal(atomic_load(&retired), 1);
}

struct hammer {
    atomic_uintptr_t number;
    atomic_int stop;
    atomic_long hits;
};

/* A live object holds its own magic; a retired one is overwritten at once. */
THREAD_FUNCTION(look_up, parameter)
{
    struct hammer *h = parameter;

    while (!atomic_load(&h->stop)) {
        uintptr_t number = atomic_load(&h->number);
        int *object = registry_enter(number);

        if (!object)
            continue;
        assert_int_equal(*object, 42);
        atomic_fetch_add(&h->hits, 1);
        registry_leave(number);
    }
    THREAD_RETURN;
}

static void nobody_sees_an_object_after_retiring_returned(void **state)
{
    struct hammer h = { 0 };
    thread threads[4];

    (void) state;
    for (size_t i = 0; i < 4; i++)
        thread_start(&threads[i], look_up, &h);
    for (int i = 0; i < 20000 || atomic_load(&h.hits) < 1000; i++) {
        int *object = malloc(sizeof *object);
        uintptr_t number;

        *object = 42;
        assert_int_equal(registry_add(object, &number, NULL), HCS_OK);
        atomic_store(&h.number, number);
        if (i % 16 == 0)
            thread_yield();
        registry_retire(number);
        *object = 0;
        free(object);
    }
    atomic_store(&h.stop, 1);
    for (size_t i = 0; i < 4; i++)
        thread_join(threads[i]);
    print_message("# %ld look-ups of live numbers\n", atomic_load(&h.hits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_finds_its_object_until_it_is_retired),
        cmocka_unit_test(no_number_is_given_twice),
        cmocka_unit_test(what_was_never_a_number_finds_nothing),
        cmocka_unit_test(retiring_twice_is_retiring_once),
        cmocka_unit_test(many_numbers_have_many_slots_and_come_back),
        cmocka_unit_test(retiring_waits_for_those_who_are_inside),
        cmocka_unit_test(nobody_sees_an_object_after_retiring_returned),
    };

    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
