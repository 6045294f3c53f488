/* access_test.c - promises about who may use the service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access.h"

#define GROUP 500u

static const struct access of_root = {
    .owner = 0, .has_group = 1, .group = GROUP, .group_name = "hcs"
};
static const struct access of_root_alone = { .owner = 0 };
static const struct access of_user = { .owner = 1000 };

static hcs_result check(const struct access *a, uid_t uid, gid_t gid, gid_t second, hcs_error *err)
{
    gid_t groups[] = { 7, second, 8 };
    const struct peer p = {
        .is_known = 1, .uid = uid, .gid = gid, .groups = groups, .n_groups = 3
    };

    return access_check(a, &p, err);
}

static void the_service_of_root_is_for_root_and_its_group(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_int_equal(check(&of_root, 0, 0, 0, NULL), HCS_OK);
    assert_int_equal(check(&of_root, 1000, GROUP, 9, NULL), HCS_OK);
    assert_int_equal(check(&of_root, 1000, 1000, GROUP, NULL), HCS_OK);
    assert_int_equal(check(&of_root, 1000, 1000, 9, &err), HCS_E_ACCESS_DENIED);
    assert_non_null(strstr(err.text, "uid 1000 "));
    assert_non_null(strstr(err.text, "join group hcs"));
}

static void without_a_group_it_is_for_root_alone(void **state)
{
    struct access a = { .owner = 0, .is_default = 1 };
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_int_equal(check(&of_root_alone, 0, 5, 5, NULL), HCS_OK);
    /* a group that was never set is not group 0 */
    assert_int_equal(check(&of_root_alone, 1000, 0, 0, &err), HCS_E_ACCESS_DENIED);
    assert_non_null(strstr(err.text, "root alone"));
    assert_int_equal(check(&a, 1000, 0, 0, &err), HCS_E_ACCESS_DENIED);
    assert_non_null(strstr(err.text, "groupadd --system hcs"));
}

static void the_service_of_a_user_is_for_him_and_root(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_int_equal(check(&of_user, 1000, 1000, 1000, NULL), HCS_OK);
    assert_int_equal(check(&of_user, 0, 0, 0, NULL), HCS_OK);
    assert_int_equal(check(&of_user, 1001, 1000, 0, &err), HCS_E_ACCESS_DENIED);
    assert_non_null(strstr(err.text, "uid 1001 "));
    assert_non_null(strstr(err.text, "become uid 1000"));
}

static void whoever_is_not_known_is_refused(void **state)
{
    const struct peer p = { .uid = 0 };
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_int_equal(access_check(&of_root, &p, &err), HCS_E_ACCESS_DENIED);
    assert_non_null(strstr(err.text, "an unknown user"));
}

static void the_kernel_tells_who_is_there(void **state)
{
    int ends[2], file[2];
    struct peer p;

    (void) state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    peer_read(&p, ends[0]);
    assert_true(p.is_known);
    assert_int_equal(p.uid, geteuid());
    assert_int_equal(p.gid, getegid());
    assert_int_equal(p.n_groups, getgroups(0, NULL));
    peer_done(&p);
    assert_int_equal(pipe(file), 0);
    peer_read(&p, file[0]);
    assert_false(p.is_known);
    peer_done(&p);
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(file[i]);
    }
}

static void groups_are_read_however_many(void **state)
{
    gid_t groups[300], before[300];
    int ends[2], n_before = getgroups(300, before);
    struct peer p;

    (void) state;
    if (geteuid() != 0) {
        print_message("# SKIP only root can take groups\n");
        skip();
    }
    for (gid_t i = 0; i < 300; i++)
        groups[i] = 3000 + i;
    assert_int_equal(setgroups(300, groups), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(setgroups((size_t) n_before, before), 0);
    peer_read(&p, ends[0]);
    assert_int_equal(p.n_groups, 300);
    assert_int_equal(check(&of_root, 1000, 1, 2, NULL), HCS_E_ACCESS_DENIED);
    p.uid = 1000;
    assert_int_equal(access_check(&(struct access){ .has_group = 1, .group = 3299 }, &p, NULL),
                     HCS_OK);
    assert_int_equal(access_check(&(struct access){ .has_group = 1, .group = 3300 }, &p, NULL),
                     HCS_E_ACCESS_DENIED);
    peer_done(&p);
    close(ends[0]);
    close(ends[1]);
}

static void a_group_is_looked_up_by_name(void **state)
{
    const struct group *some = getgrgid(0);
    hcs_error err = HCS_ERROR_INIT;
    char name[64];
    struct access a;

    (void) state;
    assert_non_null(some);
    snprintf(name, sizeof name, "%s", some->gr_name);
    assert_int_equal(access_init(&a, 0, name, &err), HCS_OK);
    assert_true(a.has_group);
    assert_int_equal(a.group, 0);
    assert_string_equal(a.group_name, name);
    assert_int_equal(access_init(&a, 0, "", &err), HCS_OK);
    assert_false(a.has_group);
    assert_int_equal(access_init(&a, 0, NULL, &err), HCS_OK); /* with or without the group hcs */
    assert_int_equal(a.has_group, getgrnam("hcs") != NULL);
    assert_int_equal(access_init(&a, 0, "no-such-group", &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "no-such-group"));
    assert_int_equal(access_init(&a, 1000, NULL, &err), HCS_OK);
    assert_false(a.has_group);
    assert_int_equal(access_init(&a, 1000, name, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "only the service of root"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service_of_root_is_for_root_and_its_group),
        cmocka_unit_test(without_a_group_it_is_for_root_alone),
        cmocka_unit_test(the_service_of_a_user_is_for_him_and_root),
        cmocka_unit_test(whoever_is_not_known_is_refused),
        cmocka_unit_test(the_kernel_tells_who_is_there),
        cmocka_unit_test(groups_are_read_however_many),
        cmocka_unit_test(a_group_is_looked_up_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
