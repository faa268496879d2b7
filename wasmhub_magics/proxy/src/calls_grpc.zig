//! Host functions for gRPC calls and streams (`Context::grpcCall` and its neighbours of Envoy's `context.cc`).

const std = @import("std");
const abi = @import("abi.zig");
const callout = @import("callout.zig");
const calls = @import("calls.zig");
const gpa = @import("arena.zig").gpa;
const grpc = @import("grpc.zig");
const wire = @import("grpc_wire.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const proto = @import("proto.zig");
const worker = @import("worker.zig");
const Pairs = @import("pairs.zig").Pairs;
const Context = @import("vm.zig").Context;

const Error = abi.Error;
const current = calls.current;

/// Where a call goes: the cluster and what its configuration says about it.
const Service = struct {
    cluster: ?*const callout.Cluster = null,
    authority: []const u8 = "",
    metadata: [16][2][]const u8 = undefined,
    metadata_count: usize = 0,
};

/// The `GrpcService` message, or the name of a cluster where the bytes are none.
fn service(bytes: []const u8) Error!Service {
    return fromProto(bytes) catch .{ .cluster = callout.find(bytes) orelse return error.ParseFailure };
}

fn fromProto(bytes: []const u8) Error!Service {
    var found: Service = .{};
    var target: ?[]const u8 = null;
    var known = false;
    var fields: proto.Fields = .{ .bytes = bytes };
    while (try fields.next()) |field| switch (field.number) {
        1 => {
            known = true;
            var inner: proto.Fields = .{ .bytes = field.bytes orelse return error.BadArgument };
            while (try inner.next()) |part| switch (part.number) {
                1 => target = part.bytes orelse return error.BadArgument,
                2 => found.authority = part.bytes orelse return error.BadArgument,
                else => {},
            };
        },
        // A server that Google's client would call: nobody here.
        2 => known = true,
        5 => {
            var inner: proto.Fields = .{ .bytes = field.bytes orelse return error.BadArgument };
            var pair: [2][]const u8 = .{ "", "" };
            while (try inner.next()) |part| switch (part.number) {
                1, 2 => pair[@as(usize, @intCast(part.number)) - 1] = part.bytes orelse return error.BadArgument,
                else => {},
            };
            if (found.metadata_count < found.metadata.len) {
                found.metadata[found.metadata_count] = pair;
                found.metadata_count += 1;
            }
        },
        else => {},
    };
    if (!known) log.warn("a gRPC service without a target ends Envoy: the filter got BadArgument (2)", .{});
    found.cluster = if (target) |name| callout.find(name) else null;
    if (!known) found.cluster = &untargeted;
    return found;
}

/// What a message names that has no target at all.
const untargeted: callout.Cluster = .{ .name = "", .answer = null };

const Parts = struct { service: Service, name: []const u8, method: []const u8, metadata: []u8 };

fn open(context: *Context, parts: Parts, unary: bool, timeout: u32) Error!*grpc.Stream {
    const plugin = context.plugin orelse return error.BadArgument;
    const vm = context.vm;
    const count = if (unary) &vm.grpc_calls else &vm.grpc_streams;
    count.* += 1;
    const token = 4 * count.* + @as(u32, if (unary) 1 else 2);
    if (parts.service.cluster == &untargeted) return error.BadArgument;
    if (grpc.streams.items.len >= grpc.most_open) {
        log.warn("more than {d} gRPC calls and streams at once: a filter was told that another one failed", .{grpc.most_open});
        return error.InternalFailure;
    }
    const cluster = parts.service.cluster orelse {
        try grpc.refuse(vm, plugin.root.id, token, unary);
        return error.InternalFailure;
    };
    var map: headers.Map = .{ .kind = .request };
    defer map.entries.deinit(gpa);
    try map.append(":method", "POST");
    const path = try worker.arena.take(2 + parts.name.len + parts.method.len);
    path[0] = '/';
    @memcpy(path[1..][0..parts.name.len], parts.name);
    path[1 + parts.name.len] = '/';
    @memcpy(path[2 + parts.name.len ..], parts.method);
    try map.append(":path", path);
    try map.append(":authority", if (parts.service.authority.len > 0) parts.service.authority else cluster.name);
    if (unary) {
        const text = try worker.arena.take(11);
        try map.append("grpc-timeout", std.fmt.bufPrint(text, "{d}m", .{@min(timeout, 99_999_999)}) catch unreachable);
    }
    try map.append("te", "trailers");
    try map.append("content-type", "application/grpc");
    for (parts.service.metadata[0..parts.service.metadata_count]) |pair| {
        const name = try worker.arena.dupe(pair[0]);
        headers.lower(name);
        try map.add(&worker.arena, name, pair[1]);
    }
    var list: Pairs = .init(parts.metadata);
    while (list.next()) |entry| try map.add(&worker.arena, entry.name, entry.value);
    try encodeBinary(&map);
    try callout.complete(&map, "", timeout);
    const raw = try wire.encoded(&map);
    errdefer gpa.free(raw);
    const stream = try grpc.make(vm, plugin.root.id, token, unary, cluster);
    stream.timeout = @as(u64, timeout) * std.time.ns_per_ms;
    stream.head = .fromOwnedSlice(raw);
    return stream;
}

/// Metadata whose name says that it is binary goes over the wire in Base64, and of several values the first.
fn encodeBinary(map: *headers.Map) Error!void {
    var place: usize = 0;
    while (place < map.entries.items.len) : (place += 1) {
        const entry = map.entries.items[place];
        if (!std.mem.endsWith(u8, entry.name, "-bin")) continue;
        const text = try worker.arena.take(std.base64.standard.Encoder.calcSize(entry.value.len));
        map.entries.items[place].value = std.base64.standard.Encoder.encode(text, entry.value);
        var later = map.entries.items.len - 1;
        while (later > place) : (later -= 1) {
            if (std.mem.eql(u8, map.entries.items[later].name, entry.name)) _ = map.entries.orderedRemove(later);
        }
    }
}

pub fn proxy_grpc_call(
    target: u32,
    target_len: u32,
    name: u32,
    name_len: u32,
    method: u32,
    method_len: u32,
    metadata: u32,
    metadata_len: u32,
    message: u32,
    message_len: u32,
    timeout: u32,
    ret_token: u32,
) Error!void {
    const context = try current();
    const vm = context.vm;
    const where = try vm.read(target, target_len);
    const service_name = try vm.read(name, name_len);
    const method_name = try vm.read(method, method_len);
    const pairs = try vm.read(metadata, metadata_len);
    const content = try vm.read(message, message_len);
    const parts: Parts = .{ .service = try service(where), .name = service_name, .method = method_name, .metadata = pairs };
    const stream = try open(context, parts, true, timeout);
    {
        errdefer grpc.unmake(stream);
        try stream.send(content, true);
    }
    try vm.store32(ret_token, stream.token);
}

pub fn proxy_grpc_stream(
    target: u32,
    target_len: u32,
    name: u32,
    name_len: u32,
    method: u32,
    method_len: u32,
    metadata: u32,
    metadata_len: u32,
    ret_token: u32,
) Error!void {
    const context = try current();
    const vm = context.vm;
    const where = try vm.read(target, target_len);
    const service_name = try vm.read(name, name_len);
    const method_name = try vm.read(method, method_len);
    const pairs = try vm.read(metadata, metadata_len);
    const parts: Parts = .{ .service = try service(where), .name = service_name, .method = method_name, .metadata = pairs };
    const stream = try open(context, parts, false, 0);
    try vm.store32(ret_token, stream.token);
}

/// The stream of a token, which says by itself whether it can be one.
fn lookup(context: *Context, token: u32, comptime streams_only: bool) Error!*grpc.Stream {
    const kind = token & 3;
    if (kind != 2 and (streams_only or kind != 1)) return error.BadArgument;
    const plugin = context.plugin orelse return error.NotFound;
    return grpc.find_stream(context.vm, plugin.root.id, token) orelse error.NotFound;
}

pub fn proxy_grpc_send(token: u32, message: u32, message_len: u32, end_of_stream: u32) Error!void {
    const context = try current();
    const content = try context.vm.read(message, message_len);
    const stream = try lookup(context, token, true);
    if (grpc.sent == grpc.most_sent) {
        log.warn("more than {d} gRPC messages in one exchange: a filter was told that another one failed", .{grpc.most_sent});
        return error.InternalFailure;
    }
    grpc.sent += 1;
    try stream.send(content, end_of_stream != 0);
}

pub fn proxy_grpc_cancel(token: u32) Error!void {
    grpc.cancel(try lookup(try current(), token, false));
}

/// Half of a stream ends; a call ends altogether.
pub fn proxy_grpc_close(token: u32) Error!void {
    const stream = try lookup(try current(), token, false);
    if (stream.unary or stream.over) return grpc.cancel(stream);
    stream.end();
    stream.local_closed = true;
}
