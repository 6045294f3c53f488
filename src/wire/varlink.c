/* varlink.c - one Varlink connection: bytes and descriptors in, messages out, and the reverse.
 *
 * Owns:    the socket, the bytes of at most one incomplete message plus one read, the queue of
 *          what is still to be sent, and the descriptors that belong to either.
 * Users:   hcsd and the library; each drives it from its own loop or poll().
 * Promise: it never blocks, never holds more than the limits given to varlink_new(), and gives
 *          every message exactly the descriptors that were sent with it.
 *
 * Which message do descriptors belong to?  The kernel hands them out with the first byte that
 * is read of the piece they were sent with, and a read never goes on past such a piece.  So
 * they belong to the message that has the last byte of that read, provided that the sender
 * gave them with bytes of that message alone.  Our sender does: a message with descriptors is
 * never in one sendmsg() with bytes of another.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "fd.h"
#include "list.h"
#include "varlink.h"

enum {
    READ_FIRST = 4096,         /* most messages are smaller: an idle connection stays small */
    READ_AT_ONCE = 64 * 1024,  /* what one varlink_process() reads at most */
    SEND_AT_ONCE = 256 * 1024, /* and sends */
    KEEP_EMPTY = 16 * 1024,    /* larger buffers are given back when they are empty */
    IN_FDS_MAX = 2 * VARLINK_FDS_MAX
};

/* A descriptor that came with the byte at offset `at` of the input. */
struct in_fd {
    size_t at;
    int fd;
};

/* A queued message with descriptors: the bytes from `begin` to `end`, counted from the first
 * byte this connection ever sent. */
struct out_mark {
    struct list node;
    uint64_t begin;
    uint64_t end;
    int fds[VARLINK_FDS_MAX];
    size_t n_fds; /* 0 once they are on their way */
};

struct varlink {
    os_socket fd;
    size_t in_max;
    size_t out_max;

    struct buf in;
    size_t in_start;   /* what is before it has been taken */
    size_t in_scanned; /* there is no NUL from in_start up to here */
    bool in_complete;  /* in_scanned is the NUL of a complete message */
    struct in_fd in_fds[IN_FDS_MAX];
    size_t n_in_fds;

    struct buf out;
    size_t out_start;      /* what is before it has been sent */
    uint64_t out_position; /* number of the byte at out_start */
    struct list marks;

    bool peer_closed;  /* no byte will ever come */
    bool peer_deaf;    /* no byte can be sent */
    hcs_result broken; /* 0, or why nothing is read any more; what waits is still sent */
    bool broken_told;  /* varlink_process() has said so */
    hcs_error broken_error;
};

void varlink_message_init(struct varlink_message *m)
{
    assert(m);
    m->json = NULL;
    m->n_fds = 0;
    for (size_t i = 0; i < VARLINK_FDS_MAX; i++)
        m->fds[i] = -1;
}

void varlink_message_done(struct varlink_message *m)
{
    assert(m);
    json_decref(m->json);
    for (size_t i = 0; i < m->n_fds; i++)
        socket_drop_fd(&m->fds[i]);
    varlink_message_init(m);
}

hcs_result varlink_new(os_socket take_fd, size_t in_max, size_t out_max, struct varlink **out,
                       hcs_error *err)
{
    _cleanup_(socket_drop) os_socket fd = take_fd;
    hcs_result r;
    struct varlink *v;

    assert(take_fd != SOCKET_NONE && out);
    assert(in_max > 0 && in_max < SIZE_MAX / 4 && out_max > 0 && out_max < SIZE_MAX / 4);
    r = socket_set_blocking(fd, 0, err);
    if (r < 0)
        return r;
    v = calloc(1, sizeof(*v));
    if (!v)
        return fail(err, HCS_E_OUTOFMEMORY, "varlink.new", "no memory for a connection");
    v->fd = TAKE_SOCKET(fd);
    v->in_max = in_max;
    v->out_max = out_max;
    v->broken_error = (hcs_error) HCS_ERROR_INIT;
    list_init(&v->marks);
    buf_init(&v->in, in_max + READ_AT_ONCE);
    /* Twice: what is sent already is moved away only when it is half of it all. */
    buf_init(&v->out, 2 * out_max);
    *out = v;
    return HCS_OK;
}

static void mark_drop(struct out_mark *mark)
{
    for (size_t i = 0; i < mark->n_fds; i++)
        fd_drop(&mark->fds[i]);
    list_remove(&mark->node);
    free(mark);
}

