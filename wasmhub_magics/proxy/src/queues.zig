//! Shared queues: any VM puts in and takes out, and the plugin that registered one last is told of each
//! message after the running callback (`shared_queue.cc` of proxy-wasm-cpp-host).

const std = @import("std");
const abi = @import("abi.zig");
const events = @import("events.zig");
const exchange = @import("exchange.zig");
const gpa = @import("arena.zig").gpa;
const current = @import("calls.zig").current;
const Vm = @import("vm.zig").Vm;

const Error = abi.Error;

const Queue = struct {
    vm_id: []const u8,
    name: []const u8,
    /// The root context that is told.
    vm: *Vm,
    root: u32,
    messages: std.Deque([]const u8) = .empty,
};

/// A queue's token is its place here, from 1.
var all: std.ArrayList(Queue) = .empty;

fn resolve(vm_id: []const u8, name: []const u8) ?usize {
    for (all.items, 0..) |*queue, index| {
        if (std.mem.eql(u8, queue.vm_id, vm_id) and std.mem.eql(u8, queue.name, name)) return index;
    }
    return null;
}

fn known(token: u32) Error!*Queue {
    if (token == 0 or token > all.items.len) return error.NotFound;
    return &all.items[token - 1];
}

pub fn proxy_register_shared_queue(name: u32, name_len: u32, ret_token: u32) Error!void {
    const context = try current();
    const vm = context.vm;
    const plugin = context.plugin orelse return error.NotFound;
    const text = try vm.read(name, name_len);
    const index = resolve(vm.id, text) orelse made: {
        try all.append(gpa, .{ .vm_id = vm.id, .name = try gpa.dupe(u8, text), .vm = vm, .root = 0 });
        break :made all.items.len - 1;
    };
    all.items[index].vm = vm;
    all.items[index].root = plugin.root.id;
    try vm.store32(ret_token, @intCast(index + 1));
}

pub fn proxy_resolve_shared_queue(vm_id: u32, vm_id_len: u32, name: u32, name_len: u32, ret_token: u32) Error!void {
    const context = try current();
    const vm = context.vm;
    const owner = try vm.read(vm_id, vm_id_len);
    const text = try vm.read(name, name_len);
    const index = resolve(if (owner.len == 0) vm.id else owner, text) orelse return error.NotFound;
    try vm.store32(ret_token, @intCast(index + 1));
}

pub fn proxy_enqueue_shared_queue(token: u32, data: u32, data_len: u32) Error!void {
    const context = try current();
    const bytes = try context.vm.read(data, data_len);
    const queue = try known(token);
    try queue.messages.ensureUnusedCapacity(gpa, 1);
    try events.reserve();
    queue.messages.pushBackAssumeCapacity(try gpa.dupe(u8, bytes));
    try events.post(.{ .vm = queue.vm, .root = queue.root, .token = token });
}

pub fn proxy_dequeue_shared_queue(token: u32, ret: u32, ret_len: u32) Error!void {
    const context = try current();
    const queue = try known(token);
    const bytes = queue.messages.popFront() orelse return error.Empty;
    defer gpa.free(bytes);
    try context.vm.give(bytes, ret, ret_len);
}

/// All of them for the driver; see exchange.zig.
pub fn putAll() error{OutOfMemory}!void {
    try exchange.put(u32, @intCast(all.items.len));
    for (all.items) |*queue| {
        try exchange.putText(queue.vm_id);
        try exchange.putText(queue.name);
        try exchange.put(u32, @intCast(queue.messages.len));
        var messages = queue.messages.iterator();
        while (messages.next()) |message| try exchange.putText(message);
    }
}
