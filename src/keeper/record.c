/* record.c - reads the exit records of a keeper that is gone.
 * Users:   the drivers, when a system is adopted or its keeper is lost. */

#include "record.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fd.h"
#include "protocol.h"

#define RECORD_BYTES_MAX 512

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

    return (x > y) - (x < y);
}

static void visit_record(const char *run_dir, uint32_t number, record_visit visit, void *context)
{
    _cleanup_(free_drop) char *text = NULL;
    struct record r;
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s%" PRIu32, run_dir, KEEPER_RECORD_PREFIX, number) >=
            (int) sizeof path ||
        file_read(path, RECORD_BYTES_MAX, &text, NULL, NULL) < 0)
        return;
    if (sscanf(text,
               "number %" SCNu32 " pid %" SCNu32 " status %" SCNu32
               " realtime_ns %*u monotonic_ns %*u asked %" SCNu32 " stage %d",
               &r.number, &r.pid, &r.wait_status, &r.asked, &r.stage) == 5 &&
        r.number == number)
        visit(context, &r);
}

void records_read(const char *run_dir, record_visit visit, void *context)
{
    uint32_t numbers[KEEPER_PROCESSES_MAX];
    size_t n_numbers = 0;
    DIR *directory = opendir(run_dir);

    if (!directory)
        return;
    for (struct dirent *entry; n_numbers < N_ELEMENTS(numbers) && (entry = readdir(directory));) {
        uint32_t number;
        int end = 0;

        if (sscanf(entry->d_name, KEEPER_RECORD_PREFIX "%" SCNu32 "%n", &number, &end) == 1 &&
            entry->d_name[end] == 0)
            numbers[n_numbers++] = number;
    }
    closedir(directory);
    qsort(numbers, n_numbers, sizeof numbers[0], by_number);
    for (size_t i = 0; i < n_numbers; i++)
        visit_record(run_dir, numbers[i], visit, context);
}
