//! Properties: what `proxy_get_property` tells about the request, the connection and the plugin.

const std = @import("std");
const abi = @import("abi.zig");
const clock = @import("clock.zig");
const headers = @import("headers.zig");
const worker = @import("worker.zig");
const arena_gpa = @import("arena.zig").gpa;
const Context = @import("vm.zig").Context;
const reply = @import("reply.zig");
const Filter = @import("stream.zig").Filter;
const Stream = @import("stream.zig").Stream;

const Error = abi.Error;

const client = "127.0.0.1:50000";
const client_port = 50_000;
const listener = "127.0.0.1:10000";
const listener_port = 10_000;
const upstream = "127.0.0.1:8080";
const upstream_port = 8_080;

/// The segments of a path, which NULs part; a NUL at the end is allowed.
const Path = struct {
    parts: std.mem.SplitIterator(u8, .scalar),

    fn init(path: []const u8) Path {
        const trimmed = if (path[path.len - 1] == 0) path[0 .. path.len - 1] else path;
        return .{ .parts = std.mem.splitScalar(u8, trimmed, 0) };
    }

    fn next(path: *Path) Error![]const u8 {
        return path.parts.next() orelse error.NotFound;
    }
};

const Root = enum {
    request,
    response,
    source,
    destination,
    connection,
    connection_id,
    upstream,
    metadata,
    filter_state,
    xds,
    plugin_name,
    plugin_root_id,
    plugin_vm_id,
};

pub fn get(context: *Context, raw: []const u8) Error![]const u8 {
    if (raw.len == 0) return error.SerializationFailure;
    var path: Path = .init(raw);
    const first = try path.next();
    const root = std.meta.stringToEnum(Root, first) orelse return state(context, "wasm.", first);
    switch (root) {
        .plugin_name => return if (context.plugin) |plugin| plugin.name else error.NotFound,
        .plugin_root_id => return if (context.plugin) |plugin| plugin.root_id else error.NotFound,
        .plugin_vm_id => return context.vm.id,
        .xds => return xds(context, try path.next()),
        else => {},
    }
    const filter = context.filter orelse return error.NotFound;
    const stream = &worker.stream;
    return switch (root) {
        .request => request(stream, filter, &path),
        .response => response(stream, filter, &path),
        .source => address(client, client_port, &path),
        .destination => address(listener, listener_port, &path),
        .connection => connection(try path.next()),
        .connection_id => number(1),
        .upstream => upstreamProperty(stream, &path),
        .filter_state => if (path.parts.peek() == null)
            error.SerializationFailure
        else
            state(context, "", path.parts.rest()),
        .metadata => metadata(&path),
        else => unreachable,
    };
}

const RequestKey = enum {
    path,
    url_path,
    query,
    host,
    scheme,
    method,
    headers,
    referer,
    useragent,
    id,
    protocol,
    time,
    duration,
    size,
    total_size,
    headers_bytes,
};

fn request(stream: *Stream, filter: *Filter, path: *Path) Error![]const u8 {
    const key = std.meta.stringToEnum(RequestKey, try path.next()) orelse return error.NotFound;
    switch (key) {
        .protocol => return "HTTP/1.1",
        .time => return number(startTime(stream)),
        .duration => {
            if (!filter.logging) return error.NotFound;
            return number(clock.wall() -% startTime(stream));
        },
        else => {},
    }
    // Envoy forgets the request's headers where this filter has let them go, and finds them again for the log.
    if (!filter.half(.request).headers and !filter.logging) {
        return switch (key) {
            .size, .total_size => number(stream.request.bytes),
            .headers_bytes => number(0),
            else => error.NotFound,
        };
    }
    const map = &stream.request.headers;
    return switch (key) {
        .path => find(map, ":path"),
        .url_path => before(try find(map, ":path")),
        .query => after(try find(map, ":path")),
        .host => find(map, ":authority"),
        .scheme => find(map, ":scheme"),
        .method => find(map, ":method"),
        .referer => find(map, "referer"),
        .useragent => find(map, "user-agent"),
        .id => find(map, "x-request-id"),
        .headers => ofMap(map, path),
        .headers_bytes => number(map.byteSize()),
        .total_size => number(stream.request.bytes + map.byteSize()),
        .size => number(contentLength(map) orelse stream.request.bytes),
        else => unreachable,
    };
}

