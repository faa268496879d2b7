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
//!     7 snapshot   what u8 (a map 0 to 3, a body 4 or 5), moment u8 (0 before the callback, 1 after it),
//!                  length u32, kept u32, bytes: headers as the protocol has them, or the body

const std = @import("std");
const Body = @import("buffer.zig").Body;
const Map = @import("headers.zig").Map;
const clock = @import("clock.zig");
const arena_zig = @import("arena.zig");

const gpa = arena_zig.gpa;

pub var on: bool = false;
pub var events: std.ArrayList(u8) = .empty;
pub var dropped: u32 = 0;
/// Callbacks that were begun and have not returned; a trap leaves one.
var open: u32 = 0;
/// The bytes of all events: what stands behind them was begun when its callback was stopped.
var whole: usize = 0;
const limit: usize = 8 << 20;

const kept = 4096;

/// What the running callback has written to: its state after the callback is noted, too.
var maps: [4]?*const Map = @splat(null);
var bodies: [2]?*const Body = @splat(null);

pub noinline fn touchMap(kind: u32, map: *const Map) void {
    if (maps[kind] != null) return;
    maps[kind] = map;
    snapshotMap(kind, map, 0);
}

pub noinline fn touchBody(kind: u32, body: *const Body) void {
    if (bodies[kind] != null) return;
    bodies[kind] = body;
    snapshot(4 + kind, body.bytes.items, 0);
}

fn snapshotMap(kind: u32, map: *const Map, moment: u8) void {
    var size: usize = 4;
    for (map.entries.items) |entry| size += 8 + entry.name.len + entry.value.len;
    var event = room(11 + size) orelse return;
    event.put(u8, 7);
    event.put(u8, @intCast(kind));
    event.put(u8, moment);
    event.put(u32, @intCast(size));
    event.put(u32, @intCast(size));
    event.put(u32, @intCast(map.entries.items.len));
    for (map.entries.items) |entry| {
        inline for (.{ entry.name, entry.value }) |text| {
            event.put(u32, @intCast(text.len));
            event.copy(text);
        }
    }
    event.end();
}

fn snapshot(what: u32, bytes: []const u8, moment: u8) void {
    const part = bytes[0..@min(bytes.len, kept)];
    var event = room(11 + part.len) orelse return;
    event.put(u8, 7);
    event.put(u8, @intCast(what));
    event.put(u8, moment);
    event.put(u32, @intCast(bytes.len));
    event.put(u32, @intCast(part.len));
    event.copy(part);
    event.end();
}

fn settle() void {
    for (&maps, 0..) |*slot, kind| {
        if (slot.*) |map| snapshotMap(@intCast(kind), map, 1);
        slot.* = null;
    }
    for (&bodies, 0..) |*slot, kind| {
        if (slot.*) |body| snapshot(@intCast(4 + kind), body.bytes.items, 1);
        slot.* = null;
    }
}

pub fn clear() void {
    arena_zig.clear(&events);
    dropped = 0;
    open = 0;
    whole = 0;
}

pub fn callback(id: u8, plugin: u32, context: u32, arguments: []const u32) void {
    var event = room(19 + 4 * arguments.len) orelse return;
    event.put(u8, 1);
    event.put(u8, id);
    event.put(u32, plugin);
    event.put(u32, context);
    event.put(u8, @intCast(arguments.len));
    for (arguments) |argument| event.put(u32, argument);
    event.put(u64, clock.monotonic());
    event.end();
    open += 1;
}

pub fn returned(value: ?u32) void {
    settle();
    if (open == 0) return;
    var event = room(14) orelse return;
    event.put(u8, 2);
    event.put(u8, @intFromBool(value != null));
    event.put(u32, value orelse 0);
    event.put(u64, clock.monotonic());
    event.end();
    open -= 1;
}

/// End what a trap has left open.
pub fn trapped() void {
    events.items.len = whole;
    settle();
    while (open > 0) : (open -= 1) {
        var event = room(14) orelse continue;
        event.put(u8, 2);
        event.put(u8, 2);
        event.put(u32, 0);
        event.put(u64, clock.monotonic());
        event.end();
    }
}

pub fn hostCall(function: u8, arguments: []const u64) void {
    var event = room(11 + 8 * arguments.len) orelse return;
    event.put(u8, 3);
    event.put(u8, function);
    event.put(u8, @intCast(arguments.len));
    for (arguments) |argument| event.put(u64, argument);
    event.put(u64, clock.monotonic());
    event.end();
}

pub fn result(value: u32) void {
    var event = room(13) orelse return;
    event.put(u8, 6);
    event.put(u32, value);
    event.put(u64, clock.monotonic());
    event.end();
}

pub fn taken(bytes: []const u8) void {
    data(4, bytes);
}

pub fn given(bytes: []const u8) void {
    data(5, bytes);
}

fn data(tag: u8, bytes: []const u8) void {
    const part = bytes[0..@min(bytes.len, kept)];
    var event = room(9 + part.len) orelse return;
    event.put(u8, tag);
    event.put(u32, @intCast(bytes.len));
    event.put(u32, @intCast(part.len));
    event.copy(part);
    event.end();
}

/// An event on its way into memory that has room for it.
const Event = struct {
    at: [*]u8,

    inline fn put(event: *Event, comptime T: type, value: T) void {
        @as(*align(1) T, @ptrCast(event.at)).* = value;
        event.at += @sizeOf(T);
    }

    inline fn copy(event: *Event, bytes: []const u8) void {
        arena_zig.copy(event.at, bytes);
        event.at += bytes.len;
    }

    /// The event is written.
    inline fn end(event: *const Event) void {
        whole = @intFromPtr(event.at) - @intFromPtr(events.items.ptr);
        events.items.len = whole;
    }
};

/// An event of at most that size; null where that is too much, and it is counted.
inline fn room(size: usize) ?Event {
    const length = events.items.len;
    const wanted = length +| size;
    if (dropped > 0 or wanted > @min(limit, events.capacity)) {
        @branchHint(.unlikely);
        if (!grow(wanted)) return null;
    }
    return .{ .at = events.items.ptr + length };
}

noinline fn grow(wanted: usize) bool {
    if (dropped == 0 and wanted <= limit) {
        if (events.ensureTotalCapacity(gpa, wanted)) return true else |_| {}
    }
    dropped += 1;
    return false;
}
