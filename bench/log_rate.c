/* log_rate.c - the event log by itself: a file of so many events is made, opened and read again.
 *
 * Usage: log_rate FILE EVENTS
 * Prints the durable events a second in batches of 64 and of 1024, how long the opening takes with
 * all of them there, events a second read again, and how long a time is looked for. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "event.h"
#include "evlog.h"

static double now_s(void)
{
    return (double) clock_monotonic_ns() / 1e9;
}

static void die(const hcs_error *err)
{
    fprintf(stderr, "log_rate: %s\n", err->text);
    exit(1);
}

/* As hcsd tells the end of a process. */
static void append(struct evlog *log, uint64_t i)
{
    static const char detail[] = "{\"ProcessId\":12345,\"Exited\":true,\"ExitCode\":42}";
    struct evlog_slot *slot = evlog_reserve(1024);
    hcs_event event = HCS_EVENT_INIT;

    event.kind = HCS_EVENT_PROCESS_EXITED;
    event.system = (hcs_event_system){ "a-system-of-this-host", 1 + i / 100, "somebody",
                                       "Container", "namespaces" };
    event.process_id = 12345;
    event.has_exit = 1;
    event.exit.how = HCS_EXIT_CODE;
    event.exit.code = 42;
    event.detail = detail;
    event.detail_length = sizeof detail - 1;
    if (!slot || evlog_append(log, slot, &event) < 0)
        exit(1);
}

/* Events a second. */
static double fill(struct evlog *log, uint64_t n, uint64_t batch)
{
    hcs_error err = HCS_ERROR_INIT;
    double begin = now_s();

    for (uint64_t i = 0; i < n; i++) {
        append(log, i);
        if ((i + 1) % batch == 0 && evlog_commit(log, &err) < 0)
            die(&err);
    }
    if (evlog_commit(log, &err) < 0)
        die(&err);
    return (double) n / (now_s() - begin);
}

static int count(void *context, uint64_t sequence, uint64_t incarnation, hcs_event_kind kind,
                 const char *bytes, size_t length)
{
    (void) incarnation;
    (void) kind;
    (void) bytes;
    (void) length;
    *(uint64_t *) context = sequence;
    return 1;
}

static double read_again(struct evlog *log)
{
    hcs_error err = HCS_ERROR_INIT;
    double begin = now_s();
    uint64_t at = 0;

    while (at < evlog_last(log))
        if (evlog_read(log, at, count, &at, &err) < 0)
            die(&err);
    return (double) at / (now_s() - begin);
}

static struct evlog *open_log(const char *path, uint64_t n)
{
    struct evlog_options options = { .path = path, .events_max = n, .ended_max = 100 };
    struct evlog *log = NULL;
    hcs_error err = HCS_ERROR_INIT;

    if (evlog_open(NULL, &options, &log, &err) < 0)
        die(&err);
    return log;
}

int main(int argc, char **argv)
{
    uint64_t n = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, found = 0;
    uint64_t middle;
    struct evlog *log;
    double small, large, opened, looked;

    if (n < 2)
        return 2;
    log = open_log(argv[1], n);
    small = fill(log, n / 2, 64);
    middle = clock_realtime_ns();
    large = fill(log, n - n / 2, 1024);
    evlog_close(log);
    opened = now_s();
    log = open_log(argv[1], n);
    opened = now_s() - opened;
    looked = now_s();
    if (evlog_find_time(log, middle, &found, NULL) < 0 || found != n / 2 + 1)
        return 1;
    looked = now_s() - looked;
    printf("{\"events\":%" PRIu64 ",\"batches_of_64_per_second\":%.0f,"
           "\"batches_of_1024_per_second\":%.0f,\"open_ms\":%.2f,\"read_per_second\":%.0f,"
           "\"find_time_ms\":%.2f}\n",
           evlog_last(log), small, large, 1000 * opened, read_again(log), 1000 * looked);
    evlog_close(log);
    return 0;
}
