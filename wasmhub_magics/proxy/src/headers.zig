//! A header map with Envoy's rules (`source/common/http/header_map_impl.cc`): lower-case names, pseudo headers
//! first, one entry for each inline header.

const std = @import("std");
const arena_zig = @import("arena.zig");
const front = @import("front.zig");

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
    /// Nothing was taken away, replaced or joined since the map was copied.
    intact: bool = false,
    /// Some name begins like those that Envoy keeps for itself, or did once.
    reserved: bool = false,

    pub fn clear(map: *Map) void {
        arena_zig.clear(&map.entries);
        map.pseudo = 0;
        map.exists = false;
        map.intact = false;
        map.reserved = false;
    }

    pub inline fn copy(map: *Map, other: *const Map) error{OutOfMemory}!void {
        const count = other.entries.items.len;
        if (count > map.entries.capacity) {
            @branchHint(.unlikely);
            try map.entries.ensureTotalCapacity(gpa, count);
        }
        map.entries.items.len = count;
        @memcpy(map.entries.items, other.entries.items);
        map.pseudo = other.pseudo;
        map.exists = other.exists;
        map.intact = true;
        map.reserved = other.reserved;
    }

    /// The value of the first entry of a name in lower case.
    pub inline fn get(map: *const Map, name: []const u8) ?[]const u8 {
        const index = map.find(name);
        return if (index == nowhere) null else map.entries.items[index].value;
    }

    const nowhere = std.math.maxInt(usize);

    fn find(map: *const Map, raw: []const u8) usize {
        const name = map.alias(raw);
        if (name.len == 0) return nowhere;
        const part = map.alike(name[0]);
        const last = name[name.len - 1];
        for (part, 0..) |*entry, index| {
            if (entry.name.len != name.len or entry.name.ptr[name.len - 1] != last) continue;
            if (sameBytes(entry.name.ptr, name.ptr, name.len)) return index + (part.ptr - map.entries.items.ptr);
        }
        return nowhere;
    }

    /// The first entry of a name in lower case that has 5 to 16 letters.
    pub inline fn findShort(map: *const Map, name: []const u8) ?*const Entry {
        return if (name.len >= 8) map.first(u64, name) else map.first(u32, name);
    }

    inline fn first(map: *const Map, comptime Word: type, name: []const u8) ?*const Entry {
        const ends = name.len -% @sizeOf(Word);
        const head, const tail = .{ word(Word, name.ptr), word(Word, name.ptr + ends) };
        const entries = map.alike(name.ptr[0]);
        // A loop pays for each of its turns, and pseudo headers are few.
        inline for (0..5) |place| {
            if (place == entries.len) return null;
            const entry = &entries.ptr[place];
            if (isNamed(Word, entry, name.len, head, tail)) return entry;
        }
        for (entries[5..]) |*entry| {
            if (isNamed(Word, entry, name.len, head, tail)) return entry;
        }
        return null;
    }

    inline fn isNamed(comptime Word: type, entry: *const Entry, length: usize, head: Word, tail: Word) bool {
        if (entry.name.len != length) return false;
        return word(Word, entry.name.ptr + (length -% @sizeOf(Word))) == tail and word(Word, entry.name.ptr) == head;
    }

    /// Entries among which is every name with that first letter: pseudo headers come first, and are the only ones
    /// that begin like them.
    inline fn alike(map: *const Map, letter: u8) []const Entry {
        const all = map.entries.items;
        return if (letter == ':') all.ptr[0..map.pseudo] else all.ptr[map.pseudo..all.len];
    }

    /// Add an entry; an inline header that is there already gets the value joined to its own.
    pub inline fn add(map: *Map, arena: *Arena, raw: []const u8, value: []const u8) error{OutOfMemory}!void {
        const name = map.alias(raw);
        if (isInline(map.kind, name)) {
            @branchHint(.unlikely);
            const index = map.find(name);
            if (index != nowhere) {
                map.intact = false;
                return join(arena, &map.entries.items[index], value);
            }
        }
        try map.append(name, value);
    }

    /// Append an entry where the name is none that Envoy or the proxy treats in a way of its own, and where there is room.
    pub inline fn addPlain(map: *Map, name: []const u8, value: []const u8) bool {
        if (name.len >= longest or isReserved(name)) return false;
        if (inline_letters[@backingInt(map.kind)][name.len] >> @truncate(name.ptr[0]) & 1 != 0) return false;
        const count = map.entries.items.len;
        if (count == map.entries.capacity) return false;
        map.entries.items.len = count +% 1;
        map.entries.items.ptr[count] = .{ .name = name, .value = value };
        return true;
    }

    /// Append without a look at what is there.
    pub inline fn append(map: *Map, name: []const u8, value: []const u8) error{OutOfMemory}!void {
        if (name.len > 0 and name[0] == ':') {
            @branchHint(.unlikely);
            try map.appendPseudo(name, value);
        } else {
            if (isReserved(name)) map.reserved = true;
            try arena_zig.append(&map.entries, Entry{ .name = name, .value = value });
        }
    }

    noinline fn appendPseudo(map: *Map, name: []const u8, value: []const u8) error{OutOfMemory}!void {
        try map.entries.insert(gpa, map.pseudo, .{ .name = name, .value = value });
        map.pseudo += 1;
    }

    /// Put one entry at the end in place of all entries of a name.
    pub fn replace(map: *Map, raw: []const u8, value: []const u8) error{OutOfMemory}!void {
        const name = map.alias(raw);
        map.remove(name);
        try map.append(name, value);
    }

    /// Change the first entry of a name where it stands, or append one.
    pub fn set(map: *Map, name: []const u8, value: []const u8) error{OutOfMemory}!void {
        const index = map.find(name);
        if (index != nowhere) {
            map.entries.items[index].value = value;
        } else {
            try map.append(name, value);
        }
    }

    pub fn remove(map: *Map, raw: []const u8) void {
        const name = map.alias(raw);
        map.intact = false;
        var kept: usize = 0;
        var pseudo: usize = 0;
        for (map.entries.items, 0..) |entry, index| {
            if (same(entry.name, name)) continue;
            map.entries.items[kept] = entry;
            kept += 1;
            if (index < map.pseudo) pseudo += 1;
        }
        map.entries.items.len = kept;
        map.pseudo = pseudo;
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

/// Begins like the names that Envoy keeps for itself. One comparison of eight letters: nearly no name does.
pub inline fn isReserved(name: []const u8) bool {
    return name.len > front.prefix.len and word(u64, name.ptr) == front.prefix_word;
}

/// Make the letters among 16 bytes small.
pub inline fn lowerShort(bytes: *[16]u8) void {
    const letters: @Vector(16, u8) = bytes.*;
    const large = letters -% @as(@Vector(16, u8), @splat('A')) < @as(@Vector(16, u8), @splat(26));
    bytes.* = @select(u8, large, letters | @as(@Vector(16, u8), @splat(0x20)), letters);
}

/// Make letters small, a word at a time; words may overlap, since a small letter stays small.
pub fn lower(name: []u8) void {
    const size = name.len;
    if (size >= 8) {
        var at: usize = 0;
        while (size - at > 8) : (at += 8) lowerWord(u64, name.ptr + at);
        return lowerWord(u64, name.ptr + (size - 8));
    }
    if (size >= 4) {
        lowerWord(u32, name.ptr);
        return lowerWord(u32, name.ptr + (size - 4));
    }
    for (name) |*letter| letter.* = std.ascii.toLower(letter.*);
}

inline fn lowerWord(comptime T: type, bytes: [*]u8) void {
    const ones = std.math.maxInt(T) / 255;
    const letters = word(T, bytes);
    // In each byte the highest bit tells: at least 'A', more than 'Z', not a letter at all.
    const seven = letters & (ones * 0x7f);
    const large = (seven + ones * (0x80 - 'A')) & ~(seven + ones * (0x7f - 'Z')) & ~letters & (ones * 0x80);
    @as(*align(1) T, @ptrCast(bytes)).* = letters | (large >> 2);
}

/// Nearly all names differ in length, so a comparison is rare, and then two loads decide it.
pub inline fn same(left: []const u8, right: []const u8) bool {
    if (left.len != right.len) return false;
    return sameBytes(left.ptr, right.ptr, left.len);
}

fn sameBytes(left: [*]const u8, right: [*]const u8, size: usize) bool {
    if (size > 32) {
        return word(u64, left) == word(u64, right) and std.mem.eql(u8, left[8..size], right[8..size]);
    }
    if (size > 16) {
        return word(u128, left) == word(u128, right) and word(u128, left + (size - 16)) == word(u128, right + (size - 16));
    }
    if (size >= 8) {
        return word(u64, left) == word(u64, right) and
            word(u64, left + (size - 8)) == word(u64, right + (size - 8));
    }
    if (size >= 4) {
        return word(u32, left) == word(u32, right) and
            word(u32, left + (size - 4)) == word(u32, right + (size - 4));
    }
    if (size >= 2) {
        return word(u16, left) == word(u16, right) and
            word(u16, left + (size - 2)) == word(u16, right + (size - 2));
    }
    return size == 0 or left[0] == right[0];
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

/// Nearly every other name is told apart by its length and its first letter.
inline fn isInline(kind: Kind, name: []const u8) bool {
    if (name.len == 0 or name.len >= longest) return false;
    const letters = inline_letters[@backingInt(kind)][name.len];
    return letters >> @truncate(name[0]) & 1 != 0 and isListed(kind, name);
}

/// For each kind of map and each length, the low five bits of the first letters as places of bits; those of pseudo
/// headers and of `host` as well.
const inline_letters: [4][longest]u32 = made: {
    @setEvalBranchQuota(20_000);
    var all: [4][longest]u32 = @splat(@splat(0));
    for (&all, [_][]const []const u8{
        &(inline_both ++ inline_request), &.{}, &(inline_both ++ inline_response), &inline_response_trailers,
    }) |*lengths, names| {
        for (names) |name| lengths[name.len] |= @as(u32, 1) << @truncate(name[0]);
        for (lengths) |*letters| letters.* |= @as(u32, 1) << @truncate(':');
    }
    all[@backingInt(Kind.request)]["host".len] |= @as(u32, 1) << @truncate('h');
    break :made all;
};

/// Names are shorter.
const longest = 48;

noinline fn isListed(kind: Kind, name: []const u8) bool {
    return switch (kind) {
        .request => Table(&(inline_both ++ inline_request)).has(name),
        .response => Table(&(inline_both ++ inline_response)).has(name),
        .request_trailers => false,
        .response_trailers => Table(&inline_response_trailers).has(name),
    };
}

/// A set of names as code: by length, then by the first letters as one number, so that nearly every other name is
/// told apart without a look at the rest.
fn Table(comptime names: []const []const u8) type {
    return struct {
        const by_length: [longest][]const []const u8 = sorted: {
            @setEvalBranchQuota(20_000);
            var lists: [longest][]const []const u8 = @splat(&.{});
            for (names) |name| lists[name.len] = lists[name.len] ++ .{name};
            break :sorted lists;
        };

        fn has(name: []const u8) bool {
            switch (name.len) {
                inline 1...longest - 1 => |length| {
                    const known_names = comptime by_length[length];
                    if (known_names.len == 0) return false;
                    const Word = if (length >= 4) u32 else u8;
                    const first = word(Word, name.ptr);
                    inline for (known_names) |known| {
                        if (first == comptime std.mem.readInt(Word, known[0..@sizeOf(Word)], .little)) {
                            if (std.mem.eql(u8, known, name)) return true;
                        }
                    }
                    return false;
                },
                else => return false,
            }
        }
    };
}
