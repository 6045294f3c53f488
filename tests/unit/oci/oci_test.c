/* The OCI driver with a real runtime, seen from where the engine stands.  Needs root and a
 * busybox; skips with the reason when this host can run no container. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "oci.h"

#define SEEN_MAX 512
#define WAIT_NS (UINT64_C(30) * 1000000000)

enum seen_what { SEEN_DONE = 1, SEEN_STARTED, SEEN_PROCESS_EXITED, SEEN_EXITED };

struct seen {
    enum seen_what what;
    uint64_t job;
    uint32_t number;
    uint32_t pid;
    hcs_result result;
    hcs_error err;
    hcs_exit report;
};

static sd_event *loop;
static struct driver *driver;
static char directory[64];
static char root_fs[128];
static char why_not[700];
static struct seen seen[SEEN_MAX];
static size_t n_seen;
static uint64_t last_incarnation;
static pid_t lost_keeper; /* killed by the test; 0: none */

/* ---- what the engine would hear ---- */

static struct seen *note(enum seen_what what)
{
    assert_true(n_seen < SEEN_MAX);
    memset(&seen[n_seen], 0, sizeof seen[0]);
    seen[n_seen].what = what;
    return &seen[n_seen++];
}

static void on_done(struct driver_system *s, uint64_t job, hcs_result result, const hcs_error *err)
{
    struct seen *n = note(SEEN_DONE);

    (void) s;
    n->job = job;
    n->result = result;
    if (err)
        n->err = *err;
    assert_true((result < 0) == (err != NULL));
}

static void on_started(struct driver_system *s, uint64_t job, uint32_t number, uint32_t pid)
{
    struct seen *n = note(SEEN_STARTED);

    (void) s;
    n->job = job;
    n->number = number;
    n->pid = pid;
}

static void on_process_exited(struct driver_system *s, uint32_t number, const hcs_exit *report)
{
    struct seen *n = note(SEEN_PROCESS_EXITED);

    driver->ops->settled(driver, s, number);
    n->number = number;
    n->report = *report;
}

static void on_happened(struct driver_system *s, hcs_event_kind kind, const char *detail)
{
    (void) s;
    (void) kind;
    (void) detail;
}

static void on_exited(struct driver_system *s, const hcs_exit *report)
{
    struct seen *n = note(SEEN_EXITED);

    driver->ops->settled(driver, s, 0);
    n->report = *report;
}

static const struct driver_events tell = {
    .done = on_done,
    .process_started = on_started,
    .process_exited = on_process_exited,
    .happened = on_happened,
    .exited = on_exited,
};

static struct seen *find_seen(enum seen_what what, uint64_t key)
{
    for (size_t i = 0; i < n_seen; i++)
        if (seen[i].what == what &&
            (what == SEEN_PROCESS_EXITED ? seen[i].number : seen[i].job) == key)
            return &seen[i];
    return NULL;
}

/* We are the subreaper: once a keeper is gone its orphans are ours, as they would be those of
 * pid 1. */
static void reap_orphans_of(pid_t keeper_opt)
{
    if (keeper_opt && kill(keeper_opt, 0) < 0)
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
}

/* Run the loop until it was seen. */
static struct seen *wait_for(enum seen_what what, uint64_t key)
{
    uint64_t deadline = clock_monotonic_ns() + WAIT_NS;

    while (!find_seen(what, key)) {
        reap_orphans_of(lost_keeper);
        if (clock_monotonic_ns() > deadline)
            fail_msg("nothing of kind %d for %" PRIu64 " within 30 s", what, key);
        assert_true(sd_event_run(loop, 100000) >= 0);
    }
    return find_seen(what, key);
}

/* ---- systems ---- */

struct box {
    struct driver_system system;
    struct doc_system *doc;
    char run_dir[128];
    char id[32];
    char name[64];
    uint64_t last_job;
    uint32_t last_number;
};

static struct doc_system *document(const char *extra)
{
    _cleanup_(free_drop) char *text = NULL;
    struct doc_system *doc = NULL;
    hcs_error err = HCS_ERROR_INIT;

    assert_true(asprintf(&text,
                         "{\"Owner\":\"test\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                         "\"Container\":{\"Storage\":{\"Path\":\"%s\"}%s}}",
                         root_fs, extra) > 0);
    if (doc_system_parse(text, &doc, &err) < 0)
        fail_msg("%s", err.text);
    return doc;
}

static uint64_t new_job(struct box *b)
{
    return b->system.incarnation * 1000 + ++b->last_job;
}

