/* Files and directory trees, in a private directory that each test gets and loses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fd.h"

static char home[] = "/tmp/hcs-fd-test-XXXXXX";

static int set_up(void **state)
{
    (void) state;
    strcpy(home + sizeof home - 7, "XXXXXX");
    return mkdtemp(home) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void) state;
    return dir_remove(home, NULL) == HCS_OK && access(home, F_OK) < 0 ? 0 : -1;
}

static const char *in_home(const char *name)
{
    static char paths[4][256];
    static size_t next;

    next = (next + 1) % N_ELEMENTS(paths);
    snprintf(paths[next], sizeof paths[next], "%s/%s", home, name);
    return paths[next];
}

static void put(const char *name, const char *text)
{
    assert_int_equal(file_write_atomic(in_home(name), text, strlen(text), 0600, NULL), HCS_OK);
}

static int is_there(const char *name)
{
    return faccessat(AT_FDCWD, in_home(name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void is_read_back(hcs_result (*write)(const char *path, const void *bytes, size_t n,
                                             int mode, hcs_error *err))
{
    _cleanup_(free_drop) char *text = NULL;
    char bytes[10000];
    struct stat st;
    size_t length;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char) (i * 7);
    put("f", "what was there before");
    assert_int_equal(write(in_home("f"), bytes, sizeof bytes, 0640, NULL), HCS_OK);
    assert_int_equal(file_read(in_home("f"), sizeof bytes, &text, &length, NULL), HCS_OK);
    assert_int_equal(length, sizeof bytes);
    assert_memory_equal(text, bytes, length);
    assert_int_equal(text[length], 0);
    assert_int_equal(stat(in_home("f"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_written_file_reads_back(void **state)
{
    (void) state;
    is_read_back(file_write_atomic);
    is_read_back(file_write_unsynced);
}

static void a_file_over_the_ceiling_is_refused(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    char *text = NULL;

    (void) state;
    put("f", "12345678");
    assert_int_equal(file_read(in_home("f"), 7, &text, NULL, &err),
                     HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_null(text);
    assert_non_null(strstr(err.text, "larger than 7 bytes"));
    assert_int_equal(file_read(in_home("f"), 8, &text, NULL, &err), HCS_OK);
    free(text);
}

static void an_empty_file_is_an_empty_string(void **state)
{
    _cleanup_(free_drop) char *text = NULL;
    size_t length = 9;

    (void) state;
    put("f", "");
    assert_int_equal(file_read(in_home("f"), 100, &text, &length, NULL), HCS_OK);
    assert_string_equal(text, "");
    assert_int_equal(length, 0);
}

static void a_missing_file_is_named(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    char *text = NULL;

    (void) state;
    assert_int_equal(file_read(in_home("none"), 9, &text, NULL, &err), HCS_E_WIN32_FILE_NOT_FOUND);
    assert_non_null(strstr(err.text, in_home("none")));
    assert_int_equal(err.os, ENOENT);
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
    struct dirent *entry;
    int n = 0;
    DIR *d;

    (void) state;
    assert_int_equal(mkdir(in_home("taken"), 0700), 0);
    assert_int_equal(mkdir(in_home("taken/x"), 0700), 0);
    assert_true(file_write_atomic(in_home("taken"), "x", 1, 0600, NULL) < 0);
    d = opendir(home);
    assert_non_null(d);
    while ((entry = readdir(d)))
        n++;
    closedir(d);
    assert_int_equal(n, 3); /* . .. taken */
}

