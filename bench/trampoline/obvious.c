/* obvious.c - what one would write first: a mutex, a list with a malloc for each event, a condition
 * variable.  It converts with libhcs's own functions, so the comparison is of the bridge alone. */
#include <pthread.h>
#include <stdlib.h>

#include "design.h"
#include "utf.h"

struct node {
    struct node *next;
    uint32_t kind;
    size_t length;
    char detail[];
};

struct bridge {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct node *first, **last;
};

static void *open_bridge(void)
{
    struct bridge *b = calloc(1, sizeof *b);

    if (!b)
        abort();
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->filled, NULL);
    b->last = &b->first;
    return b;
}

static void close_bridge(void *bridge)
{
    struct bridge *b = bridge;

    while (b->first) {
        struct node *n = b->first;

        b->first = n->next;
        free(n);
    }
    pthread_cond_destroy(&b->filled);
    pthread_mutex_destroy(&b->mutex);
    free(b);
}

static struct node *node_new(uint32_t kind, const uint16_t *text)
{
    size_t units = text ? utf16_length(text, SIZE_MAX / 4) : 0;
    size_t length = utf8_length_of_utf16(text, units, NULL);
    struct node *n = malloc(sizeof *n + length + 1);

    if (!n)
        abort();
    n->next = NULL;
    n->kind = kind;
    n->length = length;
    utf8_from_utf16(text, units, n->detail);
    n->detail[length] = '\0';
    return n;
}

static void put(void *bridge, uint32_t kind, const uint16_t *text)
{
    struct bridge *b = bridge;
    struct node *n = node_new(kind, text);

    pthread_mutex_lock(&b->mutex);
    *b->last = n;
    b->last = &n->next;
    pthread_cond_signal(&b->filled);
    pthread_mutex_unlock(&b->mutex);
}

static struct node *pop(struct bridge *b)
{
    struct node *n;

    pthread_mutex_lock(&b->mutex);
    while (!b->first)
        pthread_cond_wait(&b->filled, &b->mutex);
    n = b->first;
    b->first = n->next;
    if (!b->first)
        b->last = &b->first;
    pthread_mutex_unlock(&b->mutex);
    return n;
}

static uint64_t take(void *bridge, uint64_t n, tell *told, void *context)
{
    uint64_t sum = 0;

    for (uint64_t i = 1; i <= n; i++) {
        struct node *node = pop(bridge);

        sum += node->kind + node->length + (unsigned char) node->detail[0];
        free(node);
        told(context, i);
    }
    return sum;
}

const struct design obvious_design = { "mutex, malloc, condition", open_bridge, close_bridge, put,
                                       take };
