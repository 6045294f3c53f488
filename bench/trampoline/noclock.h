/* noclock.h - in front of the sources of the log, to build it once more without its clocks: the
 * designs it is compared with do not tell the time, so one comparison must be without. */
#define MEMLOG_DESIGN memlog_noclock_design
#define MEMLOG_NAME "libhcs without clocks"

#define memlog_new noclock_memlog_new
#define memlog_unref noclock_memlog_unref
#define memlog_put noclock_memlog_put
#define memlog_put_utf8 noclock_memlog_put_utf8
#define memlog_end noclock_memlog_end
#define memlog_cursor_open noclock_memlog_cursor_open
#define memlog_cursor_close noclock_memlog_cursor_close
#define memlog_next noclock_memlog_next
#define memlog_ready noclock_memlog_ready
#define memlog_arm noclock_memlog_arm
#define memlog_spin noclock_memlog_spin
#define memlog_stats noclock_memlog_stats
#define memlog_hold_slowly noclock_memlog_hold_slowly
#define memlog_release_chunks noclock_memlog_release_chunks

#ifdef NOCLOCK
#include <stdint.h>
#define HCS_BASE_CLOCK_H /* clock.h adds nothing any more */
static inline uint64_t clock_realtime_ns(void)
{
    return 0;
}
static inline uint64_t clock_monotonic_ns(void)
{
    return 0;
}
#endif
