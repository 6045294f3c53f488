/* evlog_aside.c - a damaged file is moved out of the way, so that the service can begin anew.
 * Users:   evlog.c.  Loop thread only. */

#include "evlog_db.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "log.h"

/* Move a damaged file out of the way, with its WAL, so that the service can begin anew. */
void evlog_set_aside(const char *path)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    uint64_t now = clock_realtime_ns() / 1000000000u;

    for (size_t i = 0; i < N_ELEMENTS(suffixes); i++) {
        char from[4096], to[4096 + 64];

        snprintf(from, sizeof from, "%s%s", path, suffixes[i]);
        snprintf(to, sizeof to, "%s.damaged-%" PRIu64 "%s", path, now, suffixes[i]);
        if (rename(from, to) == 0)
            log_line(LOG_LINE_ERROR, "event log '%s' is damaged: set aside as '%s'", from, to);
    }
}
