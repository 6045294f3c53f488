/* Numbers for objects that may be gone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "idtab.h"

static void a_number_finds_its_object(void **state)
{
    static int objects[1000];
    uint64_t numbers[1000];
    struct idtab t;

    (void) state;
    idtab_init(&t);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(idtab_add(&t, &objects[i], &numbers[i]), HCS_OK);
        assert_true(numbers[i] != 0 && numbers[i] <= INT64_MAX);
    }
    assert_int_equal(t.used, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_ptr_equal(idtab_find(&t, numbers[i]), &objects[i]);
    idtab_done(&t);
}

static void a_number_never_finds_a_later_object(void **state)
{
    uint64_t old[500], number;
    int object, other;
    struct idtab t;

    (void) state;
    idtab_init(&t);
    for (size_t i = 0; i < 500; i++) {
        assert_int_equal(idtab_add(&t, &object, &old[i]), HCS_OK);
        idtab_remove(&t, old[i]);
        idtab_remove(&t, old[i]);
    }
    assert_int_equal(t.used, 0);
    assert_int_equal(idtab_add(&t, &other, &number), HCS_OK);
    for (size_t i = 0; i < 500; i++) {
        idtab_remove(&t, old[i]);
        assert_null(idtab_find(&t, old[i]));
    }
    assert_ptr_equal(idtab_find(&t, number), &other);
    idtab_done(&t);
}

static void generations_wrap_around_without_a_zero(void **state)
{
    uint64_t number, again;
    struct idtab t;
    int object;

    (void) state;
    idtab_init(&t);
    assert_int_equal(idtab_add(&t, &object, &number), HCS_OK);
    idtab_remove(&t, number);
    t.slots[(uint32_t) number - 1].generation = UINT32_C(0x7FFFFFFF);
    assert_int_equal(idtab_add(&t, &object, &number), HCS_OK);
    assert_true(number <= INT64_MAX);
    idtab_remove(&t, number);
    assert_int_equal(idtab_add(&t, &object, &again), HCS_OK);
    assert_int_equal(again >> 32, 1);
    assert_null(idtab_find(&t, number));
    idtab_done(&t);
}

static void strange_numbers_find_nothing(void **state)
{
    uint64_t number;
    struct idtab t;
    int object;

    (void) state;
    idtab_init(&t);
    assert_null(idtab_find(&t, 0));
    assert_null(idtab_find(&t, 1));
    assert_int_equal(idtab_add(&t, &object, &number), HCS_OK);
    assert_null(idtab_find(&t, 0));
    assert_null(idtab_find(&t, UINT64_MAX));
    assert_null(idtab_find(&t, (uint32_t) number));
    assert_null(idtab_find(&t, number + 1));
    assert_null(idtab_find(&t, number | UINT64_C(1) << 63));
    idtab_remove(&t, 0);
    idtab_remove(&t, UINT64_MAX);
    assert_ptr_equal(idtab_find(&t, number), &object);
    idtab_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_finds_its_object),
        cmocka_unit_test(a_number_never_finds_a_later_object),
        cmocka_unit_test(generations_wrap_around_without_a_zero),
        cmocka_unit_test(strange_numbers_find_nothing),
    };

    return cmocka_run_group_tests_name("idtab", tests, NULL, NULL);
}
