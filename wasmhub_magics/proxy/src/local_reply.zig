//! Answers in the upstream's place (`FilterManager::sendLocalReply`).

const arena_zig = @import("arena.zig");
const router = @import("router.zig");
const headers = @import("headers.zig");
const metadata_zig = @import("metadata.zig");
const reply_zig = @import("reply.zig");
const std = @import("std");
const stream_zig = @import("stream.zig");

const Filter = stream_zig.Filter;
const Side = stream_zig.Side;
const Stream = stream_zig.Stream;

/// Whether the first thing to do is to answer.
pub inline fn replies(stream: *const Stream) bool {
    return stream.actions.items.len > 0 and stream.actions.items[0] == .reply;
}

pub fn resetStream(stream: *Stream) void {
    metadata_zig.keepLate(stream);
    arena_zig.clear(&stream.frames);
    arena_zig.clear(&stream.actions);
    stream.was_reset = true;
    stream.finish();
}

/// The filter's VM is dead: answer 503 in its place, once (`failStream`). What its creation had asked to
/// answer comes before that, and of several answers the first is sent, with the details of the last.
pub fn fail(stream: *Stream, filter: *Filter) error{OutOfMemory}!void {
    filter.failure_sent = true;
    var reply = stream.asked orelse reply_zig.Reply{ .status = 503, .grpc_status = 14, .details = "" };
    stream.asked = null;
    reply.details = "wasm_fail_stream";
    try stream.localReply(reply);
}

/// What an answer says about itself is known before it is made.
pub noinline fn note(stream: *Stream, reply: *const reply_zig.Reply) void {
    stream.details = reply.details;
    stream.detailed = true;
    stream.code = reply.status;
}

/// The direction in which a filter is being called.
pub fn iterating(stream: *const Stream) ?Side {
    if (stream.frames.items.len == 0) return null;
    const frame = &stream.frames.items[stream.frames.items.len - 1];
    return switch (frame.kind) {
        .headers, .data, .trailers, .metadata => frame.side,
        .late_metadata, .continuation, .request_source, .response_source => null,
    };
}

/// Answer in the upstream's place. What still runs on the way in is over.
pub fn localReply(stream: *Stream, reply: reply_zig.Reply) error{OutOfMemory}!void {
    const running = stream.iterating();
    metadata_zig.keepLate(stream);
    arena_zig.clear(&stream.frames);
    const sent = stream.code;
    stream.note(&reply);
    if (stream.response_started) {
        stream.code = sent;
        return stream.resetStream();
    }
    const direct = stream.response.headers.exists;
    if (direct) {
        // Whoever has something of the upstream's answer in hand keeps it.
        if (!stream.direct) std.mem.swap(headers.Map, &stream.overwritten, &stream.response.headers);
        const trailers = stream.response.trailers;
        stream.response.trailers = .{ .kind = .response_trailers };
        stream.response.clear();
        stream.response.trailers = trailers;
    } else stream.response.clear();
    const map = &stream.response.headers;
    const head_only = try reply_zig.build(&reply, map, stream.prepared);
    map.exists = true;
    stream.response.complete = head_only;
    if (!head_only) try stream.response.chunk.set(reply.body);
    // Filters whose state is in the middle of a response are not asked about another one.
    stream.direct = direct;
    if (running) |side| stream.flow(side).aborted = true;
    reroute(stream);
    stream.asked = null;
    const position = if (direct) stream.filters.items.len else 0;
    stream.stage = .response;
    // A data frame waits under the headers, and runs after them.
    if (!head_only) {
        try stream.push(.{ .kind = .data, .side = .response, .position = position, .end_stream = true });
    }
    try stream.push(.{ .kind = .headers, .side = .response, .position = position, .end_stream = head_only });
}

/// Look for the route once more, in the headers that filters have left: the moment is when an answer is asked for.
fn reroute(stream: *Stream) void {
    if (stream.request_routed or stream.request.headers.intact) return;
    if (router.refusal(&stream.request.headers)) |refused| stream.routeless = refused.status == 404;
}
