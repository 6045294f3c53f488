/* wild_clock.c - preloaded: the wall clock, and it alone, is WILD_CLOCK seconds off. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *out)
{
    const char *offset = getenv("WILD_CLOCK");
    int r = (int) syscall(SYS_clock_gettime, clock, out);

    if (r == 0 && clock == CLOCK_REALTIME && offset)
        out->tv_sec += atol(offset);
    return r;
}
