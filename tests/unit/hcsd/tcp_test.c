/* tcp_test.c - promises of hcsd about its TCP port: the token file, who is refused, what is
 * counted, and what a client without the token may cost.
 *
 * The whole inside of hcsd runs here over the fake driver, on a loop that the tests turn by hand;
 * clients are bare sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fake.h"
#include "fd.h"
#include "log.h"
#include "server.h"

#define CLIENTS_MAX 80
#define TICKETS 16
#define TURN_US 10000u

struct fixture {
    struct server server;
    struct evlog *log;
    struct driver *fake;
    char dir[64];
    char token_file[80];
    char token[TOKEN_LENGTH + 1];
    struct loopback address;
    os_socket clients[CLIENTS_MAX];
    size_t n_clients;
};

/* ---- harness ---- */

static int set_up_with(void **state, uint64_t patience_us, uint64_t ticket_us)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct server *s = &f->server;
    struct evlog_options log = { .path = ":memory:", .events_max = 1000, .ended_max = 10 };
    struct engine_options engine = { .systems_max = 10, .processes_max = 10 };

    log_set_level(LOG_LINE_CRITICAL);
    strcpy(f->dir, "/tmp/hcs-tcp-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->token_file, sizeof f->token_file, "%s/token", f->dir);
    assert_true(sd_event_new(&s->loop) >= 0);
    s->listen_fd = -1;
    accounts_init(&s->accounts, geteuid(), 1000, TICKETS);
    s->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    s->ticket_us = ticket_us;
    s->tickets_max = TICKETS;
    list_init(&s->connections);
    list_init(&s->tickets);
    tcp_init(&s->tcp);
    s->tcp.patience_us = patience_us;
    assert_int_equal(evlog_open(s->loop, &log, &f->log, NULL), HCS_OK);
    assert_int_equal(fake_new(s->loop, &f->fake, NULL), HCS_OK);
    engine.loop = s->loop;
    engine.log = f->log;
    engine.run_dir = f->dir;
    engine.namespaces = f->fake;
    assert_int_equal(engine_new(&engine, &s->engine, NULL), HCS_OK);
    *state = f;
    return 0;
}

static hcs_result listen_at(struct fixture *f, const char *address, hcs_error *err)
{
    struct loopback l;
    hcs_result r = loopback_parse(address, "test", &l, err);

    if (r >= 0)
        r = tcp_begin(&f->server, &l, f->token_file, err);
    if (r >= 0)
        r = tcp_serve(&f->server, err);
    f->address = f->server.tcp.address;
    strcpy(f->token, f->server.tcp.token);
    return r;
}

static int set_up(void **state)
{
    set_up_with(state, 600 * 1000000ull, 600 * 1000000ull);
    assert_int_equal(listen_at(*state, "127.0.0.1:0", NULL), HCS_OK);
    return 0;
}

/* Of a service that is soon impatient, for the tests of just that. */
static int set_up_impatient(void **state)
{
    set_up_with(state, 300000, 600 * 1000000ull);
    assert_int_equal(listen_at(*state, "127.0.0.1:0", NULL), HCS_OK);
    return 0;
}

static int set_up_silent(void **state)
{
    return set_up_with(state, 600 * 1000000ull, 600 * 1000000ull);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct server *s = &f->server;

    for (size_t i = 0; i < f->n_clients; i++)
        socket_drop(&f->clients[i]);
    tcp_end(s);
    list_for_each(&s->connections, n) connection_drop(container_of(n, struct connection, link));
    tickets_drop(s);
    engine_drop(s->engine);
    f->fake->ops->drop(f->fake);
    evlog_close(f->log);
    s->idle = sd_event_source_disable_unref(s->idle);
    sd_event_unref(s->loop);
    fd_drop(&s->null_fd);
    assert_int_equal(dir_remove(f->dir, NULL), HCS_OK);
    free(f);
    return 0;
}

static void turn(struct fixture *f)
{
    assert_true(sd_event_run(f->server.loop, TURN_US) >= 0);
}

#define DEADLINE_NS (60 * 1000000000ull)

