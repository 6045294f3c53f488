/* evlog_damage_test.c - a file that is old, newer, damaged or gone: at the opening and while it is
 * used. */

#include "evlog_place.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "evlog_db.h"

/* The tables as hcsd made them before files had the number of their format. */
static const char format_0[] =
    "PRAGMA journal_mode=WAL;"
    "CREATE TABLE event (sequence INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, "
    "kind INTEGER NOT NULL, body TEXT NOT NULL);"
    "CREATE TABLE ended (incarnation INTEGER PRIMARY KEY, id TEXT NOT NULL, "
    "owner TEXT NOT NULL, type TEXT NOT NULL, isolation TEXT NOT NULL, "
    "first_sequence INTEGER NOT NULL, exit_sequence INTEGER NOT NULL, exit TEXT NOT NULL, "
    "detail TEXT NOT NULL);"
    "CREATE TABLE living (incarnation INTEGER PRIMARY KEY, id TEXT NOT NULL, "
    "owner TEXT NOT NULL, type TEXT NOT NULL, isolation TEXT NOT NULL, "
    "first_sequence INTEGER NOT NULL);"
    "CREATE INDEX ended_by_id ON ended (id, incarnation);"
    "CREATE INDEX ended_by_exit ON ended (exit_sequence);"
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('log', '00112233445566778899aabbccddeeff'), ('last', '1100'), "
    "('incarnation', '7');"
    "INSERT INTO living VALUES (6, 'lives', 'me', 'Container', 'namespaces', 1050);"
    "INSERT INTO ended VALUES (5, 'ended', 'me', 'Container', 'namespaces', 1001, 1010, "
    "'{\"code\":3}', '{}');";

