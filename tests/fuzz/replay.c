/* replay.c - runs a fuzz target over the files of its corpus, with any compiler.
 *
 * Arguments are directories.  A file on which the target fails ends the program, with the name of
 * the file as the last line. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "fuzz.h"

#define INPUT_MAX ((size_t) 4 << 20)

static int replay_file(const char *path)
{
    _cleanup_(free_drop) char *bytes = NULL;
    hcs_error err = HCS_ERROR_INIT;
    uint8_t *exact;
    size_t n;

    printf("# %s\n", path);
    fflush(stdout);
    if (file_read(path, INPUT_MAX, &bytes, &n, &err) < 0) {
        printf("# %s\n", err.text);
        return -1;
    }
    exact = malloc(n ? n : 1); /* no NUL behind it: a sanitizer sees a read past the end */
    if (!exact)
        return -1;
    memcpy(exact, bytes, n);
    (void) LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 0;
}

/* Number of files, -1 when one could not be read. */
static int replay_directory(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    int n = 0, failed = !directory;

    while (directory && (entry = readdir(directory))) {
        char whole[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(whole, sizeof whole, "%s/%s", path, entry->d_name);
        failed |= replay_file(whole) < 0;
        n++;
    }
    if (directory)
        closedir(directory);
    return failed ? -1 : n;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int n = replay_directory(argv[i]);

        if (n < 0)
            return 1;
        total += n;
    }
    printf("# %d inputs\n", total);
    return total > 0 ? 0 : 1;
}
