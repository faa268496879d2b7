//! What filters log, and what the proxy has to say about an exchange.

const std = @import("std");
const abi = @import("abi.zig");
const arena_zig = @import("arena.zig");

const gpa = arena_zig.gpa;

/// Encoded as the protocol wants it: level u8, plugin u32, length u32, text.
var lines: std.ArrayList(u8) = .empty;
/// How many lines there are, and their bytes: what stands behind them was begun when its callback was stopped.
pub var count: u32 = 0;
var whole: usize = 0;
pub var dropped_lines: u32 = 0;
pub var dropped_bytes: u64 = 0;
pub var limit: usize = 1 << 20;
/// Off in loops: nobody reads the lines.
pub var on: bool = true;

pub var warnings: std.ArrayList([]const u8) = .empty;

pub const no_plugin: u32 = 0xffff_ffff;

pub fn write(level: abi.Level, plugin: u32, text: []const u8) void {
    if (!on) return;
    if (lines.items.len + text.len > limit) {
        dropped_lines += 1;
        dropped_bytes += text.len;
        return;
    }
    keep(level, plugin, text);
}

/// Write a line whatever the limit says: it tells why a filter failed.
pub fn keep(level: abi.Level, plugin: u32, text: []const u8) void {
    if (!on) return;
    lines.items.len = whole;
    lines.ensureUnusedCapacity(gpa, 9 + text.len) catch return;
    lines.appendAssumeCapacity(@backingInt(level));
    lines.appendSliceAssumeCapacity(std.mem.asBytes(&plugin));
    lines.appendSliceAssumeCapacity(std.mem.asBytes(&@as(u32, @intCast(text.len))));
    lines.appendSliceAssumeCapacity(text);
    whole = lines.items.len;
    count += 1;
}

pub fn print(level: abi.Level, plugin: u32, comptime format: []const u8, values: anytype) void {
    if (!on) return;
    const text = gpa.print(format, values) catch return;
    defer gpa.free(text);
    write(level, plugin, text);
}

/// Keep one sentence for the user; the same sentence is kept once.
pub fn warn(comptime format: []const u8, values: anytype) void {
    if (!on or warnings.items.len >= 100) return;
    const text = gpa.print(format, values) catch return;
    for (warnings.items) |known| {
        if (std.mem.eql(u8, known, text)) return gpa.free(text);
    }
    warnings.append(gpa, text) catch gpa.free(text);
}

/// The bytes of all lines.
pub fn encoded() []const u8 {
    return lines.items[0..whole];
}

pub fn clear() void {
    arena_zig.clear(&lines);
    whole = 0;
    count = 0;
    dropped_lines = 0;
    dropped_bytes = 0;
    for (warnings.items) |text| gpa.free(text);
    arena_zig.clear(&warnings);
}
