/* transport.h - bytes, and the descriptors that go with them, over a connected non-blocking stream
 * socket: once for each system.
 *
 * Windows has no passing of descriptors: there a message with any is refused, and none ever comes.
 */
#ifndef HCS_WIRE_TRANSPORT_H
#define HCS_WIRE_TRANSPORT_H

#include "attr.h"
#include "hcs/error.h"

/* What poll() and WSAPoll() ask for and answer. */
#ifdef _WIN32
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <winsock2.h>
#else
#include <poll.h>
#endif

enum {
    TRANSPORT_FDS_MAX = 4 /* with one piece */
};

enum transport {
    TRANSPORT_DONE,   /* some bytes moved */
    TRANSPORT_AGAIN,  /* none could be moved without waiting */
    TRANSPORT_CLOSED, /* the peer has closed; of a send: it will read no more */
    TRANSPORT_FAILED  /* see os */
};

struct transport_in {
    size_t n_bytes;
    int fds[TRANSPORT_FDS_MAX]; /* owned by the caller */
    int n_fds;                  /* -1: some were lost or there are too many, and none is open */
    int os;                     /* TRANSPORT_FAILED */
};

/* At most @room bytes into @to. */
enum transport transport_receive(int fd, char *to, size_t room, struct transport_in *out);

/* Of the @n bytes what can be sent at once; @fds go with the first byte. */
enum transport transport_send(int fd, const char *bytes, size_t n, const int *fds, size_t n_fds,
                              size_t *out_sent, int *out_os);

/* A second descriptor of the same thing, to be sent later. */
_must_use_ hcs_result transport_duplicate(int fd, int *out, hcs_error *err);

#endif
