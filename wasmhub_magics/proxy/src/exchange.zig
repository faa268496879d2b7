//! The protocol between a driver and the host module. All numbers are little-endian, a text is its length
//! (u32) and its bytes, a list its length (u32) and its items; headers are a list of name and value.
//!
//! Into the host, with `send` and `prepare`:
//!
//!     flags u32 (1 keep a trace, 2 an answer follows, 4 the client speaks HTTP/2, 8 metadata follows, 16 the upstream
//!     speaks HTTP/2), method, path, authority, scheme, headers, list of data frames, trailers, [metadata], [answer]
//!
//! An answer of the upstream, here and with `answer`:
//!
//!     status u32 (and 0x10000 metadata follows, 0x20000 it comes over HTTP/2), headers, list of data frames,
//!     trailers, [metadata]
//!
//! Metadata is a list of u32: how many names each METADATA frame holds, which is all that filters learn of it.
//!
//! Out of the host, when it needs an answer:
//!
//!     headers, body, trailers
//!
//! and when the exchange has ended:
//!
//!     outcome u8 (0 complete, 1 paused, 2 reset), details, nanoseconds u64,
//!     received: headers,
//!     upstream request: u8, [headers, body, trailers],
//!     upstream response: u8, [headers, body, trailers],
//!     response: u8, [headers, body, trailers],
//!     the log as `drain` gives it,
//!     METADATA frames that have left for the upstream u32, for the client u32
//!
//! `drain` gives what was logged since the last look:
//!
//!     lines u32, each: level u8, plugin u32 (0xffffffff none), text; dropped lines u32, dropped bytes u64,
//!     list of warnings, dropped events u32, trace (see trace.zig)

