//! What happens beside streams: messages in queues, ticks, answers to call-outs. It happens between the steps
//! of a stream, in a fixed order, on a time line of the proxy's own: where nothing else can go on, time jumps
//! to the next event, so that nobody waits and every run is the same.

const std = @import("std");
const callout = @import("callout.zig");
const clock = @import("clock.zig");
const dns = @import("calls_dns.zig");
const exchange = @import("exchange.zig");
const grpc = @import("grpc.zig");
const grpc_wire = @import("grpc_wire.zig");
const gpa = @import("arena.zig").gpa;
const log = @import("log.zig");
const vm_zig = @import("vm.zig");
const worker = @import("worker.zig");
const Plugin = @import("plugin.zig").Plugin;
const Vm = vm_zig.Vm;

/// A message has come into a queue that this root context has registered.
const Ready = struct {
    vm: *Vm,
    root: u32,
    token: u32,
    /// It is no message, but what a name has been resolved to.
    addresses: ?[]u8 = null,
};

var posted: std.Deque(Ready) = .empty;
/// Nanoseconds that have been jumped over.
pub var now: u64 = 0;
/// Until here ticks come although nothing but ticks is left.
pub var horizon: u64 = 0;

/// What filters were told beside streams since the exchange began.
var deliveries: u32 = 0;
/// A filter that answers each message by another would go on for ever.
const most_deliveries = 10_000;

/// How long a paused stream waits for a tick to wake it.
const patience = 5 * std.time.ns_per_s;

pub fn post(ready: Ready) error{OutOfMemory}!void {
    try posted.pushBack(gpa, ready);
}

/// Make room for one more.
pub fn reserve() error{OutOfMemory}!void {
    try posted.ensureUnusedCapacity(gpa, 1);
}

/// An exchange begins.
pub fn begin() void {
    deliveries = 0;
    grpc.sent = 0;
}

/// Forget what waits for a client that has gone.
pub fn drop() void {
    callout.dropAll();
    grpc.dropAll();
}

/// Count one more thing that a filter is told. False where it was too much, and all that waits is given up.
pub fn another() bool {
    deliveries +|= 1;
    if (deliveries <= most_deliveries) return true;
    if (deliveries == most_deliveries + 1) {
        log.warn("more than {d} messages, names and answers to calls in one exchange: the rest is given up", .{most_deliveries});
    }
    while (posted.popFront()) |ready| if (ready.addresses) |addresses| gpa.free(addresses);
    drop();
    return false;
}

pub const Turn = enum {
    /// Nothing is left to happen.
    idle,
    /// Something has happened: look again.
    ran,
    /// A cluster must answer first.
    ask,
};

/// Let happen what happens at once: before the upstream answers.
pub inline fn prompt() error{OutOfMemory}!Turn {
    return if (quiet()) .idle else promptNow();
}

/// Whether nothing waits beside streams but ticks.
pub inline fn quiet() bool {
    return posted.len == 0 and callout.waiting.items.len == 0 and !grpc.busy;
}

/// Whether nothing is left to happen after a stream.
pub inline fn over() bool {
    return quiet() and horizon <= now;
}

/// Whether something is to be told.
pub inline fn pending() bool {
    return posted.len > 0;
}

/// Tell of the next message in a queue; false where there is none.
pub inline fn told() bool {
    if (posted.len == 0) return false;
    tell();
    return true;
}

noinline fn tell() void {
    @branchHint(.unlikely);
    const ready = posted.popFront().?;
    if (!another()) return if (ready.addresses) |addresses| gpa.free(addresses);
    const root = ready.vm.find(ready.root) orelse return;
    if (ready.addresses) |addresses| return dns.tell(root, ready.token, addresses);
    if (ready.vm.failed or !ready.vm.has(.proxy_on_queue_ready)) return;
    vm_zig.invoke(void, root, .proxy_on_queue_ready, .{ready.token});
}

noinline fn promptNow() error{OutOfMemory}!Turn {
    @branchHint(.unlikely);
    if (grpc.midway()) |stream| {
        grpc.deliver(stream);
        return .ran;
    }
    if (told()) return .ran;
    if (callout.ask() or grpc_wire.ask()) return .ask;
    const arrival = Arrival.first() orelse return .idle;
    if (arrival.due() > now) return .idle;
    arrival.deliver();
    return .ran;
}

