//! The host functions for headers, trailers and metadata: which map a context reaches in its phase, and what it does there.

const abi = @import("abi.zig");
const arena_zig = @import("arena.zig");
const callout = @import("callout.zig");
const current = @import("calls.zig").current;
const grpc = @import("grpc.zig");
const headers = @import("headers.zig");
const pairs_zig = @import("pairs.zig");
const trace = @import("trace.zig");
const worker = @import("worker.zig");
const Context = @import("vm.zig").Context;
const Side = @import("stream.zig").Side;

const Error = abi.Error;
const MapType = abi.MapType;

/// The map for reading. Null where a phase has none but reading is no mistake.
inline fn readable(context: *Context, raw: u32) Error!?*headers.Map {
    const kind = try MapType.from(raw);
    const filter = context.filter orelse return called(context, kind);
    const stream = &worker.stream;
    const map = switch (kind) {
        .request_headers => &stream.request.headers,
        .request_trailers => &stream.request.trailers,
        .response_headers => stream.responseHeaders(filter),
        .response_trailers => &stream.response.trailers,
        else => return called(context, kind),
    };
    if (filter.logging) {
        if (kind == .request_trailers or !map.exists) return null;
        if (kind == .response_headers and stream.unanswered) return null;
        return if (kind == .response_trailers and stream.response.unlogged) null else map;
    }
    const visible = switch (kind) {
        .request_headers => filter.half(.request).headers,
        .request_trailers => filter.half(.request).trailers,
        .response_headers => filter.half(.response).headers,
        .response_trailers => filter.half(.response).trailers,
        else => unreachable,
    };
    return if (visible) map else null;
}

/// The maps of a call-out's answer.
noinline fn called(context: *Context, kind: MapType) ?*headers.Map {
    switch (kind) {
        .grpc_initial_metadata => return grpc.metadata(context, true),
        .grpc_trailing_metadata => return grpc.metadata(context, false),
        else => {},
    }
    const call = callout.of(context) orelse return null;
    const map = switch (kind) {
        .call_headers => &call.headers,
        .call_trailers => &call.trailers,
        else => return null,
    };
    return if (map.exists) map else null;
}

/// The map for writing. Trailers come into being where the last frame of a body is written to.
inline fn writable(context: *Context, raw: u32) Error!*headers.Map {
    const map = try target(context, raw);
    if (trace.on) {
        @branchHint(.unlikely);
        trace.touchMap(raw, map);
    }
    return map;
}

fn target(context: *Context, raw: u32) Error!*headers.Map {
    const kind = try MapType.from(raw);
    const filter = context.filter orelse return error.BadArgument;
    const stream = &worker.stream;
    const side: Side = switch (kind) {
        .request_headers, .request_trailers => .request,
        .response_headers, .response_trailers => .response,
        else => return error.BadArgument,
    };
    const half = filter.half(side);
    const flow = stream.flow(side);
    switch (kind) {
        .request_headers => if (half.headers) return &flow.headers,
        .response_headers => if (half.headers) {
            // The log shows what went out, but whoever still has a map in hand writes to that.
            return if (stream.direct) &stream.overwritten else &flow.headers;
        },
        else => {
            if (half.trailers) return &flow.trailers;
            if (half.data and filter.end_of_stream and !flow.trailers.exists) {
                flow.trailers.exists = true;
                flow.unlogged = filter.logging;
                half.trailers = true;
                return &flow.trailers;
            }
        },
    }
    return error.BadArgument;
}

pub fn proxy_get_header_map_value(map: u32, key: u32, key_len: u32, ret: u32, ret_len: u32) Error!void {
    const context = try current();
    _ = try MapType.from(map);
    const name = try context.vm.readName(key, key_len);
    const found = try readable(context, map) orelse {
        const logging = if (context.filter) |filter| filter.logging else false;
        if (!logging) return error.BadArgument;
        if (context.vm.version == .v0_1_0) return context.vm.give("", ret, ret_len);
        return error.NotFound;
    };
    const value = found.get(name) orelse {
        if (context.vm.version == .v0_1_0) return context.vm.give("", ret, ret_len);
        return error.NotFound;
    };
    try context.vm.give(value, ret, ret_len);
}

pub fn proxy_add_header_map_value(map: u32, key: u32, key_len: u32, value: u32, value_len: u32) Error!void {
    const context = try current();
    _ = try MapType.from(map);
    const entry = try context.vm.readHeader(key, key_len, value, value_len);
    try (try writable(context, map)).add(&worker.arena, entry.name, entry.value);
}

pub fn proxy_replace_header_map_value(map: u32, key: u32, key_len: u32, value: u32, value_len: u32) Error!void {
    const context = try current();
    _ = try MapType.from(map);
    const entry = try context.vm.readHeader(key, key_len, value, value_len);
    try (try writable(context, map)).replace(entry.name, entry.value);
}

pub fn proxy_remove_header_map_value(map: u32, key: u32, key_len: u32) Error!void {
    const context = try current();
    _ = try MapType.from(map);
    const name = try context.vm.readName(key, key_len);
    (try writable(context, map)).remove(name);
}

pub fn proxy_get_header_map_pairs(map: u32, ret: u32, ret_len: u32) Error!void {
    const context = try current();
    const found = try readable(context, map);
    try context.vm.give(if (found) |entries| try pairs_zig.encoded(entries) else "", ret, ret_len);
}

pub fn proxy_set_header_map_pairs(map: u32, pairs: u32, pairs_len: u32) Error!void {
    const context = try current();
    _ = try MapType.from(map);
    const bytes = try context.vm.read(pairs, pairs_len);
    const written = try writable(context, map);
    arena_zig.clear(&written.entries);
    written.pseudo = 0;
    written.intact = false;
    var list: pairs_zig.Pairs = .init(bytes);
    while (list.next()) |entry| try written.add(&worker.arena, entry.name, entry.value);
}

pub fn proxy_get_header_map_size(map: u32, ret_size: u32) Error!void {
    const context = try current();
    const found = try target(context, map);
    try context.vm.store32(ret_size, @intCast(found.byteSize()));
}
