/* enter_test.c - the last step into a container says whether the program runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage.h"

static char directory[64];

/* Become `hcs-keeper --enter IN PROGRAM [ARGUMENT]` with @report as descriptor 3, -1 for none. */
static pid_t enter(int report, const char *in, const char *program, const char *argument_opt)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    if (report >= 0)
        dup2(report, KEEPER_REPORT_FD);
    else
        close(KEEPER_REPORT_FD);
    execl(keeper_path(), keeper_path(), "--enter", in, program, argument_opt, (char *) NULL);
    _exit(99);
}

static int end_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* What it says behind "I am there"; all zero when it becomes the program. */
static struct keeper_report report_of(const char *in, const char *program, const char *argument_opt,
                                      int *out_code)
{
    struct keeper_report report = { -1, -1 };
    int ends[2];
    pid_t pid;

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    pid = enter(ends[1], in, program, argument_opt);
    close(ends[1]);
    assert_int_equal(recv(ends[0], &report, sizeof report, 0), sizeof report);
    assert_int_equal(report.step, 0);
    assert_int_equal(report.error, 0);
    if (recv(ends[0], &report, sizeof report, 0) == sizeof report)
        assert_int_equal(recv(ends[0], &report, sizeof report, MSG_PEEK), 0);
    close(ends[0]);
    *out_code = end_of(pid);
    return report;
}

static void assert_refused(const char *in, const char *program, int step, int error)
{
    int code;
    struct keeper_report report = report_of(in, program, NULL, &code);

    assert_int_equal(report.step, step);
    assert_int_equal(report.error, error);
}

static void write_program(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

static void program_that_runs_is_itself_and_says_no_more(void **state)
{
    struct keeper_report report;
    int code;

    (void) state;
    write_program("in-directory", "#!/bin/sh\ntest -e in-directory && exit 42\n");
    report = report_of(directory, "./in-directory", NULL, &code);
    assert_int_equal(report.step, 0);
    assert_int_equal(code, 42);
}

static void program_does_not_get_the_descriptor(void **state)
{
    int code;

    (void) state;
    write_program("look", "#!/bin/sh\ntest ! -e /proc/self/fd/3\n");
    (void) report_of(directory, "./look", NULL, &code);
    assert_int_equal(code, 0);
}

static void program_that_cannot_run_is_told_with_the_reason(void **state)
{
    (void) state;
    write_program("bad-interpreter", "#!/no/such/interpreter\n");
    write_program("bad-format", "\x01\x02\x03");
    assert_refused("/", "no-such-program", KEEPER_STEP_EXEC, ENOENT);
    assert_refused("/", "/etc/passwd", KEEPER_STEP_EXEC, EACCES);
    assert_refused(directory, "./bad-interpreter", KEEPER_STEP_EXEC, ELIBACC);
    assert_refused(directory, "./bad-format", KEEPER_STEP_EXEC, ENOEXEC);
    assert_refused("/no/such", "sh", KEEPER_STEP_DIRECTORY, ENOENT);
    assert_refused("/etc/passwd", "sh", KEEPER_STEP_DIRECTORY, ENOTDIR);
}

static void program_runs_when_nobody_listens(void **state)
{
    int ends[2];

    (void) state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[0]);
    assert_int_equal(end_of(enter(ends[1], "/", "false", NULL)), 1);
    close(ends[1]);
    assert_int_equal(end_of(enter(-1, "/", "false", NULL)), 1);
}

static int set_up(void **state)
{
    (void) state;
    dir_new(directory);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    dir_drop(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_that_runs_is_itself_and_says_no_more),
        cmocka_unit_test(program_does_not_get_the_descriptor),
        cmocka_unit_test(program_that_cannot_run_is_told_with_the_reason),
        cmocka_unit_test(program_runs_when_nobody_listens),
    };

    return cmocka_run_group_tests_name("keeper_enter", tests, set_up, tear_down);
}
