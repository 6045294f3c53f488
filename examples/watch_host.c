/* watch_host.c - print every exit on this host, from a poll loop.
 *
 *   watch_host [COUNT]     leave after COUNT exits of systems (default: watch for ever)
 *
 * A stream is something to poll for, so it fits into the loop that a program already has. */
#ifdef _WIN32
#include <windows.h>
#else
#include <poll.h>
#endif
#include <stdio.h>
#include <stdlib.h>

#include <hcs/hcs.h>

/* A real program waits for more than this here. */
static void wait_for(hcs_pollable pollable)
{
#ifdef _WIN32
    WaitForMultipleObjects(1, &pollable, FALSE, INFINITE);
#else
    struct pollfd loop[] = { { pollable, POLLIN, 0 } };

    poll(loop, 1, -1);
#endif
}

static void print_exit(const hcs_event *event)
{
    char how[256];

    printf("%llu %s ", (unsigned long long) event->sequence, event->system.id);
    if (event->kind == HCS_EVENT_PROCESS_EXITED)
        printf("process %u ", (unsigned) event->process_id);
    printf("%s\n", hcs_exit_describe(&event->exit, how, sizeof how));
    fflush(stdout);
}

/* Take the events that are there.  1 go on, 0 the stream has ended. */
static int take_events(hcs_stream *stream, long *count)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_result r;

    while ((r = hcs_stream_next(stream, 0, &event, NULL)) == HCS_OK) {
        if (event.has_exit)
            print_exit(&event);
        if (event.kind == HCS_EVENT_GAP)
            printf("missed %llu to %llu\n", (unsigned long long) event.gap_first,
                   (unsigned long long) event.gap_last);
        if (event.kind == HCS_EVENT_SYSTEM_EXITED && *count > 0 && --*count == 0)
            return 0;
    }
    return r == HCS_E_OPERATION_TIMEOUT; /* nothing more yet */
}

int main(int argc, char **argv)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;
    hcs_stream *stream = NULL;
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : -1;

    if (hcs_host_open(NULL, &host, &err) < 0 || hcs_stream_open(host, NULL, &stream, &err) < 0) {
        fprintf(stderr, "watch_host: %s\n", err.text);
        hcs_host_close(host);
        return 1;
    }
    puts("watching"); /* from here on nothing is missed */
    fflush(stdout);
    do
        wait_for(hcs_stream_pollable(stream));
    while (take_events(stream, &count));
    hcs_stream_close(stream);
    hcs_host_close(host);
    return count > 0; /* the stream ended before we had seen enough */
}
