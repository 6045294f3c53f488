/* channel.h - the daemon's end of a keeper: start one, talk to it, notice its death.
 *
 * Used by the drivers; loop thread only.  Callbacks come from the loop, never from inside a call
 * here.
 */
#ifndef HCS_KEEPER_CHANNEL_H
#define HCS_KEEPER_CHANNEL_H

#include <systemd/sd-event.h>

#include "attr.h"
#include "hcs/error.h"
#include "protocol.h"

struct channel;

struct channel_exit {
    uint32_t number;
    uint32_t pid;
    uint32_t wait_status;
    uint64_t realtime_ns;
    uint64_t monotonic_ns;
};

struct channel_events {
    /* Answer to channel_run (@wait_status, @pid; or @os and @step), channel_spawn (@pid; or @os and
     * @step), channel_signal* (@os).  KEEPER_DONE says what the numbers mean. */
    void (*done)(void *owner, uint32_t tag, uint32_t wait_status, uint32_t pid, int os, int step);
    void (*exited)(void *owner, const struct channel_exit *exit);
    void (*empty)(void *owner);

    /* The keeper is gone or broke the protocol; nothing more will come.  @why is one line. */
    void (*lost)(void *owner, const char *why);
};

/* Keeper options. */
#define CHANNEL_HIDE_UNIFIED                                                                       \
    1u /* private mount namespace with an empty tmpfs over /sys/fs/cgroup/unified */

/* Start @program as keeper of @run_dir.  The keeper's own stderr goes to run_dir/keeper.log. */
_must_use_ hcs_result channel_start(sd_event *loop, const char *program, const char *run_dir,
                                    uint32_t options, const struct channel_events *events,
                                    void *owner, struct channel **out, hcs_error *err);

/* HCS_E_WIN32_INSUFFICIENT_BUFFER: larger than KEEPER_MESSAGE_MAX.  HCS_E_WIN32_BUSY: the keeper
 * has too many commands to take before this one.  HCS_E_CONNECTION_CLOSED: it is gone; `lost`
 * comes.
 *
 * @argv is NULL-terminated; @fds are 3, 4 or none (then /dev/null); @pid_file_opt see KEEPER_RUN.
 */
_must_use_ hcs_result channel_run(struct channel *ch, uint32_t tag, char *const argv[],
                                  const int *fds, size_t n_fds, uint32_t number,
                                  const char *pid_file_opt, hcs_error *err);
_must_use_ hcs_result channel_spawn(struct channel *ch, uint32_t tag, uint32_t number,
                                    const char *directory_opt, char *const argv[],
                                    char *const environment[], const int fds[3], hcs_error *err);
_must_use_ hcs_result channel_signal(struct channel *ch, uint32_t tag, uint32_t number, int signal,
                                     hcs_error *err);
_must_use_ hcs_result channel_signal_all(struct channel *ch, uint32_t tag, int signal,
                                         hcs_error *err);
void channel_ack(struct channel *ch, uint32_t number);

/* Tell it to leave, killing what is left; after some seconds it is killed itself.  No other
 * callback comes after this, `lost` neither; @gone comes once, when the process is gone and reaped.
 * Allowed after `lost`.  The channel is still to be dropped, in @gone or later. */
void channel_quit(struct channel *ch, void (*gone)(void *owner));

/* Let go without telling the keeper anything; allowed in every callback.  NULL is allowed. */
void channel_drop(struct channel *ch);

#endif
