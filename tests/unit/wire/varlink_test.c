/* varlink_test.c - promises of src/wire/varlink.h.
 *
 * The promises hold however the kernel cuts the bytes: sendmsg() and recvmsg() are wrapped by the
 * linker, and most tests run whole and with every transfer cut at 1, 2, 3 and 137 bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "varlink.h"

ssize_t __real_sendmsg(int fd, const struct msghdr *header, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *header, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *header, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *header, int flags);

static size_t cut; /* most bytes of one transfer; 0: as many as the kernel likes */

ssize_t __wrap_sendmsg(int fd, const struct msghdr *header, int flags)
{
    struct msghdr shorter = *header;
    struct iovec iov = header->msg_iov[0];

    assert_int_equal(header->msg_iovlen, 1);
    assert_true(flags & MSG_NOSIGNAL);
    if (cut > 0 && iov.iov_len > cut)
        iov.iov_len = cut;
    shorter.msg_iov = &iov;
    return __real_sendmsg(fd, &shorter, flags);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *header, int flags)
{
    struct iovec *given = header->msg_iov, iov = given[0];
    ssize_t n;

    assert_true(flags & MSG_CMSG_CLOEXEC);
    if (cut > 0 && iov.iov_len > cut)
        iov.iov_len = cut;
    header->msg_iov = &iov;
    n = __real_recvmsg(fd, header, flags);
    header->msg_iov = given;
    return n;
}

/* ---- a pair of connections ---- */

#define IN_MAX ((size_t) 1 << 20)
#define OUT_MAX ((size_t) 4 << 20)

struct pair {
    struct varlink *a;
    struct varlink *b;
};

static void pair_make(struct pair *p, size_t in_max)
{
    int ends[2], small = 4096;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    assert_int_equal(varlink_new(ends[0], in_max, OUT_MAX, &p->a, NULL), HCS_OK);
    assert_int_equal(varlink_new(ends[1], in_max, OUT_MAX, &p->b, NULL), HCS_OK);
}

static void pair_drop(struct pair *p)
{
    varlink_drop(p->a);
    varlink_drop(p->b);
}

/* Let the bytes flow from a to b until b has a message: 1, or nothing moves any more: 0. */
static hcs_result take(struct pair *p, struct varlink_message *out, hcs_error *err)
{
    for (;;) {
        struct pollfd q = { .fd = varlink_fd(p->b), .events = POLLIN };
        hcs_result r;

        if (varlink_ready(p->b))
            return varlink_take(p->b, out, err);
        if (p->a && varlink_unsent(p->a) > 0)
            assert_int_equal(varlink_process(p->a, NULL), HCS_OK);
        if (poll(&q, 1, 0) == 0 && (!p->a || varlink_unsent(p->a) == 0) &&
            !(varlink_events(p->b) & POLLOUT))
            return 0;
        r = varlink_process(p->b, err);
        if (r < 0)
            return r;
    }
}

static void send_fds(struct varlink *v, const char *text, const int *fds, size_t n)
{
    assert_int_equal(varlink_send_text(v, text, strlen(text), fds, n, NULL), HCS_OK);
}

static void expect_number(struct pair *p, int number, size_t n_fds)
{
    struct varlink_message m;
    hcs_error err = HCS_ERROR_INIT;

    varlink_message_init(&m);
    assert_int_equal(take(p, &m, &err), 1);
    assert_int_equal(json_integer_value(json_object_get(m.json, "n")), number);
    assert_int_equal(m.n_fds, n_fds);
    varlink_message_done(&m);
}

static int count_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* ---- whole and in pieces ---- */

typedef void promise(void);

static void in_all_pieces(promise *test)
{
    static const size_t cuts[] = { 0, 1, 2, 3, 137 };

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        int before = count_fds();

        cut = cuts[i];
        test();
        cut = 0;
        assert_int_equal(count_fds(), before);
    }
}

static void order(void)
{
    char text[64];
    struct pair p;

    pair_make(&p, IN_MAX);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "{\"n\":%d,\"pad\":\"%.*s\"}", i, i % 20,
                 "xxxxxxxxxxxxxxxxxxxx");
        send_fds(p.a, text, NULL, 0);
    }
    for (int i = 0; i < 200; i++)
        expect_number(&p, i, 0);
    assert_int_equal(varlink_partial(p.b), 0);
    assert_int_equal(varlink_unsent(p.a), 0);
    pair_drop(&p);
}

