//! One HTTP stream on its way through the filter chain: Envoy's filter manager
//! (`source/common/http/filter_manager.cc`) as a state machine.
//!
//! A trap in a filter unwinds the host's frames too. So nothing that must survive a callback is on the stack of
//! the machine: what Envoy does by recursion is done here by frames in memory, and a frame notes "trapped" as
//! the result of a callback before it makes it.

const std = @import("std");
const parts = @import("parts.zig");
const ends_zig = @import("ends.zig");
const metadata_zig = @import("metadata.zig");
const finish_zig = @import("finish.zig");
const local_reply_zig = @import("local_reply.zig");
const stages_zig = @import("stages.zig");
const steps_zig = @import("steps.zig");
const continuation_zig = @import("continuation.zig");
const straight = @import("straight.zig");
const arena_zig = @import("arena.zig");
const callout = @import("callout.zig");
const clock = @import("clock.zig");
const declared = @import("declared.zig");
const events = @import("events.zig");
const answer_zig = @import("answer.zig");
const prepared_zig = @import("prepared.zig");
const grpc = @import("grpc.zig");
const headers = @import("headers.zig");
const log = @import("log.zig");
const reply_zig = @import("reply.zig");
const tcp = @import("tcp.zig");
const trace = @import("trace.zig");
const vm_zig = @import("vm.zig");
const worker = @import("worker.zig");
const Body = @import("buffer.zig").Body;

const gpa = arena_zig.gpa;

pub const Side = parts.Side;
pub const Half = parts.Half;
pub const Filter = parts.Filter;
pub const Flow = parts.Flow;
pub const Source = parts.Source;
pub const Action = parts.Action;
pub const Frame = parts.Frame;

/// Whose answer is needed before anything can go on.
pub const Need = enum { done, upstream, call };

/// How much one callback can ask for: a filter in an endless loop is not to fill the host.
pub const most_actions = 4096;

pub const Outcome = enum(u8) { complete, paused, reset };

