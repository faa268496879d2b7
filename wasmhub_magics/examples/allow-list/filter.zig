//! IP and path allow list: "/health 10.0.0.0/8 192.168.1.7".
//!
//! x-forwarded-for counts, so let nobody but your own load balancer reach this proxy, or leave it out.
const std = @import("std");
const pw = @import("proxy_wasm");

var words: []const u8 = "";

pub fn onConfigure(plugin: pw.Plugin) !void {
    words = try pw.allocator.dupe(u8, try plugin.configuration());
    var each = std.mem.tokenizeScalar(u8, words, ' ');
    while (each.next()) |word| {
        if (word[0] != '/') _ = try contains(word, 0);
    }
}

pub fn onRequestHeaders(stream: pw.Stream) !pw.Action {
    const headers = stream.request.headers;
    const path = try headers.get(":path") orelse "";
    const page = path[0 .. std.mem.indexOfScalar(u8, path, '?') orelse path.len];
    const address = number(try clientOf(headers)) catch null;
    var each = std.mem.tokenizeScalar(u8, words, ' ');
    while (each.next()) |word| {
        if (std.mem.eql(u8, word, page)) return .proceed;
        if (word[0] != '/' and address != null and try contains(word, address.?)) return .proceed;
    }
    return stream.respond(403, .{ .body = "forbidden\n" });
}

fn clientOf(headers: pw.Headers) ![]const u8 {
    if (try headers.get("x-forwarded-for")) |forwarded| { // the last of "client, proxy, proxy"
        const start = if (std.mem.lastIndexOfScalar(u8, forwarded, ',')) |comma| comma + 1 else 0;
        return std.mem.trim(u8, forwarded[start..], " ");
    }
    const peer = try pw.property("source.address") orelse "";
    return peer[0 .. std.mem.indexOfScalar(u8, peer, ':') orelse peer.len];
}

/// Whether an address is in a range such as 10.0.0.0/8.
fn contains(range: []const u8, address: u32) !bool {
    const slash = std.mem.indexOfScalar(u8, range, '/') orelse return try number(range) == address;
    const bits = try std.fmt.parseInt(u6, range[slash + 1 ..], 10);
    if (bits > 32) return error.Range;
    return (@as(u64, try number(range[0..slash]) ^ address) >> (32 - bits)) == 0;
}

fn number(text: []const u8) !u32 {
    var parts = std.mem.splitScalar(u8, text, '.');
    var found: u32 = 0;
    for (0..4) |_| found = found << 8 | try std.fmt.parseInt(u8, parts.next() orelse return error.Address, 10);
    return if (parts.next() == null) found else error.Address;
}
