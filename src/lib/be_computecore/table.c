/* table.c - the back end whose systems live in HCS, reached by the flat API of computecore.dll.
 *
 * Owns nothing.  Used by src/lib/host.c, which gives its address to the handles. */
#include "objects.h"

const struct backend computecore_backend = {
    .name = "computecore",
    .host_open = cc_host_open,
    .host_close = cc_host_close,
    .host_info = cc_host_info,
    .host_status = cc_host_status,
    .host_enumerate = cc_host_enumerate,
    .host_snapshot = cc_host_snapshot,
    .host_set_log_bytes = cc_host_set_log_bytes,
    .system_create = cc_system_create,
    .system_open = cc_system_open,
    .system_close = cc_system_close,
    .system_verb = cc_system_verb,
    .system_wait = cc_system_wait,
    .system_properties = cc_system_properties,
    .system_forget = cc_system_forget,
    .process_create = cc_process_create,
    .process_open = cc_process_open,
    .process_id = cc_process_id,
    .process_take_stdio = cc_process_take_stdio,
    .process_wait = cc_process_wait,
    .process_signal = cc_process_signal,
    .process_close = cc_process_close,
    .op_pollable = cc_op_pollable,
    .op_wait = cc_op_wait,
    .op_close = cc_op_close,
    .stream_open = cc_stream_open,
    .stream_open_system = cc_stream_open_system,
    .stream_pollable = cc_stream_pollable,
    .stream_next = cc_stream_next,
    .stream_cursor = cc_stream_cursor,
    .stream_end = cc_stream_end,
    .stream_close = cc_stream_close,
};
