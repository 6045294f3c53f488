/* account_test.c - promises about what each user may take of the service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "account.h"

#define OWNER 0u
#define MEMBER 1000u
#define OTHER 1001u

static int set_up(void **state)
{
    static struct accounts all;

    accounts_init(&all, OWNER, 800, 400);
    *state = &all;
    return 0;
}

static int tear_down(void **state)
{
    struct accounts *all = *state;

    assert_true(list_is_empty(&all->list));
    assert_int_equal(all->n_connections, 0);
    return 0;
}

static void leave(struct account *a)
{
    account_change(a, LIMIT_CONNECTIONS, 1, 0);
}

/* As many connections of @uid as are let in, at most @most. */
static unsigned enter_many(struct accounts *all, uid_t uid, struct account **out, unsigned most,
                           hcs_error *err)
{
    unsigned n = 0;

    while (n < most && account_enter(all, uid, out, err) >= 0)
        n++;
    return n;
}

static void leave_many(struct account *a, unsigned n)
{
    while (n-- > 0)
        leave(a);
}

static void an_account_is_there_while_its_user_is(void **state)
{
    struct accounts *all = *state;
    struct account *a, *b, *c;

    assert_int_equal(account_enter(all, MEMBER, &a, NULL), HCS_OK);
    assert_int_equal(account_enter(all, MEMBER, &b, NULL), HCS_OK);
    assert_int_equal(account_enter(all, OTHER, &c, NULL), HCS_OK);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_int_equal(a->used[LIMIT_CONNECTIONS], 2);
    leave(c);
    assert_ptr_equal(list_first(&all->list, struct account, link), a);
    assert_ptr_equal(a->link.next, &all->list);
    leave(a);
    assert_int_equal(a->used[LIMIT_CONNECTIONS], 1);
    leave(a);
    assert_true(list_is_empty(&all->list));
}

static void a_ticket_keeps_the_account_of_a_connection_that_has_gone(void **state)
{
    struct accounts *all = *state;
    struct account *a;

    assert_int_equal(account_enter(all, ACCOUNT_TCP, &a, NULL), HCS_OK);
    account_change(a, LIMIT_TICKETS, 0, 1);
    leave(a);
    assert_ptr_equal(list_first(&all->list, struct account, link), a);
    account_change(a, LIMIT_TICKETS, 1, 0);
}

static void one_user_has_a_share_and_is_told_limit_value_and_way_out(void **state)
{
    struct accounts *all = *state;
    hcs_error err = HCS_ERROR_INIT;
    struct account *a, *b;

    assert_int_equal(enter_many(all, MEMBER, &a, 1000, &err), 200);
    assert_int_equal(err.code, HCS_E_WIN32_BUSY);
    assert_non_null(strstr(err.text, "uid 1000 has 200 connections and may have 200"));
    assert_non_null(strstr(err.text, "\"connections\" of hcsd --limits"));
    assert_non_null(strstr(err.text, "close some"));
    assert_int_equal(all->refused[LIMIT_CONNECTIONS], 1);
    assert_int_equal(account_enter(all, OTHER, &b, NULL),
                     HCS_OK); /* he is not the other's keeper */
    leave(b);
    leave(a);
    assert_int_equal(account_enter(all, MEMBER, &a, NULL), HCS_OK);
    leave_many(a, 200);
}

static void root_gets_in_whatever_the_others_do(void **state)
{
    struct accounts *all = *state;
    hcs_error err = HCS_ERROR_INIT;
    struct account *users[5] = { NULL }, *root, *over_tcp = NULL;
    unsigned n[5], total = 0, n_root;

    for (unsigned i = 0; i < 5; i++)
        total += n[i] = enter_many(all, MEMBER + i, &users[i], 1000, &err);
    assert_int_equal(total, 700); /* the rest is kept free */
    assert_int_equal(n[4], 0);
    assert_non_null(strstr(err.text, "all users together have 700 connections and may have 700"));
    assert_int_equal(account_enter(all, ACCOUNT_TCP, &over_tcp, &err), HCS_E_WIN32_BUSY);
    n_root = enter_many(all, 0, &root, 1000, &err);
    assert_int_equal(n_root, 100);
    leave_many(root, n_root);
    for (unsigned i = 0; i < 4; i++)
        leave_many(users[i], n[i]);
}

static void a_user_who_was_never_let_in_leaves_nothing(void **state)
{
    struct accounts *all = *state;
    struct account *root, *a;

    assert_int_equal(enter_many(all, 0, &root, 1000, NULL), 800);
    for (uid_t uid = MEMBER; uid < MEMBER + 100; uid++)
        assert_int_equal(account_enter(all, uid, &a, NULL), HCS_E_WIN32_BUSY);
    assert_ptr_equal(root->link.next, &all->list);
    assert_int_equal(all->refused[LIMIT_CONNECTIONS], 101);
    leave_many(root, 800);
}

static void root_the_owner_and_the_token_have_four_times_as_much(void **state)
{
    struct accounts *all = *state;
    struct account *a;
    const uid_t privileged[] = { 0, 77, ACCOUNT_TCP };

    all->owner = 77;
    all->limit[LIMIT_STREAMS] = 10;
    for (size_t i = 0; i < N_ELEMENTS(privileged); i++) {
        assert_int_equal(account_enter(all, privileged[i], &a, NULL), HCS_OK);
        assert_true(account_is_privileged(a));
        assert_int_equal(account_limit(a, LIMIT_STREAMS), 40);
        leave(a);
    }
    assert_int_equal(account_enter(all, MEMBER, &a, NULL), HCS_OK);
    assert_false(account_is_privileged(a));
    assert_int_equal(account_limit(a, LIMIT_STREAMS), 10);
    leave(a);
    all->limit[LIMIT_CONNECTIONS] = 800;
    assert_int_equal(account_enter(all, 0, &a, NULL), HCS_OK);
    assert_int_equal(account_limit(a, LIMIT_CONNECTIONS), 800); /* more there are not */
    leave(a);
}