static void output_discard(struct varlink *v)
{
    list_for_each(&v->marks, node) mark_drop(container_of(node, struct out_mark, node));
    buf_done(&v->out);
    v->out_start = 0;
}

static void input_discard(struct varlink *v)
{
    for (size_t i = 0; i < v->n_in_fds; i++)
        socket_drop_fd(&v->in_fds[i].fd);
    v->n_in_fds = 0;
    buf_done(&v->in);
    v->in_start = v->in_scanned = 0;
    v->in_complete = false;
}

void varlink_drop(struct varlink *v)
{
    if (!v)
        return;
    input_discard(v);
    output_discard(v);
    socket_drop(&v->fd);
    free(v);
}

hcs_result varlink_detach(struct varlink *take_v, os_socket *out, hcs_error *err)
{
    hcs_result r;

    assert(take_v && out);
    assert(varlink_unsent(take_v) == 0);
    if (take_v->in_start < take_v->in.length) {
        r = fail(err, HCS_E_PROTOCOL_ERROR, "varlink.detach",
                 "the peer sent %zu bytes before it had the answer that ends the messages",
                 take_v->in.length - take_v->in_start);
    } else {
        r = socket_set_blocking(take_v->fd, 1, err);
        if (r >= 0)
            *out = TAKE_SOCKET(take_v->fd);
    }
    varlink_drop(take_v);
    return r;
}

os_socket varlink_fd(const struct varlink *v)
{
    assert(v);
    return v->fd;
}

size_t varlink_unsent(const struct varlink *v)
{
    assert(v);
    return v->out.length - v->out_start;
}

size_t varlink_partial(const struct varlink *v)
{
    assert(v);
    return v->in_complete ? 0 : v->in.length - v->in_start;
}

size_t varlink_untaken(const struct varlink *v)
{
    assert(v);
    return v->in.length - v->in_start;
}

int varlink_peer_closed(const struct varlink *v)
{
    assert(v);
    return v->peer_closed;
}

int varlink_send_lost(const struct varlink *v)
{
    assert(v);
    return v->peer_deaf;
}

int varlink_ready(const struct varlink *v)
{
    assert(v);
    return v->in_complete;
}

short varlink_events(const struct varlink *v)
{
    short events = 0;

    assert(v);
    if (!v->in_complete && !v->peer_closed && !v->broken_told)
        events |= POLLIN;
    if (varlink_unsent(v) > 0)
        events |= POLLOUT;
    /* Asks for what is there nearly always: the owner shall hear that it is broken. */
    if (!v->in_complete && v->broken < 0 && !v->broken_told)
        events |= POLLOUT;
    return events;
}

/* Nothing is read any more.  What is complete may still be taken, and what waits is sent: the
 * owner may want to say why it goes. */
static void connection_break(struct varlink *v, hcs_result r)
{
    assert(r < 0);
    if (v->broken == 0)
        v->broken = r;
}

/* ---- input ---- */

/* Look for the end of the first message, from where the last look ended. */
static void input_scan(struct varlink *v)
{
    const char *nul;

    if (v->in_complete || v->in_scanned == v->in.length)
        return;
    nul = memchr(v->in.data + v->in_scanned, '\0', v->in.length - v->in_scanned);
    v->in_scanned = nul ? (size_t) (nul - v->in.data) : v->in.length;
    if (v->in_scanned - v->in_start <= v->in_max) {
        v->in_complete = nul != NULL;
        return;
    }
    connection_break(v, fail(&v->broken_error, HCS_E_WIN32_INSUFFICIENT_BUFFER, "varlink.receive",
                             "a message of more than %zu bytes", v->in_max));
    input_discard(v);
}

/* Number of descriptors that already belong to the message with the byte at @last. */
static size_t fds_of_message(const struct varlink *v, size_t last)
{
    size_t first = last, n = 0;

    while (first > v->in_start && v->in.data[first - 1] != '\0')
        first--;
    for (size_t i = 0; i < v->n_in_fds; i++)
        n += v->in_fds[i].at >= first;
    return n;
}

