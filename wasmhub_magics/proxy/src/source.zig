//! Where a message comes from: its parts set off through the filters one after another.

const events = @import("events.zig");
const metadata_zig = @import("metadata.zig");
const stream_zig = @import("stream.zig");
const straight = @import("straight.zig");

const Frame = stream_zig.Frame;
const Side = stream_zig.Side;
const Stream = stream_zig.Stream;

/// The peer sends its message: headers, data frames, an empty last frame or trailers, as HTTP/1 does.
pub noinline fn step(comptime side: Side, stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
    const flow = if (side == .request) &stream.request else &stream.response;
    const chunks = if (side == .request) stream.prepared.chunks else stream.answer_source.chunks;
    const trailers = if (side == .request) &stream.prepared.trailers else &stream.answer_source.trailers;
    if (frame.phase == .enter) {
        const bodiless = side == .response and stream.asked_for_head;
        const metadata = if (bodiless) &.{} else metadata_zig.of(stream, side);
        const empty = bodiless or (chunks.len == 0 and !trailers.exists and metadata.len == 0);
        const open = side == .request and stream.prepared.tunnel;
        flow.headers.exists = true;
        flow.complete = empty and !open;
        stream.upstream_complete = empty and side == .response;
        if (empty) stream.pop() else frame.phase = .rest;
        if (metadata.len == 0) return straight.headers(side, stream, empty and !open);
        try metadata_zig.push(stream, side, 0, 0, @intCast(metadata.len));
        return stream.push(.{ .kind = .headers, .side = side });
    }
    if (flow.stalled) {
        flow.unread = frame.next_chunk;
        return stream.pop();
    }
    // Frames arrive one by one, and what was put into queues is told before the next.
    if (frame.next_chunk > 0 and frame.next_chunk < chunks.len) {
        if (try stream.act()) return;
        if (events.told()) return;
    }
    if (frame.next_chunk < chunks.len) {
        const bytes = chunks[frame.next_chunk];
        frame.next_chunk += 1;
        flow.bytes += bytes.len;
        try flow.chunk.set(bytes);
        const http2 = if (side == .request) stream.prepared.http2 else stream.answer_source.http2;
        // The last frame of HTTP/2 says itself that it is the last.
        if (!http2 or frame.next_chunk < chunks.len or trailers.exists) return straight.data(side, stream, false);
    } else {
        if (trailers.exists) {
            ended(side, stream);
            try flow.trailers.copy(trailers);
            return stream.push(.{ .kind = .trailers, .side = side });
        }
        try flow.chunk.set("");
    }
    ended(side, stream);
    return straight.data(side, stream, true);
}

/// The peer has sent all of its message.
inline fn ended(comptime side: Side, stream: *Stream) void {
    stream.pop();
    (if (side == .request) &stream.request else &stream.response).complete = true;
    stream.upstream_complete = side == .response;
}
