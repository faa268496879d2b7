//! The gRPC calls and streams of filters: made, told of, cancelled and forgotten. They belong to the root context.

const std = @import("std");
const callout = @import("callout.zig");
const events = @import("events.zig");
const exchange = @import("exchange.zig");
const gpa = @import("arena.zig").gpa;
const Body = @import("buffer.zig").Body;
const headers = @import("headers.zig");
const stream_zig = @import("grpc_stream.zig");
const vm_zig = @import("vm.zig");
const wire = @import("grpc_wire.zig");
const worker = @import("worker.zig");
const Vm = vm_zig.Vm;

const OutOfMemory = error{OutOfMemory};

pub const Stream = stream_zig.Stream;
const Step = stream_zig.Step;

pub var streams: std.ArrayList(*Stream) = .empty;
/// Something may wait to be asked or to be told.
pub var busy: bool = false;
var next_id: u32 = 0;
/// Looking through them is to stay quick.
pub const most_open = 250;
/// Messages that filters have sent since the exchange began. Clusters look at all that came before with each.
pub var sent: u32 = 0;
pub const most_sent = 10_000;

/// What is being told, readable by its plugin.
var telling: ?*Stream = null;
var told: Step = .{ .due = 0, .kind = .close };
var map: headers.Map = .{ .kind = .response };
var in_hand: Body = .{};

pub fn make(vm: *Vm, root: u32, token: u32, unary: bool, cluster: *const callout.Cluster) OutOfMemory!*Stream {
    try streams.ensureUnusedCapacity(gpa, 1);
    const stream = try gpa.create(Stream);
    next_id += 1;
    stream.* = .{
        .id = next_id,
        .vm = vm,
        .root = root,
        .token = token,
        .unary = unary,
        .cluster = cluster,
        .began = events.now,
    };
    streams.appendAssumeCapacity(stream);
    busy = true;
    return stream;
}

/// Take back the stream that was made last, of which nobody knows yet.
pub fn unmake(stream: *Stream) void {
    streams.items.len -= 1;
    stream.free();
}

/// A call that came to nothing: the filter is told although it got an error.
pub fn refuse(vm: *Vm, root: u32, token: u32, unary: bool) OutOfMemory!void {
    const text = try gpa.dupe(u8, "Cluster not available");
    errdefer gpa.free(text);
    const stream = try make(vm, root, token, unary, &nobody);
    errdefer unmake(stream);
    stream.news = false;
    stream.cancelled = true;
    stream.remote_closed = true;
    try stream.steps.ensureUnusedCapacity(gpa, 1);
    stream.push(.{ .due = events.now, .kind = .close, .status = 14, .bytes = text }) catch unreachable;
    // Right after the running callback, before its return value counts.
    if (worker.caller) |caller| {
        if (caller.filter != null) worker.stream.later(.{ .tell = stream }) catch {};
    }
}

const nobody: callout.Cluster = .{ .name = "", .answer = null };

pub fn find_stream(vm: *const Vm, root: u32, token: u32) ?*Stream {
    for (streams.items) |stream| {
        if (stream.vm == vm and stream.root == root and stream.token == token and !stream.cancelled) return stream;
    }
    return null;
}

pub fn cancel(stream: *Stream) void {
    stream.cancelled = true;
    for (stream.steps.items) |step| gpa.free(step.bytes);
    stream.steps.clearRetainingCapacity();
    // What was sent but a moment ago never leaves.
    stream.out.clearRetainingCapacity();
    stream.out_count = 0;
    // The cluster knows already that nothing more comes, or has said so itself.
    if (!stream.remote_closed and (stream.news or !stream.ended)) return stream.stir();
    stream.news = false;
    if (telling == null) tidy();
}

/// The stream whose step comes next.
pub fn first() ?*Stream {
    if (!busy) return null;
    var best: ?*Stream = null;
    for (streams.items) |stream| {
        if (stream.steps.items.len == 0) continue;
        if (best == null or stream.steps.items[0].due < best.?.steps.items[0].due) best = stream;
    }
    if (best == null and !hasNews()) busy = false;
    return best;
}

fn hasNews() bool {
    for (streams.items) |stream| {
        if (stream.news) return true;
    }
    return false;
}

