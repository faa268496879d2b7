//! Where a message comes from: its parts set off through the filters one after another.

const events = @import("events.zig");
const metadata_zig = @import("metadata.zig");
const stream_zig = @import("stream.zig");

const Frame = stream_zig.Frame;
const Stream = stream_zig.Stream;

/// The peer sends its message: headers, data frames, an empty last frame or trailers, as HTTP/1 does.
pub fn stepSource(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
    const side = frame.side;
    const flow_of = stream.flow(side);
    const chunks = if (side == .request) stream.prepared.chunks else stream.answer_source.chunks;
    const trailers = if (side == .request) &stream.prepared.trailers else &stream.answer_source.trailers;
    switch (frame.phase) {
        .enter => {
            const bodiless = side == .response and stream.asked_for_head;
            const metadata = if (bodiless) &.{} else metadata_zig.of(stream, side);
            const empty = bodiless or (chunks.len == 0 and !trailers.exists and metadata.len == 0);
            const open = side == .request and stream.prepared.tunnel;
            flow_of.headers.exists = true;
            flow_of.complete = empty and !open;
            stream.upstream_complete = empty and side == .response;
            if (empty) stream.pop() else frame.phase = .rest;
            if (metadata.len > 0) try metadata_zig.push(stream, side, 0, 0, @intCast(metadata.len));
            return stream.push(.{ .kind = .headers, .side = side, .end_stream = empty and !open });
        },
        .rest => {
            if (flow_of.stalled) {
                flow_of.unread = frame.next_chunk;
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
                flow_of.bytes += bytes.len;
                try flow_of.chunk.set(bytes);
                const http2 = if (side == .request) stream.prepared.http2 else stream.answer_source.http2;
                if (http2 and frame.next_chunk == chunks.len and !trailers.exists) {
                    // The last frame says itself that it is the last.
                    stream.pop();
                    flow_of.complete = true;
                    stream.upstream_complete = side == .response;
                    return stream.push(.{ .kind = .data, .side = side, .end_stream = true });
                }
                return stream.push(.{ .kind = .data, .side = side, .trailers_before = flow_of.trailers.exists });
            }
            stream.pop();
            flow_of.complete = true;
            stream.upstream_complete = side == .response;
            if (trailers.exists) {
                try flow_of.trailers.copy(trailers);
                return stream.push(.{ .kind = .trailers, .side = side });
            }
            try flow_of.chunk.set("");
            return stream.push(.{ .kind = .data, .side = side, .end_stream = true });
        },
        else => unreachable,
    }
}