static void make_format_0(const struct place *p)
{
    sqlite3 *db = NULL;
    char sql[512];

    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, format_0, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    for (int i = 1001; i <= 1600; i++) {
        snprintf(
            sql, sizeof sql,
            "INSERT INTO event VALUES (%d, 6, %d, '{\"sequence\":%d,\"kind\":%d,\"name\":"
            "\"SystemCreated\",\"realtimeNs\":%d000,\"monotonicNs\":5,\"system\":{\"id\":\"x\","
            "\"incarnation\":6,\"owner\":\"\",\"type\":\"\",\"isolation\":\"\"}}')",
            i, HCS_EVENT_SYSTEM_CREATED, i, HCS_EVENT_SYSTEM_CREATED, i);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void on_row(void *context, const struct evlog_ended *row)
{
    struct seen *seen = context;

    seen->n++;
    seen->first = row->first_sequence;
    seen->last = row->exit_sequence;
    snprintf(seen->id, sizeof seen->id, "%s", row->system.id);
}

static void on_living(void *context, const struct evlog_living *row)
{
    struct seen *seen = context;

    seen->n++;
    snprintf(seen->id, sizeof seen->id, "%s", row->system.id);
    assert_string_equal(row->system.isolation, "namespaces");
}

static void a_file_of_an_older_hcsd_is_brought_up_to_date(void **state)
{
    struct seen living = { 0 }, ended = { 0 };
    struct evlog *log;
    uint64_t found;

    make_format_0(*state);
    for (int i = 0; i < 2; i++) {
        log = open_log(*state, 1000);
        assert_string_equal(evlog_id(log), "00112233445566778899aabbccddeeff");
        assert_int_equal(evlog_first(log), 1001);
        assert_int_equal(evlog_last(log), 1600);
        assert_int_equal(read_all(log, 1000).n, 600);
        assert_int_equal(evlog_find_time(log, 1234000, &found, NULL), HCS_OK);
        assert_int_equal(found, 1234);
        assert_true(status_of(log).event_bytes > 600 * 100);
        assert_string_equal(evlog_boot_at(log, 1600), ""); /* nobody knows */
        assert_int_equal(evlog_list_living(log, on_living, &living, NULL), HCS_OK);
        assert_string_equal(living.id, "lives");
        assert_int_equal(evlog_find_ended(log, "ended", 0, on_row, &ended, NULL), 1);
        assert_int_equal(ended.last, 1010);
        assert_int_equal(evlog_next_incarnation(log), 8);
        evlog_close(log);
    }
    log = open_log(*state, 100);
    append_many(log, 1);
    append_many(log, 1);
    assert_true(evlog_first(log) > 1400);
    assert_int_equal(read_all(log, evlog_first(log) - 1).last, 1602);
    evlog_close(log);
}

static void a_file_of_a_newer_hcsd_is_refused_and_left_alone(void **state)
{
    struct place *p = *state;
    struct evlog_options options = { .path = p->path, .events_max = 10, .ended_max = 10 };
    struct evlog *log = open_log(p, 1000);
    hcs_error err = HCS_ERROR_INIT;
    sqlite3 *db = NULL;

    append_many(log, 5);
    evlog_close(log);
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=1000", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(evlog_open(NULL, &options, &log, &err), HCS_E_WIN32_NOT_SUPPORTED);
    assert_non_null(strstr(err.text, p->path));
    assert_non_null(strstr(err.text, "newer hcsd"));
    assert_non_null(strstr(err.text, "1000"));
    assert_int_equal(count_files(p, "events.db.damaged-"), 0);
}

/* Pages that were not in the cache, so one that looks for all of them would show. */
static void opening_reads_few_pages_and_writes_none(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 1000000);
    int missed = 0, highest = 0;
    struct stat before, after;

    for (int i = 0; i < 50; i++)
        append_many(log, 1000);
    evlog_close(log);
    assert_int_equal(stat(p->path, &before), 0);
    assert_true(before.st_size > 2000 * 4096);
    log = open_log(p, 1000000);
    assert_int_equal(sqlite3_db_status(log->db, SQLITE_DBSTATUS_CACHE_MISS, &missed, &highest, 0),
                     SQLITE_OK);
    assert_true(missed > 0 && missed < 40);
    assert_int_equal(sqlite3_db_status(log->db, SQLITE_DBSTATUS_CACHE_WRITE, &missed, &highest, 0),
                     SQLITE_OK);
    assert_int_equal(missed, 0);
    evlog_close(log);
    assert_int_equal(stat(p->path, &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

/* ---- damage while it is used ---- */

/* Overwrite the pages of a part of the file, in percent. */
static void spoil(const struct place *p, off_t from, off_t to)
{
    char page[4096];
    struct stat st;
    int fd = open(p->path, O_WRONLY);

    memset(page, 0xEE, sizeof page);
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t i = st.st_size / 4096 * from / 100; i < st.st_size / 4096 * to / 100; i++)
        assert_int_equal(pwrite(fd, page, sizeof page, i * 4096), sizeof page);
    close(fd);
}

struct renewed {
    int n;
    char log_id[40];
    uint64_t last;
};

static void on_renewed(void *context, const struct evlog_renewal *renewal)
{
    struct renewed *renewed = context;

    renewed->n++;
    renewed->last = renewal->last;
    snprintf(renewed->log_id, sizeof renewed->log_id, "%s", renewal->log_id);
}

static int accept(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                  const char *bytes, size_t length)
{
    (void) sequence;
    (void) incarnation;
    (void) kind;
    (void) bytes;
    (void) length;
    ++*(int *) context;
    return 1;
}

/* Read from the beginning until it does not go on; the number of the last event. */
static uint64_t read_until_damage(struct evlog *log)
{
    int n = 0;

    for (;;) {
        int before = n;

        if (evlog_read(log, (uint64_t) n, accept, &n, NULL) < 0)
            return (uint64_t) n;
        assert_int_not_equal(n, before);
    }
}

static void fill_and_spoil(const struct place *p)
{
    struct evlog *log = open_log(p, 100000);

    for (int i = 0; i < 5; i++)
        append_many(log, 1000);
    evlog_close(log);
    spoil(p, 40, 60);
}

static void damage_that_a_reader_finds_leads_to_a_new_log(void **state)
{
    struct evlog_ended ended = {
        .system = { "gone", 9, "me", "Container", "namespaces" },
        .first_sequence = 1,
        .exit_sequence = 5002,
        .exit = exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT),
        .detail = "{}",
    };
    struct renewed renewed = { 0 };
    struct seen row = { 0 }, seen;
    char id[40];
    uint64_t last;

    fill_and_spoil(*state);
    struct evlog *log = open_log(*state, 100000);
    snprintf(id, sizeof id, "%s", evlog_id(log));
    evlog_on_renewal(log, on_renewed, &renewed);
    uint64_t readable = read_until_damage(log);
    assert_true(readable > 1000 && readable < 4000);
    assert_int_equal(append(log, "b", 8), 5001); /* waits meanwhile */
    assert_int_equal(append(log, "gone", 9), 5002);
    assert_int_equal(evlog_remember(log, &ended), HCS_OK);

    commit(log);
    assert_int_equal(renewed.n, 1);
    assert_string_equal(renewed.log_id, id);
    assert_int_equal(renewed.last, 5000);
    assert_string_not_equal(evlog_id(log), id);
    assert_string_equal(evlog_previous(log, &last), id);
    assert_int_equal(last, 5000);
    assert_int_equal(evlog_first(log), 1);
    assert_int_equal(evlog_last(log), 2);
    seen = read_all(log, 0); /* checks the numbers in the bytes, too */
    assert_int_equal(seen.n, 2);
    assert_string_equal(seen.id, "gone");
    assert_int_equal(evlog_find_ended(log, "gone", 0, on_row, &row, NULL), 1);
    assert_int_equal(row.last, 2);
    assert_int_equal(append(log, "c", 10), 3);
    commit(log);
    assert_int_equal(status_of(log).set_aside, 1);
    assert_int_equal(access(status_of(log).set_aside_path, R_OK), 0);
    char new_id[40];
    snprintf(new_id, sizeof new_id, "%s", evlog_id(log));
    evlog_close(log);

    log = open_log(*state, 100000);
    assert_string_equal(evlog_id(log), new_id);
    assert_string_equal(evlog_previous(log, &last), id);
    assert_int_equal(last, 5000);
    assert_int_equal(read_all(log, 0).n, 3);
    assert_int_equal(status_of(log).set_aside, 1);
    evlog_close(log);
}

/* Trimming reads the oldest. */
static void damage_that_a_commit_finds_loses_nothing_that_waits(void **state)
{
    struct renewed renewed = { 0 };
    struct evlog *log = open_log(*state, 100000);

    for (int i = 0; i < 5; i++)
        append_many(log, 1000);
    evlog_close(log);
    log = open_log(*state, 100);
    spoil(*state, 2, 30);
    evlog_on_renewal(log, on_renewed, &renewed);
    for (int i = 0; i < 10; i++)
        append(log, "b", 2);
    assert_int_equal(renewed.n, 0);
    commit(log);
    assert_int_equal(renewed.n, 1);
    assert_int_equal(renewed.last, 5000);
    assert_int_equal(read_all(log, 0).n, 10);
    assert_int_equal(status_of(log).stuck_since_ns, 0);
    evlog_close(log);
}

static void an_event_that_is_missing_is_damage(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 100000);
    hcs_error err = HCS_ERROR_INIT;
    sqlite3 *db = NULL;
    int n = 0;

    append_many(log, 1000);
    evlog_close(log);
    assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM event WHERE sequence = 30", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    log = open_log(p, 100000);
    assert_true(evlog_read(log, 0, accept, &n, &err) < 0);
    assert_int_equal(n, 29);
    assert_non_null(strstr(err.text, "event 30 is missing"));
    append_many(log, 1);
    assert_int_equal(evlog_last(log), 1);
    evlog_close(log);
}

static void a_file_that_is_removed_while_it_is_used_is_noticed(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 100000);
    struct renewed renewed = { 0 };

    evlog_on_renewal(log, on_renewed, &renewed);
    append_many(log, 100);
    assert_int_equal(unlink(p->path), 0);
    append_many(log, 10);
    assert_int_equal(renewed.n, 1);
    assert_int_equal(renewed.last, 100);
    assert_int_equal(evlog_last(log), 10);
    evlog_close(log);
    log = open_log(p, 100000);
    assert_int_equal(read_all(log, 0).n, 10); /* durable where the next hcsd looks */
    evlog_close(log);
}

