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
const clock = @import("clock.zig");
const front = @import("front.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const reply = @import("reply.zig");
const trace = @import("trace.zig");
const worker = @import("worker.zig");
const Stream = @import("stream.zig").Stream;

const Arena = arena_zig.Arena;
const gpa = arena_zig.gpa;

const OutOfMemory = error{OutOfMemory};

/// Envoy's defaults: 60 KiB and 100 headers, counted as the client sends them.
const header_bytes_limit = 60 << 10;
const header_count_limit = 100;

/// A request with all that does not change when it is sent again.
pub const Prepared = struct {
    arena: Arena = .{},
    headers: headers.Map = .{ .kind = .request },
    chunks: []const []const u8 = &.{},
    trailers: headers.Map = .{ .kind = .request_trailers },
    metadata: []const u32 = &.{},
    upstream: ?*const Answer = null,
    upstream_storage: Answer = .{},
    trace: bool = false,
    head: bool = false,
    grpc: bool = false,
    http2: bool = false,
    upstream_http2: bool = false,
    /// A CONNECT over HTTP/1, which has no end of its own.
    tunnel: bool = false,
    /// Where the request id stands that each exchange gets anew; null where the client sent one.
    request_id: ?usize = null,
    /// What the connection manager answers before any filter is asked.
    refused: ?front.Refusal = null,
    body_limit: usize = 1 << 20,
    /// The router takes the request as it came.
    routable: bool = false,

    pub fn init(prepared: *Prepared, input: []const u8) OutOfMemory!void {
        const arena = &prepared.arena;
        arena.reset();
        var reader: Reader = .{ .bytes = try arena.dupe(input) };
        const flags = reader.number(u32);
        prepared.trace = flags & 1 != 0;
        const method = reader.text();
        const path = reader.text();
        const authority = reader.text();
        const scheme = reader.text();

        const map = &prepared.headers;
        map.clear();
        prepared.http2 = flags & 4 != 0;
        prepared.upstream_http2 = flags & 16 != 0;
        const target: front.Target = if (prepared.http2) .ofHttp2(path, authority) else .of(method, path, authority);
        if (prepared.http2) {
            // In the order of the usual clients, which is the order that filters see.
            try map.append(":method", method);
            try map.append(":path", path);
            try map.append(":scheme", scheme);
            try map.append(":authority", authority);
        } else {
            try map.append(":authority", target.authority);
            if (target.scheme) |known| try map.append(":scheme", known);
            if (target.path) |known| try map.append(":path", known);
            try map.append(":method", method);
            if (target.scheme == null and target.refused == null) try map.append(":scheme", scheme);
        }
        const count = reader.number(u32);
        var connection: []const u8 = "";
        const first = reader.at;
        for (0..count) |_| {
            const name = reader.text();
            const value = reader.text();
            if (std.mem.eql(u8, name, "connection")) connection = value;
        }
        reader.at = first;
        var size = method.len + path.len + authority.len;
        var cookie: headers.Entry = .{ .name = "cookie", .value = "" };
        for (0..count) |_| {
            const name = reader.text();
            const value = reader.text();
            size += name.len + value.len;
            if (front.isHopByHop(name) or front.isNominated(connection, name)) continue;
            // HTTP/2 may send a cookie in crumbs, which are put together once all headers are there.
            if (prepared.http2 and std.mem.eql(u8, name, "cookie")) {
                try headers.join(arena, &cookie, value);
            } else if (!front.isForbidden(name, value)) try map.add(arena, name, value);
        }
        if (prepared.http2 and map.get("x-forwarded-proto") == null and !std.mem.eql(u8, scheme, "http")) {
            try map.append("x-forwarded-proto", scheme); // the client tells of a scheme that is not the connection's
        }
        if (cookie.value.len > 0) try map.append(cookie.name, cookie.value);
        if (map.get("te")) |codings| {
            if (front.acceptedCodings(codings)) |known| try map.set("te", known) else map.remove("te");
        }
        if (map.get("referer")) |referer| {
            if (!front.isReferer(referer)) map.remove("referer");
        }
        prepared.refused = if (count + 1 > header_count_limit)
            .{ .status = 431, .body = reply.reason(431), .details = "http1.too_many_headers" }
        else if (size > header_bytes_limit)
            .{ .status = 431, .body = reply.reason(431), .details = "http1.headers_too_large" }
        else
            target.refused;
        if (prepared.refused == null and std.mem.eql(u8, method, "QUERY") and map.get("content-type") == null) {
            map.remove(":scheme");
            prepared.refused = .{ .status = 400, .details = "query_missing_content_type", .seen = true };
        }
        prepared.chunks = try reader.frames(arena);
        try reader.map(&prepared.trailers, arena);
        prepared.metadata = if (flags & 8 != 0) try reader.numbers(arena) else &.{};
        prepared.head = std.mem.eql(u8, method, "HEAD");
        prepared.tunnel = !prepared.http2 and std.mem.eql(u8, method, "CONNECT");
        const kind = map.get("content-type") orelse "";
        prepared.grpc = std.mem.eql(u8, kind, "application/grpc") or std.mem.startsWith(u8, kind, "application/grpc+");
        if (prepared.refused) |refused| prepared.grpc = prepared.grpc and refused.seen;
        prepared.request_id = null;
        map.exists = if (prepared.refused) |refused| refused.seen else false;
        if (prepared.refused == null) {
            if (map.get("x-forwarded-proto")) |proto| {
                const secure = std.ascii.eqlIgnoreCase(proto, "https");
                if (target.scheme == null and !prepared.http2) try map.set(":scheme", if (secure) "https" else "http");
            } else {
                try map.append("x-forwarded-proto", scheme);
            }
        }
        if (prepared.refused == null and map.get("x-request-id") == null) {
            prepared.request_id = map.entries.items.len;
            try map.append("x-request-id", "");
        }
        prepared.upstream = null;
        if (flags & 2 != 0) {
            try prepared.upstream_storage.init(arena, &reader);
            prepared.upstream = &prepared.upstream_storage;
        }
        prepared.routable = refusal(map) == null and isScheme(map.get(":scheme"));
        prepared.body_limit = std.math.maxInt(usize);
        for (worker.chain.items) |plugin| prepared.body_limit = @min(prepared.body_limit, plugin.body_limit);
    }
};

/// What an upstream answers.
pub const Answer = struct {
    headers: headers.Map = .{ .kind = .response },
    chunks: []const []const u8 = &.{},
    trailers: headers.Map = .{ .kind = .response_trailers },
    metadata: []const u32 = &.{},
    http2: bool = false,
    /// What the upstream's codec puts after the headers to tell where the body ends; filters see it.
    framing: ?headers.Entry = null,
    framing_of_head: ?headers.Entry = null,
    bodiless: bool = false,
    status: u32 = 0,
    /// Envoy takes no response with more headers than its limit, or one that is an error of HTTP/2.
    refused: bool = false,

    pub fn init(answer: *Answer, arena: *Arena, reader: *Reader) OutOfMemory!void {
        const map = &answer.headers;
        map.clear();
        const first = reader.number(u32);
        const status = first & 0xffff;
        answer.status = status;
        answer.http2 = first & 0x20000 != 0;
        const text = try arena.take(10);
        try map.append(":status", std.fmt.bufPrint(text, "{d}", .{status}) catch unreachable);
        var count = reader.number(u32);
        var cookie: headers.Entry = .{ .name = "cookie", .value = "" };
        for (0..count) |_| {
            const name = reader.text();
            const value = reader.text();
            if (answer.http2 and std.mem.eql(u8, name, "cookie")) {
                try headers.join(arena, &cookie, value);
                continue;
            }
            const kept = !std.mem.eql(u8, name, "keep-alive") and !std.mem.eql(u8, name, "transfer-encoding");
            if (kept) try map.add(arena, name, value);
        }
        if (cookie.value.len > 0) try map.append(cookie.name, cookie.value);
        answer.chunks = try reader.frames(arena);
        try reader.map(&answer.trailers, arena);
        answer.metadata = if (first & 0x10000 != 0) try reader.numbers(arena) else &.{};
        const empty = answer.chunks.len == 0 and !answer.trailers.exists;
        answer.bodiless = status == 204 or status == 304;
        answer.framing = null;
        answer.framing_of_head = null;
        if (map.get("content-length") == null and !answer.bodiless and !answer.http2) {
            const chunked: headers.Entry = .{ .name = "transfer-encoding", .value = "chunked" };
            answer.framing = if (empty) .{ .name = "content-length", .value = "0" } else chunked;
            answer.framing_of_head = chunked;
            count += 1;
        }
        answer.refused = count > header_count_limit or (answer.http2 and unspeakable(map, status));
        if (answer.bodiless) {
            answer.chunks = &.{};
            answer.metadata = &.{};
            answer.trailers.clear();
        }
    }
};

/// Whether Envoy's codec of HTTP/2 takes a response as an error of the protocol.
fn unspeakable(map: *const headers.Map, status: u32) bool {
    for (map.entries.items) |entry| {
        if (std.mem.eql(u8, entry.name, "upgrade")) return true;
        if (std.mem.eql(u8, entry.name, "te") and !std.mem.eql(u8, entry.value, "trailers")) return true;
    }
    return status == 204 and !std.mem.eql(u8, map.get("content-length") orelse "0", "0");
}

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

    fn frames(reader: *Reader, arena: *Arena) OutOfMemory![]const []const u8 {
        const count = reader.number(u32);
        const bytes = try arena.take(count * @sizeOf([]const u8));
        const list = std.mem.bytesAsSlice([]const u8, @as([]align(8) u8, @alignCast(bytes)));
        for (list) |*frame| frame.* = reader.text();
        return list;
    }

    fn numbers(reader: *Reader, arena: *Arena) OutOfMemory![]const u32 {
        const list = std.mem.bytesAsSlice(u32, @as([]align(4) u8, @alignCast(try arena.take(4 * reader.number(u32)))));
        for (list) |*each| each.* = reader.number(u32);
        return list;
    }

    fn map(reader: *Reader, target: *headers.Map, arena: *Arena) OutOfMemory!void {
        target.clear();
        for (0..reader.number(u32)) |_| {
            const name = reader.text();
            try target.add(arena, name, onWire(reader.text()));
            target.exists = true;
        }
    }
};

