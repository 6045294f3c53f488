/* plain_test.c - the driver of isolation none, seen through driver.h as the engine sees it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plain.h"
#include "stage.h"

#define PATIENCE_US (60ull * 1000 * 1000)

struct host {
    sd_event *loop;
    struct driver *driver;
    struct driver_system system;
    struct doc_system *doc;
    char dir[64];
    uint64_t job; /* the last one answered */
    hcs_result result;
    hcs_error err;
    uint32_t pid;
    int n_done, n_started, n_process_exited, n_exited;
    int exited_before_process;
    uint32_t exited_number;
    hcs_exit process_exit, exit;
};

static void on_done(struct driver_system *s, uint64_t job, hcs_result result, const hcs_error *err)
{
    struct host *h = container_of(s, struct host, system);

    h->n_done++;
    h->job = job;
    h->result = result;
    assert_int_equal(result < 0, err != NULL);
    if (err)
        h->err = *err;
}

static void on_process_started(struct driver_system *s, uint64_t job, uint32_t number, uint32_t pid)
{
    struct host *h = container_of(s, struct host, system);

    (void) number;
    h->n_started++;
    h->job = job;
    h->pid = pid;
}

static void on_process_exited(struct driver_system *s, uint32_t number, const hcs_exit *report)
{
    struct host *h = container_of(s, struct host, system);

    h->exited_before_process |= h->n_exited;
    h->n_process_exited++;
    h->exited_number = number;
    h->process_exit = *report;
}

static void on_happened(struct driver_system *s, hcs_event_kind kind, const char *detail)
{
    (void) s;
    fail_msg("%u: %s", kind, detail);
}

static void on_system_exited(struct driver_system *s, const hcs_exit *report)
{
    struct host *h = container_of(s, struct host, system);

    h->n_exited++;
    h->exit = *report;
}

static const struct driver_events events = {
    .done = on_done,
    .process_started = on_process_started,
    .process_exited = on_process_exited,
    .happened = on_happened,
    .exited = on_system_exited,
};

static void run_until(struct host *h, const int *count, int n)
{
    while (*count < n)
        if (sd_event_run(h->loop, PATIENCE_US) <= 0)
            fail_msg("nothing happens any more");
}

static int host_begin(void **state)
{
    struct host *h = calloc(1, sizeof(*h));
    hcs_error err = HCS_ERROR_INIT;

    assert_non_null(h);
    h->err = (hcs_error) HCS_ERROR_INIT;
    for (int i = 0; i < 3; i++)
        null_fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(sd_event_new(&h->loop), 0);
    assert_int_equal(plain_new(h->loop, keeper_path(), &h->driver, &err), HCS_OK);
    h->system = (struct driver_system){
        .id = "test", .incarnation = 1, .tell = &events, .run_dir = dir_new(h->dir)
    };
    h->driver->ops->create(h->driver, &h->system, 1);
    run_until(h, &h->n_done, 1);
    assert_int_equal(h->result, HCS_OK);
    h->driver->ops->start(h->driver, &h->system, 2);
    run_until(h, &h->n_done, 2);
    assert_int_equal(h->result, HCS_OK);
    *state = h;
    return 0;
}

static int host_end(void **state)
{
    struct host *h = *state;
    int n = h->n_done;

    h->driver->ops->clean(h->driver, &h->system, 99);
    run_until(h, &h->n_done, n + 1);
    assert_int_equal(h->job, 99);
    h->driver->ops->forget(h->driver, &h->system);
    h->driver->ops->drop(h->driver);
    sd_event_unref(h->loop);
    for (int i = 0; i < 3; i++)
        close(null_fds[i]);
    dir_drop(h->dir);
    assert_false(h->exited_before_process);
    free(h);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    return 0;
}

static void create_with(struct host *h, uint32_t number, const char *directory, const char *program,
                        const char *script, int out_fd)
{
    char c[] = "-c";
    char *words[] = { strdup(program), c, strdup(script), NULL }, *environment[] = { NULL };
    char *where = directory ? strdup(directory) : NULL;
    struct doc_process doc = {
        .arguments = words, .n_arguments = 3, .environment = environment, .working_directory = where
    };

    h->driver->ops->process_create(h->driver, &h->system, 10 + number, number, &doc,
                                   (int[]){ null_fds[0], out_fd, null_fds[2] });
    free(words[0]);
    free(words[2]);
    free(where);
}

static void create(struct host *h, uint32_t number, const char *script)
{
    int n = h->n_started;

    create_with(h, number, NULL, "sh", script, null_fds[1]);
    run_until(h, &h->n_started, n + 1);
    assert_int_equal(h->job, 10 + number);
}

static void exit_of_a_program_is_told_truly(void **state)
{
    struct host *h = *state;

    create(h, 1, "exit 42");
    run_until(h, &h->n_process_exited, 1);
    assert_int_equal(h->process_exit.how, HCS_EXIT_CODE);
    assert_int_equal(h->process_exit.code, 42);
    create(h, 2, "kill -SEGV $$");
    run_until(h, &h->n_process_exited, 2);
    assert_int_equal(h->process_exit.how, HCS_EXIT_SIGNAL);
    assert_int_equal(h->process_exit.signal, SIGSEGV);
    assert_int_equal(h->n_exited, 0); /* a system does not end with its programs */
    create(h, 3, "exit 0");
    run_until(h, &h->n_process_exited, 3);
}

