//! METADATA frames of HTTP/2 on their way through the filters. Filters learn how many names a frame holds; what is in it
//! they cannot see, and what they return means nothing.

const stream_zig = @import("stream.zig");
const vm_zig = @import("vm.zig");

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
        if (!filter.skipped and filter.created and !(side == .response and filter.failure_sent)) {
            frame.result = null;
            if (filter.failed()) return;
            const count = of(stream, side)[frame.metadata];
            const vm = filter.context.vm;
            filter.stop = false;
            frame.result = switch (side) {
                .request => if (vm.has(.proxy_on_request_metadata))
                    vm_zig.invoke(u32, &filter.context, .proxy_on_request_metadata, .{count})
                else
                    0,
                .response => if (vm.has(.proxy_on_response_metadata))
                    vm_zig.invoke(u32, &filter.context, .proxy_on_response_metadata, .{count})
                else
                    0,
            };
        }
    }
    if (try stream.act()) return;
    if (frame.result == null) return stream.fail(filter);
    frame.position += 1;
    frame.phase = .enter;
}

fn next(stream: *Stream, frame: *Frame) void {
    frame.metadata += 1;
    frame.position = frame.first_position;
    frame.phase = .enter;
    if (frame.metadata == frame.metadata_end) stream.pop();
}
