/* stream_test.c - promises of hcsd about streams: what is refused and by which name, what costs
 * bytes, and what a client that does not read can cost.
 *
 * The inside of hcsd runs here on a loop that the tests turn by hand; a client is one end of a
 * socket pair. */
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
#include "identity.h"
#include "log.h"
#include "server.h"
#include "system.h" /* engine_want_turn */

#define CLIENTS_MAX 8
#define TURN_US 10000u
#define DEADLINE_NS (60 * 1000000000ull)

struct fixture {
    struct server server;
    struct evlog *log;
    struct driver *fake;
    char dir[64];
    int clients[CLIENTS_MAX];
    size_t n_clients;
    json_t *heard;
};

/* ---- harness ---- */

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct server *s = &f->server;
    struct evlog_options log = { .path = ":memory:", .events_max = 100000, .ended_max = 10 };
    struct engine_options engine = { .systems_max = 10, .processes_max = 10 };

    log_set_level(LOG_LINE_CRITICAL);
    strcpy(f->dir, "/tmp/hcs-stream-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_true(sd_event_new(&s->loop) >= 0);
    s->listen_fd = -1;
    s->access.owner = geteuid();
    accounts_init(&s->accounts, geteuid(), 1000, 0);
    s->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    strcpy(s->host_id, "0123456789abcdef0123456789abcdef");
    list_init(&s->connections);
    list_init(&s->tickets);
    tcp_init(&s->tcp);
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

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct server *s = &f->server;

    for (size_t i = 0; i < f->n_clients; i++)
        fd_drop(&f->clients[i]);
    list_for_each(&s->connections, n) connection_drop(container_of(n, struct connection, link));
    json_decref(f->heard);
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

static int client(struct fixture *f)
{
    int ends[2];

    assert_true(f->n_clients < CLIENTS_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    f->clients[f->n_clients++] = ends[0];
    connection_new(&f->server, ends[1], CONNECTION_UNIX);
    return ends[0];
}

static struct connection *newest(struct fixture *f)
{
    return container_of(f->server.connections.prev, struct connection, link);
}

static void call(int fd, const char *method, const char *parameters)
{
    char text[4096];
    int n = snprintf(text, sizeof text,
                     "{\"method\":\"org.libhcs.ComputeService.%s\",\"more\":true,"
                     "\"parameters\":%s}",
                     method, parameters);

    assert_int_equal(send(fd, text, (size_t) n + 1, MSG_NOSIGNAL), n + 1);
}

/* Until nothing is left to do but timers. */
static void settle(struct fixture *f)
{
    while (sd_event_run(f->server.loop, 0) > 0)
        ;
}

/* The parameters of the next message to a client; borrowed until the next call. */
static const json_t *hear(struct fixture *f, int fd)
{
    static char text[1 << 16];
    uint64_t end = clock_monotonic_ns() + DEADLINE_NS;
    size_t n = 0;

    while (clock_monotonic_ns() < end) {
        while (recv(fd, text + n, 1, 0) == 1) {
            if (text[n++] == '\0') {
                json_decref(f->heard);
                f->heard = json_loads(text, 0, NULL);
                return json_object_get(f->heard, "parameters");
            }
            assert_true(n < sizeof text);
        }
        assert_int_equal(errno, EAGAIN);
        assert_true(sd_event_run(f->server.loop, TURN_US) >= 0);
    }
    fail_msg("no answer");
    return NULL;
}

static size_t bytes_there(int fd)
{
    static char bytes[1 << 20];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);

    return n < 0 ? 0 : (size_t) n;
}

/* In the log, but nobody is told of it yet. */
static void append(struct fixture *f, hcs_event_kind kind, int times)
{
    hcs_event event = HCS_EVENT_INIT;

    for (int i = 0; i < times; i++) {
        event.kind = kind;
        event.system = (hcs_event_system){ "a", 1000, "me", "Container", "namespaces" };
        assert_int_equal(evlog_append(f->log, evlog_reserve(256), &event), HCS_OK);
    }
}

static void put(struct fixture *f, hcs_event_kind kind, int times)
{
    append(f, kind, times);
    engine_want_turn(f->server.engine);
    settle(f);
}

/* ---- parameters ---- */

static void what_is_wrong_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *parameters;
        const char *named; /* by InvalidParameter, or within the text of a failure */
    } wrong[] = {
        { "{\"since\":\"1\",\"from\":\"since\"}", "since" },
        { "{\"since\":-1,\"from\":\"since\"}", "since" },
        { "{\"since\":1}", "`since`" },
        { "{\"since\":1,\"from\":\"beginning\"}", "`since`" },
        { "{\"from\":\"since\"}", "`since`" },
        { "{\"from\":\"since\",\"since\":null}", "`since`" },
        { "{\"last\":1}", "`last`" },
        { "{\"from\":\"last\"}", "`last`" },
        { "{\"from\":\"last\",\"last\":1.5}", "last" },
        { "{\"from\":\"after\"}", "`after`" },
        { "{\"after\":0}", "`after`" },
        { "{\"log\":\"x\"}", "`log`" },
        { "{\"log\":\"x\",\"from\":\"beginning\"}", "`log`" },
        { "{\"log\":7,\"from\":\"after\",\"after\":0}", "log" },
        { "{\"from\":\"After\",\"after\":0}", "from is 'After'" },
        { "{\"from\":1}", "from" },
        { "{\"until\":0}", "`until`" },
        { "{\"until\":true}", "until" },
        { "{\"follow\":0}", "follow" },
        { "{\"bookmarkMs\":99}", "`bookmarkMs` is 99" },
        { "{\"bookmarkMs\":0}", "`bookmarkMs` is 0" },
        { "{\"bookmarkMs\":4294967296}", "`bookmarkMs`" },
        { "{\"bookmarkMs\":\"100\"}", "bookmarkMs" },
        { "{\"filter\":[]}", "filter" },
        { "{\"filter\":\"x\"}", "filter" },
        { "{\"filter\":{\"kinds\":[\"x\"]}}", "filter.kinds[0]" },
        { "{\"filter\":{\"exit\":\"kill\"}}", "filter.exit" },
        { "{\"filter\":{\"when\":1}}", "filter.when" },
        { "{\"incarnation\":1}", "`incarnation`" },
        { "{\"from\":\"nowOrExit\"}", "nowOrExit" },
        { "{\"bookmark\":100}", "bookmark" },
    };
    struct fixture *f = *state;
    int fd = client(f);

    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        call(fd, "Subscribe", wrong[i].parameters);
        const json_t *answer = hear(f, fd);
        const char *parameter = json_string_value(json_object_get(answer, "parameter"));
        const char *text = json_string_value(json_object_get(answer, "text"));

        if (parameter)
            assert_string_equal(parameter, wrong[i].named);
        else if (!text || !strstr(text, wrong[i].named))
            fail_msg("%s: '%s' is not in '%s'", wrong[i].parameters, wrong[i].named,
                     text ? text : "what was no refusal");
    }
    /* the connection is as good as before */
    call(fd, "Subscribe", "{}");
    assert_non_null(json_object_get(hear(f, fd), "ready"));
}

