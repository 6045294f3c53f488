/* tcp_test.c - what the library promises about hosts at tcp:127.0.0.1:PORT, against a service that
 * does what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "hcs/hcs.h"
#include "place.h"
#include "service.h"

#define METHOD(name) "org.libhcs.ComputeService." name
#define DEADLINE_MS 60000

static struct {
    struct service service;
    struct loopback at;
    char address[80];
    atomic_bool refuse;     /* the token */
    atomic_bool hold;       /* answers to StartSystem */
    struct client *waiting; /* for it */
    char token[128];        /* the last one shown */
    unsigned n_greetings, n_early, n_tickets;
    char tickets[512]; /* what CreateProcess named */
} t;

/* ---- the service ---- */

static void answer(struct client *c, const char *method, const json_t *parameters)
{
    char text[200];

    if (strcmp(method, METHOD("OpenStdio")) == 0) {
        snprintf(text, sizeof text, "{\"ticket\":\"ticket-%u\"}", ++t.n_tickets);
        client_reply(c, text);
    } else if (strcmp(method, METHOD("GetInfo")) == 0) {
        client_reply(c, "{\"info\":{\"name\":\"test\"}}");
    } else if (strcmp(method, METHOD("OpenSystem")) == 0) {
        client_reply(c, "{\"system\":{\"id\":\"s\",\"incarnation\":1,\"owner\":\"o\","
                        "\"type\":\"Container\",\"isolation\":\"none\"}}");
    } else if (strcmp(method, METHOD("CreateProcess")) == 0) {
        char *whole = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);

        snprintf(t.tickets, sizeof t.tickets, "%s", whole);
        free(whole);
        client_reply(c, "{\"processId\":7}");
    } else if (t.hold) {
        t.waiting = c;
    } else {
        client_reply(c, "{}");
    }
}

static void serve(struct service *s, struct client *c, const char *method, const json_t *parameters,
                  struct varlink_message *message)
{
    (void) message;
    if (strcmp(method, METHOD("Authenticate")) != 0) {
        t.n_early += s->n_accepted > t.n_greetings; /* somebody has not shown it yet */
        answer(c, method, parameters);
        return;
    }
    t.n_greetings++;
    snprintf(t.token, sizeof t.token, "%s",
             json_string_value(json_object_get(parameters, "token")));
    if (!t.refuse) {
        client_reply(c, "{}");
        return;
    }
    client_error(c, METHOD("Failed"),
                 "{\"code\":-2143878885,\"name\":\"HCS_E_ACCESS_DENIED\",\"os\":0,"
                 "\"place\":\"test\",\"text\":\"the token is another\"}");
    c->go = true;
}

static void write_token(unsigned port, const char *token)
{
    char line[200];

    snprintf(line, sizeof line, "%u %s\n", port, token);
    place_write_token(t.service.path, line);
}

static int set_up(void **state)
{
    (void) state;
    memset(&t, 0, sizeof t); /* no thread is there yet */
    assert_int_equal(loopback_parse("127.0.0.1:0", "test", &t.at, NULL), HCS_OK);
    service_start_tcp(&t.service, serve, &t.at);
    snprintf(t.address, sizeof t.address, "tcp:127.0.0.1:%u", t.at.port);
    setenv("HCS_TOKEN_FILE", t.service.path, 1);
    write_token(t.at.port, "abc1");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    service_stop(&t.service);
    return 0;
}

static void look(struct service *s, void *context)
{
    (void) s;
    (void) context;
}

/* What the service's thread has noted can be read now. */
static void settle(void)
{
    service_do(&t.service, look, NULL);
}

static hcs_host *open_host(void)
{
    hcs_host *host = NULL;
    hcs_error err = HCS_ERROR_INIT;

    if (hcs_host_open(t.address, &host, &err) != HCS_OK)
        fail_msg("%s", err.text);
    return host;
}

static hcs_system *open_system(hcs_host *host)
{
    hcs_system *system = NULL;

    assert_int_equal(hcs_system_open(host, "s", &system, NULL), HCS_OK);
    return system;
}

/* ---- the token ---- */

static void every_new_connection_shows_the_token_first(void **state)
{
    hcs_host *host = open_host();
    hcs_system *system = open_system(host);
    hcs_op *ops[4];

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(ops); i++) /* each on a connection of its own */
        assert_int_equal(hcs_system_start(system, &ops[i], NULL), HCS_OK);
    for (size_t i = 0; i < N_ELEMENTS(ops); i++) {
        assert_int_equal(hcs_op_wait(ops[i], DEADLINE_MS, NULL), HCS_OK);
        hcs_op_close(ops[i]);
    }
    settle();
    assert_int_equal(t.n_greetings, t.service.n_accepted);
    assert_int_equal(t.n_greetings, 4); /* the one of the calls before was used again */
    assert_int_equal(t.n_early, 0);
    assert_string_equal(t.token, "abc1");
    hcs_system_close(system);
    hcs_host_close(host);
}