static void box_begin(struct box *b, const char *extra)
{
    if (why_not[0]) {
        print_message("%s\n", why_not);
        skip();
    }
    *b = (struct box){ 0 };
    b->doc = document(extra);
    b->system.incarnation = ++last_incarnation + (uint64_t) getpid() * 1000;
    snprintf(b->id, sizeof b->id, "ocitest");
    snprintf(b->name, sizeof b->name, "%s.%" PRIu64, b->id, b->system.incarnation);
    snprintf(b->run_dir, sizeof b->run_dir, "%s/run.%" PRIu64, directory, b->system.incarnation);
    assert_int_equal(mkdir(b->run_dir, 0700), 0);
    b->system.id = b->id;
    b->system.doc = b->doc;
    b->system.run_dir = b->run_dir;
    b->system.tell = &tell;
    n_seen = 0;
    lost_keeper = 0;
}

static void assert_good(const struct seen *n)
{
    if (n->result < 0)
        fail_msg("%s: %s", n->err.where, n->err.text);
}

static struct seen *box_create(struct box *b)
{
    uint64_t job = new_job(b);

    driver->ops->create(driver, &b->system, job);
    return wait_for(SEEN_DONE, job);
}

static void box_start(struct box *b)
{
    uint64_t job = new_job(b);

    driver->ops->start(driver, &b->system, job);
    assert_good(wait_for(SEEN_DONE, job));
}

static void box_run(struct box *b, const char *extra)
{
    box_begin(b, extra);
    assert_good(box_create(b));
    box_start(b);
}

static struct seen *box_terminate(struct box *b)
{
    uint64_t job = new_job(b);

    driver->ops->terminate(driver, &b->system, job);
    assert_good(wait_for(SEEN_DONE, job));
    return wait_for(SEEN_EXITED, 0);
}

/* Give a program; @fds_opt or /dev/null.  Its job is in @out_job. */
static uint32_t box_give(struct box *b, const char *parameters, const int *fds_opt,
                         uint64_t *out_job)
{
    struct doc_process *doc = NULL;
    hcs_error err = HCS_ERROR_INIT;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fds[3] = { null, null, null };

    if (doc_process_parse(parameters, &doc, &err) < 0)
        fail_msg("%s", err.text);
    *out_job = new_job(b);
    driver->ops->process_create(driver, &b->system, *out_job, ++b->last_number, doc,
                                fds_opt ? fds_opt : fds);
    doc_process_drop(doc);
    close(null);
    return b->last_number;
}

/* Run a shell line to its end. */
static const hcs_exit *box_shell(struct box *b, const char *line, const int *fds_opt)
{
    _cleanup_(free_drop) char *text = NULL;
    uint64_t job;
    uint32_t number;

    assert_true(asprintf(&text, "{\"CommandArgs\":[\"sh\",\"-c\",\"%s\"]}", line) > 0);
    number = box_give(b, text, fds_opt, &job);
    wait_for(SEEN_STARTED, job);
    return &wait_for(SEEN_PROCESS_EXITED, number)->report;
}

/* The error of a program that must not start. */
static hcs_error box_refuse(struct box *b, const char *parameters)
{
    uint64_t job;
    struct seen *n;

    (void) box_give(b, parameters, NULL, &job);
    n = wait_for(SEEN_DONE, job);
    assert_true(n->result < 0);
    assert_int_equal(n->result, n->err.code);
    return n->err;
}

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n - 2;
}

static void assert_no_line(const char *file, const char *name)
{
    _cleanup_(free_drop) char *text = NULL;

    assert_int_equal(file_read(file, (size_t) 4 << 20, &text, NULL, NULL), HCS_OK);
    if (strstr(text, name))
        fail_msg("%s still has %s", file, name);
}

static void assert_no_cgroup(const char *name)
{
    _cleanup_(free_drop) char *command = NULL;

    assert_true(asprintf(&command, "test -z \"$(find /sys/fs/cgroup -name '*%s*' 2>/dev/null)\"",
                         name) > 0);
    assert_int_equal(system(command), 0);
}

static void assert_nothing_left(const struct box *b)
{
    char path[300];

    assert_no_line("/proc/self/mountinfo", b->name);
    assert_no_cgroup(b->name);
    snprintf(path, sizeof path, "%s/state/crun", directory);
    assert_true(count_entries(path) <= 0);
    snprintf(path, sizeof path, "%s/state/runc", directory);
    assert_true(count_entries(path) <= 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* we are the subreaper: no process either */
    snprintf(path, sizeof path, "%s/dev", root_fs);
    assert_true(count_entries(path) <= 0);
}

static void box_clean(struct box *b)
{
    uint64_t job = new_job(b);

    driver->ops->clean(driver, &b->system, job);
    assert_good(wait_for(SEEN_DONE, job));
    driver->ops->forget(driver, &b->system);
    while (lost_keeper && waitpid(-1, NULL, 0) > 0)
        ; /* all must be dead: one that is not makes this hang until the time limit */
    assert_nothing_left(b);
    assert_int_equal(dir_remove(b->run_dir, NULL), HCS_OK);
    doc_system_drop(b->doc);
}

static void box_end(struct box *b)
{
    box_terminate(b);
    box_clean(b);
}

/* The keeper among our children; 0 when it is not one yet: its arguments appear some time after it.
 */
static pid_t find_keeper(const struct box *b)
{
    _cleanup_(free_drop) char *children = NULL;
    char path[64];

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int) getpid());
    assert_int_equal(file_read(path, 65536, &children, NULL, NULL), HCS_OK);
    for (char *word = strtok(children, " "); word; word = strtok(NULL, " ")) {
        _cleanup_(free_drop) char *arguments = NULL;
        size_t length;

        snprintf(path, sizeof path, "/proc/%s/cmdline", word);
        if (file_read(path, 65536, &arguments, &length, NULL) >= 0 &&
            memmem(arguments, length, "--keep", 6) &&
            memmem(arguments, length, b->run_dir, strlen(b->run_dir)))
            return (pid_t) atoi(word);
    }
    return 0;
}

