/* service.c - a Varlink service inside a test.  Used by the tests of the library.  What fails here
 * ends the test program: it is not what is tested. */
#include "service.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "service.c:%d: %s\n", __LINE__, #condition);                           \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

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
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
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
    uint64_t value;
    ssize_t n = read(s->wake_fd, &value, sizeof(value));

    (void) n;
    pthread_mutex_lock(&s->lock);
    if (s->work) {
        s->work(s, s->context);
        s->work = NULL;
        pthread_cond_signal(&s->done);
    }
    pthread_mutex_unlock(&s->lock);
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
        if (poll(p, n + 2, -1) < 0)
            continue;
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

static void *service_main(void *context)
{
    service_loop(context);
    return NULL;
}

static void service_init(struct service *s, service_handler *handler)
{
    memset(s, 0, sizeof(*s));
    s->handler = handler;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(s->wake_fd >= 0);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->done, NULL);
}

static void make_directory(struct service *s)
{
    strcpy(s->directory, "/tmp/hcs-lib-test-XXXXXX");
    CHECK(mkdtemp(s->directory));
}

void service_start_tcp(struct service *s, service_handler *handler, struct loopback *at)
{
    hcs_result r;

    service_init(s, handler);
    make_directory(s);
    r = loopback_listen(at, &s->listen_fd, NULL);
    CHECK(r == HCS_OK);
    snprintf(s->path, sizeof(s->path), "%s/token", s->directory);
    CHECK(pthread_create(&s->thread, NULL, service_main, s) == 0);
}

void service_start(struct service *s, service_handler *handler)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    service_init(s, handler);
    make_directory(s);
    snprintf(s->path, sizeof(s->path), "%s/sock", s->directory);
    strcpy(address.sun_path, s->path);
    s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(s->listen_fd >= 0);
    CHECK(bind(s->listen_fd, (struct sockaddr *) &address, sizeof(address)) == 0);
    CHECK(listen(s->listen_fd, 64) == 0);
    CHECK(pthread_create(&s->thread, NULL, service_main, s) == 0);
}

static void work_stop(struct service *s, void *context)
{
    (void) context;
    s->stop = true;
}

static void service_done(struct service *s)
{
    close(s->listen_fd);
    close(s->wake_fd);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->done);
}

void service_stop(struct service *s)
{
    service_do(s, work_stop, NULL);
    pthread_join(s->thread, NULL);
    service_done(s);
    /* A client that found nobody any more, on a thread that nobody waits for, may just look whether
     * it can start a service there: it makes a lock and a log, perhaps just now. */
    for (int tries = 0; dir_remove(s->directory, NULL) < 0; tries++) {
        CHECK(tries < 100000);
        sched_yield();
    }
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
    uint64_t value = 1;

    pthread_mutex_lock(&s->lock);
    s->work = work;
    s->context = context;
    CHECK(write(s->wake_fd, &value, sizeof(value)) == sizeof(value));
    while (s->work)
        pthread_cond_wait(&s->done, &s->lock);
    pthread_mutex_unlock(&s->lock);
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
