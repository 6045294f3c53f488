/* place_linux.c - where a service inside a test is found, on Linux: at a unix socket, or a port of
 * the loopback. */
#include "place.h"

#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fd.h"

void place_make(char *directory, size_t size)
{
    snprintf(directory, size, "/tmp/hcs-lib-test-XXXXXX");
    CHECK(mkdtemp(directory));
}

/* A client that found nobody any more, on a thread that nobody waits for, may just look whether it
 * can start a service there: it makes a lock and a log, perhaps just now. */
void place_remove(const char *directory)
{
    for (int tries = 0; dir_remove(directory, NULL) < 0; tries++) {
        CHECK(tries < 100000);
        sched_yield();
    }
}

int place_listen(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    CHECK(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    CHECK(fd >= 0);
    CHECK(bind(fd, (struct sockaddr *) &address, sizeof(address)) == 0);
    CHECK(listen(fd, 64) == 0);
    return fd;
}

int place_listen_tcp(struct loopback *at)
{
    int fd = -1;
    hcs_result r = loopback_listen(at, &fd, NULL);

    CHECK(r == HCS_OK);
    return fd;
}

void place_write_token(const char *path, const char *line)
{
    CHECK(file_write_atomic(path, line, strlen(line), 0600, NULL) == HCS_OK);
}

int place_accept(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

void place_wait(struct pollfd *fds, size_t n)
{
    while (poll(fds, n, -1) < 0)
        ;
}

int place_bell(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    CHECK(fd >= 0);
    return fd;
}

void place_ring(int bell)
{
    uint64_t value = 1;

    CHECK(write(bell, &value, sizeof(value)) == sizeof(value));
}

void place_bell_clear(int bell)
{
    uint64_t value;
    ssize_t n = read(bell, &value, sizeof(value));

    (void) n;
}