static pid_t keeper_of(const struct box *b)
{
    uint64_t deadline = clock_monotonic_ns() + WAIT_NS;
    pid_t found;

    while ((found = find_keeper(b)) == 0)
        assert_true(clock_monotonic_ns() < deadline);
    return found;
}

static void lose_keeper(const struct box *b)
{
    lost_keeper = keeper_of(b);
    assert_int_equal(kill(lost_keeper, SIGKILL), 0);
}

static struct oci_options options_of_test(void)
{
    /* a keeper that sanitizers made dynamic cannot be an init: HCS_TEST_KEEPER names a static one
     */
    const char *keeper = getenv("HCS_TEST_KEEPER");

    return (struct oci_options){
        .keeper_program = keeper ? keeper : KEEPER,
        .runtime_opt = getenv("OCI_TEST_RUNTIME"),
    };
}

/* ---- tests ---- */

static void exit_code_is_the_programs_own(void **state)
{
    struct box b;
    const hcs_exit *report;

    (void) state;
    box_run(&b, "");
    report = box_shell(&b, "exit 42", NULL);
    assert_int_equal(report->how, HCS_EXIT_CODE);
    assert_int_equal(report->code, 42);
    box_end(&b);
}

static void exit_by_signal_is_a_signal(void **state)
{
    struct box b;
    const hcs_exit *report;

    (void) state;
    box_run(&b, "");
    report = box_shell(&b, "kill -SEGV $$", NULL);
    assert_int_equal(report->how, HCS_EXIT_SIGNAL);
    assert_int_equal(report->signal, SIGSEGV);
    box_end(&b);
}

static void standard_handles_are_the_callers(void **state)
{
    int in[2], out[2];
    int fds[3];
    char text[64] = "";
    struct box b;

    (void) state;
    box_run(&b, "");
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    fds[0] = in[0];
    fds[1] = fds[2] = out[1];
    assert_int_equal(write(in[1], "hello\n", 6), 6);
    assert_int_equal(box_shell(&b, "read x; echo got $x; echo err >&2", fds)->code, 0);
    close(out[1]);
    assert_int_equal(read(out[0], text, sizeof text - 1), 14);
    assert_string_equal(text, "got hello\nerr\n");
    close(out[0]);
    close(in[0]);
    close(in[1]);
    box_end(&b);
}

static void refused_programs_say_what_to_mend(void **state)
{
    struct box b;
    hcs_error err;

    (void) state;
    box_run(&b, "");
    err = box_refuse(&b, "{\"CommandArgs\":[\"nosuch\"]}");
    assert_int_equal(err.code, HCS_E_WIN32_FILE_NOT_FOUND);
    assert_string_equal(err.text, "program 'nosuch' is not in the PATH");
    err = box_refuse(&b, "{\"CommandArgs\":[\"/no/such\"]}");
    assert_int_equal(err.code, HCS_E_WIN32_FILE_NOT_FOUND);
    assert_string_equal(err.text, "program '/no/such' does not exist");
    err = box_refuse(&b, "{\"CommandArgs\":[\"/bin/text\"]}");
    assert_int_equal(err.code, HCS_E_WIN32_ACCESS_DENIED);
    assert_string_equal(err.text, "program '/bin/text' is not an executable file");
    err = box_refuse(&b, "{\"CommandArgs\":[\"true\"],\"WorkingDirectory\":\"/nowhere\"}");
    assert_int_equal(err.code, HCS_E_WIN32_PATH_NOT_FOUND);
    assert_string_equal(err.text, "working directory '/nowhere' does not exist");
    err = box_refuse(&b, "{\"CommandArgs\":[\"true\"],\"WorkingDirectory\":\"/bin/text\"}");
    assert_int_equal(err.code, HCS_E_WIN32_PATH_NOT_FOUND);
    assert_int_equal(box_shell(&b, "exit 0", NULL)->how, HCS_EXIT_CODE);
    box_end(&b);
}

/* The runtimes do not tell, or tell too late, that a program could not be executed: the code with
 * which their own last step ends is not the program's. */
