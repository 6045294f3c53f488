/* lib_test.c - promises of the public headers: host, system, process, operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hcs/hcs.h"
#include "service.h"

#define NAME(method) "org.libhcs.ComputeService." method
#define SYSTEM                                                                                     \
    "{\"system\":{\"id\":\"s\",\"incarnation\":77,\"owner\":\"o\",\"type\":\"Container\","         \
    "\"isolation\":\"none\"}}"
#define EXIT_42 "{\"exit\":{\"how\":\"code\",\"code\":42},\"detail\":\"{}\"}"

/* ---- the service all tests here use ---- */

/* What it does with a method that is held: remember the client, answer when told. */
static struct {
    const char *hold;            /* this method is not answered at once */
    const char *hang_up_on;      /* this one is read, and the connection closed */
    const char *fail_on;         /* this one gets .. */
    const char *fail_error;      /* .. this error .. */
    const char *fail_parameters; /* .. with these parameters */
    const char *state;           /* State of every system */
    const char *signal_code;     /* SignalProcess fails with it */
    struct client *held;
    unsigned n_held;
    unsigned n_calls;
    json_int_t incarnation; /* of the last call */
    json_int_t process_id;
    json_int_t signal;
    size_t n_fds; /* that came with the last CreateProcess */
    char last[100];
    char text[200]; /* document or parameters of the last call */
} act;

static struct service service;

static void answer_process(struct client *c, const json_t *parameters,
                           struct varlink_message *message)
{
    static const char reply[] = "{\"processId\":4711,\"stdout\":0,\"stdin\":1}";
    int out[2], in[2];

    act.n_fds = message->n_fds;
    if (message->n_fds > 0) {
        json_int_t at = json_integer_value(json_object_get(parameters, "stdout"));

        assert_int_equal(write(message->fds[at], "hello", 5), 5);
        client_reply(c, "{\"processId\":4711}");
        return;
    }
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(write(out[1], "out", 3), 3);
    client_reply_fds(c, reply, (int[]){ out[0], in[1] }, 2);
    for (int i = 0; i < 2; i++) {
        close(out[i]);
        close(in[i]);
    }
}

static void answer(struct client *c, const char *method, const json_t *parameters,
                   struct varlink_message *message)
{
    char text[200];

    if (strcmp(method, NAME("GetInfo")) == 0)
        client_reply(c, "{\"info\":{\"name\":\"test\"},\"later\":1}");
    else if (strcmp(method, NAME("ListSystems")) == 0)
        client_reply(c, "{\"systems\":[{\"Id\":\"s\"}]}");
    else if (strcmp(method, NAME("CreateSystem")) == 0 || strcmp(method, NAME("OpenSystem")) == 0)
        client_reply(c, SYSTEM);
    else if (strcmp(method, NAME("WaitSystem")) == 0 || strcmp(method, NAME("WaitProcess")) == 0)
        client_reply(c, EXIT_42);
    else if (strcmp(method, NAME("CreateProcess")) == 0)
        answer_process(c, parameters, message);
    else if (strcmp(method, NAME("GetSystemProperties")) == 0) {
        snprintf(text, sizeof(text), "{\"properties\":{\"Id\":\"s\",\"State\":\"%s\"}}",
                 act.state ? act.state : "Running");
        client_reply(c, text);
    } else if (strcmp(method, NAME("SignalProcess")) == 0 && act.signal_code) {
        snprintf(text, sizeof(text), "{\"code\":%s}", act.signal_code);
        client_error(c, NAME("Failed"), text);
    } else
        client_reply(c, "{}");
}

static void handle(struct service *s, struct client *c, const char *method,
                   const json_t *parameters, struct varlink_message *message)
{
    const char *text = json_string_value(json_object_get(parameters, "document"));

    (void) s;
    act.n_calls++;
    snprintf(act.last, sizeof(act.last), "%s", method);
    if (!text)
        text = json_string_value(json_object_get(parameters, "parameters"));
    snprintf(act.text, sizeof(act.text), "%s", text ? text : "");
    act.incarnation = json_integer_value(json_object_get(parameters, "incarnation"));
    act.process_id = json_integer_value(json_object_get(parameters, "processId"));
    act.signal = json_integer_value(json_object_get(parameters, "signal"));
    if (act.hold && strcmp(method, act.hold) == 0) {
        act.held = c;
        act.n_held++;
    } else if (act.hang_up_on && strcmp(method, act.hang_up_on) == 0)
        c->go = true;
    else if (act.fail_on && strcmp(method, act.fail_on) == 0)
        client_error(c, act.fail_error, act.fail_parameters);
    else
        answer(c, method, parameters, message);
}

static void work_answer_held(struct service *s, void *context)
{
    struct varlink_message none;
    const char *method = act.hold;

    (void) s;
    (void) context;
    varlink_message_init(&none);
    assert_non_null(act.held);
    answer(act.held, method, NULL, &none);
    act.held = NULL;
}

static void work_is_held(struct service *s, void *context)
{
    (void) s;
    *(bool *) context = act.held != NULL;
}

/* Wait until the service has the held request: it is asked over and over. */
static void wait_held(void)
{
    for (bool held = false; !held;)
        service_do(&service, work_is_held, &held);
}

/* Read or set something of `act` while the service may use it. */
static void work_calls(struct service *s, void *context)
{
    (void) s;
    *(unsigned *) context = act.n_calls;
}

static unsigned calls(void)
{
    unsigned n;

    service_do(&service, work_calls, &n);
    return n;
}