static void settled_exit_leaves_no_record(void **state)
{
    struct host *h = *state;

    create(h, 1, "exit 0");
    run_until(h, &h->n_process_exited, 1);
    assert_true(dir_has(h->dir, "exit.1"));
    h->driver->ops->settled(h->driver, &h->system, 1);
    create(h, 2, "exit 0"); /* answered after that */
    assert_false(dir_has(h->dir, "exit.1"));
}

static void shut_down_of_nothing_is_graceful_at_once(void **state)
{
    struct host *h = *state;

    create(h, 1, "exit 0");
    run_until(h, &h->n_process_exited, 1);
    h->driver->ops->shut_down(h->driver, &h->system, 5);
    run_until(h, &h->n_exited, 1);
    assert_int_equal(h->job, 5);
    assert_int_equal(h->result, HCS_OK);
    assert_int_equal(h->exit.how, HCS_EXIT_STATUS);
    assert_int_equal(h->exit.type, HCS_EXIT_TYPE_GRACEFUL);
    assert_int_equal(h->exit.initiator, HCS_INITIATOR_CLIENT);
}

static void shut_down_waits_for_the_programs(void **state)
{
    struct host *h = *state;
    int lives[2];
    char up;

    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    create_with(h, 1, NULL, "sh", "trap 'exit 7' TERM; sh -c 'echo; exec sleep 1000' & wait",
                lives[1]);
    close(lives[1]);
    run_until(h, &h->n_started, 1);
    assert_int_equal(read(lives[0], &up, 1), 1);
    h->driver->ops->shut_down(h->driver, &h->system, 5);
    run_until(h, &h->n_exited, 1);
    close(lives[0]);
    assert_int_equal(h->n_process_exited, 1);
    assert_int_equal(h->process_exit.code, 7);
    assert_int_equal(h->exit.type, HCS_EXIT_TYPE_GRACEFUL);
}

static void terminate_ends_what_shut_down_could_not(void **state)
{
    struct host *h = *state;
    int lives[2];
    char up;

    assert_int_equal(pipe2(lives, O_CLOEXEC), 0);
    create_with(h, 1, NULL, "sh", "trap '' TERM; echo; while :; do sleep 1000; done", lives[1]);
    close(lives[1]);
    run_until(h, &h->n_started, 1);
    assert_int_equal(read(lives[0], &up, 1), 1);
    h->driver->ops->shut_down(h->driver, &h->system, 5);
    run_until(h, &h->n_done, 3);
    assert_int_equal(h->n_exited, 0);
    h->driver->ops->terminate(h->driver, &h->system, 6);
    run_until(h, &h->n_exited, 1);
    close(lives[0]);
    assert_int_equal(h->exit.type, HCS_EXIT_TYPE_FORCED);
    assert_int_equal(h->exit.initiator, HCS_INITIATOR_CLIENT);
    assert_int_equal(h->process_exit.signal, SIGKILL);
}

static void no_program_starts_while_stopping(void **state)
{
    struct host *h = *state;

    h->driver->ops->shut_down(h->driver, &h->system, 5);
    create_with(h, 1, NULL, "sh", "exit 0", null_fds[1]);
    assert_int_equal(h->job, 11);
    assert_int_equal(h->result, HCS_E_INVALID_STATE);
    run_until(h, &h->n_exited, 1);
}

static void failed_start_names_program_or_directory(void **state)
{
    struct host *h = *state;

    create_with(h, 1, NULL, "no-such-program", "", null_fds[1]);
    run_until(h, &h->n_done, 3);
    assert_int_equal(h->result, HCS_E_WIN32_FILE_NOT_FOUND);
    assert_non_null(strstr(h->err.text, "'no-such-program'"));
    create_with(h, 1, NULL, "/etc/passwd", "", null_fds[1]);
    run_until(h, &h->n_done, 4);
    assert_int_equal(h->result, HCS_E_WIN32_ACCESS_DENIED);
    create_with(h, 1, "/no/such/directory", "sh", "", null_fds[1]);
    run_until(h, &h->n_done, 5);
    assert_int_equal(h->result, HCS_E_WIN32_PATH_NOT_FOUND);
    assert_non_null(strstr(h->err.text, "'/no/such/directory'"));
    assert_int_equal(h->n_started, 0);
}

static void empty_environment_has_path_and_home(void **state)
{
    struct host *h = *state;
    char text[256] = { 0 };
    int out[2];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(setenv("HOME", "/some/home", 1), 0);
    create_with(h, 1, "/usr", "sh", "env | grep -v -e ^_= -e ^PWD= -e ^OLDPWD= | sort; pwd",
                out[1]);
    close(out[1]);
    run_until(h, &h->n_process_exited, 1);
    assert_true(read(out[0], text, sizeof(text) - 1) > 0);
    close(out[0]);
    assert_string_equal(
        text, "HOME=/some/home\n"
              "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n/usr\n");
}

