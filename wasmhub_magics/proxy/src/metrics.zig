//! Metrics: counters, gauges and histograms, one of each name for all VMs of the proxy. A VM knows them by
//! numbers of its own (`Context::defineMetric` of Envoy's `context.cc`).

const std = @import("std");
const abi = @import("abi.zig");
const exchange = @import("exchange.zig");
const gpa = @import("arena.zig").gpa;
const current = @import("calls.zig").current;
const Vm = @import("vm.zig").Vm;

const Error = abi.Error;

const Kind = enum(u2) { counter, gauge, histogram };

pub const Metric = struct {
    kind: Kind,
    name: []const u8,
    /// Of a counter or gauge; the sum of a histogram.
    value: u64 = 0,
    /// How many values a histogram has got, and the newest of them.
    count: u64 = 0,
    samples: std.ArrayList(u64) = .empty,

    const kept = 1024;

    fn record(metric: *Metric, value: u64) Error!void {
        metric.value +%= value;
        if (metric.samples.items.len < kept) {
            try metric.samples.append(gpa, value);
        } else {
            metric.samples.items[@intCast(metric.count % kept)] = value;
        }
        metric.count += 1;
    }
};

var all: std.ArrayList(*Metric) = .empty;
var by_name: [3]std.StringHashMapUnmanaged(*Metric) = @splat(.empty);

pub fn proxy_define_metric(raw: u32, name: u32, name_len: u32, ret_id: u32) Error!void {
    const context = try current();
    const vm = context.vm;
    const text = try vm.read(name, name_len);
    if (raw > 2) return error.BadArgument;
    const list = &vm.metrics[raw];
    try list.append(gpa, try find(@fromBackingInt(@intCast(raw)), text));
    try vm.store32(ret_id, @intCast(4 * list.items.len + raw));
}

fn find(kind: Kind, name: []const u8) Error!*Metric {
    const names = &by_name[@backingInt(kind)];
    if (names.get(name)) |found| return found;
    const metric = try gpa.create(Metric);
    metric.* = .{ .kind = kind, .name = try gpa.dupe(u8, name) };
    try names.put(gpa, metric.name, metric);
    try all.append(gpa, metric);
    return metric;
}

/// The metric that a VM knows by a number. The type in the number is checked before.
fn known(vm: *Vm, id: u32) Error!*Metric {
    const list = &vm.metrics[id & 3];
    const index = id >> 2;
    if (index == 0 or index > list.items.len) return error.NotFound;
    return list.items[index - 1];
}

pub fn proxy_increment_metric(id: u32, offset: i64) Error!void {
    const context = try current();
    if (id & 3 > 1) return error.BadArgument;
    const metric = try known(context.vm, id);
    if (metric.kind == .counter and offset <= 0) return error.BadArgument;
    metric.value +%= @bitCast(offset);
}

pub fn proxy_record_metric(id: u32, raw: i64) Error!void {
    const context = try current();
    if (id & 3 > 2) return error.NotFound;
    const metric = try known(context.vm, id);
    const value: u64 = @bitCast(raw);
    switch (metric.kind) {
        .counter => metric.value +%= value,
        .gauge => metric.value = value,
        .histogram => try metric.record(value),
    }
}

pub fn proxy_get_metric(id: u32, ret_value: u32) Error!void {
    const context = try current();
    if (id & 3 > 1) return error.BadArgument;
    const metric = try known(context.vm, id);
    try context.vm.store64(ret_value, metric.value);
}

/// All of them for the driver; see exchange.zig.
pub fn putAll() error{OutOfMemory}!void {
    try exchange.put(u32, @intCast(all.items.len));
    for (all.items) |metric| {
        try exchange.put(u8, @backingInt(metric.kind));
        try exchange.putText(metric.name);
        try exchange.put(u64, metric.value);
        try exchange.put(u64, metric.count);
        const samples = metric.samples.items;
        const oldest: usize = if (samples.len == Metric.kept) @intCast(metric.count % Metric.kept) else 0;
        try exchange.put(u32, @intCast(samples.len));
        for (0..samples.len) |index| try exchange.put(u64, samples[(oldest + index) % samples.len]);
    }
}
