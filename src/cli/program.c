/* program.c - runs a program in a system as if it were ours.
 *
 * Owns the event stream of the system while the program runs, and the signals meant for it.  Used
 * by run and exec.  The stream is open before the program exists, so its end cannot be missed, and
 * one poll waits for events and signals alike: no thread, no timer, no second way to learn of the
 * end.  The stream goes on when the service was away, and so does the wait; while it is away
 * nothing is asked of it, for asking would start a service, and signals are kept.
 */
#include "program.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "report.h"

#define INTERRUPTS_MAX 3
#define LOSS_LIMIT_MS 1000

/* ---- signals ---- */

int program_init(struct program *p, hcs_host *host, enum program_third third)
{
    sigset_t set;

    *p = (struct program){ .host = host, .third = third, .signals = -1 };
    pump_init(&p->pump);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p->signals >= 0)
        return 0;
    output_fail("no signalfd: %s", strerror(errno));
    return -1;
}

void program_done(struct program *p)
{
    pump_done(&p->pump);
    hcs_process_close(p->process);
    hcs_stream_close(p->stream);
    if (p->signals >= 0)
        close(p->signals);
}

/* Nothing can be ended by force now: the wait is what is given up. */
static void give_up(struct program *p)
{
    output_fail("third Ctrl-C while the service is away: the program may still run in %s",
                hcs_system_id(p->system));
    p->is_lost = 1;
}

static void say_pressed_again(const struct program *p)
{
    if (p->third == THIRD_KILLS_SYSTEM)
        output_fail("third Ctrl-C: ending %s by force", hcs_system_id(p->system));
    else
        output_fail("third Ctrl-C: killing the process");
}

static void end_by_force(struct program *p)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_op *op = NULL;
    hcs_result r;

    say_pressed_again(p);
    if (p->third == THIRD_KILLS_PROCESS) {
        r = hcs_process_signal(p->process, SIGKILL, &err);
    } else {
        r = hcs_system_terminate(p->system, &op, &err);
        hcs_op_close(op); /* the stream tells the end */
    }
    if (r < 0 && hcs_result_class(r) != HCS_CLASS_ALREADY_STOPPED)
        output_error(&err, NULL);
}

static void forward(struct program *p, int number)
{
    hcs_error err = HCS_ERROR_INIT;

    if (p->interrupts >= INTERRUPTS_MAX) {
        end_by_force(p);
        p->interrupts = 0;
        return;
    }
    if (p->has_exit)
        return; /* it has ended meanwhile */
    if (hcs_process_signal(p->process, number, &err) < 0 &&
        hcs_result_class(err.code) != HCS_CLASS_ALREADY_STOPPED)
        output_error(&err, NULL);
}

static void take_events(struct program *p);

static void forward_pending(struct program *p)
{
    int number = p->pending;

    p->pending = 0;
    if (number)
        forward(p, number);
}

/* Signals that have come: to the program, or kept until there is one and it can be told. */
static void take_signals(struct program *p)
{
    struct signalfd_siginfo info;

    while (read(p->signals, &info, sizeof info) == (ssize_t) sizeof info) {
        p->interrupts += info.ssi_signo == SIGINT;
        if (p->stream && !p->is_away)
            take_events(p); /* or it has gone, and nobody has looked yet */
        if (p->is_away && p->interrupts >= INTERRUPTS_MAX)
            give_up(p);
        else if (p->process && hcs_process_id(p->process) && !p->has_exit && !p->is_away)
            forward(p, (int) info.ssi_signo);
        else
            p->pending = (int) info.ssi_signo;
    }
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t) t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until @other (or NONE) is readable or the pump had something to do, taking signals; 0 when
 * @timeout_ms (-1: never) was over first. */
static int wait_for(struct program *p, hcs_pollable other, int timeout_ms)
{
    struct pollfd fds[2 + PUMP_LANES] = { { p->signals, POLLIN, 0 }, { other, POLLIN, 0 } };
    int n;

    pump_wants(&p->pump, fds + 2);
    n = poll(fds, N_ELEMENTS(fds), timeout_ms);
    if (n > 0 && fds[0].revents)
        take_signals(p);
    if (n > 0)
        pump_carry(&p->pump, fds + 2);
    return n != 0;
}

