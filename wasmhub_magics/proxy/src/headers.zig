//! A header map with Envoy's rules (`source/common/http/header_map_impl.cc`): lower-case names, pseudo headers
//! first, one entry for each inline header.

const std = @import("std");
const arena_zig = @import("arena.zig");

const Arena = arena_zig.Arena;
const gpa = arena_zig.gpa;

pub const Entry = struct { name: []const u8, value: []const u8 };

pub const Kind = enum { request, request_trailers, response, response_trailers };

pub const Map = struct {
    kind: Kind,
    exists: bool = false,
    entries: std.ArrayList(Entry) = .empty,
    /// How many entries are pseudo headers; they come first.
    pseudo: usize = 0,

    pub fn clear(map: *Map) void {
        map.entries.clearRetainingCapacity();
        map.pseudo = 0;
        map.exists = false;
    }

    pub fn copy(map: *Map, other: *const Map) error{OutOfMemory}!void {
        map.entries.clearRetainingCapacity();
        try map.entries.appendSlice(gpa, other.entries.items);
        map.pseudo = other.pseudo;
        map.exists = other.exists;
    }

    /// The value of the first entry of a name in lower case.
    pub fn get(map: *const Map, name: []const u8) ?[]const u8 {
        const index = map.find(name) orelse return null;
        return map.entries.items[index].value;
    }

    fn find(map: *const Map, raw: []const u8) ?usize {
        const name = map.alias(raw);
        for (map.entries.items, 0..) |*entry, index| {
            if (same(entry.name, name)) return index;
        }
        return null;
    }

    /// Add an entry; an inline header that is there already gets the value joined to its own.
    pub fn add(map: *Map, arena: *Arena, raw: []const u8, value: []const u8) error{OutOfMemory}!void {
        const name = map.alias(raw);
        if (isInline(map.kind, name)) {
            if (map.find(name)) |index| return join(arena, &map.entries.items[index], value);
        }
        try map.append(name, value);
    }

    /// Append without a look at what is there.
    pub fn append(map: *Map, name: []const u8, value: []const u8) error{OutOfMemory}!void {
        if (name.len > 0 and name[0] == ':') {
            try map.entries.insert(gpa, map.pseudo, .{ .name = name, .value = value });
            map.pseudo += 1;
        } else {
            try arena_zig.append(&map.entries, Entry{ .name = name, .value = value });
        }
    }

    /// Put one entry at the end in place of all entries of a name.
    pub fn replace(map: *Map, raw: []const u8, value: []const u8) error{OutOfMemory}!void {
        const name = map.alias(raw);
        map.remove(name);
        try map.append(name, value);
    }

    /// Change the first entry of a name where it stands, or append one.
    pub fn set(map: *Map, name: []const u8, value: []const u8) error{OutOfMemory}!void {
        if (map.find(name)) |index| {
            map.entries.items[index].value = value;
        } else {
            try map.append(name, value);
        }
    }

    pub fn remove(map: *Map, raw: []const u8) void {
        const name = map.alias(raw);
        var kept: usize = 0;
        var pseudo: usize = 0;
        for (map.entries.items, 0..) |entry, index| {
            if (same(entry.name, name)) continue;
            map.entries.items[kept] = entry;
            kept += 1;
            if (index < map.pseudo) pseudo += 1;
        }
        map.entries.shrinkRetainingCapacity(kept);
        map.pseudo = pseudo;
    }

    /// Take out several names at once, none of them a pseudo header.
    pub fn removeAll(map: *Map, comptime names: []const []const u8) void {
        var kept: usize = 0;
        outer: for (map.entries.items) |entry| {
            inline for (names) |name| {
                if (same(entry.name, name)) continue :outer;
            }
            map.entries.items[kept] = entry;
            kept += 1;
        }
        map.entries.shrinkRetainingCapacity(kept);
    }

    /// Names and values together, as Envoy counts `byteSize`.
    pub fn byteSize(map: *const Map) usize {
        var size: usize = 0;
        for (map.entries.items) |entry| size += entry.name.len + entry.value.len;
        return size;
    }

    fn alias(map: *const Map, name: []const u8) []const u8 {
        if (map.kind == .request and name.len == 4 and std.mem.eql(u8, name, "host")) return ":authority";
        return name;
    }
};

/// Put one more value to that of an entry.
pub fn join(arena: *Arena, entry: *Entry, value: []const u8) error{OutOfMemory}!void {
    if (value.len == 0) return;
    if (entry.value.len == 0) {
        entry.value = value;
        return;
    }
    const between: []const u8 = if (std.mem.eql(u8, entry.name, "cookie")) "; " else ",";
    const joined = try arena.take(entry.value.len + between.len + value.len);
    @memcpy(joined[0..entry.value.len], entry.value);
    @memcpy(joined[entry.value.len..][0..between.len], between);
    @memcpy(joined[entry.value.len + between.len ..], value);
    entry.value = joined;
}

