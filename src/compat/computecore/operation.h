/* operation.h - operations, and their uses.
 *
 * An operation is used for one call after the other.  Each use has a thread, which waits for what
 * the call began and then completes the operation. */
#ifndef HCS_COMPAT_OPERATION_H
#define HCS_COMPAT_OPERATION_H

#include "lock.h"
#include "object.h"
#include "watch.h"

struct process;
struct use;

enum operation_state { OPERATION_FRESH, OPERATION_PENDING, OPERATION_DONE };

struct operation {
    struct object head;
    struct lock lock; /* guards what follows; never held while a callback runs */
    struct condition changed;
    const void *context;
    HCS_OPERATION_COMPLETION callback;
    HCS_EVENT_CALLBACK notify; /* instead of a callback */
    enum operation_state state;
    int closed;
    int calling;
    uint64_t calling_thread;

    /* of the last use */
    HCS_OPERATION_TYPE type;
    uint64_t id;
    HCS_SYSTEM system;
    HCS_PROCESS process_handle;
    struct process *process; /* counted; whose information is part of the result */
    HRESULT result;
    char *document; /* UTF-8, or NULL */
    int asked;      /* somebody has read the result */
    int told;       /* through an event callback */
};

/* What the thread of a use does: waits for the outcome.  @out_document is owned UTF-8 if set. */
typedef HRESULT use_finish(struct use *use, char **out_document, hcs_error *err);

struct use {
    struct operation *operation; /* counted */
    uint64_t id;
    struct object *target; /* counted; system or process the call is about, or NULL */
    struct watch *watch;   /* of the target, or NULL */
    use_finish *finish;
    hcs_op *pending;  /* owned; what libhcs is doing, or NULL */
    HRESULT result;   /* of a use that was done at once */
    hcs_error error;  /* and why */
    char *text;       /* owned; argument of the thread's call, or NULL */
    uint32_t flags;   /* the same */
    struct lock lock; /* guards the rest */
    struct condition changed;
    enum { USE_PREPARED, USE_GO, USE_DROPPED } stage;
};

/* Make @handle pending for a call on @target_opt.  E_HANDLE,
 * HCS_E_OPERATION_ALREADY_STARTED, HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET, E_OUTOFMEMORY.  On
 * success one of the two functions below must follow. */
_must_use_ HRESULT use_begin(HCS_OPERATION handle, HCS_OPERATION_TYPE type,
                             struct object *target_opt, struct watch *watch_opt, struct use **out,
                             hcs_error *err);

/* Whether its operation has a callback of its own. */
int use_has_callback(struct use *use);

/* The call is under way: the thread of the use finishes it. */
void use_go(struct use *use, use_finish *finish);

/* The call failed at once: the failure becomes the operation's result, nothing is called.  Returns
 * @r, or HCS_E_INVALID_STATE in place of a code that would look like success. */
HRESULT use_fail(struct use *use, HRESULT r, const hcs_error *err);

/* For a call that fails before it has begun: the same, and nothing when the operation is pending.
 */
HRESULT use_refuse(HCS_OPERATION handle, HCS_OPERATION_TYPE type, HRESULT r, const hcs_error *err);

/* Handles that HcsGet...FromOperation() gives. */
void use_names(struct use *use, HCS_SYSTEM system, HCS_PROCESS process_handle);

/* The process whose information is part of the result. */
void use_informs(struct use *use, struct process *process);

/* Finishers. */
use_finish use_finish_pending; /* waits for use->pending */
use_finish use_finish_result;  /* gives use->result */

/* A use that a later event callback may still have to hear of. */
struct use_name {
    HCS_OPERATION operation;
    uint64_t id;
};
struct use_name use_name(const struct use *use);

/* Tell @w of a completion that came before its callback, unless somebody knows of it already. */
void operation_tell_late(struct use_name name, struct watch *w);

#endif
