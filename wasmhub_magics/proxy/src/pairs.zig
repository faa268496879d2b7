//! Pairs as the ABI serialises them (`pairs_util.cc` of proxy-wasm-cpp-host): how many, the two lengths of each,
//! then each name and each value with a NUL.

const std = @import("std");
const abi = @import("abi.zig");
const headers = @import("headers.zig");
const worker = @import("worker.zig");

const Error = abi.Error;

/// A header map as the ABI serialises it; an empty one is no bytes at all.
pub fn encoded(map: *const headers.Map) Error![]const u8 {
    return if (map.entries.items.len == 0) "" else serialized(map.entries.items);
}

pub fn serialized(entries: []const headers.Entry) Error![]const u8 {
    var size: usize = 4;
    for (entries) |entry| size += 8 + entry.name.len + 1 + entry.value.len + 1;
    const bytes = try worker.arena.take(size);
    std.mem.writeInt(u32, bytes[0..4], @intCast(entries.len), .little);
    var at: usize = 4;
    for (entries) |entry| {
        std.mem.writeInt(u32, bytes[at..][0..4], @intCast(entry.name.len), .little);
        std.mem.writeInt(u32, bytes[at + 4 ..][0..4], @intCast(entry.value.len), .little);
        at += 8;
    }
    for (entries) |entry| {
        for ([_][]const u8{ entry.name, entry.value }) |text| {
            @memcpy(bytes[at..][0..text.len], text);
            bytes[at + text.len] = 0;
            at += text.len + 1;
        }
    }
    return bytes;
}

/// Pairs that a filter serialised. Where anything about them is wrong there are none, as in Envoy.
pub const Pairs = struct {
    bytes: []u8,
    count: u32,
    index: u32 = 0,
    at: usize = 0,

    const most_bytes = 1 << 20;
    const most_pairs = 1024;

    pub fn init(bytes: []u8) Pairs {
        const none: Pairs = .{ .bytes = bytes, .count = 0 };
        if (bytes.len < 4 or bytes.len > most_bytes) return none;
        const count = word(bytes, 0);
        if (count > most_pairs or 4 + 8 * @as(usize, count) > bytes.len) return none;
        var end: usize = 4 + 8 * @as(usize, count);
        for (0..2 * count) |index| {
            const length = word(bytes, 4 + 4 * index);
            if (length >= bytes.len - end) return none;
            end += length;
            if (bytes[end] != 0) return none;
            end += 1;
        }
        if (end != bytes.len) return none;
        return .{ .bytes = bytes, .count = count, .at = 4 + 8 * @as(usize, count) };
    }

    pub fn next(pairs: *Pairs) ?headers.Entry {
        if (pairs.index == pairs.count) return null;
        const lengths = 4 + 8 * @as(usize, pairs.index);
        const name = pairs.bytes[pairs.at..][0..word(pairs.bytes, lengths)];
        pairs.at += name.len + 1;
        const value = pairs.bytes[pairs.at..][0..word(pairs.bytes, lengths + 4)];
        pairs.at += value.len + 1;
        pairs.index += 1;
        headers.lower(name);
        return .{ .name = name, .value = value };
    }

    fn word(bytes: []const u8, at: usize) u32 {
        return std.mem.readInt(u32, bytes[at..][0..4], .little);
    }
};
