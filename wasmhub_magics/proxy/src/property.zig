//! Properties: what `proxy_get_property` tells about the request, the connection and the plugin.

const std = @import("std");
const abi = @import("abi.zig");
const clock = @import("clock.zig");
const exchange = @import("exchange.zig");
const filter_state = @import("filter_state.zig");
const headers = @import("headers.zig");
const pairs = @import("pairs.zig");
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

    /// A value that has no parts: where the path goes on, there is nothing.
    fn last(path: *Path, value: []const u8) Error![]const u8 {
        return if (path.parts.peek() == null) value else error.NotFound;
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
    upstream_filter_state,
    metadata,
    filter_state,
    xds,
    plugin_name,
    plugin_root_id,
    plugin_vm_id,
};

/// What the driver says that properties are, before all that the proxy knows: pairs of path and value.
var given: []u8 = &.{};

pub fn give(pairs_given: []const u8) error{OutOfMemory}!void {
    const copy = try arena_gpa.dupe(u8, pairs_given);
    arena_gpa.free(given);
    given = copy;
}

fn givenValue(raw: []const u8) ?[]const u8 {
    const path = std.mem.trimEnd(u8, raw, "\x00");
    var reader: exchange.Reader = .{ .bytes = given };
    for (0..reader.number(u32)) |_| {
        const name = reader.text();
        const value = reader.text();
        if (std.mem.eql(u8, name, path)) return value;
    }
    return null;
}

pub fn get(context: *Context, raw: []const u8) Error![]const u8 {
    if (raw.len == 0) return error.SerializationFailure;
    if (given.len > 4) if (givenValue(raw)) |value| return value;
    var path: Path = .init(raw);
    const first = try path.next();
    const root = std.meta.stringToEnum(Root, first) orelse return path.last(try filter_state.get(context, "wasm.", first));
    switch (root) {
        .plugin_name => return path.last(if (context.plugin) |plugin| plugin.name else return error.NotFound),
        .plugin_root_id => return path.last(if (context.plugin) |plugin| plugin.root_id else return error.NotFound),
        .plugin_vm_id => return path.last(context.vm.id),
        .xds => return xds(context, path.parts.next() orelse return error.SerializationFailure),
        else => {},
    }
    const filter = context.filter orelse return if (context.connection != null) ofConnection(context, root, &path) else error.NotFound;
    const stream = &worker.stream;
    return switch (root) {
        .request => request(stream, filter, &path),
        .response => response(stream, filter, &path),
        .source => address(client, client_port, &path),
        .destination => address(listener, listener_port, &path),
        .connection => connection(path.parts.next() orelse return error.SerializationFailure),
        .connection_id => path.last(try number(1)),
        .upstream => upstreamProperty(stream, &path),
        .upstream_filter_state => if (stream.request_routed and path.parts.peek() == null)
            error.SerializationFailure
        else
            error.NotFound,
        .filter_state => if (path.parts.peek() == null)
            error.SerializationFailure
        else
            filter_state.get(context, "", path.parts.rest()),
        .metadata => metadata(&path),
        else => unreachable,
    };
}

