//! A request as a client sends it, and what the connection manager makes of it before any filter is asked.

const std = @import("std");
const front = @import("front.zig");
const headers = @import("headers.zig");
const reply = @import("reply.zig");
const router = @import("router.zig");
const worker = @import("worker.zig");
const Answer = @import("answer.zig").Answer;
const Arena = @import("arena.zig").Arena;
const Reader = @import("exchange.zig").Reader;

const OutOfMemory = error{OutOfMemory};

/// Envoy's defaults: 60 KiB and 100 headers, counted as the client sends them.
const header_bytes_limit = 60 << 10;
pub const header_count_limit = 100;

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
        prepared.routable = router.refusal(map) == null and router.isScheme(map.get(":scheme"));
        prepared.body_limit = std.math.maxInt(usize);
        for (worker.chain.items) |plugin| prepared.body_limit = @min(prepared.body_limit, plugin.body_limit);
    }
};
