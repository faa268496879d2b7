//! The steps of a stream through its filters: what `filter_manager.cc` does with headers, data and trailers.

const abi = @import("abi.zig");
const arena_zig = @import("arena.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const reply_zig = @import("reply.zig");
const source_zig = @import("source.zig");
const create = @import("finish.zig").create;
const metadata_zig = @import("metadata.zig");
const stream_zig = @import("stream.zig");
const vm_zig = @import("vm.zig");

const Filter = stream_zig.Filter;
const Frame = stream_zig.Frame;
const Side = stream_zig.Side;
const Source = stream_zig.Source;
const Stream = stream_zig.Stream;

/// Take steps until no frame is left.
pub fn run(stream: *Stream) error{OutOfMemory}!void {
    while (stream.frames.items.len > 0) {
        const frame = &stream.frames.items[stream.frames.items.len - 1];
        switch (frame.kind) {
            .headers => try stream.stepHeaders(frame),
            .data => try stream.stepData(frame),
            .trailers => try stream.stepTrailers(frame),
            .metadata => try stream.stepMetadata(frame),
            .late_metadata => metadata_zig.stepLate(stream, frame),
            .continuation => try stream.stepContinuation(frame),
            .request_source => try source_zig.pour(.request, stream),
            .response_source => try source_zig.pour(.response, stream),
        }
    }
}

pub fn stepHeaders(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
    const side = frame.side;
    while (frame.position < stream.filters.items.len) {
        if (!try filterHeaders(stream, frame)) return;
    }
    const end_stream = frame.end_stream;
    stream.pop();
    return if (side == .request) stream.routeHeaders(end_stream) else stream.sendHeaders(end_stream);
}

/// True where the headers have gone on, and nothing else is to be done before the next filter.
inline fn filterHeaders(stream: *Stream, frame: *Frame) error{OutOfMemory}!bool {
    const side = frame.side;
    const filter = stream.filterAt(side, frame.position);
    const half = filter.half(side);
    if (frame.phase == .enter) {
        half.end_stream = frame.end_stream;
        frame.phase = .returned;
        frame.result = 0;
        if (filter.skipped or (side == .response and (!filter.created or filter.failure_sent))) {
            half.headers_continued = true;
            half.asked = true;
            const position = frame.position;
            frame.position += 1;
            frame.phase = .enter;
            if (half.metadata_waiting == 0) return true;
            try metadata_zig.pushWaiting(stream, side, position, position);
            return false;
        }
        frame.result = Frame.trapped;
        if (filter.failed()) return false;
        if (!filter.created) create(filter);
        created(stream, frame);
    }
    if (frame.phase == .created) {
        // What creation asked for happens after the headers callback.
        frame.phase = .returned;
        const flow_of = stream.flow(side);
        const count: u32 = @intCast(flow_of.headers.entries.items.len);
        half.headers = true;
        filter.end_of_stream = frame.end_stream;
        filter.stop = false;
        frame.result = Frame.trapped;
        // The frame must be found again: a callback cannot push frames, so the pointer stays good.
        const result = switch (side) {
            inline else => |known| invokeHeaders(known, filter, count, frame.end_stream),
        };
        headersReturned(stream, frame, result);
    }
    if (try stream.act()) return false;
    if (frame.result == Frame.trapped) {
        try stream.fail(filter);
        return false;
    }
    const value: u32 = @truncate(frame.result);
    const allowed = filter.context.plugin.?.allow_on_headers_stop_iteration;
    half.iteration = if (filter.stop) .stopped_all_watermark else switch (value) {
        0, 2 => .going,
        1 => if (allowed) .stopped else .stopped_all_watermark,
        3 => .stopped_all_buffer,
        else => .stopped_all_watermark,
    };
    half.asked = true;
    const position = frame.position;
    if (half.iteration != .going) {
        stream.pop();
    } else {
        half.headers = false;
        half.headers_continued = true;
        frame.position += 1;
        frame.phase = .enter;
        if (half.metadata_waiting == 0) return true;
    }
    if (half.metadata_waiting > 0 and !half.stoppedAll()) try metadata_zig.pushWaiting(stream, side, position, position);
    return false;
}

/// The filter has been given its context; what that asked for happens after the headers callback.
pub noinline fn created(stream: *Stream, frame: *Frame) void {
    frame.phase = .created;
    if (!stream.replies()) return;
    stream.note(&stream.actions.items[0].reply);
    stream.asked = stream.actions.items[0].reply;
}

/// The headers callback has come back.
pub noinline fn headersReturned(stream: *Stream, frame: *Frame, result: u32) void {
    frame.result = result;
    if (result & ~@as(u32, 2) != 0 or frame.side == .response) return;
    const filter = stream.filterAt(frame.side, frame.position);
    // An answer that the creation asked for is made after this.
    if (!filter.stop and stream.replies()) filter.half(.request).headers = false;
}

pub fn stepData(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
    const side = frame.side;
    const flow_of = stream.flow(side);
    if (frame.phase == .rest) {
        const added = frame.trailers_added;
        stream.pop();
        if (added) |position| try stream.pushAdded(side, position);
        return;
    }
    while (frame.position < stream.filters.items.len) {
        if (!try filterData(stream, frame)) return;
    }
    const end_stream = frame.end_stream;
    const body = flow_of.body(frame.source);
    const added = if (stream.unheard) null else frame.trailers_added;
    stream.pop();
    if (added) |position| try stream.pushAdded(side, position);
    return if (side == .request) stream.routeData(body, end_stream) else stream.sendData(body, end_stream);
}

/// True where the frame has gone on.
inline fn filterData(stream: *Stream, frame: *Frame) error{OutOfMemory}!bool {
    const side = frame.side;
    const flow_of = stream.flow(side);
    const filter = stream.filterAt(side, frame.position);
    const half = filter.half(side);
    if (frame.phase == .enter) {
        if (frame.end_stream) flow_of.complete = true;
        if (half.stoppedAll()) {
            flow_of.streaming = half.iteration == .stopped_all_watermark;
            const source = frame.source;
            stream.pop();
            _ = try stream.hold(side, source);
            return false;
        }
        if (half.end_stream) {
            stream.pop();
            return false;
        }
        half.end_stream = frame.end_stream and !flow_of.trailers.exists;
        frame.phase = .returned;
        frame.result = 0;
        const silent = filter.skipped or !filter.created or (side == .response and filter.failure_sent);
        if (!silent) {
            frame.result = Frame.trapped;
            if (filter.failed()) return false;
            if (half.holding and frame.source == .chunk and try stream.hold(side, .chunk)) return false;
            half.body = if (half.holding or frame.source == .held) .held else .chunk;
            half.data = true;
            const size: u32 = @intCast(stream.visibleBody(filter, side).?.bytes.items.len);
            filter.end_of_stream = half.end_stream;
            filter.stop = false;
            frame.result = switch (side) {
                inline else => |known| invokeBody(known, filter, size, half.end_stream),
            };
        }
    }
    if (try stream.act()) return false;
    if (frame.result == Frame.trapped) {
        try stream.fail(filter);
        return false;
    }
    const value: u32 = @truncate(frame.result);
    if (!frame.trailers_before and flow_of.trailers.exists and frame.trailers_added == null) {
        frame.end_stream = false;
        frame.trailers_added = frame.position;
    }
    const status: u32 = if (filter.stop) 3 else @min(value, 3);
    // On the way back Envoy sends trailers that were just added only where the data goes on at once.
    if (side == .response and (status != 0 or half.iteration == .stopped)) frame.trailers_added = null;
    half.holding = status == 1;
    if (status == 0) {
        half.body = .none;
        half.data = false;
        if (half.iteration == .stopped) {
            const position = frame.position;
            frame.phase = .rest;
            if (!try stream.hold(side, frame.source)) {
                try stream.push(.{ .kind = .continuation, .side = side, .position = position });
            }
            return false;
        }
        frame.position += 1;
        frame.phase = .enter;
        return true;
    }
    half.iteration = .stopped;
    frame.phase = .rest;
    if (status == 1) half.body = .held else if (!half.data) half.body = .none;
    if (status == 3) {
        // An empty buffer makes sure that the last, empty frame is not lost when the stream is continued.
        if (flow_of.complete and !flow_of.trailers.exists) flow_of.held.exists = true;
        if (frame.source == .chunk) arena_zig.clear(&flow_of.chunk.bytes);
        return false;
    }
    flow_of.streaming = status == 2;
    _ = try stream.hold(side, frame.source);
    return false;
}

/// Trailers that a filter has made go to those after it, and to itself where what it held up goes on.
pub noinline fn pushAdded(stream: *Stream, side: Side, position: usize) error{OutOfMemory}!void {
    const half = stream.filterAt(side, position).half(side);
    const from = if (half.from_current) position else position + 1;
    try stream.push(.{ .kind = .trailers, .side = side, .position = from });
}

pub fn stepTrailers(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
    const side = frame.side;
    if (frame.position == stream.filters.items.len) {
        stream.pop();
        return if (side == .request) stream.endRequest() else stream.endResponse();
    }
    const filter = stream.filterAt(side, frame.position);
    const half = filter.half(side);
    if (frame.phase == .enter) {
        if (half.stoppedAll()) return stream.pop();
        frame.phase = .returned;
        frame.result = 0;
        if (!filter.skipped and filter.created and !(side == .response and filter.failure_sent)) {
            frame.result = Frame.trapped;
            if (filter.failed()) return;
            const count: u32 = @intCast(stream.flow(side).trailers.entries.items.len);
            half.trailers = true;
            filter.stop = false;
            frame.result = switch (side) {
                .request => invokeTrailers(filter, .proxy_on_request_trailers, count),
                .response => invokeTrailers(filter, .proxy_on_response_trailers, count),
            };
        }
    }
    if (try stream.act()) return;
    if (frame.result == Frame.trapped) return stream.fail(filter);
    const value: u32 = @truncate(frame.result);
    half.end_stream = true;
    if (value == 0 and !filter.stop) {
        half.trailers = false;
        if (half.iteration == .stopped) {
            const position = frame.position;
            stream.pop();
            return stream.push(.{ .kind = .continuation, .side = side, .position = position });
        }
        frame.position += 1;
        frame.phase = .enter;
        return;
    }
    if (half.iteration == .going) half.iteration = .stopped;
    stream.pop();
}

/// Put a frame's bytes with those that are held back. True where that was too much and the stream is over.
pub fn hold(stream: *Stream, side: Side, source: Source) error{OutOfMemory}!bool {
    const flow_of = stream.flow(side);
    if (source == .chunk) try flow_of.held.move(&flow_of.chunk);
    if (flow_of.held.bytes.items.len <= stream.prepared.body_limit) return false;
    if (flow_of.streaming) {
        flow_of.stalled = true;
        log.warn("more than {d} bytes of the {t} body are held back, so the peer is no longer read", .{
            stream.prepared.body_limit, side,
        });
        return false;
    }
    try stream.localReply(if (side == .request) .{
        .status = 413,
        .body = reply_zig.reason(413),
        .details = "request_payload_too_large",
    } else .{
        .status = 500,
        .body = reply_zig.reason(500),
        .details = "response_payload_too_large",
    });
    return true;
}

pub inline fn invokeHeaders(comptime side: Side, filter: *Filter, count: u32, end_stream: bool) u32 {
    const callback: abi.Callback = if (side == .request) .proxy_on_request_headers else .proxy_on_response_headers;
    const vm = filter.context.vm;
    if (!vm.has(callback)) return 0;
    if (vm.version == .v0_1_0) return vm_zig.invokeInline(u32, &filter.context, callback, .{count});
    return vm_zig.invokeInline(u32, &filter.context, callback, .{ count, @as(u32, @intFromBool(end_stream)) });
}

pub inline fn invokeBody(comptime side: Side, filter: *Filter, size: u32, end_stream: bool) u32 {
    const callback: abi.Callback = if (side == .request) .proxy_on_request_body else .proxy_on_response_body;
    if (!filter.context.vm.has(callback)) return 0;
    return vm_zig.invokeInline(u32, &filter.context, callback, .{ size, @as(u32, @intFromBool(end_stream)) });
}

fn invokeTrailers(filter: *Filter, comptime callback: abi.Callback, count: u32) u32 {
    if (!filter.context.vm.has(callback)) return 0;
    return vm_zig.invoke(u32, &filter.context, callback, .{count});
}