static void a_file_that_another_took_the_place_of_is_not_taken_from_it(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 100000), *other;
    hcs_error err = HCS_ERROR_INIT;
    struct evlog_status status;

    append_many(log, 100);
    assert_int_equal(dir_remove(p->dir, NULL), HCS_OK);
    assert_int_equal(mkdir(p->dir, 0700), 0);
    other = open_log(p, 100000);
    append_many(other, 5);
    append(log, "a", 1);
    assert_int_equal(evlog_commit(log, &err), HCS_E_WIN32_BUSY);
    assert_non_null(strstr(err.text, "another hcsd"));
    status = status_of(log);
    assert_int_equal(status.pending, 1);
    assert_true(status.stuck_since_ns > 0);
    assert_string_equal(status.error, err.text);
    append_many(other, 5);
    evlog_close(other);
    commit(log); /* the other has gone */
    assert_int_equal(evlog_last(log), 1);
    evlog_close(log);
}

/* ---- at the opening ---- */

static void remember_one(struct evlog *log, const char *id, uint64_t incarnation, uint64_t sequence)
{
    struct evlog_ended ended = {
        .system = { id, incarnation, "me", "Container", "namespaces" },
        .first_sequence = sequence,
        .exit_sequence = sequence,
        .exit = exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT),
        .detail = "{}",
    };

    assert_int_equal(evlog_remember(log, &ended), HCS_OK);
}