static void snapshot_is_true_or_false(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    const json_t *position;

    put(f, 77, 3);
    call(fd, "ListSystems", "{\"snapshot\":1}");
    assert_string_equal(json_string_value(json_object_get(hear(f, fd), "parameter")), "snapshot");
    call(fd, "ListSystems", "{}");
    assert_null(json_object_get(hear(f, fd), "position"));
    call(fd, "ListSystems", "{\"snapshot\":false}");
    assert_null(json_object_get(hear(f, fd), "position"));
    call(fd, "ListSystems", "{\"snapshot\":true}");
    position = json_object_get(hear(f, fd), "position");
    assert_int_equal(json_integer_value(json_object_get(position, "after")), 3);
    assert_string_equal(json_string_value(json_object_get(position, "log")), evlog_id(f->log));
    assert_string_equal(json_string_value(json_object_get(position, "host")), f->server.host_id);
    assert_non_null(json_string_value(json_object_get(position, "boot")));
}

/* ---- bytes ---- */

static void what_does_not_match_costs_no_byte(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    call(fd, "Subscribe", "{\"filter\":{\"kinds\":[78]}}");
    assert_non_null(json_object_get(hear(f, fd), "ready"));
    put(f, 77, 1000);
    assert_int_equal(varlink_unsent(newest(f)->varlink), 0);
    assert_int_equal(bytes_there(fd), 0);
    put(f, 78, 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(hear(f, fd), "event"), "sequence")),
        1001);
}

