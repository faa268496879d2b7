//! One HTTP stream on its way through the filter chain: Envoy's filter manager
//! (`source/common/http/filter_manager.cc`) as a state machine.
//!
//! A trap in a filter unwinds the host's frames too. So nothing that must survive a callback is on the stack of
//! the machine: what Envoy does by recursion is done here by frames in memory, and a frame notes "trapped" as
//! the result of a callback before it makes it.

const std = @import("std");
const abi = @import("abi.zig");
const arena_zig = @import("arena.zig");
const callout = @import("callout.zig");
const clock = @import("clock.zig");
const declared = @import("declared.zig");
const events = @import("events.zig");
const exchange = @import("exchange.zig");
const grpc = @import("grpc.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const reply_zig = @import("reply.zig");
const tcp = @import("tcp.zig");
const trace = @import("trace.zig");
const vm_zig = @import("vm.zig");
const worker = @import("worker.zig");
const Body = @import("buffer.zig").Body;
const Plugin = @import("plugin.zig").Plugin;

const gpa = arena_zig.gpa;

pub const Side = enum(u1) { request, response };

const Iteration = enum { going, stopped, stopped_all_buffer, stopped_all_watermark };

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

    fn stoppedAll(half: *const Half) bool {
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

    fn failed(filter: *const Filter) bool {
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

    fn clear(flow: *Flow) void {
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
        flow.bytes = 0;
    }

    fn body(flow: *Flow, source: Source) *Body {
        return if (source == .chunk) &flow.chunk else &flow.held;
    }
};

const Source = enum { chunk, held };

/// What a callback asked for that happens after it.
const Action = union(enum) {
    resume_request: *Filter,
    resume_response: *Filter,
    reply: reply_zig.Reply,
    close,
    tell: *grpc.Stream,
};

const Frame = struct {
    kind: enum { headers, data, trailers, continuation, request_source, response_source },
    side: Side = .request,
    phase: enum { enter, created, returned, rest, last } = .enter,
    /// The place in the chain in the direction of travel; the chain's length stands for its end.
    position: usize = 0,
    end_stream: bool = false,
    source: Source = .chunk,
    trailers_before: bool = false,
    trailers_added: ?usize = null,
    /// The return value of the last callback; null where it trapped.
    result: ?u32 = 0,
    next_chunk: usize = 0,
};

/// Whose answer is needed before anything can go on.
pub const Need = enum { done, upstream, call };

pub const Outcome = enum(u8) { complete, paused, reset };

pub const Stream = struct {
    prepared: *const exchange.Prepared = undefined,
    alive: bool = false,
    filters: std.ArrayList(Filter) = .empty,
    frames: std.ArrayList(Frame) = .empty,
    actions: std.ArrayList(Action) = .empty,
    request: Flow = .{ .headers = .{ .kind = .request }, .trailers = .{ .kind = .request_trailers } },
    response: Flow = .{ .headers = .{ .kind = .response }, .trailers = .{ .kind = .response_trailers } },
    stage: enum { request, upstream, response, finish_log, finish_done, ended } = .ended,
    /// What the upstream got and what the client got; their maps are those of the flows.
    upstream_body: std.ArrayList(u8) = .empty,
    client_body: std.ArrayList(u8) = .empty,
    /// The router has the request headers, and all of the request.
    request_routed: bool = false,
    request_done: bool = false,
    response_started: bool = false,
    response_done: bool = false,
    direct: bool = false,
    /// The headers that an answer of ours took the place of: filters that had them in hand still do.
    overwritten: headers.Map = .{ .kind = .response },
    was_reset: bool = false,
    upstream_called: bool = false,
    upstream_answered: bool = false,
    /// All of the upstream's answer has come.
    upstream_complete: bool = false,
    /// The request that the upstream got was for headers only.
    asked_for_head: bool = false,
    /// No route fits the request.
    routeless: bool = false,
    /// The router has said so.
    no_route: bool = false,
    /// The client went before the response was complete.
    hung_up: bool = false,
    /// An answer that a filter asked for in its creation at the end goes through the others.
    unheard: bool = false,
    /// What a running callback has asked to answer counts although it traps: see `fail`.
    asked: ?reply_zig.Reply = null,
    /// The client gets no body, whatever there is.
    bodiless: bool = false,
    /// Somebody will read the result: off in loops.
    recording: bool = true,
    details: []const u8 = "",
    /// Details may be empty and yet be known.
    detailed: bool = false,
    /// The status as the proxy knows it, whatever filters write to the headers; 0 before there is one.
    code: u32 = 0,
    answer_source: *const exchange.Answer = undefined,
    properties: std.ArrayList(headers.Entry) = .empty,
    start_time: u64 = 0,
    /// On the time line of events.zig.
    began: u64 = 0,
    request_id: [36]u8 = undefined,
    finish_index: usize = 0,
    finish_step: enum { create, log, done, delete } = .create,

    pub fn flow(stream: *Stream, side: Side) *Flow {
        return if (side == .request) &stream.request else &stream.response;
    }

    /// The context of that number among the filters of this stream.
    pub fn context(stream: *Stream, vm: *vm_zig.Vm, id: u32) ?*vm_zig.Context {
        if (!stream.alive) return null;
        for (stream.filters.items) |*filter| {
            if (filter.created and filter.context.vm == vm and filter.context.id == id) return &filter.context;
        }
        return null;
    }

    pub fn begin(stream: *Stream, prepared: *const exchange.Prepared) error{OutOfMemory}!void {
        stream.prepared = prepared;
        stream.alive = true;
        worker.arena.reset();
        stream.request.clear();
        stream.response.clear();
        arena_zig.clear(&stream.frames);
        arena_zig.clear(&stream.actions);
        arena_zig.clear(&stream.upstream_body);
        arena_zig.clear(&stream.client_body);
        arena_zig.clear(&stream.properties);
        if (declared.by_streams) declared.forget();
        stream.request_routed = false;
        stream.request_done = false;
        stream.response_started = false;
        stream.response_done = false;
        stream.direct = false;
        stream.was_reset = false;
        stream.upstream_called = false;
        stream.upstream_answered = false;
        stream.upstream_complete = false;
        stream.hung_up = false;
        stream.unheard = false;
        stream.asked = null;
        stream.routeless = false;
        stream.no_route = false;
        stream.details = "";
        stream.detailed = false;
        stream.code = 0;
        stream.start_time = 0;
        stream.began = events.now;
        events.horizon = events.now;
        callout.delivered = 0;
        stream.stage = .request;

        try stream.filters.resize(gpa, worker.chain.items.len);
        for (stream.filters.items, worker.chain.items) |*filter, plugin| {
            const vm = plugin.root.vm;
            filter.* = .{
                .context = .{ .id = 0, .vm = vm, .plugin = plugin, .filter = filter },
                .skipped = vm.failed and plugin.policy == .open,
            };
        }

        try stream.request.headers.copy(&prepared.headers);
        if (prepared.request_id) |index| {
            clock.uuid(&stream.request_id);
            stream.request.headers.entries.items[index].value = &stream.request_id;
        }
        if (prepared.refused) |refused| {
            stream.request.headers.exists = refused.seen;
            stream.request.complete = refused.late and prepared.chunks.len == 0 and !prepared.trailers.exists;
            stream.routeless = true;
            return stream.localReply(.{ .status = refused.status, .body = refused.body, .details = refused.details });
        }
        try stream.push(.{ .kind = .request_source });
    }

    /// Go on until the stream has ended and nothing is left beside it, or until somebody must answer.
    pub fn run(stream: *Stream) error{OutOfMemory}!Need {
        while (true) {
            if (stream.frames.items.len > 0) {
                try stream.step(&stream.frames.items[stream.frames.items.len - 1]);
                continue;
            }
            switch (stream.stage) {
                .request => {
                    if (stream.response_done or stream.was_reset) {
                        stream.finish();
                        continue;
                    }
                    if (stream.actions.items.len > 0) {
                        _ = try stream.act();
                        continue;
                    }
                    if (stream.request_done and !stream.upstream_called) {
                        stream.upstream_called = true;
                        if (stream.recording) try exchange.keepUpstreamRequest(stream);
                    }
                    switch (if (stream.request_done) try events.prompt() else try events.wait(stream.began)) {
                        .ran => continue,
                        .ask => return .call,
                        .idle => {},
                    }
                    if (!stream.request_done) {
                        stream.finish();
                        continue;
                    }
                    stream.stage = .upstream;
                    const upstream = stream.prepared.upstream orelse return .upstream;
                    try stream.respond(upstream);
                },
                .upstream => return .upstream,
                .response => {
                    if (!stream.response_done and !stream.was_reset) {
                        // While an answer waits, the rest of the request comes in.
                        if (stream.prepared.chunks.len < 2 or !events.pending()) stream.request.complete = true;
                        if (stream.actions.items.len > 0) {
                            _ = try stream.act();
                            continue;
                        }
                        switch (try events.wait(stream.began)) {
                            .ran => continue,
                            .ask => return .call,
                            .idle => {},
                        }
                    }
                    stream.finish();
                },
                .finish_log => try stream.stepLog(),
                .finish_done => stream.stepDone(),
                .ended => {
                    arena_zig.clear(&stream.actions);
                    switch (try events.rest()) {
                        .ran => {},
                        .ask => return .call,
                        .idle => return .done,
                    }
                },
            }
        }
    }

    /// What the upstream answers goes back through the chain.
    pub fn respond(stream: *Stream, answer: *const exchange.Answer) error{OutOfMemory}!void {
        stream.stage = .response;
        stream.upstream_answered = true;
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
        try stream.response.headers.set("x-envoy-upstream-service-time", try exchange.serviceTime());
        if (stream.recording) try exchange.keepUpstreamResponse(stream, answer);
        try stream.push(.{ .kind = .response_source, .side = .response });
    }

    /// The running callback has trapped: its VM is dead, and the stream goes on without it.
    pub fn trapped(stream: *Stream) void {
        if (worker.caller) |context_of| context_of.vm.failed = true;
        worker.mailbox.failed = 1;
        worker.mailbox.running = 0;
        worker.caller = null;
        worker.context = null;
        arena_zig.clear(&stream.actions);
        callout.close();
        grpc.closeReading();
        tcp.trapped();
        if (trace.on) trace.trapped();
    }

    fn finish(stream: *Stream) void {
        stream.stage = .finish_log;
        stream.finish_index = 0;
        stream.finish_step = .create;
        if (stream.recording and stream.response_done) exchange.keepResponse(stream) catch @panic("out of memory");
        stream.hung_up = !stream.response_done and !stream.was_reset;
        if (stream.hung_up) stream.details = "downstream_remote_disconnect";
    }

    pub fn outcome(stream: *const Stream) Outcome {
        if (stream.was_reset) return .reset;
        return if (stream.response_done and !stream.hung_up) .complete else .paused;
    }

    /// Whether the codec had refused the request before its headers were read.
    pub fn unread(stream: *const Stream) bool {
        const refused = stream.prepared.refused orelse return false;
        return !refused.seen;
    }

    // Steps of the machine.

    fn step(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
        switch (frame.kind) {
            .headers => try stream.stepHeaders(frame),
            .data => try stream.stepData(frame),
            .trailers => try stream.stepTrailers(frame),
            .continuation => try stream.stepContinuation(frame),
            .request_source, .response_source => try stream.stepSource(frame),
        }
    }

    fn pop(stream: *Stream) void {
        stream.frames.items.len -= 1;
    }

    fn push(stream: *Stream, frame: Frame) error{OutOfMemory}!void {
        try arena_zig.append(&stream.frames, frame);
    }

    fn filterAt(stream: *Stream, side: Side, position: usize) *Filter {
        const all = stream.filters.items;
        return if (side == .request) &all[position] else &all[all.len - 1 - position];
    }

    fn positionOf(stream: *Stream, side: Side, filter: *Filter) usize {
        const all = stream.filters.items;
        const index = (@intFromPtr(filter) - @intFromPtr(all.ptr)) / @sizeOf(Filter);
        return if (side == .request) index else all.len - 1 - index;
    }

    /// The peer sends its message: headers, data frames, an empty last frame or trailers, as HTTP/1 does.
    fn stepSource(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
        const side = frame.side;
        const flow_of = stream.flow(side);
        const chunks = if (side == .request) stream.prepared.chunks else stream.answer_source.chunks;
        const trailers = if (side == .request) &stream.prepared.trailers else &stream.answer_source.trailers;
        switch (frame.phase) {
            .enter => {
                const bodiless = side == .response and stream.asked_for_head;
                const empty = bodiless or (chunks.len == 0 and !trailers.exists);
                const open = side == .request and stream.prepared.tunnel;
                flow_of.headers.exists = true;
                flow_of.complete = empty and !open;
                stream.upstream_complete = empty and side == .response;
                if (empty) stream.pop() else frame.phase = .rest;
                return stream.push(.{ .kind = .headers, .side = side, .end_stream = empty and !open });
            },
            .rest => {
                if (flow_of.stalled) {
                    flow_of.unread = frame.next_chunk;
                    return stream.pop();
                }
                // Frames arrive one by one, and what was put into queues is told before the next.
                if (frame.next_chunk > 0 and frame.next_chunk < chunks.len) {
                    if (try stream.act()) return;
                    if (events.told()) return;
                }
                if (frame.next_chunk < chunks.len) {
                    const bytes = chunks[frame.next_chunk];
                    frame.next_chunk += 1;
                    flow_of.bytes += bytes.len;
                    try flow_of.chunk.set(bytes);
                    if (side == .request and stream.prepared.http2 and frame.next_chunk == chunks.len and !trailers.exists) {
                        // The last frame says itself that it is the last.
                        stream.pop();
                        flow_of.complete = true;
                        return stream.push(.{ .kind = .data, .side = side, .end_stream = true });
                    }
                    return stream.push(.{ .kind = .data, .side = side, .trailers_before = flow_of.trailers.exists });
                }
                stream.pop();
                flow_of.complete = true;
                stream.upstream_complete = side == .response;
                if (trailers.exists) {
                    try flow_of.trailers.copy(trailers);
                    return stream.push(.{ .kind = .trailers, .side = side });
                }
                try flow_of.chunk.set("");
                return stream.push(.{ .kind = .data, .side = side, .end_stream = true });
            },
            else => unreachable,
        }
    }

    fn stepHeaders(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
        const side = frame.side;
        if (frame.position == stream.filters.items.len) {
            const end_stream = frame.end_stream;
            stream.pop();
            return if (side == .request) stream.routeHeaders(end_stream) else stream.sendHeaders(end_stream);
        }
        const filter = stream.filterAt(side, frame.position);
        const half = filter.half(side);
        if (frame.phase == .enter) {
            half.end_stream = frame.end_stream;
            frame.phase = .returned;
            frame.result = 0;
            if (filter.skipped or (side == .response and (!filter.created or filter.failure_sent))) {
                half.headers_continued = true;
                frame.position += 1;
                frame.phase = .enter;
                return;
            }
            frame.result = null;
            if (filter.failed()) return;
            if (!filter.created) {
                create(filter);
                if (stream.replies()) {
                    stream.note(&stream.actions.items[0].reply);
                    stream.asked = stream.actions.items[0].reply;
                }
            }
            frame.phase = .created;
        }
        if (frame.phase == .created) {
            // What creation asked for happens after the headers callback.
            frame.phase = .returned;
            const flow_of = stream.flow(side);
            const count: u32 = @intCast(flow_of.headers.entries.items.len);
            half.headers = true;
            filter.end_of_stream = frame.end_stream;
            filter.stop = false;
            frame.result = null;
            // The frame must be found again: a callback cannot push frames, so the pointer stays good.
            frame.result = switch (side) {
                .request => invokeHeaders(filter, .proxy_on_request_headers, count, frame.end_stream),
                .response => invokeHeaders(filter, .proxy_on_response_headers, count, frame.end_stream),
            };
            if (frame.result != null and frame.result.? & ~@as(u32, 2) == 0 and side == .request and !filter.stop and stream.replies()) {
                half.headers = false; // an answer that the creation asked for is made after this
            }
        }
        if (try stream.act()) return;
        const value = frame.result orelse return stream.fail(filter);
        const allowed = filter.context.plugin.?.allow_on_headers_stop_iteration;
        half.iteration = if (filter.stop) .stopped_all_watermark else switch (value) {
            0, 2 => .going,
            1 => if (allowed) .stopped else .stopped_all_watermark,
            3 => .stopped_all_buffer,
            else => .stopped_all_watermark,
        };
        if (half.iteration != .going) return stream.pop();
        half.headers = false;
        half.headers_continued = true;
        frame.position += 1;
        frame.phase = .enter;
    }

    fn stepData(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
        const side = frame.side;
        const flow_of = stream.flow(side);
        if (frame.phase == .rest) {
            const added = frame.trailers_added;
            stream.pop();
            if (added) |position| try stream.pushAdded(side, position);
            return;
        }
        if (frame.position == stream.filters.items.len) {
            const end_stream = frame.end_stream;
            const body = flow_of.body(frame.source);
            const added = if (stream.unheard) null else frame.trailers_added;
            stream.pop();
            if (added) |position| try stream.pushAdded(side, position);
            return if (side == .request) stream.routeData(body, end_stream) else stream.sendData(body, end_stream);
        }
        const filter = stream.filterAt(side, frame.position);
        const half = filter.half(side);
        if (frame.phase == .enter) {
            if (frame.end_stream) flow_of.complete = true;
            if (half.stoppedAll()) {
                flow_of.streaming = half.iteration == .stopped_all_watermark;
                const source = frame.source;
                stream.pop();
                _ = try stream.hold(side, source);
                return;
            }
            if (half.end_stream) return stream.pop();
            half.end_stream = frame.end_stream and !flow_of.trailers.exists;
            frame.phase = .returned;
            frame.result = 0;
            const silent = filter.skipped or !filter.created or (side == .response and filter.failure_sent);
            if (!silent) {
                frame.result = null;
                if (filter.failed()) return;
                if (half.holding and frame.source == .chunk and try stream.hold(side, .chunk)) return;
                half.body = if (half.holding or frame.source == .held) .held else .chunk;
                half.data = true;
                const size: u32 = @intCast(stream.visibleBody(filter, side).?.bytes.items.len);
                filter.end_of_stream = half.end_stream;
                filter.stop = false;
                frame.result = switch (side) {
                    .request => invokeBody(filter, .proxy_on_request_body, size, half.end_stream),
                    .response => invokeBody(filter, .proxy_on_response_body, size, half.end_stream),
                };
            }
        }
        if (try stream.act()) return;
        const value = frame.result orelse return stream.fail(filter);
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
                if (try stream.hold(side, frame.source)) return;
                return stream.push(.{ .kind = .continuation, .side = side, .position = position });
            }
            frame.position += 1;
            frame.phase = .enter;
            return;
        }
        half.iteration = .stopped;
        frame.phase = .rest;
        if (status == 1) half.body = .held else if (!half.data) half.body = .none;
        if (status == 3) {
            // An empty buffer makes sure that the last, empty frame is not lost when the stream is continued.
            if (flow_of.complete and !flow_of.trailers.exists) flow_of.held.exists = true;
            if (frame.source == .chunk) arena_zig.clear(&flow_of.chunk.bytes);
            return;
        }
        flow_of.streaming = status == 2;
        _ = try stream.hold(side, frame.source);
    }

    /// Trailers that a filter has made go to those after it, and to itself where what it held up goes on.
    noinline fn pushAdded(stream: *Stream, side: Side, position: usize) error{OutOfMemory}!void {
        const half = stream.filterAt(side, position).half(side);
        const from = if (half.from_current) position else position + 1;
        try stream.push(.{ .kind = .trailers, .side = side, .position = from });
    }

    fn stepTrailers(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
        const side = frame.side;
        if (frame.position == stream.filters.items.len) {
            stream.pop();
            if (side == .request) stream.request_done = true else stream.endResponse();
            return;
        }
        const filter = stream.filterAt(side, frame.position);
        const half = filter.half(side);
        if (frame.phase == .enter) {
            if (half.stoppedAll()) return stream.pop();
            frame.phase = .returned;
            frame.result = 0;
            if (!filter.skipped and filter.created and !(side == .response and filter.failure_sent)) {
                frame.result = null;
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
        const value = frame.result orelse return stream.fail(filter);
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

    /// Envoy's `commonContinue`: what a filter held back goes on.
    fn stepContinuation(stream: *Stream, frame: *Frame) error{OutOfMemory}!void {
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

    /// Put a frame's bytes with those that are held back. True where that was too much and the stream is over.
    fn hold(stream: *Stream, side: Side, source: Source) error{OutOfMemory}!bool {
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

    /// The response headers that a filter's context reaches.
    pub fn responseHeaders(stream: *Stream, filter: *const Filter) *headers.Map {
        return if (stream.direct and !filter.logging) &stream.overwritten else &stream.response.headers;
    }

    /// The bytes that a filter's context can reach now.
    pub fn visibleBody(stream: *Stream, filter: *Filter, side: Side) ?*Body {
        const flow_of = stream.flow(side);
        return switch (filter.half(side).body) {
            .none => null,
            .chunk => &flow_of.chunk,
            .held => &flow_of.held,
        };
    }

    /// The end of a stream: first every filter logs, then each is done and deleted. What is noted before a callback
    /// is where it goes on after a trap.
    fn stepLog(stream: *Stream) error{OutOfMemory}!void {
        while (stream.finish_index < stream.filters.items.len) {
            const filter = &stream.filters.items[stream.finish_index];
            const vm = filter.context.vm;
            if (filter.skipped or vm.failed) {
                stream.finish_index += 1;
                stream.finish_step = .create;
                continue;
            }
            if (stream.unheard) {
                stream.unheard = false;
                filter.created = true;
            }
            if (stream.finish_step == .create) {
                stream.finish_step = .log;
                if (!filter.created) {
                    create(filter);
                    if (stream.replies()) {
                        const reply = stream.actions.items[0].reply;
                        stream.note(&reply);
                        arena_zig.clear(&stream.actions);
                        // Nobody hears it, but where there was no answer yet the other filters are asked about it.
                        if (!stream.response.headers.exists) {
                            filter.created = false;
                            filter.stop = false;
                            stream.unheard = true;
                            try stream.localReply(reply);
                            stream.stage = .finish_log;
                            return;
                        }
                    }
                }
            }
            stream.finish_index += 1;
            stream.finish_step = .create;
            if (vm.has(.proxy_on_log)) {
                filter.logging = true;
                vm_zig.invoke(void, &filter.context, .proxy_on_log, .{});
                filter.logging = false;
            }
            arena_zig.clear(&stream.actions);
        }
        stream.stage = .finish_done;
        stream.finish_index = 0;
        stream.finish_step = .done;
    }

    fn stepDone(stream: *Stream) void {
        while (stream.finish_index < stream.filters.items.len) {
            const filter = &stream.filters.items[stream.finish_index];
            const vm = filter.context.vm;
            const gone = filter.skipped or !filter.created or vm.failed;
            if (stream.finish_step == .done) {
                stream.finish_step = .delete;
                if (!gone and vm.has(.proxy_on_done)) _ = vm_zig.invoke(u32, &filter.context, .proxy_on_done, .{});
                arena_zig.clear(&stream.actions);
            }
            stream.finish_index += 1;
            stream.finish_step = .done;
            if (!gone and vm.has(.proxy_on_delete)) vm_zig.invoke(void, &filter.context, .proxy_on_delete, .{});
            arena_zig.clear(&stream.actions);
        }
        stream.stage = .ended;
        stream.alive = false;
    }

    /// Give a filter its context.
    inline fn create(filter: *Filter) void {
        const vm = filter.context.vm;
        filter.context.id = vm.takeContextId();
        filter.created = true;
        if (vm.has(.proxy_on_context_create)) {
            vm_zig.invoke(void, &filter.context, .proxy_on_context_create, .{filter.context.plugin.?.root.id});
        }
    }

    // What callbacks ask for.

    pub fn later(stream: *Stream, action: Action) error{OutOfMemory}!void {
        try stream.actions.append(gpa, action);
    }

    /// Do the next thing that the last callback asked for. True where the machine must look again.
    inline fn act(stream: *Stream) error{OutOfMemory}!bool {
        if (stream.actions.items.len == 0) return false;
        return stream.actNow();
    }

    /// Whether the first thing to do is to answer.
    inline fn replies(stream: *const Stream) bool {
        return stream.actions.items.len > 0 and stream.actions.items[0] == .reply;
    }

    fn actNow(stream: *Stream) error{OutOfMemory}!bool {
        @branchHint(.cold);
        switch (stream.actions.orderedRemove(0)) {
            .resume_request => |filter| try stream.continueFrom(.request, filter),
            .resume_response => |filter| try stream.continueFrom(.response, filter),
            .reply => |first| {
                // Of several answers in one callback Envoy sends the first, with the details of the last.
                var reply = first;
                for (stream.actions.items) |other| {
                    if (other == .reply) reply.details = other.reply.details;
                }
                arena_zig.clear(&stream.actions);
                try stream.localReply(reply);
            },
            .tell => |call| grpc.deliver(call),
            .close => {
                if (stream.details.len == 0 or stream.upstream_answered) stream.details = "wasm_close_stream";
                stream.resetStream();
            },
        }
        return true;
    }

    fn continueFrom(stream: *Stream, side: Side, filter: *Filter) error{OutOfMemory}!void {
        if (stream.flow(side).aborted) return;
        try stream.push(.{ .kind = .continuation, .side = side, .position = stream.positionOf(side, filter) });
    }

    pub fn resetStream(stream: *Stream) void {
        arena_zig.clear(&stream.frames);
        arena_zig.clear(&stream.actions);
        stream.was_reset = true;
        stream.finish();
    }

    /// The filter's VM is dead: answer 503 in its place, once (`failStream`). What its creation had asked to
    /// answer comes before that, and of several answers the first is sent, with the details of the last.
    fn fail(stream: *Stream, filter: *Filter) error{OutOfMemory}!void {
        filter.failure_sent = true;
        var reply = stream.asked orelse reply_zig.Reply{ .status = 503, .grpc_status = 14, .details = "" };
        stream.asked = null;
        reply.details = "wasm_fail_stream";
        try stream.localReply(reply);
    }

    /// What an answer says about itself is known before it is made.
    noinline fn note(stream: *Stream, reply: *const reply_zig.Reply) void {
        stream.details = reply.details;
        stream.detailed = true;
        stream.code = reply.status;
    }

    /// The direction in which a filter is being called.
    fn iterating(stream: *const Stream) ?Side {
        if (stream.frames.items.len == 0) return null;
        const frame = &stream.frames.items[stream.frames.items.len - 1];
        return switch (frame.kind) {
            .headers, .data, .trailers => frame.side,
            .continuation, .request_source, .response_source => null,
        };
    }

    /// Answer in the upstream's place. What still runs on the way in is over.
    pub fn localReply(stream: *Stream, reply: reply_zig.Reply) error{OutOfMemory}!void {
        const running = stream.iterating();
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
        const early = stream.asked != null;
        stream.asked = null;
        if (!early and !stream.request_routed and !stream.request.headers.intact) {
            // The route is looked for once more, in the headers that filters have left.
            if (exchange.refusal(&stream.request.headers)) |refused| stream.routeless = refused.status == 404;
        }
        const position = if (direct) stream.filters.items.len else 0;
        stream.stage = .response;
        // A data frame waits under the headers, and runs after them.
        if (!head_only) {
            try stream.push(.{ .kind = .data, .side = .response, .position = position, .end_stream = true });
        }
        try stream.push(.{ .kind = .headers, .side = .response, .position = position, .end_stream = head_only });
    }

    // The two ends of the chain: the router and the connection to the client.

    fn routeHeaders(stream: *Stream, end_stream: bool) error{OutOfMemory}!void {
        const map = &stream.request.headers;
        if (!map.intact or !stream.prepared.routable) {
            if (exchange.refusal(map)) |refused| {
                stream.routeless = refused.status == 404;
                stream.no_route = stream.routeless;
                stream.request_routed = !stream.routeless; // the upstream's codec refuses it
                return stream.localReply(refused);
            }
            try exchange.schemeForRouter(map);
        }
        try exchange.forRouter(map);
        stream.request_routed = true;
        stream.request_done = end_stream;
        // A filter that had stopped the headers alone may still write to them, but they are on their way.
        stream.asked_for_head = headers.same(map.get(":method") orelse "", "HEAD");
        if (stream.recording) try exchange.keepUpstreamRequestHead(stream);
    }

    fn routeData(stream: *Stream, body: *Body, end_stream: bool) error{OutOfMemory}!void {
        try arena_zig.appendBytes(&stream.upstream_body, body.bytes.items);
        arena_zig.clear(&body.bytes);
        if (end_stream) stream.request_done = true;
    }

    fn sendHeaders(stream: *Stream, end_stream: bool) error{OutOfMemory}!void {
        if (stream.response_started) {
            log.warn("a filter continued a response that was not paused: its headers went out twice, which no client understands", .{});
            return stream.resetStream();
        }
        const status = stream.response.headers.get(":status") orelse "";
        const code = statusCode(status);
        if (code == 0) {
            return stream.localReply(.{
                .status = 502,
                .body = "missing required header: :status",
                .details = "filter_removed_required_response_headers{missing_required_header:_:status}",
            });
        }
        try exchange.finishHeaders(&stream.response.headers);
        if (stream.recording) try exchange.keepResponseHead(stream);
        if (!stream.request.complete and !stream.prepared.http2) try stream.response.headers.append("connection", "close");
        stream.response_started = true;
        stream.code = code;
        stream.bodiless = stream.prepared.head or headers.same(status, "204") or headers.same(status, "304");
        if (end_stream) stream.endResponse();
    }

    fn sendData(stream: *Stream, body: *Body, end_stream: bool) error{OutOfMemory}!void {
        if (!stream.bodiless) try arena_zig.appendBytes(&stream.client_body, body.bytes.items);
        arena_zig.clear(&body.bytes);
        if (end_stream) stream.endResponse();
    }

    fn endResponse(stream: *Stream) void {
        stream.response_done = true;
        // What filters still held up goes nowhere.
        arena_zig.clear(&stream.frames);
    }
};

/// The number of a status, 0 where it is none; nearly always it has three digits.
inline fn statusCode(status: []const u8) u32 {
    if (status.len == 3) {
        const hundreds, const tens, const ones = .{ status[0] -% '0', status[1] -% '0', status[2] -% '0' };
        if (hundreds < 10 and tens < 10 and ones < 10) return 100 * @as(u32, hundreds) + 10 * @as(u32, tens) + ones;
    }
    return std.fmt.parseInt(u32, status, 10) catch 0;
}

fn invokeHeaders(filter: *Filter, comptime callback: abi.Callback, count: u32, end_stream: bool) u32 {
    const vm = filter.context.vm;
    if (!vm.has(callback)) return 0;
    if (vm.version == .v0_1_0) return vm_zig.invoke(u32, &filter.context, callback, .{count});
    return vm_zig.invoke(u32, &filter.context, callback, .{ count, @as(u32, @intFromBool(end_stream)) });
}

fn invokeBody(filter: *Filter, comptime callback: abi.Callback, size: u32, end_stream: bool) u32 {
    if (!filter.context.vm.has(callback)) return 0;
    return vm_zig.invoke(u32, &filter.context, callback, .{ size, @as(u32, @intFromBool(end_stream)) });
}

fn invokeTrailers(filter: *Filter, comptime callback: abi.Callback, count: u32) u32 {
    if (!filter.context.vm.has(callback)) return 0;
    return vm_zig.invoke(u32, &filter.context, callback, .{count});
}
