//! The host functions of module `env`, for one stream: log, headers, bodies, answers, flow, properties, time.
//! Each function has its name in the ABI; `link.zig` makes exports of them.

const std = @import("std");
const abi = @import("abi.zig");
const arena_zig = @import("arena.zig");
const buffer = @import("buffer.zig");
const callout = @import("callout.zig");
const clock = @import("clock.zig");
const dns = @import("calls_dns.zig");
const grpc = @import("grpc.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const property = @import("property.zig");
const tcp = @import("tcp.zig");
const trace = @import("trace.zig");
const worker = @import("worker.zig");
const Context = @import("vm.zig").Context;
const Side = @import("stream.zig").Side;

const BufferType = abi.BufferType;
const Error = abi.Error;
const MapType = abi.MapType;

/// The context that a call acts for. There is none while a module's own start function runs.
pub inline fn current() Error!*Context {
    return worker.context orelse error.InternalFailure;
}

// Log and time.

pub fn proxy_log(level: u32, message: u32, length: u32) Error!void {
    const context = try current();
    if (level > 5) return error.BadArgument;
    const text = try context.vm.read(message, length);
    log.write(@fromBackingInt(@intCast(level)), context.pluginIndex(), text);
}

pub fn proxy_get_log_level(ret_level: u32) Error!void {
    const context = try current();
    try context.vm.store32(ret_level, @backingInt(abi.Level.trace));
}

pub fn proxy_get_current_time_nanoseconds(ret_time: u32) Error!void {
    const context = try current();
    try context.vm.store64(ret_time, clock.wall());
}

// Headers.

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
    try context.vm.give(if (found) |entries| try property.pairs(entries) else "", ret, ret_len);
}

pub fn proxy_set_header_map_pairs(map: u32, pairs: u32, pairs_len: u32) Error!void {
    const context = try current();
    _ = try MapType.from(map);
    const bytes = try context.vm.read(pairs, pairs_len);
    const written = try writable(context, map);
    arena_zig.clear(&written.entries);
    written.pseudo = 0;
    written.intact = false;
    var list: Pairs = .init(bytes);
    while (list.next()) |entry| try written.add(&worker.arena, entry.name, entry.value);
}

pub fn proxy_get_header_map_size(map: u32, ret_size: u32) Error!void {
    const context = try current();
    const found = try target(context, map);
    try context.vm.store32(ret_size, @intCast(found.byteSize()));
}

/// Pairs that a filter serialised. Where anything about them is wrong there are none, as in Envoy.
pub const Pairs = struct {
    bytes: []u8,
    count: u32,
    index: u32 = 0,
    at: usize = 0,

    const most_bytes = 1 << 20;
    const most_pairs = 1024;

    pub fn init(bytes: []u8) Pairs {
        const none: Pairs = .{ .bytes = bytes, .count = 0 };
        if (bytes.len < 4 or bytes.len > most_bytes) return none;
        const count = word(bytes, 0);
        if (count > most_pairs or 4 + 8 * @as(usize, count) > bytes.len) return none;
        var end: usize = 4 + 8 * @as(usize, count);
        for (0..2 * count) |index| {
            const length = word(bytes, 4 + 4 * index);
            if (length >= bytes.len - end) return none;
            end += length;
            if (bytes[end] != 0) return none;
            end += 1;
        }
        if (end != bytes.len) return none;
        return .{ .bytes = bytes, .count = count, .at = 4 + 8 * @as(usize, count) };
    }

    pub fn next(pairs: *Pairs) ?headers.Entry {
        if (pairs.index == pairs.count) return null;
        const lengths = 4 + 8 * @as(usize, pairs.index);
        const name = pairs.bytes[pairs.at..][0..word(pairs.bytes, lengths)];
        pairs.at += name.len + 1;
        const value = pairs.bytes[pairs.at..][0..word(pairs.bytes, lengths + 4)];
        pairs.at += value.len + 1;
        pairs.index += 1;
        headers.lower(name);
        return .{ .name = name, .value = value };
    }

    fn word(bytes: []const u8, at: usize) u32 {
        return std.mem.readInt(u32, bytes[at..][0..4], .little);
    }
};

// Bodies and configurations.

fn bytesOf(context: *Context, raw: u32) Error![]const u8 {
    switch (try BufferType.from(raw)) {
        .vm_configuration => return context.vm.configuration,
        .plugin_configuration => {
            const plugin = context.plugin orelse return error.NotFound;
            return if (plugin.configuring) plugin.configuration else error.NotFound;
        },
        .request_body => return body(context, .request),
        .response_body => return body(context, .response),
        // Envoy gives for call data whatever buffer was looked at before.
        .downstream_data, .upstream_data => |data| {
            const connection = context.connection orelse return "";
            const found = tcp.visible(connection, data == .downstream_data) orelse return "";
            return found.bytes.items;
        },
        .call_data => return dns.told,
        .grpc_message => return grpc.received(context),
        .call_body => {
            const call = callout.of(context) orelse return error.NotFound;
            return if (call.headers.exists) call.body.items else error.NotFound;
        },
    }
}

fn body(context: *Context, side: Side) []const u8 {
    const filter = context.filter orelse return "";
    const visible = worker.stream.visibleBody(filter, side) orelse return "";
    return visible.bytes.items;
}

