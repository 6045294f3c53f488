/* evlog_wal_test.c - the WAL after a crash of the machine: torn, reordered, damaged.
 *
 * What a crash can do is to the transaction that was under way, which was told to nobody.  What was
 * synced is damaged by other things; then the log must not go on as if it had never been told. */

#define PLACE "/dev/shm"

#include "../unit/engine/evlog_place.h"

#include <stdlib.h>

#include "fault_vfs.h"

#define COMMITS 5
#define BATCH 9
#define FRAME (24 + 4096)

/* The files as a crash would leave them: bytes, and where each transaction ends in the WAL. */
struct crash {
    char *db, *wal;
    size_t db_size, wal_size;
    size_t wal_after[COMMITS + 1];
    char mark[2][128]; /* that says the last but one transaction was told, and the last, too */
    size_t mark_size;
    char id[40];
};

static char *load(const struct place *p, const char *suffix, size_t *out_size)
{
    char path[160], *bytes;

    snprintf(path, sizeof path, "%s%s", p->path, suffix);
    assert_int_equal(file_read(path, 64 * 1024 * 1024, &bytes, out_size, NULL), HCS_OK);
    return bytes;
}

static void store(const struct place *p, const char *suffix, const char *bytes, size_t n)
{
    char path[160];
    int fd;

    snprintf(path, sizeof path, "%s%s", p->path, suffix);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, bytes, n), (ssize_t) n);
    close(fd);
}

static void make_crash(const struct place *p, struct crash *out)
{
    struct evlog *log = open_log(p, 1000);
    struct stat st;
    char path[160];

    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "%s-wal", p->path);
    for (int i = 1; i <= COMMITS; i++) {
        append_many(log, BATCH);
        assert_int_equal(stat(path, &st), 0);
        out->wal_after[i] = (size_t) st.st_size;
        if (i >= COMMITS - 1) {
            char *mark = load(p, "-mark", &out->mark_size);

            memcpy(out->mark[i - (COMMITS - 1)], mark, out->mark_size);
            free(mark);
        }
    }
    snprintf(out->id, sizeof out->id, "%s", evlog_id(log));
    out->db = load(p, "", &out->db_size);
    out->wal = load(p, "-wal", &out->wal_size);
    assert_int_equal(out->wal_size, out->wal_after[COMMITS]);
    evlog_close(log);
}

static void drop_crash(struct crash *c)
{
    free(c->db);
    free(c->wal);
}

static void restore(const struct place *p, const struct crash *c, const char *wal, size_t wal_size,
                    int last_was_told)
{
    assert_int_equal(dir_remove(p->dir, NULL), HCS_OK);
    assert_int_equal(mkdir(p->dir, 0700), 0);
    store(p, "", c->db, c->db_size);
    store(p, "-wal", wal, wal_size);
    store(p, "-mark", c->mark[last_was_told], c->mark_size);
}

/* Dense, with all that was told, or else another log that knows of the one before. */
static void check(const struct place *p, const struct crash *c, uint64_t expected,
                  int last_was_told)
{
    uint64_t told = (uint64_t) (last_was_told ? COMMITS : COMMITS - 1) * BATCH, last;
    struct evlog *log = open_log(p, 1000);
    struct seen seen = read_all(log, 0);

    assert_int_equal(seen.n, evlog_last(log));
    if (expected >= told) {
        assert_string_equal(evlog_id(log), c->id);
        assert_int_equal(evlog_last(log), expected);
        assert_int_equal(status_of(log).set_aside, 0);
    } else {
        assert_string_not_equal(evlog_id(log), c->id);
        assert_int_equal(evlog_last(log), 0);
        assert_string_equal(evlog_previous(log, &last), c->id);
        assert_int_equal(last, told);
        assert_int_equal(status_of(log).set_aside, 1);
    }
    append_many(log, 1);
    evlog_close(log);
}

/* Events that are left when the WAL is good up to @offset. */
static uint64_t events_before(const struct crash *c, size_t offset)
{
    uint64_t n = 0;

    for (int i = 1; i <= COMMITS; i++)
        if (c->wal_after[i] <= offset)
            n = (uint64_t) i * BATCH;
    return n;
}

enum damage { CUT, FLIPPED, ZEROED, N_DAMAGES };

