//! One TCP connection on its way through the filter chain: Envoy's network filter manager
//! (`source/common/network/filter_manager_impl.cc`) with `tcp_proxy` at its end. As in stream.zig, what must
//! survive a callback is in memory, since a trap unwinds the host's frames.

const std = @import("std");
const arena_zig = @import("arena.zig");
const exchange = @import("exchange.zig");
const vm_zig = @import("vm.zig");
const worker = @import("worker.zig");
const Body = @import("buffer.zig").Body;
const most_actions = @import("stream.zig").most_actions;

const gpa = arena_zig.gpa;
const OutOfMemory = error{OutOfMemory};

/// A plugin's part in the connection.
pub const Filter = struct {
    context: vm_zig.Context,
    created: bool = false,
    /// The plugin's VM failed before the connection began, and its policy lets it pass.
    skipped: bool = false,
    opened: bool = false,
    /// Which buffers its context can reach.
    downstream: bool = false,
    upstream: bool = false,
};

const Action = union(enum) { go_on: *Filter, close };

const Step = struct {
    kind: enum { read, write, close },
    position: usize = 0,
    phase: enum { enter, created, opening, data, returned, ended, done, log, delete } = .enter,
    /// What the last callback returned; null where it trapped.
    result: ?u32 = 0,
    peer: u32 = 0,
    /// The filter that closed the connection at the upstream's end, of which it is told although it is gone.
    last: ?*Filter = null,
};

var filters: std.ArrayList(Filter) = .empty;
var steps: std.ArrayList(Step) = .empty;
var actions: std.ArrayList(Action) = .empty;
var read: Body = .{};
var read_ended = false;
var written: Body = .{};
var write_ended = false;
/// What has come out at the ends since the driver looked.
var to_upstream: std.ArrayList(u8) = .empty;
var to_client: std.ArrayList(u8) = .empty;
var upstream_ended = false;
var client_ended = false;
/// The connection is over.
var closed = false;
/// It is over since both ends have ended, not since the proxy closed it.
var ended = false;
pub var alive = false;

pub fn open() OutOfMemory!void {
    worker.arena.reset();
    worker.stream.properties.clearRetainingCapacity();
    filters.clearRetainingCapacity();
    for (worker.chain.items) |plugin| {
        const vm = plugin.root.vm;
        try filters.append(gpa, .{
            .context = .{ .id = if (vm.failed) 0 else vm.takeContextId(), .vm = vm, .plugin = plugin, .plugin_index = plugin.index },
            .skipped = vm.failed and plugin.policy == .open,
        });
    }
    for (filters.items) |*filter| filter.context.connection = filter;
    steps.clearRetainingCapacity();
    actions.clearRetainingCapacity();
    read.clear();
    written.clear();
    read_ended = false;
    write_ended = false;
    upstream_ended = false;
    client_ended = false;
    closed = false;
    ended = false;
    alive = true;
    try steps.append(gpa, .{ .kind = .read });
}

/// Bytes come in from the client or from the upstream.
pub fn take(from_client: bool, bytes: []const u8, end: bool) OutOfMemory!void {
    if (closed) return;
    const body = if (from_client) &read else &written;
    try body.bytes.appendSlice(gpa, bytes);
    body.exists = true;
    if (from_client) read_ended = end else write_ended = end;
    try steps.append(gpa, .{ .kind = if (from_client) .read else .write });
}

/// The connection is over; `peer` as the ABI counts: 1 local, 2 remote.
pub fn close(peer: u32) OutOfMemory!void {
    if (closed) return;
    closed = true;
    const last = closer();
    steps.clearRetainingCapacity();
    actions.clearRetainingCapacity();
    try steps.append(gpa, .{ .kind = .close, .peer = peer, .last = last });
}

fn closer() ?*Filter {
    const step = steps.getLastOrNull() orelse return null;
    if (step.kind != .write or step.phase != .returned or !write_ended or step.result == null) return null;
    return &filters.items[filters.items.len - 1 - step.position];
}

