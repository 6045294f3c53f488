/* autostart_test.c - a host that is opened where nobody listens.
 *
 * The program is its own hcsd: HCS_HCSD names it, and with --auto it serves on descriptor 3 until
 * its last client has left, so nothing stays behind.  What it finds around itself it says in its
 * GetInfo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hcs/hcs.h"
#include "pollable.h"
#include "service.h"

/* ---- the program as hcsd ---- */

static char info[2000];

static void handle(struct service *s, struct client *c, const char *method,
                   const json_t *parameters, struct varlink_message *message)
{
    (void) s;
    (void) parameters;
    (void) message;
    if (strcmp(method, "org.libhcs.ComputeService.Subscribe") == 0)
        client_continue(c, getenv("TEST_BY_HAND") ? "{\"ready\":{\"log\":\"l\",\"after\":3}}"
                                                  : "{\"ready\":{\"log\":\"l\",\"after\":3},"
                                                    "\"automatic\":true}");
    else
        client_reply(c, info);
}

/* Of those that the test has changed; a sanitizer catches others in every program. */
static bool signals_are_default(void)
{
    struct sigaction user, pipe;
    sigset_t blocked;

    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < 32; i++) {
        if (sigismember(&blocked, i))
            return false;
    }
    return sigaction(SIGUSR1, NULL, &user) == 0 && user.sa_handler == SIG_DFL &&
           sigaction(SIGPIPE, NULL, &pipe) == 0 && pipe.sa_handler == SIG_DFL;
}

