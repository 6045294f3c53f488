/* varlink.h - one Varlink connection, either role, without a loop and without a vocabulary.
 *
 * Messages are JSON objects ended by a NUL on a stream socket; file descriptors travel with
 * their message.  The owner polls varlink_fd() for varlink_events(), calls varlink_process()
 * when it is ready, and takes messages with varlink_take() until there is none.  Reading stops
 * while a complete message waits to be taken, so a peer cannot fill memory: the input buffer is one
 * message at most plus one read.
 */
#ifndef HCS_WIRE_VARLINK_H
#define HCS_WIRE_VARLINK_H

#include <jansson.h>

#include "attr.h"
#include "hcs/error.h"
#include "socket.h"

#define VARLINK_FDS_MAX SOCKET_FDS_MAX /* descriptors in one message */

struct varlink;

struct varlink_message {
    json_t *json;             /* owned object */
    int fds[VARLINK_FDS_MAX]; /* owned; -1 where taken */
    size_t n_fds;
};

void varlink_message_init(struct varlink_message *m);
void varlink_message_done(struct varlink_message *m);

/* Take @take_fd, a connected stream socket (also when it fails).  @in_max is the largest message
 * accepted, @out_max the most bytes that may wait to be sent. */
_must_use_ hcs_result varlink_new(os_socket take_fd, size_t in_max, size_t out_max,
                                  struct varlink **out, hcs_error *err);
void varlink_drop(struct varlink *v);
static inline void varlink_dropp(struct varlink **v)
{
    varlink_drop(*v);
}

os_socket varlink_fd(const struct varlink *v);

/* End the messages and go on with the bare connection: @out is owned, blocking, and what comes next
 * on it has not been read.  Nothing may wait to be sent.  @take_v is gone afterwards, also when it
 * fails: HCS_E_PROTOCOL_ERROR the peer has sent something already. */
_must_use_ hcs_result varlink_detach(struct varlink *take_v, os_socket *out, hcs_error *err);

/* POLLIN and POLLOUT as wanted now; 0 when it wants nothing. */
short varlink_events(const struct varlink *v);

/* Send what waits and read what is there, without blocking.
 * HCS_E_SERVICE_DISCONNECT the peer has closed and nothing is left to take ·
 * HCS_E_WIN32_INSUFFICIENT_BUFFER a message over @in_max · other codes: nothing is read any more.
 * What comes before the fault may be taken first; what waits to be sent is sent even after it. */
_must_use_ hcs_result varlink_process(struct varlink *v, hcs_error *err);

/* Only send what waits, without blocking; nothing is read. */
void varlink_flush(struct varlink *v);

/* Take a complete message: 1 and @out is filled, 0 there is none yet, negative:
 * HCS_E_INVALID_JSON, with line and column: it was not a JSON object (the frame is gone; the
 * connection can go on). */
_must_use_ hcs_result varlink_take(struct varlink *v, struct varlink_message *out, hcs_error *err);

/* The next complete message as it came, borrowed until anything else is done with @v: 1, or 0 when
 * there is none or it came with descriptors.  varlink_skip() takes it away. */
int varlink_peek(const struct varlink *v, const char **out, size_t *out_length);
void varlink_skip(struct varlink *v);

/* Queue a message: @text is a JSON object without the NUL, @fds are duplicated.
 * HCS_E_WIN32_INSUFFICIENT_BUFFER when @out_max would be passed: nothing was queued. */
_must_use_ hcs_result varlink_send_text(struct varlink *v, const char *text, size_t length,
                                        const int *fds, size_t n_fds, hcs_error *err);
_must_use_ hcs_result varlink_send(struct varlink *v, const json_t *message, const int *fds,
                                   size_t n_fds, hcs_error *err);

/* Queue one message made of three pieces without joining them first. */
_must_use_ hcs_result varlink_send_pieces(struct varlink *v, const char *prefix, size_t n_prefix,
                                          const char *body, size_t n_body, const char *suffix,
                                          size_t n_suffix, hcs_error *err);

/* Bytes that wait to be sent; bytes of an incomplete message that wait for the rest. */
size_t varlink_unsent(const struct varlink *v);
size_t varlink_partial(const struct varlink *v);

/* Bytes that were received and not taken yet, of messages that are complete or not. */
size_t varlink_untaken(const struct varlink *v);

/* 1 when a complete message waits to be taken. */
int varlink_ready(const struct varlink *v);

/* 1 when something queued could not be sent because the peer has closed: the peer did not get all
 * of it, and will never. */
int varlink_send_lost(const struct varlink *v);

/* 1 when the peer has closed its side (there may still be messages to take). */
int varlink_peer_closed(const struct varlink *v);

#endif