const ResponseKey = enum {
    code,
    code_details,
    flags,
    grpc_status,
    headers,
    headers_bytes,
    trailers,
    size,
    total_size,
    backend_latency,
};

fn response(stream: *Stream, filter: *Filter, path: *Path) Error![]const u8 {
    const key = std.meta.stringToEnum(ResponseKey, try path.next()) orelse return error.NotFound;
    const map = &stream.response.headers;
    const visible = filter.half(.response).headers or filter.logging;
    switch (key) {
        .code => {
            const text = map.get(":status") orelse return error.NotFound;
            return number(std.fmt.parseInt(u32, text, 10) catch 0);
        },
        .code_details => return if (stream.details.len > 0) stream.details else error.NotFound,
        .flags => return number(0),
        .size => return number(stream.client_body.items.len),
        .total_size => {
            const known = if (visible) map.byteSize() else 0;
            return number(stream.client_body.items.len + known);
        },
        .backend_latency => return error.NotFound,
        .trailers => return ofMap(&stream.response.trailers, path),
        else => {},
    }
    if (!visible) return if (key == .headers and path.parts.peek() == null) no_pairs else error.NotFound;
    return switch (key) {
        .headers => ofMap(map, path),
        .headers_bytes => number(map.byteSize()),
        .grpc_status => {
            const text = stream.response.trailers.get("grpc-status") orelse map.get("grpc-status") orelse
                return number(reply.grpcStatus(std.fmt.parseInt(u32, map.get(":status") orelse "0", 10) catch 0));
            return number(std.fmt.parseInt(u32, text, 10) catch return error.NotFound);
        },
        else => unreachable,
    };
}

fn upstreamProperty(stream: *Stream, path: *Path) Error![]const u8 {
    if (!stream.upstream_called) return error.NotFound;
    const key = path.parts.peek() orelse return error.NotFound;
    if (std.mem.eql(u8, key, "request_attempt_count")) return number(1);
    if (std.mem.eql(u8, key, "local_address")) return client;
    return address(upstream, upstream_port, path);
}

/// No filter of this chain writes dynamic metadata, so it is there and empty.
fn metadata(path: *Path) Error![]const u8 {
    const kind = path.parts.next() orelse return "";
    if (!std.mem.eql(u8, kind, "filter_metadata") or path.parts.peek() != null) return error.NotFound;
    return no_pairs;
}

const no_pairs = "\x00\x00\x00\x00";

fn xds(context: *Context, key: []const u8) Error![]const u8 {
    const Key = enum { cluster_name, route_name, virtual_host_name, filter_chain_name, listener_direction };
    return switch (std.meta.stringToEnum(Key, key) orelse return error.NotFound) {
        .cluster_name => if (context.filter != null) "upstream" else error.NotFound,
        .virtual_host_name => if (context.filter != null) "main" else error.NotFound,
        .route_name, .filter_chain_name => if (context.filter != null) "" else error.NotFound,
        .listener_direction => if (context.filter != null) number(0) else error.NotFound,
    };
}

fn connection(key: []const u8) Error![]const u8 {
    if (std.mem.eql(u8, key, "id")) return number(1);
    if (std.mem.eql(u8, key, "mtls")) return "\x00";
    if (std.mem.eql(u8, key, "requested_server_name")) return "";
    return error.NotFound;
}

fn address(text: []const u8, port: u32, path: *Path) Error![]const u8 {
    const key = try path.next();
    if (path.parts.peek() != null) return error.NotFound;
    if (std.mem.eql(u8, key, "address")) return text;
    if (std.mem.eql(u8, key, "port")) return number(port);
    return error.NotFound;
}

