//! The two ends of the chain: the router and the connection to the client.

const Answer = @import("answer.zig").Answer;
const Body = @import("buffer.zig").Body;
const arena_zig = @import("arena.zig");
const exchange = @import("exchange.zig");
const router = @import("router.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const std = @import("std");
const stream_zig = @import("stream.zig");

const Stream = stream_zig.Stream;

pub fn routeHeaders(stream: *Stream, end_stream: bool) error{OutOfMemory}!void {
    const map = &stream.request.headers;
    if (!map.intact or !stream.prepared.routable) {
        if (router.refusal(map)) |refused| {
            stream.routeless = refused.status == 404;
            stream.no_route = stream.routeless;
            stream.request_routed = !stream.routeless; // the upstream's codec refuses it
            return stream.localReply(refused);
        }
        try router.schemeForRouter(map);
    }
    if (map.reserved) try router.forRouter(map);
    stream.request_routed = true;
    // A filter that had stopped the headers alone may still write to them, but they are on their way.
    stream.asked_for_head = if (map.intact) stream.prepared.head else headers.same(map.get(":method") orelse "", "HEAD");
    if (stream.recording and !stream.request_done) try exchange.keepUpstreamRequestHead(stream);
    if (end_stream) try stream.endRequest();
}

pub fn routeData(stream: *Stream, body: *Body, end_stream: bool) error{OutOfMemory}!void {
    try arena_zig.appendBytes(&stream.upstream_body, body.bytes.items);
    arena_zig.clear(&body.bytes);
    if (end_stream) try stream.endRequest();
}

pub inline fn endRequest(stream: *Stream) error{OutOfMemory}!void {
    if (stream.request_done) return;
    stream.request_done = true;
    if (stream.recording) try exchange.keepUpstreamRequest(stream);
}

/// What the upstream answers goes back through the chain.
pub fn respond(stream: *Stream, answer: *const Answer) error{OutOfMemory}!void {
    stream.stage = .response;
    stream.upstream_answered = true;
    stream.upstream_refused = answer.refused;
    if (answer.refused) {
        if (stream.recording) {
            try stream.response.headers.copy(&answer.headers);
            try exchange.keepUpstreamResponse(stream, answer);
            stream.response.clear();
        }
        return stream.localReply(.{
            .status = 502,
            .body = "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
            .details = "upstream_reset_before_response_started{protocol_error}",
        });
    }
    stream.details = "via_upstream";
    stream.code = answer.status;
    stream.answer_source = answer;
    try stream.response.headers.copy(&answer.headers);
    if (if (stream.asked_for_head) answer.framing_of_head else answer.framing) |entry| {
        try stream.response.headers.append(entry.name, entry.value);
    }
    const map = &stream.response.headers;
    const time: headers.Entry = .{ .name = "x-envoy-upstream-service-time", .value = try router.serviceTime() };
    if (map.reserved) try map.set(time.name, time.value) else try map.append(time.name, time.value);
    if (stream.recording) try exchange.keepUpstreamResponse(stream, answer);
    try stream.push(.{ .kind = .response_source, .side = .response });
}

pub fn sendHeaders(stream: *Stream, end_stream: bool) error{OutOfMemory}!void {
    if (stream.response_started) {
        log.warn("a filter continued a response that was not paused: its headers went out twice, which no client understands", .{});
        return stream.resetStream();
    }
    const map = &stream.response.headers;
    const answer = stream.answer_source;
    const status = if (map.intact) "" else map.get(":status") orelse "";
    const code = if (map.intact) answer.status else statusCode(status);
    if (code == 0) {
        return stream.localReply(.{
            .status = 502,
            .body = "missing required header: :status",
            .details = "filter_removed_required_response_headers{missing_required_header:_:status}",
        });
    }
    const plain = map.intact and answer.plain;
    if (plain and map.entries.items.len == answer.arrives and !stream.asked_for_head) {
        try router.finishUntouched(map, answer);
    } else {
        try router.finishHeaders(map, if (plain) answer.headers.entries.items.len else 0, plain and answer.dated);
    }
    if (stream.recording) try exchange.keepResponseHead(stream);
    if (!stream.request.complete and !stream.prepared.http2) try map.append("connection", "close");
    stream.response_started = true;
    stream.code = code;
    stream.bodiless = stream.prepared.head or
        if (map.intact) answer.bodiless else headers.same(status, "204") or headers.same(status, "304");
    if (end_stream) stream.endResponse();
}

pub fn sendData(stream: *Stream, body: *Body, end_stream: bool) error{OutOfMemory}!void {
    if (!stream.bodiless) try arena_zig.appendBytes(&stream.client_body, body.bytes.items);
    arena_zig.clear(&body.bytes);
    if (end_stream) stream.endResponse();
}

pub fn endResponse(stream: *Stream) void {
    stream.response_done = true;
    // What filters still held up goes nowhere.
    arena_zig.clear(&stream.frames);
}

/// The number of a status, 0 where it is none; nearly always it has three digits.
inline fn statusCode(status: []const u8) u32 {
    if (status.len == 3) {
        const hundreds, const tens, const ones = .{ status[0] -% '0', status[1] -% '0', status[2] -% '0' };
        if (hundreds < 10 and tens < 10 and ones < 10) return 100 * @as(u32, hundreds) + 10 * @as(u32, tens) + ones;
    }
    return std.fmt.parseInt(u32, status, 10) catch 0;
}
