//! Answers that the proxy gives by itself (`source/common/http/utility.cc prepareLocalReply`).

const std = @import("std");
const prepared_zig = @import("prepared.zig");
const headers = @import("headers.zig");
const worker = @import("worker.zig");

pub const Reply = struct {
    status: u32 = 0,
    headers: []const headers.Entry = &.{},
    body: []const u8 = "",
    grpc_status: ?u32 = null,
    details: []const u8 = "",
};

/// Write a reply's headers. True where no body follows them.
pub fn build(reply: *const Reply, map: *headers.Map, prepared: *const prepared_zig.Prepared) error{OutOfMemory}!bool {
    const arena = &worker.arena;
    try map.append(":status", try number(reply.status));
    for (reply.headers) |entry| try map.add(arena, entry.name, entry.value);
    try map.set(":status", try number(reply.status)); // Envoy writes it once more after what a filter adds
    if (prepared.grpc) {
        try map.set(":status", "200");
        try map.set("content-type", "application/grpc");
        if (map.get("grpc-status") == null or map.get("grpc-status").?.len == 0) {
            try map.set("grpc-status", try number(reply.grpc_status orelse grpcStatus(reply.status)));
        }
        if (reply.body.len > 0 and !prepared.head) try map.set("grpc-message", try percentEncoded(reply.body));
        map.remove("content-length");
        return true;
    }
    if (reply.body.len == 0) {
        map.remove("content-length");
        map.remove("content-type");
        return true;
    }
    try map.set("content-length", try number(reply.body.len));
    if (map.get("content-type") == null) try map.append("content-type", "text/plain");
    return prepared.head;
}

pub fn reason(comptime status: u16) []const u8 {
    return switch (status) {
        413 => "Payload Too Large",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        else => comptime unreachable,
    };
}

/// The gRPC status that stands for an HTTP status.
pub fn grpcStatus(status: u32) u32 {
    return switch (status) {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429, 502, 503, 504 => 14,
        else => 2,
    };
}

pub fn number(value: usize) error{OutOfMemory}![]const u8 {
    var text: [20]u8 = undefined;
    return worker.arena.dupe(std.fmt.bufPrint(&text, "{d}", .{value}) catch unreachable);
}

pub fn percentEncoded(body: []const u8) error{OutOfMemory}![]const u8 {
    const hex = "0123456789ABCDEF";
    const text = try worker.arena.take(body.len * 3);
    var at: usize = 0;
    for (body) |byte| {
        if (byte >= ' ' and byte < '~' and byte != '%') {
            text[at] = byte;
            at += 1;
        } else {
            text[at..][0..3].* = .{ '%', hex[byte >> 4], hex[byte & 15] };
            at += 3;
        }
    }
    return text[0..at];
}
