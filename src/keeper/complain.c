/* complain.c - the keeper's few words to a person.
 *
 * Used when something goes wrong that no message of the protocol can carry.  Promises to work
 * without memory, locales or files: it runs as the first process of empty containers too. */
#include "keeper.h"

#include <string.h>
#include <sys/uio.h>

#include "attr.h"

#define LINES_MAX 200 /* nobody may fill the disk by making the keeper complain */

static struct iovec piece(const char *text)
{
    union {
        const char *in;
        void *out;
    } text_of = { .in = text };

    return (struct iovec){ .iov_base = text_of.out, .iov_len = strlen(text) };
}

void complain(const char *what, const char *object, int os)
{
    const char *name = os ? strerrorname_np(os) : NULL;
    struct iovec pieces[] = {
        piece("hcs-keeper: "),      piece(what),
        piece(*object ? " '" : ""), piece(object),
        piece(*object ? "'" : ""),  piece(name ? ": " : ""),
        piece(name ? name : ""),    piece("\n"),
    };

    static int n_lines;

    /* Nobody is left to tell when this fails. */
    if (n_lines++ >= LINES_MAX) {
        n_lines = LINES_MAX;
        return;
    }
    if (writev(2, pieces, N_ELEMENTS(pieces)) < 0)
        return;
}