/* Descriptors beyond the socket.  A sanitizer has none open either. */
static int count_other_fds(void)
{
    int n = 0;

    for (int fd = 4; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void describe(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    char in[100] = "", directory[100] = "";
    ssize_t n = readlink("/proc/self/fd/0", in, sizeof(in) - 1);

    (void) n;
    if (!getcwd(directory, sizeof(directory)))
        directory[0] = '\0';
    snprintf(info, sizeof(info),
             "{\"info\":{\"pid\":%d,\"ppid\":%d,\"sid\":%d,\"listenPid\":%s,\"listenFds\":\"%s\","
             "\"host\":%s,\"notify\":%s,\"kept\":\"%s\",\"signals\":%s,\"fds\":%d,\"in\":\"%s\","
             "\"directory\":\"%s\"}}",
             (int) getpid(), (int) getppid(), (int) getsid(0), pid ? pid : "0", fds ? fds : "",
             getenv("HCS_HOST") ? "true" : "false", getenv("NOTIFY_SOCKET") ? "true" : "false",
             getenv("TEST_KEPT") ? getenv("TEST_KEPT") : "",
             signals_are_default() ? "true" : "false", count_other_fds(), in, directory);
}

static int be_hcsd(void)
{
    struct service service;

    if (getenv("TEST_DIE")) {
        fprintf(stderr, "first line\n%s\n", getenv("TEST_DIE"));
        return 1;
    }
    if (fcntl(3, F_SETFL, O_NONBLOCK) < 0)
        return 2;
    describe();
    fprintf(stderr, "serving\n");
    service_run(&service, 3, handle);
    return 0;
}

/* ---- the tests ---- */

static char directory[PATH_MAX];
static char path[PATH_MAX + 20];
static char log_path[PATH_MAX + 20];

static int setup(void **state)
{
    (void) state;
    strcpy(directory, "/tmp/hcs-autostart-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/hcsd.sock", directory);
    snprintf(log_path, sizeof(log_path), "%s/hcsd.log", directory);
    setenv("HCS_HCSD", "/proc/self/exe", 1);
    return 0;
}

static int teardown(void **state)
{
    char lock[PATH_MAX + 40];

    (void) state;
    snprintf(lock, sizeof(lock), "%s.lock", path);
    unlink(lock);
    unlink(path);
    unlink(log_path);
    unsetenv("TEST_DIE");
    unsetenv("TEST_BY_HAND");
    unsetenv("HCS_HOST");
    unsetenv("NOTIFY_SOCKET");
    return rmdir(directory);
}

static json_t *open_info(hcs_host **out)
{
    char *text = NULL;
    json_t *json;

    assert_int_equal(hcs_host_open(path, out, NULL), HCS_OK);
    assert_int_equal(hcs_host_info(*out, &text, NULL), HCS_OK);
    json = json_loads(text, 0, NULL);
    assert_non_null(json);
    hcs_string_free(text);
    return json;
}

static json_int_t number(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void on_signal(int signal)
{
    (void) signal;
}

static void service_is_started_in_clean_surroundings(void **state)
{
    hcs_host *host = NULL;
    struct stat st;
    sigset_t some;
    json_t *json;

    (void) state;
    setenv("HCS_HOST", path, 1);
    setenv("NOTIFY_SOCKET", "/nowhere", 1);
    setenv("TEST_KEPT", "yes", 1);
    signal(SIGUSR1, on_signal);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &some, NULL);
    assert_true(open("/dev/null", O_RDONLY) >= 0); /* not close-on-exec: still not inherited */
    json = open_info(&host);
    assert_int_equal(number(json, "listenPid"), number(json, "pid"));
    assert_int_not_equal(number(json, "ppid"), getpid());
    assert_int_not_equal(number(json, "sid"), getsid(0));
    assert_string_equal(json_string_value(json_object_get(json, "listenFds")), "1");
    assert_true(json_is_false(json_object_get(json, "host")));
    assert_true(json_is_false(json_object_get(json, "notify")));
    assert_true(json_is_true(json_object_get(json, "signals")));
    assert_string_equal(json_string_value(json_object_get(json, "kept")), "yes");
    assert_string_equal(json_string_value(json_object_get(json, "in")), "/dev/null");
    assert_string_equal(json_string_value(json_object_get(json, "directory")), "/");
    assert_int_equal(number(json, "fds"), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(log_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* Nobody's child of ours is left to reap. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    json_decref(json);
    hcs_host_close(host);
}

static void *open_main(void *context)
{
    hcs_host *host = NULL;

    (void) context;
    return hcs_host_open(path, &host, NULL) == HCS_OK ? host : NULL;
}

static void crowd_starts_one_service(void **state)
{
    enum { N = 16 };
    pthread_t threads[N];
    hcs_host *hosts[N];
    json_int_t pid = 0;

    (void) state;
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_main, NULL), 0);
    for (int i = 0; i < N; i++) {
        void *host = NULL;

        pthread_join(threads[i], &host);
        assert_non_null(host);
        hosts[i] = host;
    }
    for (int i = 0; i < N; i++) {
        char *text = NULL;
        json_t *json;

        assert_int_equal(hcs_host_info(hosts[i], &text, NULL), HCS_OK);
        json = json_loads(text, 0, NULL);
        if (pid == 0)
            pid = number(json, "pid");
        assert_int_equal(number(json, "pid"), pid);
        json_decref(json);
        hcs_string_free(text);
    }
    for (int i = 0; i < N; i++)
        hcs_host_close(hosts[i]);
}

/* A socket that a killed service has left, with nobody behind it. */
static void leave_socket(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    close(fd);
}

static void stale_socket_is_replaced(void **state)
{
    hcs_host *host = NULL;

    (void) state;
    leave_socket();
    json_decref(open_info(&host));
    hcs_host_close(host);
}

static void service_that_left_is_started_again(void **state)
{
    hcs_host *host = NULL;
    json_t *json = open_info(&host);
    pid_t pid = (pid_t) number(json, "pid");
    char *text = NULL;

    (void) state;
    json_decref(json);
    assert_int_equal(kill(pid, SIGKILL), 0);
    /* Until it is gone a call may still find it; what is promised is that one gets through. */
    while (kill(pid, 0) == 0)
        continue;
    assert_int_equal(hcs_host_info(host, &text, NULL), HCS_OK);
    json = json_loads(text, 0, NULL);
    assert_int_not_equal(number(json, "pid"), pid);
    json_decref(json);
    hcs_string_free(text);
    hcs_host_close(host);
}

/* ---- streams that reconnect ---- */

/* A stream whose service was killed, and has told so. */
static hcs_stream *stream_away(hcs_host **host)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_event event = HCS_EVENT_INIT;
    json_t *json = open_info(host);
    pid_t pid = (pid_t) number(json, "pid");
    hcs_stream *stream = NULL;

    json_decref(json);
    options.flags = HCS_STREAM_RECONNECT;
    assert_int_equal(hcs_stream_open(*host, &options, &stream, NULL), HCS_OK);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (kill(pid, 0) == 0)
        continue;
    assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_OK);
    assert_int_equal(event.kind, HCS_EVENT_SERVICE_DISCONNECT);
    return stream;
}

