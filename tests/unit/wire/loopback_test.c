/* loopback_test.c - promises of src/wire/loopback.h, and of leaving a Varlink connection for the
 * bare socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "loopback.h"
#include "varlink.h"

static void addresses_of_this_machine_are_taken(void **state)
{
    static const char *const good[][2] = {
        { "127.0.0.1:0", "127.0.0.1:0" },
        { "127.0.0.1:65535", "127.0.0.1:65535" },
        { "127.255.3.4:80", "127.255.3.4:80" },
        { "[::1]:8080", "[::1]:8080" },
        { "[0:0:0:0:0:0:0:1]:1", "[::1]:1" },
        { "127.0.0.1", "127.0.0.1:0" },
        { "[::1]", "[::1]:0" },
        { "tcp:127.0.0.1:9", "127.0.0.1:9" },
    };
    char text[LOOPBACK_TEXT_MAX];

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        hcs_error err = HCS_ERROR_INIT;
        struct loopback l;

        if (loopback_parse(good[i][0], "test", &l, &err) != HCS_OK)
            fail_msg("%s: %s", good[i][0], err.text);
        loopback_text(&l, text);
        assert_string_equal(text, good[i][1]);
    }
}

static void addresses_that_others_reach_are_refused_by_name(void **state)
{
    static const char *const bad[] = { "0.0.0.0:0",   "192.168.0.1:80",       "[::]:0",
                                       "[fe80::1]:1", "[::ffff:127.0.0.1]:1", "tcp:1.2.3.4:5",
                                       "10.0.0.1" };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        hcs_error err = HCS_ERROR_INIT;
        struct loopback l;

        assert_int_equal(loopback_parse(bad[i], "test", &l, &err), HCS_E_INVALIDARG);
        assert_non_null(strstr(err.text, bad[i]));
        assert_non_null(strstr(err.text, "loopback"));
    }
}

static void what_is_no_address_is_refused_by_name(void **state)
{
    static const char *const bad[] = { "",
                                       "localhost:0",
                                       ":80",
                                       "127.0.0.1:",
                                       "127.0.0.1:65536",
                                       "127.0.0.1:-1",
                                       "127.0.0.1:8x",
                                       "[::1",
                                       "[::1]8",
                                       "::1:80",
                                       "127.1:80",
                                       "127.0.0.1:000080",
                                       "127.0.0.1 :80" };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        hcs_error err = HCS_ERROR_INIT;
        struct loopback l;

        assert_int_equal(loopback_parse(bad[i], "test", &l, &err), HCS_E_INVALIDARG);
        assert_non_null(strstr(err.text, bad[i]));
    }
}

struct pair {
    os_socket client, service;
};

static void wait_readable(os_socket s)
{
    struct pollfd p = { .fd = s, .events = POLLIN };

    assert_int_equal(poll(&p, 1, 60000), 1);
}

static struct pair connect_pair(const char *address)
{
    struct pair p = { SOCKET_NONE, SOCKET_NONE };
    os_socket listener = SOCKET_NONE;
    struct loopback l;
    int refused = 0;

    assert_int_equal(loopback_parse(address, "test", &l, NULL), HCS_OK);
    if (loopback_listen(&l, &listener, NULL) < 0)
        skip(); /* a machine without IPv6 */
    assert_true(l.port != 0);
    assert_int_equal(loopback_accept(listener, &p.service, &refused), 0);
    assert_int_equal(loopback_connect(&l, &p.client, NULL), HCS_OK);
    wait_readable(listener);
    assert_int_equal(loopback_accept(listener, &p.service, &refused), 1);
    assert_int_equal(refused, 0);
    socket_drop(&listener);
    return p;
}

static void a_connection_carries_bytes_both_ways(void **state)
{
    static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0" };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(addresses); i++) {
        struct pair p = connect_pair(addresses[i]);
        char got[8] = "";
        int fds[SOCKET_FDS_MAX], n_fds;

        assert_int_equal(socket_receive(p.service, got, sizeof(got), fds, &n_fds), -EAGAIN);
        assert_int_equal(socket_send(p.client, "hello", 5, NULL, 0), 5);
        wait_readable(p.service);
        assert_int_equal(socket_receive(p.service, got, sizeof(got), fds, &n_fds), 5);
        assert_int_equal(n_fds, 0);
        assert_string_equal(got, "hello");
        socket_end_output(p.client);
        wait_readable(p.service);
        assert_int_equal(socket_receive(p.service, got, sizeof(got), fds, &n_fds), 0);
        socket_drop(&p.client);
        socket_drop(&p.service);
    }
}

/* A program that gets such a socket as its standard handle can disconnect it and connect it anew:
 * the device stays. */