static void messages_come_in_order(void **state)
{
    (void) state;
    in_all_pieces(order);
}

/* A descriptor that one can recognise: a pipe end with a byte in it. */
static int marked_fd(char mark)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], &mark, 1), 1);
    close(ends[1]);
    return ends[0];
}

static void expect_mark(int fd, char mark)
{
    char got = 0;

    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(read(fd, &got, 1), 1);
    assert_int_equal(got, mark);
}

static void fds(void)
{
    int a = marked_fd('a'), b = marked_fd('b'), c = marked_fd('c');
    int two[] = { a, b }, one[] = { c };
    struct varlink_message m;
    struct pair p;

    pair_make(&p, IN_MAX);
    send_fds(p.a, "{\"n\":0}", NULL, 0);
    send_fds(p.a, "{\"n\":1}", two, 2);
    send_fds(p.a, "{\"n\":2}", NULL, 0);
    send_fds(p.a, "{\"n\":3}", NULL, 0);
    send_fds(p.a, "{\"n\":4}", one, 1);
    send_fds(p.a, "{\"n\":5}", one, 1);
    send_fds(p.a, "{\"n\":6}", NULL, 0);
    /* They are ours: what was given may be closed at once. */
    close(a);
    close(b);
    close(c);
    expect_number(&p, 0, 0);
    varlink_message_init(&m);
    assert_int_equal(take(&p, &m, NULL), 1);
    assert_int_equal(m.n_fds, 2);
    expect_mark(m.fds[0], 'a');
    expect_mark(m.fds[1], 'b');
    varlink_message_done(&m);
    expect_number(&p, 2, 0);
    expect_number(&p, 3, 0);
    assert_int_equal(take(&p, &m, NULL), 1);
    assert_int_equal(m.n_fds, 1);
    expect_mark(m.fds[0], 'c');
    varlink_message_done(&m);
    expect_number(&p, 5, 1);
    expect_number(&p, 6, 0);
    pair_drop(&p);
}

static void fds_stay_with_their_message(void **state)
{
    (void) state;
    in_all_pieces(fds);
}

/* ---- descriptors that hold up whoever closes them ---- */

#define LINGER_S 30
#define AT_ONCE_NS UINT64_C(5000000000)

static void make_linger(int fd)
{
    const struct linger on = { 1, LINGER_S };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &on, sizeof on), 0);
}

/* A TCP connection with more to send than its peer, at @out_peer, will read: closing it waits. */
static int lingering_socket(int *out_peer)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static const char bytes[65536];

    assert_int_equal(bind(listener, (struct sockaddr *) &at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *) &at, &size), 0);
    assert_int_equal(connect(fd, (struct sockaddr *) &at, size), 0);
    *out_peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(*out_peer >= 0);
    close(listener);
    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    make_linger(fd);
    return fd;
}

/* A connection that is dropped with the message in it, whole or not; or the message is done with.
 */
enum drop { DROP_MESSAGE, DROP_UNTAKEN };

static void expect_prompt_drop(enum drop how, bool again)
{
    struct varlink_message m;
    struct pair p;
    uint64_t begin;
    int peer, fd = lingering_socket(&peer);

    pair_make(&p, IN_MAX);
    send_fds(p.a, "{\"n\":1}", &fd, 1);
    varlink_message_init(&m);
    assert_int_equal(take(&p, &m, NULL), 1);
    assert_int_equal(m.n_fds, 1);
    if (how == DROP_UNTAKEN) {
        varlink_message_done(&m);
        send_fds(p.a, "{\"n\":2}", &fd, 1);
        while (varlink_unsent(p.a) > 0)
            assert_int_equal(varlink_process(p.a, NULL), HCS_OK);
        assert_int_equal(varlink_process(p.b, NULL), HCS_OK);
    }
    varlink_drop(p.a); /* and what it has sent */
    p.a = NULL;
    if (again)
        make_linger(fd); /* its sender still has it */
    fd_drop(&fd);
    begin = clock_monotonic_ns();
    varlink_message_done(&m);
    pair_drop(&p);
    assert_true(clock_monotonic_ns() - begin < AT_ONCE_NS);
    close(peer);
}

