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
const link = @import("link.zig");
const log = @import("log.zig");
const metrics = @import("metrics.zig");
const property = @import("property.zig");
const queues = @import("queues.zig");
const shared_data = @import("shared_data.zig");
const tcp = @import("tcp.zig");
const trace = @import("trace.zig");
const vm_zig = @import("vm.zig");
const worker = @import("worker.zig");
const Need = @import("stream.zig").Need;
const Plugin = @import("plugin.zig").Plugin;

const gpa = arena_zig.gpa;

pub const panic = std.debug.FullPanic(onPanic);

/// A panic says why before it traps, so that no driver takes it for a trap of the filter.
fn onPanic(message: []const u8, _: ?usize) noreturn {
    worker.mailbox.panic = @intFromPtr(message.ptr);
    worker.mailbox.panic_length = message.len;
    @trap();
}

comptime {
    link.exportAll();
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

var input: []u8 = &.{};
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
    worker.arena.init() catch outOfMemory();
    prepared.arena.init() catch outOfMemory();
    answer_arena.init() catch outOfMemory();
    clock.start(if (fixed_clock != 0) time else null, if (seeded != 0) seed else null);
}

export fn mailbox() *worker.Mailbox {
    return &worker.mailbox;
}

/// Room for what the driver wants to say next.
export fn reserve(length: usize) [*]u8 {
    if (input.len < length) {
        gpa.free(input);
        input = &.{};
        input = gpa.alloc(u8, @max(length, 4096)) catch outOfMemory();
    }
    return input.ptr;
}

/// The names by which the trace knows callbacks and host functions: two lists of texts.
export fn describe() void {
    exchange.openOutput();
    describeAll() catch outOfMemory();
    exchange.closeOutput();
}

fn describeAll() !void {
    const callbacks = @typeInfo(abi.Callback).@"enum".field_names;
    try exchange.put(u32, callbacks.len);
    for (callbacks) |name| try exchange.putText(name);
    try exchange.put(u32, link.names.len);
    for (link.names) |name| try exchange.putText(name);
}

/// A new VM: version u8, table indices of the bridge and of each callback (0 absent), id, configuration, list
/// of environment variables.
export fn vm_new(length: usize) u32 {
    return vmNew(length) catch outOfMemory();
}

fn vmNew(length: usize) !u32 {
    var reader: exchange.Reader = .{ .bytes = try gpa.dupe(u8, input[0..length]) };
    const vm = try gpa.create(vm_zig.Vm);
    vm.* = .{
        .index = @intCast(worker.vms.items.len),
        .version = @fromBackingInt(@intCast(reader.number(u8))),
        .bridge = undefined,
        .callbacks = undefined,
        .id = undefined,
        .configuration = undefined,
        .environment = undefined,
    };
    inline for (@typeInfo(vm_zig.Bridge).@"struct".field_names) |name| {
        @field(vm.bridge, name) = @ptrFromInt(reader.number(u32));
    }
    for (&vm.callbacks) |*callback| callback.* = reader.number(u32);
    vm.id = reader.text();
    vm.configuration = reader.text();
    const environment = try gpa.alloc([]const u8, reader.number(u32));
    for (environment) |*variable| variable.* = reader.text();
    vm.environment = environment;
    vm.base = .{ .id = 0, .vm = vm };
    try worker.vms.append(gpa, vm);
    return vm.index;
}

/// Call the VM's start functions, in the order of proxy-wasm-cpp-host.
export fn vm_initialize(index: u32) void {
    worker.arena.reset();
    const vm = worker.vms.items[index];
    if (vm.has(._initialize)) {
        vm_zig.initialize(vm, ._initialize);
        if (vm.has(.main)) {
            vm_zig.initialize(vm, .main);
        } else if (vm.has(.__main_void)) {
            vm_zig.initialize(vm, .__main_void);
        }
    } else if (vm.has(._start)) {
        vm_zig.initialize(vm, ._start);
    }
}

/// A new plugin: VM u32, policy u8, allow_on_headers_stop_iteration u8, body limit u32, log limit u32, name,
/// root id, configuration.
export fn plugin_new(length: usize) u32 {
    return pluginNew(length) catch outOfMemory();
}

fn pluginNew(length: usize) !u32 {
    var reader: exchange.Reader = .{ .bytes = try gpa.dupe(u8, input[0..length]) };
    const plugin = try gpa.create(Plugin);
    const vm = worker.vms.items[reader.number(u32)];
    plugin.* = .{
        .index = @intCast(worker.plugins.items.len),
        .policy = @fromBackingInt(@intCast(reader.number(u8))),
        .allow_on_headers_stop_iteration = reader.number(u8) != 0,
        .body_limit = reader.number(u32),
        .name = undefined,
        .root_id = undefined,
        .configuration = undefined,
        .root = .{ .id = vm.takeContextId(), .vm = vm },
    };
    log.limit = reader.number(u32);
    plugin.name = reader.text();
    plugin.root_id = reader.text();
    plugin.configuration = reader.text();
    plugin.root.plugin = plugin;
    try worker.plugins.append(gpa, plugin);
    return plugin.index;
}

/// Move a plugin to another VM, as after a failure with the policy to reload.
export fn plugin_move(index: u32, vm_index: u32) void {
    const vm = worker.vms.items[vm_index];
    const plugin = worker.plugins.items[index];
    plugin.root.vm = vm;
    plugin.root.id = vm.takeContextId();
    plugin.tick_period = 0;
}

