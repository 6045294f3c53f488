/* event_same.h - for tests: two events are the same in every field that the wire carries. */
#ifndef TESTS_EVENT_SAME_H
#define TESTS_EVENT_SAME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hcs/event.h"

static inline void check_same(const hcs_event *a, const hcs_event *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->realtime_ns, b->realtime_ns);
    assert_int_equal(a->monotonic_ns, b->monotonic_ns);
    assert_string_equal(a->system.id, b->system.id);
    assert_int_equal(a->system.incarnation, b->system.incarnation);
    assert_string_equal(a->system.owner, b->system.owner);
    assert_string_equal(a->system.type, b->system.type);
    assert_string_equal(a->system.isolation, b->system.isolation);
    assert_int_equal(a->process_id, b->process_id);
    assert_int_equal(a->has_exit, b->has_exit);
    assert_memory_equal(&a->exit, &b->exit, sizeof a->exit);
    assert_int_equal(a->detail_length, b->detail_length);
    assert_memory_equal(a->detail, b->detail, a->detail_length + 1);
}

#endif