#define UNTIL(f, what)                                                                             \
    do {                                                                                           \
        uint64_t end_ = clock_monotonic_ns() + DEADLINE_NS;                                        \
                                                                                                   \
        while (!(what)) {                                                                          \
            if (clock_monotonic_ns() > end_)                                                       \
                fail_msg("never: %s", #what);                                                      \
            turn(f);                                                                               \
        }                                                                                          \
    } while (0)

static os_socket client(struct fixture *f)
{
    os_socket s = SOCKET_NONE;

    assert_true(f->n_clients < CLIENTS_MAX);
    assert_int_equal(loopback_connect(&f->address, &s, NULL), HCS_OK);
    assert_int_equal(fcntl(s, F_SETFL, O_NONBLOCK), 0);
    f->clients[f->n_clients++] = s;
    return s;
}

static void say_bytes(os_socket s, const char *bytes, size_t n)
{
    assert_int_equal(send(s, bytes, n, MSG_NOSIGNAL), (ssize_t) n);
}

static void say(os_socket s, const char *text)
{
    say_bytes(s, text, strlen(text) + 1);
}

static void call(os_socket s, const char *method, const char *parameters)
{
    char text[1024];

    snprintf(text, sizeof text, "{\"method\":\"org.libhcs.ComputeService.%s\",\"parameters\":%s}",
             method, parameters);
    say(s, text);
}

static void authenticate(os_socket s, const char *token)
{
    char parameters[256];

    snprintf(parameters, sizeof parameters, "{\"token\":\"%s\"}", token);
    call(s, "Authenticate", parameters);
}

/* The next message, or NULL when the service has closed instead. */
static json_t *hear(struct fixture *f, os_socket s)
{
    static char text[1 << 16];
    uint64_t end = clock_monotonic_ns() + DEADLINE_NS;
    size_t n = 0;

    while (clock_monotonic_ns() < end) {
        ssize_t got;

        while ((got = recv(s, text + n, 1, 0)) == 1) {
            if (text[n++] == '\0')
                return json_loads(text, 0, NULL);
            assert_true(n < sizeof text);
        }
        if (got == 0 || errno != EAGAIN) {
            assert_int_equal(n, 0);
            return NULL;
        }
        turn(f);
    }
    fail_msg("no answer");
    return NULL;
}

static void hear_success(struct fixture *f, os_socket s)
{
    json_t *answer = hear(f, s);

    assert_non_null(answer);
    assert_null(json_object_get(answer, "error"));
    json_decref(answer);
}

/* The error that a call is answered with. */
static void hear_failure(struct fixture *f, os_socket s, const char *name, char text[512])
{
    json_t *answer = hear(f, s);
    json_t *parameters = json_object_get(answer, "parameters");

    assert_non_null(answer);
    assert_non_null(json_object_get(answer, "error"));
    assert_string_equal(json_string_value(json_object_get(parameters, "name")), name);
    if (text)
        snprintf(text, 512, "%s", json_string_value(json_object_get(parameters, "text")));
    json_decref(answer);
}

static void hear_end(struct fixture *f, os_socket s)
{
    assert_null(hear(f, s));
}

static os_socket friend(struct fixture *f)
{
    os_socket s = client(f);

    authenticate(s, f->token);
    hear_success(f, s);
    return s;
}

static uint64_t refused(const struct fixture *f)
{
    return f->server.tcp.refused;
}

/* ---- the token file ---- */

static void token_file_tells_port_and_token_to_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    char *text = NULL, token[100];
    unsigned port;
    struct stat st;

    assert_int_equal(file_read(f->token_file, 1000, &text, NULL, NULL), HCS_OK);
    assert_int_equal(sscanf(text, "%u %99s\n", &port, token), 2);
    assert_int_equal(port, f->address.port);
    assert_string_equal(token, f->token);
    assert_int_equal(strlen(token), 64);
    assert_int_equal(strspn(token, "0123456789abcdef"), 64);
    assert_int_equal(stat(f->token_file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_uid, geteuid());
    free(text);
}

static void token_is_another_each_time(void **state)
{
    struct fixture *f = *state;
    char first[TOKEN_LENGTH + 1];

    strcpy(first, f->token);
    tcp_end(&f->server);
    assert_int_equal(listen_at(f, "127.0.0.1:0", NULL), HCS_OK);
    assert_string_not_equal(first, f->token);
}

static void token_file_replaces_a_link_instead_of_following_it(void **state)
{
    struct fixture *f = *state;
    char target[100];
    struct stat st;

    snprintf(target, sizeof target, "%s/elsewhere", f->dir);
    assert_int_equal(symlink(target, f->token_file), 0);
    assert_int_equal(listen_at(f, "127.0.0.1:0", NULL), HCS_OK);
    assert_int_equal(lstat(f->token_file, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(lstat(target, &st), -1);
}

static void token_file_goes_with_its_service(void **state)
{
    struct fixture *f = *state;

    tcp_end(&f->server);
    assert_int_equal(access(f->token_file, F_OK), -1);
    tcp_init(&f->server.tcp);
    assert_int_equal(listen_at(f, "127.0.0.1:0", NULL), HCS_OK);
    assert_int_equal(file_write_atomic(f->token_file, "1 other\n", 8, 0600, NULL), HCS_OK);
    tcp_end(&f->server);
    assert_int_equal(access(f->token_file, F_OK), 0); /* another's is left alone */
}

static void token_file_that_cannot_be_written_is_told_by_name(void **state)
{
    struct fixture *f = *state;
    hcs_error err = HCS_ERROR_INIT;

    strcpy(f->token_file, "/no/such/place/token");
    assert_true(listen_at(f, "127.0.0.1:0", &err) < 0);
    assert_non_null(strstr(err.text, "--token-file"));
    assert_non_null(strstr(err.text, "/no/such/place/token"));
    tcp_end(&f->server);
    strcpy(f->token_file, "token");
    assert_int_equal(listen_at(f, "127.0.0.1:0", &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "not an absolute path"));
    tcp_end(&f->server);
}

static void port_that_is_taken_is_told_by_name(void **state)
{
    struct fixture *f = *state;
    struct server second = { .loop = f->server.loop };
    hcs_error err = HCS_ERROR_INIT;

    tcp_init(&second.tcp);
    assert_true(tcp_begin(&second, &f->address, f->token_file, &err) < 0);
    assert_non_null(strstr(err.text, "127.0.0.1:"));
    tcp_end(&second);
    assert_int_equal(access(f->token_file, F_OK), 0);
}

/* ---- the token ---- */

static void only_the_token_is_the_token(void **state)
{
    struct fixture *f = *state;
    const struct tcp *t = &f->server.tcp;
    char other[200];

    assert_true(tcp_token_is(t, f->token));
    assert_false(tcp_token_is(t, ""));
    for (size_t i = 0; i < TOKEN_LENGTH; i++) {
        strcpy(other, f->token);
        other[i] ^= 1;
        assert_false(tcp_token_is(t, other));
        other[i] = '\0';
        assert_false(tcp_token_is(t, other));
    }
    snprintf(other, sizeof other, "%s0", f->token);
    assert_false(tcp_token_is(t, other));
    snprintf(other, sizeof other, "%s%s", f->token, f->token);
    assert_false(tcp_token_is(t, other));
}

static void a_client_with_the_token_is_served(void **state)
{
    struct fixture *f = *state;
    os_socket s = friend(f);
    json_t *answer, *tcp;

    call(s, "GetInfo", "{}");
    answer = hear(f, s);
    tcp = json_object_get(json_object_get(json_object_get(answer, "parameters"), "info"), "tcp");
    assert_int_equal(json_integer_value(json_object_get(tcp, "port")), f->address.port);
    assert_int_equal(json_integer_value(json_object_get(tcp, "refused")), 0);
    json_decref(answer);
}

static void the_next_call_may_be_sent_with_the_token(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);

    authenticate(s, f->token);
    call(s, "GetInfo", "{}");
    call(s, "ListSystems", "{}");
    hear_success(f, s);
    hear_success(f, s);
    hear_success(f, s);
}

static void a_wrong_token_is_refused_closed_and_counted(void **state)
{
    struct fixture *f = *state;
    char wrong[TOKEN_LENGTH + 1], text[512];
    os_socket s = client(f);

    strcpy(wrong, f->token);
    wrong[63] = wrong[63] == '0' ? '1' : '0';
    authenticate(s, wrong);
    hear_failure(f, s, "HCS_E_ACCESS_DENIED", text);
    assert_non_null(strstr(text, "token"));
    assert_null(strstr(text, f->token));
    hear_end(f, s);
    assert_int_equal(refused(f), 1);
}

static void anything_but_the_token_first_is_refused(void **state)
{
    static const char *const words[] = {
        "{\"method\":\"org.libhcs.ComputeService.GetInfo\"}",
        "{\"method\":\"org.varlink.service.GetInfo\"}",
        "{\"method\":\"org.libhcs.ComputeService.Authenticate\"}",
        "{\"method\":\"org.libhcs.ComputeService.Authenticate\",\"parameters\":{}}",
        "{\"method\":\"org.libhcs.ComputeService.Authenticate\",\"parameters\":{\"token\":5}}",
        "{\"method\":\"org.libhcs.ComputeService.Authenticate\",\"parameters\":null}",
        "{\"method\":\"org.libhcs.ComputeService.Nothing\"}",
        "{\"method\":7}",
        "[]",
        "{",
        "",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        os_socket s = client(f);

        say(s, words[i]);
        hear_failure(f, s, "HCS_E_ACCESS_DENIED", NULL);
        hear_end(f, s);
        assert_int_equal(refused(f), i + 1);
    }
}

static void a_oneway_call_without_the_token_is_refused_all_the_same(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);

    say(s, "{\"method\":\"org.libhcs.ComputeService.ListSystems\",\"oneway\":true}");
    hear_failure(f, s, "HCS_E_ACCESS_DENIED", NULL);
    hear_end(f, s);
}

static void nothing_behind_a_refused_call_is_carried_out(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);

    call(s, "CreateSystem", "{\"id\":\"a\",\"document\":\"{}\"}");
    authenticate(s, f->token);
    call(s, "GetInfo", "{}");
    hear_failure(f, s, "HCS_E_ACCESS_DENIED", NULL);
    hear_end(f, s);
    assert_int_equal(engine_busy(f->server.engine), 0);
}