/// Go on until nothing is left to do here.
pub fn run() OutOfMemory!bool {
    if (steps.items.len > 0) {
        try advance(&steps.items[steps.items.len - 1]);
        return true;
    }
    return act();
}

/// Once both ends have ended the connection closes with the upstream's last event, before all that waits for its
/// turn; only bytes that still have to go to the client put that off (`onUpstreamEvent` of `tcp_proxy.cc`).
pub fn finish() OutOfMemory!bool {
    if (closed or !write_ended or !upstream_ended or to_client.items.len > 0) return false;
    try close(1);
    ended = true;
    return true;
}

fn pop() void {
    steps.items.len -= 1;
}

fn act() OutOfMemory!bool {
    if (actions.items.len == 0) return false;
    switch (actions.orderedRemove(0)) {
        .go_on => |filter| {
            const index = (@intFromPtr(filter) - @intFromPtr(filters.items.ptr)) / @sizeOf(Filter);
            try steps.append(gpa, .{ .kind = .read, .position = index + 1 });
        },
        .close => try close(1),
    }
    return true;
}

fn advance(step: *Step) OutOfMemory!void {
    switch (step.kind) {
        .read => try advanceRead(step),
        .write => try advanceWrite(step),
        .close => advanceClose(step),
    }
}

fn advanceRead(step: *Step) OutOfMemory!void {
    if (step.position == filters.items.len) {
        pop();
        try to_upstream.appendSlice(gpa, read.bytes.items);
        read.bytes.clearRetainingCapacity();
        upstream_ended = read_ended;
        return;
    }
    const filter = &filters.items[step.position];
    const context = &filter.context;
    const vm = context.vm;
    switch (step.phase) {
        .enter => {
            step.phase = .data;
            if (filter.opened) return;
            filter.opened = true;
            if (filter.skipped) return;
            filter.created = true;
            step.phase = .created;
            if (!vm.failed and vm.has(.proxy_on_context_create)) {
                vm_zig.invoke(void, context, .proxy_on_context_create, .{context.plugin.?.root.id});
            }
        },
        .created => {
            step.phase = .opening;
            step.result = null;
            if (vm.failed) return;
            step.result = if (vm.has(.proxy_on_new_connection))
                vm_zig.invoke(u32, context, .proxy_on_new_connection, .{})
            else
                0;
        },
        .opening => {
            if (try act()) return;
            const value = step.result orelse return fail();
            if (value != 0) return pop();
            step.phase = .data;
        },
        .data => {
            if (filter.skipped or (read.bytes.items.len == 0 and !read_ended)) return next(step);
            filter.downstream = true;
            step.phase = .returned;
            step.result = null;
            if (vm.failed) return;
            const size: u32 = @intCast(read.bytes.items.len);
            step.result = if (vm.has(.proxy_on_downstream_data))
                vm_zig.invoke(u32, context, .proxy_on_downstream_data, .{ size, @as(u32, @intFromBool(read_ended)) })
            else
                0;
        },
        .returned => {
            if (try act()) return;
            const value = step.result orelse return fail();
            if (value != 0) return pop();
            filter.downstream = false;
            next(step);
        },
        else => unreachable,
    }
}

fn next(step: *Step) void {
    step.position += 1;
    step.phase = .enter;
}

/// The filter's VM is dead: the connection ends.
fn fail() OutOfMemory!void {
    pop();
    try close(1);
}