static void expect_next(hcs_stream *stream, hcs_event_kind kind, const char *detail)
{
    hcs_event event = HCS_EVENT_INIT;

    assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_OK);
    assert_int_equal(event.kind, kind);
    if (!strstr(event.detail, detail))
        fail_msg("%s instead of %s", event.detail, detail);
}

static void stream_starts_again_what_a_client_had_started(void **state)
{
    hcs_host *host = NULL;
    hcs_stream *stream = stream_away(&host);

    (void) state;
    expect_next(stream, HCS_EVENT_SERVICE_RECONNECTED, "{\"Attempts\":1}");
    hcs_stream_close(stream);
    hcs_host_close(host);
}

static void stream_whose_socket_is_none_any_more_ends_and_says_why(void **state)
{
    hcs_host *host = NULL;
    hcs_stream *stream = stream_away(&host);
    int fd;

    (void) state;
    assert_int_equal(unlink(path), 0);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    expect_next(stream, HCS_EVENT_END, "is not a socket");
    hcs_stream_close(stream);
    hcs_host_close(host);
}

static bool is_served(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

    memcpy(address.sun_path, path, strlen(path) + 1);
    r = connect(fd, (struct sockaddr *) &address, sizeof(address));
    close(fd);
    return r == 0;
}

static void stream_waits_for_what_somebody_else_had_started(void **state)
{
    hcs_host *host = NULL;
    hcs_stream *stream;
    char *text = NULL;

    (void) state;
    setenv("TEST_BY_HAND", "1", 1);
    stream = stream_away(&host);
    for (int attempt = 0; attempt < 3; attempt++) {
        hcs_event event = HCS_EVENT_INIT;

        assert_true(pollable_is_ready(hcs_stream_pollable(stream), 20000));
        assert_int_equal(hcs_stream_next(stream, 0, &event, NULL), HCS_E_OPERATION_TIMEOUT);
    }
    assert_false(is_served());
    assert_int_equal(hcs_host_info(host, &text, NULL), HCS_OK);
    hcs_string_free(text);
    expect_next(stream, HCS_EVENT_SERVICE_RECONNECTED, "\"LastError\":\"nobody serves");
    hcs_stream_close(stream);
    hcs_host_close(host);
}

