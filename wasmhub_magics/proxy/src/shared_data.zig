//! Shared data: values that all VMs of one `vm_id` see, each with a number that every write changes
//! (`shared_data.cc` of proxy-wasm-cpp-host).

const std = @import("std");
const abi = @import("abi.zig");
const exchange = @import("exchange.zig");
const gpa = @import("arena.zig").gpa;
const current = @import("calls.zig").current;
const worker = @import("worker.zig");

const Error = abi.Error;

const Item = struct { vm_id: []const u8, key: []const u8, value: std.ArrayList(u8) = .empty, cas: u32 = 0 };

/// By the length of the `vm_id`, the `vm_id` and the key.
var items: std.StringHashMapUnmanaged(*Item) = .empty;
var order: std.ArrayList(*Item) = .empty;
var next_cas: u32 = 1;

fn takeCas() u32 {
    defer {
        next_cas +%= 1;
        if (next_cas == 0) next_cas = 1;
    }
    return next_cas;
}

pub fn proxy_get_shared_data(key: u32, key_len: u32, ret: u32, ret_len: u32, ret_cas: u32) Error!void {
    const context = try current();
    const vm = context.vm;
    const item = items.get(try name(vm.id, try vm.read(key, key_len))) orelse return error.NotFound;
    try vm.give(item.value.items, ret, ret_len);
    try vm.store32(ret_cas, item.cas);
}

pub fn proxy_set_shared_data(key: u32, key_len: u32, value: u32, value_len: u32, cas: u32) Error!void {
    const context = try current();
    const vm = context.vm;
    const text = try vm.read(key, key_len);
    const bytes = try vm.read(value, value_len);
    const full = try name(vm.id, text);
    const item = items.get(full) orelse made: {
        try items.ensureUnusedCapacity(gpa, 1);
        try order.ensureUnusedCapacity(gpa, 1);
        const kept = try gpa.dupe(u8, full);
        errdefer gpa.free(kept);
        const item = try gpa.create(Item);
        errdefer gpa.destroy(item);
        item.* = .{ .vm_id = vm.id, .key = kept[kept.len - text.len ..] };
        try item.value.ensureTotalCapacity(gpa, bytes.len);
        items.putAssumeCapacity(kept, item);
        order.appendAssumeCapacity(item);
        break :made item;
    };
    if (cas != 0 and item.cas != 0 and cas != item.cas) return error.CasMismatch;
    // Where there is no room for the new value the old one stays.
    try item.value.ensureTotalCapacity(gpa, bytes.len);
    item.value.clearRetainingCapacity();
    item.value.appendSliceAssumeCapacity(bytes);
    item.cas = takeCas();
}

fn name(vm_id: []const u8, key: []const u8) Error![]const u8 {
    const full = try worker.arena.take(4 + vm_id.len + key.len);
    std.mem.writeInt(u32, full[0..4], @intCast(vm_id.len), .little);
    @memcpy(full[4..][0..vm_id.len], vm_id);
    @memcpy(full[4 + vm_id.len ..], key);
    return full;
}

/// All of it for the driver; see exchange.zig.
pub fn putAll() error{OutOfMemory}!void {
    try exchange.put(u32, @intCast(order.items.len));
    for (order.items) |item| {
        try exchange.putText(item.vm_id);
        try exchange.putText(item.key);
        try exchange.putText(item.value.items);
        try exchange.put(u32, item.cas);
    }
}