static hcs_host *host;

static int count_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* The scripted service, a thread of this process, closes its ends when it notices: wait for that.
 */
static void expect_no_more_fds_than(int before)
{
    for (int turns = 0; count_fds() > before; turns++) {
        assert_true(turns < 100000);
        sched_yield();
    }
}

static int setup(void **state)
{
    (void) state;
    memset(&act, 0, sizeof(act));
    service_start(&service, handle);
    return hcs_host_open(service.path, &host, NULL) == HCS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void) state;
    hcs_host_close(host);
    host = NULL;
    service_stop(&service);
    return 0;
}

static hcs_system *system_opened(void)
{
    hcs_system *system = NULL;

    assert_int_equal(hcs_system_open(host, "s", &system, NULL), HCS_OK);
    return system;
}

static hcs_process *process_created(hcs_system *system)
{
    hcs_process *process = NULL;

    assert_int_equal(hcs_process_create(system, "{}", NULL, &process, NULL, NULL), HCS_OK);
    return process;
}

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

/* ---- host ---- */

static void documents_come_as_the_service_sends_them(void **state)
{
    hcs_system *system = system_opened();
    char *text;

    (void) state;
    assert_int_equal(hcs_host_info(host, &text, NULL), HCS_OK);
    assert_string_equal(text, "{\"name\":\"test\"}");
    hcs_string_free(text);
    assert_int_equal(hcs_host_enumerate(host, NULL, &text, NULL), HCS_OK);
    assert_string_equal(text, "[{\"Id\":\"s\"}]");
    hcs_string_free(text);
    assert_int_equal(hcs_system_properties(system, &text, NULL), HCS_OK);
    assert_string_equal(text, "{\"Id\":\"s\",\"State\":\"Running\"}");
    hcs_string_free(text);
    hcs_system_close(system);
    assert_string_equal(hcs_version(), "0.1.0");
}

static void null_is_refused_by_name(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_system *system = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    assert_int_equal(hcs_host_open("/x", NULL, &err), HCS_E_POINTER);
    assert_non_null(strstr(err.text, "out"));
    assert_int_equal(hcs_system_create(host, NULL, "{}", &system, NULL, &err), HCS_E_POINTER);
    assert_non_null(strstr(err.text, "id"));
    assert_int_equal(hcs_system_create(host, "s", NULL, &system, NULL, &err), HCS_E_POINTER);
    assert_non_null(strstr(err.text, "document"));
    assert_int_equal(hcs_system_start(NULL, NULL, &err), HCS_E_POINTER);
    assert_int_equal(hcs_system_wait(NULL, 0, &report, &err), HCS_E_POINTER);
    assert_int_equal(hcs_stream_open(NULL, NULL, NULL, &err), HCS_E_POINTER);
    assert_null(system);
    hcs_host_close(NULL);
    hcs_system_close(NULL);
    hcs_process_close(NULL);
    hcs_op_close(NULL);
    hcs_stream_close(NULL);
    hcs_stream_end(NULL);
    hcs_string_free(NULL);
}

static void odd_arguments_are_refused_by_name(void **state)
{
    hcs_system *system = system_opened();
    hcs_error err = HCS_ERROR_INIT;
    hcs_exit report = HCS_EXIT_INIT, small = HCS_EXIT_INIT;
    hcs_system *other = NULL;
    unsigned before = calls();

    (void) state;
    small.size = 8;
    assert_int_equal(hcs_system_wait(system, -2, &report, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "-2"));
    assert_int_equal(hcs_system_wait(system, 0, &small, &err), HCS_E_INVALIDARG);
    assert_int_equal(hcs_system_create(host, "-bad", "{}", &other, NULL, &err), HCS_E_INVALIDARG);
    assert_int_equal(hcs_system_create(host, "s", "{\"\xff\"}", &other, NULL, &err),
                     HCS_E_INVALID_JSON);
    assert_int_equal(hcs_system_open(host, "a b", &other, &err), HCS_E_INVALIDARG);
    assert_null(other);
    assert_int_equal(calls(), before);
    hcs_system_close(system);
}

static void address_of_another_form_is_refused(void **state)
{
    static const char *const bad[] = { "relative/path", "unix:relative", "tcp:1.2.3.4:5", "",
                                       "unix:",         "unix:@x",       "/tmp/" };
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *other = NULL;
    char text[200];

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(hcs_host_open(bad[i], &other, &err), HCS_E_INVALIDARG);
        assert_non_null(strstr(err.text, bad[i]));
    }
    memset(text, 'x', sizeof(text));
    text[0] = '/';
    text[108] = '\0';
    assert_int_equal(hcs_host_open(text, &other, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "107 bytes, not 108"));
    assert_null(other);
    snprintf(text, sizeof(text), "unix:%s", service.path);
    assert_int_equal(hcs_host_open(text, &other, &err), HCS_OK);
    hcs_host_close(other);
    setenv("HCS_HOST", service.path, 1);
    assert_int_equal(hcs_host_open(NULL, &other, &err), HCS_OK);
    hcs_host_close(other);
    setenv("HCS_HOST", "nonsense", 1);
    assert_int_equal(hcs_host_open(NULL, &other, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "HCS_HOST 'nonsense'"));
    unsetenv("HCS_HOST");
}

static void address_of_a_library_that_is_not_there_is_not_available(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *other = NULL;

    (void) state;
    assert_int_equal(hcs_host_open("computecore:/no/such.so", &other, &err),
                     HCS_E_SERVICE_NOT_AVAILABLE);
    assert_non_null(strstr(err.text, "'/no/such.so'"));
    assert_null(other);
}

