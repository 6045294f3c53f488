/* ticket.c - connections that have become standard handles and wait for their program.
 *
 * Owns:    each such connection from the answer of OpenStdio until CreateProcess names its ticket.
 * Users:   connection.c makes them, methods.c takes them.  Loop thread only.
 * Promise: at most TICKETS_MAX, for TICKET_SECONDS each and no longer than their clients are there;
 *          what comes on one is not read here: it is for the program. */

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "err.h"
#include "log.h"
#include "server.h"

#define TICKET_BYTES 16u

struct ticket {
    struct list link;
    struct server *server;
    struct account *account;
    char name[2 * TICKET_BYTES + 1];
    os_socket fd; /* SOCKET_NONE until the answer with its name is on its way */
    sd_event_source *deadline;
    sd_event_source *watch; /* for its client going away */
};

void ticket_drop(struct ticket *t)
{
    if (!t)
        return;
    sd_event_source_disable_unref(t->deadline);
    sd_event_source_disable_unref(t->watch);
    socket_drop(&t->fd);
    list_remove(&t->link);
    t->server->n_tickets--;
    account_change(t->account, LIMIT_TICKETS, 1, 0);
    free(t);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *context)
{
    struct ticket *t = context;

    (void) source;
    (void) usec;
    log_line(LOG_LINE_NOTICE,
             "a connection waited %u s for the program that it is a standard "
             "handle of: closed",
             TICKET_SECONDS);
    ticket_drop(t);
    return 0;
}

hcs_result ticket_new(struct server *s, struct account *account, struct ticket **out,
                      hcs_error *err)
{
    struct ticket *t;
    hcs_result r;

    if (s->n_tickets >= s->tickets_max)
        return fail(err, HCS_E_WIN32_BUSY, "hcsd.ticket",
                    "%u connections wait for their programs already, as many as are allowed; each "
                    "waits %u s at most",
                    s->n_tickets, TICKET_SECONDS);
    t = calloc(1, sizeof *t);
    if (!t)
        return fail(err, HCS_E_OUTOFMEMORY, "hcsd.ticket", "no memory");
    t->server = s;
    t->account = account;
    account_change(account, LIMIT_TICKETS, 0, 1);
    t->fd = SOCKET_NONE;
    list_append(&s->tickets, &t->link);
    s->n_tickets++;
    r = random_name(t->name, TICKET_BYTES, err);
    if (r >= 0 && sd_event_add_time_relative(s->loop, &t->deadline, CLOCK_MONOTONIC, s->ticket_us,
                                             0, on_deadline, t) < 0)
        r = fail(err, HCS_E_OUTOFMEMORY, "hcsd.ticket", "no memory");
    if (r < 0)
        ticket_drop(t);
    else
        *out = t;
    return r;
}

const char *ticket_name(const struct ticket *t)
{
    return t->name;
}

static int on_gone(sd_event_source *source, int fd, uint32_t revents, void *context)
{
    (void) source;
    (void) fd;
    (void) revents;
    ticket_drop(context);
    return 0;
}

/* What the client sends is not looked at; that it has gone, without having named its ticket, is. */
void ticket_fill(struct ticket *t, os_socket take_fd)
{
    t->fd = take_fd;
    if (sd_event_add_io(t->server->loop, &t->watch, take_fd, EPOLLRDHUP, on_gone, t) < 0)
        ticket_drop(t);
}

os_socket ticket_take(struct server *s, const char *name)
{
    list_for_each(&s->tickets, n)
    {
        struct ticket *t = container_of(n, struct ticket, link);

        if (t->fd != SOCKET_NONE && strcmp(t->name, name) == 0) {
            os_socket fd = TAKE_SOCKET(t->fd);

            ticket_drop(t);
            return fd;
        }
    }
    return SOCKET_NONE;
}

void tickets_drop(struct server *s)
{
    list_for_each(&s->tickets, n) ticket_drop(container_of(n, struct ticket, link));
}