static void signal_reaches_the_program_until_it_has_ended(void **state)
{
    struct host *h = *state;
    hcs_error err = HCS_ERROR_INIT;

    create(h, 1, "exec sleep 1000");
    assert_int_equal(h->driver->ops->process_signal(h->driver, &h->system, 1, SIGUSR1, &err),
                     HCS_OK);
    run_until(h, &h->n_process_exited, 1);
    assert_int_equal(h->process_exit.signal, SIGUSR1);
    assert_int_equal(h->driver->ops->process_signal(h->driver, &h->system, 1, SIGUSR1, &err),
                     HCS_E_PROCESS_ALREADY_STOPPED);
}

/* The parent of the newest program. */
static pid_t keeper_pid(const struct host *h)
{
    char path[64], line[256];
    int keeper = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%u/status", h->pid);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "PPid: %d", &keeper) == 1)
            break;
    fclose(f);
    return keeper;
}

static void killed_keeper_means_unknown_exits(void **state)
{
    struct host *h = *state;

    create(h, 1, "exec sleep 1000");
    create(h, 2, "exec sleep 1000");
    kill(keeper_pid(h), SIGKILL);
    run_until(h, &h->n_exited, 1);
    assert_int_equal(h->n_process_exited, 2);
    assert_int_equal(h->process_exit.how, HCS_EXIT_UNKNOWN);
    assert_string_equal(h->process_exit.reason, "the keeper was killed by signal 9");
    assert_int_equal(h->exit.how, HCS_EXIT_UNKNOWN);
    assert_string_equal(h->exit.reason, "the keeper was killed by signal 9");
    assert_int_equal(h->exit.type, HCS_EXIT_TYPE_UNEXPECTED);
}

/* The keeper does not know of it yet when it says what it was asked. */
static void stop_before_an_adopted_keeper_is_ready_is_one(void **state)
{
    struct host *h = *state;
    const struct driver_process process = { .number = 1 };
    const struct driver_known known = { &process, 1 };
    pid_t keeper;
    int n;

    create(h, 1, "exec sleep 1000");
    keeper = keeper_pid(h);
    h->driver->ops->forget(h->driver, &h->system);
    n = h->n_done;
    h->driver->ops->adopt(h->driver, &h->system, 5, &known);
    h->driver->ops->terminate(h->driver, &h->system, 6); /* nothing was heard yet */
    run_until(h, &h->n_exited, 1);
    assert_int_equal(h->n_done, n + 2);
    assert_int_equal(h->result, HCS_OK);
    assert_int_equal(h->n_process_exited, 1);
    assert_int_equal(h->process_exit.signal, SIGKILL);
    assert_int_equal(h->exit.type, HCS_EXIT_TYPE_FORCED);
    assert_int_equal(h->exit.initiator, HCS_INITIATOR_CLIENT);
    h->driver->ops->clean(h->driver, &h->system, 7);
    run_until(h, &h->n_done, n + 3);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper); /* ours, but not for the driver */
}

static void document_with_a_container_in_it_is_refused(void **state)
{
    struct host *h = *state;
    char path[] = "/some/root";
    struct doc_system doc = { .isolation = DOC_ISOLATION_NONE };
    hcs_error err = HCS_ERROR_INIT;

    assert_int_equal(h->driver->ops->check(h->driver, &doc, &err), HCS_OK);
    doc.storage_path = path;
    assert_int_equal(h->driver->ops->check(h->driver, &doc, &err), HCS_E_WIN32_NOT_SUPPORTED);
    assert_non_null(strstr(err.text, "$.Container.Storage"));
    doc = (struct doc_system){ .isolation = DOC_ISOLATION_NONE, .memory_mb = 5 };
    assert_int_equal(h->driver->ops->check(h->driver, &doc, &err), HCS_E_WIN32_NOT_SUPPORTED);
    assert_non_null(strstr(err.text, "$.Container.Memory"));
    doc = (struct doc_system){ .isolation = DOC_ISOLATION_NAMESPACES };
    assert_int_equal(h->driver->ops->check(h->driver, &doc, &err), HCS_E_WIN32_NOT_SUPPORTED);
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, host_begin, host_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOST(exit_of_a_program_is_told_truly),
        WITH_HOST(settled_exit_leaves_no_record),
        WITH_HOST(shut_down_of_nothing_is_graceful_at_once),
        WITH_HOST(shut_down_waits_for_the_programs),
        WITH_HOST(terminate_ends_what_shut_down_could_not),
        WITH_HOST(no_program_starts_while_stopping),
        WITH_HOST(failed_start_names_program_or_directory),
        WITH_HOST(empty_environment_has_path_and_home),
        WITH_HOST(signal_reaches_the_program_until_it_has_ended),
        WITH_HOST(killed_keeper_means_unknown_exits),
        WITH_HOST(stop_before_an_adopted_keeper_is_ready_is_one),
        WITH_HOST(document_with_a_container_in_it_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