static void program_that_never_ran_has_no_exit_code(void **state)
{
    struct box b;
    hcs_error err;

    (void) state;
    box_run(&b, "");
    err = box_refuse(&b, "{\"CommandArgs\":[\"/bin/bad-interpreter\"]}");
    assert_int_equal(err.code, HCS_E_WIN32_FILE_NOT_FOUND);
    assert_non_null(strstr(err.text, "'/bin/bad-interpreter' needs an interpreter"));
    err = box_refuse(&b, "{\"CommandArgs\":[\"bad-interpreter\"]}");
    assert_non_null(strstr(err.text, "'bad-interpreter' needs an interpreter"));
    err = box_refuse(&b, "{\"CommandArgs\":[\"/bin/bad-format\"]}");
    assert_int_equal(err.os, ENOEXEC);
    assert_non_null(strstr(err.text, "program '/bin/bad-format'"));
    box_end(&b);
}

static void memory_limit_kills_are_counted_before_the_exit(void **state)
{
    struct box b;
    const hcs_exit *report;

    (void) state;
    box_run(&b, ",\"Memory\":{\"SizeInMB\":16}");
    report = box_shell(&b, "exit 0", NULL);
    assert_int_equal(report->oom_kills, 0);
    report = box_shell(&b, "exec tail /dev/zero", NULL);
    assert_int_equal(report->how, HCS_EXIT_SIGNAL);
    assert_int_equal(report->signal, SIGKILL);
    assert_int_equal(report->oom_kills, 1);
    assert_int_equal(box_terminate(&b)->report.oom_kills, 1);
    box_clean(&b);
}

static void terminate_is_forced(void **state)
{
    struct box b;
    uint64_t job;
    uint32_t number;
    const hcs_exit *report;

    (void) state;
    box_run(&b, "");
    number = box_give(&b, "{\"CommandArgs\":[\"sleep\",\"1000\"]}", NULL, &job);
    wait_for(SEEN_STARTED, job);
    report = &box_terminate(&b)->report;
    assert_int_equal(report->how, HCS_EXIT_STATUS);
    assert_int_equal(report->type, HCS_EXIT_TYPE_FORCED);
    assert_int_equal(report->initiator, HCS_INITIATOR_CLIENT);
    assert_non_null(find_seen(SEEN_PROCESS_EXITED, number));
    assert_true(find_seen(SEEN_PROCESS_EXITED, number) < find_seen(SEEN_EXITED, 0));
    assert_int_equal(find_seen(SEEN_PROCESS_EXITED, number)->report.signal, SIGKILL);
    box_clean(&b);
}

static void shut_down_is_graceful(void **state)
{
    struct box b;
    uint64_t job, down;
    uint32_t number;
    const hcs_exit *report;

    (void) state;
    box_run(&b, "");
    number = box_give(&b, "{\"CommandArgs\":[\"sleep\",\"1000\"]}", NULL, &job);
    wait_for(SEEN_STARTED, job);
    down = new_job(&b);
    driver->ops->shut_down(driver, &b.system, down);
    report = &wait_for(SEEN_EXITED, 0)->report;
    assert_good(wait_for(SEEN_DONE, down));
    assert_int_equal(report->how, HCS_EXIT_STATUS);
    assert_int_equal(report->status, HCS_OK);
    assert_int_equal(report->type, HCS_EXIT_TYPE_GRACEFUL);
    assert_int_equal(find_seen(SEEN_PROCESS_EXITED, number)->report.signal, SIGTERM);
    box_clean(&b);
}

static void shut_down_right_after_start_is_not_lost(void **state)
{
    (void) state;
    for (int i = 0; i < 10; i++) {
        struct box b;
        uint64_t down;

        box_run(&b, "");
        down = new_job(&b);
        driver->ops->shut_down(driver, &b.system, down);
        assert_int_equal(wait_for(SEEN_EXITED, 0)->report.type, HCS_EXIT_TYPE_GRACEFUL);
        assert_good(wait_for(SEEN_DONE, down));
        box_clean(&b);
    }
}

static void end_that_nobody_asked_for_is_unexpected(void **state)
{
    struct box b;
    const hcs_exit *report;
    char command[300];

    (void) state;
    box_run(&b, "");
    snprintf(command, sizeof command, "pkill -KILL -P %d", (int) keeper_of(&b));
    assert_int_equal(system(command), 0);
    report = &wait_for(SEEN_EXITED, 0)->report;
    assert_int_equal(report->how, HCS_EXIT_STATUS);
    assert_int_equal(report->type, HCS_EXIT_TYPE_UNEXPECTED);
    assert_int_equal(report->status, HCS_E_UNEXPECTED_EXIT);
    box_clean(&b);
}

static void signal_reaches_the_process(void **state)
{
    struct box b;
    uint64_t job;
    uint32_t number;

    (void) state;
    box_run(&b, "");
    number = box_give(&b, "{\"CommandArgs\":[\"sleep\",\"1000\"]}", NULL, &job);
    wait_for(SEEN_STARTED, job);
    assert_int_equal(driver->ops->process_signal(driver, &b.system, number, SIGUSR1, NULL), HCS_OK);
    assert_int_equal(wait_for(SEEN_PROCESS_EXITED, number)->report.signal, SIGUSR1);
    assert_int_equal(driver->ops->process_signal(driver, &b.system, number, SIGUSR1, NULL),
                     HCS_E_PROCESS_ALREADY_STOPPED);
    box_end(&b);
}

