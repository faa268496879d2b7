//! METADATA frames of HTTP/2 on their way through the filters. Filters learn how many names a frame holds; what is in it
//! they cannot see, and what they return means nothing.

const arena_zig = @import("arena.zig");
const log = @import("log.zig");
const stream_zig = @import("stream.zig");
const vm_zig = @import("vm.zig");

const Filter = stream_zig.Filter;
const Frame = stream_zig.Frame;
const Side = stream_zig.Side;
const Stream = stream_zig.Stream;

/// How many names each frame of that side holds.
pub fn of(stream: *const Stream, side: Side) []const u32 {
    return if (side == .request) stream.prepared.metadata else stream.answer_source.metadata;
}

/// Frames `first` to `end` go through the filters from that position on.
pub noinline fn push(stream: *Stream, side: Side, position: usize, first: u32, end: u32) error{OutOfMemory}!void {
    try stream.push(.{
        .kind = .metadata,
        .side = side,
        .position = position,
        .first_position = position,
        .metadata = first,
        .metadata_end = end,
    });
}

/// What waits at a filter goes on from a position.
pub noinline fn pushWaiting(stream: *Stream, side: Side, filter: usize, from: usize) error{OutOfMemory}!void {
    const half = stream.filterAt(side, filter).half(side);
    const first = half.metadata_first;
    const end = first + half.metadata_waiting;
    half.metadata_waiting = 0;
    try push(stream, side, from, first, end);
}

pub fn stepMetadata(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
    const side = frame.side;
    if (frame.position == stream.filters.items.len) {
        stream.flow(side).metadata_passed += 1;
        return next(stream, frame);
    }
    const filter = stream.filterAt(side, frame.position);
    const half = filter.half(side);
    if (frame.phase == .enter) {
        if (!half.asked or half.stoppedAll()) {
            if (half.metadata_waiting == 0) half.metadata_first = frame.metadata;
            half.metadata_waiting += 1;
            return next(stream, frame);
        }
        frame.phase = .returned;
        frame.result = 0;
        if (hears(filter, side)) {
            frame.result = Frame.trapped;
            if (filter.failed()) return;
            filter.stop = false;
            frame.result = invoke(filter, side, of(stream, side)[frame.metadata]);
        }
    }
    if (try stream.act()) return;
    if (frame.result == Frame.trapped) return stream.fail(filter);
    frame.position += 1;
    frame.phase = .enter;
}

fn hears(filter: *const Filter, side: Side) bool {
    return !filter.skipped and filter.created and !(side == .response and filter.failure_sent);
}

fn invoke(filter: *Filter, side: Side, count: u32) u32 {
    const vm = filter.context.vm;
    switch (side) {
        .request => if (vm.has(.proxy_on_request_metadata)) {
            return vm_zig.invoke(u32, &filter.context, .proxy_on_request_metadata, .{count});
        },
        .response => if (vm.has(.proxy_on_response_metadata)) {
            return vm_zig.invoke(u32, &filter.context, .proxy_on_response_metadata, .{count});
        },
    }
    return 0;
}

/// The stream ends before METADATA of the response that has come: Envoy 1.40 still gives it to all filters that
/// have seen the headers, after it has deleted their contexts.
pub noinline fn keepLate(stream: *Stream) void {
    @branchHint(.cold);
    const frames = stream.frames.items;
    for (frames) |waiting| {
        if (waiting.kind != .metadata or waiting.side == .request) continue;
        if (stream.prepared.http2) {
            return log.warn("a response over HTTP/2 ended before METADATA of its upstream: Envoy 1.40 never comes back from that", .{});
        }
        // Filters in the middle of their headers have been asked, and let METADATA through whatever they say.
        for (frames) |inner| {
            if (inner.kind != .headers or inner.side == .request or inner.position == stream.filters.items.len) continue;
            stream.filterAt(.response, inner.position).half(.response).asked = true;
        }
        stream.late = waiting;
        stream.late.?.kind = .late_metadata;
        stream.late.?.first_position = 0;
        if (waiting.phase == .returned) stream.late.?.position += 1;
        return;
    }
}

pub fn stepLate(stream: *Stream, frame: *Frame) void {
    arena_zig.clear(&stream.actions);
    if (frame.position == stream.filters.items.len) return next(stream, frame);
    const filter = stream.filterAt(.response, frame.position);
    const half = filter.half(.response);
    if (!half.asked or half.stoppedAll()) return next(stream, frame);
    frame.position += 1;
    if (hears(filter, .response) and !filter.failed()) _ = invoke(filter, .response, of(stream, .response)[frame.metadata]);
}

fn next(stream: *Stream, frame: *Frame) void {
    frame.metadata += 1;
    frame.position = frame.first_position;
    frame.phase = .enter;
    if (frame.metadata == frame.metadata_end) stream.pop();
}
