//! The straight way through the chain: headers and data that every filter lets go on at once.
//!
//! Each callback is made from a frame that stands in memory as steps.zig leaves it before the same callback. So
//! whatever else comes of it, a trap, an answer, a pause, is taken up there, and here is nothing but the rule.

const create = @import("finish.zig").create;
const events = @import("events.zig");
const source = @import("source.zig");
const steps = @import("steps.zig");
const stream_zig = @import("stream.zig");

const Filter = stream_zig.Filter;
const Frame = stream_zig.Frame;
const Side = stream_zig.Side;
const Stream = stream_zig.Stream;

/// A whole exchange that nothing holds up. False where something is left for
/// stages.zig, which goes on from there.
pub fn exchange(stream: *Stream) error{OutOfMemory}!bool {
    if (!source.flows(.request, stream)) return false;
    if (stream.top().phase == .enter) try source.begin(.request, stream);
    if (source.flows(.request, stream)) try source.pour(.request, stream);
    if (stream.frames.items.len > 0 or !stream.request_done or stream.response_done or stream.was_reset) return false;
    const upstream = stream.prepared.upstream orelse return false;
    if (stream.actions.items.len > 0 or !events.quiet()) return false;
    stream.upstream_called = true;
    try @call(.always_inline, Stream.respond, .{ stream, upstream });
    if (!source.flows(.response, stream)) return false;
    try source.pour(.response, stream);
    if (stream.frames.items.len > 0 or !stream.response_done) return false;
    @call(.always_inline, Stream.finish, .{stream});
    try @call(.always_inline, Stream.stepLog, .{stream});
    if (stream.stage != .finish_done) return false;
    try @call(.always_inline, Stream.stepDone, .{stream});
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
    if (!stream.sound) return leave(frame);
    const flow = stream.flow(side);
    for (0..stream.filters.items.len) |position| {
        const filter = filterAt(side, stream, position);
        const half = filter.half(side);
        frame.position = position;
        if (side == .response and !filter.created) return leave(frame);
        half.end_stream = end_stream;
        if (side == .request) {
            create(filter);
            if (stream.actions.items.len > 0) return steps.created(stream, frame);
        }
        half.headers = true;
        filter.end_of_stream = end_stream;
        filter.stop = false;
        const result = steps.invokeHeaders(side, filter, @intCast(flow.headers.entries.items.len), end_stream);
        if (result != 0 or asksForMore(stream, filter) or half.metadata_waiting > 0) {
            return steps.headersReturned(stream, frame, result);
        }
        half.iteration = .going;
        half.asked = true;
        half.headers = false;
        half.headers_continued = true;
    }
    flow.straight = true;
    stream.pop();
    const out = if (side == .request) Stream.routeHeaders else Stream.sendHeaders;
    return @call(.always_inline, out, .{ stream, end_stream });
}

/// A data frame comes to the first filter.
pub inline fn data(comptime side: Side, stream: *Stream, end_stream: bool) error{OutOfMemory}!void {
    const flow = stream.flow(side);
    try stream.push(.{
        .kind = .data,
        .side = side,
        .phase = .returned,
        .end_stream = end_stream,
        .trailers_before = !end_stream and flow.trailers.exists,
        .result = Frame.trapped,
    });
    const frame = stream.top();
    if (!flow.straight or flow.trailers.exists) return leave(frame);
    flow.straight = false;
    for (0..stream.filters.items.len) |position| {
        const filter = filterAt(side, stream, position);
        const half = filter.half(side);
        frame.position = position;
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
    flow.straight = true;
    stream.pop();
    const out = if (side == .request) Stream.routeData else Stream.sendData;
    return @call(.always_inline, out, .{ stream, &flow.chunk, end_stream });
}

/// The frame goes on as steps.zig has it, from this filter on.
inline fn leave(frame: *Frame) void {
    frame.phase = .enter;
}

inline fn asksForMore(stream: *const Stream, filter: *const Filter) bool {
    return stream.actions.items.len > 0 or filter.stop;
}

inline fn filterAt(comptime side: Side, stream: *Stream, position: usize) *Filter {
    const all = stream.filters.items;
    return opaquely(if (side == .request) &all.ptr[position] else &all.ptr[all.len -% 1 -% position]);
}

/// The same pointer, of which the compiler knows nothing: it then reaches fields at fixed distances from it, not each
/// by a sum of its own.
pub inline fn opaquely(filter: *Filter) *Filter {
    return asm ("local.get %[in]\n local.set %[out]"
        : [out] "=r" (-> *Filter),
        : [in] "r" (filter),
    );
}
