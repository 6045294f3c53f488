/* table.c - the back end whose systems live in hcsd, reached by Varlink.
 *
 * Owns nothing.  Used by src/lib/host.c, which gives its address to the handles. */
#include "handles.h"

const struct backend varlink_backend = {
    .name = "varlink",
    .host_open = vl_host_open,
    .host_close = vl_host_close,
    .host_info = vl_host_info,
    .host_status = vl_host_status,
    .host_enumerate = vl_host_enumerate,
    .host_snapshot = vl_host_snapshot,
    .host_set_log_bytes = vl_host_set_log_bytes,
    .system_create = vl_system_create,
    .system_open = vl_system_open,
    .system_close = vl_system_close,
    .system_verb = vl_system_verb,
    .system_wait = vl_system_wait,
    .system_properties = vl_system_properties,
    .system_forget = vl_system_forget,
    .process_create = vl_process_create,
    .process_open = vl_process_open,
    .process_id = vl_process_id,
    .process_take_stdio = vl_process_take_stdio,
    .process_wait = vl_process_wait,
    .process_signal = vl_process_signal,
    .process_close = vl_process_close,
    .op_pollable = vl_op_pollable,
    .op_wait = vl_op_wait,
    .op_close = vl_op_close,
    .stream_open = vl_stream_open,
    .stream_open_system = vl_stream_open_system,
    .stream_pollable = vl_stream_pollable,
    .stream_next = vl_stream_next,
    .stream_cursor = vl_stream_cursor,
    .stream_end = vl_stream_end,
    .stream_close = vl_stream_close,
};
