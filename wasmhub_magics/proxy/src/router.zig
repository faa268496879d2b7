//! What Envoy's router and connection manager make of headers before and after all filters.

const std = @import("std");
const clock = @import("clock.zig");
const front = @import("front.zig");
const headers = @import("headers.zig");
const Answer = @import("answer.zig").Answer;
const reply = @import("reply.zig");
const worker = @import("worker.zig");

const OutOfMemory = error{OutOfMemory};

/// Why the router does not take a request with such headers; null where it does.
pub fn refusal(map: *const headers.Map) ?reply.Reply {
    const path = map.get(":path") orelse "";
    const proto = map.get("x-forwarded-proto") orelse "";
    if (path.len == 0 or path[0] != '/' or proto.len == 0) return .{ .status = 404, .details = "route_not_found" };
    if (map.get(":method") == null) return .{
        .status = 503,
        .body = "missing required header: :method",
        .details = "filter_removed_required_request_headers{missing_required_header:_:method}",
    };
    return null;
}

pub fn isScheme(scheme: ?[]const u8) bool {
    const text = scheme orelse return false;
    return std.mem.eql(u8, text, "http") or std.mem.eql(u8, text, "https");
}

/// Where a request's scheme is missing or none, the router takes what the client's proxy says, or plain HTTP.
pub fn schemeForRouter(map: *headers.Map) OutOfMemory!void {
    if (isScheme(map.get(":scheme"))) return;
    const forwarded = map.get("x-forwarded-proto");
    try map.set(":scheme", if (isScheme(forwarded)) forwarded.? else "http");
}

/// What the router makes of a request's headers: it follows those that are for it and takes them away.
pub fn forRouter(map: *headers.Map) OutOfMemory!void {
    var kept: usize = 0;
    var expected: usize = 0;
    for (map.entries.items) |entry| {
        if (std.mem.startsWith(u8, entry.name, front.prefix)) {
            @branchHint(.unlikely);
            const rest = entry.name[front.prefix.len..];
            const whole = std.mem.eql(u8, rest, "upstream-rq-timeout-ms");
            if (whole or std.mem.eql(u8, rest, "upstream-rq-per-try-timeout-ms")) {
                const limit = std.fmt.parseInt(usize, entry.value, 10) catch 0;
                if (limit > 0 and (expected == 0 or limit < expected)) expected = limit;
            }
            if (front.isForRouter(rest)) continue;
        }
        map.entries.items[kept] = entry;
        kept += 1;
    }
    map.entries.items.len = kept;
    if (expected > 0) try map.set("x-envoy-expected-rq-timeout-ms", try reply.number(expected));
}

/// What the connection manager makes of a response after all filters, where nothing has been put to what came.
pub inline fn finishUntouched(map: *headers.Map, answer: *const Answer) OutOfMemory!void {
    if (answer.framing_goes) {
        const place = answer.headers.entries.items.len;
        map.entries.items.ptr[place] = map.entries.items.ptr[place + 1];
        map.entries.items.len = place + 1;
    }
    if (!answer.dated) try map.append("date", &date);
    try map.append("server", "envoy");
}

/// What the connection manager makes of a response after all filters. Nothing is to be done about the entries before
/// `first`, among which may be a `date`.
pub fn finishHeaders(map: *headers.Map, first: usize, has_date: bool) OutOfMemory!void {
    const entries = map.entries.items;
    var kept = first;
    var dated = has_date;
    var served = false;
    for (entries[first..]) |*entry| {
        const name = entry.name;
        if (isChanged(name)) {
            if (name.len != "server".len) continue;
            if (!served) entry.value = "envoy";
            served = true;
        }
        dated = dated or headers.same(name, "date");
        entries[kept] = entry.*;
        kept += 1;
    }
    map.entries.items.len = kept;
    if (!dated) try map.append("date", &date);
    if (!served) try map.append("server", "envoy");
}

/// Whether the connection manager leaves all of a response's headers as they are.
pub fn isPlain(map: *const headers.Map) bool {
    for (map.entries.items) |entry| {
        if (isChanged(entry.name)) return false;
    }
    return true;
}

/// `server`, and what a response says about its connection.
inline fn isChanged(name: []const u8) bool {
    return switch (name.len) {
        6 => headers.same(name, "server"),
        7 => headers.same(name, "upgrade"),
        10 => headers.same(name, "connection"),
        16 => headers.same(name, "proxy-connection"),
        17 => headers.same(name, "transfer-encoding"),
        else => false,
    };
}

/// Like Envoy's, it is made anew only now and then: before each exchange, and before a loop.
pub var date: [29]u8 = undefined;

/// Milliseconds since the upstream was asked, as the router tells the filters.
pub inline fn serviceTime() OutOfMemory![]const u8 {
    return if (upstream_asked) |asked| serviceTimeSince(asked) else "0";
}

noinline fn serviceTimeSince(asked: u64) OutOfMemory![]const u8 {
    const milliseconds = (clock.monotonic() -% asked) / std.time.ns_per_ms;
    var digits: [20]u8 = undefined;
    return worker.arena.dupe(std.fmt.bufPrint(&digits, "{d}", .{milliseconds}) catch unreachable);
}

pub var upstream_asked: ?u64 = null;