static void a_client_that_does_not_read_costs_a_bounded_buffer(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    const struct connection *c = newest(f);
    uint64_t last = 0;
    size_t unsent;

    call(fd, "Subscribe", "{}");
    settle(f);
    put(f, 77, 20000);
    unsent = varlink_unsent(c->varlink);
    assert_true(c->sub.blocked && unsent >= STREAM_BUDGET && unsent < STREAM_BUDGET + 4096);
    put(f, 77, 20000);
    assert_int_equal(varlink_unsent(c->varlink), unsent);
    assert_non_null(json_object_get(hear(f, fd), "ready"));
    while (last < 2000) { /* then it reads: nothing is missing */
        const json_t *event = json_object_get(hear(f, fd), "event");

        assert_int_equal(json_integer_value(json_object_get(event, "sequence")), last + 1);
        last++;
    }
}

/* However long it does not read: what is in the socket, and one more. */
static void bookmarks_do_not_pile_up(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    const struct connection *c = newest(f);
    size_t most = 0;
    int n = 1;

    setsockopt(varlink_fd(c->varlink), SOL_SOCKET, SO_SNDBUF, &n, sizeof n);
    call(fd, "Subscribe", "{\"bookmarkMs\":100}");
    settle(f);
    for (int i = 0; i < 5000; i++) {
        newest(f)->sub.bookmark_due = 1;
        engine_want_turn(f->server.engine);
        settle(f);
        most = varlink_unsent(c->varlink) > most ? varlink_unsent(c->varlink) : most;
    }
    assert_true(most > 0 && most < 512);
    /* and events are not held up by them */
    put(f, 77, 3);
    for (uint64_t sequence = 0; sequence < 3;) {
        const json_t *event = json_object_get(hear(f, fd), "event");

        if (event)
            assert_int_equal(json_integer_value(json_object_get(event, "sequence")), ++sequence);
    }
}

/* The turn that fills a stream answers a call as well, and what the stream has is sent before that
 * answer: nothing is left that the socket would wake it for. */
static void a_stream_that_an_answer_empties_goes_on(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    const struct connection *c = newest(f);
    int caller = client(f);

    f->server.accounts.limit[LIMIT_BYTES] = 1; /* so it waits after one event */
    call(fd, "Subscribe", "{\"filter\":{\"kinds\":[77]}}");
    assert_non_null(json_object_get(hear(f, fd), "ready"));
    append(f, 77, 3);
    call(caller, "CreateSystem",
         "{\"id\":\"a\",\"document\":\"{\\\"Owner\\\":\\\"me\\\",\\\"SchemaVersion\\\":"
         "{\\\"Major\\\":2,\\\"Minor\\\":1},\\\"Container\\\":"
         "{\\\"Storage\\\":{\\\"Path\\\":\\\"/\\\"}}}\"}");
    assert_non_null(json_object_get(hear(f, caller), "system"));
    settle(f);
    assert_false(c->sub.blocked);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(
            json_integer_value(json_object_get(json_object_get(hear(f, fd), "event"), "sequence")),
            i);
}

static void a_stream_that_ends_leaves_its_connection_for_calls(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    put(f, 77, 3);
    for (int i = 0; i < 3; i++) {
        call(fd, "Subscribe",
             "{\"from\":\"last\",\"last\":1,\"follow\":false,\"bookmarkMs\":100,"
             "\"filter\":{\"owners\":[\"me\"]}}");
        assert_non_null(json_object_get(hear(f, fd), "ready"));
        assert_non_null(json_object_get(hear(f, fd), "event"));
        assert_string_equal(json_string_value(json_object_get(hear(f, fd), "end")),
                            "no more events");
    }
    call(fd, "GetInfo", "{}");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(hear(f, fd), "info"), "streams")), 0);
}