/* What a client has sent beyond its first call must not make the kernel throw our answer away. */
static void the_refusal_arrives_though_much_was_sent(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);
    static char much[100000];

    memset(much, 'x', sizeof much - 1);
    authenticate(s, "wrong");
    say(s, much);
    hear_failure(f, s, "HCS_E_ACCESS_DENIED", NULL);
    hear_end(f, s);
}

static void a_token_on_a_connection_that_needs_none_is_refused(void **state)
{
    struct fixture *f = *state;
    os_socket s = friend(f);

    authenticate(s, f->token);
    hear_failure(f, s, "HCS_E_INVALID_STATE", NULL);
    call(s, "GetInfo", "{}");
    hear_success(f, s);
    assert_int_equal(refused(f), 0);
}

/* ---- what a stranger may cost ---- */

static void half_a_token_and_silence_is_closed_and_counted(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);

    say_bytes(s, "{\"method\":\"org.libhcs.ComputeService.Auth", 40);
    hear_end(f, s);
    assert_int_equal(refused(f), 1);
    assert_int_equal(f->server.n_connections, 0);
}

static void silence_alone_is_closed_and_counted(void **state)
{
    struct fixture *f = *state;

    hear_end(f, client(f));
    assert_int_equal(refused(f), 1);
}

static void a_look_at_the_port_is_not_counted(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);

    UNTIL(f, f->server.n_connections == 1);
    shutdown(s, SHUT_RDWR);
    UNTIL(f, f->server.n_connections == 0);
    assert_int_equal(refused(f), 0);
}