static void passed_socket_that_lingers_holds_nobody_up(void **state)
{
    (void) state;
    expect_prompt_drop(DROP_MESSAGE, false);
    expect_prompt_drop(DROP_MESSAGE, true);
    expect_prompt_drop(DROP_UNTAKEN, false);
    expect_prompt_drop(DROP_UNTAKEN, true);
}

/* The same with messages as large as a read, so that reads end in the middle of pieces. */
static void large_fds(void)
{
    static const size_t sizes[] = { 10, 4050, 4096, 5000, 60000, 65536, 70000 };
    enum { N = 60 };
    char *text = malloc(100000);
    struct pair p;
    int fd = marked_fd('x');

    assert_non_null(text);
    pair_make(&p, IN_MAX);
    for (int i = 0, got = 0; got < N;) {
        for (; i < N && i < got + 7; i++) {
            int n = snprintf(text, 100, "{\"n\":%d,\"pad\":\"", i);

            memset(text + n, 'p', sizes[i % 7]);
            strcpy(text + n + sizes[i % 7], "\"}");
            send_fds(p.a, text, &fd, i % 3 == 1);
        }
        expect_number(&p, got, got % 3 == 1);
        got++;
    }
    close(fd);
    free(text);
    pair_drop(&p);
}

static void fds_stay_with_large_messages(void **state)
{
    (void) state;
    int before = count_fds();

    large_fds();
    cut = 137;
    large_fds();
    cut = 0;
    assert_int_equal(count_fds(), before);
}

static void half(void)
{
    static const char text[] = "{\"n\":1}\0{\"n\":2";
    struct varlink_message m;
    hcs_error err = HCS_ERROR_INIT;
    struct pair p;

    pair_make(&p, IN_MAX);
    assert_int_equal(write(varlink_fd(p.a), text, sizeof(text) - 1), sizeof(text) - 1);
    varlink_drop(p.a);
    p.a = NULL;
    expect_number(&p, 1, 0);
    assert_int_equal(take(&p, &m, &err), HCS_E_SERVICE_DISCONNECT);
    assert_non_null(strstr(err.text, "6 bytes of an incomplete message"));
    assert_true(varlink_peer_closed(p.b));
    pair_drop(&p);
}

static void peer_that_closes_in_a_message_is_an_error(void **state)
{
    (void) state;
    in_all_pieces(half);
}

static void last_words(void)
{
    struct varlink_message m;
    struct pair p;
    int roomy = 100000;

    pair_make(&p, IN_MAX);
    assert_int_equal(setsockopt(varlink_fd(p.a), SOL_SOCKET, SO_SNDBUF, &roomy, sizeof(roomy)), 0);
    send_fds(p.a, "{\"n\":1}", NULL, 0);
    send_fds(p.a, "{\"n\":2}", NULL, 0);
    while (varlink_unsent(p.a) > 0)
        assert_int_equal(varlink_process(p.a, NULL), HCS_OK);
    varlink_drop(p.a);
    p.a = NULL;
    /* We have something to say too, which nobody will hear. */
    send_fds(p.b, "{\"n\":9}", NULL, 0);
    expect_number(&p, 1, 0);
    expect_number(&p, 2, 0);
    assert_int_equal(take(&p, &m, NULL), HCS_E_SERVICE_DISCONNECT);
    assert_true(varlink_send_lost(p.b));
    assert_int_equal(varlink_unsent(p.b), 0);
    assert_int_equal(varlink_send_text(p.b, "{}", 2, NULL, 0, NULL), HCS_E_SERVICE_DISCONNECT);
    pair_drop(&p);
}

static void last_words_of_a_peer_are_heard(void **state)
{
    (void) state;
    in_all_pieces(last_words);
}

/* ---- limits ---- */

static char *object_of(size_t length)
{
    char *text = malloc(length + 1);

    assert_non_null(text);
    memset(text, 'x', length);
    memcpy(text, "{\"n\":7,\"p\":\"", 12);
    memcpy(text + length - 2, "\"}", 3);
    return text;
}

