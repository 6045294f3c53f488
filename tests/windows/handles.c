/* handles.c - pollables on Windows: event objects that are set exactly while there is something.
 *
 *   handles ADDRESS ID DOCUMENT     with hcs.dll, as a program elsewhere would have it
 *
 * Ends with 0 when every promise holds; else it says which does not. */
#include <windows.h>

#include <hcs/hcs.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MS 60000

static hcs_error err = HCS_ERROR_INIT;

static void promise(const char *what, int holds)
{
    if (holds)
        return;
    fprintf(stderr, "not so: %s (%s)\n", what, err.text);
    exit(1);
}

static int is_set(hcs_pollable pollable)
{
    return WaitForSingleObject(pollable, 0) == WAIT_OBJECT_0;
}

static int becomes_set(hcs_pollable pollable)
{
    return WaitForSingleObject(pollable, LIMIT_MS) == WAIT_OBJECT_0;
}

/* Wait for an operation by its pollable alone. */
static void finish(const char *what, hcs_op *op)
{
    hcs_result r;

    do {
        promise("an operation's pollable is set in the end", becomes_set(hcs_op_pollable(op)));
        r = hcs_op_wait(op, 0, &err);
    } while (r == HCS_E_OPERATION_TIMEOUT);
    promise(what, r == HCS_OK);
    promise("an operation that is done stays set", is_set(hcs_op_pollable(op)));
    promise("its result stays", hcs_op_wait(op, 0, &err) == HCS_OK);
    hcs_op_close(op);
}

/* Take what is there.  The last kind, 0 when there was nothing. */
static hcs_event_kind take_all(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_event_kind last = 0;
    hcs_result r;

    while ((r = hcs_stream_next(stream, 0, &event, &err)) == HCS_OK)
        last = event.kind;
    promise("a stream says nothing yet, or that it has ended",
            r == HCS_E_OPERATION_TIMEOUT || r == HCS_E_WIN32_NO_MORE_ITEMS);
    return last;
}

/* By its pollable alone, until an event of this kind was the last there was. */
static void follow(hcs_stream *stream, hcs_event_kind kind)
{
    hcs_event_kind last;

    do {
        promise("a stream's pollable is set for what comes",
                becomes_set(hcs_stream_pollable(stream)));
        last = take_all(stream);
    } while (last != kind);
    promise("a stream with nothing more is not set", !is_set(hcs_stream_pollable(stream)));
}

static DWORD WINAPI end_stream(void *stream)
{
    hcs_stream_end(stream);
    return 0;
}

/* A reader that waits is woken by another thread, and the pollable shows it. */
static void end_from_elsewhere(hcs_stream *stream)
{
    hcs_event event = HCS_EVENT_INIT;
    HANDLE thread;

    take_all(stream);
    thread = CreateThread(NULL, 0, end_stream, stream, 0, NULL);
    promise("a reader is woken", hcs_stream_next(stream, LIMIT_MS, &event, &err) == HCS_OK);
    promise("by the end", event.kind == HCS_EVENT_END);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    promise("after the end nothing is there",
            hcs_stream_next(stream, 0, &event, &err) == HCS_E_WIN32_NO_MORE_ITEMS &&
                !is_set(hcs_stream_pollable(stream)));
}

int main(int argc, char **argv)
{
    /* Then a stream of the host looks for newcomers now and then, which may show as readable, and
     * one that has ended before it was found is none. */
    int looks = argc > 1 && strcmp(argv[1], "computecore:") == 0;
    hcs_host *host = NULL;
    hcs_system *system = NULL;
    hcs_stream *of_system = NULL, *of_host = NULL;
    hcs_op *op = NULL;

    if (argc != 4)
        return 2;
    promise("the host opens", hcs_host_open(argv[1], &host, &err) == HCS_OK);
    promise("a stream opens", hcs_stream_open(host, NULL, &of_host, &err) == HCS_OK);
    take_all(of_host);
    promise("an idle stream is not set", looks || !is_set(hcs_stream_pollable(of_host)));
    promise("a system can be created",
            hcs_system_create(host, argv[2], argv[3], &system, &op, &err) == HCS_OK);
    promise("its stream opens before that is done",
            hcs_stream_open_system(system, NULL, &of_system, &err) == HCS_OK);
    finish("it is created", op);
    promise("it starts", hcs_system_start(system, &op, &err) == HCS_OK);
    finish("it has started", op);
    promise("it is ended", hcs_system_terminate(system, &op, &err) == HCS_OK);
    finish("it has ended", op);
    follow(of_system, HCS_EVENT_END);
    if (!looks)
        follow(of_host, HCS_EVENT_SYSTEM_EXITED);
    end_from_elsewhere(of_host);
    hcs_stream_close(of_system);
    hcs_stream_close(of_host);
    hcs_system_close(system);
    hcs_host_close(host);
    puts("all promises hold");
    return 0;
}