pub const Stream = struct {
    prepared: *const prepared_zig.Prepared = undefined,
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
    /// Envoy's codec has taken the upstream's answer as an error of the protocol.
    upstream_refused: bool = false,
    /// The client went before the response was complete.
    hung_up: bool = false,
    /// An answer that a filter asked for in its creation at the end goes through the others.
    unheard: bool = false,
    /// The log began without a response, and shows none.
    unanswered: bool = false,
    /// What a running callback has asked to answer counts although it traps: see `fail`.
    asked: ?reply_zig.Reply = null,
    /// The client gets no body, whatever there is.
    bodiless: bool = false,
    /// METADATA of the response that had come when the stream was ended.
    late: ?Frame = null,
    /// No VM of the chain has failed.
    sound: bool = true,
    /// Somebody will read the result: off in loops.
    recording: bool = true,
    details: []const u8 = "",
    /// Details may be empty and yet be known.
    detailed: bool = false,
    /// The status as the proxy knows it, whatever filters write to the headers; 0 before there is one.
    code: u32 = 0,
    answer_source: *const answer_zig.Answer = undefined,
    properties: std.ArrayList(headers.Entry) = .empty,
    start_time: u64 = 0,
    /// On the time line of events.zig.
    began: u64 = 0,
    request_id: [36]u8 = undefined,
    finish_index: usize = 0,
    finish_step: enum { create, log, done, delete } = .create,

    pub inline fn flow(stream: *Stream, side: Side) *Flow {
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

    pub fn begin(stream: *Stream, prepared: *const prepared_zig.Prepared) error{OutOfMemory}!void {
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
        stream.unanswered = false;
        stream.asked = null;
        stream.late = null;
        stream.routeless = false;
        stream.no_route = false;
        stream.upstream_refused = false;
        stream.details = "";
        stream.detailed = false;
        stream.code = 0;
        stream.start_time = 0;
        stream.began = events.now;
        events.horizon = events.now;
        events.begin();
        stream.stage = .request;

        const length = worker.chain.items.len;
        if (length > stream.filters.capacity) {
            @branchHint(.unlikely);
            try stream.filters.ensureTotalCapacity(gpa, length);
        }
        stream.filters.items.len = length;
        stream.sound = true;
        for (stream.filters.items, worker.chain.items) |*listed, plugin| {
            const vm = plugin.root.vm;
            const filter = straight.opaquely(listed);
            if (vm.failed) stream.sound = false;
            filter.* = .{
                .context = .{ .id = 0, .vm = vm, .plugin = plugin, .filter = filter, .plugin_index = plugin.index },
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

    /// The running callback has trapped: its VM is dead, and the stream goes on without it.
    pub fn trapped(stream: *Stream) void {
        if (worker.caller) |context_of| context_of.vm.failed = true;
        stream.sound = false;
        worker.mailbox.failed = 1;
        worker.mailbox.running = 0;
        worker.mailbox.guest = 0;
        worker.caller = null;
        worker.context = null;
        worker.hand.map = worker.Hand.none;
        arena_zig.clear(&stream.actions);
        callout.close();
        grpc.closeReading();
        tcp.trapped();
        if (trace.on) trace.trapped();
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

    pub fn pop(stream: *Stream) void {
        stream.frames.items.len -%= 1;
    }

    pub inline fn push(stream: *Stream, frame: Frame) error{OutOfMemory}!void {
        try arena_zig.append(&stream.frames, frame);
    }

    /// Good until another frame is pushed.
    pub inline fn top(stream: *Stream) *Frame {
        return &stream.frames.items.ptr[stream.frames.items.len -% 1];
    }

    pub fn filterAt(stream: *Stream, side: Side, position: usize) *Filter {
        const all = stream.filters.items;
        return if (side == .request) &all[position] else &all[all.len - 1 - position];
    }

    pub fn positionOf(stream: *Stream, side: Side, filter: *Filter) usize {
        const all = stream.filters.items;
        const index = (@intFromPtr(filter) - @intFromPtr(all.ptr)) / @sizeOf(Filter);
        return if (side == .request) index else all.len - 1 - index;
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

    // What callbacks ask for.

    pub fn later(stream: *Stream, action: Action) error{OutOfMemory}!void {
        if (stream.actions.items.len == most_actions) return error.OutOfMemory;
        try stream.actions.append(gpa, action);
    }

    /// Do the next thing that the last callback asked for. True where the machine must look again.
    pub inline fn act(stream: *Stream) error{OutOfMemory}!bool {
        if (stream.actions.items.len == 0) return false;
        return stream.actNow();
    }

    pub fn actNow(stream: *Stream) error{OutOfMemory}!bool {
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
                if (stream.details.len == 0) stream.details = "wasm_close_stream";
                stream.resetStream();
            },
        }
        return true;
    }

    pub fn continueFrom(stream: *Stream, side: Side, filter: *Filter) error{OutOfMemory}!void {
        if (stream.flow(side).aborted) return;
        // `ActiveStreamDecoderFilter::canContinue`: a request does not go on once all of a response is on its way.
        if (side == .request and stream.response.complete) return;
        try stream.push(.{ .kind = .continuation, .side = side, .position = stream.positionOf(side, filter) });
    }

    // The two ends of the chain: the router and the connection to the client.

    // What it does is told elsewhere.
    pub const run = stages_zig.run;
    pub const stepHeaders = steps_zig.stepHeaders;
    pub const stepData = steps_zig.stepData;
    pub const pushAdded = steps_zig.pushAdded;
    pub const stepTrailers = steps_zig.stepTrailers;
    pub const stepMetadata = metadata_zig.stepMetadata;
    pub const stepContinuation = continuation_zig.stepContinuation;
    pub const hold = steps_zig.hold;
    pub const finish = finish_zig.finish;
    pub const stepLog = finish_zig.stepLog;
    pub const stepDone = finish_zig.stepDone;
    pub const replies = local_reply_zig.replies;
    pub const resetStream = local_reply_zig.resetStream;
    pub const fail = local_reply_zig.fail;
    pub const note = local_reply_zig.note;
    pub const iterating = local_reply_zig.iterating;
    pub const localReply = local_reply_zig.localReply;
    pub const respond = ends_zig.respond;
    pub const routeHeaders = ends_zig.routeHeaders;
    pub const routeData = ends_zig.routeData;
    pub const endRequest = ends_zig.endRequest;
    pub const sendHeaders = ends_zig.sendHeaders;
    pub const sendData = ends_zig.sendData;
    pub const endResponse = ends_zig.endResponse;
};