fn advanceWrite(step: *Step) OutOfMemory!void {
    if (step.position == filters.items.len) {
        pop();
        try to_client.appendSlice(gpa, written.bytes.items);
        written.bytes.clearRetainingCapacity();
        client_ended = write_ended;
        return;
    }
    const filter = &filters.items[filters.items.len - 1 - step.position];
    const context = &filter.context;
    const vm = context.vm;
    switch (step.phase) {
        .enter => {
            if (!filter.created) return next(step);
            filter.upstream = true;
            step.phase = .returned;
            step.result = null;
            if (vm.failed) return;
            const size: u32 = @intCast(written.bytes.items.len);
            step.result = if (vm.has(.proxy_on_upstream_data))
                vm_zig.invoke(u32, context, .proxy_on_upstream_data, .{ size, @as(u32, @intFromBool(write_ended)) })
            else
                0;
        },
        .returned => {
            if (try act()) return;
            if (step.result == null) return fail();
            if (step.result == 0) filter.upstream = false;
            step.phase = .ended;
            if (write_ended and !vm.failed and vm.has(.proxy_on_upstream_connection_close)) {
                vm_zig.invoke(void, context, .proxy_on_upstream_connection_close, .{@as(u32, 0)});
            }
        },
        .ended => {
            if (try act()) return;
            if (step.result != 0) return pop();
            next(step);
        },
        else => unreachable,
    }
}

/// Each filter is told of the end, and its context ends.
fn advanceClose(step: *Step) void {
    if (step.position == filters.items.len) {
        alive = false;
        const last = step.last;
        pop();
        const filter = last orelse return;
        const vm = filter.context.vm;
        if (!vm.failed and vm.has(.proxy_on_upstream_connection_close)) {
            vm_zig.invoke(void, &filter.context, .proxy_on_upstream_connection_close, .{@as(u32, 0)});
        }
        actions.clearRetainingCapacity();
        return;
    }
    const filter = &filters.items[step.position];
    const context = &filter.context;
    const vm = context.vm;
    if (!filter.created or vm.failed) return next(step);
    switch (step.phase) {
        .enter => {
            step.phase = .done;
            if (vm.has(.proxy_on_downstream_connection_close)) {
                vm_zig.invoke(void, context, .proxy_on_downstream_connection_close, .{step.peer});
            }
        },
        .done => {
            step.phase = .log;
            if (vm.has(.proxy_on_done)) _ = vm_zig.invoke(u32, context, .proxy_on_done, .{});
        },
        .log => {
            step.phase = .delete;
            if (vm.has(.proxy_on_log)) vm_zig.invoke(void, context, .proxy_on_log, .{});
        },
        else => {
            next(step);
            if (vm.has(.proxy_on_delete)) vm_zig.invoke(void, context, .proxy_on_delete, .{});
        },
    }
    actions.clearRetainingCapacity();
}

/// After a trap: what the callback asked for is not done.
pub fn trapped() void {
    actions.clearRetainingCapacity();
}

pub fn find(vm: *const vm_zig.Vm, id: u32) ?*vm_zig.Context {
    if (!alive) return null;
    for (filters.items) |*filter| {
        if (filter.created and filter.context.vm == vm and filter.context.id == id) return &filter.context;
    }
    return null;
}

/// The bytes that a filter can reach now.
pub fn visible(filter: *const Filter, downstream: bool) ?*Body {
    if (downstream) return if (filter.downstream) &read else null;
    return if (filter.upstream) &written else null;
}

pub fn later(action: Action) OutOfMemory!void {
    if (actions.items.len == most_actions) return error.OutOfMemory;
    try actions.append(gpa, action);
}

/// Flags u8 (1 the proxy has closed, 2 the upstream's half has ended, 4 the client's has), what goes to the
/// upstream, what goes to the client, and the log.
pub fn putResult() OutOfMemory!void {
    const flags = @as(u8, @intFromBool(closed and !ended)) | @as(u8, @intFromBool(upstream_ended)) << 1 |
        @as(u8, @intFromBool(client_ended)) << 2;
    try exchange.put(u8, flags);
    try exchange.putText(to_upstream.items);
    try exchange.putText(to_client.items);
    to_upstream.clearRetainingCapacity();
    to_client.clearRetainingCapacity();
    try exchange.putLog();
}
