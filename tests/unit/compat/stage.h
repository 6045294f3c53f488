/* stage.h - one system and one process of a scripted service, for tests of the flat API.
 *
 * The test says when answers come and when things end; what it says has happened when the call
 * returns. */
#ifndef HCS_TESTS_COMPAT_STAGE_H
#define HCS_TESTS_COMPAT_STAGE_H

#include "service.h"

struct stage {
    struct service service; /* must be first */
    const char *held;       /* a method whose calls get no answer yet */
    struct client *waiting[CLIENTS_MAX];
    const char *method_of[CLIENTS_MAX];
    size_t n_waiting;
    struct client *readers[CLIENTS_MAX];
    size_t n_readers;
    bool exited, process_exited;
    unsigned sequence;
    unsigned n_subscribed; /* ever */
};

/* Starts the service, and names it in the environment. */
void stage_begin(struct stage *s);
void stage_end(struct stage *s);

/* Calls of this method ("StartSystem") wait from now on; NULL lets all that wait go. */
void stage_hold(struct stage *s, const char *method);
unsigned stage_held(struct stage *s); /* how many wait */
unsigned stage_subscribed(struct stage *s);

void stage_event(struct stage *s, unsigned kind, const char *detail_opt);
void stage_exit(struct stage *s);
void stage_process_exit(struct stage *s);

/* As if nothing had ended. */
void stage_live_again(struct stage *s);

void stage_hang_up(struct stage *s);

/* Threads that run now, the flat API's among them. */
unsigned stage_threads(void);

#endif
