//! The proxy side of Proxy-Wasm as a WebAssembly module: what a driver calls.
//!
//! A driver instantiates the module, links filters to its exports (see link.zig), puts their callbacks into the
//! exported table, and speaks the protocol of exchange.zig. Functions that run filters return a `Status`; after
//! a trap the driver restores `__stack_pointer`, and calls `trapped`, then `proceed`.

const std = @import("std");
const abi = @import("abi.zig");
const arena_zig = @import("arena.zig");
const bench = @import("bench.zig");
const callout = @import("callout.zig");
const clock = @import("clock.zig");
const events = @import("events.zig");
const exchange = @import("exchange.zig");
const answer_zig = @import("answer.zig");
const prepared_zig = @import("prepared.zig");
const router = @import("router.zig");
const grpc_wire = @import("grpc_wire.zig");
const input = @import("input.zig");
const link = @import("link.zig");
const log = @import("log.zig");
const metrics = @import("metrics.zig");
const property = @import("property.zig");
const queues = @import("queues.zig");
const shared_data = @import("shared_data.zig");
const tcp = @import("tcp.zig");
const trace = @import("trace.zig");
const worker = @import("worker.zig");
const Need = @import("stream.zig").Need;

pub const panic = std.debug.FullPanic(onPanic);

/// A panic says why before it traps, so that no driver takes it for a trap of the filter.
fn onPanic(message: []const u8, _: ?usize) noreturn {
    worker.mailbox.panic = @intFromPtr(message.ptr);
    worker.mailbox.panic_length = message.len;
    @trap();
}

comptime {
    link.exportAll();
    _ = input;
    _ = @import("setup.zig");
    _ = @import("plain.zig");
}

const Status = enum(u32) {
    /// The exchange has ended; its result is in the output.
    done,
    /// The upstream is asked; its request is in the output. Call `answer`.
    upstream,
    /// A cluster is called; the call is in the output. Call `answer_call`.
    call,
    /// There is news of a gRPC call; it is in the output. Call `answer_grpc`.
    grpc,
};

var prepared: prepared_zig.Prepared = .{};
var answered: answer_zig.Answer = .{};
var answer_arena: arena_zig.Arena = .{};
/// What runs: an exchange, a loop of them, or what happens beside.
var running: enum { exchange, loop, beside, tcp } = .exchange;
var began: u64 = 0;
var paused: u64 = 0;

/// Start the host: `fixed_clock` says whether time starts at `time` and is stepped, `seeded` whether random
/// numbers come from `seed`.
export fn start(fixed_clock: u32, time: u64, seeded: u32, seed: u64) void {
    worker.arena.init() catch input.outOfMemory();
    prepared.arena.init() catch input.outOfMemory();
    answer_arena.init() catch input.outOfMemory();
    clock.start(if (fixed_clock != 0) time else null, if (seeded != 0) seed else null);
}

export fn mailbox() *worker.Mailbox {
    return &worker.mailbox;
}

/// The names by which the trace knows callbacks and host functions: two lists of texts.
export fn describe() void {
    exchange.openOutput();
    describeAll() catch input.outOfMemory();
    exchange.closeOutput();
}

fn describeAll() !void {
    const callbacks = @typeInfo(abi.Callback).@"enum".field_names;
    try exchange.put(u32, callbacks.len);
    for (callbacks) |name| try exchange.putText(name);
    try exchange.put(u32, link.names.len);
    for (link.names) |name| try exchange.putText(name);
}

/// Tell a function of the table, from now on, whenever a filter's code runs or the host's again.
export fn meter(function: u32) void {
    worker.meter = @ptrFromInt(function);
    worker.mailbox.stop |= worker.metered;
}

export fn set_trace(on: u32) void {
    trace.on = on != 0;
    trace.clear();
}

/// Put what was logged since the last look into the output.
export fn drain() void {
    exchange.openOutput();
    exchange.putLog() catch input.outOfMemory();
    exchange.closeOutput();
    log.clear();
    trace.clear();
}

/// Run an exchange.
export fn send(length: usize) Status {
    prepared.init(input.bytes[0..length]) catch input.outOfMemory();
    running = .exchange;
    callout.looping = false;
    log.on = true;
    log.clear();
    trace.on = prepared.trace;
    trace.clear();
    router.upstream_asked = null;
    paused = 0;
    clock.date(&router.date);
    began = clock.monotonic();
    worker.stream.recording = true;
    worker.stream.begin(&prepared) catch input.outOfMemory();
    return proceed();
}

/// Go on after a trap, with a line for the log in the input.
export fn trapped(length: usize) void {
    const plugin = worker.mailbox.plugin;
    worker.stream.trapped();
    log.keep(.err, plugin, input.bytes[0..length]);
}

/// Go on after `trapped`.
export fn proceed() Status {
    return proceedNow() catch input.outOfMemory();
}

fn proceedNow() !Status {
    if (running == .loop and try bench.run(&prepared)) return .done;
    const need = switch (running) {
        .loop => .call,
        .tcp => try runTcp(),
        else => try worker.stream.run(),
    };
    exchange.openOutput();
    switch (need) {
        .upstream => {
            router.upstream_asked = clock.monotonic();
            try exchange.putNeed();
        },
        .call => {
            asked = clock.monotonic();
            if (grpc_wire.asking()) try grpc_wire.putNeed() else try callout.putNeed();
        },
        .done => if (running == .exchange) {
            const skipped = events.now - worker.stream.began;
            try exchange.putResult(&worker.stream, clock.monotonic() -| began -| paused -| skipped);
        } else if (running == .tcp) {
            try tcp.putResult();
        } else {
            events.jump(events.horizon);
            try exchange.putLog();
        },
    }
    exchange.closeOutput();
    return switch (need) {
        .done => .done,
        .upstream => .upstream,
        .call => if (grpc_wire.asking()) .grpc else .call,
    };
}

