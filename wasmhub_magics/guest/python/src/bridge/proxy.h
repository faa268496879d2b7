// The proxy's functions.

#define HOST(name, ...) FROM(env, name) u32 name(__VA_ARGS__)
#define RANGE u32, u32
HOST(proxy_log, u32 level, const u8 *text, u32 length);
HOST(proxy_get_log_level, u32 *);
HOST(proxy_get_status, u32 *, u32 *, u32 *);
HOST(proxy_get_property, RANGE, u32 *, u32 *);
HOST(proxy_set_property, RANGE, RANGE);
HOST(proxy_send_local_response, u32, RANGE, RANGE, RANGE, u32);
HOST(proxy_get_header_map_value, u32, RANGE, u32 *, u32 *);
HOST(proxy_add_header_map_value, u32, RANGE, RANGE);
HOST(proxy_replace_header_map_value, u32, RANGE, RANGE);
HOST(proxy_remove_header_map_value, u32, RANGE);
HOST(proxy_get_header_map_pairs, u32, u32 *, u32 *);
HOST(proxy_set_header_map_pairs, u32, RANGE);
HOST(proxy_get_buffer_bytes, u32, u32, u32, u32 *, u32 *);
HOST(proxy_set_buffer_bytes, u32, u32, u32, RANGE);
HOST(proxy_http_call, RANGE, RANGE, RANGE, RANGE, u32, u32 *);
HOST(proxy_grpc_call, RANGE, RANGE, RANGE, RANGE, RANGE, u32, u32 *);
HOST(proxy_grpc_stream, RANGE, RANGE, RANGE, RANGE, u32 *);
HOST(proxy_grpc_send, u32, RANGE, u32);
HOST(proxy_grpc_cancel, u32);
HOST(proxy_grpc_close, u32);
HOST(proxy_get_shared_data, RANGE, u32 *, u32 *, u32 *);
HOST(proxy_set_shared_data, RANGE, RANGE, u32);
HOST(proxy_register_shared_queue, RANGE, u32 *);
HOST(proxy_resolve_shared_queue, RANGE, RANGE, u32 *);
HOST(proxy_enqueue_shared_queue, u32, RANGE);
HOST(proxy_dequeue_shared_queue, u32, u32 *, u32 *);
HOST(proxy_define_metric, u32, RANGE, u32 *);
HOST(proxy_increment_metric, u32, u64);
HOST(proxy_record_metric, u32, u64);
HOST(proxy_get_metric, u32, u64 *);
HOST(proxy_set_tick_period_milliseconds, u32);
HOST(proxy_get_current_time_nanoseconds, u64 *);
HOST(proxy_set_effective_context, u32);
HOST(proxy_done, void);
HOST(proxy_call_foreign_function, RANGE, RANGE, u32 *, u32 *);
HOST(proxy_continue_stream, u32);
HOST(proxy_close_stream, u32);
FROM(wasi_snapshot_preview1, random_get) u32 random_get(void *bytes, u32 length);

enum { LOG_INFO = 2, LOG_ERROR = 4 };
enum { OK = 0, NOT_FOUND = 1, BAD_ARGUMENT = 2, BAD_HEADER = 100 }; // the last is ours: see has_line_break
