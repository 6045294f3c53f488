/* tcp.h - the TCP side of hcsd's socket: listening, the token, and what it counts. */
#ifndef HCS_HCSD_TCP_H
#define HCS_HCSD_TCP_H

#include <systemd/sd-event.h>

#include "list.h"
#include "loopback.h"

#define TOKEN_BYTES 32u
#define TOKEN_LENGTH (2 * TOKEN_BYTES) /* as text */
#define STRANGERS_MAX 16u              /* connections that have not shown the token */
#define STRANGER_SECONDS 5u            /* and how long each may be one */
#define STRANGER_BYTES 4096u           /* the most that one may send before it has shown it */

struct server;

struct tcp {
    os_socket listen_fd; /* SOCKET_NONE: hcsd does not listen on TCP */
    sd_event_source *listening;
    struct loopback address;
    char token[TOKEN_LENGTH + 1];
    char *token_file;
    int announced; /* the token file is there */
    uint64_t refused;
    struct list strangers; /* oldest first */
    uint32_t n_strangers;
    uint64_t patience_us; /* STRANGER_SECONDS; tests are less patient */
};

void tcp_init(struct tcp *t);

/* Take the port and make the token.  Nobody is served before tcp_serve(). */
_must_use_ hcs_result tcp_begin(struct server *s, const struct loopback *address,
                                const char *token_file, hcs_error *err);

/* Accept clients, and say in the token file how to be one.  Does nothing without tcp_begin(). */
_must_use_ hcs_result tcp_serve(struct server *s, hcs_error *err);
void tcp_end(struct server *s);

int tcp_token_is(const struct tcp *t, const char *given);
void tcp_refused(struct tcp *t, const char *why);

/* @n_bytes (at most TOKEN_BYTES) random bytes, as twice as many hexadecimal digits and a NUL. */
_must_use_ hcs_result random_name(char *out, size_t n_bytes, hcs_error *err);

#endif