/// The stream waits for something outside of it: let time go on.
pub fn wait(began: u64) error{OutOfMemory}!Turn {
    return next(began + patience);
}

/// Let happen all that is left, in the order of time.
pub inline fn rest() error{OutOfMemory}!Turn {
    return if (over()) .idle else next(horizon);
}

noinline fn next(limit: u64) error{OutOfMemory}!Turn {
    const turn = try prompt();
    if (turn != .idle) return turn;
    const arrival = Arrival.first();
    const plugin = nextTick();
    if (plugin) |ticking| {
        if (ticking.tick_due <= if (arrival) |answer| answer.due() else limit) {
            jump(ticking.tick_due);
            ticking.tick_due = now + ticking.tick_period;
            vm_zig.invoke(void, &ticking.root, .proxy_on_tick, .{});
            return .ran;
        }
    }
    const answer = arrival orelse return .idle;
    jump(answer.due());
    answer.deliver();
    return .ran;
}

/// What comes next from a cluster.
const Arrival = union(enum) {
    call: *callout.Call,
    grpc: *grpc.Stream,

    fn first() ?Arrival {
        const stream = grpc.first();
        const call = callout.first() orelse return if (stream) |known| .{ .grpc = known } else null;
        const other = stream orelse return .{ .call = call };
        return if (grpc.dueOf(other) < call.due) .{ .grpc = other } else .{ .call = call };
    }

    fn due(arrival: Arrival) u64 {
        return switch (arrival) {
            .call => |call| call.due,
            .grpc => |stream| grpc.dueOf(stream),
        };
    }

    fn deliver(arrival: Arrival) void {
        switch (arrival) {
            .call => |call| callout.deliver(call),
            .grpc => |stream| grpc.deliver(stream),
        }
    }
};

fn nextTick() ?*Plugin {
    var best: ?*Plugin = null;
    for (worker.plugins.items) |plugin| {
        const vm = plugin.root.vm;
        if (plugin.tick_period == 0 or vm.failed or !vm.has(.proxy_on_tick)) continue;
        if (best == null or plugin.tick_due < best.?.tick_due) best = plugin;
    }
    return best;
}

/// Move time on.
pub fn jump(to: u64) void {
    if (to <= now) return;
    clock.skip(to - now);
    now = to;
}

/// For the driver: timers (plugin u32, period u64, due u64), then calls that wait (kind u8: 0 HTTP, 1 a gRPC
/// call, 2 a gRPC stream; cluster, VM u32, root u32, token u32, due u64). Times are nanoseconds from now; the
/// highest number stands for an answer that is not on its way.
pub fn putAll() error{OutOfMemory}!void {
    var count: u32 = 0;
    for (worker.plugins.items) |plugin| count += @intFromBool(plugin.tick_period > 0);
    try exchange.put(u32, count);
    for (worker.plugins.items) |plugin| {
        if (plugin.tick_period == 0) continue;
        try exchange.put(u32, plugin.index);
        try exchange.put(u64, plugin.tick_period);
        try exchange.put(u64, plugin.tick_due -| now);
    }
    count = @intCast(callout.waiting.items.len);
    for (grpc.streams.items) |stream| count += @intFromBool(!stream.cancelled and !stream.over);
    try exchange.put(u32, count);
    for (callout.waiting.items) |call| {
        const due = if (call.answered) call.due -| now else std.math.maxInt(u64);
        try putWaiting(0, call.cluster.name, call.vm.index, call.root, call.token, due);
    }
    for (grpc.streams.items) |stream| {
        if (stream.cancelled or stream.over) continue;
        const due = if (stream.steps.items.len > 0) grpc.dueOf(stream) -| now else std.math.maxInt(u64);
        try putWaiting(if (stream.unary) 1 else 2, stream.cluster.name, stream.vm.index, stream.root, stream.token, due);
    }
}

fn putWaiting(kind: u8, cluster: []const u8, vm: u32, root: u32, token: u32, due: u64) error{OutOfMemory}!void {
    try exchange.put(u8, kind);
    try exchange.putText(cluster);
    try exchange.put(u32, vm);
    try exchange.put(u32, root);
    try exchange.put(u32, token);
    try exchange.put(u64, due);
}
