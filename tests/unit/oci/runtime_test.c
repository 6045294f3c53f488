/* Command lines of the runtimes, and what their refusals mean: with the words of crun 1.8 and
 * runc 1.1. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle.h"
#include "cgroup.h"
#include "fd.h"
#include "runtime.h"

static char crun_path[] = "/usr/bin/crun", runc_path[] = "/usr/sbin/runc", version[] = "1",
            root[] = "/run/hcs/oci";

static const struct runtime crun = { RUNTIME_CRUN, crun_path, version, root };
static const struct runtime runc = { RUNTIME_RUNC, runc_path, version, root };

static void assert_argv(const struct runtime *rt, enum oci_cgroups cgroups, enum runtime_verb verb,
                        const char *expected)
{
    struct oci_mode mode = { .name = "test", .cgroups = cgroups };
    struct runtime_command command = {
        .verb = verb,
        .name = "web.7",
        .log = "/r/l",
        .bundle = "/r/b",
        .process = "/r/p",
        .pid_file = "/r/pid",
    };
    _cleanup_(runtime_argv_drop) char **argv = NULL;
    char line[512] = "";
    hcs_error err = HCS_ERROR_INIT;

    assert_int_equal(runtime_argv(rt, &mode, &command, &argv, &err), HCS_OK);
    for (char **a = argv; *a; a++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", a == argv ? "" : " ", *a);
    assert_string_equal(line, expected);
}

static void command_lines_are_the_runtimes_own(void **state)
{
    (void) state;
    assert_argv(&crun, OCI_CGROUPS_V1, RUNTIME_RUN,
                "/usr/bin/crun --root /run/hcs/oci --log /r/l --log-format json "
                "run --detach --bundle /r/b --pid-file /r/pid web.7");
    assert_argv(&runc, OCI_CGROUPS_V1, RUNTIME_EXEC,
                "/usr/sbin/runc --root /run/hcs/oci --log /r/l --log-format json "
                "exec --detach --pid-file /r/pid --process /r/p --preserve-fds 1 web.7");
    assert_argv(&crun, OCI_CGROUPS_NONE, RUNTIME_PAUSE,
                "/usr/bin/crun --root /run/hcs/oci --log /r/l --log-format json "
                "--cgroup-manager=disabled pause web.7");
    assert_argv(&runc, OCI_CGROUPS_NONE, RUNTIME_PAUSE,
                "/usr/sbin/runc --root /run/hcs/oci --log /r/l --log-format json "
                "pause web.7");
    assert_argv(&runc, OCI_CGROUPS_SYSTEMD, RUNTIME_DELETE_FORCE,
                "/usr/sbin/runc --root /run/hcs/oci --log /r/l "
                "--log-format json --systemd-cgroup delete --force web.7");
    assert_argv(&crun, OCI_CGROUPS_V2, RUNTIME_KILL,
                "/usr/bin/crun --root /run/hcs/oci --log /r/l --log-format json "
                "kill web.7 KILL");
}

static void last_error_of_a_log_is_told_without_prefixes(void **state)
{
    char line[100];

    (void) state;
    assert_int_equal(
        runtime_log_error(
            "{\"msg\":\"first\",\"level\":\"error\"}\n{\"msg\":\"careful\",\"level\":\"warning\"}\n"
            "{\"level\":\"error\",\"msg\":\"runc create failed: unable to start container "
            "process: exec: \\\"x\\\": gone\"}\n{\"level\":\"info\",\"msg\":\"bye\"}",
            line, sizeof line),
        1);
    assert_string_equal(line, "exec: \"x\": gone");
}

static void log_without_error_tells_nothing(void **state)
{
    char line[100] = "before";

    (void) state;
    assert_int_equal(runtime_log_error("", line, sizeof line), 0);
    assert_string_equal(line, "");
    assert_int_equal(
        runtime_log_error("not json\n{\"level\":\"error\"}\n[]\n\n{\"level\":1,\"msg\":2}", line,
                          sizeof line),
        0);
    assert_int_equal(runtime_log_error("{\"level\":\"error\",\"msg\":7}", line, sizeof line), 0);
}

static void long_error_is_cut(void **state)
{
    char line[10];

    (void) state;
    assert_int_equal(
        runtime_log_error("{\"level\":\"error\",\"msg\":\"0123456789abc\"}", line, sizeof line), 1);
    assert_string_equal(line, "012345678");
}

static void refusals_of_exec_have_codes_of_their_own(void **state)
{
    static const struct {
        const char *line;
        hcs_result code;
        const char *text;
    } rows[] = {
        { "the container `web.7` is not running", HCS_E_SYSTEM_ALREADY_STOPPED,
          "the container has ended" },
        { "cannot exec in a stopped container", HCS_E_SYSTEM_ALREADY_STOPPED,
          "the container has ended" },
        { "something else", HCS_E_FAIL, "exec: something else" },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        hcs_error err = HCS_ERROR_INIT;

        assert_int_equal(runtime_exec_failure(rows[i].line, &err), rows[i].code);
        assert_string_equal(err.text, rows[i].text);
    }
}

static void failure_without_a_log_tells_the_status(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_int_equal(runtime_failure(RUNTIME_RUN, "/no/such/log", 3 << 8, &err), HCS_E_FAIL);
    assert_string_equal(err.text, "run: the runtime ended with code 3 and gave no reason");
    assert_int_equal(runtime_failure(RUNTIME_EXEC, "/no/such/log", 9, &err), HCS_E_FAIL);
    assert_string_equal(err.text, "exec: the runtime was ended by signal 9");
}

static void name_tells_incarnations_and_services_apart_and_fits(void **state)
{
    char name[BUNDLE_NAME_MAX];
    char id[129];

    (void) state;
    bundle_name("web", 7, 0xAB, name);
    assert_string_equal(name, "web.7.000000ab");
    memset(id, 'x', 128);
    id[128] = '\0';
    bundle_name(id, UINT64_MAX, UINT32_MAX, name);
    assert_int_equal(strlen(name), 128 + 1 + 20 + 1 + 8);
    assert_string_equal(name + 128, ".18446744073709551615.ffffffff");
}

static void host_name_from_a_long_id_is_cut(void **state)
{
    struct oci_mode mode = { .name = "test", .cgroups = OCI_CGROUPS_NONE };
    struct oci_host host = { .processors = 1, .files_max = 100 };
    char id[101], path[] = "/r", expected[128];
    struct doc_system doc = { .storage_path = path };
    struct bundle_names names = { .id = id, .name = "x.1", .init_program = "/i" };
    _cleanup_(free_drop) char *text = NULL;

    (void) state;
    memset(id, 'x', 100);
    id[100] = '\0';
    assert_int_equal(bundle_config(&doc, &mode, &host, &names, &text, NULL), HCS_OK);
    snprintf(expected, sizeof expected, "\"hostname\": \"%.64s\"", id);
    assert_non_null(strstr(text, expected));
}

static void counters_are_read_from_either_kind_of_cgroup(void **state)
{
    char directory[] = "/tmp/hcs-cgroup-test.XXXXXX";
    char path[100];
    uint64_t n = 5;

    (void) state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(cgroup_oom_kills(directory), 0);
    snprintf(path, sizeof path, "%s/memory.events", directory);
    assert_int_equal(file_write_atomic(path, "low 0\noom 4\noom_kill 3\n", 23, 0600, NULL), HCS_OK);
    assert_int_equal(cgroup_oom_kills(directory), 3);
    snprintf(path, sizeof path, "%s/memory.oom_control", directory);
    assert_int_equal(
        file_write_atomic(path, "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 42, 0600, NULL),
        HCS_OK);
    assert_int_equal(cgroup_oom_kills(directory), 2);
    snprintf(path, sizeof path, "%s/memory.max", directory);
    assert_int_equal(file_write_atomic(path, "max\n", 4, 0600, NULL), HCS_OK);
    assert_int_equal(cgroup_number(directory, "memory.max", NULL, &n), 0);
    assert_int_equal(cgroup_number(directory, "none", NULL, &n), 0);
    assert_int_equal(n, 5);
    assert_int_equal(dir_remove(directory, NULL), HCS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_the_runtimes_own),
        cmocka_unit_test(last_error_of_a_log_is_told_without_prefixes),
        cmocka_unit_test(log_without_error_tells_nothing),
        cmocka_unit_test(long_error_is_cut),
        cmocka_unit_test(refusals_of_exec_have_codes_of_their_own),
        cmocka_unit_test(failure_without_a_log_tells_the_status),
        cmocka_unit_test(name_tells_incarnations_and_services_apart_and_fits),
        cmocka_unit_test(host_name_from_a_long_id_is_cut),
        cmocka_unit_test(counters_are_read_from_either_kind_of_cgroup),
    };

    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
