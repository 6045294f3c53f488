/* program_windows.c - runs a program in a system as if it were ours, on Windows.
 *
 * Owns the pipes of the program and a thread for each, which carries the bytes between it and our
 * own standard handles.  Used by exec.  Promises that what the program wrote before it ended is
 * written before we end, however long our reader takes, and that Ctrl-C is the program's: the third
 * one kills it, and after its end one ends that wait.
 */
#include "program.h"

#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>

#include <windows.h>

#include "report.h"

#define INTERRUPTS_MAX 3
#define SIGNAL_INT 2
#define SIGNAL_KILL 9
#define LANE_BYTES 65536

/* ---- what the program says ---- */

/* How far that has come; told by the threads that carry it. */
static struct {
    SRWLOCK lock;
    CONDITION_VARIABLE changed;
    unsigned speaking; /* handles that have not come to their end */
    unsigned holding;  /* those of which we have bytes that nobody has taken yet */
    uint64_t said;     /* bytes */
    int given_up;      /* nobody waits for the rest */
} output = { SRWLOCK_INIT, CONDITION_VARIABLE_INIT, 0, 0, 0, 0 };

static void output_note(int speaking, int holding, uint64_t said)
{
    AcquireSRWLockExclusive(&output.lock);
    output.speaking += (unsigned) speaking;
    output.holding += (unsigned) holding;
    output.said += said;
    WakeAllConditionVariable(&output.changed);
    ReleaseSRWLockExclusive(&output.lock);
}

static void output_give_up(void)
{
    AcquireSRWLockExclusive(&output.lock);
    output.given_up = 1;
    WakeAllConditionVariable(&output.changed);
    ReleaseSRWLockExclusive(&output.lock);
}

/* ---- Ctrl-C ---- */

/* Whom it is for; the system calls us on a thread of its own. */
static struct {
    SRWLOCK lock;
    hcs_process *process;
    unsigned times;
    int has_ended; /* the process: what it has said may still be waiting */
} interrupted = { SRWLOCK_INIT, NULL, 0, 0 };

static BOOL WINAPI on_console(DWORD what)
{
    hcs_error err = HCS_ERROR_INIT;
    int number = SIGNAL_INT;

    if (what != CTRL_C_EVENT && what != CTRL_BREAK_EVENT)
        return FALSE;
    AcquireSRWLockExclusive(&interrupted.lock);
    if (interrupted.has_ended) {
        output_give_up();
        ReleaseSRWLockExclusive(&interrupted.lock);
        return TRUE;
    }
    if (++interrupted.times >= INTERRUPTS_MAX) {
        output_fail("third Ctrl-C: killing the process");
        interrupted.times = 0;
        number = SIGNAL_KILL;
    }
    if (interrupted.process && hcs_process_signal(interrupted.process, number, &err) < 0 &&
        hcs_result_class(err.code) != HCS_CLASS_ALREADY_STOPPED)
        output_error(&err, NULL);
    ReleaseSRWLockExclusive(&interrupted.lock);
    return TRUE;
}

static void interrupts_are_for(hcs_process *process_opt, int has_ended)
{
    AcquireSRWLockExclusive(&interrupted.lock);
    interrupted.process = process_opt;
    interrupted.has_ended = has_ended;
    ReleaseSRWLockExclusive(&interrupted.lock);
}

int program_init(struct program *p, hcs_host *host, enum program_third third)
{
    *p = (struct program){ .host = host, .third = third };
    SetConsoleCtrlHandler(on_console, TRUE);
    return 0;
}

void program_done(struct program *p)
{
    interrupts_are_for(NULL, 1);
    hcs_process_close(p->process);
}

/* ---- carrying ---- */

/* One direction of one handle.  Of a lane whose thread still waits when the program has ended,
 * nothing is touched any more: the thread ends with us. */
struct lane {
    HANDLE ours;
    HANDLE theirs; /* a socket over TCP, else a pipe that was opened for overlapped use */
    int is_socket, is_input;
    HANDLE event; /* of what is under way on the pipe */
};

static int is_socket(HANDLE handle)
{
    int type, size = sizeof type;

    return getsockopt((SOCKET) handle, SOL_SOCKET, SO_TYPE, (char *) &type, &size) == 0;
}

static void theirs_close(struct lane *l)
{
    if (l->is_socket)
        closesocket((SOCKET) l->theirs);
    else
        CloseHandle(l->theirs);
    if (l->event)
        CloseHandle(l->event);
}

/* Bytes moved by what was begun with @o; 0 when it failed or came to the end. */
static DWORD finish(HANDLE handle, BOOL done, OVERLAPPED *o)
{
    DWORD n = 0;

    if (!done && GetLastError() != ERROR_IO_PENDING)
        return 0;
    return GetOverlappedResult(handle, o, &n, TRUE) ? n : 0;
}