pub fn proxy_get_buffer_bytes(kind: u32, start: u32, length: u32, ret: u32, ret_len: u32) Error!void {
    const context = try current();
    const bytes = try bytesOf(context, kind);
    try context.vm.give(buffer.slice(bytes, start, length), ret, ret_len);
}

pub fn proxy_get_buffer_status(kind: u32, ret_length: u32, ret_flags: u32) Error!void {
    const context = try current();
    const bytes = try bytesOf(context, kind);
    try context.vm.store32(ret_length, @intCast(bytes.len));
    try context.vm.store32(ret_flags, 0);
}

pub fn proxy_set_buffer_bytes(kind: u32, start: u32, length: u32, value: u32, value_len: u32) Error!void {
    const context = try current();
    _ = try bytesOf(context, kind);
    const text = try context.vm.read(value, value_len);
    const side: Side = switch (try BufferType.from(kind)) {
        .request_body => .request,
        .response_body => .response,
        .downstream_data, .upstream_data => |data| {
            const connection = context.connection orelse return error.BadArgument;
            const found = tcp.visible(connection, data == .downstream_data) orelse return error.BadArgument;
            return found.write(start, length, text);
        },
        .grpc_message => {
            const message = grpc.receiving(context) orelse return error.BadArgument;
            return message.write(start, length, text);
        },
        else => return error.BadArgument,
    };
    const filter = context.filter orelse return error.BadArgument;
    const written = worker.stream.visibleBody(filter, side) orelse return error.BadArgument;
    if (trace.on) trace.touchBody(kind, written);
    try written.write(start, length, text);
}

/// ABI 0.1.0: the plugin's configuration while it starts, else that of the VM.
pub fn proxy_get_configuration(ret: u32, ret_len: u32) Error!void {
    const context = try current();
    const configuration = if (context.plugin) |plugin|
        if (plugin.configuring) plugin.configuration else context.vm.configuration
    else
        context.vm.configuration;
    try context.vm.give(configuration, ret, ret_len);
}

// Answers and flow. What these ask for happens after the running callback.

pub fn proxy_send_local_response(
    status: u32,
    details: u32,
    details_len: u32,
    text: u32,
    text_len: u32,
    pairs: u32,
    pairs_len: u32,
    grpc_status: u32,
) Error!void {
    const context = try current();
    const vm = context.vm;
    const why = try vm.read(details, details_len);
    const content = try vm.read(text, text_len);
    const raw = try vm.read(pairs, pairs_len);
    // The callback stops even where the call acted for a root context, which answers nothing.
    if (worker.caller.?.filter) |caller| caller.stop = true;
    if (context.filter == null) return;
    var list: Pairs = .init(raw);
    const bytes = try worker.arena.take(list.count * @sizeOf(headers.Entry));
    const entries = std.mem.bytesAsSlice(headers.Entry, @as([]align(8) u8, @alignCast(bytes)));
    for (entries) |*entry| entry.* = list.next().?;
    for (why) |*letter| {
        if (std.ascii.isWhitespace(letter.*)) letter.* = '_';
    }
    try worker.stream.later(.{ .reply = .{
        .status = status,
        .headers = entries,
        .body = content,
        .grpc_status = if (grpc_status > 16) null else grpc_status,
        .details = why,
    } });
}

pub fn proxy_continue_stream(stream: u32) Error!void {
    const context = try current();
    switch (stream) {
        0 => try continueSide(context, .request),
        1 => try continueSide(context, .response),
        2 => if (context.connection) |connection| try tcp.later(.{ .go_on = connection }),
        3 => return error.Unimplemented,
        else => return error.BadArgument,
    }
}

fn continueSide(context: *Context, side: Side) Error!void {
    const filter = context.filter orelse return;
    try worker.stream.later(if (side == .request)
        .{ .resume_request = filter }
    else
        .{ .resume_response = filter });
    // Envoy forgets the request in both cases.
    const half = filter.half(.request);
    half.headers = false;
    half.trailers = false;
    half.data = false;
    half.body = if (half.holding) .held else .none;
}

pub fn proxy_continue_request() Error!void {
    try continueSide(try current(), .request);
}

pub fn proxy_continue_response() Error!void {
    try continueSide(try current(), .response);
}

pub fn proxy_clear_route_cache() Error!void {
    _ = try current();
}

pub fn proxy_close_stream(stream: u32) Error!void {
    const context = try current();
    if (stream > 3) return error.BadArgument;
    if (stream >= 2 and context.connection != null) return tcp.later(.close);
    if (context.filter == null) return;
    try worker.stream.later(.close);
}

pub fn proxy_set_effective_context(id: u32) Error!void {
    const context = try current();
    // The number of the VM itself means nobody else: the context that runs.
    worker.context = if (id == 0) worker.caller else context.vm.find(id) orelse return error.BadArgument;
}

/// Nothing ever waits for it: roots live as long as the proxy.
pub fn proxy_done() Error!void {
    _ = try current();
    return error.NotFound;
}

// Properties.

pub fn proxy_get_property(path: u32, path_len: u32, ret: u32, ret_len: u32) Error!void {
    const context = try current();
    const name = try context.vm.read(path, path_len);
    try context.vm.give(try property.get(context, name), ret, ret_len);
}

pub fn proxy_set_property(path: u32, path_len: u32, value: u32, value_len: u32) Error!void {
    const context = try current();
    const name = try context.vm.read(path, path_len);
    const text = try context.vm.read(value, value_len);
    try property.set(context, name, text);
}