/// What a TCP connection has.
fn ofConnection(context: *Context, root: Root, path: *Path) Error![]const u8 {
    return switch (root) {
        .source => address(client, client_port, path),
        .destination => address(listener, listener_port, path),
        .connection => connection(path.parts.next() orelse return error.SerializationFailure),
        .connection_id => path.last(try number(1)),
        .filter_state => if (path.parts.peek() == null) error.SerializationFailure else filter_state.get(context, "", path.parts.rest()),
        .metadata => metadata(path),
        else => error.NotFound,
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
    const name = path.parts.next() orelse return error.SerializationFailure;
    const key = std.meta.stringToEnum(RequestKey, name) orelse return error.NotFound;
    if (key != .headers and path.parts.peek() != null) return error.NotFound;
    switch (key) {
        .protocol => return if (stream.prepared.http2) "HTTP/2" else "HTTP/1.1",
        .time => return number(startTime(stream)),
        .duration => {
            if (stream.stage != .finish_log and stream.stage != .finish_done) return error.NotFound;
            return number(clock.wall() -% startTime(stream));
        },
        else => {},
    }
    // Envoy forgets the request's headers where this filter has let them go, and finds them again for the log.
    if (!stream.request.headers.exists or (!filter.half(.request).headers and !filter.logging)) {
        return switch (key) {
            .size, .total_size => number(stream.request.bytes),
            .headers_bytes => number(0),
            .headers => if (path.parts.peek() == null) no_pairs else error.NotFound,
            else => error.NotFound,
        };
    }
    const map = &stream.request.headers;
    return switch (key) {
        .path => find(map, ":path"),
        .url_path => before(map.get(":path") orelse ""),
        .query => after(map.get(":path") orelse ""),
        .host => find(map, ":authority"),
        .scheme => find(map, ":scheme"),
        .method => find(map, ":method"),
        .referer => find(map, "referer"),
        .useragent => find(map, "user-agent"),
        .id => find(map, "x-request-id"),
        .headers => ofMap(map, path),
        .headers_bytes => number(map.byteSize()),
        .total_size => number(stream.request.bytes + map.byteSize()),
        .size => number(if (map.get("content-length")) |length|
            std.fmt.parseInt(u64, length, 10) catch return error.NotFound
        else
            stream.request.bytes),
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
    const name = path.parts.next() orelse return error.SerializationFailure;
    const key = std.meta.stringToEnum(ResponseKey, name) orelse return error.NotFound;
    if (key != .headers and key != .trailers and path.parts.peek() != null) return error.NotFound;
    // Unlike header calls, properties prefer the map in hand even in the log.
    const in_hand = stream.direct and filter.half(.response).headers;
    const map = if (in_hand) &stream.overwritten else &stream.response.headers;
    const trailers = &stream.response.trailers;
    const visible = filter.half(.response).headers or (filter.logging and !stream.unanswered);
    const trailers_visible = filter.half(.response).trailers or filter.logging;
    switch (key) {
        .code => {
            return if (stream.code == 0) error.NotFound else number(stream.code);
        },
        .code_details => return if (stream.detailed or stream.details.len > 0) stream.details else error.NotFound,
        .flags => return number(flags(stream)),
        .size => return number(stream.client_body.items.len),
        .total_size => {
            var known = stream.client_body.items.len;
            if (visible) known += map.byteSize();
            if (trailers_visible) known += trailers.byteSize();
            return number(known);
        },
        .backend_latency => return if (stream.upstream_complete) number(latency) else error.NotFound,
        .trailers => return if (trailers_visible) ofMap(trailers, path) else ofNone(path),
        .headers => return if (visible) ofMap(map, path) else ofNone(path),
        .headers_bytes => return number(if (visible) map.byteSize() else 0),
        .grpc_status => {
            for ([_]?*const headers.Map{ if (trailers_visible) trailers else null, if (visible) map else null }) |found| {
                const text = (found orelse continue).get("grpc-status") orelse continue;
                if (text.len > 0) return number(grpcStatus(text));
            }
            return if (stream.code == 0) error.NotFound else number(reply.grpcStatus(stream.code));
        },
    }
}

/// The number of a `grpc-status`; -1 where it is none that gRPC knows.
fn grpcStatus(text: []const u8) u64 {
    const status = std.fmt.parseInt(u64, text, 10) catch return std.math.maxInt(u64);
    return if (status > 16) std.math.maxInt(u64) else status;
}

fn flags(stream: *const Stream) u64 {
    const downstream_terminated = 0x4000;
    const downstream_protocol_error = 0x40000;
    const no_route_found = 0x100;
    const upstream_protocol_error = 0x800000;
    if (stream.unread()) return downstream_protocol_error;
    const refused: u64 = if (stream.upstream_refused) upstream_protocol_error else 0;
    const earlier: u64 = if (stream.no_route) no_route_found else refused;
    return if (stream.hung_up) downstream_terminated | earlier else earlier;
}

fn ofNone(path: *Path) Error![]const u8 {
    return if (path.parts.peek() == null) no_pairs else error.NotFound;
}

fn upstreamProperty(stream: *Stream, path: *Path) Error![]const u8 {
    const Key = enum {
        address,
        port,
        local_address,
        num_endpoints,
        request_attempt_count,
        cx_pool_ready_duration,
        transport_failure_reason,
        locality,
    };
    const name = path.parts.next() orelse return error.SerializationFailure;
    const key = std.meta.stringToEnum(Key, name) orelse return error.NotFound;
    if (path.parts.peek() != null) return error.NotFound;
    return switch (key) {
        .num_endpoints => if (stream.routeless) error.NotFound else number(1),
        .request_attempt_count => number(@intFromBool(stream.request_routed)),
        else => if (!stream.request_routed) error.NotFound else switch (key) {
            .address => upstream,
            .port => number(upstream_port),
            .local_address => client,
            .cx_pool_ready_duration => number(latency),
            else => "",
        },
    };
}

/// What takes no time here; a nanosecond, since it has been measured.
const latency = 1;

/// No filter of this chain writes dynamic metadata, so it is there and empty.
fn metadata(path: *Path) Error![]const u8 {
    const kind = path.parts.next() orelse return "";
    if (!std.mem.eql(u8, kind, "filter_metadata") or path.parts.peek() != null) return error.NotFound;
    return no_pairs;
}

const no_pairs = "\x00\x00\x00\x00";

fn xds(context: *Context, key: []const u8) Error![]const u8 {
    const Key = enum {
        cluster_name,
        cluster_metadata,
        route_name,
        route_metadata,
        virtual_host_name,
        virtual_host_metadata,
        filter_chain_name,
        listener_direction,
        listener_metadata,
        upstream_host_metadata,
        upstream_host_locality_metadata,
    };
    const known = std.meta.stringToEnum(Key, key) orelse return error.NotFound;
    if (context.filter == null) return error.NotFound;
    return switch (known) {
        .cluster_name => if (worker.stream.routeless) error.NotFound else "upstream",
        .virtual_host_name => if (worker.stream.unread()) error.NotFound else "main",
        .virtual_host_metadata => if (worker.stream.unread()) error.NotFound else "",
        .filter_chain_name, .listener_metadata => "",
        .route_name, .route_metadata, .cluster_metadata => if (worker.stream.routeless) error.NotFound else "",
        .listener_direction => number(0),
        .upstream_host_metadata, .upstream_host_locality_metadata => if (worker.stream.request_routed)
            error.SerializationFailure
        else
            error.NotFound,
    };
}

fn connection(key: []const u8) Error![]const u8 {
    if (std.mem.eql(u8, key, "id")) return number(1);
    if (std.mem.eql(u8, key, "mtls")) return "\x00";
    if (std.mem.eql(u8, key, "requested_server_name")) return "";
    return error.NotFound;
}

fn address(text: []const u8, port: u32, path: *Path) Error![]const u8 {
    const key = path.parts.next() orelse return error.SerializationFailure;
    if (path.parts.peek() != null) return error.NotFound;
    if (std.mem.eql(u8, key, "address")) return text;
    if (std.mem.eql(u8, key, "port")) return number(port);
    return error.NotFound;
}

fn find(map: *const headers.Map, name: []const u8) Error![]const u8 {
    return map.get(name) orelse error.NotFound;
}

/// All headers as pairs, one for each name, or the values of one name joined.
fn ofMap(map: *const headers.Map, path: *Path) Error![]const u8 {
    const entries = map.entries.items;
    const name = path.parts.next() orelse {
        if (entries.len == 0) return no_pairs;
        const bytes = try worker.arena.take(entries.len * @sizeOf(headers.Entry));
        const list = std.mem.bytesAsSlice(headers.Entry, @as([]align(8) u8, @alignCast(bytes)));
        var count: usize = 0;
        outer: for (entries) |entry| {
            for (list[0..count]) |known| {
                if (std.mem.eql(u8, known.name, entry.name)) continue :outer;
            }
            list[count] = .{ .name = entry.name, .value = (try joined(entries, entry.name)).? };
            count += 1;
        }
        return pairs.serialized(list[0..count]);
    };
    if (path.parts.peek() != null) return error.NotFound;
    const lower = try worker.arena.dupe(name);
    headers.lower(lower);
    return try joined(entries, lower) orelse error.NotFound;
}

/// All values of a name with commas between them.
fn joined(entries: []const headers.Entry, name: []const u8) Error!?[]const u8 {
    var all: std.ArrayList(u8) = .empty;
    defer all.deinit(arena_gpa);
    var found = false;
    for (entries) |entry| {
        if (!std.mem.eql(u8, entry.name, name)) continue;
        if (found) try all.append(arena_gpa, ',');
        found = true;
        try all.appendSlice(arena_gpa, entry.value);
    }
    return if (found) try worker.arena.dupe(all.items) else null;
}

fn number(value: u64) Error![]const u8 {
    return worker.arena.dupe(std.mem.asBytes(&value));
}

fn startTime(stream: *Stream) u64 {
    if (stream.start_time == 0) stream.start_time = clock.wall();
    return stream.start_time;
}

fn before(path: []const u8) []const u8 {
    return path[0 .. std.mem.indexOfScalar(u8, path, '?') orelse path.len];
}

fn after(path: []const u8) []const u8 {
    const mark = std.mem.indexOfScalar(u8, path, '?') orelse return "";
    const query = path[mark + 1 ..];
    return query[0 .. std.mem.indexOfScalar(u8, query, '#') orelse query.len];
}