static size_t do_damage(enum damage damage, char *wal, size_t size, size_t offset)
{
    switch (damage) {
    case CUT:
        return offset;
    case FLIPPED:
        wal[offset] ^= 0x55;
        return size;
    case ZEROED:
    default:
        memset(wal + offset, 0, size - offset);
        return size;
    }
}

static void check_damage(const struct place *p, const struct crash *c, enum damage damage,
                         size_t offset)
{
    char *wal = malloc(c->wal_size);
    size_t size;

    memcpy(wal, c->wal, c->wal_size);
    size = do_damage(damage, wal, c->wal_size, offset);
    for (int told = 0; told <= 1; told++) {
        int unchanged = size == c->wal_size && memcmp(wal, c->wal, size) == 0;

        restore(p, c, wal, size, told);
        check(p, c, unchanged ? COMMITS * BATCH : events_before(c, offset), told);
    }
    free(wal);
}

/* Each frame's header byte by byte, the page in it here and there. */
static size_t next_offset(size_t offset)
{
    return (offset - 32) % FRAME < 24 ? offset + 1 : offset + 173;
}

static void a_torn_end_loses_the_last_transaction_alone(void **state)
{
    const struct place *p = *state;
    struct crash c;
    int n = 0;

    make_crash(p, &c);
    for (size_t at = c.wal_after[COMMITS - 1]; at < c.wal_size; at = next_offset(at), n++)
        for (enum damage d = CUT; d < N_DAMAGES; d++)
            check_damage(p, &c, d, at);
    print_message("%d places\n", n);
    assert_true(n > 60);
    drop_crash(&c);
}

/* Each set of the frames of the last transaction that may not have got to the disk. */
static void reordered_writes_lose_the_last_transaction_alone(void **state)
{
    const struct place *p = *state;
    struct crash c;

    make_crash(p, &c);
    size_t begin = c.wal_after[COMMITS - 1], n_frames = (c.wal_size - begin) / FRAME;
    assert_true(n_frames >= 2 && n_frames < 10);
    for (unsigned int missing = 1; missing < 1u << n_frames; missing++) {
        char *wal = malloc(c.wal_size);

        memcpy(wal, c.wal, c.wal_size);
        for (size_t i = 0; i < n_frames; i++)
            if (missing & 1u << i)
                memset(wal + begin + i * FRAME, 0, FRAME);
        for (int told = 0; told <= 1; told++) {
            restore(p, &c, wal, c.wal_size, told);
            check(p, &c, (COMMITS - 1) * BATCH, told);
        }
        free(wal);
    }
    drop_crash(&c);
}

static void damage_to_what_was_synced_begins_a_new_log(void **state)
{
    const struct place *p = *state;
    struct crash c;

    make_crash(p, &c);
    for (size_t at = 0; at < c.wal_after[COMMITS - 1]; at += 1021)
        for (enum damage d = CUT; d < N_DAMAGES; d++)
            if (at > 0 || d != CUT)
                check_damage(p, &c, d, at);
    drop_crash(&c);
}

static void a_wal_that_was_removed_begins_a_new_log(void **state)
{
    const struct place *p = *state;
    struct crash c;
    char path[160];

    make_crash(p, &c);
    restore(p, &c, c.wal, c.wal_size, 1);
    snprintf(path, sizeof path, "%s-wal", p->path);
    assert_int_equal(unlink(path), 0);
    check(p, &c, 0, 1);
    drop_crash(&c);
}

/* Durable before delivered: when a commit returns, the WAL has been synced since it was written. */
static void each_commit_is_synced_once_before_it_returns(void **state)
{
    struct evlog *log = open_log(*state, 1000);

    for (int i = 0; i < 20; i++) {
        fault_set((struct fault){ 0 });
        append_many(log, 1 + i * 50);
        assert_true(fault.n_wal_writes > 0);
        assert_int_equal(fault.wal_unsynced, 0);
        assert_in_range(fault.n_wal_syncs, 1, i == 0 ? 2 : 1); /* one for a whole batch */
    }
    evlog_close(log);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_torn_end_loses_the_last_transaction_alone),
        T(reordered_writes_lose_the_last_transaction_alone),
        T(damage_to_what_was_synced_begins_a_new_log),
        T(a_wal_that_was_removed_begins_a_new_log),
        T(each_commit_is_synced_once_before_it_returns),
    };

    fault_vfs_install();
    return cmocka_run_group_tests_name("evlog_wal", tests, NULL, NULL);
}
