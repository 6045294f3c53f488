/* bridge_rust.c - the Rust way, from the library that cargo makes of rust/. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "design.h"

static void *(*rust_open)(void);
static void *(*rust_context)(void *);
static void (*rust_context_close)(void *);
static void (*rust_put)(void *, uint32_t, const uint16_t *);
static uint64_t (*rust_take)(void *, uint64_t, tell *, void *);
static void (*rust_close)(void *);

struct bridge {
    void *rust, *context;
};

static void *open_bridge(void)
{
    struct bridge *b = calloc(1, sizeof *b);

    if (!b)
        abort();
    b->rust = rust_open();
    b->context = rust_context(b->rust);
    return b;
}

static void close_bridge(void *bridge)
{
    struct bridge *b = bridge;

    rust_context_close(b->context);
    rust_close(b->rust);
    free(b);
}

static void put(void *bridge, uint32_t kind, const uint16_t *text)
{
    rust_put(((struct bridge *) bridge)->context, kind, text);
}

static uint64_t take(void *bridge, uint64_t n, tell *told, void *context)
{
    return rust_take(((struct bridge *) bridge)->rust, n, told, context);
}

static const struct design design = { "Rust, tokio", open_bridge, close_bridge, put, take };

static int find(void *library, const char *name, void *out)
{
    *(void **) out = dlsym(library, name);
    return *(void **) out != NULL;
}

const struct design *rust_design(const char *name)
{
    void *library = name && *name ? dlopen(name, RTLD_NOW) : NULL;

    if (!library) {
        if (name && *name)
            fprintf(stderr, "%s\n", dlerror());
        return NULL;
    }
    if (!find(library, "rust_open", &rust_open) || !find(library, "rust_context", &rust_context) ||
        !find(library, "rust_context_close", &rust_context_close) ||
        !find(library, "rust_put", &rust_put) || !find(library, "rust_take", &rust_take) ||
        !find(library, "rust_close", &rust_close))
        return NULL;
    return &design;
}
