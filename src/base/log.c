/* log.c - the daemon's log.
 * Owns:    the level; nothing else.
 * Users:   engine, drivers, hcsd.
 * Promise: one write for a line, so that lines of several processes do not mix. */

#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level highest = LOG_LINE_NOTICE;

void log_set_level(enum log_level level)
{
    highest = level;
}

/* "<4>" for the journal, time and level for everybody else. */
static size_t write_prefix(char *line, size_t size, enum log_level level)
{
    static const char *const names[] = { "",        "",       "critical", "error",
                                         "warning", "notice", "info",     "debug" };
    struct timespec now;
    struct tm tm;
    int n;

    if (getenv("JOURNAL_STREAM")) {
        n = snprintf(line, size, "<%d>", (int) level);
        return n < 0 ? 0 : (size_t) n;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = snprintf(line, size,
                 "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ hcsd[%d] %s: ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000,
                 (int) getpid(), names[level]);
    return n < 0 ? 0 : (size_t) n;
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[1024];
    size_t at;
    va_list arguments;
    int n;

    if (level > highest)
        return;
    at = write_prefix(line, sizeof line - 1, level);
    va_start(arguments, format);
    n = vsnprintf(line + at, sizeof line - 1 - at, format, arguments);
    va_end(arguments);
    if (n > 0)
        at += (size_t) n < sizeof line - 1 - at ? (size_t) n : sizeof line - 2 - at;
    for (size_t i = 0; i < at; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[at] = '\n';
    if (write(STDERR_FILENO, line, at + 1) < 0)
        return; /* there is nobody to tell */
}