/// 1 where the plugin has started.
export fn plugin_start(index: u32) u32 {
    worker.arena.reset();
    return @intFromBool(worker.plugins.items[index].start());
}

/// 1 where the plugin has taken its configuration.
export fn plugin_configure(index: u32) u32 {
    worker.arena.reset();
    return @intFromBool(worker.plugins.items[index].configure());
}

/// The next filter of the chain is this plugin.
export fn chain(index: u32) void {
    worker.chain.append(gpa, worker.plugins.items[index]) catch outOfMemory();
}

/// Note that what start-up called has trapped.
export fn start_trapped() void {
    worker.stream.trapped();
}

export fn set_trace(on: u32) void {
    trace.on = on != 0;
    trace.clear();
}

/// Put what was logged since the last look into the output.
export fn drain() void {
    exchange.openOutput();
    exchange.putLog() catch outOfMemory();
    exchange.closeOutput();
    log.clear();
    trace.clear();
}

/// Run an exchange.
export fn send(length: usize) Status {
    prepared.init(input[0..length]) catch outOfMemory();
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
    worker.stream.begin(&prepared) catch outOfMemory();
    return proceed();
}

/// Go on after a trap, with a line for the log in the input.
export fn trapped(length: usize) void {
    const plugin = worker.mailbox.plugin;
    worker.stream.trapped();
    log.keep(.err, plugin, input[0..length]);
}

/// Go on after `trapped`.
export fn proceed() Status {
    return proceedNow() catch outOfMemory();
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
    events.deliveries = 0;
    callout.looping = false;
    tcp.open() catch outOfMemory();
    running = .tcp;
    return proceed();
}

/// Bytes come from the client (1) or the upstream (0), perhaps the last ones.
export fn tcp_data(from_client: u32, length: usize, end: u32) Status {
    log.clear();
    trace.clear();
    tcp.take(from_client != 0, input[0..length], end != 0) catch outOfMemory();
    running = .tcp;
    return proceed();
}

/// The connection ends: 1 here, 2 at the client.
export fn tcp_close(peer: u32) Status {
    log.clear();
    trace.clear();
    tcp.close(peer) catch outOfMemory();
    running = .tcp;
    return proceed();
}

var asked: u64 = 0;

/// What the cluster answers that was called: outcome u8 (0 a response, 1 refused, 2 closed, 3 broken off, 4
/// nothing), delay u64 in nanoseconds, and for a response an answer.
export fn answer_call(length: usize) Status {
    callout.answered(input[0..length]) catch outOfMemory();
    paused += clock.monotonic() -% asked;
    return proceed();
}

/// What the cluster answers to the gRPC call that there was news of; see grpc.zig.
export fn answer_grpc(length: usize) Status {
    grpc_wire.answered(input[0..length]) catch outOfMemory();
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
    events.deliveries = 0;
    return proceed();
}

/// Who can be called from now on: a list of name, flags u8 (1 a text follows: what answers each call in a loop, 2 speaks HTTP/2).
export fn clusters(length: usize) void {
    clustersNow(length) catch outOfMemory();
}

fn clustersNow(length: usize) !void {
    for (callout.clusters.items) |cluster| cluster.gone = true;
    var reader: exchange.Reader = .{ .bytes = input[0..length] };
    for (0..reader.number(u32)) |_| {
        const name = reader.text();
        const flags = reader.number(u8);
        try callout.define(name, if (flags & 1 != 0) reader.text() else null, flags & 2 != 0);
    }
}

/// What properties are from now on, before all that the proxy knows: a list of path, its parts joined by 0, and value.
export fn properties(length: usize) void {
    property.give(input[0..length]) catch outOfMemory();
}

/// Milliseconds of time that have been jumped over.
export fn jumped() u32 {
    return @truncate(events.now / std.time.ns_per_ms);
}

/// Put metrics, shared data, queues, timers and pending calls into the output.
export fn state() void {
    exchange.openOutput();
    stateNow() catch outOfMemory();
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
    var reader: exchange.Reader = .{ .bytes = answer_arena.dupe(input[0..length]) catch outOfMemory() };
    answered.init(&answer_arena, &reader) catch outOfMemory();
    worker.stream.respond(&answered) catch outOfMemory();
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
    prepared.init(input[0..length]) catch outOfMemory();
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

/// What the host's own functions that are not part of any protocol answer.
export fn pthread_equal(left: u32, right: u32) u32 {
    return @intFromBool(left == right);
}

export fn emscripten_notify_memory_growth(_: u32) void {}

/// Envoy logs and returns, so a filter that goes on after it usually hits `unreachable`.
export fn wasi_proc_exit(code: u32) void {
    if (trace.on) trace.hostCall(link.names.len, &.{code});
    log.warn("the filter called proc_exit({d}), which returns to it as in Envoy", .{code});
    if (trace.on) trace.result(0);
}

/// A filter has called a function that its plugin may not use; see restriction.py.
export fn restricted(function: u32) void {
    const context = worker.context orelse return;
    if (trace.on) trace.hostCall(@intCast(function), &.{});
    const name = if (function < link.names.len) link.names[function] else "wasi_proc_exit";
    const wasi = std.mem.startsWith(u8, name, "wasi_");
    if (wasi) {
        log.print(.err, context.pluginIndex(), "Attempted call to restricted WASI capability: {s}", .{name[5..]});
    } else {
        log.print(.err, context.pluginIndex(), "Attempted call to restricted proxy-wasm capability: {s}", .{name});
    }
    if (trace.on) trace.result(if (wasi) 76 else 10);
}

fn outOfMemory() noreturn {
    @panic("out of memory");
}
