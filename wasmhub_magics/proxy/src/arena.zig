//! Memory of one exchange: taken bit by bit, given back all at once.

const std = @import("std");
const worker = @import("worker.zig");

/// Memory for all that outlives one exchange. While a filter runs there is an end to it below that of the host, so
/// that what a filter asks for fails, and never the host itself.
pub const gpa: std.mem.Allocator = .{ .ptr = undefined, .vtable = &.{
    .alloc = allocate,
    .resize = inner.resize,
    .remap = inner.remap,
    .free = inner.free,
} };

const inner = std.heap.wasm_allocator.vtable;
/// Of the 2 GiB that drivers allow.
const most_for_filters = 1 << 30;

fn allocate(context: *anyopaque, size: usize, alignment: std.mem.Alignment, from: usize) ?[*]u8 {
    if (worker.mailbox.running != 0 and size > most_for_filters -| (@wasmMemorySize(0) << 16)) return null;
    return inner.alloc(context, size, alignment, from);
}

/// Append to a list that nearly always has room: what grows it stays out of the way.
pub inline fn append(list: anytype, item: anytype) error{OutOfMemory}!void {
    if (list.items.len == list.capacity) {
        @branchHint(.unlikely);
        try list.ensureUnusedCapacity(gpa, 1);
    }
    const place = list.items.len;
    list.items.len = place +% 1;
    list.items.ptr[place] = item;
}

/// Append bytes to a list that nearly always has room.
pub inline fn appendBytes(list: *std.ArrayList(u8), bytes: []const u8) error{OutOfMemory}!void {
    if (bytes.len == 0) return;
    if (bytes.len > list.capacity - list.items.len) {
        @branchHint(.unlikely);
        try list.ensureUnusedCapacity(gpa, bytes.len);
    }
    const start = list.items.len;
    list.items.len = start +% bytes.len;
    copy(list.items.ptr + start, bytes);
}

/// Copy bytes. Few are copied here: what copies many is a call out of this module.
pub inline fn copy(to: [*]u8, from: []const u8) void {
    const size = from.len;
    if (size > 16) {
        @memcpy(to[0..size], from);
    } else if (size >= 8) {
        ends(u64, to, from);
    } else if (size >= 4) {
        ends(u32, to, from);
    } else for (from, 0..) |byte, place| {
        to[place] = byte;
    }
}

inline fn ends(comptime Word: type, to: [*]u8, from: []const u8) void {
    const rest = from.len -% @sizeOf(Word);
    @as(*align(1) Word, @ptrCast(to)).* = @as(*align(1) const Word, @ptrCast(from.ptr)).*;
    @as(*align(1) Word, @ptrCast(to + rest)).* = @as(*align(1) const Word, @ptrCast(from.ptr + rest)).*;
}

/// Empty a list without overwriting what was in it, as the standard library does where safety is on.
pub inline fn clear(list: anytype) void {
    list.items.len = 0;
}

pub const Arena = struct {
    block: []align(8) u8 = &.{},
    used: usize = 0,
    overflow: std.ArrayList([]align(8) u8) = .empty,
    total: usize = 0,

    const first_block = 256 << 10;
    /// The host itself still has some when a filter has taken all that it can get.
    const most_in_calls = 512 << 20;
    const most = most_in_calls + (256 << 20);

    pub fn init(arena: *Arena) !void {
        arena.block = try gpa.alignedAlloc(u8, .@"8", first_block);
    }

    /// Not zeroed; aligned for anything.
    pub inline fn take(arena: *Arena, size: usize) error{OutOfMemory}![]u8 {
        const start = arena.used;
        if (size <= arena.block.len - start) {
            @branchHint(.likely);
            arena.used = @min(arena.block.len, (start + size + 7) & ~@as(usize, 7));
            return arena.block[start..][0..size];
        }
        return arena.takeLarge(size);
    }

    /// As `take`, but null where the block has no room for it.
    pub inline fn takeShort(arena: *Arena, comptime size: usize) ?*[size]u8 {
        comptime std.debug.assert(size % 8 == 0);
        const start = arena.used;
        if (arena.block.len -% start < size) return null;
        arena.used = start +% size;
        return arena.block.ptr[start..][0..size];
    }

    noinline fn takeLarge(arena: *Arena, size: usize) error{OutOfMemory}![]u8 {
        @branchHint(.cold);
        const wanted = @max(size, first_block);
        const limit: usize = if (worker.mailbox.running != 0) most_in_calls else most;
        if (wanted > limit -| arena.total) return error.OutOfMemory;
        try arena.overflow.ensureUnusedCapacity(gpa, 1);
        const block = try gpa.alignedAlloc(u8, .@"8", wanted);
        arena.overflow.appendAssumeCapacity(block);
        arena.total += wanted;
        if (size >= first_block / 2) return block[0..size];
        // What the old block has left is lost until the reset, which is cheaper than keeping track of it.
        arena.overflow.items[arena.overflow.items.len - 1] = arena.block;
        arena.block = block;
        arena.used = (size + 7) & ~@as(usize, 7);
        return block[0..size];
    }

    pub fn dupe(arena: *Arena, bytes: []const u8) error{OutOfMemory}![]u8 {
        const taken = try arena.take(bytes.len);
        @memcpy(taken, bytes);
        return taken;
    }

    pub inline fn reset(arena: *Arena) void {
        arena.used = 0;
        if (arena.overflow.items.len > 0) arena.giveBack();
    }

    noinline fn giveBack(arena: *Arena) void {
        @branchHint(.cold);
        for (arena.overflow.items) |block| gpa.free(block);
        arena.overflow.clearAndFree(gpa);
        arena.total = 0;
        if (arena.block.len > first_block) {
            gpa.free(arena.block);
            arena.block = &.{};
        }
        if (arena.block.len == 0) arena.init() catch @panic("out of memory: the arena cannot start again");
    }
};