static void an_accepted_connection_is_bound_to_the_loopback_device(void **state)
{
    static const char lo[] = "lo";
    struct pair p = connect_pair("127.0.0.1:0");
    struct sockaddr_in any = { .sin_family = AF_UNSPEC };
    char device[16] = "";
    socklen_t size = sizeof(device);
    bool may_bind = setsockopt(p.client, SOL_SOCKET, SO_BINDTODEVICE, lo, sizeof(lo)) == 0;

    (void) state;
    if (may_bind) {
        assert_int_equal(getsockopt(p.service, SOL_SOCKET, SO_BINDTODEVICE, device, &size), 0);
        assert_string_equal(device, lo);
        assert_int_equal(connect(p.service, (struct sockaddr *) &any, sizeof(any)), 0);
        memset(device, 0, sizeof(device));
        size = sizeof(device);
        assert_int_equal(getsockopt(p.service, SOL_SOCKET, SO_BINDTODEVICE, device, &size), 0);
        assert_string_equal(device, lo);
    }
    socket_drop(&p.client);
    socket_drop(&p.service);
    if (!may_bind)
        skip();
}

static void a_connection_waits_as_long_as_it_takes(void **state)
{
    struct pair p = connect_pair("127.0.0.1:0");
    const int options[] = { SO_SNDTIMEO, SO_RCVTIMEO };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(options); i++) {
        struct timeval limit = { .tv_sec = 1 };
        socklen_t size = sizeof(limit);

        assert_int_equal(getsockopt(p.client, SOL_SOCKET, options[i], &limit, &size), 0);
        assert_int_equal(limit.tv_sec, 0);
        assert_int_equal(limit.tv_usec, 0);
    }
    socket_drop(&p.client);
    socket_drop(&p.service);
}

static void nobody_there_says_how_to_begin(void **state)
{
    struct loopback l;
    os_socket s = SOCKET_NONE;
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_int_equal(loopback_parse("127.0.0.1:1", "test", &l, NULL), HCS_OK);
    assert_int_equal(loopback_connect(&l, &s, &err), HCS_E_SERVICE_NOT_AVAILABLE);
    assert_non_null(strstr(err.text, "hcsd --tcp"));
    assert_int_equal(s, SOCKET_NONE);
}

static void a_detached_connection_is_bare_and_blocking(void **state)
{
    struct pair p = connect_pair("127.0.0.1:0");
    struct varlink *v = NULL;
    struct varlink_message m;
    os_socket bare = SOCKET_NONE;
    char got[8] = "";

    (void) state;
    assert_int_equal(varlink_new(p.service, 4096, 4096, &v, NULL), HCS_OK);
    assert_int_equal(socket_send(p.client, "{}", 3, NULL, 0), 3);
    wait_readable(p.service);
    assert_int_equal(varlink_process(v, NULL), HCS_OK);
    varlink_message_init(&m);
    assert_int_equal(varlink_take(v, &m, NULL), 1);
    varlink_message_done(&m);
    assert_int_equal(varlink_detach(v, &bare, NULL), HCS_OK);
    assert_int_equal(bare, p.service);
    assert_int_equal(fcntl(bare, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(bare, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(socket_send(p.client, "raw", 4, NULL, 0), 4);
    assert_int_equal(read(bare, got, sizeof(got)), 4);
    assert_string_equal(got, "raw");
    socket_drop(&bare);
    socket_drop(&p.client);
}

static void bytes_before_the_detachment_are_not_lost_but_refused(void **state)
{
    struct pair p = connect_pair("127.0.0.1:0");
    struct varlink *v = NULL;
    struct varlink_message m;
    os_socket bare = SOCKET_NONE;
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    assert_int_equal(varlink_new(p.service, 4096, 4096, &v, NULL), HCS_OK);
    assert_int_equal(socket_send(p.client, "{}\0raw", 6, NULL, 0), 6);
    wait_readable(p.service);
    assert_int_equal(varlink_process(v, NULL), HCS_OK);
    varlink_message_init(&m);
    assert_int_equal(varlink_take(v, &m, NULL), 1);
    varlink_message_done(&m);
    assert_int_equal(varlink_detach(v, &bare, &err), HCS_E_PROTOCOL_ERROR);
    assert_int_equal(bare, SOCKET_NONE);
    assert_non_null(strstr(err.text, "3 bytes"));
    socket_drop(&p.client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_this_machine_are_taken),
        cmocka_unit_test(addresses_that_others_reach_are_refused_by_name),
        cmocka_unit_test(what_is_no_address_is_refused_by_name),
        cmocka_unit_test(a_connection_carries_bytes_both_ways),
        cmocka_unit_test(an_accepted_connection_is_bound_to_the_loopback_device),
        cmocka_unit_test(a_connection_waits_as_long_as_it_takes),
        cmocka_unit_test(nobody_there_says_how_to_begin),
        cmocka_unit_test(a_detached_connection_is_bare_and_blocking),
        cmocka_unit_test(bytes_before_the_detachment_are_not_lost_but_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