pub fn lower(name: []u8) void {
    for (name) |*letter| letter.* = std.ascii.toLower(letter.*);
}

/// Nearly all names differ in length, so a comparison is rare, and then two loads decide it.
inline fn same(left: []const u8, right: []const u8) bool {
    if (left.len != right.len) return false;
    return sameBytes(left.ptr, right.ptr, left.len);
}

fn sameBytes(left: [*]const u8, right: [*]const u8, size: usize) bool {
    if (size > 16) {
        return word(u64, left) == word(u64, right) and std.mem.eql(u8, left[8..size], right[8..size]);
    }
    if (size >= 8) {
        return word(u64, left) == word(u64, right) and
            word(u64, left + (size - 8)) == word(u64, right + (size - 8));
    }
    if (size >= 4) {
        return word(u32, left) == word(u32, right) and
            word(u32, left + (size - 4)) == word(u32, right + (size - 4));
    }
    return std.mem.eql(u8, left[0..size], right[0..size]);
}

inline fn word(comptime T: type, bytes: [*]const u8) T {
    return @as(*align(1) const T, @ptrCast(bytes)).*;
}

const inline_both = [_][]const u8{
    "connection",                  "content-length", "content-type",      "keep-alive",
    "proxy-connection",            "proxy-status",   "upgrade",           "via",
    "x-envoy-decorator-operation", "x-request-id",   "transfer-encoding", "x-envoy-attempt-count",
};
const inline_request = [_][]const u8{
    ":authority",                               ":method",
    ":path",                                    ":protocol",
    ":scheme",                                  "expect",
    "te",                                       "user-agent",
    "grpc-timeout",                             "x-client-trace-id",
    "x-forwarded-for",                          "x-forwarded-host",
    "x-forwarded-port",                         "x-forwarded-proto",
    "x-forwarded-client-cert",                  "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",          "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",                 "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",         "x-envoy-internal",
    "x-envoy-ip-tags",                          "x-envoy-is-timeout-retry",
    "x-envoy-max-retries",                      "x-envoy-original-host",
    "x-envoy-original-path",                    "x-envoy-original-url",
    "x-envoy-retriable-header-names",           "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",                    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",           "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response", "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
    // What extensions of the released Envoy 1.40 register besides.
         "accept",
    "accept-encoding",                          "access-control-request-headers",
    "access-control-request-method",            "access-control-request-private-network",
    "authorization",                            "cache-control",
    "cdn-loop",                                 "content-encoding",
    "grpc-accept-encoding",                     "if-match",
    "if-modified-since",                        "if-none-match",
    "if-range",                                 "if-unmodified-since",
    "origin",                                   "pragma",
    "referer",
};
const inline_response = [_][]const u8{
    ":status",                                "date",
    "location",                               "server",
    "grpc-status",                            "grpc-message",
    "x-envoy-degraded",                       "x-envoy-immediate-health-check-fail",
    "x-envoy-ratelimited",                    "x-envoy-upstream-canary",
    "x-envoy-upstream-healthchecked-cluster", "x-envoy-upstream-service-time",
    "access-control-allow-credentials",       "access-control-allow-headers",
    "access-control-allow-methods",           "access-control-allow-origin",
    "access-control-expose-headers",          "access-control-max-age",
    "age",                                    "cache-control",
    "content-encoding",                       "etag",
    "expires",                                "last-modified",
    "vary",
};
const inline_response_trailers = [_][]const u8{ "grpc-status", "grpc-message" };

fn isInline(kind: Kind, name: []const u8) bool {
    return switch (kind) {
        .request => Table(&(inline_both ++ inline_request)).has(name),
        .response => Table(&(inline_both ++ inline_response)).has(name),
        .request_trailers => false,
        .response_trailers => Table(&inline_response_trailers).has(name),
    };
}

/// A set of names found by their length, so that nearly every other name is told apart without a comparison.
fn Table(comptime names: []const []const u8) type {
    const longest = 48;
    return struct {
        const by_length: [longest][]const []const u8 = sorted: {
            @setEvalBranchQuota(20_000);
            var lists: [longest][]const []const u8 = @splat(&.{});
            for (names) |name| lists[name.len] = lists[name.len] ++ .{name};
            break :sorted lists;
        };

        fn has(name: []const u8) bool {
            if (name.len >= longest) return false;
            for (by_length[name.len]) |known| {
                if (known[0] == name[0] and std.mem.eql(u8, known, name)) return true;
            }
            return false;
        }
    };
}