const std = @import("std");
const arena_zig = @import("arena.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const trace = @import("trace.zig");
const worker = @import("worker.zig");
const Answer = @import("answer.zig").Answer;
const Stream = @import("stream.zig").Stream;

const Arena = arena_zig.Arena;
const gpa = arena_zig.gpa;

const OutOfMemory = error{OutOfMemory};

/// HTTP/1 carries trailers after a chunked body only. Filters still see those that are not sent.
pub fn trailersAfter(map: *const headers.Map, trailers: *const headers.Map) *const headers.Map {
    return if (map.get("content-length") != null) &no_trailers else trailers;
}

const no_trailers: headers.Map = .{ .kind = .response_trailers };

pub const Reader = struct {
    bytes: []u8,
    at: usize = 0,

    pub fn number(reader: *Reader, comptime T: type) T {
        const value = std.mem.readInt(T, reader.bytes[reader.at..][0..@sizeOf(T)], .little);
        reader.at += @sizeOf(T);
        return value;
    }

    pub fn text(reader: *Reader) []u8 {
        const length = reader.number(u32);
        defer reader.at += length;
        return reader.bytes[reader.at..][0..length];
    }

    pub fn frames(reader: *Reader, arena: *Arena) OutOfMemory![]const []const u8 {
        const count = reader.number(u32);
        const bytes = try arena.take(count * @sizeOf([]const u8));
        const list = std.mem.bytesAsSlice([]const u8, @as([]align(8) u8, @alignCast(bytes)));
        for (list) |*frame| frame.* = reader.text();
        return list;
    }

    pub fn numbers(reader: *Reader, arena: *Arena) OutOfMemory![]const u32 {
        const list = std.mem.bytesAsSlice(u32, @as([]align(4) u8, @alignCast(try arena.take(4 * reader.number(u32)))));
        for (list) |*each| each.* = reader.number(u32);
        return list;
    }

    pub fn map(reader: *Reader, target: *headers.Map, arena: *Arena) OutOfMemory!void {
        target.clear();
        for (0..reader.number(u32)) |_| {
            const name = reader.text();
            try target.add(arena, name, onWire(reader.text()));
            target.exists = true;
        }
    }
};

/// What goes out; the driver finds it through the mailbox.
pub var output: std.ArrayList(u8) = .empty;

pub fn openOutput() void {
    arena_zig.clear(&output);
}

pub fn closeOutput() void {
    worker.mailbox.output = @intFromPtr(output.items.ptr);
    worker.mailbox.output_length = output.items.len;
}

pub fn put(comptime T: type, value: T) OutOfMemory!void {
    try arena_zig.appendBytes(&output, std.mem.asBytes(&value));
}

pub fn putText(text: []const u8) OutOfMemory!void {
    try put(u32, @intCast(text.len));
    try arena_zig.appendBytes(&output, text);
}

fn putMap(map: *const headers.Map) OutOfMemory!void {
    try put(u32, @intCast(map.entries.items.len));
    for (map.entries.items) |entry| {
        try putText(entry.name);
        try putText(onWire(entry.value));
    }
}

/// A value as the reader at the other end of an HTTP/1 connection gets it: white space around it is not part of it.
fn onWire(value: []const u8) []const u8 {
    if (value.len == 0 or (value[0] > ' ' and value[value.len - 1] > ' ')) return value;
    return std.mem.trim(u8, value, " \t");
}

pub fn putMessage(map: *const headers.Map, body: []const u8, trailers: *const headers.Map) OutOfMemory!void {
    try putMap(map);
    try putText(body);
    try putMap(trailers);
}

/// The headers of the upstream request, as the router gets them.
pub fn keepUpstreamRequestHead(stream: *Stream) OutOfMemory!void {
    arena_zig.clear(&upstream_request);
    std.mem.swap(std.ArrayList(u8), &output, &upstream_request);
    defer std.mem.swap(std.ArrayList(u8), &output, &upstream_request);
    try putMap(&stream.request.headers);
    upstream_request_is_sized = !stream.prepared.upstream_http2 and stream.request.headers.get("content-length") != null;
}

/// The rest of the upstream request, once the router has all of it.
pub fn keepUpstreamRequest(stream: *Stream) OutOfMemory!void {
    // A filter that goes on where nothing was held may send a body without headers.
    if (!stream.request_routed) try keepUpstreamRequestHead(stream);
    std.mem.swap(std.ArrayList(u8), &output, &upstream_request);
    defer std.mem.swap(std.ArrayList(u8), &output, &upstream_request);
    try putText(stream.upstream_body.items);
    try putMap(if (upstream_request_is_sized) &no_trailers else &stream.request.trailers);
}

var upstream_request_is_sized = false;

var upstream_request: std.ArrayList(u8) = .empty;
var response: std.ArrayList(u8) = .empty;
var upstream_response: std.ArrayList(u8) = .empty;

/// The upstream response, as the last filter of the chain is about to get it.
pub fn keepUpstreamResponse(stream: *Stream, answer: *const Answer) OutOfMemory!void {
    arena_zig.clear(&upstream_response);
    std.mem.swap(std.ArrayList(u8), &output, &upstream_response);
    defer std.mem.swap(std.ArrayList(u8), &output, &upstream_response);
    try putMap(&stream.response.headers);
    var size: usize = 0;
    for (answer.chunks) |chunk| size += chunk.len;
    try put(u32, @intCast(size));
    for (answer.chunks) |chunk| try output.appendSlice(gpa, chunk);
    try putMap(&answer.trailers);
}

/// The response's headers, as they go to the client: filters may still write to the map afterwards.
pub fn keepResponseHead(stream: *Stream) OutOfMemory!void {
    arena_zig.clear(&response);
    std.mem.swap(std.ArrayList(u8), &output, &response);
    defer std.mem.swap(std.ArrayList(u8), &output, &response);
    try putMap(&stream.response.headers);
}

/// The rest of the response, as it is when the client has all of it.
pub fn keepResponse(stream: *Stream) OutOfMemory!void {
    std.mem.swap(std.ArrayList(u8), &output, &response);
    defer std.mem.swap(std.ArrayList(u8), &output, &response);
    try putText(stream.client_body.items);
    const trailers = if (stream.direct) &no_trailers else &stream.response.trailers;
    try putMap(if (stream.prepared.http2) trailers else trailersAfter(&stream.response.headers, trailers));
}

pub fn putNeed() OutOfMemory!void {
    try output.appendSlice(gpa, upstream_request.items);
}

pub fn putResult(stream: *Stream, nanoseconds: u64) OutOfMemory!void {
    try put(u8, @backingInt(stream.outcome()));
    try putText(stream.details);
    try put(u64, nanoseconds);
    if (stream.prepared.request_id) |index| {
        const entry = &stream.prepared.headers.entries.items[index];
        entry.value = &stream.request_id;
    }
    try putMap(&stream.prepared.headers);
    if (stream.prepared.request_id) |index| stream.prepared.headers.entries.items[index].value = "";
    const asked = stream.upstream_called;
    try put(u8, @intFromBool(asked));
    if (asked) try output.appendSlice(gpa, upstream_request.items);
    try put(u8, @intFromBool(stream.upstream_answered));
    if (stream.upstream_answered) try output.appendSlice(gpa, upstream_response.items);
    const answered = stream.outcome() == .complete;
    try put(u8, @intFromBool(answered));
    if (answered) try output.appendSlice(gpa, response.items);
    try putLog();
    try put(u32, if (asked) stream.request.metadata_passed else 0);
    try put(u32, stream.response.metadata_passed);
}

pub fn putLog() OutOfMemory!void {
    try put(u32, log.count);
    try output.appendSlice(gpa, log.encoded());
    try put(u32, log.dropped_lines);
    try put(u64, log.dropped_bytes);
    try put(u32, @intCast(log.warnings.items.len));
    for (log.warnings.items) |warning| try putText(warning);
    try put(u32, trace.dropped);
    try putText(trace.events.items);
}