static void half_a_token_and_the_end_is_counted(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);

    say_bytes(s, "{\"method\":", 10);
    shutdown(s, SHUT_WR);
    hear_end(f, s);
    assert_int_equal(refused(f), 1);
}

static void a_client_with_the_token_is_not_hurried(void **state)
{
    struct fixture *f = *state;
    os_socket s = friend(f);

    f->server.tcp.patience_us = 20000;
    hear_end(f, client(f)); /* the time limit has passed */
    call(s, "GetInfo", "{}");
    hear_success(f, s);
}

static void the_oldest_of_too_many_strangers_goes(void **state)
{
    struct fixture *f = *state;
    os_socket first = client(f), second;

    UNTIL(f, f->server.tcp.n_strangers == 1);
    second = client(f);
    for (size_t i = 2; i < STRANGERS_MAX; i++)
        client(f);
    UNTIL(f, f->server.tcp.n_strangers == STRANGERS_MAX);
    assert_int_equal(refused(f), 0);
    friend(f); /* they keep nobody out */
    hear_end(f, first);
    assert_int_equal(refused(f), 1);
    authenticate(second, f->token);
    hear_success(f, second);
    assert_int_equal(f->server.tcp.n_strangers, STRANGERS_MAX - 2);
}

static void much_before_the_token_is_refused(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);
    static char much[3 * STRANGER_BYTES];

    memset(much, ' ', sizeof much);
    say_bytes(s, much, sizeof much);
    hear_failure(f, s, "HCS_E_ACCESS_DENIED", NULL);
    hear_end(f, s);
    assert_int_equal(refused(f), 1);
}

