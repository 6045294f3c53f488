/* stage.h - a real keeper process on a socket, for the tests to talk to by hand. */
#ifndef TESTS_KEEPER_STAGE_H
#define TESTS_KEEPER_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "attr.h"
#include "protocol.h"

struct stage {
    char dir[64];
    pid_t keeper;
    int fd; /* the connection; -1 none */
    uint32_t last_tag;
};

/* Path of the keeper, from the environment. */
const char *keeper_path(void);

char *dir_new(char dir[64]);
void dir_drop(const char *dir);
int dir_has(const char *dir, const char *name);

/* cmocka set-up and tear-down: a keeper with a connection that has heard HELLO and READY. */
int stage_begin(void **state);
int stage_end(void **state);

int stage_connect(struct stage *s); /* another connection; nothing is heard yet */
void stage_reconnect(struct stage *s);

/* Send a command of @type; its tag is returned. */
uint32_t say(struct stage *s, uint32_t type, uint32_t number, int32_t value);
uint32_t say_strings(struct stage *s, uint32_t type, uint32_t number, const int *fds_opt, ...);

/* A RUN of `sh -c script` whose descriptor 3 is a report. */
void say_run_reporting(struct stage *s, uint32_t number, const char *pid_file, const char *script);
uint32_t say_spawn(struct stage *s, uint32_t number, const int fds[3], const char *script);

/* The next message; the test fails when none comes. */
struct keeper_header hear(struct stage *s);
struct keeper_header hear_type(struct stage *s, uint32_t type);

/* The next message of @type; those of other types in front of it are skipped. */
struct keeper_header hear_until(struct stage *s, uint32_t type);
void spawn(struct stage *s, uint32_t number, const char *script);

/* Nothing but the answer to this is on the way. */
void expect_silence(struct stage *s);

extern int null_fds[3];

/* Until the keeper has written the record of @number, and has said after it what it could. */
void wait_until_idle(const char *dir, pid_t keeper, uint32_t number);

/* Until every writer of the pipe is gone. */
void wait_for_end(int fd);

#endif
