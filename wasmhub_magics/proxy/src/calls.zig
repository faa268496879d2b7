//! Host functions of module `env` for one stream: log, time, answers, flow, properties; their neighbours have files
//! of their own. Each function has its name in the ABI; `link.zig` makes exports of them.

const std = @import("std");
const abi = @import("abi.zig");
const clock = @import("clock.zig");
const filter_state = @import("filter_state.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const property = @import("property.zig");
const tcp = @import("tcp.zig");
const worker = @import("worker.zig");
const Context = @import("vm.zig").Context;
const Pairs = @import("pairs.zig").Pairs;
const Side = @import("stream.zig").Side;

const Error = abi.Error;

/// The context that a call acts for. There is none while a module's own start function runs.
pub inline fn current() Error!*Context {
    return worker.context orelse error.InternalFailure;
}

// Log and time.

pub fn proxy_log(level: u32, message: u32, length: u32) Error!void {
    const context = try current();
    if (level > 5) return error.BadArgument;
    const text = try context.vm.read(message, length);
    log.write(@fromBackingInt(@intCast(level)), context.plugin_index, text);
}

pub fn proxy_get_log_level(ret_level: u32) Error!void {
    const context = try current();
    try context.vm.store32(ret_level, @backingInt(abi.Level.trace));
}

pub fn proxy_get_current_time_nanoseconds(ret_time: u32) Error!void {
    const context = try current();
    try context.vm.store64(ret_time, clock.wall());
}

// Answers and flow. What these ask for happens after the running callback.

pub fn proxy_send_local_response(
    status: u32,
    details: u32,
    details_len: u32,
    text: u32,
    text_len: u32,
    pairs: u32,
    pairs_len: u32,
    grpc_status: u32,
) Error!void {
    const context = try current();
    const vm = context.vm;
    const why = try vm.read(details, details_len);
    const content = try vm.read(text, text_len);
    const raw = try vm.read(pairs, pairs_len);
    // The callback stops even where the call acted for a root context, which answers nothing.
    if (worker.caller.?.filter) |caller| caller.stop = true;
    if (context.filter == null) return;
    var list: Pairs = .init(raw);
    const bytes = try worker.arena.take(list.count * @sizeOf(headers.Entry));
    const entries = std.mem.bytesAsSlice(headers.Entry, @as([]align(8) u8, @alignCast(bytes)));
    for (entries) |*entry| entry.* = list.next().?;
    for (why) |*letter| {
        if (std.ascii.isWhitespace(letter.*)) letter.* = '_';
    }
    try worker.stream.later(.{ .reply = .{
        .status = status,
        .headers = entries,
        .body = content,
        .grpc_status = if (grpc_status > 16) null else grpc_status,
        .details = why,
    } });
}

pub fn proxy_continue_stream(stream: u32) Error!void {
    const context = try current();
    switch (stream) {
        0 => try continueSide(context, .request),
        1 => try continueSide(context, .response),
        2 => if (context.connection) |connection| try tcp.later(.{ .go_on = connection }),
        3 => return error.Unimplemented,
        else => return error.BadArgument,
    }
}

fn continueSide(context: *Context, side: Side) Error!void {
    const filter = context.filter orelse return;
    try worker.stream.later(if (side == .request)
        .{ .resume_request = filter }
    else
        .{ .resume_response = filter });
    // Envoy forgets the request in both cases.
    const half = filter.half(.request);
    half.headers = false;
    half.trailers = false;
    half.data = false;
    half.body = if (half.holding) .held else .none;
}

pub fn proxy_continue_request() Error!void {
    try continueSide(try current(), .request);
}

pub fn proxy_continue_response() Error!void {
    try continueSide(try current(), .response);
}

pub fn proxy_clear_route_cache() Error!void {
    _ = try current();
}

pub fn proxy_close_stream(stream: u32) Error!void {
    const context = try current();
    if (stream > 3) return error.BadArgument;
    if (stream >= 2 and context.connection != null) return tcp.later(.close);
    if (context.filter == null) return;
    // Known at once, as in `Context::closeStream` of Envoy's `context.cc`; the stream ends after the callback.
    const known = &worker.stream;
    if (!known.detailed and known.details.len == 0) known.details = "wasm_close_stream";
    try known.later(.close);
}

pub fn proxy_set_effective_context(id: u32) Error!void {
    const context = try current();
    // The number of the VM itself means nobody else: the context that runs.
    worker.hand.map = worker.Hand.none;
    worker.context = if (id == 0) worker.caller else context.vm.find(id) orelse return error.BadArgument;
}

/// Nothing ever waits for it: roots live as long as the proxy.
pub fn proxy_done() Error!void {
    _ = try current();
    return error.NotFound;
}

// Properties.

pub fn proxy_get_property(path: u32, path_len: u32, ret: u32, ret_len: u32) Error!void {
    const context = try current();
    const name = try context.vm.read(path, path_len);
    try context.vm.give(try property.get(context, name), ret, ret_len);
}

pub fn proxy_set_property(path: u32, path_len: u32, value: u32, value_len: u32) Error!void {
    const context = try current();
    const name = try context.vm.read(path, path_len);
    const text = try context.vm.read(value, value_len);
    try filter_state.set(context, name, text);
}