/* Remember the descriptors that came with the last byte of the input. */
static void input_fds(struct varlink *v, int fds[VARLINK_FDS_MAX], int n)
{
    size_t last = v->in.length - 1;

    if (n == 0)
        return;
    if (n < 0 || fds_of_message(v, last) + (size_t) n > VARLINK_FDS_MAX) {
        while (n > 0)
            socket_drop_fd(&fds[--n]);
        connection_break(v, fail(&v->broken_error, HCS_E_PROTOCOL_ERROR, "varlink.receive",
                                 "a message with more than %d file descriptors, or more than this "
                                 "process may open",
                                 VARLINK_FDS_MAX));
        return;
    }
    for (int i = 0; i < n; i++) {
        assert(v->n_in_fds < IN_FDS_MAX);
        v->in_fds[v->n_in_fds++] = (struct in_fd){ .at = last, .fd = fds[i] };
    }
}

/* Give back what has been taken: the front, and the memory when all of it has. */
static void input_compact(struct varlink *v)
{
    if (v->in_start == v->in.length && v->in.capacity > KEEP_EMPTY)
        buf_done(&v->in);
    else if (v->in_start > 0)
        buf_consume(&v->in, v->in_start);
    for (size_t i = 0; i < v->n_in_fds; i++)
        v->in_fds[i].at -= v->in_start;
    v->in_scanned -= v->in_start;
    v->in_start = 0;
}

/* One read of at most @room bytes.  Returns whether there may be more at once. */
static bool input_read(struct varlink *v, size_t room)
{
    int fds[VARLINK_FDS_MAX], n_fds;
    hcs_result r;
    ssize_t n;

    r = buf_reserve(&v->in, room);
    if (r < 0) {
        connection_break(v, fail(&v->broken_error, r, "varlink.receive",
                                 "no memory for a message of "
                                 "more than %zu bytes",
                                 v->in.length));
        return false;
    }
    n = socket_receive(v->fd, v->in.data + v->in.length, room, fds, &n_fds);
    if (n == -EAGAIN)
        return false;
    if (n <= 0) {
        v->peer_closed = true;
        if (n < 0)
            connection_break(v, fail_os(&v->broken_error, HCS_E_SERVICE_DISCONNECT, (int) -n,
                                        "varlink.receive", "connection lost"));
        return false;
    }
    v->in.length += (size_t) n;
    v->in.data[v->in.length] = '\0';
    input_fds(v, fds, n_fds);
    if (v->broken == 0)
        input_scan(v);
    return (size_t) n == room;
}

static void input_process(struct varlink *v)
{
    if (v->in_complete || v->peer_closed)
        return;
    input_compact(v);
    if (input_read(v, READ_FIRST) && !v->in_complete && v->broken == 0)
        input_read(v, READ_AT_ONCE - READ_FIRST);
}

/* Forget the complete message at the front and look for the next. */
static void input_advance(struct varlink *v)
{
    size_t kept = 0;

    v->in_start = ++v->in_scanned;
    v->in_complete = false;
    for (size_t i = 0; i < v->n_in_fds; i++) {
        if (v->in_fds[i].at >= v->in_start)
            v->in_fds[kept++] = v->in_fds[i];
    }
    v->n_in_fds = kept;
    input_scan(v);
    if (v->in_start == v->in.length)
        input_compact(v);
}

static hcs_result message_parse(const char *bytes, size_t n, json_t **out, hcs_error *err)
{
    json_error_t why;
    json_t *json = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &why);

    if (json_is_object(json)) {
        *out = json;
        return HCS_OK;
    }
    if (json) {
        json_decref(json);
        return fail(err, HCS_E_INVALID_JSON, "varlink.receive",
                    "line 1, column 1: a message must be an object");
    }
    if (json_error_code(&why) == json_error_out_of_memory)
        return fail(err, HCS_E_OUTOFMEMORY, "varlink.receive",
                    "no memory for a message of %zu bytes", n);
    return fail(err, HCS_E_INVALID_JSON, "varlink.receive", "line %d, column %d: %s", why.line,
                why.column, why.text);
}

hcs_result varlink_take(struct varlink *v, struct varlink_message *out, hcs_error *err)
{
    json_t *json = NULL;
    hcs_result r;

    assert(v && out);
    if (!v->in_complete)
        return 0;
    r = message_parse(v->in.data + v->in_start, v->in_scanned - v->in_start, &json, err);
    if (r == HCS_OK) {
        varlink_message_init(out);
        out->json = json;
    }
    for (size_t i = 0; i < v->n_in_fds; i++) {
        if (v->in_fds[i].at > v->in_scanned)
            continue;
        if (r == HCS_OK)
            out->fds[out->n_fds++] = v->in_fds[i].fd;
        else
            socket_drop_fd(&v->in_fds[i].fd);
    }
    input_advance(v);
    return r < 0 ? r : 1;
}

