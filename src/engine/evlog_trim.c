/* evlog_trim.c - which events are kept, and how the others go.
 * Users:   evlog_commit.c.  Loop thread only. */

#include "evlog_db.h"

/* Trimming a little at a time: an eighth above the limit, then down to it. */
int evlog_trim(struct evlog *log, uint64_t last, uint64_t *out_first)
{
    uint64_t keep = log->options.events_max;
    int r;

    *out_first = log->first;
    if (last - log->first + 1 <= keep + keep / 8 + 1)
        return SQLITE_OK;
    *out_first = last - keep + 1;
    sqlite3_bind_int64(log->statements[ST_TRIM], 1, (sqlite3_int64) *out_first);
    r = evlog_run(log, ST_TRIM);
    return r == SQLITE_OK ? evlog_save_number(log, "last", last) : r;
}