/// A TCP connection goes on, and what is beside it.
fn runTcp() !Need {
    while (true) {
        if (try tcp.run() or try tcp.finish()) continue;
        switch (try events.prompt()) {
            .ran => {},
            .ask => return .call,
            .idle => return .done,
        }
    }
}

/// A client connects. The output is then as `tcp.zig` puts it, here and after the next two.
export fn tcp_open(traced: u32) Status {
    log.clear();
    log.on = true;
    trace.on = traced != 0;
    trace.clear();
    events.begin();
    callout.looping = false;
    tcp.open() catch input.outOfMemory();
    running = .tcp;
    return proceed();
}

/// Bytes come from the client (1) or the upstream (0), perhaps the last ones.
export fn tcp_data(from_client: u32, length: usize, end: u32) Status {
    log.clear();
    trace.clear();
    tcp.take(from_client != 0, input.bytes[0..length], end != 0) catch input.outOfMemory();
    running = .tcp;
    return proceed();
}

/// The connection ends: 1 here, 2 at the client.
export fn tcp_close(peer: u32) Status {
    log.clear();
    trace.clear();
    tcp.close(peer) catch input.outOfMemory();
    running = .tcp;
    return proceed();
}

var asked: u64 = 0;

/// What the cluster answers that was called: outcome u8 (0 a response, 1 refused, 2 closed, 3 broken off, 4
/// nothing), delay u64 in nanoseconds, and for a response an answer.
export fn answer_call(length: usize) Status {
    callout.answered(input.bytes[0..length]) catch input.outOfMemory();
    paused += clock.monotonic() -% asked;
    return proceed();
}

/// What the cluster answers to the gRPC call that there was news of; see grpc.zig.
export fn answer_grpc(length: usize) Status {
    grpc_wire.answered(input.bytes[0..length]) catch input.outOfMemory();
    paused += clock.monotonic() -% asked;
    return proceed();
}

/// Let happen what waits beside streams, and all that happens in the next nanoseconds. The output is then as
/// that of `drain`.
export fn beside(nanoseconds: u64, traced: u32) Status {
    running = .beside;
    worker.arena.reset();
    log.on = true;
    log.clear();
    trace.on = traced != 0;
    trace.clear();
    events.horizon = events.now + nanoseconds;
    callout.looping = false;
    events.begin();
    return proceed();
}

/// Who can be called from now on: a list of name, flags u8 (1 a text follows: what answers each call in a loop, 2 speaks HTTP/2).
export fn clusters(length: usize) void {
    clustersNow(length) catch input.outOfMemory();
}

fn clustersNow(length: usize) !void {
    for (callout.clusters.items) |cluster| cluster.gone = true;
    var reader: exchange.Reader = .{ .bytes = input.bytes[0..length] };
    for (0..reader.number(u32)) |_| {
        const name = reader.text();
        const flags = reader.number(u8);
        try callout.define(name, if (flags & 1 != 0) reader.text() else null, flags & 2 != 0);
    }
}

/// What properties are from now on, before all that the proxy knows: a list of path, its parts joined by 0, and value.
export fn properties(length: usize) void {
    property.give(input.bytes[0..length]) catch input.outOfMemory();
}

/// Milliseconds of time that have been jumped over.
export fn jumped() u32 {
    return @truncate(events.now / std.time.ns_per_ms);
}

/// Put metrics, shared data, queues, timers and pending calls into the output.
export fn state() void {
    exchange.openOutput();
    stateNow() catch input.outOfMemory();
    exchange.closeOutput();
}

fn stateNow() !void {
    try metrics.putAll();
    try shared_data.putAll();
    try queues.putAll();
    try events.putAll();
}

/// What the upstream answers.
export fn answer(length: usize) Status {
    answer_arena.reset();
    var reader: exchange.Reader = .{ .bytes = answer_arena.dupe(input.bytes[0..length]) catch input.outOfMemory() };
    answered.init(&answer_arena, &reader) catch input.outOfMemory();
    worker.stream.respond(&answered) catch input.outOfMemory();
    paused += clock.monotonic() -% router.upstream_asked.?;
    return proceed();
}

/// Give a stream up: its client has gone. Filters see the end of the stream; call `proceed`.
export fn abort() void {
    events.drop();
    worker.stream.details = "downstream_remote_disconnect";
    worker.stream.resetStream();
}

/// Make an exchange ready for `loop`; it must bring the upstream's answer along.
export fn prepare(length: usize) void {
    prepared.init(input.bytes[0..length]) catch input.outOfMemory();
}

/// Run the prepared exchange again and again.
export fn loop(count: u64, timed: u32) Status {
    running = .loop;
    callout.looping = true;
    log.clear();
    log.on = false;
    trace.on = false;
    router.upstream_asked = null;
    worker.stream.recording = false;
    clock.date(&router.date);
    bench.start(count, timed != 0);
    return proceed();
}

/// Counts (u64 each) of the loop's times; see bench.zig.
export fn histogram() [*]const u64 {
    return &bench.histogram.counts;
}

export fn histogram_size() usize {
    return bench.histogram.counts.len;
}