/* Whether descriptors came with the message at the front. */
static bool has_fds(const struct varlink *v)
{
    return v->n_in_fds > 0 && v->in_fds[0].at <= v->in_scanned;
}

int varlink_peek(const struct varlink *v, const char **out, size_t *out_length)
{
    if (!v->in_complete || has_fds(v))
        return 0;
    *out = v->in.data + v->in_start;
    *out_length = v->in_scanned - v->in_start;
    return 1;
}

void varlink_skip(struct varlink *v)
{
    assert(v->in_complete && !has_fds(v));
    input_advance(v);
}

/* ---- output ---- */

/* Bytes that the next send may have; *@out_mark is the message with descriptors that they
 * are of, or NULL. */
static size_t output_piece(const struct varlink *v, struct out_mark **out_mark)
{
    struct out_mark *mark = list_first(&v->marks, struct out_mark, node);
    size_t n = varlink_unsent(v);

    *out_mark = NULL;
    if (!mark)
        return n;
    assert(mark->end > v->out_position);
    if (mark->begin > v->out_position)
        return (size_t) (mark->begin - v->out_position);
    *out_mark = mark;
    return (size_t) (mark->end - v->out_position);
}

static void output_sent(struct varlink *v, size_t n, struct out_mark *mark)
{
    v->out_start += n;
    v->out_position += n;
    if (mark) {
        /* They went with the first byte; what is left of the message goes without. */
        while (mark->n_fds > 0)
            fd_drop(&mark->fds[--mark->n_fds]);
        if (mark->end == v->out_position)
            mark_drop(mark);
    }
    if (varlink_unsent(v) > 0)
        return;
    v->out_start = 0;
    if (v->out.capacity > KEEP_EMPTY)
        buf_done(&v->out);
    else
        buf_consume(&v->out, v->out.length);
}

static void output_process(struct varlink *v)
{
    size_t total = 0;

    while (varlink_unsent(v) > 0 && total < SEND_AT_ONCE) {
        struct out_mark *mark;
        size_t n = output_piece(v, &mark);
        ssize_t sent = socket_send(v->fd, v->out.data + v->out_start, n, mark ? mark->fds : NULL,
                                   mark ? mark->n_fds : 0);

        if (sent == -EAGAIN)
            return;
        if (sent == -EPIPE || sent == -ECONNRESET) {
            /* The peer may have answered before it went: its last words are still read. */
            v->peer_deaf = true;
            output_discard(v);
            return;
        }
        if (sent < 0) {
            v->peer_deaf = true;
            output_discard(v);
            connection_break(v, fail_os(&v->broken_error, result_from_os((int) -sent), (int) -sent,
                                        "varlink.send", "%zu bytes", n));
            return;
        }
        output_sent(v, (size_t) sent, mark);
        total += (size_t) sent;
    }
}

void varlink_flush(struct varlink *v)
{
    assert(v);
    output_process(v);
}

hcs_result varlink_process(struct varlink *v, hcs_error *err)
{
    assert(v);
    output_process(v);
    if (v->broken == 0)
        input_process(v);
    if (v->in_complete)
        return HCS_OK;
    if (v->broken < 0) {
        v->broken_told = true;
        error_copy(err, &v->broken_error);
        return v->broken;
    }
    if (!v->peer_closed)
        return HCS_OK;
    if (varlink_partial(v) > 0)
        return fail(err, HCS_E_SERVICE_DISCONNECT, "varlink.receive",
                    "the peer closed after %zu bytes of an incomplete message", varlink_partial(v));
    return fail(err, HCS_E_SERVICE_DISCONNECT, "varlink.receive", "the peer closed the connection");
}

static hcs_result mark_new(const struct varlink *v, size_t length, const int *fds, size_t n_fds,
                           struct out_mark **out, hcs_error *err)
{
    struct out_mark *mark = calloc(1, sizeof(*mark));

