/* pump.h - carries what goes through the standard handles of a program between it and us, for hosts
 * that cannot be given ours. */
#ifndef HCS_CLI_PUMP_H
#define HCS_CLI_PUMP_H

#include <poll.h>

#include "cli.h"

#define PUMP_LANES 3
#define LANE_BYTES 65536

/* One direction of one handle: from here to there by way of a buffer. */
struct lane {
    int from, to;      /* -1: it has ended */
    int owned;         /* the end of the program: ours to close */
    size_t start, end; /* what of the buffer has not been written */
    char *buffer;
};

struct pump {
    struct lane lanes[PUMP_LANES]; /* stdin, stdout, stderr */
    uint64_t said;                 /* bytes that the program has said so far */
};

/* One that has nothing to carry; pump_done() is allowed. */
void pump_init(struct pump *p);
void pump_done(struct pump *p);

/* Take the pipes of @process.  0, or -1 after saying what is wrong. */
HCS_MUST_USE int pump_begin(struct pump *p, hcs_process *process);

/* What to poll for, one entry for each lane; an entry that waits for nothing has fd -1. */
void pump_wants(const struct pump *p, struct pollfd out[PUMP_LANES]);

/* Carry what can be carried now, after a poll of these. */
void pump_carry(struct pump *p, const struct pollfd polled[PUMP_LANES]);

/* The program reads no more. */
void pump_end_input(struct pump *p);

/* Whether the program may still say something; whether it has said what is not written yet. */
int pump_has_output(const struct pump *p);
int pump_holds_output(const struct pump *p);

#endif
