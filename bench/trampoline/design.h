/* design.h - a way to bring an event from a callback to a reader, as the benchmark sees it. */
#ifndef HCS_BENCH_DESIGN_H
#define HCS_BENCH_DESIGN_H

#include <stdint.h>

/* Told after each event taken; @i counts from 1. */
typedef void tell(void *context, uint64_t i);

struct design {
    const char *name;
    void *(*open)(void);
    void (*close)(void *bridge);
    void (*put)(void *bridge, uint32_t kind, const uint16_t *text); /* the callback */
    /* Read @n events, waiting when there is none as a reader of this design would.  Returns a sum
     * of something of each, so that nothing is left out. */
    uint64_t (*take)(void *bridge, uint64_t n, tell *told, void *context);
};

extern const struct design memlog_design, memlog_noclock_design, obvious_design;

/* NULL when @library is NULL or cannot be loaded. */
const struct design *rust_design(const char *library);

#endif