/// Milliseconds since the upstream was asked, as the router tells the filters.
pub fn serviceTime() OutOfMemory![]const u8 {
    const asked = upstream_asked orelse return "0";
    const milliseconds = (clock.monotonic() -% asked) / std.time.ns_per_ms;
    var digits: [20]u8 = undefined;
    return worker.arena.dupe(std.fmt.bufPrint(&digits, "{d}", .{milliseconds}) catch unreachable);
}

pub var upstream_asked: ?u64 = null;

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
    try output.appendSlice(gpa, std.mem.asBytes(&value));
}

pub fn putText(text: []const u8) OutOfMemory!void {
    try put(u32, @intCast(text.len));
    try output.appendSlice(gpa, text);
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

/// Why the router does not take a request with such headers; null where it does.
pub fn refusal(map: *const headers.Map) ?reply.Reply {
    const path = map.get(":path") orelse "";
    const proto = map.get("x-forwarded-proto") orelse "";
    if (path.len == 0 or path[0] != '/' or proto.len == 0) return .{ .status = 404, .details = "route_not_found" };
    if (map.get(":method") == null) return .{
        .status = 503,
        .body = "missing required header: :method",
        .details = "filter_removed_required_request_headers{missing_required_header:_:method}",
    };
    return null;
}

fn isScheme(scheme: ?[]const u8) bool {
    const text = scheme orelse return false;
    return std.mem.eql(u8, text, "http") or std.mem.eql(u8, text, "https");
}

/// Where a request's scheme is missing or none, the router takes what the client's proxy says, or plain HTTP.
pub fn schemeForRouter(map: *headers.Map) OutOfMemory!void {
    if (isScheme(map.get(":scheme"))) return;
    const forwarded = map.get("x-forwarded-proto");
    try map.set(":scheme", if (isScheme(forwarded)) forwarded.? else "http");
}

/// What the router makes of a request's headers: it follows those that are for it and takes them away.
pub fn forRouter(map: *headers.Map) OutOfMemory!void {
    if (!map.reserved) return;
    var kept: usize = 0;
    var expected: usize = 0;
    for (map.entries.items) |entry| {
        if (std.mem.startsWith(u8, entry.name, front.prefix)) {
            @branchHint(.unlikely);
            const rest = entry.name[front.prefix.len..];
            const whole = std.mem.eql(u8, rest, "upstream-rq-timeout-ms");
            if (whole or std.mem.eql(u8, rest, "upstream-rq-per-try-timeout-ms")) {
                const limit = std.fmt.parseInt(usize, entry.value, 10) catch 0;
                if (limit > 0 and (expected == 0 or limit < expected)) expected = limit;
            }
            if (front.isForRouter(rest)) continue;
        }
        map.entries.items[kept] = entry;
        kept += 1;
    }
    map.entries.items.len = kept;
    if (expected > 0) try map.set("x-envoy-expected-rq-timeout-ms", try reply.number(expected));
}

/// What the connection manager makes of a response after all filters.
pub fn finishHeaders(map: *headers.Map) OutOfMemory!void {
    map.removeAll(&.{ "connection", "proxy-connection", "transfer-encoding", "upgrade" });
    if (map.get("date") == null) try map.append("date", &date);
    try map.set("server", "envoy");
}

/// Like Envoy's, it is made anew only now and then: before each exchange, and before a loop.
pub var date: [29]u8 = undefined;

pub fn putLog() OutOfMemory!void {
    try put(u32, log.count);
    try output.appendSlice(gpa, log.lines.items);
    try put(u32, log.dropped_lines);
    try put(u64, log.dropped_bytes);
    try put(u32, @intCast(log.warnings.items.len));
    for (log.warnings.items) |warning| try putText(warning);
    try put(u32, trace.dropped);
    try putText(trace.events.items);
}
