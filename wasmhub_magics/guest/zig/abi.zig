//! The Proxy-Wasm ABI 0.2.1 as it stands: numbers, and host functions with pointers and lengths.

/// What host functions answer. `Unknown` is a number that the ABI does not have.
pub const Error = error{
    NotFound,
    BadArgument,
    SerializationFailure,
    ParseFailure,
    BadExpression,
    InvalidMemoryAccess,
    Empty,
    CasMismatch,
    ResultMismatch,
    InternalFailure,
    BrokenConnection,
    Unimplemented,
    Unknown,
};

/// Turn the status of a host function into an error.
pub fn check(status: u32) Error!void {
    return switch (status) {
        0 => {},
        1 => error.NotFound,
        2 => error.BadArgument,
        3 => error.SerializationFailure,
        4 => error.ParseFailure,
        5 => error.BadExpression,
        6 => error.InvalidMemoryAccess,
        7 => error.Empty,
        8 => error.CasMismatch,
        9 => error.ResultMismatch,
        10 => error.InternalFailure,
        11 => error.BrokenConnection,
        12 => error.Unimplemented,
        else => error.Unknown,
    };
}

pub const Level = enum(u32) { trace, debug, info, warn, err, critical };

pub const Map = enum(u32) {
    request_headers,
    request_trailers,
    response_headers,
    response_trailers,
    grpc_initial_metadata,
    grpc_trailing_metadata,
    call_headers,
    call_trailers,
};

pub const Buffer = enum(u32) {
    request_body,
    response_body,
    downstream_data,
    upstream_data,
    call_body,
    grpc_message,
    vm_configuration,
    plugin_configuration,
    call_data,
};

pub const Direction = enum(u32) { request, response, downstream, upstream };
pub const Peer = enum(u32) { unknown, local, remote, _ };
pub const Metric = enum(u32) { counter, gauge, histogram };

/// Bytes that the host has put into memory of ours.
pub const Given = struct {
    at: ?[*]u8 = null,
    length: usize = 0,

    pub fn bytes(given: Given) []u8 {
        return if (given.at) |at| at[0..given.length] else &.{};
    }
};

const In = [*]const u8;
const Out = *?[*]u8;

pub extern "env" fn proxy_log(level: Level, text: In, length: usize) u32;
pub extern "env" fn proxy_get_log_level(level: *Level) u32;
pub extern "env" fn proxy_get_status(code: *u32, message: Out, length: *usize) u32;
pub extern "env" fn proxy_get_property(path: In, path_length: usize, value: Out, length: *usize) u32;
pub extern "env" fn proxy_set_property(path: In, path_length: usize, value: In, length: usize) u32;
pub extern "env" fn proxy_send_local_response(status: u32, details: In, details_length: usize, body: In, body_length: usize, headers: In, headers_length: usize, grpc_status: i32) u32;
pub extern "env" fn proxy_get_header_map_value(map: Map, key: In, key_length: usize, value: Out, length: *usize) u32;
pub extern "env" fn proxy_add_header_map_value(map: Map, key: In, key_length: usize, value: In, length: usize) u32;
pub extern "env" fn proxy_replace_header_map_value(map: Map, key: In, key_length: usize, value: In, length: usize) u32;
pub extern "env" fn proxy_remove_header_map_value(map: Map, key: In, key_length: usize) u32;
pub extern "env" fn proxy_get_header_map_pairs(map: Map, pairs: Out, length: *usize) u32;
pub extern "env" fn proxy_set_header_map_pairs(map: Map, pairs: In, length: usize) u32;
pub extern "env" fn proxy_get_header_map_size(map: Map, size: *usize) u32;
pub extern "env" fn proxy_get_buffer_bytes(buffer: Buffer, start: usize, most: usize, bytes: Out, length: *usize) u32;
pub extern "env" fn proxy_get_buffer_status(buffer: Buffer, length: *usize, flags: *u32) u32;
pub extern "env" fn proxy_set_buffer_bytes(buffer: Buffer, start: usize, size: usize, bytes: In, length: usize) u32;
pub extern "env" fn proxy_http_call(upstream: In, upstream_length: usize, headers: In, headers_length: usize, body: In, body_length: usize, trailers: In, trailers_length: usize, timeout_ms: u32, token: *u32) u32;
pub extern "env" fn proxy_grpc_call(upstream: In, upstream_length: usize, service: In, service_length: usize, method: In, method_length: usize, metadata: In, metadata_length: usize, message: In, message_length: usize, timeout_ms: u32, token: *u32) u32;
pub extern "env" fn proxy_grpc_stream(upstream: In, upstream_length: usize, service: In, service_length: usize, method: In, method_length: usize, metadata: In, metadata_length: usize, token: *u32) u32;
pub extern "env" fn proxy_grpc_send(token: u32, message: In, length: usize, end_of_stream: bool) u32;
pub extern "env" fn proxy_grpc_cancel(token: u32) u32;
pub extern "env" fn proxy_grpc_close(token: u32) u32;
pub extern "env" fn proxy_get_shared_data(key: In, key_length: usize, value: Out, length: *usize, cas: *u32) u32;
pub extern "env" fn proxy_set_shared_data(key: In, key_length: usize, value: In, length: usize, cas: u32) u32;
pub extern "env" fn proxy_register_shared_queue(name: In, name_length: usize, queue: *u32) u32;
pub extern "env" fn proxy_resolve_shared_queue(vm_id: In, vm_id_length: usize, name: In, name_length: usize, queue: *u32) u32;
pub extern "env" fn proxy_enqueue_shared_queue(queue: u32, value: In, length: usize) u32;
pub extern "env" fn proxy_dequeue_shared_queue(queue: u32, value: Out, length: *usize) u32;
pub extern "env" fn proxy_define_metric(kind: Metric, name: In, length: usize, metric: *u32) u32;
pub extern "env" fn proxy_increment_metric(metric: u32, offset: i64) u32;
pub extern "env" fn proxy_record_metric(metric: u32, value: u64) u32;
pub extern "env" fn proxy_get_metric(metric: u32, value: *u64) u32;
pub extern "env" fn proxy_set_tick_period_milliseconds(period: u32) u32;
pub extern "env" fn proxy_get_current_time_nanoseconds(time: *u64) u32;
pub extern "env" fn proxy_set_effective_context(context: u32) u32;
pub extern "env" fn proxy_done() u32;
pub extern "env" fn proxy_call_foreign_function(name: In, name_length: usize, argument: In, argument_length: usize, result: Out, length: *usize) u32;
pub extern "env" fn proxy_continue_stream(direction: Direction) u32;
pub extern "env" fn proxy_close_stream(direction: Direction) u32;
pub extern "env" fn envoy_resolve_dns(name: In, length: usize, token: *u32) u32;
pub extern "wasi_snapshot_preview1" fn random_get(bytes: [*]u8, length: usize) u32;
