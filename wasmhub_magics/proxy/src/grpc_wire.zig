//! What goes between gRPC calls and the driver: news of a call goes out, what its cluster answers comes in.

const std = @import("std");
const callout = @import("callout.zig");
const events = @import("events.zig");
const exchange = @import("exchange.zig");
const gpa = @import("arena.zig").gpa;
const grpc = @import("grpc.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");

const OutOfMemory = error{OutOfMemory};

var asked: ?*grpc.Stream = null;

pub fn forget() void {
    asked = null;
}

/// Whether a cluster must be told something; what is then in the output.
pub fn ask() bool {
    if (!grpc.busy) return false;
    for (grpc.streams.items) |stream| {
        if (!stream.news) continue;
        if (stream.cancelled and stream.head.items.len > 0) continue;
        asked = stream;
        return true;
    }
    return false;
}

pub fn asking() bool {
    return asked != null;
}

/// Number u32, flags u8 (1 it opens, 2 it has ended, 4 it is cancelled), and where it opens: cluster, timeout u64,
/// whether it is one call u8, headers; then a list of messages.
pub fn putNeed() OutOfMemory!void {
    const stream = asked.?;
    const opens = stream.head.items.len > 0;
    const flags = @as(u8, @intFromBool(opens)) | @as(u8, @intFromBool(stream.ended)) << 1 |
        @as(u8, @intFromBool(stream.cancelled)) << 2;
    try exchange.put(u32, stream.id);
    try exchange.put(u8, flags);
    if (opens) {
        try exchange.putText(stream.cluster.name);
        try exchange.put(u64, stream.timeout);
        try exchange.put(u8, @intFromBool(stream.unary));
        try exchange.output.appendSlice(gpa, stream.head.items);
    }
    try exchange.put(u32, stream.out_count);
    try exchange.output.appendSlice(gpa, stream.out.items);
    stream.head.clearRetainingCapacity();
    stream.out.clearRetainingCapacity();
    stream.out_count = 0;
    stream.news = false;
}

/// What the cluster answers: a list of parts, each outcome u8 as for calls, delay u64, and for a response flags
/// u8 (1 headers come first, 2 it ends) and an answer.
pub fn answered(bytes: []u8) OutOfMemory!void {
    const stream = asked.?;
    asked = null;
    var reader: exchange.Reader = .{ .bytes = bytes };
    for (0..reader.number(u32)) |_| {
        if (stream.cancelled or stream.remote_closed) return;
        const outcome = reader.number(u8);
        const due = events.now +| reader.number(u64);
        if (stream.timeout != 0 and due >= stream.began +| stream.timeout) break;
        switch (outcome) {
            0 => try stream.answer(&reader, due),
            1 => try stream.local(due, callout.refused, before ++ "{remote_connection_failure|delayed_connect_error:_Connection_refused}"),
            2 => {
                const why = "{connection_termination}";
                try stream.local(due, callout.closed, if (stream.headers_came) after ++ why else before ++ why);
            },
            3 => {
                stream.details = after ++ "{remote_reset}";
                if (!stream.headers_came) try stream.headersCame(due, if (stream.ended) broken_head else bare_head, false);
                try stream.fail(due, 13, "");
            },
            else => if (stream.unary and stream.timeout == 0) {
                log.warn("the cluster {s} never answers a gRPC call, and the call has no timeout", .{stream.cluster.name});
            },
        }
    }
    // One call is asked once: what is not there now never comes.
    if (stream.unary and stream.timeout != 0 and !stream.remote_closed) {
        try stream.local(stream.began +| stream.timeout, callout.timed_out, "response_timeout");
    }
}

pub const before = "upstream_reset_before_response_started";
const after = "upstream_reset_after_response_started";
const bare_head = "\x01\x00\x00\x00" ++ "\x07\x00\x00\x00:status" ++ "\x03\x00\x00\x00200";
const broken_head = "\x02\x00\x00\x00" ++ "\x07\x00\x00\x00:status" ++ "\x03\x00\x00\x00200" ++
    "\x1d\x00\x00\x00x-envoy-upstream-service-time" ++ "\x01\x00\x00\x000";

/// Headers as the protocol has them.
pub fn encoded(given: *const headers.Map) OutOfMemory![]u8 {
    var size: usize = 4;
    for (given.entries.items) |entry| size += 8 + entry.name.len + entry.value.len;
    const bytes = try gpa.alloc(u8, size);
    std.mem.writeInt(u32, bytes[0..4], @intCast(given.entries.items.len), .little);
    var at: usize = 4;
    for (given.entries.items) |entry| {
        for ([_][]const u8{ entry.name, entry.value }) |text| {
            std.mem.writeInt(u32, bytes[at..][0..4], @intCast(text.len), .little);
            @memcpy(bytes[at + 4 ..][0..text.len], text);
            at += 4 + text.len;
        }
    }
    return bytes;
}

pub fn find(raw: []const u8, name: []const u8) ?[]const u8 {
    var reader: exchange.Reader = .{ .bytes = @constCast(raw) };
    for (0..reader.number(u32)) |_| {
        const known = reader.text();
        const value = reader.text();
        if (std.mem.eql(u8, known, name)) return value;
    }
    return null;
}