static DWORD theirs_read(struct lane *l, char *to, DWORD room)
{
    OVERLAPPED o = { .hEvent = l->event };

    if (l->is_socket) {
        int n = recv((SOCKET) l->theirs, to, (int) room, 0);

        return n > 0 ? (DWORD) n : 0;
    }
    return finish(l->theirs, ReadFile(l->theirs, to, room, NULL, &o), &o);
}

static DWORD theirs_write(struct lane *l, const char *bytes, DWORD n)
{
    OVERLAPPED o = { .hEvent = l->event };

    if (l->is_socket) {
        int put = send((SOCKET) l->theirs, bytes, (int) n, 0);

        return put > 0 ? (DWORD) put : 0;
    }
    return finish(l->theirs, WriteFile(l->theirs, bytes, n, NULL, &o), &o);
}

static void carry_input(struct lane *l, char *buffer)
{
    DWORD n, at, put;

    while (ReadFile(l->ours, buffer, LANE_BYTES, &n, NULL) && n > 0) {
        for (at = 0; at < n; at += put) {
            put = theirs_write(l, buffer + at, n - at);
            if (put == 0)
                return;
        }
    }
}

/* 0, or -1: our reader has gone. */
static int ours_write(struct lane *l, const char *bytes, DWORD n)
{
    DWORD at, put;

    for (at = 0; at < n; at += put)
        if (!WriteFile(l->ours, bytes + at, n - at, &put, NULL) || put == 0)
            return -1;
    return 0;
}

static void carry_output(struct lane *l, char *buffer)
{
    DWORD n;
    int r = 0;

    while (r == 0 && (n = theirs_read(l, buffer, LANE_BYTES)) > 0) {
        output_note(0, 1, n);
        r = ours_write(l, buffer, n);
        output_note(0, -1, 0);
    }
}

static DWORD WINAPI lane_main(void *context)
{
    struct lane *l = context;
    char *buffer = malloc(LANE_BYTES);

    if (buffer && l->is_input)
        carry_input(l, buffer);
    else if (buffer)
        carry_output(l, buffer);
    free(buffer);
    theirs_close(l); /* the end is passed on */
    if (!l->is_input)
        output_note(-1, 0, 0);
    return 0;
}

static void lane_begin(struct lane *l, hcs_process *process, hcs_stdio_which which)
{
    static const DWORD ours[] = { STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE };
    HANDLE thread = NULL;

    *l = (struct lane){ .ours = GetStdHandle(ours[which]),
                        .theirs = hcs_process_take_stdio(process, which),
                        .is_input = which == HCS_STDIN };
    if (!l->theirs)
        return;
    l->is_socket = is_socket(l->theirs);
    l->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!l->is_input)
        output_note(1, 0, 0);
    if (l->event)
        thread = CreateThread(NULL, 0, lane_main, l, 0, NULL);
    if (thread) {
        CloseHandle(thread);
        return;
    }
    output_fail("%s of the program is not carried: there is no thread for it",
                which == HCS_STDIN ? "the input" : "the output");
    if (!l->is_input)
        output_note(-1, 0, 0);
    theirs_close(l);
}

/* What the program said before it ended, to the last byte: no more than fits between it and us, and
 * who reads from us may take all the time he wants.  Who else has its handles, as a program that it
 * has left behind, is listened to for a moment only. */
static void take_last_words(void)
{
    uint64_t until, before;

    AcquireSRWLockExclusive(&output.lock);
    until = output.said + LAST_WORDS_BYTES;
    while (output.speaking > 0 && !output.given_up && (output.holding > 0 || output.said < until)) {
        before = output.said;
        if (!SleepConditionVariableSRW(&output.changed, &output.lock,
                                       output.holding > 0 ? INFINITE : LAST_WORDS_MS, 0) &&
            output.holding == 0 && output.said == before)
            break;
    }
    ReleaseSRWLockExclusive(&output.lock);
}

/* ---- the life of the program ---- */

int program_run(struct program *p, const char *parameters)
{
    static struct lane lanes[3]; /* their threads may outlive this call */
    _cleanup_(free_dropp) char *piped = program_with_pipes(parameters);
    hcs_error err = HCS_ERROR_INIT;
    hcs_exit report = HCS_EXIT_INIT;

    if (!piped) {
        output_fail("not enough memory");
        return STATUS_OURS;
    }
    if (hcs_process_create(p->system, piped, NULL, &p->process, NULL, &err) < 0) {
        output_error(&err, NULL);
        return report_failure_status(err.code);
    }
    interrupts_are_for(p->process, 0);
    for (hcs_stdio_which which = HCS_STDIN; which <= HCS_STDERR; which++)
        lane_begin(&lanes[which], p->process, which);
    if (hcs_process_wait(p->process, -1, &report, &err) < 0) {
        output_error(&err, NULL);
        return STATUS_OURS;
    }
    interrupts_are_for(p->process, 1);
    take_last_words();
    if (report.how != HCS_EXIT_CODE && report.how != HCS_EXIT_SIGNAL)
        output_fail("how the program ended is not known: %s", report.reason);
    return report_exit_status(&report);
}
