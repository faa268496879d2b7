//! Call-out authorisation: the cluster auth decides about each request.
const std = @import("std");
const pw = @import("proxy_wasm");

/// Which stream waits for which call.
var waiting: std.AutoHashMapUnmanaged(u32, pw.Stream) = .empty;

pub fn onRequestHeaders(stream: pw.Stream) !pw.Action {
    const headers = stream.request.headers;
    try headers.remove("x-user"); // only we may send this
    const token = pw.httpCall("auth", .{ .timeout_ms = 500, .headers = &.{
        .{ .name = ":method", .value = "GET" },
        .{ .name = ":path", .value = "/check" },
        .{ .name = ":authority", .value = "auth" },
        .{ .name = "authorization", .value = try headers.get("authorization") orelse "" },
        .{ .name = "x-original-method", .value = try headers.get(":method") orelse "" },
        .{ .name = "x-original-path", .value = try headers.get(":path") orelse "" },
    } }) catch return stream.respond(503, .{ .body = "authorisation is out of order\n" });
    try waiting.put(pw.allocator, token, stream);
    return .pause;
}

pub fn onHttpCallResponse(_: pw.Plugin, answer: pw.CallResponse) !void {
    const entry = waiting.fetchRemove(answer.token) orelse return; // the stream has ended
    const stream = entry.value;
    try stream.activate();
    const status = try answer.headers.get(":status") orelse "";
    if (std.mem.eql(u8, status, "200")) {
        try stream.request.headers.set("x-user", try answer.headers.get("x-user") orelse "");
        try stream.request.proceed();
    } else if (std.mem.eql(u8, status, "401") or std.mem.eql(u8, status, "403")) {
        const code: u16 = if (status[2] == '1') 401 else 403;
        _ = try stream.respond(code, .{ .body = "forbidden\n" });
    } else {
        _ = try stream.respond(503, .{ .body = "authorisation is out of order\n" });
    }
}

pub fn onDelete(stream: pw.Stream) void {
    var each = waiting.iterator();
    while (each.next()) |entry| {
        if (entry.value_ptr.id == stream.id) {
            waiting.removeByPtr(entry.key_ptr);
            return;
        }
    }
}
