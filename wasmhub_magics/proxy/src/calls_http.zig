//! Host functions around call-outs, and what the last one says about itself.

const std = @import("std");
const abi = @import("abi.zig");
const callout = @import("callout.zig");
const calls = @import("calls.zig");
const events = @import("events.zig");
const gpa = @import("arena.zig").gpa;
const exchange = @import("exchange.zig");
const headers = @import("headers.zig");
const worker = @import("worker.zig");
const Pairs = @import("pairs.zig").Pairs;

const Error = abi.Error;
const current = calls.current;

pub fn proxy_http_call(
    cluster: u32,
    cluster_len: u32,
    pairs: u32,
    pairs_len: u32,
    body: u32,
    body_len: u32,
    trailer_pairs: u32,
    trailer_pairs_len: u32,
    timeout: u32,
    ret_token: u32,
) Error!void {
    const context = try current();
    const vm = context.vm;
    const name = try vm.read(cluster, cluster_len);
    // In the order of the arguments, as the trace shows them.
    const raw = try vm.read(pairs, pairs_len);
    const content = try vm.read(body, body_len);
    _ = try vm.read(trailer_pairs, trailer_pairs_len);
    try vm.store32(ret_token, 0);
    const plugin = context.plugin orelse return error.BadArgument;
    if (@as(i32, @bitCast(timeout)) < 0) return error.BadArgument;
    const target = callout.find(name) orelse return error.BadArgument;

    var map: headers.Map = .{ .kind = .request };
    defer map.entries.deinit(gpa);
    var list: Pairs = .init(raw);
    while (list.next()) |entry| try map.add(&worker.arena, entry.name, entry.value);
    if (map.get(":path") == null or map.get(":method") == null or map.get(":authority") == null) {
        return error.BadArgument;
    }
    // Envoy takes trailers, but its client never sends them.
    const trailers: headers.Map = .{ .kind = .request_trailers };
    try callout.complete(&map, content, timeout);

    const call = try callout.make(vm, plugin.root.id, target, @as(u64, timeout) * std.time.ns_per_ms);
    call.head = std.mem.eql(u8, map.get(":method").?, "HEAD");
    {
        errdefer callout.unmake(call);
        std.mem.swap(std.ArrayList(u8), &exchange.output, &call.request);
        defer std.mem.swap(std.ArrayList(u8), &exchange.output, &call.request);
        try exchange.putMessage(&map, content, &trailers);
    }
    try vm.store32(ret_token, call.token);
}

/// Of the last call-out or gRPC call of the plugin that failed.
pub fn proxy_get_status(ret_code: u32, ret_message: u32, ret_message_len: u32) Error!void {
    const context = try current();
    const plugin = context.plugin orelse {
        try context.vm.store32(ret_code, 0);
        return context.vm.give("", ret_message, ret_message_len);
    };
    try context.vm.store32(ret_code, plugin.status_code);
    try context.vm.give(plugin.status_message, ret_message, ret_message_len);
}

/// The period of the plugin's timer; 0 stops it. Each call starts it anew.
pub fn proxy_set_tick_period_milliseconds(period: u32) Error!void {
    const context = try current();
    const plugin = context.plugin orelse return;
    plugin.tick_period = @as(u64, period) * std.time.ns_per_ms;
    plugin.tick_due = events.now + plugin.tick_period;
}