static void the_token_is_read_again_for_each_connection(void **state)
{
    hcs_host *host = open_host();
    char *info = NULL;

    (void) state;
    service_hang_up(&t.service);
    write_token(t.at.port, "def2");
    assert_int_equal(hcs_host_info(host, &info, NULL), HCS_OK);
    hcs_string_free(info);
    settle();
    assert_string_equal(t.token, "def2");
    hcs_host_close(host);
}

static void an_address_without_a_port_has_that_of_the_token_file(void **state)
{
    (void) state;
    strcpy(t.address, "tcp:127.0.0.1");
    hcs_host_close(open_host());
}

static void refuses_to_open(hcs_result expected, const char *words)
{
    hcs_host *host = NULL;
    hcs_error err = HCS_ERROR_INIT;

    assert_int_equal(hcs_host_open(t.address, &host, &err), expected);
    assert_null(host);
    if (!strstr(err.text, words))
        fail_msg("'%s' is not in: %s", words, err.text);
}

static void a_refused_token_is_access_denied_in_the_words_of_the_service(void **state)
{
    (void) state;
    t.refuse = true;
    refuses_to_open(HCS_E_ACCESS_DENIED, "the token is another");
}

static void a_token_that_is_refused_later_fails_calls_and_operations(void **state)
{
    hcs_host *host = open_host();
    hcs_system *system = open_system(host);
    hcs_error err = HCS_ERROR_INIT;
    hcs_op *op = NULL;

    (void) state;
    service_hang_up(&t.service);
    t.refuse = true;
    assert_int_equal(hcs_system_start(system, NULL, &err), HCS_E_ACCESS_DENIED);
    assert_int_equal(hcs_system_start(system, &op, &err), HCS_E_ACCESS_DENIED);
    assert_null(op);
    hcs_system_close(system);
    hcs_host_close(host);
}

static void a_token_for_another_port_is_not_sent(void **state)
{
    (void) state;
    write_token(t.at.port == 1 ? 2 : 1, "abc1");
    refuses_to_open(HCS_E_ACCESS_DENIED, t.address + strlen("tcp:127.0.0.1:"));
    settle();
    assert_int_equal(t.service.n_accepted, 0);
}

static void a_token_file_that_others_may_read_is_not_believed(void **state)
{
    (void) state;
    assert_int_equal(chmod(t.service.path, 0640), 0);
    refuses_to_open(HCS_E_ACCESS_DENIED, "open to others");
    assert_int_equal(chmod(t.service.path, 0602), 0);
    refuses_to_open(HCS_E_ACCESS_DENIED, "602");
    settle();
    assert_int_equal(t.service.n_accepted, 0);
}

static void a_token_file_of_somebody_else_is_not_believed(void **state)
{
    (void) state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(t.service.path, 12345, 12345), 0);
    refuses_to_open(HCS_E_ACCESS_DENIED, "12345");
    settle();
    assert_int_equal(t.service.n_accepted, 0);
}

static void what_is_no_token_file_is_refused_by_name(void **state)
{
    static const char *const bad[] = { "",        "\n",        "1\n",           "1 \n",
                                       "x abc\n", "1 abc",     "1 ABC\n",       "70000 abc\n",
                                       "0 abc\n", "1 abc d\n", "1 abc\n2 def\n" };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        assert_int_equal(file_write_atomic(t.service.path, bad[i], strlen(bad[i]), 0600, NULL),
                         HCS_OK);
        refuses_to_open(HCS_E_ACCESS_DENIED, "no token file");
        refuses_to_open(HCS_E_ACCESS_DENIED, t.service.path);
    }
    settle();
    assert_int_equal(t.service.n_accepted, 0);
}

static void no_token_file_says_what_is_missing(void **state)
{
    (void) state;
    setenv("HCS_TOKEN_FILE", "/no/such/token", 1);
    refuses_to_open(HCS_E_SERVICE_NOT_AVAILABLE, "/no/such/token");
    setenv("HCS_TOKEN_FILE", t.service.directory, 1);
    refuses_to_open(HCS_E_ACCESS_DENIED, "is no file");
    setenv("HCS_TOKEN_FILE", "", 1);
    refuses_to_open(HCS_E_ACCESS_DENIED, "HCS_TOKEN_FILE is not set");
    unsetenv("HCS_TOKEN_FILE");
    refuses_to_open(HCS_E_ACCESS_DENIED, "HCS_TOKEN_FILE is not set");
}

/* ---- operations ---- */