/// The stream that has told a part of what came together.
pub fn midway() ?*Stream {
    if (!busy) return null;
    for (streams.items) |stream| {
        if (stream.steps.items.len > 0 and stream.steps.items[0].joined) return stream;
    }
    return null;
}

pub fn dueOf(stream: *const Stream) u64 {
    return stream.steps.items[0].due;
}

/// Tell the plugin of the next step.
pub fn deliver(stream: *Stream) void {
    telling = null;
    gpa.free(told.bytes);
    told = stream.steps.orderedRemove(0);
    telling = stream;
    if (told.kind == .close or (stream.unary and told.kind == .message)) stream.over = true;
    if (events.another()) tell(stream, told) catch @panic("out of memory");
    telling = null;
    if (stream.over or stream.cancelled) tidy();
}

fn tell(stream: *Stream, step: Step) OutOfMemory!void {
    const vm = stream.vm;
    const root = vm.find(stream.root) orelse return;
    if (vm.failed) return;
    const size: u32 = @intCast(step.bytes.len);
    switch (step.kind) {
        .initial, .trailing => {
            map.clear();
            var reader: exchange.Reader = .{ .bytes = try worker.arena.dupe(step.bytes) };
            for (0..reader.number(u32)) |_| {
                const name = reader.text();
                try map.append(name, reader.text());
            }
            map.exists = true;
            const count: u32 = @intCast(map.entries.items.len);
            if (step.kind == .initial) {
                if (vm.has(.proxy_on_grpc_receive_initial_metadata)) {
                    vm_zig.invoke(void, root, .proxy_on_grpc_receive_initial_metadata, .{ stream.token, count });
                }
            } else if (vm.has(.proxy_on_grpc_receive_trailing_metadata)) {
                vm_zig.invoke(void, root, .proxy_on_grpc_receive_trailing_metadata, .{ stream.token, count });
            }
        },
        .message => if (vm.has(.proxy_on_grpc_receive)) {
            try in_hand.set(step.bytes);
            vm_zig.invoke(void, root, .proxy_on_grpc_receive, .{ stream.token, size });
        },
        .close => if (vm.has(.proxy_on_grpc_close)) {
            const plugin = root.plugin.?;
            plugin.status_code = step.status;
            plugin.status_message = try worker.arena.dupe(step.bytes);
            vm_zig.invoke(void, root, .proxy_on_grpc_close, .{ stream.token, step.status });
            plugin.status_message = "";
        },
    }
}

/// Forget what nobody can ask for any more.
fn tidy() void {
    var kept: usize = 0;
    for (streams.items) |stream| {
        const gone = !stream.news and stream.steps.items.len == 0 and
            (stream.cancelled or (stream.over and (stream.unary or stream.local_closed)));
        if (gone) {
            stream.free();
        } else {
            streams.items[kept] = stream;
            kept += 1;
        }
    }
    streams.shrinkRetainingCapacity(kept);
}

fn reading(context: *const vm_zig.Context) bool {
    const stream = telling orelse return false;
    const plugin = context.plugin orelse return false;
    return plugin.root.vm == stream.vm and plugin.root.id == stream.root;
}

/// The metadata that a context can read.
pub fn metadata(context: *const vm_zig.Context, initial: bool) ?*headers.Map {
    if (!reading(context)) return null;
    return if (told.kind == (if (initial) @as(@TypeOf(told.kind), .initial) else .trailing)) &map else null;
}

/// The message that a context can read.
pub fn received(context: *const vm_zig.Context) []const u8 {
    return if (receiving(context)) |body| body.bytes.items else "";
}

/// The message that is being told: its plugin may even write to it.
pub fn receiving(context: *const vm_zig.Context) ?*Body {
    return if (reading(context) and told.kind == .message) &in_hand else null;
}

/// After a trap nobody reads.
pub fn closeReading() void {
    telling = null;
}

/// Give up what waits. What a cluster has not heard of, it never will.
pub fn dropAll() void {
    wire.forget();
    for (streams.items) |stream| {
        if (stream.over) continue;
        stream.cancelled = true;
        stream.remote_closed = true;
        stream.news = false;
        for (stream.steps.items) |step| gpa.free(step.bytes);
        stream.steps.clearRetainingCapacity();
    }
}