/// Keep a value under a name; it can be read back under the same single segment.
pub fn set(context: *Context, path: []const u8, value: []const u8) Error!void {
    if (context.filter == null) return error.NotFound;
    const size = 5 + path.len;
    const name = try worker.arena.take(size);
    @memcpy(name[0..5], "wasm.");
    @memcpy(name[5..], path);
    return keep(name, value);
}

/// Keep filter state with the stream.
pub fn keep(name: []const u8, value: []const u8) Error!void {
    const stream = &worker.stream;
    for (stream.properties.items) |*entry| {
        if (!std.mem.eql(u8, entry.name, name)) continue;
        entry.value = value;
        return;
    }
    try stream.properties.append(arena_gpa, .{ .name = name, .value = value });
}

fn state(context: *Context, comptime prefix: []const u8, name: []const u8) Error![]const u8 {
    if (context.filter == null) return error.NotFound;
    for (worker.stream.properties.items) |entry| {
        if (!std.mem.startsWith(u8, entry.name, prefix)) continue;
        if (std.mem.eql(u8, entry.name[prefix.len..], name)) return entry.value;
    }
    return error.NotFound;
}

fn find(map: *const headers.Map, name: []const u8) Error![]const u8 {
    return map.get(name) orelse error.NotFound;
}

/// All headers as pairs, or the values of one name joined.
fn ofMap(map: *const headers.Map, path: *Path) Error![]const u8 {
    const name = path.parts.next() orelse return if (map.entries.items.len == 0) no_pairs else pairs(map);
    var joined: std.ArrayList(u8) = .empty;
    defer joined.deinit(arena_gpa);
    var found = false;
    for (map.entries.items) |entry| {
        if (!std.mem.eql(u8, entry.name, name)) continue;
        if (found) try joined.append(arena_gpa, ',');
        found = true;
        try joined.appendSlice(arena_gpa, entry.value);
    }
    if (!found) return error.NotFound;
    return worker.arena.dupe(joined.items);
}

/// A header map as the ABI serialises it; an empty one is no bytes at all.
pub fn pairs(map: *const headers.Map) Error![]const u8 {
    const entries = map.entries.items;
    if (entries.len == 0) return "";
    var size: usize = 4;
    for (entries) |entry| size += 8 + entry.name.len + 1 + entry.value.len + 1;
    const bytes = try worker.arena.take(size);
    std.mem.writeInt(u32, bytes[0..4], @intCast(entries.len), .little);
    var at: usize = 4;
    for (entries) |entry| {
        std.mem.writeInt(u32, bytes[at..][0..4], @intCast(entry.name.len), .little);
        std.mem.writeInt(u32, bytes[at + 4 ..][0..4], @intCast(entry.value.len), .little);
        at += 8;
    }
    for (entries) |entry| {
        for ([_][]const u8{ entry.name, entry.value }) |text| {
            @memcpy(bytes[at..][0..text.len], text);
            bytes[at + text.len] = 0;
            at += text.len + 1;
        }
    }
    return bytes;
}

fn number(value: u64) Error![]const u8 {
    return worker.arena.dupe(std.mem.asBytes(&value));
}

fn startTime(stream: *Stream) u64 {
    if (stream.start_time == 0) stream.start_time = clock.wall();
    return stream.start_time;
}

fn contentLength(map: *const headers.Map) ?u64 {
    return std.fmt.parseInt(u64, map.get("content-length") orelse return null, 10) catch null;
}

fn before(path: []const u8) []const u8 {
    return path[0 .. std.mem.indexOfScalar(u8, path, '?') orelse path.len];
}

fn after(path: []const u8) []const u8 {
    const mark = std.mem.indexOfScalar(u8, path, '?') orelse return "";
    return path[mark + 1 ..];
}