/* ---- a program whose start nobody hears the end of ---- */

/* A runtime that leaves somebody behind who has the report's descriptor: nothing shows its end. */
static char thief[128];
static struct driver *thieves; /* over it */

static void driver_of_thieves_begin(const char *redirection)
{
    struct oci_options options = options_of_test();
    hcs_error err = HCS_ERROR_INIT;
    char state_dir[160];
    FILE *file;

    snprintf(thief, sizeof thief, "%s/thief", directory);
    snprintf(state_dir, sizeof state_dir, "%s/thief.state", directory);
    file = fopen(thief, "w");
    assert_non_null(file);
    fprintf(file,
            "#!/bin/sh\n"
            "[ -S /proc/self/fd/3 ] || exec %s \"$@\"\n"
            "sleep 1000 <&- >&- 2>&- &\n"
            "exec %s \"$@\" %s\n",
            options.runtime_opt, options.runtime_opt, redirection);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(thief, 0755), 0);
    options.runtime_opt = thief;
    options.state_dir = state_dir;
    options.start_limit_us = 300000;
    if (oci_new(loop, &options, &thieves, &err) < 0)
        fail_msg("%s", err.text);
}

/* The tests' driver is another one meanwhile. */
static void swap_drivers(void)
{
    struct driver *other = thieves;

    thieves = driver;
    driver = other;
}

static void thieves_begin(struct box *b, const char *redirection)
{
    box_begin(b, ""); /* skips where nothing runs */
    driver_of_thieves_begin(redirection);
    swap_drivers();
    assert_good(box_create(b));
    box_start(b);
}

static void thieves_end(struct box *b)
{
    box_end(b);
    swap_drivers();
    thieves->ops->drop(thieves);
}

static void stolen_report_loses_no_exit(void **state)
{
    struct box b;
    uint32_t number;
    uint64_t job;

    (void) state;
    thieves_begin(&b, "");
    number = box_give(&b, "{\"CommandArgs\":[\"sh\",\"-c\",\"exit 42\"]}", NULL, &job);
    wait_for(SEEN_PROCESS_EXITED, number);
    assert_non_null(find_seen(SEEN_STARTED, job));
    assert_int_equal(find_seen(SEEN_PROCESS_EXITED, number)->report.how, HCS_EXIT_CODE);
    assert_int_equal(find_seen(SEEN_PROCESS_EXITED, number)->report.code, 42);
    thieves_end(&b);
}

static void stolen_report_holds_up_no_start(void **state)
{
    struct box b;
    uint32_t number;
    uint64_t job;

    (void) state;
    thieves_begin(&b, "");
    number = box_give(&b, "{\"CommandArgs\":[\"sleep\",\"1000\"]}", NULL, &job);
    wait_for(SEEN_STARTED, job);
    assert_int_equal(driver->ops->process_signal(driver, &b.system, number, SIGUSR1, NULL), HCS_OK);
    assert_int_equal(wait_for(SEEN_PROCESS_EXITED, number)->report.signal, SIGUSR1);
    thieves_end(&b);
}

/* Whether a process of this machine has @argument. */
static int is_running(const char *argument)
{
    DIR *d = opendir("/proc");
    const struct dirent *e;
    int found = 0;

    assert_non_null(d);
    while (!found && (e = readdir(d)) != NULL) {
        char path[300], text[400];
        ssize_t n = -1;
        int fd;

        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            n = read(fd, text, sizeof text);
            close(fd);
        }
        found = n > 0 && memmem(text, (size_t) n, argument, strlen(argument)) != NULL;
    }
    closedir(d);
    return found;
}

static void wait_until_gone(const char *argument)
{
    uint64_t deadline = clock_monotonic_ns() + WAIT_NS;

    while (is_running(argument)) {
        if (clock_monotonic_ns() > deadline)
            fail_msg("a process with %s runs on", argument);
        assert_true(sd_event_run(loop, 1000) >= 0);
    }
}

/* It runs, but nobody has said that it is the program: it could be the runtime's last step. */
static void what_was_never_reached_is_refused_and_killed(void **state)
{
    char argument[40], parameters[120];
    struct box b;
    const struct seen *n;
    uint64_t job;

    (void) state;
    thieves_begin(&b, "3</dev/null");
    snprintf(argument, sizeof argument, "never-%d", getpid());
    snprintf(parameters, sizeof parameters,
             "{\"CommandArgs\":[\"sh\",\"-c\",\"sleep 1000; true\",\"%s\"]}", argument);
    (void) box_give(&b, parameters, NULL, &job);
    n = wait_for(SEEN_DONE, job);
    assert_int_equal(n->result, HCS_E_OPERATION_TIMEOUT);
    assert_non_null(strstr(n->err.text, "'sh' was not executed within 300 ms"));
    wait_until_gone(argument);
    thieves_end(&b);
}

