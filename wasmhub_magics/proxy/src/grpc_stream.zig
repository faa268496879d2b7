//! One gRPC call or stream: what goes out of it, and what comes back in the order in which Envoy's client
//! (`source/common/grpc/async_client_impl.cc`) tells it.

const std = @import("std");
const answer_zig = @import("answer.zig");
const callout = @import("callout.zig");
const exchange = @import("exchange.zig");
const gpa = @import("arena.zig").gpa;
const grpc = @import("grpc.zig");
const headers = @import("headers.zig");
const reply = @import("reply.zig");
const vm_zig = @import("vm.zig");
const wire = @import("grpc_wire.zig");
const worker = @import("worker.zig");
const Vm = vm_zig.Vm;

const OutOfMemory = error{OutOfMemory};

/// What comes back, one callback each. `bytes` are a message, or headers as the protocol has them.
pub const Step = struct {
    due: u64,
    kind: enum { initial, message, trailing, close },
    bytes: []u8 = &.{},
    status: u32 = 0,
    /// It came together with the step before it: nothing else happens between the two.
    joined: bool = false,
};

pub const Stream = struct {
    /// The driver knows it by this number, the filter by `token`.
    id: u32,
    vm: *Vm,
    root: u32,
    token: u32,
    unary: bool,
    cluster: *const callout.Cluster,
    timeout: u64 = 0,
    began: u64 = 0,
    /// Its headers for the driver, as the protocol has them; empty once they are told.
    head: std.ArrayList(u8) = .empty,
    /// Messages that the driver does not know yet, one text after another.
    out: std.ArrayList(u8) = .empty,
    out_count: u32 = 0,
    ended: bool = false,
    news: bool = true,
    cancelled: bool = false,
    /// Nothing more comes: the last step is in the list.
    remote_closed: bool = false,
    /// The last step has been told.
    over: bool = false,
    /// The filter has closed it.
    local_closed: bool = false,
    headers_came: bool = false,
    /// More of the same part of an answer has come already.
    answering: bool = false,
    /// Of the response as Envoy's log would have them; they are told after the status.
    details: []const u8 = "via_upstream",
    in: std.ArrayList(u8) = .empty,
    response: ?[]u8 = null,
    steps: std.ArrayList(Step) = .empty,

    pub fn send(stream: *Stream, message: []const u8, last: bool) OutOfMemory!void {
        if (stream.ended or stream.remote_closed) return;
        try stream.out.ensureUnusedCapacity(gpa, 4 + message.len);
        stream.out.appendSliceAssumeCapacity(std.mem.asBytes(&@as(u32, @intCast(message.len))));
        stream.out.appendSliceAssumeCapacity(message);
        stream.out_count += 1;
        stream.ended = last;
        stream.stir();
    }

    pub fn end(stream: *Stream) void {
        if (stream.ended or stream.remote_closed) return;
        stream.ended = true;
        stream.stir();
    }

    pub fn stir(stream: *Stream) void {
        stream.news = true;
        grpc.busy = true;
    }

    pub fn push(stream: *Stream, step: Step) OutOfMemory!void {
        // Steps of one stream never overtake each other.
        var later = step;
        if (stream.steps.getLastOrNull()) |last| {
            later.due = @max(later.due, last.due);
            later.joined = stream.answering;
        }
        stream.answering = true;
        try stream.steps.append(gpa, later);
        grpc.busy = true;
    }

    pub fn fail(stream: *Stream, due: u64, status: u32, message: []const u8) OutOfMemory!void {
        if (!stream.unary) try stream.push(.{ .due = due, .kind = .trailing, .bytes = try gpa.dupe(u8, "\x00\x00\x00\x00") });
        try stream.close(due, status, message);
    }

    fn close(stream: *Stream, due: u64, status: u32, message: []const u8) OutOfMemory!void {
        stream.remote_closed = true;
        if (stream.unary and status == 0) {
            if (stream.response) |response| {
                stream.response = null;
                return stream.push(.{ .due = due, .kind = .message, .bytes = response });
            }
            return stream.push(.{ .due = due, .kind = .close, .status = 13 });
        }
        const text = if (message.len == 0)
            try gpa.dupe(u8, stream.details)
        else
            try gpa.print("{s}{{{s}}}", .{ message, stream.details });
        try stream.push(.{ .due = due, .kind = .close, .status = status, .bytes = text });
    }

    /// Headers of a response; the last word where `last`.
    pub fn headersCame(stream: *Stream, due: u64, raw: []const u8, last: bool) OutOfMemory!void {
        stream.headers_came = true;
        const status = std.fmt.parseInt(u32, wire.find(raw, ":status") orelse "", 10) catch 0;
        if (!stream.unary) {
            const shown: []const u8 = if (last or status != 200) "\x00\x00\x00\x00" else raw;
            try stream.push(.{ .due = due, .kind = .initial, .bytes = try gpa.dupe(u8, shown) });
        }
        if (status != 200 and (!last or wire.find(raw, "grpc-status") == null)) {
            return stream.fail(due, reply.grpcStatus(status), "");
        }
        if (last) return stream.trailersCame(due, raw);
    }

    fn trailersCame(stream: *Stream, due: u64, raw: []const u8) OutOfMemory!void {
        if (!stream.unary) try stream.push(.{ .due = due, .kind = .trailing, .bytes = try gpa.dupe(u8, raw) });
        const status = if (wire.find(raw, "grpc-status")) |text| std.fmt.parseInt(u32, text, 10) catch invalid else 2;
        try stream.close(due, if (status > 16) invalid else status, wire.find(raw, "grpc-message") orelse "");
    }

    fn dataCame(stream: *Stream, due: u64, bytes: []const u8) OutOfMemory!void {
        try stream.in.appendSlice(gpa, bytes);
        var rest = stream.in.items;
        while (rest.len >= 5) {
            const length = std.mem.readInt(u32, rest[1..5], .big);
            if (rest[0] > 1 or (rest[0] == 1 and length > 0)) return stream.fail(due, 13, "");
            if (rest.len - 5 < length) break;
            const message = try gpa.dupe(u8, rest[5..][0..length]);
            rest = rest[5 + length ..];
            if (!stream.unary) {
                try stream.push(.{ .due = due, .kind = .message, .bytes = message });
            } else {
                if (stream.response) |old| gpa.free(old);
                stream.response = message;
            }
        }
        const kept = rest.len;
        std.mem.copyForwards(u8, stream.in.items[0..kept], rest);
        stream.in.shrinkRetainingCapacity(kept);
    }

    /// What Envoy answers in the place of the cluster.
    pub fn local(stream: *Stream, due: u64, text: []const u8, details: []const u8) OutOfMemory!void {
        stream.details = details;
        if (stream.headers_came) return stream.fail(due, 13, "");
        var reply_map: headers.Map = .{ .kind = .response };
        defer reply_map.entries.deinit(gpa);
        try reply_map.append(":status", "200");
        try reply_map.append("content-type", "application/grpc");
        try reply_map.append("grpc-status", "14");
        try reply_map.append("grpc-message", try reply.percentEncoded(text));
        const raw = try wire.encoded(&reply_map);
        defer gpa.free(raw);
        try stream.headersCame(due, raw, true);
    }

    pub fn answer(stream: *Stream, reader: *exchange.Reader, due: u64) OutOfMemory!void {
        stream.answering = false;
        const flags = reader.number(u8);
        const ends = flags & 2 != 0;
        var given: answer_zig.Answer = .{};
        defer given.headers.entries.deinit(gpa);
        defer given.trailers.entries.deinit(gpa);
        try given.init(&worker.arena, reader);
        const bare = given.chunks.len == 0 and !given.trailers.exists;
        if (flags & 1 != 0) {
            if (given.refused) return stream.local(due, callout.refused_answer, wire.before ++ "{protocol_error}");
            if (!stream.cluster.http2) {
                if (given.framing) |entry| try given.headers.append(entry.name, entry.value);
            }
            // The router measures from the end of the request.
            if (stream.ended) try given.headers.set("x-envoy-upstream-service-time", "0");
            const raw = try wire.encoded(&given.headers);
            defer gpa.free(raw);
            try stream.headersCame(due, raw, ends and bare);
        }
        for (given.chunks) |chunk| {
            if (!stream.remote_closed) try stream.dataCame(due, chunk);
        }
        if (!ends or stream.remote_closed) return;
        if (!given.trailers.exists) return stream.fail(due, 2, "");
        const raw = try wire.encoded(&given.trailers);
        defer gpa.free(raw);
        try stream.trailersCame(due, raw);
    }

    pub fn free(stream: *Stream) void {
        for (stream.steps.items) |step| gpa.free(step.bytes);
        if (stream.response) |response| gpa.free(response);
        stream.steps.deinit(gpa);
        stream.head.deinit(gpa);
        stream.out.deinit(gpa);
        stream.in.deinit(gpa);
        gpa.destroy(stream);
    }
};

/// What is no status of gRPC.
const invalid: u32 = 0xffff_ffff;
