/* adopt.c - a container that an earlier hcsd made: found again through its keeper, or without it.
 * Owns:    the note about the first process in the run directory.
 * Users:   oci.c begins it; container.c hands on what the keeper says.
 * Promise: answered in time whatever state the keeper is in; an end is told as what it was where
 * the keeper, its records or the kernel know it, and else as not known. */

#include "container.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "log.h"
#include "record.h"
#include "witness.h"

#define NOTE_BYTES_MAX 8192

/* ---- the note: "PID BIRTH MEMORY-DIRECTORY" ---- */

void adopt_note_init(struct container *c)
{
    _cleanup_(free_drop) char *path = container_path(c, "init");
    _cleanup_(free_drop) char *text = NULL;
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = HCS_E_OUTOFMEMORY;

    if (asprintf(&text, "%" PRIu32 " %" PRIu64 " %s\n", c->init_pid, c->init_birth,
                 c->memory_directory ? c->memory_directory : "") < 0)
        text = NULL;
    if (path && text)
        r = runtime_write_input(path, text, &err);
    if (r < 0)
        log_line(LOG_LINE_WARNING, "container '%s': its first process could not be noted: %s",
                 c->system->id, err.text);
}

static void recall_init(struct container *c)
{
    _cleanup_(free_drop) char *path = container_path(c, "init");
    _cleanup_(free_drop) char *text = NULL;
    int end = 0;

    if (!path || file_read(path, NOTE_BYTES_MAX, &text, NULL, NULL) < 0 ||
        sscanf(text, "%" SCNu32 " %" SCNu64 " %n", &c->init_pid, &c->init_birth, &end) != 2)
        return;
    text[strcspn(text, "\n")] = 0;
    if (text[end])
        c->memory_directory = strdup(text + end);
    c->init_pidfd = witness_open((pid_t) c->init_pid, c->init_birth);
}

/* ---- with its keeper ---- */

void adopt_answer(struct container *c, hcs_result result, const hcs_error *err)
{
    uint64_t job = c->adopt_job;

    c->adopt_timer = sd_event_source_disable_unref(c->adopt_timer);
    c->adopt_job = 0;
    if (result < 0)
        c->adopting = 0;
    if (job)
        container_tell_done(c, job, result, err);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *owner)
{
    struct container *c = owner;

    (void) source;
    (void) usec;
    log_line(LOG_LINE_WARNING,
             "the keeper of container '%s' does not answer: what it has to tell will come later",
             c->system->id);
    adopt_answer(c, HCS_OK, NULL);
    return 0;
}

void adopt_asked(struct container *c, uint32_t asked)
{
    c->asked_shut_down |= (asked & KEEPER_ASKED_TERM) != 0;
    c->asked_terminate |= (asked & KEEPER_ASKED_KILL) != 0;
}

void adopt_saw_init(struct container *c, const struct channel_process *init)
{
    c->init_seen = 1;
    adopt_asked(c, init->asked);
    if (c->init_pid == init->pid && c->init_pidfd >= 0)
        return;
    fd_drop(&c->init_pidfd);
    c->init_pid = init->pid;
    c->init_birth = witness_birth((pid_t) init->pid);
    c->init_pidfd = witness_open((pid_t) init->pid, c->init_birth);
}

void adopt_ready(struct container *c)
{
    if (!c->init_seen && !c->init_ended) {
        container_lost(c, "its keeper knows nothing of its first process");
        return;
    }
    processes_confirm(c);
    c->adopting = 0;
    adopt_answer(c, HCS_OK, NULL);
    container_try_end(c);
}

/* ---- without it ---- */

static void on_record(void *owner, const struct record *record)
{
    struct container *c = owner;
    struct channel_exit exit = {
        .number = record->number,
        .pid = record->pid,
        .wait_status = record->wait_status,
        .asked = record->asked,
        .stage = record->stage,
    };

    if (record->number != INIT_NUMBER) {
        process_exited(c, &exit);
        return;
    }
    c->init_ended = c->init_is_told = 1;
    c->init_status = record->wait_status;
    adopt_asked(c, record->asked);
}

int adopt_witness_init(struct container *c)
{
    if (!witness_status(c->init_pidfd, (pid_t) c->init_pid, c->init_birth, &c->init_status))
        return 0;
    c->init_is_told = 1;
    return 1;
}

void adopt_testify(struct container *c)
{
    int was_adopting = c->adopting;

    c->adopting = c->is_adopted; /* records may be of processes that the log does not know */
    records_read(c->system->run_dir, on_record, c);
    c->adopting = was_adopting;
    processes_witness(c);
    if (!c->init_ended)
        c->init_ended = adopt_witness_init(c);
}

/* ---- both ---- */

static hcs_result begin(struct container *c, const struct driver_known *known, hcs_error *err)
{
    hcs_result r = HCS_OK;

    recall_init(c);
    for (size_t i = 0; r >= 0 && i < known->n_processes; i++)
        r = process_restore(c, &known->processes[i], err);
    if (r >= 0)
        r = container_find_keeper(c, err);
    if (r >= 0 && sd_event_add_time_relative(c->oci->loop, &c->adopt_timer, CLOCK_MONOTONIC,
                                             DRIVER_ADOPT_US, 0, on_deadline, c) < 0)
        r = container_no_memory(c, err);
    return r;
}

void container_adopt(struct container *c, uint64_t job, const struct driver_known *known_opt)
{
    hcs_error err = HCS_ERROR_INIT;

    c->is_adopted = 1;
    if (!known_opt) {
        c->leftover = 1;
        container_tell_done(c, job, HCS_OK, NULL);
        return;
    }
    c->created = c->adopting = 1;
    c->adopt_job = job;
    if (begin(c, known_opt, &err) < 0)
        container_lost(c, err.text);
}
