/* lookup.c - is the program there?
 * Users:   container.c, before an exec.
 * Promise: paths are resolved as the container sees them and never lead out of it; nothing is
 *          executed; what cannot be told is left to the runtime. */

#include "lookup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "runtime.h"

enum found { FOUND, MISSING, NOT_EXECUTABLE, UNTOLD };

/* Open a path as the container would; -1 and errno. */
static int open_inside(int root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t) flags | O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT,
    };

    return (int) syscall(SYS_openat2, root, path, &how, sizeof how);
}

static enum found look_at(int root, const char *path)
{
    _cleanup_(fd_drop) int fd = open_inside(root, path, 0);
    struct stat st;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? MISSING : UNTOLD;
    if (fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
        return UNTOLD;
    return S_ISREG(st.st_mode) && (st.st_mode & 0111) ? FOUND : NOT_EXECUTABLE;
}

static const char *path_of(const struct doc_process *doc, const char *default_path)
{
    for (size_t i = 0; i < doc->n_environment; i++)
        if (strncmp(doc->environment[i], "PATH=", 5) == 0)
            return doc->environment[i] + 5;
    return default_path;
}

/* The first that is executable counts, as for a shell; one that is there but not executable is
 * remembered. */
static enum found search(int root, const char *path, const char *program)
{
    enum found best = MISSING;

    while (*path) {
        size_t n = strcspn(path, ":");
        char candidate[4096];
        enum found found = UNTOLD;

        if (n > 0 && snprintf(candidate, sizeof candidate, "%.*s/%s", (int) n, path, program) <
                         (int) sizeof candidate)
            found = look_at(root, candidate);
        if (found == FOUND || found == UNTOLD)
            return found;
        if (found == NOT_EXECUTABLE)
            best = found;
        path += n + (path[n] == ':');
    }
    return best;
}

static enum found find(int root, const struct doc_process *doc, const char *directory,
                       const char *default_path)
{
    const char *program = doc->arguments[0];
    char path[4096];

    if (!strchr(program, '/'))
        return search(root, path_of(doc, default_path), program);
    if (program[0] == '/')
        return look_at(root, program);
    if (snprintf(path, sizeof path, "%s/%s", directory, program) >= (int) sizeof path)
        return UNTOLD;
    return look_at(root, path);
}

hcs_result lookup_program(uint32_t init_pid, const struct doc_process *doc,
                          const char *default_path, hcs_error *err)
{
    const char *directory = doc->working_directory ? doc->working_directory : "/";
    char path[64];
    _cleanup_(fd_drop) int root = -1;
    _cleanup_(fd_drop) int inside = -1;

    assert(doc->n_arguments > 0 && default_path);
    snprintf(path, sizeof path, "/proc/%u/root", init_pid);
    root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return HCS_OK;
    inside = open_inside(root, directory, O_DIRECTORY);
    if (inside < 0 && (errno == ENOENT || errno == ENOTDIR))
        return runtime_no_directory(directory, errno == ENOTDIR, err);
    switch (find(root, doc, directory, default_path)) {
    case MISSING:
        return runtime_no_program(doc->arguments[0], err);
    case NOT_EXECUTABLE:
        return runtime_not_executable(doc->arguments[0], err);
    default:
        return HCS_OK;
    }
}
