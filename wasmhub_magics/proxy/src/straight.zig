//! The straight way through the chain: headers and data that every filter lets go on at once.
//!
//! Each callback is made from a frame that stands in memory as steps.zig leaves it before the same callback. So
//! whatever else comes of it, a trap, an answer, a pause, is taken up there, and here is nothing but the rule.

const abi = @import("abi.zig");
const create = @import("finish.zig").create;
const events = @import("events.zig");
const source = @import("source.zig");
const steps = @import("steps.zig");
const stream_zig = @import("stream.zig");

const Filter = stream_zig.Filter;
const Frame = stream_zig.Frame;
const Side = stream_zig.Side;
const Stream = stream_zig.Stream;

/// A whole exchange that nothing holds up. False where something is left for `Stream.run`, which goes on from there.
pub fn exchange(stream: *Stream) error{OutOfMemory}!bool {
    while (stream.frames.items.len == 1 and stream.top().kind == .request_source) {
        try source.step(.request, stream, stream.top());
    }
    if (stream.frames.items.len > 0 or !stream.request_done or stream.response_done or stream.was_reset) return false;
    const upstream = stream.prepared.upstream orelse return false;
    if (stream.actions.items.len > 0 or !events.quiet()) return false;
    stream.upstream_called = true;
    try stream.respond(upstream);
    while (stream.frames.items.len == 1 and stream.top().kind == .response_source) {
        try source.step(.response, stream, stream.top());
    }
    if (stream.frames.items.len > 0 or !stream.response_done) return false;
    stream.finish();
    try stream.stepLog();
    if (stream.stage != .finish_done) return false;
    try stream.stepDone();
    return stream.frames.items.len == 0 and events.over();
}

/// Headers come to the first filter.
pub inline fn headers(comptime side: Side, stream: *Stream, end_stream: bool) error{OutOfMemory}!void {
    try stream.push(.{
        .kind = .headers,
        .side = side,
        .phase = .returned,
        .end_stream = end_stream,
        .result = Frame.trapped,
    });
    const frame = stream.top();
    const map = &flowOf(side, stream).headers;
    for (0..stream.filters.items.len) |position| {
        const filter = filterAt(side, stream, position);
        const half = filter.half(side);
        frame.position = position;
        if (!listens(side, filter)) {
            frame.phase = .enter;
            return;
        }
        half.end_stream = end_stream;
        if (side == .request) {
            create(filter);
            if (stream.actions.items.len > 0) return steps.created(stream, frame);
        }
        half.headers = true;
        filter.end_of_stream = end_stream;
        filter.stop = false;
        const result = steps.invokeHeaders(side, filter, @intCast(map.entries.items.len), end_stream);
        if (result != 0 or asksForMore(stream, filter) or half.metadata_waiting > 0) {
            return steps.headersReturned(stream, frame, result);
        }
        half.iteration = .going;
        half.asked = true;
        half.headers = false;
        half.headers_continued = true;
    }
    stream.pop();
    return if (side == .request) stream.routeHeaders(end_stream) else stream.sendHeaders(end_stream);
}

/// A data frame comes to the first filter.
pub inline fn data(comptime side: Side, stream: *Stream, end_stream: bool) error{OutOfMemory}!void {
    const flow = flowOf(side, stream);
    try stream.push(.{
        .kind = .data,
        .side = side,
        .phase = .returned,
        .end_stream = end_stream,
        .trailers_before = !end_stream and flow.trailers.exists,
        .result = Frame.trapped,
    });
    const frame = stream.top();
    for (0..stream.filters.items.len) |position| {
        const filter = filterAt(side, stream, position);
        const half = filter.half(side);
        frame.position = position;
        const goes = half.iteration == .going and !half.holding and !half.end_stream;
        if (!goes or flow.trailers.exists or !listens(side, filter)) {
            frame.phase = .enter;
            return;
        }
        half.end_stream = end_stream;
        half.body = .chunk;
        half.data = true;
        filter.end_of_stream = end_stream;
        filter.stop = false;
        const result = steps.invokeBody(side, filter, @intCast(flow.chunk.bytes.items.len), end_stream);
        if (result != 0 or asksForMore(stream, filter) or flow.trailers.exists) {
            frame.result = result;
            return;
        }
        half.body = .none;
        half.data = false;
    }
    stream.pop();
    return if (side == .request) stream.routeData(&flow.chunk, end_stream) else stream.sendData(&flow.chunk, end_stream);
}

/// Whether the filter is to hear of what comes, without another look at why.
inline fn listens(comptime side: Side, filter: *const Filter) bool {
    if (filter.failed()) return false;
    return if (side == .request) !filter.skipped else filter.created and !filter.skipped and !filter.failure_sent;
}

inline fn asksForMore(stream: *const Stream, filter: *const Filter) bool {
    return stream.actions.items.len > 0 or filter.stop;
}

inline fn flowOf(comptime side: Side, stream: *Stream) *stream_zig.Flow {
    return if (side == .request) &stream.request else &stream.response;
}

inline fn filterAt(comptime side: Side, stream: *Stream, position: usize) *Filter {
    const all = stream.filters.items;
    return if (side == .request) &all.ptr[position] else &all.ptr[all.len -% 1 -% position];
}
