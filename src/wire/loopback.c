/* loopback.c - TCP that does not leave this machine.
 *
 * Owns:    nothing past a call.
 * Users:   hcsd listens, the library connects.
 * Promise: no address that another machine could reach is ever listened on or connected to.
 */
#include "loopback.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <ws2tcpip.h>
#else
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include "err.h"

#define CONNECT_LIMIT_S 30 /* a service that takes no connections shall not hold us for ever */

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

/* ---- text ---- */

static hcs_result not_an_address(const char *text, const char *where, hcs_error *err)
{
    return fail(err, HCS_E_INVALIDARG, where,
                "'%s' is not an address and port such as 127.0.0.1:0 or [::1]:0; names are not "
                "looked up",
                text);
}

static int parse_port(const char *text, uint16_t *out)
{
    unsigned long port = 0;
    size_t n = strspn(text, "0123456789");

    if (n == 0 || n > 5 || text[n])
        return 0;
    for (size_t i = 0; i < n; i++)
        port = port * 10 + (unsigned long) (text[i] - '0');
    *out = (uint16_t) port;
    return port <= 65535;
}

/* What stands before the port, without brackets; *@out_port is behind the colon, NULL when none. */
static int split(const char *text, char host[LOOPBACK_TEXT_MAX], int *out_is_six,
                 const char **out_port)
{
    const char *end;
    size_t n;

    if (strncmp(text, LOOPBACK_PREFIX, strlen(LOOPBACK_PREFIX)) == 0)
        text += strlen(LOOPBACK_PREFIX);
    *out_is_six = text[0] == '[';
    if (*out_is_six)
        text++;
    end = strchr(text, *out_is_six ? ']' : ':');
    n = end ? (size_t) (end - text) : strlen(text);
    if (n == 0 || n >= LOOPBACK_TEXT_MAX || (*out_is_six && !end))
        return 0;
    memcpy(host, text, n);
    host[n] = '\0';
    if (*out_is_six)
        end++;
    *out_port = end && *end == ':' ? end + 1 : NULL;
    return !end || *end == ':' || *end == '\0';
}

hcs_result loopback_parse(const char *text, const char *where, struct loopback *out, hcs_error *err)
{
    char host[LOOPBACK_TEXT_MAX];
    struct loopback l = { 0 };
    struct in6_addr six;
    struct in_addr four;
    const char *port;
    int is_ours;

    assert(text && where && out);
    if (!split(text, host, &l.is_six, &port) || (port && !parse_port(port, &l.port)))
        return not_an_address(text, where, err);
    if (inet_pton(l.is_six ? AF_INET6 : AF_INET, host, l.is_six ? (void *) &six : (void *) &four) !=
        1)
        return not_an_address(text, where, err);
    if (!l.is_six)
        memcpy(l.address, &four, sizeof(l.address));
    is_ours = l.is_six ? IN6_IS_ADDR_LOOPBACK(&six) : l.address[0] == 127;
    if (!is_ours)
        return fail(err, HCS_E_INVALIDARG, where,
                    "'%s' is not of the loopback: only 127.0.0.1 (and the rest of 127.0.0.0/8) and "
                    "[::1] are possible, for whoever holds the token may do all that the service "
                    "may",
                    text);
    *out = l;
    return HCS_OK;
}

void loopback_text(const struct loopback *l, char out[LOOPBACK_TEXT_MAX])
{
    assert(l && out);
    if (l->is_six)
        snprintf(out, LOOPBACK_TEXT_MAX, "[::1]:%u", l->port);
    else
        snprintf(out, LOOPBACK_TEXT_MAX, "%u.%u.%u.%u:%u", l->address[0], l->address[1],
                 l->address[2], l->address[3], l->port);
}

/* ---- sockets ---- */

static socklen_t address_of(const struct loopback *l, union address *out)
{
    memset(out, 0, sizeof(*out));
    if (l->is_six) {
        out->six.sin6_family = AF_INET6;
        out->six.sin6_port = htons(l->port);
        out->six.sin6_addr = in6addr_loopback;
        return sizeof(out->six);
    }
    out->four.sin_family = AF_INET;
    out->four.sin_port = htons(l->port);
    memcpy(&out->four.sin_addr, l->address, sizeof(l->address));
    return sizeof(out->four);
}

#ifndef _WIN32 /* where the service does not run */

static int is_loopback(const union address *a)
{
    if (a->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a->six.sin6_addr);
    return a->any.sa_family == AF_INET && ntohl(a->four.sin_addr.s_addr) >> 24 == 127;
}

static hcs_result cannot(int os, const char *what, const struct loopback *l, hcs_error *err)
{
    char text[LOOPBACK_TEXT_MAX];

    loopback_text(l, text);
    return fail_os(err, result_from_errno(os), os, "tcp.listen", "%s %s", what, text);
}

hcs_result loopback_listen(struct loopback *l, os_socket *out, hcs_error *err)
{
    _cleanup_(socket_drop) os_socket s =
        socket(l->is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    static const char device[] = "lo";
    union address address;
    socklen_t size = address_of(l, &address);
    const int on = 1;

    if (s < 0)
        return cannot(errno, "socket for", l, err);
    /* Handed to programs as they are, its connections shall lead nowhere but to this machine,
     * whatever the program does with them. */
    (void) setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, device, sizeof(device));
    (void) setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(s, &address.any, size) < 0 || listen(s, SOMAXCONN) < 0)
        return cannot(errno, "listen at", l, err);
    size = sizeof(address);
    if (getsockname(s, &address.any, &size) < 0)
        return cannot(errno, "port of", l, err);
    l->port = ntohs(l->is_six ? address.six.sin6_port : address.four.sin_port);
    *out = TAKE_SOCKET(s);
    return HCS_OK;
}

int loopback_accept(os_socket listener, os_socket *out, int *out_refused)
{
    _cleanup_(socket_drop) os_socket s = SOCKET_NONE;
    union address peer = { 0 };
    socklen_t size = sizeof(peer);

    *out_refused = 0;
    s = accept4(listener, &peer.any, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (s < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED ? 0 : -errno;
    if (!is_loopback(&peer)) {
        *out_refused = 1;
        return 0;
    }
    socket_set_prompt(s);
    *out = TAKE_SOCKET(s);
    return 1;
}

#endif

hcs_result loopback_connect(const struct loopback *l, os_socket *out, hcs_error *err)
{
    char text[LOOPBACK_TEXT_MAX];
    union address address;
    socklen_t size = address_of(l, &address);
    int r = socket_connect(&address, (size_t) size, CONNECT_LIMIT_S, out);

    loopback_text(l, text);
    if (r < 0)
        return fail_os(err, HCS_E_SERVICE_NOT_AVAILABLE, -r, "host.connect",
                       "no service at tcp:%s, and over TCP none is started: hcsd --tcp %s "
                       "--token-file FILE",
                       text, text);
    socket_set_prompt(*out);
    return HCS_OK;
}
