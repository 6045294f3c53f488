/* loopback.h - addresses of TCP on this machine alone: 127.0.0.0/8 and ::1.
 *
 * Never a name: names are looked up, and what they mean is for others to say. */
#ifndef HCS_WIRE_LOOPBACK_H
#define HCS_WIRE_LOOPBACK_H

#include <stdint.h>

#include "socket.h"

#define LOOPBACK_PREFIX "tcp:"
#define LOOPBACK_TEXT_MAX 64

struct loopback {
    int is_six;               /* ::1 */
    unsigned char address[4]; /* otherwise */
    uint16_t port;            /* 0: the system's choice when listening, not known when connecting */
};

/* "127.0.0.1:PORT" or "[::1]:PORT", with the prefix or without; the port may be left out, and is
 * 0 then.
 * HCS_E_INVALIDARG it is of another form, or an address that others can reach. */
_must_use_ hcs_result loopback_parse(const char *text, const char *where, struct loopback *out,
                                     hcs_error *err);

/* As it was parsed. */
void loopback_text(const struct loopback *l, char out[LOOPBACK_TEXT_MAX]);

#ifndef _WIN32

/* Listen there, on the loopback device where the system lets us say so, without blocking; @l learns
 * the port. */
_must_use_ hcs_result loopback_listen(struct loopback *l, os_socket *out, hcs_error *err);

/* The next client, not blocking and prompt: 1; 0 there is none; negative: -errno.  A client that
 * is not of this machine is closed: 0, and *@out_refused is 1. */
int loopback_accept(os_socket listener, os_socket *out, int *out_refused);

#endif

/* HCS_E_SERVICE_NOT_AVAILABLE nobody listens there. */
_must_use_ hcs_result loopback_connect(const struct loopback *l, os_socket *out, hcs_error *err);

#endif