static void things_outlive_their_host(void **state)
{
    hcs_system *system = system_opened();
    hcs_process *process = process_created(system);
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    hcs_host_close(host);
    host = NULL;
    assert_int_equal(hcs_system_start(system, NULL, NULL), HCS_OK);
    hcs_system_close(system);
    assert_int_equal(hcs_process_wait(process, -1, &report, NULL), HCS_OK);
    assert_int_equal(report.code, 42);
    hcs_process_close(process);
}

static void calls_share_a_connection(void **state)
{
    char *text;

    (void) state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(hcs_host_info(host, &text, NULL), HCS_OK);
        hcs_string_free(text);
    }
    assert_int_equal(service.n_accepted, 1);
}

/* ---- errors ---- */

static void error_of_the_service_comes_field_by_field(void **state)
{
    hcs_system *system = system_opened();
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    act.fail_on = NAME("StartSystem");
    act.fail_error = NAME("Failed");
    act.fail_parameters =
        "{\"code\":-2143878899,\"name\":\"HCS_E_INVALID_JSON\",\"os\":22,\"place\":\"doc.parse\","
        "\"text\":\"line 3: no\"}";
    assert_int_equal(hcs_system_start(system, NULL, &err), HCS_E_INVALID_JSON);
    assert_int_equal(err.code, HCS_E_INVALID_JSON);
    assert_int_equal(err.os, 22);
    assert_string_equal(err.where, "doc.parse");
    assert_string_equal(err.text, "line 3: no");
    /* The connection is good for the next call. */
    assert_int_equal(hcs_system_terminate(system, NULL, &err), HCS_OK);
    assert_int_equal(service.n_accepted, 1);
    hcs_system_close(system);
}

static void error_that_makes_no_sense_is_a_protocol_error(void **state)
{
    static const char *const rows[][3] = {
        { "org.varlink.service.MethodNotFound", "{\"method\":\"x.Y\"}", "MethodNotFound" },
        { "org.varlink.service.InvalidParameter", "{\"parameter\":\"id\"}", "\"id\"" },
        { NAME("Failed"), "{}", "without a code" },
        { NAME("Failed"), "{\"code\":5}", "without a code" },
        { NAME("Failed"), "{\"code\":-99999999999}", "without a code" },
        { NAME("Failed"), "[]", "not an object" },
        { "x.y.Z", "null", "x.y.Z" },
    };
    hcs_system *system = system_opened();

    (void) state;
    act.fail_on = NAME("StartSystem");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hcs_error err = HCS_ERROR_INIT;

        act.fail_error = rows[i][0];
        act.fail_parameters = rows[i][1];
        assert_int_equal(hcs_system_start(system, NULL, &err), HCS_E_PROTOCOL_ERROR);
        if (!strstr(err.text, rows[i][2]))
            fail_msg("row %zu says: %s", i, err.text);
    }
    hcs_system_close(system);
}

/* ---- connections that are lost ---- */

static void idle_connection_that_was_closed_is_replaced(void **state)
{
    hcs_system *system = system_opened();

    (void) state;
    service_hang_up(&service);
    assert_int_equal(hcs_system_start(system, NULL, NULL), HCS_OK);
    assert_int_equal(service.n_accepted, 2);
    hcs_system_close(system);
}

static void request_that_was_read_is_never_sent_again(void **state)
{
    hcs_system *system = system_opened();
    hcs_error err = HCS_ERROR_INIT;
    unsigned before = calls();

    (void) state;
    act.hang_up_on = NAME("StartSystem");
    assert_int_equal(hcs_system_start(system, NULL, &err), HCS_E_SERVICE_DISCONNECT);
    assert_int_equal(calls(), before + 1);
    hcs_system_close(system);
}

/* A service of its own: it accepts, and closes the first connection with the request unread. */
struct careless {
    int listen_fd;
    unsigned n_unread;
    unsigned n_answered;
};

static void *careless_main(void *context)
{
    struct careless *c = context;

    for (;;) {
        char text[4096];
        struct pollfd p;
        ssize_t n;
        int fd = accept(c->listen_fd, NULL, NULL);

        if (fd < 0)
            return NULL;
        p = (struct pollfd){ .fd = fd, .events = POLLIN };
        if (poll(&p, 1, -1) == 1 && c->n_unread > 0) {
            c->n_unread--;
            if (read(fd, text, 1) == 0)
                return NULL;
        } else {
            static const char reply[] = "{\"parameters\":{\"info\":{}}}";

            n = read(fd, text, sizeof(text));
            if (n > 0)
                c->n_answered += write(fd, reply, sizeof(reply)) == sizeof(reply);
        }
        close(fd);
    }
}

