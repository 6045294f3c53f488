/* server.h - inside of hcsd: the listening socket, connections, methods. */
#ifndef HCS_HCSD_SERVER_H
#define HCS_HCSD_SERVER_H

#include <systemd/sd-event.h>

#include "access.h"
#include "account.h"
#include "engine.h"
#include "identity.h"
#include "tcp.h"
#include "varlink.h"

#define IN_MAX ((size_t) 4 << 20)          /* largest message from a client */
#define OUT_MAX ((size_t) 64 << 20)        /* answers; streams stop far below */
#define STREAM_BUDGET ((size_t) 256 << 10) /* unsent bytes of a stream before it waits */
#define PARTIAL_SECONDS 30u /* a half message may wait this long for its other half */

#define TICKETS_MAX 1024u  /* standard handles that wait for their program */
#define TICKET_SECONDS 30u /* and how long each may wait */

struct ticket;

struct server {
    sd_event *loop;
    struct engine *engine;
    sd_event_source *listening;
    sd_event_source *idle;
    sd_event_source *stopping; /* the deadline of an orderly end */
    sd_event_source *leaving;  /* a look whether the successor has to wait any longer */
    uint64_t leave_at_ns;      /* monotonic; when it does not in any case */
    int listen_fd;
    int successor_fd; /* the connection of the hcsd that takes over; -1 none */
    int null_fd;      /* /dev/null, for standard handles nobody gave */
    int activated;    /* the socket is the service manager's */
    int automatic;    /* a client has started us, and may start the next one */
    int for_group;    /* the socket is for the group that may use the service; one that a client or
                         the manager made keeps its mode */
    char *socket_path;
    struct list connections;
    uint32_t n_connections;
    uint64_t last_connection; /* its number; they are counted from 1 */
    struct access access;
    struct accounts accounts;
    int streams_wait;      /* there are events that were queued and are not on their way yet */
    uint64_t idle_exit_us; /* 0: stay */
    char host_id[HOST_ID_SIZE];
    uint64_t started_ns; /* realtime */
    uint64_t started_monotonic_ns;
    uint64_t gaps_told;     /* to all readers */
    uint64_t events_missed; /* those in them */
    struct driver *drivers[2];
    size_t n_drivers;
    const char *no_namespaces;
    int shared;
    struct tcp tcp;
    struct list tickets;
    uint32_t n_tickets;
    uint32_t tickets_max; /* TICKETS_MAX, or less where descriptors are few */
    uint64_t ticket_us;   /* TICKET_SECONDS; tests are less patient */
};

struct method;

enum connection_kind { CONNECTION_UNIX, CONNECTION_TCP };

struct connection {
    struct list link;
    struct server *server;
    struct varlink *varlink;
    sd_event_source *io;
    sd_event_source *partial; /* the deadline of a half message */
    enum connection_kind kind;
    uint64_t number;
    char peer[32];   /* "of uid 0", for the log */
    uint64_t client; /* streams of the same one take turns as one: of a unix socket's program */
    struct account *account; /* whose it is; NULL of a stranger */
    uint64_t cost[N_LIMITS]; /* what of it is counted there */
    int closing;             /* when what waits has been sent */
    int again; /* a message may wait in our own buffer: look without being woken by the client */

    const struct method *method; /* the call under way, or NULL */
    struct call call;
    int was_answered; /* a call of it, ever */
    int oneway;
    int back_fds[3]; /* our ends of pipes, to go with the answer; -1 */
    struct sub sub;
    int streaming;
    uint64_t gaps;   /* that the stream was told */
    uint64_t missed; /* events in them */

    int is_stranger;           /* over TCP, and has not shown the token */
    struct list stranger_link; /* of them */
    sd_event_source *patience; /* with it */
    int counted;               /* as refused */
    int draining;              /* it was refused, and what it still sends is thrown away */
    struct ticket *ticket;     /* OpenStdio was its last call */
};

/* Say in the log that somebody was refused, for the @count-th time, but not each time: whoever
 * tries again and again shall not fill it. */
void server_tell_refused(uint64_t count, const char *who, const char *why);

/* listen.c */
_must_use_ hcs_result listen_begin(struct server *s, const char *socket_path_opt, hcs_error *err);
_must_use_ hcs_result listen_serve(struct server *s, hcs_error *err); /* accept, from here on */
_must_use_ hcs_result listen_take(struct server *s, const char *path, int take_fd, hcs_error *err);
void listen_end(struct server *s);
void server_check_idle(struct server *s);
void server_stop(struct server *s);

/* replace.c: the running hcsd hands its socket over and leaves once it has answered */
_must_use_ hcs_result replace_hand_over(struct connection *c, int *out_listen_fd, hcs_error *err);
void replace_leave(struct server *s);
void replace_end(struct server *s);

/* Have the hcsd that serves @path hand its listening socket over, and wait until it has left;
 * blocks. 1 and @out_fd is owned, 0 nobody serves there. */
_must_use_ hcs_result replace_take_over(const char *path, int *out_fd, hcs_error *err);

/* connection.c */
void connection_new(struct server *s, os_socket take_fd, enum connection_kind kind);
void connection_drop(struct connection *c);
void connection_update(struct connection *c);

/* Count the connection as one of @uid's. */
_must_use_ hcs_result connection_enter(struct connection *c, uid_t uid, hcs_error *err);
void connection_reply(struct connection *c, const json_t *parameters, int continues);
void connection_reply_fds(struct connection *c, const json_t *parameters, const int *fds,
                          size_t n_fds);
void connection_reply_error(struct connection *c, const char *error, json_t *take_parameters);
void connection_reply_failure(struct connection *c, const hcs_error *err);
void connection_call_done(struct connection *c);

/* Send the events that are queued, as far as their readers take them. */
void connections_flush_streams(struct server *s);

/* methods.c: begin the call in @message. */
void method_call(struct connection *c, struct varlink_message *message);

/* stranger.c: a connection over TCP until it has shown the token. */
_must_use_ int stranger_begin(struct connection *c);              /* negative errno */
void stranger_end(struct connection *c);                          /* of any connection */
void stranger_call(struct connection *c, const json_t *call_opt); /* NULL: what came was no call */
void stranger_refuse(struct connection *c, const char *text);
_must_use_ int stranger_drain(struct connection *c); /* 1: nothing more will come */

/* ticket.c: connections that have become standard handles and wait for their program. */
_must_use_ hcs_result ticket_new(struct server *s, struct account *account, struct ticket **out,
                                 hcs_error *err);
const char *ticket_name(const struct ticket *t);
void ticket_fill(struct ticket *t, os_socket take_fd);
void ticket_drop(struct ticket *t);
void tickets_drop(struct server *s);

/* Owned, blocking; SOCKET_NONE: there is no such ticket, or no longer. */
_must_use_ os_socket ticket_take(struct server *s, const char *name);

/* subscribe.c: the stream, and positions on the wire; NULL when out of memory. */
void subscribe_begin(struct connection *c, const json_t *p, struct varlink_message *message);
json_t *position_to_json(const struct server *s, const struct sub_position *at);

/* status.c: what GetInfo and GetStatus answer; NULL when out of memory. */
json_t *info_object(const struct server *s);
json_t *status_object(const struct server *s);

/* sink.c */
extern const struct sub_sink connection_sink;

#endif