hcs_result program_finish_op(struct program *p, hcs_op *take_op, hcs_error *err)
{
    _cleanup_(op_dropp) hcs_op *op = take_op;
    hcs_result r;

    while ((r = hcs_op_wait(op, 0, err)) == HCS_E_OPERATION_TIMEOUT) {
        if (p->interrupts >= INTERRUPTS_MAX)
            return r;
        wait_for(p, hcs_op_pollable(op), -1);
    }
    return r;
}

/* A gap may have swallowed an end, and a service that came back may not know what its predecessor
 * did: nobody waits for an end that will not be told. */
static void note_answer(struct program *p, hcs_result r)
{
    if (hcs_result_class(r) == HCS_CLASS_NOT_FOUND)
        p->is_lost = 1;
}

static void ask_for_exit(struct program *p)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_result r;

    if (!p->process || p->has_exit)
        return;
    r = hcs_process_wait(p->process, 0, &report, NULL);
    note_answer(p, r);
    if (r == HCS_OK) {
        p->exit = report;
        p->has_exit = 1;
    }
}

static void ask_for_system(struct program *p)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_result r = hcs_system_wait(p->system, 0, &report, NULL);

    note_answer(p, r);
    if (r == HCS_OK)
        p->system_ended = 1;
}

static void note_away(struct program *p)
{
    p->is_away = 1;
    p->is_lost |= !p->reconnects;
    if (p->is_lost || p->system_ended)
        return;
    output_fail("the service is gone: waiting for it to come back; %s goes on meanwhile",
                hcs_system_id(p->system));
}

/* After the system's end there is nothing more; before it, the service has something else to say.
 */
static void note_end(struct program *p, const hcs_event *event)
{
    _cleanup_(free_dropp) char *words = NULL;

    p->is_away &= !p->reconnects;
    p->is_lost = 1;
    if (p->has_exit || p->system_ended)
        return;
    words = report_event_words(event, p->reconnects);
    output_fail("%s", words ? words : "the stream ended");
}

static void take_event(struct program *p, const hcs_event *event)
{
    switch (event->kind) {
    case HCS_EVENT_PROCESS_EXITED:
        if (p->process && event->process_id == hcs_process_id(p->process) && !p->has_exit) {
            p->exit = event->exit;
            p->has_exit = 1;
        }
        break;
    case HCS_EVENT_SYSTEM_EXITED:
        p->system_ended = 1;
        break;
    case HCS_EVENT_SERVICE_RECONNECTED:
        p->is_away = 0;
        output_fail("the service is back");
        break;
    case HCS_EVENT_GAP:
        ask_for_exit(p);
        ask_for_system(p);
        break;
    case HCS_EVENT_SERVICE_DISCONNECT:
        note_away(p);
        break;
    case HCS_EVENT_END:
        note_end(p, event);
        break;
    default:
        break;
    }
}

/* Take the events that are there. */
static void take_events(struct program *p)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_result r;

    while ((r = hcs_stream_next(p->stream, 0, &event, NULL)) == HCS_OK)
        take_event(p, &event);
    if (r != HCS_E_OPERATION_TIMEOUT)
        p->is_lost = 1;
}

int program_await_system(struct program *p, int timeout_ms)
{
    int64_t end = now_ms() + timeout_ms;

    while (!p->system_ended && !p->is_lost) {
        int64_t left = end - now_ms();

        if (left <= 0 || !wait_for(p, hcs_stream_pollable(p->stream), (int) left))
            return -1;
        take_events(p);
    }
    return p->system_ended ? 0 : -1;
}

/* A service that went away has nothing to be asked any more; asking would start another one.  The
 * stream says so a moment later than a call does, unless it was the call's connection alone. */
void program_note_loss(struct program *p, hcs_result result)
{
    int64_t end = now_ms() + LOSS_LIMIT_MS, left;

    if (hcs_result_class(result) != HCS_CLASS_SERVICE_GONE)
        return;
    if (!p->stream)
        p->is_away = p->is_lost = 1;
    while (!p->is_away && !p->is_lost && !p->system_ended && (left = end - now_ms()) > 0) {
        wait_for(p, hcs_stream_pollable(p->stream), (int) left);
        take_events(p);
    }
}