int __real_sd_event_add_time_relative(sd_event *e, sd_event_source **out, clockid_t clock,
                                      uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t handler, void *userdata);
int __wrap_sd_event_add_time_relative(sd_event *e, sd_event_source **out, clockid_t clock,
                                      uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t handler, void *userdata);

static int no_more_watches;

int __wrap_sd_event_add_time_relative(sd_event *e, sd_event_source **out, clockid_t clock,
                                      uint64_t usec, uint64_t accuracy,
                                      sd_event_time_handler_t handler, void *userdata)
{
    if (no_more_watches)
        return -ENOMEM;
    return __real_sd_event_add_time_relative(e, out, clock, usec, accuracy, handler, userdata);
}

static void program_that_cannot_be_watched_is_killed(void **state)
{
    char argument[40], parameters[120];
    struct box b;
    uint64_t job;

    (void) state;
    box_run(&b, "");
    snprintf(argument, sizeof argument, "unwatched-%d", getpid());
    snprintf(parameters, sizeof parameters,
             "{\"CommandArgs\":[\"sh\",\"-c\",\"sleep 1000; true\",\"%s\"]}", argument);
    no_more_watches = 1;
    (void) box_give(&b, parameters, NULL, &job);
    assert_int_equal(wait_for(SEEN_DONE, job)->result, HCS_E_OUTOFMEMORY);
    no_more_watches = 0;
    wait_until_gone(argument);
    assert_null(find_seen(SEEN_STARTED, job));
    box_end(&b);
}

static void many_programs_in_flight_do_not_mix(void **state)
{
    enum { N = 24 };
    uint64_t jobs[N];
    uint32_t numbers[N];
    struct box b;

    (void) state;
    box_run(&b, "");
    for (int i = 0; i < N; i++) {
        char text[100];

        snprintf(text, sizeof text, "{\"CommandArgs\":[\"%s\",\"-c\",\"exit %d\"]}",
                 i % 4 ? "sh" : "nosuch", i);
        numbers[i] = box_give(&b, text, NULL, &jobs[i]);
    }
    for (int i = 0; i < N; i++) {
        if (i % 4 == 0)
            assert_int_equal(wait_for(SEEN_DONE, jobs[i])->result, HCS_E_WIN32_FILE_NOT_FOUND);
        else
            assert_int_equal(wait_for(SEEN_PROCESS_EXITED, numbers[i])->report.code, i);
    }
    box_end(&b);
}

static void run_directory_keeps_no_files_of_processes(void **state)
{
    struct box b;
    DIR *d;
    const struct dirent *e;

    (void) state;
    box_run(&b, "");
    (void) box_shell(&b, "exit 0", NULL);
    (void) box_refuse(&b, "{\"CommandArgs\":[\"nosuch\"]}");
    d = opendir(b.run_dir);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (strncmp(e->d_name, "process.", 8) == 0 || strstr(e->d_name, ".pid") ||
            strncmp(e->d_name, "start", 5) == 0)
            fail_msg("%s is left", e->d_name);
    closedir(d);
    box_end(&b);
}

static void refused_program_leaves_no_exit_record(void **state)
{
    struct box b;
    char path[200];
    uint32_t number;
    uint64_t job;

    (void) state;
    box_run(&b, "");
    number = box_give(&b, "{\"CommandArgs\":[\"nosuch\"]}", NULL, &job);
    assert_true(wait_for(SEEN_DONE, job)->result < 0);
    (void) box_terminate(&b); /* by now the keeper has told the exit of what was to become it */
    snprintf(path, sizeof path, "%s/exit.%u", b.run_dir, number);
    while (access(path, F_OK) == 0) /* until it has read that this is settled */
        sched_yield();
    box_clean(&b);
}

static void mapped_directory_is_read_only_all_the_way_down(void **state)
{
    char extra[600], host[128], path[200];
    struct box b;

    (void) state;
    snprintf(host, sizeof host, "%s/share", directory);
    snprintf(path, sizeof path, "%s/share/sub", directory);
    assert_int_equal(dir_make(path, 0755, NULL), HCS_OK);
    snprintf(extra, sizeof extra,
             ",\"MappedDirectories\":[{\"HostPath\":\"%s\",\"ContainerPath\":\"/mnt/ro\","
             "\"ReadOnly\":true},{\"HostPath\":\"%s\",\"ContainerPath\":\"/mnt/rw\"}]",
             host, host);
    box_run(&b, extra);
    assert_int_equal(box_shell(&b, "echo a > /mnt/ro/x", NULL)->code, 1);
    assert_int_equal(box_shell(&b, "echo a > /mnt/ro/sub/x", NULL)->code, 1);
    assert_int_equal(box_shell(&b, "echo a > /mnt/rw/sub/x && test -s /mnt/ro/sub/x", NULL)->code,
                     0);
    box_end(&b);
}

