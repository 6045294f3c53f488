/* written.h - what was written into a temporary file, for tests of functions that print. */
#ifndef HCS_TESTS_CLI_WRITTEN_H
#define HCS_TESTS_CLI_WRITTEN_H

#include <stdio.h>
#include <stdlib.h>

/* Closes @take_file; owned. */
static inline char *written(FILE *take_file)
{
    long n = ftell(take_file);
    char *text = calloc((size_t) n + 1, 1);

    rewind(take_file);
    if (!text || fread(text, 1, (size_t) n, take_file) != (size_t) n)
        abort();
    fclose(take_file);
    return text;
}

#endif
