//! Redirect to the canonical host, which is the configuration.
const std = @import("std");
const pw = @import("proxy_wasm");

var host: []const u8 = "";

pub fn onConfigure(plugin: pw.Plugin) !bool {
    host = try pw.allocator.dupe(u8, try plugin.configuration());
    return host.len > 0;
}

pub fn onRequestHeaders(stream: pw.Stream) !pw.Action {
    const path = try stream.request.headers.get(":path") orelse "";
    if (std.mem.eql(u8, try stream.request.headers.get(":authority") orelse "", host)) return .proceed;
    if (std.mem.startsWith(u8, path, "/.well-known/")) return .proceed;
    const location = try std.fmt.allocPrint(pw.arena, "https://{s}{s}", .{ host, path });
    return stream.respond(301, .{ .headers = &.{.{ .name = "location", .value = location }} });
}