static void missing_directory_is_made_private(void **state)
{
    char inner[PATH_MAX + 20], name[PATH_MAX + 60];
    hcs_host *host = NULL;
    struct stat st;

    (void) state;
    snprintf(inner, sizeof(inner), "%s/inner", directory);
    snprintf(path, sizeof(path), "%.80s/inner/hcsd.sock", directory);
    json_decref(open_info(&host));
    hcs_host_close(host);
    assert_int_equal(stat(inner, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snprintf(name, sizeof(name), "%s/hcsd.log", inner);
    unlink(name);
    snprintf(name, sizeof(name), "%s/hcsd.sock.lock", inner);
    unlink(name);
    unlink(path);
    assert_int_equal(rmdir(inner), 0);
}

/* ---- when it cannot be ---- */

static void missing_program_is_named(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;

    (void) state;
    setenv("HCS_HCSD", "/no/such/hcsd", 1);
    assert_int_equal(hcs_host_open(path, &host, &err), HCS_E_SERVICE_NOT_AVAILABLE);
    assert_int_equal(err.os, ENOENT);
    assert_non_null(strstr(err.text, "'/no/such/hcsd': No such file"));
    assert_non_null(strstr(err.text, "HCS_HCSD"));
    /* No socket that would let others wait for nobody. */
    assert_int_equal(access(path, F_OK), -1);
    setenv("HCS_HCSD", "", 1);
    assert_int_equal(hcs_host_open(path, &host, &err), HCS_E_SERVICE_NOT_AVAILABLE);
    assert_non_null(strstr(err.text, "HCS_HCSD is empty"));
    assert_null(host);
}

static void service_that_dies_at_start_is_quoted(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;
    FILE *log = fopen(log_path, "w");

    (void) state;
    assert_non_null(log);
    fputs("words of yesterday\n", log);
    fclose(log);
    setenv("TEST_DIE", "the disk is on fire", 1);
    assert_int_equal(hcs_host_open(path, &host, &err), HCS_E_SERVICE_NOT_AVAILABLE);
    assert_non_null(strstr(err.text, log_path));
    assert_non_null(strstr(err.text, "ends with: the disk is on fire"));
    assert_null(host);
    /* The next that comes finds a free way. */
    unsetenv("TEST_DIE");
    json_decref(open_info(&host));
    hcs_host_close(host);
}

static void large_log_is_begun_anew(void **state)
{
    hcs_host *host = NULL;
    struct stat st;
    int fd = open(log_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void) state;
    assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
    close(fd);
    json_decref(open_info(&host));
    hcs_host_close(host);
    assert_int_equal(stat(log_path, &st), 0);
    assert_true(st.st_size < 100);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void) state;
    assert_int_equal(write(fd, "precious", 8), 8);
    close(fd);
    assert_int_equal(hcs_host_open(path, &host, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "is not a socket"));
    assert_int_equal(access(path, F_OK), 0);
}

/* Run @test in a child that is nobody; 0 when it went well. */
static int as_nobody(int (*test)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 ? 90
                                                                                       : test());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int test_denied(void)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;

    return hcs_host_open(path, &host, &err) == HCS_E_ACCESS_DENIED && err.os == EACCES ? 0 : 1;
}

static int test_no_runtime_directory(void)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;

    unsetenv("XDG_RUNTIME_DIR");
    if (hcs_host_open(NULL, &host, &err) != HCS_E_SERVICE_NOT_AVAILABLE ||
        !strstr(err.text, "HCS_HOST"))
        return 1;
    return 0;
}

static void socket_of_another_user_is_denied(void **state)
{
    hcs_host *host = NULL;

    (void) state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(directory, 0755), 0);
    json_decref(open_info(&host));
    assert_int_equal(as_nobody(test_denied), 0);
    hcs_host_close(host);
}

static void user_without_runtime_directory_is_told_what_to_set(void **state)
{
    (void) state;
    if (geteuid() != 0)
        assert_int_equal(test_no_runtime_directory(), 0);
    else
        assert_int_equal(as_nobody(test_no_runtime_directory), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(service_is_started_in_clean_surroundings),
        T(crowd_starts_one_service),
        T(stale_socket_is_replaced),
        T(service_that_left_is_started_again),
        T(stream_starts_again_what_a_client_had_started),
        T(stream_whose_socket_is_none_any_more_ends_and_says_why),
        T(stream_waits_for_what_somebody_else_had_started),
        T(missing_directory_is_made_private),
        T(missing_program_is_named),
        T(service_that_dies_at_start_is_quoted),
        T(large_log_is_begun_anew),
        T(what_is_no_socket_is_left_alone),
        T(socket_of_another_user_is_denied),
        T(user_without_runtime_directory_is_told_what_to_set),
    };

    if (argc == 2 && strcmp(argv[1], "--auto") == 0)
        return be_hcsd();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
