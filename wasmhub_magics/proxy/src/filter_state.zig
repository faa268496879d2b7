//! Filter state: what filters keep with a stream or a connection, by name.

const std = @import("std");
const abi = @import("abi.zig");
const declared = @import("declared.zig");
const gpa = @import("arena.zig").gpa;
const worker = @import("worker.zig");
const Context = @import("vm.zig").Context;

const Error = abi.Error;

/// Keep a value under a name; it can be read back under the same single segment.
pub fn set(context: *Context, path: []const u8, value: []const u8) Error!void {
    if (context.filter == null and context.connection == null) return error.NotFound;
    const size = 5 + path.len;
    const name = try worker.arena.take(size);
    @memcpy(name[0..5], "wasm.");
    @memcpy(name[5..], path);
    if (context.plugin.?.prototypes.items.len > 0) try declared.check(context, name);
    return keep(name, value);
}

/// Keep filter state with the stream.
pub fn keep(name: []const u8, value: []const u8) Error!void {
    const stream = &worker.stream;
    for (stream.properties.items) |*entry| {
        if (!std.mem.eql(u8, entry.name, name)) continue;
        entry.value = value;
        return;
    }
    try stream.properties.append(gpa, .{ .name = name, .value = value });
}

/// The value of that name after the prefix.
pub fn get(context: *Context, comptime prefix: []const u8, name: []const u8) Error![]const u8 {
    if (context.filter == null and context.connection == null) return error.NotFound;
    for (worker.stream.properties.items) |entry| {
        if (!std.mem.startsWith(u8, entry.name, prefix)) continue;
        if (std.mem.eql(u8, entry.name[prefix.len..], name)) return entry.value;
    }
    return error.NotFound;
}
