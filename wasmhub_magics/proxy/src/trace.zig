//! Every callback and host call of an exchange, in order, for whoever wants to look.
//!
//! Events, little-endian, without padding:
//!
//!     1 callback   id u8, plugin u32, context u32, arguments u8, u32..., time u64
//!     2 return     kind u8 (0 nothing, 1 a value, 2 trapped), value u32, time u64
//!     3 host call  function u8, arguments u8, u64..., time u64
//!     4 taken      length u32, kept u32, bytes: text that the host took from the filter
//!     5 given      length u32, kept u32, bytes: what the host gave to the filter
//!     6 result     value u32, time u64

const std = @import("std");
const clock = @import("clock.zig");
const arena_zig = @import("arena.zig");

const gpa = arena_zig.gpa;

pub var on: bool = false;
pub var events: std.ArrayList(u8) = .empty;
pub var dropped: u32 = 0;
/// Callbacks that were begun and have not returned; a trap leaves one.
var open: u32 = 0;
const limit: usize = 8 << 20;

const kept = 4096;

pub fn clear() void {
    arena_zig.clear(&events);
    dropped = 0;
    open = 0;
}

pub fn callback(id: u8, plugin: u32, context: u32, arguments: []const u32) void {
    if (!room(19 + 4 * arguments.len)) return;
    open += 1;
    put(u8, 1);
    put(u8, id);
    put(u32, plugin);
    put(u32, context);
    put(u8, @intCast(arguments.len));
    for (arguments) |argument| put(u32, argument);
    put(u64, clock.monotonic());
}

pub fn returned(value: ?u32) void {
    if (open == 0 or !room(14)) return;
    open -= 1;
    put(u8, 2);
    put(u8, @intFromBool(value != null));
    put(u32, value orelse 0);
    put(u64, clock.monotonic());
}

/// End what a trap has left open.
pub fn trapped() void {
    while (open > 0) : (open -= 1) {
        if (!room(14)) continue;
        put(u8, 2);
        put(u8, 2);
        put(u32, 0);
        put(u64, clock.monotonic());
    }
}

pub fn hostCall(function: u8, arguments: []const u64) void {
    if (!room(11 + 8 * arguments.len)) return;
    put(u8, 3);
    put(u8, function);
    put(u8, @intCast(arguments.len));
    for (arguments) |argument| put(u64, argument);
    put(u64, clock.monotonic());
}

pub fn result(value: u32) void {
    if (!room(13)) return;
    put(u8, 6);
    put(u32, value);
    put(u64, clock.monotonic());
}

pub fn taken(bytes: []const u8) void {
    data(4, bytes);
}

pub fn given(bytes: []const u8) void {
    data(5, bytes);
}

fn data(tag: u8, bytes: []const u8) void {
    const length = @min(bytes.len, kept);
    if (!room(9 + length)) return;
    put(u8, tag);
    put(u32, @intCast(bytes.len));
    put(u32, @intCast(length));
    events.appendSliceAssumeCapacity(bytes[0..length]);
}

fn room(size: usize) bool {
    if (dropped == 0 and events.items.len + size <= limit) {
        events.ensureUnusedCapacity(gpa, size) catch {
            dropped += 1;
            return false;
        };
        return true;
    }
    dropped += 1;
    return false;
}

fn put(comptime T: type, value: T) void {
    events.appendSliceAssumeCapacity(std.mem.asBytes(&value));
}
