//! The Proxy-Wasm ABI: numbers that filters and proxies exchange.

/// What a host function can answer besides Ok; `OutOfMemory` is the host's own and shows as InternalFailure.
pub const Error = error{
    NotFound,
    BadArgument,
    SerializationFailure,
    ParseFailure,
    InvalidMemoryAccess,
    Empty,
    CasMismatch,
    InternalFailure,
    Unimplemented,
    OutOfMemory,
};

pub fn status(failure: Error) u32 {
    return switch (failure) {
        error.NotFound => 1,
        error.BadArgument => 2,
        error.SerializationFailure => 3,
        error.ParseFailure => 4,
        error.InvalidMemoryAccess => 6,
        error.Empty => 7,
        error.CasMismatch => 8,
        error.InternalFailure, error.OutOfMemory => 10,
        error.Unimplemented => 12,
    };
}

pub const Version = enum(u8) { v0_1_0, v0_2_0, v0_2_1 };

pub const Level = enum(u8) { trace, debug, info, warn, err, critical };

pub const MapType = enum(u32) {
    request_headers,
    request_trailers,
    response_headers,
    response_trailers,
    grpc_initial_metadata,
    grpc_trailing_metadata,
    call_headers,
    call_trailers,

    pub fn from(raw: u32) Error!MapType {
        if (raw > 7) return error.BadArgument;
        return @fromBackingInt(@intCast(raw));
    }
};

pub const BufferType = enum(u32) {
    request_body,
    response_body,
    downstream_data,
    upstream_data,
    call_body,
    grpc_message,
    vm_configuration,
    plugin_configuration,
    call_data,

    pub fn from(raw: u32) Error!BufferType {
        if (raw > 8) return error.BadArgument;
        return @fromBackingInt(@intCast(raw));
    }
};

/// The callbacks that this proxy makes, by the order of their table indices in a VM.
pub const Callback = enum(u8) {
    _initialize,
    main,
    __main_void,
    _start,
    malloc,
    proxy_on_context_create,
    proxy_on_vm_start,
    proxy_on_configure,
    proxy_on_tick,
    proxy_on_queue_ready,
    proxy_on_http_call_response,
    proxy_on_grpc_receive_initial_metadata,
    proxy_on_grpc_receive,
    proxy_on_grpc_receive_trailing_metadata,
    proxy_on_grpc_close,
    envoy_on_resolve_dns,
    proxy_on_new_connection,
    proxy_on_downstream_data,
    proxy_on_upstream_data,
    proxy_on_downstream_connection_close,
    proxy_on_upstream_connection_close,
    proxy_on_request_headers,
    proxy_on_request_body,
    proxy_on_request_trailers,
    proxy_on_response_headers,
    proxy_on_response_body,
    proxy_on_response_trailers,
    proxy_on_request_metadata,
    proxy_on_response_metadata,
    proxy_on_done,
    proxy_on_log,
    proxy_on_delete,
};
pub const callback_count = @typeInfo(Callback).@"enum".field_names.len;
