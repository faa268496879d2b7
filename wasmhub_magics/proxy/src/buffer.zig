//! Bytes of a body on their way: one data frame, or what is held back.

const std = @import("std");
const abi = @import("abi.zig");
const arena_zig = @import("arena.zig");

const gpa = arena_zig.gpa;

pub const Body = struct {
    bytes: std.ArrayList(u8) = .empty,
    /// Envoy tells an empty buffer from none.
    exists: bool = false,

    pub fn clear(body: *Body) void {
        arena_zig.clear(&body.bytes);
        body.exists = false;
    }

    pub inline fn set(body: *Body, bytes: []const u8) error{OutOfMemory}!void {
        arena_zig.clear(&body.bytes);
        try arena_zig.appendBytes(&body.bytes, bytes);
        body.exists = true;
    }

    /// Take everything out of another body and put it at the end of this one.
    pub fn move(body: *Body, other: *Body) error{OutOfMemory}!void {
        body.exists = true;
        if (body.bytes.items.len == 0) {
            std.mem.swap(std.ArrayList(u8), &body.bytes, &other.bytes);
        } else {
            try arena_zig.appendBytes(&body.bytes, other.bytes.items);
        }
        arena_zig.clear(&other.bytes);
    }

    /// `Buffer::copyFrom` of Envoy's `context.cc`: replace the head, append at the end, and nothing between.
    pub fn write(body: *Body, start: u32, length: u32, value: []const u8) abi.Error!void {
        const size = body.bytes.items.len;
        if (start == 0) {
            try body.bytes.replaceRange(gpa, 0, @min(length, size), value);
        } else if (start >= size) {
            try arena_zig.appendBytes(&body.bytes, value);
        } else {
            return error.BadArgument;
        }
    }
};

/// What `get_buffer_bytes` gives of some bytes.
pub fn slice(bytes: []const u8, start: u32, length: u32) []const u8 {
    if (start > bytes.len) return bytes[0..0];
    return bytes[start..][0..@min(length, bytes.len - start)];
}