static void limit_of(size_t in_max)
{
    char *fits = object_of(in_max), *large = object_of(in_max + 1);
    struct varlink_message m;
    hcs_error err = HCS_ERROR_INIT;
    struct pair p;
    char number[32];

    pair_make(&p, in_max);
    send_fds(p.a, fits, NULL, 0);
    send_fds(p.a, "{\"n\":8}", NULL, 0);
    send_fds(p.a, large, NULL, 0);
    expect_number(&p, 7, 0);
    expect_number(&p, 8, 0);
    assert_int_equal(take(&p, &m, &err), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    snprintf(number, sizeof(number), "%zu", in_max);
    assert_non_null(strstr(err.text, number));
    /* It stays broken, asks for nothing, and can still say why. */
    assert_int_equal(varlink_process(p.b, NULL), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_int_equal(varlink_events(p.b), 0);
    send_fds(p.b, "{\"n\":9}", NULL, 0);
    assert_int_equal(varlink_process(p.b, NULL), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    while (!varlink_ready(p.a))
        assert_int_equal(varlink_process(p.a, NULL), HCS_OK);
    pair_drop(&p);
    free(fits);
    free(large);
}

static void limits(void)
{
    limit_of(100);
    limit_of(4095);
    limit_of(4096);
    if (cut == 0 || cut == 137) {
        limit_of(65535);
        limit_of(65536);
        limit_of(100000);
    }
}

static void message_of_the_limit_passes_and_one_more_does_not(void **state)
{
    (void) state;
    in_all_pieces(limits);
}

/* Without a further byte from the peer the owner must hear of it: by varlink_events(). */
static void breach_behind_a_message_wakes_the_owner(void **state)
{
    static const char text[] = "{\"n\":1}\0{\"a\":\"0123456789\"}";
    struct pair p;

    (void) state;
    pair_make(&p, 10);
    assert_int_equal(write(varlink_fd(p.a), text, sizeof(text)), sizeof(text));
    assert_int_equal(varlink_process(p.b, NULL), HCS_OK);
    expect_number(&p, 1, 0);
    assert_true(varlink_events(p.b) & POLLOUT);
    assert_int_equal(varlink_process(p.b, NULL), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_int_equal(varlink_events(p.b), 0);
    pair_drop(&p);
}

static void output_limit_refuses_and_keeps_what_is_queued(void **state)
{
    char *large = object_of(OUT_MAX - 10);
    hcs_error err = HCS_ERROR_INIT;
    struct pair p;

    (void) state;
    pair_make(&p, OUT_MAX);
    send_fds(p.a, "{\"n\":1}", NULL, 0);
    send_fds(p.a, large, NULL, 0);
    assert_int_equal(varlink_unsent(p.a), 8 + OUT_MAX - 9);
    assert_int_equal(varlink_send_text(p.a, "{}", 2, NULL, 0, &err),
                     HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_non_null(strstr(err.text, "4194304"));
    assert_int_equal(varlink_send_pieces(p.a, large, OUT_MAX - 10, "", 0, "", 0, &err),
                     HCS_E_WIN32_INSUFFICIENT_BUFFER);
    expect_number(&p, 1, 0);
    expect_number(&p, 7, 0);
    assert_int_equal(varlink_send_text(p.a, "{\"n\":2}", 7, NULL, 0, &err), HCS_OK);
    expect_number(&p, 2, 0);
    free(large);
    pair_drop(&p);
}

static size_t memory_in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static void flood_is_bounded_and_memory_comes_back(void **state)
{
    enum { CHUNK = 50000 };
    static char chunk[CHUNK];
    size_t sent = 0, most = 0, before;
    struct varlink_message m;
    struct pair p;
    long messages = 0;

    (void) state;
    for (size_t i = 0; i < CHUNK; i += 8)
        memcpy(chunk + i, "{\"n\":5}\0", i + 8 <= CHUNK ? 8 : 0);
    pair_make(&p, 1000);
    before = memory_in_use();
    while (sent < (size_t) 100 << 20) {
        ssize_t n = write(varlink_fd(p.a), chunk + sent % 8, 8 * (CHUNK / 8 - 1));

        if (n > 0)
            sent += (size_t) n;
        assert_int_equal(varlink_process(p.b, NULL), HCS_OK);
        /* Not taken: then not read either, however often it is asked. */
        assert_int_equal(varlink_process(p.b, NULL), HCS_OK);
        if (memory_in_use() > most)
            most = memory_in_use();
        varlink_message_init(&m);
        while (varlink_take(p.b, &m, NULL) == 1) {
            messages++;
            varlink_message_done(&m);
        }
    }
    assert_true(messages > 12000000);
    /* A sanitizer counts otherwise; then there is nothing to compare. */
    if (most > 0)
        assert_true(most - before < 300 * 1024);
    pair_drop(&p);
}

static void one_process_reads_a_fair_share(void **state)
{
    char *large = object_of(200000);
    size_t partial = 0;
    struct pair p;

    (void) state;
    pair_make(&p, IN_MAX);
    send_fds(p.a, large, NULL, 0);
    while (!varlink_ready(p.b)) {
        assert_int_equal(varlink_process(p.a, NULL), HCS_OK);
        assert_int_equal(varlink_process(p.b, NULL), HCS_OK);
        if (varlink_ready(p.b))
            break;
        assert_true(varlink_partial(p.b) - partial <= 65536);
        partial = varlink_partial(p.b);
    }
    free(large);
    pair_drop(&p);
}

static void large_message_in_tiny_pieces_is_not_quadratic(void **state)
{
    /* If each read looked at all of it again, that would be 3 * 10^11 looks. */
    char *large = object_of((size_t) 3 << 20);
    struct pair p;

    (void) state;
    pair_make(&p, (size_t) 8 << 20);
    cut = 17;
    send_fds(p.a, large, NULL, 0);
    expect_number(&p, 7, 0);
    cut = 0;
    free(large);
    pair_drop(&p);
}

/* ---- descriptors that are too many ---- */

static void raw_send(int fd, const char *bytes, size_t n, int fd_sent, size_t n_fds)
{
    union {
        char bytes[CMSG_SPACE(64 * sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec iov = { .iov_base = (void *) (uintptr_t) bytes, .iov_len = n };
    struct msghdr header = { .msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(n_fds * sizeof(int)) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
    for (size_t i = 0; i < n_fds; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &fd_sent, sizeof(int));
    assert_int_equal(__real_sendmsg(fd, &header, 0), n);
}

static void too_many(void)
{
    struct varlink_message m;
    hcs_error err = HCS_ERROR_INIT;
    struct pair p;

    pair_make(&p, IN_MAX);
    raw_send(varlink_fd(p.a), "{\"n\":1}", 8, 0, 4);
    expect_number(&p, 1, 4);
    raw_send(varlink_fd(p.a), "{\"n\":2}", 8, 0, 5);
    assert_int_equal(take(&p, &m, &err), HCS_E_PROTOCOL_ERROR);
    assert_non_null(strstr(err.text, "more than 4 file descriptors"));
    pair_drop(&p);

    /* Dribbled: some with each piece of one message. */
    pair_make(&p, IN_MAX);
    raw_send(varlink_fd(p.a), "{\"n", 3, 0, 3);
    raw_send(varlink_fd(p.a), "\":2}", 4, 0, 2);
    assert_int_equal(take(&p, &m, &err), HCS_E_PROTOCOL_ERROR);
    pair_drop(&p);
}

static void too_many_fds_break_the_connection_and_leak_none(void **state)
{
    (void) state;
    in_all_pieces(too_many);
}

static void fds_of_a_dropped_or_bad_message_are_closed(void **state)
{
    int before = count_fds();
    struct varlink_message m;
    struct pair p;
    int fd = 0;

    (void) state;
    pair_make(&p, IN_MAX);
    raw_send(varlink_fd(p.a), "[1]", 4, 0, 2);
    assert_int_equal(take(&p, &m, NULL), HCS_E_INVALID_JSON);
    raw_send(varlink_fd(p.a), "{\"n\":1}", 8, 0, 3);
    raw_send(varlink_fd(p.a), "{\"n\":1", 6, 0, 3);
    send_fds(p.b, "{}", &fd, 1);
    assert_int_equal(varlink_process(p.b, NULL), HCS_OK);
    send_fds(p.b, "{}", &fd, 1);
    pair_drop(&p);
    assert_int_equal(count_fds(), before);
}

static void bad_fd_is_refused_by_number(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    int fds_given[] = { 0, 987 }, five[5] = { 0 };
    int before;
    struct pair p;

    (void) state;
    pair_make(&p, IN_MAX);
    before = count_fds();
    assert_int_equal(varlink_send_text(p.a, "{}", 2, fds_given, 2, &err),
                     HCS_E_WIN32_INVALID_HANDLE);
    assert_int_equal(err.os, EBADF);
    assert_non_null(strstr(err.text, "987"));
    assert_int_equal(varlink_send_text(p.a, "{}", 2, five, 5, &err), HCS_E_INVALIDARG);
    assert_int_equal(varlink_unsent(p.a), 0);
    assert_int_equal(count_fds(), before);
    pair_drop(&p);
}

/* ---- JSON ---- */

static void odd_json(void)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        { "", "line 1, column 0" },
        { " ", "line 1" },
        { "[]", "must be an object" },
        { "1", "line 1" },
        { "null", "line 1" },
        { "{\"a\":1,\"a\":2}", "duplicate" },
        { "{} {}", "line 1, column 4" },
        { "{\n\"a\":\n tru}", "line 3" },
        { "{\"a\":\"\xff\"}", "0xff" },
        { "{\"a\":\"\\u0000\"}", "line 1" },
        { "{\"a\":99999999999999999999}", "too big" },
        { "{\"a\":\"b\nc\"}", "line 1" },
    };
    struct pair p;

    pair_make(&p, IN_MAX);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hcs_error err = HCS_ERROR_INIT;
        struct varlink_message m;

        assert_int_equal(write(varlink_fd(p.a), rows[i].text, strlen(rows[i].text) + 1),
                         strlen(rows[i].text) + 1);
        assert_int_equal(take(&p, &m, &err), HCS_E_INVALID_JSON);
        if (!strstr(err.text, rows[i].says))
            fail_msg("'%s' says: %s", rows[i].text, err.text);
        assert_null(strchr(err.text, '\n'));
        /* And the connection goes on. */
        send_fds(p.a, "{\"n\":1}", NULL, 0);
        expect_number(&p, 1, 0);
    }
    pair_drop(&p);
}

static void odd_json_is_refused_and_the_connection_goes_on(void **state)
{
    (void) state;
    in_all_pieces(odd_json);
}

static void deep_json_is_refused(void **state)
{
    enum { DEPTH = 100000 };
    char *text = malloc(DEPTH + 6);
    struct varlink_message m;
    struct pair p;

    (void) state;
    assert_non_null(text);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', DEPTH);
    text[DEPTH + 5] = '\0';
    pair_make(&p, IN_MAX);
    send_fds(p.a, text, NULL, 0);
    assert_int_equal(take(&p, &m, NULL), HCS_E_INVALID_JSON);
    pair_drop(&p);
    free(text);
}

/* ---- sending ---- */

static void pieces(void)
{
    struct pair p;

    pair_make(&p, IN_MAX);
    assert_int_equal(varlink_send_pieces(p.a, "{\"n\":", 5, "42", 2, "}", 1, NULL), HCS_OK);
    assert_int_equal(varlink_unsent(p.a), 9);
    expect_number(&p, 42, 0);
    assert_int_equal(varlink_send_pieces(p.a, "", 0, "{\"n\":43}", 8, NULL, 0, NULL), HCS_OK);
    expect_number(&p, 43, 0);
    pair_drop(&p);
}

static void pieces_make_one_message(void **state)
{
    (void) state;
    in_all_pieces(pieces);
}

static void nul_in_a_message_is_refused(void **state)
{
    struct pair p;

    (void) state;
    pair_make(&p, IN_MAX);
    assert_int_equal(varlink_send_text(p.a, "{\0}", 3, NULL, 0, NULL), HCS_E_INVALIDARG);
    assert_int_equal(varlink_send_pieces(p.a, "{", 1, "\0", 1, "}", 1, NULL), HCS_E_INVALIDARG);
    assert_int_equal(varlink_unsent(p.a), 0);
    pair_drop(&p);
}

static void flow_until_ready(struct pair *p)
{
    while (!varlink_ready(p->b)) {
        assert_int_equal(varlink_process(p->a, NULL), HCS_OK);
        assert_int_equal(varlink_process(p->b, NULL), HCS_OK);
    }
}

static void what_is_peeked_at_is_there_until_it_is_skipped(void **state)
{
    const char *bytes = NULL;
    struct pair p;
    size_t n = 0;
    int fd;

    (void) state;
    pair_make(&p, IN_MAX);
    assert_int_equal(varlink_peek(p.b, &bytes, &n), 0);
    send_fds(p.a, "{\"n\":1}", NULL, 0);
    send_fds(p.a, "{\"n\":2}", NULL, 0);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    send_fds(p.a, "{\"n\":3}", &fd, 1);
    close(fd);
    flow_until_ready(&p);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(varlink_peek(p.b, &bytes, &n), 1);
        assert_int_equal(n, strlen("{\"n\":1}"));
        assert_memory_equal(bytes, "{\"n\":1}", n);
    }
    varlink_skip(p.b);
    expect_number(&p, 2, 0);
    flow_until_ready(&p);
    assert_int_equal(varlink_peek(p.b, &bytes, &n), 0);
    expect_number(&p, 3, 1); /* with its descriptor */
    pair_drop(&p);
}

static void json_is_sent_compact(void **state)
{
    json_t *json = json_pack("{s:i}", "n", 11);
    struct pair p;

    (void) state;
    pair_make(&p, IN_MAX);
    assert_int_equal(varlink_send(p.a, json, NULL, 0, NULL), HCS_OK);
    assert_int_equal(varlink_unsent(p.a), strlen("{\"n\":11}") + 1);
    expect_number(&p, 11, 0);
    json_decref(json);
    pair_drop(&p);
}

static void events_say_what_is_wanted(void **state)
{
    struct varlink_message m;
    struct pair p;

    (void) state;
    pair_make(&p, IN_MAX);
    assert_int_equal(varlink_events(p.b), POLLIN);
    send_fds(p.b, "{}", NULL, 0);
    assert_int_equal(varlink_events(p.b), POLLIN | POLLOUT);
    assert_int_equal(varlink_process(p.b, NULL), HCS_OK);
    assert_int_equal(varlink_events(p.b), POLLIN);
    send_fds(p.a, "{\"n\":1}", NULL, 0);
    assert_int_equal(varlink_process(p.a, NULL), HCS_OK);
    assert_int_equal(varlink_process(p.b, NULL), HCS_OK);
    /* One waits to be taken: nothing more is read before. */
    assert_true(varlink_ready(p.b));
    assert_int_equal(varlink_events(p.b), 0);
    varlink_message_init(&m);
    assert_int_equal(varlink_take(p.b, &m, NULL), 1);
    varlink_message_done(&m);
    assert_int_equal(varlink_events(p.b), POLLIN);
    pair_drop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_in_order),
        cmocka_unit_test(fds_stay_with_their_message),
        cmocka_unit_test(fds_stay_with_large_messages),
        cmocka_unit_test(passed_socket_that_lingers_holds_nobody_up),
        cmocka_unit_test(peer_that_closes_in_a_message_is_an_error),
        cmocka_unit_test(last_words_of_a_peer_are_heard),
        cmocka_unit_test(message_of_the_limit_passes_and_one_more_does_not),
        cmocka_unit_test(breach_behind_a_message_wakes_the_owner),
        cmocka_unit_test(output_limit_refuses_and_keeps_what_is_queued),
        cmocka_unit_test(flood_is_bounded_and_memory_comes_back),
        cmocka_unit_test(one_process_reads_a_fair_share),
        cmocka_unit_test(large_message_in_tiny_pieces_is_not_quadratic),
        cmocka_unit_test(too_many_fds_break_the_connection_and_leak_none),
        cmocka_unit_test(fds_of_a_dropped_or_bad_message_are_closed),
        cmocka_unit_test(bad_fd_is_refused_by_number),
        cmocka_unit_test(odd_json_is_refused_and_the_connection_goes_on),
        cmocka_unit_test(deep_json_is_refused),
        cmocka_unit_test(pieces_make_one_message),
        cmocka_unit_test(nul_in_a_message_is_refused),
        cmocka_unit_test(what_is_peeked_at_is_there_until_it_is_skipped),
        cmocka_unit_test(json_is_sent_compact),
        cmocka_unit_test(events_say_what_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
