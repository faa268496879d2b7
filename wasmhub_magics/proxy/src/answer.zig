//! What an upstream answers, and what Envoy's codec makes of it.

const std = @import("std");
const headers = @import("headers.zig");
const router = @import("router.zig");
const Arena = @import("arena.zig").Arena;
const Reader = @import("exchange.zig").Reader;
const header_count_limit = @import("prepared.zig").header_count_limit;

const OutOfMemory = error{OutOfMemory};

/// What an upstream answers.
pub const Answer = struct {
    headers: headers.Map = .{ .kind = .response },
    chunks: []const []const u8 = &.{},
    trailers: headers.Map = .{ .kind = .response_trailers },
    metadata: []const u32 = &.{},
    http2: bool = false,
    /// What the upstream's codec puts after the headers to tell where the body ends; filters see it.
    framing: ?headers.Entry = null,
    framing_of_head: ?headers.Entry = null,
    /// It does not reach the client.
    framing_goes: bool = false,
    bodiless: bool = false,
    status: u32 = 0,
    /// None of its headers is one that the connection manager takes away or changes, and whether one is `date`.
    plain: bool = false,
    dated: bool = false,
    /// How many headers filters see where nobody touches them; 0 where the router changes one of them.
    arrives: usize = 0,
    /// Envoy takes no response with more headers than its limit, or one that is an error of HTTP/2.
    refused: bool = false,

    pub fn init(answer: *Answer, arena: *Arena, reader: *Reader) OutOfMemory!void {
        const map = &answer.headers;
        map.clear();
        const first = reader.number(u32);
        const status = first & 0xffff;
        answer.status = status;
        answer.http2 = first & 0x20000 != 0;
        const text = try arena.take(10);
        try map.append(":status", std.fmt.bufPrint(text, "{d}", .{status}) catch unreachable);
        var count = reader.number(u32);
        var cookie: headers.Entry = .{ .name = "cookie", .value = "" };
        for (0..count) |_| {
            const name = reader.text();
            const value = reader.text();
            if (answer.http2 and std.mem.eql(u8, name, "cookie")) {
                try headers.join(arena, &cookie, value);
                continue;
            }
            const kept = !std.mem.eql(u8, name, "keep-alive") and !std.mem.eql(u8, name, "transfer-encoding");
            if (kept) try map.add(arena, name, value);
        }
        if (cookie.value.len > 0) try map.append(cookie.name, cookie.value);
        answer.plain = router.isPlain(map);
        answer.dated = map.get("date") != null;
        answer.chunks = try reader.frames(arena);
        try reader.map(&answer.trailers, arena);
        answer.metadata = if (first & 0x10000 != 0) try reader.numbers(arena) else &.{};
        const empty = answer.chunks.len == 0 and !answer.trailers.exists;
        answer.bodiless = status == 204 or status == 304;
        answer.framing = null;
        answer.framing_of_head = null;
        answer.framing_goes = false;
        if (map.get("content-length") == null and !answer.bodiless and !answer.http2) {
            const chunked: headers.Entry = .{ .name = "transfer-encoding", .value = "chunked" };
            answer.framing = if (empty) .{ .name = "content-length", .value = "0" } else chunked;
            answer.framing_of_head = chunked;
            answer.framing_goes = !empty;
            count += 1;
        }
        answer.arrives = if (map.reserved) 0 else map.entries.items.len + 1 + @intFromBool(answer.framing != null);
        answer.refused = count > header_count_limit or (answer.http2 and unspeakable(map, status));
        if (answer.bodiless) {
            answer.chunks = &.{};
            answer.metadata = &.{};
            answer.trailers.clear();
        }
    }
};

/// Whether Envoy's codec of HTTP/2 takes a response as an error of the protocol.
fn unspeakable(map: *const headers.Map, status: u32) bool {
    for (map.entries.items) |entry| {
        if (std.mem.eql(u8, entry.name, "upgrade")) return true;
        if (std.mem.eql(u8, entry.name, "te") and !std.mem.eql(u8, entry.value, "trailers")) return true;
    }
    return status == 204 and !std.mem.eql(u8, map.get("content-length") orelse "0", "0");
}
