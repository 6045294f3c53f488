/* cmd_rootfs.c - hcs rootfs make: a root file system from this machine's static busybox.
 *
 * Needs no network, no image, no root and no service.  Never touches a directory that has something
 * in it.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "output.h"

#define APPLET_MAX 64
#define PROGRAM_HEADERS_MAX 64

static const char text[] =
    "hcs rootfs make DIR fills DIR, which must be empty or not exist, with busybox and a link\n"
    "for each of its programs: enough for a shell.\n"
    "\n"
    "Example:\n"
    "  hcs rootfs make /tmp/busybox\n"
    "  hcs run --rm --rootfs /tmp/busybox -- sh -c 'echo hello from $(hostname)'\n";

static void fd_dropp(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* ---- finding busybox ---- */

/* Where the program headers of an ELF file are. */
struct headers {
    uint64_t offset;
    size_t size, n;
};

static int find_headers(int fd, struct headers *out)
{
    Elf64_Ehdr head;
    Elf32_Ehdr small;

    if (pread(fd, &head, sizeof head, 0) != (ssize_t) sizeof head ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return -1;
    memcpy(&small, &head, sizeof small);
    *out = head.e_ident[EI_CLASS] == ELFCLASS64
               ? (struct headers){ head.e_phoff, head.e_phentsize, head.e_phnum }
               : (struct headers){ small.e_phoff, small.e_phentsize, small.e_phnum };
    return out->n > 0 && out->n <= PROGRAM_HEADERS_MAX ? 0 : -1;
}

/* Whether it runs without any other file: an ELF program that asks for no loader. */
static int is_static(int fd)
{
    struct headers h;
    uint32_t type; /* begins a program header of either class */

    if (find_headers(fd, &h) < 0)
        return 0;
    for (size_t i = 0; i < h.n; i++)
        if (pread(fd, &type, sizeof type, (off_t) (h.offset + i * h.size)) !=
                (ssize_t) sizeof type ||
            type == PT_INTERP)
            return 0;
    return 1;
}

/* Open the first static busybox in PATH; its path in @out.  -1 when there is none. */
static int open_busybox(char out[PATH_MAX], int *out_dynamic)
{
    const char *path = getenv("PATH");

    *out_dynamic = 0;
    for (path = path && *path ? path : "/usr/bin:/bin"; *path;) {
        int n = (int) strcspn(path, ":");
        int fd;

        snprintf(out, PATH_MAX, "%.*s%sbusybox", n, path, n ? "/" : "");
        fd = access(out, X_OK) == 0 ? open(out, O_RDONLY | O_CLOEXEC) : -1;
        if (fd >= 0 && is_static(fd))
            return fd;
        if (fd >= 0) {
            *out_dynamic = 1;
            close(fd);
        }
        path += n + (path[n] == ':');
    }
    return -1;
}

/* ---- filling the directory ---- */

static int say(const char *what, const char *name)
{
    output_fail("cannot %s '%s': %s", what, name, strerror(errno));
    return -1;
}

static int is_empty(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    if (!dir)
        return say("open", path);
    while (n <= 2 && readdir(dir))
        n++;
    closedir(dir);
    if (n <= 2)
        return 0;
    output_fail("the directory '%s' is not empty, name one that is or that does not exist", path);
    return -1;
}

static int make_directories(int root)
{
    static const struct {
        const char *name;
        mode_t mode;
    } list[] = { { "bin", 0755 }, { "dev", 0755 },  { "etc", 0755 },  { "home", 0755 },
                 { "mnt", 0755 }, { "proc", 0755 }, { "root", 0700 }, { "run", 0755 },
                 { "sys", 0755 }, { "tmp", 01777 }, { "usr", 0755 },  { "usr/bin", 0755 },
                 { "var", 0755 } };

    for (size_t i = 0; i < N_ELEMENTS(list); i++)
        if (mkdirat(root, list[i].name, 0755) < 0 ||
            fchmodat(root, list[i].name, list[i].mode, 0) < 0)
            return say("make the directory", list[i].name);
    if (symlinkat("bin", root, "sbin") < 0)
        return say("make the link", "sbin");
    return 0;
}

static int write_file(int root, const char *name, const char *content)
{
    _cleanup_(fd_dropp) int fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    size_t n = strlen(content);

    return fd < 0 || write(fd, content, n) != (ssize_t) n ? say("write", name) : 0;
}

static int copy_busybox(int root, int from)
{
    _cleanup_(fd_dropp) int to =
        openat(root, "bin/busybox", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    struct stat st;
    off_t at = 0;

    if (to < 0 || fstat(from, &st) < 0)
        return say("write", "bin/busybox");
    while (at < st.st_size) {
        ssize_t n = sendfile(to, from, &at, (size_t) (st.st_size - at));

        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return say("write", "bin/busybox");
    }
    return fchmod(to, 0755) < 0 ? say("write", "bin/busybox") : 0;
}

/* One link for a name that `busybox --list` gave. */
static int link_applet(int root, const char *name)
{
    char path[APPLET_MAX + 8];

    if (!*name || strcmp(name, "busybox") == 0 || strchr(name, '/') || strlen(name) > APPLET_MAX)
        return 0;
    snprintf(path, sizeof path, "bin/%s", name);
    if (symlinkat("busybox", root, path) < 0 && errno != EEXIST)
        return say("make the link", path);
    return 0;
}

/* Start `busybox --list`; its output in *out_fd. */
static int start_list(const char *busybox, pid_t *out_pid, int *out_fd)
{
    char name[] = "busybox", option[] = "--list";
    char *const argv[] = { name, option, NULL };
    posix_spawn_file_actions_t actions;
    int fds[2], e;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return say("make a pipe for", busybox);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    e = posix_spawn(out_pid, busybox, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    if (e == 0) {
        *out_fd = fds[0];
        return 0;
    }
    close(fds[0]);
    errno = e;
    return say("run", busybox);
}

static int link_applets(int root, const char *busybox)
{
    char line[256];
    int fd, status = 0, r = 0;
    pid_t pid;
    FILE *list;

    if (start_list(busybox, &pid, &fd) < 0)
        return -1;
    list = fdopen(fd, "r");
    if (!list)
        close(fd);
    while (list && r == 0 && fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        r = link_applet(root, line);
    }
    if (list)
        fclose(list);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (r == 0 && (!list || status != 0)) {
        output_fail("'%s --list' did not work", busybox);
        r = -1;
    }
    return r;
}

static int fill(int root, int busybox_fd, const char *busybox)
{
    if (make_directories(root) < 0 || copy_busybox(root, busybox_fd) < 0 ||
        link_applets(root, busybox) < 0)
        return -1;
    if (write_file(root, "etc/passwd",
                   "root:x:0:0:root:/root:/bin/sh\n"
                   "nobody:x:65534:65534:nobody:/:/bin/false\n") < 0 ||
        write_file(root, "etc/group", "root:x:0:\nnogroup:x:65534:\n") < 0)
        return -1;
    return write_file(root, "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
}

static int make(const char *path)
{
    char busybox[PATH_MAX];
    int dynamic;
    _cleanup_(fd_dropp) int root = -1;
    _cleanup_(fd_dropp) int fd = open_busybox(busybox, &dynamic);

    if (fd < 0) {
        output_fail(dynamic ? "the busybox of this machine needs shared libraries"
                            : "there is no busybox on this machine");
        fputs("  apt-get install busybox-static\n", stderr);
        return STATUS_FAILED;
    }
    if (mkdir(path, 0755) < 0 && errno != EEXIST) {
        say("make the directory", path);
        return STATUS_FAILED;
    }
    if (is_empty(path) < 0)
        return STATUS_FAILED;
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        say("open", path);
        return STATUS_FAILED;
    }
    return fill(root, fd, busybox) < 0 ? STATUS_FAILED : STATUS_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct arguments arguments;
    int status = cli_parse(self, NULL, 0, argc, argv, &arguments);

    if (status < 0)
        status = cli_count(self, &arguments, 2, 2);
    if (status < 0 && strcmp(arguments.items[0], "make") != 0)
        status = cli_usage(self, "rootfs has no '%s', only 'make'", arguments.items[0]);
    return status < 0 ? make(arguments.items[1]) : status;
}

const struct command cmd_rootfs = {
    .name = "rootfs",
    .arguments = "make DIR",
    .summary = "Make a small root file system from busybox",
    .text = text,
    .run = run,
};