static void a_refused_client_that_goes_on_sending_is_closed(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);
    static const char much[4096];

    authenticate(s, "wrong");
    hear_failure(f, s, "HCS_E_ACCESS_DENIED", NULL);
    UNTIL(f, (send(s, much, sizeof much, MSG_NOSIGNAL), f->server.n_connections == 0));
    assert_int_equal(refused(f), 1);
}

static void a_client_that_goes_away_during_a_call_is_let_go(void **state)
{
    struct fixture *f = *state;
    os_socket s = friend(f);

    say(s, "{\"method\":\"org.libhcs.ComputeService.Subscribe\",\"parameters\":{},\"more\":true}");
    hear_success(f, s);
    assert_int_equal(f->server.n_connections, 1);
    socket_drop(&f->clients[0]);
    UNTIL(f, f->server.n_connections == 0);
}

/* Over TCP the two take different ways: it has to be sent before. */
static void an_event_arrives_before_the_answer_of_the_call_that_caused_it(void **state)
{
    static const char subscribe[] =
        "{\"method\":\"org.libhcs.ComputeService.Subscribe\",\"parameters\":{},\"more\":true}";
    struct fixture *f = *state;
    os_socket caller = friend(f), streams[8];
    char text[4096];

    for (size_t i = 0; i < N_ELEMENTS(streams); i++) {
        streams[i] = friend(f);
        say(streams[i], subscribe);
        hear_success(f, streams[i]);
    }
    call(caller, "CreateSystem",
         "{\"id\":\"a\",\"document\":\"{\\\"Owner\\\":\\\"o\\\",\\\"SchemaVersion\\\":{"
         "\\\"Major\\\":2,"
         "\\\"Minor\\\":1},\\\"Container\\\":{\\\"Storage\\\":{\\\"Path\\\":\\\"/\\\"}}}\"}");
    hear_success(f, caller);
    for (size_t i = 0; i < N_ELEMENTS(streams); i++) { /* the loop has no turn any more */
        ssize_t n = recv(streams[i], text, sizeof text - 1, 0);

        assert_true(n > 0);
        text[n] = '\0';
        assert_non_null(strstr(text, "SystemCreated"));
    }
}

/* ---- tickets ---- */

static void open_stdio(struct fixture *f, os_socket s, char ticket[64])
{
    json_t *answer;
    const char *name;

    call(s, "OpenStdio", "{}");
    answer = hear(f, s);
    name = json_string_value(json_object_get(json_object_get(answer, "parameters"), "ticket"));
    assert_non_null(name);
    snprintf(ticket, 64, "%s", name);
    json_decref(answer);
}

