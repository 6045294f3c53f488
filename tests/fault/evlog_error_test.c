/* evlog_error_test.c - operations on the event log's files go wrong: once, for a while, for good.
 */

#define PLACE "/dev/shm"

#include "../unit/engine/evlog_place.h"

#include <sqlite3.h>

#include "evlog_db.h"
#include "fault_vfs.h"

#define BATCH 40

/* Every event from 1 on, in the file that the next hcsd opens. */
static void check_file(const struct place *p, uint64_t last)
{
    struct evlog *log = open_log(p, 1000000);

    assert_int_equal(evlog_last(log), last);
    assert_int_equal(read_all(log, 0).n, last);
    evlog_close(log);
}

/* Each operation of a commit that trims fails once; 0 when there are not so many. */
static int fail_once(const struct place *p, long at, int error)
{
    struct evlog *log = open_log(p, 50);
    uint64_t before = evlog_last(log);
    hcs_error err = HCS_ERROR_INIT;
    int failed;

    for (int i = 0; i < BATCH; i++)
        append(log, "a", 1);
    fault_set((struct fault){ .what = FAULT_ERROR, .at = at, .times = 1, .error = error });
    failed = evlog_commit(log, &err) < 0;
    if (failed) {
        assert_true(status_of(log).stuck_since_ns > 0);
        assert_int_equal(evlog_last(log), before); /* told to nobody */
        assert_int_equal(status_of(log).pending, BATCH);
        commit(log);
    }
    assert_int_equal(status_of(log).stuck_since_ns, 0);
    assert_int_equal(evlog_last(log), before + BATCH);
    assert_int_equal(status_of(log).pending, 0);
    int happened = fault.n >= at;
    fault_set((struct fault){ 0 });
    struct seen seen = read_all(log, evlog_first(log) - 1);
    assert_int_equal(seen.last, before + BATCH);
    assert_int_equal(seen.n, seen.last + 1 - evlog_first(log));
    assert_int_equal(status_of(log).set_aside, 0);
    evlog_close(log);
    return happened;
}

static void an_error_that_goes_away_loses_nothing(void **state)
{
    static const int errors[] = { SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_FULL };
    struct evlog *log = open_log(*state, 50);
    long at;

    append_many(log, 200);
    evlog_close(log);
    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        for (at = 1; fail_once(*state, at, errors[i]); at++)
            ;
        assert_true(at > 5);
    }
}

static void an_error_that_stays_ends_in_a_new_log(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 1000000);
    hcs_error err = HCS_ERROR_INIT;
    unsigned int tries = 1;
    char id[40];

    append_many(log, 100);
    snprintf(id, sizeof id, "%s", evlog_id(log));
    append(log, "waits", 1);
    fault_set((struct fault){
        .what = FAULT_ERROR, .at = 1, .times = -1, .error = SQLITE_IOERR_FSYNC, .syncs_only = 1 });
    while (evlog_commit(log, &err) < 0 && status_of(log).set_aside == 0)
        assert_true(++tries <= EVLOG_IO_TRIES);
    assert_int_equal(tries, EVLOG_IO_TRIES);
    /* the disk is as bad for a new file: nothing is told, nothing is lost, nobody is stopped */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(append(log, "waits", 1), 102 + i);
        assert_true(evlog_commit(log, &err) < 0);
        assert_int_equal(evlog_read(log, 0, look, NULL, &err), HCS_E_FAIL);
        assert_int_equal(evlog_find_ended(log, "x", 0, NULL, NULL, &err), HCS_E_FAIL);
        assert_string_equal(evlog_boot_at(log, 0), "");
        assert_int_equal(status_of(log).set_aside, 1); /* not once more each time */
    }
    fault_set((struct fault){ 0 });
    commit(log);
    assert_string_not_equal(evlog_id(log), id);
    uint64_t last;
    assert_string_equal(evlog_previous(log, &last), id);
    assert_int_equal(last, 100);
    assert_int_equal(evlog_last(log), 6);
    assert_int_equal(read_all(log, 0).n, 6);
    evlog_close(log);
    check_file(p, 6);
}

static void a_file_that_cannot_be_read_any_more_is_set_aside(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 1000000);
    hcs_error err = HCS_ERROR_INIT;
    struct seen seen = { 0 };
    unsigned int tries = 0;

    for (int i = 0; i < 10; i++)
        append_many(log, 1000);
    evlog_close(log);
    log = open_log(p, 1000000);
    fault_set((struct fault){
        .what = FAULT_ERROR, .at = 1, .times = -1, .error = SQLITE_IOERR_READ, .reads_only = 1 });
    seen.last = 5000;
    while (!log->is_damaged && ++tries < 100)
        assert_true(evlog_read(log, 5000, look, &seen, &err) < 0);
    assert_int_equal(tries, EVLOG_IO_TRIES);
    assert_int_equal(seen.n, 0);
    fault_set((struct fault){ 0 });
    commit(log); /* though nothing waits */
    assert_int_equal(evlog_last(log), 0);
    append_many(log, 3);
    evlog_close(log);
    check_file(p, 3);
}

/* The WAL cannot go into the file: it holds all, and goes there when it can. */
static void a_checkpoint_that_fails_loses_nothing(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 1000000);
    uint64_t n = 0;
    char path[160];
    struct stat st;

    snprintf(path, sizeof path, "%s-wal", p->path);
    fault_set((struct fault){
        .what = FAULT_ERROR, .at = 1, .times = -1, .error = SQLITE_FULL, .db_only = 1 });
    while (fault.n == 0) {
        append_many(log, 2000);
        n += 2000;
        assert_true(n < 1000000);
    }
    for (int i = 0; i < 20; i++)
        append_many(log, 200);
    n += 20 * 200;
    assert_int_equal(evlog_last(log), n);
    assert_int_equal(read_all(log, 0).n, n);
    assert_non_null(strstr(status_of(log).error, "move the WAL"));
    assert_int_equal(status_of(log).stuck_since_ns, 0);
    assert_int_equal(status_of(log).set_aside, 0);
    assert_int_equal(stat(path, &st), 0);
    off_t size = st.st_size;

    fault_set((struct fault){ 0 });
    for (int i = 0; i < 20; i++)
        append_many(log, 2000);
    n += 20 * 2000;
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < 2 * size); /* it began anew */
    evlog_close(log);
    check_file(p, n);
}

/* A process that is killed meanwhile has its events in the WAL. */
static void a_disk_that_is_full_at_the_end_loses_nothing(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 1000000);

    append_many(log, 500);
    fault_set((struct fault){
        .what = FAULT_ERROR, .at = 1, .times = -1, .error = SQLITE_FULL, .db_only = 1 });
    evlog_close(log);
    fault_set((struct fault){ 0 });
    check_file(p, 500);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_error_that_goes_away_loses_nothing),
        T(an_error_that_stays_ends_in_a_new_log),
        T(a_file_that_cannot_be_read_any_more_is_set_aside),
        T(a_checkpoint_that_fails_loses_nothing),
        T(a_disk_that_is_full_at_the_end_loses_nothing),
    };

    fault_vfs_install();
    return cmocka_run_group_tests_name("evlog_error", tests, NULL, NULL);
}
