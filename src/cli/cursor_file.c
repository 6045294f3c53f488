/* cursor_file.c - where a reader of events was.
 *
 * Owns nothing.  Used by events.  Promises that the file holds one whole cursor at any moment, and
 * that one which holds none is not taken for none: events would be missed.
 */
#include "cursor_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"
#include "output.h"

int cursor_file_read(struct cursor_file *f)
{
    FILE *file = machine_open(f->path);
    size_t n;
    int is_bad;

    if (!file && errno == ENOENT)
        return 0;
    if (!file) {
        output_fail("cannot read the cursor in '%s': %s", f->path, strerror(errno));
        return -1;
    }
    n = fread(f->kept, 1, sizeof f->kept - 1, file);
    is_bad = ferror(file);
    fclose(file);
    f->kept[n] = '\0';
    f->kept[strcspn(f->kept, "\r\n")] = '\0';
    if (is_bad) {
        output_fail("cannot read the cursor in '%s'", f->path);
        return -1;
    }
    if (f->kept[0])
        return 1;
    output_fail("'%s' is empty: there should be a cursor in it; remove it to begin anew", f->path);
    return -1;
}

int cursor_file_keep(struct cursor_file *f, const char *cursor)
{
    char line[HCS_CURSOR_SIZE + 1];

    if (strcmp(f->kept, cursor) == 0)
        return 0;
    snprintf(line, sizeof line, "%s\n", cursor);
    if (machine_replace(f->path, line) < 0) {
        output_fail("cannot keep the cursor in '%s': %s", f->path, strerror(errno));
        return -1;
    }
    snprintf(f->kept, sizeof f->kept, "%s", cursor);
    return 0;
}
