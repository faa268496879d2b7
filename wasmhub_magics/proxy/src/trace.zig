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
    if (!room(11 + size)) return;
    put(u8, 7);
    put(u8, @intCast(kind));
    put(u8, moment);
    put(u32, @intCast(size));
    put(u32, @intCast(size));
    put(u32, @intCast(map.entries.items.len));
    for (map.entries.items) |entry| {
        for ([_][]const u8{ entry.name, entry.value }) |text| {
            put(u32, @intCast(text.len));
            append(text);
        }
    }
    end();
}

fn snapshot(what: u32, bytes: []const u8, moment: u8) void {
    const length = @min(bytes.len, kept);
    if (!room(11 + length)) return;
    put(u8, 7);
    put(u8, @intCast(what));
    put(u8, moment);
    put(u32, @intCast(bytes.len));
    put(u32, @intCast(length));
    append(bytes[0..length]);
    end();
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
    if (!room(19 + 4 * arguments.len)) return;
    put(u8, 1);
    put(u8, id);
    put(u32, plugin);
    put(u32, context);
    put(u8, @intCast(arguments.len));
    for (arguments) |argument| put(u32, argument);
    put(u64, clock.monotonic());
    end();
    open += 1;
}

pub fn returned(value: ?u32) void {
    settle();
    if (open == 0 or !room(14)) return;
    put(u8, 2);
    put(u8, @intFromBool(value != null));
    put(u32, value orelse 0);
    put(u64, clock.monotonic());
    end();
    open -= 1;
}

/// End what a trap has left open.
pub fn trapped() void {
    events.items.len = whole;
    settle();
    while (open > 0) : (open -= 1) {
        if (!room(14)) continue;
        put(u8, 2);
        put(u8, 2);
        put(u32, 0);
        put(u64, clock.monotonic());
        end();
    }
}

pub fn hostCall(function: u8, arguments: []const u64) void {
    if (!room(11 + 8 * arguments.len)) return;
    put(u8, 3);
    put(u8, function);
    put(u8, @intCast(arguments.len));
    for (arguments) |argument| put(u64, argument);
    put(u64, clock.monotonic());
    end();
}

pub fn result(value: u32) void {
    if (!room(13)) return;
    put(u8, 6);
    put(u32, value);
    put(u64, clock.monotonic());
    end();
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
    append(bytes[0..length]);
    end();
}

fn room(size: usize) bool {
    const wanted = events.items.len +| size;
    if (dropped == 0 and wanted <= @min(limit, events.capacity)) {
        @branchHint(.likely);
        return true;
    }
    if (dropped == 0 and wanted <= limit) {
        if (events.ensureUnusedCapacity(gpa, size)) return true else |_| {}
    }
    dropped += 1;
    return false;
}

/// The event is written.
inline fn end() void {
    whole = events.items.len;
}

inline fn put(comptime T: type, value: T) void {
    const place = events.items.len;
    events.items.len = place +% @sizeOf(T);
    @as(*align(1) T, @ptrCast(events.items.ptr + place)).* = value;
}

/// There is `room`.
fn append(bytes: []const u8) void {
    arena_zig.appendBytes(&events, bytes) catch unreachable;
}
