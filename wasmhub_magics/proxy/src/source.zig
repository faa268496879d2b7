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
    const flow = stream.flow(side);
    const source = sourceOf(side, stream);
    const chunks = source.chunks;
    while (true) {
        const frame = stream.top();
        const place = frame.next_chunk;
        if (flow.stalled) {
            flow.unread = place;
            return stream.pop();
        }
        // Frames arrive one by one, and what was put into queues is told before the next.
        if (place > 0 and place < chunks.len) {
            if (try stream.act()) return;
            if (events.told()) return;
        }
        var end_stream = true;
        if (place < chunks.len) {
            frame.next_chunk = place +% 1;
            flow.bytes +%= chunks.ptr[place].len;
            try flow.chunk.set(chunks.ptr[place]);
            // The last frame of HTTP/2 says itself that it is the last.
            end_stream = source.http2 and frame.next_chunk == chunks.len and !source.trailers.exists;
        } else if (source.trailers.exists) {
            ended(side, stream);
            try flow.trailers.copy(&source.trailers);
            return stream.push(.{ .kind = .trailers, .side = side });
        } else try flow.chunk.set("");
        if (end_stream) ended(side, stream);
        try straight.data(side, stream, end_stream);
        if (end_stream or !flows(side, stream)) return;
    }
}

/// Nothing else is to be done before the peer's next frame.
pub inline fn flows(comptime side: Side, stream: *Stream) bool {
    return stream.frames.items.len > 0 and stream.top().kind == if (side == .request) .request_source else .response_source;
}

pub inline fn begin(comptime side: Side, stream: *Stream) error{OutOfMemory}!void {
    const flow = stream.flow(side);
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

/// The peer has sent all of its message.
inline fn ended(comptime side: Side, stream: *Stream) void {
    stream.pop();
    stream.flow(side).complete = true;
    stream.upstream_complete = side == .response;
}

inline fn sourceOf(comptime side: Side, stream: *Stream) if (side == .request) *const Prepared else *const Answer {
    return if (side == .request) stream.prepared else stream.answer_source;
}
