//! Request id: keep a well-formed x-correlation-id, else make one; the client learns it, too.
const std = @import("std");
const pw = @import("proxy_wasm");

pub fn onRequestHeaders(stream: pw.Stream) !void {
    var id = try stream.request.headers.get("x-correlation-id") orelse "";
    if (!wellFormed(id)) id = try std.fmt.allocPrint(pw.arena, "{x:0>32}", .{pw.random.int(u128)});
    try stream.request.headers.set("x-correlation-id", id);
    try pw.setProperty("correlation", id); // kept with the stream
}

pub fn onResponseHeaders(stream: pw.Stream) !void {
    const id = try pw.property("correlation") orelse return;
    try stream.response.headers.set("x-correlation-id", id);
}

fn wellFormed(text: []const u8) bool {
    for (text) |each| {
        if (each != '-' and !std.ascii.isAlphanumeric(each)) return false;
    }
    return text.len >= 8 and text.len <= 64;
}
