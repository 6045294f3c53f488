/* event_rate.c - events a second through the durable log and the socket to one reader.
 *
 * Usage: event_rate EVENTS | event_rate --again EVENTS
 * Needs an hcsd with the fake driver: scripts make the events, so what is measured is engine, log,
 * wire and library. Prints the rate of live events, and that of reading them all again from the
 * log; or, with --again, that of reading so many that the log has already, from its beginning. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hcs/hcs.h"

#define EVENTS_A_PROCESS 1000

static const char document[] =
    "{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Container\":{\"Storage\":{\"Path\":\"/\"}}}";

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void die(const hcs_error *err)
{
    fprintf(stderr, "event_rate: %s\n", err->text);
    exit(1);
}

static char *script(void)
{
    static const char one[] = ",\"event\",\"77\",\"{}\"";
    char *text = malloc(sizeof one * EVENTS_A_PROCESS + 100), *at = text;

    if (!text)
        exit(1);
    at += sprintf(at, "{\"CommandArgs\":[\"sleep\",\"0\"");
    for (int i = 0; i < EVENTS_A_PROCESS; i++)
        at += sprintf(at, "%s", one);
    strcpy(at, "]}");
    return text;
}

/* Read @n events of kind 77; the seconds it took. */
static double read_events(hcs_host *host, uint64_t after, int n, hcs_system *run_in,
                          const char *parameters, int processes)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_event event = HCS_EVENT_INIT;
    hcs_error err = HCS_ERROR_INIT;
    hcs_stream *stream = NULL;
    double begin;

    options.from = HCS_FROM_AFTER;
    options.after = after;
    if (hcs_stream_open(host, &options, &stream, &err) < 0)
        die(&err);
    begin = now_s();
    for (int i = 0; run_in && i < processes; i++) {
        hcs_process *process = NULL;

        if (hcs_process_create(run_in, parameters, NULL, &process, NULL, &err) < 0)
            die(&err);
        hcs_process_close(process);
    }
    for (int seen = 0; seen < n;) {
        if (hcs_stream_next(stream, -1, &event, &err) < 0)
            die(&err);
        if (event.kind == HCS_EVENT_GAP)
            seen += (int) (event.gap_last - event.gap_first + 1);
        seen += event.kind == 77;
    }
    begin = now_s() - begin;
    hcs_stream_close(stream);
    return begin;
}

static int read_again(hcs_host *host, uint64_t n)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_event event = HCS_EVENT_INIT;
    hcs_error err = HCS_ERROR_INIT;
    hcs_stream *stream = NULL;
    double begin = now_s();

    options.from = HCS_FROM_BEGINNING;
    if (hcs_stream_open(host, &options, &stream, &err) < 0)
        die(&err);
    for (uint64_t seen = 0; seen < n; seen++) {
        if (hcs_stream_next(stream, -1, &event, &err) < 0)
            die(&err);
        if (event.sequence != seen + 1)
            return 1;
    }
    printf("{\"events\":%llu,\"per_second\":%.0f}\n", (unsigned long long) n,
           (double) n / (now_s() - begin));
    hcs_stream_close(stream);
    hcs_host_close(host);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t again = argc == 3 && strcmp(argv[1], "--again") == 0 ? strtoull(argv[2], NULL, 10) : 0;
    int n = argc == 2 ? atoi(argv[1]) : 0, processes = n / EVENTS_A_PROCESS;
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_event event = HCS_EVENT_INIT;
    char *parameters = script();
    double live, replay;

    if (processes < 1 && again == 0)
        return 2;
    if (hcs_host_open(NULL, &host, &err) < 0)
        die(&err);
    if (again > 0)
        return read_again(host, again);
    options.system_id = "event-rate";
    options.from = HCS_FROM_BEGINNING;
    if (hcs_system_create(host, "event-rate", document, &system, NULL, &err) < 0 ||
        hcs_stream_open(host, &options, &stream, &err) < 0 ||
        hcs_stream_next(stream, -1, &event, &err) < 0 || hcs_system_start(system, NULL, &err) < 0)
        die(&err);
    uint64_t after = event.sequence + 1;
    hcs_stream_close(stream);
    live = read_events(host, after, processes * EVENTS_A_PROCESS, system, parameters, processes);
    replay = read_events(host, after, processes * EVENTS_A_PROCESS, NULL, NULL, 0);
    printf("{\"events\":%d,\"live_per_second\":%.0f,\"replay_per_second\":%.0f}\n",
           processes * EVENTS_A_PROCESS, processes * EVENTS_A_PROCESS / live,
           processes * EVENTS_A_PROCESS / replay);
    if (hcs_system_terminate(system, NULL, &err) < 0)
        die(&err);
    hcs_system_close(system);
    hcs_host_close(host);
    free(parameters);
    return 0;
}
