/* channel.h - the daemon's end of a keeper: start one or find one, talk to it, notice its death.
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
    uint32_t asked; /* enum keeper_asked: what it was asked for, by whichever hcsd */
    int stage;      /* as KEEPER_TRACKED has it in `value` */
    int error;
    uint64_t realtime_ns;
    uint64_t monotonic_ns;
};

struct channel_process {
    uint32_t number;
    uint32_t pid;
    uint32_t asked;
    int stage;
    int error;
};

struct channel_events {
    /* Answer to channel_run (@wait_status, @pid; or @os and @step), channel_spawn (@pid; or @os and
     * @step), channel_signal* (@os).  KEEPER_DONE says what the numbers mean. */
    void (*done)(void *owner, uint32_t tag, uint32_t wait_status, uint32_t pid, int os, int step);
    void (*exited)(void *owner, const struct channel_exit *exit);
    void (*empty)(void *owner);

    /* KEEPER_TRACKED: of a process that was asked to report, and after channel_adopt. */
    void (*tracked)(void *owner, const struct channel_process *process);

    /* After channel_adopt only: KEEPER_READY and NOTHING say what they mean.  @asked is enum
     * keeper_asked.  What had ended before is told as `exited` before `ready`. */
    void (*ready)(void *owner, uint32_t asked);
    void (*nothing)(void *owner, uint32_t number);

    /* The keeper is gone, or broke the protocol and was killed for it, as one of another version
     * is; nothing more will come.  @why is one line. */
    void (*lost)(void *owner, const char *why);
};

/* Keeper options. */
#define CHANNEL_HIDE_UNIFIED                                                                       \
    1u /* private mount namespace with an empty tmpfs over /sys/fs/cgroup/unified */

/* Start @program as keeper of @run_dir.  The keeper's own stderr goes to run_dir/keeper.log. */
_must_use_ hcs_result channel_start(sd_event *loop, const char *program, const char *run_dir,
                                    uint32_t options, const struct channel_events *events,
                                    void *owner, struct channel **out, hcs_error *err);

/* Take over the keeper of @run_dir that an earlier hcsd started.  A keeper that does not listen is
 * an error (HCS_E_SERVICE_NOT_AVAILABLE); one that listens and does not answer is the owner's to
 * give up.  What hcsd itself lacks (descriptors, memory) is no error here: the connection is tried
 * again, after some milliseconds first and never after more than five seconds, until it is there or
 * `lost` says that none listens; commands meanwhile are HCS_E_WIN32_BUSY. */
_must_use_ hcs_result channel_adopt(sd_event *loop, const char *run_dir,
                                    const struct channel_events *events, void *owner,
                                    struct channel **out, hcs_error *err);

/* HCS_E_WIN32_INSUFFICIENT_BUFFER: larger than KEEPER_MESSAGE_MAX.  HCS_E_WIN32_BUSY: the keeper
 * has too many commands to take before this one.  HCS_E_CONNECTION_CLOSED: it is gone; `lost`
 * comes.
 *
 * @argv is NULL-terminated; @fds are 3 or none (then /dev/null); @pid_file_opt see KEEPER_RUN.
 */
_must_use_ hcs_result channel_run(struct channel *ch, uint32_t tag, char *const argv[],
                                  const int *fds, size_t n_fds, uint32_t number,
                                  const char *pid_file_opt, hcs_error *err);

/* As channel_run, of a program that leaves a process behind which reports: `tracked` follows
 * `done`. */
_must_use_ hcs_result channel_enter(struct channel *ch, uint32_t tag, char *const argv[],
                                    const int fds[3], uint32_t number, const char *pid_file,
                                    hcs_error *err);
_must_use_ hcs_result channel_spawn(struct channel *ch, uint32_t tag, uint32_t number,
                                    const char *directory_opt, char *const argv[],
                                    char *const environment[], const int fds[3], hcs_error *err);
_must_use_ hcs_result channel_signal(struct channel *ch, uint32_t tag, uint32_t number, int signal,
                                     hcs_error *err);
_must_use_ hcs_result channel_signal_all(struct channel *ch, uint32_t tag, int signal,
                                         hcs_error *err);
void channel_ack(struct channel *ch, uint32_t number);

/* Tell it to leave, killing what is left; after some seconds it is killed itself.  No other
 * callback comes after this, `lost` neither; @gone comes once, when the process is gone (and
 * reaped, if it is a child). Allowed after `lost`.  The channel is still to be dropped, in @gone or
 * later. */
void channel_quit(struct channel *ch, void (*gone)(void *owner));

/* Let go without telling the keeper anything; allowed in every callback.  NULL is allowed. */
void channel_drop(struct channel *ch);

#endif