static void a_descriptor_becomes_nonblocking(void **state)
{
    char byte;
    int fds[2];

    (void) state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fd_nonblocking(fds[0], NULL), HCS_OK);
    assert_int_equal(read(fds[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    fd_drop(&fds[0]);
    assert_int_equal(fds[0], -1);
    fd_drop(&fds[0]);
    fd_drop(&fds[1]);
    assert_int_equal(fd_nonblocking(-1, NULL), HCS_E_WIN32_INVALID_HANDLE);
}

static void descriptors_from_one_on_are_closed(void **state)
{
    pid_t pid = fork();
    int status;

    (void) state;
    if (pid == 0) {
        int good = dup2(0, 40) == 40 && dup2(0, 41) == 41 && dup2(0, 300) == 300;

        fd_close_from(41);
        _exit(good && fcntl(40, F_GETFD) >= 0 && fcntl(41, F_GETFD) < 0 && fcntl(300, F_GETFD) < 0
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void directories_are_made_with_their_parents(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    struct stat st;

    (void) state;
    assert_int_equal(dir_make(in_home("a/b//c/"), 0700, NULL), HCS_OK);
    assert_int_equal(dir_make(in_home("a/b/c"), 0700, NULL), HCS_OK);
    assert_int_equal(stat(in_home("a/b/c"), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    put("file", "x");
    assert_int_equal(dir_make(in_home("file"), 0700, &err), HCS_E_WIN32_PATH_NOT_FOUND);
    assert_non_null(strstr(err.text, "not a directory"));
    assert_true(dir_make(in_home("file/x"), 0700, NULL) < 0);
    assert_int_equal(dir_make("relative", 0700, NULL), HCS_E_INVALIDARG);
    assert_int_equal(dir_make("/", 0700, NULL), HCS_OK);
}

static void a_tree_is_removed(void **state)
{
    (void) state;
    assert_int_equal(dir_make(in_home("t/a/b/c"), 0700, NULL), HCS_OK);
    put("t/f", "x");
    put("t/a/b/f", "x");
    assert_int_equal(mkfifo(in_home("t/fifo"), 0600), 0);
    assert_int_equal(dir_remove(in_home("t"), NULL), HCS_OK);
    assert_false(is_there("t"));
    assert_int_equal(dir_remove(in_home("t"), NULL), HCS_OK);
}

static void links_are_removed_and_not_followed(void **state)
{
    (void) state;
    assert_int_equal(dir_make(in_home("precious"), 0700, NULL), HCS_OK);
    put("precious/f", "x");
    assert_int_equal(dir_make(in_home("t/deep"), 0700, NULL), HCS_OK);
    assert_int_equal(symlink(in_home("precious"), in_home("t/deep/link")), 0);
    assert_int_equal(symlink("../../precious/f", in_home("t/deep/file")), 0);
    assert_int_equal(symlink("/nowhere", in_home("t/dangling")), 0);
    assert_int_equal(dir_remove(in_home("t"), NULL), HCS_OK);
    assert_false(is_there("t"));
    assert_true(is_there("precious/f"));

    assert_int_equal(symlink(in_home("precious"), in_home("link")), 0);
    assert_true(dir_remove(in_home("link"), NULL) < 0);
    assert_true(is_there("precious/f"));
}

static void a_very_deep_tree_is_refused_not_overrun(void **state)
{
    int fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC), depth = 0;
    hcs_error err = HCS_ERROR_INIT;

    (void) state;
    for (; depth < 400; depth++) {
        int next;

        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
        assert_true(fd >= 0);
    }
    assert_int_equal(dir_remove(in_home("d"), &err), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_non_null(strstr(err.text, "deeper than"));
    for (; depth > 0; depth--) { /* up again, for the tear down */
        int up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        close(fd);
        fd = up;
        assert_int_equal(unlinkat(fd, "d", AT_REMOVEDIR), 0);
    }
    close(fd);
}

/* In a child with mounts of its own: 77 when this user may not have those, else 0 when the tree
 * was left alone behind the mount. */
static int remove_over_mount(const char *source, const char *type, unsigned long flags)
{
    hcs_error err = HCS_ERROR_INIT;
    FILE *f;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(source, in_home("t/mnt"), type, flags, NULL) < 0)
        return 77;
    f = fopen(in_home("t/mnt/f"), "w");
    if (!f)
        return 1;
    fclose(f);
    if (dir_remove(in_home("t"), &err) != HCS_E_WIN32_BUSY || !strstr(err.text, "mounted on"))
        return 2;
    return is_there("t/mnt/f") ? 0 : 3;
}

static void check_mount(const char *source, const char *type, unsigned long flags)
{
    int status;
    pid_t pid;

    assert_int_equal(dir_make(in_home("t/mnt"), 0700, NULL), HCS_OK);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(remove_over_mount(source, type, flags));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void another_file_system_is_not_entered(void **state)
{
    (void) state;
    check_mount("none", "tmpfs", 0);
}

static void a_bind_mount_of_the_same_file_system_is_not_entered(void **state)
{
    (void) state;
    assert_int_equal(dir_make(in_home("precious"), 0700, NULL), HCS_OK);
    check_mount(in_home("precious"), NULL, MS_BIND);
    assert_true(is_there("precious/f"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_written_file_reads_back),
        TEST(a_file_over_the_ceiling_is_refused),
        TEST(an_empty_file_is_an_empty_string),
        TEST(a_missing_file_is_named),
        TEST(a_failed_write_leaves_nothing_behind),
        TEST(a_descriptor_becomes_nonblocking),
        TEST(descriptors_from_one_on_are_closed),
        TEST(directories_are_made_with_their_parents),
        TEST(a_tree_is_removed),
        TEST(links_are_removed_and_not_followed),
        TEST(a_very_deep_tree_is_refused_not_overrun),
        TEST(another_file_system_is_not_entered),
        TEST(a_bind_mount_of_the_same_file_system_is_not_entered),
    };

    return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
