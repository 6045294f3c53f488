/* evlog_full_test.c - the disk is full: a small file system of its own, which needs root. */

#include "../unit/engine/evlog_place.h"

#include <stdlib.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

/* 1 when there is one of @kib below the directory; otherwise it says why, and the test is skipped.
 */
static int mount_small(const struct place *p, int kib)
{
    char options[64];

    snprintf(options, sizeof options, "size=%dk", kib);
    if (geteuid() != 0)
        print_message("needs root to mount a small file system\n");
    else if (mount("none", p->dir, "tmpfs", 0, options) == 0)
        return 1;
    else
        print_message("this machine does not let us mount\n");
    return 0;
}

static int tear_down_mount(void **state)
{
    const struct place *p = *state;

    while (umount2(p->dir, MNT_DETACH) == 0)
        ;
    return tear_down(state);
}

static void grow(const struct place *p, int kib)
{
    char options[64];

    snprintf(options, sizeof options, "size=%dk", kib);
    assert_int_equal(mount("none", p->dir, "tmpfs", MS_REMOUNT, options), 0);
}

/* Take all that is left. */
static void fill(const struct place *p)
{
    char path[160], page[4096];
    int fd;

    memset(page, 1, sizeof page);
    snprintf(path, sizeof path, "%s/filler", p->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    while (write(fd, page, sizeof page) > 0)
        ;
    close(fd);
}

static uint64_t append_until_full(struct evlog *log, int batch)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = HCS_OK;
    uint64_t appended = 0;

    while (r >= 0 && appended < 1000000) {
        for (int i = 0; i < batch; i++)
            appended = append(log, "a", 1);
        r = evlog_commit(log, &err);
    }
    assert_int_equal(r, HCS_E_WIN32_DISK_FULL);
    return appended;
}

static void a_full_disk_loses_nothing_and_tells_nothing_early(void **state)
{
    const struct place *p = *state;
    struct evlog_status status;
    struct evlog *log;
    uint64_t appended, durable;

    if (!mount_small(p, 256))
        skip();
    log = open_log(p, 1000000);
    appended = append_until_full(log, 20);
    durable = evlog_last(log);
    assert_true(durable < appended);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(append(log, "a", 1), appended + 1);
        appended++;
        assert_int_equal(evlog_commit(log, NULL), HCS_E_WIN32_DISK_FULL);
        assert_int_equal(evlog_last(log), durable);
        assert_int_equal(read_all(log, 0).n, durable);
    }
    status = status_of(log);
    assert_int_equal(status.pending, appended - durable);
    assert_true(status.stuck_since_ns > 0);
    assert_non_null(strstr(status.error, "full"));
    assert_int_equal(status.set_aside, 0);

    grow(p, 8 * 1024);
    commit(log);
    assert_int_equal(evlog_last(log), appended);
    assert_int_equal(status_of(log).stuck_since_ns, 0);
    assert_int_equal(status_of(log).pending, 0);
    assert_int_equal(read_all(log, 0).n, appended);
    evlog_close(log);
    log = open_log(p, 1000000);
    assert_int_equal(read_all(log, 0).n, appended);
    evlog_close(log);
}

/* What is used again needs no room, so exits are still told. */
static void a_log_at_its_limit_goes_on_on_a_full_disk(void **state)
{
    const struct place *p = *state;
    struct evlog *log;

    if (!mount_small(p, 32 * 1024))
        skip();
    log = open_log(p, 1000);
    for (int i = 0; i < 300; i++)
        append_many(log, 50);
    evlog_close(log); /* what is kept has its place in the file */
    log = open_log(p, 1000);
    for (int i = 0; i < 10; i++)
        append_many(log, 50);
    fill(p);
    for (int i = 0; i < 1000; i++)
        append_many(log, 1 + i % 20);
    assert_int_equal(status_of(log).stuck_since_ns, 0);
    evlog_close(log);
}

/* A service that is started again on a full disk still knows its systems, and serves readers. */
static void a_log_is_opened_on_a_full_disk(void **state)
{
    const struct place *p = *state;
    struct evlog *log;
    uint64_t durable, appended;

    if (!mount_small(p, 512))
        skip();
    log = open_log(p, 1000000);
    append_until_full(log, 20);
    durable = evlog_last(log);
    evlog_close(log);
    fill(p);
    log = open_with(p, (struct evlog_options){ .boot_id = "0000000000000000000000000000000a" });
    assert_int_equal(evlog_last(log), durable);
    assert_int_equal(read_all(log, 0).n, durable);
    appended = append(log, "a", evlog_next_incarnation(log));
    assert_int_equal(appended, durable + 1);
    assert_int_equal(evlog_commit(log, NULL), HCS_E_WIN32_DISK_FULL);
    grow(p, 8 * 1024);
    commit(log);
    assert_int_equal(read_all(log, 0).n, appended);
    assert_string_equal(evlog_boot_at(log, appended), "0000000000000000000000000000000a");
    evlog_close(log);
}

static void a_first_log_on_a_full_disk_is_refused_with_the_reason(void **state)
{
    const struct place *p = *state;
    struct evlog_options options = { .path = p->path, .events_max = 10, .ended_max = 10 };
    struct evlog *log = NULL;
    hcs_error err = HCS_ERROR_INIT;

    if (!mount_small(p, 64))
        skip();
    fill(p);
    assert_int_equal(evlog_open(NULL, &options, &log, &err), HCS_E_WIN32_DISK_FULL);
    assert_non_null(strstr(err.text, p->path));
    assert_non_null(strstr(err.text, "full"));
    grow(p, 1024);
    assert_int_equal(evlog_open(NULL, &options, &log, &err),
                     HCS_OK); /* nothing half made is left */
    append_many(log, 1);
    evlog_close(log);
}

/* Damage and a full disk at once: what waits still waits. */
static void a_new_log_that_has_no_room_is_begun_when_there_is(void **state)
{
    const struct place *p = *state;
    struct evlog *log;

    if (!mount_small(p, 256))
        skip();
    log = open_log(p, 1000000);
    append_many(log, 100);
    fill(p);
    assert_int_equal(unlink(p->path), 0);
    fill(p);
    append(log, "a", 1);
    for (int i = 0; i < 5; i++)
        assert_true(evlog_commit(log, NULL) < 0);
    assert_int_equal(status_of(log).pending, 1);
    grow(p, 8 * 1024);
    append(log, "b", 1);
    commit(log);
    assert_int_equal(evlog_last(log), 2);
    assert_int_equal(read_all(log, 0).n, 2);
    evlog_close(log);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_mount)
    const struct CMUnitTest tests[] = {
        T(a_full_disk_loses_nothing_and_tells_nothing_early),
        T(a_log_at_its_limit_goes_on_on_a_full_disk),
        T(a_log_is_opened_on_a_full_disk),
        T(a_first_log_on_a_full_disk_is_refused_with_the_reason),
        T(a_new_log_that_has_no_room_is_begun_when_there_is),
    };

    return cmocka_run_group_tests_name("evlog_full", tests, NULL, NULL);
}
