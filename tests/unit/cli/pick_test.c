/* pick_test.c - the promises of pick.h: what --filter understands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "pick.h"

static void add(struct pick *p, const char *text)
{
    char problem[OPTION_PROBLEM] = "";

    if (pick_add(p, text, problem) < 0)
        fail_msg("%s", problem);
}

static void conditions_add_up(void **state)
{
    struct pick p;

    (void) state;
    pick_init(&p);
    assert_false(p.is_set);
    add(&p, "kind=ProcessExited,systemexited,0x4C480010,owner=me,id=web*");
    add(&p, "kind=7");
    add(&p, "id=a=b");
    add(&p, "exit=signal:9");
    assert_true(p.is_set);
    assert_int_equal(p.filter.n_kinds, 4);
    assert_int_equal(p.filter.kinds[0], HCS_EVENT_PROCESS_EXITED);
    assert_int_equal(p.filter.kinds[1], HCS_EVENT_SYSTEM_EXITED);
    assert_int_equal(p.filter.kinds[2], HCS_EVENT_PROCESS_STARTED);
    assert_int_equal(p.filter.kinds[3], 7);
    assert_int_equal(p.filter.n_ids, 2);
    assert_string_equal(p.filter.ids[0], "web*");
    assert_string_equal(p.filter.ids[1], "a=b");
    assert_int_equal(p.filter.n_owners, 1);
    assert_string_equal(p.filter.owners[0], "me");
    assert_string_equal(p.filter.exit, "signal:9");
    pick_done(&p);
}

static void what_is_not_understood_is_refused_by_name(void **state)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        { "", "'' has no '='" },
        { "web", "'web' has no '=': write kind=NAME, id=ID, owner=OWNER or exit=HOW" },
        { "id=", "'id=' has no value" },
        { "id=a,", "'id=' has no value" },
        { "=a", "'' is no key" },
        { "knd=a", "'knd' is no key, did you mean 'kind='?" },
        { "label=a", "'label' is no key: write kind=NAME" },
        { "kind=ProcessExit", "'ProcessExit' is no kind of event, did you mean 'ProcessExited'?" },
        { "kind=zzzzzzzz", "'zzzzzzzz' is no kind of event: write a name such as ProcessExited" },
        { "kind=0x1FFFFFFFF", "is no kind of event" },
        { "kind=1x", "is no kind of event" },
        { "kind=0", "'0' is no kind of event" },
        { "exit=bad", "'exit=bad': it must be a code, nonzero, signal, signal:NUMBER or unknown" },
        { "exit=4294967296", "'exit=4294967296': it must be a code" },
        { "exit=-1", "'exit=-1': it must be a code" },
        { "exit=signal:0", "'exit=signal:0': it must be a code" },
        { "exit=signal:x", "'exit=signal:x': it must be a code" },
        { "exit=0,exit=1", "'exit=1': exit is '0' already" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char problem[OPTION_PROBLEM] = "";
        struct pick p;

        pick_init(&p);
        assert_int_equal(pick_add(&p, rows[i].text, problem), -1);
        if (!strstr(problem, rows[i].problem))
            fail_msg("'%s' gives: %s", rows[i].text, problem);
        pick_done(&p);
    }
}

static void more_than_the_most_is_refused(void **state)
{
    char problem[OPTION_PROBLEM] = "", text[20];
    struct pick p;

    (void) state;
    pick_init(&p);
    for (int i = 0; i < PICK_ITEMS_MAX; i++) {
        snprintf(text, sizeof text, "id=a%d,kind=%d", i, i + 1);
        add(&p, text);
    }
    assert_int_equal(pick_add(&p, "id=b", problem), -1);
    assert_non_null(strstr(problem, "'id' is given more than 64 times"));
    assert_int_equal(pick_add(&p, "kind=1", problem), -1);
    assert_string_equal(p.filter.ids[63], "a63");
    pick_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_add_up),
        cmocka_unit_test(what_is_not_understood_is_refused_by_name),
        cmocka_unit_test(more_than_the_most_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
