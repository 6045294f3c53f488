/* document.c - a document that a command is given as a file.
 *
 * Owns nothing. */
#include <errno.h>
#include <string.h>

#include "cli.h"
#include "machine.h"
#include "output.h"

/* The service takes less; this only bounds what is read. */
#define DOCUMENT_MAX ((size_t) 4 << 20)

static void file_dropp(FILE **f)
{
    if (*f && *f != stdin)
        fclose(*f);
}

char *cli_read_document(const char *path)
{
    _cleanup_(file_dropp) FILE *from = strcmp(path, "-") == 0 ? stdin : machine_open(path);
    _cleanup_(free_dropp) char *data = malloc(DOCUMENT_MAX + 2);
    char *whole;
    size_t n;

    if (!from || !data) {
        output_fail("cannot read '%s': %s", path, strerror(from ? ENOMEM : errno));
        return NULL;
    }
    n = fread(data, 1, DOCUMENT_MAX + 1, from);
    if (ferror(from) || n > DOCUMENT_MAX || memchr(data, '\0', n)) {
        output_fail("cannot use '%s': %s", path,
                    ferror(from)       ? strerror(errno)
                    : n > DOCUMENT_MAX ? "it is larger than 4 MiB"
                                       : "it has a NUL byte");
        return NULL;
    }
    data[n] = '\0';
    whole = data;
    data = NULL;
    return whole;
}
