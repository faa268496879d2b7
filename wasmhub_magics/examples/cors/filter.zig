//! CORS: the configuration lists the origins whose pages may read responses, separated by spaces.
const std = @import("std");
const pw = @import("proxy_wasm");

var origins: []const u8 = "";

pub fn onConfigure(plugin: pw.Plugin) !void {
    origins = try pw.allocator.dupe(u8, try plugin.configuration());
}

fn allowed(origin: []const u8) bool {
    var each = std.mem.tokenizeScalar(u8, origins, ' ');
    while (each.next()) |one| {
        if (std.mem.eql(u8, one, origin)) return true;
    }
    return false;
}

pub fn onRequestHeaders(stream: pw.Stream) !pw.Action {
    const headers = stream.request.headers;
    const origin = try headers.get("origin") orelse "";
    if (allowed(origin)) try pw.setProperty("cors-origin", origin); // kept with the stream
    if (!std.mem.eql(u8, try headers.get(":method") orelse "", "OPTIONS")) return .proceed;
    if (!try headers.contains("access-control-request-method")) return .proceed;
    if (!allowed(origin)) {
        return stream.respond(403, .{ .body = "this origin is not allowed\n" });
    }
    const wanted = try headers.get("access-control-request-headers") orelse "content-type";
    return stream.respond(204, .{ .headers = &.{
        .{ .name = "access-control-allow-methods", .value = "GET, HEAD, POST, PUT, PATCH, DELETE" },
        .{ .name = "access-control-allow-headers", .value = wanted },
        .{ .name = "access-control-max-age", .value = "600" },
    } });
}

/// An answer of our own comes by here, too.
pub fn onResponseHeaders(stream: pw.Stream) !void {
    const headers = stream.response.headers;
    try headers.remove("access-control-allow-origin");
    const origin = try pw.property("cors-origin") orelse return;
    try headers.set("access-control-allow-origin", origin);
    try headers.add("vary", "origin");
}
