//! Where a message comes from: its parts set off through the filters one after another.

const events = @import("events.zig");
const metadata_zig = @import("metadata.zig");
const stream_zig = @import("stream.zig");
const straight = @import("straight.zig");

const Answer = @import("answer.zig").Answer;
const Prepared = @import("prepared.zig").Prepared;
const Side = stream_zig.Side;
const Stream = stream_zig.Stream;

/// The peer sends its message: headers, data frames, an empty last frame or trailers, as HTTP/1 does. It goes on as long
/// as nothing else is to be done first.
pub noinline fn pour(comptime side: Side, stream: *Stream) error{OutOfMemory}!void {
    if (stream.top().phase == .enter) {
        try begin(side, stream);
        if (!flows(side, stream)) return;
    }
    while (try next(side, stream)) |end_stream| {
        try straight.data(side, stream, end_stream);
        if (end_stream or !flows(side, stream)) return;
    }
}

/// Nothing else is to be done before the peer's next frame.
inline fn flows(comptime side: Side, stream: *Stream) bool {
    return stream.frames.items.len > 0 and stream.top().kind == if (side == .request) .request_source else .response_source;
}

inline fn begin(comptime side: Side, stream: *Stream) error{OutOfMemory}!void {
    const flow = straight.flowOf(side, stream);
    const bodiless = side == .response and stream.asked_for_head;
    const metadata = if (bodiless) &.{} else metadata_zig.of(stream, side);
    const source = sourceOf(side, stream);
    const empty = bodiless or (source.chunks.len == 0 and !source.trailers.exists and metadata.len == 0);
    const open = side == .request and stream.prepared.tunnel;
    flow.headers.exists = true;
    flow.complete = empty and !open;
    stream.upstream_complete = empty and side == .response;
    if (empty) stream.pop() else stream.top().phase = .rest;
    if (metadata.len == 0) return straight.headers(side, stream, empty and !open);
    try metadata_zig.push(stream, side, 0, 0, @intCast(metadata.len));
    return stream.push(.{ .kind = .headers, .side = side });
}

/// Put the next data frame into the flow's chunk: whether it is the last. Null where something else comes first.
inline fn next(comptime side: Side, stream: *Stream) error{OutOfMemory}!?bool {
    const flow = straight.flowOf(side, stream);
    const frame = stream.top();
    const source = sourceOf(side, stream);
    const chunks = source.chunks;
    if (flow.stalled) {
        flow.unread = frame.next_chunk;
        stream.pop();
        return null;
    }
    // Frames arrive one by one, and what was put into queues is told before the next.
    if (frame.next_chunk > 0 and frame.next_chunk < chunks.len) {
        if (try stream.act()) return null;
        if (events.told()) return null;
    }
    if (frame.next_chunk < chunks.len) {
        const bytes = chunks[frame.next_chunk];
        frame.next_chunk += 1;
        flow.bytes += bytes.len;
        try flow.chunk.set(bytes);
        // The last frame of HTTP/2 says itself that it is the last.
        if (!source.http2 or frame.next_chunk < chunks.len or source.trailers.exists) return false;
    } else {
        if (source.trailers.exists) {
            ended(side, stream);
            try flow.trailers.copy(&source.trailers);
            try stream.push(.{ .kind = .trailers, .side = side });
            return null;
        }
        try flow.chunk.set("");
    }
    ended(side, stream);
    return true;
}

/// The peer has sent all of its message.
inline fn ended(comptime side: Side, stream: *Stream) void {
    stream.pop();
    straight.flowOf(side, stream).complete = true;
    stream.upstream_complete = side == .response;
}

inline fn sourceOf(comptime side: Side, stream: *Stream) if (side == .request) *const Prepared else *const Answer {
    return if (side == .request) stream.prepared else stream.answer_source;
}
