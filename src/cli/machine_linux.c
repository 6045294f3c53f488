/* machine_linux.c - what hcs needs of Linux. */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

/* A descriptor below 3 that is closed would be taken by a socket, and a program's output end up in
 * it. */
int machine_begin(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
            return -1;
    return 0;
}

/* An hcsd without a name cannot be started. */
void machine_start_no_service(void)
{
    (void) setenv("HCS_HCSD", "", 1);
}

int machine_has_colour(FILE *to)
{
    const char *term = getenv("TERM");

    return isatty(fileno(to)) && term && strcmp(term, "dumb") != 0;
}

int machine_columns(FILE *to)
{
    struct winsize size;

    return ioctl(fileno(to), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

FILE *machine_open(const char *path)
{
    return fopen(path, "re");
}

int64_t machine_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t machine_wall_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

/* Whether all of it is on the disk, in a file of its own: what was left there, or put there by
 * others, is not written through. */
static int write_whole(const char *path, const char *text)
{
    size_t n = strlen(text);
    int fd, os;

    if (unlink(path) < 0 && errno != ENOENT)
        return -1;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    errno = EIO; /* of a write that was short */
    if (write(fd, text, n) == (ssize_t) n && fsync(fd) == 0)
        return close(fd);
    os = errno;
    close(fd);
    errno = os;
    return -1;
}

int machine_replace(const char *path, const char *text)
{
    char *beside;
    int r;

    if (asprintf(&beside, "%s.new", path) < 0) {
        errno = ENOMEM;
        return -1;
    }
    r = write_whole(beside, text);
    if (r == 0)
        r = rename(beside, path);
    free(beside);
    return r;
}

int machine_random(uint32_t *out)
{
    return getrandom(out, sizeof *out, 0) == (ssize_t) sizeof *out ? 0 : -1;
}

int machine_local_time(time_t seconds, struct tm *out)
{
    return localtime_r(&seconds, out) ? 0 : -1;
}

int machine_wait_or_reader_gone(hcs_pollable pollable)
{
    /* of a pipe without a reader it is an error, of a socket the end */
    struct pollfd fds[] = { { pollable, POLLIN, 0 }, { STDOUT_FILENO, 0, 0 } };

    return poll(fds, 2, -1) > 0 && fds[1].revents & (POLLERR | POLLHUP);
}
