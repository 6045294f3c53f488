/* service.h - a Varlink service inside a test, that does what the test says.
 *
 * One thread serves all clients.  Each request goes to the handler of the test, on that thread;
 * what the test wants to do later it does there too, by service_do(). */
#ifndef HCS_TESTS_SERVICE_H
#define HCS_TESTS_SERVICE_H

#include <stdbool.h>

#include "loopback.h"
#include "monitor.h"
#include "varlink.h"

#define CLIENTS_MAX 64

struct client {
    struct varlink *link;
    bool go; /* close the connection after sending what waits */
};

struct service;
typedef void service_handler(struct service *s, struct client *c, const char *method,
                             const json_t *parameters, struct varlink_message *message);

struct service {
    char directory[88];
    char path[96];
    int listen_fd;
    int wake_fd;
    bool leave_when_alone;
    bool stop;
    service_handler *handler; /* false names go to it too: it answers everything */
    struct client *clients[CLIENTS_MAX];
    size_t n_clients;
    unsigned n_accepted;
    struct service_thread *runs;
    struct monitor monitor;
    void (*work)(struct service *s, void *context);
    void *context;
};

/* A service at a socket in a new directory; stopping removes both. */
#ifndef _WIN32
void service_start(struct service *s, service_handler *handler);
#endif
void service_stop(struct service *s);

/* One of these two, as the system has it; @address is what hcs_host_open() takes, and the token
 * file is in the environment. */
void service_start_here(struct service *s, service_handler *handler, char *address, size_t size);

/* The same at a port of the loopback; @at learns which.  The path is for a token file. */
void service_start_tcp(struct service *s, service_handler *handler, struct loopback *at);

/* Serve on @listen_fd in this thread until the last client has left. */
void service_run(struct service *s, int listen_fd, service_handler *handler);

/* Run @work on the thread of the service and wait for it. */
void service_do(struct service *s, void (*work)(struct service *s, void *context), void *context);

/* Close all connections, as a service does that goes away; the socket stays. */
void service_hang_up(struct service *s);

/* Answers.  @parameters is JSON text. */
void client_reply(struct client *c, const char *parameters);
void client_reply_fds(struct client *c, const char *parameters, const int *fds, size_t n_fds);
void client_continue(struct client *c, const char *parameters);
void client_error(struct client *c, const char *error, const char *parameters);

#endif
