/* cursor_file.h - where a reader of events was, kept in a file between two runs. */
#ifndef HCS_CLI_CURSOR_FILE_H
#define HCS_CLI_CURSOR_FILE_H

#include <hcs/host.h>

struct cursor_file {
    const char *path; /* NULL: there is none */
    char kept[HCS_CURSOR_SIZE];
};

/* What is in the file: 1 and @f->kept has it, 0 there is no such file, -1 after saying what is
 * wrong with it. */
int cursor_file_read(struct cursor_file *f);

/* Put @cursor into the file, unless it is in it.  0, or -1 after saying why not. */
int cursor_file_keep(struct cursor_file *f, const char *cursor);

#endif
