/* tcp_test.c - a Varlink connection over TCP: the same program on Linux and on Windows, where it is
 * the only kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "fd.h"
#include "varlink.h"

#ifdef _WIN32
#include <ws2tcpip.h>
#define poll WSAPoll
#else
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#define IN_MAX ((size_t) 1 << 20)
#define OUT_MAX ((size_t) 4 << 20)

struct pair {
    struct varlink *a, *b;
};

static int tcp(void)
{
    int fd = (int) socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    return fd;
}

/* Both ends of a connection on loopback. */
static void connected(int ends[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    _cleanup_(fd_drop) int listener = tcp();
    socklen_t size = sizeof address;
    struct sockaddr *any = (struct sockaddr *) &address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, any, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, any, &size), 0);
    ends[0] = tcp();
    assert_int_equal(connect(ends[0], any, size), 0);
    ends[1] = (int) accept(listener, NULL, NULL);
    assert_true(ends[1] >= 0);
}

static int make(void **state)
{
    static struct pair p;
    int ends[2];

    connected(ends);
    assert_int_equal(varlink_new(ends[0], IN_MAX, OUT_MAX, &p.a, NULL), HCS_OK);
    assert_int_equal(varlink_new(ends[1], IN_MAX, OUT_MAX, &p.b, NULL), HCS_OK);
    *state = &p;
    return 0;
}

static int end(void **state)
{
    struct pair *p = *state;

    varlink_drop(p->a);
    varlink_drop(p->b);
    *p = (struct pair){ 0 };
    return 0;
}

/* Until @v can do what it wants; -1 when that takes too long. */
static int wait_for(const struct varlink *v)
{
    struct pollfd p = { .events = varlink_events(v) };

#ifdef _WIN32
    p.fd = (SOCKET) varlink_fd(v);
#else
    p.fd = varlink_fd(v);
#endif
    return poll(&p, 1, 10000) == 1 ? 0 : -1;
}

/* What @to says next, while @from sends what waits: 1 a message, negative the end. */
static hcs_result receive(struct varlink *from_opt, struct varlink *to, struct varlink_message *out)
{
    while (!varlink_ready(to)) {
        hcs_result r;

        if (from_opt && varlink_unsent(from_opt) > 0)
            assert_int_equal(varlink_process(from_opt, NULL), HCS_OK);
        else
            assert_int_equal(wait_for(to), 0);
        r = varlink_process(to, NULL);
        if (r < 0)
            return r;
    }
    return varlink_take(to, out, NULL);
}

static void say(struct varlink *v, const char *text)
{
    assert_int_equal(varlink_send_text(v, text, strlen(text), NULL, 0, NULL), HCS_OK);
}

static void expect(struct varlink *from, struct varlink *to, int number)
{
    struct varlink_message m;

    varlink_message_init(&m);
    assert_int_equal(receive(from, to, &m), 1);
    assert_int_equal(json_integer_value(json_object_get(m.json, "n")), number);
    assert_int_equal(m.n_fds, 0);
    varlink_message_done(&m);
}

static void messages_cross_in_order_both_ways(void **state)
{
    struct pair *p = *state;

    say(p->a, "{\"n\":1}");
    say(p->a, "{\"n\":2}");
    say(p->b, "{\"n\":3}");
    expect(p->b, p->a, 3);
    expect(p->a, p->b, 1);
    expect(p->a, p->b, 2);
}

static void a_large_message_crosses_whole(void **state)
{
    static char text[IN_MAX];
    struct varlink_message m;
    struct pair *p = *state;

    memset(text, 'x', sizeof text - 1);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + sizeof text - 3, "\"}", 3);
    say(p->a, text);
    varlink_message_init(&m);
    assert_int_equal(receive(p->a, p->b, &m), 1);
    assert_int_equal(json_string_length(json_object_get(m.json, "a")), sizeof text - 9);
    varlink_message_done(&m);
}

static void last_words_of_a_peer_are_heard(void **state)
{
    struct varlink_message m;
    struct pair *p = *state;

    say(p->a, "{\"n\":7}");
    assert_int_equal(varlink_process(p->a, NULL), HCS_OK);
    varlink_drop(p->a);
    p->a = NULL;
    expect(NULL, p->b, 7);
    varlink_message_init(&m);
    assert_int_equal(receive(NULL, p->b, &m), HCS_E_SERVICE_DISCONNECT);
    assert_true(varlink_peer_closed(p->b));
}

static void a_peer_that_closes_in_a_message_is_an_error(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    struct pair *p = *state;

    assert_int_equal(send(varlink_fd(p->a), "{\"n\"", 4, 0), 4);
    varlink_drop(p->a);
    p->a = NULL;
    while (varlink_process(p->b, &err) == HCS_OK)
        assert_int_equal(wait_for(p->b), 0);
    assert_int_equal(err.code, HCS_E_SERVICE_DISCONNECT);
    assert_non_null(strstr(err.text, "after 4 bytes of an incomplete message"));
}

static void a_peer_that_is_gone_is_noticed_by_the_sender(void **state)
{
    struct pair *p = *state;
    hcs_result r = HCS_OK;

    say(p->b, "{}"); /* unread input makes the close a reset */
    assert_int_equal(varlink_process(p->b, NULL), HCS_OK);
    assert_int_equal(wait_for(p->a), 0);
    varlink_drop(p->a);
    p->a = NULL;
    while (r == HCS_OK && !varlink_send_lost(p->b)) {
        r = varlink_send_text(p->b, "{\"n\":1}", 7, NULL, 0, NULL);
        if (r == HCS_OK)
            r = varlink_process(p->b, NULL);
    }
    assert_true(varlink_send_lost(p->b) || varlink_peer_closed(p->b));
}

#ifdef _WIN32

static void descriptors_are_refused_in_words(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    struct pair *p = *state;
    int fd = 5;

    assert_int_equal(varlink_send_text(p->a, "{}", 2, &fd, 1, &err), HCS_E_WIN32_NOT_SUPPORTED);
    assert_non_null(strstr(err.text, "Windows passes no descriptors"));
    assert_int_equal(varlink_unsent(p->a), 0);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_cross_in_order_both_ways, make, end),
        cmocka_unit_test_setup_teardown(a_large_message_crosses_whole, make, end),
        cmocka_unit_test_setup_teardown(last_words_of_a_peer_are_heard, make, end),
        cmocka_unit_test_setup_teardown(a_peer_that_closes_in_a_message_is_an_error, make, end),
        cmocka_unit_test_setup_teardown(a_peer_that_is_gone_is_noticed_by_the_sender, make, end),
#ifdef _WIN32
        cmocka_unit_test_setup_teardown(descriptors_are_refused_in_words, make, end),
#endif
    };
#ifdef _WIN32
    WSADATA data;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 1;
#endif
    return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
