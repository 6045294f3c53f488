/* provider.h - a Host Compute System for tests: it obeys a script.
 *
 * It implements the flat API of src/lib/be_computecore/flat.h.  What it does by itself is small:
 * systems are created, started and stopped, processes run "exit N" or "hang".  When and from where
 * callbacks come, and what goes wrong, is the test's to say.  It looks for the mistakes of its
 * caller: a handle used after its close, a string freed twice or never.
 *
 * Linked in, provider_api() is its table; as a library it exports the functions by HCS's names. */
#ifndef HCS_TESTS_PROVIDER_H
#define HCS_TESTS_PROVIDER_H

#include "flat.h"

#if defined(__GNUC__) && !defined(_WIN32)
#define PROVIDER_API __attribute__((visibility("default")))
#else
#define PROVIDER_API
#endif

PROVIDER_API const struct flat_api *provider_api(void);

/* Forget everything; the counts begin anew.  Not while callbacks run. */
PROVIDER_API void provider_reset(void);

/* What the caller holds, and what it did wrong. */
struct provider_counts {
    int systems; /* open handles */
    int processes;
    int operations;
    int strings;   /* given and not freed */
    int misuses;   /* of a handle that is not open, or not of that kind; of a string */
    int callbacks; /* event callbacks that have returned */
    int completions;
    int alive;    /* systems that have not stopped, whoever has a handle */
    int programs; /* that have not exited, the same */
};
PROVIDER_API struct provider_counts provider_counts(void);

#define PROVIDER_FAILURES_MAX 4

/* ---- how operations end ---- */

enum provider_manner {
    PROVIDER_LATER,  /* completed by another thread, soon */
    PROVIDER_BEFORE, /* the completion callback has returned before the starter returns */
    PROVIDER_HELD,   /* not before provider_complete_all() */
    PROVIDER_TWICE   /* as LATER, and the callback comes twice, at once from two threads */
};
PROVIDER_API void provider_set_manner(enum provider_manner manner);

/* What a starter returns that has started: HCS_OK, or one of the pending codes. */
PROVIDER_API void provider_set_started(int32_t code);

PROVIDER_API void provider_complete_all(void);
PROVIDER_API void provider_wait_idle(void); /* nothing that comes LATER is outstanding */

/* The next call of @function, by HCS's name, fails (of at most PROVIDER_FAILURES_MAX functions at a
 * time): with @started at once when that is negative, else as the result of its operation.
 * @document_opt is the result document then. */
PROVIDER_API void provider_fail_next(const char *function, int32_t started, int32_t result,
                                     const char *document_opt);

/* ---- systems and processes ---- */

PROVIDER_API void provider_add_system(const char *id, const char *owner, const char *state);

/* A system is gone from the list, without a word. */
PROVIDER_API void provider_forget_system(const char *id);

/* A system stops; @tell: the event is sent.  @document_opt NULL: a good SystemExitStatus. */
PROVIDER_API void provider_stop_system(const char *id, const char *document_opt, int tell);
PROVIDER_API void provider_stop_process(uint32_t process_id, const char *document_opt, int tell);

/* Whether a terminate, a shut down and the end of a process are told by events; at first they are.
 */
PROVIDER_API void provider_set_tells(int tells);

/* Whether registration replays an end that came before; at first not. */
PROVIDER_API void provider_set_sticky(int sticky);

/* ---- events ---- */

/* A registration as the provider keeps it, also after the handle was closed. */
struct provider_registration {
    flat_event_callback callback;
    void *context;
};

/* The newest registration on a handle of system @id, or process @process_id when @id is NULL. */
PROVIDER_API int provider_registration(const char *id, uint32_t process_id,
                                       struct provider_registration *out);

/* Call a registration on this thread, whatever has become of it.  The event and its text live in
 * memory that is poisoned and freed when the callback has returned. */
PROVIDER_API void provider_call(const struct provider_registration *r, uint32_t kind,
                                const uint16_t *data_opt);

/* Send an event to every open handle of a system, on this thread, as HCS would: a close waits for
 * it.  Returns how many handles there are. */
PROVIDER_API int provider_send(const char *id, uint32_t kind, const uint16_t *data_opt);

/* Whether closing a handle waits for its callbacks, as HCS does; at first it does. */
PROVIDER_API void provider_set_drains(int drains);

/* Called in HcsClose... after the handle has stopped being one, before it returns. */
PROVIDER_API void provider_set_on_close(void (*hook)(void *), void *parameter);

/* Called in HcsCloseOperation before it returns. */
PROVIDER_API void provider_set_on_operation_close(void (*hook)(void *), void *parameter);

/* Called in HcsGetComputeSystemProperties before anything else. */
PROVIDER_API void provider_set_on_query(void (*hook)(void *), void *parameter);

/* UTF-16 of ASCII text, into a ring of buffers of this thread that are used again. */
PROVIDER_API const uint16_t *provider_wide(const char *ascii);

#endif
