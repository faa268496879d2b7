//! How a stream goes on that a filter had stopped.

const metadata_zig = @import("metadata.zig");
const stream_zig = @import("stream.zig");

const Frame = stream_zig.Frame;
const Stream = stream_zig.Stream;

/// Envoy's `commonContinue`: what a filter held back goes on.
pub fn stepContinuation(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
    const side = frame.side;
    const flow_of = stream.flow(side);
    const half = stream.filterAt(side, frame.position).half(side);
    const from = if (half.from_current) frame.position else frame.position + 1;
    switch (frame.phase) {
        .enter => {
            if (half.stoppedAll()) half.from_current = true;
            half.iteration = .going;
            frame.phase = .created;
            if (half.headers_continued) return;
            half.headers_continued = true;
            const end = flow_of.complete and !flow_of.held.exists and !flow_of.trailers.exists;
            return stream.push(.{
                .kind = .headers,
                .side = side,
                .position = frame.position + 1,
                .end_stream = end,
            });
        },
        .created => {
            if (half.metadata_waiting > 0) return metadata_zig.pushWaiting(stream, side, frame.position, from);
            frame.trailers_before = flow_of.trailers.exists;
            frame.phase = .rest;
            if (!flow_of.held.exists) return;
            return stream.push(.{
                .kind = .data,
                .side = side,
                .position = from,
                .source = .held,
                .end_stream = flow_of.complete and !frame.trailers_before,
                .trailers_before = frame.trailers_before,
            });
        },
        .rest => {
            const had_trailers = frame.trailers_before;
            frame.phase = .last;
            if (had_trailers) return stream.push(.{ .kind = .trailers, .side = side, .position = from });
        },
        .last => {
            half.from_current = false;
            stream.pop();
            flow_of.stalled = false;
            const next = flow_of.unread orelse return;
            flow_of.unread = null;
            return stream.push(.{
                .kind = if (side == .request) .request_source else .response_source,
                .side = side,
                .phase = .rest,
                .next_chunk = next,
            });
        },
        .returned => unreachable,
    }
}