static void keeper_program_cannot_be_written_from_inside(void **state)
{
    struct box b;

    (void) state;
    box_run(&b, "");
    assert_int_equal(
        box_shell(&b, "test -x /dev/.hcs-init && ! echo x >> /dev/.hcs-init", NULL)->code, 0);
    assert_int_equal(box_shell(&b, "mknod /tmp/x b 8 0; test ! -e /tmp/x", NULL)->code, 0);
    box_end(&b);
}

static void failed_create_leaves_nothing(void **state)
{
    struct box b;
    struct seen *n;

    (void) state;
    box_begin(&b, "");
    free(b.doc->storage_path);
    b.doc->storage_path = strdup("/no/such/root");
    n = box_create(&b);
    assert_true(n->result < 0);
    assert_true(strlen(n->err.text) > 10);
    box_clean(&b);
    assert_null(find_seen(SEEN_EXITED, 0));
}

static void created_container_can_be_terminated(void **state)
{
    struct box b;

    (void) state;
    box_begin(&b, "");
    assert_good(box_create(&b));
    assert_int_equal(box_terminate(&b)->report.type, HCS_EXIT_TYPE_FORCED);
    box_clean(&b);
}

static void lost_keeper_ends_the_container_as_unknown(void **state)
{
    struct box b;
    uint64_t job;
    uint32_t number;
    const hcs_exit *report;

    (void) state;
    box_run(&b, "");
    number = box_give(&b, "{\"CommandArgs\":[\"sleep\",\"1000\"]}", NULL, &job);
    wait_for(SEEN_STARTED, job);
    lose_keeper(&b);
    report = &wait_for(SEEN_EXITED, 0)->report;
    assert_int_equal(report->how, HCS_EXIT_UNKNOWN);
    assert_non_null(strstr(report->reason, "keeper"));
    assert_int_equal(find_seen(SEEN_PROCESS_EXITED, number)->report.how, HCS_EXIT_UNKNOWN);
    box_clean(&b);
}

/* At any moment of a create, also when the runtime is half way. */
static void lost_keeper_fails_a_create_and_leaves_nothing(void **state)
{
    int n_failed = 0;

    (void) state;
    for (unsigned int i = 0; i < 16; i++) {
        uint64_t job, until;
        struct box b;

        box_begin(&b, "");
        job = new_job(&b);
        driver->ops->create(driver, &b.system, job);
        until = clock_monotonic_ns() + i * 1000000;
        while (clock_monotonic_ns() < until && !find_seen(SEEN_DONE, job))
            assert_true(sd_event_run(loop, 500) >= 0);
        lose_keeper(&b);
        if (wait_for(SEEN_DONE, job)->result < 0)
            n_failed++;
        else
            assert_int_equal(wait_for(SEEN_EXITED, 0)->report.how, HCS_EXIT_UNKNOWN);
        box_clean(&b);
    }
    assert_true(n_failed > 0);
}

static void check_names_the_path_and_the_reason(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    struct doc_system *doc;

    (void) state;
    if (why_not[0]) {
        print_message("%s\n", why_not);
        skip();
    }
    doc = document("");
    assert_int_equal(driver->ops->check(driver, doc, &err), HCS_OK);
    free(doc->storage_path);
    doc->storage_path = strdup("/no/such/root");
    assert_int_equal(driver->ops->check(driver, doc, &err), HCS_E_WIN32_PATH_NOT_FOUND);
    assert_non_null(strstr(err.text, "$.Container.Storage.Path is '/no/such/root'"));
    free(doc->storage_path);
    doc->storage_path = strdup("/etc/passwd");
    assert_int_equal(driver->ops->check(driver, doc, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "$.Container.Storage.Path is '/etc/passwd', a file"));
    doc_system_drop(doc);
    doc =
        document(",\"MappedDirectories\":[{\"HostPath\":\"/no/such\",\"ContainerPath\":\"/mnt\"}]");
    assert_int_equal(driver->ops->check(driver, doc, &err), HCS_E_WIN32_PATH_NOT_FOUND);
    assert_non_null(strstr(err.text, "$.Container.MappedDirectories[0].HostPath is '/no/such'"));
    doc_system_drop(doc);
}

static void info_says_what_was_tried(void **state)
{
    json_t *info;

    (void) state;
    if (why_not[0]) {
        print_message("%s\n", why_not);
        skip();
    }
    info = driver->ops->info(driver);
    assert_non_null(info);
    assert_string_equal(json_string_value(json_object_get(info, "name")), "oci");
    assert_true(json_array_size(json_object_get(info, "attempts")) > 0);
    assert_true(json_is_object(json_object_get(info, "capabilities")));
    json_decref(info);
}