static void release(struct service *s, void *context)
{
    (void) s;
    (void) context;
    t.hold = false;
    if (t.waiting)
        client_reply(t.waiting, "{}");
    t.waiting = NULL;
}

static void an_operation_is_pollable_when_it_is_done_and_not_before(void **state)
{
    hcs_host *host = open_host();
    hcs_system *system = open_system(host);

    (void) state;
    for (int i = 0; i < 20; i++) {
        hcs_op *ops[2];
        struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };

        t.hold = false;
        assert_int_equal(hcs_system_start(system, &ops[0], NULL), HCS_OK);
        p[0].fd = hcs_op_pollable(ops[0]);
        assert_int_equal(poll(&p[0], 1, DEADLINE_MS), 1);
        assert_int_equal(hcs_op_wait(ops[0], 0, NULL), HCS_OK);
        t.hold = true;
        assert_int_equal(hcs_system_start(system, &ops[1], NULL), HCS_OK);
        p[1].fd = hcs_op_pollable(ops[1]);
        assert_int_equal(poll(&p[1], 1, 0), 0);
        assert_int_equal(hcs_op_wait(ops[1], 0, NULL), HCS_E_OPERATION_TIMEOUT);
        service_do(&t.service, release, NULL);
        assert_int_equal(poll(&p[1], 1, DEADLINE_MS), 1);
        assert_int_equal(hcs_op_wait(ops[1], 0, NULL), HCS_OK);
        hcs_op_close(ops[0]);
        hcs_op_close(ops[1]);
    }
    hcs_system_close(system);
    hcs_host_close(host);
}

/* ---- standard handles ---- */

static void pipes_are_connections_of_their_own(void **state)
{
    hcs_host *host = open_host();
    hcs_system *system = open_system(host);
    hcs_process *process = NULL;

    (void) state;
    assert_int_equal(hcs_process_create(system,
                                        "{\"CommandLine\":\"x\",\"CreateStdInPipe\":true,"
                                        "\"CreateStdOutPipe\":false,\"CreateStdErrPipe\":true}",
                                        NULL, &process, NULL, NULL),
                     HCS_OK);
    settle();
    assert_int_equal(t.n_tickets, 2);
    assert_non_null(strstr(t.tickets, "\"stdinTicket\":\"ticket-"));
    assert_non_null(strstr(t.tickets, "\"stderrTicket\":\"ticket-"));
    assert_null(strstr(t.tickets, "stdoutTicket"));
    for (hcs_stdio_which which = HCS_STDIN; which <= HCS_STDERR; which++) {
        int fd = hcs_process_take_stdio(process, which);

        assert_int_equal(fd >= 0, which != HCS_STDOUT);
        assert_int_equal(hcs_process_take_stdio(process, which), HCS_POLLABLE_NONE);
        if (fd >= 0) {
            assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
            assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
            close(fd);
        }
    }
    hcs_process_close(process);
    hcs_system_close(system);
    hcs_host_close(host);
}

static void handles_of_the_caller_are_refused_by_name(void **state)
{
    static const char *const names[] = { "stdin", "stdout", "stderr" };
    hcs_host *host = open_host();
    hcs_system *system = open_system(host);

    (void) state;
    for (int i = 0; i < 3; i++) {
        hcs_stdio stdio = HCS_STDIO_INIT;
        hcs_error err = HCS_ERROR_INIT;
        hcs_process *process = NULL;

        *(i == 0 ? &stdio.in : i == 1 ? &stdio.out : &stdio.err) = 1;
        assert_int_equal(
            hcs_process_create(system, "{\"CommandLine\":\"x\"}", &stdio, &process, NULL, &err),
            HCS_E_WIN32_NOT_SUPPORTED);
        assert_null(process);
        assert_int_equal(strncmp(err.text, names[i], strlen(names[i])), 0);
        assert_non_null(strstr(err.text, "hcs_process_take_stdio"));
    }
    settle();
    assert_string_equal(t.tickets, "");
    hcs_system_close(system);
    hcs_host_close(host);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_new_connection_shows_the_token_first),
        TEST(the_token_is_read_again_for_each_connection),
        TEST(an_address_without_a_port_has_that_of_the_token_file),
        TEST(a_refused_token_is_access_denied_in_the_words_of_the_service),
        TEST(a_token_that_is_refused_later_fails_calls_and_operations),
        TEST(a_token_for_another_port_is_not_sent),
        TEST(a_token_file_that_others_may_read_is_not_believed),
        TEST(a_token_file_of_somebody_else_is_not_believed),
        TEST(what_is_no_token_file_is_refused_by_name),
        TEST(no_token_file_says_what_is_missing),
        TEST(an_operation_is_pollable_when_it_is_done_and_not_before),
        TEST(pipes_are_connections_of_their_own),
        TEST(handles_of_the_caller_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
