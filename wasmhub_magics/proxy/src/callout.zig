//! HTTP call-outs: requests of a filter's own to a cluster. A call belongs to the root context and may outlive
//! the stream that made it (`Context::httpCall` of Envoy's `context.cc`).

const std = @import("std");
const arena_zig = @import("arena.zig");
const events = @import("events.zig");
const exchange = @import("exchange.zig");
const answer_zig = @import("answer.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const reply = @import("reply.zig");
const vm_zig = @import("vm.zig");
const Vm = vm_zig.Vm;

const gpa = arena_zig.gpa;
const OutOfMemory = error{OutOfMemory};

/// Somebody who can be called; `answer` is what it always answers, for loops.
pub const Cluster = struct { name: []const u8, answer: ?[]const u8, http2: bool = false, gone: bool = false };

/// How a call ends, in the numbers of the protocol.
const Outcome = enum(u8) {
    response,
    /// Nobody listens there.
    refused,
    /// The connection ends before an answer.
    closed,
    /// The connection ends in the middle of the answer.
    broken,
    /// There is never an answer.
    silent,
};

pub const Call = struct {
    vm: *Vm,
    root: u32,
    token: u32,
    /// What the cluster gets, as the protocol has it.
    request: std.ArrayList(u8) = .empty,
    cluster: *const Cluster,
    timeout: u64,
    /// The answer to a HEAD has no body.
    head: bool = false,
    answered: bool = false,
    due: u64 = 0,
    outcome: Outcome = .response,
    headers: headers.Map = .{ .kind = .response },
    body: std.ArrayList(u8) = .empty,
    trailers: headers.Map = .{ .kind = .response_trailers },
    text: arena_zig.Arena = .{},
};

/// Calls keep pointers to them, so none is ever freed.
pub var clusters: std.ArrayList(*Cluster) = .empty;
/// Calls without an answer, and answers on their way, in the order in which they were made.
pub var waiting: std.ArrayList(*Call) = .empty;
/// The call whose answer is being delivered, readable by its plugin.
pub var delivering: ?*Call = null;
var asked: ?*Call = null;
var spare: std.ArrayList(*Call) = .empty;
/// In a loop clusters with a fixed answer are not asked.
pub var looping: bool = false;

pub fn find(name: []const u8) ?*const Cluster {
    for (clusters.items) |cluster| {
        if (!cluster.gone and std.mem.eql(u8, cluster.name, name)) return cluster;
    }
    return null;
}

/// Add a cluster, or change the one of that name; the text of its answer is kept.
pub fn define(name: []const u8, fixed: ?[]const u8, http2: bool) OutOfMemory!void {
    for (clusters.items) |cluster| {
        if (!std.mem.eql(u8, cluster.name, name)) continue;
        if (cluster.answer) |old| gpa.free(old);
        cluster.answer = null;
        cluster.* = .{ .name = cluster.name, .answer = if (fixed) |text| try gpa.dupe(u8, text) else null, .http2 = http2 };
        return;
    }
    const cluster = try gpa.create(Cluster);
    cluster.* = .{
        .name = try gpa.dupe(u8, name),
        .answer = if (fixed) |text| try gpa.dupe(u8, text) else null,
        .http2 = http2,
    };
    try clusters.append(gpa, cluster);
}

pub fn make(vm: *Vm, root: u32, cluster: *const Cluster, timeout: u64) OutOfMemory!*Call {
    try waiting.ensureUnusedCapacity(gpa, 1);
    const call = spare.pop() orelse made: {
        const new = try gpa.create(Call);
        errdefer gpa.destroy(new);
        new.* = .{ .vm = vm, .root = root, .token = 0, .cluster = cluster, .timeout = 0 };
        try new.text.init();
        break :made new;
    };
    call.vm = vm;
    call.root = root;
    call.cluster = cluster;
    call.timeout = timeout;
    call.answered = false;
    arena_zig.clear(&call.request);
    arena_zig.clear(&call.body);
    call.headers.clear();
    call.trailers.clear();
    call.text.reset();
    waiting.appendAssumeCapacity(call);
    vm.calls += 1;
    call.token = 4 * vm.calls;
    return call;
}

/// Take back the call that was made last, of which nobody knows yet.
pub fn unmake(call: *Call) void {
    waiting.items.len -= 1;
    spare.append(gpa, call) catch {};
}

/// Whether a cluster must be asked; what it gets is then in the output.
pub fn ask() bool {
    for (waiting.items) |call| {
        if (call.answered) continue;
        if (looping) if (call.cluster.answer) |fixed| {
            answer(call, fixed) catch @panic("out of memory");
            continue;
        };
        asked = call;
        return true;
    }
    return false;
}

pub fn putNeed() OutOfMemory!void {
    const call = asked.?;
    try exchange.putText(call.cluster.name);
    try exchange.put(u64, call.timeout);
    try exchange.output.appendSlice(gpa, call.request.items);
}

/// What the cluster answers to the call that was asked: outcome u8, delay u64, and for a response an answer.
pub fn answered(bytes: []const u8) OutOfMemory!void {
    try answer(asked.?, bytes);
    asked = null;
}

fn answer(call: *Call, bytes: []const u8) OutOfMemory!void {
    const arena = &call.text;
    var reader: exchange.Reader = .{ .bytes = try arena.dupe(bytes) };
    call.answered = true;
    call.outcome = @fromBackingInt(@intCast(reader.number(u8)));
    const delay = reader.number(u64);
    call.due = events.now +| delay;
    if (call.timeout != 0 and (call.outcome == .silent or delay >= call.timeout)) {
        call.due = events.now + call.timeout;
        return local(call, "504", timed_out);
    }
    switch (call.outcome) {
        .silent => {
            _ = take(call);
            try spare.append(gpa, call);
            log.warn("the cluster {s} never answers a call, and the call has no timeout", .{call.cluster.name});
        },
        .refused => return local(call, "503", refused),
        .closed => return local(call, "503", closed),
        // The answer to a HEAD has nothing but a head to break in.
        .broken => if (call.head) return local(call, "503", closed),
        .response => {
            var given: answer_zig.Answer = .{};
            try given.init(arena, &reader);
            if (given.refused) return local(call, "502", refused_answer);
            call.headers.entries.clearAndFree(gpa);
            call.headers = given.headers;
            call.headers.exists = true;
            if (if (call.cluster.http2) null else if (call.head) given.framing_of_head else given.framing) |entry| {
                try call.headers.append(entry.name, entry.value);
            }
            try call.headers.set("x-envoy-upstream-service-time", "0");
            if (call.head) return;
            for (given.chunks) |chunk| try call.body.appendSlice(gpa, chunk);
            call.trailers.entries.clearAndFree(gpa);
            call.trailers = given.trailers;
        },
    }
}

pub const timed_out = "upstream request timeout";
pub const refused = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
pub const closed = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";

pub const refused_answer = "upstream connect error or disconnect/reset before headers. reset reason: protocol error";

/// What Envoy answers in the place of the cluster.
fn local(call: *Call, status: []const u8, body: []const u8) OutOfMemory!void {
    call.outcome = .response;
    const map = &call.headers;
    map.exists = true;
    try map.append(":status", status);
    const length = try call.text.take(10);
    try map.append("content-length", std.fmt.bufPrint(length, "{d}", .{body.len}) catch unreachable);
    try map.append("content-type", "text/plain");
    if (!call.head) try call.body.appendSlice(gpa, body);
}

/// The next answer to arrive.
pub fn first() ?*Call {
    var best: ?*Call = null;
    for (waiting.items) |call| {
        if (call.answered and (best == null or call.due < best.?.due)) best = call;
    }
    return best;
}

fn take(call: *Call) bool {
    for (waiting.items, 0..) |other, index| {
        if (other != call) continue;
        _ = waiting.orderedRemove(index);
        return true;
    }
    return false;
}

/// Tell the plugin of the answer.
pub fn deliver(call: *Call) void {
    _ = take(call);
    // A trap leaves it behind; the next delivery takes it up.
    if (delivering) |old| spare.append(gpa, old) catch {};
    delivering = call;
    if (!events.another()) return;
    const root = call.vm.find(call.root) orelse return;
    if (call.vm.failed or !call.vm.has(.proxy_on_http_call_response)) return;
    readable = true;
    if (call.outcome == .broken) {
        root.plugin.?.status_code = 11;
        root.plugin.?.status_message = "reset";
        vm_zig.invoke(void, root, .proxy_on_http_call_response, .{ call.token, @as(u32, 0), @as(u32, 0), @as(u32, 0) });
    } else {
        vm_zig.invoke(void, root, .proxy_on_http_call_response, .{
            call.token,
            @as(u32, @intCast(call.headers.entries.items.len)),
            @as(u32, @intCast(call.body.items.len)),
            @as(u32, @intCast(call.trailers.entries.items.len)),
        });
    }
    readable = false;
    root.plugin.?.status_message = "";
}

var readable: bool = false;

/// The call that a context can read about: its own plugin's, while that is told of it.
pub fn of(context: *const vm_zig.Context) ?*Call {
    if (!readable) return null;
    const call = delivering orelse return null;
    const plugin = context.plugin orelse return null;
    return if (plugin.root.vm == call.vm and plugin.root.id == call.root) call else null;
}

/// After a trap nobody reads.
pub fn close() void {
    readable = false;
}

pub fn dropAll() void {
    spare.appendSlice(gpa, waiting.items) catch {};
    arena_zig.clear(&waiting);
    asked = null;
}

/// What Envoy adds to a filter's request before it goes out.
pub fn complete(map: *headers.Map, body: []const u8, timeout: u32) OutOfMemory!void {
    if (body.len > 0) try map.set("content-length", try reply.number(body.len));
    try map.set("x-envoy-internal", "true");
    if (timeout > 0) try map.set("x-envoy-expected-rq-timeout-ms", try reply.number(timeout));
}