    if (!mark)
        return fail(err, HCS_E_OUTOFMEMORY, "varlink.send", "no memory for file descriptors");
    list_init(&mark->node);
    mark->begin = v->out_position + varlink_unsent(v);
    mark->end = mark->begin + length + 1;
    for (size_t i = 0; i < n_fds; i++) {
        hcs_result r = socket_copy_fd(fds[i], &mark->fds[i], err);

        if (r < 0) {
            mark_drop(mark);
            return r;
        }
        mark->n_fds++;
    }
    *out = mark;
    return HCS_OK;
}

/* Whether a message of @length bytes may be queued, and room for it. */
static hcs_result output_reserve(struct varlink *v, size_t length, hcs_error *err)
{
    size_t unsent = varlink_unsent(v);
    hcs_result r;

    if (v->peer_deaf)
        return fail(err, HCS_E_SERVICE_DISCONNECT, "varlink.send", "the connection is gone");
    if (length >= v->out_max || unsent > v->out_max - length - 1)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "varlink.send",
                    "a message of %zu bytes when %zu wait to be sent; the limit is %zu", length,
                    unsent, v->out_max);
    if (v->out_start >= unsent) {
        buf_consume(&v->out, v->out_start);
        v->out_start = 0;
    }
    r = buf_reserve(&v->out, length + 1);
    if (r < 0)
        return fail(err, r, "varlink.send", "no memory for a message of %zu bytes", length);
    return HCS_OK;
}

static void output_append(struct varlink *v, const char *bytes, size_t n)
{
    hcs_result r = n > 0 ? buf_append(&v->out, bytes, n) : HCS_OK;

    /* output_reserve() has made the room. */
    assert(r == HCS_OK);
    (void) r;
}

static hcs_result check_no_nul(const char *bytes, size_t n, hcs_error *err)
{
    if (n > 0 && memchr(bytes, '\0', n))
        return fail(err, HCS_E_INVALIDARG, "varlink.send", "a NUL inside a message of %zu bytes",
                    n);
    return HCS_OK;
}

hcs_result varlink_send_text(struct varlink *v, const char *text, size_t length, const int *fds,
                             size_t n_fds, hcs_error *err)
{
    struct out_mark *mark = NULL;
    hcs_result r;

    assert(v && text && (fds || n_fds == 0));
    if (n_fds > VARLINK_FDS_MAX)
        return fail(err, HCS_E_INVALIDARG, "varlink.send",
                    "%zu file descriptors in a message; %d are allowed", n_fds, VARLINK_FDS_MAX);
    r = check_no_nul(text, length, err);
    if (r < 0)
        return r;
    r = output_reserve(v, length, err);
    if (r < 0)
        return r;
    if (n_fds > 0) {
        r = mark_new(v, length, fds, n_fds, &mark, err);
        if (r < 0)
            return r;
        list_append(&v->marks, &mark->node);
    }
    output_append(v, text, length);
    output_append(v, "", 1);
    return HCS_OK;
}

hcs_result varlink_send(struct varlink *v, const json_t *message, const int *fds, size_t n_fds,
                        hcs_error *err)
{
    _cleanup_(free_drop) char *text = NULL;

    assert(v && json_is_object(message));
    text = json_dumps(message, JSON_COMPACT);
    if (!text)
        return fail(err, HCS_E_OUTOFMEMORY, "varlink.send", "no memory for a message");
    return varlink_send_text(v, text, strlen(text), fds, n_fds, err);
}

hcs_result varlink_send_pieces(struct varlink *v, const char *prefix, size_t n_prefix,
                               const char *body, size_t n_body, const char *suffix, size_t n_suffix,
                               hcs_error *err)
{
    hcs_result r;

    assert(v && (prefix || n_prefix == 0) && (body || n_body == 0) && (suffix || n_suffix == 0));
    if ((r = check_no_nul(prefix, n_prefix, err)) < 0 ||
        (r = check_no_nul(body, n_body, err)) < 0 || (r = check_no_nul(suffix, n_suffix, err)) < 0)
        return r;
    if (n_body > v->out_max || n_prefix > v->out_max || n_suffix > v->out_max)
        return fail(err, HCS_E_WIN32_INSUFFICIENT_BUFFER, "varlink.send",
                    "a piece of %zu bytes; the limit is %zu", n_body, v->out_max);
    r = output_reserve(v, n_prefix + n_body + n_suffix, err);
    if (r < 0)
        return r;
    output_append(v, prefix, n_prefix);
    output_append(v, body, n_body);
    output_append(v, suffix, n_suffix);
    output_append(v, "", 1);
    return HCS_OK;
}
