/* attr.h - the few attributes and macros the code base uses.  Included by every .c file. */
#ifndef HCS_BASE_ATTR_H
#define HCS_BASE_ATTR_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Run @fn on the variable's address when it goes out of scope. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))
/* gnu_printf: C's own, also where the system's C library has another. */
#define _printf_(fmt, args) __attribute__((format(HCS_PRINTF, fmt, args)))
#ifdef __MINGW32__
#define HCS_PRINTF gnu_printf
#else
#define HCS_PRINTF printf
#endif
#define _must_use_ __attribute__((warn_unused_result))

/* Move a pointer or descriptor out of a cleanup variable. */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) *take_at_ = &(p);                                                            \
        __typeof__(p) taken_ = *take_at_;                                                          \
        *take_at_ = NULL;                                                                          \
        taken_;                                                                                    \
    })
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int *take_at_ = &(fd);                                                                     \
        int taken_ = *take_at_;                                                                    \
        *take_at_ = -1;                                                                            \
        taken_;                                                                                    \
    })

#define container_of(ptr, type, member) ((type *) ((char *) (ptr) -offsetof(type, member)))
#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static inline void free_drop(void *p)
{
    free(*(void **) p);
}

#endif
