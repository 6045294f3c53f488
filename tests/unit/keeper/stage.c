/* stage.c - see stage.h. */
#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 60

int null_fds[3];

const char *keeper_path(void)
{
    const char *path = getenv("HCS_KEEPER");

    if (!path)
        fail_msg("HCS_KEEPER is not set");
    return path;
}

char *dir_new(char dir[64])
{
    strcpy(dir, "/tmp/hcs-keeper-test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

void dir_drop(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    assert_non_null(d);
    while ((entry = readdir(d)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            assert_int_equal(unlinkat(dirfd(d), entry->d_name, 0), 0);
    closedir(d);
    assert_int_equal(rmdir(dir), 0);
}

int dir_has(const char *dir, const char *name)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static struct sockaddr_un address_of(const struct stage *s)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", s->dir, KEEPER_SOCKET);
    return address;
}

int stage_connect(struct stage *s)
{
    struct sockaddr_un address = address_of(s);
    struct timeval patience = { .tv_sec = PATIENCE_S };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return fd;
}

static _Noreturn void become_keeper(const struct stage *s, int listener)
{
    /* The keeper must not depend on what it inherits. */
    signal(SIGUSR1, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    if (listener == 3)
        fcntl(3, F_SETFD, 0);
    else
        dup2(listener, 3);
    execl(keeper_path(), "hcs-keeper", "--keep", s->dir, (char *) NULL);
    _exit(99);
}

int stage_begin(void **state)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct sockaddr_un address;
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_non_null(s);
    for (int i = 0; i < 3; i++)
        null_fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    dir_new(s->dir);
    address = address_of(s);
    assert_int_equal(bind(listener, (struct sockaddr *) &address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    s->keeper = fork();
    if (s->keeper == 0)
        become_keeper(s, listener);
    close(listener);
    s->fd = stage_connect(s);
    hear_type(s, KEEPER_HELLO);
    hear_type(s, KEEPER_READY);
    *state = s;
    return 0;
}

int stage_end(void **state)
{
    struct stage *s = *state;

    if (s->keeper) {
        /* A keeper that lives takes along what it has started. */
        if (s->fd < 0)
            s->fd = stage_connect(s);
        if (waitpid(s->keeper, NULL, WNOHANG) == 0) {
            say(s, KEEPER_QUIT, 0, 0);
            assert_int_equal(waitpid(s->keeper, NULL, 0), s->keeper);
        }
    }
    if (s->fd >= 0)
        close(s->fd);
    for (int i = 0; i < 3; i++)
        close(null_fds[i]);
    dir_drop(s->dir);
    free(s);
    return 0;
}

void stage_reconnect(struct stage *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = stage_connect(s);
    assert_int_equal(hear_type(s, KEEPER_HELLO).pid, s->keeper);
}

static void transmit(struct stage *s, const struct keeper_header *header, const char *strings,
                     size_t length, const int *fds_opt)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = { 0 };
    static char bytes[KEEPER_MESSAGE_MAX];
    struct iovec part = { .iov_base = bytes, .iov_len = sizeof(*header) + length };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    assert_true(part.iov_len <= sizeof(bytes));
    memcpy(bytes, header, sizeof(*header));
    if (length)
        memcpy(bytes + sizeof(*header), strings, length);
    if (fds_opt) {
        struct cmsghdr *c;

        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        c = CMSG_FIRSTHDR(&message);
        *c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
                               .cmsg_type = SCM_RIGHTS,
                               .cmsg_len = CMSG_LEN(3 * sizeof(int)) };
        memcpy(CMSG_DATA(c), fds_opt, 3 * sizeof(int));
    }
    assert_int_equal(sendmsg(s->fd, &message, MSG_NOSIGNAL), part.iov_len);
}

uint32_t say(struct stage *s, uint32_t type, uint32_t number, int32_t value)
{
    struct keeper_header header = {
        .type = type, .tag = ++s->last_tag, .number = number, .value = value
    };

    transmit(s, &header, NULL, 0, NULL);
    return header.tag;
}

uint32_t say_strings(struct stage *s, uint32_t type, uint32_t number, const int *fds_opt, ...)
{
    struct keeper_header header = { .type = type, .tag = ++s->last_tag, .number = number };
    static char strings[KEEPER_MESSAGE_MAX];
    size_t length = 0;
    const char *string;
    va_list list;

    va_start(list, fds_opt);
    while ((string = va_arg(list, const char *))) {
        assert_true(length + strlen(string) + 1 <= sizeof(strings));
        strcpy(strings + length, string);
        length += strlen(string) + 1;
        header.n_strings++;
    }
    va_end(list);
    transmit(s, &header, strings, length, fds_opt);
    return header.tag;
}

void say_run_reporting(struct stage *s, uint32_t number, const char *pid_file, const char *script)
{
    struct keeper_header header = {
        .type = KEEPER_RUN, .tag = ++s->last_tag, .number = number, .value = 1, .n_strings = 4
    };
    char strings[1024];
    int n = snprintf(strings, sizeof strings, "%s%c/bin/sh%c-c%c%s", pid_file, 0, 0, 0, script) + 1;

    assert_true(n < (int) sizeof strings);
    transmit(s, &header, strings, (size_t) n, null_fds);
}

uint32_t say_spawn(struct stage *s, uint32_t number, const int fds[3], const char *script)
{
    return say_strings(s, KEEPER_SPAWN, number, fds, "", "3", "sh", "-c", script,
                       "PATH=/usr/bin:/bin", NULL);
}

struct keeper_header hear(struct stage *s)
{
    struct keeper_header header = { 0 };
    ssize_t n = recv(s->fd, &header, sizeof(header), 0);

    if (n != sizeof(header))
        fail_msg("no message: %zd, %s", n, n < 0 ? strerror(errno) : "short or closed");
    return header;
}

struct keeper_header hear_type(struct stage *s, uint32_t type)
{
    struct keeper_header header = hear(s);

    assert_int_equal(header.type, type);
    return header;
}

struct keeper_header hear_until(struct stage *s, uint32_t type)
{
    struct keeper_header header;

    do {
        header = hear(s);
    } while (header.type != type);
    return header;
}

void spawn(struct stage *s, uint32_t number, const char *script)
{
    uint32_t tag = say_spawn(s, number, null_fds, script);
    struct keeper_header done = hear_until(s, KEEPER_DONE);

    assert_int_equal(done.tag, tag);
    assert_int_equal(done.error, 0);
    assert_true(done.pid > 0);
}

void expect_silence(struct stage *s)
{
    uint32_t tag = say(s, KEEPER_SIGNAL, 0xffffffff, 0);
    struct keeper_header done = hear_type(s, KEEPER_DONE);

    assert_int_equal(done.tag, tag);
    assert_int_equal(done.error, ESRCH);
}

void wait_for_end(int fd)
{
    struct pollfd p = { .fd = fd };
    char bytes[256];

    while (poll(&p, 1, PATIENCE_S * 1000) == 1 && read(fd, bytes, sizeof(bytes)) > 0)
        continue;
    assert_true(p.revents & POLLHUP);
}

void wait_until_idle(const char *dir, pid_t keeper, uint32_t number)
{
    char name[32], path[64], state = 0;

    snprintf(name, sizeof(name), "%s%u", KEEPER_RECORD_PREFIX, number);
    snprintf(path, sizeof(path), "/proc/%d/stat", (int) keeper);
    while (state != 'S') {
        FILE *f = fopen(path, "r");

        assert_non_null(f);
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1 || !dir_has(dir, name))
            state = 0;
        fclose(f);
        sched_yield();
    }
}
