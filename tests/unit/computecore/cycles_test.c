/* cycles_test.c - a million subscriptions, and what they leave: nothing.
 *
 * HCS_TEST_CYCLES says how many; memory, handles and threads are looked at after a tenth of them
 * and at the end, and may not have grown. */
#include "over.h"

#ifdef _WIN32
#include <psapi.h>
#include <windows.h>
#else
#include <dirent.h>
#include <unistd.h>
#endif

#define GROWTH_BYTES_MAX (512 << 10) /* what the allocator may do with pages it has got */

static int cycles = 1000000;

struct usage {
    size_t bytes;
    int handles;
    int threads; /* 0 where it is not known */
};

#ifdef _WIN32

static struct usage usage_now(void)
{
    PROCESS_MEMORY_COUNTERS memory = { .cb = sizeof memory };
    DWORD handles = 0;

    GetProcessMemoryInfo(GetCurrentProcess(), &memory, sizeof memory);
    GetProcessHandleCount(GetCurrentProcess(), &handles);
    return (struct usage){ memory.PagefileUsage, (int) handles, 0 };
}

#else

static int entries_of(const char *directory)
{
    DIR *d = opendir(directory);
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 3; /* . and .. and the directory itself */
}

static struct usage usage_now(void)
{
    unsigned long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &total, &resident), 2);
    fclose(f);
    return (struct usage){ resident * (size_t) sysconf(_SC_PAGESIZE), entries_of("/proc/self/fd"),
                           entries_of("/proc/self/task") + 1 };
}

#endif

static void check_flat(const char *what, struct usage before, struct usage after)
{
    print_message("# %s: %d cycles; memory %lu -> %lu KiB, handles %d -> %d, threads %d -> %d\n",
                  what, cycles, (unsigned long) (before.bytes >> 10),
                  (unsigned long) (after.bytes >> 10), before.handles, after.handles,
                  before.threads, after.threads);
    assert_int_equal(before.handles, after.handles);
    assert_int_equal(before.threads, after.threads);
    if (!getenv("HCS_TEST_MEMORY_IS_ANOTHERS")) /* a sanitizer's, which keeps what was freed */
        assert_true(after.bytes < before.bytes + GROWTH_BYTES_MAX);
}

static void run_cycles(const char *what, void (*cycle)(int i))
{
    struct usage before = { 0 };

    for (int i = 0; i < cycles; i++) {
        if (i == cycles / 10) {
            provider_wait_idle(); /* a callback that is on its way out holds its operation */
            before = usage_now();
        }
        cycle(i);
    }
    provider_wait_idle();
    check_flat(what, before, usage_now());
}

/* ---- cycles ---- */

static hcs_system *a_system;

static void subscribe(int i)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream *stream = NULL;

    OK(hcs_stream_open_system(a_system, NULL, &stream, &err));
    if (i % 8 == 0) {
        provider_send("cycle", 3, provider_wide("{\"some\":\"detail\"}"));
        OK(hcs_stream_next(stream, DEADLINE_MS, &event, &err));
        assert_int_equal(event.kind, 3);
    }
    hcs_stream_close(stream);
}

static void subscribing_and_closing_a_million_times_leaves_nothing(void **state)
{
    (void) state;
    provider_add_system("cycle", "me", "Running");
    OK(hcs_host_set_log_bytes(host, 64 << 10, &err)); /* full before the first look */
    OK(hcs_system_open(host, "cycle", &a_system, &err));
    run_cycles("subscribe", subscribe);
    hcs_system_close(a_system);
}

static void open_and_close(int i)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = NULL;

    (void) i;
    options.system_id = "cycle";
    OK(hcs_stream_open(host, &options, &stream, &err));
    hcs_stream_close(stream);
}

static void opening_registering_and_closing_leaves_nothing(void **state)
{
    int all = cycles;

    (void) state;
    cycles = all / 10; /* each is a handle, a registration and a query besides */
    provider_add_system("cycle", "me", "Running");
    run_cycles("open, register, subscribe", open_and_close);
    cycles = all;
}

static void run_a_process(int i)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_process *process = NULL;
    hcs_op *op = NULL;

    (void) i;
    OK(hcs_process_create(a_system, "{\"CommandArgs\":[\"exit\",\"3\"]}", NULL, &process, &op,
                          &err));
    OK(hcs_op_wait(op, DEADLINE_MS, &err));
    OK(hcs_process_wait(process, DEADLINE_MS, &report, &err));
    assert_int_equal(report.code, 3);
    hcs_op_close(op);
    hcs_process_close(process);
}

static void running_processes_leaves_nothing(void **state)
{
    int all = cycles;

    (void) state;
    cycles = all / 20;
    provider_add_system("cycle", "me", "Running");
    OK(hcs_host_set_log_bytes(host, 64 << 10, &err));
    OK(hcs_system_open(host, "cycle", &a_system, &err));
    run_cycles("process", run_a_process);
    hcs_system_close(a_system);
    cycles = all;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER(subscribing_and_closing_a_million_times_leaves_nothing),
        OVER(opening_registering_and_closing_leaves_nothing),
        OVER(running_processes_leaves_nothing),
    };

    if (getenv("HCS_TEST_CYCLES"))
        cycles = atoi(getenv("HCS_TEST_CYCLES"));
    return cmocka_run_group_tests_name("cycles", tests, NULL, NULL);
}
