/* tcp.c - Varlink over TCP on the loopback, for clients that cannot pass file descriptors.
 *
 * Owns:    the listening socket, the token, and the file that tells both to the user of this hcsd.
 * Users:   main.c; stranger.c asks whether a token is the right one.  Loop thread only.
 * Promise: off unless asked for; never on an address that another machine can reach; nobody but
 *          this user (and root) learns the token from us. */

#include "tcp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "log.h"
#include "server.h"

#define TOKEN_FILE_MAX 256 /* bytes of it that are looked at */

hcs_result random_name(char *out, size_t n_bytes, hcs_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[TOKEN_BYTES];
    ssize_t n = getrandom(bytes, n_bytes, 0);

    if (n != (ssize_t) n_bytes)
        return fail_os(err, HCS_E_FAIL, n < 0 ? errno : 0, "hcsd.tcp", "%zu random bytes", n_bytes);
    for (size_t i = 0; i < n_bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n_bytes] = '\0';
    return HCS_OK;
}

/* Takes the same time wherever the first difference is. */
int tcp_token_is(const struct tcp *t, const char *given)
{
    size_t n = strlen(given);
    unsigned different = n ^ TOKEN_LENGTH;

    for (size_t i = 0; i < n && i < TOKEN_LENGTH; i++)
        different |= (unsigned char) given[i] ^ (unsigned char) t->token[i];
    return different == 0;
}

void tcp_refused(struct tcp *t, const char *why)
{
    server_tell_refused(++t->refused, "a connection over TCP", why);
}

/* ---- listening ---- */

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *context)
{
    struct server *s = context;
    os_socket client = SOCKET_NONE;
    int is_far = 0;
    int r = loopback_accept(fd, &client, &is_far);

    (void) source;
    (void) revents;
    if (is_far)
        tcp_refused(&s->tcp, "it is not of this machine");
    if (r == -EMFILE || r == -ENFILE)
        log_line(LOG_LINE_ERROR, "no file descriptor is left for a new client");
    if (r <= 0)
        return 0;
    connection_new(s, client, CONNECTION_TCP);
    return 0;
}

void tcp_init(struct tcp *t)
{
    *t = (struct tcp){ .listen_fd = SOCKET_NONE, .patience_us = STRANGER_SECONDS * 1000000ull };
    list_init(&t->strangers);
}

hcs_result tcp_begin(struct server *s, const struct loopback *address, const char *token_file,
                     hcs_error *err)
{
    struct tcp *t = &s->tcp;
    hcs_result r;

    if (token_file[0] != '/')
        return fail(err, HCS_E_INVALIDARG, "hcsd.tcp", "--token-file '%s' is not an absolute path",
                    token_file);
    t->token_file = strdup(token_file);
    if (!t->token_file)
        return fail(err, HCS_E_OUTOFMEMORY, "hcsd.tcp", "no memory");
    r = random_name(t->token, TOKEN_BYTES, err);
    if (r < 0)
        return r;
    t->address = *address;
    return loopback_listen(&t->address, &t->listen_fd, err);
}

static int token_line(const struct tcp *t, char out[TOKEN_FILE_MAX])
{
    return snprintf(out, TOKEN_FILE_MAX, "%u %s\n", t->address.port, t->token);
}

hcs_result tcp_serve(struct server *s, hcs_error *err)
{
    struct tcp *t = &s->tcp;
    char line[TOKEN_FILE_MAX], text[LOOPBACK_TEXT_MAX];
    hcs_result r;
    int e;

    if (t->listen_fd == SOCKET_NONE)
        return HCS_OK;
    e = sd_event_add_io(s->loop, &t->listening, t->listen_fd, EPOLLIN, on_connection, s);
    if (e < 0)
        return fail_os(err, HCS_E_FAIL, -e, "hcsd.tcp", "watch port %u", t->address.port);
    r = file_write_atomic(t->token_file, line, (size_t) token_line(t, line), 0600, err);
    if (r < 0)
        return hint(err, r, "--token-file");
    t->announced = 1;
    loopback_text(&t->address, text);
    log_line(LOG_LINE_NOTICE, "serving at tcp:%s, token in %s", text, t->token_file);
    return HCS_OK;
}

/* A token that is good for nothing any more is taken away, unless another hcsd has put its own
 * there. */
static void withdraw(const struct tcp *t)
{
    _cleanup_(free_drop) char *there = NULL;
    char line[TOKEN_FILE_MAX];

    token_line(t, line);
    if (file_read(t->token_file, TOKEN_FILE_MAX, &there, NULL, NULL) >= 0 &&
        strcmp(there, line) == 0)
        (void) unlink(t->token_file);
}

void tcp_end(struct server *s)
{
    struct tcp *t = &s->tcp;

    t->listening = sd_event_source_disable_unref(t->listening);
    socket_drop(&t->listen_fd);
    if (t->announced)
        withdraw(t);
    free(TAKE(t->token_file));
    t->announced = 0;
    explicit_bzero(t->token, sizeof t->token);
}
