//! What a stream is made of: its two directions, its filters, and the frames of work that are under way.

const Body = @import("buffer.zig").Body;
const grpc = @import("grpc.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const reply_zig = @import("reply.zig");
const vm_zig = @import("vm.zig");

pub const Side = enum(u1) { request, response };

pub const Iteration = enum { going, stopped, stopped_all_buffer, stopped_all_watermark };

/// What a filter's context is to one side of the stream.
pub const Half = struct {
    // Of the filter manager.
    iteration: Iteration = .going,
    headers_continued: bool = false,
    end_stream: bool = false,
    from_current: bool = false,
    // Of the Wasm context: what host functions reach.
    headers: bool = false,
    trailers: bool = false,
    body: enum { none, chunk, held } = .none,
    /// A data frame was given and not let go: its end may still get trailers.
    data: bool = false,
    holding: bool = false,
    /// The filter has been asked about the headers.
    asked: bool = false,
    /// METADATA frames that wait until it is, or until it lets its stream go on: the first one's place, and how many.
    metadata_first: u32 = 0,
    metadata_waiting: u32 = 0,

    pub fn stoppedAll(half: *const Half) bool {
        return half.iteration == .stopped_all_buffer or half.iteration == .stopped_all_watermark;
    }
};

/// A plugin's part in one stream.
pub const Filter = struct {
    context: vm_zig.Context,
    /// The VM knows the context.
    created: bool = false,
    /// The plugin's VM failed before the stream began, and its policy lets streams pass.
    skipped: bool = false,
    halves: [2]Half = .{ .{}, .{} },
    end_of_stream: bool = false,
    failure_sent: bool = false,
    /// `on_log` runs: headers can be read once more.
    logging: bool = false,
    /// An answer was sent in this callback, so its return value is replaced.
    stop: bool = false,

    pub fn half(filter: *Filter, side: Side) *Half {
        return &filter.halves[@backingInt(side)];
    }

    pub fn failed(filter: *const Filter) bool {
        return filter.context.vm.failed;
    }
};

/// One direction of the stream.
pub const Flow = struct {
    headers: headers.Map,
    trailers: headers.Map,
    chunk: Body = .{},
    /// What a filter holds back.
    held: Body = .{},
    /// The holder lets bytes pass the limit, and the peer is not read meanwhile.
    streaming: bool = false,
    stalled: bool = false,
    /// A filter in this direction was running when the proxy answered: nothing goes on any more.
    aborted: bool = false,
    /// The trailers were made in the log, which does not show them.
    unlogged: bool = false,
    /// The data frame that comes next when the peer is read again; null while it is read.
    unread: ?usize = null,
    /// The peer has sent everything.
    complete: bool = false,
    bytes: u64 = 0,
    /// All that has come this way so far went straight through the chain; see straight.zig.
    straight: bool = false,
    /// METADATA frames that have passed all filters.
    metadata_passed: u32 = 0,

    pub fn clear(flow: *Flow) void {
        flow.headers.clear();
        flow.trailers.clear();
        flow.chunk.clear();
        flow.held.clear();
        flow.streaming = false;
        flow.stalled = false;
        flow.aborted = false;
        flow.unlogged = false;
        flow.unread = null;
        flow.complete = false;
        flow.straight = false;
        flow.bytes = 0;
        flow.metadata_passed = 0;
    }

    pub fn body(flow: *Flow, source: Source) *Body {
        return if (source == .chunk) &flow.chunk else &flow.held;
    }
};

pub const Source = enum { chunk, held };

/// What a callback asked for that happens after it.
pub const Action = union(enum) {
    resume_request: *Filter,
    resume_response: *Filter,
    reply: reply_zig.Reply,
    close,
    tell: *grpc.Stream,
};

pub const Frame = struct {
    kind: enum { headers, data, trailers, metadata, late_metadata, continuation, request_source, response_source },
    side: Side = .request,
    phase: enum { enter, created, returned, rest, last } = .enter,
    /// The place in the chain in the direction of travel; the chain's length stands for its end.
    position: usize = 0,
    end_stream: bool = false,
    source: Source = .chunk,
    trailers_before: bool = false,
    trailers_added: ?usize = null,
    /// The return value of the last callback, or `trapped` until it has come back. No optional: those are written in
    /// two parts and read in one, which a processor waits for.
    result: u64 = 0,
    next_chunk: usize = 0,
    /// METADATA frames from this one on, to that one, are told of one after another.
    metadata: u32 = 0,
    metadata_end: u32 = 0,
    first_position: usize = 0,

    pub const trapped = @import("std").math.maxInt(u64);
};