static void a_ticket_is_the_connection_itself_and_used_once(void **state)
{
    struct fixture *f = *state;
    os_socket s = friend(f), taken;
    char ticket[64], got[8] = "";

    open_stdio(f, s, ticket);
    assert_int_equal(strlen(ticket), 32);
    UNTIL(f, f->server.n_connections == 0);
    assert_int_equal(f->server.n_tickets, 1);
    say(s, "bytes");
    assert_int_equal(ticket_take(&f->server, "no such ticket"), SOCKET_NONE);
    taken = ticket_take(&f->server, ticket);
    assert_true(taken >= 0);
    assert_int_equal(ticket_take(&f->server, ticket), SOCKET_NONE);
    assert_int_equal(fcntl(taken, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(read(taken, got, sizeof got), 6);
    assert_string_equal(got, "bytes");
    assert_int_equal(f->server.n_tickets, 0);
    socket_drop(&taken);
    hear_end(f, s);
}

static void a_ticket_that_nobody_names_is_closed(void **state)
{
    struct fixture *f = *state;
    os_socket s = friend(f);
    char ticket[64];

    f->server.ticket_us = 20000;
    open_stdio(f, s, ticket);
    hear_end(f, s);
    assert_int_equal(f->server.n_tickets, 0);
    assert_int_equal(ticket_take(&f->server, ticket), SOCKET_NONE);
}

static void one_ticket_too_many_is_refused_and_the_connection_goes_on(void **state)
{
    struct fixture *f = *state;
    char ticket[64], text[512];
    os_socket one_more, taken;

    for (uint32_t i = 0; i < TICKETS; i++)
        open_stdio(f, friend(f), ticket);
    one_more = friend(f);
    call(one_more, "OpenStdio", "{}");
    hear_failure(f, one_more, "HCS_E_WIN32_BUSY", text);
    assert_non_null(strstr(text, "16 standard handles that wait"));
    taken = ticket_take(&f->server, ticket);
    socket_drop(&taken);
    open_stdio(f, one_more, ticket);
}

static void clients_over_tcp_have_a_share_together(void **state)
{
    struct fixture *f = *state;
    struct accounts *all = &f->server.accounts;
    os_socket one_more;
    char text[512];

    all->limit[LIMIT_CONNECTIONS] = 1; /* they are privileged: 4 */
    for (size_t i = 0; i < 4; i++)
        friend(f);
    one_more = client(f);
    authenticate(one_more, f->token);
    hear_failure(f, one_more, "HCS_E_WIN32_BUSY", text);
    assert_non_null(strstr(text, "clients over TCP have 4 connections and may have 4"));
    hear_end(f, one_more);
    assert_int_equal(all->refused[LIMIT_CONNECTIONS], 1);
    assert_int_equal(refused(f), 0); /* it had the token */
    socket_drop(&f->clients[0]);
    UNTIL(f, list_first(&all->list, struct account, link)->used[LIMIT_CONNECTIONS] == 3);
    friend(f);
    for (size_t i = 0; i < f->n_clients; i++)
        socket_drop(&f->clients[i]);
    UNTIL(f, list_is_empty(&all->list));
}

static void a_ticket_whose_client_has_gone_is_free_at_once(void **state)
{
    struct fixture *f = *state;
    char ticket[64];

    for (size_t i = 0; i < 4; i++) {
        open_stdio(f, friend(f), ticket);
        say(f->clients[i], "input that nobody reads"); /* it is there, and the client too */
    }
    UNTIL(f, f->server.n_connections == 0);
    turn(f);
    assert_int_equal(f->server.n_tickets, 4);
    shutdown(f->clients[0], SHUT_WR);
    socket_drop(&f->clients[1]);
    UNTIL(f, f->server.n_tickets == 2);
    assert_int_equal(ticket_take(&f->server, "none"), SOCKET_NONE);
}

static void bytes_sent_before_the_ticket_came_are_refused(void **state)
{
    struct fixture *f = *state;
    os_socket s = client(f);

    authenticate(s, f->token);
    call(s, "OpenStdio", "{}");
    say(s, "too early");
    hear_success(f, s);
    hear_success(f, s);
    hear_end(f, s);
    assert_int_equal(f->server.n_tickets, 0);
}

static void a_process_that_cannot_be_created_closes_what_its_tickets_name(void **state)
{
    struct fixture *f = *state;
    os_socket s = friend(f), out = friend(f);
    char ticket[64], parameters[256], text[512];

    open_stdio(f, out, ticket);
    snprintf(parameters, sizeof parameters,
             "{\"id\":\"nobody\",\"parameters\":\"{\\\"CommandLine\\\":\\\"true\\\"}\","
             "\"stdoutTicket\":\"%s\"}",
             ticket);
    call(s, "CreateProcess", parameters);
    hear_failure(f, s, "HCS_E_SYSTEM_NOT_FOUND", NULL);
    hear_end(f, out);
    call(s, "CreateProcess", parameters);
    hear_failure(f, s, "HCS_E_WIN32_NOT_FOUND", text);
    assert_non_null(strstr(text, "stdoutTicket"));
}

static void a_pipe_over_tcp_is_refused_with_the_way_out(void **state)
{
    struct fixture *f = *state;
    os_socket s = friend(f);
    char text[512];

    call(s, "CreateProcess",
         "{\"id\":\"a\",\"parameters\":"
         "\"{\\\"CommandLine\\\":\\\"true\\\",\\\"CreateStdInPipe\\\":true}\"}");
    hear_failure(f, s, "HCS_E_WIN32_NOT_SUPPORTED", text);
    assert_non_null(strstr(text, "OpenStdio"));
    assert_non_null(strstr(text, "stdinTicket"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SILENT(name) cmocka_unit_test_setup_teardown(name, set_up_silent, tear_down)
#define IMPATIENT(name) cmocka_unit_test_setup_teardown(name, set_up_impatient, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(token_file_tells_port_and_token_to_its_owner_alone),
        TEST(token_is_another_each_time),
        SILENT(token_file_replaces_a_link_instead_of_following_it),
        TEST(token_file_goes_with_its_service),
        SILENT(token_file_that_cannot_be_written_is_told_by_name),
        TEST(port_that_is_taken_is_told_by_name),
        TEST(only_the_token_is_the_token),
        TEST(a_client_with_the_token_is_served),
        TEST(the_next_call_may_be_sent_with_the_token),
        TEST(a_wrong_token_is_refused_closed_and_counted),
        TEST(anything_but_the_token_first_is_refused),
        TEST(a_oneway_call_without_the_token_is_refused_all_the_same),
        TEST(nothing_behind_a_refused_call_is_carried_out),
        TEST(the_refusal_arrives_though_much_was_sent),
        TEST(a_token_on_a_connection_that_needs_none_is_refused),
        IMPATIENT(half_a_token_and_silence_is_closed_and_counted),
        IMPATIENT(silence_alone_is_closed_and_counted),
        TEST(a_look_at_the_port_is_not_counted),
        TEST(half_a_token_and_the_end_is_counted),
        TEST(a_client_with_the_token_is_not_hurried),
        TEST(the_oldest_of_too_many_strangers_goes),
        TEST(much_before_the_token_is_refused),
        IMPATIENT(a_refused_client_that_goes_on_sending_is_closed),
        TEST(a_client_that_goes_away_during_a_call_is_let_go),
        TEST(an_event_arrives_before_the_answer_of_the_call_that_caused_it),
        TEST(a_ticket_is_the_connection_itself_and_used_once),
        TEST(a_ticket_that_nobody_names_is_closed),
        TEST(one_ticket_too_many_is_refused_and_the_connection_goes_on),
        TEST(clients_over_tcp_have_a_share_together),
        TEST(a_ticket_whose_client_has_gone_is_free_at_once),
        TEST(bytes_sent_before_the_ticket_came_are_refused),
        TEST(a_process_that_cannot_be_created_closes_what_its_tickets_name),
        TEST(a_pipe_over_tcp_is_refused_with_the_way_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