int program_await_service(struct program *p)
{
    while (p->is_away && !p->is_lost && !p->system_ended) {
        wait_for(p, hcs_stream_pollable(p->stream), -1);
        take_events(p);
    }
    return p->is_away && !p->system_ended ? -1 : 0;
}

/* ---- the life of the program ---- */

/* A host that cannot be given our handles makes pipes, and we carry what goes through them. */
static hcs_result create_pumped(struct program *p, const char *parameters, hcs_error *err)
{
    _cleanup_(free_dropp) char *piped = program_with_pipes(parameters);
    hcs_op *op = NULL;
    hcs_result r;

    r = hcs_process_create(p->system, piped ? piped : parameters, NULL, &p->process, &op, err);
    if (r >= 0)
        r = program_finish_op(p, op, err);
    if (r >= 0 && pump_begin(&p->pump, p->process) < 0)
        p->is_lost = 1;
    return r;
}

/* One that goes on when the service was away, where that can be had. */
static hcs_result open_stream(struct program *p, hcs_error *err)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_result r;

    options.flags = HCS_STREAM_RECONNECT;
    r = hcs_stream_open_system(p->system, &options, &p->stream, err);
    p->reconnects = r == HCS_OK;
    if (r != HCS_E_WIN32_NOT_SUPPORTED)
        return r;
    options.flags = 0;
    return hcs_stream_open_system(p->system, &options, &p->stream, err);
}

static hcs_result create(struct program *p, const char *parameters, hcs_error *err)
{
    hcs_stdio stdio = HCS_STDIO_INIT;
    hcs_op *op = NULL;
    hcs_result r = open_stream(p, err);

    if (r < 0)
        return r;
    stdio.in = STDIN_FILENO;
    stdio.out = STDOUT_FILENO;
    stdio.err = STDERR_FILENO;
    r = hcs_process_create(p->system, parameters, &stdio, &p->process, &op, err);
    if (r == HCS_E_WIN32_NOT_SUPPORTED && !op)
        r = create_pumped(p, parameters, err);
    else if (r >= 0)
        r = program_finish_op(p, op, err);
    program_note_loss(p, r);
    return r;
}

/* What the program said before it ended, to the last byte: no more than fits between it and us. Who
 * else has its handles, as a program that it has left behind, is listened to for a moment only. */
static void take_last_words(struct program *p)
{
    uint64_t until = p->pump.said + LAST_WORDS_BYTES;
    int holds;

    pump_end_input(&p->pump);
    p->pending = 0;
    do {
        /* who reads from us may take all the time he wants, until a signal ends it */
        holds = pump_holds_output(&p->pump);
        if (!holds && (!pump_has_output(&p->pump) || p->pump.said >= until))
            break;
    } while (!p->is_lost && !p->pending &&
             wait_for(p, HCS_POLLABLE_NONE, holds ? -1 : LAST_WORDS_MS));
}

static int exit_status(const struct program *p)
{
    if (!p->has_exit && p->is_lost && !p->system_ended)
        output_fail("the service went away while the program ran and %s: how the program ended is "
                    "not known",
                    p->is_away ? "is not back" : "does not know it any more");
    else if (!p->has_exit)
        output_fail("the system ended, and nobody saw how the program ended");
    else if (p->exit.how != HCS_EXIT_CODE && p->exit.how != HCS_EXIT_SIGNAL)
        output_fail("how the program ended is not known: %s", p->exit.reason);
    return p->has_exit ? report_exit_status(&p->exit) : STATUS_OURS;
}

int program_run(struct program *p, const char *parameters)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = create(p, parameters, &err);

    if (r == HCS_E_OPERATION_TIMEOUT) {
        output_fail("third Ctrl-C while the program was being started");
        return 128 + SIGINT;
    }
    if (r < 0) {
        output_error(&err, NULL);
        return p->process ? report_failure_status(r) : STATUS_OURS;
    }
    forward_pending(p);
    while (!p->has_exit && !p->system_ended && !p->is_lost) {
        wait_for(p, hcs_stream_pollable(p->stream), -1);
        take_events(p);
        if (!p->is_away)
            forward_pending(p);
    }
    take_last_words(p);
    return exit_status(p);
}
