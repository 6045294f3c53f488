/* op.h - one-shot operations.
 *
 * Verbs that take time have a parameter `hcs_op **out_op_opt`.  NULL: the call
 * blocks until the verb is done and returns its result.  Otherwise the call
 * returns as soon as the request is on its way, and the operation tells the rest.
 * A call that fails at once never completes an operation later, and the reverse.
 */
#ifndef HCS_OP_H
#define HCS_OP_H

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hcs_op hcs_op;

/**
 * Something to poll for: readable when hcs_op_wait() would not block.
 *
 * Owner: borrowed from @op.
 */
HCS_API hcs_pollable hcs_op_pollable(const hcs_op *op);

/**
 * Wait for the operation and take its result.  May be asked again: the result stays.
 *
 * Thread: one waiter at a time.
 * Blocks: up to @timeout_ms (0 never, -1 for ever).
 * Errors: HCS_E_OPERATION_TIMEOUT not done yet, and the operation goes on ·
 *         HCS_E_SERVICE_DISCONNECT the service went away ·
 *         whatever the verb lists
 */
HCS_API HCS_MUST_USE hcs_result hcs_op_wait(hcs_op *op, int timeout_ms, hcs_error *err);

/**
 * Let go of an operation.  A pending one goes on in the service; only its result is
 * forgotten.  (HCS itself cannot cancel either.)  NULL is allowed.
 */
HCS_API void hcs_op_close(hcs_op *op);

#ifdef __cplusplus
}
#endif
#endif
