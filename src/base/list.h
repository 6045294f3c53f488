/* list.h - an intrusive, circular, doubly linked list.
 *
 * A node that is in no list points at itself, so removing is always allowed and costs nothing. */
#ifndef HCS_BASE_LIST_H
#define HCS_BASE_LIST_H

#include "attr.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline int list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *l, struct list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Move all of @from to the end of @to. */
static inline void list_move_all(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_first(l, type, member)                                                                \
    (list_is_empty(l) ? NULL : container_of((l)->next, type, member))

/* @n is the node; the loop's body may remove it. */
#define list_for_each(l, n)                                                                        \
    for (struct list *n = (l)->next, *n##_next_ = n->next; n != (l);                               \
         n = n##_next_, n##_next_ = n->next)

#endif
