/* tcp.h - a service at a TCP port of this machine, and standard handles that are connections. */
#ifndef HCS_LIB_VARLINK_TCP_H
#define HCS_LIB_VARLINK_TCP_H

#include "handles.h"
#include "loopback.h"

#define GREETING_MAX 256 /* bytes of the call that shows the token */

/* ---- token.c ---- */

#define TOKEN_MAX 128

/* Port and token from the file that $HCS_TOKEN_FILE names.
 * HCS_E_ACCESS_DENIED it is not for this user alone, or no token file ·
 * HCS_E_SERVICE_NOT_AVAILABLE it is not there, as when the service is not. */
_must_use_ hcs_result token_read(uint16_t *out_port, char out_token[TOKEN_MAX], hcs_error *err);

/* ---- tcp.c ---- */

/* Connect to @address, at the port of the token file when it has none.  The first message on the
 * connection has to be @out_greeting. */
_must_use_ hcs_result tcp_connect(const struct loopback *address, os_socket *out,
                                  char out_greeting[GREETING_MAX], hcs_error *err);

/* For each pipe that @document asks for, a connection that becomes the standard handle, named in
 * @parameters; ours of them in @out, SOCKET_NONE where there is none.  Handles of the caller are
 * refused. */
_must_use_ hcs_result tcp_stdio(struct vl_host *host, const char *document,
                                const hcs_stdio *stdio_opt, json_t *parameters, os_socket out[3],
                                hcs_error *err);

/* The process has been created: its handles are with it. */
void tcp_stdio_claimed(const os_socket stdio[3]);

#endif
