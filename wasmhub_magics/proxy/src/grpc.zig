//! gRPC calls and streams of filters: what goes out, and what comes back in the order in which Envoy's client
//! (`source/common/grpc/async_client_impl.cc`) tells it. They belong to the root context.

const std = @import("std");
const callout = @import("callout.zig");
const events = @import("events.zig");
const exchange = @import("exchange.zig");
const answer_zig = @import("answer.zig");
const gpa = @import("arena.zig").gpa;
const Body = @import("buffer.zig").Body;
const headers = @import("headers.zig");
const log = @import("log.zig");
const reply = @import("reply.zig");
const vm_zig = @import("vm.zig");
const wire = @import("grpc_wire.zig");
const worker = @import("worker.zig");
const Plugin = @import("plugin.zig").Plugin;
const Vm = vm_zig.Vm;

const OutOfMemory = error{OutOfMemory};

/// What comes back, one callback each. `bytes` are a message, or headers as the protocol has them.
const Step = struct {
    due: u64,
    kind: enum { initial, message, trailing, close },
    bytes: []u8 = &.{},
    status: u32 = 0,
    /// It came together with the step before it: nothing else happens between the two.
    joined: bool = false,
};

pub const Stream = struct {
    /// The driver knows it by this number, the filter by `token`.
    id: u32,
    vm: *Vm,
    root: u32,
    token: u32,
    unary: bool,
    cluster: *const callout.Cluster,
    timeout: u64 = 0,
    began: u64 = 0,
    /// Its headers for the driver, as the protocol has them; empty once they are told.
    head: std.ArrayList(u8) = .empty,
    /// Messages that the driver does not know yet, one text after another.
    out: std.ArrayList(u8) = .empty,
    out_count: u32 = 0,
    ended: bool = false,
    news: bool = true,
    cancelled: bool = false,
    /// Nothing more comes: the last step is in the list.
    remote_closed: bool = false,
    /// The last step has been told.
    over: bool = false,
    /// The filter has closed it.
    local_closed: bool = false,
    headers_came: bool = false,
    /// More of the same part of an answer has come already.
    answering: bool = false,
    /// Of the response as Envoy's log would have them; they are told after the status.
    details: []const u8 = "via_upstream",
    in: std.ArrayList(u8) = .empty,
    response: ?[]u8 = null,
    steps: std.ArrayList(Step) = .empty,

    pub fn send(stream: *Stream, message: []const u8, last: bool) OutOfMemory!void {
        if (stream.ended or stream.remote_closed) return;
        try stream.out.ensureUnusedCapacity(gpa, 4 + message.len);
        stream.out.appendSliceAssumeCapacity(std.mem.asBytes(&@as(u32, @intCast(message.len))));
        stream.out.appendSliceAssumeCapacity(message);
        stream.out_count += 1;
        stream.ended = last;
        stream.stir();
    }

    pub fn end(stream: *Stream) void {
        if (stream.ended or stream.remote_closed) return;
        stream.ended = true;
        stream.stir();
    }

    fn stir(stream: *Stream) void {
        stream.news = true;
        busy = true;
    }

    fn push(stream: *Stream, step: Step) OutOfMemory!void {
        // Steps of one stream never overtake each other.
        var later = step;
        if (stream.steps.getLastOrNull()) |last| {
            later.due = @max(later.due, last.due);
            later.joined = stream.answering;
        }
        stream.answering = true;
        try stream.steps.append(gpa, later);
        busy = true;
    }

    pub fn fail(stream: *Stream, due: u64, status: u32, message: []const u8) OutOfMemory!void {
        if (!stream.unary) try stream.push(.{ .due = due, .kind = .trailing, .bytes = try gpa.dupe(u8, "\x00\x00\x00\x00") });
        try stream.close(due, status, message);
    }

    fn close(stream: *Stream, due: u64, status: u32, message: []const u8) OutOfMemory!void {
        stream.remote_closed = true;
        if (stream.unary and status == 0) {
            if (stream.response) |response| {
                stream.response = null;
                return stream.push(.{ .due = due, .kind = .message, .bytes = response });
            }
            return stream.push(.{ .due = due, .kind = .close, .status = 13 });
        }
        const text = if (message.len == 0)
            try gpa.dupe(u8, stream.details)
        else
            try gpa.print("{s}{{{s}}}", .{ message, stream.details });
        try stream.push(.{ .due = due, .kind = .close, .status = status, .bytes = text });
    }

    /// Headers of a response; the last word where `last`.
    pub fn headersCame(stream: *Stream, due: u64, raw: []const u8, last: bool) OutOfMemory!void {
        stream.headers_came = true;
        const status = std.fmt.parseInt(u32, wire.find(raw, ":status") orelse "", 10) catch 0;
        if (!stream.unary) {
            const shown: []const u8 = if (last or status != 200) "\x00\x00\x00\x00" else raw;
            try stream.push(.{ .due = due, .kind = .initial, .bytes = try gpa.dupe(u8, shown) });
        }
        if (status != 200 and (!last or wire.find(raw, "grpc-status") == null)) {
            return stream.fail(due, reply.grpcStatus(status), "");
        }
        if (last) return stream.trailersCame(due, raw);
    }

    fn trailersCame(stream: *Stream, due: u64, raw: []const u8) OutOfMemory!void {
        if (!stream.unary) try stream.push(.{ .due = due, .kind = .trailing, .bytes = try gpa.dupe(u8, raw) });
        const status = if (wire.find(raw, "grpc-status")) |text| std.fmt.parseInt(u32, text, 10) catch invalid else 2;
        try stream.close(due, if (status > 16) invalid else status, wire.find(raw, "grpc-message") orelse "");
    }

    fn dataCame(stream: *Stream, due: u64, bytes: []const u8) OutOfMemory!void {
        try stream.in.appendSlice(gpa, bytes);
        var rest = stream.in.items;
        while (rest.len >= 5) {
            const length = std.mem.readInt(u32, rest[1..5], .big);
            if (rest[0] > 1 or (rest[0] == 1 and length > 0)) return stream.fail(due, 13, "");
            if (rest.len - 5 < length) break;
            const message = try gpa.dupe(u8, rest[5..][0..length]);
            rest = rest[5 + length ..];
            if (!stream.unary) {
                try stream.push(.{ .due = due, .kind = .message, .bytes = message });
            } else {
                if (stream.response) |old| gpa.free(old);
                stream.response = message;
            }
        }
        const kept = rest.len;
        std.mem.copyForwards(u8, stream.in.items[0..kept], rest);
        stream.in.shrinkRetainingCapacity(kept);
    }

    /// What Envoy answers in the place of the cluster.
    pub fn local(stream: *Stream, due: u64, text: []const u8, details: []const u8) OutOfMemory!void {
        stream.details = details;
        if (stream.headers_came) return stream.fail(due, 13, "");
        var reply_map: headers.Map = .{ .kind = .response };
        defer reply_map.entries.deinit(gpa);
        try reply_map.append(":status", "200");
        try reply_map.append("content-type", "application/grpc");
        try reply_map.append("grpc-status", "14");
        try reply_map.append("grpc-message", try reply.percentEncoded(text));
        const raw = try wire.encoded(&reply_map);
        defer gpa.free(raw);
        try stream.headersCame(due, raw, true);
    }

    pub fn answer(stream: *Stream, reader: *exchange.Reader, due: u64) OutOfMemory!void {
        stream.answering = false;
        const flags = reader.number(u8);
        const ends = flags & 2 != 0;
        var given: answer_zig.Answer = .{};
        defer given.headers.entries.deinit(gpa);
        defer given.trailers.entries.deinit(gpa);
        try given.init(&worker.arena, reader);
        const bare = given.chunks.len == 0 and !given.trailers.exists;
        if (flags & 1 != 0) {
            if (given.refused) return stream.local(due, callout.refused_answer, wire.before ++ "{protocol_error}");
            if (!stream.cluster.http2) {
                if (given.framing) |entry| try given.headers.append(entry.name, entry.value);
            }
            // The router measures from the end of the request.
            if (stream.ended) try given.headers.set("x-envoy-upstream-service-time", "0");
            const raw = try wire.encoded(&given.headers);
            defer gpa.free(raw);
            try stream.headersCame(due, raw, ends and bare);
        }
        for (given.chunks) |chunk| {
            if (!stream.remote_closed) try stream.dataCame(due, chunk);
        }
        if (!ends or stream.remote_closed) return;
        if (!given.trailers.exists) return stream.fail(due, 2, "");
        const raw = try wire.encoded(&given.trailers);
        defer gpa.free(raw);
        try stream.trailersCame(due, raw);
    }

    fn free(stream: *Stream) void {
        for (stream.steps.items) |step| gpa.free(step.bytes);
        if (stream.response) |response| gpa.free(response);
        stream.steps.deinit(gpa);
        stream.head.deinit(gpa);
        stream.out.deinit(gpa);
        stream.in.deinit(gpa);
        gpa.destroy(stream);
    }
};

/// What is no status of gRPC.
const invalid: u32 = 0xffff_ffff;

pub var streams: std.ArrayList(*Stream) = .empty;
/// Something may wait to be asked or to be told.
pub var busy: bool = false;
var next_id: u32 = 0;
/// Looking through them is to stay quick.
pub const most_open = 250;

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