/* ---- others ---- */

static int take_event(struct sub *s, const char *bytes, size_t length)
{
    (void) s;
    (void) bytes;
    (void) length;
    return 1;
}

static int take_gap(struct sub *s, uint64_t first, uint64_t last)
{
    (void) s;
    (void) first;
    (void) last;
    return 1;
}

static int take_end(struct sub *s, const char *reason)
{
    (void) s;
    (void) reason;
    return 1;
}

#define CROWD 1000

/* Readers that always have room want one turn after the other: a call that comes is begun among
 * them. */
static void a_call_is_begun_while_a_crowd_reads(void **state)
{
    static const struct sub_sink sink = { .event = take_event, .gap = take_gap, .end = take_end };
    struct sub_options options = { .from = SUB_FROM_BEGINNING, .client = 7 };
    struct fixture *f = *state;
    struct sub *crowd = calloc(CROWD, sizeof *crowd);
    int fd = client(f);
    char byte;

    put(f, 77, 300);
    for (int i = 0; i < CROWD; i++) {
        crowd[i].sink = &sink;
        assert_int_equal(sub_open(f->server.engine, &crowd[i], &options, NULL), HCS_OK);
    }
    assert_true(sd_event_run(f->server.loop, 0) > 0);
    for (int call_number = 0; call_number < 5; call_number++) {
        int turns = 0;

        call(fd, "GetInfo", "{}");
        while (recv(fd, &byte, 1, 0) != 1) {
            assert_true(++turns <= 8);
            assert_true(sd_event_run(f->server.loop, 0) > 0);
        }
        while (byte != '\0')
            assert_int_equal(recv(fd, &byte, 1, 0), 1);
    }
    assert_true(crowd[CROWD - 1].position < 300); /* they are far from done */
    for (int i = 0; i < CROWD; i++)
        sub_close(&crowd[i]);
    free(crowd);
}

/* ---- which machine ---- */

static void a_host_has_one_id(void **state)
{
    const struct fixture *f = *state;
    char first[HOST_ID_SIZE] = "", second[HOST_ID_SIZE] = "";

    assert_int_equal(identity_load(f->dir, first, NULL), HCS_OK);
    assert_int_equal(identity_load(f->dir, second, NULL), HCS_OK);
    assert_string_equal(first, second);
    assert_int_equal(strspn(first, "0123456789abcdef"), 32);
    assert_int_equal(strlen(first), 32);
}

static void an_id_is_kept_where_the_machine_has_none(void **state)
{
    const struct fixture *f = *state;
    char first[HOST_ID_SIZE] = "", second[HOST_ID_SIZE] = "", path[128];
    hcs_error err = HCS_ERROR_INIT;
    struct stat st;

    assert_int_equal(identity_load_kept(f->dir, first, NULL), HCS_OK);
    assert_int_equal(identity_load_kept(f->dir, second, NULL), HCS_OK);
    assert_string_equal(first, second);
    assert_int_equal(strlen(first), 32);
    snprintf(path, sizeof path, "%s/host-id", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_write_atomic(path, "zz\n", 3, 0600, NULL), HCS_OK);
    assert_int_equal(identity_load_kept(f->dir, second, &err), HCS_E_WIN32_INVALID_DATA);
    assert_non_null(strstr(err.text, path));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_is_wrong_is_refused_by_its_name),
        T(snapshot_is_true_or_false),
        T(what_does_not_match_costs_no_byte),
        T(a_client_that_does_not_read_costs_a_bounded_buffer),
        T(bookmarks_do_not_pile_up),
        T(a_stream_that_an_answer_empties_goes_on),
        T(a_stream_that_ends_leaves_its_connection_for_calls),
        T(a_call_is_begun_while_a_crowd_reads),
        T(a_host_has_one_id),
        T(an_id_is_kept_where_the_machine_has_none),
    };

    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
