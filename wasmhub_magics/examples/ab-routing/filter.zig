//! A/B routing by cookie: the configuration is how many percent of new visitors get variant b.
//!
//! Let a route match the header x-variant.
const std = @import("std");
const pw = @import("proxy_wasm");

var percent: u32 = 0;

pub fn onConfigure(plugin: pw.Plugin) !void {
    percent = try std.fmt.parseInt(u32, try plugin.configuration(), 10);
}

fn variantOf(cookies: []const u8) ?[]const u8 {
    var each = std.mem.tokenizeAny(u8, cookies, "; ");
    while (each.next()) |cookie| {
        if (std.mem.eql(u8, cookie, "ab=a") or std.mem.eql(u8, cookie, "ab=b")) return cookie[3..];
    }
    return null;
}

pub fn onRequestHeaders(stream: pw.Stream) !void {
    const known = variantOf(try stream.request.headers.get("cookie") orelse "");
    const drawn = if (pw.random.uintLessThan(u32, 100) < percent) "b" else "a";
    if (known == null) try pw.setProperty("ab-new", drawn); // kept with the stream
    try stream.request.headers.set("x-variant", known orelse drawn);
}

pub fn onResponseHeaders(stream: pw.Stream) !void {
    const variant = try pw.property("ab-new") orelse return;
    const cookie = try std.fmt.allocPrint(pw.arena, "ab={s}; Path=/; Max-Age=2592000", .{variant});
    try stream.response.headers.add("set-cookie", cookie);
}
