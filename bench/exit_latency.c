/* exit_latency.c - from the exit of a process to hcs_stream_next() returning its event.
 *
 * Usage: exit_latency DOCUMENT PROGRAM ROUNDS
 * Runs PROGRAM (exit_now) ROUNDS times in one system made from DOCUMENT and prints the delays in
 * microseconds. The event is durable when it is delivered, so the time includes the write to disk.
 */

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hcs/hcs.h"

static void die(const char *what, const hcs_error *err)
{
    fprintf(stderr, "exit_latency: %s: %s\n", what, err->text);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static double one_round(hcs_system *system, hcs_stream *stream, const char *parameters)
{
    hcs_process *process = NULL;
    hcs_event event = HCS_EVENT_INIT;
    hcs_error err = HCS_ERROR_INIT;
    uint64_t exited = 0, seen;
    int out;

    if (hcs_process_create(system, parameters, NULL, &process, NULL, &err) < 0)
        die("create process", &err);
    do {
        if (hcs_stream_next(stream, -1, &event, &err) < 0)
            die("next event", &err);
        seen = now_ns();
    } while (event.kind != HCS_EVENT_PROCESS_EXITED);
    out = hcs_process_take_stdio(process, HCS_STDOUT);
    if (read(out, &exited, sizeof exited) != (ssize_t) sizeof exited)
        exited = seen;
    close(out);
    hcs_process_close(process);
    return (double) (seen - exited) / 1000.0;
}

int main(int argc, char **argv)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;
    hcs_system *system = NULL;
    hcs_stream *stream = NULL;
    char parameters[512];

    if (argc != 4)
        return 2;
    int n = atoi(argv[3]);
    double *delays = calloc((size_t) n, sizeof *delays);
    snprintf(parameters, sizeof parameters, "{\"CommandArgs\":[\"%s\"],\"CreateStdOutPipe\":true}",
             argv[2]);
    options.system_id = "exit-latency";
    if (hcs_host_open(NULL, &host, &err) < 0 ||
        hcs_system_create(host, "exit-latency", argv[1], &system, NULL, &err) < 0 ||
        hcs_system_start(system, NULL, &err) < 0 ||
        hcs_stream_open(host, &options, &stream, &err) < 0)
        die("start", &err);
    for (int i = 0; i < 10; i++)
        one_round(system, stream, parameters);
    for (int i = 0; i < n; i++)
        delays[i] = one_round(system, stream, parameters);
    if (hcs_system_terminate(system, NULL, &err) < 0)
        die("terminate", &err);
    qsort(delays, (size_t) n, sizeof *delays, compare);
    printf("{\"rounds\":%d,\"p50_us\":%.0f,\"p90_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f}\n", n,
           delays[n / 2], delays[n * 9 / 10], delays[n * 99 / 100], delays[n - 1]);
    hcs_stream_close(stream);
    hcs_system_close(system);
    hcs_host_close(host);
    free(delays);
    return 0;
}