/* Not a promise but a number to look at. */
static void whole_life_costs_little_more_than_the_runtime(void **state)
{
    enum { N = 10 };
    double ms[5] = { 0 };

    (void) state;
    for (int i = 0; i < N; i++) {
        struct box b;
        uint64_t job, t[6];

        box_begin(&b, "");
        t[0] = clock_monotonic_ns();
        assert_good(box_create(&b));
        t[1] = clock_monotonic_ns();
        box_start(&b);
        t[2] = clock_monotonic_ns();
        (void) box_shell(&b, "exit 0", NULL);
        t[3] = clock_monotonic_ns();
        box_terminate(&b);
        t[4] = clock_monotonic_ns();
        job = new_job(&b);
        driver->ops->clean(driver, &b.system, job);
        assert_good(wait_for(SEEN_DONE, job));
        t[5] = clock_monotonic_ns();
        for (int k = 0; k < 5; k++)
            ms[k] += (double) (t[k + 1] - t[k]) / 1e6 / N;
        driver->ops->forget(driver, &b.system);
        assert_int_equal(dir_remove(b.run_dir, NULL), HCS_OK);
        doc_system_drop(b.doc);
    }
    print_message("# ms: create %.1f, start %.1f, exec to exit %.1f, terminate %.1f, clean %.1f\n",
                  ms[0], ms[1], ms[2], ms[3], ms[4]);
}

/* ---- a root file system and a driver ---- */

static int make_root(void)
{
    char command[600];

    snprintf(command, sizeof command,
             "cd %s && mkdir -p bin tmp mnt/ro mnt/rw proc dev sys && cp /bin/busybox bin/ && "
             "for a in sh true sleep tail test mknod; do ln -s busybox bin/$a; done && echo text > "
             "bin/text && "
             "echo '#!/nope' > bin/bad-interpreter && chmod +x bin/bad-interpreter && "
             "echo x > bin/bad-format && chmod +x bin/bad-format",
             root_fs);
    return system(command) == 0;
}

static int set_up(void **state)
{
    struct oci_options options = options_of_test();
    hcs_error err = HCS_ERROR_INIT;
    char state_dir[128];

    (void) state;
    (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
    strcpy(directory, "/tmp/hcs-oci-test.XXXXXX");
    if (!mkdtemp(directory) || sd_event_new(&loop) < 0)
        return -1;
    snprintf(root_fs, sizeof root_fs, "%s/root", directory);
    snprintf(state_dir, sizeof state_dir, "%s/state", directory);
    options.state_dir = state_dir;
    if (geteuid() != 0)
        snprintf(why_not, sizeof why_not, "needs root");
    else if (mkdir(root_fs, 0755) < 0 || !make_root())
        snprintf(why_not, sizeof why_not, "needs a static busybox at /bin/busybox");
    else if (oci_new(loop, &options, &driver, &err) < 0)
        snprintf(why_not, sizeof why_not, "%s", err.text);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    if (driver)
        driver->ops->drop(driver);
    sd_event_unref(loop);
    return dir_remove(directory, NULL) < 0;
}

/* With an argument only the tests that match it: "*keeper*". */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_code_is_the_programs_own),
        cmocka_unit_test(exit_by_signal_is_a_signal),
        cmocka_unit_test(standard_handles_are_the_callers),
        cmocka_unit_test(refused_programs_say_what_to_mend),
        cmocka_unit_test(program_that_never_ran_has_no_exit_code),
        cmocka_unit_test(memory_limit_kills_are_counted_before_the_exit),
        cmocka_unit_test(terminate_is_forced),
        cmocka_unit_test(shut_down_is_graceful),
        cmocka_unit_test(shut_down_right_after_start_is_not_lost),
        cmocka_unit_test(end_that_nobody_asked_for_is_unexpected),
        cmocka_unit_test(signal_reaches_the_process),
        cmocka_unit_test(stolen_report_loses_no_exit),
        cmocka_unit_test(stolen_report_holds_up_no_start),
        cmocka_unit_test(what_was_never_reached_is_refused_and_killed),
        cmocka_unit_test(program_that_cannot_be_watched_is_killed),
        cmocka_unit_test(many_programs_in_flight_do_not_mix),
        cmocka_unit_test(run_directory_keeps_no_files_of_processes),
        cmocka_unit_test(refused_program_leaves_no_exit_record),
        cmocka_unit_test(mapped_directory_is_read_only_all_the_way_down),
        cmocka_unit_test(keeper_program_cannot_be_written_from_inside),
        cmocka_unit_test(failed_create_leaves_nothing),
        cmocka_unit_test(created_container_can_be_terminated),
        cmocka_unit_test(lost_keeper_ends_the_container_as_unknown),
        cmocka_unit_test(lost_keeper_fails_a_create_and_leaves_nothing),
        cmocka_unit_test(check_names_the_path_and_the_reason),
        cmocka_unit_test(info_says_what_was_tried),
        cmocka_unit_test(whole_life_costs_little_more_than_the_runtime),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("oci", tests, set_up, tear_down);
}
