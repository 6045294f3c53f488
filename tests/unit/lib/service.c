/* service.c - a Varlink service inside a test.  Used by the tests of the library.  What fails here
 * ends the test program: it is not what is tested. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "place.h"
#ifdef _WIN32
#include "process.h"
#endif
#include "thread.h"

struct service_thread {
    thread thread;
};

static void client_send(struct client *c, const char *prefix, const char *body, const char *suffix,
                        const int *fds, size_t n_fds)
{
    size_t size = strlen(prefix) + strlen(body) + strlen(suffix) + 1;
    char *text = malloc(size);
    hcs_result r;

    CHECK(text);
    snprintf(text, size, "%s%s%s", prefix, body, suffix);
    r = varlink_send_text(c->link, text, strlen(text), fds, n_fds, NULL);
    CHECK(r == HCS_OK || r == HCS_E_SERVICE_DISCONNECT);
    free(text);
    r = varlink_process(c->link, NULL);
    (void) r;
}

void client_reply(struct client *c, const char *parameters)
{
    client_send(c, "{\"parameters\":", parameters, "}", NULL, 0);
}

void client_reply_fds(struct client *c, const char *parameters, const int *fds, size_t n_fds)
{
    client_send(c, "{\"parameters\":", parameters, "}", fds, n_fds);
}

void client_continue(struct client *c, const char *parameters)
{
    client_send(c, "{\"parameters\":", parameters, ",\"continues\":true}", NULL, 0);
}

void client_error(struct client *c, const char *error, const char *parameters)
{
    char prefix[200];

    snprintf(prefix, sizeof(prefix), "{\"error\":\"%s\",\"parameters\":", error);
    client_send(c, prefix, parameters, "}", NULL, 0);
}

static void client_drop(struct service *s, size_t i)
{
    varlink_drop(s->clients[i]->link);
    free(s->clients[i]);
    s->clients[i] = s->clients[--s->n_clients];
}

static void service_accept(struct service *s)
{
    int fd = place_accept(s->listen_fd);
    struct client *c;
    hcs_result r;

    if (fd < 0)
        return;
    CHECK(s->n_clients < CLIENTS_MAX);
    c = calloc(1, sizeof(*c));
    CHECK(c);
    r = varlink_new(fd, (size_t) 32 << 20, (size_t) 32 << 20, &c->link, NULL);
    CHECK(r == HCS_OK);
    s->clients[s->n_clients++] = c;
    s->n_accepted++;
}

/* Whether the client is still there. */
static bool client_serve(struct service *s, struct client *c)
{
    hcs_result r = varlink_process(c->link, NULL);

    for (;;) {
        struct varlink_message m;

        varlink_message_init(&m);
        if (c->go || varlink_take(c->link, &m, NULL) <= 0)
            break;
        s->handler(s, c, json_string_value(json_object_get(m.json, "method")),
                   json_object_get(m.json, "parameters"), &m);
        varlink_message_done(&m);
    }
    return r >= 0 && !(c->go && varlink_unsent(c->link) == 0);
}

static void service_work(struct service *s)
{
    place_bell_clear(s->wake_fd);
    monitor_enter(&s->monitor);
    if (s->work) {
        s->work(s, s->context);
        s->work = NULL;
        monitor_tell(&s->monitor);
    }
    monitor_leave(&s->monitor);
}

static void service_loop(struct service *s)
{
    while (!s->stop && !(s->leave_when_alone && s->n_accepted > 0 && s->n_clients == 0)) {
        struct pollfd p[CLIENTS_MAX + 2] = { { .fd = s->listen_fd, .events = POLLIN },
                                             { .fd = s->wake_fd, .events = POLLIN } };
        size_t n = s->n_clients;

        for (size_t i = 0; i < n; i++)
            p[i + 2] = (struct pollfd){ .fd = varlink_fd(s->clients[i]->link),
                                        .events = varlink_events(s->clients[i]->link) };
        place_wait(p, n + 2);
        for (size_t i = n; i-- > 0;) {
            if ((p[i + 2].revents || s->clients[i]->go) && !client_serve(s, s->clients[i]))
                client_drop(s, i);
        }
        if (p[0].revents)
            service_accept(s);
        if (p[1].revents)
            service_work(s);
    }
    while (s->n_clients > 0)
        client_drop(s, 0);
}

THREAD_FUNCTION(service_main, context)
{
    service_loop(context);
    THREAD_RETURN;
}

static void service_init(struct service *s, service_handler *handler)
{
    memset(s, 0, sizeof(*s));
    s->handler = handler;
    s->wake_fd = place_bell();
    monitor_init(&s->monitor);
}

static void service_begin(struct service *s, int listen_fd)
{
    s->listen_fd = listen_fd;
    s->runs = calloc(1, sizeof(*s->runs));
    CHECK(s->runs);
    thread_start(&s->runs->thread, service_main, s);
}

void service_start_tcp(struct service *s, service_handler *handler, struct loopback *at)
{
    service_init(s, handler);
    place_make(s->directory, sizeof(s->directory));
    snprintf(s->path, sizeof(s->path), "%s/token", s->directory);
    service_begin(s, place_listen_tcp(at));
}

#ifndef _WIN32

void service_start(struct service *s, service_handler *handler)
{
    service_init(s, handler);
    place_make(s->directory, sizeof(s->directory));
    snprintf(s->path, sizeof(s->path), "%s/sock", s->directory);
    service_begin(s, place_listen(s->path));
}

void service_start_here(struct service *s, service_handler *handler, char *address, size_t size)
{
    service_start(s, handler);
    snprintf(address, size, "unix:%s", s->path);
}

#else

void service_start_here(struct service *s, service_handler *handler, char *address, size_t size)
{
    struct loopback at = { 0 };
    char line[40];

    service_start_tcp(s, handler, &at);
    snprintf(line, sizeof line, "%u abcdef\n", at.port);
    place_write_token(s->path, line);
    process_set_variable("HCS_TOKEN_FILE", s->path);
    snprintf(address, size, "tcp:127.0.0.1:%u", at.port);
}

#endif

static void work_stop(struct service *s, void *context)
{
    (void) context;
    s->stop = true;
}

static void service_done(struct service *s)
{
    fd_drop(&s->listen_fd);
    fd_drop(&s->wake_fd);
    monitor_done(&s->monitor);
}

void service_stop(struct service *s)
{
    service_do(s, work_stop, NULL);
    thread_join(s->runs->thread);
    free(s->runs);
    service_done(s);
    place_remove(s->directory);
}

void service_run(struct service *s, int listen_fd, service_handler *handler)
{
    service_init(s, handler);
    s->listen_fd = listen_fd;
    s->leave_when_alone = true;
    service_loop(s);
    service_done(s);
}

void service_do(struct service *s, void (*work)(struct service *s, void *context), void *context)
{
    monitor_enter(&s->monitor);
    s->work = work;
    s->context = context;
    place_ring(s->wake_fd);
    while (s->work)
        monitor_wait(&s->monitor);
    monitor_leave(&s->monitor);
}

static void work_hang_up(struct service *s, void *context)
{
    (void) context;
    while (s->n_clients > 0)
        client_drop(s, 0);
}

void service_hang_up(struct service *s)
{
    service_do(s, work_hang_up, NULL);
}
