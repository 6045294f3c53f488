/* place.h - where a service inside a test is found, and how its thread is woken: once for each
 * system, place_linux.c and place_windows.c.  What fails here ends the test program. */
#ifndef HCS_TESTS_PLACE_H
#define HCS_TESTS_PLACE_H

#include <stdio.h>
#include <stdlib.h>

#include "loopback.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A new directory for its socket, or its token. */
void place_make(char *directory, size_t size);
void place_remove(const char *directory);

#ifndef _WIN32
int place_listen(const char *path);
#endif
int place_listen_tcp(struct loopback *at);

/* Write the token file @path: what hcsd --tcp does. */
void place_write_token(const char *path, const char *line);

/* The next client; -1: there is none. */
int place_accept(int listener);

/* Until one of them is ready. */
void place_wait(struct pollfd *fds, size_t n);

/* A socket that is readable when another thread has called. */
int place_bell(void);
void place_ring(int bell);
void place_bell_clear(int bell);

#endif
