/* log.h - the daemon's log: one line a message, on stderr.
 *
 * Under systemd a line carries its priority for the journal, elsewhere the time.  Only the daemon
 * logs; the library and the layers it shares return errors instead. */
#ifndef HCS_BASE_LOG_H
#define HCS_BASE_LOG_H

#include "attr.h"

enum log_level {
    LOG_LINE_CRITICAL = 2,
    LOG_LINE_ERROR = 3,
    LOG_LINE_WARNING = 4,
    LOG_LINE_NOTICE = 5,
    LOG_LINE_INFO = 6,
    LOG_LINE_DEBUG = 7
};

/* Messages above @level are not written. */
void log_set_level(enum log_level level);

void log_line(enum log_level level, const char *format, ...) _printf_(2, 3);

#endif