/* An older copy of the file, as of a restored backup: its numbers are not given a second time. */
static void a_log_that_ends_before_what_was_told_is_not_continued(void **state)
{
    struct place *p = *state;
    struct evlog_living lives = { .system = { "lives", 2, "me", "Container", "namespaces" },
                                  .document = "{}",
                                  .boot_id = "" };
    struct evlog *log = open_log(p, 100000);
    struct seen row = { 0 };
    char id[40], command[300];
    uint64_t last;

    remember_one(log, "x", 1, append(log, "x", 1));
    lives.first_sequence = append(log, "lives", 2);
    assert_int_equal(evlog_begin_life(log, &lives), HCS_OK);
    commit(log);
    snprintf(id, sizeof id, "%s", evlog_id(log));
    evlog_close(log);
    snprintf(command, sizeof command, "cp %s %s.backup", p->path, p->path);
    assert_int_equal(system(command), 0);
    log = open_log(p, 100000);
    append_many(log, 5);
    evlog_close(log);
    snprintf(command, sizeof command, "cp %s.backup %s", p->path, p->path);
    assert_int_equal(system(command), 0);

    log = open_log(p, 100000);
    assert_string_not_equal(evlog_id(log), id);
    assert_string_equal(evlog_previous(log, &last), id);
    assert_int_equal(last, 7);
    assert_int_equal(evlog_last(log), 0);
    assert_int_equal(status_of(log).set_aside, 1);
    /* what lives must still be ended, what has ended is still known */
    assert_int_equal(evlog_list_living(log, on_living, &row, NULL), HCS_OK);
    assert_int_equal(row.n, 1);
    assert_string_equal(row.id, "lives");
    assert_int_equal(evlog_find_ended(log, "x", 1, on_row, &row, NULL), 1);
    assert_int_equal(row.last, 0); /* its events are not in this log */
    evlog_close(log);
}