static void each_limit_is_told_by_its_name_and_counted(void **state)
{
    static const struct {
        enum limit which;
        const char *text;
    } rows[] = {
        { LIMIT_STREAMS, "3 streams of events and may have 3 (limit \"streams\"" },
        { LIMIT_CALLS, "3 calls that wait and may have 3 (limit \"calls\"" },
        { LIMIT_TICKETS, "3 standard handles that wait for their programs and may have 3" },
        { LIMIT_BYTES, "3 bytes on their way and may have 3 (limit \"bytes\"" },
    };
    struct accounts *all = *state;
    struct account *a;

    assert_int_equal(account_enter(all, MEMBER, &a, NULL), HCS_OK);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        enum limit which = rows[i].which;
        hcs_error err = HCS_ERROR_INIT;

        all->limit[which] = 3;
        for (uint64_t n = 0; n < 3; n++) {
            assert_int_equal(account_check(a, which, &err), HCS_OK);
            account_change(a, which, n, n + 1);
        }
        assert_true(account_is_full(a, which));
        assert_int_equal(all->refused[which], 0);
        assert_int_equal(account_check(a, which, &err), HCS_E_WIN32_BUSY);
        assert_non_null(strstr(err.text, rows[i].text));
        assert_int_equal(all->refused[which], 1);
        account_change(a, which, 3, 2);
        assert_int_equal(account_check(a, which, &err), HCS_OK);
        account_change(a, which, 2, 0);
    }
    leave(a);
}

static void bytes_are_counted_up_and_down(void **state)
{
    struct accounts *all = *state;
    struct account *a;

    assert_int_equal(account_enter(all, MEMBER, &a, NULL), HCS_OK);
    account_change(a, LIMIT_BYTES, 0, 1000);
    account_change(a, LIMIT_BYTES, 0, 500); /* of another connection */
    account_change(a, LIMIT_BYTES, 1000, 10);
    assert_int_equal(a->used[LIMIT_BYTES], 510);
    account_change(a, LIMIT_BYTES, 10, 0);
    account_change(a, LIMIT_BYTES, 500, 0);
    assert_int_equal(a->used[LIMIT_BYTES], 0);
    leave(a);
}

static void limits_are_set_by_name(void **state)
{
    struct accounts *all = *state;

    assert_int_equal(limits_parse("connections=7,bytes=2M,calls=3", all, NULL), HCS_OK);
    assert_int_equal(all->limit[LIMIT_CONNECTIONS], 7);
    assert_int_equal(all->limit[LIMIT_BYTES], 2 << 20);
    assert_int_equal(all->limit[LIMIT_CALLS], 3);
    assert_int_equal(all->limit[LIMIT_STREAMS], 100); /* as it was */
    assert_int_equal(limits_parse("bytes=65536", all, NULL), HCS_OK);
    assert_int_equal(limits_parse("connections=800,streams=1K", all, NULL), HCS_OK);
    assert_int_equal(all->limit[LIMIT_STREAMS], 1024);
}

static void limits_that_cannot_be_are_told(void **state)
{
    static const struct {
        const char *text, *told;
    } rows[] = {
        { "", "''" },
        { "strems=3", "'strems=3'" },
        { "streams", "'streams'" },
        { "streams=", "from 1" },
        { "streams=0", "from 1" },
        { "streams=-1", "from 1" },
        { "streams=3x", "from 1" },
        { "streams=3KK", "from 1" },
        { "streams=99999999999999999999999999", "from 1" },
        { "streams=3,", "''" },
        { "streams=3,,calls=2", "''" },
        { "connections=801", "to 800" },
        { "bytes=65535", "from 65536" },
        { "bytes=18446744073709551615G", "from 65536" },
    };
    struct accounts *all = *state;

    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        hcs_error err = HCS_ERROR_INIT;

        assert_int_equal(limits_parse(rows[i].text, all, &err), HCS_E_INVALIDARG);
        if (!strstr(err.text, rows[i].told))
            fail_msg("'%s': %s", rows[i].text, err.text);
    }
}

static void few_descriptors_leave_one_of_each(void **state)
{
    struct accounts *all = *state;

    accounts_init(all, OWNER, 3, 1);
    for (unsigned i = 0; i < N_LIMITS; i++)
        assert_true(all->limit[i] >= 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_account_is_there_while_its_user_is),
        TEST(a_ticket_keeps_the_account_of_a_connection_that_has_gone),
        TEST(one_user_has_a_share_and_is_told_limit_value_and_way_out),
        TEST(root_gets_in_whatever_the_others_do),
        TEST(a_user_who_was_never_let_in_leaves_nothing),
        TEST(root_the_owner_and_the_token_have_four_times_as_much),
        TEST(each_limit_is_told_by_its_name_and_counted),
        TEST(bytes_are_counted_up_and_down),
        TEST(limits_are_set_by_name),
        TEST(limits_that_cannot_be_are_told),
        TEST(few_descriptors_leave_one_of_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