/* A socket that listens in @directory. */
static int listen_in(const char *directory, struct sockaddr_un *out_address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_non_null(directory);
    snprintf(out_address->sun_path, sizeof(out_address->sun_path), "%s/sock", directory);
    assert_int_equal(bind(fd, (struct sockaddr *) out_address, sizeof(*out_address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void careless_host(unsigned n_unread, hcs_result expected, unsigned n_answered)
{
    struct careless c = { .n_unread = n_unread };
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *other = NULL;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char directory[] = "/tmp/hcs-lib-test-XXXXXX";
    pthread_t thread;

    c.listen_fd = listen_in(mkdtemp(directory), &address);
    assert_int_equal(pthread_create(&thread, NULL, careless_main, &c), 0);
    assert_int_equal(hcs_host_open(address.sun_path, &other, &err), expected);
    hcs_host_close(other);
    shutdown(c.listen_fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    assert_int_equal(c.n_answered, n_answered);
    close(c.listen_fd);
    unlink(address.sun_path);
    rmdir(directory);
}

static void request_that_was_not_read_is_sent_again_once(void **state)
{
    (void) state;
    careless_host(1, HCS_OK, 1);
    careless_host(2, HCS_E_SERVICE_DISCONNECT, 0);
}

/* ---- systems ---- */

static void every_call_carries_the_incarnation(void **state)
{
    hcs_system *system = NULL;
    hcs_process *process;

    (void) state;
    assert_int_equal(hcs_system_create(host, "s", "{\"a\":\"\\u00e9\"}", &system, NULL, NULL),
                     HCS_OK);
    assert_string_equal(act.text, "{\"a\":\"\\u00e9\"}");
    assert_string_equal(hcs_system_id(system), "s");
    assert_int_equal(hcs_system_start(system, NULL, NULL), HCS_OK);
    assert_int_equal(act.incarnation, 77);
    assert_int_equal(hcs_system_shut_down(system, NULL, NULL), HCS_OK);
    assert_string_equal(act.last, NAME("ShutDownSystem"));
    assert_int_equal(act.incarnation, 77);
    act.incarnation = 0;
    process = process_created(system);
    assert_int_equal(act.incarnation, 77);
    act.incarnation = 0;
    assert_int_equal(hcs_process_signal(process, 9, NULL), HCS_OK);
    assert_int_equal(act.incarnation, 77);
    act.incarnation = 0;
    assert_int_equal(hcs_system_forget(system, NULL), HCS_OK);
    assert_int_equal(act.incarnation, 77);
    hcs_process_close(process);
    hcs_system_close(system);
}

static void wait_goes_on_with_the_same_call(void **state)
{
    hcs_system *system = system_opened();
    hcs_exit report = HCS_EXIT_INIT;
    unsigned before;

    (void) state;
    act.hold = NAME("WaitSystem");
    assert_int_equal(hcs_system_wait(system, 1, &report, NULL), HCS_E_OPERATION_TIMEOUT);
    wait_held();
    assert_int_equal(hcs_system_wait(system, 1, &report, NULL), HCS_E_OPERATION_TIMEOUT);
    assert_int_equal(hcs_system_wait(system, 0, &report, NULL), HCS_E_OPERATION_TIMEOUT);
    service_do(&service, work_answer_held, NULL);
    assert_int_equal(hcs_system_wait(system, -1, &report, NULL), HCS_OK);
    assert_int_equal(report.how, HCS_EXIT_CODE);
    assert_int_equal(report.code, 42);
    assert_int_equal(act.n_held, 1);
    /* Known now: nobody is asked. */
    before = calls();
    report = (hcs_exit) HCS_EXIT_INIT;
    assert_int_equal(hcs_system_wait(system, 0, &report, NULL), HCS_OK);
    assert_int_equal(report.code, 42);
    assert_int_equal(calls(), before);
    hcs_system_close(system);
}

static void wait_without_time_finds_what_has_ended(void **state)
{
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    for (int i = 0; i < 200; i++) {
        hcs_system *system = system_opened();

        act.state = "Running";
        assert_int_equal(hcs_system_wait(system, 0, &report, NULL), HCS_E_OPERATION_TIMEOUT);
        act.state = "Stopped";
        assert_int_equal(hcs_system_wait(system, 0, &report, NULL), HCS_OK);
        hcs_system_close(system);
    }
}

static void wait_without_time_asks_for_a_process(void **state)
{
    hcs_system *system = system_opened();
    hcs_process *process = process_created(system), *other = process_created(system);
    hcs_exit report = HCS_EXIT_INIT;
    char code[16];

    (void) state;
    /* It runs: signal 0 is accepted. */
    assert_int_equal(hcs_process_wait(process, 0, &report, NULL), HCS_E_OPERATION_TIMEOUT);
    snprintf(code, sizeof(code), "%d", HCS_E_PROCESS_ALREADY_STOPPED);
    act.signal_code = code;
    assert_int_equal(hcs_process_wait(process, 0, &report, NULL), HCS_OK);
    assert_int_equal(report.code, 42);
    /* A service that does not answer the question still gets the time of a round trip. */
    snprintf(code, sizeof(code), "%d", HCS_E_INVALIDARG);
    assert_int_equal(hcs_process_wait(other, 0, &report, NULL), HCS_OK);
    hcs_process_close(process);
    hcs_process_close(other);
    hcs_system_close(system);
}

static void *wait_main(void *context)
{
    hcs_exit report = HCS_EXIT_INIT;

    return (void *) (intptr_t) (hcs_system_wait(context, -1, &report, NULL) == HCS_OK &&
                                report.code == 42);
}

static void many_threads_may_wait(void **state)
{
    enum { N = 8 };
    hcs_system *system = system_opened();
    pthread_t threads[N];

    (void) state;
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_main, system), 0);
    for (int i = 0; i < N; i++) {
        void *good = NULL;

        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
    hcs_system_close(system);
}

static void wait_on_a_service_that_goes_away_says_so(void **state)
{
    hcs_system *system = system_opened();
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    act.hold = NAME("WaitSystem");
    assert_int_equal(hcs_system_wait(system, 1, &report, NULL), HCS_E_OPERATION_TIMEOUT);
    wait_held();
    service_hang_up(&service);
    act.hold = NULL;
    assert_int_equal(hcs_system_wait(system, -1, &report, NULL), HCS_E_SERVICE_DISCONNECT);
    assert_int_equal(hcs_system_wait(system, -1, &report, NULL), HCS_OK);
    hcs_system_close(system);
}

/* ---- operations ---- */

static void operation_is_readable_when_it_is_done(void **state)
{
    hcs_system *system = system_opened();
    hcs_error err = HCS_ERROR_INIT;
    hcs_op *op = NULL;

    (void) state;
    act.hold = NAME("StartSystem");
    assert_int_equal(hcs_system_start(system, &op, NULL), HCS_OK);
    wait_held();
    assert_false(readable(hcs_op_pollable(op)));
    assert_int_equal(hcs_op_wait(op, 0, &err), HCS_E_OPERATION_TIMEOUT);
    assert_int_equal(hcs_op_wait(op, 1, &err), HCS_E_OPERATION_TIMEOUT);
    service_do(&service, work_answer_held, NULL);
    assert_true(readable(hcs_op_pollable(op)));
    assert_int_equal(hcs_op_wait(op, 0, &err), HCS_OK);
    /* And stays: the result may be asked again. */
    assert_true(readable(hcs_op_pollable(op)));
    assert_int_equal(hcs_op_wait(op, 0, &err), HCS_OK);
    hcs_op_close(op);
    hcs_system_close(system);
}

/* A service whose second call, the creation of a system, is answered before it has read all of it;
 * a second client subscribes. */
struct hasty {
    char directory[32];
    struct sockaddr_un address;
    int listen_fd;
    pthread_t thread;
    const char *answer;
    char subscription[4096];
};

static bool hasty_answer(int fd, char *text, size_t size, const char *answer)
{
    ssize_t n = read(fd, text, size - 1);

    text[n > 0 ? n : 0] = '\0';
    return n > 0 && write(fd, answer, strlen(answer) + 1) > 0;
}

static void *hasty_main(void *context)
{
    static const char ready[] =
        "{\"parameters\":{\"ready\":{\"log\":\"x\",\"after\":0}},\"continues\":true}";
    struct hasty *h = context;
    int fd = accept(h->listen_fd, NULL, NULL), second;
    char text[4096];

    if (fd < 0 || !hasty_answer(fd, text, sizeof(text), "{\"parameters\":{\"info\":{}}}") ||
        !hasty_answer(fd, text, sizeof(text), h->answer))
        return NULL;
    while (read(fd, text, sizeof(text)) > 0)
        continue;
    close(fd);
    second = accept(h->listen_fd, NULL, NULL);
    if (second < 0)
        return NULL;
    (void) hasty_answer(second, h->subscription, sizeof(h->subscription), ready);
    close(second);
    return NULL;
}

/* Create a system by a request larger than what a socket holds. */
static hcs_host *hasty_begin(struct hasty *h, hcs_system **out, hcs_op **out_op)
{
    size_t size = (size_t) 4 << 20;
    char *document = malloc(size + 1);
    hcs_host *other = NULL;

    assert_non_null(document);
    memset(document, ' ', size);
    document[size] = '\0';
    strcpy(h->directory, "/tmp/hcs-lib-test-XXXXXX");
    h->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    h->listen_fd = listen_in(mkdtemp(h->directory), &h->address);
    assert_int_equal(pthread_create(&h->thread, NULL, hasty_main, h), 0);
    assert_int_equal(hcs_host_open(h->address.sun_path, &other, NULL), HCS_OK);
    assert_int_equal(hcs_system_create(other, "web", document, out, out_op, NULL), HCS_OK);
    free(document);
    return other;
}

static void hasty_end(struct hasty *h)
{
    shutdown(h->listen_fd, SHUT_RDWR);
    pthread_join(h->thread, NULL);
    close(h->listen_fd);
    unlink(h->address.sun_path);
    rmdir(h->directory);
}

static void operation_that_is_answered_while_it_is_sent_is_readable(void **state)
{
    struct hasty h = { .answer = "{\"error\":\"" NAME(
                           "Failed") "\",\"parameters\":{\"code\":-2143878899}}" };
    hcs_system *system = NULL;
    hcs_op *op = NULL;
    hcs_host *other;

    (void) state;
    other = hasty_begin(&h, &system, &op);
    assert_true(readable(hcs_op_pollable(op)));
    assert_int_equal(hcs_op_wait(op, 0, NULL), HCS_E_INVALID_JSON);
    hcs_op_close(op);
    hcs_system_close(system);
    hcs_host_close(other);
    hasty_end(&h);
}

static void stream_of_a_system_that_was_created_early_begins_at_its_beginning(void **state)
{
    struct hasty h = {
        .answer = "{\"parameters\":{\"system\":{\"id\":\"web\",\"incarnation\":7,\"owner\":\"\","
                  "\"type\":\"Container\",\"isolation\":\"none\"}}}"
    };
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream *stream = NULL;
    hcs_system *system = NULL;
    hcs_op *op = NULL;
    hcs_host *other;

    (void) state;
    other = hasty_begin(&h, &system, &op);
    assert_int_equal(hcs_stream_open_system(system, NULL, &stream, NULL), HCS_OK);
    hcs_op_close(op);
    assert_int_equal(hcs_stream_next(stream, -1, &event, NULL), HCS_OK);
    assert_int_equal(event.kind, HCS_EVENT_SERVICE_DISCONNECT);
    hcs_stream_close(stream);
    hcs_system_close(system);
    hcs_host_close(other);
    hasty_end(&h);
    assert_non_null(strstr(h.subscription, "\"beginning\""));
}

static void operation_tells_its_error_again_and_again(void **state)
{
    hcs_system *system = system_opened();
    hcs_op *op = NULL;

    (void) state;
    act.fail_on = NAME("StartSystem");
    act.fail_error = NAME("Failed");
    act.fail_parameters = "{\"code\":-2143878907,\"text\":\"started before\"}";
    assert_int_equal(hcs_system_start(system, &op, NULL), HCS_OK);
    for (int i = 0; i < 3; i++) {
        hcs_error err = HCS_ERROR_INIT;

        assert_int_equal(hcs_op_wait(op, -1, &err), HCS_E_INVALID_STATE);
        assert_string_equal(err.text, "started before");
    }
    hcs_op_close(op);
    hcs_system_close(system);
}

static void operation_ends_when_the_service_goes_away(void **state)
{
    hcs_system *system = system_opened();
    hcs_op *op = NULL, *forgotten = NULL;

    (void) state;
    act.hold = NAME("StartSystem");
    assert_int_equal(hcs_system_start(system, &op, NULL), HCS_OK);
    wait_held();
    act.held = NULL;
    assert_int_equal(hcs_system_start(system, &forgotten, NULL), HCS_OK);
    hcs_op_close(forgotten);
    service_hang_up(&service);
    assert_true(readable(hcs_op_pollable(op)));
    assert_int_equal(hcs_op_wait(op, -1, NULL), HCS_E_SERVICE_DISCONNECT);
    assert_int_equal(hcs_op_wait(op, 0, NULL), HCS_E_SERVICE_DISCONNECT);
    hcs_op_close(op);
    hcs_system_close(system);
}

static void system_being_created_cannot_be_used_yet(void **state)
{
    hcs_system *system = NULL;
    hcs_error err = HCS_ERROR_INIT;
    hcs_op *op = NULL;

    (void) state;
    act.hold = NAME("CreateSystem");
    assert_int_equal(hcs_system_create(host, "s", "{}", &system, &op, NULL), HCS_OK);
    wait_held();
    assert_string_equal(hcs_system_id(system), "s");
    assert_int_equal(hcs_system_start(system, NULL, &err), HCS_E_OPERATION_PENDING);
    assert_non_null(strstr(err.text, "'s'"));
    service_do(&service, work_answer_held, NULL);
    assert_int_equal(hcs_op_wait(op, -1, NULL), HCS_OK);
    hcs_op_close(op);
    assert_int_equal(hcs_system_start(system, NULL, &err), HCS_OK);
    assert_int_equal(act.incarnation, 77);
    hcs_system_close(system);
}

static void system_that_was_not_created_says_why(void **state)
{
    hcs_system *system = NULL;
    hcs_error err = HCS_ERROR_INIT;
    hcs_op *op = NULL;

    (void) state;
    act.fail_on = NAME("CreateSystem");
    act.fail_error = NAME("Failed");
    act.fail_parameters = "{\"code\":-2143878897,\"text\":\"it is taken\"}";
    assert_int_equal(hcs_system_create(host, "s", "{}", &system, &op, NULL), HCS_OK);
    assert_int_equal(hcs_op_wait(op, -1, NULL), HCS_E_SYSTEM_ALREADY_EXISTS);
    hcs_op_close(op);
    assert_int_equal(hcs_system_start(system, NULL, &err), HCS_E_SYSTEM_ALREADY_EXISTS);
    assert_string_equal(err.text, "it is taken");
    hcs_system_close(system);
    system = NULL;
    assert_int_equal(hcs_system_create(host, "s", "{}", &system, NULL, &err),
                     HCS_E_SYSTEM_ALREADY_EXISTS);
    assert_null(system);
}

/* ---- processes ---- */

static void given_handles_reach_the_service(void **state)
{
    hcs_stdio stdio = HCS_STDIO_INIT;
    hcs_system *system = system_opened();
    hcs_process *process = NULL;
    hcs_error err = HCS_ERROR_INIT;
    char text[8] = "";
    int ends[2];

    (void) state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    stdio.out = ends[1];
    stdio.err = ends[1];
    assert_int_equal(
        hcs_process_create(system, "{\"CommandLine\":\"x\"}", &stdio, &process, NULL, NULL),
        HCS_OK);
    assert_string_equal(act.text, "{\"CommandLine\":\"x\"}");
    assert_int_equal(act.n_fds, 2);
    assert_int_equal(read(ends[0], text, 5), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(hcs_process_id(process), 4711);
    assert_int_equal(hcs_process_take_stdio(process, HCS_STDOUT), HCS_POLLABLE_NONE);
    hcs_process_close(process);
    process = NULL;
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(hcs_process_create(system, "{}", &stdio, &process, NULL, &err),
                     HCS_E_WIN32_INVALID_HANDLE);
    stdio.in = -7;
    assert_int_equal(hcs_process_create(system, "{}", &stdio, &process, NULL, &err),
                     HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "stdin is -7"));
    assert_null(process);
    hcs_system_close(system);
}

static void pipe_ends_are_given_once(void **state)
{
    int before = count_fds();
    hcs_system *system = system_opened();
    hcs_process *process = process_created(system);
    char text[4] = "";
    int fd = hcs_process_take_stdio(process, HCS_STDOUT);

    (void) state;
    assert_int_equal(read(fd, text, 3), 3);
    assert_string_equal(text, "out");
    close(fd);
    assert_int_equal(hcs_process_take_stdio(process, HCS_STDOUT), HCS_POLLABLE_NONE);
    assert_int_equal(hcs_process_take_stdio(process, HCS_STDERR), HCS_POLLABLE_NONE);
    assert_int_equal(hcs_process_take_stdio(process, 7), HCS_POLLABLE_NONE);
    /* The one nobody took goes with the handle. */
    hcs_process_close(process);
    hcs_system_close(system);
    expect_no_more_fds_than(before);
}

static void process_gets_its_id_when_the_operation_is_done(void **state)
{
    hcs_system *system = system_opened();
    hcs_process *process = NULL;
    hcs_exit report = HCS_EXIT_INIT;
    hcs_op *op = NULL;

    (void) state;
    act.hold = NAME("CreateProcess");
    assert_int_equal(hcs_process_create(system, "{}", NULL, &process, &op, NULL), HCS_OK);
    wait_held();
    assert_int_equal(hcs_process_id(process), 0);
    assert_int_equal(hcs_process_take_stdio(process, HCS_STDOUT), HCS_POLLABLE_NONE);
    assert_int_equal(hcs_process_wait(process, 0, &report, NULL), HCS_E_OPERATION_PENDING);
    assert_int_equal(hcs_process_signal(process, 9, NULL), HCS_E_OPERATION_PENDING);
    service_do(&service, work_answer_held, NULL);
    assert_int_equal(hcs_op_wait(op, -1, NULL), HCS_OK);
    assert_int_equal(hcs_process_id(process), 4711);
    assert_int_equal(hcs_process_wait(process, -1, &report, NULL), HCS_OK);
    hcs_op_close(op);
    hcs_process_close(process);
    hcs_system_close(system);
}

static void operation_may_be_closed_before_the_handle(void **state)
{
    hcs_system *system = system_opened();
    hcs_process *process = NULL;
    hcs_op *op = NULL;
    int fd;

    (void) state;
    act.hold = NAME("CreateProcess");
    assert_int_equal(hcs_process_create(system, "{}", NULL, &process, &op, NULL), HCS_OK);
    hcs_op_close(op);
    wait_held();
    service_do(&service, work_answer_held, NULL);
    assert_int_equal(hcs_process_id(process), 4711);
    fd = hcs_process_take_stdio(process, HCS_STDOUT);
    assert_true(fd >= 0);
    close(fd);
    hcs_process_close(process);
    hcs_system_close(system);
}

static void handle_may_be_closed_before_the_operation(void **state)
{
    hcs_system *system = system_opened();
    int before = count_fds();
    hcs_process *process = NULL;
    hcs_op *op = NULL;

    (void) state;
    act.hold = NAME("CreateProcess");
    assert_int_equal(hcs_process_create(system, "{}", NULL, &process, &op, NULL), HCS_OK);
    hcs_process_close(process);
    wait_held();
    service_do(&service, work_answer_held, NULL);
    assert_int_equal(hcs_op_wait(op, -1, NULL), HCS_OK);
    hcs_op_close(op);
    hcs_system_close(system);
    /* The pipe ends are closed; the connection of the operation too, on both sides. */
    expect_no_more_fds_than(before);
}

/* ---- processes that were opened ---- */

static void process_is_opened_by_asking_for_it(void **state)
{
    hcs_system *system = system_opened();
    hcs_process *process = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    act.signal = -1;
    assert_int_equal(hcs_process_open(system, 815, &process, NULL), HCS_OK);
    assert_string_equal(act.last, NAME("SignalProcess"));
    assert_int_equal(act.process_id, 815);
    assert_int_equal(act.signal, 0);
    assert_int_equal(act.incarnation, 77);
    assert_int_equal(hcs_process_id(process), 815);
    for (hcs_stdio_which which = HCS_STDIN; which <= HCS_STDERR; which++)
        assert_int_equal(hcs_process_take_stdio(process, which), HCS_POLLABLE_NONE);
    /* It needs its system's handle no more than one that was created. */
    hcs_system_close(system);
    assert_int_equal(hcs_process_signal(process, 9, NULL), HCS_OK);
    assert_int_equal(act.process_id, 815);
    assert_int_equal(act.signal, 9);
    assert_int_equal(hcs_process_wait(process, -1, &report, NULL), HCS_OK);
    assert_int_equal(report.code, 42);
    hcs_process_close(process);
}

static void process_that_is_not_there_is_not_opened(void **state)
{
    const hcs_result codes[] = { HCS_E_PROCESS_ALREADY_STOPPED, HCS_E_WIN32_NOT_FOUND,
                                 HCS_E_SYSTEM_ALREADY_STOPPED };
    hcs_system *system = system_opened();
    hcs_process *process = NULL;
    hcs_error err = HCS_ERROR_INIT;
    char code[16];

    (void) state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        snprintf(code, sizeof(code), "%d", codes[i]);
        act.signal_code = code;
        assert_int_equal(hcs_process_open(system, 815, &process, &err), codes[i]);
    }
    assert_int_equal(hcs_process_open(NULL, 815, &process, &err), HCS_E_POINTER);
    assert_int_equal(hcs_process_open(system, 815, NULL, &err), HCS_E_POINTER);
    assert_null(process);
    hcs_system_close(system);
}

/* ---- documents ---- */

static void exit_documents_are_those_of_hcs(void **state)
{
    static const char *const names[] = { "\"ExitCode\":42", "\"ExitCode\":137",
                                         "\"ExitType\":\"ForcedExit\"", "\"ProcessId\":7",
                                         "\"ExitType\":\"Unknown\"" };
    const hcs_exit reports[] = {
        { .size = sizeof(hcs_exit), .how = HCS_EXIT_CODE, .code = 42 },
        { .size = sizeof(hcs_exit), .how = HCS_EXIT_SIGNAL, .signal = 9 },
        { .size = sizeof(hcs_exit), .how = HCS_EXIT_STATUS, .type = HCS_EXIT_TYPE_FORCED },
        { .size = sizeof(hcs_exit), .how = HCS_EXIT_UNKNOWN },
        { .size = sizeof(hcs_exit), .how = HCS_EXIT_UNKNOWN },
    };
    const uint32_t ids[] = { 0, 7, 7, 7, 0 };

    (void) state;
    for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
        char *text = NULL;

        assert_int_equal(hcs_exit_document(&reports[i], ids[i], &text, NULL), HCS_OK);
        if (!strstr(text, names[i]))
            fail_msg("row %zu: %s", i, text);
        /* No number is made up. */
        assert_true(reports[i].how != HCS_EXIT_UNKNOWN || !strstr(text, "ExitCode"));
        hcs_string_free(text);
    }
}

static void report_that_we_could_not_have_made_has_no_document(void **state)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_error err = HCS_ERROR_INIT;
    char *text = NULL;

    (void) state;
    report.how = 4;
    assert_int_equal(hcs_exit_document(&report, 0, &text, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "how is 4"));
    report.size = 8;
    assert_int_equal(hcs_exit_document(&report, 0, &text, &err), HCS_E_INVALIDARG);
    assert_int_equal(hcs_exit_document(NULL, 0, &text, &err), HCS_E_POINTER);
    assert_int_equal(hcs_exit_document(&report, 0, NULL, &err), HCS_E_POINTER);
    assert_null(text);
}

static void log_of_the_service_is_its_own(void **state)
{
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_int_equal(hcs_host_set_log_bytes(host, 1 << 20, &err), HCS_E_WIN32_NOT_SUPPORTED);
    assert_non_null(strstr(err.text, service.path));
    assert_int_equal(hcs_host_set_log_bytes(host, 100, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "100 bytes"));
    assert_int_equal(hcs_host_set_log_bytes(host, ((size_t) 1 << 30) + 1, &err), HCS_E_INVALIDARG);
    assert_int_equal(hcs_host_set_log_bytes(NULL, 1 << 20, &err), HCS_E_POINTER);
}

/* ---- many threads ---- */

static void *use_main(void *context)
{
    for (int i = 0; i < 200; i++) {
        hcs_system *system = NULL;
        hcs_process *process = NULL;
        hcs_op *op = NULL;
        char *text = NULL;

        if (hcs_system_open(context, "s", &system, NULL) < 0 ||
            hcs_host_info(context, &text, NULL) < 0 ||
            hcs_process_create(system, "{}", NULL, &process, &op, NULL) < 0 ||
            hcs_op_wait(op, -1, NULL) < 0 || hcs_process_id(process) != 4711)
            return NULL;
        hcs_op_close(op);
        hcs_process_close(process);
        hcs_system_close(system);
        hcs_string_free(text);
    }
    return context;
}

static void host_is_used_from_many_threads(void **state)
{
    enum { N = 4 };
    pthread_t threads[N];

    (void) state;
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_main, host), 0);
    for (int i = 0; i < N; i++) {
        void *good = NULL;

        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(documents_come_as_the_service_sends_them),
        T(null_is_refused_by_name),
        T(odd_arguments_are_refused_by_name),
        T(address_of_another_form_is_refused),
        T(address_of_a_library_that_is_not_there_is_not_available),
        T(things_outlive_their_host),
        T(calls_share_a_connection),
        T(error_of_the_service_comes_field_by_field),
        T(error_that_makes_no_sense_is_a_protocol_error),
        T(idle_connection_that_was_closed_is_replaced),
        T(request_that_was_read_is_never_sent_again),
        T(request_that_was_not_read_is_sent_again_once),
        T(every_call_carries_the_incarnation),
        T(wait_goes_on_with_the_same_call),
        T(wait_without_time_finds_what_has_ended),
        T(wait_without_time_asks_for_a_process),
        T(many_threads_may_wait),
        T(wait_on_a_service_that_goes_away_says_so),
        T(operation_is_readable_when_it_is_done),
        T(operation_that_is_answered_while_it_is_sent_is_readable),
        T(stream_of_a_system_that_was_created_early_begins_at_its_beginning),
        T(operation_tells_its_error_again_and_again),
        T(operation_ends_when_the_service_goes_away),
        T(system_being_created_cannot_be_used_yet),
        T(system_that_was_not_created_says_why),
        T(given_handles_reach_the_service),
        T(pipe_ends_are_given_once),
        T(process_gets_its_id_when_the_operation_is_done),
        T(operation_may_be_closed_before_the_handle),
        T(handle_may_be_closed_before_the_operation),
        T(process_is_opened_by_asking_for_it),
        T(process_that_is_not_there_is_not_opened),
        T(exit_documents_are_those_of_hcs),
        T(report_that_we_could_not_have_made_has_no_document),
        T(log_of_the_service_is_its_own),
        T(host_is_used_from_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