/* The newest events are at the end of the file, the systems at its beginning. */
static void what_can_be_read_of_a_damaged_file_is_remembered(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 100000);
    struct seen row = { 0 };
    char id[40];
    uint64_t last;

    remember_one(log, "x", 1, append(log, "x", 1));
    for (int i = 0; i < 5; i++)
        append_many(log, 1000);
    snprintf(id, sizeof id, "%s", evlog_id(log));
    evlog_close(log);
    spoil(p, 60, 100);
    log = open_log(p, 100000);
    assert_string_not_equal(evlog_id(log), id);
    assert_int_equal(evlog_last(log), 0);
    assert_string_equal(evlog_previous(log, &last), id);
    assert_int_equal(last, 5001);
    assert_int_equal(evlog_find_ended(log, "x", 1, on_row, &row, NULL), 1);
    evlog_close(log);
    log = open_log(p, 100000); /* and in the new file */
    assert_int_equal(evlog_find_ended(log, "x", 1, on_row, &row, NULL), 1);
    evlog_close(log);
}

static void of_another_boot_the_end_is_not_known_exactly(void **state)
{
    struct place *p = *state;
    struct evlog *log =
        open_with(p, (struct evlog_options){ .boot_id = "0000000000000000000000000000000a" });
    uint64_t last;

    append_many(log, 5);
    evlog_close(log);
    assert_int_equal(truncate(p->path, 10), 0);
    log = open_with(p, (struct evlog_options){ .boot_id = "0000000000000000000000000000000b" });
    assert_string_equal(evlog_previous(log, &last), "");
    assert_int_equal(last, 0);
    evlog_close(log);
}

static void a_file_that_was_removed_is_followed_by_one_that_knows(void **state)
{
    struct place *p = *state;
    struct evlog *log = open_log(p, 100000);
    char id[40];
    uint64_t last;

    append_many(log, 5);
    snprintf(id, sizeof id, "%s", evlog_id(log));
    evlog_close(log);
    assert_int_equal(unlink(p->path), 0);
    for (int i = 0; i < 2; i++) {
        log = open_log(p, 100000);
        assert_string_equal(evlog_previous(log, &last), id);
        assert_int_equal(last, 5);
        evlog_close(log);
    }
}

static void a_first_log_has_no_previous(void **state)
{
    struct evlog *log = open_log(*state, 1000);
    uint64_t last = 1;

    assert_string_equal(evlog_previous(log, &last), "");
    assert_int_equal(last, 0);
    assert_int_equal(status_of(log).set_aside, 0);
    assert_string_equal(status_of(log).set_aside_path, "");
    assert_string_equal(status_of(log).error, "");
    evlog_close(log);
}

static void few_damaged_files_are_kept(void **state)
{
    struct place *p = *state;

    for (int i = 0; i < 7; i++) {
        struct evlog *log = open_log(p, 1000);

        append_many(log, i + 1);
        evlog_close(log);
        assert_int_equal(truncate(p->path, 100), 0);
    }
    struct evlog *log = open_log(p, 1000);
    assert_int_equal(status_of(log).set_aside, 4);
    assert_true(count_files(p, "events.db.damaged-") <= 3 * 4); /* -wal and -shm */
    evlog_close(log);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_file_of_an_older_hcsd_is_brought_up_to_date),
        T(a_file_of_a_newer_hcsd_is_refused_and_left_alone),
        T(opening_reads_few_pages_and_writes_none),
        T(damage_that_a_reader_finds_leads_to_a_new_log),
        T(damage_that_a_commit_finds_loses_nothing_that_waits),
        T(an_event_that_is_missing_is_damage),
        T(a_file_that_is_removed_while_it_is_used_is_noticed),
        T(a_file_that_another_took_the_place_of_is_not_taken_from_it),
        T(a_log_that_ends_before_what_was_told_is_not_continued),
        T(what_can_be_read_of_a_damaged_file_is_remembered),
        T(of_another_boot_the_end_is_not_known_exactly),
        T(a_file_that_was_removed_is_followed_by_one_that_knows),
        T(a_first_log_has_no_previous),
        T(few_damaged_files_are_kept),
    };

    return cmocka_run_group_tests_name("evlog_damage", tests, NULL, NULL);
}
